//! The subcommands: the only place that knows every part. Errors leave here as one sentence and exit code 1.

pub mod backtest;
pub mod bridge;
pub mod cli;
pub mod conform;
pub mod day_book;
pub mod demo;
pub mod gateway;
pub mod gateway_child;
pub mod history;
pub mod learned;
pub mod load;
pub mod order_path;
pub mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod session;
pub mod sinks;
pub mod skew;
pub mod skew_figures;
pub mod stages;
mod state_file;
pub mod train_export;
pub mod venue_options;
pub mod zoo;
pub mod zoo_bench;
pub mod zoo_watch;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use cli::{Cli, Command};

use crate::config::Settings;
use crate::sim::market::{self, MarketOptions, MarketSource};

/// Runs a parsed command line.
pub fn main(cli: Cli) -> ExitCode {
    start_log();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error as one line. Many errors name their cause in their own words already: it is not said twice.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !said.contains(&cause) {
            said = if said.is_empty() { cause } else { format!("{said}: {cause}") };
        }
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Perf(args) => perf(&args.folder),
        Command::Gateway(args) => gateway::run(args),
        Command::Record(args) => record::run(&args),
        Command::History(args) => history::run(&args),
        Command::Conform(args) => conform::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Doctor(args) => run::doctor(&args),
        Command::TrainExport(args) => train_export::run(&args),
        Command::Models(args) => match args.command {
            cli::ModelsCommand::Verify { folder } => zoo::verify(&folder),
            cli::ModelsCommand::Bench(args) => zoo_bench::run(&args),
            cli::ModelsCommand::Skew(args) => skew::run(&args),
        },
    }
}

#[allow(clippy::print_stdout, reason = "the report is this command's output")]
fn perf(folder: &std::path::Path) -> anyhow::Result<()> {
    println!("{}", crate::telemetry::render(folder)?);
    Ok(())
}

/// Warnings, but not those that ONNX Runtime makes about hardware that it does not find.
const QUIET: &str = "warn,ibkr_trader::inference::runtime=error";

/// Logs go to stderr; `RUST_LOG` chooses, warnings by default.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(QUIET));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// A pause of a thread that is no stage.
#[allow(clippy::disallowed_methods, reason = "supervisor and child processes wait in wall time")]
fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// A flag that SIGINT and SIGTERM set; a second signal ends the process at once.
fn interrupt_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)))
            .context("registering for signals")?;
    }
    Ok(flag)
}

/// The market source that settings and command line name.
fn market_of(data: Option<&Path>, settings: &Settings, seed: u64) -> anyhow::Result<Box<dyn MarketSource>> {
    let start = Some(gateway::hour_and_minute(&settings.demo.start).map_err(|e| anyhow::anyhow!("demo.start: {e}"))?);
    let options = MarketOptions { start, symbols: settings.demo.symbols, seed, ..MarketOptions::default() };
    Ok(market::open(data, &options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("file x can't be read ({source}); name another")]
    struct Unreadable {
        source: std::io::Error,
    }

    #[test]
    fn an_error_is_one_line_and_says_each_cause_once() {
        let source = std::io::Error::other("disk on fire");
        let error = anyhow::Error::new(Unreadable { source }).context("opening\nthe journal");
        assert_eq!(sentence(&error), "opening the journal: file x can't be read (disk on fire); name another");
    }
}
