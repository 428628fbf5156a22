//! A stage allocates nothing after warm-up: a whole trading session runs in lockstep with a counting allocator, and
//! every sweep of the five stages is looked at. (ONNX Runtime allocates with C++'s allocator, which is not counted
//! here: the one exception of the house rule, measured in `inference_alloc.rs`.)

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod alloc_support;

use std::cell::Cell;
use std::path::Path;

use alloc_support::ALLOCATIONS;
use ibkr_trader::app::backtest::play;
use ibkr_trader::app::cli::SettingsArgs;
use ibkr_trader::app::{load, zoo::Zoo};
use ibkr_trader::clock::VirtualClock;
use ibkr_trader::pipeline::group::Group;
use ibkr_trader::sim::market::{self, MarketOptions};

thread_local! {
    static SWEEPS: Cell<u64> = const { Cell::new(0) };
    static IN_SWEEPS: Cell<u64> = const { Cell::new(0) };
}

/// Sweeps that count as warm-up: history and the first minutes.
const WARM_UP: u64 = 20_000;

fn counted(group: &mut Group<VirtualClock>) -> usize {
    let before = ALLOCATIONS.get();
    let done = group.poll();
    SWEEPS.set(SWEEPS.get() + 1);
    if SWEEPS.get() > WARM_UP {
        IN_SWEEPS.set(IN_SWEEPS.get() + ALLOCATIONS.get() - before);
    }
    done
}

#[test]
fn no_stage_allocates_while_a_session_trades() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("ORT_DYLIB_PATH").is_none() && !root.join(".runtime").is_dir() {
        eprintln!("skipped: no ONNX Runtime in .runtime; run `make setup`");
        return;
    }
    let args = SettingsArgs { config: root.join("config/default.toml"), profile: vec![], set: vec![] };
    let mut settings = load::settings(&args, &[&root.join("config/demo.toml")]).unwrap();
    settings.demo.minutes = 16;
    settings.session.flat_before_end_min = 3;
    let zoo = Zoo::load(&root.join("models")).unwrap();
    let options = MarketOptions { symbols: 20, ..MarketOptions::default() };
    let played = play(&settings, zoo, market::open(None, &options).unwrap(), counted).unwrap();
    assert!(played.totals.orders_sent > 0 && !played.totals.executions.is_empty(), "nothing was traded");
    assert!(SWEEPS.get() > 4 * WARM_UP, "only {} sweeps: most of the session was warm-up", SWEEPS.get());
    assert!(ALLOCATIONS.get() > 0, "the counter counts");
    assert_eq!(IN_SWEEPS.get(), 0, "allocations inside the stages");
}
