//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Minutes that a session may last: a regular trading day has 390.
const MINUTES: std::ops::RangeInclusive<i64> = 1..=390;

/// Intraday trading for Interactive Brokers, and a simulated TWS gateway to prove it against.
#[derive(Debug, Parser)]
#[command(name = "ibkr-trader", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play a whole session against the simulated gateway and report on it.
    Demo(DemoArgs),
    /// Trade against a TWS or IB Gateway.
    Run(RunArgs),
    /// Play a session in one thread on a virtual clock: the same inputs give the same bytes.
    Backtest(BacktestArgs),
    /// Check settings, models, runtime, cores and the gateway, and say what is missing.
    Doctor(RunArgs),
    /// Write the rows that models are trained on, from files of one-minute bars.
    TrainExport(super::train_export::TrainExportArgs),
    /// Check the models.
    Models(ModelsArgs),
    /// Print a saved performance report.
    Perf(PerfArgs),
    /// Serve a simulated TWS gateway.
    ///
    /// It says `listening on HOST:PORT` once it accepts clients. Any TWS API client connects to that address as it does to
    /// TWS or IB Gateway, in any language, with any client id: handshake, startApi, then requests. SIGINT and SIGTERM end it.
    /// GATEWAY.md lists every request.
    Gateway(super::gateway::GatewayArgs),
    /// Record a market-data session from a TWS gateway into a folder that `gateway --data` plays.
    Record(super::record::RecordArgs),
    /// Fetch one-minute bars from a TWS gateway into files that `gateway --data` and `train-export` read.
    History(super::history::HistoryArgs),
    /// Play recorded conversations with real gateways against the simulated one and show every difference.
    Conform(super::conform::ConformArgs),
}

/// Where settings come from.
#[derive(Clone, Debug, Args)]
pub struct SettingsArgs {
    /// The base settings file: must hold every key.
    #[arg(long, default_value = "config/default.toml")]
    pub config: PathBuf,
    /// A profile laid over it (repeatable).
    #[arg(long)]
    pub profile: Vec<PathBuf>,
    /// One more override, `section.key=value` (repeatable).
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Settings; the demo lays config/demo.toml over them first.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Real data instead of the synthetic market: a day of 1-minute bars (`….csv.gz`) or a prefix of tick files.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Session seconds per wall second, instead of demo.speed.
    #[arg(long)]
    pub speed: Option<f64>,
    /// Minutes of session time, instead of demo.minutes.
    #[arg(long, value_parser = clap::value_parser!(i64).range(MINUTES))]
    pub minutes: Option<i64>,
    /// No progress display.
    #[arg(long)]
    pub quiet: bool,
}

/// `run` and `doctor`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Clock file of a simulated gateway; without it the session runs in real time.
    #[arg(long)]
    pub clock_file: Option<PathBuf>,
    /// Allows a live account (also needs broker.live = true and broker.account).
    #[arg(long)]
    pub live: bool,
    /// Ends the session after so many minutes of session time; default: at the closing bell.
    #[arg(long, value_parser = clap::value_parser!(i64).range(MINUTES))]
    pub minutes: Option<i64>,
    /// No progress display.
    #[arg(long)]
    pub quiet: bool,
}

/// `backtest`.
#[derive(Debug, Args)]
pub struct BacktestArgs {
    /// Settings; the backtest lays config/demo.toml over them first.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Real data instead of the synthetic market.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Seed of market and venue, instead of demo.seed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Minutes of session time, instead of demo.minutes.
    #[arg(long, value_parser = clap::value_parser!(i64).range(MINUTES))]
    pub minutes: Option<i64>,
    /// Where decisions and orders go, one line each.
    #[arg(long, default_value = "run/backtest.csv")]
    pub out: PathBuf,
}

/// `perf`.
#[derive(Debug, Args)]
pub struct PerfArgs {
    /// The folder of a run's report.
    #[arg(default_value = "perf/latest")]
    pub folder: PathBuf,
}

/// `models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// The subcommands of `models`.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Check every model of a zoo against its manifest, its golden vectors and the feature schema.
    Verify {
        /// The zoo's folder.
        #[arg(default_value = "models")]
        folder: PathBuf,
    },
    /// Measure what a pass over all models costs on one pinned core.
    Bench(super::zoo_bench::BenchArgs),
    /// Measure on real ticks what 250 ms sampling does to the features.
    Skew(super::skew::SkewArgs),
}
