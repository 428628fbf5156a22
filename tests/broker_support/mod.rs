//! A scripted gateway behind the project's own TWS server, and sinks that tests can wait on. The script answers
//! what a quiet gateway answers; a test adds its own behaviour through [`Script`] and [`Gateway::send`].

#![allow(dead_code, unreachable_pub, reason = "shared by test binaries that each use a part")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, unbounded};
use ibkr_trader::broker::ib::{Config, IbBroker, Listing};
use ibkr_trader::broker::port::{BrokerSink, MarketSink};
use ibkr_trader::clock::{Clock, MINUTE, ScaledClock, SessionTime};
use ibkr_trader::domain::{OrderId, OrderKind, Price, Qty, Side, SymbolId, Text, Tif};
use ibkr_trader::message::{BrokerEvent, MarketEvent, OrderTerms};
use ibkr_trader::sim::api::{
    ConnId, Contract, ContractDetails, Execution, HistoricalBar, Order, OrderState, Outgoing, Request, Response,
};
use ibkr_trader::sim::wire::{Server, ServerOptions};

/// Longest wait for something that must come.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const ACCOUNT: &str = "DU1234567";
pub const TRADE: i32 = 10;
pub const WORKER: i32 = 11;
/// Contract ids of the two symbols that the gateway knows, in the universe's order.
pub const CON_IDS: [i32; 2] = [265_598, 272_093];
const SYMBOLS: [&str; 2] = ["AAPL", "MSFT"];

/// What a test changes about the script.
#[derive(Default)]
pub struct Script {
    pub accounts: Option<String>,
    /// Client ids that are refused with 326.
    pub taken: BTreeSet<i32>,
    /// Requests that get no answer, by the name of their variant.
    pub mute: BTreeSet<&'static str>,
    /// Errors that answer market data requests, by contract id.
    pub refused_lines: BTreeMap<i32, i32>,
    /// Told before managedAccounts.
    pub startup: Vec<Response>,
    pub open_orders: Vec<Response>,
    pub executions: Vec<Response>,
    /// Margins of what-ifs; `None` = no answer.
    pub margins: Option<f64>,
    /// A first answer to a what-if without figures.
    pub empty_answer_first: bool,
}

enum Control {
    Send(i32, Box<Response>),
    Tick(i32, Box<dyn Fn(i32) -> Response + Send>),
    HangUp(i32),
}

/// The running gateway.
pub struct Gateway {
    pub address: String,
    pub script: Arc<Mutex<Script>>,
    log: Arc<Mutex<Vec<(i32, Request)>>>,
    control: Option<Sender<Control>>,
    thread: Option<JoinHandle<()>>,
}

struct Desk {
    server: Server,
    script: Arc<Mutex<Script>>,
    log: Arc<Mutex<Vec<(i32, Request)>>>,
    clients: BTreeMap<ConnId, i32>,
    lines: BTreeMap<i32, (ConnId, i32)>,
}

impl Gateway {
    pub fn start(address: &str, script: Script) -> Self {
        Self::start_version(address, script, 226)
    }

    pub fn start_version(address: &str, script: Script, max_version: i32) -> Self {
        let clock = ScaledClock::real_time();
        let options = ServerOptions { max_version, ..ServerOptions::new(move || clock.now()) };
        // A port that was just closed may take a moment.
        let server = (0..200)
            .find_map(|_| {
                Server::bind(address, options.clone()).ok().or_else(|| {
                    std::thread::sleep(Duration::from_millis(50));
                    None
                })
            })
            .expect("the port is free again");
        let (script, log) = (Arc::new(Mutex::new(script)), Arc::new(Mutex::new(Vec::new())));
        let (control, orders) = unbounded();
        let address = server.local_addr().to_string();
        let mut desk = Desk {
            server,
            script: Arc::clone(&script),
            log: Arc::clone(&log),
            clients: BTreeMap::new(),
            lines: BTreeMap::new(),
        };
        let thread = std::thread::spawn(move || desk.run(&orders));
        Self { address, script, log, control: Some(control), thread: Some(thread) }
    }

    /// Sends to a client.
    pub fn send(&self, client: i32, response: Response) {
        self.control.as_ref().unwrap().send(Control::Send(client, Box::new(response))).unwrap();
    }

    /// Sends on the line of a contract; the closure gets its request id.
    pub fn tick(&self, con_id: i32, make: impl Fn(i32) -> Response + Send + 'static) {
        self.control.as_ref().unwrap().send(Control::Tick(con_id, Box::new(make))).unwrap();
    }

    /// A bid and an ask of 100 shares each.
    pub fn quote(&self, con_id: i32, bid: f64, ask: f64) {
        for (tick_type, price) in [(1, bid), (2, ask)] {
            self.tick(con_id, move |req_id| Response::TickPrice {
                req_id,
                tick_type,
                price,
                size: 100.0,
                attr_mask: 0,
            });
        }
    }

    pub fn hang_up(&self, client: i32) {
        self.control.as_ref().unwrap().send(Control::HangUp(client)).unwrap();
    }

    /// Requests of a client so far that `pick` wants.
    pub fn asked<R>(&self, client: i32, pick: impl Fn(&Request) -> Option<R>) -> Vec<R> {
        self.log.lock().unwrap().iter().filter(|(c, _)| *c == client).filter_map(|(_, r)| pick(r)).collect()
    }

    /// Waits until a client has asked something.
    pub fn wait_asked<R>(&self, client: i32, pick: impl Fn(&Request) -> Option<R>) -> R {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = self.asked(client, &pick).into_iter().next_back() {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "client {client} never asked that");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops like a killed process; the same address can be used again.
    pub fn stop(mut self) -> String {
        self.end();
        self.address.clone()
    }

    fn end(&mut self) {
        self.control.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}

impl Desk {
    fn run(&mut self, control: &Receiver<Control>) {
        let incoming = self.server.incoming().clone();
        loop {
            crossbeam::select! {
                recv(incoming) -> request => {
                    if let Ok((conn, request)) = request {
                        self.request(conn, request);
                    }
                }
                recv(control) -> order => match order {
                    Err(_) => break,
                    Ok(order) => self.order(order),
                }
            }
            self.server.flush();
        }
        self.server.shutdown();
    }

    fn order(&mut self, order: Control) {
        match order {
            Control::Send(client, response) => {
                if let Some(conn) = self.conn(client) {
                    self.server.send(Outgoing { conn, response: *response });
                }
            }
            Control::Tick(con_id, make) => {
                if let Some((conn, req_id)) = self.lines.get(&con_id).copied() {
                    self.server.send(Outgoing { conn, response: make(req_id) });
                }
            }
            Control::HangUp(client) => {
                if let Some(conn) = self.conn(client) {
                    self.server.send(Outgoing { conn, response: Response::Disconnect });
                    self.clients.remove(&conn);
                }
            }
        }
    }

    fn conn(&self, client: i32) -> Option<ConnId> {
        self.clients.iter().rev().find(|(_, c)| **c == client).map(|(conn, _)| *conn)
    }

    fn request(&mut self, conn: ConnId, request: Request) {
        if let Request::StartApi { client_id } = request {
            self.clients.insert(conn, client_id);
        }
        let client = self.clients.get(&conn).copied().unwrap_or(-1);
        self.log.lock().unwrap().push((client, request.clone()));
        if request == Request::Disconnected {
            self.clients.remove(&conn);
            return;
        }
        if let Request::ReqMktData { req_id, contract, .. } = &request {
            self.lines.insert(contract.con_id, (conn, *req_id));
        }
        let name = format!("{request:?}");
        let script = self.script.lock().unwrap();
        if script.mute.iter().any(|m| name.starts_with(m)) {
            return;
        }
        let mut answers = Vec::new();
        answer(&script, client, request, &mut answers);
        drop(script);
        for response in answers {
            self.server.send(Outgoing { conn, response });
        }
    }
}

pub fn now() -> SessionTime {
    ScaledClock::real_time().now()
}

pub fn error(id: i32, code: i32, message: &str) -> Response {
    Response::Error { id, time: now(), code, message: message.into(), advanced_order_reject_json: String::new() }
}

pub fn contract(i: usize) -> Contract {
    Contract {
        con_id: CON_IDS[i],
        symbol: SYMBOLS[i].into(),
        sec_type: "STK".into(),
        exchange: "SMART".into(),
        primary_exchange: "NASDAQ".into(),
        currency: "USD".into(),
        local_symbol: SYMBOLS[i].into(),
        trading_class: "NMS".into(),
    }
}

fn answer(script: &Script, client: i32, request: Request, out: &mut Vec<Response>) {
    match request {
        Request::StartApi { client_id } if script.taken.contains(&client_id) => {
            out.push(error(-1, 326, "Unable to connect as the client id is already in use."));
            out.push(Response::Disconnect);
        }
        Request::StartApi { client_id } => {
            if client_id == TRADE {
                out.extend(script.startup.iter().cloned());
            }
            let accounts = script.accounts.clone().unwrap_or_else(|| format!("{ACCOUNT},DU7654321"));
            out.push(Response::ManagedAccounts { accounts });
            out.push(Response::NextValidId { order_id: if client_id == TRADE { 100 } else { 7 } });
            out.push(error(-1, 2104, "Market data farm connection is OK:usfarm"));
        }
        Request::ReqCurrentTime => out.push(Response::CurrentTime { time: now() }),
        Request::ReqContractDetails { req_id, contract: asked } => {
            if let Some(i) = SYMBOLS.iter().position(|s| *s == asked.symbol) {
                let details = Box::new(ContractDetails {
                    contract: contract(i),
                    min_tick: 0.0001,
                    valid_exchanges: "NYSE,SMART".into(),
                    market_rule_ids: "557,26".into(),
                    ..ContractDetails::default()
                });
                out.push(Response::ContractData { req_id, details });
                out.push(Response::ContractDataEnd { req_id });
            } else {
                out.push(error(req_id, 200, "No security definition has been found for the request"));
            }
        }
        Request::ReqMarketRule { market_rule_id } => {
            out.push(Response::MarketRule { market_rule_id, increments: vec![(0.0, 0.0001), (1.0, 0.01)] });
        }
        Request::ReqHistoricalData { req_id, format_date, .. } => {
            let bars = history();
            out.push(Response::HistoricalData { req_id, bars, format_date });
            let end = "20260415-20:00:00".to_string();
            out.push(Response::HistoricalDataEnd { req_id, start: "20260413-13:30:00".into(), end });
        }
        Request::ReqMktData { req_id, contract, .. } => match script.refused_lines.get(&contract.con_id) {
            Some(code) => out.push(error(req_id, *code, "refused")),
            None => out.push(Response::MarketDataType { req_id, market_data_type: 1 }),
        },
        other => account_and_orders(script, client, other, out),
    }
}

fn account_and_orders(script: &Script, client: i32, request: Request, out: &mut Vec<Response>) {
    match request {
        Request::ReqOpenOrders | Request::ReqAllOpenOrders => {
            out.extend(script.open_orders.iter().cloned());
            out.push(Response::OpenOrderEnd);
        }
        Request::ReqCompletedOrders { .. } => out.push(Response::CompletedOrdersEnd),
        Request::ReqExecutions { req_id, .. } => {
            out.extend(script.executions.iter().cloned().map(|r| match r {
                Response::ExecutionDetails { contract, execution, .. } => {
                    Response::ExecutionDetails { req_id, contract, execution }
                }
                other => other,
            }));
            out.push(Response::ExecutionDetailsEnd { req_id });
        }
        Request::ReqPositions => {
            out.push(Response::Position {
                account: ACCOUNT.into(),
                contract: contract(1),
                position: -200.0,
                avg_cost: 412.5,
            });
            out.push(Response::PositionEnd);
        }
        Request::ReqAccountUpdates { subscribe: true, .. } => {
            let row = |key: &str, value: &str| Response::AccountValue {
                key: key.into(),
                value: value.into(),
                currency: "USD".into(),
                account: ACCOUNT.into(),
            };
            out.extend([row("TotalCashValue", "55000"), row("NetLiquidation", "99000")]);
            out.push(Response::AccountDownloadEnd { account: ACCOUNT.into() });
        }
        Request::ReqAccountSummary { req_id, .. } => {
            for (tag, value) in
                [("BuyingPower", "400000"), ("ExcessLiquidity", "90000"), ("NetLiquidation", "100000.5")]
            {
                let (account, currency) = (ACCOUNT.into(), "USD".into());
                out.push(Response::AccountSummary { req_id, account, tag: tag.into(), value: value.into(), currency });
            }
            out.push(Response::AccountSummaryEnd { req_id });
        }
        Request::PlaceOrder { contract, order } if order.what_if => what_if(script, client, &contract, &order, out),
        Request::PlaceOrder { contract, order } => {
            let order = Order { perm_id: 9_000 + i64::from(order.order_id), client_id: client, ..order };
            out.push(open_order(&contract, &order, "Submitted"));
            out.push(status(&order, "Submitted", 0.0));
        }
        Request::CancelOrder { order_id } => {
            let order = Order { order_id, client_id: client, perm_id: 9_000 + i64::from(order_id), ..Order::default() };
            out.push(status(&order, "Cancelled", 0.0));
            out.push(error(order_id, 202, "Order Canceled - reason:"));
        }
        _ => {}
    }
}

fn what_if(script: &Script, client: i32, contract: &Contract, order: &Order, out: &mut Vec<Response>) {
    let Some(margin) = script.margins else { return };
    let order = Order { client_id: client, ..order.clone() };
    let echo = |margin: Option<f64>| Response::OpenOrder {
        contract: contract.clone(),
        order: Box::new(order.clone()),
        state: Box::new(OrderState {
            status: "PreSubmitted".into(),
            init_margin_change: margin,
            maint_margin_after: margin,
            equity_with_loan_after: margin,
            commission: margin.map(|_| 1.0),
            margin_currency: "USD".into(),
            commission_currency: "USD".into(),
            ..OrderState::default()
        }),
    };
    if script.empty_answer_first {
        out.push(echo(None));
    }
    out.push(echo(Some(margin)));
}

fn history() -> Vec<HistoricalBar> {
    let last = now().floor_to(MINUTE);
    (0..4)
        .map(|i| HistoricalBar {
            // The last one is still open.
            time: last - (3 - i) * MINUTE,
            open: 200.0,
            high: 201.0,
            low: 199.0,
            close: 200.5,
            volume: 1_000.0,
            wap: 200.2,
            count: 9,
        })
        .collect()
}

pub fn open_order(contract: &Contract, order: &Order, status: &str) -> Response {
    let state = Box::new(OrderState { status: status.into(), ..OrderState::default() });
    Response::OpenOrder { contract: contract.clone(), order: Box::new(order.clone()), state }
}

pub fn status(order: &Order, status: &str, filled: f64) -> Response {
    Response::OrderStatus {
        order_id: order.order_id,
        status: status.into(),
        filled,
        remaining: order.total_quantity - filled,
        avg_fill_price: 0.0,
        perm_id: order.perm_id,
        parent_id: 0,
        last_fill_price: 0.0,
        client_id: order.client_id,
        why_held: String::new(),
        mkt_cap_price: 0.0,
    }
}

pub fn fill(order: &Order, i: usize, exec_id: &str, shares: f64, price: f64) -> Response {
    let execution = Box::new(Execution {
        order_id: order.order_id,
        client_id: order.client_id,
        exec_id: exec_id.into(),
        time: "20260413 15:27:04 US/Eastern".into(),
        account: ACCOUNT.into(),
        exchange: "IEX".into(),
        side: if order.action == Some(Side::Sell) { "SLD".into() } else { "BOT".into() },
        shares,
        price,
        perm_id: order.perm_id,
        cum_qty: shares,
        avg_price: price,
        order_ref: order.order_ref.clone(),
        last_liquidity: 1,
    });
    Response::ExecutionDetails { req_id: -1, contract: contract(i), execution }
}

/// Collects what a sink is given.
#[derive(Clone)]
pub struct Collector<T>(Sender<T>);

impl MarketSink for Collector<MarketEvent> {
    fn push(&mut self, event: MarketEvent) -> bool {
        self.0.send(event).is_ok()
    }
}

impl BrokerSink for Collector<BrokerEvent> {
    fn push(&mut self, event: BrokerEvent) -> bool {
        self.0.send(event).is_ok()
    }
}

/// What the adapter told, to be waited on.
pub struct Told<T> {
    events: Receiver<T>,
    pub seen: Vec<T>,
}

impl<T: Copy + std::fmt::Debug> Told<T> {
    pub fn new() -> (Collector<T>, Self) {
        let (sender, events) = unbounded();
        (Collector(sender), Self { events, seen: Vec::new() })
    }

    /// Waits for the next event that `pick` wants.
    pub fn wait<R>(&mut self, what: &str, pick: impl Fn(&T) -> Option<R>) -> R {
        let began = std::time::Instant::now();
        while let Some(rest) = PATIENCE.checked_sub(began.elapsed()) {
            let Ok(event) = self.events.recv_timeout(rest) else { break };
            self.seen.push(event);
            if let Some(found) = pick(&event) {
                return found;
            }
        }
        let last = &self.seen[self.seen.len().saturating_sub(20)..];
        panic!("{what} never came; the last of {}: {last:#?}", self.seen.len());
    }

    /// Takes what is there.
    pub fn drain(&mut self) -> &[T] {
        self.seen.extend(self.events.try_iter());
        &self.seen
    }
}

pub fn config(gateway: &str) -> Config {
    let (host, port) = gateway.rsplit_once(':').unwrap();
    Config {
        host: host.into(),
        port: port.parse().unwrap(),
        account: ACCOUNT.into(),
        connect_wait_s: 1,
        query_timeout_s: 2,
        what_if_timeout_ms: 1_500,
        history_bars: 2,
        ..Config::default()
    }
}

pub fn universe() -> Vec<Listing> {
    SYMBOLS.iter().map(|s| Listing::of(s)).collect()
}

/// A started adapter with its facts.
pub struct Rig {
    pub broker: IbBroker<ScaledClock>,
    pub market: Told<MarketEvent>,
    pub facts: Told<BrokerEvent>,
}

impl Rig {
    pub fn start(config: Config) -> Self {
        let mut broker = IbBroker::connect(config, &universe(), 1, || Ok(ScaledClock::real_time())).unwrap();
        let (market_sink, market) = Told::new();
        let (fact_sink, facts) = Told::new();
        broker.start(market_sink, fact_sink).unwrap();
        Self { broker, market, facts }
    }
}

pub fn terms(order_id: i32, symbol: u16, qty: i64, limit: f64) -> OrderTerms {
    OrderTerms {
        order_id: OrderId(order_id),
        symbol: SymbolId(symbol),
        side: Side::of(qty),
        qty: Qty(qty.abs()),
        kind: OrderKind::Limit(Price::from_f64(limit)),
        tif: Tif::Gtd(SessionTime(now().0 + MINUTE)),
        order_ref: Text::new("dep|1|1|aa").unwrap(),
        arrival: Price::from_f64(limit),
    }
}
