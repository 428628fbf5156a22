//! The simulated market: bars rebuild exactly from samples, the synthetic walk has no drift, the future does not leak
//! into the past, the same seed gives the same bytes.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a test that can't read its data fails here; calendar fields are small"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ibkr_trader::clock::{MINUTE, SessionTime};
use ibkr_trader::domain::calendar::{Date, days_from_civil};
use ibkr_trader::domain::{Price, Qty, SymbolId};
use ibkr_trader::sim::market::bars::{BarMarket, HEADER};
use ibkr_trader::sim::market::synthetic::SyntheticMarket;
use ibkr_trader::sim::market::{Bar, MarketOptions, MarketSource, RawBody, SampledFeed, SampledUpdate, Sampler, open};

fn data() -> Option<PathBuf> {
    let given = std::env::var_os("IBKR_TRADER_DATA").map(PathBuf::from);
    let root = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("skipped: no market data at {} (set IBKR_TRADER_DATA)", root.display());
    None
}

fn gunzip(path: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

fn write_gz(path: &Path, text: &str) {
    let file = std::fs::File::create(path).unwrap();
    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
}

fn feed<S: MarketSource>(source: S, seed: u64) -> SampledFeed<S> {
    let sampler = Sampler::new(source.references().len(), seed);
    SampledFeed::new(source, sampler)
}

fn updates_until<S: MarketSource>(feed: &mut SampledFeed<S>, t: SessionTime) -> Vec<SampledUpdate> {
    std::iter::from_fn(|| feed.next_until(t)).collect()
}

/// Folds samples into bars as an observer of last price and cumulative volume would.
fn rebuild<S: MarketSource>(mut feed: SampledFeed<S>) -> BTreeMap<(SymbolId, SessionTime), Bar> {
    let mut bars: BTreeMap<(SymbolId, SessionTime), Bar> = BTreeMap::new();
    let mut volume: BTreeMap<SymbolId, Qty> = BTreeMap::new();
    while let Some(u) = feed.next_until(SessionTime(i64::MAX)) {
        let (Some(last), Some(total)) = (u.last, u.volume) else { continue };
        let before = volume.insert(u.symbol, total).unwrap_or_default();
        let minute = u.time.floor_to(MINUTE);
        bars.entry((u.symbol, minute))
            .and_modify(|b| b.add(last, total - before))
            .or_insert_with(|| Bar::of(minute, last, total - before));
    }
    bars
}

fn minute_of(ts: &str) -> SessionTime {
    let c: Vec<i64> = ts[..16].split(['-', 'T', ':']).map(|x| x.parse().unwrap()).collect();
    let days = days_from_civil(c[0] as i32, c[1] as u32, c[2] as u32);
    SessionTime::from_secs(days * 86_400 + c[3] * 3_600 + c[4] * 60)
}

#[test]
fn every_bar_of_a_real_day_is_rebuilt_exactly_from_samples() {
    let Some(root) = data() else { return };
    let path = root.join("bars_1m_ustech/2026-04-15.csv.gz");
    let source = BarMarket::open(&path, &MarketOptions::default()).unwrap();
    let names: BTreeMap<String, SymbolId> = source.references().iter().map(|r| (r.symbol.clone(), r.id)).collect();
    let rebuilt = rebuild(feed(source, 3));
    let mut rows = 0;
    for line in gunzip(&path).lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let p = |i: usize| Price::from_f64(f[i].parse().unwrap());
        let start = minute_of(f[0]);
        let want = Bar { start, open: p(2), high: p(3), low: p(4), close: p(5), volume: Qty(f[6].parse().unwrap()) };
        assert_eq!(rebuilt.get(&(names[f[1]], start)), Some(&want), "{line}");
        rows += 1;
    }
    assert!(rows > 29_000);
    assert_eq!(rebuilt.len(), rows, "a minute without a bar has no print");
}

#[test]
fn hard_bars_rebuild_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("2026-04-15.csv.gz");
    let rows = [
        "2026-04-15T13:30:00Z,AAA,10,10,10,10,1",
        "2026-04-15T13:31:00Z,AAA,10.0001,10.5,9.5,10.1234,2",
        "2026-04-15T13:32:00Z,AAA,10,11,9,10.5,0",
        "2026-04-15T13:33:00Z,AAA,10.5,10.5,10.5,10.5,0",
        "2026-04-15T13:35:00Z,AAA,0.5,0.6,0.4,0.55,90000000",
    ];
    write_gz(&path, &format!("{HEADER}\n{}\n", rows.join("\n")));
    for seed in 0..20 {
        let options = MarketOptions { seed, ..MarketOptions::default() };
        let rebuilt = rebuild(feed(BarMarket::open(&path, &options).unwrap(), seed));
        let f = |p: Price| p.to_f64();
        let text: Vec<String> = rebuilt
            .values()
            .map(|b| {
                let (t, v) = (b.start.to_string(), b.volume);
                format!("{}Z,AAA,{},{},{},{},{v}", &t[..19], f(b.open), f(b.high), f(b.low), f(b.close))
            })
            .collect();
        assert_eq!(text, rows, "seed {seed}");
    }
}

#[test]
fn the_future_of_a_bar_file_does_not_reach_the_past() {
    let Some(root) = data() else { return };
    let (day, before) = ("2026-04-15.csv.gz", "2026-04-14.csv.gz");
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(root.join("bars_1m_ustech").join(before), folder.path().join(before)).unwrap();
    let change = |line: &str| match line.split_once(',') {
        Some((ts, rest)) if ts.starts_with('2') && ts >= "2026-04-15T14:00:00Z" => {
            format!("{ts},{},7,8,6,7.5,123", rest.split(',').next().unwrap())
        }
        _ => line.to_string(),
    };
    let real = root.join("bars_1m_ustech").join(day);
    let changed: Vec<String> = gunzip(&real).lines().map(change).collect();
    let perturbed = folder.path().join(day);
    write_gz(&perturbed, &(changed.join("\n") + "\n"));
    let options = MarketOptions { symbols: 30, ..MarketOptions::default() };
    let t = Date(20_260_415).at(10, 0);
    let sampled = |path: &Path, until| updates_until(&mut feed(BarMarket::open(path, &options).unwrap(), 1), until);
    assert_eq!(sampled(&real, t), sampled(&perturbed, t));
    assert_ne!(sampled(&real, t + MINUTE), sampled(&perturbed, t + MINUTE), "the change itself must show");
}

#[test]
fn the_same_seed_gives_the_same_samples_and_another_seed_others() {
    let run = |seed| {
        let options = MarketOptions { symbols: 5, seed, ..MarketOptions::default() };
        let source = SyntheticMarket::new(&options).unwrap();
        let until = source.start() + 3 * MINUTE;
        updates_until(&mut feed(source, seed), until)
    };
    let first = run(1);
    assert!(first.len() > 500, "{}", first.len());
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
}

#[test]
fn asking_in_small_steps_or_at_once_is_the_same() {
    let options = MarketOptions { symbols: 4, ..MarketOptions::default() };
    let market = || SyntheticMarket::new(&options).unwrap();
    let (mut a, mut b) = (feed(market(), 1), feed(market(), 1));
    let start = a.source().start();
    let whole = updates_until(&mut a, start + 2 * MINUTE);
    let mut steps = Vec::new();
    for ms in (0..=120_000).step_by(37) {
        steps.extend(updates_until(&mut b, start + ms * 1_000_000));
    }
    steps.extend(updates_until(&mut b, start + 2 * MINUTE));
    assert_eq!(whole, steps);
    assert!(whole.is_sorted_by_key(|u| (u.time, u.symbol)), "in time order");
}

/// Midpoints of every symbol as its quotes come, in ticks.
fn midpoints(seed: u64, minutes: i64) -> BTreeMap<SymbolId, Vec<f64>> {
    let options = MarketOptions { symbols: 12, seed, ..MarketOptions::default() };
    let mut source = SyntheticMarket::new(&options).unwrap();
    let until = source.start() + minutes * MINUTE;
    let mut mids: BTreeMap<SymbolId, Vec<f64>> = BTreeMap::new();
    while let Some(e) = source.next_until(until) {
        if let RawBody::Quote(q) = e.body {
            assert!(q.bid.is_some() && q.ask > q.bid, "the synthetic quote is never crossed");
            mids.entry(e.symbol).or_default().push((q.bid.0 + q.ask.0) as f64 / 2e4);
        }
    }
    mids
}

#[test]
fn the_synthetic_midpoint_is_a_martingale() {
    // Pooled over symbols: changes must neither drift nor be predicted by the change before.
    let (mut sum, mut sum_sq, mut cross, mut cross_sq, mut n) = (0.0, 0.0, 0.0, 0.0, 0);
    for mids in midpoints(11, 60).values() {
        let changes: Vec<f64> = mids.windows(2).map(|w| w[1] - w[0]).collect();
        let scale = (changes.iter().map(|c| c * c).sum::<f64>() / changes.len() as f64).sqrt();
        for pair in changes.windows(2) {
            let (a, b) = (pair[0] / scale, pair[1] / scale);
            sum += b;
            sum_sq += b * b;
            cross += a * b;
            cross_sq += a * a * b * b;
            n += 1;
        }
    }
    let (drift_z, lag_z) = (sum / f64::sqrt(sum_sq), cross / f64::sqrt(cross_sq));
    assert!(n > 50_000, "{n}");
    // Names share a factor, so the pooled drift is wider than 1 under the null.
    assert!(drift_z.abs() < 6.0, "drift z = {drift_z}");
    assert!(lag_z.abs() < 4.0, "lag-1 z = {lag_z}");
}

#[test]
fn synthetic_volatility_is_what_the_calibration_says() {
    let options = MarketOptions { symbols: 40, ..MarketOptions::default() };
    let source = SyntheticMarket::new(&options).unwrap();
    let mut vols: Vec<f64> = Vec::new();
    for r in source.references() {
        let bars = source.history(r.id);
        assert_eq!(bars.len(), 390, "{} has a previous day of history", r.symbol);
        let rets: Vec<f64> = bars.windows(2).map(|w| (w[1].close.to_f64() / w[0].close.to_f64()).ln()).collect();
        vols.push((rets.iter().map(|x| x * x).sum::<f64>() / rets.len() as f64).sqrt() * 1e4);
    }
    vols.sort_by(f64::total_cmp);
    let median = vols[vols.len() / 2];
    assert!((7.0..16.0).contains(&median), "median one-minute volatility {median} bp");
}

#[test]
fn synthetic_names_share_a_factor_and_trade_most_at_the_edges_of_the_day() {
    let options = MarketOptions { symbols: 40, ..MarketOptions::default() };
    let source = SyntheticMarket::new(&options).unwrap();
    let (mut edges, mut noon) = (0, 0);
    let mut returns: Vec<Vec<f64>> = Vec::new();
    for r in source.references() {
        let bars = source.history(r.id);
        edges += bars[..30].iter().chain(&bars[360..]).map(|b| b.volume.0).sum::<i64>();
        noon += bars[210..270].iter().map(|b| b.volume.0).sum::<i64>();
        let rets: Vec<f64> = bars.windows(2).map(|w| (w[1].close.to_f64() / w[0].close.to_f64()).ln()).collect();
        let sd = (rets.iter().map(|x| x * x).sum::<f64>() / rets.len() as f64).sqrt();
        returns.push(rets.iter().map(|x| x / sd).collect());
    }
    assert!(edges as f64 / noon as f64 > 2.5, "{edges} {noon}");
    let mean = |i: usize| returns.iter().map(|r| r[i]).sum::<f64>() / returns.len() as f64;
    let n = returns[0].len();
    let shared = (0..n).map(|i| mean(i) * mean(i)).sum::<f64>() / n as f64;
    assert!((0.08..0.35).contains(&shared), "variance share of the common factor: {shared}");
}

#[test]
fn ticks_stream_in_time_order_with_history_of_the_morning() {
    let Some(root) = data() else { return };
    let options = MarketOptions { start: Some((10, 0)), ..MarketOptions::default() };
    let mut source = open(Some(&root.join("ticks_lean_2013/20131008")), &options).unwrap();
    assert_eq!(source.references().len(), 4);
    let aig = &source.references()[0];
    assert_eq!(aig.symbol, "AIG");
    assert!(aig.prior_close.is_some() && aig.adv.0 > 1_000_000);
    assert_eq!(source.history(SymbolId(0)).last().unwrap().start, source.start() - MINUTE);
    let (mut last, mut quotes, mut trades) = (source.start(), [0; 4], [0; 4]);
    let until = source.start() + 5 * MINUTE;
    while let Some(e) = source.next_until(until) {
        assert!(e.time >= last);
        last = e.time;
        match e.body {
            RawBody::Quote(_) => quotes[e.symbol.index()] += 1,
            RawBody::Trade { .. } => trades[e.symbol.index()] += 1,
        }
    }
    assert!(quotes.iter().chain(&trades).all(|n| *n > 20), "{quotes:?} {trades:?}");
}

#[test]
fn the_first_tick_day_takes_its_yesterday_from_bars_with_quotes() {
    let Some(root) = data() else { return };
    let source = open(Some(&root.join("ticks_lean_2013/20131007")), &MarketOptions::default()).unwrap();
    let aig = &source.references()[0];
    assert_eq!((aig.symbol.as_str(), aig.prior_close), ("AIG", Price(49_530_000)));
    let bars = source.history(SymbolId(0));
    assert!(bars.len() > 390, "yesterday's session and this morning: {}", bars.len());
    assert_eq!(bars[0].start, Date(20_131_004).at(9, 30));
    assert!(bars.is_sorted_by_key(|b| b.start));
}

#[test]
fn wrong_paths_get_one_clear_sentence() {
    let message = |path: &Path| open(Some(path), &MarketOptions::default()).err().unwrap().to_string();
    assert!(message(Path::new("/nowhere/x")).contains("no market data at /nowhere/x"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv.gz");
    std::fs::write(&file, "plain text").unwrap();
    assert!(message(&file).contains("can't be read"));
    write_gz(&file, &format!("{HEADER}\n2026-04-15T13:30:00Z,AAA,10,9,11,10,5\n"));
    assert!(message(&file).contains("line 2"));
}
