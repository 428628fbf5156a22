//! What passes between the wire and the venue: TWS requests and answers without their encoding. The wire
//! (`sim/wire`) turns frames into [`Request`] and [`Response`] into frames; the venue (`sim/venue`) is pure and
//! knows no socket. Field names follow TWS; absent means the peer left the field unset.

use crate::clock::SessionTime;
use crate::domain::Side;

/// One accepted TCP connection, numbered from 1 and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A contract, as requests name it and answers repeat it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct Contract {
    pub con_id: i32,
    pub symbol: String,
    pub sec_type: String,
    pub exchange: String,
    pub primary_exchange: String,
    pub currency: String,
    pub local_symbol: String,
    pub trading_class: String,
}

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

/// One historical bar.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct HistoricalBar {
    /// The bar's start.
    pub time: SessionTime,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    /// Shares.
    pub volume: f64,
    pub wap: f64,
    pub count: i32,
}

/// A contract's details.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct ContractDetails {
    pub contract: Contract,
    pub market_name: String,
    pub min_tick: f64,
    pub order_types: String,
    /// Comma-separated, aligned with `market_rule_ids`.
    pub valid_exchanges: String,
    pub market_rule_ids: String,
    pub long_name: String,
    pub time_zone_id: String,
    pub trading_hours: String,
    pub liquid_hours: String,
    pub stock_type: String,
    pub min_size: f64,
    pub size_increment: f64,
    pub suggested_size_increment: f64,
    pub industry: String,
    pub category: String,
    pub subcategory: String,
    /// Groups smart-routing exchanges.
    pub agg_group: i32,
}

/// What a client asks.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "moved a few times, never kept in numbers; a box buys nothing")]
#[allow(missing_docs, reason = "TWS message names and fields")]
pub enum Request {
    StartApi {
        client_id: i32,
    },
    ReqIds,
    ReqCurrentTime,
    ReqManagedAccounts,
    ReqContractDetails {
        req_id: i32,
        contract: Contract,
    },
    ReqMarketRule {
        market_rule_id: i32,
    },
    ReqMarketDataType {
        market_data_type: i32,
    },
    ReqMktData {
        req_id: i32,
        contract: Contract,
        generic_ticks: String,
        snapshot: bool,
    },
    CancelMktData {
        req_id: i32,
    },
    ReqHistoricalData {
        req_id: i32,
        contract: Contract,
        /// Empty = now.
        end: String,
        /// `1 D`, `3600 S`, …
        duration: String,
        /// `1 min`, …
        bar_size: String,
        /// `TRADES`, `MIDPOINT`, …
        what_to_show: String,
        use_rth: bool,
        /// 1 = text, 2 = epoch seconds.
        format_date: i32,
        keep_up_to_date: bool,
    },
    CancelHistoricalData {
        req_id: i32,
    },
    PlaceOrder {
        contract: Contract,
        order: Order,
    },
    CancelOrder {
        order_id: i32,
    },
    ReqGlobalCancel,
    ReqOpenOrders,
    ReqAllOpenOrders,
    ReqAutoOpenOrders {
        bind: bool,
    },
    ReqCompletedOrders {
        api_only: bool,
    },
    ReqExecutions {
        req_id: i32,
        filter: ExecutionFilter,
    },
    ReqPositions,
    CancelPositions,
    ReqAccountSummary {
        req_id: i32,
        group: String,
        tags: String,
    },
    CancelAccountSummary {
        req_id: i32,
    },
    ReqAccountUpdates {
        subscribe: bool,
        account: String,
    },
    ReqPnl {
        req_id: i32,
        account: String,
    },
    CancelPnl {
        req_id: i32,
    },
    ReqPnlSingle {
        req_id: i32,
        account: String,
        con_id: i32,
    },
    CancelPnlSingle {
        req_id: i32,
    },
    /// A known TWS request that is not served, or an unknown message id: answered with an error.
    Unserved {
        msg_id: i32,
        req_id: i32,
    },
    /// A request that is never answered: the log level, or the cancel of something that is not served. It
    /// counts as a message for pacing.
    Unanswered {
        msg_id: i32,
    },
    /// The socket is gone; the venue drops the connection's subscriptions (its orders live on).
    Disconnected,
}

/// What the gateway answers, to one connection.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS message names and fields")]
pub enum Response {
    ManagedAccounts {
        accounts: String,
    },
    NextValidId {
        order_id: i32,
    },
    CurrentTime {
        time: SessionTime,
    },
    /// `id` −1 = a notice of no request.
    Error {
        id: i32,
        time: SessionTime,
        code: i32,
        message: String,
        advanced_order_reject_json: String,
    },
    ContractData {
        req_id: i32,
        details: Box<ContractDetails>,
    },
    ContractDataEnd {
        req_id: i32,
    },
    /// Pairs of (low edge, increment).
    MarketRule {
        market_rule_id: i32,
        increments: Vec<(f64, f64)>,
    },
    MarketDataType {
        req_id: i32,
        market_data_type: i32,
    },
    TickReqParams {
        req_id: i32,
        min_tick: String,
        bbo_exchange: String,
        snapshot_permissions: i32,
    },
    /// Price ticks: 1 bid, 2 ask, 4 last, 6 high, 7 low, 9 close, 14 open; the size travels with 1, 2 and 4.
    TickPrice {
        req_id: i32,
        tick_type: i32,
        price: f64,
        size: f64,
        attr_mask: i32,
    },
    /// Size ticks: 0 bid, 3 ask, 5 last, 8 volume (hundreds of shares, fractions allowed), 89 shortable shares.
    TickSize {
        req_id: i32,
        tick_type: i32,
        size: f64,
    },
    /// 46 shortable, 49 halted, …
    TickGeneric {
        req_id: i32,
        tick_type: i32,
        value: f64,
    },
    /// 45 last timestamp, 32/33/84 exchanges, …
    TickString {
        req_id: i32,
        tick_type: i32,
        value: String,
    },
    TickSnapshotEnd {
        req_id: i32,
    },
    HistoricalData {
        req_id: i32,
        bars: Vec<HistoricalBar>,
        format_date: i32,
    },
    HistoricalDataEnd {
        req_id: i32,
        start: String,
        end: String,
    },
    OpenOrder {
        contract: Contract,
        order: Box<Order>,
        state: Box<OrderState>,
    },
    OpenOrderEnd,
    OrderStatus {
        order_id: i32,
        status: String,
        filled: f64,
        remaining: f64,
        avg_fill_price: f64,
        perm_id: i64,
        parent_id: i32,
        last_fill_price: f64,
        client_id: i32,
        why_held: String,
        mkt_cap_price: f64,
    },
    CompletedOrder {
        contract: Contract,
        order: Box<Order>,
        state: Box<OrderState>,
    },
    CompletedOrdersEnd,
    /// `req_id` −1 = live, not the answer to reqExecutions.
    ExecutionDetails {
        req_id: i32,
        contract: Contract,
        execution: Box<Execution>,
    },
    ExecutionDetailsEnd {
        req_id: i32,
    },
    CommissionReport {
        exec_id: String,
        commission: f64,
        currency: String,
        realized_pnl: Option<f64>,
    },
    Position {
        account: String,
        contract: Contract,
        position: f64,
        avg_cost: f64,
    },
    PositionEnd,
    AccountSummary {
        req_id: i32,
        account: String,
        tag: String,
        value: String,
        currency: String,
    },
    AccountSummaryEnd {
        req_id: i32,
    },
    AccountValue {
        key: String,
        value: String,
        currency: String,
        account: String,
    },
    PortfolioValue {
        contract: Contract,
        position: f64,
        market_price: f64,
        market_value: f64,
        average_cost: f64,
        unrealized_pnl: f64,
        realized_pnl: f64,
        account: String,
    },
    /// `hh:mm`.
    AccountUpdateTime {
        time: String,
    },
    AccountDownloadEnd {
        account: String,
    },
    Pnl {
        req_id: i32,
        daily: f64,
        unrealized: Option<f64>,
        realized: Option<f64>,
    },
    PnlSingle {
        req_id: i32,
        position: f64,
        daily: f64,
        unrealized: Option<f64>,
        realized: Option<f64>,
        value: f64,
    },
    /// The gateway closes this connection after what was sent before.
    Disconnect,
}

/// One answer and the connection that gets it.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "self-evident")]
pub struct Outgoing {
    pub conn: ConnId,
    pub response: Response,
}
