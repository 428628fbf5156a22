//! Orders that hang together: brackets (parent and children, sent together) and OCA groups; exposure counted by group.
//!
//! Recorded: nothing is told of an order with transmit = false; children get the parent's permId as ocaGroup with type
//! 3, rest PreSubmitted with whyHeld `child`, and end with their parent. Assumed: a child works for what its parent
//! has filled; types 1 and 2 act at the instant of the fill (overfill block), type 3 one way later.

use std::collections::BTreeMap;

use super::agenda::Task;
use super::core::Core;
use super::orders::{Record, Status};
use super::terms::Refusal;
use crate::domain::{Side, SymbolId};
use crate::sim::api::Order;

/// Makes an order the child of `parent`, which has filled so much.
pub(super) fn attach(r: &mut Record, parent: i64, filled: i64) {
    (r.parent, r.child_cap) = (parent, filled);
    r.sent.parent_perm_id = parent;
    if r.sent.oca_group.is_empty() {
        (r.sent.oca_group, r.sent.oca_type) = (parent.to_string(), 3);
    }
}

impl Record {
    /// Takes a modification's fields, keeping identity and family.
    pub(super) fn take_fields(&mut self, order: Order) {
        let old = std::mem::replace(&mut self.sent, order);
        (self.sent.perm_id, self.sent.order_id) = (old.perm_id, self.order_id);
        (self.sent.parent_id, self.sent.parent_perm_id) = (old.parent_id, old.parent_perm_id);
        if self.sent.oca_group.is_empty() {
            (self.sent.oca_group, self.sent.oca_type) = (old.oca_group, old.oca_type);
        }
        if self.sent.auto_cancel_date.is_empty() {
            self.sent.auto_cancel_date = old.auto_cancel_date;
        }
    }
}

impl Core {
    /// The parent that a new order names and what it has filled; an unknown or ended one is refused (135, documented).
    pub(super) fn parent_of(&self, client: i32, parent_id: i32) -> Result<Option<(i64, i64)>, Refusal> {
        if parent_id == 0 {
            return Ok(None);
        }
        let refusal = || (135, format!("Can't find order with id ={parent_id}"));
        let found = self.orders.find(client, parent_id).filter(|p| !p.status.is_final() || p.status == Status::Filled);
        found.map(|p| Some((p.perm, p.filled))).ok_or_else(refusal)
    }

    /// Sends an order and the rest of its bracket.
    pub(super) fn transmit(&mut self, perm: i64) {
        let root = self.orders.get(perm).map_or(perm, |r| if r.parent == 0 { perm } else { r.parent });
        let family = |r: &&Record| r.status == Status::Untransmitted && (r.perm == root || r.parent == root);
        let waiting: Vec<i64> = self.orders.live().filter(family).map(|r| r.perm).collect();
        for perm in waiting {
            self.set_status(perm, Status::Sent);
            self.send_in(perm, Task::Arrive { perm });
        }
    }

    /// A fill's effect on the order's children and on its OCA group.
    pub(super) fn group_filled(&mut self, perm: i64, qty: i64) {
        let Some(r) = self.orders.get(perm) else { return };
        let filled = r.filled;
        for child in self.children(perm) {
            let Some(c) = self.orders.get_mut(child) else { continue };
            c.child_cap = filled;
            if c.status == Status::Submitted {
                // Its share of the book grows.
                let symbol = c.symbol;
                self.markets[symbol.index()].book.remove(child);
                self.work(child);
            } else {
                self.try_release(child);
            }
        }
        self.oca_filled(perm, qty);
    }

    fn oca_filled(&mut self, perm: i64, qty: i64) {
        let Some(r) = self.orders.get(perm).filter(|r| !r.sent.oca_group.is_empty()) else { return };
        let (group, kind, client) = (r.sent.oca_group.clone(), r.sent.oca_type, r.client);
        let same = |o: &&Record| o.perm != perm && o.client == client && o.sent.oca_group == group;
        let others: Vec<i64> = self.orders.live().filter(same).map(|o| o.perm).collect();
        for other in others {
            match kind {
                1 => self.oca_reduce(other, i64::MAX),
                2 => self.oca_reduce(other, qty),
                _ => {
                    let at = self.later();
                    self.agenda.add(at, Task::OcaReduce { perm: other, qty });
                }
            }
        }
    }

    /// Takes shares off an order of the group; one with none left ends.
    pub(super) fn oca_reduce(&mut self, perm: i64, qty: i64) {
        let Some(r) = self.orders.get_mut(perm).filter(|r| !r.status.is_final()) else { return };
        let symbol = r.symbol;
        let left = r.remaining().saturating_sub(qty);
        if left <= 0 {
            self.markets[symbol.index()].book.remove(perm);
            return self.cancelled(perm, None, "Cancelled by System:\n");
        }
        r.terms.qty = r.filled + left;
        r.taken += qty;
        let (word, workable) = (r.status.word(), r.workable());
        if r.status.is_open() {
            self.markets[symbol.index()].book.shrink(perm, workable);
            self.report_pair(perm, word);
        }
    }

    /// A parent's end ends the children that it never set to work; others keep what it filled.
    pub(super) fn parent_ended(&mut self, perm: i64) {
        for child in self.children(perm) {
            let waits = self.orders.get(child).is_some_and(Record::waits_for_parent);
            if waits {
                self.cancelled(child, None, "Cancelled by System:\n");
            }
        }
    }

    fn children(&self, perm: i64) -> Vec<i64> {
        self.orders.live().filter(|r| r.parent == perm).map(|r| r.perm).collect()
    }

    /// Working shares by symbol and side; of an OCA group only its largest order counts, of waiting children none.
    pub(super) fn working_sides(&self) -> BTreeMap<SymbolId, (i64, i64)> {
        side_sums(self.orders.live().filter(|r| r.status.is_open() && !r.waits_for_parent()))
    }

    /// Working shares on an order's side with the order itself.
    pub(super) fn working_with(&self, r: &Record) -> i64 {
        let others = self.orders.live().filter(|o| {
            o.perm != r.perm && o.status.is_open() && !o.waits_for_parent() && o.symbol == r.symbol && o.side == r.side
        });
        let (buys, sells) = side_sums(others.chain([r])).get(&r.symbol).copied().unwrap_or_default();
        buys + sells
    }
}

fn side_sums<'a>(orders: impl Iterator<Item = &'a Record>) -> BTreeMap<SymbolId, (i64, i64)> {
    let mut sides: BTreeMap<SymbolId, (i64, i64)> = BTreeMap::new();
    let mut groups: BTreeMap<(SymbolId, bool, i32, &str), i64> = BTreeMap::new();
    for r in orders {
        let (buys, sells) = sides.entry(r.symbol).or_default();
        let sum = if r.side == Side::Buy { buys } else { sells };
        let left = r.remaining();
        if r.sent.oca_group.is_empty() {
            *sum += left;
            continue;
        }
        let largest = groups.entry((r.symbol, r.side == Side::Buy, r.client, r.sent.oca_group.as_str())).or_default();
        *sum += (left - *largest).max(0);
        *largest = (*largest).max(left);
    }
    sides
}
