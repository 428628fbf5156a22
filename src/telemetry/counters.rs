//! Counters of a running session: the stages' shells bump them, the progress display reads them.
//!
//! Each counter has a cache line of its own, so that threads which bump different ones never share a line. Reads
//! are relaxed: a snapshot is for the eye, not for logic.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Market facts taken by the feed.
    Events,
    /// Cycles that reached decision.
    Cycles,
    /// Targets sent to routing.
    Targets,
    /// Child intents that routing made.
    Intents,
    /// Orders handed to the socket.
    Orders,
    /// Order cancels handed to the socket.
    Cancels,
    /// Executions.
    Fills,
    /// Intents withdrawn before the write (stale, another epoch, latched).
    Withdrawn,
    /// Market records that the journal had no room for.
    JournalGaps,
}

impl Counter {
    /// How many there are.
    pub const COUNT: usize = 9;
    /// All.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Events,
        Self::Cycles,
        Self::Targets,
        Self::Intents,
        Self::Orders,
        Self::Cancels,
        Self::Fills,
        Self::Withdrawn,
        Self::JournalGaps,
    ];
}

/// The counters of a session. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Counters {
    totals: [CachePadded<AtomicU64>; Counter::COUNT],
    /// Names of the guards' reasons; position = index of [`Counters::reject`].
    reasons: &'static [&'static str],
    rejects: Vec<CachePadded<AtomicU64>>,
}

impl Counters {
    /// All zero, with one more counter for each reason to reject an intent.
    pub fn new(reasons: &'static [&'static str]) -> Self {
        Self {
            totals: std::array::from_fn(|_| CachePadded::default()),
            reasons,
            rejects: reasons.iter().map(|_| CachePadded::default()).collect(),
        }
    }

    /// Adds one.
    pub fn bump(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds `n`.
    pub fn add(&self, counter: Counter, n: u64) {
        self.totals[counter as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// Counts a rejected intent; a reason beyond the names counts as the last one.
    pub fn reject(&self, reason: usize) {
        if let Some(counter) = self.rejects.get(reason).or(self.rejects.last()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A total.
    pub fn get(&self, counter: Counter) -> u64 {
        self.totals[counter as usize].load(Ordering::Relaxed)
    }

    /// Rejected intents.
    pub fn rejected(&self) -> u64 {
        self.rejects.iter().map(|c| c.load(Ordering::Relaxed)).sum()
    }

    /// Reasons that occurred, with their totals, in the order of the names.
    pub fn rejects(&self) -> Vec<(&'static str, u64)> {
        let totals = self.rejects.iter().map(|c| c.load(Ordering::Relaxed));
        self.reasons.iter().copied().zip(totals).filter(|(_, n)| *n > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_counts_for_itself() {
        let counters = Counters::new(&["size", "stale"]);
        for (i, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, i);
            counters.add(counter, i as u64);
        }
        counters.bump(Counter::Fills);
        for (i, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counters.get(counter), i as u64 + u64::from(counter == Counter::Fills));
        }
    }

    #[test]
    fn rejects_are_named_and_none_is_lost() {
        let counters = Counters::new(&["size", "stale", "other"]);
        counters.reject(1);
        counters.reject(1);
        counters.reject(99);
        assert_eq!(counters.rejects(), [("stale", 2), ("other", 1)]);
        assert_eq!(counters.rejected(), 3);
        Counters::new(&[]).reject(0);
    }

    #[test]
    fn threads_do_not_lose_counts() {
        let counters = Counters::new(&["size"]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| counters.bump(Counter::Events)));
            }
        });
        assert_eq!(counters.get(Counter::Events), 40_000);
    }
}
