//! After warm-up the routing stage allocates nothing: a counting allocator watches it through ticks, targets, fills,
//! steps, cancels and a reconciliation.

mod alloc_support;
mod orders_support;

use alloc_support::ALLOCATIONS;
use ibkr_trader::domain::{ConnEpoch, OrderId, ProcessEpoch, SymbolId};
use ibkr_trader::message::*;
use ibkr_trader::pipeline::{GRID, Outbox, Stage};
use ibkr_trader::routing::{Control, Identity, Recovered, RoutingIn, RoutingOut, RoutingStage};
use orders_support::*;

#[test]
fn the_stage_allocates_nothing_after_warm_up() {
    let mut c = config();
    c.limits.messages_per_s = 50;
    c.limits.messages_per_100ms = 45;
    let identity = Identity { process_epoch: ProcessEpoch(1), client: CLIENT, account_verified: true };
    let mut stage = RoutingStage::new(c, instruments(4), identity, &Recovered::default()).unwrap();
    let mut out = Outbox::with_capacity(stage.outbox_capacity());
    let mut now = ten();
    let link = LinkState::Up { epoch: ConnEpoch(1), next_order_id: OrderId(1) };
    let mut commands = 0u64;
    let mut feed = |stage: &mut RoutingStage, now, input| {
        let before = ALLOCATIONS.get();
        stage.on_event(now, input, &mut out);
        let mut last = None;
        for o in out.drain() {
            if let RoutingOut::Command(c) = o {
                commands += 1;
                last = Some(*c.approved().intent());
            }
        }
        (ALLOCATIONS.get() - before, last)
    };
    let mut total = 0;
    let mut sent = Vec::with_capacity(4_096);
    feed(&mut stage, now, RoutingIn::Market(MarketEvent::Timer(now)));
    feed(&mut stage, now, RoutingIn::Broker(BrokerEvent::Link(link)));
    for kind in [
        SnapshotKind::Account,
        SnapshotKind::OpenOrders,
        SnapshotKind::CompletedOrders,
        SnapshotKind::Executions,
        SnapshotKind::Positions,
    ] {
        let end = BrokerEvent::SnapshotEnd { kind, complete: true, epoch: ConnEpoch(1) };
        total += feed(&mut stage, now, RoutingIn::Broker(end)).0;
    }
    total += feed(&mut stage, now, RoutingIn::Broker(account())).0;
    total += feed(&mut stage, now, RoutingIn::Control(Control::Arm)).0;
    for round in 0..200i64 {
        total += feed(&mut stage, now, RoutingIn::Broker(account())).0;
        for s in 0..4u16 {
            let tick = Tick {
                at: now,
                bid: usd(100.0),
                ask: usd(100.04),
                last: usd(100.0),
                symbol: SymbolId(s),
                quality: Quality::Fit,
                ..Tick::default()
            };
            total += feed(&mut stage, now, RoutingIn::Market(MarketEvent::Tick(tick))).0;
            let target = Target {
                decision: ibkr_trader::domain::DecisionId(1),
                at: now,
                cause_at: now,
                net: ibkr_trader::domain::Qty(if round % 2 == 0 { 10 } else { 0 }),
                arrival: usd(100.02),
                net_edge_bps: 1.0,
                symbol: SymbolId(s),
                horizon: None,
                urgency: Urgency::Normal,
                cause: if round % 2 == 0 { Cause::Enter } else { Cause::Exit },
            };
            let (n, command) = feed(&mut stage, now, RoutingIn::Target(target));
            total += n;
            sent.extend(command);
        }
        for (i, intent) in sent.drain(..).enumerate() {
            let t = intent.terms;
            let e = ExecutionFact {
                exec_id: ExecId::new(&format!("e{round}.{i}.{}.01", t.order_id)).unwrap(),
                order_id: t.order_id,
                client: CLIENT,
                perm_id: ibkr_trader::domain::PermId(i64::from(t.order_id.0)),
                symbol: Some(t.symbol),
                side: t.side,
                qty: t.qty,
                price: usd(100.02),
                cumulative: t.qty,
                broker_time: None,
                order_ref: t.order_ref,
            };
            total += feed(&mut stage, now, RoutingIn::Broker(BrokerEvent::Sent(t.order_id))).0;
            total += feed(&mut stage, now, RoutingIn::Broker(BrokerEvent::Execution(e))).0;
        }
        for _ in 0..8 {
            now = now + GRID;
            total += feed(&mut stage, now, RoutingIn::Market(MarketEvent::Timer(now))).0;
        }
    }
    assert!(commands >= 700, "the loop trades: {commands} commands");
    assert_eq!(total, 0, "allocations in on_event");
}
