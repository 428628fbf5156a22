//! Orders, their state and their fills.

use super::condition::Condition;
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
    pub open_close: String,
    /// 0 = a customer, 1 = a firm.
    pub origin: i32,
    pub block_order: bool,
    pub sweep_to_fill: bool,
    pub hidden: bool,
    pub discretionary_amt: f64,
    pub fa_group: String,
    pub fa_method: String,
    pub fa_percentage: String,
    pub model_code: String,
    /// 1 = shares at the broker, 2 = shares at `designated_location`.
    pub short_sale_slot: i32,
    pub designated_location: String,
    /// Why a sale is exempt from Rule 201; written as −1 where it is not.
    pub exempt_code: Option<i32>,
    pub rule_80a: String,
    pub settling_firm: String,
    pub min_qty: Option<i32>,
    /// Offset of a relative order, dollars.
    pub percent_offset: Option<f64>,
    pub override_percentage_constraints: bool,
    pub volatility: Option<f64>,
    pub delta_neutral_order_type: String,
    pub scale_init_level_size: Option<i32>,
    pub scale_subs_level_size: Option<i32>,
    pub scale_price_increment: Option<f64>,
    pub scale_price_adjust_value: Option<f64>,
    pub scale_price_adjust_interval: Option<i32>,
    pub scale_profit_offset: Option<f64>,
    pub scale_auto_reset: bool,
    pub scale_init_position: Option<i32>,
    pub scale_init_fill_qty: Option<i32>,
    pub scale_random_percent: bool,
    pub scale_table: String,
    pub active_start_time: String,
    pub active_stop_time: String,
    pub hedge_type: String,
    pub hedge_param: String,
    pub opt_out_smart_routing: bool,
    pub clearing_account: String,
    /// Echoed as `IB` where it is empty.
    pub clearing_intent: String,
    pub not_held: bool,
    pub algo_strategy: String,
    /// Tag and value, in the order in which they came.
    pub algo_params: Vec<(String, String)>,
    pub algo_id: String,
    pub solicited: bool,
    pub randomize_size: bool,
    pub randomize_price: bool,
    pub conditions: Vec<Condition>,
    pub conditions_ignore_rth: bool,
    pub conditions_cancel_order: bool,
    /// What a stop turns into at `trigger_price`; echoed as `None` where it is empty.
    pub adjusted_order_type: String,
    pub trigger_price: Option<f64>,
    pub adjusted_stop_price: Option<f64>,
    pub adjusted_stop_limit_price: Option<f64>,
    pub adjusted_trailing_amount: Option<f64>,
    /// 0 = the trailing amount is in dollars, 100 = in percent.
    pub adjustable_trailing_unit: i32,
    /// How far a trailing limit's limit stands behind its stop.
    pub lmt_price_offset: Option<f64>,
    pub ext_operator: String,
    pub soft_dollar_name: String,
    pub soft_dollar_value: String,
    pub soft_dollar_display_name: String,
    pub cash_qty: Option<f64>,
    pub is_oms_container: bool,
    pub discretionary_up_to_limit_price: bool,
    pub duration: Option<i32>,
    pub post_to_ats: Option<i32>,
    pub auto_cancel_parent: bool,
    pub advanced_error_override: String,
    pub manual_order_time: String,
    pub min_trade_qty: Option<i32>,
    pub min_compete_size: Option<i32>,
    pub compete_against_best_offset: Option<f64>,
    pub mid_offset_at_whole: Option<f64>,
    pub mid_offset_at_half: Option<f64>,
    pub customer_account: String,
    pub professional_customer: bool,
    pub include_overnight: bool,
    pub manual_order_indicator: Option<i32>,
    pub imbalance_only: bool,
    pub post_only: bool,
    pub allow_pre_open: bool,
    pub ignore_open_auction: bool,
    pub deactivate: bool,
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
