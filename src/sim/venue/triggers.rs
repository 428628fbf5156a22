//! What the market sets to work: stops and trails, pegs, opening and closing prints, good-after-time, halts.
//!
//! Assumed: triggers in regular hours only, but of stop limits that ask for more; by the last price unless the method asks for the quote (4 bid/ask, 7 either, 8
//! midpoint); a triggered stop is a market order, with a limit a limit order. Pegs follow each quote and lose their
//! place. The opening print is the first regular print, the closing print the last one; both fill whole.

use super::agenda::Task;
use super::book::Match;
use super::contracts::tick_at;
use super::core::Core;
use super::exposure::Objection;
use super::orders::{Record, Status, Style, Tif, Trail};
use super::terms::limit_behind;
use crate::domain::{Price, Side, SymbolId};
use crate::sim::market::{Quote, RawBody, RawEvent};

impl Core {
    /// Whether the symbol's trading is halted.
    pub(super) fn is_halted(&self, symbol: SymbolId) -> bool {
        self.markets[symbol.index()].halted != 0
    }

    /// Notes an order that waits for the market's moves, and when its time comes.
    pub(super) fn watch_order(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let waits = r.terms.trigger.is_some() || r.terms.style != Style::Plain || r.terms.tif == Tif::Opg;
        let (symbol, not_before) = (r.symbol, r.terms.not_before);
        let until_evening = r.goes_on_after_the_close();
        let watched = &mut self.markets[symbol.index()].watched;
        if waits && !watched.contains(&perm) {
            watched.push(perm);
        }
        if until_evening {
            let evening = self.extended_hours().1;
            self.agenda.add(evening, Task::Expire { perm });
        }
        if let Some(at) = not_before.filter(|t| *t > self.now) {
            self.agenda.add(at, Task::Release { perm });
        }
    }

    /// The price an order is limited to now: its limit, or where its peg or its plan stands, no further than its cap.
    pub(super) fn limit_now(&self, r: &Record) -> Option<Price> {
        let limit = match &r.plan {
            Some(plan) => {
                let m = &self.markets[r.symbol.index()];
                plan.price(r.side, r.terms.limit, m.book.quote(), m.last, self.now)
            }
            None => self.pegged(r),
        };
        match limit {
            Some(l) if r.cap.is_some() => Some(if r.side == Side::Buy { l.min(r.cap) } else { l.max(r.cap) }),
            other => other,
        }
    }

    fn pegged(&self, r: &Record) -> Option<Price> {
        let q = self.markets[r.symbol.index()].book.quote();
        let two_sided = q.bid.is_some() && q.ask.is_some();
        let peg = match r.terms.style {
            Style::Plain | Style::OnClose => return r.terms.limit,
            Style::Mid if two_sided => midpoint(q, r.side),
            Style::Primary if two_sided => before_touch(q, r),
            // Without a quote it stands where nothing meets it.
            Style::Mid | Style::Primary => {
                return Some(if r.side == Side::Buy { Price(1) } else { Price(i64::MAX / 4) });
            }
        };
        Some(r.terms.limit.map_or(peg, |cap| if r.side == Side::Buy { peg.min(cap) } else { peg.max(cap) }))
    }

    /// A market event's effect on the orders that wait for it.
    pub(super) fn watch_market(&mut self, event: &RawEvent) {
        let market = &mut self.markets[event.symbol.index()];
        if market.watched.is_empty() || market.halted != 0 {
            return;
        }
        let hours = self.source.hours();
        let regular = event.time >= hours.open && event.time < hours.close;
        let mut watched = std::mem::take(&mut market.watched);
        watched.retain(|p| self.orders.get(*p).is_some_and(|r| !r.status.is_final()));
        for perm in &watched {
            if !regular && !self.orders.get(*perm).is_some_and(|r| self.may_trade(r)) {
                continue;
            }
            match event.body {
                RawBody::Trade { price, .. } => {
                    self.opening_print(*perm, price);
                    self.adjust(*perm, price);
                    self.trail(*perm, price);
                }
                RawBody::Quote(_) => self.follow(*perm),
            }
            self.try_trigger(*perm);
        }
        self.markets[event.symbol.index()].watched.append(&mut watched);
    }

    /// Sets a stop to work once its price is reached.
    pub(super) fn try_trigger(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let waiting = r.status == Status::PreSubmitted && r.waits_for_trigger() && !r.waits_for_parent();
        if !waiting || !r.conditions_met || !self.may_trade(r) || self.is_halted(r.symbol) || !self.reached(r) {
            return;
        }
        if let Some(r) = self.orders.get_mut(perm) {
            r.triggered = true;
        }
        self.try_release(perm);
    }

    fn reached(&self, r: &Record) -> bool {
        let Some(trigger) = r.terms.trigger else { return true };
        let m = &self.markets[r.symbol.index()];
        let q = m.book.quote();
        // A stop waits for a worse price, an order "if touched" for a better one.
        let upward = (r.side == Side::Buy) != r.terms.if_touched;
        let beyond = |p: Price| p.is_some() && if upward { p >= trigger } else { p <= trigger };
        let quote = || beyond(if r.side == Side::Buy { q.ask } else { q.bid });
        match r.sent.trigger_method {
            1 | 4 => quote(),
            7 => beyond(m.last) || quote(),
            8 => q.bid.is_some() && q.ask.is_some() && beyond(Price((q.bid.0 + q.ask.0) / 2)),
            _ => beyond(m.last),
        }
    }

    /// Sends a held order to the book if nothing holds it any more.
    pub(super) fn try_release(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        if !self.may_trade(r) {
            return;
        }
        if r.status != Status::PreSubmitted || r.cancelling || r.is_held(self.now) {
            // A child that its parent has set free now waits for its own price.
            if r.status == Status::PreSubmitted && r.parent != 0 && r.waits_for_trigger() && !r.waits_for_parent() {
                self.report_pair(perm, "PreSubmitted");
                if self.orders.get(perm).is_some_and(|r| self.reached(r)) {
                    self.try_trigger(perm);
                }
            }
            return;
        }
        // A short that was held is tested against the restriction when it is set free.
        let held = Some(r).filter(|r| r.parent == 0 && (r.terms.trigger.is_some() || r.has_conditions()));
        match held.and_then(|r| self.objection(r, 0)) {
            Some(Objection::Refuse(reason)) => return self.refuse(perm, &reason, false),
            Some(Objection::Locate) => return self.hold_for_locate(perm, false),
            None => {}
        }
        self.go_to_work(perm);
        self.watch_conditions(perm);
    }

    /// A good-after-time order's time has come, or one that a condition names.
    pub(super) fn release(&mut self, perm: i64) {
        self.look_at_conditions();
        self.try_release(perm);
    }

    /// A stop turns into what it is to become once its adjustment's price is reached: a sell's from below.
    fn adjust(&mut self, perm: i64, last: Price) {
        let Some(r) = self.orders.get_mut(perm).filter(|r| r.waits_for_trigger()) else { return };
        let Some(a) = r.terms.adjust else { return };
        let reached = if r.side == Side::Sell { last >= a.at } else { last <= a.at };
        if !reached {
            return;
        }
        let t = &mut r.terms;
        (t.trigger, t.limit, t.trail, t.limit_offset, t.adjust) = (Some(a.stop), a.limit, a.trail, None, None);
        let kind = std::mem::take(&mut r.sent.adjusted_order_type);
        r.sent.order_type = kind;
        r.sent.aux_price = Some(a.stop.to_f64());
        let word = r.status.word();
        self.report_pair(perm, word);
    }

    /// A trailing stop follows the last price, never back.
    fn trail(&mut self, perm: i64, last: Price) {
        let Some(r) = self.orders.get_mut(perm).filter(|r| r.waits_for_trigger()) else { return };
        let (Some(trail), Some(trigger)) = (r.terms.trail, r.terms.trigger) else { return };
        let distance = match trail {
            Trail::By(p) => p.0,
            Trail::Share(millionths) => last.0 / 1_000_000 * millionths,
        };
        let stop = last.0 + r.side.sign() * distance;
        let tick = tick_at(last).0;
        let stop = Price(stop.div_euclid(tick) * tick);
        r.terms.trigger = Some(if r.side == Side::Buy { trigger.min(stop) } else { trigger.max(stop) });
        if let Some(offset) = r.terms.limit_offset {
            r.terms.limit = limit_behind(Some(r.side), r.terms.trigger, offset);
        }
    }

    /// A pegged order follows the quote.
    fn follow(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let pegged = matches!(r.terms.style, Style::Mid | Style::Primary) && r.status == Status::Submitted;
        if !pegged || r.cancelling {
            return;
        }
        let (symbol, limit) = (r.symbol, self.limit_now(r));
        let stands = self.markets[symbol.index()].book.remove(perm);
        match stands {
            Some(old) if old.limit == limit => self.markets[symbol.index()].book.put_back(old),
            _ => self.work(perm),
        }
    }

    /// The first regular print serves the orders that wait for it; what it does not reach ends.
    fn opening_print(&mut self, perm: i64, price: Price) {
        let Some(r) = self.orders.get(perm) else { return };
        let hours = self.source.hours();
        let regular = self.now >= hours.open && self.now < hours.close;
        if regular && r.terms.tif == Tif::Opg && r.status == Status::PreSubmitted && !r.waits_for_parent() {
            self.print_or_end(perm, price);
        }
    }

    /// The last print serves the on-close orders.
    pub(super) fn closing_prints(&mut self) {
        let wait = |r: &&Record| r.terms.style == Style::OnClose && r.status == Status::PreSubmitted;
        let waiting: Vec<_> = self.orders.live().filter(wait).map(|r| (r.perm, r.symbol)).collect();
        for (perm, symbol) in waiting {
            let last = self.markets[symbol.index()].last;
            if last.is_some() && !self.is_halted(symbol) {
                self.print_or_end(perm, last);
            }
        }
    }

    fn print_or_end(&mut self, perm: i64, price: Price) {
        let Some(r) = self.orders.get(perm) else { return };
        let reaches = r.terms.limit.is_none_or(|l| if r.side == Side::Buy { l >= price } else { l <= price });
        let qty = r.workable();
        if reaches && qty > 0 {
            self.set_status(perm, Status::Submitted);
            self.filled(&Match { perm, price, qty, maker: false });
        } else {
            self.cancelled(perm, None, "Cancelled by System:\n");
        }
    }
}

/// The midpoint, on the grid, on the order's side of it.
fn midpoint(q: Quote, side: Side) -> Price {
    let tick = tick_at(q.bid).0;
    let sum = q.bid.0 + q.ask.0;
    let down = sum.div_euclid(2 * tick) * tick;
    Price(if side == Side::Buy || down * 2 == sum { down } else { down + tick })
}

/// Where a relative order stands: its side's touch, or its offset before it.
fn before_touch(q: Quote, r: &Record) -> Price {
    let touch = if r.side == Side::Buy { q.bid } else { q.ask };
    let offset = match r.terms.offset {
        None => return touch,
        Some(Trail::By(p)) => p.0,
        Some(Trail::Share(millionths)) => touch.0 / 1_000_000 * millionths,
    };
    let tick = tick_at(touch).0;
    Price(((touch.0 + r.side.sign() * offset).div_euclid(tick) * tick).max(tick))
}
