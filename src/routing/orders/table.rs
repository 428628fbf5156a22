//! Orders by id in a fixed table. Ids are consecutive, so `id mod capacity` is the place: no hashing, no growth.
//! An ended order stays as a tombstone until its place is needed; a live one is never displaced.

use thiserror::Error;

use super::Order;
use crate::domain::OrderId;

/// No place for another order: new exposure is refused until one ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the order table is full: raise routing.order_slots")]
pub struct TableFull;

/// The table.
#[derive(Debug)]
pub struct OrderTable {
    slots: Vec<Option<Order>>,
}

impl OrderTable {
    /// Room for `capacity` orders (at least one).
    pub fn new(capacity: usize) -> Self {
        Self { slots: vec![None; capacity.max(1)] }
    }

    fn place(&self, id: OrderId) -> usize {
        usize::try_from(id.0).unwrap_or(0) % self.slots.len()
    }

    /// The order with this id.
    pub fn get(&self, id: OrderId) -> Option<&Order> {
        self.slots[self.place(id)].as_ref().filter(|o| o.terms.order_id == id)
    }

    /// The same, to change.
    pub fn get_mut(&mut self, id: OrderId) -> Option<&mut Order> {
        let place = self.place(id);
        self.slots[place].as_mut().filter(|o| o.terms.order_id == id)
    }

    /// Whether an order with this id would find a place.
    pub fn has_room(&self, id: OrderId) -> bool {
        id.0 > 0 && self.slots[self.place(id)].as_ref().is_none_or(|o| !o.state.is_live() && o.owed.0 == 0)
    }

    /// Keeps an order.
    pub fn insert(&mut self, order: Order) -> Result<(), TableFull> {
        if !self.has_room(order.terms.order_id) {
            return Err(TableFull);
        }
        let place = self.place(order.terms.order_id);
        self.slots[place] = Some(order);
        Ok(())
    }
}
