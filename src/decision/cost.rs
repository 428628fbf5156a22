//! The one cost model, and the one place where cost is subtracted.
//! Impact: Almgren, Thum, Hauptmann, Li, "Direct estimation of equity market impact" (2005):
//! I = γ·σ·(X/V)·(Θ/V)^¼ with γ = 0.314, J = I/2 + η·σ·(X/(V·T))^⅗ with η = 0.142; σ daily, T in days.

use super::config::CostConfig;
use crate::domain::Side;

/// Permanent-impact coefficient.
const GAMMA: f64 = 0.314;
/// Temporary-impact coefficient.
const ETA: f64 = 0.142;
/// Seconds of a regular trading day.
const DAY_S: f64 = 6.5 * 3_600.0;
/// Minutes of a regular trading day.
const DAY_MINUTES: f64 = 390.0;

/// What the model needs to know of one planned position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Shares.
    pub shares: f64,
    /// Mid, dollars.
    pub mid: f64,
    /// Half the quoted spread, bps of mid.
    pub half_spread_bps: f64,
    /// σ of one-minute returns, fraction.
    pub sigma_1m: f64,
    /// Average daily volume, shares.
    pub adv: f64,
}

/// Expected cost of entering and leaving, bps of notional. NaN when an input is unknown: the caller denies.
pub fn round_trip_bps(plan: &Plan, config: &CostConfig) -> f64 {
    if !(plan.shares > 0.0 && plan.mid > 0.0 && plan.adv > 0.0 && plan.sigma_1m > 0.0) {
        return f64::NAN;
    }
    let notional = plan.shares * plan.mid;
    let spread = plan.half_spread_bps * config.spread_paid_fraction;
    let commission = (config.commission_per_share_usd * plan.shares).max(config.commission_min_usd);
    let commission_bps = commission / notional * 1e4;
    let sigma_day = plan.sigma_1m * libm::sqrt(DAY_MINUTES);
    let participation = plan.shares / plan.adv;
    let permanent = GAMMA * sigma_day * participation * libm::pow(config.shares_outstanding_over_adv, 0.25);
    let temporary = ETA * sigma_day * libm::pow(participation / (config.execution_s / DAY_S), 0.6);
    2.0 * (spread + commission_bps + (permanent / 2.0 + temporary) * 1e4)
}

/// Signed edge after cost: sign(α)·max(|α| − cost, 0). Shorts are not strengthened by their cost.
pub fn net_edge_bps(alpha_bps: f64, cost_bps: f64) -> f64 {
    let left = libm::fabs(alpha_bps) - cost_bps;
    if left > 0.0 { left * side_sign(alpha_bps) } else { 0.0 }
}

fn side_sign(x: f64) -> f64 {
    if x < 0.0 { Side::Sell.sign() as f64 } else { Side::Buy.sign() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> CostConfig {
        CostConfig {
            commission_per_share_usd: 0.005,
            commission_min_usd: 1.0,
            spread_paid_fraction: 1.0,
            execution_s: 30.0,
            shares_outstanding_over_adv: 200.0,
        }
    }

    #[test]
    fn cost_is_subtracted_from_the_magnitude_on_both_sides() {
        assert!((net_edge_bps(5.0, 3.0) - 2.0).abs() < 1e-12);
        assert!((net_edge_bps(-5.0, 3.0) + 2.0).abs() < 1e-12);
        assert!(net_edge_bps(-2.0, 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_published_example_of_almgren_et_al_comes_out() {
        // Table 4, IBM: 10 % of daily volume over half a day, daily σ 1.57 %, Θ/V = 263: I = 20 bp, J = 18 bp.
        let sigma_1m = 0.0157 / libm::sqrt(DAY_MINUTES);
        let free = CostConfig {
            commission_per_share_usd: 0.0,
            commission_min_usd: 0.0,
            spread_paid_fraction: 0.0,
            execution_s: DAY_S / 2.0,
            shares_outstanding_over_adv: 263.0,
        };
        let plan = Plan { shares: 100_000.0, mid: 100.0, half_spread_bps: 1.0, sigma_1m, adv: 1_000_000.0 };
        let one_way = round_trip_bps(&plan, &free) / 2.0;
        assert!((one_way - 18.4).abs() < 0.5, "{one_way}");
    }

    #[test]
    fn small_orders_pay_the_minimum_and_unknown_inputs_give_nan() {
        let plan = Plan { shares: 10.0, mid: 100.0, half_spread_bps: 1.0, sigma_1m: 1e-4, adv: 1e7 };
        assert!(round_trip_bps(&plan, &config()) > 2.0 * (1.0 + 10.0));
        assert!(round_trip_bps(&Plan { adv: 0.0, ..plan }, &config()).is_nan());
        assert!(round_trip_bps(&Plan { half_spread_bps: f64::NAN, ..plan }, &config()).is_nan());
    }
}
