//! Orders that are not ours but can change our symbols' positions: manual ones, other clients', others'
//! deployments'. They count in the worst case; the strategy stays off in their symbols.

use crate::domain::{PermId, Qty, Side, SymbolId};

/// A foreign order that is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalOrder {
    /// The broker's id.
    pub perm_id: PermId,
    /// Symbol.
    pub symbol: SymbolId,
    /// Side.
    pub side: Side,
    /// Shares that may still fill.
    pub open: Qty,
}

/// The foreign orders, in a fixed table.
#[derive(Debug)]
pub struct ExternalTable {
    items: Vec<ExternalOrder>,
}

impl ExternalTable {
    /// Room for `capacity` orders.
    pub fn new(capacity: usize) -> Self {
        Self { items: Vec::with_capacity(capacity) }
    }

    /// Takes or updates an order; `false` = no room, so the caller must stop new exposure.
    pub fn put(&mut self, order: ExternalOrder) -> bool {
        if let Some(old) = self.items.iter_mut().find(|o| o.perm_id == order.perm_id) {
            *old = order;
            return true;
        }
        if self.items.len() == self.items.capacity() {
            return false;
        }
        self.items.push(order);
        true
    }

    /// The order with this id.
    pub fn get(&self, perm_id: PermId) -> Option<&ExternalOrder> {
        self.items.iter().find(|o| o.perm_id == perm_id)
    }

    /// Forgets an order that has ended.
    pub fn remove(&mut self, perm_id: PermId) -> Option<ExternalOrder> {
        let i = self.items.iter().position(|o| o.perm_id == perm_id)?;
        Some(self.items.swap_remove(i))
    }

    /// A fill of a foreign order.
    pub fn fill(&mut self, perm_id: PermId, qty: Qty) {
        if let Some(o) = self.items.iter_mut().find(|o| o.perm_id == perm_id) {
            o.open = Qty((o.open.0 - qty.0).max(0));
            if o.open.0 == 0 {
                self.remove(perm_id);
            }
        }
    }

    /// Open shares of a symbol, (buys, sells).
    pub fn open(&self, symbol: SymbolId) -> (i64, i64) {
        self.items.iter().filter(|o| o.symbol == symbol).fold((0, 0), |(b, s), o| match o.side {
            Side::Buy => (b + o.open.0, s),
            Side::Sell => (b, s + o.open.0),
        })
    }
}
