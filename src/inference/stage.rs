//! The inference stage: a cycle's features in, its predictions out, inside a time budget. Pure but for the models
//! themselves; the clock of its deadline is handed in, and so is another zoo, which takes over between two cycles.
//!
//! A pass can't be interrupted inside a model, so time is looked at between families: one that would be late is left
//! out of this pass. Once the budget is spent the cycle is late: `in_time` stays false and nothing is decided on it.

use super::engine::{Engine, FamilyCost};
use super::online::FtrlState;
use super::registry::{Registry, RegistryError};
use super::runtime::Runtime;
use crate::clock::{Clock, MILLISECOND, Nanos, SessionTime};
use crate::message::Cycle;
use crate::pipeline::ring::{Rx, Tx, ring};
use crate::pipeline::{Outbox, Stage};

/// Monotonic time for the deadline. Every [`Clock`] is one; a virtual clock stands still during a pass, so in
/// lockstep a deadline never expires.
pub trait DeadlineClock {
    /// Monotonic nanoseconds now.
    fn mono_ns(&self) -> u64;
}

impl<C: Clock> DeadlineClock for C {
    fn mono_ns(&self) -> u64 {
        Clock::mono_ns(self)
    }
}

/// Settings of the stage.
#[derive(Clone, Copy, Debug)]
pub struct InferenceConfig {
    /// Most rows of a cycle.
    pub max_rows: usize,
    /// Wall time that a pass may take.
    pub budget: Nanos,
    /// Whether outputs of rows whose inputs did not change are kept.
    pub keep: bool,
    /// Whether a model with a state learns on.
    pub learn: bool,
}

impl InferenceConfig {
    /// The standard budget of a pass.
    pub const BUDGET: Nanos = 100 * MILLISECOND;

    /// The standard budget for up to `max_rows` symbols.
    pub const fn new(max_rows: usize) -> Self {
        Self { max_rows, budget: Self::BUDGET, keep: true, learn: false }
    }
}

/// What happened so far. All counts are totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InferenceStats {
    /// Cycles taken.
    pub cycles: u64,
    /// Cycles that ran past the budget.
    pub late_cycles: u64,
    /// Families left out of a pass because they would have been late.
    pub families_left_out: u64,
    /// Their models.
    pub models_left_out: u64,
    /// Families shed after repeated lateness.
    pub families_shed: u64,
    /// Families taken back after a quiet time.
    pub families_readmitted: u64,
    /// Models quarantined while running.
    pub models_quarantined: u64,
    /// Rows that lacked an input, once per list of inputs.
    pub rows_refused: u64,
    /// Rows whose inputs had not changed, once per list of inputs.
    pub rows_kept: u64,
    /// Outputs that were no number.
    pub scores_refused: u64,
    /// Passes of a model that ONNX Runtime failed.
    pub runs_failed: u64,
    /// Features outside their training range by more than [`super::RANGE_MARGIN`].
    pub out_of_range: u64,
    /// Cycles of another shape than the stage was made for: passed on with no prediction.
    pub cycles_refused: u64,
    /// Zoos that took over from another.
    pub swaps: u64,
}

/// The stage's ends of the two rings on which zoos change places.
#[derive(Debug)]
struct Exchange {
    incoming: Rx<Box<Engine>>,
    retired: Tx<Box<Engine>>,
}

/// The other ends: hands a checked zoo to the stage and takes the old one back, to be dropped off the hot path.
#[derive(Debug)]
pub struct SwapPort {
    outgoing: Tx<Box<Engine>>,
    retired: Rx<Box<Engine>>,
}

impl SwapPort {
    /// Hands a zoo over; it takes over at the next cycle. Given back when an earlier one still waits.
    ///
    /// # Errors
    /// The zoo itself: try again after a cycle.
    pub fn offer(&mut self, engine: Box<Engine>) -> Result<(), Box<Engine>> {
        self.outgoing.push(engine)
    }

    /// A zoo that was replaced: its successor runs.
    pub fn take_retired(&mut self) -> Option<Box<Engine>> {
        self.retired.pop()
    }
}

/// The stage.
#[derive(Debug)]
pub struct InferenceStage<C> {
    engine: Box<Engine>,
    exchange: Option<Exchange>,
    clock: C,
    stats: InferenceStats,
}

impl<C: DeadlineClock> InferenceStage<C> {
    /// Builds the stage and its engine, warmed up.
    ///
    /// # Errors
    /// The inputs' matrices can't be made.
    pub fn new(
        registry: Registry,
        runtime: &Runtime,
        config: InferenceConfig,
        clock: C,
    ) -> Result<Self, RegistryError> {
        let engine = Box::new(Engine::new(registry, runtime, config, &clock)?);
        Ok(Self { engine, exchange: None, clock, stats: InferenceStats::default() })
    }

    /// Opens the exchange of zoos.
    pub fn swap_port(&mut self) -> SwapPort {
        let (outgoing, incoming) = ring(1);
        // One more than can be under way: a retired zoo always finds room, or the next one waits.
        let (retired_tx, retired) = ring(2);
        self.exchange = Some(Exchange { incoming, retired: retired_tx });
        SwapPort { outgoing, retired }
    }

    /// Totals since the start.
    pub fn stats(&self) -> InferenceStats {
        self.stats
    }

    /// The zoo that runs.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What each family cost since the zoo took over.
    pub fn costs(&self) -> Vec<FamilyCost> {
        self.engine.costs()
    }

    /// Lets the online learner go on from a checkpoint; `false` = there is none, or the checkpoint is another model's.
    pub fn resume(&mut self, state: &FtrlState) -> bool {
        self.engine.resume(state)
    }

    /// Between two cycles: a waiting zoo takes over if the old one can be handed back.
    fn change_zoo(&mut self) -> bool {
        let Some(exchange) = &mut self.exchange else { return false };
        if exchange.retired.room() == 0 {
            return false;
        }
        let Some(engine) = exchange.incoming.pop() else { return false };
        let old = std::mem::replace(&mut self.engine, engine);
        // There is room, looked at above; this is its only producer.
        let _ = exchange.retired.push(old);
        self.stats.swaps += 1;
        true
    }

    /// Fills the predictions of one cycle.
    fn infer(&mut self, cycle: &mut Cycle) {
        self.stats.cycles += 1;
        cycle.clear_outputs();
        if self.change_zoo() {
            cycle.recalibration = Some(*self.engine.calibration());
        }
        self.engine.pass(cycle, &self.clock, &mut self.stats);
    }
}

impl<C: DeadlineClock> Stage for InferenceStage<C> {
    type In = Box<Cycle>;
    type Out = Box<Cycle>;

    fn on_event(&mut self, _now: SessionTime, mut input: Box<Cycle>, out: &mut Outbox<Box<Cycle>>) {
        self.infer(&mut input);
        out.push(input);
    }
}
