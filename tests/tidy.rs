//! House rules that a machine can hold: the import matrix, file length, a `//!` on every file, and which crates
//! may be imported where.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each folder of `src/` may import from the crate, beside itself.
const MATRIX: &[(&str, &[&str])] = &[
    ("clock", &["domain"]),
    ("domain", &["clock"]),
    ("message", &["clock", "domain"]),
    // The shell knows the concrete stages: it is what joins them.
    ("pipeline", &["clock", "domain", "message", "feed", "features", "inference", "decision", "routing", "telemetry"]),
    (
        "config",
        &["broker", "clock", "decision", "domain", "feed", "features", "inference", "journal", "pipeline", "routing"],
    ),
    // A stage knows the vocabulary and the stage contract, never another stage.
    ("feed", &["clock", "domain", "message", "pipeline"]),
    ("features", &["clock", "domain", "message", "pipeline"]),
    ("inference", &["clock", "domain", "message", "pipeline"]),
    ("decision", &["clock", "domain", "message", "pipeline"]),
    ("routing", &["clock", "domain", "message", "pipeline"]),
    // The journal takes approved commands and gives the token that the sender needs.
    ("journal", &["clock", "domain", "message", "routing"]),
    ("broker", &["clock", "domain", "message", "pipeline"]),
    ("telemetry", &["clock", "domain"]),
    // The simulated gateway knows nothing of the trader.
    ("sim", &["clock", "domain"]),
];

/// Crates that only some places may import.
const CONFINED: &[(&str, &str)] =
    &[("ort", "src/inference/"), ("ibapi", "src/broker/ib/"), ("rtrb", "src/pipeline/ring.rs")];

/// Places that may import a confined crate besides: the lockstep bridge feeds the pure translation.
const EXCEPTIONS: &[(&str, &str)] = &[("ibapi", "src/app/bridge")];

const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its path from the root and its text, test files left out.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    files.sort();
    files
        .into_iter()
        .map(|p| (p.strip_prefix(root()).unwrap().display().to_string(), fs::read_to_string(&p).unwrap()))
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/"))
        .collect()
}

/// The text before the unit tests, without comments.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]").next().unwrap_or(text);
    body.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// First path segments that follow `crate::`.
fn crate_imports(code: &str) -> Vec<String> {
    code.match_indices("crate::")
        .filter(|(i, _)| !code[..*i].ends_with('$') && !code[..*i].ends_with('_'))
        .map(|(i, m)| {
            code[i + m.len()..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>()
        })
        .filter(|s| !s.is_empty())
        .collect()
}

#[test]
fn folders_import_only_what_the_matrix_allows() {
    let matrix: BTreeMap<_, _> = MATRIX.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let Some(folder) = name.strip_prefix("src/").and_then(|n| n.split_once('/')).map(|(f, _)| f) else { continue };
        if folder == "app" {
            continue;
        }
        let allowed = matrix.get(folder).unwrap_or_else(|| panic!("{folder}: add a row to the matrix"));
        for import in crate_imports(&code(&text)) {
            if import != folder && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn confined_crates_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let code = code(&text);
        for (krate, home) in CONFINED {
            let uses = code.contains(&format!("use {krate}::")) || code.contains(&format!(" {krate}::"));
            let excepted = EXCEPTIONS.iter().any(|(k, place)| k == krate && name.starts_with(place));
            if uses && !name.starts_with(home) && !excepted {
                wrong.push(format!("{name} uses {krate}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_small_and_say_what_they_own() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let lines = text.split("#[cfg(test)]").next().unwrap_or("").lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{name}: {lines} lines outside tests, {LINES_MAX} at most"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{name}: no //! at the top"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_order_diagram_in_the_architecture_page_is_the_table_s_own() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let diagram = ibkr_trader::routing::orders::mermaid();
    assert!(page.contains(&diagram), "ARCHITECTURE.md: paste this diagram:\n{diagram}");
}
