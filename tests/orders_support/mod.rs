//! A rig for the order path: the real stage, journal and sender over a simulated disk and a simulated broker that
//! is the truth to compare with. Nothing happens by itself: a test moves time and delivers messages.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a rig of tests")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use ibkr_trader::clock::{MILLISECOND, Nanos, SECOND, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{
    ClientId, ConId, ConnEpoch, DecisionId, Horizon, Instrument, Money, OrderId, OrderKind, PermId, Price,
    ProcessEpoch, Qty, Side, SymbolId, TickRule,
};
use ibkr_trader::journal::{
    Disk, JournalConfig, JournalMachine, Journaled, OrderWriter, SendGate, SenderConfig, SenderMachine, SessionInfo,
    SimDisk, WriteError, pump,
};
use ibkr_trader::message::*;
use ibkr_trader::pipeline::{GRID, Outbox, Stage};
use ibkr_trader::routing::orders::State;
use ibkr_trader::routing::{Config, Control, Fact, Identity, Reject, RoutingIn, RoutingOut, RoutingStage};

pub const CLIENT: ClientId = ClientId(1);
pub const DOLLAR: i64 = 1_000_000;
pub const CENT: i64 = 10_000;
pub const DAY: Date = Date(20260415);

pub fn usd(dollars: f64) -> Price {
    Price::from_f64(dollars)
}

/// 10:00 New York of the test day.
pub fn ten() -> SessionTime {
    DAY.at(10, 0)
}

pub fn instruments(n: u16) -> Vec<Instrument> {
    (0..n)
        .map(|i| Instrument {
            id: SymbolId(i),
            symbol: format!("S{i}"),
            con_id: ConId(1000 + i32::from(i)),
            primary_exchange: "NYSE".into(),
            currency: "USD".into(),
            tick_rules: vec![TickRule { low_edge: Price(0), increment: Price(CENT) }],
        })
        .collect()
}

/// One order as the broker has it.
#[derive(Clone, Debug)]
pub struct BrokerOrder {
    pub terms: OrderTerms,
    pub perm_id: PermId,
    pub filled: i64,
    pub status: BrokerStatus,
}

impl BrokerOrder {
    pub fn is_live(&self) -> bool {
        self.status == BrokerStatus::Submitted
    }
    pub fn remaining(&self) -> i64 {
        self.terms.qty.0 - self.filled
    }
}

/// The broker's truth.
#[derive(Default)]
pub struct Broker {
    pub epoch: Option<ConnEpoch>,
    pub orders: BTreeMap<OrderId, BrokerOrder>,
    pub positions: BTreeMap<SymbolId, i64>,
    pub executions: Vec<ExecutionFact>,
    pub outbox: VecDeque<BrokerEvent>,
    /// Every write that reached the socket.
    pub writes: Vec<(&'static str, OrderId)>,
    /// Bytes reach the socket and no further.
    pub swallow: bool,
    pub executions_end_missing: bool,
    pub submits: BTreeMap<String, u32>,
    next_perm: i64,
    next_exec: u32,
}

impl Broker {
    fn status(&self, o: &BrokerOrder) -> BrokerEvent {
        BrokerEvent::Status(StatusFact {
            order_id: o.terms.order_id,
            client: CLIENT,
            perm_id: o.perm_id,
            status: o.status,
            why_held: WhyHeld::None,
            filled: Qty(o.filled),
            remaining: Qty(o.remaining()),
            average: Price::NONE,
            cap: Price::NONE,
        })
    }

    pub fn open_fact(o: &BrokerOrder) -> OpenOrderFact {
        OpenOrderFact {
            order_id: o.terms.order_id,
            client: CLIENT,
            perm_id: o.perm_id,
            symbol: Some(o.terms.symbol),
            side: o.terms.side,
            qty: o.terms.qty,
            kind: o.terms.kind,
            status: o.status,
            order_ref: o.terms.order_ref,
        }
    }

    fn tell(&mut self, id: OrderId) {
        let o = self.orders[&id].clone();
        self.outbox.push_back(BrokerEvent::OpenOrder(Self::open_fact(&o)));
        let s = self.status(&o);
        self.outbox.push_back(s);
    }

    /// Fills `qty` shares of an order at its limit: execution, statuses, commission.
    pub fn fill(&mut self, id: OrderId, qty: i64) {
        let Some(o) = self.orders.get_mut(&id).filter(|o| o.is_live() && o.remaining() >= qty) else {
            panic!("order {id} can't fill {qty}")
        };
        o.filled += qty;
        if o.remaining() == 0 {
            o.status = BrokerStatus::Filled;
        }
        self.next_exec += 1;
        let e = ExecutionFact {
            exec_id: ExecId::new(&format!("0001.{:04}.01.01", self.next_exec)).unwrap(),
            order_id: id,
            client: CLIENT,
            perm_id: o.perm_id,
            symbol: Some(o.terms.symbol),
            side: o.terms.side,
            qty: Qty(qty),
            price: o.terms.kind.limit().unwrap(),
            cumulative: Qty(o.filled),
            broker_time: None,
            order_ref: o.terms.order_ref,
        };
        *self.positions.entry(o.terms.symbol).or_default() += o.terms.side.sign() * qty;
        self.executions.push(e);
        self.outbox.push_back(BrokerEvent::Execution(e));
        self.tell(id);
        let commission = CommissionFact { exec_id: e.exec_id, commission: Money(DOLLAR), realized: None };
        self.outbox.push_back(BrokerEvent::Commission(commission));
    }

    pub fn expire(&mut self, id: OrderId) {
        self.orders.get_mut(&id).unwrap().status = BrokerStatus::Cancelled;
        let o = self.orders[&id].clone();
        let s = self.status(&o);
        self.outbox.push_back(s);
        self.outbox.push_back(BrokerEvent::Error(ErrorFact { id: id.0, code: 202, named_state: None }));
    }

    pub fn live(&self) -> Vec<OrderId> {
        self.orders.values().filter(|o| o.is_live()).map(|o| o.terms.order_id).collect()
    }

    /// Answers a snapshot query with the truth.
    pub fn answer(&mut self, kind: SnapshotKind, epoch: ConnEpoch) {
        let all: Vec<_> = self.orders.values().cloned().collect();
        let mut complete = true;
        match kind {
            SnapshotKind::OpenOrders => {
                for o in all.iter().filter(|o| o.is_live()) {
                    self.outbox.push_back(BrokerEvent::OpenOrder(Self::open_fact(o)));
                    let s = self.status(o);
                    self.outbox.push_back(s);
                }
            }
            SnapshotKind::CompletedOrders => {
                for o in all.iter().filter(|o| !o.is_live()) {
                    self.outbox.push_back(BrokerEvent::Completed(Self::open_fact(o)));
                }
            }
            SnapshotKind::Executions => {
                let rows: Vec<_> = self.executions.iter().map(|e| BrokerEvent::Execution(*e)).collect();
                self.outbox.extend(rows);
                complete = !self.executions_end_missing;
            }
            SnapshotKind::Positions => {
                let rows: Vec<_> = self.positions.iter().map(|(s, q)| (*s, *q)).collect();
                for (symbol, qty) in rows {
                    let p = PositionFact { symbol: Some(symbol), qty: Qty(qty), average: Price::NONE };
                    self.outbox.push_back(BrokerEvent::Position(p));
                }
            }
            SnapshotKind::Account => self.outbox.push_back(account()),
        }
        self.outbox.push_back(BrokerEvent::SnapshotEnd { kind, complete, epoch });
    }
}

pub fn account() -> BrokerEvent {
    let m = |d: i64| Some(Money(d * DOLLAR));
    BrokerEvent::Account {
        net_liquidation: m(1_000_000),
        cash: m(1_000_000),
        excess_liquidity: m(900_000),
        buying_power: m(2_000_000),
    }
}

/// The socket: what the sender writes reaches the broker at once, unless told otherwise. It checks that a new order
/// is durable before its bytes leave.
#[derive(Clone)]
pub struct Wire {
    pub broker: Arc<Mutex<Broker>>,
    pub disk: SimDisk,
    pub universe: Arc<Vec<Instrument>>,
}

impl Wire {
    fn is_durable(&self, id: OrderId) -> bool {
        let mut copy = self.disk.after(ibkr_trader::journal::Loss::All);
        let mut found = false;
        ibkr_trader::journal::scan(&mut copy, |_, r| {
            found |= matches!(r, ibkr_trader::journal::Record::Intent(i) if i.order_id == id);
        })
        .unwrap();
        found
    }
}

impl OrderWriter for Wire {
    fn epoch(&self) -> Option<ConnEpoch> {
        self.broker.lock().unwrap().epoch
    }

    fn submit(&mut self, order: &Journaled) -> Result<(), WriteError> {
        if order.command().waits_for_disk() {
            assert!(self.is_durable(order.order_id()), "{} left before it was durable", order.order_id());
        }
        let mut b = self.broker.lock().unwrap();
        b.writes.push(("new", order.order_id()));
        *b.submits.entry(order.terms().order_ref.as_str().to_owned()).or_default() += 1;
        if b.swallow {
            return Ok(());
        }
        b.next_perm += 1;
        let perm_id = PermId(9_000 + b.next_perm);
        let (terms, status) = (*order.terms(), BrokerStatus::Submitted);
        let before = b.orders.insert(order.order_id(), BrokerOrder { terms, perm_id, filled: 0, status });
        assert!(before.is_none(), "order id {} was used twice", order.order_id());
        b.tell(order.order_id());
        Ok(())
    }

    fn modify(&mut self, order: &Journaled) -> Result<(), WriteError> {
        let mut b = self.broker.lock().unwrap();
        let id = order.order_id();
        b.writes.push(("modify", id));
        if !b.swallow && b.orders.get(&id).is_some_and(BrokerOrder::is_live) {
            let o = b.orders.get_mut(&id).unwrap();
            o.terms = *order.terms();
            if o.remaining() <= 0 {
                // Fills overtook the smaller size: nothing is left to work.
                o.status = if o.remaining() == 0 { BrokerStatus::Filled } else { BrokerStatus::Cancelled };
                o.terms.qty = Qty(o.filled);
            }
            b.tell(id);
        }
        Ok(())
    }

    fn cancel(&mut self, order: &Journaled) -> Result<(), WriteError> {
        let mut b = self.broker.lock().unwrap();
        let id = order.order_id();
        b.writes.push(("cancel", id));
        if b.swallow {
            return Ok(());
        }
        match b.orders.get(&id).map(BrokerOrder::is_live) {
            Some(true) => b.expire(id),
            Some(false) => {
                let named_state = Some(b.orders[&id].status);
                b.outbox.push_back(BrokerEvent::Error(ErrorFact { id: id.0, code: 10_148, named_state }));
            }
            None => b.outbox.push_back(BrokerEvent::Error(ErrorFact { id: id.0, code: 10_147, named_state: None })),
        }
        Ok(())
    }
}

/// Everything together.
pub struct Rig {
    pub stage: RoutingStage,
    pub out: Outbox<RoutingOut>,
    pub journal: JournalMachine<SimDisk>,
    pub sender: SenderMachine<Wire>,
    pub broker: Arc<Mutex<Broker>>,
    pub disk: SimDisk,
    pub gate: Arc<SendGate>,
    pub now: SessionTime,
    pub facts: Vec<Fact>,
    pub state: BTreeMap<SymbolId, PositionState>,
    pub instruments: Vec<Instrument>,
    pub process_epoch: ProcessEpoch,
    /// Whether commands are only accepted, not flushed and sent.
    pub hold: bool,
    pub hold_commands: bool,
    pub held: Vec<ibkr_trader::routing::Command>,
    decisions: u64,
}

pub fn config() -> Config {
    let mut c = Config::default();
    c.limits.order_efficiency_min_messages = 100_000;
    c.limits.duplicate_window_ms = 0;
    c.limits.repeat_entries_max = 64;
    c.limits.repeat_window_s = 1;
    c
}

impl Rig {
    pub fn new(n: u16, config: Config) -> Self {
        Self::over(n, config, SimDisk::new(), Arc::new(Mutex::new(Broker::default())), ten())
    }

    /// A process that starts over an existing disk and broker.
    pub fn over(n: u16, config: Config, disk: SimDisk, broker: Arc<Mutex<Broker>>, now: SessionTime) -> Self {
        let instruments = instruments(n);
        let session = SessionInfo {
            at: now,
            client: CLIENT,
            date: DAY,
            profile: "test",
            account: "DU1",
            config_hash: 1,
            instruments: &instruments,
        };
        let jc = JournalConfig { segment_bytes: 1 << 16, ..JournalConfig::default() };
        let (journal, recovered, process_epoch) = JournalMachine::open(disk.clone(), jc, &session).unwrap();
        let identity = Identity { process_epoch, client: CLIENT, account_verified: true };
        let stage = RoutingStage::new(config, instruments.clone(), identity, &recovered).unwrap();
        let gate = SendGate::new();
        let wire = Wire { broker: broker.clone(), disk: disk.clone(), universe: Arc::new(instruments.clone()) };
        let sender = SenderMachine::new(wire, gate.clone(), SenderConfig::default());
        let out = Outbox::with_capacity(stage.outbox_capacity());
        Self {
            stage,
            out,
            journal,
            sender,
            broker,
            disk,
            gate,
            now,
            facts: Vec::new(),
            state: BTreeMap::new(),
            instruments,
            process_epoch,
            hold: false,
            hold_commands: false,
            held: Vec::new(),
            decisions: 0,
        }
    }

    /// Connected, reconciled, quoted, armed.
    pub fn ready(n: u16, config: Config) -> Self {
        let mut rig = Self::new(n, config);
        rig.connect(1);
        rig.quote_all(100.0, 100.04);
        rig.feed(RoutingIn::Control(Control::Arm));
        assert!(rig.stage.is_armed(), "the rig does not arm");
        rig
    }

    pub fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }

    pub fn connect(&mut self, epoch: u32) {
        self.broker().epoch = Some(ConnEpoch(epoch));
        let next_order_id = OrderId(1);
        self.feed(RoutingIn::Market(MarketEvent::Timer(self.now)));
        self.feed(RoutingIn::Broker(BrokerEvent::Link(LinkState::Up { epoch: ConnEpoch(epoch), next_order_id })));
        self.settle();
    }

    pub fn disconnect(&mut self) {
        self.broker().epoch = None;
        self.broker().outbox.clear();
        self.feed(RoutingIn::Broker(BrokerEvent::Link(LinkState::Down)));
    }

    pub fn quote(&mut self, symbol: u16, bid: f64, ask: f64) {
        let id = SymbolId(symbol);
        let status = |kind| RoutingIn::Market(MarketEvent::Status(SymbolStatus { at: self.now, symbol: id, kind }));
        let facts = [
            status(StatusKind::PriorClose(usd(bid))),
            status(StatusKind::Shortable(3.0)),
            status(StatusKind::ShortableShares(1_000_000)),
            status(StatusKind::MarketDataType(1)),
        ];
        for f in facts {
            self.feed(f);
        }
        self.tick(symbol, bid, ask);
    }

    pub fn tick(&mut self, symbol: u16, bid: f64, ask: f64) {
        let tick = Tick {
            at: self.now,
            bid: usd(bid),
            ask: usd(ask),
            last: usd(bid),
            symbol: SymbolId(symbol),
            quality: Quality::Fit,
            bid_size: 100,
            ask_size: 100,
            ..Tick::default()
        };
        self.feed(RoutingIn::Market(MarketEvent::Tick(tick)));
    }

    pub fn quote_all(&mut self, bid: f64, ask: f64) {
        for i in 0..self.instruments.len() {
            self.quote(u16::try_from(i).unwrap(), bid, ask);
        }
    }

    /// One input through the stage; outputs go where they belong.
    pub fn feed(&mut self, input: RoutingIn) {
        self.stage.on_event(self.now, input, &mut self.out);
        assert_eq!(self.out.lost(), 0, "the outbox is too small");
        let outputs: Vec<_> = self.out.drain().collect();
        for o in outputs {
            match o {
                RoutingOut::Command(c) if self.hold_commands => self.held.push(c),
                RoutingOut::Command(c) => self.journal.accept(c, self.now),
                RoutingOut::Fact(f) => {
                    self.journal.note(&f, self.now);
                    self.facts.push(f);
                }
                RoutingOut::Query(q) => self.broker.lock().unwrap().answer(q.kind, q.epoch),
                RoutingOut::Position(p) => drop(self.state.insert(p.symbol, p)),
            }
        }
        if !self.hold {
            self.pump();
        }
    }

    pub fn pump(&mut self) {
        for _ in 0..1_000 {
            let mut events = Vec::new();
            let busy = pump(&mut self.journal, &mut self.sender, self.now, |e| events.push(e));
            let control = self.journal.take_control();
            if !busy && events.is_empty() && control.is_none() {
                return;
            }
            for e in events {
                self.feed(RoutingIn::Broker(e));
            }
            if let Some(c) = control {
                self.feed(RoutingIn::Control(c));
            }
        }
        panic!("the order path does not come to rest");
    }

    /// Delivers one message of the broker.
    pub fn deliver(&mut self) -> bool {
        let next = self.broker().outbox.pop_front();
        match next {
            Some(e) => {
                self.feed(RoutingIn::Broker(e));
                true
            }
            None => false,
        }
    }

    /// Delivers everything.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if !self.deliver() {
                return;
            }
        }
        panic!("the broker does not come to rest");
    }

    /// Moves time on the grid, delivering what comes.
    pub fn wait(&mut self, span: Nanos) {
        let until = self.now + span;
        while self.now < until {
            self.now = self.now + GRID;
            self.feed(RoutingIn::Market(MarketEvent::Timer(self.now)));
            self.settle();
        }
    }

    pub fn wait_s(&mut self, seconds: i64) {
        self.wait(seconds * SECOND);
    }

    pub fn target(&mut self, symbol: u16, net: i64, cause: Cause) {
        self.target_as(symbol, net, cause, Urgency::Normal);
    }

    pub fn target_as(&mut self, symbol: u16, net: i64, cause: Cause, urgency: Urgency) {
        self.decisions += 1;
        let target = Target {
            decision: DecisionId(self.decisions),
            at: self.now,
            cause_at: self.now - MILLISECOND,
            net: Qty(net),
            arrival: self.stage.market().get(SymbolId(symbol)).mid(),
            net_edge_bps: 5.0,
            symbol: SymbolId(symbol),
            horizon: (cause == Cause::Enter).then_some(Horizon::M5),
            urgency,
            cause,
        };
        self.feed(RoutingIn::Target(target));
    }

    pub fn filled(&self, symbol: u16) -> i64 {
        self.stage.book().position(SymbolId(symbol)).filled.0
    }

    pub fn order_state(&self, id: i32) -> State {
        self.stage.book().order(OrderId(id)).map_or(State::None, |o| o.state)
    }

    pub fn live_orders(&self) -> Vec<OrderId> {
        self.stage.book().all_live().map(|o| o.terms.order_id).collect()
    }

    pub fn rejects(&self) -> Vec<Reject> {
        let reasons = self.facts.iter().filter_map(|f| match f {
            Fact::Reject(r) => Some(r.reason),
            _ => None,
        });
        reasons.collect()
    }

    pub fn alerts(&self) -> Vec<ibkr_trader::routing::Alert> {
        let alerts = self.facts.iter().filter_map(|f| match f {
            Fact::Alert { alert, .. } => Some(*alert),
            _ => None,
        });
        alerts.collect()
    }

    pub fn limit_of(&self, id: i32) -> Price {
        match self.broker().orders[&OrderId(id)].terms.kind {
            OrderKind::Limit(p) => p,
            OrderKind::Market => Price::NONE,
        }
    }

    /// The book agrees with the broker in every symbol.
    pub fn assert_positions(&self) {
        for i in &self.instruments {
            let truth = self.broker().positions.get(&i.id).copied().unwrap_or(0);
            assert_eq!(self.stage.book().position(i.id).filled.0, truth, "position of {}", i.symbol);
        }
    }

    pub fn side_of(&self, id: i32) -> Side {
        self.broker().orders[&OrderId(id)].terms.side
    }
}

/// Bytes of all segments, to compare disks.
pub fn images(disk: &SimDisk) -> Vec<Vec<u8>> {
    let mut d = disk.clone();
    d.segments().unwrap().into_iter().map(|s| disk.image(s)).collect()
}
