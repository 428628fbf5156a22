//! What the exchange and the broker do of their own accord: halts, the short-sale restriction, margin calls, forced
//! liquidation, orders entered by hand.
//!
//! Documented: Rule 201 (a regular print at or below 90 % of the prior close restricts that day and the next), tick 49,
//! 2148. Assumed: when equity is within a tenth of the maintenance margin 2148 warns; when below it, everything that
//! works is cancelled and the largest position is closed at the market, then the next one at the next look.

use super::agenda::Task;
use super::core::{Core, answer};
use super::halts::PlannedHalt;
use super::orders::{Record, Status, Terms};
use super::reports::error;
use crate::domain::{Side, SymbolId};
use crate::sim::api::{Order, Outgoing, Response};
use crate::sim::market::Reference;

/// Tick type of halts.
const HALTED: i32 = 49;

/// Enters the halts that are known beforehand; names outside the universe are left out.
pub(super) fn plan_halts(halts: &[PlannedHalt], references: &[Reference], agenda: &mut super::agenda::Agenda) {
    for h in halts {
        let Some(symbol) = references.iter().find(|r| r.symbol == h.symbol).map(|r| r.id) else { continue };
        agenda.add(h.from, Task::Halt { symbol, kind: h.kind });
        if let Some(to) = h.to {
            agenda.add(to, Task::Halt { symbol, kind: 0 });
        }
    }
}

impl Core {
    /// Whether the symbol is under Rule 201's restriction; without a prior close it can't be told and is not.
    pub(super) fn is_restricted(&self, symbol: SymbolId) -> bool {
        let (low, close) = (self.markets[symbol.index()].day_low, self.reference(symbol).prior_close);
        let today = low.is_some() && close.is_some() && 10 * low.0 <= 9 * close.0;
        today || self.carried.contains(&symbol)
    }

    /// Stops a symbol's trading (1 general, 2 volatility) or resumes it (0); watchers get tick 49.
    pub(super) fn halt(&mut self, symbol: SymbolId, kind: i32, out: &mut Vec<Outgoing>) {
        let market = &mut self.markets[symbol.index()];
        let was = std::mem::replace(&mut market.halted, kind);
        if was == kind {
            return;
        }
        market.bands.reopening = None;
        for (conn, req_id) in self.sessions.watchers(symbol) {
            let tick = Response::TickGeneric { req_id: *req_id, tick_type: HALTED, value: f64::from(kind) };
            answer(*conn, tick, out);
        }
        if kind != 0 {
            return;
        }
        let working = |r: &&Record| r.symbol == symbol && r.status == Status::Submitted && !r.cancelling;
        let resumed: Vec<i64> = self.orders.live().filter(working).map(|r| r.perm).collect();
        for perm in resumed {
            self.markets[symbol.index()].book.remove(perm);
            self.work(perm);
        }
    }

    /// Warns and liquidates.
    pub(super) fn check_margin(&mut self, out: &mut Vec<Outgoing>) {
        if self.account.positions.values().all(|p| p.qty == 0) {
            return;
        }
        let percent = self.config.rules.house_margin_percent;
        let m = self.account.margin(|s| self.mark(s), &std::collections::BTreeMap::new(), percent);
        let thin = m.equity.0 < m.maintenance.0 + m.maintenance.0 / 10;
        if thin && !self.margin_told {
            let text = "Your account is close to or below its maintenance margin: positions may be liquidated.";
            let conns: Vec<_> = self.sessions.iter().map(|(c, _)| c).collect();
            for conn in conns {
                answer(conn, error(self.now, -1, 2_148, text), out);
            }
        }
        self.margin_told = thin;
        if m.equity < m.maintenance {
            self.liquidate();
        }
    }

    fn liquidate(&mut self) {
        self.global_cancel();
        let value = |(s, p): &(&SymbolId, &super::account::Position)| p.qty.abs() * self.mark(**s).0;
        let Some((symbol, qty)) = self.account.positions.iter().max_by_key(value).map(|(s, p)| (*s, p.qty)) else {
            return;
        };
        let under_way = self.orders.live().any(|r| r.order_id == 0 && r.symbol == symbol && !r.cancelling);
        if qty != 0 && !under_way {
            self.by_hand(symbol, if qty > 0 { Side::Sell } else { Side::Buy }, qty.abs());
        }
    }

    /// A market order that no API client sent: order id 0 of client 0, known by its permId alone.
    pub(super) fn by_hand(&mut self, symbol: SymbolId, side: Side, qty: i64) {
        let order = Order {
            action: Some(side),
            total_quantity: qty as f64,
            order_type: "MKT".into(),
            tif: "DAY".into(),
            transmit: true,
            ..Order::default()
        };
        let terms = Terms::market(qty);
        let perm = self.orders.next_perm();
        self.orders.insert(Record::new(perm, 0, symbol, side, terms, order, Status::Sent, self.now));
        self.send_in(perm, Task::Arrive { perm });
    }
}
