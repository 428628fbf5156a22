//! The determinism contract: the same source, seed and settings in lockstep give the same bytes, twice, and another
//! seed gives others. Runs the real zoo; without ONNX Runtime it says that it skips.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn runtime_is_here() -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::env::var_os("ORT_DYLIB_PATH").is_some() || root.join(".runtime").is_dir()
}

/// Plays ten minutes in lockstep; returns journal text and what was printed.
fn play(out: &Path, extra: &[&str]) -> (String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["backtest", "--minutes", "14", "--set", "demo.symbols=20", "--set", "session.flat_before_end_min=3"])
        .arg("--out")
        .arg(out)
        .args(extra)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{printed}\n{}", String::from_utf8_lossy(&run.stderr));
    (std::fs::read_to_string(out).unwrap(), printed)
}

fn real_data(name: &str) -> Option<PathBuf> {
    let base = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = base.join(name);
    let parent = path.parent()?.is_dir();
    parent.then_some(path)
}

#[test]
fn the_same_source_and_seed_give_the_same_bytes_and_the_books_agree() {
    if !runtime_is_here() {
        eprintln!("skipped: no ONNX Runtime in .runtime; run `make setup`");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (first, printed) = play(&dir.path().join("a.txt"), &["--seed", "7"]);
    let (second, _) = play(&dir.path().join("b.txt"), &["--seed", "7"]);
    let (other, _) = play(&dir.path().join("c.txt"), &["--seed", "8"]);
    assert_eq!(first, second, "same source, same seed, other bytes");
    assert_ne!(first, other, "the seed changes nothing: the test proves nothing");
    assert!(first.contains(" target ") && first.contains(" fill "), "nothing was decided or filled:\n{printed}");
    assert!(printed.contains("Verdict: clean"), "{printed}");
}

#[test]
fn real_bars_and_real_ticks_replay_to_the_same_bytes() {
    if !runtime_is_here() {
        eprintln!("skipped: no ONNX Runtime in .runtime; run `make setup`");
        return;
    }
    for name in ["bars_1m_ustech/2026-04-15.csv.gz", "ticks_lean_2013/20131007"] {
        let Some(path) = real_data(name) else {
            eprintln!("skipped: real data {name} is not beside the checkout");
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let data = path.to_string_lossy();
        let (first, _) = play(&dir.path().join("a.txt"), &["--data", &data]);
        let (second, _) = play(&dir.path().join("b.txt"), &["--data", &data]);
        assert_eq!(first, second, "{name}");
        assert!(first.contains(" target "), "{name}: nothing was decided");
    }
}
