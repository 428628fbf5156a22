//! Orders, their state and their fills.

use crate::domain::Side;

/// An order as the client sent it, and as openOrder echoes it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct Order {
    pub order_id: i32,
    pub client_id: i32,
    pub perm_id: i64,
    pub parent_id: i32,
    pub action: Option<Side>,
    pub total_quantity: f64,
    pub order_type: String,
    pub limit_price: Option<f64>,
    pub aux_price: Option<f64>,
    pub tif: String,
    /// As sent, e.g. `20260415-14:05:30` (UTC).
    pub good_till_date: String,
    pub account: String,
    pub order_ref: String,
    pub oca_group: String,
    pub oca_type: i32,
    pub outside_rth: bool,
    pub transmit: bool,
    pub what_if: bool,
    pub filled_quantity: f64,
    /// 0 = the gateway's default for the order type.
    pub trigger_method: i32,
    pub all_or_none: bool,
    /// 0 = all of it.
    pub display_size: i32,
    pub good_after_time: String,
    pub trailing_percent: Option<f64>,
    /// Of a trail; a gateway echoes one on stops and limits too.
    pub trail_stop_price: Option<f64>,
    /// The parent's permId on a child's echo, 0 = none.
    pub parent_perm_id: i64,
    /// Echoed on GTC orders.
    pub auto_cancel_date: String,
    /// Echoed: the user who sent it.
    pub submitter: String,
    /// Echoed as 0 or 1.
    pub use_price_mgmt_algo: bool,
}

/// The order state part of openOrder; the margin fields only answer a what-if.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct OrderState {
    pub status: String,
    pub init_margin_before: Option<f64>,
    pub maint_margin_before: Option<f64>,
    pub equity_with_loan_before: Option<f64>,
    pub init_margin_change: Option<f64>,
    pub maint_margin_change: Option<f64>,
    pub equity_with_loan_change: Option<f64>,
    pub init_margin_after: Option<f64>,
    pub maint_margin_after: Option<f64>,
    pub equity_with_loan_after: Option<f64>,
    pub commission: Option<f64>,
    pub commission_currency: String,
    pub margin_currency: String,
    pub warning_text: String,
    pub completed_time: String,
    pub completed_status: String,
}

/// One fill.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct Execution {
    pub order_id: i32,
    pub client_id: i32,
    pub exec_id: String,
    /// `20260415 10:05:30 US/Eastern`.
    pub time: String,
    pub account: String,
    pub exchange: String,
    /// `BOT` or `SLD`.
    pub side: String,
    pub shares: f64,
    pub price: f64,
    pub perm_id: i64,
    pub cum_qty: f64,
    pub avg_price: f64,
    pub order_ref: String,
    pub last_liquidity: i32,
}

/// reqExecutions' filter; empty fields match all.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct ExecutionFilter {
    pub client_id: i32,
    pub account: String,
    pub time: String,
    pub symbol: String,
    pub sec_type: String,
    pub exchange: String,
    pub side: String,
}
