//! What a fault scenario makes the venue itself do: halts, hand-made orders, corrections, late fills, refusals, locates.
//! Books stay exact: whatever happens here is booked as it is told.

#![allow(clippy::cast_possible_truncation, reason = "a scenario's milliseconds and dollars are small")]

use super::agenda::Task;
use super::book::Match;
use super::core::{Core, answer};
use super::orders::Status;
use crate::clock::MILLISECOND;
use crate::domain::{Money, Price, Side, SymbolId};
use crate::sim::api::{ConnId, Outgoing, Response};
use crate::sim::faults::Command;

/// What the exchange will do with an order that has not arrived yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Forced {
    Reject(String),
    /// Held for a locate; freed after so many milliseconds, 0 = never.
    Locate(i64),
}

impl Core {
    pub(super) fn command(&mut self, command: Command, out: &mut Vec<Outgoing>) {
        match command {
            Command::Lines { max } => self.config.lines_max = max,
            Command::Halt { symbol, kind } => {
                if let Some(symbol) = self.named(&symbol) {
                    // Through the agenda, so that it keeps its place among what is due.
                    self.agenda.add(self.now, Task::Halt { symbol, kind });
                }
            }
            Command::ByHand { symbol, side, qty, limit_usd } => {
                if let Some(symbol) = self.named(&symbol) {
                    self.by_hand(symbol, side, qty, limit_usd.map(Price::from_f64));
                }
            }
            Command::ExternalClose { symbol } => {
                let Some(symbol) = self.named(&symbol) else { return };
                let held = self.account.position(symbol).qty;
                if held != 0 {
                    self.by_hand(symbol, if held > 0 { Side::Sell } else { Side::Buy }, held.abs(), None);
                }
            }
            Command::Split { symbol, to, from } => {
                if let Some(symbol) = self.named(&symbol) {
                    self.split(symbol, to, from);
                }
            }
            Command::CancelledAtExchange => self.cancelled_at_exchange(None),
            Command::Correct { by_usd } => self.correct(Price::from_f64(by_usd)),
            Command::LateFill { perm, qty } => self.late_fill(perm, qty),
            Command::RollBackIds { by } => self.orders.roll_back(by),
            Command::Disconnect { conn } => {
                answer(conn, Response::Disconnect, out);
                self.sessions.end(conn);
            }
            Command::DropLines => self.sessions.drop_lines(),
            Command::Reject { client_order, conn, reason } => self.force(conn, client_order, Forced::Reject(reason)),
            Command::Locate { client_order, conn, ms } => self.force(conn, client_order, Forced::Locate(ms)),
        }
    }

    fn named(&self, symbol: &str) -> Option<SymbolId> {
        self.references().iter().find(|r| r.symbol == symbol).map(|r| r.id)
    }

    fn force(&mut self, conn: ConnId, order_id: i32, what: Forced) {
        if let Some(c) = self.sessions.get(conn) {
            self.forced.insert((c.client, order_id), what);
        }
    }

    /// What a scenario has in store for an arriving order; true when it stops here.
    pub(super) fn forced_at_arrival(&mut self, perm: i64) -> bool {
        let Some(r) = self.orders.get(perm) else { return true };
        let (client, order_id) = (r.client, r.order_id);
        match self.forced.remove(&(client, order_id)) {
            None => false,
            Some(Forced::Reject(reason)) => {
                self.refuse(perm, &reason, false);
                true
            }
            Some(Forced::Locate(ms)) => {
                self.hold_for_locate(perm, true);
                if ms > 0 {
                    self.agenda.add(self.now + ms * MILLISECOND, Task::Located { perm });
                }
                true
            }
        }
    }

    /// The shares were found.
    pub(super) fn located(&mut self, perm: i64) {
        if let Some(r) = self.orders.get_mut(perm) {
            r.locating = false;
        }
        self.try_release(perm);
    }

    /// Working orders end at the exchange, unasked: of one symbol, or all.
    fn cancelled_at_exchange(&mut self, only: Option<SymbolId>) {
        let ends = |r: &&super::orders::Record| r.status.is_open() && only.is_none_or(|s| s == r.symbol);
        let ending: Vec<_> = self.orders.live().filter(ends).map(|r| (r.perm, r.symbol)).collect();
        for (perm, symbol) in ending {
            self.markets[symbol.index()].book.remove(perm);
            self.cancelled(perm, None, "Cancelled by System:\n");
        }
    }

    /// A split: more or fewer shares for the same cost; fractions are lost (a broker pays them out).
    fn split(&mut self, symbol: SymbolId, to: i64, from: i64) {
        self.cancelled_at_exchange(Some(symbol));
        let Some(p) = self.account.positions.get_mut(&symbol).filter(|p| p.qty != 0) else { return };
        p.qty = p.qty * to / from;
        if p.qty == 0 {
            p.realized -= std::mem::take(&mut p.basis);
        }
        self.account_changed(symbol, self.now);
    }

    /// An order whose end was told fills after all, at the price its symbol is valued at.
    fn late_fill(&mut self, perm: i64, qty: i64) {
        let Some(r) = self.orders.get_mut(perm).filter(|r| r.status == Status::Cancelled) else { return };
        r.status = Status::Submitted;
        let (symbol, qty, limit) = (r.symbol, qty.min(r.remaining()), r.terms.limit);
        let price = limit.unwrap_or_else(|| self.mark(symbol));
        self.filled(&Match { perm, price, qty, maker: true });
        if self.orders.get(perm).is_some_and(|r| r.status == Status::Submitted) {
            self.set_status(perm, Status::Cancelled);
        }
    }

    /// The last execution turns out to have had another price: the same id ending in .02 replaces it.
    fn correct(&mut self, by: Price) {
        let Some(fill) = self.fills.last_mut() else { return };
        let qty = fill.execution.shares as i64;
        let signed = if fill.execution.side == "BOT" { qty } else { -qty };
        let price = Price(Price::from_f64(fill.execution.price).0 + by.0);
        fill.execution.price = price.to_f64();
        if let Some((root, _)) = fill.execution.exec_id.rsplit_once('.') {
            fill.execution.exec_id = format!("{root}.02");
        }
        let (symbol, perm, client) = (fill.symbol, fill.execution.perm_id, fill.execution.client_id);
        self.account.correct(symbol, signed, by);
        if let Some(r) = self.orders.get_mut(perm) {
            r.value += Money(qty * by.0);
            r.last_price = price;
        }
        let Some(fill) = self.fills.last() else { return };
        let details = fill.details(-1, self.reference(symbol));
        self.report(perm, client, vec![details]);
        let told = self.orders.get(perm).map_or(self.now, |r| r.report_floor);
        self.account_changed(symbol, told);
    }
}
