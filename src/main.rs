//! The `ibkr-trader` binary: parses the command line and hands over to `app`. Any failure is one sentence on
//! stderr and exit code 1.

use clap::Parser;
use ibkr_trader::app;

fn main() -> std::process::ExitCode {
    app::main(app::cli::Cli::parse())
}
