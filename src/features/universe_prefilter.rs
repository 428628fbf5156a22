//! Which symbols are worth a model's time: those that can pay their cost. A pure function between features and
//! inference; a row that is not chosen keeps its features and gets no predictions.
//!
//! A name can pay if a good forecast of it would: [`ALPHA_SHARE`] of its hourly σ, less the spread. The best of them
//! are chosen, and always those that are held, wanted or worked, and a fixed sample, so that what is left out can be
//! judged later.

use serde::Deserialize;

use crate::domain::SymbolId;
use crate::message::Cycle;

/// What a two-sigma score at a rank IC of 0.05 is worth, in units of the return's σ.
const ALPHA_SHARE: f32 = 0.1;
/// The longest horizon, minutes.
const HORIZON_MINUTES: f32 = 60.0;
/// Seed of the fixed sample.
const SAMPLE_SEED: u64 = 20_260_410;

/// `[features.prefilter]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrefilterConfig {
    /// Most symbols chosen for what they can earn; 0 = all symbols are scored.
    pub best_names: u32,
    /// What must be left of a good forecast after the spread, bps.
    pub edge_min_bps: u32,
    /// Symbols of the fixed sample.
    pub sample_names: u32,
}

impl Default for PrefilterConfig {
    fn default() -> Self {
        Self { best_names: 20, edge_min_bps: 2, sample_names: 5 }
    }
}

/// Chooses rows of `cycle` into `cycle.scored`; gives how many are left out. `always` says of a symbol whether it is
/// held, wanted or worked. `scratch` must have room for all rows.
pub(super) fn choose(
    cycle: &mut Cycle,
    config: &PrefilterConfig,
    always: impl Fn(SymbolId) -> bool,
    scratch: &mut Vec<(f32, usize)>,
) -> u64 {
    let rows = cycle.rows;
    if config.best_names == 0 {
        cycle.scored[..rows].fill(true);
        return 0;
    }
    for row in 0..rows {
        cycle.scored[row] = always(cycle.symbols[row]);
    }
    scratch.clear();
    let edge_min_bps = f32::from(u16::try_from(config.edge_min_bps).unwrap_or(u16::MAX));
    // Doubt rejects: an unknown spread can't be paid. (NaN compares as false.)
    scratch.extend((0..rows).map(|row| (edge_bps(cycle, row), row)).filter(|(edge, _)| *edge >= edge_min_bps));
    take_best(scratch, config.best_names, &mut cycle.scored);
    scratch.clear();
    // The largest of a fixed number per symbol: the same names in every cycle in which they have a row.
    scratch.extend((0..rows).map(|row| (lot(cycle.symbols[row]), row)));
    take_best(scratch, config.sample_names, &mut cycle.scored);
    cycle.scored[..rows].iter().filter(|s| !**s).count() as u64
}

/// What a good forecast of the row is worth after its round trip, bps.
fn edge_bps(cycle: &Cycle, row: usize) -> f32 {
    let sigma_bps = cycle.sigma_1m[row] * libm::sqrtf(HORIZON_MINUTES) * 1e4;
    ALPHA_SHARE * sigma_bps - 2.0 * cycle.half_spread_bps[row]
}

/// Marks the `n` largest; ties go to the lower row.
fn take_best(found: &mut [(f32, usize)], n: u32, scored: &mut [bool]) {
    found.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, row) in found.iter().take(usize::try_from(n).unwrap_or(usize::MAX)) {
        scored[*row] = true;
    }
}

/// A symbol's fixed number, 0 … 1 (one step of SplitMix64, Steele et al. 2014).
fn lot(symbol: SymbolId) -> f32 {
    let mut z = SAMPLE_SEED.wrapping_add(u64::from(symbol.0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    f32::from(u16::try_from((z ^ (z >> 31)) >> 48).unwrap_or(0)) / f32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of (σ in bps a minute, half spread in bps).
    fn cycle(rows: &[(f32, f32)]) -> Cycle {
        let mut c = Cycle::with_capacity(rows.len(), 1);
        c.rows = rows.len();
        for (i, (sigma, spread)) in rows.iter().enumerate() {
            c.symbols[i] = SymbolId(u16::try_from(i).unwrap());
            (c.sigma_1m[i], c.half_spread_bps[i]) = (sigma / 1e4, *spread);
        }
        c
    }

    fn chosen(rows: &[(f32, f32)], best_names: u32, sample_names: u32, held: &[u16]) -> Vec<usize> {
        let mut c = cycle(rows);
        let config = PrefilterConfig { best_names, edge_min_bps: 2, sample_names };
        let mut scratch = Vec::with_capacity(rows.len());
        let out = choose(&mut c, &config, |s| held.contains(&s.0), &mut scratch);
        let chosen: Vec<usize> = (0..rows.len()).filter(|r| c.scored[*r]).collect();
        assert_eq!(out, (rows.len() - chosen.len()) as u64);
        chosen
    }

    #[test]
    fn the_best_that_can_pay_are_chosen_and_what_is_held_always() {
        // A tenth of σ√60: 7.7, 15.5, 7.7, 0.8, unknown; less the spread: 5.7, 13.5, −2.3, −0.2, unknown.
        let rows = [(10.0, 1.0), (20.0, 1.0), (10.0, 5.0), (1.0, 0.5), (20.0, f32::NAN)];
        assert_eq!(chosen(&rows, 5, 0, &[]), [0, 1]);
        assert_eq!(chosen(&rows, 1, 0, &[]), [1]);
        assert_eq!(chosen(&rows, 1, 0, &[4, 2]), [1, 2, 4]);
        assert_eq!(chosen(&rows, 0, 0, &[]), [0, 1, 2, 3, 4], "off");
        assert_eq!(chosen(&[], 5, 5, &[]), [0; 0]);
    }

    #[test]
    fn the_sample_is_the_same_names_every_time_whatever_they_can_pay() {
        let poor = [(1.0, 9.0); 40];
        let sample = chosen(&poor, 20, 5, &[]);
        assert_eq!(sample.len(), 5);
        assert_eq!(chosen(&poor, 20, 5, &[]), sample);
        assert!(sample.windows(2).any(|w| w[1] - w[0] > 1), "not simply the first: {sample:?}");
    }
}
