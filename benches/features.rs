//! What the features stage costs: one quote of a warm symbol, and one closed minute of a universe.

#![allow(clippy::cast_possible_truncation, reason = "a symbol index below 100")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ibkr_trader::clock::{MINUTE, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{Price, SymbolId};
use ibkr_trader::features::{Config, FeaturesIn, FeaturesStage};
use ibkr_trader::message::{Bar, MarketEvent, Quality, Tick};
use ibkr_trader::pipeline::{Outbox, Stage};

const SYMBOLS: u16 = 100;

fn open() -> SessionTime {
    Date(20260415).at(9, 30)
}

fn bar(symbol: u16, start: SessionTime) -> Bar {
    let wave = (start.0 / MINUTE * 7 + i64::from(symbol) * 13) % 40 * 10_000;
    let price = 100_000_000 + wave;
    Bar {
        start,
        open: Price(price),
        high: Price(price + 30_000),
        low: Price(price - 30_000),
        close: Price(price + 10_000),
        volume: 1_000,
        symbol: SymbolId(symbol),
    }
}

/// A stage with two hours of bars behind it.
fn warm() -> FeaturesStage {
    let mut stage = FeaturesStage::new(&Config::default(), usize::from(SYMBOLS));
    for minute in 0..120 {
        (0..SYMBOLS).for_each(|s| stage.apply_bar(&bar(s, open() + minute * MINUTE)));
    }
    stage
}

fn quote(c: &mut Criterion) {
    let mut stage = warm();
    let mut out = Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX);
    let start = open() + 120 * MINUTE;
    let mut i = 0_u32;
    c.bench_function("features/one quote", |b| {
        b.iter(|| {
            i = i.wrapping_add(1);
            let tick = Tick {
                at: start,
                bid: Price(100_000_000 + i64::from(i % 7) * 10_000),
                ask: Price(100_100_000),
                last: Price(100_050_000),
                day_volume: u64::from(i / 4),
                bid_size: 100 + i % 900,
                ask_size: 300,
                last_size: 100,
                symbol: SymbolId((i % u32::from(SYMBOLS)) as u16),
                quality: Quality::Fit,
            };
            stage.on_event(start, FeaturesIn::Market(MarketEvent::Tick(tick)), &mut out);
        });
    });
}

fn minute(c: &mut Criterion) {
    let start = open() + 120 * MINUTE;
    c.bench_function("features/one closed minute of 100 symbols", |b| {
        b.iter_batched_ref(
            || (warm(), Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX)),
            |(stage, out)| {
                (0..SYMBOLS).for_each(|s| stage.apply_bar(&bar(s, start)));
                stage.emit(start + MINUTE, start, out);
            },
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, quote, minute);
criterion_main!(benches);
