//! The crate `ibapi` against the simulated gateway's server with scripted answers: what the wire encodes is what
//! that client reads, value for value, for every answer that it can read, and what it sends is what the wire
//! decodes. Over a real socket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp, reason = "tests: a broken expectation must stop them")]

use ibapi::accounts::types::{AccountGroup, AccountId, ContractId};
use ibapi::accounts::{AccountSummaryResult, AccountUpdate, AccountUpdateMulti, PositionUpdate, PositionUpdateMulti};
use ibapi::client::blocking::Client;
use ibapi::contracts::Contract as IbContract;
use ibapi::contracts::tick_types::TickType;
use ibapi::market_data::historical::{BarSize, BarTimestamp, HistoricalBarUpdate, ToDuration, WhatToShow};
use ibapi::market_data::realtime::{MarketDepths, TickTypes};
use ibapi::market_data::{IgnoreSize, MarketDataType, SmartDepth, TradingHours};
use ibapi::orders::{Action, ExecutionFilter, Executions, Order as IbOrder, OrderStatusKind, OrderUpdate, Orders};
use ibapi::subscriptions::SubscriptionItem;
use ibkr_trader::clock::{SECOND, SessionTime};
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{
    ConnId, Contract, ContractDetails, Execution, HistoricalBar, Order, OrderState, Outgoing, Request, Response,
};
use ibkr_trader::sim::market::{self, MarketOptions};
use ibkr_trader::sim::venue::{Delays, Venue, VenueConfig};
use ibkr_trader::sim::wire::{Server, ServerOptions};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(10);
const ACCOUNT: &str = "DU1234567";

fn session_start() -> SessionTime {
    Date::of(2026, 4, 15).at(9, 25)
}

/// A server whose answers are a function of the request; it keeps all requests.
struct Scripted {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Scripted {
    fn start(script: impl Fn(&Request) -> Vec<Response> + Send + 'static) -> Self {
        let mut server = Server::bind("127.0.0.1:0", ServerOptions::new(session_start)).unwrap();
        let address = server.local_addr().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (requests, end) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Acquire) {
                let Ok((conn, request)) = server.incoming().recv_timeout(Duration::from_millis(5)) else { continue };
                for response in answers(&script, &request) {
                    server.send(Outgoing { conn, response });
                }
                server.flush();
                requests.lock().unwrap().push(request);
            }
            server.shutdown();
        });
        Self { address, seen, stop, thread: Some(thread) }
    }

    fn client(&self) -> Client {
        Client::builder()
            .address(self.address.clone())
            .client_id(7)
            .max_reconnect_attempts(0)
            .one_shot_timeout(WAIT)
            .connect()
            .unwrap()
    }

    /// The requests that have come, without startApi, once `enough` says so.
    fn requests(&self, enough: impl Fn(&[Request]) -> bool) -> Vec<Request> {
        for _ in 0..1_000 {
            let seen = self.seen.lock().unwrap().clone();
            if enough(&seen) {
                return seen;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        panic!("the awaited requests did not come: {:?}", self.seen.lock().unwrap());
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

/// The bootstrap of a real gateway, then the script.
fn answers(script: &impl Fn(&Request) -> Vec<Response>, request: &Request) -> Vec<Response> {
    match request {
        Request::StartApi { .. } => {
            let mut all = vec![
                Response::ManagedAccounts { accounts: ACCOUNT.to_owned() },
                Response::NextValidId { order_id: 42 },
                notice(2104, "Market data farm connection is OK:usfarm"),
            ];
            all.extend(script(request));
            all
        }
        _ => script(request),
    }
}

fn notice(code: i32, message: &str) -> Response {
    error(-1, code, message)
}

fn error(id: i32, code: i32, message: &str) -> Response {
    let advanced_order_reject_json = String::new();
    Response::Error { id, time: session_start(), code, message: message.to_owned(), advanced_order_reject_json }
}

fn aapl() -> Contract {
    Contract {
        con_id: 265_598,
        symbol: "AAPL".to_owned(),
        sec_type: "STK".to_owned(),
        exchange: "SMART".to_owned(),
        primary_exchange: String::new(),
        currency: "USD".to_owned(),
        local_symbol: "AAPL".to_owned(),
        trading_class: "NMS".to_owned(),
    }
}

fn assert_aapl(c: &IbContract) {
    assert_eq!(c.contract_id, 265_598);
    assert_eq!(c.symbol.to_string(), "AAPL");
    assert_eq!(c.security_type.to_string(), "STK");
    assert_eq!(c.exchange.to_string(), "SMART");
    assert_eq!(c.currency.to_string(), "USD");
    assert_eq!(c.local_symbol, "AAPL");
    assert_eq!(c.trading_class, "NMS");
}

/// The next data item of a subscription (whose bound is not nameable outside its crate).
macro_rules! next {
    ($subscription:expr) => {
        match $subscription.next_timeout(WAIT) {
            Some(Ok(SubscriptionItem::Data(data))) => data,
            other => panic!("no data item: {other:?}"),
        }
    };
}

/// The next item of a subscription, which must be this pattern.
macro_rules! expect {
    ($subscription:expr, $pattern:pat => $value:expr) => {
        #[allow(unreachable_patterns, reason = "some enums have one variant")]
        match next!($subscription) {
            $pattern => $value,
            other => panic!("unexpected item: {other:?}"),
        }
    };
}

#[test]
fn a_client_connects_and_reads_accounts_ids_and_time() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqCurrentTime => vec![Response::CurrentTime { time: session_start() }],
        Request::ReqIds => vec![Response::NextValidId { order_id: 77 }],
        Request::ReqManagedAccounts => vec![Response::ManagedAccounts { accounts: ACCOUNT.to_owned() }],
        _ => vec![],
    });
    let client = gateway.client();
    assert_eq!(client.server_version(), 226);
    assert_eq!(client.next_order_id(), 42);
    assert_eq!(client.handshake_managed_accounts(), [ACCOUNT]);
    assert_eq!(client.connection_time().unwrap().unix_timestamp(), session_start().secs());
    assert_eq!(client.server_time().unwrap().unix_timestamp(), session_start().secs());
    assert_eq!(client.next_valid_order_id().unwrap(), 77);
    assert_eq!(client.managed_accounts().unwrap(), [ACCOUNT]);
    assert_eq!(gateway.requests(|r| r.len() >= 4)[0], Request::StartApi { client_id: 7 });
}

#[test]
fn notices_arrive_with_code_text_and_time() {
    let gateway = Scripted::start(|_| vec![]);
    let (_client, notices) = Client::builder()
        .address(gateway.address.clone())
        .client_id(7)
        .max_reconnect_attempts(0)
        .connect_with_notice_stream()
        .unwrap();
    let got = notices.next_timeout(WAIT).unwrap();
    assert_eq!((got.code, got.message.as_str()), (2104, "Market data farm connection is OK:usfarm"));
    assert_eq!(got.error_time.unwrap().unix_timestamp(), session_start().secs());
}

fn details() -> ContractDetails {
    ContractDetails {
        contract: Contract { primary_exchange: "NASDAQ".to_owned(), ..aapl() },
        market_name: "NMS".to_owned(),
        min_tick: 0.01,
        order_types: "ACTIVETIM,LMT,MKT".to_owned(),
        valid_exchanges: "SMART,NYSE".to_owned(),
        market_rule_ids: "26,557".to_owned(),
        long_name: "APPLE INC".to_owned(),
        time_zone_id: "US/Eastern".to_owned(),
        trading_hours: "20260415:0400-20260415:2000;20260416:CLOSED".to_owned(),
        liquid_hours: "20260415:0930-20260415:1600".to_owned(),
        stock_type: "COMMON".to_owned(),
        min_size: 0.0001,
        size_increment: 0.0001,
        suggested_size_increment: 100.0,
        industry: "Technology".to_owned(),
        category: "Computers".to_owned(),
        subcategory: "Computers".to_owned(),
        agg_group: 1,
        min_algo_size: None,
    }
}

#[test]
fn contract_details_and_market_rules() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqContractDetails { req_id, contract } if contract.symbol == "AAPL" => vec![
            Response::ContractData { req_id: *req_id, details: Box::new(details()) },
            Response::ContractDataEnd { req_id: *req_id },
        ],
        Request::ReqContractDetails { req_id, .. } => {
            vec![error(*req_id, 200, "No security definition has been found for the request")]
        }
        Request::ReqMarketRule { market_rule_id } => {
            vec![Response::MarketRule { market_rule_id: *market_rule_id, increments: vec![(0.0, 0.0001), (1.0, 0.01)] }]
        }
        _ => vec![],
    });
    let client = gateway.client();
    let found = client.contract_details(&IbContract::stock("AAPL").build()).unwrap();
    let [d] = found.as_slice() else { panic!("one contract: {found:?}") };
    assert_aapl(&d.contract);
    assert_eq!(d.contract.primary_exchange.to_string(), "NASDAQ");
    assert_eq!((d.market_name.as_str(), d.min_tick, d.price_magnifier), ("NMS", 0.01, 1));
    assert_eq!(d.order_types, ["ACTIVETIM", "LMT", "MKT"]);
    assert_eq!(d.valid_exchanges, ["SMART", "NYSE"]);
    assert_eq!(d.market_rule_ids, ["26", "557"]);
    assert_eq!((d.long_name.as_str(), d.time_zone_id.as_str()), ("APPLE INC", "US/Eastern"));
    assert_eq!(d.trading_hours, ["20260415:0400-20260415:2000", "20260416:CLOSED"]);
    assert_eq!(d.liquid_hours, ["20260415:0930-20260415:1600"]);
    assert_eq!((d.stock_type.as_str(), d.agg_group), ("COMMON", 1));
    assert_eq!((d.min_size, d.size_increment, d.suggested_size_increment), (Some(0.0001), Some(0.0001), Some(100.0)));
    assert_eq!((d.industry.as_str(), d.category.as_str()), ("Technology", "Computers"));
    assert_eq!(d.subcategory, "Computers");

    let unknown = client.contract_details(&IbContract::stock("ZZZZNONE").build()).unwrap_err();
    assert!(unknown.to_string().contains("No security definition"), "{unknown}");

    let rule = client.market_rule(26).unwrap();
    assert_eq!(rule.market_rule_id, 26);
    let steps: Vec<(f64, f64)> = rule.price_increments.iter().map(|p| (p.low_edge, p.increment)).collect();
    assert_eq!(steps, [(0.0, 0.0001), (1.0, 0.01)]);

    let asked = gateway.requests(|r| r.len() >= 5);
    let Request::ReqContractDetails { contract, .. } = &asked[1] else { panic!("{asked:?}") };
    let wanted = [&contract.symbol, &contract.sec_type, &contract.exchange, &contract.currency];
    assert_eq!(wanted, ["AAPL", "STK", "SMART", "USD"]);
    // ibapi cancels a details request that it gave up.
    assert_eq!(asked[3], Request::Unanswered { msg_id: 106 });
    assert_eq!(asked[4], Request::ReqMarketRule { market_rule_id: 26 });
}

fn quotes(req_id: i32) -> Vec<Response> {
    let price = |tick_type, price, size, attr_mask| Response::TickPrice { req_id, tick_type, price, size, attr_mask };
    vec![
        Response::MarketDataType { req_id, market_data_type: 1 },
        Response::TickReqParams {
            req_id,
            min_tick: "0.01".to_owned(),
            bbo_exchange: "9c0001".to_owned(),
            snapshot_permissions: 3,
        },
        price(1, 310.55, 200.0, 1),
        price(2, 310.69, 600.0, 1),
        price(4, 310.6, 67.0, 0),
        price(6, 313.36, 0.0, 0),
        price(9, 309.35, 0.0, 2),
        price(1, 310.56, 0.5, 5),
        Response::TickSize { req_id, tick_type: 8, size: 812_865.25 },
        Response::TickGeneric { req_id, tick_type: 46, value: 3.0 },
        Response::TickString { req_id, tick_type: 45, value: "1787603287".to_owned() },
    ]
}

#[test]
fn a_quote_stream() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqMktData { req_id, .. } => quotes(*req_id),
        _ => vec![],
    });
    let client = gateway.client();
    client.switch_market_data_type(MarketDataType::Realtime).unwrap();
    let contract = IbContract::stock("AAPL").build();
    let stream = client.market_data(&contract).generic_ticks(&["233", "236"]).subscribe().unwrap();
    expect!(stream, TickTypes::MarketDataType(t) => assert_eq!(t, MarketDataType::Realtime));
    expect!(stream, TickTypes::RequestParameters(p) => {
        assert_eq!((p.min_tick, p.bbo_exchange.as_str(), p.snapshot_permissions), (0.01, "9c0001", 3));
    });
    for (kind, price, size_kind, size) in [
        (TickType::Bid, 310.55, TickType::BidSize, 200.0),
        (TickType::Ask, 310.69, TickType::AskSize, 600.0),
        (TickType::Last, 310.6, TickType::LastSize, 67.0),
    ] {
        expect!(stream, TickTypes::PriceSize(t) => {
            assert_eq!((t.price_tick_type, t.price, t.size_tick_type, t.size), (kind, price, size_kind, size));
            assert_eq!(t.attributes.can_auto_execute, kind != TickType::Last);
        });
    }
    expect!(stream, TickTypes::Price(t) => assert_eq!((t.tick_type, t.price), (TickType::High, 313.36)));
    expect!(stream, TickTypes::Price(t) => {
        assert_eq!((t.tick_type, t.price, t.attributes.past_limit), (TickType::Close, 309.35, true));
    });
    expect!(stream, TickTypes::PriceSize(t) => {
        assert_eq!((t.price, t.size, t.attributes.pre_open), (310.56, 0.5, true));
    });
    expect!(stream, TickTypes::Size(t) => assert_eq!((t.tick_type, t.size), (TickType::Volume, 812_865.25)));
    expect!(stream, TickTypes::Generic(t) => assert_eq!((t.tick_type, t.value), (TickType::Shortable, 3.0)));
    expect!(stream, TickTypes::String(t) => {
        assert_eq!((t.tick_type, t.value.as_str()), (TickType::LastTimestamp, "1787603287"));
    });
    stream.cancel();
    let asked = gateway.requests(|r| r.len() >= 4);
    assert_eq!(asked[1], Request::ReqMarketDataType { market_data_type: 1 });
    let Request::ReqMktData { req_id, generic_ticks, snapshot, .. } = &asked[2] else { panic!("{asked:?}") };
    assert_eq!((generic_ticks.as_str(), *snapshot), ("233,236", false));
    assert_eq!(asked[3], Request::CancelMktData { req_id: *req_id });
}

#[test]
fn a_quote_snapshot_and_a_refused_stream() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqMktData { req_id, snapshot: true, .. } => vec![
            Response::TickPrice { req_id: *req_id, tick_type: 2, price: 10.5, size: 3.0, attr_mask: 0 },
            Response::TickSnapshotEnd { req_id: *req_id },
        ],
        Request::ReqMktData { req_id, .. } => vec![error(*req_id, 354, "Requested market data is not subscribed.")],
        _ => vec![],
    });
    let client = gateway.client();
    let contract = IbContract::stock("AAPL").build();
    let stream = client.market_data(&contract).snapshot().subscribe().unwrap();
    expect!(stream, TickTypes::PriceSize(t) => assert_eq!((t.price, t.size), (10.5, 3.0)));
    expect!(stream, TickTypes::SnapshotEnd => ());

    let refused = client.market_data(&contract).subscribe().unwrap();
    let error = refused.next_timeout(WAIT).unwrap().unwrap_err();
    assert!(error.to_string().contains("354"), "{error}");
}

fn bars(first: SessionTime, step_s: i64) -> Vec<HistoricalBar> {
    let bar = |i: i64| HistoricalBar {
        time: SessionTime::from_secs(first.secs() + i * step_s),
        open: 317.04,
        high: 323.45,
        low: 316.45,
        close: 321.22,
        volume: 7_492_200.0,
        wap: 320.857,
        count: 54_342,
    };
    (0..3).map(bar).collect()
}

#[test]
fn history_in_minutes_and_days() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqHistoricalData { req_id, bar_size, format_date, .. } => {
            let day = Date::of(2026, 4, 14);
            let bars = if bar_size == "1 min" { bars(day.at(9, 30), 60) } else { bars(day.at(0, 0), 86_400) };
            vec![
                Response::HistoricalData { req_id: *req_id, bars, format_date: *format_date },
                Response::HistoricalDataEnd {
                    req_id: *req_id,
                    start: "20260414 09:25:00 US/Eastern".to_owned(),
                    end: "20260415 09:25:00 US/Eastern".to_owned(),
                },
            ]
        }
        _ => vec![],
    });
    let client = gateway.client();
    let contract = IbContract::stock("AAPL").build();
    let minutes = client
        .historical_data(&contract, BarSize::Min)
        .what_to_show(WhatToShow::Trades)
        .trading_hours(TradingHours::Regular)
        .duration(1.days())
        .fetch()
        .unwrap();
    assert_eq!(minutes.end.unix_timestamp(), session_start().secs());
    assert_eq!(minutes.start.unix_timestamp(), session_start().secs() - 86_400);
    assert_eq!(minutes.bars.len(), 3);
    for (i, bar) in (0..).zip(&minutes.bars) {
        let BarTimestamp::DateTime(t) = bar.date else { panic!("{bar:?}") };
        assert_eq!(t.unix_timestamp(), Date::of(2026, 4, 14).at(9, 30).secs() + i * 60);
        assert_eq!((bar.open, bar.high, bar.low, bar.close), (317.04, 323.45, 316.45, 321.22));
        assert_eq!((bar.volume, bar.wap, bar.count), (7_492_200.0, 320.857, 54_342));
    }
    let days = client
        .historical_data(&contract, BarSize::Day)
        .what_to_show(WhatToShow::Trades)
        .duration(3.days())
        .fetch()
        .unwrap();
    let BarTimestamp::Date(date) = days.bars[2].date else { panic!("{:?}", days.bars) };
    assert_eq!((date.year(), u8::from(date.month()), date.day()), (2026, 4, 16));

    let asked = gateway.requests(|r| r.len() >= 3);
    let Request::ReqHistoricalData {
        contract, end, duration, bar_size, what_to_show, use_rth, keep_up_to_date, ..
    } = &asked[1]
    else {
        panic!("{asked:?}")
    };
    assert_eq!((contract.symbol.as_str(), end.as_str(), duration.as_str()), ("AAPL", "", "1 D"));
    assert_eq!((bar_size.as_str(), what_to_show.as_str()), ("1 min", "TRADES"));
    assert!(*use_rth && !keep_up_to_date);
}

fn placed(order: &Order) -> Box<Order> {
    Box::new(Order { client_id: 7, perm_id: 9_000_000_600, oca_type: 3, ..order.clone() })
}

fn status(order_id: i32, status: &str, filled: f64) -> Response {
    Response::OrderStatus {
        order_id,
        status: status.to_owned(),
        filled,
        remaining: 100.0 - filled,
        avg_fill_price: if filled > 0.0 { 309.16 } else { 0.0 },
        perm_id: 9_000_000_600,
        parent_id: 41,
        last_fill_price: if filled > 0.0 { 309.17 } else { 0.0 },
        client_id: 7,
        why_held: "locate".to_owned(),
        mkt_cap_price: 0.5,
    }
}

fn execution(order: &Order) -> Execution {
    Execution {
        order_id: order.order_id,
        client_id: 7,
        exec_id: "0000e0d5.6a8d1f2b.01.01".to_owned(),
        time: "20260415 09:31:30 US/Eastern".to_owned(),
        account: ACCOUNT.to_owned(),
        exchange: "NASDAQ".to_owned(),
        side: "SLD".to_owned(),
        shares: 100.0,
        price: 309.17,
        perm_id: 9_000_000_600,
        cum_qty: 150.0,
        avg_price: 309.16,
        order_ref: order.order_ref.clone(),
        last_liquidity: 2,
    }
}

fn state(status: &str) -> Box<OrderState> {
    Box::new(OrderState { status: status.to_owned(), ..OrderState::default() })
}

/// A limit order's life, as the real gateway orders its messages.
fn life(contract: &Contract, order: &Order) -> Vec<Response> {
    let id = order.order_id;
    let echo = |state| Response::OpenOrder { contract: aapl(), order: placed(order), state };
    let completed = OrderState {
        commission: Some(1.006_566),
        commission_currency: "USD".to_owned(),
        completed_time: "20260415 09:31:30 US/Eastern".to_owned(),
        completed_status: "Filled Size: 100".to_owned(),
        ..*state("Filled")
    };
    assert_eq!(contract.symbol, "AAPL");
    vec![
        echo(state("Submitted")),
        status(id, "Submitted", 0.0),
        Response::ExecutionDetails { req_id: -1, contract: aapl(), execution: Box::new(execution(order)) },
        echo(Box::new(completed)),
        status(id, "Filled", 100.0),
        Response::CommissionReport {
            exec_id: "0000e0d5.6a8d1f2b.01.01".to_owned(),
            commission: 1.006_566,
            currency: "USD".to_owned(),
            realized_pnl: Some(-2.016_569),
        },
    ]
}

fn limit_order() -> IbOrder {
    IbOrder {
        action: Action::Sell,
        total_quantity: 100.0,
        order_type: "LMT".to_owned(),
        limit_price: Some(309.15),
        tif: "GTD".into(),
        good_till_date: "20260415-14:05:30".to_owned(),
        order_ref: "ref-1".to_owned(),
        account: ACCOUNT.to_owned(),
        parent_id: 41,
        oca_group: "oca-1".to_owned(),
        oca_type: 1.into(),
        outside_rth: true,
        transmit: true,
        ..IbOrder::default()
    }
}

fn assert_execution(e: &ibapi::orders::ExecutionData, request_id: i32) {
    assert_eq!(e.request_id, request_id);
    assert_aapl(&e.contract);
    let e = &e.execution;
    assert_eq!((e.order_id, e.client_id, e.perm_id), (42, 7, 9_000_000_600));
    assert_eq!((e.execution_id.as_str(), e.time.as_str()), ("0000e0d5.6a8d1f2b.01.01", "20260415 09:31:30 US/Eastern"));
    assert_eq!((e.account_number.as_str(), e.exchange.as_str()), (ACCOUNT, "NASDAQ"));
    assert_eq!(e.side, ibapi::orders::ExecutionSide::Sold);
    assert_eq!((e.shares, e.price), (100.0, 309.17));
    assert_eq!((e.cumulative_quantity, e.average_price), (150.0, 309.16));
    assert_eq!((e.order_reference.as_str(), i32::from(e.last_liquidity == 2.into())), ("ref-1", 1));
}

#[test]
fn an_order_is_placed_echoed_filled_and_paid_for() {
    let gateway = Scripted::start(|request| match request {
        Request::PlaceOrder { contract, order } => life(contract, order),
        _ => vec![],
    });
    let client = gateway.client();
    let updates = client.order_update_stream().unwrap();
    client.submit_order(42, &IbContract::stock("AAPL").build(), &limit_order()).unwrap();

    expect!(updates, OrderUpdate::OpenOrder(o) => {
        assert_eq!((o.order_id, o.order.order_id, o.order.client_id, o.order.perm_id), (42, 42, 7, 9_000_000_600));
        assert_aapl(&o.contract);
        assert_eq!((o.order.action, o.order.total_quantity), (Action::Sell, 100.0));
        assert_eq!((o.order.order_type.as_str(), o.order.limit_price, o.order.aux_price), ("LMT", Some(309.15), Some(0.0)));
        assert_eq!((o.order.tif.to_string().as_str(), o.order.good_till_date.as_str()), ("GTD", "20260415-14:05:30"));
        assert_eq!((o.order.account.as_str(), o.order.order_ref.as_str()), (ACCOUNT, "ref-1"));
        assert_eq!((o.order.parent_id, o.order.oca_group.as_str()), (41, "oca-1"));
        assert_eq!((i32::from(o.order.oca_type), o.order.outside_rth, o.order.what_if), (3, true, false));
        assert_eq!(o.order_state.status, OrderStatusKind::Submitted);
        assert_eq!((o.order_state.commission, o.order_state.initial_margin_before), (None, None));
    });
    expect!(updates, OrderUpdate::OrderStatus(s) => {
        assert_eq!((s.order_id, s.status, s.filled, s.remaining), (42, OrderStatusKind::Submitted, 0.0, 100.0));
        assert_eq!((s.perm_id, s.parent_id, s.client_id), (9_000_000_600, 41, 7));
        assert_eq!((s.why_held.as_str(), s.market_cap_price), ("locate", Some(0.5)));
    });
    expect!(updates, OrderUpdate::ExecutionData(e) => assert_execution(&e, -1));
    expect!(updates, OrderUpdate::OpenOrder(o) => {
        assert_eq!((o.order_state.status, o.order_state.commission), (OrderStatusKind::Filled, Some(1.006_566)));
        assert_eq!(o.order_state.commission_currency, "USD");
        assert_eq!(o.order_state.completed_time, "20260415 09:31:30 US/Eastern");
        assert_eq!(o.order_state.completed_status, "Filled Size: 100");
    });
    expect!(updates, OrderUpdate::OrderStatus(s) => {
        assert_eq!((s.status, s.filled, s.remaining), (OrderStatusKind::Filled, 100.0, 0.0));
        assert_eq!((s.average_fill_price, s.last_fill_price), (Some(309.16), Some(309.17)));
    });
    expect!(updates, OrderUpdate::CommissionReport(c) => {
        assert_eq!((c.execution_id.as_str(), c.commission), ("0000e0d5.6a8d1f2b.01.01", 1.006_566));
        assert_eq!((c.currency.as_str(), c.realized_pnl), ("USD", Some(-2.016_569)));
    });

    let asked = gateway.requests(|r| r.len() >= 2);
    let Request::PlaceOrder { contract, order } = &asked[1] else { panic!("{asked:?}") };
    assert_eq!((contract.symbol.as_str(), contract.exchange.as_str()), ("AAPL", "SMART"));
    let expected = Order {
        order_id: 42,
        parent_id: 41,
        action: Some(Side::Sell),
        total_quantity: 100.0,
        order_type: "LMT".to_owned(),
        limit_price: Some(309.15),
        tif: "GTD".to_owned(),
        good_till_date: "20260415-14:05:30".to_owned(),
        account: ACCOUNT.to_owned(),
        order_ref: "ref-1".to_owned(),
        oca_group: "oca-1".to_owned(),
        oca_type: 1,
        outside_rth: true,
        transmit: true,
        ..Order::default()
    };
    assert_eq!(*order, expected);
}

#[test]
fn a_what_if_answers_with_margins() {
    let gateway = Scripted::start(|request| match request {
        Request::PlaceOrder { order, .. } => vec![Response::OpenOrder {
            contract: aapl(),
            order: placed(order),
            state: Box::new(OrderState {
                status: "PreSubmitted".to_owned(),
                init_margin_before: Some(1.5),
                maint_margin_before: Some(2.5),
                equity_with_loan_before: Some(3.5),
                init_margin_change: Some(4.5),
                maint_margin_change: Some(5.5),
                equity_with_loan_change: Some(-6.5),
                init_margin_after: Some(7.5),
                maint_margin_after: Some(8.5),
                equity_with_loan_after: Some(9.5),
                commission: Some(1.0003),
                commission_currency: "USD".to_owned(),
                margin_currency: "EUR".to_owned(),
                warning_text: "a warning".to_owned(),
                ..OrderState::default()
            }),
        }],
        _ => vec![],
    });
    let client = gateway.client();
    let order = IbOrder { what_if: true, trigger_method: 4.into(), ..limit_order() };
    let answer = client.place_order(42, &IbContract::stock("AAPL").build(), &order).unwrap();
    expect!(answer, ibapi::orders::PlaceOrder::OpenOrder(o) => {
        assert!(o.order.what_if);
        assert_eq!(i32::from(o.order.trigger_method), 4);
        let s = &o.order_state;
        assert_eq!(s.status, OrderStatusKind::PreSubmitted);
        let before = [s.initial_margin_before, s.maintenance_margin_before, s.equity_with_loan_before];
        assert_eq!(before, [Some(1.5), Some(2.5), Some(3.5)]);
        let change = [s.initial_margin_change, s.maintenance_margin_change, s.equity_with_loan_change];
        assert_eq!(change, [Some(4.5), Some(5.5), Some(-6.5)]);
        let after = [s.initial_margin_after, s.maintenance_margin_after, s.equity_with_loan_after];
        assert_eq!(after, [Some(7.5), Some(8.5), Some(9.5)]);
        assert_eq!((s.commission, s.minimum_commission, s.maximum_commission), (Some(1.0003), None, None));
        assert_eq!((s.commission_currency.as_str(), s.margin_currency.as_str()), ("USD", "EUR"));
        assert_eq!(s.warning_text, "a warning");
    });
    let asked = gateway.requests(|r| r.len() >= 2);
    let Request::PlaceOrder { order, .. } = &asked[1] else { panic!("{asked:?}") };
    assert!(order.what_if && order.trigger_method == 4);
}

#[test]
fn a_trail_and_its_echo() {
    let gateway = Scripted::start(|request| match request {
        Request::PlaceOrder { order, .. } => {
            let echo = Order {
                parent_perm_id: 9_000_000_599,
                auto_cancel_date: "20261231 22:00:00 CET".to_owned(),
                submitter: "paper-user".to_owned(),
                filled_quantity: 2.0,
                ..*placed(order)
            };
            vec![Response::OpenOrder { contract: aapl(), order: Box::new(echo), state: state("PreSubmitted") }]
        }
        _ => vec![],
    });
    let client = gateway.client();
    let updates = client.order_update_stream().unwrap();
    let order = IbOrder {
        order_type: "TRAIL".to_owned(),
        limit_price: None,
        trailing_percent: Some(1.5),
        trail_stop_price: Some(280.0),
        all_or_none: true,
        good_after_time: "20260415-14:00:00".to_owned(),
        ..limit_order()
    };
    client.submit_order(42, &IbContract::stock("AAPL").build(), &order).unwrap();
    expect!(updates, OrderUpdate::OpenOrder(o) => {
        assert_eq!((o.order.trailing_percent, o.order.trail_stop_price), (Some(1.5), Some(280.0)));
        assert_eq!((o.order.limit_price, o.order.aux_price), (Some(0.0), None));
        assert_eq!((o.order.all_or_none, o.order.good_after_time.as_str()), (true, "20260415-14:00:00"));
        assert_eq!((o.order.parent_perm_id, o.order.filled_quantity), (Some(9_000_000_599), 2.0));
        assert_eq!((o.order.auto_cancel_date.as_str(), o.order.submitter.as_str()), ("20261231 22:00:00 CET", "paper-user"));
    });
    let asked = gateway.requests(|r| r.len() >= 2);
    let Request::PlaceOrder { order, .. } = &asked[1] else { panic!("{asked:?}") };
    assert_eq!((order.limit_price, order.aux_price), (None, None));
    assert_eq!((order.trailing_percent, order.trail_stop_price), (Some(1.5), Some(280.0)));
}

#[test]
fn a_cancel_and_a_rejection() {
    let gateway = Scripted::start(|request| match request {
        Request::PlaceOrder { order, .. } => {
            vec![error(order.order_id, 201, "Order rejected - reason:Order will be expired before market opens.")]
        }
        Request::CancelOrder { order_id } => {
            vec![status(*order_id, "Cancelled", 0.0), error(*order_id, 202, "Order Canceled - reason:")]
        }
        _ => vec![],
    });
    let client = gateway.client();
    let rejected = client.place_order(42, &IbContract::stock("AAPL").build(), &limit_order()).unwrap();
    let error = rejected.next_timeout(WAIT).unwrap().unwrap_err();
    assert!(error.to_string().contains("expired before market opens"), "{error}");

    let cancel = client.cancel_order(43, "").unwrap();
    expect!(cancel, ibapi::orders::CancelOrder::OrderStatus(s) => {
        assert_eq!((s.order_id, s.status), (43, OrderStatusKind::Cancelled));
    });
    client.global_cancel().unwrap();
    let asked = gateway.requests(|r| r.len() >= 4);
    assert_eq!(asked[2], Request::CancelOrder { order_id: 43 });
    assert_eq!(asked[3], Request::ReqGlobalCancel);
}

fn open_order(order_id: i32) -> Vec<Response> {
    let order = Order {
        order_id,
        action: Some(Side::Buy),
        total_quantity: 1.0,
        order_type: "MKT".to_owned(),
        tif: "DAY".to_owned(),
        ..Order::default()
    };
    vec![
        Response::OpenOrder { contract: aapl(), order: placed(&order), state: state("Submitted") },
        status(order_id, "Submitted", 0.0),
    ]
}

#[test]
fn open_and_completed_orders_and_executions() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqAllOpenOrders | Request::ReqOpenOrders | Request::ReqAutoOpenOrders { .. } => {
            let mut all = open_order(42);
            all.push(Response::OpenOrderEnd);
            all
        }
        Request::ReqCompletedOrders { .. } => {
            let order = Order { order_id: 40, action: Some(Side::Buy), ..Order::default() };
            let completed = OrderState { completed_status: "Cancelled by Trader".to_owned(), ..*state("Cancelled") };
            vec![
                Response::CompletedOrder { contract: aapl(), order: placed(&order), state: Box::new(completed) },
                Response::CompletedOrdersEnd,
            ]
        }
        Request::ReqExecutions { req_id, .. } => {
            let order = Order { order_id: 42, order_ref: "ref-1".to_owned(), ..Order::default() };
            vec![
                Response::ExecutionDetails {
                    req_id: *req_id,
                    contract: aapl(),
                    execution: Box::new(execution(&order)),
                },
                Response::ExecutionDetailsEnd { req_id: *req_id },
            ]
        }
        _ => vec![],
    });
    let client = gateway.client();
    for orders in [client.all_open_orders().unwrap(), client.open_orders().unwrap()] {
        let all = orders.collect_to_end_within(WAIT).unwrap();
        let [Orders::OrderData(o), Orders::OrderStatus(s)] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((o.order_id, o.order.order_type.as_str(), o.order.limit_price), (42, "MKT", Some(0.0)));
        assert_eq!((s.order_id, s.remaining), (42, 100.0));
    }
    let completed = client.completed_orders(true).unwrap().collect_to_end_within(WAIT).unwrap();
    let [Orders::OrderData(o)] = completed.as_slice() else { panic!("{completed:?}") };
    assert_eq!((o.order.perm_id, o.order_state.status.clone()), (9_000_000_600, OrderStatusKind::Cancelled));
    assert_eq!(o.order_state.completed_status, "Cancelled by Trader");

    let filter = ExecutionFilter { client_id: Some(7), symbol: "AAPL".to_owned(), ..ExecutionFilter::default() };
    let executions = client.executions(filter).unwrap();
    let request_id = executions.request_id().unwrap();
    let all = executions.collect_to_end_within(WAIT).unwrap();
    let [Executions::ExecutionData(e)] = all.as_slice() else { panic!("{all:?}") };
    assert_execution(e, request_id);

    let asked = gateway.requests(|r| r.len() >= 5);
    assert_eq!(asked[1..3], [Request::ReqAllOpenOrders, Request::ReqOpenOrders]);
    assert_eq!(asked[3], Request::ReqCompletedOrders { api_only: true });
    let Request::ReqExecutions { filter, .. } = &asked[4] else { panic!("{asked:?}") };
    assert_eq!((filter.client_id, filter.symbol.as_str()), (7, "AAPL"));
}

#[test]
fn positions_summary_and_account_updates() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqPositions => vec![
            Response::Position { account: ACCOUNT.to_owned(), contract: aapl(), position: -12.5, avg_cost: 309.16 },
            Response::PositionEnd,
        ],
        Request::ReqAccountSummary { req_id, .. } => vec![
            Response::AccountSummary {
                req_id: *req_id,
                account: ACCOUNT.to_owned(),
                tag: "NetLiquidation".to_owned(),
                value: "36992.49".to_owned(),
                currency: "EUR".to_owned(),
            },
            Response::AccountSummaryEnd { req_id: *req_id },
        ],
        Request::ReqAccountUpdates { subscribe: true, .. } => vec![
            Response::AccountValue {
                key: "CashBalance".to_owned(),
                value: "-1441.67".to_owned(),
                currency: "USD".to_owned(),
                account: ACCOUNT.to_owned(),
            },
            Response::PortfolioValue {
                contract: aapl(),
                position: 4.0,
                market_price: 1.25,
                market_value: 5.0,
                average_cost: 1.5,
                unrealized_pnl: -1.0,
                realized_pnl: 0.5,
                account: ACCOUNT.to_owned(),
            },
            Response::AccountUpdateTime { time: "09:25".to_owned() },
            Response::AccountDownloadEnd { account: ACCOUNT.to_owned() },
        ],
        _ => vec![],
    });
    let client = gateway.client();
    let positions = client.positions().unwrap();
    expect!(positions, PositionUpdate::Position(p) => {
        assert_aapl(&p.contract);
        assert_eq!((p.account.as_str(), p.position, p.average_cost), (ACCOUNT, -12.5, 309.16));
    });
    expect!(positions, PositionUpdate::PositionEnd => ());
    drop(positions);

    let group = AccountGroup("All".to_owned());
    let summary = client.account_summary(&group, &["NetLiquidation"]).unwrap();
    expect!(summary, AccountSummaryResult::Summary(s) => {
        assert_eq!((s.account.as_str(), s.tag.as_str()), (ACCOUNT, "NetLiquidation"));
        assert_eq!((s.value.as_str(), s.currency.as_str()), ("36992.49", "EUR"));
    });
    expect!(summary, AccountSummaryResult::End => ());
    drop(summary);

    let updates = client.account_updates(&AccountId(ACCOUNT.to_owned())).unwrap();
    expect!(updates, AccountUpdate::AccountValue(v) => {
        assert_eq!((v.key.as_str(), v.value.as_str(), v.currency.as_str()), ("CashBalance", "-1441.67", "USD"));
        assert_eq!(v.account.as_deref(), Some(ACCOUNT));
    });
    expect!(updates, AccountUpdate::PortfolioValue(v) => {
        assert_aapl(&v.contract);
        assert_eq!((v.position, v.market_price, v.market_value, v.average_cost), (4.0, 1.25, 5.0, 1.5));
        assert_eq!((v.unrealized_pnl, v.realized_pnl, v.account.as_deref()), (-1.0, 0.5, Some(ACCOUNT)));
    });
    expect!(updates, AccountUpdate::UpdateTime(t) => assert_eq!(t.timestamp, "09:25"));
    expect!(updates, AccountUpdate::End => ());
    drop(updates);

    let asked = gateway.requests(|r| r.len() >= 7);
    assert_eq!(asked[1..3], [Request::ReqPositions, Request::CancelPositions]);
    let Request::ReqAccountSummary { req_id, group, tags } = &asked[3] else { panic!("{asked:?}") };
    assert_eq!((group.as_str(), tags.as_str()), ("All", "NetLiquidation"));
    assert_eq!(asked[4], Request::CancelAccountSummary { req_id: *req_id });
    let account = || ACCOUNT.to_owned();
    assert_eq!(asked[5], Request::ReqAccountUpdates { subscribe: true, account: account() });
    assert!(matches!(asked[6], Request::ReqAccountUpdates { subscribe: false, .. }));
}

#[test]
fn profit_and_loss() {
    let gateway = Scripted::start(|request| match request {
        Request::ReqPnl { req_id, .. } => vec![
            Response::Pnl { req_id: *req_id, daily: -25.5, unrealized: Some(817.25), realized: Some(0.0) },
            Response::Pnl { req_id: *req_id, daily: -24.5, unrealized: None, realized: None },
        ],
        Request::ReqPnlSingle { req_id, .. } => vec![Response::PnlSingle {
            req_id: *req_id,
            position: 4.0,
            daily: -28.0,
            unrealized: Some(-22.5),
            realized: Some(1.5),
            value: 66.5,
        }],
        _ => vec![],
    });
    let client = gateway.client();
    let account = AccountId(ACCOUNT.to_owned());
    let pnl = client.pnl(&account, None).unwrap();
    let first = next!(pnl);
    assert_eq!((first.daily_pnl, first.unrealized_pnl, first.realized_pnl), (-25.5, Some(817.25), Some(0.0)));
    let second = next!(pnl);
    assert_eq!((second.daily_pnl, second.unrealized_pnl, second.realized_pnl), (-24.5, None, None));
    drop(pnl);
    let single = client.pnl_single(&account, ContractId(265_598), None).unwrap();
    let one = next!(single);
    assert_eq!((one.position, one.daily_pnl, one.value), (4.0, -28.0, 66.5));
    assert_eq!((one.unrealized_pnl, one.realized_pnl), (-22.5, 1.5));
    drop(single);

    let asked = gateway.requests(|r| r.len() >= 5);
    let Request::ReqPnl { req_id, account } = &asked[1] else { panic!("{asked:?}") };
    assert_eq!(account, ACCOUNT);
    assert_eq!(asked[2], Request::CancelPnl { req_id: *req_id });
    let Request::ReqPnlSingle { req_id, con_id, .. } = &asked[3] else { panic!("{asked:?}") };
    assert_eq!(*con_id, 265_598);
    assert_eq!(asked[4], Request::CancelPnlSingle { req_id: *req_id });
}

/// The venue itself behind the server, on the synthetic market: every request is followed by half a minute of it.
fn venue_answers() -> impl Fn(&Request) -> Vec<Response> + Send {
    let options = MarketOptions { date: Date::of(2026, 4, 15), start: Some((10, 0)), symbols: 3, seed: 1 };
    let source = market::open(None, &options).unwrap();
    let start = source.start();
    let config = VenueConfig { account: ACCOUNT.to_owned(), delays: Delays::NONE, ..VenueConfig::default() };
    let state = Mutex::new((Venue::new(config, source, 1), start));
    move |request| {
        let mut state = state.lock().unwrap();
        let (venue, now) = &mut *state;
        let mut out = Vec::new();
        venue.handle(*now, ConnId(1), request.clone(), &mut out);
        if matches!(request, Request::StartApi { .. }) {
            return Vec::new();
        }
        *now = *now + 30 * SECOND;
        venue.advance(*now, &mut out);
        out.into_iter().map(|o| o.response).collect()
    }
}

#[test]
fn streams_of_the_venue_are_read() {
    let gateway = Scripted::start(venue_answers());
    let client = gateway.client();
    let stock = IbContract::stock("AAPL").build();
    let last = client.tick_by_tick(&stock, 0).last().unwrap();
    let trade = next!(last);
    assert!(trade.price > 1.0 && trade.size > 0.0 && trade.exchange == "NASDAQ", "{trade:?}");
    drop(last);
    let quotes = client.tick_by_tick(&stock, 0).bid_ask(IgnoreSize::Yes).unwrap();
    let quote = next!(quotes);
    assert!(quote.bid_price > 1.0 && quote.ask_price > quote.bid_price, "{quote:?}");
    drop(quotes);
    let mids = client.tick_by_tick(&stock, 0).mid_point().unwrap();
    assert!(next!(mids).mid_point > 1.0);
    drop(mids);
    let depth = client.market_depth(&stock, 5).smart_depth(SmartDepth::Yes).subscribe().unwrap();
    let MarketDepths::MarketDepthL2(row) = next!(depth) else { panic!("a row of smart depth") };
    assert_eq!((row.position, row.operation, row.side, row.smart_depth), (0, 0, 0, true), "{row:?}");
    assert!(row.price > 1.0 && row.size > 0.0 && !row.market_maker.is_empty(), "{row:?}");
    drop(depth);
    let bars = client.realtime_bars(&stock).subscribe().unwrap();
    let bar = next!(bars);
    assert!(bar.low <= bar.open && bar.close <= bar.high && bar.date.unix_timestamp() % 5 == 0, "{bar:?}");
    drop(bars);
    let exchanges = client.market_depth_exchanges().unwrap();
    assert!(exchanges.iter().any(|e| e.exchange_name == "ISLAND" && e.security_type == "STK"), "{exchanges:?}");
}

#[test]
fn history_of_the_venue_is_read() {
    let gateway = Scripted::start(venue_answers());
    let client = gateway.client();
    let stock = IbContract::stock("AAPL").build();
    let first = client.head_timestamp(&stock, WhatToShow::Trades, TradingHours::Regular).unwrap();
    assert_eq!(first.unix_timestamp(), Date::of(2026, 4, 14).at(9, 30).secs(), "the previous day's open");
    let at = time::OffsetDateTime::from_unix_timestamp(Date::of(2026, 4, 15).at(10, 5).secs()).unwrap();
    let ticks = client.historical_ticks(&stock, 10).ending(at).trade().unwrap();
    let tick = next!(ticks);
    assert!(tick.price > 1.0 && tick.size.is_some_and(|s| s > 0.0), "{tick:?}");
    let ticks = client.historical_ticks(&stock, 10).ending(at).bid_ask(IgnoreSize::No).unwrap();
    let tick = next!(ticks);
    assert!(tick.price_ask > tick.price_bid, "{tick:?}");
    let points = client.histogram_data(&stock, TradingHours::Regular, BarSize::Day).unwrap();
    assert!(points.len() > 5 && points.iter().all(|p| p.price > 1.0), "{points:?}");
    let schedule = client.historical_schedules(&stock, 3.days()).fetch().unwrap();
    let days: Vec<String> = schedule.sessions.iter().map(|s| s.reference.to_string()).collect();
    assert_eq!(days, ["2026-04-13", "2026-04-14", "2026-04-15"]);
    let kept = client.historical_data(&stock, BarSize::Min).duration(1.days()).stream().unwrap();
    let HistoricalBarUpdate::Historical(told) = next!(kept) else { panic!("the bars come first") };
    assert!(told.bars.len() > 20, "{}", told.bars.len());
    let bar = loop {
        match next!(kept) {
            HistoricalBarUpdate::Update(bar) => break bar,
            _ => continue,
        }
    };
    assert!(bar.close > 1.0, "{bar:?}");
}

#[test]
fn look_ups_of_the_venue_are_read() {
    let gateway = Scripted::start(venue_answers());
    let client = gateway.client();
    let positions = client.positions_multi(None, None).unwrap();
    assert!(matches!(next!(positions), PositionUpdateMulti::PositionEnd));
    drop(positions);
    let account = AccountId(ACCOUNT.to_owned());
    let updates = client.account_updates_multi(Some(&account), None).unwrap();
    let mut net = None;
    while let AccountUpdateMulti::AccountMultiValue(value) = next!(updates) {
        if value.key == "NetLiquidation" {
            net = value.value.parse::<f64>().ok();
        }
    }
    assert_eq!(net, Some(1_000_000.0));
    drop(updates);
    assert_eq!(client.family_codes().unwrap()[0].account_id, ACCOUNT);
    assert_eq!(client.soft_dollar_tiers().unwrap(), []);
    assert_eq!(client.user_info().unwrap().white_branding_id, "");
    assert!(client.server_time_millis().unwrap().unix_timestamp() >= Date::of(2026, 4, 15).at(10, 0).secs());
    let found = client.matching_symbols("AAP").unwrap();
    assert_eq!(found[0].contract.contract_id, 265_598);
    let components = client.smart_components("9c0001").unwrap();
    assert!(components.iter().any(|c| c.exchange == "NASDAQ" && c.exchange_letter == "Q"), "{components:?}");
    let config = client.config().unwrap();
    let api = config.api.unwrap();
    assert_eq!(api.precautions.unwrap().bypass_order_precautions, Some(true));
    assert_eq!(api.settings.unwrap().read_only_api, Some(false));
}

#[test]
fn what_is_not_served_is_told_with_its_request_id() {
    let gateway = Scripted::start(|request| match request {
        Request::Unserved { req_id, .. } => vec![error(*req_id, 321, "not served by this gateway")],
        _ => vec![],
    });
    let client = gateway.client();
    let refused = client.wsh_metadata().unwrap_err();
    assert!(refused.to_string().contains("not served by this gateway"), "{refused}");
    let asked = gateway.requests(|r| r.len() >= 2);
    assert!(matches!(asked[1], Request::Unserved { msg_id: 100, req_id } if req_id > 0), "{asked:?}");
}

#[test]
fn a_client_id_in_use_is_told_before_the_connection_ends() {
    let mut server = Server::bind("127.0.0.1:0", ServerOptions::new(session_start)).unwrap();
    let address = server.local_addr().to_string();
    let connecting = std::thread::spawn(move || {
        Client::builder().address(address).client_id(7).max_reconnect_attempts(0).connect().map(|_| ())
    });
    let (conn, request) = server.incoming().recv_timeout(WAIT).unwrap();
    assert_eq!((conn, request), (ConnId(1), Request::StartApi { client_id: 7 }));
    for response in [error(-1, 326, "Unable to connect as the client id is already in use."), Response::Disconnect] {
        server.send(Outgoing { conn, response });
    }
    server.flush();
    let refused = connecting.join().unwrap().unwrap_err();
    assert!(matches!(refused, ibapi::Error::ClientIdInUse { client_id: 7 }), "{refused}");
    assert_eq!(server.incoming().recv_timeout(WAIT).unwrap(), (ConnId(1), Request::Disconnected));
}

#[test]
fn every_served_version_is_negotiated() {
    for version in 213..=226 {
        let options = ServerOptions { max_version: version, ..ServerOptions::new(session_start) };
        let mut server = Server::bind("127.0.0.1:0", options).unwrap();
        let address = server.local_addr().to_string();
        let connecting = std::thread::spawn(move || {
            Client::builder()
                .address(address)
                .client_id(7)
                .max_reconnect_attempts(0)
                .connect()
                .map(|c| c.server_version())
        });
        let (conn, _) = server.incoming().recv_timeout(WAIT).unwrap();
        server.send(Outgoing { conn, response: Response::ManagedAccounts { accounts: ACCOUNT.to_owned() } });
        server.send(Outgoing { conn, response: Response::NextValidId { order_id: 1 } });
        server.flush();
        assert_eq!(connecting.join().unwrap().unwrap(), version);
    }
}
