//! What a client asks.

use super::contract::Contract;
use super::lookup::LookupRequest;
use super::order::{ExecutionFilter, Order};
use super::stream::StreamRequest;

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
        /// One charged snapshot of the consolidated quote.
        regulatory: bool,
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
    /// Tick by tick, depth, five-second bars, history beyond bars.
    Stream(StreamRequest),
    /// Symbols, exchanges, settings, rows by account and model.
    Lookup(LookupRequest),
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
