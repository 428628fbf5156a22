//! Changing any input after an instant changes no byte before it; and inside a minute nothing that decisions read
//! moves, so that quotes invented from a bar can't tell its close.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers of a test scene")]

use ibkr_trader::clock::{MILLISECOND, MINUTE, SECOND, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{Price, SymbolId};
use ibkr_trader::features::{Config, FeaturesIn, FeaturesStage};
use ibkr_trader::feed::{self, FeedStage};
use ibkr_trader::message::{Bar, Cycle, MarketEvent, StatusKind, SymbolStatus, Tick};
use ibkr_trader::pipeline::{GRID, Outbox, Stage};

const SYMBOLS: u16 = 5;
const MINUTES: i64 = 100;

/// A small generator of numbers (Knuth's MMIX constants), so that the scene needs no crate.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, n: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n) as i64
    }
}

fn open() -> SessionTime {
    Date(20260415).at(9, 30)
}

/// History of the previous session's end, then a session of ticks and timers, in time order.
fn scene() -> Vec<(SessionTime, MarketEvent)> {
    let mut rng = Lcg(42);
    let start = open() - SECOND;
    let mut events = vec![(start, MarketEvent::DataLink { at: start, up: true })];
    let mut price: Vec<i64> = (0..SYMBOLS).map(|s| 50_000_000 + i64::from(s) * 20_000_000).collect();
    for s in 0..SYMBOLS {
        let status = SymbolStatus { at: start, symbol: SymbolId(s), kind: StatusKind::MarketDataType(1) };
        events.push((start, MarketEvent::Status(status)));
        for m in 0..120 {
            let open = price[usize::from(s)];
            let close = open + (rng.below(9) - 4) * 10_000;
            price[usize::from(s)] = close;
            let bar = Bar {
                start: Date(20260414).at(14, 0) + m * MINUTE,
                open: Price(open),
                high: Price(open.max(close) + 10_000),
                low: Price(open.min(close) - 10_000),
                close: Price(close),
                volume: 1_000 + rng.below(5_000) as u64,
                symbol: SymbolId(s),
            };
            events.push((start, MarketEvent::History(bar)));
        }
    }
    let mut volume = vec![0_u64; usize::from(SYMBOLS)];
    for step in 0..MINUTES * MINUTE / GRID {
        let timer = open() + step * GRID;
        events.push((timer, MarketEvent::Timer(timer)));
        for s in 0..SYMBOLS {
            if rng.below(4) != 0 {
                continue;
            }
            let i = usize::from(s);
            price[i] += (rng.below(3) - 1) * 10_000;
            let traded = rng.below(3) == 0;
            volume[i] += if traded { 100 * (1 + rng.below(9) as u64) } else { 0 };
            let tick = Tick {
                at: timer + 1 + i64::from(s) * MILLISECOND,
                bid: Price(price[i] - 10_000 * (1 + rng.below(2))),
                ask: Price(price[i] + 10_000),
                last: Price(price[i]),
                day_volume: volume[i],
                bid_size: 100 * (1 + rng.below(20)) as u32,
                ask_size: 100 * (1 + rng.below(20)) as u32,
                last_size: 100,
                symbol: SymbolId(s),
                ..Tick::default()
            };
            events.push((tick.at, MarketEvent::Tick(tick)));
        }
    }
    events
}

/// Everything that decision can read of a cycle, as bytes.
fn bytes(cycle: &Cycle) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |b: &[u8]| out.extend_from_slice(b);
    put(&cycle.id.to_le_bytes());
    put(&cycle.at.0.to_le_bytes());
    put(&cycle.cause.0.to_le_bytes());
    for row in 0..cycle.rows {
        put(&cycle.symbols[row].0.to_le_bytes());
        cycle.feature_row(row).iter().for_each(|x| put(&x.to_bits().to_le_bytes()));
        put(&cycle.sigma_1m[row].to_bits().to_le_bytes());
        put(&cycle.mid[row].0.to_le_bytes());
        put(&cycle.half_spread_bps[row].to_bits().to_le_bytes());
        put(&cycle.adv[row].to_le_bytes());
    }
    out
}

/// The cycles of a run through feed and features: instant and bytes.
fn play(events: &[(SessionTime, MarketEvent)]) -> Vec<(SessionTime, Vec<u8>)> {
    let mut feed = FeedStage::new(feed::Config::default(), usize::from(SYMBOLS));
    let mut features = FeaturesStage::new(&Config::default(), usize::from(SYMBOLS));
    let mut facts = Outbox::with_capacity(FeedStage::OUTPUTS_MAX);
    let mut cycles = Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX);
    let mut seen = Vec::new();
    for (now, event) in events {
        feed.on_event(*now, *event, &mut facts);
        for fact in facts.drain().collect::<Vec<_>>() {
            features.on_event(*now, FeaturesIn::Market(fact), &mut cycles);
            for cycle in cycles.drain().collect::<Vec<_>>() {
                seen.push((cycle.at, bytes(&cycle)));
                features.on_event(*now, FeaturesIn::Recycle(cycle), &mut cycles);
            }
        }
    }
    seen
}

/// One way to change the future.
type Change = fn(&mut MarketEvent);

fn on_tick(event: &mut MarketEvent, change: impl Fn(&mut Tick)) {
    if let MarketEvent::Tick(tick) = event {
        change(tick);
    }
}

const CHANGES: [(&str, Change); 9] = [
    ("bid", |e| on_tick(e, |t| t.bid = t.bid - Price(20_000))),
    ("ask", |e| on_tick(e, |t| t.ask = t.ask + Price(20_000))),
    ("bid size", |e| on_tick(e, |t| t.bid_size *= 7)),
    ("ask size", |e| on_tick(e, |t| t.ask_size *= 7)),
    ("last", |e| on_tick(e, |t| t.last = t.last + Price(50_000))),
    ("day volume", |e| on_tick(e, |t| t.day_volume = t.day_volume * 2 + 1)),
    ("all of a tick", |e| {
        on_tick(e, |t| {
            *t = Tick { at: t.at, symbol: t.symbol, bid: Price(1), ask: Price(7), last: Price(3), ..Tick::default() };
        });
    }),
    ("market data type", |e| {
        if let MarketEvent::Tick(t) = e {
            *e = MarketEvent::Status(SymbolStatus { at: t.at, symbol: t.symbol, kind: StatusKind::MarketDataType(3) });
        }
    }),
    ("the link", |e| {
        if let MarketEvent::Tick(t) = e {
            *e = MarketEvent::DataLink { at: t.at, up: false };
        }
    }),
];

#[test]
fn the_future_changes_no_byte_of_the_past() {
    let events = scene();
    let base = play(&events);
    assert!(base.len() >= 95, "cycles: {}", base.len());
    for (name, change) in CHANGES {
        for minute in [31, 64, 90] {
            let instant = open() + minute * MINUTE + 17 * SECOND;
            let mut other = events.clone();
            other.iter_mut().filter(|(at, _)| *at > instant).for_each(|(_, e)| change(e));
            let played = play(&other);
            let past = base.iter().take_while(|(at, _)| *at <= instant).count();
            assert_eq!(base[..past], played[..past], "{name} after {instant}");
            assert_ne!(base, played, "{name} after {instant} has an effect at all");
        }
    }
}

/// On a source that invents quotes from bars, the minute from `boundary` is one input dated at its open, and
/// the quotes in it know its close. The cycle that closes the minute before must not see them, though it comes
/// half a second into that minute.
#[test]
fn a_cycle_reads_nothing_of_the_minute_that_has_begun() {
    let events = scene();
    let base = play(&events);
    for (name, change) in &CHANGES[..6] {
        for minute in [40, 77] {
            let boundary = open() + minute * MINUTE;
            let mut other = events.clone();
            other.iter_mut().filter(|(at, _)| *at >= boundary).for_each(|(_, e)| change(e));
            let played = play(&other);
            let past = base.iter().take_while(|(at, _)| *at < boundary + MINUTE).count();
            assert_eq!(base[past - 1].0, boundary + 500 * MILLISECOND);
            assert_eq!(base[..past], played[..past], "{name} from {boundary}");
        }
    }
}

#[test]
fn decisions_fall_on_bar_closes_only() {
    for (at, _) in play(&scene()) {
        assert_eq!(at.0.rem_euclid(MINUTE), 500 * MILLISECOND);
    }
}
