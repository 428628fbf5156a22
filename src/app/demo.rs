//! `demo`: a simulated gateway as a child process, a whole session against it, the referee's audit, the report.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::cli::DemoArgs;
use super::gateway_child::{ChildSpec, GatewayChild};
use super::report;
use super::session::{self, SessionOptions};
use super::{load, market_of};
use crate::journal::FileDisk;

/// The account of the simulated gateway.
const ACCOUNT: &str = "DU9000001";
/// The plumbing profile, laid over the base file.
const PROFILE: &str = "config/demo.toml";

/// Plays the demo and prints its report.
///
/// # Errors
/// Something is missing or wrong, or the session was not clean.
#[allow(clippy::print_stdout, reason = "banner and report are this command's output")]
pub fn run(args: &DemoArgs) -> Result<()> {
    let mut settings = load::settings(&args.settings, &[Path::new(PROFILE)])?;
    settings.demo.speed = args.speed.unwrap_or(settings.demo.speed);
    settings.demo.minutes = args.minutes.unwrap_or(settings.demo.minutes);
    settings.check()?;
    let interrupted = super::interrupt_flag()?;
    let folder = PathBuf::from(&settings.session.folder).join("demo");
    if folder.exists() {
        // Refused while another demo runs: emptying the folder would take the journal from under it.
        drop(FileDisk::open(&folder.join("journal"))?);
        // A new simulated account has nothing to do with the last one's journal.
        fs::remove_dir_all(&folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let market = market_of(args.data.as_deref(), &settings, settings.demo.seed)?;
    let symbols: Vec<String> = market.references().iter().map(|r| r.symbol.clone()).collect();
    drop(market);
    let spec = ChildSpec {
        data: args.data.as_deref(),
        symbols: settings.demo.symbols,
        seed: settings.demo.seed,
        speed: settings.demo.speed,
        start: &settings.demo.start,
        account: ACCOUNT,
        folder: &folder,
    };
    let gateway = GatewayChild::start(&spec)?;
    settings.broker.host = gateway.address.ip().to_string();
    settings.broker.port = gateway.address.port();
    settings.broker.account = ACCOUNT.into();
    let source = args.data.as_ref().map_or_else(
        || format!("synthetic martingale, seed {} (no planted edge)", settings.demo.seed),
        |path| path.display().to_string(),
    );
    println!("ibkr-trader demo: {} symbols of {source}", symbols.len());
    println!(
        "  simulated gateway at {}, {}× for {} minutes of session time from {} New York",
        gateway.address, settings.demo.speed, settings.demo.minutes, settings.demo.start
    );
    for gate in settings.decision.loosened() {
        println!("  PLUMBING PROFILE, loosened: {gate}");
    }
    let options = SessionOptions {
        symbols,
        clock_file: Some(gateway.clock_file.clone()),
        minutes: Some(settings.demo.minutes),
        folder,
        quiet: args.quiet,
        interrupted,
    };
    let end = session::run(&settings, &options)?;
    let audit = gateway.finish()?;
    report::conclude(&settings, source, end, Some(&audit))
}
