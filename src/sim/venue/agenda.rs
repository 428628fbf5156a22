//! What the venue will do later, in session time: arrivals, deliveries, expiries.

use std::collections::BTreeMap;

use crate::clock::SessionTime;
use crate::domain::SymbolId;
use crate::sim::api::{ConnId, Order, Response};

/// Something to do at its time.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// An order reaches the exchange.
    Arrive { perm: i64 },
    /// A modification reaches the exchange.
    Modify { perm: i64, order: Box<Order> },
    /// A cancel, asked by client `by`, reaches the exchange.
    Cancel { perm: i64, by: i32 },
    /// A good-till-date order's time is over.
    Expire { perm: i64 },
    /// An off-hours order's deferral is confirmed: warning 399 and a repeated state.
    Deferred { perm: i64 },
    /// A good-after-time order's time has come.
    Release { perm: i64 },
    /// The shares for a held short sale were found.
    Located { perm: i64 },
    /// A look whether the shares for a held short sale can be borrowed by now.
    Locate { perm: i64 },
    /// The next part of an order that is worked in parts.
    Slice { perm: i64 },
    /// A limit state that began then has lasted long enough.
    LimitState { symbol: SymbolId, since: SessionTime },
    /// A volatility pause is over.
    Reopen { symbol: SymbolId },
    /// A reopening that has waited for its print since then has waited long enough.
    ReopenAnyway { symbol: SymbolId, since: SessionTime },
    /// What can be borrowed of a symbol has changed.
    Shortability { symbol: SymbolId },
    /// A look at the index that the market-wide breakers go by.
    Breakers,
    /// A fill elsewhere in its OCA group takes shares off it; the report of it is one way behind.
    OcaReduce { perm: i64, qty: i64 },
    /// Messages about an order reach the client `client`, if it is connected.
    Report { perm: i64, client: i32, messages: Vec<Response> },
    /// Messages that answer a connection's request.
    Answer { conn: ConnId, messages: Vec<Response> },
    /// A look at the account's margin.
    MarginCheck,
    /// A symbol's trading stops (tick 49's value) or resumes (0).
    Halt { symbol: SymbolId, kind: i32 },
    /// The opening bell.
    Open,
    /// The closing bell.
    Close,
    /// The three-minute row of account values.
    AccountCadence,
    /// A position changed: rows are due.
    AccountChanged,
    /// The P&L subscriptions' beat.
    PnlBeat,
    /// Five-second bars, and bars kept up to date, are due.
    BarBeat,
    /// A look at pairs and indices.
    QuotedBeat,
}

/// Tasks by time; those of one instant in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    tasks: BTreeMap<(SessionTime, u64), Task>,
    added: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: SessionTime, task: Task) {
        self.added += 1;
        self.tasks.insert((at, self.added), task);
    }

    /// When the next task is due.
    pub(super) fn next_due(&self) -> Option<SessionTime> {
        self.tasks.first_key_value().map(|((t, _), _)| *t)
    }

    /// The next task due at or before `now`.
    pub(super) fn pop(&mut self, now: SessionTime) -> Option<Task> {
        let entry = self.tasks.first_entry().filter(|e| e.key().0 <= now)?;
        Some(entry.remove())
    }

    /// Takes the next message under way, whatever its time, leaving all other tasks.
    pub(super) fn pop_message(&mut self) -> Option<Task> {
        let message = |t: &Task| matches!(t, Task::Report { .. } | Task::Answer { .. });
        let key = self.tasks.iter().find(|(_, t)| message(t)).map(|(k, _)| *k)?;
        self.tasks.remove(&key)
    }
}
