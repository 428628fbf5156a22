//! The universe's mean move per trading minute. A symbol that skipped a few minutes adds its whole move to the minute
//! in which it is seen again, so the universe's path is the mean of the symbols' paths. Sums are integers, so the
//! order in which symbols' histories arrive can't change a bit. Adding is O(1); the view is made once a cycle.

#![allow(
    clippy::cast_possible_truncation,
    reason = "returns are cut to ±1 before they become fixed point; sums over 65,536 symbols then stay below 2^57"
)]

use super::path::{AGE_MAX, RING, index};

/// Look-backs that columns use, minutes.
pub(super) const LOOKBACKS: [i64; 6] = [1, 5, 10, 15, 30, 60];
/// Fewer symbols than this make no universe.
const SYMBOLS_MIN: u32 = 3;
/// Minutes needed for the universe's own σ.
const SIGMA_MINUTES_MIN: u32 = 20;
const SCALE: f64 = (1_u64 << 40) as f64;

#[derive(Clone, Copy, Debug)]
struct Minute {
    minute: i64,
    symbols: u32,
    rising: i32,
    sum: i64,
    sum_squares: i64,
    /// Relative σ of the time of day.
    curve: f64,
}

impl Minute {
    const EMPTY: Self = Self { minute: i64::MIN, symbols: 0, rising: 0, sum: 0, sum_squares: 0, curve: 1.0 };

    fn mean(&self) -> f64 {
        self.sum as f64 / SCALE / f64::from(self.symbols)
    }

    /// Cross-section standard deviation.
    fn spread(&self) -> f64 {
        let mean = self.mean();
        let square = self.sum_squares as f64 / SCALE / f64::from(self.symbols);
        libm::sqrt((square - mean * mean).max(0.0))
    }
}

/// Accumulators of the last minutes.
#[derive(Debug)]
pub(super) struct Market {
    ring: [Minute; RING],
}

/// What columns read of the universe at one minute. Everything NaN when unknown.
#[derive(Clone, Copy, Debug)]
pub(super) struct MarketView {
    /// Mean return over [`LOOKBACKS`].
    pub(super) ret: [f64; LOOKBACKS.len()],
    /// σ of the one-minute mean return.
    pub(super) sigma: f64,
    /// ln σ over 10 / over 60 minutes.
    pub(super) vol_ratio: f64,
    /// Cross-section σ of one-minute returns, mean of 5 minutes.
    pub(super) dispersion: f64,
    /// (risers − fallers) / symbols, mean of 5 minutes.
    pub(super) breadth: f64,
}

impl Market {
    pub(super) fn new() -> Self {
        Self { ring: [Minute::EMPTY; RING] }
    }

    /// Adds one symbol's move of `step` over the last `span` minutes; one that bridges too many adds nothing.
    pub(super) fn add(&mut self, minute: i64, step: f64, span: i64, curve: f64) {
        if span > AGE_MAX + 1 {
            return;
        }
        let slot = &mut self.ring[index(minute)];
        if slot.minute > minute {
            return;
        }
        if slot.minute != minute {
            *slot = Minute { minute, curve, ..Minute::EMPTY };
        }
        let r = step.clamp(-1.0, 1.0);
        slot.symbols += 1;
        slot.rising += i32::from(r > 0.0) - i32::from(r < 0.0);
        slot.sum += libm::round(r * SCALE) as i64;
        slot.sum_squares += libm::round(r * r * SCALE) as i64;
    }

    fn known(&self, minute: i64) -> Option<&Minute> {
        let slot = &self.ring[index(minute)];
        (slot.minute == minute && slot.symbols >= SYMBOLS_MIN).then_some(slot)
    }

    /// The universe's mean return of exactly `minute`, NaN when unknown.
    pub(super) fn mean_at(&self, minute: i64) -> f64 {
        self.known(minute).map_or(f64::NAN, Minute::mean)
    }

    /// The view at `minute`, whose relative σ is `curve`.
    pub(super) fn view(&self, minute: i64, curve: f64) -> MarketView {
        let mut ret = [f64::NAN; LOOKBACKS.len()];
        let (mut sum, mut unknown_run, mut broken) = (0.0, 0, self.known(minute).is_none());
        let (mut squares_10, mut n_10, mut squares_60, mut n_60) = (0.0, 0_u32, 0.0, 0_u32);
        for k in 1..=60 {
            match self.known(minute - k + 1) {
                Some(m) => {
                    unknown_run = 0;
                    let mean = m.mean();
                    let plain = mean / m.curve;
                    sum += mean;
                    squares_60 += plain * plain;
                    n_60 += 1;
                    if k <= 10 {
                        squares_10 += plain * plain;
                        n_10 += 1;
                    }
                }
                None => unknown_run += 1,
            }
            broken |= unknown_run > AGE_MAX;
            if let Some(i) = LOOKBACKS.iter().position(|l| *l == k).filter(|_| !broken) {
                ret[i] = sum;
            }
        }
        let sigma_60 = if n_60 < SIGMA_MINUTES_MIN { f64::NAN } else { libm::sqrt(squares_60 / f64::from(n_60)) };
        let sigma_10 = if n_10 < 5 { f64::NAN } else { libm::sqrt(squares_10 / f64::from(n_10)) };
        let floor = 1e-6;
        let vol_ratio = if sigma_10.is_nan() { f64::NAN } else { libm::log(sigma_10.max(floor) / sigma_60.max(floor)) };
        let (dispersion, breadth) = self.cross_section(minute);
        MarketView {
            ret,
            sigma: if sigma_60.is_nan() { f64::NAN } else { sigma_60.max(floor) * curve },
            vol_ratio: if sigma_60.is_nan() { f64::NAN } else { vol_ratio },
            dispersion,
            breadth,
        }
    }

    /// Dispersion and breadth over the last 5 minutes, of which 3 must be known.
    fn cross_section(&self, minute: i64) -> (f64, f64) {
        let (mut spread, mut rising, mut n) = (0.0, 0.0, 0_u32);
        for m in (minute - 4..=minute).filter_map(|m| self.known(m)) {
            spread += m.spread();
            rising += f64::from(m.rising) / f64::from(m.symbols);
            n += 1;
        }
        if n < 3 { (f64::NAN, f64::NAN) } else { (spread / f64::from(n), rising / f64::from(n)) }
    }
}
