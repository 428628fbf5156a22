//! The lazy minute: sources that invent or expand a minute at a time hold only that minute's events.

use super::RawEvent;
use crate::clock::{MINUTE, SessionTime};

/// One minute of events, sorted, and the minute to make next.
#[derive(Debug)]
pub(super) struct MinuteQueue {
    events: Vec<RawEvent>,
    cursor: usize,
    next_minute: SessionTime,
    end: SessionTime,
}

impl MinuteQueue {
    /// Minutes from `start` up to `end`, none made yet.
    pub(super) fn new(start: SessionTime, end: SessionTime) -> Self {
        Self { events: Vec::new(), cursor: 0, next_minute: start, end }
    }

    /// The next event, after making minutes until there is one; `make` appends a minute's events in any order.
    pub(super) fn peek(&mut self, mut make: impl FnMut(SessionTime, &mut Vec<RawEvent>)) -> Option<RawEvent> {
        while self.cursor == self.events.len() {
            if self.next_minute >= self.end {
                return None;
            }
            self.events.clear();
            self.cursor = 0;
            make(self.next_minute, &mut self.events);
            self.next_minute = self.next_minute + MINUTE;
            // Stable: one symbol's events of the same instant keep the order in which they were made.
            self.events.sort_by_key(|e| (e.time, e.symbol));
        }
        self.events.get(self.cursor).copied()
    }

    /// Drops the event that `peek` showed.
    pub(super) fn pop(&mut self) {
        self.cursor = (self.cursor + 1).min(self.events.len());
    }
}
