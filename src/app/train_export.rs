//! `train-export`: runs files of one-minute bars through the features stage and writes what models train on.
//! The bars go straight into the stage's bar path, a day at a time, each day warmed up like a live session. The
//! stage is the live one: there is no second implementation of any column. Labels are not made here.
//!
//! Per day two numpy files: `DATE.rows.npy` (ts = start of the closed minute, symbol, sigma, x = the columns) and
//! `DATE.bars.npy` (ts, symbol, open, close as in the file, for labels); once `export.json` (schema, symbols, days).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::clock::{MILLISECOND, MINUTE, SessionTime};
use crate::domain::calendar::{Date, days_from_civil, previous_trading_day, regular_hours};
use crate::domain::{Price, SymbolId};
use crate::features::{Config, FeaturesIn, FeaturesStage, schema};
use crate::message::{Bar, Cycle};
use crate::pipeline::{Outbox, Stage};

/// Days whose volumes are known to be bogus: their prices count, their volumes are unknown.
const BOGUS_VOLUME_DAYS: [u32; 4] = [20260316, 20260317, 20260318, 20260319];
const HEADER: &str = "ts,symbol,open,high,low,close,volume";

/// `train-export`.
#[derive(Clone, Debug, clap::Args)]
pub struct TrainExportArgs {
    /// Folder of `YYYY-MM-DD.csv.gz` files of one-minute bars.
    #[arg(long)]
    pub data: PathBuf,
    /// Where the files go; made if absent.
    #[arg(long)]
    pub out: PathBuf,
    /// First day, as YYYY-MM-DD.
    #[arg(long)]
    pub from: Option<String>,
    /// Last day, as YYYY-MM-DD.
    #[arg(long)]
    pub to: Option<String>,
}

/// Bars of one file, by minute, each minute in the order of symbol ids.
type Minutes = BTreeMap<SessionTime, Vec<Bar>>;

/// Exports every day of the folder in the asked range.
///
/// # Errors
/// The folder holds no day in range, a file is unreadable or malformed, or the output can't be written.
pub fn run(args: &TrainExportArgs) -> Result<()> {
    let files = day_files(&args.data, args.from.as_deref(), args.to.as_deref())?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("can't make the folder {}", args.out.display()))?;
    let symbols = universe(&files)?;
    for (date, path) in &files {
        let today = read_day(path, &symbols)?;
        let before = previous_trading_day(*date).map(|d| args.data.join(file_name(d))).filter(|p| p.is_file());
        let before = before.map(|p| read_day(&p, &symbols)).transpose()?.unwrap_or_default();
        let day = export_day(*date, &before, &today, symbols.len(), &Config::default())?;
        day.write(&args.out, *date)?;
    }
    let columns: Vec<_> = schema::NAMES
        .iter()
        .enumerate()
        .map(|(i, name)| serde_json::json!({"name": name, "source": schema::source(i)}))
        .collect();
    let days: Vec<String> = files.iter().map(|(d, _)| dashed(*d)).collect();
    let about = serde_json::json!({
        "version": schema::VERSION, "hash": schema::hash(), "columns": columns, "days": days,
        "symbols": symbols.keys().collect::<Vec<_>>(),
    });
    let path = args.out.join("export.json");
    std::fs::write(&path, serde_json::to_string_pretty(&about)?)
        .with_context(|| format!("can't write {}", path.display()))
}

/// What one day gives: rows of columns, and the prices that labels need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExportedDay {
    /// One row per symbol and minute with a bar, in order of time and symbol.
    pub rows: Vec<ExportedRow>,
    /// The file's bars with a trade, in the same order.
    pub bars: Vec<Bar>,
}

/// One row: what a model may see at the close of one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportedRow {
    /// Start of the minute that closed.
    pub minute: SessionTime,
    /// The symbol.
    pub symbol: SymbolId,
    /// σ of one-minute log returns.
    pub sigma_1m: f32,
    /// The columns, bar columns first; quote columns are NaN.
    pub columns: Vec<f32>,
}

/// The rows of one day's file, warmed up by the previous trading day's beside it if there is one.
///
/// # Errors
/// The name is no `YYYY-MM-DD.csv.gz` of a trading day, or a file is unreadable or malformed.
pub fn export_file(path: &Path) -> Result<ExportedDay> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let date = name.strip_suffix(".csv.gz").and_then(parse_date);
    let date = date.with_context(|| format!("{} is not called YYYY-MM-DD.csv.gz", path.display()))?;
    let symbols = universe(&[(date, path.to_path_buf())])?;
    let before = previous_trading_day(date).map(|d| path.with_file_name(file_name(d))).filter(|p| p.is_file());
    let before = before.map(|p| read_day(&p, &symbols)).transpose()?.unwrap_or_default();
    export_day(date, &before, &read_day(path, &symbols)?, symbols.len(), &Config::default())
}

/// Runs one day of bars through a fresh features stage. `before` holds the previous trading day's bars (empty if
/// unknown).
///
/// # Errors
/// `date` is no trading day.
pub fn export_day(
    date: Date,
    before: &Minutes,
    today: &Minutes,
    n_symbols: usize,
    config: &Config,
) -> Result<ExportedDay> {
    let hours = regular_hours(date).with_context(|| format!("{} is no trading day of the calendar", dashed(date)))?;
    let mut stage = FeaturesStage::new(config, n_symbols);
    let mut out = Outbox::with_capacity(FeaturesStage::OUTPUTS_MAX);
    for bar in before.values().flatten().filter(|b| b.volume > 0) {
        stage.warm_up(hours.open, &with_usable_volume(bar));
    }
    let mut day = ExportedDay::default();
    let mut minute = hours.open;
    while minute < hours.close {
        let bars = today.get(&minute).map_or(&[][..], Vec::as_slice);
        for bar in bars.iter().filter(|b| b.volume > 0) {
            stage.apply_bar(&with_usable_volume(bar));
            day.bars.push(*bar);
        }
        let at = minute + MINUTE + i64::from(config.grace_ms) * MILLISECOND;
        stage.emit(at, minute, &mut out);
        for cycle in out.drain().collect::<Vec<_>>() {
            day.take(&cycle, minute);
            stage.on_event(at, FeaturesIn::Recycle(cycle), &mut out);
        }
        minute = minute + MINUTE;
    }
    Ok(day)
}

/// The bar, its volume unknown (0) on days whose volumes are bogus.
fn with_usable_volume(bar: &Bar) -> Bar {
    let bogus = BOGUS_VOLUME_DAYS.contains(&Date::new_york(bar.start).0);
    if bogus { Bar { volume: 0, ..*bar } } else { *bar }
}

impl ExportedDay {
    /// Takes in the rows of the cycle that closed `minute`.
    pub fn take(&mut self, cycle: &Cycle, minute: SessionTime) {
        for row in 0..cycle.rows {
            let columns = cycle.feature_row(row);
            if columns[..schema::BAR_COLUMNS].iter().all(|x| x.is_nan()) {
                continue; // no bar of this minute: nothing to learn from
            }
            self.rows.push(ExportedRow {
                minute,
                symbol: cycle.symbols[row],
                sigma_1m: cycle.sigma_1m[row],
                columns: columns.to_vec(),
            });
        }
    }

    fn write(&self, folder: &Path, date: Date) -> Result<()> {
        let x = format!("('ts','<i8'),('symbol','<u2'),('sigma','<f4'),('x','<f4',({},))", schema::COLUMNS);
        let path = folder.join(format!("{}.rows.npy", dashed(date)));
        npy(&path, &x, self.rows.len(), |w| {
            for r in &self.rows {
                w.write_all(&r.minute.0.to_le_bytes())?;
                w.write_all(&r.symbol.0.to_le_bytes())?;
                w.write_all(&r.sigma_1m.to_le_bytes())?;
                for value in &r.columns {
                    w.write_all(&value.to_le_bytes())?;
                }
            }
            Ok(())
        })?;
        let path = folder.join(format!("{}.bars.npy", dashed(date)));
        npy(&path, "('ts','<i8'),('symbol','<u2'),('open','<f8'),('close','<f8')", self.bars.len(), |w| {
            for b in &self.bars {
                w.write_all(&b.start.0.to_le_bytes())?;
                w.write_all(&b.symbol.0.to_le_bytes())?;
                w.write_all(&b.open.to_f64().to_le_bytes())?;
                w.write_all(&b.close.to_f64().to_le_bytes())?;
            }
            Ok(())
        })
    }
}

/// Writes a numpy file (format 1.0: magic, version, header length, padded Python literal) of a structured type.
fn npy(
    path: &Path,
    descr: &str,
    rows: usize,
    body: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<()> {
    let mut header = format!("{{'descr': [{descr}], 'fortran_order': False, 'shape': ({rows},), }}");
    while !(header.len() + 11).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let write = || -> std::io::Result<()> {
        let mut w = BufWriter::new(File::create(path)?);
        w.write_all(b"\x93NUMPY\x01\x00")?;
        w.write_all(&u16::try_from(header.len()).unwrap_or(u16::MAX).to_le_bytes())?;
        w.write_all(header.as_bytes())?;
        body(&mut w)?;
        w.flush()
    };
    write().with_context(|| format!("can't write {}", path.display()))
}

/// The folder's day files in range, by date.
fn day_files(folder: &Path, from: Option<&str>, to: Option<&str>) -> Result<Vec<(Date, PathBuf)>> {
    let bound = |s: Option<&str>, default: u32| match s {
        None => Ok(Date(default)),
        Some(s) => parse_date(s).with_context(|| format!("{s} is no date; write it as YYYY-MM-DD")),
    };
    let (from, to) = (bound(from, 0)?, bound(to, u32::MAX)?);
    let entries = std::fs::read_dir(folder).with_context(|| format!("can't read the folder {}", folder.display()))?;
    let mut files: Vec<_> = entries
        .flatten()
        .filter_map(|e| {
            let name = e.file_name().into_string().ok()?;
            Some((parse_date(name.strip_suffix(".csv.gz")?)?, e.path()))
        })
        .filter(|(d, _)| (from..=to).contains(d))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "{} holds no YYYY-MM-DD.csv.gz in the asked range", folder.display());
    Ok(files)
}

/// All symbols of the files, numbered by name.
fn universe(files: &[(Date, PathBuf)]) -> Result<BTreeMap<String, SymbolId>> {
    let mut names = std::collections::BTreeSet::new();
    for (_, path) in files {
        for_each_line(path, |fields| {
            if !names.contains(fields[1]) {
                names.insert(fields[1].to_string());
            }
            Some(())
        })?;
    }
    ensure!(names.len() < usize::from(u16::MAX), "the files hold more than 65,534 symbols");
    Ok(names.into_iter().zip((0..).map(SymbolId)).collect())
}

/// One file's bars. Symbols outside the universe are left out.
///
/// # Errors
/// The file can't be read, or a line is not a bar.
pub fn read_day(path: &Path, symbols: &BTreeMap<String, SymbolId>) -> Result<Minutes> {
    let mut minutes = Minutes::new();
    for_each_line(path, |f| {
        let price = |i: usize| f[i].parse::<f64>().ok().map(Price::from_f64).filter(|p| p.is_some());
        let bar = Bar {
            start: parse_utc(f[0])?,
            open: price(2)?,
            high: price(3)?,
            low: price(4)?,
            close: price(5)?,
            volume: f[6].split('.').next()?.parse().ok()?,
            symbol: SymbolId(0),
        };
        if let Some(&symbol) = symbols.get(f[1]) {
            minutes.entry(bar.start).or_default().push(Bar { symbol, ..bar });
        }
        Some(())
    })?;
    for bars in minutes.values_mut() {
        bars.sort_by_key(|b| b.symbol);
    }
    Ok(minutes)
}

/// Hands the seven fields of each line to `take`; `None` from it means that the line is malformed.
fn for_each_line(path: &Path, mut take: impl FnMut(&[&str]) -> Option<()>) -> Result<()> {
    let file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
    let mut reader = BufReader::new(flate2::read::MultiGzDecoder::new(file));
    let (mut line, mut number) = (String::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        if reader.read_line(&mut line).with_context(|| format!("can't read {}", path.display()))? == 0 {
            return Ok(());
        }
        let text = line.trim_end();
        if number == 1 {
            ensure!(text == HEADER, "{}: the header is not `{HEADER}`", path.display());
            continue;
        }
        let fields: Vec<&str> = text.split(',').collect();
        if fields.len() != 7 || take(&fields).is_none() {
            bail!("{}, line {number}: not a bar of `{HEADER}`; fix or remove the line", path.display());
        }
    }
}

fn parse_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
    let ok = y.len() == 4 && m.len() == 2 && d.len() == 2 && parts.next().is_none();
    ok.then_some(Date::of(y.parse().ok()?, m.parse().ok()?, d.parse().ok()?))
}

/// `2026-04-15T13:30:00Z`.
fn parse_utc(text: &str) -> Option<SessionTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (year, month, day) = parse_date(date)?.parts();
    let mut parts = time.split(':').map(|p| p.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    Some(SessionTime::from_secs(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
}

fn dashed(date: Date) -> String {
    let (y, m, d) = date.parts();
    format!("{y:04}-{m:02}-{d:02}")
}

fn file_name(date: Date) -> String {
    format!("{}.csv.gz", dashed(date))
}
