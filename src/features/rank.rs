//! Ranks across the universe within one cycle. Ties share their mean rank, so that no symbol's place in the list
//! of symbols leaks into a column. O(n log n) in place, no allocation.

#![allow(clippy::cast_possible_truncation, reason = "ranks are at most 65,535")]

/// Writes into `to` the rank of column `from` among the finite rows, −½ … ½; NaN elsewhere and when fewer than
/// three rows are known. `scratch` must have room for all rows.
pub(super) fn rank(
    table: &mut [f32],
    columns: usize,
    rows: usize,
    from: usize,
    to: usize,
    scratch: &mut Vec<(f32, usize)>,
) {
    scratch.clear();
    for row in 0..rows {
        let value = table[row * columns + from] + 0.0; // no negative zero: it would sort apart
        table[row * columns + to] = f32::NAN;
        if value.is_finite() {
            scratch.push((value, row));
        }
    }
    let n = scratch.len();
    if n < 3 {
        return;
    }
    scratch.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut start = 0;
    while start < n {
        let tied = scratch[start..].iter().take_while(|x| x.0.total_cmp(&scratch[start].0).is_eq()).count();
        let mean_rank = start as f64 + (tied as f64 - 1.0) / 2.0;
        for &(_, row) in &scratch[start..start + tied] {
            table[row * columns + to] = (mean_rank / (n as f64 - 1.0) - 0.5) as f32;
        }
        start += tied;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_share_their_mean_rank_and_unknown_rows_take_no_place() {
        let mut table = [1.0, 0.0, 3.0, 0.0, 1.0, 0.0, f32::NAN, 0.0, 5.0, 0.0, 4.0, 0.0];
        rank(&mut table, 2, 6, 0, 1, &mut Vec::with_capacity(6));
        let ranks: Vec<String> = table.iter().skip(1).step_by(2).map(f32::to_string).collect();
        assert_eq!(ranks, ["-0.375", "0", "-0.375", "NaN", "0.5", "0.25"]);
    }
}
