//! What goes in and out of routing: intents, commands, controls, audit facts. Plain values; only `Command` is
//! neither `Copy` nor `Clone`, because it is the right to send.

use super::guards::{Approved, Reject};
use super::orders::{Effect, State, Trigger};
use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{ConnEpoch, DecisionId, Money, OrderId, PermId, Price, Qty, Side, SymbolId};
use crate::message::{
    BrokerEvent, CommissionFact, ExecutionFact, MarketEvent, OrderTerms, PositionState, SnapshotKind, Target,
};

/// Everything that routing takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RoutingIn {
    /// Market facts as the feed stage annotated them.
    Market(MarketEvent),
    /// What decision wants to hold.
    Target(Target),
    /// What the adapter, the sender and the journal tell.
    Broker(BrokerEvent),
    /// What the supervisor wants.
    Control(Control),
}

/// Everything that routing gives.
#[derive(Debug)]
pub enum RoutingOut {
    /// To the journal thread.
    Command(Command),
    /// To decision, conflated by symbol.
    Position(PositionState),
    /// To the broker's worker.
    Query(ReconcileQuery),
    /// To the journal thread and the audit.
    Fact(Fact),
}

/// Trading mode. It worsens at once and improves by rule or by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mode {
    /// Everything that the guards allow.
    Live,
    /// Half size.
    Degraded,
    /// Cancels and reductions only.
    Observe,
    /// Cancels and reductions only, until a person ends it.
    Emergency,
}

/// Why trading was disarmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum DisarmReason {
    Operator,
    SessionEnd,
    JournalPoisoned,
    StageFailure,
    Panic,
    ExecutionTableFull,
}

/// What the supervisor asks of routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Trade as soon as the book is reconciled. Also re-arms the repeated-execution throttle.
    Arm,
    /// No new exposure; reductions go on.
    Disarm {
        /// Why.
        reason: DisarmReason,
    },
    /// Cancel every own working order, as fast as pacing allows, and forget all targets, also those to come: until
    /// `Arm` nothing new is sent.
    CancelAll,
    /// A new mode.
    Mode(Mode),
    /// Whether the models have their quorum. Without it the mode is at least [`Mode::Observe`], whatever was asked for;
    /// when it holds again the mode that was asked for is back.
    Quorum {
        /// Every horizon has it.
        holds: bool,
    },
}

/// A question to the broker, asked through the worker's client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileQuery {
    /// Which snapshot.
    pub kind: SnapshotKind,
    /// On which connection.
    pub epoch: ConnEpoch,
    /// Counts rounds of this connection from 1.
    pub round: u32,
}

/// What routing wants to send, before the guards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intent {
    /// The order, its id and reference already assigned.
    pub terms: OrderTerms,
    /// Whether this changes an order that is live already.
    pub modifies: bool,
    /// Counts intents of the process; part of the reference.
    pub seq: u64,
    /// The decision that caused it.
    pub decision: DecisionId,
    /// Stamp of the market event that caused it.
    pub cause_at: SessionTime,
    /// When it was made.
    pub at: SessionTime,
    /// It must not be written to the socket at or after this instant.
    pub ttl: SessionTime,
    /// The only connection it may be written to.
    pub epoch: ConnEpoch,
}

/// The right to send something. Moves; can't be copied, cloned or made outside routing.
#[derive(Debug)]
pub enum Command {
    /// A new order that may raise exposure: durable before it is sent.
    New(Approved),
    /// New terms of a live order: durable before it is sent unless it only reduces a position.
    Modify(Approved),
    /// Cancels a live order: journaled, never waits.
    Cancel {
        /// The order, with its present terms.
        order: Approved,
        /// The broker's id, 0 = not told yet.
        perm_id: PermId,
    },
    /// A new order that can only reduce a position: journaled, never waits.
    Reduce(Approved),
}

impl Command {
    /// The approval that it carries.
    pub const fn approved(&self) -> &Approved {
        match self {
            Self::New(a) | Self::Modify(a) | Self::Reduce(a) | Self::Cancel { order: a, .. } => a,
        }
    }

    /// The order it is about.
    pub const fn order_id(&self) -> OrderId {
        self.approved().intent().terms.order_id
    }

    /// Whether it must be on disk before it may be sent.
    pub const fn waits_for_disk(&self) -> bool {
        match self {
            Self::New(_) => true,
            Self::Modify(a) => a.raises_exposure(),
            Self::Cancel { .. } | Self::Reduce(_) => false,
        }
    }
}

/// One step of an order's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderChange {
    /// When routing saw it.
    pub at: SessionTime,
    /// The order.
    pub order_id: OrderId,
    /// The broker's id, 0 = not told yet.
    pub perm_id: PermId,
    /// The symbol.
    pub symbol: SymbolId,
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// What happened.
    pub trigger: Trigger,
    /// What it meant.
    pub effect: Effect,
}

/// An intent that the guards refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RejectRecord {
    /// When.
    pub at: SessionTime,
    /// Symbol.
    pub symbol: SymbolId,
    /// Side.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Limit, `NONE` for a market order.
    pub limit: Price,
    /// The decision behind it.
    pub decision: DecisionId,
    /// The guard's reason.
    pub reason: Reject,
}

/// A fill as the book applied it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FillRecord {
    /// When routing saw it.
    pub at: SessionTime,
    /// What the broker told.
    pub execution: ExecutionFact,
    /// Whether it replaced an earlier version of the same fill.
    pub correction: bool,
    /// Whether the order is not ours: it counts as exposure, never as our P&L.
    pub external: bool,
    /// Shares held in the symbol afterwards, signed.
    pub position: Qty,
    /// Mid when the child was made, `NONE` for orders that are not ours.
    pub arrival: Price,
}

/// Something that a person should read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum Alert {
    /// A fill of an order that had ended.
    LateFill(OrderId),
    /// An order thought dead is alive: it is being cancelled.
    Surfaced(OrderId),
    /// An event that this state can't have.
    Defect(OrderId),
    /// A fill that can't be applied (no symbol, price or quantity).
    MalformedFill(OrderId),
    /// Someone else's order or fill in one of our symbols: strategy off there.
    External(SymbolId),
    /// The broker's position differs from the book after all rounds.
    Unexplained { symbol: SymbolId, broker: Qty, book: Qty },
    /// An order was abandoned by weak proof: the symbol is reduce-only for the session.
    WeakProof(OrderId),
    /// Reconciliation gave up after its last round; everything stays frozen.
    ReconcileFailed,
    /// More executions than the table holds: repeats can no longer be told.
    ExecutionTableFull,
    /// More foreign orders than the table holds: no new exposure.
    ExternalTableFull,
    /// The broker warned of margin (2148): no new exposure until a person re-arms.
    MarginWarning,
    /// The day's loss limit was hit; it stays latched over restarts of the day.
    DailyLoss(Money),
    /// An order was not confirmed cancelled after the last retry.
    CancelUnanswered(OrderId),
}

/// What the journal and the audit keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fact {
    /// An order moved.
    Order(OrderChange),
    /// A guard said no.
    Reject(RejectRecord),
    /// A fill was applied.
    Fill(FillRecord),
    /// A commission was booked.
    Commission {
        /// When routing saw it.
        at: SessionTime,
        /// What the broker told.
        commission: CommissionFact,
    },
    /// A target was taken.
    Target(Target),
    /// The mode changed.
    Mode {
        /// When.
        at: SessionTime,
        /// The new one.
        mode: Mode,
    },
    /// Trading armed or disarmed, in effect.
    Armed {
        /// When.
        at: SessionTime,
        /// Whether new exposure is possible at all.
        armed: bool,
        /// Why not, when a control said so.
        reason: Option<DisarmReason>,
    },
    /// A short-sale restriction triggered.
    SsrLatched {
        /// When.
        at: SessionTime,
        /// Where.
        symbol: SymbolId,
        /// Last day that it holds.
        until: Date,
    },
    /// Account rows that limits are computed from.
    Equity {
        /// When.
        at: SessionTime,
        /// NetLiquidation.
        net_liquidation: Money,
        /// TotalCashValue, if told.
        cash: Option<Money>,
    },
    /// Something for a person.
    Alert {
        /// When.
        at: SessionTime,
        /// What.
        alert: Alert,
    },
}
