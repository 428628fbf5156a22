//! Every fault scenario happens as its file says, in lockstep, and the venue's and the referee's books stay exact.
//!
//! One story is told under each scenario: two market-data lines, a what-if, a limit that fills in part, is modified and
//! cancelled, a market order, a short sale, queries, two minutes of quotes. What the client heard is compared with what
//! it hears on a day without faults.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{ExecutionFilter, Order, Request, Response};
use ibkr_trader::sim::faults::{Scenario, Tag};
use ibkr_trader::sim::venue::Delays;
use venue_bench::{AAPL, Bench, contract, limit, market};

const FELL: i32 = 900_000_002;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("faults")
}

fn scenario(name: &str) -> Scenario {
    Scenario::read(&folder().join(format!("{name}.toml"))).unwrap()
}

/// What was heard: (session second, text).
type Heard = Vec<(i64, String)>;

fn say(r: &Response) -> String {
    match r {
        Response::TickPrice { req_id, tick_type, price, .. } => format!("tick {req_id} {tick_type} {price}"),
        Response::TickSize { req_id, tick_type, size } => format!("size {req_id} {tick_type} {size}"),
        Response::TickGeneric { req_id, tick_type, value } => format!("tick {req_id} {tick_type} {value}"),
        Response::MarketDataType { req_id, market_data_type } => format!("type {req_id} {market_data_type}"),
        Response::NextValidId { order_id } => format!("next {order_id}"),
        Response::ExecutionDetails { req_id, execution: e, .. } => {
            format!("exec {req_id} {} {} {} @{} {}", e.order_id, e.side, e.shares, e.price, &e.exec_id[18..])
        }
        Response::OpenOrder { order, state, .. } if order.what_if => {
            format!(
                "what-if {:?} {:?}",
                state.init_margin_after.map(|m| m < 1e300),
                state.commission.map(|m| m < 1e300)
            )
        }
        Response::OrderStatus { order_id, status, filled, remaining, why_held, .. } => {
            format!("status {order_id} {status} {filled}/{remaining}{why_held}")
        }
        Response::Position { account, contract, position, .. } => {
            format!("position {} {position} of {account}", contract.symbol)
        }
        Response::CurrentTime { time } => format!("clock {}", time.secs()),
        other => venue_bench::word(other),
    }
}

struct Story {
    b: Bench,
    heard: Heard,
    second: i64,
}

impl Story {
    fn to(&mut self, second: i64) {
        while self.second < second {
            self.listen();
            self.second += 1;
            self.b.seconds(1);
        }
        self.listen();
    }

    fn listen(&mut self) {
        let second = self.second;
        self.heard.extend(self.b.out.drain(..).map(|o| (second, say(&o.response))));
    }

    fn ask(&mut self, request: Request) {
        self.b.ask(1, request);
        self.listen();
    }

    /// Quotes and a print a second.
    fn trading(&mut self, until: i64) {
        while self.second < until {
            let next = self.second + 1;
            self.to(next);
            let step = (next % 7) as f64 / 100.0;
            self.b.quote(0, 309.15 + step, 300 + next, 309.17 + step, 200 + next);
            self.b.trade(0, 309.16 + step, 100);
        }
        self.listen();
    }
}

/// Tells the story under the scenarios; what was heard, and the bench.
fn tell(scenarios: Vec<Scenario>, seed: u64) -> Story {
    let b = Bench::seeded(Date(20_260_825).at(10, 0), seed, |c| (c.delays, c.scenarios) = (Delays::NONE, scenarios));
    let mut s = Story { b, heard: Vec::new(), second: 0 };
    s.ask(Request::StartApi { client_id: 1 });
    for (req_id, con_id) in [(901, AAPL), (902, FELL)] {
        let generic_ticks = String::new();
        s.ask(Request::ReqMktData {
            req_id,
            contract: contract(con_id),
            generic_ticks,
            snapshot: false,
            regulatory: false,
        });
    }
    s.to(1);
    s.b.place(1, Order { what_if: true, ..limit(Side::Buy, 100, 309.15) });
    s.to(2);
    s.b.place(1, limit(Side::Buy, 100, 309.15));
    s.to(4);
    s.b.trade(0, 309.10, 40);
    s.to(6);
    s.b.place(1, Order { order_id: 2, ..limit(Side::Buy, 90, 309.14) });
    s.to(8);
    s.ask(Request::CancelOrder { order_id: 2 });
    s.to(10);
    s.b.place(1, market(Side::Buy, 10));
    s.to(12);
    s.b.place_on(1, FELL, market(Side::Sell, 5));
    s.trading(60);
    s.ask(Request::ReqOpenOrders);
    s.ask(Request::ReqExecutions { req_id: 70, filter: ExecutionFilter::default() });
    s.ask(Request::ReqPositions);
    s.ask(Request::ReqCompletedOrders { api_only: false });
    s.ask(Request::ReqIds);
    s.ask(Request::ReqCurrentTime);
    s.trading(120);
    let end = s.b.now;
    s.b.venue.advance(end, &mut s.b.out);
    s.b.venue.finish(&mut s.b.out);
    s.listen();
    s
}

fn count(heard: &Heard, start: &str) -> usize {
    heard.iter().filter(|(_, w)| w.starts_with(start)).count()
}

/// When something was first heard.
fn first(heard: &Heard, start: &str) -> Option<i64> {
    heard.iter().find(|(_, w)| w.starts_with(start)).map(|(t, _)| *t)
}

fn place(heard: &Heard, start: &str) -> usize {
    heard.iter().position(|(_, w)| w.starts_with(start)).unwrap_or(usize::MAX)
}

/// Seconds from `from` to `to` in which a tick of the first line was heard.
fn ticks(heard: &Heard, from: i64, to: i64) -> usize {
    heard.iter().filter(|(t, w)| (from..to).contains(t) && w.starts_with("tick 901")).count()
}

type Check = fn(&Heard, &Heard, &Story) -> bool;

/// Each scenario and what must be heard: (under it, on a day without faults, its story).
#[allow(clippy::too_many_lines, reason = "a table")]
fn checks() -> BTreeMap<&'static str, Check> {
    let refused: [(&str, Check); 11] = [
        ("110-on-new", |h, _, _| count(h, "error 2 110") == 1 && new_fails(h)),
        ("103-duplicate-id", |h, _, _| count(h, "error 2 103") == 1 && new_fails(h)),
        ("163-price-cap", |h, _, _| count(h, "error 2 163") == 1 && new_fails(h)),
        ("200-no-security", |h, _, _| count(h, "error 2 200") == 1 && new_fails(h)),
        ("110-on-modify", |h, _, _| count(h, "error 2 110") == 1 && count(h, "status 2 Cancelled 40/60") == 1),
        ("321-on-modify", |h, _, _| count(h, "error 2 321") == 1 && count(h, "status 2 Cancelled 40/60") == 1),
        ("105-on-modify", |h, _, _| count(h, "error 2 105") == 1 && count(h, "status 2 Cancelled 40/60") == 1),
        ("104-filled-order", |h, _, _| count(h, "error 2 104") == 1 && count(h, "status 2 Cancelled 40/60") == 1),
        ("161-on-cancel", |h, _, s| count(h, "error 2 161") == 1 && still_works(s)),
        ("10147-on-cancel", |h, _, s| count(h, "error 2 10147") == 1 && still_works(s)),
        ("10148-on-cancel", |h, _, s| count(h, "error 2 10148") == 1 && still_works(s)),
    ];
    let others: [(&str, Check); 43] = [
        ("1100-during-fill", |h, _, _| {
            let (lost, back) = (place(h, "error -1 1100"), place(h, "error -1 1102"));
            lost < back && back < place(h, "exec -1 2 BOT 40") && first(h, "exec -1 2 BOT 40") == Some(5)
        }),
        ("1101-reports-lost", |h, _, _| {
            let fetched = count(h, "exec 70 2 BOT 40") == 1;
            count(h, "error -1 1101") == 1 && count(h, "exec -1 2") == 0 && fetched && ticks(h, 6, 60) == 0
        }),
        ("1102-without-1100", |h, _, _| count(h, "error -1 1102") == 1 && count(h, "error -1 1100") == 0),
        ("1100-every-night", |h, _, _| count(h, "error -1 1100") == 3 && count(h, "error -1 1102") == 3),
        ("farms-down", |h, _, _| {
            let told = [2_103, 2_105, 2_157].iter().all(|c| first(h, &format!("error -1 {c}")) == Some(20));
            told && ticks(h, 21, 39) == 0 && ticks(h, 41, 50) > 0 && count(h, "error -1 2104") == 2
        }),
        ("farms-down-with-ticks", |h, _, _| first(h, "error -1 2103") == Some(20) && ticks(h, 21, 30) > 0),
        ("farms-ok-without-ticks", |h, _, _| count(h, "error -1 2104") == 2 && ticks(h, 26, 79) == 0),
        ("10197-competing-session", |h, _, _| {
            count(h, "error 901 10197") == 1 && count(h, "error 902 10197") == 1 && ticks(h, 21, 49) == 0
        }),
        ("delayed-data", |h, _, _| {
            count(h, "type 901 3") == 1 && count(h, "tick 901 66") > 0 && count(h, "size 901 74") > 0
        }),
        ("101-line-limit", |h, _, _| count(h, "error 902 101") == 1 && count(h, "error 901 101") == 0),
        ("stale-quotes", |h, _, _| ticks(h, 21, 49) == 0 && ticks(h, 51, 60) > 0),
        ("locked-book", |h, clean, _| gap(h, 0.0) && !gap(clean, 0.0)),
        ("crossed-book", |h, clean, _| gap(h, -0.05) && !gap(clean, -0.05)),
        ("bad-prices", |h, _, _| {
            let max = format!("tick 901 2 {}", f64::MAX);
            let all = ["tick 901 1 -1", "tick 901 2 0", "tick 901 1 NaN", max.as_str()];
            all.iter().all(|w| h.iter().filter(|(_, x)| x == w).count() == 1)
        }),
        ("half-updated-book", |h, clean, _| count(h, "tick 901 2") + 10 == count(clean, "tick 901 2")),
        ("halt", |h, _, _| {
            // The market order of second 10 waits for the end of the halt.
            first(h, "tick 901 49 1") == Some(9)
                && first(h, "tick 901 49 0") == Some(39)
                && first(h, "exec -1 3 BOT 10") == Some(39)
        }),
        ("luld-pause", |h, _, _| first(h, "tick 901 49 2") == Some(3) && count(h, "exec -1 2") == 0),
        ("duplicate-execution", |h, _, _| count(h, "exec -1 2 BOT 40 @309.15") == 3),
        ("execution-correction", |h, _, _| {
            let found = |w: &str| h.iter().any(|(_, x)| x.starts_with("exec -1 2 BOT 40") && x.ends_with(w));
            found(".01") && found(".02") && count(h, "exec -1 2 BOT 40 @309.2 ") == 1
        }),
        ("fill-before-status", |h, _, _| {
            let filled = place(h, "exec -1 2");
            let sign = place(h, "open 2").min(place(h, "status 2"));
            filled < sign
        }),
        ("missing-status", |h, _, _| count(h, "status") == count_query(h)),
        ("repeated-status", |h, clean, _| count(h, "status") == 3 * count(clean, "status")),
        ("reordered-status", |h, _, _| place(h, "status 3 Filled") < place(h, "status 3 Submitted")),
        ("openorder-after-partial", |h, _, _| {
            let partial = place(h, "exec -1 2");
            h[..partial.min(h.len())].iter().filter(|(_, w)| w.starts_with("open 2 Submitted")).count() == 0
        }),
        ("late-commission", |h, _, _| first(h, "exec -1 2") == Some(4) && first(h, "commission") == Some(14)),
        ("missing-commission", |h, _, _| count(h, "commission") == 0 && count(h, "exec -1") == 3),
        ("fill-after-cancelled", |h, _, s| {
            let (ended, filled) = (place(h, "status 2 Cancelled"), place(h, "exec -1 2 BOT 20"));
            ended < filled && filled < h.len() && s.b.venue.audit().positions["AAPL"] == 70
        }),
        ("201-margin", |h, _, _| count(h, "status 2 Inactive") == 1 && count(h, "error 2 201") == 1),
        ("201-no-shares", |h, _, _| count(h, "status 2 Inactive") == 1 && count(h, "error 2 201") == 1),
        ("201-permission", |h, _, _| count(h, "status 2 Inactive") == 1 && count(h, "error 2 201") == 1),
        ("201-unknown", |h, _, _| count(h, "status 2 Inactive") == 1 && count(h, "error 2 201") == 1),
        ("inactive-without-201", |h, _, _| count(h, "status 2 Inactive") == 1 && count(h, "error 2 201") == 0),
        ("unauthenticated", |h, _, _| [2, 3, 4].iter().all(|id| count(h, &format!("error {id} 201")) == 1)),
        ("404-locate", |h, _, _| {
            let held = count(h, "status 4 PreSubmitted 0/5locate") > 0 && count(h, "error 4 404") == 1;
            held && first(h, "exec -1 4") == Some(32)
        }),
        ("404-locate-never", |h, _, _| count(h, "error 4 404") == 1 && count(h, "exec -1 4") == 0),
        ("399-warning", |h, _, _| count(h, "error 2 399") == 1 && count(h, "exec -1 2 BOT 40") == 1),
        ("10349-tif-preset", |h, _, _| count(h, "error 2 10349") == 1 && count(h, "exec -1 2 BOT 40") == 1),
        ("2161-price-capped", |h, _, _| count(h, "error 2 2161") == 1 && count(h, "exec -1 2 BOT 40") == 1),
        ("what-if-sentinels", |h, _, _| count(h, "what-if Some(false) Some(false)") == 1),
        ("what-if-empty", |h, _, _| count(h, "what-if None None") == 1),
        ("what-if-no-answer", |h, clean, _| count(h, "what-if") == 0 && count(clean, "what-if Some(true)") == 1),
        ("order-no-answer", |h, _, _| new_fails(h) && count(h, "error 2") <= 1),
        ("empty-lists", |h, clean, _| {
            let rows = |h: &Heard| count(h, "position") + count(h, "exec 70") + count(h, "completed");
            let ends = ["PositionEnd", "OpenOrderEnd", "ExecutionDetailsEnd", "CompletedOrdersEnd"];
            rows(h) == 0 && rows(clean) > 0 && ends.iter().all(|e| count(h, e) == 1)
        }),
    ];
    let last: [(&str, Check); 14] = [
        ("unknown-status", |h, _, _| count(h, "status 2 Pondering 0/100") == 1),
        ("wrong-account", |h, clean, _| {
            count(h, "position AAPL 50 of DU7777777") == 1 && count(clean, "position AAPL 50 of DU9000001") == 1
        }),
        ("clock-step", |h, clean, _| match (clock(h), clock(clean)) {
            (Some(shown), Some(right)) => shown - right == 2,
            _ => false,
        }),
        ("executions-never-end", |h, _, _| count(h, "ExecutionDetailsEnd") == 0),
        ("manual-order", |h, _, s| {
            s.b.venue.audit().positions["FELL"] == 25 && count(h, "position FELL 25") > 0 && count(h, "exec -1 0") == 0
        }),
        ("external-close", |h, _, s| {
            s.b.venue.audit().positions.get("AAPL").is_none_or(|p| *p == 0) && count(h, "exec -1 0") == 0
        }),
        ("id-rollback", |h, clean, _| count(clean, "next 5") == 1 && count(h, "next 2") == 1),
        ("random-soup", |h, clean, _| count(h, "status") < count(clean, "status")),
        ("1300-socket-port-reset", |h, _, _| count(h, "error -1 1300") == 1 && count(h, "Disconnect") == 1),
        ("partial-fill-then-disconnect", |h, _, _| first(h, "Disconnect") == Some(4) && count(h, "exec -1") == 1),
        ("disconnect-mid-order", |h, _, _| count(h, "Disconnect") == 1 && count(h, "error -1 504") > 0),
        ("326-client-id-in-use", |h, _, _| count(h, "error -1 326") == 1 && first(h, "Disconnect") == Some(0)),
        ("half-open-socket", |h, _, _| h.iter().all(|(t, _)| *t <= 20) && count(h, "Disconnect") == 0),
        ("restart-mid-session", |h, _, _| first(h, "Disconnect") == Some(20) && ticks(h, 21, 120) == 0),
    ];
    refused.into_iter().chain(others).chain(last).collect()
}

/// Statuses that a query answered rather than a change.
fn count_query(h: &Heard) -> usize {
    h.iter().filter(|(t, w)| *t == 60 && w.starts_with("status")).count()
}

/// The clock that was shown, Unix seconds.
fn clock(h: &Heard) -> Option<i64> {
    h.iter().find_map(|(_, w)| w.strip_prefix("clock ")?.parse().ok())
}

/// Nothing is heard of order 2 until the modification of second 6, which to the venue is a new order.
fn new_fails(h: &Heard) -> bool {
    first(h, "open 2") == Some(6)
}

fn still_works(s: &Story) -> bool {
    s.b.venue.audit().open_orders.iter().any(|o| o.order_id == 2)
}

/// Whether after second 20 a bid came so far below the ask before it.
fn gap(h: &Heard, usd: f64) -> bool {
    let mut ask = f64::NAN;
    h.iter().filter(|(t, _)| *t >= 20).any(|(_, w)| {
        if let Some(p) = w.strip_prefix("tick 901 2 ") {
            ask = p.parse().unwrap();
        }
        w.strip_prefix("tick 901 1 ").is_some_and(|p| (ask - p.parse::<f64>().unwrap() - usd).abs() < 1e-6)
    })
}

#[test]
fn every_scenario_happens_as_specified_and_the_books_stay_exact() {
    let clean = tell(Vec::new(), 1).heard;
    let checks = checks();
    let mut wrong = Vec::new();
    for (name, check) in &checks {
        let story = tell(vec![scenario(name)], 1);
        let audit = story.b.venue.audit();
        if story.b.venue.faults_struck() == 0 || !audit.books_agree || !check(&story.heard, &clean, &story) {
            let lines: Vec<_> =
                story.heard.iter().filter(|(_, w)| !w.starts_with("size") && !w.starts_with("Tick")).collect();
            let struck = story.b.venue.faults_struck();
            let text: Vec<_> = lines.iter().take(80).map(|(t, w)| format!("{t} {w}")).collect();
            wrong.push(format!("{name}: struck {struck}, agree {}\n  {}", audit.books_agree, text.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_is_checked_and_says_what_it_stands_for() {
    let checks = checks();
    let mut files = 0;
    for entry in std::fs::read_dir(folder()).unwrap().flatten() {
        if entry.path().extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let name = entry.path().file_stem().unwrap().to_str().unwrap().to_string();
        let s = scenario(&name);
        files += 1;
        assert!(!s.incident.is_empty() && !s.fault.is_empty(), "{name}");
        assert!(checks.contains_key(name.as_str()) || name == "pacing-disconnect", "{name} has no check");
    }
    assert_eq!(files, checks.len() + 1);
}

#[test]
fn pacing_ends_the_connection() {
    let s = scenario("pacing-disconnect");
    assert_eq!(s.tag, Tag::Wire);
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.delays, c.scenarios) = (Delays::NONE, vec![s]));
    b.log_in(1);
    for _ in 0..60 {
        b.ask(1, Request::ReqIds);
    }
    let words = b.words();
    assert!(words.contains(&"error -1 100".to_string()) && words.contains(&"Disconnect".to_string()));
    b.ask(2, Request::StartApi { client_id: 1 });
    assert!(b.words().iter().any(|w| w.starts_with("NextValidId")), "the client id is free again");
}

#[test]
fn scenarios_compose_and_the_same_seed_gives_the_same_day() {
    let all = || vec![scenario("random-soup"), scenario("duplicate-execution"), scenario("farms-down")];
    let (a, b, other) = (tell(all(), 3), tell(all(), 3), tell(all(), 4));
    assert_eq!(a.heard, b.heard);
    assert_ne!(a.heard, other.heard);
    assert!(count(&a.heard, "exec -1 2 BOT 40") >= 3 && ticks(&a.heard, 21, 39) == 0);
    assert!(a.b.venue.audit().books_agree);
}

#[test]
fn a_bad_file_gets_one_sentence() {
    let fault = |line: &str| format!("incident = \"x\"\ntag = \"venue\"\n[[fault]]\nwhen = \"fill\"\n{line}\n");
    assert!(Scenario::parse(&fault("do = { act = \"drop\" }")).is_ok());
    assert!(Scenario::parse(&fault("do = { act = \"explode\" }")).unwrap_err().contains("explode"));
    assert!(Scenario::parse(&fault("chance = 2.0\ndo = { act = \"drop\" }")).unwrap_err().contains("between 0 and 1"));
    assert!(Scenario::parse(&fault("nht = 2\ndo = { act = \"drop\" }")).unwrap_err().contains("nht"));
    let missing = Scenario::read(&folder().join("nothing.toml")).unwrap_err().to_string();
    assert!(missing.contains("nothing.toml"), "{missing}");
}
