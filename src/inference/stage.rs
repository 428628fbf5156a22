//! The inference stage: a cycle's features in, its predictions out, inside a time budget. Pure but for the models
//! themselves; the clock of its deadline is handed in.
//!
//! A pass can't be interrupted inside a model, so time is looked at between models. Once the budget is spent the
//! remaining models are left out and the cycle is late: `in_time` stays false and nothing is decided on it.

use super::batch::{ColumnSet, buckets_for};
use super::registry::{FeatureRange, LoadedModel, ModelFault, Registry, RegistryError};
use super::runtime::Runtime;
use super::session::{OnnxModel, SessionError};
use crate::clock::{Clock, MILLISECOND, Nanos, SessionTime};
use crate::domain::{Family, Horizon};
use crate::message::Cycle;
use crate::pipeline::{Outbox, Stage};

/// Share of a feature's training range by which a live value may lie outside it before it is counted.
pub const RANGE_MARGIN: f32 = 0.1;

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
}

impl InferenceConfig {
    /// The standard budget of a pass.
    pub const BUDGET: Nanos = 100 * MILLISECOND;

    /// The standard budget for up to `max_rows` symbols.
    pub const fn new(max_rows: usize) -> Self {
        Self { max_rows, budget: Self::BUDGET }
    }
}

/// What happened so far. All counts are totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InferenceStats {
    /// Cycles taken.
    pub cycles: u64,
    /// Cycles that ran past the budget.
    pub late_cycles: u64,
    /// Models left out because the budget was spent.
    pub models_left_out: u64,
    /// Rows that lacked a feature, once per list of input columns.
    pub rows_refused: u64,
    /// Scores that were no number.
    pub scores_refused: u64,
    /// Passes of a model that ONNX Runtime failed.
    pub runs_failed: u64,
    /// Features outside their training range by more than [`RANGE_MARGIN`].
    pub out_of_range: u64,
    /// Cycles of another shape than the stage was made for: passed on with no prediction.
    pub cycles_refused: u64,
}

/// A model with where its inputs come from and its outputs go.
#[derive(Debug)]
struct Slot {
    model: OnnxModel,
    set: usize,
    family: Family,
    horizons: Vec<Horizon>,
}

/// The stage.
#[derive(Debug)]
pub struct InferenceStage<C> {
    slots: Vec<Slot>,
    sets: Vec<ColumnSet>,
    ranges: Vec<FeatureRange>,
    columns: usize,
    config: InferenceConfig,
    clock: C,
    stats: InferenceStats,
}

impl<C: DeadlineClock> InferenceStage<C> {
    /// Builds the stage and runs every model once per batch bucket: the first pass of a shape costs up to twice.
    ///
    /// # Errors
    /// A model fails its warm-up pass; the sentence names it.
    pub fn new(
        registry: Registry,
        runtime: &Runtime,
        config: InferenceConfig,
        clock: C,
    ) -> Result<Self, RegistryError> {
        let buckets = buckets_for(config.max_rows);
        let (columns, ranges) = (registry.columns(), widened(registry.ranges()));
        let mut sets: Vec<ColumnSet> = Vec::new();
        let mut slots = Vec::with_capacity(registry.models().len());
        for loaded in registry.into_models() {
            let (name, file) = (loaded.name.clone(), "warm-up pass".to_owned());
            let slot = warmed_up(loaded, &mut sets, runtime, &buckets).map_err(|e| RegistryError::Model {
                name,
                file,
                fault: ModelFault::Session(e),
            })?;
            slots.push(slot);
        }
        Ok(Self { slots, sets, ranges, columns, config, clock, stats: InferenceStats::default() })
    }

    /// Totals since the start.
    pub fn stats(&self) -> InferenceStats {
        self.stats
    }

    /// How many matrices the models share.
    pub fn column_sets(&self) -> usize {
        self.sets.len()
    }

    /// Fills the predictions of one cycle.
    fn infer(&mut self, cycle: &mut Cycle) {
        self.stats.cycles += 1;
        cycle.clear_outputs();
        if cycle.columns != self.columns || cycle.rows > self.config.max_rows || cycle.rows > cycle.max_rows() {
            self.stats.cycles_refused += 1;
            return;
        }
        let start_ns = self.clock.mono_ns();
        let budget_ns = self.config.budget.max(0).unsigned_abs();
        for set in &mut self.sets {
            self.stats.rows_refused += set.gather(cycle);
        }
        self.stats.out_of_range += count_out_of_range(&self.ranges, cycle);
        for index in 0..self.slots.len() {
            if self.clock.mono_ns().saturating_sub(start_ns) > budget_ns {
                self.stats.models_left_out += (self.slots.len() - index) as u64;
                break;
            }
            self.run_slot(index, cycle);
        }
        cycle.in_time = self.clock.mono_ns().saturating_sub(start_ns) <= budget_ns;
        self.stats.late_cycles += u64::from(!cycle.in_time);
    }

    /// One model over its set's rows. A failure leaves NaN.
    fn run_slot(&mut self, index: usize, cycle: &mut Cycle) {
        let slot = &mut self.slots[index];
        let set = &self.sets[slot.set];
        let Some(bucket) = set.bucket() else { return };
        let (family, horizons) = (slot.family, &slot.horizons);
        let refused = slot.model.run(set.matrix(), bucket, |scores| {
            let mut refused = 0;
            for (&row, scores) in set.rows().iter().zip(scores.chunks_exact(horizons.len())) {
                for (&horizon, &score) in horizons.iter().zip(scores) {
                    if score.is_finite() {
                        cycle.set_prediction(row, family, horizon, score);
                    } else {
                        refused += 1;
                    }
                }
            }
            refused
        });
        match refused {
            Ok(refused) => self.stats.scores_refused += refused,
            Err(_) => self.stats.runs_failed += 1,
        }
    }
}

/// A model with its outputs made, its column set found or made, and each batch bucket run once.
fn warmed_up(
    loaded: LoadedModel,
    sets: &mut Vec<ColumnSet>,
    runtime: &Runtime,
    buckets: &[usize],
) -> Result<Slot, SessionError> {
    let set = sets.iter().position(|s| s.columns() == loaded.columns).unwrap_or(sets.len());
    if set == sets.len() {
        sets.push(ColumnSet::new(runtime, &loaded.columns, buckets)?);
    }
    let mut model = loaded.model;
    model.prepare(buckets)?;
    for bucket in 0..buckets.len() {
        model.run(sets[set].matrix(), bucket, |_| ())?;
    }
    Ok(Slot { model, set, family: loaded.family, horizons: loaded.horizons })
}

impl<C: DeadlineClock> Stage for InferenceStage<C> {
    type In = Box<Cycle>;
    type Out = Box<Cycle>;

    fn on_event(&mut self, _now: SessionTime, mut input: Box<Cycle>, out: &mut Outbox<Box<Cycle>>) {
        self.infer(&mut input);
        out.push(input);
    }
}

/// The ranges, each wider by [`RANGE_MARGIN`] of itself on both sides.
fn widened(ranges: &[FeatureRange]) -> Vec<FeatureRange> {
    let widen = |r: &FeatureRange| {
        let margin = (r.high - r.low) * RANGE_MARGIN;
        FeatureRange { column: r.column, low: r.low - margin, high: r.high + margin }
    };
    ranges.iter().map(widen).collect()
}

/// Features outside the ranges; NaN is not counted here (its row is refused).
fn count_out_of_range(ranges: &[FeatureRange], cycle: &Cycle) -> u64 {
    (0..cycle.rows)
        .map(|row| {
            let features = cycle.feature_row(row);
            ranges.iter().filter(|r| features[r.column] < r.low || features[r.column] > r.high).count() as u64
        })
        .sum()
}
