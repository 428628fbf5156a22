//! One order of ours, as the book keeps it.

use super::State;
use crate::clock::SessionTime;
use crate::domain::{ConnEpoch, DecisionId, OrderKind, PermId, Qty};
use crate::message::OrderTerms;

/// New terms that are on their way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pending {
    /// New total shares.
    pub qty: Qty,
    /// New limit.
    pub kind: OrderKind,
}

/// An order and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// The terms that the broker is believed to work (old ones while a modify is pending).
    pub terms: OrderTerms,
    /// Where it is.
    pub state: State,
    /// The broker's id, 0 = not told yet.
    pub perm_id: PermId,
    /// Shares proven by executions.
    pub filled: Qty,
    /// Shares that a terminal status claims beyond the executions seen: they arrive later, and count as in doubt.
    pub owed: Qty,
    /// New terms in flight: the worse of both is reserved.
    pub pending: Option<Pending>,
    /// Whether it was approved as a reduction.
    pub reduces: bool,
    /// Whether the sender said that it wrote it.
    pub written: bool,
    /// Whether the broker ever showed it.
    pub seen: bool,
    /// Whether the broker refused it in words that are no proof; one cancel settles it.
    pub refused: bool,
    /// The reconciliation round that last showed it alive.
    pub seen_round: u32,
    /// Rounds of full proof that did not show it since it came into doubt.
    pub absent_rounds: u32,
    /// Rounds that lacked only the end of executions.
    pub absent_weak_rounds: u32,
    /// Cancels asked so far.
    pub cancels: u8,
    /// When the last cancel was asked.
    pub cancel_at: SessionTime,
    /// When it was made.
    pub at: SessionTime,
    /// When its state last changed.
    pub changed_at: SessionTime,
    /// It is not written after this.
    pub ttl: SessionTime,
    /// The connection it was made for.
    pub epoch: ConnEpoch,
    /// Number of its intent.
    pub seq: u64,
    /// The decision behind it.
    pub decision: DecisionId,
}

impl Order {
    /// An order that was just approved.
    pub fn approved(intent: &crate::routing::Intent, reduces: bool) -> Self {
        Self {
            terms: intent.terms,
            state: State::Intent,
            perm_id: PermId(0),
            filled: Qty::ZERO,
            owed: Qty::ZERO,
            pending: None,
            reduces,
            written: false,
            seen: false,
            refused: false,
            seen_round: 0,
            absent_rounds: 0,
            absent_weak_rounds: 0,
            cancels: 0,
            cancel_at: SessionTime(0),
            at: intent.at,
            changed_at: intent.at,
            ttl: intent.ttl,
            epoch: intent.epoch,
            seq: intent.seq,
            decision: intent.decision,
        }
    }

    /// An order with our reference that the journal does not know: it is adopted as the broker shows it.
    pub fn adopted(terms: OrderTerms, perm_id: PermId, epoch: ConnEpoch, now: SessionTime) -> Self {
        Self {
            terms,
            state: State::None,
            perm_id,
            filled: Qty::ZERO,
            owed: Qty::ZERO,
            pending: None,
            reduces: false,
            written: true,
            seen: true,
            refused: false,
            seen_round: 0,
            absent_rounds: 0,
            absent_weak_rounds: 0,
            cancels: 0,
            cancel_at: SessionTime(0),
            at: now,
            changed_at: now,
            ttl: now,
            epoch,
            seq: 0,
            decision: DecisionId(0),
        }
    }

    /// Shares that may still fill, worst case over old and new terms; zero once ended (see `owed`).
    pub fn open(&self) -> Qty {
        if !self.state.is_live() {
            return Qty::ZERO;
        }
        let total = self.pending.map_or(self.terms.qty.0, |p| p.qty.0.max(self.terms.qty.0));
        Qty((total - self.filled.0).max(0))
    }

    /// Shares in doubt: all of an UNKNOWN order, and what a terminal status claims without an execution.
    pub fn unknown(&self) -> Qty {
        if self.state == State::Unknown { self.open() } else { self.owed }
    }

    /// Shares of a live order that is not in doubt.
    pub fn working(&self) -> Qty {
        if self.state == State::Unknown { Qty::ZERO } else { self.open() }
    }

    /// Whether the broker certainly works it and takes changes to it.
    pub const fn is_resting(&self) -> bool {
        matches!(self.state, State::Acked | State::Held | State::Partial)
    }
}
