//! The gateway adapter over TCP, through ibapi, against a scripted gateway: what a session needs, and what real
//! gateways do to it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test waits in wall time and says so by panicking"
)]

mod broker_support;

use broker_support::*;
use ibkr_trader::broker::ib::{BrokerError, Config, Halt, IbBroker, Listing};
use ibkr_trader::broker::port::{BrokerLink, BrokerSink, Lane, LinkError, Queries, Query};
use ibkr_trader::clock::ScaledClock;
use ibkr_trader::domain::{ConnEpoch, Money, OrderId, Price, Qty, SymbolId};
use ibkr_trader::message::{
    BrokerEvent, BrokerStatus, ExecutionFact, LinkState, MarketEvent, SnapshotKind, StatusKind, WhatIfFact,
};
use ibkr_trader::pipeline::GRID;
use ibkr_trader::sim::api::{Order, Request, Response};

fn gateway(script: Script) -> Gateway {
    Gateway::start("127.0.0.1:0", script)
}

fn refusal(config: Config, universe: &[Listing]) -> BrokerError {
    match IbBroker::connect(config, universe, 1, || Ok(ScaledClock::real_time())) {
        Ok(_) => panic!("connected"),
        Err(e) => e,
    }
}

fn snapshot_end(kind: SnapshotKind) -> impl Fn(&BrokerEvent) -> Option<(bool, ConnEpoch)> {
    move |e| match e {
        BrokerEvent::SnapshotEnd { kind: k, complete, epoch } if *k == kind => Some((*complete, *epoch)),
        _ => None,
    }
}

fn link(state: impl Fn(&LinkState) -> bool) -> impl Fn(&BrokerEvent) -> Option<LinkState> {
    move |e| match e {
        BrokerEvent::Link(s) if state(s) => Some(*s),
        _ => None,
    }
}

fn up(epoch: u32) -> impl Fn(&BrokerEvent) -> Option<OrderId> {
    move |e| match e {
        BrokerEvent::Link(LinkState::Up { epoch: ConnEpoch(n), next_order_id }) if *n == epoch => Some(*next_order_id),
        _ => None,
    }
}

fn placed(request: &Request) -> Option<Order> {
    match request {
        Request::PlaceOrder { order, .. } => Some(order.clone()),
        _ => None,
    }
}

fn execution(e: &BrokerEvent) -> Option<ExecutionFact> {
    match e {
        BrokerEvent::Execution(x) => Some(*x),
        _ => None,
    }
}

fn status_of(id: i32, wanted: BrokerStatus) -> impl Fn(&BrokerEvent) -> Option<()> {
    move |e| matches!(e, BrokerEvent::Status(s) if s.order_id == OrderId(id) && s.status == wanted).then_some(())
}

fn bid_of(symbol: u16, bid: Price) -> impl Fn(&MarketEvent) -> Option<()> {
    move |e| matches!(e, MarketEvent::Tick(t) if t.symbol == SymbolId(symbol) && t.bid == bid).then_some(())
}

#[test]
fn a_session_begins_with_history_and_snapshots_and_ticks_flow() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    assert_eq!(rig.broker.instruments()[1].symbol, "MSFT");
    assert_eq!(rig.broker.instruments()[1].tick_at(Price(500_000)), Price(100));
    assert_eq!(rig.facts.wait("the link", up(1)), OrderId(100));
    for kind in [SnapshotKind::OpenOrders, SnapshotKind::CompletedOrders, SnapshotKind::Executions] {
        assert_eq!(rig.facts.wait("a snapshot", snapshot_end(kind)), (true, ConnEpoch(1)));
    }
    rig.facts.wait("the short position", |e| {
        matches!(e, BrokerEvent::Position(p) if p.symbol == Some(SymbolId(1)) && p.qty == Qty(-200)).then_some(())
    });
    rig.facts.wait("positions", snapshot_end(SnapshotKind::Positions));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    // The summary and the stream come in either order; figures that didn't come are unknown.
    let money = |dollars: f64| Money::from_f64(dollars);
    for expected in [(money(100_000.5), None, money(400_000.0)), (money(99_000.0), money(55_000.0), None)] {
        let told = move |e: &BrokerEvent| match e {
            BrokerEvent::Account { net_liquidation, cash, buying_power, .. } => {
                ((*net_liquidation, *cash, *buying_power) == expected).then_some(())
            }
            _ => None,
        };
        if !rig.facts.seen.iter().any(|e| told(e).is_some()) {
            rig.facts.wait("the account's figures", told);
        }
    }

    gateway.wait_asked(TRADE, |r| {
        matches!(r, Request::ReqMktData { contract, .. } if contract.con_id == CON_IDS[1]).then_some(())
    });
    gateway.quote(CON_IDS[0], 200.10, 200.12);
    rig.market.wait("a tick", |e| {
        matches!(e, MarketEvent::Tick(t) if t.ask == Price(200_120_000) && t.bid_size == 100).then_some(())
    });
    let timer = rig.market.wait("a timer", |e| matches!(e, MarketEvent::Timer(_)).then(|| e.at()));
    assert_eq!(timer.floor_to(GRID), timer);

    let seen = &rig.market.seen;
    let bars: Vec<_> = seen.iter().filter(|e| matches!(e, MarketEvent::History(_))).collect();
    assert_eq!(bars.len(), 4, "two complete bars of each symbol");
    assert!(bars.windows(2).all(|w| w[0].at() <= w[1].at()), "oldest first");
    let first_live = seen.iter().position(|e| matches!(e, MarketEvent::Tick(_) | MarketEvent::Timer(_))).unwrap();
    assert!(seen[first_live..].iter().all(|e| !matches!(e, MarketEvent::History(_))), "history before all else");
    let live: Vec<_> = seen.iter().filter(|e| matches!(e, MarketEvent::Tick(_) | MarketEvent::Timer(_))).collect();
    assert!(live.windows(2).all(|w| w[0].at() <= w[1].at()), "stamps never go back");
    rig.broker.shutdown();
    gateway.wait_asked(TRADE, |r| (*r == Request::Disconnected).then_some(()));
    let cancelled = gateway.asked(TRADE, |r| matches!(r, Request::CancelMktData { .. }).then_some(()));
    assert_eq!(cancelled.len(), 2, "an orderly end closes the lines");
}

#[test]
fn an_order_lives_from_submission_to_commission() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the link", up(1));
    let mut link = rig.broker.link();
    while link.epoch().is_none() {
        std::thread::yield_now();
    }
    link.submit(&terms(100, 0, 300, 200.11), Lane::New).unwrap();
    rig.facts.wait("the acknowledgement", status_of(100, BrokerStatus::Submitted));
    let sent = gateway.wait_asked(TRADE, placed);
    assert_eq!((sent.order_id, sent.total_quantity, sent.limit_price), (100, 300.0, Some(200.11)));
    assert_eq!((sent.tif.as_str(), sent.account.as_str(), sent.order_ref.as_str()), ("GTD", ACCOUNT, "dep|1|1|aa"));
    assert!(sent.transmit && !sent.outside_rth && sent.good_till_date.len() == 17);

    link.modify(&terms(100, 0, 300, 200.13), Lane::New).unwrap();
    while gateway.asked(TRADE, placed).len() < 2 {
        std::thread::yield_now();
    }
    assert_eq!(gateway.wait_asked(TRADE, placed).limit_price, Some(200.13));

    let order = Order { client_id: TRADE, perm_id: 9_100, ..sent };
    gateway.send(TRADE, fill(&order, 0, "0001.01", 100.0, 200.13));
    gateway.send(
        TRADE,
        Response::CommissionReport {
            exec_id: "0001.01".into(),
            commission: 1.0,
            currency: "USD".into(),
            realized_pnl: None,
        },
    );
    let fact = rig.facts.wait("the fill", execution);
    assert_eq!((fact.order_id, fact.qty, fact.price), (OrderId(100), Qty(100), Price(200_130_000)));
    let commission = rig.facts.wait("the commission", |e| match e {
        BrokerEvent::Commission(c) => Some((c.exec_id.to_string(), c.commission)),
        _ => None,
    });
    assert_eq!(commission, ("0001.01".to_string(), Money(1_000_000)));

    link.cancel(OrderId(100)).unwrap();
    rig.facts.wait("the cancellation", status_of(100, BrokerStatus::Cancelled));
    let code = rig.facts.wait("its notice", |e| match e {
        BrokerEvent::Error(x) if x.id == 100 => Some(x.code),
        _ => None,
    });
    assert_eq!(code, 202);
    gateway.send(TRADE, fill(&order, 0, "0002.01", 50.0, 200.13));
    assert_eq!(rig.facts.wait("a late fill", execution).qty, Qty(50), "the cancel displaced no stream");
    rig.broker.shutdown();
}

#[test]
fn a_killed_gateway_is_found_again_and_everything_is_reconciled() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the link", up(1));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    let mut orders = rig.broker.link();
    gateway.wait_asked(TRADE, |r| {
        matches!(r, Request::ReqMktData { contract, .. } if contract.con_id == CON_IDS[1]).then_some(())
    });
    gateway.quote(CON_IDS[0], 200.10, 200.12);
    rig.market.wait("a tick", bid_of(0, Price(200_100_000)));
    assert_eq!(orders.epoch(), Some(ConnEpoch(1)));

    let address = gateway.stop();
    rig.facts.wait("the loss", link(|s| *s == LinkState::Down));
    rig.market.wait("the loss of data", |e| matches!(e, MarketEvent::DataLink { up: false, .. }).then_some(()));
    assert_eq!(orders.submit(&terms(101, 0, 100, 200.0), Lane::New), Err(LinkError::NotConnected));
    assert_eq!(orders.epoch(), None);

    let missed = Order { order_id: 100, client_id: TRADE, perm_id: 9_100, ..Order::default() };
    let gateway = Gateway::start(
        &address,
        Script { executions: vec![fill(&missed, 0, "0009.01", 100.0, 200.0)], ..Script::default() },
    );
    rig.facts.wait("the new link", up(2));
    rig.facts.wait("the fill that the outage hid", execution);
    assert_eq!(rig.facts.wait("fills", snapshot_end(SnapshotKind::Executions)), (true, ConnEpoch(2)));
    rig.market.wait("data again", |e| matches!(e, MarketEvent::DataLink { up: true, .. }).then_some(()));
    gateway.wait_asked(TRADE, |r| {
        matches!(r, Request::ReqMktData { contract, .. } if contract.con_id == CON_IDS[0]).then_some(())
    });
    gateway.tick(CON_IDS[0], |req_id| Response::TickPrice {
        req_id,
        tick_type: 2,
        price: 200.5,
        size: 7.0,
        attr_mask: 0,
    });
    let bid = rig.market.wait("a tick of the new line", |e| match e {
        MarketEvent::Tick(t) if t.ask == Price(200_500_000) => Some(t.bid),
        _ => None,
    });
    assert_eq!(bid, Price::NONE, "no price of the old connection survives");
    assert_eq!(orders.epoch(), Some(ConnEpoch(2)));
    orders.submit(&terms(101, 0, 100, 200.0), Lane::New).unwrap();
    rig.facts.wait("the order of the new epoch", status_of(101, BrokerStatus::Submitted));
    let bars = rig.market.drain().iter().filter(|e| matches!(e, MarketEvent::History(_))).count();
    assert_eq!(bars, 4, "history is told once a session");
    rig.broker.shutdown();
}

#[test]
fn working_orders_that_the_handshake_tells_are_passed_on() {
    let order = Order {
        order_id: 42,
        client_id: TRADE,
        perm_id: 77,
        action: Some(ibkr_trader::domain::Side::Buy),
        total_quantity: 100.0,
        order_type: "LMT".into(),
        limit_price: Some(199.0),
        tif: "GTC".into(),
        account: ACCOUNT.into(),
        order_ref: "dep|0|9|bb".into(),
        ..Order::default()
    };
    let startup =
        vec![open_order(&contract(0), &order, "Submitted"), status(&order, "Submitted", 0.0), Response::OpenOrderEnd];
    let gateway = gateway(Script { startup: startup.clone(), open_orders: startup[..2].to_vec(), ..Script::default() });
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the link", up(1));
    let told = |e: &BrokerEvent| match e {
        BrokerEvent::OpenOrder(o) => Some((o.order_id, o.symbol, o.order_ref.to_string())),
        _ => None,
    };
    let expected = (OrderId(42), Some(SymbolId(0)), "dep|0|9|bb".to_string());
    assert_eq!(rig.facts.wait("the unasked order", told), expected);
    assert_eq!(rig.facts.wait("the order in the snapshot", told), expected);
    assert_eq!(rig.facts.wait("the end", snapshot_end(SnapshotKind::OpenOrders)), (true, ConnEpoch(1)));
    rig.broker.shutdown();
}

#[test]
fn a_snapshot_without_its_end_is_not_complete() {
    let gateway = gateway(Script { mute: ["ReqExecutions"].into(), ..Script::default() });
    let mut rig = Rig::start(config(&gateway.address));
    assert_eq!(rig.facts.wait("fills", snapshot_end(SnapshotKind::Executions)), (false, ConnEpoch(1)));
    assert_eq!(rig.facts.wait("positions", snapshot_end(SnapshotKind::Positions)), (true, ConnEpoch(1)));
    assert_eq!(rig.broker.metrics().queries_incomplete, 1);
    rig.broker.shutdown();
}

#[test]
fn what_ifs_are_answered_always_and_never_meet_the_order_stream() {
    let gateway = gateway(Script { margins: Some(1_500.25), empty_answer_first: true, ..Script::default() });
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    let answer = |e: &BrokerEvent| match e {
        BrokerEvent::WhatIf(w) => Some(*w),
        _ => None,
    };
    let mut link = rig.broker.link();
    link.what_if(&terms(555, 0, 100, 200.0)).unwrap();
    let fact: WhatIfFact = rig.facts.wait("the answer", answer);
    assert_eq!((fact.order_id, fact.init_margin_change), (OrderId(555), Some(Money(1_500_250_000))));
    assert_eq!((fact.commission, fact.warned), (Some(Money(1_000_000)), false));
    assert!(gateway.asked(TRADE, placed).is_empty(), "asked on the worker's connection");

    gateway.script.lock().unwrap().margins = None;
    link.what_if(&terms(556, 0, 100, 200.0)).unwrap();
    let fact: WhatIfFact = rig.facts.wait("the answer that stands for none", answer);
    assert_eq!((fact.order_id, fact.init_margin_change, fact.warned), (OrderId(556), None, true));
    let orders = rig.facts.drain().iter().filter(|e| matches!(e, BrokerEvent::OpenOrder(_))).count();
    assert_eq!(orders, 0);
    rig.broker.shutdown();
}

#[test]
fn the_gateways_own_losses_freeze_and_reconcile_without_a_new_socket() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    gateway.wait_asked(TRADE, |r| {
        matches!(r, Request::ReqMktData { contract, .. } if contract.con_id == CON_IDS[1]).then_some(())
    });

    gateway.send(TRADE, error(-1, 1100, "Connectivity between IBKR and Trader Workstation has been lost."));
    rig.facts.wait("the loss", link(|s| *s == LinkState::Lost));
    rig.market.wait("suspect data", |e| matches!(e, MarketEvent::DataLink { up: false, .. }).then_some(()));
    gateway.send(TRADE, error(-1, 1101, "Connectivity has been restored - data lost."));
    rig.facts.wait("the return", link(|s| *s == LinkState::Restored));
    for kind in [SnapshotKind::OpenOrders, SnapshotKind::Executions, SnapshotKind::Positions] {
        assert_eq!(rig.facts.wait("a snapshot", snapshot_end(kind)), (true, ConnEpoch(1)));
    }
    let lines = || gateway.asked(TRADE, |r| matches!(r, Request::ReqMktData { .. }).then_some(())).len();
    let began = std::time::Instant::now();
    while lines() < 4 {
        assert!(began.elapsed() < PATIENCE, "{} lines", lines());
        std::thread::yield_now();
    }
    gateway.quote(CON_IDS[1], 412.3, 412.4);
    rig.market.wait("a tick of the new line", bid_of(1, Price(412_300_000)));

    gateway.send(TRADE, error(-1, 2103, "Market data farm connection is broken:jfarm"));
    gateway.send(TRADE, error(-1, 2103, "Market data farm connection is broken:usfarm"));
    rig.market.wait("a broken farm", |e| matches!(e, MarketEvent::DataLink { up: false, .. }).then_some(()));
    gateway.send(TRADE, error(-1, 2104, "Market data farm connection is OK:usfarm"));
    rig.market.wait("its return", |e| matches!(e, MarketEvent::DataLink { up: true, .. }).then_some(()));
    gateway.send(TRADE, error(-1, 2148, "margin"));
    rig.facts.wait("a margin warning", |e| matches!(e, BrokerEvent::Error(x) if x.code == 2148).then_some(()));
    assert_eq!(rig.broker.epoch(), Some(ConnEpoch(1)));
    assert_eq!(gateway.asked(TRADE, |r| matches!(r, Request::StartApi { .. }).then_some(())).len(), 1);
    rig.broker.shutdown();
}

#[test]
fn a_worker_that_loses_its_connection_gets_it_back_and_the_epoch_stays() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    gateway.hang_up(WORKER);
    let mut queries = rig.broker.queries();
    let complete = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        queries.ask(Query::Positions) && rig.facts.wait("positions", snapshot_end(SnapshotKind::Positions)).0
    });
    assert!(complete);
    assert_eq!(rig.broker.epoch(), Some(ConnEpoch(1)));
    rig.broker.shutdown();
}

#[test]
fn refused_lines_and_warned_ones() {
    let refused = [(CON_IDS[0], 354)].into();
    let gateway = gateway(Script { refused_lines: refused, ..Script::default() });
    let mut rig = Rig::start(config(&gateway.address));
    let no_line = |e: &MarketEvent| match e {
        MarketEvent::Status(s) if s.symbol == SymbolId(0) => match s.kind {
            StatusKind::NoLine(code) => Some(code),
            _ => None,
        },
        _ => None,
    };
    assert_eq!(rig.market.wait("the refusal", no_line), 354);
    gateway.wait_asked(TRADE, |r| {
        matches!(r, Request::ReqMktData { contract, .. } if contract.con_id == CON_IDS[1]).then_some(())
    });
    gateway.tick(CON_IDS[1], |req_id| {
        error(req_id, 10167, "Requested market data is not subscribed. Displaying delayed.")
    });
    gateway.tick(CON_IDS[1], |req_id| Response::MarketDataType { req_id, market_data_type: 3 });
    gateway.tick(CON_IDS[1], |req_id| Response::TickPrice {
        req_id,
        tick_type: 66,
        price: 412.0,
        size: 1.0,
        attr_mask: 0,
    });
    rig.market.wait("the delayed tick", bid_of(1, Price(412_000_000)));
    let delayed = rig.market.drain().iter().any(
        |e| matches!(e, MarketEvent::Status(s) if s.symbol == SymbolId(1) && s.kind == StatusKind::MarketDataType(3)),
    );
    assert!(delayed);
    gateway.tick(CON_IDS[1], |req_id| error(req_id, 10197, "No market data during competing live session"));
    rig.facts.wait("the competing session", |e| {
        matches!(e, BrokerEvent::Error(x) if x.id == -1 && x.code == 10_197).then_some(())
    });
    rig.broker.shutdown();

    let mut rig = Rig::start(Config { line_budget: 1, ..config(&gateway.address) });
    let over_budget = |e: &MarketEvent| match e {
        MarketEvent::Status(s) if s.symbol == SymbolId(1) && s.kind == StatusKind::NoLine(0) => Some(()),
        _ => None,
    };
    rig.market.wait("the symbol beyond the budget", over_budget);
    rig.broker.shutdown();
}

#[test]
fn the_message_budget_refuses_before_the_socket() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    let mut link = rig.broker.link();
    assert_eq!(link.epoch(), Some(ConnEpoch(1)));
    let refused = (100..180).find_map(|id| link.submit(&terms(id, 0, 1, 200.0), Lane::New).err());
    assert!(matches!(refused, Some(LinkError::Paced { wait }) if wait > 0), "{refused:?}");
    link.cancel(OrderId(100)).expect("cancels have a reserve");
    rig.broker.shutdown();
}

#[test]
fn a_message_that_cannot_be_read_costs_a_reconciliation_and_no_fill() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    let order = Order { order_id: 100, client_id: TRADE, perm_id: 9_100, ..Order::default() };
    // An order without a side ends ibapi's stream.
    gateway.send(TRADE, open_order(&contract(0), &order, "Submitted"));
    rig.facts.wait("doubt", link(|s| *s == LinkState::Restored));
    assert_eq!(rig.facts.wait("fills", snapshot_end(SnapshotKind::Executions)), (true, ConnEpoch(1)));
    gateway.send(TRADE, fill(&order, 0, "0001.01", 100.0, 200.13));
    rig.facts.wait("the fill after it", execution);
    assert_eq!(rig.broker.metrics().unreadable, 1);
    assert_eq!(rig.broker.epoch(), Some(ConnEpoch(1)));
    rig.broker.shutdown();
}

#[test]
#[ignore = "three heartbeats at the shortest period that gateways answer: 20 seconds"]
fn a_half_open_socket_is_found_by_silence() {
    let gateway = gateway(Script { mute: ["ReqCurrentTime"].into(), ..Script::default() });
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the account", snapshot_end(SnapshotKind::Account));
    rig.facts.wait("the loss", link(|s| *s == LinkState::Down));
    assert_eq!(rig.broker.metrics().heartbeats_missed, 3);
    rig.facts.wait("a new connection", up(2));
    rig.broker.shutdown();
}

#[test]
fn a_login_that_loses_the_account_ends_the_session_with_its_reason() {
    let gateway = gateway(Script::default());
    let mut rig = Rig::start(config(&gateway.address));
    rig.facts.wait("the link", up(1));
    gateway.script.lock().unwrap().accounts = Some("DU7654321".into());
    gateway.hang_up(TRADE);
    rig.facts.wait("the loss", link(|s| *s == LinkState::Down));
    let began = std::time::Instant::now();
    while rig.broker.halted().is_none() {
        assert!(began.elapsed() < PATIENCE, "it goes on with a foreign account");
        std::thread::yield_now();
    }
    let why = rig.broker.halted().unwrap().to_string();
    assert!(why.contains("DU7654321, not DU1234567"), "{why}");
    rig.broker.shutdown();
}

#[test]
fn a_ring_of_facts_that_stays_full_halts_the_adapter() {
    struct Full;
    impl BrokerSink for Full {
        fn push(&mut self, _: BrokerEvent) -> bool {
            false
        }
    }
    let gateway = gateway(Script::default());
    let mut broker =
        IbBroker::connect(config(&gateway.address), &universe(), 1, || Ok(ScaledClock::real_time())).unwrap();
    let (market, _told) = Told::new();
    broker.start(market, Full).unwrap();
    let began = std::time::Instant::now();
    while broker.halted().is_none() {
        assert!(began.elapsed() < PATIENCE, "facts are lost without a word");
        std::thread::yield_now();
    }
    assert_eq!(broker.halted(), Some(Halt::FactsBlocked));
    let mut link = broker.link();
    broker.shutdown();
    assert_eq!(link.epoch(), None, "nothing can be sent any more");
}

#[test]
fn what_is_wrong_is_said_in_one_sentence() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let told = refusal(Config { connect_wait_s: 0, ..config(&free) }, &universe()).to_string();
    assert!(told.contains(&free) && told.contains("API settings"), "{told}");

    let gateway = gateway(Script::default());
    let at = config(&gateway.address);
    let other = Config { account: "DU0000001".into(), ..at.clone() };
    let told = refusal(other, &universe()).to_string();
    assert!(told.contains("DU1234567, DU7654321") && told.contains("[broker] account"), "{told}");
    let told = refusal(at.clone(), &[Listing::of("NOPE")]).to_string();
    assert!(told.contains("NOPE"), "{told}");
    let twice = [Listing::of("AAPL"), Listing::of("AAPL")];
    assert!(matches!(refusal(at.clone(), &twice), BrokerError::Universe(_)));
    gateway.script.lock().unwrap().taken.insert(TRADE);
    let told = refusal(Config { connect_wait_s: 0, ..at.clone() }, &universe()).to_string();
    assert!(told.contains("client id 10") && told.contains("in use"), "{told}");
    {
        let mut script = gateway.script.lock().unwrap();
        script.taken = [WORKER].into();
    }
    let told = refusal(at, &universe()).to_string();
    assert!(told.contains("worker_client_id"), "{told}");
}
