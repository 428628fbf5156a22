//! What the models of a whole lockstep session saw is what the exporter writes for the same bars, byte for byte: venue,
//! sampler, adapter, feed, bar builder and all, against the bars of the file.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test stops at the first surprise")]

mod inference_support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ibkr_trader::app::backtest::play;
use ibkr_trader::app::cli::SettingsArgs;
use ibkr_trader::app::load;
use ibkr_trader::app::train_export::{ExportedDay, ExportedRow, export_day, read_day};
use ibkr_trader::app::zoo::Zoo;
use ibkr_trader::clock::{MINUTE, SessionTime, VirtualClock};
use ibkr_trader::domain::SymbolId;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::features::schema;
use ibkr_trader::pipeline::group::Group;
use ibkr_trader::sim::market::bars::BarMarket;
use ibkr_trader::sim::market::{MarketOptions, MarketSource};
use inference_support::runtime;

const NAMES: [&str; 6] = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"];
const MINUTES: usize = 60;

/// A day of bars that wander by cents; now and then one is missing.
fn write_day(folder: &Path, day: &str, minutes: usize) {
    let mut state = 12_345_u64;
    let mut below = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let mut cents = [5_000_u64, 12_000, 3_300, 8_100, 20_000, 6_400];
    let mut text = "ts,symbol,open,high,low,close,volume\n".to_string();
    for minute in 0..minutes {
        let (h, m) = (13 + (30 + minute) / 60, (30 + minute) % 60);
        for (name, price) in NAMES.iter().zip(&mut cents) {
            let open = *price + below(5) - 2;
            *price = open + below(13) - 6;
            let (high, low) = (open.max(*price) + below(4), open.min(*price) - below(4));
            let volume = 100 * (5 + below(40));
            if minute > 0 && below(40) == 0 {
                continue;
            }
            let dollars = |c: u64| format!("{}.{:02}", c / 100, c % 100);
            let (open, high, low, close) = (dollars(open), dollars(high), dollars(low), dollars(*price));
            writeln!(text, "{day}T{h}:{m:02}:00Z,{name},{open},{high},{low},{close},{volume}").unwrap();
        }
    }
    let file = std::fs::File::create(folder.join(format!("{day}.csv.gz"))).unwrap();
    let mut gz = GzEncoder::new(file, Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
}

thread_local! {
    static SEEN: RefCell<(u64, ExportedDay)> = RefCell::new((0, ExportedDay::default()));
}

/// A sweep of the stages; what a cycle held is kept once it has come back from decision.
fn recording(group: &mut Group<VirtualClock>) -> usize {
    let done = group.poll();
    let features = group.stages().features.as_ref().unwrap();
    let cycles = features.counters().cycles;
    SEEN.with_borrow_mut(|(seen, day)| {
        if cycles > *seen {
            assert_eq!(cycles, *seen + 1, "one cycle a sweep");
            *seen = cycles;
            let cycle = features.latest_cycle().unwrap();
            assert_eq!(cycle.id, cycles, "the cycle is back within its sweep");
            day.take(cycle, cycle.at.floor_to(MINUTE) - MINUTE);
        }
    });
    done
}

fn bits(rows: &[ExportedRow], end: SessionTime) -> BTreeMap<(SessionTime, SymbolId), Vec<u32>> {
    let row = |r: &ExportedRow| {
        let columns = std::iter::once(r.sigma_1m).chain(r.columns[..schema::BAR_COLUMNS].iter().copied());
        ((r.minute, r.symbol), columns.map(f32::to_bits).collect())
    };
    rows.iter().filter(|r| r.minute + MINUTE < end).map(row).collect()
}

#[test]
fn a_lockstep_session_sees_the_exporters_bytes() {
    if runtime().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_day(folder.path(), "2026-04-14", 390);
    write_day(folder.path(), "2026-04-15", 90);
    let today = folder.path().join("2026-04-15.csv.gz");
    let source = BarMarket::open(&today, &MarketOptions::default()).unwrap();
    let end = source.start() + i64::try_from(MINUTES).unwrap() * MINUTE;
    let ids: BTreeMap<String, SymbolId> = source.references().iter().map(|r| (r.symbol.clone(), r.id)).collect();

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let args = SettingsArgs { config: root.join("config/default.toml"), profile: vec![], set: vec![] };
    let mut settings = load::settings(&args, &[&root.join("config/demo.toml")]).unwrap();
    settings.demo.minutes = i64::try_from(MINUTES).unwrap();
    settings.session.flat_before_end_min = 3;
    let zoo = Zoo::load(&root.join("models")).unwrap();
    play(&settings, zoo, Box::new(source), recording).unwrap();
    let seen = SEEN.take().1;

    let before = read_day(&folder.path().join("2026-04-14.csv.gz"), &ids).unwrap();
    let bars = read_day(&today, &ids).unwrap();
    let exported = export_day(Date(20_260_415), &before, &bars, ids.len(), &settings.features).unwrap();
    let (seen, exported) = (bits(&seen.rows, end), bits(&exported.rows, end));
    assert!(exported.len() > NAMES.len() * (MINUTES - 6), "the session has rows: {}", exported.len());
    let differ: Vec<_> = exported.iter().filter(|(k, v)| seen.get(*k) != Some(*v)).map(|(k, _)| k).collect();
    assert_eq!((seen.len(), differ.len()), (exported.len(), 0), "first: {:?}", differ.first());
}
