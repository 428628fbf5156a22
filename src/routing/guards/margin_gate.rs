//! The margin gate on account facts: a conservative local estimate against excess liquidity and buying power.
//! Deliberately absent for now: a what-if through the broker (`WhatIfFact`), which would replace the estimate.

use super::{Context, Reject};
use crate::domain::Money;
use crate::routing::Limits;
use crate::routing::config::{secs, usd};

/// Initial margin assumed for `value` of stock, headroom included, rounded up.
pub fn margin_estimate(value: Money, limits: &Limits) -> Money {
    let pct = i128::from(limits.initial_margin_pct) * i128::from(100 + limits.margin_headroom_pct);
    let v = (i128::from(value.0.max(0)) * pct + 9_999) / 10_000;
    Money(i64::try_from(v).unwrap_or(i64::MAX / 4))
}

/// Enough of everything after the order; account facts all present and young.
pub(super) fn margin(c: &Context<'_>) -> Result<(), Reject> {
    if c.authority.margin_warned {
        return Err(Reject::MarginWarning);
    }
    let (equity, excess, buying_power) =
        c.account.fresh(c.now, secs(c.limits.account_age_max_s)).ok_or(Reject::MarginUnknown)?;
    let extra = (c.open_after() - c.reserved()).max(0);
    let value = c.value(extra).ok_or(Reject::Price)?;
    let needed = margin_estimate(value, c.limits);
    let excess_after = excess - needed;
    let power_after = buying_power - value;
    // (equity − excess) / equity ≤ utilisation.
    let used = i128::from(equity.0) - i128::from(excess_after.0);
    let within = 100 * used <= i128::from(c.limits.utilisation_max_pct) * i128::from(equity.0);
    let ok = equity.0 > 0 && excess_after.0 > 0 && power_after >= usd(c.limits.min_buying_power_usd) && within;
    if ok { Ok(()) } else { Err(Reject::Margin) }
}
