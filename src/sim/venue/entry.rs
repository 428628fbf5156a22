//! Orders on their way in: checks at the gateway, then arrival at the exchange.

#![allow(clippy::cast_possible_truncation, reason = "quantities are checked to be whole and below a billion")]

use super::agenda::Task;
use super::contracts::{find, routed};
use super::core::{Core, answer};
use super::orders::{EXECUTIONS_MAX, Record, Status, Style, Terms, Tif};
use super::reports::{error, open_order, pair};
use super::terms::{Refusal, invalid, terms};
use super::text;
use crate::clock::{MILLISECOND, MINUTE, Nanos, SessionTime};
use crate::domain::calendar::{Date, next_trading_day, regular_hours};
use crate::domain::{Money, Side, SymbolId};
use crate::sim::api::{ConnId, Contract, Order, OrderState, Outgoing, Response};

/// How long after its acknowledgement an off-hours order is told that it waits (assumed: well after it, as recorded).
const DEFERRAL: Nanos = 500 * MILLISECOND;
/// On-close orders must come so long before the close (assumed: Nasdaq's).
const ON_CLOSE_CUTOFF: Nanos = 5 * MINUTE;

impl Core {
    /// placeOrder: a new order, a modification (same id again) or a what-if.
    pub(super) fn place(&mut self, conn: ConnId, contract: &Contract, order: Order, out: &mut Vec<Outgoing>) {
        let Some(client) = self.sessions.get(conn).map(|c| c.client) else { return };
        let id = order.order_id;
        if let Some(perm) = self.orders.find(client, id).map(|r| r.perm) {
            return self.modify(conn, perm, order, out);
        }
        let taken = id < self.orders.next_valid_id(client);
        let checked = if taken { Err((103, "Duplicate order id".into())) } else { self.check(contract, &order) };
        self.orders.use_id(client, id);
        let (symbol, side, terms) = match checked {
            Ok(found) => found,
            Err((code, text)) => return answer(conn, error(self.now, id, code, text), out),
        };
        if order.what_if {
            return self.what_if(conn, client, symbol, side, terms, order);
        }
        let parent = match self.parent_of(client, order.parent_id) {
            Ok(parent) => parent,
            Err((code, text)) => return answer(conn, error(self.now, id, code, text), out),
        };
        let transmit = order.transmit;
        let mut record =
            Record::new(self.orders.next_perm(), client, symbol, side, terms, order, Status::Untransmitted, self.now);
        if let Some((parent, filled)) = parent {
            super::groups::attach(&mut record, parent, filled);
        }
        let perm = record.perm;
        self.orders.insert(record);
        if transmit {
            self.transmit(perm);
        }
    }

    /// Checks that the gateway makes itself.
    fn check(&self, contract: &Contract, order: &Order) -> Result<(SymbolId, Side, Terms), Refusal> {
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
        Ok((symbol, side, terms))
    }

    /// Puts an instruction about an order on its way to the exchange, never before an earlier one about it.
    pub(super) fn send_in(&mut self, perm: i64, task: Task) {
        let at = self.later();
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
        if r.terms.tif == Tif::Fok {
            // Recorded: FOK draws Inactive, 201, and Inactive again.
            let reason = "The time-in-force FOK is invalid for this combination of exchange and security type.";
            return self.refuse(perm, reason, true);
        }
        let hours = self.source.hours();
        let off_hours = self.now < hours.open || self.now >= hours.close;
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
        // A child raises nothing: its parent was checked.
        if r.parent == 0
            && let Some(reason) = self.exposure_refusal(&r, r.remaining())
        {
            return self.refuse(perm, &reason, false);
        }
        self.watch_order(perm);
        // Recorded: an IOC sent off hours is not deferred, it goes and comes back.
        if off_hours && r.terms.tif != Tif::Ioc {
            return self.defer(perm, &r.terms);
        }
        if r.is_held(self.now) {
            self.set_status(perm, Status::PreSubmitted);
            self.report_pair(perm, "PreSubmitted");
            if let Some(r) = self.orders.get_mut(perm) {
                r.deferral_told = true;
            }
            return self.try_trigger(perm);
        }
        let held = self.account.position(r.symbol).qty;
        let closes = held.signum() * r.side.sign() < 0;
        let resting_limit = r.terms.limit.is_some() && r.terms.tif != Tif::Ioc;
        if closes || resting_limit {
            self.report_pair(perm, "PreSubmitted");
        }
        self.set_status(perm, Status::Submitted);
        self.report_pair(perm, "Submitted");
        self.work(perm);
    }

    /// Off hours: the order waits for the bell. Recorded: a limit shows its state before warning 399, others after it.
    fn defer(&mut self, perm: i64, terms: &Terms) {
        self.set_status(perm, Status::PreSubmitted);
        if terms.limit.is_none() {
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
        let (symbol, side, mut terms, remaining) = (r.symbol, r.side, r.terms, r.workable());
        terms.limit = self.limit_now(r);
        if remaining <= 0 || self.is_halted(symbol) {
            return;
        }
        let book = &mut self.markets[symbol.index()].book;
        let mut left = remaining;
        if let Some((price, qty)) = book.take(side, terms.limit, remaining) {
            left -= qty;
            self.filled(&super::book::Match { perm, price, qty, maker: false });
        }
        if left == 0 {
            return;
        }
        if terms.tif == Tif::Ioc {
            if left == remaining {
                // Recorded: an IOC that fills nothing repeats its state before it goes.
                self.report_pair(perm, "Submitted");
            }
            self.report_pair(perm, "PendingCancel");
            return self.cancelled(perm, None, "Cancelled by System:\n");
        }
        self.markets[symbol.index()].book.rest(perm, side, terms.limit, left);
    }

    /// Margin and borrow, checked at arrival for what raises exposure; `more` = shares that it adds to what works.
    pub(super) fn exposure_refusal(&self, r: &Record, more: i64) -> Option<String> {
        let held = self.account.position(r.symbol).qty;
        let after = held + r.side.sign() * self.working_with(r);
        if after < 0 && r.side == Side::Sell {
            let shortable = self.reference(r.symbol).shortable.0;
            if -after > shortable {
                return Some("Contract is not available for short sale.".into());
            }
            // Assumed: what the exchange would hold or re-price is refused. A stop is tested when it is triggered.
            let bid = self.markets[r.symbol.index()].book.quote().bid;
            if self.is_restricted(r.symbol) && !r.waits_for_trigger() && r.terms.limit.is_none_or(|l| l <= bid) {
                return Some("The short sale does not meet the price test of Rule 201.".into());
            }
        }
        if after.abs() <= held.abs() {
            return None;
        }
        let m = self.margin(Some((r.symbol, r.side.sign() * more)));
        (m.initial > m.equity).then(|| {
            format!(
                "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE [{} \
                 USD] MUST EXCEED THE INITIAL MARGIN OF [{} USD]",
                m.equity, m.initial
            )
        })
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

    /// What-if: one openOrder with margin figures, or one error.
    fn what_if(&mut self, conn: ConnId, client: i32, symbol: SymbolId, side: Side, terms: Terms, order: Order) {
        let before = self.margin(None);
        let after = self.margin(Some((symbol, side.sign() * terms.qty)));
        let price = terms.limit.unwrap_or_else(|| self.mark(symbol));
        let fee = super::account::order_fee(side, terms.qty, Money(price.0.saturating_mul(terms.qty)));
        let usd = |m: Money| Some(m.to_f64());
        let state = OrderState {
            status: "PreSubmitted".into(),
            init_margin_before: usd(before.initial),
            maint_margin_before: usd(before.maintenance),
            equity_with_loan_before: usd(before.equity),
            init_margin_change: usd(after.initial - before.initial),
            maint_margin_change: usd(after.maintenance - before.maintenance),
            equity_with_loan_change: usd(-fee),
            init_margin_after: usd(after.initial),
            maint_margin_after: usd(after.maintenance),
            equity_with_loan_after: usd(before.equity - fee),
            commission: usd(fee),
            commission_currency: "USD".into(),
            margin_currency: "USD".into(),
            ..OrderState::default()
        };
        let record =
            Record::new(self.orders.next_perm(), client, symbol, side, terms, order, Status::PreSubmitted, self.now);
        let echo = open_order(&record, self.reference(symbol), &self.config.account, "PreSubmitted", None);
        let Response::OpenOrder { contract, order, .. } = echo else { return };
        let messages = vec![Response::OpenOrder { contract, order, state: Box::new(state) }];
        let there = self.later();
        let back = self.later() - self.now;
        self.agenda.add(there + back, Task::Answer { conn, messages });
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
