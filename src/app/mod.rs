//! The subcommands: the only place that knows every part. Errors leave here as one sentence and exit code 1.

mod bridge;
pub mod cli;
pub mod gateway;
mod gateway_child;
mod load;
mod sinks;
pub mod train_export;
mod zoo;

use std::process::ExitCode;
use std::time::Duration;

use cli::{Cli, Command};

/// Runs a parsed command line.
pub fn main(cli: Cli) -> ExitCode {
    start_log();
    match dispatch(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Perf(args) => perf(&args.folder),
        Command::Gateway(args) => gateway::run(args),
        _ => anyhow::bail!("not wired yet"),
    }
}

#[allow(clippy::print_stdout, reason = "the report is this command's output")]
fn perf(folder: &std::path::Path) -> anyhow::Result<()> {
    println!("{}", crate::telemetry::render(folder)?);
    Ok(())
}

/// Logs go to stderr; `RUST_LOG` chooses, warnings by default.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// A pause of a thread that is no stage.
#[allow(clippy::disallowed_methods, reason = "supervisor and child processes wait in wall time")]
fn pause(length: Duration) {
    std::thread::sleep(length);
}
