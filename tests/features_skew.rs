//! `models skew` on ticks made here: where sampling loses nothing all is equal, where it must lose something it shows.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ibkr_trader::app::skew::{SkewReport, measure};
use ibkr_trader::app::skew_figures::difference;
use ibkr_trader::features::schema;

const NAMES: [(&str, i64); 3] = [("AAA", 5_000), ("BBB", 12_000), ("CCC", 3_300)];
/// 2013-10-08 09:30 in New York, seconds.
const OPEN_S: i64 = 1_381_239_000;
const MINUTES: i64 = 60;

fn write(path: &Path, text: &str) {
    let mut gz = GzEncoder::new(std::fs::File::create(path).unwrap(), Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
}

fn dollars(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Ticks of an hour, a quote or print every 3 s; with `burst` eight prints of one instant to the next 60 ms in each minute.
/// Their bars go into the file beside the folder. Gives the folder.
fn market(root: &Path, burst: bool) -> std::path::PathBuf {
    let mut state = 77_u64;
    let mut step = |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((state >> 33) % n).unwrap() - i64::try_from(n / 2).unwrap()
    };
    let folder = root.join("ticks");
    std::fs::create_dir(&folder).unwrap();
    let mut bars =
        "ts,symbol,open,high,low,close,volume,bid_open,bid_high,bid_low,bid_close,bid_size,ask_open,ask_high,\
                    ask_low,ask_close,ask_size\n"
            .to_string();
    for (name, base) in NAMES {
        let mut text = "ts_ns,symbol,kind,bid,bid_size,ask,ask_size,last,last_size,exch,cond\n".to_string();
        let mut mid = base;
        for minute in 0..MINUTES {
            let mut prints: Vec<(i64, i64)> = Vec::new();
            for k in 0..9_i64 {
                let at_ms = (OPEN_S + 60 * minute) * 1_000 + 1_000 + 6_000 * k;
                mid += step(5);
                let (bid, ask) = (dollars(mid - 1), dollars(mid + 1));
                let (bid_size, ask_size) = (100 * (5 + step(9)), 100 * (5 + step(9)));
                writeln!(text, "{}000000,{name},quote,{bid},{bid_size},{ask},{ask_size},,,,", at_ms).unwrap();
                prints.push((at_ms + 3_000, mid + step(3)));
                if burst && k == 4 {
                    prints.extend((1..9).map(|i| (at_ms + 3_000 + 60 * i, mid + 3 * i * (i % 2 * 2 - 1))));
                }
                for (at_ms, price) in prints.iter().filter(|(t, _)| *t > at_ms) {
                    writeln!(text, "{at_ms}000000,{name},trade,,,,,{},200,,", dollars(*price)).unwrap();
                }
            }
            let price = |f: fn(i64, i64) -> i64| prints.iter().map(|p| p.1).reduce(f).map(dollars).unwrap();
            let (open, close) = (dollars(prints[0].1), dollars(prints[prints.len() - 1].1));
            let (h, m, volume) = (13 + (30 + minute) / 60, (30 + minute) % 60, 200 * prints.len());
            let (high, low) = (price(i64::max), price(i64::min));
            writeln!(bars, "2013-10-08T{h}:{m:02}:00Z,{name},{open},{high},{low},{close},{volume},,,,,,,,,,").unwrap();
        }
        write(&folder.join(format!("20131008_{name}.csv.gz")), &text);
    }
    write(&root.join("bars_1m_quotes_lean.csv.gz"), &bars);
    folder
}

fn equal(report: &SkewReport, column: &str) -> f64 {
    report.sampled.iter().find(|d| d.name == column).unwrap().equal
}

#[test]
fn where_sampling_loses_nothing_every_column_is_equal_bit_for_bit() {
    let root = tempfile::tempdir().unwrap();
    let report = measure(&market(root.path(), false), 3).unwrap();
    assert_eq!((report.days.as_slice(), report.bar_days.as_slice()), (&[20_131_008][..], &[20_131_008][..]));
    let rows = report.rows[0];
    assert!(rows >= NAMES.len() * 39 && report.rows == [rows; 3], "{:?}", report.rows);
    let unequal: Vec<_> = report.sampled.iter().filter(|d| d.known > 0 && d.equal < 1.0).map(|d| &d.name).collect();
    assert!(unequal.is_empty(), "sampled: {unequal:?}");
    let unequal: Vec<_> = report.exported.iter().filter(|d| d.known > 0 && d.equal < 1.0).map(|d| &d.name).collect();
    assert!(unequal.is_empty(), "exported: {unequal:?}");
    assert_eq!((report.sampled.len(), report.exported.len()), (schema::COLUMNS, schema::BAR_COLUMNS));
    assert!(report.bars.len() == 5 * NAMES.len() && report.bars.iter().all(|b| b.equal >= 1.0 && b.minutes == 60));
    for known in ["ret_5", "bar_position", "spread_bps", "ofi_sampled_1m", "last_deviation"] {
        assert!(report.sampled.iter().any(|d| d.name == known && d.in_both > rows / 2), "{known} is known");
    }
}

#[test]
fn a_burst_between_two_samples_changes_the_range_but_neither_closes_nor_volumes() {
    let root = tempfile::tempdir().unwrap();
    let report = measure(&market(root.path(), true), 3).unwrap();
    for kept in ["ret_1", "ret_5", "market_ret_5", "rsi", "volume_relative", "spread_bps", "time_of_day"] {
        assert!(equal(&report, kept) >= 1.0, "{kept}: {}", equal(&report, kept));
    }
    for changed in ["bar_position", "parkinson_ratio", "vwap_deviation"] {
        assert!(equal(&report, changed) < 0.9, "{changed}: {}", equal(&report, changed));
    }
    assert!(report.bars.iter().all(|b| b.equal >= 1.0), "the ticks themselves lose nothing");
    assert!(report.exported.iter().all(|d| d.known == 0 || d.equal >= 1.0));
}

#[test]
fn a_folder_without_ticks_is_one_sentence() {
    let root = tempfile::tempdir().unwrap();
    let why = format!("{:#}", measure(root.path(), 1).unwrap_err());
    assert!(why.contains("holds no tick files, YYYYMMDD_SYMBOL.csv.gz"), "{why}");
}

#[test]
fn equal_rows_are_equal_and_what_one_side_lacks_is_not() {
    let same = difference("x", &[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (f64::NAN, f64::NAN)]);
    assert_eq!((same.known, same.in_both, same.equal), (3, 3, 1.0));
    assert!((same.rank_correlation.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!((same.median_sd, same.p99_sd), (Some(0.0), Some(0.0)));
    let lacking = difference("x", &[(1.0, 1.0), (2.0, f64::NAN), (f64::NAN, 3.0), (4.0, 4.0)]);
    assert_eq!((lacking.known, lacking.in_both, lacking.equal), (4, 2, 0.5));
}

#[test]
fn the_size_is_in_deviations_and_ties_share_their_mean_rank() {
    // The first measurement's deviation is 1, the differences are 0, 0, 0, 2.
    let d = difference("x", &[(-1.0, -1.0), (1.0, 1.0), (-1.0, -1.0), (1.0, 3.0)]);
    assert_eq!((d.median_sd, d.p99_sd, d.equal), (Some(0.0), Some(2.0), 0.75));
    // Ranks 2½, 0, 2½, 1 and 3, 0, 2, 1: covariance 4.5, variances 4.5 and 5.
    let tied = difference("x", &[(5.0, 4.0), (1.0, 1.0), (5.0, 3.0), (2.0, 2.0)]);
    assert!((tied.rank_correlation.unwrap() - 0.9_f64.sqrt()).abs() < 1e-12);
    let reversed = difference("x", &[(1.0, 9.0), (2.0, 8.0), (3.0, 1.0)]);
    assert!((reversed.rank_correlation.unwrap() + 1.0).abs() < 1e-12);
    let constant = difference("x", &[(1.0, 1.0), (1.0, 1.0)]);
    assert_eq!((constant.rank_correlation, constant.median_sd, constant.equal), (None, None, 1.0));
}
