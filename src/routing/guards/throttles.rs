//! Histories of what was sent: the duplicate window, entries per symbol, and messages per execution. Fixed tables.

use crate::clock::{Nanos, SessionTime};
use crate::domain::{Price, Qty, Side, SymbolId};

/// Most entries per symbol that `repeat_entries_max` can count.
pub const REPEAT_ENTRIES_LIMIT: usize = 64;
/// Sent orders that the duplicate window remembers; older ones are beyond any window that pacing allows.
const RECENT_MAX: usize = 256;

/// What makes two orders the same.
type Shape = (SymbolId, Side, Qty, Price);

/// Messages against executed orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Efficiency {
    /// Submits, revisions and cancels.
    pub messages: i64,
    /// Orders with at least one fill.
    pub executed: i64,
}

impl Efficiency {
    /// IB's order-efficiency ratio, rounded down.
    pub const fn ratio(&self) -> i64 {
        self.messages / (self.executed + 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Entries {
    at: [SessionTime; REPEAT_ENTRIES_LIMIT],
    next: usize,
    latched: bool,
}

/// The histories.
#[derive(Debug)]
pub struct Throttles {
    recent: [Option<(SessionTime, Shape)>; RECENT_MAX],
    next_recent: usize,
    entries: Vec<Entries>,
    entries_max: usize,
    entries_window: Nanos,
    /// Messages per execution.
    pub efficiency: Efficiency,
}

const LONG_AGO: SessionTime = SessionTime(i64::MIN / 2);

impl Throttles {
    /// Empty histories over `symbols` symbols; more than `entries_max` entries within `entries_window` latch.
    pub fn new(symbols: usize, entries_max: usize, entries_window: Nanos) -> Self {
        let none = Entries { at: [LONG_AGO; REPEAT_ENTRIES_LIMIT], next: 0, latched: false };
        Self {
            recent: [None; RECENT_MAX],
            next_recent: 0,
            entries: vec![none; symbols],
            entries_max: entries_max.clamp(1, REPEAT_ENTRIES_LIMIT),
            entries_window,
            efficiency: Efficiency::default(),
        }
    }

    /// Whether the same order was sent within `window`.
    pub fn is_duplicate(&self, shape: Shape, now: SessionTime, window: Nanos) -> bool {
        self.recent.iter().flatten().any(|(at, s)| *s == shape && now - *at < window)
    }

    /// Whether the symbol had its fill of entries: latched, or one more would exceed the limit.
    pub fn is_repeated(&self, symbol: SymbolId, now: SessionTime) -> bool {
        let Some(e) = self.entries.get(symbol.index()) else { return true };
        let oldest = e.at[(e.next + REPEAT_ENTRIES_LIMIT - self.entries_max) % REPEAT_ENTRIES_LIMIT];
        e.latched || now - oldest < self.entries_window
    }

    /// Latches the symbol until a person re-arms.
    pub fn latch(&mut self, symbol: SymbolId) {
        if let Some(e) = self.entries.get_mut(symbol.index()) {
            e.latched = true;
        }
    }

    /// Whether a symbol is latched.
    pub fn is_latched(&self, symbol: SymbolId) -> bool {
        self.entries.get(symbol.index()).is_none_or(|e| e.latched)
    }

    /// A person re-armed: latches and counts start anew.
    pub fn rearm(&mut self) {
        for e in &mut self.entries {
            e.at.fill(LONG_AGO);
            e.latched = false;
        }
    }

    /// Notes a new order.
    pub fn on_order(&mut self, shape: Shape, entry: bool, now: SessionTime) {
        self.recent[self.next_recent] = Some((now, shape));
        self.next_recent = (self.next_recent + 1) % RECENT_MAX;
        if entry && let Some(e) = self.entries.get_mut(shape.0.index()) {
            e.at[e.next] = now;
            e.next = (e.next + 1) % REPEAT_ENTRIES_LIMIT;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    #[test]
    fn the_entry_after_the_last_allowed_is_repeated_and_a_latch_needs_a_person() {
        let mut t = Throttles::new(1, 3, 10 * SECOND);
        let shape = (SymbolId(0), Side::Buy, Qty(1), Price(1));
        for i in 0..3 {
            assert!(!t.is_repeated(SymbolId(0), SessionTime::from_secs(i)));
            t.on_order(shape, true, SessionTime::from_secs(i));
        }
        assert!(t.is_repeated(SymbolId(0), SessionTime::from_secs(9)));
        assert!(!t.is_repeated(SymbolId(0), SessionTime::from_secs(10)));
        t.latch(SymbolId(0));
        assert!(t.is_repeated(SymbolId(0), SessionTime::from_secs(1_000)));
        t.rearm();
        assert!(!t.is_repeated(SymbolId(0), SessionTime::from_secs(1_000)));
        assert!(t.is_repeated(SymbolId(7), SessionTime::from_secs(0)), "a symbol outside the table is denied");
    }
}
