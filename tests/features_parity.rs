//! Training and serving see the same bytes: a real day, played as IB would have sampled it through feed and
//! features, gives the columns that the exporter writes from the file's bars directly.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "share counts fit; a skipped test says so on stdout"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use ibkr_trader::app::train_export::{export_day, read_day};
use ibkr_trader::clock::{MINUTE, SessionTime};
use ibkr_trader::domain::SymbolId;
use ibkr_trader::domain::calendar::{Date, previous_trading_day};
use ibkr_trader::features::{Config, FeaturesIn, FeaturesStage, schema};
use ibkr_trader::feed::{self, FeedStage};
use ibkr_trader::message::{Bar, MarketEvent, StatusKind, SymbolStatus, Tick};
use ibkr_trader::pipeline::{GRID, Outbox, Stage};
use ibkr_trader::sim::market::bars::BarMarket;
use ibkr_trader::sim::market::{MarketOptions, MarketSource, SampledFeed, SampledUpdate, Sampler};

const DAY: Date = Date(20260414);

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from);
    let bars = folder.join("bars_1m_ustech");
    let found = bars.join("2026-04-14.csv.gz").is_file() && bars.join("2026-04-13.csv.gz").is_file();
    if !found {
        println!("skipped: no bars at {}; set IBKR_TRADER_DATA to the data folder", bars.display());
    }
    found.then_some(bars)
}

/// σ and bar columns by minute and symbol, as bits.
type Rows = BTreeMap<(SessionTime, SymbolId), Vec<u32>>;

fn bits(sigma: f32, columns: &[f32]) -> Vec<u32> {
    std::iter::once(sigma).chain(columns[..schema::BAR_COLUMNS].iter().copied()).map(f32::to_bits).collect()
}

/// Feed and features behind a sampled source.
struct Live {
    feed: FeedStage,
    features: FeaturesStage,
    facts: Outbox<MarketEvent>,
    cycles: Outbox<Box<ibkr_trader::message::Cycle>>,
    ticks: Vec<Tick>,
    rows: Rows,
}

impl Live {
    fn new(n: usize) -> Self {
        Self {
            feed: FeedStage::new(feed::Config::default(), n),
            features: FeaturesStage::new(&Config::default(), n),
            facts: Outbox::with_capacity(FeedStage::OUTPUTS_MAX),
            cycles: Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX),
            ticks: (0..n).map(|i| Tick { symbol: SymbolId(i as u16), ..Tick::default() }).collect(),
            rows: Rows::new(),
        }
    }

    fn send(&mut self, now: SessionTime, event: MarketEvent) {
        self.feed.on_event(now, event, &mut self.facts);
        for fact in self.facts.drain().collect::<Vec<_>>() {
            self.features.on_event(now, FeaturesIn::Market(fact), &mut self.cycles);
            for cycle in self.cycles.drain().collect::<Vec<_>>() {
                let minute = cycle.at.floor_to(MINUTE) - MINUTE;
                for row in 0..cycle.rows {
                    let columns = cycle.feature_row(row);
                    if columns[..schema::BAR_COLUMNS].iter().any(|x| !x.is_nan()) {
                        self.rows.insert((minute, cycle.symbols[row]), bits(cycle.sigma_1m[row], columns));
                    }
                }
                self.features.on_event(now, FeaturesIn::Recycle(cycle), &mut self.cycles);
            }
        }
        assert_eq!((self.facts.lost(), self.cycles.lost()), (0, 0));
    }

    /// Merges an update into the symbol's tick, as ingest does.
    fn update(&mut self, u: &SampledUpdate) {
        let tick = &mut self.ticks[u.symbol.index()];
        tick.at = u.time;
        tick.bid = u.bid.unwrap_or(tick.bid);
        tick.ask = u.ask.unwrap_or(tick.ask);
        tick.bid_size = u.bid_size.map_or(tick.bid_size, |q| q.0 as u32);
        tick.ask_size = u.ask_size.map_or(tick.ask_size, |q| q.0 as u32);
        tick.last = u.last.unwrap_or(tick.last);
        tick.last_size = u.last_size.map_or(tick.last_size, |q| q.0 as u32);
        tick.day_volume = u.volume.map_or(tick.day_volume, |q| q.0 as u64);
        let tick = *tick;
        self.send(u.time, MarketEvent::Tick(tick));
    }
}

#[test]
fn a_real_day_live_and_exported_gives_the_same_bytes() {
    let Some(folder) = data() else { return };
    let options = MarketOptions { date: DAY, ..MarketOptions::default() };
    let source = BarMarket::open(&folder.join("2026-04-14.csv.gz"), &options).unwrap();
    let hours = source.hours();
    let ids: BTreeMap<String, SymbolId> = source.references().iter().map(|r| (r.symbol.clone(), r.id)).collect();

    let mut live = Live::new(ids.len());
    live.send(hours.open, MarketEvent::DataLink { at: hours.open, up: true });
    for &symbol in ids.values() {
        let kind = StatusKind::MarketDataType(1);
        live.send(hours.open, MarketEvent::Status(SymbolStatus { at: hours.open, symbol, kind }));
        for b in source.history(symbol) {
            let volume = b.volume.0 as u64;
            let bar = Bar { start: b.start, open: b.open, high: b.high, low: b.low, close: b.close, volume, symbol };
            live.send(hours.open, MarketEvent::History(bar));
        }
    }
    let sampler = Sampler::new(ids.len(), 7);
    let mut sampled = SampledFeed::new(source, sampler);
    let mut timer = hours.open;
    while timer <= hours.close + MINUTE {
        while let Some(update) = sampled.next_until(timer) {
            live.update(&update);
        }
        live.send(timer, MarketEvent::Timer(timer));
        timer = timer + GRID;
    }

    let before = previous_trading_day(DAY).unwrap();
    let (y, m, d) = before.parts();
    let before = read_day(&folder.join(format!("{y:04}-{m:02}-{d:02}.csv.gz")), &ids).unwrap();
    let today = read_day(&folder.join("2026-04-14.csv.gz"), &ids).unwrap();
    let exported = export_day(DAY, &before, &today, ids.len(), &Config::default()).unwrap();
    let exported: Rows = exported.rows.iter().map(|r| ((r.minute, r.symbol), bits(r.sigma_1m, &r.columns))).collect();

    let counters = live.features.counters();
    assert_eq!((counters.late_ticks, counters.dropped_cycles, counters.broken_bars), (0, 0, 0));
    assert_eq!(live.feed.distrusted_lasts(), 0, "no print of this day is implausible");
    let only_live = live.rows.keys().filter(|k| !exported.contains_key(k)).count();
    let only_file = exported.keys().filter(|k| !live.rows.contains_key(k)).count();
    let differ: Vec<_> = exported.iter().filter(|(k, v)| live.rows.get(k).is_some_and(|l| l != *v)).collect();
    assert!(exported.len() > 25_000, "the day has rows: {}", exported.len());
    assert_eq!(
        (only_live, only_file, differ.len()),
        (0, 0, 0),
        "first difference: {:?}",
        differ.first().map(|(k, v)| {
            let at = (0..v.len()).find(|i| live.rows[k][*i] != v[*i]).unwrap_or(0);
            (k, at.checked_sub(1).map(|c| schema::NAMES[c]), f32::from_bits(v[at]), f32::from_bits(live.rows[k][at]))
        })
    );
}
