//! What measuring costs: one latency record (bar: a full stage stamp ≤ 30 ns, of which the record is a part), one
//! counter, and the end-of-session work. Run `cargo bench --bench telemetry`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ibkr_trader::telemetry::{Counter, Counters, Hop, LatencyRecorder};

fn record(criterion: &mut Criterion) {
    let Ok(mut recorder) = LatencyRecorder::new() else { return };
    let mut ns = 1_u64;
    criterion.bench_function("latency_record", |b| {
        b.iter(|| {
            // Spread over the magnitudes that a hop sees, so that no single bucket stays in a register.
            ns = ns.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            recorder.record(black_box(Hop::Decision), ns >> 36);
        });
    });
    let counters = Counters::new(&["size"]);
    criterion.bench_function("counter_bump", |b| b.iter(|| counters.bump(black_box(Counter::Events))));
}

fn clocks(criterion: &mut Criterion) {
    let clock = quanta::Clock::new();
    criterion.bench_function("clock_read", |b| b.iter(|| clock.raw()));
    let Ok(mut recorder) = LatencyRecorder::new() else { return };
    criterion.bench_function("stage_stamp", |b| {
        b.iter(|| {
            let start = clock.raw();
            let end = clock.raw();
            recorder.record(black_box(Hop::Feed), clock.delta_as_nanos(start, end));
        });
    });
}

fn end_of_session(criterion: &mut Criterion) {
    let (Ok(mut total), Ok(mut other)) = (LatencyRecorder::new(), LatencyRecorder::new()) else { return };
    (1..100_000_u64).for_each(|n| other.record(Hop::Feed, n * 997));
    criterion.bench_function("merge_recorder", |b| b.iter(|| total.merge(black_box(&other))));
    criterion.bench_function("hgrm_text", |b| b.iter(|| other.hgrm(black_box(Hop::Feed))));
}

criterion_group!(benches, record, clocks, end_of_session);
criterion_main!(benches);
