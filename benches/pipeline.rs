//! What the pipeline itself costs: a ring hop on one thread (the floor), and a sampled quote through feed, features
//! and routing of one group, by direct calls. `base` measures the harness.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion makes undocumented items; a bench stops at a surprise")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ibkr_trader::app::cli::SettingsArgs;
use ibkr_trader::app::load;
use ibkr_trader::clock::{MILLISECOND, ScaledClock, SessionTime};
use ibkr_trader::domain::{ClientId, ConId, Instrument, Price, ProcessEpoch, SymbolId, TickRule};
use ibkr_trader::features::FeaturesStage;
use ibkr_trader::feed::FeedStage;
use ibkr_trader::message::{MarketEvent, StatusKind, SymbolStatus, Tick};
use ibkr_trader::pipeline::group::{Group, Stages};
use ibkr_trader::pipeline::ring::ring;
use ibkr_trader::pipeline::wiring::{Outside, wire};
use ibkr_trader::pipeline::{GroupSpec, StageName, Topology, Wait};
use ibkr_trader::routing::{Identity, Recovered, RoutingStage};
use ibkr_trader::telemetry::{Counters, LatencyRecorder};

const SYMBOLS: u16 = 100;
/// 2026-04-15 11:00 New York.
const START: SessionTime = SessionTime::from_secs(1_776_265_200);

fn instruments() -> Vec<Instrument> {
    (0..SYMBOLS)
        .map(|i| Instrument {
            id: SymbolId(i),
            symbol: format!("S{i}"),
            con_id: ConId(i32::from(i) + 1),
            primary_exchange: "NASDAQ".into(),
            currency: "USD".into(),
            tick_rules: vec![TickRule { low_edge: Price(0), increment: Price(10_000) }],
        })
        .collect()
}

fn group() -> (Group<ScaledClock>, Outside) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let args = SettingsArgs { config: root.join("config/default.toml"), profile: vec![], set: vec![] };
    let settings = load::settings(&args, &[]).unwrap();
    let identity = Identity { process_epoch: ProcessEpoch(1), client: ClientId(10), account_verified: true };
    let n = usize::from(SYMBOLS);
    let stages = Stages {
        feed: Some(FeedStage::new(settings.feed.clone(), n)),
        features: Some(FeaturesStage::new(&settings.features, n)),
        routing: Some(RoutingStage::new(settings.routing, instruments(), identity, &Recovered::default()).unwrap()),
        ..Stages::default()
    };
    let all = GroupSpec { stages: StageName::ALL.to_vec(), core: -1, wait: Wait::Spin };
    let counters = Arc::new(Counters::new(&[]));
    let latency = LatencyRecorder::new().unwrap();
    let topology = Topology { groups: vec![all] };
    let (mut groups, outside) = wire(stages, &topology, n, &counters, &latency, ScaledClock::real_time);
    (groups.pop().unwrap(), outside)
}

fn tick(n: u64) -> MarketEvent {
    let step = i64::try_from(n % 7).unwrap() * 10_000;
    MarketEvent::Tick(Tick {
        at: START + i64::try_from(n).unwrap() * MILLISECOND,
        bid: Price(100_000_000 + step),
        ask: Price(100_010_000 + step),
        last: Price(100_000_000 + step),
        day_volume: 1_000_000 + n,
        bid_size: 300,
        ask_size: 200,
        last_size: 100,
        symbol: SymbolId(u16::try_from(n % u64::from(SYMBOLS)).unwrap()),
        ..Tick::default()
    })
}

fn pipeline(c: &mut Criterion) {
    let mut g = c.benchmark_group("pipeline");
    g.throughput(Throughput::Elements(1));
    g.bench_function("base", |b| {
        let mut n = 0;
        b.iter(|| {
            n += 1;
            black_box(tick(n))
        });
    });
    g.bench_function("ring_push_pop", |b| {
        let (mut tx, mut rx) = ring(1_024);
        let mut n = 0;
        b.iter(|| {
            n += 1;
            tx.push(tick(n)).unwrap();
            black_box(rx.pop())
        });
    });
    g.bench_function("tick_through_feed_features_routing", |b| {
        let (mut group, mut outside) = group();
        outside.market.push(MarketEvent::DataLink { at: START, up: true });
        for i in 0..SYMBOLS {
            let kind = StatusKind::MarketDataType(1);
            outside.market.push(MarketEvent::Status(SymbolStatus { at: START, symbol: SymbolId(i), kind }));
        }
        group.poll();
        let mut n = 0;
        b.iter(|| {
            n += 1;
            outside.market.push(tick(n));
            black_box(group.poll())
        });
    });
    g.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
