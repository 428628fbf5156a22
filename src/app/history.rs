//! `history`: fetches one-minute bars of trades in regular hours from any TWS gateway, a file a day in the format of
//! bar files, within IB's pacing of history requests. A day whose file exists is not asked for again, so that a long
//! download can be broken off and taken up.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::record::ListenArgs;
use crate::broker::ib::{HistoryClient, HistoryPacer};
use crate::clock::{Clock, ScaledClock};
use crate::domain::SymbolId;
use crate::domain::calendar::{Date, RegularHours, civil_from_secs, regular_hours};
use crate::message::Bar;
use crate::sim::market::bars::HEADER;

/// Longest wait between looks at the interrupt flag, wall time.
const LOOK: Duration = Duration::from_millis(20);

/// `history`.
#[derive(Clone, Debug, Args)]
pub struct HistoryArgs {
    /// Gateway and symbols.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// First day, `YYYY-MM-DD`.
    #[arg(long, value_parser = super::gateway::date)]
    pub from: Date,
    /// Last day, `YYYY-MM-DD`; default: the first.
    #[arg(long, value_parser = super::gateway::date)]
    pub to: Option<Date>,
    /// The folder of the `YYYY-MM-DD.csv.gz` files; made if absent.
    #[arg(long)]
    pub out: PathBuf,
}

/// Fetches every trading day of the range.
///
/// # Errors
/// No gateway, an unknown symbol, no trading day in the range, or a file can't be written.
#[allow(clippy::print_stdout, reason = "progress and result are this command's output")]
pub fn run(args: &HistoryArgs) -> Result<()> {
    let universe = args.listen.universe()?;
    let days = days(args.from, args.to.unwrap_or(args.from))?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("can't make the folder {}", args.out.display()))?;
    let interrupted = super::interrupt_flag()?;
    let client = HistoryClient::connect(&args.listen.options(), &universe, args.listen.clock())?;
    let mut pacer = HistoryPacer::default();
    for (date, hours) in days {
        let path = args.out.join(format!("{}.csv.gz", dashed(date)));
        if path.exists() {
            println!("{}: there already", path.display());
            continue;
        }
        if hours.close > client.clock().now() {
            println!("{}: not over yet, left out", dashed(date));
            continue;
        }
        let Some(bars) = fetch(&client, &mut pacer, hours, &interrupted)? else {
            bail!("interrupted; the days before {} are complete", dashed(date));
        };
        if bars.is_empty() {
            println!("{}: the gateway has no bars", dashed(date));
            continue;
        }
        write(&path, &bars, &client).with_context(|| format!("can't write {}", path.display()))?;
        println!("{}: {} bars of {} symbols", path.display(), bars.len(), symbols_in(&bars));
    }
    Ok(())
}

/// The trading days from `first` to `last`.
fn days(first: Date, last: Date) -> Result<Vec<(Date, RegularHours)>> {
    ensure!(first <= last, "--from {} is after --to {}; exchange them", dashed(first), dashed(last));
    let range = std::iter::successors(Some(first), |d| Some(d.next())).take_while(|d| *d <= last);
    let days: Vec<_> = range.filter_map(|d| Some((d, regular_hours(d)?))).collect();
    ensure!(
        !days.is_empty(),
        "no trading day from {} to {}: the calendar knows 2013 and 2025-2027, weekdays that are no NYSE holiday",
        dashed(first),
        dashed(last)
    );
    Ok(days)
}

/// One day's bars of all symbols by minute, symbols in order within a minute; `None` when interrupted.
fn fetch(
    client: &HistoryClient<ScaledClock>,
    pacer: &mut HistoryPacer,
    hours: RegularHours,
    interrupted: &AtomicBool,
) -> Result<Option<Vec<Bar>>> {
    let mut bars = Vec::new();
    for i in 0..client.instruments().len() {
        let symbol = SymbolId(u16::try_from(i)?);
        loop {
            if interrupted.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let wait = pacer.wait(client.clock().now(), symbol, hours.close);
            if wait == 0 {
                break;
            }
            super::pause(Duration::from_nanos(client.clock().wall_ns(wait)).min(LOOK));
        }
        pacer.sent(client.clock().now(), symbol, hours.close);
        bars.extend(client.day(symbol, hours.open, hours.close)?);
    }
    bars.sort_by_key(|b: &Bar| (b.start, b.symbol));
    Ok(Some(bars))
}

/// Writes a day's file by rename: it is there whole or not at all.
fn write(path: &Path, bars: &[Bar], client: &HistoryClient<ScaledClock>) -> Result<()> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::default());
    writeln!(gz, "{HEADER}")?;
    for b in bars {
        let c = civil_from_secs(b.start.secs());
        let name = client.instruments().get(b.symbol.index()).map_or("", |i| i.symbol.as_str());
        writeln!(
            gz,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z,{name},{},{},{},{},{}",
            c.year, c.month, c.day, c.hour, c.minute, c.second, b.open, b.high, b.low, b.close, b.volume
        )?;
    }
    let temp = path.with_extension("tmp");
    std::fs::write(&temp, gz.finish()?)?;
    std::fs::rename(&temp, path)?;
    Ok(())
}

fn symbols_in(bars: &[Bar]) -> usize {
    bars.iter().map(|b| b.symbol).collect::<std::collections::BTreeSet<_>>().len()
}

fn dashed(date: Date) -> String {
    let (y, m, d) = date.parts();
    format!("{y:04}-{m:02}-{d:02}")
}
