//! What happens to orders at the exchange, and the reports about it.

use super::agenda::Task;
use super::book::Match;
use super::core::Core;
use super::delays::Way;
use super::fees::{FeePlan, Filled};
use super::orders::{Record, Status, Style, Tif};
use super::reports::{Fill, error, open_order, order_status, pair, side_word};
use super::text;
use crate::domain::Money;
use crate::sim::api::{Execution, Response};
use crate::sim::market::Reference;

/// First part of execution ids, as recorded.
const EXEC_PREFIX: &str = "0000e0d5";
/// Offset of their running part.
const EXEC_FIRST: usize = 0x69dd_0000;

impl Core {
    /// An order and the reference of its symbol.
    pub(super) fn of(&self, perm: i64) -> Option<(&Record, &Reference)> {
        let r = self.orders.get(perm)?;
        Some((r, self.reference(r.symbol)))
    }

    pub(super) fn set_status(&mut self, perm: i64, status: Status) {
        if let Some(r) = self.orders.get_mut(perm) {
            r.status = status;
        }
    }

    /// Sends messages about an order to a client: one way's delay, never before an earlier report about it.
    pub(super) fn report(&mut self, perm: i64, client: i32, messages: Vec<Response>) {
        let fill = messages.iter().any(|m| matches!(m, Response::ExecutionDetails { .. }));
        let at = self.later_by(if fill { Way::Fill } else { Way::Order });
        let Some(r) = self.orders.get_mut(perm) else { return };
        r.report_floor = r.report_floor.max(at);
        r.undelivered += 1;
        let at = r.report_floor;
        self.agenda.add(at, Task::Report { perm, client, messages });
    }

    /// Reports openOrder and orderStatus to the owner.
    pub(super) fn report_pair(&mut self, perm: i64, word: &str) {
        if let Some(r) = self.orders.get_mut(perm).filter(|_| word == "PreSubmitted") {
            r.echoed = true;
        }
        let Some((r, reference)) = self.of(perm) else { return };
        let (client, messages) = (r.client, pair(r, reference, &self.config.account, word).to_vec());
        self.report(perm, client, messages);
    }

    /// Books a fill that the book found and reports it: execution, state, commission; a closing leg repeats the state.
    pub(super) fn filled(&mut self, m: &Match) {
        let Some(r) = self.orders.get_mut(m.perm) else { return };
        // A fill of its OCA group may just have ended or reduced it.
        let m = &Match { qty: m.qty.min(r.workable()), ..*m };
        if r.status.is_final() || m.qty <= 0 {
            return;
        }
        let (first, to_limit) = (r.filled == 0, r.terms.to_limit);
        let fee = r.take_fill(m, self.config.rules.fees);
        let (symbol, side, done) = (r.symbol, r.side, r.remaining() == 0);
        self.efficiency.executed += u64::from(first);
        let realized = self.account.fill(symbol, side, m.qty, m.price, fee);
        if self.config.rules.short_stock.is_some() || !self.borrow_lines.is_empty() {
            self.agenda.add(self.now, Task::Shortability { symbol });
        }
        if done {
            let how = format!("Filled Size: {}", self.orders.get(m.perm).map_or(0, |r| r.filled));
            self.orders.finish(m.perm, Status::Filled, text::eastern(self.now), how);
        }
        let exchange =
            if self.draw.below(4) == 0 { "IBKRATS".into() } else { self.reference(symbol).primary_exchange.clone() };
        let Some((r, reference)) = self.of(m.perm) else { return };
        let execution = Execution {
            order_id: r.order_id,
            client_id: r.client,
            exec_id: format!("{EXEC_PREFIX}.{:08x}.01.01", EXEC_FIRST + self.executions_ever),
            time: text::eastern(self.now),
            account: self.config.account.clone(),
            exchange,
            side: side_word(side).into(),
            shares: m.qty as f64,
            price: m.price.to_f64(),
            perm_id: r.perm,
            cum_qty: r.filled as f64,
            avg_price: r.average_price(),
            order_ref: r.sent.order_ref.clone(),
            last_liquidity: if m.maker { 1 } else { 2 },
        };
        let fill = Fill { symbol, time: self.now, execution, fee, realized };
        let word = match (done, r.completed.is_some(), r.cancelling) {
            (false, true, _) => "Cancelled",
            (false, false, true) => "PendingCancel",
            _ => r.status.word(),
        };
        let account = &self.config.account;
        let mut messages = vec![fill.details(-1, reference)];
        messages.extend(pair(r, reference, account, word));
        if realized.is_some() {
            messages.push(open_order(r, reference, account, word, Some(r.fees)));
            messages.push(order_status(r, word, r.client));
        }
        messages.push(fill.commission());
        let client = r.client;
        self.fills.push(fill);
        self.executions_ever += 1;
        self.report(m.perm, client, messages);
        let told = self.orders.get(m.perm).map_or(self.now, |r| r.report_floor);
        self.account_changed(symbol, told);
        self.group_filled(m.perm, m.qty);
        if to_limit && self.markets[symbol.index()].book.remove(m.perm).is_some() {
            self.rest(m.perm);
        }
        self.next_part(m.perm);
        self.look_at_conditions();
    }

    /// Ends an order that did not fill whole: orderStatus Cancelled, then 202. `by` = the client that asked and is told.
    pub(super) fn cancelled(&mut self, perm: i64, by: Option<i32>, how: &str) {
        self.orders.finish(perm, Status::Cancelled, text::eastern(self.now), how.into());
        let Some(r) = self.orders.get(perm) else { return };
        let client = by.unwrap_or(r.client);
        let status = order_status(r, "Cancelled", client);
        let notice = error(self.now, r.order_id, 202, "Order Canceled - reason:");
        let parent = Some(r.parent).filter(|p| *p != 0 && r.sent.auto_cancel_parent);
        self.report(perm, client, vec![status, notice]);
        self.parent_ended(perm);
        if let Some(parent) = parent {
            self.start_cancel(parent, client);
        }
    }

    /// A good-till-date order's time is over (or was, before a modification moved it).
    pub(super) fn expire(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let evening = self.now >= self.extended_hours().1 && matches!(r.terms.tif, Tif::Day | Tif::Dtc);
        let due = matches!(r.terms.tif, Tif::Gtd(until) if until <= self.now) || evening;
        if due && r.status.is_open() {
            let symbol = r.symbol;
            self.markets[symbol.index()].book.remove(perm);
            self.end_of_day(perm);
        }
    }

    /// Orders that waited for the bell go to work.
    pub(super) fn opening_bell(&mut self) {
        let waiting: Vec<i64> =
            self.orders.live().filter(|r| r.status == Status::PreSubmitted && !r.cancelling).map(|r| r.perm).collect();
        for perm in waiting {
            self.try_release(perm);
        }
    }

    /// DAY orders end, whatever is left of market orders too; on-close orders get the last print.
    pub(super) fn closing_bell(&mut self) {
        self.closing_prints();
        let ends = |r: &&Record| {
            let market = r.terms.limit.is_none() && r.terms.trigger.is_none();
            let day = matches!(r.terms.tif, Tif::Day | Tif::Dtc) || market || r.terms.style == Style::OnClose;
            r.status.is_open() && (day || r.terms.tif == Tif::Opg) && !r.goes_on_after_the_close()
        };
        let ending: Vec<_> = self.orders.live().filter(ends).map(|r| (r.perm, r.symbol)).collect();
        for (perm, symbol) in ending {
            // A parent's end may have ended its children.
            if self.orders.get(perm).is_some_and(|r| r.status.is_open()) {
                self.markets[symbol.index()].book.remove(perm);
                self.end_of_day(perm);
            }
        }
    }

    /// A day order ends; one till cancelled by day stays as inactive, to be sent again by its owner.
    fn end_of_day(&mut self, perm: i64) {
        if self.orders.get(perm).is_none_or(|r| r.terms.tif != Tif::Dtc) {
            return self.cancelled(perm, None, "Cancelled by System:\n");
        }
        self.orders.finish(perm, Status::Inactive, text::eastern(self.now), "Inactive".into());
        self.report_pair(perm, "Inactive");
        self.parent_ended(perm);
    }
}

impl Record {
    /// A day order that may trade after the close ends in the evening.
    pub(super) fn goes_on_after_the_close(&self) -> bool {
        let day = matches!(self.terms.tif, Tif::Day | Tif::Dtc);
        day && self.terms.outside_rth && self.terms.may_trade_outside()
    }

    /// Takes a fill; its fee.
    fn take_fill(&mut self, m: &Match, plan: FeePlan) -> Money {
        self.filled += m.qty;
        self.value += Money(m.price.0 * m.qty);
        self.last_price = m.price;
        let v = &mut self.version;
        v.filled += m.qty;
        v.value += Money(m.price.0 * m.qty);
        v.added += if m.maker { m.qty } else { 0 };
        let filled = Filled { side: self.side, qty: v.filled, value: v.value, added: v.added };
        let fee = plan.fee(filled) + v.fees_before - self.fees;
        self.fees += fee;
        if self.terms.to_limit {
            (self.terms.to_limit, self.terms.limit) = (false, Some(m.price));
        }
        fee
    }
}
