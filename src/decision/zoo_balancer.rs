//! ZooBalancer, first form: each family's score is standardised with its own training location and scale,
//! clipped, and the families that spoke are averaged with equal weight. The combined score alone is calibrated
//! (once): α_bps = slope · z · σ_1m·√h · 10⁴ (Grinold, "Alpha is volatility times IC times score", 1994).

use super::config::{Calibration, Config};
use crate::domain::{Family, Horizon};
use crate::message::Cycle;

/// A calibrated forecast of one symbol at one horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Combined standardised score.
    pub score: f32,
    /// Expected return over the horizon, bps, signed.
    pub alpha_bps: f32,
    /// σ of the return over the horizon, bps.
    pub sigma_bps: f32,
}

/// The forecasts of one row; `None` where a quorum, σ or a finite number is missing.
pub fn forecasts(cycle: &Cycle, row: usize, zoo: &Calibration, config: &Config) -> [Option<Forecast>; Horizon::COUNT] {
    let sigma_1m = cycle.sigma_1m[row];
    Horizon::ALL.map(|horizon| {
        if !(sigma_1m.is_finite() && sigma_1m > 0.0) {
            return None;
        }
        let score = combined_score(cycle, row, horizon, zoo, config)?;
        let minutes = Horizon::ALL[horizon.index()].minutes() as f32;
        let sigma_bps = sigma_1m * libm::sqrtf(minutes) * 1e4;
        let alpha_bps = zoo.slope[horizon.index()].max(config.slope_floor) * score * sigma_bps;
        (alpha_bps.is_finite() && sigma_bps > 0.0).then_some(Forecast { score, alpha_bps, sigma_bps })
    })
}

/// Equal-weight mean of the standardised scores of the families that spoke, `None` below the quorum.
fn combined_score(cycle: &Cycle, row: usize, horizon: Horizon, zoo: &Calibration, config: &Config) -> Option<f32> {
    let (mut sum, mut count) = (0.0_f32, 0_usize);
    for family in Family::ALL {
        let raw = cycle.prediction(row, family, horizon);
        let Some(scale) = zoo.scales[family.index()][horizon.index()] else { continue };
        let z = (raw - scale.mean) / scale.std;
        if z.is_finite() {
            sum += z.clamp(-config.score_clip, config.score_clip);
            count += 1;
        }
    }
    (count >= config.families_min).then(|| sum / count as f32)
}
