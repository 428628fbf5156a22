//! Bayesian online change-point detection (Adams & MacKay 2007, "Bayesian Online Changepoint Detection", algorithm 1)
//! on one symbol's standardised one-minute residual returns. O(128) per minute, no allocation; forgets at every
//! session. A minute without a residual return is skipped: missing means unknown, not "no change".
//!
//! Mean and variance of a run are unknown (normal-inverse-gamma prior), so what a run predicts is Student's t: one
//! outlier is not a change. Run length 127 stands for "127 or more" and remembers about as many minutes.

/// Run lengths told apart: 0 … 127.
const RUNS: usize = 128;
/// The last run length: this long, or longer.
const LAST: usize = RUNS - 1;
/// Chance that a run ends after a minute: one change an hour.
const HAZARD: f64 = 1.0 / 60.0;
/// Prior of a run: its drift has a standard deviation of 1/√4 of a minute's σ, its variance a mean of 1.
const KAPPA: f64 = 4.0;
const ALPHA: f64 = 2.0;
const BETA: f64 = 1.0;
/// Run lengths below this are "just changed".
const RECENT: usize = 5;
/// Observations are cut here, like columns.
const CUT: f64 = 10.0;

/// What the predictive density of a run needs of its length alone.
#[derive(Debug)]
pub(super) struct RunTable {
    /// ln Γ(α + ½) − ln Γ(α) − ½ ln 2π of α = ALPHA + r/2.
    log_scale: [f64; RUNS],
}

impl RunTable {
    pub(super) fn new() -> Self {
        let mut log_scale = [0.0; RUNS];
        let mut n = 0.0;
        for cell in &mut log_scale {
            let alpha = ALPHA + n / 2.0;
            *cell = libm::lgamma(alpha + 0.5) - libm::lgamma(alpha) - 0.5 * libm::log(core::f64::consts::TAU);
            n += 1.0;
        }
        Self { log_scale }
    }

    /// Density of `x` after a run of `r` minutes whose mean is `mean` and mean square `square`: Student's t with 2α
    /// degrees of freedom, location μ, and squared scale β(κ + 1)/(ακ) of the run's posterior.
    fn density(&self, r: usize, mean: f64, square: f64, x: f64) -> f64 {
        let n = r as f64;
        let kappa = KAPPA + n;
        let mu = n * mean / kappa;
        let alpha = ALPHA + n / 2.0;
        let scatter = n * (square - mean * mean).max(0.0);
        let beta = BETA + 0.5 * (scatter + KAPPA * n * mean * mean / kappa);
        let spread = 2.0 * beta * (kappa + 1.0) / kappa;
        let z = (x - mu) * (x - mu) / spread;
        let log_scale = self.log_scale[r] - 0.5 * libm::log(0.5 * spread);
        libm::exp(log_scale - (alpha + 0.5) * libm::log(1.0 + z))
    }
}

/// The posterior over run lengths of one symbol.
#[derive(Clone, Debug)]
pub(super) struct ChangePoint {
    /// Session that it belongs to, and the last trading minute looked at.
    session: i64,
    minute: i64,
    /// Run lengths in use, from 0.
    len: usize,
    mass: [f64; RUNS],
    /// Mean and mean square of the run's observations.
    mean: [f64; RUNS],
    square: [f64; RUNS],
}

impl ChangePoint {
    pub(super) const fn new() -> Self {
        let mut mass = [0.0; RUNS];
        mass[0] = 1.0;
        Self { session: i64::MIN, minute: i64::MIN, len: 1, mass, mean: [0.0; RUNS], square: [0.0; RUNS] }
    }

    /// Takes what is new of a session up to trading minute `minute`, its first being `open`: `residual` gives the
    /// standardised residual return of a minute, NaN when unknown. At most `reach` minutes back are looked at.
    pub(super) fn catch_up(
        &mut self,
        table: &RunTable,
        session: i64,
        (open, minute, reach): (i64, i64, i64),
        residual: impl Fn(i64) -> f64,
    ) {
        if self.session != session {
            *self = Self { session, minute: open - 1, ..Self::new() };
        }
        for m in (self.minute + 1).max(minute - reach + 1)..=minute {
            let x = residual(m);
            if !x.is_nan() {
                self.push(table, x.clamp(-CUT, CUT));
            }
        }
        self.minute = self.minute.max(minute);
    }

    fn push(&mut self, table: &RunTable, x: f64) {
        let mut total = 0.0;
        for r in 0..self.len {
            self.mass[r] *= table.density(r, self.mean[r], self.square[r], x);
            total += self.mass[r];
        }
        let scale = 1.0 / total;
        let grown = (self.len + 1).min(RUNS);
        if self.len == RUNS {
            // Two runs end up in the last cell: the one that was there, which forgets like a mean of 127, and 126's.
            let (a, b) = (self.mass[LAST - 1], self.mass[LAST]);
            let share = if a + b > 0.0 { b / (a + b) } else { 0.5 };
            self.mass[LAST - 1] = a + b;
            for (stat, x) in [(&mut self.mean, x), (&mut self.square, x * x)] {
                let old = stat[LAST] + (x - stat[LAST]) / LAST as f64;
                let new = stat[LAST - 1] + (x - stat[LAST - 1]) / LAST as f64;
                stat[LAST] = new + share * (old - new);
            }
        }
        for r in (1..grown).rev() {
            self.mass[r] = self.mass[r - 1] * scale * (1.0 - HAZARD);
            if r < LAST || self.len < RUNS {
                self.mean[r] = self.mean[r - 1] + (x - self.mean[r - 1]) / r as f64;
                self.square[r] = self.square[r - 1] + (x * x - self.square[r - 1]) / r as f64;
            }
        }
        self.mass[0] = HAZARD;
        self.mean[0] = 0.0;
        self.square[0] = 0.0;
        self.len = grown;
    }

    /// ln(1 + mean run length) in minutes, and the chance of a run shorter than 5; NaN before the first observation
    /// of the session.
    pub(super) fn read(&self) -> (f64, f64) {
        if self.len == 1 {
            return (f64::NAN, f64::NAN);
        }
        let mean: f64 = self.mass[..self.len].iter().enumerate().map(|(r, p)| r as f64 * p).sum();
        let recent: f64 = self.mass[..self.len.min(RECENT)].iter().sum();
        (libm::log(1.0 + mean), recent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same recursion with every density computed from the observations of its run, in logarithms.
    fn plain(xs: &[f64]) -> Vec<f64> {
        let mut log_mass = vec![0.0_f64];
        for t in 0..xs.len() {
            let weighed: Vec<f64> = (0..log_mass.len())
                .map(|r| {
                    let (run, n) = (&xs[t - r..t], r as f64);
                    let mean = if r == 0 { 0.0 } else { run.iter().sum::<f64>() / n };
                    let scatter: f64 = run.iter().map(|x| (x - mean).powi(2)).sum();
                    let (kappa, alpha) = (KAPPA + n, ALPHA + n / 2.0);
                    let beta = BETA + scatter / 2.0 + KAPPA * n * mean * mean / (2.0 * kappa);
                    let nu = 2.0 * alpha;
                    let s2 = beta * (kappa + 1.0) / (alpha * kappa);
                    let z2 = (xs[t] - n * mean / kappa).powi(2) / s2;
                    log_mass[r] + libm::lgamma((nu + 1.0) / 2.0)
                        - libm::lgamma(nu / 2.0)
                        - 0.5 * (nu * std::f64::consts::PI * s2).ln()
                        - (nu + 1.0) / 2.0 * (1.0 + z2 / nu).ln()
                })
                .collect();
            let top = weighed.iter().copied().fold(f64::MIN, f64::max);
            let total = top + weighed.iter().map(|w| (w - top).exp()).sum::<f64>().ln();
            log_mass =
                std::iter::once(HAZARD.ln()).chain(weighed.iter().map(|w| w - total + (1.0 - HAZARD).ln())).collect();
        }
        log_mass.into_iter().map(f64::exp).collect()
    }

    /// Bounded noise of standard deviation about `scale`, by a small generator (Knuth's MMIX constants).
    fn noise(seed: &mut u64, scale: f64) -> f64 {
        let mut uniform = || {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(*seed >> 33).unwrap()) / f64::from(1_u32 << 31) - 0.5
        };
        (uniform() + uniform() + uniform()) * 2.0 * scale
    }

    fn after(xs: &[f64]) -> ChangePoint {
        let (table, mut state) = (RunTable::new(), ChangePoint::new());
        for x in xs {
            state.push(&table, *x);
        }
        state
    }

    #[test]
    fn the_posterior_equals_a_plain_recomputation_up_to_the_last_run_length() {
        let mut seed = 7;
        let xs: Vec<f64> = (0..LAST).map(|i| noise(&mut seed, if i < 70 { 1.0 } else { 3.0 })).collect();
        for n in [1, 2, 5, 40, 75, LAST] {
            let (state, plain) = (after(&xs[..n]), plain(&xs[..n]));
            assert_eq!(state.len, plain.len());
            for (r, expected) in plain.iter().enumerate() {
                assert!((state.mass[r] - expected).abs() < 1e-9, "n {n} r {r}: {} plainly {expected}", state.mass[r]);
            }
        }
    }

    #[test]
    fn past_the_last_run_length_a_steady_run_stays_there_and_masses_sum_to_one() {
        let mut seed = 11;
        let xs: Vec<f64> = (0..390).map(|_| noise(&mut seed, 1.0)).collect();
        let state = after(&xs);
        assert!((state.mass.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(state.read().0 > 4.0, "a mean run of more than 50 minutes: {}", state.read().0);
        let ((mean, square), n) = ((state.mean[LAST], state.square[LAST]), xs.len() as f64);
        assert!((mean - xs.iter().sum::<f64>() / n).abs() < 0.3 && (square - 1.0).abs() < 0.4);
    }

    #[test]
    fn a_change_of_drift_or_of_variance_is_seen_within_minutes_and_one_outlier_is_none() {
        for (drift, scale) in [(2.5, 1.0), (0.0, 4.0)] {
            let mut seed = 3;
            let mut xs: Vec<f64> = (0..90).map(|_| noise(&mut seed, 1.0)).collect();
            let before = after(&xs).read();
            xs.extend((0..6).map(|_| drift + noise(&mut seed, scale)));
            let now = after(&xs).read();
            assert!(now.0 < before.0 - 0.3, "run length {} after {}", now.0, before.0);
        }
        let mut seed = 3;
        let mut xs: Vec<f64> = (0..90).map(|_| noise(&mut seed, 1.0)).collect();
        xs.push(5.0);
        xs.extend((0..10).map(|_| noise(&mut seed, 1.0)));
        assert!(after(&xs).read().0 > 3.0, "{:?}", after(&xs).read());
    }

    #[test]
    fn a_session_forgets_and_unknown_minutes_are_skipped() {
        let (table, mut state) = (RunTable::new(), ChangePoint::new());
        state.catch_up(&table, 1, (0, 9, 128), |m| if m == 4 { f64::NAN } else { 0.5 });
        assert_eq!((state.len, state.minute), (10, 9));
        let by_step = {
            let mut s = ChangePoint::new();
            (0..10).for_each(|m| s.catch_up(&table, 1, (0, m, 128), |m| if m == 4 { f64::NAN } else { 0.5 }));
            s
        };
        assert_eq!(by_step.mass.map(f64::to_bits), state.mass.map(f64::to_bits));
        state.catch_up(&table, 2, (390, 390, 128), |_| f64::NAN);
        assert!(state.read().0.is_nan() && state.read().1.is_nan());
    }
}
