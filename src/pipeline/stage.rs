//! The contract of a stage: a plain struct with pure logic. It sees no ring, no clock, no thread, no file.

use crate::clock::{MILLISECOND, Nanos, SessionTime};

/// The session grid: ingest makes one [`crate::message::MarketEvent::Timer`] per step, and all timers of logic
/// fall on it.
pub const GRID: Nanos = 250 * MILLISECOND;

/// A pure pipeline stage.
pub trait Stage {
    /// What it takes.
    type In;
    /// What it gives.
    type Out;

    /// Takes one input at session time `now` and pushes what follows from it. Must not allocate, lock, log or
    /// call the system after warm-up.
    fn on_event(&mut self, now: SessionTime, input: Self::In, out: &mut Outbox<Self::Out>);
}

/// Where a stage leaves its outputs, in order. Preallocated; the shell empties it after every input, so its
/// capacity bounds what one input may cause. Beyond it outputs are counted as lost and the shell halts the stage.
#[derive(Debug)]
pub struct Outbox<T> {
    items: Vec<T>,
    lost: u64,
}

impl<T> Outbox<T> {
    /// Room for `capacity` outputs per input.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { items: Vec::with_capacity(capacity), lost: 0 }
    }

    /// Leaves one output.
    pub fn push(&mut self, item: T) {
        if self.items.len() < self.items.capacity() {
            self.items.push(item);
        } else {
            self.lost += 1;
        }
    }

    /// Takes everything out, in order.
    pub fn drain(&mut self) -> std::vec::Drain<'_, T> {
        self.items.drain(..)
    }

    /// Whether nothing was left.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Outputs that found no room since the start.
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}
