//! Routing: what a tick, a timer and a target cost the stage; a target's cost includes the whole guard chain, the
//! booking and the command. The base case measures the harness itself.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ibkr_trader::clock::{MINUTE, SECOND, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::*;
use ibkr_trader::message::*;
use ibkr_trader::pipeline::{Outbox, Stage};
use ibkr_trader::routing::{Config, Control, Identity, Recovered, RoutingIn, RoutingOut, RoutingStage};

const SYMBOLS: u16 = 200;

struct Harness {
    stage: RoutingStage,
    out: Outbox<RoutingOut>,
    now: SessionTime,
}

impl Harness {
    fn feed(&mut self, input: RoutingIn) -> usize {
        self.stage.on_event(self.now, input, &mut self.out);
        self.out.drain().count()
    }
}

fn tick(now: SessionTime, symbol: SymbolId) -> RoutingIn {
    RoutingIn::Market(MarketEvent::Tick(Tick {
        at: now,
        bid: Price::from_f64(100.0),
        ask: Price::from_f64(100.04),
        last: Price::from_f64(100.0),
        symbol,
        quality: Quality::Fit,
        ..Tick::default()
    }))
}

fn ready() -> Result<Harness, String> {
    let instruments = (0..SYMBOLS).map(|i| Instrument {
        id: SymbolId(i),
        symbol: format!("S{i}"),
        con_id: ConId(i32::from(i)),
        primary_exchange: "NYSE".into(),
        currency: "USD".into(),
        tick_rules: vec![TickRule { low_edge: Price(0), increment: Price(10_000) }],
    });
    let identity = Identity { process_epoch: ProcessEpoch(1), client: ClientId(1), account_verified: true };
    let mut config = Config::default();
    config.limits.order_efficiency_min_messages = 1_000_000_000;
    config.limits.repeat_window_s = 1;
    config.limits.max_gross_pct = 1_000;
    config.limits.max_net_pct = 1_000;
    let stage = RoutingStage::new(config, instruments.collect(), identity, &Recovered::default())?;
    let out = Outbox::with_capacity(stage.outbox_capacity());
    let mut h = Harness { stage, out, now: Date(20260415).at(10, 0) };
    h.feed(RoutingIn::Market(MarketEvent::Timer(h.now)));
    let up = LinkState::Up { epoch: ConnEpoch(1), next_order_id: OrderId(1) };
    h.feed(RoutingIn::Broker(BrokerEvent::Link(up)));
    for kind in ibkr_trader::routing::orders::ROUND {
        h.feed(RoutingIn::Broker(BrokerEvent::SnapshotEnd { kind, complete: true, epoch: ConnEpoch(1) }));
    }
    h.feed(RoutingIn::Control(Control::Arm));
    Ok(h)
}

fn account() -> RoutingIn {
    let m = Some(Money(1_000_000_000_000));
    RoutingIn::Broker(BrokerEvent::Account {
        net_liquidation: m,
        cash: m,
        excess_liquidity: m,
        buying_power: Some(Money(4_000_000_000_000)),
    })
}

fn bench(c: &mut Criterion) {
    let Ok(mut h) = ready() else { return };
    for i in 0..SYMBOLS {
        let t = tick(h.now, SymbolId(i));
        h.feed(t);
    }
    let mut i = 0u16;
    c.bench_function("routing/harness", |b| {
        b.iter(|| {
            i = (i + 1) % SYMBOLS;
            black_box(tick(h.now, SymbolId(i)))
        });
    });
    c.bench_function("routing/tick", |b| {
        b.iter(|| {
            i = (i + 1) % SYMBOLS;
            let t = tick(h.now, SymbolId(i));
            black_box(h.feed(t))
        });
    });
    c.bench_function("routing/timer_200_symbols", |b| {
        b.iter(|| black_box(h.feed(RoutingIn::Market(MarketEvent::Timer(h.now)))));
    });
    let mut decision = 0;
    let mut commands = 0u64;
    c.bench_function("routing/target_to_command_and_withdrawal", |b| {
        b.iter(|| {
            decision += 1;
            i = (i + 1) % SYMBOLS;
            h.now = h.now + SECOND / 4;
            if h.now > Date(20260415).at(15, 50) {
                h.now = Date(20260415).at(10, 0) + MINUTE;
            }
            h.feed(account());
            let t = tick(h.now, SymbolId(i));
            h.feed(t);
            let target = Target {
                decision: DecisionId(decision),
                at: h.now,
                cause_at: h.now,
                net: Qty(100),
                arrival: Price::from_f64(100.02),
                net_edge_bps: 5.0,
                symbol: SymbolId(i),
                horizon: Some(Horizon::M5),
                urgency: Urgency::Normal,
                cause: Cause::Enter,
            };
            h.stage.on_event(h.now, RoutingIn::Target(target), &mut h.out);
            let id = h.out.drain().find_map(|o| match o {
                RoutingOut::Command(c) => Some(c.order_id()),
                RoutingOut::Fact(_) | RoutingOut::Position(_) | RoutingOut::Query(_) => None,
            });
            if let Some(id) = id {
                commands += 1;
                h.feed(RoutingIn::Target(Target { net: Qty(0), ..target }));
                h.feed(RoutingIn::Broker(BrokerEvent::Withdrawn(id)));
            }
        });
    });
    assert!(commands > 0, "the benchmark never sent anything");
}

criterion_group!(benches, bench);
criterion_main!(benches);
