//! A group whose `Halt` ring is full takes no new exposure and still cancels: nobody else can.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod orders_support;

use std::sync::Arc;

use ibkr_trader::clock::{Clock, SessionTime};
use ibkr_trader::domain::{ConnEpoch, DecisionId, Horizon, OrderId, ProcessEpoch, Qty, SymbolId};
use ibkr_trader::message::*;
use ibkr_trader::pipeline::group::{Group, Links, Stages};
use ibkr_trader::pipeline::ring::{ConflatingTx, Rx, Tx, ring};
use ibkr_trader::pipeline::shell::Shell;
use ibkr_trader::pipeline::{GroupSpec, StageName, Topology, Wait};
use ibkr_trader::routing::{Command, Control, DisarmReason, Fact, Identity, ReconcileQuery, Recovered, RoutingStage};
use ibkr_trader::telemetry::{Counters, LatencyRecorder};
use orders_support::*;

/// Looks at another thread before a test gives up.
const LOOKS: usize = 20_000_000;

/// A clock that stands still, so that threads change nothing.
#[derive(Clone)]
struct Still;

impl Clock for Still {
    fn now(&self) -> SessionTime {
        ten()
    }
    fn mono_ns(&self) -> u64 {
        1
    }
    fn mono_of(&self, _: SessionTime) -> u64 {
        1
    }
}

struct Outer {
    market: Tx<MarketEvent>,
    broker: Tx<BrokerEvent>,
    target: Tx<Target>,
    control: Tx<Control>,
    commands: Rx<Command>,
    queries: Rx<ReconcileQuery>,
    facts: Rx<Fact>,
}

/// Routing alone in a group, with room for one command.
fn group() -> (Group<Still>, Outer) {
    let identity = Identity { process_epoch: ProcessEpoch(1), client: CLIENT, account_verified: true };
    let routing = RoutingStage::new(config(), instruments(2), identity, &Recovered::default()).unwrap();
    let (market, market_in) = ring(64);
    let (broker, broker_in) = ring(64);
    let (target, target_in) = ring(64);
    let (control, control_in) = ring(64);
    let (command_out, commands) = ring(1);
    let (query_out, queries) = ring(64);
    let (fact_out, facts) = ring(1_024);
    let links = Links {
        routing_market_in: Some(market_in),
        broker_in: Some(broker_in),
        target_in: Some(target_in),
        control_in: Some(control_in),
        command_out: Some(command_out),
        query_out: Some(query_out),
        fact_out: Some(fact_out),
        position_out: Some(ConflatingTx::new(ring(64).0, 2)),
        ..Links::default()
    };
    let stages = Stages { routing: Some(routing), ..Stages::default() };
    let counters = Arc::new(Counters::new(&["none"]));
    let group = Group::new(stages, links, Still, LatencyRecorder::new().unwrap(), counters, 2);
    (group, Outer { market, broker, target, control, commands, queries, facts })
}

fn entry(symbol: u16) -> Target {
    Target {
        decision: DecisionId(u64::from(symbol) + 1),
        at: ten(),
        cause_at: ten(),
        net: Qty(100),
        arrival: usd(100.02),
        net_edge_bps: 5.0,
        symbol: SymbolId(symbol),
        horizon: Some(Horizon::M5),
        urgency: Urgency::Normal,
        cause: Cause::Enter,
    }
}

/// Connected, reconciled, quoted, armed.
fn make_ready(group: &mut Group<Still>, outer: &mut Outer) {
    let up = LinkState::Up { epoch: ConnEpoch(1), next_order_id: OrderId(1) };
    outer.market.push(MarketEvent::Timer(ten())).unwrap();
    outer.broker.push(BrokerEvent::Link(up)).unwrap();
    group.poll();
    let mut truth = Broker::default();
    while let Some(query) = outer.queries.pop() {
        truth.answer(query.kind, query.epoch);
    }
    truth.outbox.into_iter().for_each(|event| outer.broker.push(event).unwrap());
    for i in 0..2 {
        let symbol = SymbolId(i);
        for kind in [StatusKind::MarketDataType(1), StatusKind::PriorClose(usd(100.0))] {
            outer.market.push(MarketEvent::Status(SymbolStatus { at: ten(), symbol, kind })).unwrap();
        }
        let (bid, ask, quality) = (usd(100.0), usd(100.04), Quality::Fit);
        let tick = Tick { at: ten(), bid, ask, last: bid, symbol, quality, ..Tick::default() };
        outer.market.push(MarketEvent::Tick(tick)).unwrap();
    }
    outer.control.push(Control::Arm).unwrap();
    group.poll();
    assert!(group.stages().routing.as_ref().unwrap().is_armed());
}

#[test]
fn a_halted_group_is_disarmed_and_still_cancels() {
    let (mut group, mut outer) = group();
    make_ready(&mut group, &mut outer);
    outer.target.push(entry(0)).unwrap();
    outer.target.push(entry(1)).unwrap();
    group.poll();
    assert!(group.halted().is_some(), "the second command finds no room");
    assert!(!group.stages().routing.as_ref().unwrap().is_armed());
    let why = std::iter::from_fn(|| outer.facts.pop()).filter_map(|f| match f {
        Fact::Armed { armed: false, reason, .. } => reason,
        _ => None,
    });
    assert_eq!(why.last(), Some(DisarmReason::StageFailure));

    assert!(matches!(outer.commands.pop(), Some(Command::New(_))));
    outer.broker.push(BrokerEvent::Sent(OrderId(1))).unwrap();
    let core = -1;
    let topology =
        Topology { groups: vec![GroupSpec { stages: vec![StageName::Routing], core, wait: Wait::SpinYield }] };
    let shell = Shell::start(vec![group], &topology).unwrap();
    outer.control.push(Control::CancelAll).unwrap();
    let cancel = (0..LOOKS).find_map(|_| {
        std::thread::yield_now();
        outer.commands.pop()
    });
    assert!(matches!(&cancel, Some(Command::Cancel { .. })), "{cancel:?}");
    assert!(shell.failed(), "the supervisor must learn of it");
    shell.stop();
}

#[test]
fn what_lies_in_the_rings_when_the_end_is_told_still_counts() {
    let (mut group, mut outer) = group();
    make_ready(&mut group, &mut outer);
    let spec = GroupSpec { stages: vec![StageName::Routing], core: -1, wait: Wait::Spin };
    let position = PositionFact { symbol: Some(SymbolId(0)), qty: Qty(0), average: usd(0.0) };
    for _ in 0..60 {
        outer.broker.push(BrokerEvent::Position(position)).unwrap();
    }
    let shell = Shell::start(vec![group], &Topology { groups: vec![spec] }).unwrap();
    shell.stop();
    assert_eq!(outer.broker.room(), 64, "everything was read");
}
