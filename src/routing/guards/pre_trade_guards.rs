//! Guards about permission, the session and the order itself. Rules and numbers: SEC 15c3-5, IB's own limits.

use super::{Context, Reject};
use crate::domain::OrderKind;
use crate::routing::config::{millis, secs, usd};
use crate::routing::facts::Mode;

type Checked = Result<(), Reject>;

fn require(ok: bool, otherwise: Reject) -> Checked {
    if ok { Ok(()) } else { Err(otherwise) }
}

/// The connection is up and the one that the intent was made for.
pub(super) fn link(c: &Context<'_>) -> Checked {
    require(c.authority.epoch == Some(c.intent.epoch), Reject::Link)
}

/// Armed, the broker reachable, in a mode that opens positions.
pub(super) fn armed(c: &Context<'_>) -> Checked {
    let mode = matches!(c.authority.mode, Mode::Live | Mode::Degraded);
    require(c.authority.armed && mode && c.authority.broker_reachable, Reject::NotArmed)
}

/// The book is reconciled on this connection.
pub(super) fn reconciled(c: &Context<'_>) -> Checked {
    require(c.authority.reconciled, Reject::NotReconciled)
}

/// Nothing in the symbol is in doubt.
pub(super) fn not_frozen(c: &Context<'_>) -> Checked {
    let frozen = c.book.freeze_of(c.intent.terms.symbol).any() || c.exposure.in_doubt();
    require(!frozen, Reject::Frozen)
}

/// The configured account.
pub(super) fn account(c: &Context<'_>) -> Checked {
    require(c.authority.account_ok, Reject::Account)
}

/// Regular hours without the blackouts.
pub(super) fn session(c: &Context<'_>) -> Checked {
    let hours = c.market.hours().ok_or(Reject::Session)?;
    let from = hours.open + secs(c.limits.open_blackout_s);
    let until = hours.close - secs(c.limits.close_blackout_s);
    require(c.now >= from && c.now < until, Reject::Session)
}

/// A reduction needs an open market too: resting overnight is no way out. A day that the calendar does not know
/// is no reason to trap a position.
pub(super) fn session_to_reduce(c: &Context<'_>) -> Checked {
    let open = c.market.hours().is_none_or(|h| c.now >= h.open && c.now < h.close);
    require(open, Reject::Session)
}

/// Younger than its time to live.
pub(super) fn alive(c: &Context<'_>) -> Checked {
    require(c.now < c.intent.ttl, Reject::Expired)
}

/// Shares within the order limit.
pub(super) fn size(c: &Context<'_>) -> Checked {
    let open = c.open_after();
    let max = if c.classify() == super::ExposureClass::Reduces {
        c.limits.max_order_shares
    } else {
        c.scaled(c.limits.max_order_shares)
    };
    require(c.intent.terms.qty.0 > 0 && open > 0 && open <= max, Reject::Size)
}

/// A limit order with a real price.
pub(super) fn price(c: &Context<'_>) -> Checked {
    require(matches!(c.intent.terms.kind, OrderKind::Limit(p) if p.is_some()), Reject::Price)
}

/// Dollars within the order limit.
pub(super) fn notional(c: &Context<'_>) -> Checked {
    let value = c.value(c.open_after()).ok_or(Reject::Price)?;
    require(value <= usd(c.scaled(c.limits.max_order_notional_usd)), Reject::Notional)
}

/// On the price grid of the contract's market rule.
pub(super) fn min_tick(c: &Context<'_>) -> Checked {
    let tick = c.instrument.tick_at(c.limit());
    require(tick.is_some() && c.limit().0 % tick.0 == 0, Reject::Tick)
}

/// Active orders of the symbol and side, this one included.
pub(super) fn active_orders(c: &Context<'_>) -> Checked {
    let live = c.book.live(c.intent.terms.symbol);
    let same = live
        .iter()
        .filter_map(|id| c.book.order(*id))
        .filter(|o| o.terms.side == c.side() && o.state.is_live() && o.terms.order_id != c.intent.terms.order_id);
    require(i64::try_from(same.count()).is_ok_and(|n| n < c.limits.max_active_orders), Reject::ActiveOrders)
}

/// No own order on the other side that this one could meet.
pub(super) fn self_trade(c: &Context<'_>) -> Checked {
    let live = c.book.live(c.intent.terms.symbol);
    let meets = live.iter().filter_map(|id| c.book.order(*id)).any(|o| {
        let terms_meet = |kind: OrderKind| match kind {
            OrderKind::Market => true,
            OrderKind::Limit(p) => (p.0 - c.limit().0) * o.terms.side.sign() >= 0,
        };
        o.terms.side != c.side()
            && o.state.is_live()
            && (terms_meet(o.terms.kind) || o.pending.is_some_and(|p| terms_meet(p.kind)))
    });
    require(!meets, Reject::SelfTrade)
}

/// Not the same order again within the window.
pub(super) fn duplicate(c: &Context<'_>) -> Checked {
    let shape = (c.intent.terms.symbol, c.side(), c.intent.terms.qty, c.limit());
    let window = millis(c.limits.duplicate_window_ms);
    require(!c.throttles.is_duplicate(shape, c.now, window), Reject::Duplicate)
}

/// Not too many entries in the symbol. A modify is no entry.
pub(super) fn repeated(c: &Context<'_>) -> Checked {
    require(c.intent.modifies || !c.throttles.is_repeated(c.intent.terms.symbol, c.now), Reject::Repeated)
}

/// Messages per execution within IB's ratio, once there are enough to judge.
pub(super) fn efficiency(c: &Context<'_>) -> Checked {
    let e = c.throttles.efficiency;
    let judged = e.messages >= c.limits.order_efficiency_min_messages;
    require(!judged || e.ratio() < c.limits.order_efficiency_max, Reject::Efficiency)
}
