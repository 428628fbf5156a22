//! The referee's own book: orders, positions and cash from the messages alone.

#![allow(clippy::cast_possible_truncation, reason = "shares of executions are whole and far below 2^53")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::{Money, Price, Side};
use crate::sim::api::Execution;

/// Ended orders that are kept, the latest ones; an older one is taken for unknown.
const ENDED_MAX: usize = 10_000;

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
    /// Its bracket parent's order id, 0 = none.
    pub(super) parent_id: i32,
    /// Its OCA group; children of one parent are a group even without a name.
    pub(super) group: String,
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
    /// Ended orders in order of their ends.
    ended: VecDeque<(i32, i32)>,
    pub(super) positions: BTreeMap<String, i64>,
    pub(super) cash: Money,
    pub(super) commissions: Money,
    /// Without its correction number: what each execution last said, as (signed shares, price).
    executions: BTreeMap<String, (i64, Price)>,
    commission_ids: BTreeSet<String>,
    pub(super) cancels_asked: u64,
}

impl Ledger {
    pub(super) fn new(cash: Money) -> Self {
        Self {
            orders: BTreeMap::new(),
            working: BTreeSet::new(),
            ended: VecDeque::new(),
            positions: BTreeMap::new(),
            cash,
            commissions: Money(0),
            executions: BTreeMap::new(),
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

    /// An execution counts once; the same id with a higher number after its last period replaces it.
    pub(super) fn execution(&mut self, symbol: &str, e: &Execution) {
        let shares = e.shares as i64;
        let signed = if e.side == "BOT" { shares } else { -shares };
        let (root, _) = e.exec_id.rsplit_once('.').unwrap_or((&e.exec_id, ""));
        let new = (signed, Price::from_f64(e.price));
        let old = self.executions.insert(root.to_string(), new);
        let (was, was_price) = old.unwrap_or((0, Price::NONE));
        *self.positions.entry(symbol.to_string()).or_default() += signed - was;
        self.cash -= Money(signed * new.1.0) - Money(was * was_price.0);
        let key = (e.client_id, e.order_id);
        if let Some(o) = self.orders.get_mut(&key) {
            o.filled += shares - was.abs();
            if o.filled >= o.qty {
                self.end(key);
            }
        }
    }

    pub(super) fn commission(&mut self, exec_id: &str, commission: f64) {
        let root = exec_id.rsplit_once('.').map_or(exec_id, |(root, _)| root);
        if self.commission_ids.insert(root.to_string()) {
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
        if let Some(o) = self.orders.get_mut(&key) {
            o.working = false;
        }
        if self.working.remove(&key) {
            self.ended.push_back(key);
        }
        if self.ended.len() > ENDED_MAX
            && let Some(old) = self.ended.pop_front()
            && !self.working.contains(&old)
        {
            self.orders.remove(&old);
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

    /// Working shares of a symbol by side, without one order: (buys, sells). Of an OCA group the largest order counts, of
    /// a child no more than its parent has filled.
    pub(super) fn exposure(&self, symbol: &str, without: (i32, i32)) -> (i64, i64) {
        let mut sides = (0, 0);
        let mut groups: BTreeMap<(i32, bool, &str), i64> = BTreeMap::new();
        for (key, o) in self.working().filter(|(k, o)| **k != without && o.symbol == symbol) {
            let left = self.most(key.0, o, (o.qty - o.filled).max(0), o.filled);
            let buys = o.side == Side::Buy;
            let sum = if buys { &mut sides.0 } else { &mut sides.1 };
            if o.group.is_empty() {
                *sum += left;
                continue;
            }
            let largest = groups.entry((key.0, buys, o.group.as_str())).or_default();
            *sum += (left - *largest).max(0);
            *largest = (*largest).max(left);
        }
        sides
    }

    /// Of `left` shares, what the parent's fills let an order have.
    pub(super) fn most(&self, client: i32, o: &Seen, left: i64, filled: i64) -> i64 {
        if o.parent_id == 0 {
            return left;
        }
        let parent = self.orders.get(&(client, o.parent_id)).map_or(0, |p| p.filled);
        left.min((parent - filled).max(0))
    }

    /// The largest working order of a group on a side, without one order.
    pub(super) fn group_largest(&self, client: i32, new: &Seen, without: (i32, i32)) -> i64 {
        if new.group.is_empty() {
            return 0;
        }
        let same = |(k, o): &(&(i32, i32), &Seen)| {
            **k != without && k.0 == client && o.symbol == new.symbol && o.side == new.side && o.group == new.group
        };
        let left = |(k, o): (&(i32, i32), &Seen)| self.most(k.0, o, (o.qty - o.filled).max(0), o.filled);
        self.working().filter(same).map(left).max().unwrap_or(0)
    }

    /// Starts from books that an earlier process left.
    pub(super) fn resume(&mut self, cash: Money, commissions: Money, positions: BTreeMap<String, i64>) {
        (self.cash, self.commissions, self.positions) = (cash, commissions, positions);
    }

    /// Knows an execution that the resumed books hold already.
    pub(super) fn resume_execution(&mut self, e: &Execution) {
        let (root, _) = e.exec_id.rsplit_once('.').unwrap_or((&e.exec_id, ""));
        let shares = e.shares as i64;
        let signed = if e.side == "BOT" { shares } else { -shares };
        self.executions.insert(root.to_string(), (signed, Price::from_f64(e.price)));
        self.commission_ids.insert(root.to_string());
    }

    /// Executions seen.
    pub(super) fn executions(&self) -> u64 {
        self.executions.len() as u64
    }
}
