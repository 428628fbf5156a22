//! Batches: per distinct list of inputs one shared matrix, gathered from a cycle's rows.
//!
//! NaN into a tree ensemble or an LSTM gives a plausible finite number, so a row that lacks any of a list's inputs
//! is refused here and never reaches a model. A row whose inputs are to the bit those of its symbol's last pass is
//! kept out too: its outputs are known. The rows that remain are packed, padded with zeros to the next batch bucket,
//! and scattered back by row number.

use super::manifest::Input;
use super::runtime::Runtime;
use super::session::{InputMatrix, SessionError};
use crate::message::{Calibration, Cycle};

/// Bucket sizes in rows. A pass of n rows runs in the smallest bucket ≥ n: fixed shapes let ONNX Runtime reuse its
/// memory plan, and the outputs can be preallocated.
const BUCKET_ROWS: [usize; 13] = [1, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];
/// Standardised scores that are inputs are cut to ± this, as in training.
const SCORE_CLIP: f32 = 3.0;

/// The buckets for up to `max_rows` rows, ascending; the last is exactly `max_rows`. Never empty.
pub(super) fn buckets_for(max_rows: usize) -> Vec<usize> {
    let max_rows = max_rows.max(1);
    let mut buckets: Vec<usize> = BUCKET_ROWS.into_iter().filter(|&b| b < max_rows).collect();
    buckets.push(max_rows);
    buckets
}

/// A cycle row and the place where its symbol's last inputs and outputs are remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) row: usize,
    pub(super) memory: usize,
}

/// Whether a cycle's rows can be remembered by symbol: ascending, each below `max_rows`. If not, a row's place is its
/// number and nothing is kept.
pub(super) fn by_symbol(cycle: &Cycle, max_rows: usize) -> bool {
    let symbols = &cycle.symbols[..cycle.rows];
    symbols.windows(2).all(|w| w[0] < w[1]) && symbols.last().is_none_or(|s| s.index() < max_rows)
}

/// One list of inputs and the matrix of the current cycle.
#[derive(Debug)]
pub(super) struct ColumnSet {
    inputs: Vec<Input>,
    buckets: Vec<usize>,
    matrix: InputMatrix,
    /// Rows in the matrix, in order. Capacity: the largest bucket.
    packed: Vec<Place>,
    /// Rows whose inputs are those of their symbol's last pass.
    kept: Vec<Place>,
    /// Last inputs per place, row-major; NaN = none.
    memory: Vec<f32>,
    /// Whether every model of the set gave its outputs in the last pass, so that they may be kept.
    pub(super) complete: bool,
}

impl ColumnSet {
    /// A set for up to the last of `buckets` rows.
    pub(super) fn new(runtime: &Runtime, inputs: &[Input], buckets: &[usize]) -> Result<Self, SessionError> {
        let max_rows = buckets.last().copied().unwrap_or(0);
        Ok(Self {
            inputs: inputs.to_vec(),
            buckets: buckets.to_vec(),
            matrix: InputMatrix::new(runtime, inputs.len(), buckets)?,
            packed: Vec::with_capacity(max_rows),
            kept: Vec::with_capacity(max_rows),
            memory: vec![f32::NAN; max_rows * inputs.len()],
            complete: false,
        })
    }

    /// The inputs, in the order of the models' columns.
    pub(super) fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Whether it reads scores of this pass, and must be gathered after they are there.
    pub(super) fn reads_scores(&self) -> bool {
        self.inputs.iter().any(|i| matches!(i, Input::Score(..)))
    }

    /// Fills the matrix from the rows of `cycle` that have all inputs and are not remembered; gives how many lack
    /// one. The caller has checked that the cycle's rows fit the largest bucket and its columns are the schema's.
    pub(super) fn gather(&mut self, cycle: &Cycle, calibration: &Calibration, keep: bool) -> u64 {
        self.packed.clear();
        self.kept.clear();
        let keep = keep && by_symbol(cycle, self.buckets.last().copied().unwrap_or(0));
        if !(keep && self.complete) {
            self.memory.fill(f32::NAN);
        }
        self.complete = keep;
        let mut refused = 0;
        for row in (0..cycle.rows).filter(|row| cycle.scored[*row]) {
            let memory = if keep { cycle.symbols[row].index() } else { row };
            let known = &mut self.memory[memory * self.inputs.len()..][..self.inputs.len()];
            let (mut same, mut usable) = (true, true);
            for (cell, input) in known.iter_mut().zip(&self.inputs) {
                let value = read(cycle, row, *input, calibration);
                usable &= value.is_finite();
                same &= value.to_bits() == cell.to_bits();
                *cell = value;
            }
            match (usable, same) {
                (false, _) => refused += 1,
                (true, true) => self.kept.push(Place { row, memory }),
                (true, false) => self.packed.push(Place { row, memory }),
            }
        }
        self.fill_matrix();
        refused
    }

    fn fill_matrix(&mut self) {
        let Some(bucket) = self.bucket() else { return };
        let width = self.inputs.len();
        let matrix = self.matrix.rows_mut(bucket);
        for (packed, place) in matrix.chunks_exact_mut(width).zip(&self.packed) {
            packed.copy_from_slice(&self.memory[place.memory * width..][..width]);
        }
        // Padding rows must not carry the last cycle's numbers.
        matrix[self.packed.len() * width..].fill(0.0);
    }

    /// The bucket of the gathered rows; `None` when there are none: then no model may run.
    pub(super) fn bucket(&self) -> Option<usize> {
        let rows = self.packed.len();
        if rows == 0 { None } else { self.buckets.iter().position(|&b| b >= rows) }
    }

    /// Rows in the matrix, in order.
    pub(super) fn packed(&self) -> &[Place] {
        &self.packed
    }

    /// Rows that are as they were.
    pub(super) fn kept(&self) -> &[Place] {
        &self.kept
    }

    /// The inputs of a gathered row.
    pub(super) fn inputs_at(&self, place: Place) -> &[f32] {
        &self.memory[place.memory * self.inputs.len()..][..self.inputs.len()]
    }

    /// The matrix.
    pub(super) fn matrix(&self) -> &InputMatrix {
        &self.matrix
    }
}

/// One input of one row; NaN = unknown.
fn read(cycle: &Cycle, row: usize, input: Input, calibration: &Calibration) -> f32 {
    match input {
        Input::Feature(column) => cycle.feature_row(row)[column],
        Input::Score(family, horizon) => match calibration.scales[family.index()][horizon.index()] {
            Some(scale) => {
                let z = (cycle.prediction(row, family, horizon) - scale.mean) / scale.std;
                z.clamp(-SCORE_CLIP, SCORE_CLIP)
            }
            None => f32::NAN,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_end_exactly_at_the_most_rows() {
        assert_eq!(buckets_for(0), [1]);
        assert_eq!(buckets_for(1), [1]);
        assert_eq!(buckets_for(16), [1, 8, 16]);
        assert_eq!(buckets_for(80), [1, 8, 16, 32, 48, 64, 80]);
        assert_eq!(buckets_for(3000).last(), Some(&3000));
    }
}
