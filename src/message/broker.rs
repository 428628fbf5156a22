//! Broker facts: adapter → routing. Translated once, in `broker/ib/translate`; nothing behind it knows TWS.

use crate::clock::SessionTime;
use crate::domain::{ClientId, ConnEpoch, Money, OrderId, OrderKind, PermId, Price, Qty, Side, SymbolId, Text};

/// The broker's execution id; corrections differ after the last period only.
pub type ExecId = Text<46>;
/// Our order reference.
pub type OrderRef = Text<38>;

/// Order status in the broker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the broker's own words")]
pub enum BrokerStatus {
    PendingSubmit,
    PendingCancel,
    PreSubmitted,
    Submitted,
    ApiPending,
    ApiCancelled,
    Cancelled,
    Filled,
    Inactive,
    /// A word that we do not know: the order is in doubt.
    Unknown,
}

/// Why an order rests at the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the broker's own words")]
pub enum WhyHeld {
    #[default]
    None,
    Locate,
    Trigger,
    Child,
    Other,
}

/// orderStatus.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatusFact {
    /// Order id of `client`.
    pub order_id: OrderId,
    /// Whose order, or who cancelled it.
    pub client: ClientId,
    /// Account-wide id; 0 = not told.
    pub perm_id: PermId,
    /// The word.
    pub status: BrokerStatus,
    /// Held reason.
    pub why_held: WhyHeld,
    /// Cumulative filled shares.
    pub filled: Qty,
    /// Remaining shares.
    pub remaining: Qty,
    /// Average fill price, `NONE` before a fill.
    pub average: Price,
    /// The price that the broker capped the order at, `NONE` = not capped.
    pub cap: Price,
}

/// openOrder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenOrderFact {
    /// Order id of `client`; 0 for manual orders.
    pub order_id: OrderId,
    /// Whose order.
    pub client: ClientId,
    /// Account-wide id.
    pub perm_id: PermId,
    /// The symbol; `None` = not in our universe.
    pub symbol: Option<SymbolId>,
    /// Side.
    pub side: Side,
    /// Total shares.
    pub qty: Qty,
    /// Limit or market (anything else reads as market: worst case).
    pub kind: OrderKind,
    /// The status in its state.
    pub status: BrokerStatus,
    /// Our reference, empty for others' orders.
    pub order_ref: OrderRef,
}

/// The answer to a what-if.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WhatIfFact {
    /// The order id it was asked with.
    pub order_id: OrderId,
    /// Change of initial margin, account currency; `None` = unset, sentinel or unparsable: deny.
    pub init_margin_change: Option<Money>,
    /// Maintenance margin after.
    pub maint_margin_after: Option<Money>,
    /// Equity with loan after.
    pub equity_after: Option<Money>,
    /// Commission estimate.
    pub commission: Option<Money>,
    /// Whether the broker attached a warning text.
    pub warned: bool,
}

/// One fill. Executions, not statuses, are the truth of fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExecutionFact {
    /// Execution id; a repeated one is applied once.
    pub exec_id: ExecId,
    /// Order id of `client`.
    pub order_id: OrderId,
    /// Whose order.
    pub client: ClientId,
    /// Account-wide order id.
    pub perm_id: PermId,
    /// The symbol; `None` = not in our universe.
    pub symbol: Option<SymbolId>,
    /// Side.
    pub side: Side,
    /// Shares of this fill.
    pub qty: Qty,
    /// Price of this fill.
    pub price: Price,
    /// The order's filled shares including this one.
    pub cumulative: Qty,
    /// The broker's time of the fill, `None` when unparsable (a fill is never dropped over its time).
    pub broker_time: Option<SessionTime>,
    /// Our reference, empty for others' orders.
    pub order_ref: OrderRef,
}

/// commissionReport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommissionFact {
    /// The fill it belongs to.
    pub exec_id: ExecId,
    /// Commission and fees.
    pub commission: Money,
    /// Realised P&L, closing legs only.
    pub realized: Option<Money>,
}

/// A position row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionFact {
    /// The symbol; `None` = not in our universe.
    pub symbol: Option<SymbolId>,
    /// Signed shares.
    pub qty: Qty,
    /// Average cost per share.
    pub average: Price,
}

/// An error or notice bound to an order or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFact {
    /// Order or request id; −1 for none.
    pub id: i32,
    /// IB's code.
    pub code: i32,
    /// For 10148 and 161: the state that the text names.
    pub named_state: Option<BrokerStatus>,
}

/// The order link as the session owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// A new socket is up and its update stream is drained from its start; not yet reconciled.
    Up {
        /// Its epoch.
        epoch: ConnEpoch,
        /// The gateway's next valid order id.
        next_order_id: OrderId,
    },
    /// The socket is gone.
    Down,
    /// 1100: the gateway lost IB; fills may be missed.
    Lost,
    /// 1101 / 1102: the gateway has IB again; reconcile.
    Restored,
}

/// Which question a snapshot's rows answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum SnapshotKind {
    OpenOrders,
    CompletedOrders,
    Executions,
    Positions,
    Account,
}

/// Everything that the adapter tells routing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BrokerEvent {
    /// The link changed.
    Link(LinkState),
    /// orderStatus.
    Status(StatusFact),
    /// openOrder, live or from a snapshot.
    OpenOrder(OpenOrderFact),
    /// The answer to a what-if.
    WhatIf(WhatIfFact),
    /// A fill, live or from a snapshot.
    Execution(ExecutionFact),
    /// A commission.
    Commission(CommissionFact),
    /// A position row of a snapshot.
    Position(PositionFact),
    /// An order that is finished, from a snapshot.
    Completed(OpenOrderFact),
    /// A snapshot ended: `complete` = its end marker came (a time-out is not an empty list).
    SnapshotEnd {
        /// Which.
        kind: SnapshotKind,
        /// Whether the end marker came.
        complete: bool,
        /// On which connection.
        epoch: ConnEpoch,
    },
    /// A row of the account: net liquidation, cash, excess liquidity, buying power.
    Account {
        /// NetLiquidation.
        net_liquidation: Option<Money>,
        /// TotalCashValue.
        cash: Option<Money>,
        /// ExcessLiquidity.
        excess_liquidity: Option<Money>,
        /// BuyingPower.
        buying_power: Option<Money>,
    },
    /// An error or notice.
    Error(ErrorFact),
    /// The sender wrote the order to the socket (not a proof of arrival).
    Sent(OrderId),
    /// The sender refused to write: latch, TTL or epoch had changed. Nothing was sent.
    Withdrawn(OrderId),
}

const _: () = assert!(size_of::<BrokerEvent>() <= 192, "broker facts stay within three cache lines");
