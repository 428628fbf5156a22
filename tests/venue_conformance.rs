//! Recorded conversations with real gateways, played against the simulated one: none may differ in a way that is not
//! listed with its reason. The recordings are no part of the project: without them the test says so and passes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests: a broken expectation must stop them")]

use std::path::{Path, PathBuf};
use std::process::Command;

use ibkr_trader::app::conform::{Outcome, conform};

/// Conversations made up for this test: what the runner makes of a file hangs on no recording.
const LOG_IN: &str = r#"
# a log-in, the time, and an order that rests
handshake {"server_version":200,"connection_time":"20260414 20:36:26 Central European Standard Time"}
server managed_accounts {"accounts":["DU9000001"]}
server next_valid_id {"order_id":7}
client req_current_time {}
server current_time {"time":"1776191800"}
client place_order {"order_id":"7","contract":{"con_id":"265598","symbol":"AAPL","sec_type":"STK","exchange":"SMART","currency":"USD"},"action":"BUY","total_quantity":"1","order_type":"LMT","lmt_price":"10","tif":"DAY","account":"DU9000001"}
server order_status {"order_id":7,"status":"Submitted","filled":"0","remaining":"1"}
sleep 100ms
disconnect
"#;

fn recordings() -> Option<Vec<PathBuf>> {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let folder = data.join("ref");
    let all = ["gateway_captures", "gateway_transcripts", "ibkr_tws_interactions_sv173.yaml"].map(|n| folder.join(n));
    if all.iter().all(|p| p.exists()) {
        return Some(all.into());
    }
    println!("skipped: no recorded conversations at {}", folder.display());
    None
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

#[test]
fn recorded_conversations_are_reproduced() {
    let Some(paths) = recordings() else { return };
    let report = conform(&paths, Some(&fixtures())).unwrap();
    println!("{}", report.render(true));
    let differ: Vec<&str> =
        report.rows.iter().filter(|r| r.outcome == Outcome::Differs).map(|r| r.name.as_str()).collect();
    assert!(differ.is_empty(), "{differ:?} differ in ways that are not listed:\n{}", report.render(true));
    // What is listed must not grow unseen.
    assert!(report.count(Outcome::Reproduced) >= REPRODUCED_MIN, "{}", report.render(true));
}

/// Conversations that were reproduced when this was last changed.
const REPRODUCED_MIN: usize = 45;

/// Plays one made-up conversation.
fn outcome(text: &str, fixture: Option<&str>) -> (Outcome, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made_up.txt");
    std::fs::write(&file, text).unwrap();
    if let Some(fixture) = fixture {
        std::fs::write(folder.path().join("made_up.toml"), fixture).unwrap();
    }
    let report = conform(&[file], Some(folder.path())).unwrap();
    (report.rows[0].outcome, report.rows[0].differences.clone())
}

#[test]
fn a_difference_is_told() {
    assert_eq!(outcome(LOG_IN, None), (Outcome::Reproduced, vec![]));
    for (from, to, told) in [
        ("\"status\":\"Submitted\"", "\"status\":\"Filled\"", "order 7: expected order_status Filled, got none"),
        (
            "\"remaining\":\"1\"",
            "\"remaining\":\"2\"",
            "order 7: order_status Submitted: remaining: expected \"2\", got \"1\"",
        ),
        (
            "sleep 100ms",
            "client req_horoscope {}",
            "the client's side can't be played: the request req_horoscope is not known here",
        ),
    ] {
        assert_eq!(
            outcome(&LOG_IN.replace(from, to), None),
            (Outcome::Differs, vec![told.to_string()]),
            "{from} → {to}"
        );
    }
}

#[test]
fn a_fixture_is_laid_over_what_is_derived() {
    // At this market the order is filled at once.
    let market = "[[contract]]\nsymbol = \"AAPL\"\ncon_id = 265598\nprimary_exchange = \"NASDAQ\"\nbid = 9.0\nask = 9.01\nclose = 9.0\n";
    let filled = LOG_IN.replace(
        "\"status\":\"Submitted\",\"filled\":\"0\",\"remaining\":\"1\"",
        "\"status\":\"Filled\",\"filled\":\"1\",\"remaining\":\"0\"",
    );
    assert_eq!(outcome(&filled, Some(market)), (Outcome::Reproduced, vec![]));
    assert_eq!(outcome(&filled, None).0, Outcome::Differs);
}

#[test]
fn the_command_says_what_is_wrong_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str| {
        let file = folder.path().join("conversation.txt");
        std::fs::write(&file, text).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_ibkr-trader"))
            .args(["conform", "--conversations"])
            .arg(&file)
            .arg("--report")
            .arg(folder.path().join("report.json"))
            .output()
            .unwrap();
        let text = |b: Vec<u8>| String::from_utf8(b).unwrap();
        (out.status.success(), text(out.stdout), text(out.stderr))
    };
    let (ok, said, _) = run(LOG_IN);
    assert!(ok && said.contains("reproduced 1 of 1 conversations"), "{said}");
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["rows"][0]["outcome"], "reproduced");
    let (ok, said, error) = run(&LOG_IN.replace("Submitted", "Inactive"));
    assert!(!ok && said.contains("expected order_status Inactive, got none"), "{said}");
    assert!(error.contains("1 conversations differ"), "{error}");
    let (ok, _, error) = run("handshake {\"server_version\":200}\nnonsense");
    assert!(!ok && error.contains("line 2: `nonsense` is no event"), "{error}");
}
