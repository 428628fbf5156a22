//! Guards about the market: a fit and young quote, the spread, price collars, halts.

use super::{Context, Reject};
use crate::domain::Price;
use crate::routing::config::secs;

type Checked = Result<(), Reject>;

/// `price × (10,000 + bps) / 10,000` for negative and positive bps, in whole micro-dollars.
fn shift(price: Price, bps: i64) -> i128 {
    i128::from(price.0) * i128::from(10_000 + bps) / 10_000
}

/// A fit quote on a live data link.
pub(super) fn quote(c: &Context<'_>) -> Checked {
    if c.market.link_up() && c.symbol.is_fit() { Ok(()) } else { Err(Reject::Quote) }
}

/// Young enough, and not from the future.
pub(super) fn quote_age(c: &Context<'_>) -> Checked {
    let age = c.now - c.symbol.tick.at;
    if age <= secs(c.limits.quote_age_max_s) { Ok(()) } else { Err(Reject::QuoteAge) }
}

/// Quoted spread in bps of mid.
pub(super) fn spread(c: &Context<'_>) -> Checked {
    let (bid, ask) = (i128::from(c.symbol.tick.bid.0), i128::from(c.symbol.tick.ask.0));
    // (ask − bid) / mid ≤ s bps, without a division.
    let ok = 2 * 10_000 * (ask - bid) <= i128::from(c.limits.max_spread_bps) * (ask + bid);
    if ok { Ok(()) } else { Err(Reject::Spread) }
}

/// A buy's limit is at most so far above the ask, a sell's below the bid; and neither is absurdly passive.
pub(super) fn collar_nbbo(c: &Context<'_>) -> Checked {
    let bps = c.limits.collar_nbbo_bps;
    let limit = i128::from(c.limit().0);
    let wide = c.limits.collar_reference_bps;
    let ok = match c.side() {
        crate::domain::Side::Buy => limit <= shift(c.symbol.tick.ask, bps) && limit >= shift(c.symbol.tick.bid, -wide),
        crate::domain::Side::Sell => limit >= shift(c.symbol.tick.bid, -bps) && limit <= shift(c.symbol.tick.ask, wide),
    };
    if ok { Ok(()) } else { Err(Reject::CollarNbbo) }
}

fn near(limit: Price, reference: Price, bps: i64) -> bool {
    let limit = i128::from(limit.0);
    limit >= shift(reference, -bps) && limit <= shift(reference, bps)
}

/// Within a band of a reference that does not come from the quote: the last trade, else the prior close.
pub(super) fn collar_reference(c: &Context<'_>) -> Checked {
    let (last, close) = (c.symbol.tick.last, c.symbol.prior_close);
    let reference = if last.is_some() { last } else { close };
    let ok = reference.is_some() && near(c.limit(), reference, c.limits.collar_reference_bps);
    if ok { Ok(()) } else { Err(Reject::CollarReference) }
}

/// A reduction may lean on any price that is known, the position's own average at last, within a wide band.
pub(super) fn collar_to_reduce(c: &Context<'_>) -> Checked {
    let t = &c.symbol.tick;
    let average = c.book.position(c.intent.terms.symbol).average();
    let known = [t.bid, t.ask, t.last, c.symbol.prior_close, average];
    let bps = c.limits.collar_reduce_bps;
    if known.iter().any(|p| p.is_some() && near(c.limit(), *p, bps)) { Ok(()) } else { Err(Reject::CollarReference) }
}

/// Tick 49: absent = not known to be halted, which a fit quote then has to show; anything but 0 denies.
pub(super) fn halted(c: &Context<'_>) -> Checked {
    if matches!(c.symbol.halted, None | Some(0)) { Ok(()) } else { Err(Reject::Halted) }
}
