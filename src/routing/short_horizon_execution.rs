//! ShortHorizonExecutionPolicy: turns a target into at most one working child per symbol. Pure: it plans, the
//! stage asks the guards and sends.
//!
//! Entry: passive mid, then side-signed ticks at a third and two thirds of the time in force by *modify*, then,
//! if configured, one crossing with capped slippage, then cancel. Exit: the same window but it always crosses at the
//! end, and starts again until the position is closed. A sell that would cross zero closes first. (A modify after a
//! partial fill may pay IB's commission minimum again: steps stop at a fill rate of 40 %.)

use super::config::{ExecutionConfig, Limits, secs, usd};
use super::market_view::SymbolMarket;
use super::orders::{Exposure, Order, State};
use crate::clock::{Nanos, SECOND, SessionTime};
use crate::domain::{Instrument, OrderId, Price, Qty, Side, Tif};
use crate::message::{Cause, Target, Urgency};

/// Stage of a window: 0 passive, 1 and 2 stepped, 3 crossing.
pub const CROSSING: u8 = 3;

/// What the policy remembers of a symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// What decision wants; `None` = nothing to do (a live child is then cancelled).
    pub target: Option<Target>,
    /// When the present window began.
    pub started: Option<SessionTime>,
    /// How far it has stepped.
    pub stage: u8,
    /// Nothing new before this.
    pub retry_at: SessionTime,
    /// The last refusal, told once.
    pub refused: Option<super::Reject>,
}

/// What the policy may look at.
#[derive(Debug)]
pub struct View<'a> {
    /// Shares.
    pub exposure: Exposure,
    /// The oldest live child that is not in doubt.
    pub child: Option<&'a Order>,
    /// Whether there are more.
    pub more_children: bool,
    /// The market.
    pub market: SymbolMarket,
    /// Whether shorts must stay above the bid.
    pub ssr: bool,
    /// Average price of what is held.
    pub average: Price,
    /// The contract.
    pub instrument: &'a Instrument,
    /// Session time.
    pub now: SessionTime,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Nothing.
    Wait,
    /// The target is reached or its window is over.
    Drop,
    /// Send a child.
    Place {
        /// Side.
        side: Side,
        /// Shares.
        qty: Qty,
        /// Limit.
        limit: Price,
        /// Broker's expiry.
        tif: Tif,
        /// Stage that it starts in.
        stage: u8,
    },
    /// Change the child.
    Modify {
        /// The child.
        id: OrderId,
        /// New total shares.
        qty: Qty,
        /// New limit.
        limit: Price,
        /// Broker's expiry.
        tif: Tif,
        /// Stage that it enters.
        stage: u8,
    },
    /// The step's price is the child's already.
    Advance {
        /// Stage that it enters.
        stage: u8,
    },
    /// Cancel the child.
    Cancel {
        /// The child.
        id: OrderId,
    },
}

/// Plans the next action for a symbol.
pub fn plan(work: &Work, v: &View<'_>, config: &ExecutionConfig, limits: &Limits) -> Plan {
    match v.child {
        Some(child) => manage(work, child, v, config, limits),
        None => open(work, v, config, limits),
    }
}

/// Whether the target only closes (part of) what is held.
pub fn closes(target: &Target, filled: i64) -> bool {
    let opposite = target.net.0.signum() == -filled.signum();
    filled != 0 && (opposite || target.net.0.abs() < filled.abs())
}

/// Shares of the next child toward `target`, 0 = none: closes before it crosses zero, and never reduces beyond what
/// orders in doubt leave.
fn child_shares(target: &Target, x: &Exposure, open_child: i64, limit: Price, limits: &Limits) -> (Side, i64) {
    let want = target.net.0.saturating_sub(x.filled);
    let side = Side::of(want);
    let crosses = x.filled != 0 && target.net.0.signum() == -x.filled.signum();
    let mut shares = if crosses { x.filled.abs() } else { want.abs() };
    if closes(target, x.filled) {
        // Beside orders in doubt only what they leave of the way: both may fill.
        shares -= x.open(side) - open_child;
        // What the broker does not hold can't be closed: the order would open the other side.
        let held = x.filled.saturating_add(x.external);
        shares = if held.signum() == x.filled.signum() { shares.min(held.abs()) } else { 0 };
    } else if x.in_doubt() {
        shares = 0;
    }
    let by_value = if limit.is_some() { usd(limits.max_order_notional_usd).0 / limit.0 } else { i64::MAX };
    // A reduction may exceed the notional of an entry: one share at least can always leave.
    let cap = if closes(target, x.filled) { by_value.max(1) } else { by_value };
    (side, shares.clamp(0, limits.max_order_shares.min(cap).max(0)))
}

fn window(work: &Work, v: &View<'_>, config: &ExecutionConfig) -> Nanos {
    let Some(t) = work.target else { return 0 };
    if t.urgency == Urgency::Cross {
        return secs(config.cross_window_s);
    }
    if closes(&t, v.exposure.filled) && t.cause != Cause::Enter { config.tif(None) } else { config.tif(t.horizon) }
}

fn expiry(started: SessionTime, window: Nanos, config: &ExecutionConfig) -> Tif {
    let at = started + window + secs(config.cross_window_s) + secs(config.gtd_grace_s);
    // The broker's expiry has whole seconds.
    Tif::Gtd(SessionTime((at.0 + SECOND - 1).div_euclid(SECOND) * SECOND))
}

fn open(work: &Work, v: &View<'_>, config: &ExecutionConfig, limits: &Limits) -> Plan {
    let Some(target) = work.target else { return Plan::Wait };
    if target.net.0 == v.exposure.filled {
        // Reached; orders in doubt may still move it.
        return if v.exposure.in_doubt() { Plan::Wait } else { Plan::Drop };
    }
    let closing = closes(&target, v.exposure.filled);
    let window = window(work, v, config);
    let started = work.started.unwrap_or(v.now);
    // An entry is as old as its decision: what had to wait (for proof, for pacing) is not entered late.
    if !closing && v.now - target.at >= window {
        return Plan::Drop;
    }
    if v.now < work.retry_at {
        return Plan::Wait;
    }
    let again = work.started.is_some() && closing && v.now - started >= window;
    let stage = if target.urgency == Urgency::Cross || again { CROSSING } else { work.stage };
    let started = if again { v.now } else { started };
    let side = Side::of(target.net.0 - v.exposure.filled);
    let Some(limit) = price(side, stage, closing, &target, v, config) else {
        return Plan::Wait;
    };
    let (side, shares) = child_shares(&target, &v.exposure, 0, limit, limits);
    if shares == 0 {
        return Plan::Wait;
    }
    let tif = expiry(started, if again { secs(config.cross_window_s) } else { window }, config);
    Plan::Place { side, qty: Qty(shares), limit, tif, stage }
}

fn manage(work: &Work, child: &Order, v: &View<'_>, config: &ExecutionConfig, limits: &Limits) -> Plan {
    let id = child.terms.order_id;
    if child.state == State::PendCancel || child.cancels > 0 {
        let again = v.now - child.cancel_at >= secs(config.cancel_retry_s) && child.cancels < config.cancels_max;
        return if again { Plan::Cancel { id } } else { Plan::Wait };
    }
    let Some(target) = work.target.filter(|_| !v.more_children) else { return Plan::Cancel { id } };
    let limit = child.terms.kind.limit().unwrap_or_default();
    let (side, shares) = child_shares(&target, &v.exposure, child.open().0, limit, limits);
    if side != child.terms.side || shares == 0 {
        return Plan::Cancel { id };
    }
    let Some(started) = work.started else { return Plan::Cancel { id } };
    let window = window(work, v, config);
    let elapsed = v.now - started;
    if !child.is_resting() {
        // A modify that is never answered must not keep the order beyond its window.
        let stuck = child.state == State::PendModify && elapsed >= window + secs(config.cross_window_s);
        return if stuck { Plan::Cancel { id } } else { Plan::Wait };
    }
    if shares < child.open().0 {
        let qty = Qty(child.filled.0 + shares);
        return Plan::Modify { id, qty, limit, tif: expiry(started, window, config), stage: work.stage };
    }
    let closing = closes(&target, v.exposure.filled);
    if elapsed >= window {
        let crossing = work.stage >= CROSSING;
        let may_cross = closing || config.cross_entries_at_end;
        if !may_cross || (crossing && elapsed >= window + secs(config.cross_window_s)) {
            return Plan::Cancel { id };
        }
        return if crossing {
            Plan::Wait
        } else {
            restage(CROSSING, child, closing, &target, v, config, started, window)
        };
    }
    let slow = child.filled.0 * 10 < child.terms.qty.0 * 4;
    let due = work.stage < 2 && elapsed >= window * i64::from(work.stage + 1) / 3;
    if config.step_up && target.urgency == Urgency::Normal && due && slow {
        return restage(work.stage + 1, child, closing, &target, v, config, started, window);
    }
    Plan::Wait
}

#[allow(clippy::too_many_arguments, reason = "one place, all of it the window's context")]
fn restage(
    stage: u8,
    child: &Order,
    closing: bool,
    target: &Target,
    v: &View<'_>,
    config: &ExecutionConfig,
    started: SessionTime,
    window: Nanos,
) -> Plan {
    let id = child.terms.order_id;
    match price(child.terms.side, stage, closing, target, v, config) {
        Some(limit) if Some(limit) != child.terms.kind.limit() => {
            Plan::Modify { id, qty: child.terms.qty, limit, tif: expiry(started, window, config), stage }
        }
        _ => Plan::Advance { stage },
    }
}

/// The limit of a stage on the price grid; `None` = no price can be made (an entry without a fit quote).
fn price(
    side: Side,
    stage: u8,
    closing: bool,
    target: &Target,
    v: &View<'_>,
    config: &ExecutionConfig,
) -> Option<Price> {
    let quoted = v.market.tick.bid.is_some() && v.market.tick.ask >= v.market.tick.bid;
    let raw = if stage >= CROSSING || !quoted {
        cross_price(side, closing, target, v, config)?
    } else {
        let base = if target.urgency == Urgency::Passive { near_touch(side, v) } else { passive_mid(side, v) };
        let ticks = match stage {
            0 => 0,
            s => config.step_ticks[usize::from(s - 1).min(1)],
        };
        let stepped = base.0 + side.sign() * ticks * v.instrument.tick_at(base).0;
        match side {
            Side::Buy => Price(stepped.min(v.market.tick.ask.0)),
            Side::Sell => Price(stepped.max(v.market.tick.bid.0)),
        }
    };
    let mut limit = on_grid(side, raw, v.instrument);
    let shorts = side == Side::Sell && !closing;
    if shorts && v.ssr && limit <= v.market.tick.bid {
        limit = Price(v.market.tick.bid.0 + v.instrument.tick_at(v.market.tick.bid).0);
    }
    limit.is_some().then_some(limit)
}

fn near_touch(side: Side, v: &View<'_>) -> Price {
    match side {
        Side::Buy => v.market.tick.bid,
        Side::Sell => v.market.tick.ask,
    }
}

fn passive_mid(side: Side, v: &View<'_>) -> Price {
    on_grid(side, v.market.mid(), v.instrument)
}

/// Rounds away from the far side, so that rounding never pays more.
fn on_grid(side: Side, price: Price, instrument: &Instrument) -> Price {
    let tick = instrument.tick_at(price);
    match side {
        Side::Buy => price.floor_to(tick),
        Side::Sell => price.ceil_to(tick),
    }
}

fn shift(price: Price, side: Side, bps: i64) -> Price {
    let moved = i128::from(price.0) * i128::from(10_000 + side.sign() * bps) / 10_000;
    Price(i64::try_from(moved).unwrap_or(0))
}

/// A marketable limit. Entries are capped from their arrival mid; exits from the far touch, or whatever price is
/// known: the last trade, the prior close, the position's own average.
fn cross_price(side: Side, closing: bool, target: &Target, v: &View<'_>, config: &ExecutionConfig) -> Option<Price> {
    let far = match side {
        Side::Buy => v.market.tick.ask,
        Side::Sell => v.market.tick.bid,
    };
    if closing {
        let known = [far, v.market.tick.last, v.market.prior_close, v.average];
        let from = known.into_iter().find(|p| p.is_some())?;
        return Some(shift(from, side, config.exit_slippage_cap_bps));
    }
    if !far.is_some() || !target.arrival.is_some() {
        return None;
    }
    let cap = shift(target.arrival, side, config.entry_slippage_cap_bps);
    let beyond = shift(far, side, config.entry_slippage_cap_bps);
    Some(match side {
        Side::Buy => cap.min(beyond),
        Side::Sell => cap.max(beyond),
    })
}
