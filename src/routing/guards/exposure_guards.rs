//! Guards about the worst case of everything filled, working and in doubt: position, name, gross, net, the day's
//! loss. Percentages are of equity; unknown equity denies.

use super::{Context, Reject};
use crate::domain::{Money, Qty, SymbolId};

type Checked = Result<(), Reject>;

fn percent(equity: Money, pct: i64) -> Money {
    Money(i64::try_from(i128::from(equity.0) * i128::from(pct) / 100).unwrap_or(i64::MAX))
}

/// Worst-case shares of the symbol.
pub(super) fn position(c: &Context<'_>) -> Checked {
    let after = c.exposure_after();
    if after.worst() <= c.scaled(c.limits.max_position_shares) { Ok(()) } else { Err(Reject::Position) }
}

/// Worst-case dollars of the symbol.
pub(super) fn name(c: &Context<'_>) -> Checked {
    let limit = percent(c.equity().ok_or(Reject::Equity)?, c.scaled(c.limits.max_name_pct));
    let value = c.value(c.exposure_after().worst()).ok_or(Reject::Price)?;
    if value <= limit { Ok(()) } else { Err(Reject::Name) }
}

/// Sums over all symbols, this intent included. A held symbol without any price denies.
struct Sums {
    gross: i128,
    longest: i128,
    shortest: i128,
}

fn sums(c: &Context<'_>) -> Result<Sums, Reject> {
    let mut s = Sums { gross: 0, longest: 0, shortest: 0 };
    for i in 0..c.book.len() {
        let id = SymbolId(u16::try_from(i).map_err(|_| Reject::Gross)?);
        let mine = id == c.intent.terms.symbol;
        if !mine && c.book.is_idle(id) {
            continue;
        }
        let x = if mine { c.exposure_after() } else { c.book.exposure(id) };
        let price = if mine { c.value_price() } else { c.market.get(id).mark().max(c.book.position(id).average()) };
        if !price.is_some() {
            return Err(Reject::Price);
        }
        let value = |shares: i64| price.notional(Qty(shares)).map(|m| i128::from(m.0)).ok_or(Reject::Price);
        s.gross += value(x.worst())?;
        s.longest += value(x.longest())?;
        s.shortest += value(x.shortest())?;
    }
    Ok(s)
}

/// Sum of worst-case dollars over all symbols.
pub(super) fn gross(c: &Context<'_>) -> Checked {
    let limit = percent(c.equity().ok_or(Reject::Equity)?, c.scaled(c.limits.max_gross_pct));
    if sums(c)?.gross <= i128::from(limit.0) { Ok(()) } else { Err(Reject::Gross) }
}

/// Net dollars if every buy fills, and if every sell fills.
pub(super) fn net(c: &Context<'_>) -> Checked {
    let limit = i128::from(percent(c.equity().ok_or(Reject::Equity)?, c.scaled(c.limits.max_net_pct)).0);
    let s = sums(c)?;
    let worse = match c.side() {
        crate::domain::Side::Buy => s.longest,
        crate::domain::Side::Sell => -s.shortest,
    };
    // Only the direction that this intent worsens counts: a sell may always lower a net long.
    if worse <= limit { Ok(()) } else { Err(Reject::Net) }
}

/// The day's loss limit is not latched, and the day's P&L is known.
pub(super) fn daily_loss(c: &Context<'_>) -> Checked {
    match (c.authority.loss_latched, c.authority.pnl_known) {
        (true, _) => Err(Reject::DailyLoss),
        (false, false) => Err(Reject::PnlUnknown),
        (false, true) => Ok(()),
    }
}
