//! The report as people and tools see it: hand-checked texts, folders on disk, judgements.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{Money, Qty};

fn usd(dollars: f64) -> Money {
    Money::from_f64(dollars).unwrap()
}

fn latency() -> LatencyRecorder {
    let mut latency = LatencyRecorder::new().unwrap();
    for _ in 0..1_000 {
        latency.record(Hop::Feed, 120);
    }
    latency.record(Hop::Inference, 12_500_000);
    latency.record(Hop::EventToDecision, 400_000_000);
    latency
}

fn book(executions: u64, positions: &[(&str, i64)], cash: f64, commissions: f64) -> Book {
    let positions = positions.iter().map(|&(symbol, qty)| (symbol.to_owned(), Qty(qty))).collect();
    Book { executions, positions, cash: usd(cash), commissions: usd(commissions) }
}

fn summary() -> Summary {
    let mut summary = Summary {
        source: "synthetic".into(),
        symbols: 50,
        events: 1_234_567,
        decisions: 7_500,
        intents: 40,
        orders: 36,
        fills: 31,
        pnl: Dollars(usd(-1_234.565)),
        violations: Some(Violations::default()),
        exercised: BTreeMap::from([
            ("pacing: peak messages/s".into(), Exercised::Value(12.5)),
            ("guard: orders audited".into(), Exercised::count(1_036)),
            ("ssr: shorts in restricted names".into(), Exercised::count(0)),
        ]),
        reconciliation: Some(Reconciliation::compare(
            book(31, &[("AAPL", 100), ("MSFT", -50), ("NVDA", 0)], 998_765.434_999, 31.0),
            book(31, &[("AAPL", 100), ("MSFT", -50)], 998_765.435, 31.0),
        )),
        host: Host { cpu: "Test CPU".into(), cores: 2 },
        speed: 60.0,
        profile: "demo".into(),
        loosened: vec!["min_edge_bps".into()],
        notes: vec!["the P&L is plumbing only".into()],
        ..Summary::default()
    };
    summary.set_latency(&latency());
    summary
}

/// Every number checked by hand against `summary()`. Latencies are the upper ends of their buckets: 12.5 ms lies in
/// bucket 1525 of 8,192 ns, which ends at 1526 × 8,192 − 1 ns; 400 ms in bucket 1525 of 262,144 ns.
#[test]
fn the_table() {
    let expected = "\
Session on synthetic: 50 symbols, profile demo, speed 60x, Test CPU (2 cores)
Gates loosened by this profile: min_edge_bps
Note: the P&L is plumbing only

Result
  events                     1,234,567
  decisions                      7,500
  intents                           40
  orders                            36
  fills                             31
  P&L, USD                   -1,234.57

Violations, by the gateway's own audit
  guard                              0
  orphan_orders                      0
  margin                             0
  ssr                                0
  pacing                             0
  duplicate_orders                   0

What stood behind them
  guard: orders audited                   1,036
  pacing: peak messages/s                 12.50
  ssr: shorts in restricted names not exercised

Reconciliation                      broker           journal
  executions                            31                31
  open positions                         2                 2
  cash, USD                     998,765.43        998,765.44
  commissions, USD                   31.00             31.00
  differences                            0
  held: AAPL 100, MSFT -50

Latency, µs (at 60x)          count         p50         p95         p99       p99.9         max
  feed                        1,000        0.12        0.12        0.12        0.12        0.12
  inference                       1   12,500.99   12,500.99   12,500.99   12,500.99   12,500.99
  event_to_decision               1  400,031.74  400,031.74  400,031.74  400,031.74  400,031.74

Budgets, ms                   measured       allowed
  inference p95                 12.501           100  OK
  decision p99                 400.032           350  MISSED
  routing p99                        -         2,000  not exercised

Verdict: the budget of decision p99 was missed
";
    assert_eq!(summary().table(), expected);
}

#[test]
fn the_table_without_audit_books_or_latencies() {
    let bare = Summary { source: "paper".into(), speed: 1.0, profile: "default".into(), ..Summary::default() };
    let table = bare.table();
    for words in ["not audited by this gateway", "Reconciliation          not reached", "not exercised"] {
        assert!(table.contains(words), "{words} is not in\n{table}");
    }
    assert!(table.ends_with("Verdict: the books were not reconciled\n") && !table.contains("p99.9"), "{table}");
}

#[test]
fn the_json_has_the_agreed_keys_and_comes_back_equal() {
    let summary = summary();
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["pnl"], -1_234.565);
    assert_eq!(json["violations"]["duplicate_orders"], 0);
    assert_eq!(json["exercised"]["ssr: shorts in restricted names"], "not exercised");
    assert_eq!(json["exercised"]["guard: orders audited"], 1_036);
    assert_eq!(json["reconciliation"]["positions"]["broker"]["MSFT"], -50);
    assert_eq!(json["reconciliation"]["cash"]["journal"], 998_765.435);
    assert_eq!(json["reconciliation"]["differences"], 0);
    assert_eq!(json["latency_us"]["feed"]["count"], 1_000);
    assert_eq!(json["latency_us"]["feed"]["p999"], 0.12);
    assert_eq!(json["budgets"]["routing_p99_ms"], serde_json::Value::Null);
    assert_eq!(json["budgets"]["missed"], 1);
    assert_eq!(serde_json::from_value::<Summary>(json).unwrap(), summary);
}

#[test]
fn books_that_differ_are_told_apart_to_the_cent() {
    let r = Reconciliation::compare(
        book(3, &[("AAPL", 100), ("MSFT", 5)], 1_000.0, 3.0),
        book(2, &[("AAPL", 90), ("NVDA", -7)], 1_000.004, 2.99),
    );
    assert_eq!(
        r.details,
        [
            "executions: broker 3, journal 2",
            "position of AAPL: broker 100, journal 90",
            "position of MSFT: broker 5, journal 0",
            "position of NVDA: broker 0, journal -7",
            "commissions: broker 3.00, journal 2.99",
        ]
    );
    assert_eq!(r.differences, 5);
}

#[test]
fn problems_are_told_in_words() {
    let mut summary = summary();
    summary.violations = Some(Violations { pacing: 2, ..Violations::default() });
    summary.reconciliation = Some(Reconciliation::compare(Book::default(), book(1, &[], 0.0, 0.0)));
    assert_eq!(
        summary.problems(),
        ["2 pacing violations", "1 differences between the books", "the budget of decision p99 was missed"]
    );
}

#[test]
fn budgets_are_strict_and_missing_ones_are_not_met() {
    let line = |us: f64| LatencyLine { count: 1, p50: us, p95: us, p99: us, p999: us, max: us };
    let lines = BTreeMap::from([(Hop::Inference, line(100_000.0)), (Hop::OrderRouting, line(1_999_999.0))]);
    let budgets = Budgets::judge(&lines);
    assert_eq!((budgets.missed, budgets.decision_p99_ms), (1, None));
    assert!(budgets.named()[0].is_missed() && !budgets.named()[2].is_missed());
}

#[test]
fn exercised_never_calls_a_zero_a_proof() {
    assert_eq!(Exercised::count(0), Exercised::not());
    assert_eq!(Exercised::value(Some(f64::NAN)), Exercised::not());
    assert_eq!(Exercised::value(Some(0.0)), Exercised::Value(0.0));
}

#[test]
fn a_report_replaces_the_last_one_whole() {
    let perf = tempfile::tempdir().unwrap();
    let dir = perf.path().join("latest");
    write_report(&dir, &summary(), &latency()).unwrap();
    std::fs::write(dir.join("stale.hgrm"), "of another session").unwrap();
    let mut second = summary();
    second.orders = 99;
    write_report(&dir, &second, &latency()).unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["event_to_decision.hgrm", "feed.hgrm", "inference.hgrm", "latency.html", "summary.json"]);
    assert_eq!(std::fs::read_dir(perf.path()).unwrap().count(), 1, "nothing is left beside it");
    assert_eq!(read_summary(&dir).unwrap(), second);
    assert_eq!(render(&dir).unwrap(), second.table());
    let feed = std::fs::read_to_string(dir.join("feed.hgrm")).unwrap();
    assert_eq!(feed, latency().hgrm(Hop::Feed));
}

#[test]
fn a_report_that_is_not_there_or_not_one() {
    let perf = tempfile::tempdir().unwrap();
    let missing = render(perf.path()).unwrap_err().to_string();
    assert!(missing.contains("no report in") && missing.contains("ibkr-trader demo"), "{missing}");
    std::fs::write(perf.path().join(SUMMARY_FILE), "{}").unwrap();
    let malformed = render(perf.path()).unwrap_err().to_string();
    assert!(malformed.contains("not a summary") && malformed.contains("source"), "{malformed}");
    std::fs::write(perf.path().join("file"), "").unwrap();
    let write = write_report(&perf.path().join("file/latest"), &summary(), &latency()).unwrap_err().to_string();
    assert!(write.contains("writable"), "{write}");
}

#[test]
fn the_page_is_self_contained_and_escapes() {
    let mut summary = summary();
    summary.source = "<b>&".into();
    let html = page::html(&summary, &latency());
    assert!(html.contains("&lt;b&gt;&amp;") && !html.contains("<b>"), "escaped");
    assert!(!html.contains("http") && !html.contains("<script") && !html.contains("src="), "self-contained");
    // A curve and its legend per hop that recorded anything.
    assert_eq!(html.matches("fill=\"none\"").count(), 3);
    assert!(html.contains(">event_to_decision</text>") && !html.contains(">journal_sync</text>"));
}

#[test]
fn this_machine_is_described() {
    let host = Host::detect();
    assert!(host.cores > 0 && !host.cpu.is_empty());
}
