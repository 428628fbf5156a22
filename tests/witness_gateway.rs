//! One running gateway, three witnesses: IB's own Python client, the copy of it that Nautilus publishes, and ib_async each
//! trade a day in small against the same process, one after the other (a global cancel of one would cancel the others'
//! orders). Each script checks its steps itself; here they are counted, and the audit must find nothing.
//!
//! And the ten lines of GATEWAY.md do what the page says.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests: a broken expectation must stop them")]

mod witness_support;

use serde_json::Value;
use witness_support::{Gateway, OFFICIAL, PUBLIC, lines_of, script, start_script};

/// What each witness does, in its order.
const STEPS: [&str; 19] = [
    "connect",
    "contract",
    "quotes",
    "history",
    "fill",
    "bracket",
    "modify",
    "cancel",
    "what_if",
    "executions",
    "positions",
    "pnl",
    "pnl_single",
    "updates",
    "summary",
    "fill",
    "completed",
    "global_cancel",
    "done",
];

#[test]
fn all_witnesses_trade_against_one_running_gateway() {
    let (Some(official), Some(public)) = (OFFICIAL.python(), PUBLIC.python()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let audit = folder.path().join("audit.json");
    // The referee calls orders in the first minutes of the session a violation.
    let args = ["--speed", "4", "--start", "10:00", "--audit", audit.to_str().unwrap()];
    let gateway = Gateway::start(&args, folder.path());
    let witnesses = [
        (&official, "day_ibapi.py", "AAPL", "11", 226),
        (&public, "day_ib_async.py", "AMZN", "12", 178),
        (&public, "day_ibapi.py", "TSLA", "13", 225),
    ];
    for (python, name, symbol, client, version) in witnesses {
        let lines = script(python, name, &[&gateway.address, symbol, client], String::new());
        let steps: Vec<Value> = lines.iter().map(|l| serde_json::from_str(l).unwrap()).collect();
        let names: Vec<&str> = steps.iter().map(|s| s["step"].as_str().unwrap()).collect();
        assert_eq!(names, STEPS, "{name} with {symbol}");
        assert_eq!((&steps[0]["version"], &steps[0]["account"]), (&version.into(), &"DU9000001".into()));
        println!("{name} at version {version}: {} steps", steps.len());
    }
    gateway.end();
    let audit: Value = serde_json::from_str(&std::fs::read_to_string(audit).unwrap()).unwrap();
    assert_eq!(audit["violations_total"], 0, "{:#}", audit["violations"]);
    assert_eq!(audit["positions"], serde_json::json!({}), "all is sold");
}

/// The Python of GATEWAY.md's first section, against a gateway that stands elsewhere than on the page.
#[test]
fn the_ten_lines_of_the_page_trade() {
    let Some(python) = PUBLIC.python() else { return };
    let page = include_str!("../GATEWAY.md");
    let (_, rest) = page.split_once("```python\n").expect("the page has a script");
    let (code, _) = rest.split_once("```").expect("which ends");
    let lines = code.lines().filter(|l| !l.trim().is_empty()).count();
    assert!(lines <= 10, "{lines} lines");
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(&["--speed", "4", "--start", "10:00"], folder.path());
    let port = gateway.address.rsplit(':').next().unwrap();
    let file = folder.path().join("ten.py");
    assert!(code.contains("4002"), "the page names the default port");
    std::fs::write(&file, code.replace("4002", port)).unwrap();
    let printed = lines_of(start_script(&python, file.to_str().unwrap(), &[]));
    let last = printed.last().unwrap();
    assert!(last.starts_with("Filled ") && last.contains("position=100.0"), "{printed:?}");
}
