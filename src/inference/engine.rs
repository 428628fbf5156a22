//! One zoo, ready to run: its models grouped by family, their inputs' matrices, time estimates and strikes. A pass
//! fills a cycle's predictions; nothing is allocated in it. An engine is made off the hot path and may replace
//! another between two cycles.

use std::ops::Range;
use std::sync::Arc;

use hdrhistogram::Histogram;

use super::batch::{ColumnSet, buckets_for};
use super::budget::{Budget, Change};
use super::checks::count_out_of_range;
use super::health::Health;
use super::manifest::{Input, Output};
use super::model::Model;
use super::online::{FtrlState, Learner};
use super::registry::{FeatureRange, LoadedModel, ModelFault, Quarantined, Registry, RegistryError, horizons};
use super::runtime::Runtime;
use super::session::SessionError;
use super::stage::{DeadlineClock, InferenceConfig, InferenceStats};
use crate::domain::{Family, Horizon};
use crate::message::{Calibration, Cycle};

/// Share of a feature's training range by which a live value may lie outside it before it is counted.
pub const RANGE_MARGIN: f32 = 0.1;
/// Passes in a row with an error or a number that is none, after which a model is quarantined.
pub const STRIKES_MAX: u32 = 3;
/// Longest cost that a family's histogram tells apart.
const COST_MAX_NS: u64 = 10_000_000_000;

/// A model with where its inputs come from and its outputs go.
#[derive(Debug)]
struct Slot {
    name: String,
    model: Model,
    set: usize,
    family: Option<Family>,
    inputs: Vec<Input>,
    outputs: Vec<Output>,
    /// Last outputs per place of the set's memory, row-major.
    memory: Vec<f32>,
    strikes: u32,
    quarantined: bool,
    /// Takes the model's place where it learns on.
    learner: Option<Box<Learner>>,
}

/// The models of one family, or the barrier models: what is timed, left out and shed as one.
#[derive(Debug)]
struct Unit {
    family: Option<Family>,
    slots: Range<usize>,
    cost: Histogram<u64>,
}

impl Unit {
    fn name(&self) -> &'static str {
        self.family.map_or("barrier", Family::name)
    }
}

/// What a family cost so far.
#[derive(Clone, Debug, PartialEq)]
pub struct FamilyCost {
    /// Its name; `barrier` for the barrier models.
    pub family: &'static str,
    /// Models of it.
    pub models: usize,
    /// Passes that it took part in.
    pub passes: u64,
    /// Median, 95th percentile and largest cost of a pass, ns.
    pub p50_ns: u64,
    /// See `p50_ns`.
    pub p95_ns: u64,
    /// See `p50_ns`.
    pub max_ns: u64,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Engine {
    zoo: String,
    manifest_sha256: String,
    slots: Vec<Slot>,
    units: Vec<Unit>,
    sets: Vec<ColumnSet>,
    budget: Budget,
    ranges: Vec<FeatureRange>,
    columns: usize,
    config: InferenceConfig,
    calibration: Calibration,
    quorum: [usize; Horizon::COUNT],
    health: Arc<Health>,
}

impl Engine {
    /// Builds the engine and runs every model on each batch bucket twice, the second time for the clock: a first pass
    /// costs up to twice, and what a family costs must be known before the first cycle. A model that fails there,
    /// or takes longer than the whole budget, is quarantined.
    ///
    /// # Errors
    /// The matrices of the inputs can't be made.
    pub fn new(
        registry: Registry,
        runtime: &Runtime,
        config: InferenceConfig,
        clock: &impl DeadlineClock,
    ) -> Result<Self, RegistryError> {
        let buckets = buckets_for(config.max_rows);
        let (columns, ranges, zoo) = (registry.columns(), widened(registry.ranges()), registry.zoo().to_owned());
        let manifest_sha256 = registry.manifest_sha256().to_owned();
        let unmade = |e: SessionError| RegistryError::Inputs { zoo: zoo.clone(), why: e.to_string() };
        let (models, mut failed, plan) = registry.into_parts();
        let (mut sets, mut slots, mut costs) = (Vec::<ColumnSet>::new(), Vec::new(), Vec::new());
        for loaded in models {
            let set = sets.iter().position(|s| s.inputs() == loaded.inputs).unwrap_or(sets.len());
            if set == sets.len() {
                sets.push(ColumnSet::new(runtime, &loaded.inputs, &buckets).map_err(unmade)?);
            }
            let (name, file) = (loaded.name.clone(), loaded.file.clone());
            let mut slot = Slot::new(loaded, set, &config);
            match slot.warm_up(&sets[set], &buckets, config.budget.max(0).unsigned_abs(), clock) {
                Ok(cost) => {
                    slots.push(slot);
                    costs.push(cost);
                }
                Err(fault) => failed.push(Quarantined { name, file, fault }),
            }
        }
        let units = units_of(&slots);
        let order = plan.shed_order.iter().filter_map(|f| units.iter().position(|u| u.family == Some(*f)));
        let mut budget = Budget::new(units.len(), buckets.len(), order.collect());
        for (i, unit) in units.iter().enumerate() {
            for bucket in 0..buckets.len() {
                budget.record(i, bucket, costs[unit.slots.clone()].iter().map(|c| c[bucket]).sum());
            }
        }
        let names = slots.iter().map(|s| s.name.clone()).collect();
        let failed = failed.iter().map(ToString::to_string).collect();
        let health = Arc::new(Health::new(names, units.iter().map(Unit::name).collect(), failed));
        let calibration = plan.calibration;
        let quorum = plan.quorum;
        let made = Self {
            zoo,
            manifest_sha256,
            slots,
            units,
            sets,
            budget,
            ranges,
            columns,
            config,
            calibration,
            quorum,
            health,
        };
        made.health.set_quorum(made.quorum_holds(None));
        Ok(made)
    }

    /// Name of the zoo.
    pub fn zoo(&self) -> &str {
        &self.zoo
    }

    /// SHA-256 of its manifest.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// How to read its scores.
    pub const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Its flags, for whoever watches.
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// How many matrices the models share.
    pub fn column_sets(&self) -> usize {
        self.sets.len()
    }

    /// What each family cost since the start.
    pub fn costs(&self) -> Vec<FamilyCost> {
        let cost = |u: &Unit| FamilyCost {
            family: u.name(),
            models: u.slots.len(),
            passes: u.cost.len(),
            p50_ns: u.cost.value_at_quantile(0.5),
            p95_ns: u.cost.value_at_quantile(0.95),
            max_ns: u.cost.max(),
        };
        self.units.iter().map(cost).collect()
    }

    /// Where the online learner stands and how many rows it learned from; `None` = nothing learns.
    pub fn learned(&self) -> Option<(&FtrlState, u64)> {
        self.slots.iter().find_map(|s| s.learner.as_ref()).map(|l| (l.state(), l.updates()))
    }

    pub(super) fn resume(&mut self, state: &FtrlState) -> bool {
        let learns = self.slots.iter_mut().find_map(|s| Some((s.learner.as_mut()?, &s.inputs, &s.outputs)));
        learns.is_some_and(|(learner, inputs, outputs)| learner.resume(state, inputs, outputs))
    }

    /// Fills the predictions of one cycle, whose outputs are clear.
    pub(super) fn pass(&mut self, cycle: &mut Cycle, clock: &impl DeadlineClock, stats: &mut InferenceStats) {
        if cycle.columns != self.columns || cycle.rows > self.config.max_rows || cycle.rows > cycle.max_rows() {
            stats.cycles_refused += 1;
            return;
        }
        let start_ns = clock.mono_ns();
        let budget_ns = self.config.budget.max(0).unsigned_abs();
        for set in self.sets.iter_mut().filter(|s| !s.reads_scores()) {
            stats.rows_refused += set.gather(cycle, &self.calibration, self.config.keep);
            stats.rows_kept += set.kept().len() as u64;
        }
        stats.out_of_range += count_out_of_range(&self.ranges, cycle);
        let mut left_out = false;
        let mut now_ns = clock.mono_ns();
        for unit in 0..self.units.len() {
            let spent_ns = now_ns.saturating_sub(start_ns);
            if !self.may_run(unit, budget_ns.checked_sub(spent_ns), &mut left_out, stats) {
                continue;
            }
            let bucket = self.run_unit(unit, cycle, stats);
            let end_ns = clock.mono_ns();
            if let Some(bucket) = bucket {
                let took_ns = end_ns.saturating_sub(now_ns);
                self.budget.record(unit, bucket, took_ns);
                self.units[unit].cost.saturating_record(took_ns);
            }
            now_ns = end_ns;
        }
        cycle.in_time = now_ns.saturating_sub(start_ns) <= budget_ns;
        stats.late_cycles += u64::from(!cycle.in_time);
        self.after_pass(now_ns, left_out || !cycle.in_time, stats);
    }

    /// Whether a unit takes part in this pass. One that does not leaves its sets incomplete: nothing is kept there.
    fn may_run(&mut self, unit: usize, left_ns: Option<u64>, left_out: &mut bool, stats: &mut InferenceStats) -> bool {
        let slots = self.units[unit].slots.clone();
        let bucket = self.bucket_of(unit);
        let fits = match (left_ns, bucket) {
            (None, _) => false,
            (Some(left_ns), Some(bucket)) => self.budget.fits(unit, bucket, left_ns),
            (Some(_), None) => true,
        };
        let shed = self.budget.is_shed(unit);
        if fits && !shed {
            return true;
        }
        if !shed {
            *left_out = true;
            stats.families_left_out += 1;
            stats.models_left_out += slots.len() as u64;
            if let (Some(_), Some(bucket)) = (left_ns, bucket) {
                self.budget.left_out(unit, bucket);
            }
        }
        for slot in &self.slots[slots] {
            self.sets[slot.set].complete = false;
        }
        false
    }

    /// The bucket by which a unit is timed: the largest of its models' sets that are gathered.
    fn bucket_of(&self, unit: usize) -> Option<usize> {
        self.slots[self.units[unit].slots.clone()].iter().filter_map(|s| self.sets[s.set].bucket()).max()
    }

    /// Runs the models of a unit; gives the bucket that it was timed by, `None` = no row was new.
    fn run_unit(&mut self, unit: usize, cycle: &mut Cycle, stats: &mut InferenceStats) -> Option<usize> {
        let slots = self.units[unit].slots.clone();
        // Sets that read scores can be gathered now: what they read ran before.
        let mut gathered = None;
        for slot in slots.clone() {
            let set = self.slots[slot].set;
            if self.sets[set].reads_scores() && gathered != Some(set) {
                stats.rows_refused += self.sets[set].gather(cycle, &self.calibration, self.config.keep);
                stats.rows_kept += self.sets[set].kept().len() as u64;
                gathered = Some(set);
            }
        }
        for index in slots {
            let slot = &mut self.slots[index];
            let set = &mut self.sets[slot.set];
            if slot.quarantined {
                continue;
            }
            if let Some(learner) = &mut slot.learner {
                learn(learner, set, cycle, slot.family, &slot.outputs, &mut slot.memory);
                continue;
            }
            if slot.run(set, cycle, stats) {
                slot.strikes = 0;
                continue;
            }
            set.complete = false;
            slot.strikes += 1;
            if slot.strikes >= STRIKES_MAX {
                slot.quarantined = true;
                stats.models_quarantined += 1;
                self.health.quarantine(index);
                self.health.set_quorum(self.quorum_holds(None));
            }
        }
        self.bucket_of(unit)
    }

    fn after_pass(&mut self, now_ns: u64, late: bool, stats: &mut InferenceStats) {
        let mut budget = std::mem::take(&mut self.budget);
        let change = budget.pass_ended(now_ns, late, |b, unit| self.quorum_holds_without(b, unit));
        self.budget = budget;
        match change {
            Some(Change::Shed(unit)) => {
                stats.families_shed += 1;
                self.health.set_shed(unit, true);
            }
            Some(Change::Readmitted(unit)) => {
                stats.families_readmitted += 1;
                self.health.set_shed(unit, false);
            }
            None => {}
        }
    }

    fn quorum_holds_without(&self, budget: &Budget, unit: usize) -> bool {
        let out = |u: usize| u == unit || budget.is_shed(u);
        self.quorum_holds(Some(&out))
    }

    /// Whether each horizon has enough families with a model that can speak, the units that `out` names left away.
    fn quorum_holds(&self, out: Option<&dyn Fn(usize) -> bool>) -> bool {
        let mut speaks = [[false; Horizon::COUNT]; Family::COUNT];
        for (u, unit) in self.units.iter().enumerate() {
            let (Some(family), false) = (unit.family, out.is_some_and(|out| out(u))) else { continue };
            for slot in self.slots[unit.slots.clone()].iter().filter(|s| !s.quarantined) {
                let heard = slot.inputs.iter().all(|i| match i {
                    Input::Score(f, h) => speaks[f.index()][h.index()],
                    Input::Feature(_) => true,
                });
                for horizon in horizons(&slot.outputs).filter(|_| heard) {
                    speaks[family.index()][horizon.index()] = true;
                }
            }
        }
        (0..Horizon::COUNT).all(|h| speaks.iter().filter(|row| row[h]).count() >= self.quorum[h])
    }
}

impl Slot {
    fn new(loaded: LoadedModel, set: usize, config: &InferenceConfig) -> Self {
        let max_rows = config.max_rows.max(1);
        let state = loaded.state.filter(|_| config.learn);
        let learner = state.map(|s| Box::new(Learner::new(s, &loaded.inputs, &loaded.outputs, max_rows)));
        Self {
            learner,
            name: loaded.name,
            model: loaded.model,
            set,
            family: loaded.family,
            inputs: loaded.inputs,
            memory: vec![f32::NAN; max_rows * loaded.outputs.len()],
            outputs: loaded.outputs,
            strikes: 0,
            quarantined: false,
        }
    }

    /// Makes the outputs and runs each bucket twice; gives what the second run took, per bucket.
    fn warm_up(
        &mut self,
        set: &ColumnSet,
        buckets: &[usize],
        budget_ns: u64,
        clock: &impl DeadlineClock,
    ) -> Result<Vec<u64>, ModelFault> {
        self.model.prepare(buckets)?;
        let mut costs = Vec::with_capacity(buckets.len());
        for (bucket, &rows) in buckets.iter().enumerate() {
            self.model.run(set.matrix(), bucket, rows, |_| ())?;
            let from_ns = clock.mono_ns();
            self.model.run(set.matrix(), bucket, rows, |_| ())?;
            let took_ns = clock.mono_ns().saturating_sub(from_ns);
            if took_ns > budget_ns {
                let ms = |ns: u64| ns as f64 / 1e6;
                return Err(ModelFault::Slow { rows, took_ms: ms(took_ns), budget_ms: ms(budget_ns) });
            }
            costs.push(took_ns);
        }
        Ok(costs)
    }

    /// Runs the model over its set's new rows and repeats what is known of the others. `false` = it failed, or gave
    /// something that is no number; that is left out.
    fn run(&mut self, set: &ColumnSet, cycle: &mut Cycle, stats: &mut InferenceStats) -> bool {
        let (family, outputs, memory, width) = (self.family, &self.outputs, &mut self.memory, self.outputs.len());
        for place in set.kept() {
            write(cycle, place.row, family, outputs, &memory[place.memory * width..][..width]);
        }
        let Some(bucket) = set.bucket() else { return true };
        let packed = set.packed();
        let refused = self.model.run(set.matrix(), bucket, packed.len(), |scores| {
            let mut refused = 0;
            for (place, scores) in packed.iter().zip(scores.chunks_exact(width)) {
                refused += write(cycle, place.row, family, outputs, scores);
                memory[place.memory * width..][..width].copy_from_slice(scores);
            }
            refused
        });
        match refused {
            Ok(refused) => stats.scores_refused += refused,
            Err(_) => stats.runs_failed += 1,
        }
        refused.is_ok_and(|refused| refused == 0)
    }
}

/// Scores every row, known or not, with the weights as they are now, then learns from what this cycle shows.
fn learn(
    learner: &mut Learner,
    set: &ColumnSet,
    cycle: &mut Cycle,
    family: Option<Family>,
    outputs: &[Output],
    scores: &mut [f32],
) {
    let scores = &mut scores[..outputs.len()];
    for &place in set.kept().iter().chain(set.packed()) {
        learner.score(set.inputs_at(place), scores);
        write(cycle, place.row, family, outputs, scores);
    }
    learner.observe(cycle);
}

/// Puts one row's outputs where they belong; gives how many are no numbers and were left out.
fn write(cycle: &mut Cycle, row: usize, family: Option<Family>, outputs: &[Output], values: &[f32]) -> u64 {
    let mut refused = 0;
    for (output, &value) in outputs.iter().zip(values) {
        if !value.is_finite() {
            refused += 1;
            continue;
        }
        match (*output, family) {
            (Output::Score(horizon), Some(family)) => cycle.set_prediction(row, family, horizon, value),
            (Output::Aux(what), _) => cycle.set_aux(row, what, value),
            (Output::Score(_), None) => {}
        }
    }
    refused
}

/// Contiguous runs of one family.
fn units_of(slots: &[Slot]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for chunk in slots.chunk_by(|a, b| a.family == b.family) {
        let from = units.last().map_or(0, |u| u.slots.end);
        // Bounds that the crate accepts: 2 ≤ 2 × low ≤ high, digits ≤ 5.
        let Ok(cost) = Histogram::new_with_bounds(1, COST_MAX_NS, 2) else { continue };
        units.push(Unit { family: chunk[0].family, slots: from..from + chunk.len(), cost });
    }
    units
}

/// The ranges, each wider by [`RANGE_MARGIN`] of itself on both sides.
fn widened(ranges: &[FeatureRange]) -> Vec<FeatureRange> {
    let widen = |r: &FeatureRange| {
        let margin = (r.high - r.low) * RANGE_MARGIN;
        FeatureRange { column: r.column, low: r.low - margin, high: r.high + margin }
    };
    ranges.iter().map(widen).collect()
}
