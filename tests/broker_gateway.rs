//! The gateway adapter against the project's own simulated gateway, two processes over TCP on one scaled clock.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test waits in wall time and says so by panicking"
)]

mod broker_support;
mod raw_client;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use broker_support::{PATIENCE, Rig, Told, terms};
use ibkr_trader::broker::ib::{BrokerError, Config, IbBroker, Listing};
use ibkr_trader::broker::port::{BrokerLink, Lane, Queries, Query};
use ibkr_trader::clock::{ClockFile, MINUTE, ScaledClock, SessionTime};
use ibkr_trader::domain::{ConnEpoch, OrderId, Price, Qty, SymbolId, Tif};
use ibkr_trader::message::{
    BrokerEvent, BrokerStatus, LinkState, MarketEvent, OrderTerms, SnapshotKind, StatusKind, Tick, WhatIfFact,
};
use ibkr_trader::sim::market::{self, MarketOptions};

const ACCOUNT: &str = "DU9000001";
const SYMBOLS: usize = 4;

/// A gateway process, killed with its test.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(listen: &str, clock_file: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"))
            .args(["gateway", "--listen", listen, "--speed", "20", "--start", "10:30", "--account", ACCOUNT])
            .args(["--symbols", &SYMBOLS.to_string(), "--clock-file"])
            .arg(clock_file)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").expect("it says where it listens").to_string();
        Self { child, address }
    }

    /// As a crash: no goodbye, nothing saved.
    fn kill(mut self) -> String {
        self.end();
        self.address.clone()
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn clock_of(file: &Path) -> Result<ScaledClock, BrokerError> {
    let began = std::time::Instant::now();
    loop {
        match ClockFile::read(file) {
            Ok(file) => return Ok(ScaledClock::from_file(&file)),
            Err(e) if began.elapsed() > PATIENCE => return Err(BrokerError::Clock(e.to_string())),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
}

fn start(gateway: &Process, clock_file: PathBuf) -> Rig {
    connect(&gateway.address, clock_file)
}

fn connect(address: &str, clock_file: PathBuf) -> Rig {
    let source = market::open(None, &MarketOptions { symbols: SYMBOLS, ..MarketOptions::default() }).unwrap();
    let universe: Vec<_> = source.references().iter().map(|r| Listing::of(&r.symbol)).collect();
    let config =
        Config { account: ACCOUNT.into(), history_bars: 130, query_timeout_s: 5, ..broker_support::config(address) };
    let mut broker = IbBroker::connect(config, &universe, 1, move || clock_of(&clock_file)).unwrap();
    let (market_sink, market) = Told::new();
    let (fact_sink, facts) = Told::new();
    broker.start(market_sink, fact_sink).unwrap();
    Rig { broker, market, facts }
}

fn up(n: u32) -> impl Fn(&BrokerEvent) -> Option<OrderId> {
    move |e| match e {
        BrokerEvent::Link(LinkState::Up { epoch, next_order_id }) if *epoch == ConnEpoch(n) => Some(*next_order_id),
        _ => None,
    }
}

fn snapshot(kind: SnapshotKind) -> impl Fn(&BrokerEvent) -> Option<bool> {
    move |e| match e {
        BrokerEvent::SnapshotEnd { kind: k, complete, .. } if *k == kind => Some(*complete),
        _ => None,
    }
}

/// A two-sided quote of the first symbol.
fn quote(e: &MarketEvent) -> Option<Tick> {
    match e {
        MarketEvent::Tick(t) if t.symbol == SymbolId(0) && t.bid.is_some() && t.ask.is_some() => Some(*t),
        _ => None,
    }
}

/// Terms that the session's clock understands: good for ten minutes of session time.
fn good_for(at: SessionTime, terms: OrderTerms) -> OrderTerms {
    OrderTerms { tif: Tif::Gtd(SessionTime(at.0 + 10 * MINUTE)), ..terms }
}

fn history_is_whole(rig: &mut Rig) {
    rig.market.wait("the grid", |e| matches!(e, MarketEvent::Timer(_)).then_some(()));
    let bars: Vec<_> = rig
        .market
        .seen
        .iter()
        .filter_map(|e| match e {
            MarketEvent::History(b) => Some(*b),
            _ => None,
        })
        .collect();
    for symbol in 0..SYMBOLS {
        let own = bars.iter().filter(|b| b.symbol.index() == symbol).count();
        assert!(own >= 120, "symbol {symbol} has {own} bars of history");
    }
    assert!(bars.windows(2).all(|w| w[0].start <= w[1].start));
    let told = rig
        .market
        .seen
        .iter()
        .any(|e| matches!(e, MarketEvent::Status(s) if matches!(s.kind, StatusKind::PriorClose(p) if p.is_some())));
    assert!(told, "a prior close");
}

#[test]
fn a_session_trades_and_outlives_its_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let clock_file = folder.path().join("clock.json");
    let gateway = Process::start("127.0.0.1:0", &clock_file);
    let mut rig = start(&gateway, clock_file.clone());
    let first_id = rig.facts.wait("the link", up(1));
    for kind in [SnapshotKind::OpenOrders, SnapshotKind::CompletedOrders] {
        assert!(rig.facts.wait("a snapshot", snapshot(kind)), "{kind:?}");
    }
    // A gateway may leave the end of an empty list of fills out.
    rig.facts.wait("fills", snapshot(SnapshotKind::Executions));
    assert!(rig.facts.wait("positions", snapshot(SnapshotKind::Positions)));
    assert!(rig.facts.wait("the account", snapshot(SnapshotKind::Account)));
    history_is_whole(&mut rig);

    let tick = rig.market.wait("a quote", quote);
    let mut link = rig.broker.link();
    assert_eq!(link.epoch(), Some(ConnEpoch(1)));
    let ask = tick.ask.to_f64();

    // A what-if, asked on the worker's connection.
    link.what_if(&good_for(tick.at, terms(first_id.0, 0, 100, ask))).unwrap();
    let fact: WhatIfFact = rig.facts.wait("the what-if", |e| match e {
        BrokerEvent::WhatIf(w) => Some(*w),
        _ => None,
    });
    assert!(fact.init_margin_change.is_some() && fact.order_id == first_id, "{fact:?}");

    // A marketable buy: acknowledged, filled, charged.
    let cross = tick.ask + Price(50 * 10_000);
    link.submit(&good_for(tick.at, terms(first_id.0, 0, 100, cross.to_f64())), Lane::New).unwrap();
    rig.facts.wait("the acknowledgement", |e| {
        matches!(e, BrokerEvent::OpenOrder(o) if o.order_id == first_id && o.symbol == Some(SymbolId(0))).then_some(())
    });
    let mut filled = Qty::ZERO;
    let mut exec_id = None;
    while filled < Qty(100) {
        let x = rig.facts.wait("a fill", |e| match e {
            BrokerEvent::Execution(x) if x.order_id == first_id => Some(*x),
            _ => None,
        });
        assert!(x.price <= cross && x.broker_time.is_some() && x.order_ref.as_str() == "dep|1|1|aa", "{x:?}");
        filled += x.qty;
        exec_id = Some(x.exec_id);
    }
    let charged = rig.facts.wait("the commission", |e| match e {
        BrokerEvent::Commission(c) if Some(c.exec_id) == exec_id => Some(c.commission),
        _ => None,
    });
    assert!(charged.0 > 0);

    // A passive buy: acknowledged, cancelled.
    let second = OrderId(first_id.0 + 1);
    link.submit(&good_for(tick.at, terms(second.0, 0, 100, (ask * 0.9).floor())), Lane::New).unwrap();
    rig.facts.wait("its acknowledgement", |e| {
        matches!(e, BrokerEvent::Status(s) if s.order_id == second && s.status == BrokerStatus::Submitted).then_some(())
    });
    link.cancel(second).unwrap();
    rig.facts.wait("its cancellation", |e| {
        matches!(e, BrokerEvent::Status(s) if s.order_id == second && s.status == BrokerStatus::Cancelled).then_some(())
    });

    // What the broker now says of the position and the fills.
    let mut queries = rig.broker.queries();
    assert!(queries.ask(Query::Positions) && queries.ask(Query::Executions));
    let held = rig.facts.wait("the position", |e| match e {
        BrokerEvent::Position(p) if p.symbol == Some(SymbolId(0)) => Some(p.qty),
        _ => None,
    });
    assert_eq!(held, Qty(100));
    rig.facts
        .wait("the fill again", |e| matches!(e, BrokerEvent::Execution(x) if x.order_id == first_id).then_some(()));
    assert!(rig.facts.wait("fills", snapshot(SnapshotKind::Executions)));

    let address = gateway.kill();
    rig.facts.wait("the loss", |e| matches!(e, BrokerEvent::Link(LinkState::Down)).then_some(()));
    rig.market.wait("the loss of data", |e| matches!(e, MarketEvent::DataLink { up: false, .. }).then_some(()));
    assert_eq!(link.epoch(), None);
    let _gateway = Process::start(&address, &clock_file);
    rig.facts.wait("the new link", up(2));
    assert!(rig.facts.wait("open orders", snapshot(SnapshotKind::OpenOrders)));
    assert!(rig.facts.wait("positions", snapshot(SnapshotKind::Positions)));
    rig.market.wait("data again", |e| matches!(e, MarketEvent::DataLink { up: true, .. }).then_some(()));
    rig.market.wait("a quote of the new connection", quote);
    assert_eq!(link.epoch(), Some(ConnEpoch(2)));
    assert_eq!(rig.broker.halted(), None);
    assert_eq!(rig.broker.metrics().unreadable, 0);
    rig.broker.shutdown();
}

#[test]
fn a_login_without_our_account_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Process::start("127.0.0.1:0", &folder.path().join("clock.json"));
    let config = Config { account: "DU0".into(), ..broker_support::config(&gateway.address) };
    let told = match IbBroker::connect(config, &[Listing::of("AAPL")], 1, || Ok(ScaledClock::real_time())) {
        Ok(_) => panic!("connected to a foreign account"),
        Err(e) => e.to_string(),
    };
    assert!(told.contains(ACCOUNT) && told.contains("DU0"), "{told}");
}

/// A gateway process with a scenario that a test writes, its audit, and the adapter connected to it.
struct Struck {
    folder: tempfile::TempDir,
    gateway: raw_client::Gateway,
    rig: Rig,
}

impl Struck {
    /// `faults`: the `[[fault]]` tables.
    fn start(faults: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
        let scenario = format!("incident = \"a test's\"\ntag = \"wire\"\n{faults}");
        std::fs::write(file("scenario.toml"), scenario).unwrap();
        let gateway = raw_client::Gateway::start(&[
            "--speed=20",
            "--start=10:30",
            &format!("--symbols={SYMBOLS}"),
            "--clock-file",
            &file("clock.json"),
            "--audit",
            &file("audit.json"),
            "--scenario",
            &file("scenario.toml"),
        ]);
        let rig = connect(&gateway.address, PathBuf::from(file("clock.json")));
        Self { folder, gateway, rig }
    }

    /// Waits until it may trade; the next order id and a quote.
    fn ready(&mut self) -> (OrderId, Tick) {
        let id = self.rig.facts.wait("the link", up(1));
        self.rig.facts.wait("the account", snapshot(SnapshotKind::Account));
        (id, self.rig.market.wait("a quote", quote))
    }

    /// Ends gateway and adapter; the audit.
    fn end(self) -> serde_json::Value {
        self.rig.broker.shutdown();
        self.gateway.end();
        let text = std::fs::read_to_string(self.folder.path().join("audit.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

fn fault(when: &str, act: &str) -> String {
    format!("[[fault]]\nwhen = \"{when}\"\nafter_ms = 1\ndo = {{ act = {act} }}\n")
}

/// Bytes that break the connection with an order on its way: the link is lost, made anew, and the order is there once.
fn breaks_the_link(act: &str) {
    let mut t = Struck::start(&fault("order", act));
    let (id, tick) = t.ready();
    let mut link = t.rig.broker.link();
    assert_eq!(link.epoch(), Some(ConnEpoch(1)));
    let passive = good_for(tick.at, terms(id.0, 0, 100, (tick.ask.to_f64() * 0.9).floor()));
    link.submit(&passive, Lane::New).unwrap();
    t.rig.facts.wait("the loss", |e| matches!(e, BrokerEvent::Link(LinkState::Down)).then_some(()));
    t.rig.facts.wait("the new link", up(2));
    let from = t.rig.facts.seen.len();
    assert!(t.rig.facts.wait("open orders", snapshot(SnapshotKind::OpenOrders)), "{act}");
    let found = t.rig.facts.seen[from..].iter().any(|e| matches!(e, BrokerEvent::OpenOrder(o) if o.order_id == id));
    // Told at the opening of the new connection, or by the question.
    let told = t.rig.facts.seen.iter().filter(|e| matches!(e, BrokerEvent::OpenOrder(o) if o.order_id == id)).count();
    assert!(found || told > 0, "{act}: the order is known again");
    assert_eq!(t.rig.broker.halted(), None, "{act}");
    let audit = t.end();
    assert_eq!(audit["received"]["place_order"], 1, "{act}: sent once");
    assert_eq!(audit["violations"]["duplicate_orders"].as_array().map(Vec::len), Some(0), "{act}");
}

#[test]
fn broken_bytes_cost_a_connection_and_no_order() {
    let acts = [
        "\"truncated_frame\"",
        "\"oversized_frame\"",
        "\"garbage_bytes\", bytes = 500",
        "\"disconnect\"",
        "\"restart\", ids_back = 1",
    ];
    std::thread::scope(|s| {
        for act in acts {
            s.spawn(move || breaks_the_link(act));
        }
    });
}

#[test]
fn frames_that_mean_nothing_cost_nothing() {
    let mut t = Struck::start(&(fault("order", "\"unknown_frame\"") + &fault("order", "\"malformed_frame\"")));
    let (id, tick) = t.ready();
    let mut link = t.rig.broker.link();
    assert_eq!(link.epoch(), Some(ConnEpoch(1)));
    let cross = tick.ask + Price(50 * 10_000);
    link.submit(&good_for(tick.at, terms(id.0, 0, 100, cross.to_f64())), Lane::New).unwrap();
    t.rig.facts.wait("the fill", |e| matches!(e, BrokerEvent::Execution(x) if x.order_id == id).then_some(()));
    assert_eq!((link.epoch(), t.rig.broker.halted()), (Some(ConnEpoch(1)), None));
    assert_eq!(t.end()["received"]["place_order"], 1);
}

/// The gateway restarts at the first order, and for a minute of session time its port does not greet as it must.
fn the_port_is_dead(how: &str) {
    let door = format!("\"door\", how = \"{how}\", for_s = 60.0");
    let mut t = Struck::start(&(fault("order", "\"restart\"") + &fault("order", &door)));
    let (id, tick) = t.ready();
    let mut link = t.rig.broker.link();
    assert_eq!(link.epoch(), Some(ConnEpoch(1)));
    let order = |id: i32| good_for(tick.at, terms(id, 0, 100, (tick.ask.to_f64() * 0.9).floor()));
    link.submit(&order(id.0), Lane::New).unwrap();
    t.rig.facts.wait("the loss", |e| matches!(e, BrokerEvent::Link(LinkState::Down)).then_some(()));
    assert!(link.submit(&order(id.0 + 1), Lane::New).is_err(), "{how}: the port is dead");
    // Each try is an epoch of its own.
    t.rig.facts.wait("the new link", |e| matches!(e, BrokerEvent::Link(LinkState::Up { .. })).then_some(()));
    assert_eq!(t.end()["received"]["place_order"], 1, "{how}");
}

#[test]
fn no_order_leaves_while_the_port_is_dead() {
    std::thread::scope(|s| {
        for how in ["closed", "silent", "garbage"] {
            s.spawn(move || the_port_is_dead(how));
        }
    });
}

#[test]
fn however_the_bytes_come_the_session_is_the_same() {
    std::thread::scope(|s| {
        for slice in ["bytes = 1, pause_ms = 0", "bytes = 0, pause_ms = 100"] {
            s.spawn(move || {
                let act = format!("[[fault]]\nwhen = \"start\"\ntimes = 0\ndo = {{ act = \"slice\", {slice} }}\n");
                let mut t = Struck::start(&act);
                let (id, tick) = t.ready();
                let cross = tick.ask + Price(50 * 10_000);
                let terms = good_for(tick.at, terms(id.0, 0, 100, cross.to_f64()));
                let mut link = t.rig.broker.link();
                assert_eq!(link.epoch(), Some(ConnEpoch(1)));
                link.submit(&terms, Lane::New).unwrap();
                t.rig
                    .facts
                    .wait("the fill", |e| matches!(e, BrokerEvent::Execution(x) if x.order_id == id).then_some(()));
                assert_eq!(t.rig.broker.metrics().unreadable, 0, "{slice}");
                t.end();
            });
        }
    });
}

#[test]
fn what_is_unset_is_never_a_fill() {
    let all = |when: &str, act: &str| format!("[[fault]]\nwhen = \"{when}\"\ntimes = 0\ndo = {{ act = \"{act}\" }}\n");
    std::thread::scope(|s| {
        for act in ["sentinels", "empty_fields"] {
            s.spawn(move || {
                let mut t = Struck::start(&(all("fill", act) + &all("status", act) + &all("open_order", act)));
                let (id, tick) = t.ready();
                let cross = tick.ask + Price(50 * 10_000);
                let terms = good_for(tick.at, terms(id.0, 0, 100, cross.to_f64()));
                let mut link = t.rig.broker.link();
                assert_eq!(link.epoch(), Some(ConnEpoch(1)));
                link.submit(&terms, Lane::New).unwrap();
                t.rig.facts.wait("the commission", |e| matches!(e, BrokerEvent::Commission(_)).then_some(()));
                for e in t.rig.facts.drain() {
                    if let BrokerEvent::Execution(x) = e {
                        assert!(x.qty > Qty::ZERO && x.qty <= Qty(100) && x.price <= cross, "{act}: {x:?}");
                    }
                }
                t.end();
            });
        }
    });
}
