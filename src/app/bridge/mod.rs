//! The venue in lockstep: its answers pass through the adapter's own conflation and translation, its requests are
//! made of the adapter's own order. No socket, no thread, no wall clock: same source, seed and settings, same bytes.

mod convert;

use std::collections::VecDeque;

use ibapi::accounts::Position;
use ibapi::contracts::Contract as IbContract;

use crate::broker::ib::Conflator;
use crate::broker::ib::translate::{self, AccountFigures, Directory};
use crate::broker::port::MarketSink;
use crate::clock::{MILLISECOND, Nanos, SessionTime};
use crate::domain::{ConnEpoch, Instrument, OrderId, Price, SymbolId, TickRule};
use crate::message::{Bar, BrokerEvent, LinkState, MarketEvent, OrderTerms, SnapshotKind};
use crate::sim::api::{ConnId, Contract, ExecutionFilter, Order, Outgoing, Request, Response};
use crate::sim::market::{self, MarketSource};
use crate::sim::referee::Audit;
use crate::sim::venue::{Venue, VenueConfig};

/// The connection that trades and streams.
const TRADE: ConnId = ConnId(1);
/// The connection that asks.
const WORKER: ConnId = ConnId(2);
/// Client ids of the two, as the shipped settings have them.
const CLIENTS: [(ConnId, i32); 2] = [(TRADE, 10), (WORKER, 11)];
/// The one epoch of a lockstep session.
pub const EPOCH: ConnEpoch = ConnEpoch(1);
/// Session time between two requests of the start: leaves room for the questions beside them.
const REQUEST_GAP: Nanos = 50 * MILLISECOND;
/// Request ids of market data lines: symbol + this.
const LINE_BASE: i32 = 1_000;

/// A venue behind the adapter's translation.
pub struct Bridge {
    venue: Venue,
    directory: Directory,
    conflator: Conflator,
    facts: VecDeque<BrokerEvent>,
    asked: VecDeque<SnapshotKind>,
    /// Figures of the account stream.
    figures: AccountFigures,
    /// Figures of the summary that is being read.
    summary: AccountFigures,
    incoming: Vec<Outgoing>,
    lines: VecDeque<(SessionTime, Request)>,
    start: SessionTime,
    now: SessionTime,
}

impl Bridge {
    /// Opens the venue over `source` and connects both clients at its start.
    pub fn open(config: VenueConfig, source: Box<dyn MarketSource>, seed: u64, volume_unit: u32) -> Self {
        let instruments: Vec<_> = source.references().iter().map(instrument).collect();
        let start = source.start();
        let symbols = instruments.len();
        let directory = Directory::new(instruments, &config.account);
        let mut bridge = Self {
            venue: Venue::new(config, source, seed),
            directory,
            conflator: Conflator::new(symbols, volume_unit),
            facts: VecDeque::new(),
            asked: VecDeque::new(),
            figures: AccountFigures::default(),
            summary: AccountFigures::default(),
            incoming: Vec::new(),
            lines: VecDeque::new(),
            start,
            now: start,
        };
        for (conn, client_id) in CLIENTS {
            bridge.request(start, conn, Request::StartApi { client_id });
        }
        bridge
    }

    /// The universe.
    pub fn instruments(&self) -> &[Instrument] {
        &self.directory.instruments
    }

    /// Where the session starts.
    pub const fn start(&self) -> SessionTime {
        self.start
    }

    /// Opens a line for every symbol, one after the other, and starts the grid.
    pub fn subscribe(&mut self, now: SessionTime) {
        let mut due = now;
        for i in &self.directory.instruments {
            let req_id = LINE_BASE + i32::from(i.id.0);
            let generic_ticks = "236".into();
            let line = Request::ReqMktData {
                req_id,
                contract: contract(i),
                generic_ticks,
                snapshot: false,
                regulatory: false,
            };
            due = due + REQUEST_GAP;
            self.lines.push_back((due, line));
        }
        let account = self.directory.account.clone();
        self.request(now, WORKER, Request::ReqAccountUpdates { subscribe: true, account });
        self.conflator.data_link(now, true);
        self.conflator.start_timers(now);
    }

    /// When the venue does something next by itself.
    pub fn next_due(&mut self) -> Option<SessionTime> {
        let line = self.lines.front().map(|(due, _)| *due);
        [self.venue.next_due(), line].into_iter().flatten().min()
    }

    /// Lets the venue act until `now` and passes on what it said.
    pub fn advance(&mut self, now: SessionTime, market: &mut impl MarketSink, broker: &mut impl FnMut(BrokerEvent)) {
        self.now = now;
        while let Some((_, line)) = self.lines.pop_front_if(|(due, _)| *due <= now) {
            self.request(now, TRADE, line);
        }
        let mut out = std::mem::take(&mut self.incoming);
        self.venue.advance(now, &mut out);
        for outgoing in out.drain(..) {
            self.take(now, &outgoing);
        }
        self.incoming = out;
        self.conflator.flush(now, market);
        while let Some(fact) = self.facts.pop_front() {
            broker(fact);
        }
    }

    /// Puts a question; its rows and end come with a later `advance`.
    pub fn ask(&mut self, now: SessionTime, kind: SnapshotKind) {
        self.asked.push_back(kind);
        let request = match kind {
            SnapshotKind::OpenOrders => Request::ReqAllOpenOrders,
            SnapshotKind::CompletedOrders => Request::ReqCompletedOrders { api_only: false },
            SnapshotKind::Executions => Request::ReqExecutions { req_id: 1, filter: ExecutionFilter::default() },
            SnapshotKind::Positions => Request::ReqPositions,
            SnapshotKind::Account => Request::ReqAccountSummary {
                req_id: 2,
                group: "All".into(),
                tags: "NetLiquidation,TotalCashValue,ExcessLiquidity,BuyingPower".into(),
            },
        };
        self.request(now, WORKER, request);
    }

    /// Writes an order or new terms of one.
    ///
    /// # Errors
    /// The terms can't be expressed.
    pub fn place(&mut self, now: SessionTime, terms: &OrderTerms) -> Result<(), String> {
        let order = translate::to_order(terms, &self.directory.account)?;
        let contract = self
            .directory
            .instrument(terms.symbol)
            .map(contract)
            .ok_or_else(|| format!("symbol {} is not in the universe", terms.symbol))?;
        let order = Order {
            order_id: terms.order_id.0,
            action: Some(terms.side),
            total_quantity: order.total_quantity,
            order_type: order.order_type,
            limit_price: order.limit_price,
            tif: order.tif.to_string(),
            good_till_date: order.good_till_date,
            account: order.account,
            order_ref: order.order_ref,
            transmit: true,
            ..Order::default()
        };
        self.request(now, TRADE, Request::PlaceOrder { contract, order });
        Ok(())
    }

    /// Writes a cancel.
    pub fn cancel(&mut self, now: SessionTime, id: OrderId) {
        self.request(now, TRADE, Request::CancelOrder { order_id: id.0 });
    }

    /// Disconnects both clients and reads the referee's audit.
    pub fn finish(mut self, now: SessionTime) -> Audit {
        self.venue.finish(&mut self.incoming);
        for (conn, _) in CLIENTS {
            self.request(now, conn, Request::Disconnected);
        }
        self.venue.audit()
    }

    fn request(&mut self, now: SessionTime, conn: ConnId, request: Request) {
        self.now = now;
        self.venue.handle(now, conn, request, &mut self.incoming);
    }

    fn take(&mut self, now: SessionTime, outgoing: &Outgoing) {
        let Outgoing { conn, response } = outgoing;
        if let Some((req_id, value)) = convert::tick(response) {
            if let Ok(id) = u16::try_from(req_id - LINE_BASE) {
                self.conflator.apply(SymbolId(id), now, &value);
            }
        } else if *conn == TRADE {
            self.trade_answer(response);
        } else {
            self.worker_answer(response);
        }
    }

    fn trade_answer(&mut self, response: &Response) {
        match response {
            Response::NextValidId { order_id } => {
                let up = LinkState::Up { epoch: EPOCH, next_order_id: OrderId(*order_id) };
                self.facts.push_back(BrokerEvent::Link(up));
            }
            Response::Error { id, code, message, .. } => {
                let notice = convert::notice(*id, *code, message);
                self.facts.push_back(BrokerEvent::Error(translate::error(&notice)));
            }
            other => self.update(other),
        }
    }

    fn update(&mut self, response: &Response) {
        let update = convert::update(response);
        self.facts.extend(update.and_then(|u| translate::order_update(&u, &self.directory)));
    }

    fn worker_answer(&mut self, response: &Response) {
        let ended = match response {
            Response::OpenOrderEnd => SnapshotKind::OpenOrders,
            Response::CompletedOrdersEnd => SnapshotKind::CompletedOrders,
            Response::ExecutionDetailsEnd { .. } => SnapshotKind::Executions,
            Response::PositionEnd => {
                // The list is a stream until it is cancelled; a stream's rows belong to no list.
                self.request(self.now, WORKER, Request::CancelPositions);
                SnapshotKind::Positions
            }
            Response::AccountSummaryEnd { req_id } => {
                let req_id = *req_id;
                self.facts.push_back(self.summary.event());
                self.request(self.now, WORKER, Request::CancelAccountSummary { req_id });
                SnapshotKind::Account
            }
            row => return self.row(row),
        };
        self.asked.retain(|kind| *kind != ended);
        self.facts.push_back(BrokerEvent::SnapshotEnd { kind: ended, complete: true, epoch: EPOCH });
    }

    fn row(&mut self, response: &Response) {
        match response {
            Response::Position { account, contract, position, avg_cost } => {
                let row = Position {
                    account: account.clone(),
                    contract: IbContract { contract_id: contract.con_id, ..IbContract::default() },
                    position: *position,
                    average_cost: *avg_cost,
                };
                self.facts.extend(translate::position(&row, &self.directory).map(BrokerEvent::Position));
            }
            Response::AccountSummary { tag, value, currency, .. } => {
                self.summary.row(tag, value, currency, "USD");
            }
            Response::AccountValue { key, value, currency, .. } => {
                self.figures.row(key, value, currency, "USD");
            }
            Response::AccountUpdateTime { .. } => self.facts.push_back(self.figures.event()),
            Response::CompletedOrder { contract, order, state } => {
                let data = convert::order_data(contract, order, state);
                let fact = translate::completed_order(&data, &self.directory);
                self.facts.push_back(BrokerEvent::Completed(fact));
            }
            // The worker's open orders and executions are of every client; statuses beside them say nothing new.
            Response::OpenOrder { .. } | Response::ExecutionDetails { .. } | Response::CommissionReport { .. } => {
                self.update(response);
            }
            _ => {}
        }
    }
}

/// History of every symbol as the warm-up delivers it: symbol by symbol, oldest first.
pub fn history(source: &dyn MarketSource, minutes: usize) -> Vec<MarketEvent> {
    let mut events = Vec::new();
    for reference in source.references() {
        let bars = source.history(reference.id);
        for b in &bars[bars.len().saturating_sub(minutes)..] {
            events.push(MarketEvent::History(Bar {
                start: b.start,
                open: b.open,
                high: b.high,
                low: b.low,
                close: b.close,
                volume: u64::try_from(b.volume.0).unwrap_or(0),
                symbol: reference.id,
            }));
        }
    }
    events
}

fn instrument(r: &market::Reference) -> Instrument {
    let rule = |low: i64, increment: i64| TickRule { low_edge: Price(low), increment: Price(increment) };
    Instrument {
        id: r.id,
        symbol: r.symbol.clone(),
        con_id: r.con_id,
        primary_exchange: r.primary_exchange.clone(),
        currency: "USD".into(),
        // Market rule 26, the venue's: a hundredth of a cent below a dollar, a cent from there on.
        tick_rules: vec![rule(0, 100), rule(1_000_000, 10_000)],
    }
}

fn contract(i: &Instrument) -> Contract {
    Contract {
        con_id: i.con_id.0,
        symbol: i.symbol.clone(),
        sec_type: "STK".into(),
        exchange: "SMART".into(),
        currency: "USD".into(),
        ..Contract::default()
    }
}
