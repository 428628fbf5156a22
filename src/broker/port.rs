//! What the trader may ask of a broker, and where the broker's facts go. Owns the words only: no socket, no
//! thread. The adapter in `ib/` implements [`BrokerLink`] and [`Queries`]; rings and tests implement the sinks.

use crate::clock::Nanos;
use crate::domain::{ConnEpoch, OrderId};
use crate::message::{BrokerEvent, MarketEvent, OrderTerms};

/// Why an order message was not written, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is no connection; nothing was written.
    #[error("no connection to the gateway; nothing was sent")]
    NotConnected,
    /// The pacing budget has no room for this lane; nothing was written.
    #[error("the gateway's message budget is used up; nothing was sent, room in {} ms", .wait / 1_000_000)]
    Paced {
        /// Session nanoseconds until the lane may have room.
        wait: Nanos,
    },
    /// The order can't be expressed; nothing was written.
    #[error("order not sendable: {0}; nothing was sent")]
    Refused(String),
    /// The write began and failed: the order may or may not have arrived.
    #[error("the connection broke during the write ({0}); the order is in doubt")]
    Broken(String),
}

impl LinkError {
    /// Whether certainly nothing reached the broker.
    pub const fn surely_unsent(&self) -> bool {
        !matches!(self, Self::Broken(_))
    }
}

/// Who goes first when the message budget is short: a lane earlier in this list may use tokens that later lanes
/// must leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The panic path.
    Panic,
    /// Cancels, and orders or modifications that reduce exposure.
    Reduce,
    /// Orders and modifications that raise exposure.
    New,
    /// Snapshots, history, what-ifs, subscriptions.
    Worker,
    /// Server-time heartbeats.
    Heartbeat,
}

/// The write side of the order connection, for the sender thread alone. A call writes to the connection of the
/// epoch that [`BrokerLink::epoch`] returned last, or to none: a new session never gets an order that was meant
/// for an old one. `Ok` means written to the socket, not arrived.
pub trait BrokerLink: Send {
    /// The epoch of the live connection, `None` while there is none. Binds the calls that follow to it.
    fn epoch(&mut self) -> Option<ConnEpoch>;

    /// Writes a new order.
    ///
    /// # Errors
    /// See [`LinkError`].
    fn submit(&mut self, terms: &OrderTerms, lane: Lane) -> Result<(), LinkError>;

    /// Writes new terms for an order under its own id.
    ///
    /// # Errors
    /// See [`LinkError`].
    fn modify(&mut self, terms: &OrderTerms, lane: Lane) -> Result<(), LinkError>;

    /// Writes a cancel.
    ///
    /// # Errors
    /// See [`LinkError`].
    fn cancel(&mut self, id: OrderId) -> Result<(), LinkError>;

    /// Asks what an order would do to the account; the answer is a [`BrokerEvent::WhatIf`] with `terms.order_id`.
    ///
    /// # Errors
    /// See [`LinkError`].
    fn what_if(&mut self, terms: &OrderTerms) -> Result<(), LinkError>;
}

/// A question for the worker. Rows come back as [`BrokerEvent`]s, closed by a `SnapshotEnd`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Query {
    /// Working orders of every client.
    OpenOrders,
    /// Finished orders of the day.
    CompletedOrders,
    /// Fills of the day.
    Executions,
    /// Positions of the account.
    Positions,
    /// Account figures.
    Account,
    /// What an order would do to the account; answered by one `WhatIf`, all fields unset when no answer came.
    WhatIf(OrderTerms),
}

/// Where questions are put.
pub trait Queries: Send {
    /// Queues a question; `false` = the queue is full, nothing was asked.
    fn ask(&mut self, query: Query) -> bool;
}

/// Takes market facts, in stamp order.
pub trait MarketSink: Send {
    /// `false` = full: the producer keeps the latest per symbol and comes back.
    fn push(&mut self, event: MarketEvent) -> bool;
}

/// Takes broker facts, in order. None may be lost.
pub trait BrokerSink: Send {
    /// `false` = full: the adapter retries briefly, then halts.
    fn push(&mut self, event: BrokerEvent) -> bool;
}
