//! Executions by id: each is applied once, a correction replaces its former version. A fixed open-addressed table.
//!
//! IB's rule: a correction has the same id up to the last period and a higher number after it.

use crate::domain::{Money, OrderId, PermId, Price, Qty, Side, SymbolId};
use crate::message::ExecId;

/// One execution as it was applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Its id, the highest version seen.
    pub exec_id: ExecId,
    /// Its order.
    pub order_id: OrderId,
    /// The broker's id of the order.
    pub perm_id: PermId,
    /// Symbol.
    pub symbol: SymbolId,
    /// Side.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Price.
    pub price: Price,
    /// Its commission, once told.
    pub commission: Option<Money>,
    /// Whether it belongs to an order that is not ours.
    pub external: bool,
}

/// What is already known of an execution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Known {
    /// Nothing.
    New,
    /// The same or a later version was applied.
    Repeat,
    /// An earlier version was applied.
    Corrects(Seen),
}

/// The table.
#[derive(Debug)]
pub struct ExecutionTable {
    slots: Vec<Option<Seen>>,
    used: usize,
}

/// Splits an id at its last period into the fill's name and the version (0 without one).
pub fn split_exec_id(id: &str) -> (&str, u32) {
    match id.rsplit_once('.') {
        Some((base, version)) if !base.is_empty() => match version.parse() {
            Ok(v) => (base, v),
            Err(_) => (id, 0),
        },
        _ => (id, 0),
    }
}

/// FNV-1a, 64 bits.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

impl ExecutionTable {
    /// Room for `capacity` executions (at least one).
    pub fn new(capacity: usize) -> Self {
        Self { slots: vec![None; capacity.max(1)], used: 0 }
    }

    /// Executions kept.
    pub const fn len(&self) -> usize {
        self.used
    }

    /// Whether none is kept.
    pub const fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Whether a further one would not be kept.
    pub const fn is_full(&self) -> bool {
        self.used == self.slots.len()
    }

    /// All executions, in table order.
    pub fn iter(&self) -> impl Iterator<Item = &Seen> {
        self.slots.iter().flatten()
    }

    /// The place of the fill that `matches` accepts, or the first free one; `None` when full and absent.
    fn probe(&self, base: &str, matches: impl Fn(&Seen) -> bool) -> Option<usize> {
        let n = self.slots.len();
        let start = usize::try_from(hash(base) % n as u64).unwrap_or(0);
        for i in 0..n {
            let place = (start + i) % n;
            match &self.slots[place] {
                None => return Some(place),
                Some(seen) if split_exec_id(seen.exec_id.as_str()).0 == base && matches(seen) => return Some(place),
                Some(_) => {}
            }
        }
        None
    }

    /// Same fill = same name, same order, same side; ids of other shapes that only share a prefix stay apart.
    fn same_fill(seen: &Seen, e: &Seen) -> bool {
        let order = if e.perm_id.0 != 0 && seen.perm_id.0 != 0 {
            seen.perm_id == e.perm_id
        } else {
            seen.order_id == e.order_id
        };
        seen.exec_id == e.exec_id || (order && seen.side == e.side && seen.symbol == e.symbol)
    }

    /// What is known of `e`.
    pub fn known(&self, e: &Seen) -> Known {
        let (base, version) = split_exec_id(e.exec_id.as_str());
        match self.probe(base, |s| Self::same_fill(s, e)).and_then(|p| self.slots[p]) {
            None => Known::New,
            Some(seen) if split_exec_id(seen.exec_id.as_str()).1 >= version => Known::Repeat,
            Some(seen) => Known::Corrects(seen),
        }
    }

    /// Keeps an execution, in the place of its former version if there is one. `false` = full: not kept.
    pub fn keep(&mut self, seen: Seen) -> bool {
        let (base, _) = split_exec_id(seen.exec_id.as_str());
        let Some(place) = self.probe(base, |s| Self::same_fill(s, &seen)) else { return false };
        if self.slots[place].is_none() {
            self.used += 1;
        }
        self.slots[place] = Some(seen);
        true
    }

    /// The execution that a commission report names.
    pub fn by_id_mut(&mut self, id: &ExecId) -> Option<&mut Seen> {
        let (base, _) = split_exec_id(id.as_str());
        let place = self.probe(base, |s| s.exec_id == *id)?;
        self.slots[place].as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(id: &str, perm: i64) -> Seen {
        Seen {
            exec_id: ExecId::new(id).unwrap(),
            order_id: OrderId(7),
            perm_id: PermId(perm),
            symbol: SymbolId(0),
            side: Side::Buy,
            qty: Qty(10),
            price: Price(1_000_000),
            commission: None,
            external: false,
        }
    }

    #[test]
    fn a_repeat_is_known_a_correction_replaces_and_a_full_table_says_so() {
        let mut t = ExecutionTable::new(2);
        let first = exec("0000e0d5.6a1b.01.01", 5);
        assert_eq!(t.known(&first), Known::New);
        assert!(t.keep(first));
        assert_eq!(t.known(&first), Known::Repeat);
        let corrected = exec("0000e0d5.6a1b.01.02", 5);
        assert_eq!(t.known(&corrected), Known::Corrects(first));
        assert!(t.keep(corrected));
        assert_eq!((t.len(), t.known(&first)), (1, Known::Repeat));
        assert!(t.by_id_mut(&corrected.exec_id).is_some());
        let other_order = exec("0000e0d5.6a1b.01.03", 6);
        assert_eq!(t.known(&other_order), Known::New, "another order's fill is no correction");
        assert!(t.keep(other_order));
        let third = exec("ffff.1", 9);
        assert!(!t.keep(third));
        assert_eq!(t.known(&third), Known::New);
    }

    #[test]
    fn ids_without_a_version_stand_alone() {
        assert_eq!(split_exec_id("abc"), ("abc", 0));
        assert_eq!(split_exec_id("abc.x"), ("abc.x", 0));
        assert_eq!(split_exec_id("a.b.07"), ("a.b", 7));
    }
}
