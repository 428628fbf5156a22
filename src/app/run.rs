//! `run`: a session against a TWS or IB Gateway; `doctor`: everything that `run` needs, checked one by one.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::cli::RunArgs;
use super::load;
use super::report;
use super::session::{self, SessionOptions};
use super::zoo::Zoo;
use crate::broker::ib::{IbBroker, Listing, is_paper_account};
use crate::clock::{Clock, ScaledClock};
use crate::config::Settings;
use crate::domain::Price;
use crate::domain::calendar::{Date, regular_hours};
use crate::pipeline::affinity;

/// Trades until the closing bell, `--minutes`, or a signal, and reports.
///
/// # Errors
/// Something is missing or wrong, or the session was not clean.
#[allow(clippy::print_stdout, reason = "banner and report are this command's output")]
pub fn run(args: &RunArgs) -> Result<()> {
    let settings = load::settings(&args.settings, &[])?;
    allowed(&settings, args.live)?;
    println!("ibkr-trader: account {}, profile {}", settings.broker.account, settings.session.profile);
    for gate in settings.decision.loosened() {
        println!("  PLUMBING PROFILE, loosened: {gate}");
    }
    let options = SessionOptions {
        symbols: settings.universe.symbols.clone(),
        clock_file: args.clock_file.clone(),
        minutes: args.minutes,
        folder: PathBuf::from(&settings.session.folder),
        quiet: args.quiet,
        interrupted: super::interrupt_flag()?,
    };
    let end = session::run(&settings, &options)?;
    let source = format!("gateway {}, account {}", settings.broker.address(), settings.broker.account);
    report::conclude(&settings, source, end, None)
}

/// A live account needs three things that agree: its id, `broker.live`, and `--live`; a plumbing profile never
/// trades one.
fn allowed(settings: &Settings, live_flag: bool) -> Result<()> {
    settings.broker.validate()?;
    if settings.broker.live && !live_flag {
        bail!("account {} is real money: pass --live as well if you mean it", settings.broker.account);
    }
    if live_flag && !settings.broker.live {
        bail!("--live is given, but broker.live is false; set both or neither");
    }
    let loosened = settings.decision.loosened();
    if settings.broker.live && !loosened.is_empty() {
        bail!(
            "profile {} loosens gates ({}); it never trades real money",
            settings.session.profile,
            loosened.join("; ")
        );
    }
    Ok(())
}

/// Checks what a session needs and prints a line for each.
///
/// # Errors
/// The first thing that is missing or wrong, with its fix.
#[allow(clippy::print_stdout, reason = "the checks are this command's output")]
pub fn doctor(args: &RunArgs) -> Result<()> {
    let settings = load::settings(&args.settings, &[])?;
    println!("settings    ok: profile {}, hash {:016x}", settings.session.profile, settings.hash);
    let cores = affinity::cores();
    for group in settings.topology(&cores)?.groups {
        println!("thread      {:?} on core {}, {:?}", group.stages, group.core, group.wait);
    }
    let zoo = Zoo::load(Path::new(&settings.session.models_folder))?;
    println!("models      ok: {} of zoo {}; {}", zoo.models, zoo.name, zoo.runtime());
    for bad in &zoo.quarantined {
        println!("models      QUARANTINED: {bad}");
    }
    let now = ScaledClock::real_time().now();
    let today = Date::new_york(now);
    match regular_hours(today) {
        Some(hours) => println!("calendar    trading day {}: {} to {}", today.0, hours.open, hours.close),
        None => println!("calendar    {} is no trading day that this program knows", today.0),
    }
    allowed(&settings, args.live)?;
    let kind = if is_paper_account(&settings.broker.account) { "paper" } else { "LIVE" };
    println!("account     {} ({kind})", settings.broker.account);
    let universe: Vec<Listing> = settings.universe.symbols.iter().map(|s| Listing::of(s)).collect();
    if universe.is_empty() {
        bail!("universe.symbols is empty; name the tickers to trade in a profile, e.g. symbols = [\"AAPL\"]");
    }
    let broker = IbBroker::connect(settings.broker.clone(), &universe, 1, || Ok(ScaledClock::real_time()))?;
    for i in broker.instruments() {
        println!(
            "instrument  {} = contract {} on {}, tick {}",
            i.symbol,
            i.con_id,
            i.primary_exchange,
            i.tick_at(Price(i64::MAX))
        );
    }
    broker.shutdown();
    println!(
        "gateway     ok: {} accepts client ids {} and {}",
        settings.broker.address(),
        settings.broker.client_id,
        settings.broker.worker_client_id
    );
    Ok(())
}
