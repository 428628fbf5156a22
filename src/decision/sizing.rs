//! Size by cap: the smallest of the name's caps, the gross room left and a share of a minute's volume.

use super::config::Config;
use crate::domain::Qty;

/// Whole shares to hold, unsigned; zero when the room is below the minimum worth its commission.
#[allow(
    clippy::cast_possible_truncation,
    reason = "dollars over a price of at least a cent: far below 2^53, and floor keeps it whole"
)]
pub fn shares(mid_usd: f64, adv_shares: f64, gross_room_usd: f64, config: &Config) -> Qty {
    if !(mid_usd >= 0.01 && adv_shares > 0.0) {
        return Qty::ZERO;
    }
    let volume_usd = adv_shares / 390.0 * config.adv_minute_fraction_max * mid_usd;
    let shares_usd = config.name_shares_max as f64 * mid_usd;
    let notional = config.name_notional_usd_max.min(gross_room_usd).min(volume_usd).min(shares_usd);
    if notional < config.name_notional_usd_min {
        return Qty::ZERO;
    }
    Qty(libm::floor(notional / mid_usd) as i64)
}
