//! What the referee has to say at the end: one JSON object.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{MarketFacts, Referee};
use crate::clock::SessionTime;
use crate::sim::api::{LookupRequest, Request, StreamRequest};

/// Kinds of violation, always all present in the audit.
pub(super) const KINDS: [&str; 12] = [
    "pacing",
    "duplicate_orders",
    "after_panic",
    "ssr",
    "borrow",
    "margin",
    "session",
    "off_tick",
    "active_orders",
    "limits",
    "malformed",
    "orphan_orders",
];

/// Most order requests that an audit lists.
pub const ORDER_REQUESTS_KEPT: usize = 10_000;

/// One breach of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Session time, ISO 8601.
    pub time: String,
    /// Client id.
    pub client: i32,
    /// Order id, 0 where none is concerned.
    pub order_id: i32,
    /// The rule's name.
    pub rule: &'static str,
    /// What was seen and what is permitted.
    pub detail: String,
}

/// The opportunities behind each kind: zero violations mean little where these are zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Exercised {
    pub orders_checked: u64,
    pub what_ifs: u64,
    pub shorts_checked: u64,
    pub shorts_in_restricted_names: u64,
    pub order_refs_checked: u64,
    /// Times that the panic file appeared, and orders that arrived while it lay.
    pub panics: u64,
    pub orders_after_panic: u64,
    pub most_active_orders_per_side: u64,
    pub peak_messages_per_s: u64,
    /// Share of equity left after initial margin at the tightest order; absent before the first.
    pub smallest_margin_cushion: Option<f64>,
}

/// One request about orders, as it arrived.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct OrderRequestLine {
    /// Session time, ISO 8601.
    pub time: String,
    pub client: i32,
    /// As in `received`.
    pub request: &'static str,
    /// 0 for a global cancel.
    pub order_id: i32,
    /// `SIDE QTY SYMBOL TYPE @LIMIT TIF UNTIL`, empty for cancels.
    pub terms: String,
    pub order_ref: String,
}

/// An order that still works at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct OpenOrderLine {
    pub client: i32,
    pub order_id: i32,
    pub order_ref: String,
    pub symbol: String,
    pub side: &'static str,
    pub remaining: i64,
    /// Absent for a market order.
    pub limit_usd: Option<f64>,
    pub client_connected: bool,
}

/// The audit of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Audit {
    /// When the audit was taken, session time.
    pub time: String,
    /// Requests received, by name.
    pub received: BTreeMap<&'static str, u64>,
    /// Requests about orders in order of arrival, at most [`ORDER_REQUESTS_KEPT`].
    pub order_requests: Vec<OrderRequestLine>,
    /// Further ones that are only counted.
    pub order_requests_not_listed: u64,
    /// Violations by kind; all kinds are present.
    pub violations: BTreeMap<&'static str, Vec<Violation>>,
    /// Violations beyond those listed, by kind.
    pub violations_not_listed: BTreeMap<&'static str, u64>,
    /// All violations, listed or not.
    pub violations_total: u64,
    /// Opportunities behind the kinds.
    pub exercised: Exercised,
    /// Shares held at the end by the venue's books, flat names left out.
    pub positions: BTreeMap<String, i64>,
    /// Cash at the end by the venue's books, USD.
    pub cash_usd: f64,
    /// Fees paid by the venue's books, USD.
    pub commissions_usd: f64,
    /// Executions reported to clients.
    pub executions: u64,
    /// Cancel requests.
    pub cancels_asked: u64,
    /// IB's order-efficiency ratio; above 20 is excessive.
    pub order_efficiency: f64,
    /// Whether the venue's books equal what was reported to clients. False while reports are under way.
    pub books_agree: bool,
    /// Orders that still work.
    pub open_orders: Vec<OpenOrderLine>,
}

impl Audit {
    /// Whether nothing was violated.
    pub fn is_clean(&self) -> bool {
        self.violations_total == 0
    }
}

impl Referee {
    /// The account of the session so far. Orders that work while their client is gone count as orphans.
    pub fn audit(&self, now: SessionTime, market: &dyn MarketFacts) -> Audit {
        let connected = market.clients_connected();
        let mut violations = self.violations.clone();
        let mut open_orders = Vec::new();
        for ((client, order_id), o) in self.ledger.working() {
            let client_connected = connected.contains(client);
            if !client_connected {
                violations.entry("orphan_orders").or_default().push(Violation {
                    time: now.to_string(),
                    client: *client,
                    order_id: *order_id,
                    rule: "works_without_client",
                    detail: format!("{} {} {}", o.side.as_str(), o.qty - o.filled, o.symbol),
                });
            }
            open_orders.push(OpenOrderLine {
                client: *client,
                order_id: *order_id,
                order_ref: o.order_ref.clone(),
                symbol: o.symbol.clone(),
                side: o.side.as_str(),
                remaining: o.qty - o.filled,
                limit_usd: o.price.is_some().then(|| o.price.to_f64()),
                client_connected,
            });
        }
        let (cash, commissions, positions) = market.booked();
        let own: BTreeMap<_, _> = self.ledger.positions.iter().filter(|(_, q)| **q != 0).collect();
        let same_positions = own.len() == positions.len() && own.iter().all(|(s, q)| positions.get(*s) == Some(q));
        let listed: usize = violations.values().map(Vec::len).sum();
        Audit {
            time: now.to_string(),
            received: self.received.clone(),
            order_requests: self.order_requests.clone(),
            order_requests_not_listed: self.order_requests_not_listed,
            violations_total: listed as u64 + self.uncounted.values().sum::<u64>(),
            violations,
            violations_not_listed: self.uncounted.clone(),
            exercised: self.exercised.clone(),
            books_agree: same_positions && self.ledger.cash == cash && self.ledger.commissions == commissions,
            positions,
            cash_usd: cash.to_f64(),
            commissions_usd: commissions.to_f64(),
            executions: self.ledger.executions(),
            cancels_asked: self.ledger.cancels_asked,
            order_efficiency: market.order_efficiency(),
            open_orders,
        }
    }
}

impl OrderRequestLine {
    /// The line of a request about orders; `None` for all others.
    pub(super) fn of(now: SessionTime, client: i32, request: &Request) -> Option<Self> {
        let (order_id, terms, order_ref) = match request {
            Request::PlaceOrder { contract, order: o } => {
                let side = o.action.map_or("?", crate::domain::Side::as_str);
                let price = o.limit_price.map_or(String::new(), |p| format!(" @{p}"));
                let name =
                    if contract.symbol.is_empty() { contract.con_id.to_string() } else { contract.symbol.clone() };
                let (kind, tif, until) = (&o.order_type, &o.tif, &o.good_till_date);
                let text = format!("{side} {} {name} {kind}{price} {tif} {until}", o.total_quantity);
                (o.order_id, text.trim_end().to_string(), o.order_ref.clone())
            }
            Request::CancelOrder { order_id } => (*order_id, String::new(), String::new()),
            Request::ReqGlobalCancel => (0, String::new(), String::new()),
            _ => return None,
        };
        Some(Self { time: now.to_string(), client, request: name_of(request), order_id, terms, order_ref })
    }
}

/// A request's name in the audit.
pub(super) const fn name_of(request: &Request) -> &'static str {
    match request {
        Request::StartApi { .. } => "start_api",
        Request::ReqIds => "req_ids",
        Request::ReqCurrentTime => "req_current_time",
        Request::ReqManagedAccounts => "req_managed_accounts",
        Request::ReqContractDetails { .. } => "req_contract_details",
        Request::ReqMarketRule { .. } => "req_market_rule",
        Request::ReqMarketDataType { .. } => "req_market_data_type",
        Request::ReqMktData { .. } => "req_mkt_data",
        Request::CancelMktData { .. } => "cancel_mkt_data",
        Request::ReqHistoricalData { .. } => "req_historical_data",
        Request::CancelHistoricalData { .. } => "cancel_historical_data",
        Request::PlaceOrder { order, .. } if order.what_if => "what_if",
        Request::PlaceOrder { .. } => "place_order",
        Request::CancelOrder { .. } => "cancel_order",
        Request::ReqGlobalCancel => "req_global_cancel",
        Request::ReqOpenOrders => "req_open_orders",
        Request::ReqAllOpenOrders => "req_all_open_orders",
        Request::ReqAutoOpenOrders { .. } => "req_auto_open_orders",
        Request::ReqCompletedOrders { .. } => "req_completed_orders",
        Request::ReqExecutions { .. } => "req_executions",
        Request::ReqPositions => "req_positions",
        Request::CancelPositions => "cancel_positions",
        Request::ReqAccountSummary { .. } => "req_account_summary",
        Request::CancelAccountSummary { .. } => "cancel_account_summary",
        Request::ReqAccountUpdates { .. } => "req_account_updates",
        Request::ReqPnl { .. } => "req_pnl",
        Request::CancelPnl { .. } => "cancel_pnl",
        Request::ReqPnlSingle { .. } => "req_pnl_single",
        Request::CancelPnlSingle { .. } => "cancel_pnl_single",
        Request::Stream(r) => stream_name(r),
        Request::Lookup(r) => lookup_name(r),
        Request::Unserved { .. } => "unserved",
        Request::Unanswered { .. } => "unanswered",
        Request::Disconnected => "disconnected",
    }
}

const fn stream_name(request: &StreamRequest) -> &'static str {
    match request {
        StreamRequest::TickByTick { .. } => "req_tick_by_tick",
        StreamRequest::Depth { .. } => "req_market_depth",
        StreamRequest::DepthExchanges => "req_market_depth_exchanges",
        StreamRequest::RealTimeBars { .. } => "req_real_time_bars",
        StreamRequest::HistoricalTicks { .. } => "req_historical_ticks",
        StreamRequest::HeadTimestamp { .. } => "req_head_timestamp",
        StreamRequest::Histogram { .. } => "req_histogram",
        StreamRequest::Cancel { .. } => "cancel_stream",
    }
}

const fn lookup_name(request: &LookupRequest) -> &'static str {
    match request {
        LookupRequest::PositionsMulti { .. } => "req_positions_multi",
        LookupRequest::CancelPositionsMulti { .. } => "cancel_positions_multi",
        LookupRequest::AccountUpdatesMulti { .. } => "req_account_updates_multi",
        LookupRequest::CancelAccountUpdatesMulti { .. } => "cancel_account_updates_multi",
        LookupRequest::MatchingSymbols { .. } => "req_matching_symbols",
        LookupRequest::SmartComponents { .. } => "req_smart_components",
        LookupRequest::CurrentTimeInMillis => "req_current_time_in_millis",
        LookupRequest::Config { .. } => "req_config",
        LookupRequest::UserInfo { .. } => "req_user_info",
        LookupRequest::FamilyCodes => "req_family_codes",
        LookupRequest::SoftDollarTiers { .. } => "req_soft_dollar_tiers",
    }
}
