//! Orders on their way in: checks at the gateway, then arrival at the exchange.

#![allow(clippy::cast_possible_truncation, reason = "quantities are checked to be whole and below a billion")]

use super::agenda::Task;
use super::algos::Plan;
use super::book::Entry;
use super::contracts::{find, routed};
use super::core::{Core, answer};
use super::delays::Way;
use super::exposure::Objection;
use super::orders::{EXECUTIONS_MAX, Record, Status, Style, Terms, Tif};
use super::reports::{error, pair};
use super::rules::FillOrKill;
use super::terms::{Refusal, invalid, terms};
use super::text;
use crate::clock::{MILLISECOND, MINUTE, Nanos, SessionTime};
use crate::domain::calendar::{Date, next_trading_day, regular_hours};
use crate::domain::{Side, SymbolId};
use crate::sim::api::{ConnId, Contract, Order, Outgoing};

/// How long after its acknowledgement an off-hours order is told that it waits (assumed: well after it, as recorded).
const DEFERRAL: Nanos = 500 * MILLISECOND;
/// On-close orders must come so long before the close (assumed: Nasdaq's).
const ON_CLOSE_CUTOFF: Nanos = 5 * MINUTE;

/// What the gateway found in an order.
struct Checked {
    symbol: SymbolId,
    side: Side,
    terms: Terms,
    plan: Option<Plan>,
}

impl Core {
    /// placeOrder: a new order, a modification (same id again) or a what-if.
    pub(super) fn place(&mut self, conn: ConnId, contract: &Contract, order: Order, out: &mut Vec<Outgoing>) {
        let Some(client) = self.sessions.get(conn).map(|c| c.client) else { return };
        let id = order.order_id;
        if let Some(perm) = self.orders.find(client, id).map(|r| r.perm) {
            self.efficiency.revisions += 1;
            return self.modify(conn, perm, order, out);
        }
        let taken = id < self.orders.next_valid_id(client);
        let checked = if taken { Err((103, "Duplicate order id".into())) } else { self.check(contract, &order) };
        self.orders.use_id(client, id);
        let Checked { symbol, side, terms, plan } = match checked {
            Ok(found) => found,
            Err(refusal) => return self.refuse_at_once(conn, contract, order, refusal, out),
        };
        if order.what_if {
            return self.what_if(conn, client, symbol, side, terms, order);
        }
        let parent = match self.parent_of(client, order.parent_id) {
            Ok(parent) => parent,
            Err((code, text)) => return answer(conn, error(self.now, id, code, text), out),
        };
        self.efficiency.submits += 1;
        if terms.outside_rth && !terms.may_trade_outside() {
            let text = "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order type \
                        and destination. PlaceOrder is now being processed.";
            answer(conn, error(self.now, id, 2_109, text), out);
        }
        let (transmit, waits) = (order.transmit, Record::waits_for_conditions(&order));
        let mut record =
            Record::new(self.orders.next_perm(), client, symbol, side, terms, order, Status::Untransmitted, self.now);
        (record.plan, record.conditions_met) = (plan, !waits);
        if let Some((parent, filled)) = parent {
            super::groups::attach(&mut record, parent, filled);
        }
        let perm = record.perm;
        self.orders.insert(record);
        if transmit {
            self.transmit(perm);
        }
    }

    /// A refusal at the gateway: one error. Recorded of a minimum quantity: the order can still be cancelled, and is then
    /// said to have been discarded.
    fn refuse_at_once(
        &mut self,
        conn: ConnId,
        contract: &Contract,
        order: Order,
        (code, text): Refusal,
        out: &mut Vec<Outgoing>,
    ) {
        answer(conn, error(self.now, order.order_id, code, text), out);
        let (Some(side), Some(client)) = (order.action, self.sessions.get(conn).map(|c| c.client)) else { return };
        let Some(symbol) = find(self.references(), contract).map(|r| r.id) else { return };
        if code != super::attributes::MIN_QTY || order.what_if {
            return;
        }
        let terms = Terms::market(order.total_quantity as i64);
        let mut record =
            Record::new(self.orders.next_perm(), client, symbol, side, terms, order, Status::Untransmitted, self.now);
        record.discarded = true;
        self.orders.insert(record);
    }

    /// Checks that the gateway makes itself.
    fn check(&self, contract: &Contract, order: &Order) -> Result<Checked, Refusal> {
        let no_security = || (200, "No security definition has been found for the request".to_string());
        let symbol = find(self.references(), contract).ok_or_else(no_security)?.id;
        if self.orders.is_full() || self.fills.len() >= EXECUTIONS_MAX {
            return Err((201, "Order rejected - reason:The session's order table is full".into()));
        }
        if !order.account.is_empty() && order.account != self.config.account {
            return Err(invalid(&format!("Invalid account code '{}'.", order.account)));
        }
        let side = order.action.ok_or_else(|| invalid("Invalid side"))?;
        let terms = terms(order)?;
        let plan = super::algos::plan(order, self.now, self.source.hours())?;
        self.check_conditions_of(order)?;
        self.precautions(order, symbol, side, &terms)?;
        Ok(Checked { symbol, side, terms, plan })
    }

    /// Puts an instruction about an order on its way to the exchange, never before an earlier one about it.
    pub(super) fn send_in(&mut self, perm: i64, task: Task) {
        let way = if matches!(task, Task::Cancel { .. }) { Way::Cancel } else { Way::Order };
        let at = self.later_by(way);
        let Some(r) = self.orders.get_mut(perm) else { return };
        r.inbound_floor = r.inbound_floor.max(at);
        let at = r.inbound_floor;
        self.agenda.add(at, task);
    }

    /// An order reaches the exchange.
    pub(super) fn arrive(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm).cloned() else { return };
        if r.status != Status::Sent || self.forced_at_arrival(perm) {
            return;
        }
        let hours = self.source.hours();
        let off_hours = self.now < hours.open || self.now >= hours.close;
        if r.terms.tif == Tif::Fok && (off_hours || self.config.rules.fill_or_kill == FillOrKill::Refused) {
            // Recorded: FOK draws Inactive, 201, and Inactive again.
            let reason = "The time-in-force FOK is invalid for this combination of exchange and security type.";
            return self.refuse(perm, reason, true);
        }
        if let Some(reason) = self.timing_refusal(&r, off_hours) {
            return self.refuse(perm, reason, true);
        }
        if let Tif::Gtd(until) = r.terms.tif {
            if until <= self.now {
                return self.refuse(perm, "The good-till-date of the order is in the past.", false);
            }
            if off_hours && until <= self.next_open() {
                // Recorded.
                self.report_pair(perm, "PreSubmitted");
                return self.refuse(perm, "Order will be expired before market opens.", true);
            }
            self.agenda.add(until, Task::Expire { perm });
        }
        if let Some(reason) = self.crowded(&r) {
            return self.refuse(perm, &reason, false);
        }
        self.watch_order(perm);
        // A child raises nothing: its parent was checked.
        match if r.parent == 0 { self.objection(&r, r.remaining()) } else { None } {
            Some(Objection::Refuse(reason)) => return self.refuse(perm, &reason, false),
            Some(Objection::Locate) => return self.hold_for_locate(perm, false),
            None => {}
        }
        // Recorded: an IOC sent off hours is not deferred, it goes and comes back.
        if !self.may_trade(&r) && r.terms.tif != Tif::Ioc {
            self.defer(perm, &r.terms);
            return self.watch_conditions(perm);
        }
        self.begin(perm);
    }

    /// An order in its hours: held, or sent to the book.
    fn begin(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm).cloned() else { return };
        if r.is_held(self.now) {
            self.set_status(perm, Status::PreSubmitted);
            self.report_pair(perm, "PreSubmitted");
            if let Some(r) = self.orders.get_mut(perm) {
                r.deferral_told = true;
            }
            self.watch_conditions(perm);
            return self.try_trigger(perm);
        }
        self.cap_price(perm);
        let held = self.account.position(r.symbol).qty;
        let closes = held.signum() * r.side.sign() < 0;
        let resting_limit = r.terms.limit.is_some() && r.terms.tif != Tif::Ioc;
        if closes || resting_limit {
            self.report_pair(perm, "PreSubmitted");
        }
        self.go_to_work(perm);
        self.watch_conditions(perm);
    }

    /// Nothing holds an order any more: it works.
    pub(super) fn go_to_work(&mut self, perm: i64) {
        if self.orders.get(perm).is_some_and(|r| !r.cap.is_some()) {
            self.cap_price(perm);
        }
        self.set_status(perm, Status::Submitted);
        self.report_pair(perm, "Submitted");
        self.start_plan(perm);
        self.work(perm);
    }

    /// Off hours: the order waits for the bell. Recorded: a limit shows its state before warning 399, others after it, and
    /// so does a limit that is scaled or worked by the price management algorithm.
    fn defer(&mut self, perm: i64, terms: &Terms) {
        self.set_status(perm, Status::PreSubmitted);
        if let Some(r) = self.orders.get_mut(perm) {
            r.echoed = true;
        }
        let managed = |r: &Record| r.sent.use_price_mgmt_algo || r.sent.scale_price_increment.is_some();
        if terms.limit.is_none() || self.orders.get(perm).is_some_and(managed) {
            return self.deferred(perm);
        }
        self.report_pair(perm, "PreSubmitted");
        // Through `send_in`, so that no cancel overtakes it.
        if let Some(r) = self.orders.get_mut(perm) {
            r.inbound_floor = self.now + DEFERRAL;
        }
        self.send_in(perm, Task::Deferred { perm });
    }

    /// Orders for the opening or the closing print that come too late for it (assumed: five minutes before the close).
    fn timing_refusal(&self, r: &Record, off_hours: bool) -> Option<&'static str> {
        let late = self.now >= self.source.hours().close - ON_CLOSE_CUTOFF;
        if r.terms.style == Style::OnClose && !off_hours && late {
            return Some("The order was received after the cutoff for on-close orders.");
        }
        let opened = self.markets[r.symbol.index()].day_open.is_some();
        (r.terms.tif == Tif::Opg && !off_hours && opened).then_some("The market has opened: OPG is no longer accepted.")
    }

    /// Lets an order take what the book shows, and rests or ends the remainder.
    pub(super) fn work(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let (symbol, side, terms, remaining) = (r.symbol, r.side, r.terms, r.workable());
        let limit = self.limit_now(r);
        if remaining <= 0 || self.is_halted(symbol) {
            return;
        }
        let book = &mut self.markets[symbol.index()].book;
        let mut left = remaining;
        if let Some((price, qty)) = book.take(side, limit, remaining, terms.least(remaining)) {
            left -= qty;
            let price = self.slipped(side, limit, price);
            self.filled(&super::book::Match { perm, price, qty, maker: false });
        }
        if left == 0 {
            return;
        }
        if matches!(terms.tif, Tif::Ioc | Tif::Fok) {
            self.note_hours(perm);
            if left == remaining {
                // Recorded: an IOC that fills nothing repeats its state before it goes.
                if let Some(r) = self.orders.get_mut(perm) {
                    r.echoed = true;
                }
                self.report_pair(perm, "Submitted");
            }
            self.report_pair(perm, "PendingCancel");
            return self.cancelled(perm, None, "Cancelled by System:\n");
        }
        self.rest(perm);
    }

    /// Recorded: an IOC that came back outside regular hours says that it was outside them.
    fn note_hours(&mut self, perm: i64) {
        let hours = self.source.hours();
        let regular = self.now >= hours.open && self.now < hours.close;
        if let Some(r) = self.orders.get_mut(perm).filter(|r| !regular && r.terms.tif == Tif::Ioc) {
            r.sent.outside_rth = true;
        }
    }

    /// Puts an order into the book, at its price of now.
    pub(super) fn rest(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm).filter(|r| !r.status.is_final() && r.workable() > 0) else { return };
        let entry = Entry {
            perm,
            side: r.side,
            limit: self.limit_now(r),
            remaining: r.workable(),
            all_or_none: r.terms.all_or_none,
            display: r.terms.display,
        };
        let symbol = r.symbol;
        self.markets[symbol.index()].book.rest(entry);
    }

    /// Refuses an order at the exchange: Inactive and 201, in either order as recorded.
    pub(super) fn refuse(&mut self, perm: i64, reason: &str, repeat: bool) {
        self.orders.finish(perm, Status::Inactive, text::eastern(self.now), reason.into());
        let Some((r, reference)) = self.of(perm) else { return };
        let (client, id) = (r.client, r.order_id);
        let inactive = pair(r, reference, &self.config.account, "Inactive").to_vec();
        let refusal = error(self.now, id, 201, format!("Order rejected - reason:{reason}"));
        let mut messages = inactive.clone();
        if repeat {
            messages.push(refusal);
            messages.extend(inactive);
        } else if self.draw.chance(0.5) {
            messages.push(refusal);
        } else {
            messages.insert(0, refusal);
        }
        self.report(perm, client, messages);
    }

    /// The off-hours deferral is confirmed.
    pub(super) fn deferred(&mut self, perm: i64) {
        let Some((r, reference)) = self.of(perm) else { return };
        if r.status != Status::PreSubmitted {
            return;
        }
        let message = format!(
            "Order Message:\n{} {} {} {}\nWarning: Your order will not be placed at the exchange until {}.",
            r.side.as_str(),
            r.terms.qty,
            reference.symbol,
            routed(reference),
            text::eastern_dashed(self.next_open())
        );
        let (client, cancelling) = (r.client, r.cancelling);
        let reply_to = r.order_id;
        let states = pair(r, reference, &self.config.account, "PreSubmitted");
        // Recorded: what does not wait for the coming bell alone draws no warning.
        let quiet = r.terms.tif == Tif::Gtc || r.terms.not_before.is_some();
        let market = r.terms.limit.is_none() && r.terms.trigger.is_none();
        let mut messages = if quiet { Vec::new() } else { vec![error(self.now, reply_to, 399, message)] };
        for _ in 0..if cancelling {
            1
        } else if quiet || market {
            2
        } else {
            3
        } {
            messages.extend(states.clone());
        }
        if let Some(r) = self.orders.get_mut(perm) {
            r.deferral_told = true;
        }
        self.report(perm, client, messages);
    }

    /// The next opening bell.
    fn next_open(&self) -> SessionTime {
        let hours = self.source.hours();
        if self.now < hours.open {
            return hours.open;
        }
        let next = next_trading_day(Date::new_york(hours.open)).and_then(regular_hours);
        next.map_or(hours.open, |h| h.open)
    }
}
