//! `models skew`: what IB's 250 ms sampling does to the columns that models read, measured on real ticks.
//!
//! Each day of a folder of tick files is played through feed and features twice: from every raw event, and as IB
//! would have sampled it. Where the folder above holds bars with quotes of the same day, bars folded from the ticks are
//! held against those bars, and the exporter's columns of those bars against those of every raw event.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use super::skew_figures::{BarDifference, Difference, bar_differences, difference};
use super::train_export::{ExportedDay, export_day};
use crate::clock::{MINUTE, SessionTime};
use crate::domain::SymbolId;
use crate::domain::calendar::{Date, previous_trading_day, regular_hours};
use crate::features::{Config, Counters, FeaturesIn, FeaturesStage, schema};
use crate::feed::{self, FeedStage};
use crate::message::{Bar, Cycle, MarketEvent, StatusKind, SymbolStatus, Tick};
use crate::pipeline::{GRID, Outbox, Stage};
use crate::sim::market::feed::seed_day;
use crate::sim::market::sampler::SAMPLE_PERIOD;
use crate::sim::market::ticks::{BARS_WITH_QUOTES, bars_of_ticks, bars_with_quotes};
use crate::sim::market::{self, MarketOptions, MarketSource, SampledUpdate, Sampler};

/// `models skew`.
#[derive(Clone, Debug, clap::Args)]
pub struct SkewArgs {
    /// Folder of tick files, `YYYYMMDD_SYMBOL.csv.gz`.
    #[arg(long)]
    pub data: PathBuf,
    /// Seed of the sampling phases.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// File that the figures are written to as JSON.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// The figures.
#[derive(Clone, Debug, Serialize)]
pub struct SkewReport {
    /// Market days.
    pub days: Vec<u32>,
    /// Names of all days.
    pub symbols: Vec<String>,
    /// Session time between two samples.
    pub period_ms: i64,
    /// Seed of the sampling phases.
    pub seed: u64,
    /// Prints that feed held to be implausible: of every raw event, of the sampled ones.
    pub distrusted_prints: [u64; 2],
    /// Rows by what made them: every raw event, the sample, the file's bars.
    pub rows: [usize; 3],
    /// By column: the sample against every raw event.
    pub sampled: Vec<Difference>,
    /// Days whose bars are at hand.
    pub bar_days: Vec<u32>,
    /// By name and field: bars folded from ticks against the file's.
    pub bars: Vec<BarDifference>,
    /// By bar column: the exporter's of the file's bars against every raw event.
    pub exported: Vec<Difference>,
}

/// Measures, prints, writes.
///
/// # Errors
/// The folder holds no tick files, one of them can't be read, or the figures can't be written.
#[allow(clippy::print_stdout, reason = "the report is this command's output")]
pub fn run(args: &SkewArgs) -> Result<()> {
    let report = measure(&args.data, args.seed)?;
    println!("{}", report.markdown());
    let Some(out) = &args.out else { return Ok(()) };
    std::fs::write(out, serde_json::to_string_pretty(&report)? + "\n")
        .with_context(|| format!("writing {}", out.display()))
}

/// Columns by day, minute and name.
type Rows = BTreeMap<(SessionTime, String), Vec<f32>>;

/// Measures all days of a folder of tick files.
///
/// # Errors
/// As [`run`].
pub fn measure(folder: &Path, seed: u64) -> Result<SkewReport> {
    let files = tick_files(folder)?;
    let days: BTreeSet<u32> = files.iter().map(|(day, _)| *day).collect();
    let symbols: BTreeSet<String> = files.iter().map(|(_, symbol)| symbol.clone()).collect();
    let (mut raw, mut sampled, mut exported) = (Rows::new(), Rows::new(), Rows::new());
    let (mut pairs, mut bar_days, mut distrusted_prints) = (BarPairs::new(), Vec::new(), [0; 2]);
    for &day in &days {
        let open = || market::open(Some(&folder.join(day.to_string())), &MarketOptions { seed, ..<_>::default() });
        let source = open().with_context(|| format!("the ticks of {day}"))?;
        let names: Vec<String> = source.references().iter().map(|r| r.symbol.clone()).collect();
        for (i, (sampling, rows)) in
            [(Sampling::None, &mut raw), (Sampling::Ib { seed }, &mut sampled)].into_iter().enumerate()
        {
            let watched = watch(open()?, sampling)?;
            distrusted_prints[i] += watched.distrusted_prints;
            keep(watched.day, &names, rows);
        }
        if let Some(day_bars) = file_day(folder, day, &names)? {
            bar_days.push(day);
            for (name, more) in day_bars.pairs {
                pairs.entry(name).or_default().extend(more);
            }
            keep(day_bars.exported, &names, &mut exported);
        }
    }
    ensure!(!raw.is_empty(), "the ticks in {} give no row: too short a day for any volatility", folder.display());
    let on_bar_days = |at: SessionTime| bar_days.contains(&Date::new_york(at).0);
    let raw_of_bar_days = raw.iter().filter(|((at, _), _)| on_bar_days(*at)).map(|(k, v)| (k.clone(), v.clone()));
    let raw_of_bar_days: Rows = raw_of_bar_days.collect();
    Ok(SkewReport {
        days: days.into_iter().collect(),
        symbols: symbols.into_iter().collect(),
        period_ms: SAMPLE_PERIOD / crate::clock::MILLISECOND,
        seed,
        distrusted_prints,
        rows: [raw.len(), sampled.len(), exported.len()],
        sampled: columns(&raw, &sampled, schema::COLUMNS),
        exported: if bar_days.is_empty() { vec![] } else { columns(&raw_of_bar_days, &exported, schema::BAR_COLUMNS) },
        bars: pairs.iter().flat_map(|(name, pairs)| bar_differences(name, pairs)).collect(),
        bar_days,
    })
}

/// Day and symbol of each file.
fn tick_files(folder: &Path) -> Result<Vec<(u32, String)>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("can't read the folder {}", folder.display()))?;
    let mut files: Vec<(u32, String)> = entries
        .flatten()
        .filter_map(|e| {
            let name = e.file_name().into_string().ok()?;
            let (day, symbol) = name.strip_suffix(".csv.gz")?.split_once('_')?;
            (day.len() == 8).then_some((day.parse().ok()?, symbol.to_owned()))
        })
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "{} holds no tick files, YYYYMMDD_SYMBOL.csv.gz", folder.display());
    Ok(files)
}

fn keep(day: ExportedDay, names: &[String], rows: &mut Rows) {
    for r in day.rows {
        rows.insert((r.minute, names[r.symbol.index()].clone()), r.columns);
    }
}

/// The first `count` columns of `other` against those of `base`, over the rows that either has.
fn columns(base: &Rows, other: &Rows, count: usize) -> Vec<Difference> {
    let keys: BTreeSet<_> = base.keys().chain(other.keys()).collect();
    let cell = |rows: &Rows, key: &(SessionTime, String), c: usize| rows.get(key).map_or(f32::NAN, |row| row[c]);
    let pairs = |c: usize| keys.iter().map(|k| (cell(base, k, c).into(), cell(other, k, c).into())).collect::<Vec<_>>();
    (0..count).map(|c| difference(schema::NAMES[c], &pairs(c))).collect()
}

/// How a watcher sees the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Every raw event, those of one instant too.
    None,
    /// IB's samples.
    Ib {
        /// Of the phases.
        seed: u64,
    },
}

/// What feed and features made of a day.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The rows.
    pub day: ExportedDay,
    /// What features refused or lost.
    pub features: Counters,
    /// Prints that feed held to be implausible.
    pub distrusted_prints: u64,
}

/// Plays a source through feed and features: history, then what is seen of each event, and the grid's timers.
///
/// # Errors
/// The source broke on the way, or a stage lost something.
pub fn watch<S: MarketSource>(mut source: S, sampling: Sampling) -> Result<Watched> {
    let n = source.references().len();
    let (mut sampler, every) = match sampling {
        Sampling::None => (Sampler::new(n, 0).every(0), true),
        Sampling::Ib { seed } => (Sampler::new(n, seed), false),
    };
    seed_day(&source, &mut sampler);
    let (start, close) = (source.start(), source.hours().close);
    let mut live = Live::new(n);
    live.start(&source);
    let mut timer = start;
    while timer <= close + MINUTE {
        while let Some(update) = next_until(&mut source, &mut sampler, every, timer) {
            live.update(&update);
        }
        live.send(timer, MarketEvent::Timer(timer));
        timer = timer + GRID;
    }
    if let Some(why) = source.failure() {
        bail!("{why}");
    }
    ensure!((live.facts.lost(), live.cycles.lost()) == (0, 0), "a stage gave more at once than it says it can");
    Ok(Watched { day: live.day, features: live.features.counters(), distrusted_prints: live.feed.distrusted_lasts() })
}

/// The next update up to `t`: of each raw event by itself, or of a sample.
fn next_until(
    source: &mut impl MarketSource,
    sampler: &mut Sampler,
    every: bool,
    t: SessionTime,
) -> Option<SampledUpdate> {
    loop {
        let due = sampler.next_due().filter(|s| *s <= t);
        // A sample takes in all events of its instant; without sampling an event is over when it has come.
        let ended = every && due.is_some();
        if !ended && let Some(raw) = source.next_until(due.unwrap_or(t)) {
            sampler.push(&raw);
        } else if let Some(update) = sampler.due(due?) {
            return Some(update);
        }
    }
}

/// Feed and features, and the merged tick of each symbol.
struct Live {
    feed: FeedStage,
    features: FeaturesStage,
    facts: Outbox<MarketEvent>,
    cycles: Outbox<Box<Cycle>>,
    ticks: Vec<Tick>,
    day: ExportedDay,
}

impl Live {
    fn new(n: usize) -> Self {
        let symbols = (0..n).map(|i| SymbolId(u16::try_from(i).unwrap_or(u16::MAX)));
        Self {
            feed: FeedStage::new(feed::Config::default(), n),
            features: FeaturesStage::new(&Config::default(), n),
            facts: Outbox::with_capacity(FeedStage::OUTPUTS_MAX),
            cycles: Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX),
            ticks: symbols.map(|symbol| Tick { symbol, ..Tick::default() }).collect(),
            day: ExportedDay::default(),
        }
    }

    /// The link is up, the data are real time, and history warms up.
    fn start(&mut self, source: &impl MarketSource) {
        let at = source.start();
        self.send(at, MarketEvent::DataLink { at, up: true });
        for r in source.references() {
            let status = SymbolStatus { at, symbol: r.id, kind: StatusKind::MarketDataType(1) };
            self.send(at, MarketEvent::Status(status));
            for b in source.history(r.id) {
                self.send(at, MarketEvent::History(bar_of(b, r.id)));
            }
        }
    }

    fn send(&mut self, now: SessionTime, event: MarketEvent) {
        self.feed.on_event(now, event, &mut self.facts);
        for fact in self.facts.drain() {
            self.features.on_event(now, FeaturesIn::Market(fact), &mut self.cycles);
            for cycle in self.cycles.drain().collect::<Vec<_>>() {
                self.day.take(&cycle, cycle.at.floor_to(MINUTE) - MINUTE);
                self.features.on_event(now, FeaturesIn::Recycle(cycle), &mut self.cycles);
            }
        }
    }

    /// Merges an update into the symbol's tick, as ingest does.
    fn update(&mut self, u: &SampledUpdate) {
        let shares = |q: crate::domain::Qty| u32::try_from(q.0).unwrap_or(u32::MAX);
        let tick = &mut self.ticks[u.symbol.index()];
        tick.at = u.time;
        tick.bid = u.bid.unwrap_or(tick.bid);
        tick.ask = u.ask.unwrap_or(tick.ask);
        tick.bid_size = u.bid_size.map_or(tick.bid_size, shares);
        tick.ask_size = u.ask_size.map_or(tick.ask_size, shares);
        tick.last = u.last.unwrap_or(tick.last);
        tick.last_size = u.last_size.map_or(tick.last_size, shares);
        tick.day_volume = u.volume.map_or(tick.day_volume, |q| u64::try_from(q.0).unwrap_or(0));
        let tick = *tick;
        self.send(u.time, MarketEvent::Tick(tick));
    }
}

fn bar_of(b: &market::Bar, symbol: SymbolId) -> Bar {
    let volume = u64::try_from(b.volume.0).unwrap_or(0);
    Bar { start: b.start, open: b.open, high: b.high, low: b.low, close: b.close, volume, symbol }
}

/// By name: bars of the ticks and of the file, minute by minute; a minute that one lacks is `None` there.
type BarPairs = BTreeMap<String, Vec<[Option<market::Bar>; 2]>>;

/// One day of the file of bars with quotes.
struct FileDay {
    pairs: BarPairs,
    exported: ExportedDay,
}

/// The day in the file of bars with quotes beside the folder; `None` = there is no such file, or it lacks a name.
fn file_day(folder: &Path, day: u32, names: &[String]) -> Result<Option<FileDay>> {
    let Some(file) = folder.parent().map(|up| up.join(BARS_WITH_QUOTES)).filter(|f| f.is_file()) else {
        return Ok(None);
    };
    let date = Date(day);
    let hours = regular_hours(date).with_context(|| format!("{day} is no trading day of the calendar"))?;
    let before = previous_trading_day(date).and_then(regular_hours);
    let (mut pairs, mut today, mut earlier) = (BarPairs::new(), BTreeMap::new(), BTreeMap::new());
    for (symbol, name) in (0..).map(SymbolId).zip(names) {
        let bars = bars_with_quotes(&file, name, hours)?;
        if bars.is_empty() {
            return Ok(None);
        }
        let folded = bars_of_ticks(&folder.join(format!("{day}_{name}.csv.gz")), hours)?;
        let mut minutes: BTreeMap<SessionTime, [Option<market::Bar>; 2]> = BTreeMap::new();
        folded.into_iter().for_each(|b| minutes.entry(b.start).or_default()[0] = Some(b));
        bars.iter().for_each(|b| minutes.entry(b.start).or_default()[1] = Some(*b));
        pairs.insert(name.clone(), minutes.into_values().collect());
        let put = |into: &mut BTreeMap<SessionTime, Vec<Bar>>, bars: &[market::Bar]| {
            bars.iter().for_each(|b| into.entry(b.start).or_default().push(bar_of(b, symbol)));
        };
        put(&mut today, &bars);
        if let Some(hours) = before {
            put(&mut earlier, &bars_with_quotes(&file, name, hours)?);
        }
    }
    let exported = export_day(date, &earlier, &today, names.len(), &Config::default())?;
    Ok(Some(FileDay { pairs, exported }))
}

impl SkewReport {
    /// The report for the eye.
    pub fn markdown(&self) -> String {
        let mut t = String::new();
        let days = |days: &[u32]| days.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let [raw, sampled, exported] = self.rows;
        let _ = writeln!(
            t,
            "# What sampling does to the features\n\n\
             Market days {}; {}. Each day through feed and features, from every raw event and as sampled every {} ms \
             (phases of seed {}). Rows: {raw} from every event, {sampled} sampled. Prints that feed distrusted: {} and \
             {}.\n\n\
             *equal* = share of rows equal bit for bit, of those where either is known; *rank* = rank correlation \
             (pooled); median and p99 of the difference in units of the column's standard deviation.\n",
            days(&self.days),
            self.symbols.join(", "),
            self.period_ms,
            self.seed,
            self.distrusted_prints[0],
            self.distrusted_prints[1],
        );
        let _ = writeln!(t, "## Sampled against every raw event\n\n{}", table(&self.sampled));
        if self.bar_days.is_empty() {
            let _ = writeln!(t, "There is no {BARS_WITH_QUOTES} with these days beside the folder: no bars compared.");
            return t;
        }
        let _ = writeln!(
            t,
            "## Bars folded from ticks against the file's\n\nMarket days {}. A bar that one side lacks counts as unequal; \
             the differences are relative to the bar of the ticks.\n\n\
             | name | field | minutes | in both | equal, % | median, bps | p99, bps |\n|---|---|---|---|---|---|---|",
            days(&self.bar_days)
        );
        for b in &self.bars {
            let _ = writeln!(
                t,
                "| {} | {} | {} | {} | {:.1} | {:.2} | {:.2} |",
                b.symbol,
                b.field,
                b.minutes,
                b.in_both,
                100.0 * b.equal,
                b.median_bps,
                b.p99_bps
            );
        }
        let _ = writeln!(
            t,
            "\n## Exporter's columns of the file's bars against every raw event\n\n{exported} rows.\n\n{}",
            table(&self.exported)
        );
        t
    }
}

fn table(lines: &[Difference]) -> String {
    let mut t = String::from(
        "| column | rows | in both | equal, % | rank | median, σ | p99, σ |\n|---|---|---|---|---|---|---|\n",
    );
    for d in lines {
        let rank = d.rank_correlation.map_or("–".into(), |r| format!("{r:.4}"));
        let size = |x: Option<f64>| x.map_or("–".into(), |x| format!("{x:.4}"));
        let _ = writeln!(
            t,
            "| {} | {} | {} | {:.1} | {rank} | {} | {} |",
            d.name,
            d.known,
            d.in_both,
            100.0 * d.equal,
            size(d.median_sd),
            size(d.p99_sd)
        );
    }
    t
}
