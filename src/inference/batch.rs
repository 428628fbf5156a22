//! Batches: per distinct list of input columns one shared matrix, gathered from a cycle's rows.
//!
//! NaN into a tree ensemble or an LSTM gives a plausible finite number, so a row that lacks any of a list's
//! features is refused here and never reaches a model. The rows that remain are packed, padded with zeros to the
//! next batch bucket, and scattered back by row number.

use super::runtime::Runtime;
use super::session::{InputMatrix, SessionError};
use crate::message::Cycle;

/// Bucket sizes in rows. A pass of n rows runs in the smallest bucket ≥ n: fixed shapes let ONNX Runtime reuse its
/// memory plan, and the outputs can be preallocated.
const BUCKET_ROWS: [usize; 13] = [1, 8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];

/// The buckets for up to `max_rows` rows, ascending; the last is exactly `max_rows`. Never empty.
pub(super) fn buckets_for(max_rows: usize) -> Vec<usize> {
    let max_rows = max_rows.max(1);
    let mut buckets: Vec<usize> = BUCKET_ROWS.into_iter().filter(|&b| b < max_rows).collect();
    buckets.push(max_rows);
    buckets
}

/// One list of input columns and the matrix of the current cycle.
#[derive(Debug)]
pub(super) struct ColumnSet {
    columns: Vec<usize>,
    buckets: Vec<usize>,
    matrix: InputMatrix,
    /// Rows of the cycle that are in the matrix, in order. Capacity: the largest bucket.
    rows: Vec<usize>,
}

impl ColumnSet {
    /// A set for up to the last of `buckets` rows.
    pub(super) fn new(runtime: &Runtime, columns: &[usize], buckets: &[usize]) -> Result<Self, SessionError> {
        Ok(Self {
            columns: columns.to_vec(),
            buckets: buckets.to_vec(),
            matrix: InputMatrix::new(runtime, columns.len(), buckets)?,
            rows: Vec::with_capacity(buckets.last().copied().unwrap_or(0)),
        })
    }

    /// The columns, in the order of the models' inputs.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Fills the matrix from the rows of `cycle` that have all features; gives how many were refused. The caller
    /// has checked that the cycle's rows fit the largest bucket and its columns are the schema's.
    pub(super) fn gather(&mut self, cycle: &Cycle) -> u64 {
        self.rows.clear();
        let usable = (0..cycle.rows).filter(|&row| {
            let features = cycle.feature_row(row);
            self.columns.iter().all(|&column| features[column].is_finite())
        });
        self.rows.extend(usable);
        if let Some(bucket) = self.bucket() {
            let width = self.matrix.width();
            let matrix = self.matrix.rows_mut(bucket);
            for (packed, &row) in matrix.chunks_exact_mut(width).zip(&self.rows) {
                let features = cycle.feature_row(row);
                for (cell, &column) in packed.iter_mut().zip(&self.columns) {
                    *cell = features[column];
                }
            }
            // Padding rows must not carry the last cycle's numbers.
            matrix[self.rows.len() * width..].fill(0.0);
        }
        (cycle.rows - self.rows.len()) as u64
    }

    /// The bucket of the gathered rows; `None` when there are none: then no model may run.
    pub(super) fn bucket(&self) -> Option<usize> {
        if self.rows.is_empty() { None } else { self.buckets.iter().position(|&b| b >= self.rows.len()) }
    }

    /// Rows of the cycle that are in the matrix, in order.
    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The matrix.
    pub(super) fn matrix(&self) -> &InputMatrix {
        &self.matrix
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
