//! Point-in-time volatility of one-minute returns, and the smooth time-of-day curves that it and the volume
//! columns stand on. The curves' constants were fitted on bars of 78 US names on days before 2026-04-11.
//! Robust: a squared return counts at most `WINSOR²` times the variance so far, so one bad print can't set σ.

use super::session::{SESSION_LEN, SESSION_MINUTES};

/// 1 − 2^(−1/h): weight of a new sample at a half-life of h minutes.
pub(super) const ALPHA_5: f64 = 0.129_449_436_703_875_88;
/// Half-life 10.
pub(super) const ALPHA_10: f64 = 0.066_967_008_463_192_59;
const ALPHA_15: f64 = 0.045_158_396_089_583_5;
/// Half-life 30.
pub(super) const ALPHA_30: f64 = 0.022_840_031_565_754_093;
const ALPHA_60: f64 = 0.011_485_979_647_103_85;

/// Returns beyond this many σ are cut there.
const WINSOR: f64 = 4.0;
/// Samples before σ is known.
const SAMPLES_MIN: u32 = 20;
/// σ is never below this: one basis point and a half a minute.
const FLOOR: f64 = 1.5e-4;

/// Exponential mean that is a plain mean until its weight is reached (no bias from a starting value).
#[derive(Clone, Copy, Debug)]
pub(super) struct Ewma {
    value: f64,
    alpha: f64,
    samples: u32,
}

impl Ewma {
    pub(super) const fn new(alpha: f64) -> Self {
        Self { value: 0.0, alpha, samples: 0 }
    }

    pub(super) fn push(&mut self, x: f64) {
        self.samples = self.samples.saturating_add(1);
        self.value += (x - self.value) * self.alpha.max(1.0 / f64::from(self.samples));
    }

    /// The mean, NaN before `min` samples.
    pub(super) fn get(&self, min: u32) -> f64 {
        if self.samples < min { f64::NAN } else { self.value }
    }
}

/// Typical σ at each minute of a full session relative to midday, and the typical share of the day's volume.
#[derive(Debug)]
pub(super) struct Curves {
    from_open: [f64; SESSION_LEN],
    volume_from_open: [f64; SESSION_LEN],
    to_close: [f64; SESSION_LEN],
    volume_to_close: [f64; SESSION_LEN],
}

fn clamp_minute(m: i64) -> usize {
    usize::try_from(m.clamp(0, SESSION_MINUTES - 1)).unwrap_or(0)
}

impl Curves {
    pub(super) fn new() -> Self {
        let table = |f: &dyn Fn(f64) -> f64| {
            let mut t = [0.0; SESSION_LEN];
            let mut m = 0.0;
            for x in &mut t {
                *x = f(m);
                m += 1.0;
            }
            t
        };
        Self {
            from_open: table(&|m| 0.65 + 1.45 * libm::exp(-m / 5.0) + 1.2 * libm::exp(-m / 70.0)),
            to_close: table(&|m| 0.3 * libm::exp(-m / 16.0)),
            volume_from_open: table(&|m| 0.58 + 1.1 * libm::exp(-m / 45.0) + if m < 0.5 { 7.7 } else { 0.0 }),
            volume_to_close: table(&|m| 10.0 * libm::exp(-m / 3.5)),
        }
    }

    /// Relative σ of minute `m` of a session of `minutes`.
    pub(super) fn sigma(&self, m: i64, minutes: i64) -> f64 {
        self.from_open[clamp_minute(m)] + self.to_close[clamp_minute(minutes - 1 - m)]
    }

    /// Share of a full day's volume that minute `m` of a session of `minutes` typically has.
    pub(super) fn volume_share(&self, m: i64, minutes: i64) -> f64 {
        (self.volume_from_open[clamp_minute(m)] + self.volume_to_close[clamp_minute(minutes - 1 - m)])
            / SESSION_MINUTES as f64
    }
}

/// Variances of one symbol's one-minute returns with the time of day taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Volatility {
    main: Ewma,
    fast: Ewma,
    slow: Ewma,
    close_to_close: Ewma,
    parkinson: Ewma,
}

impl Volatility {
    pub(super) const fn new() -> Self {
        Self {
            main: Ewma::new(ALPHA_30),
            fast: Ewma::new(ALPHA_5),
            slow: Ewma::new(ALPHA_60),
            close_to_close: Ewma::new(ALPHA_15),
            parkinson: Ewma::new(ALPHA_15),
        }
    }

    /// A move of `step` over `minutes` at relative σ `curve`, and the bar's log range.
    pub(super) fn push(&mut self, step: f64, minutes: i64, curve: f64, log_range: f64) {
        let raw = step * step / (curve * curve * minutes.max(1) as f64);
        let so_far = self.main.get(SAMPLES_MIN);
        let cap = if so_far.is_nan() { f64::INFINITY } else { WINSOR * WINSOR * so_far.max(FLOOR * FLOOR) };
        let u = raw.min(cap);
        self.main.push(u);
        self.fast.push(u);
        self.slow.push(u);
        self.close_to_close.push(u);
        // Parkinson 1980: E[(ln H/L)²] = 4 ln 2 · σ².
        let range = log_range * log_range / (4.0 * core::f64::consts::LN_2 * curve * curve);
        self.parkinson.push(range.min(cap));
    }

    /// σ of a one-minute return at relative σ `curve`; NaN before enough samples.
    pub(super) fn sigma(&self, curve: f64) -> f64 {
        let v = self.main.get(SAMPLES_MIN);
        if v.is_nan() { v } else { (libm::sqrt(v) * curve).max(FLOOR) }
    }

    /// ln of fast over slow σ.
    pub(super) fn ratio(&self) -> f64 {
        half_log_ratio(self.fast.get(SAMPLES_MIN), self.slow.get(SAMPLES_MIN))
    }

    /// ln of Parkinson over close-to-close σ.
    pub(super) fn parkinson_ratio(&self) -> f64 {
        half_log_ratio(self.parkinson.get(SAMPLES_MIN), self.close_to_close.get(SAMPLES_MIN))
    }
}

/// ½ ln(a/b) of two variances, each floored so that a flat stretch gives a finite number.
fn half_log_ratio(a: f64, b: f64) -> f64 {
    let floor = 1e-10;
    if a.is_nan() || b.is_nan() { f64::NAN } else { 0.5 * libm::log(a.max(floor) / b.max(floor)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_print_moves_sigma_by_a_bounded_factor() {
        let mut v = Volatility::new();
        for i in 0..200 {
            v.push(if i % 2 == 0 { 1e-3 } else { -1e-3 }, 1, 1.0, 1e-3);
        }
        let before = v.sigma(1.0);
        assert!((before - 1e-3).abs() < 1e-12);
        v.push(0.5, 1, 1.0, 0.5);
        assert!(v.sigma(1.0) < before * 1.2);
    }

    #[test]
    fn volume_shares_sum_to_about_a_day() {
        let curves = Curves::new();
        let sum: f64 = (0..390).map(|m| curves.volume_share(m, 390)).sum();
        assert!((0.7..1.1).contains(&sum), "{sum}");
    }
}
