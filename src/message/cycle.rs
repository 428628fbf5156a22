//! The batch: one decision cycle over all symbols. Slots are allocated once, travel features → inference →
//! decision as `Box`es and come back on a return ring; nothing is allocated in between.

use super::calibration::Calibration;
use crate::clock::SessionTime;
use crate::domain::{Barrier, Family, Horizon, Price, SymbolId};

/// Columns of predictions: family-major, `family.index() × 5 + horizon.index()`.
pub const PREDICTION_COLUMNS: usize = Family::COUNT * Horizon::COUNT;

/// A model output for one symbol: expected return over the horizon in units of σ√h (unitless score), NaN when
/// the model was absent, late, or refused the row.
pub type Prediction = f32;

/// A model output that is no score, one column of [`Cycle::aux`]. At most one model of a zoo gives each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aux {
    /// 10 % quantile of the standardised return, units of σ√h.
    Q10(Horizon),
    /// 90 % quantile.
    Q90(Horizon),
    /// ln of the predicted standard deviation of the standardised return.
    LogScale(Horizon),
    /// How unlike the training rows this row is (reconstruction error; larger = stranger).
    Anomaly,
    /// How real a row looks to a discriminator, 0 … 1.
    Realism,
    /// Chance of a barrier event, 0 … 1.
    Chance(Barrier),
}

impl Aux {
    /// How many there are.
    pub const COUNT: usize = 3 * Horizon::COUNT + 2 + Barrier::COUNT;

    /// Its column.
    pub const fn index(self) -> usize {
        match self {
            Self::Q10(h) => h.index(),
            Self::Q90(h) => Horizon::COUNT + h.index(),
            Self::LogScale(h) => 2 * Horizon::COUNT + h.index(),
            Self::Anomaly => 3 * Horizon::COUNT,
            Self::Realism => 3 * Horizon::COUNT + 1,
            Self::Chance(b) => 3 * Horizon::COUNT + 2 + b as usize,
        }
    }
}

/// One decision cycle. `rows` symbols; row `i` of every table belongs to `symbols[i]`.
#[derive(Debug)]
pub struct Cycle {
    /// Counts cycles of the session from 1.
    pub id: u64,
    /// Session time of the decision: the bar boundary that closed it, plus the grace.
    pub at: SessionTime,
    /// Stamp of the market event that caused the cycle (latency is measured from it).
    pub cause: SessionTime,
    /// Rows in use.
    pub rows: usize,
    /// Symbols of the rows, shape `[rows]`.
    pub symbols: Vec<SymbolId>,
    /// Features, row-major, shape `[rows, columns]`; NaN = unknown.
    pub features: Vec<f32>,
    /// Columns of `features`.
    pub columns: usize,
    /// Point-in-time σ of one-minute log returns of each row's symbol (fraction, not bps); NaN = unknown.
    pub sigma_1m: Vec<f32>,
    /// Mid of the fit NBBO at `at`, `NONE` = no fit quote: then the row can't raise exposure.
    pub mid: Vec<Price>,
    /// Half the quoted spread over mid, in bps; NaN = unknown.
    pub half_spread_bps: Vec<f32>,
    /// Average daily volume, shares (0 = unknown).
    pub adv: Vec<u64>,
    /// Whether models look at a row, shape `[rows]`: the prefilter's choice.
    pub scored: Vec<bool>,
    /// By symbol, not by row: what is held, wanted or worked as decision knew it when it gave the slot back.
    pub held: Vec<bool>,
    /// Predictions, row-major, shape `[rows, PREDICTION_COLUMNS]`; NaN = none.
    pub predictions: Vec<Prediction>,
    /// What models say beside scores, row-major, shape `[rows, Aux::COUNT]`; NaN = none.
    pub aux: Vec<f32>,
    /// How to read the predictions from this cycle on, when another zoo took over at it.
    pub recalibration: Option<Calibration>,
    /// Whether inference ended inside its budget; a late cycle is not decided on.
    pub in_time: bool,
}

impl Cycle {
    /// An empty slot for up to `max_rows` symbols and `columns` features.
    pub fn with_capacity(max_rows: usize, columns: usize) -> Self {
        Self {
            id: 0,
            at: SessionTime(0),
            cause: SessionTime(0),
            rows: 0,
            symbols: vec![SymbolId(0); max_rows],
            features: vec![f32::NAN; max_rows * columns],
            columns,
            sigma_1m: vec![f32::NAN; max_rows],
            mid: vec![Price::NONE; max_rows],
            half_spread_bps: vec![f32::NAN; max_rows],
            adv: vec![0; max_rows],
            scored: vec![true; max_rows],
            held: vec![true; max_rows],
            predictions: vec![f32::NAN; max_rows * PREDICTION_COLUMNS],
            aux: vec![f32::NAN; max_rows * Aux::COUNT],
            recalibration: None,
            in_time: false,
        }
    }

    /// Most symbols that this slot can hold.
    pub fn max_rows(&self) -> usize {
        self.symbols.len()
    }

    /// The features of a row.
    pub fn feature_row(&self, row: usize) -> &[f32] {
        &self.features[row * self.columns..(row + 1) * self.columns]
    }

    /// One model's prediction for a row.
    pub fn prediction(&self, row: usize, family: Family, horizon: Horizon) -> Prediction {
        self.predictions[row * PREDICTION_COLUMNS + family.index() * Horizon::COUNT + horizon.index()]
    }

    /// Sets one model's prediction for a row.
    pub fn set_prediction(&mut self, row: usize, family: Family, horizon: Horizon, value: Prediction) {
        self.predictions[row * PREDICTION_COLUMNS + family.index() * Horizon::COUNT + horizon.index()] = value;
    }

    /// What a model says beside its score of a row.
    pub fn aux(&self, row: usize, what: Aux) -> f32 {
        self.aux[row * Aux::COUNT + what.index()]
    }

    /// Sets what a model says beside its score.
    pub fn set_aux(&mut self, row: usize, what: Aux, value: f32) {
        self.aux[row * Aux::COUNT + what.index()] = value;
    }

    /// Forgets the last cycle's outputs: no stale prediction can survive into a new cycle.
    pub fn clear_outputs(&mut self) {
        self.predictions.fill(f32::NAN);
        self.aux.fill(f32::NAN);
        self.recalibration = None;
        self.in_time = false;
    }
}

/// The slots that features holds while they are free. Empty = the cycle is dropped and counted.
#[derive(Debug)]
#[allow(clippy::vec_box, reason = "a slot moves between threads by pointer: the box is the message")]
pub struct CyclePool {
    free: Vec<Box<Cycle>>,
}

impl CyclePool {
    /// `slots` empty slots.
    pub fn new(slots: usize, max_rows: usize, columns: usize) -> Self {
        Self { free: (0..slots).map(|_| Box::new(Cycle::with_capacity(max_rows, columns))).collect() }
    }

    /// A free slot, with its outputs cleared.
    pub fn take(&mut self) -> Option<Box<Cycle>> {
        self.free.pop().map(|mut c| {
            c.clear_outputs();
            c
        })
    }

    /// The slot that was returned last, as it came, until it is taken again.
    pub fn latest(&self) -> Option<&Cycle> {
        self.free.last().map(|c| &**c)
    }

    /// Returns a slot. Never grows beyond the number it was made with.
    pub fn put(&mut self, cycle: Box<Cycle>) {
        if self.free.len() < self.free.capacity() {
            self.free.push(cycle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aux_output_has_a_column_of_its_own() {
        let per_horizon = Horizon::ALL.into_iter().flat_map(|h| [Aux::Q10(h), Aux::Q90(h), Aux::LogScale(h)]);
        let all = per_horizon.chain([Aux::Anomaly, Aux::Realism]).chain(Barrier::ALL.map(Aux::Chance));
        let mut columns: Vec<usize> = all.map(Aux::index).collect();
        columns.sort_unstable();
        assert_eq!(columns, (0..Aux::COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn a_slot_taken_again_remembers_nothing() {
        let mut pool = CyclePool::new(1, 2, 1);
        let mut cycle = pool.take().unwrap();
        cycle.set_aux(1, Aux::Realism, 0.5);
        cycle.set_prediction(1, Family::Gan, Horizon::M5, 0.5);
        cycle.recalibration = Some(Calibration { scales: [[None; 5]; 16], slope: [0.0; 5] });
        pool.put(cycle);
        let cycle = pool.take().unwrap();
        assert!(cycle.aux.iter().chain(&cycle.predictions).all(|x| x.is_nan()) && cycle.recalibration.is_none());
    }
}
