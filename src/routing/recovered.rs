//! What a journal hands to routing at the start: positions, orders without a proven end, executions already
//! counted, latches, and the next free ids.

use super::orders::{Order, Position, Seen};
use crate::domain::calendar::Date;
use crate::domain::{Money, OrderId, SymbolId};

/// A symbol's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveredPosition {
    /// Symbol.
    pub symbol: SymbolId,
    /// What is held, and the day's money.
    pub position: Position,
}

/// A short-sale restriction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveredSsr {
    /// Symbol.
    pub symbol: SymbolId,
    /// Last day that it holds.
    pub until: Date,
}

/// The state that a journal proves. Default = a first start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// One above every order id that the journal knows.
    pub next_order_id: OrderId,
    /// Positions held.
    pub positions: Vec<RecoveredPosition>,
    /// Orders without a proven end, all UNKNOWN now.
    pub orders: Vec<Order>,
    /// Executions counted already.
    pub executions: Vec<Seen>,
    /// Restrictions seen.
    pub ssr: Vec<RecoveredSsr>,
    /// The last trading day that the journal covers.
    pub known_day: Option<Date>,
    /// The day whose loss limit was hit.
    pub loss_day: Option<Date>,
    /// The equity that a day began with.
    pub baseline: Option<(Date, Money)>,
    /// Tickers that the journal holds positions or orders in and the universe lacks: trading must not arm.
    pub unmapped: Vec<String>,
}
