//! What the gateway answers.

use super::contract::{Contract, ContractDetails};
use super::lookup::LookupResponse;
use super::market::HistoricalBar;
use super::order::{Execution, Order, OrderState};
use super::stream::StreamResponse;
use crate::clock::SessionTime;

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
    /// Answers to [`Request::Stream`](super::Request::Stream).
    Stream(StreamResponse),
    /// Answers to [`Request::Lookup`](super::Request::Lookup).
    Lookup(LookupResponse),
    /// The gateway closes this connection after what was sent before.
    Disconnect,
}
