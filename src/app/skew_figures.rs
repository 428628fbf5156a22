//! Figures of `models skew`: how far two measurements of the same numbers lie apart. Pure; NaN = unknown.

use serde::Serialize;

use crate::sim::market::Bar;

/// Two measurements of one column, row by row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The column.
    pub name: String,
    /// Rows where either knows it, and where both do.
    pub known: usize,
    /// See `known`.
    pub in_both: usize,
    /// Share of `known` that are equal bit for bit.
    pub equal: f64,
    /// Spearman's, ties at their mean rank, over the rows in both; `None` where a side is constant.
    pub rank_correlation: Option<f64>,
    /// Median of |difference| over the rows in both, in standard deviations of the first measurement there; `None`
    /// where that is constant.
    pub median_sd: Option<f64>,
    /// The 99th percentile of the same.
    pub p99_sd: Option<f64>,
}

/// The second of each pair against the first.
pub fn difference(name: &str, pairs: &[(f64, f64)]) -> Difference {
    let known = pairs.iter().filter(|(a, b)| !a.is_nan() || !b.is_nan()).count();
    let both: Vec<(f64, f64)> = pairs.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite()).collect();
    let equal = pairs.iter().filter(|(a, b)| !a.is_nan() && a.to_bits() == b.to_bits()).count();
    let (first, second): (Vec<f64>, Vec<f64>) = both.iter().copied().unzip();
    let sd = deviation(&first);
    let mut apart: Vec<f64> = both.iter().map(|(a, b)| (a - b).abs()).collect();
    apart.sort_by(f64::total_cmp);
    let in_sd = |percent| percentile(&apart, percent).filter(|_| sd > 0.0).map(|x| x / sd);
    Difference {
        name: name.to_owned(),
        known,
        in_both: both.len(),
        equal: equal as f64 / known.max(1) as f64,
        rank_correlation: correlation(&ranks(&first), &ranks(&second)),
        median_sd: in_sd(50),
        p99_sd: in_sd(99),
    }
}

/// Bars of one name from two sources, one field of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BarDifference {
    /// The name.
    pub symbol: String,
    /// The field.
    pub field: &'static str,
    /// Minutes that either has, and that both have.
    pub minutes: usize,
    /// See `minutes`.
    pub in_both: usize,
    /// Share of `minutes` in which both have the same number.
    pub equal: f64,
    /// Median of |difference| over the minutes in both, in basis points of the first bar's number.
    pub median_bps: f64,
    /// The 99th percentile of the same.
    pub p99_bps: f64,
}

/// The second bar of each pair against the first, field by field.
pub fn bar_differences(symbol: &str, pairs: &[[Option<Bar>; 2]]) -> Vec<BarDifference> {
    type Field = fn(&Bar) -> i64;
    const FIELDS: [(&str, Field); 5] = [
        ("open", |b| b.open.0),
        ("high", |b| b.high.0),
        ("low", |b| b.low.0),
        ("close", |b| b.close.0),
        ("volume", |b| b.volume.0),
    ];
    let both: Vec<(&Bar, &Bar)> = pairs.iter().filter_map(|[a, b]| a.as_ref().zip(b.as_ref())).collect();
    let line = |(name, field): &(&'static str, Field)| {
        let apart_bps = |(a, b): &(&Bar, &Bar)| (field(b) as f64 / field(a) as f64 - 1.0).abs() * 1e4;
        let mut apart: Vec<f64> = both.iter().map(apart_bps).collect();
        apart.sort_by(f64::total_cmp);
        let equal = both.iter().filter(|(a, b)| field(a) == field(b)).count();
        BarDifference {
            symbol: symbol.to_owned(),
            field: name,
            minutes: pairs.len(),
            in_both: both.len(),
            equal: equal as f64 / pairs.len().max(1) as f64,
            median_bps: percentile(&apart, 50).unwrap_or(f64::NAN),
            p99_bps: percentile(&apart, 99).unwrap_or(f64::NAN),
        }
    };
    FIELDS.iter().map(line).collect()
}

/// Of sorted values; `None` of none.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

/// Standard deviation; 0 of fewer than two.
fn deviation(values: &[f64]) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt()
}

/// Ranks from 0, ties at their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for tied in order.chunk_by(|a, b| values[*a].total_cmp(&values[*b]).is_eq()) {
        let mean = from as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|i| ranks[*i] = mean);
        from += tied.len();
    }
    ranks
}

/// Pearson's; `None` where a side is constant.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len().max(1) as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let together = a.iter().zip(b).map(|(x, y)| (x - mean_a) * (y - mean_b)).sum::<f64>() / n;
    let spread = deviation(a) * deviation(b);
    (spread > 0.0).then(|| together / spread)
}
