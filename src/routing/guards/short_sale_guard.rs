//! Short sales: Reg SHO Rule 201 and the locate of Rule 203(b)(1). IB has one SELL: a sell beyond the long goes
//! short, so a sell that would cross zero is refused here and split upstream. Never marked exempt.

use super::{Context, Reject};
use crate::domain::Side;

/// Everything that a sell into or further into a short must prove.
pub(super) fn short_sale(c: &Context<'_>) -> Result<(), Reject> {
    let after = c.exposure_after().shortest();
    if c.side() == Side::Buy || after >= 0 {
        return Ok(());
    }
    if c.exposure.filled > 0 {
        return Err(Reject::CrossesZero);
    }
    locate(c, after.unsigned_abs())?;
    if !c.symbol.prior_close.is_some() {
        return Err(Reject::SsrUnknown);
    }
    let restricted = c.symbol.ssr(c.market.today());
    // Also at the very trigger: a last price at or below 90 % that has not been latched yet.
    let triggering = crate::routing::market_view::ssr_triggers(c.symbol.tick.last, c.symbol.prior_close);
    if (restricted || triggering) && c.limit() <= c.symbol.tick.bid {
        return Err(Reject::Ssr);
    }
    Ok(())
}

/// Shares to borrow: easy by tick 46, and enough by tick 89 for the whole worst-case short.
fn locate(c: &Context<'_>, short_shares: u64) -> Result<(), Reject> {
    let min = c.limits.shortable_min_milli as f64 / 1_000.0;
    let easy = c.symbol.shortable.is_some_and(|v| f64::from(v) > min);
    let needed = short_shares.checked_mul(c.limits.shortable_multiple);
    let enough = needed.is_some_and(|n| c.symbol.shortable_shares.is_some_and(|s| s >= n));
    if c.limits.allow_shorts && easy && enough { Ok(()) } else { Err(Reject::Locate) }
}
