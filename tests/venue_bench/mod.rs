//! A venue on a scripted market, with one symbol or a few, for tests of its behaviour.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a bench shared by test programs, each using a part of it"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use ibkr_trader::clock::{MILLISECOND, MINUTE, SECOND, SessionTime};
use ibkr_trader::domain::calendar::{Date, RegularHours, regular_hours};
use ibkr_trader::domain::{ConId, Price, Qty, Side, SymbolId};
use ibkr_trader::sim::api::{ConnId, Contract, Order, Outgoing, Request, Response};
use ibkr_trader::sim::market::{Bar, MarketSource, Quote, RawBody, RawEvent, Reference};
use ibkr_trader::sim::venue::{Delays, Venue, VenueConfig, VenueState};

pub const ACCOUNT: &str = "DU9000001";
pub const AAPL: i32 = 265_598;

pub type Events = Arc<Mutex<VecDeque<RawEvent>>>;

/// A source that plays what a test puts in.
pub struct Script {
    pub references: Vec<Reference>,
    pub hours: RegularHours,
    pub start: SessionTime,
    pub history: Vec<Bar>,
    pub events: Events,
}

impl MarketSource for Script {
    fn references(&self) -> &[Reference] {
        &self.references
    }
    fn hours(&self) -> RegularHours {
        self.hours
    }
    fn start(&self) -> SessionTime {
        self.start
    }
    fn history(&self, symbol: SymbolId) -> &[Bar] {
        if symbol == SymbolId(0) { &self.history } else { &[] }
    }
    fn next_time(&mut self) -> Option<SessionTime> {
        self.events.lock().unwrap().front().map(|e| e.time)
    }
    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent> {
        let mut events = self.events.lock().unwrap();
        if events.front()?.time <= t { events.pop_front() } else { None }
    }
}

pub fn reference(id: u16, symbol: &str, con_id: i32, close: f64, shortable: i64) -> Reference {
    Reference {
        id: SymbolId(id),
        symbol: symbol.into(),
        con_id: ConId(con_id),
        primary_exchange: "NASDAQ".into(),
        prior_close: Price::from_f64(close),
        adv: Qty(50_000_000),
        shortable: Qty(shortable),
    }
}

/// A venue, its market and what came out of it.
pub struct Bench {
    pub venue: Venue,
    pub events: Events,
    pub now: SessionTime,
    pub out: Vec<Outgoing>,
    next_id: i32,
}

impl Bench {
    /// At 10:00 New York on 2026-08-25, no delays, AAPL at 309.15 × 309.16 with 300 × 200 shares.
    pub fn new() -> Self {
        Self::with(Date(20_260_825).at(10, 0), |c| c.delays = Delays::NONE)
    }

    pub fn with(start: SessionTime, adjust: impl FnOnce(&mut VenueConfig)) -> Self {
        Self::seeded(start, 1, adjust)
    }

    pub fn seeded(start: SessionTime, seed: u64, adjust: impl FnOnce(&mut VenueConfig)) -> Self {
        let mut config = VenueConfig { account: ACCOUNT.into(), ..VenueConfig::default() };
        adjust(&mut config);
        let events: Events = Arc::default();
        let venue = Venue::new(config, Box::new(Self::source(start, &events)), seed);
        let mut bench = Self { venue, events, now: start, out: Vec::new(), next_id: 1 };
        bench.quote(0, 309.15, 300, 309.16, 200);
        bench.quote(1, 20.00, 500, 20.01, 500);
        bench.quote(2, 89.50, 500, 89.52, 500);
        bench.run(0);
        bench
    }

    /// A new process that goes on from a state, at its time or the later start; its market has no quote yet.
    pub fn resumed(start: SessionTime, state: VenueState) -> Self {
        let config = VenueConfig { account: ACCOUNT.into(), delays: Delays::NONE, ..VenueConfig::default() };
        let events: Events = Arc::default();
        let now = start.max(state.now());
        let venue = Venue::resume(config, Box::new(Self::source(start, &events)), 1, state).unwrap();
        Self { venue, events, now, out: Vec::new(), next_id: 100 }
    }

    pub fn source(start: SessionTime, events: &Events) -> Script {
        Script {
            references: vec![
                reference(0, "AAPL", AAPL, 310.0, 1_000_000),
                reference(1, "HARD", 900_000_001, 20.0, 0),
                reference(2, "FELL", 900_000_002, 100.0, 1_000_000),
            ],
            hours: regular_hours(Date::new_york(start)).unwrap(),
            start,
            history: (1..=30)
                .rev()
                .map(|i| Bar::of(start.floor_to(MINUTE) - i * MINUTE, Price::from_f64(309.0), Qty(1_000)))
                .collect(),
            events: Arc::clone(events),
        }
    }

    fn raw(&mut self, symbol: u16, body: RawBody) {
        let event = RawEvent { time: self.now, symbol: SymbolId(symbol), body };
        self.events.lock().unwrap().push_back(event);
    }

    pub fn quote(&mut self, symbol: u16, bid: f64, bid_size: i64, ask: f64, ask_size: i64) {
        let quote = Quote {
            bid: Price::from_f64(bid),
            bid_size: Qty(bid_size),
            ask: Price::from_f64(ask),
            ask_size: Qty(ask_size),
        };
        self.raw(symbol, RawBody::Quote(quote));
        self.run(0);
    }

    pub fn trade(&mut self, symbol: u16, price: f64, size: i64) {
        self.raw(symbol, RawBody::Trade { price: Price::from_f64(price), size: Qty(size) });
        self.run(0);
    }

    /// Lets session time pass.
    pub fn run(&mut self, ms: i64) {
        self.now = self.now + ms * MILLISECOND;
        self.venue.advance(self.now, &mut self.out);
    }

    pub fn seconds(&mut self, s: i64) {
        self.now = self.now + s * SECOND;
        self.venue.advance(self.now, &mut self.out);
    }

    pub fn ask(&mut self, conn: u64, request: Request) {
        self.venue.handle(self.now, ConnId(conn), request, &mut self.out);
        self.run(0);
    }

    /// Connects client `client` on connection `client`, and drops the log-in's answers.
    pub fn log_in(&mut self, client: i32) {
        self.ask(u64::try_from(client).unwrap(), Request::StartApi { client_id: client });
        self.out.clear();
    }

    /// Places an order of client `conn`; its id.
    pub fn place(&mut self, conn: u64, order: Order) -> i32 {
        self.place_on(conn, AAPL, order)
    }

    pub fn place_on(&mut self, conn: u64, con_id: i32, mut order: Order) -> i32 {
        if order.order_id == 0 {
            order.order_id = self.next_id;
            self.next_id += 1;
        }
        let id = order.order_id;
        self.ask(conn, Request::PlaceOrder { contract: contract(con_id), order });
        id
    }

    /// What came out since last asked, as words.
    pub fn words(&mut self) -> Vec<String> {
        self.out.drain(..).map(|o| word(&o.response)).collect()
    }

    /// As [`Bench::words`], to one connection.
    pub fn words_to(&mut self, conn: u64) -> Vec<String> {
        let all = std::mem::take(&mut self.out);
        all.into_iter().filter(|o| o.conn == ConnId(conn)).map(|o| word(&o.response)).collect()
    }
}

pub fn contract(con_id: i32) -> Contract {
    Contract { con_id, sec_type: "STK".into(), exchange: "SMART".into(), currency: "USD".into(), ..Contract::default() }
}

pub fn market(side: Side, qty: i64) -> Order {
    Order {
        action: Some(side),
        total_quantity: qty as f64,
        order_type: "MKT".into(),
        tif: "DAY".into(),
        account: ACCOUNT.into(),
        transmit: true,
        ..Order::default()
    }
}

pub fn limit(side: Side, qty: i64, price: f64) -> Order {
    Order { order_type: "LMT".into(), limit_price: Some(price), ..market(side, qty) }
}

/// One answer as a short text: its kind and what matters in it.
pub fn word(r: &Response) -> String {
    match r {
        Response::OpenOrder { order, state, .. } => {
            let fee = state.commission.map_or(String::new(), |c| format!(" fee {c:.6}"));
            format!("open {} {}{fee}", order.order_id, state.status)
        }
        Response::OrderStatus { order_id, status, filled, remaining, avg_fill_price, .. } => {
            format!("status {order_id} {status} {filled}/{remaining} @{avg_fill_price}")
        }
        Response::ExecutionDetails { req_id, execution: e, .. } => {
            format!("exec {req_id} {} {} {} @{}", e.order_id, e.side, e.shares, e.price)
        }
        Response::CommissionReport { commission, realized_pnl, .. } => {
            let realized = realized_pnl.map_or("-".into(), |p| format!("{p:.6}"));
            format!("commission {commission:.6} realized {realized}")
        }
        Response::Error { id, code, .. } => format!("error {id} {code}"),
        Response::Position { contract, position, .. } => format!("position {} {position}", contract.symbol),
        Response::CompletedOrder { order, state, .. } => format!("completed {} {}", order.order_id, state.status),
        other => {
            let text = format!("{other:?}");
            text.split([' ', '{']).next().unwrap_or("").to_string()
        }
    }
}
