//! The batch: one decision cycle over all symbols. Slots are allocated once, travel features → inference →
//! decision as `Box`es and come back on a return ring; nothing is allocated in between.

use crate::clock::SessionTime;
use crate::domain::{Family, Horizon, Price, SymbolId};

/// Columns of predictions: family-major, `family.index() × 5 + horizon.index()`.
pub const PREDICTION_COLUMNS: usize = Family::COUNT * Horizon::COUNT;

/// A model output for one symbol: expected return over the horizon in units of σ√h (unitless score), NaN when
/// the model was absent, late, or refused the row.
pub type Prediction = f32;

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
    /// Predictions, row-major, shape `[rows, PREDICTION_COLUMNS]`; NaN = none.
    pub predictions: Vec<Prediction>,
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
            predictions: vec![f32::NAN; max_rows * PREDICTION_COLUMNS],
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

    /// Forgets the last cycle's outputs: no stale prediction can survive into a new cycle.
    pub fn clear_outputs(&mut self) {
        self.predictions.fill(f32::NAN);
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

    /// Returns a slot. Never grows beyond the number it was made with.
    pub fn put(&mut self, cycle: Box<Cycle>) {
        if self.free.len() < self.free.capacity() {
            self.free.push(cycle);
        }
    }
}
