//! The terms of one order, as it goes to the broker. Plain data: the right to send it is a token that only the
//! guards and the journal can make.

use super::OrderRef;
use crate::domain::{OrderId, OrderKind, Price, Qty, Side, SymbolId, Tif};

/// Everything the broker needs to know of a child order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderTerms {
    /// Our id, fixed before it is journaled.
    pub order_id: OrderId,
    /// The symbol.
    pub symbol: SymbolId,
    /// Buy or sell.
    pub side: Side,
    /// Shares, > 0.
    pub qty: Qty,
    /// Limit or market.
    pub kind: OrderKind,
    /// Always explicit.
    pub tif: Tif,
    /// `deployment|epoch|seq|check`: joins the order to its journal record for ever.
    pub order_ref: OrderRef,
    /// Mid when the child was made (slippage is measured from it).
    pub arrival: Price,
}
