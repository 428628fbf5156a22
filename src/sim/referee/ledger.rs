//! The referee's own book: orders, positions and cash from the messages alone.

#![allow(clippy::cast_possible_truncation, reason = "shares of executions are whole and far below 2^53")]

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Money, Price, Side};
use crate::sim::api::Execution;

/// An order as the referee knows it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) symbol: String,
    pub(super) side: Side,
    pub(super) qty: i64,
    pub(super) filled: i64,
    /// 0 for a market order.
    pub(super) price: Price,
    pub(super) order_ref: String,
    pub(super) perm_id: i64,
    /// Neither filled, cancelled nor refused so far.
    pub(super) working: bool,
}

/// Orders, positions, cash.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) orders: BTreeMap<(i32, i32), Seen>,
    /// Working orders: the only ones that rules walk.
    working: BTreeSet<(i32, i32)>,
    pub(super) positions: BTreeMap<String, i64>,
    pub(super) cash: Money,
    pub(super) commissions: Money,
    exec_ids: BTreeSet<String>,
    commission_ids: BTreeSet<String>,
    pub(super) cancels_asked: u64,
}

impl Ledger {
    pub(super) fn new(cash: Money) -> Self {
        Self {
            orders: BTreeMap::new(),
            working: BTreeSet::new(),
            positions: BTreeMap::new(),
            cash,
            commissions: Money(0),
            exec_ids: BTreeSet::new(),
            commission_ids: BTreeSet::new(),
            cancels_asked: 0,
        }
    }

    /// Notes an order or its new terms.
    pub(super) fn placed(&mut self, client: i32, order_id: i32, mut order: Seen) {
        let key = (client, order_id);
        if let Some(old) = self.orders.get(&key) {
            order.filled = old.filled;
            order.perm_id = old.perm_id;
            order.working = old.working;
        }
        if order.working {
            self.working.insert(key);
        }
        self.orders.insert(key, order);
    }

    pub(super) fn cancel_asked(&mut self, _client: i32, _order_id: i32) {
        self.cancels_asked += 1;
    }

    pub(super) fn execution(&mut self, symbol: &str, e: &Execution) {
        if !self.exec_ids.insert(e.exec_id.clone()) {
            return;
        }
        let shares = e.shares as i64;
        let signed = if e.side == "BOT" { shares } else { -shares };
        *self.positions.entry(symbol.to_string()).or_default() += signed;
        self.cash -= Money(signed * Price::from_f64(e.price).0);
        let key = (e.client_id, e.order_id);
        if let Some(o) = self.orders.get_mut(&key) {
            o.filled += shares;
            if o.filled >= o.qty {
                self.end(key);
            }
        }
    }

    pub(super) fn commission(&mut self, exec_id: &str, commission: f64) {
        if self.commission_ids.insert(exec_id.to_string()) {
            let fee = Money::from_f64(commission).unwrap_or(Money(0));
            self.cash -= fee;
            self.commissions += fee;
        }
    }

    /// A status ends an order, whoever is told of it: a canceller's status carries the canceller's id.
    pub(super) fn status(&mut self, client: i32, order_id: i32, perm_id: i64, status: &str) {
        let key = (client, order_id);
        let own = self.orders.get(&key).is_some_and(|o| o.perm_id == 0 || o.perm_id == perm_id);
        let key = if own {
            key
        } else {
            let found = self.working.iter().find(|k| self.orders.get(k).is_some_and(|o| o.perm_id == perm_id));
            match found {
                Some(k) => *k,
                None => return,
            }
        };
        if let Some(o) = self.orders.get_mut(&key) {
            o.perm_id = perm_id;
        }
        if matches!(status, "Filled" | "Cancelled" | "ApiCancelled" | "Inactive") {
            self.end(key);
        }
    }

    /// An error that refuses an order outright ends it; notices about cancels and warnings do not.
    pub(super) fn error(&mut self, client: i32, id: i32, code: i32) {
        let refused = matches!(code, 103 | 110 | 200 | 201 | 321 | 434 | 10_052 | 10_147 | 10_243);
        // A refused modification leaves the order working: only one never acknowledged ends.
        let unknown = self.orders.get(&(client, id)).is_some_and(|o| o.perm_id == 0);
        if refused && unknown {
            self.end((client, id));
        }
    }

    fn end(&mut self, key: (i32, i32)) {
        self.working.remove(&key);
        if let Some(o) = self.orders.get_mut(&key) {
            o.working = false;
        }
    }

    /// Orders that may still trade.
    pub(super) fn working(&self) -> impl Iterator<Item = (&(i32, i32), &Seen)> {
        self.working.iter().filter_map(|k| self.orders.get_key_value(k))
    }

    /// Shares held of a symbol.
    pub(super) fn held(&self, symbol: &str) -> i64 {
        self.positions.get(symbol).copied().unwrap_or(0)
    }

    /// Working shares of a symbol by side, without one order: (buys, sells).
    pub(super) fn exposure(&self, symbol: &str, without: (i32, i32)) -> (i64, i64) {
        let mut sides = (0, 0);
        for (_, o) in self.working().filter(|(k, o)| **k != without && o.symbol == symbol) {
            let left = (o.qty - o.filled).max(0);
            *(if o.side == Side::Buy { &mut sides.0 } else { &mut sides.1 }) += left;
        }
        sides
    }

    /// Executions seen.
    pub(super) fn executions(&self) -> u64 {
        self.exec_ids.len() as u64
    }
}
