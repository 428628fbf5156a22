//! `python3 models/train`: its errors, its own tests, and a quick run over real bars. What needs the pinned environment
//! (`.venv-train`) or market data says that it skips where that is absent.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and says what it skips"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn train(args: &[&str]) -> Output {
    Command::new("python3").current_dir(root()).arg("models/train").args(args).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The pinned environment, if it was made for these pins.
fn environment() -> Option<PathBuf> {
    use sha2::Digest;
    let pins = std::fs::read(root().join("models/train/requirements.txt")).unwrap();
    let due: String = sha2::Sha256::digest(&pins).iter().map(|b| format!("{b:02x}")).collect();
    let python = root().join(".venv-train/bin/python");
    let made = std::fs::read_to_string(root().join(".venv-train/pins.sha256")).unwrap_or_default();
    if made == due && python.is_file() {
        return Some(python);
    }
    println!("skipped: no .venv-train for these pins; `python3 models/train --data … --quick` makes it");
    None
}

#[test]
fn bad_input_is_one_sentence_and_an_exit_code() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let absent = empty.path().join("absent");
    let some = tempfile::tempdir().unwrap();
    std::fs::write(some.path().join("2026-04-09.csv.gz"), b"no gzip").unwrap();
    let bars = some.path().to_str().unwrap();
    let binary = env!("CARGO_BIN_EXE_ibkr-trader");
    for (args, due) in [
        (vec!["--data", absent.to_str().unwrap()], "no bars at"),
        (vec!["--data", folder], "no bars at"),
        (vec!["--data", bars, "--workers", "0"], "--workers"),
        (vec!["--data", bars, "--keep-export", "--export", folder], "no earlier export"),
        (vec!["--data", bars, "--binary", absent.to_str().unwrap()], "make build"),
        (vec!["--data", bars, "--binary", binary, "--export", folder], "2026-04-09.csv.gz"),
    ] {
        let output = train(&args);
        let said = text(&output);
        assert!(!output.status.success(), "{args:?}: {said}");
        assert!(said.contains(due) && !said.contains("Traceback"), "{args:?}: {said}");
    }
}

#[test]
fn the_training_code_passes_its_own_tests() {
    let Some(python) = environment() else { return };
    let output = Command::new(python)
        .current_dir(root())
        .args(["-m", "unittest", "discover", "-s", "models/train"])
        .env("OMP_NUM_THREADS", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_quick_run_makes_a_whole_zoo() {
    if environment().is_none() {
        return;
    }
    let data = std::env::var_os("IBKR_TRADER_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let bars = data.join("bars_1m_ustech");
    if !bars.is_dir() {
        println!("skipped: no bars at {}; set IBKR_TRADER_DATA to the data folder", bars.display());
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let (days, export, zoo) = (work.path().join("bars"), work.path().join("export"), work.path().join("zoo"));
    std::fs::create_dir(&days).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(&bars).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    // As many days before the test week as a quick run takes.
    for file in files.iter().filter(|f| f.file_name().unwrap().to_str().unwrap() < "2026-04-13").rev().take(17) {
        std::os::unix::fs::symlink(file, days.join(file.file_name().unwrap())).unwrap();
    }
    let path = |p: &Path| p.to_str().unwrap().to_owned();
    let output = train(&[
        "--quick",
        "--data",
        &path(&days),
        "--export",
        &path(&export),
        "--out",
        &path(&zoo),
        "--binary",
        env!("CARGO_BIN_EXE_ibkr-trader"),
    ]);
    assert!(output.status.success(), "{}", text(&output));
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(zoo.join("manifest.json")).unwrap()).unwrap();
    let columns = |prefix: &str| {
        let models = manifest["models"].as_array().unwrap().iter();
        models
            .flat_map(|m| m["columns"].as_array().unwrap())
            .filter(|c| c.as_str().unwrap().starts_with(prefix))
            .count()
    };
    assert_eq!((columns("score:"), columns("p:"), columns("q10:"), columns("log_scale:")), (80, 4, 5, 5));
    let card = std::fs::read_to_string(zoo.join("CARDS.md")).unwrap();
    assert!(card.contains("Nothing here is evidence") && zoo.join("report.html").is_file());
}
