//! The referee at the gateway process: a client written by hand breaks rules over TCP and is told of in the audit, with
//! time, client, order and rule; a good one leaves it empty.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: a broken expectation must stop them; a process is waited for"
)]

mod raw_client;

use std::path::Path;
use std::time::Duration;

use raw_client::*;
use serde_json::Value;

/// The shipped limits, with a panic file.
fn limits(folder: &Path) -> String {
    let text = include_str!("../config/referee.toml");
    let panic = folder.join("panic.flag");
    let text = text.replace("panic_file = \"\"", &format!("panic_file = {:?}", panic.to_str().unwrap()));
    assert!(text.contains("panic.flag"));
    let path = folder.join("referee.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

fn start(folder: &Path) -> Gateway {
    let (limits, audit) = (limits(folder), folder.join("audit.json"));
    let audit = audit.to_str().unwrap();
    Gateway::start(&["--symbols=5", "--start=10:30", "--speed=20", "--referee", &limits, "--audit", audit])
}

fn audit(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("audit.json")).unwrap()).unwrap()
}

/// Half a second, ten of session time.
fn pause() {
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn a_bad_client_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path());
    let mut c = Raw::log_in(&gateway.address, 3);
    c.place(1, &buy(10, 1.0));
    c.place(2, &buy(10, 1.0));
    pause();
    c.place(3, &Ticket { order_ref: "twice", ..buy(20, 1.0) });
    pause();
    c.place(4, &Ticket { order_ref: "twice", ..buy(30, 1.0) });
    c.place(5, &buy(40, 1.001));
    for _ in 0..60 {
        c.send(IDS, Body::default());
    }
    c.wait_code(100);
    std::fs::write(folder.path().join("panic.flag"), "").unwrap();
    pause();
    c.cancel(1);
    c.place(6, &buy(50, 1.0));
    c.wait("the order after panic", |f| (f.id == OPEN_ORDER && f.int(1) == Some(6)).then_some(()));
    drop(c);
    pause();
    gateway.end();
    let audit = audit(folder.path());
    let rules = |kind: &str| -> Vec<(i64, i64, String)> {
        let told = audit["violations"][kind].as_array().unwrap();
        let line = |v: &Value| {
            assert!(v["time"].as_str().unwrap().starts_with("2026-04-15T14:3"), "{v}");
            let rule = v["rule"].as_str().unwrap().to_string();
            (v["client"].as_i64().unwrap(), v["order_id"].as_i64().unwrap(), rule)
        };
        told.iter().map(line).collect()
    };
    let by = |order: i64, rule: &str| (3, order, rule.to_string());
    assert_eq!(rules("pacing"), [by(0, "messages_per_second")]);
    assert_eq!(rules("duplicate_orders"), [by(2, "same_order_again"), by(4, "order_ref_reused")]);
    assert_eq!(rules("after_panic"), [by(6, "exposure_raised")]);
    assert_eq!(rules("off_tick"), [by(5, "price_grid")]);
    let orphans: Vec<_> = rules("orphan_orders").into_iter().map(|(_, order, _)| order).collect();
    assert_eq!(orphans, [2, 3, 4, 6], "5 was refused, 1 was cancelled: {audit:#}");
    assert_eq!(audit["received"]["place_order"], 6);
    assert_eq!(audit["received"]["cancel_order"], 1);
    assert_eq!((&audit["exercised"]["panics"], &audit["books_agree"]), (&Value::from(1), &Value::from(true)));
}

#[test]
fn a_good_client_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path());
    let mut c = Raw::log_in(&gateway.address, 3);
    c.place(1, &market("BUY", 10));
    c.wait("the fill", |f| (f.id == EXECUTION).then_some(()));
    c.place(2, &buy(10, 1.0));
    c.wait("its acknowledgement", |f| (f.id == ORDER_STATUS && f.int(1) == Some(2)).then_some(()));
    // Panic: cancels and reductions only.
    std::fs::write(folder.path().join("panic.flag"), "").unwrap();
    pause();
    c.cancel(2);
    c.wait_code(202);
    c.place(3, &market("SELL", 10));
    c.wait("the exit", |f| (f.id == EXECUTION && f.part(3)?.int(1) == Some(3)).then_some(()));
    drop(c);
    pause();
    gateway.end();
    let audit = audit(folder.path());
    assert_eq!(audit["violations_total"], 0, "{:#}", audit["violations"]);
    assert_eq!((&audit["exercised"]["orders_after_panic"], &audit["exercised"]["panics"]), (&1.into(), &1.into()));
}
