//! Training and serving see the same bytes: a real day, played as IB would have sampled it through feed and
//! features, gives the columns that the exporter writes from the file's bars directly.

#![allow(clippy::print_stdout, reason = "a skipped test says so on stdout")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use ibkr_trader::app::skew::{Sampling, watch};
use ibkr_trader::app::train_export::{ExportedDay, export_day, read_day};
use ibkr_trader::clock::SessionTime;
use ibkr_trader::domain::SymbolId;
use ibkr_trader::domain::calendar::{Date, previous_trading_day};
use ibkr_trader::features::{Config, schema};
use ibkr_trader::sim::market::bars::BarMarket;
use ibkr_trader::sim::market::{MarketOptions, MarketSource};

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

fn rows(day: &ExportedDay) -> Rows {
    day.rows.iter().map(|r| ((r.minute, r.symbol), bits(r.sigma_1m, &r.columns))).collect()
}

#[test]
fn a_real_day_live_and_exported_gives_the_same_bytes() {
    let Some(folder) = data() else { return };
    let options = MarketOptions { date: DAY, ..MarketOptions::default() };
    let source = BarMarket::open(&folder.join("2026-04-14.csv.gz"), &options).unwrap();
    let ids: BTreeMap<String, SymbolId> = source.references().iter().map(|r| (r.symbol.clone(), r.id)).collect();

    let live = watch(source, Sampling::Ib { seed: 7 }).unwrap();
    let counters = live.features;
    assert_eq!((counters.late_ticks, counters.dropped_cycles, counters.broken_bars), (0, 0, 0));
    assert_eq!(live.distrusted_prints, 0, "no print of this day is implausible");
    let live = rows(&live.day);

    let before = previous_trading_day(DAY).unwrap();
    let (y, m, d) = before.parts();
    let before = read_day(&folder.join(format!("{y:04}-{m:02}-{d:02}.csv.gz")), &ids).unwrap();
    let today = read_day(&folder.join("2026-04-14.csv.gz"), &ids).unwrap();
    let exported = export_day(DAY, &before, &today, ids.len(), &Config::default()).unwrap();
    let exported = rows(&exported);
    let only_live = live.keys().filter(|k| !exported.contains_key(k)).count();
    let only_file = exported.keys().filter(|k| !live.contains_key(k)).count();
    let differ: Vec<_> = exported.iter().filter(|(k, v)| live.get(k).is_some_and(|l| l != *v)).collect();
    assert!(exported.len() > 25_000, "the day has rows: {}", exported.len());
    assert_eq!(
        (only_live, only_file, differ.len()),
        (0, 0, 0),
        "first difference: {:?}",
        differ.first().map(|(k, v)| {
            let at = (0..v.len()).find(|i| live[k][*i] != v[*i]).unwrap_or(0);
            (k, at.checked_sub(1).map(|c| schema::NAMES[c]), f32::from_bits(v[at]), f32::from_bits(live[k][at]))
        })
    );
}
