//! What a pass over a whole zoo costs: the figures of `ibkr-trader models bench`, as a bench.
//!
//! Run `cargo bench --bench inference`. It measures the zoo in `IBKR_TRADER_ZOO`, by default `models`; rows are those
//! of the bars file in `IBKR_TRADER_BENCH_DATA`, by default drawn from the ranges that the training saw. A zoo of full
//! size without training: `python3 tests/fixtures/models/full.py FOLDER`.

use std::path::PathBuf;

use ibkr_trader::app::zoo_bench::{BenchArgs, run};

fn main() {
    // `cargo test --benches` asks for a look, not for figures.
    let look = !std::env::args().any(|a| a == "--bench");
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let args = BenchArgs {
        folder: path("IBKR_TRADER_ZOO").unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models")),
        rows: if look { vec![1] } else { vec![50, 200, 1_000] },
        passes: if look { 1 } else { 200 },
        data: path("IBKR_TRADER_BENCH_DATA"),
        out: None,
    };
    if let Err(e) = run(&args) {
        eprintln!("skipped: {e:#}");
    }
}
