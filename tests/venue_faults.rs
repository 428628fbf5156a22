//! Every fault scenario happens as its file says, in lockstep, and the venue's and the referee's books stay exact.
//!
//! One story is told under each scenario: two market-data lines, a what-if, a limit that fills in part, is modified and
//! cancelled, a market order, a short sale, every kind of query, two minutes of quotes. What the client heard is compared with what
//! it hears on a day without faults.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{ExecutionFilter, Order, Request, Response, WireFault};
use ibkr_trader::sim::faults::{Scenario, Tag};
use ibkr_trader::sim::market::rng::Draw;
use ibkr_trader::sim::venue::Delays;
use venue_bench::{AAPL, ACCOUNT, Bench, contract, limit, market};

const FELL: i32 = 900_000_002;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("faults")
}

fn scenario(name: &str) -> Scenario {
    Scenario::read(&folder().join(format!("{name}.toml"))).unwrap()
}

/// What was heard: (session second, text).
type Heard = Vec<(i64, String)>;

/// An answer in words, marked where one of its fields stands for *unset*.
fn say(r: &Response) -> String {
    let unset = ["1.7976931348623157e308", "1.7976931348623157E308", "2147483647", "9223372036854775807"];
    let whole = format!("{r:?}");
    let mark = if unset.iter().any(|u| whole.contains(u)) { " UNSET" } else { "" };
    format!("{}{mark}", plainly(r))
}

fn plainly(r: &Response) -> String {
    match r {
        Response::TickPrice { req_id, tick_type, price, .. } => format!("tick {req_id} {tick_type} {price}"),
        Response::TickSize { req_id, tick_type, size } => format!("size {req_id} {tick_type} {size}"),
        Response::TickGeneric { req_id, tick_type, value } => format!("tick {req_id} {tick_type} {value}"),
        Response::MarketDataType { req_id, market_data_type } => format!("type {req_id} {market_data_type}"),
        Response::NextValidId { order_id } => format!("next {order_id}"),
        Response::ExecutionDetails { req_id, execution: e, .. } => {
            let id = e.exec_id.get(18..).unwrap_or("");
            format!("exec {req_id} {} {} {} @{} {id} at {}", e.order_id, e.side, e.shares, e.price, e.time)
        }
        Response::OpenOrder { order, state, .. } if order.what_if => {
            format!(
                "what-if {:?} {:?}",
                state.init_margin_after.map(|m| m < 1e300),
                state.commission.map(|m| m < 1e300)
            ) + &state.warning_text
        }
        Response::OrderStatus { order_id, status, filled, remaining, why_held, mkt_cap_price, .. } => {
            let cap = if *mkt_cap_price > 0.0 { format!(" cap {mkt_cap_price}") } else { String::new() };
            format!("status {order_id} {status} {filled}/{remaining}{why_held}{cap}")
        }
        Response::Position { account, contract, position, .. } => {
            format!("position {} {position} of {account}", contract.symbol)
        }
        Response::CurrentTime { time } => format!("clock {}", time.secs()),
        Response::TickReqParams { req_id, bbo_exchange, .. } => format!("parameters {req_id} {bbo_exchange}"),
        Response::AccountValue { key, value, .. } => format!("value {key} {value}"),
        Response::ContractData { details, .. } => format!("details rules {}", details.market_rule_ids),
        Response::CommissionReport { exec_id, currency, .. } => format!("commission of {exec_id} in {currency}"),
        Response::Wire(fault) => format!("Wire({fault:?})"),
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
        let generic_ticks = "236".into();
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
    s.ask(Request::ReqAllOpenOrders);
    s.ask(Request::ReqExecutions { req_id: 70, filter: ExecutionFilter::default() });
    s.ask(Request::ReqPositions);
    s.ask(Request::ReqCompletedOrders { api_only: false });
    s.ask(Request::ReqIds);
    s.ask(Request::ReqCurrentTime);
    s.ask(Request::ReqContractDetails { req_id: 71, contract: contract(AAPL) });
    s.ask(history(72));
    s.ask(Request::ReqPnl { req_id: 73, account: ACCOUNT.into() });
    s.ask(Request::ReqAccountUpdates { subscribe: true, account: ACCOUNT.into() });
    s.trading(120);
    let end = s.b.now;
    s.b.venue.advance(end, &mut s.b.out);
    s.b.venue.finish(&mut s.b.out);
    s.listen();
    s
}

fn history(req_id: i32) -> Request {
    Request::ReqHistoricalData {
        req_id,
        contract: contract(AAPL),
        end: String::new(),
        duration: "1800 S".into(),
        bar_size: "1 min".into(),
        what_to_show: "TRADES".into(),
        use_rth: true,
        format_date: 2,
        keep_up_to_date: false,
    }
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
            let max = format!("tick 901 2 {} UNSET", f64::MAX);
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
            let found = |w: &str| h.iter().any(|(_, x)| x.starts_with("exec -1 2 BOT 40") && x.contains(w));
            found("01.01 at") && found("01.02 at") && count(h, "exec -1 2 BOT 40 @309.2 ") == 1
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
    let all = refused.into_iter().chain(others).chain(last);
    all.chain(refusals()).chain(days()).chain(queries()).chain(bytes()).collect()
}

/// Orders that are refused or end, what-ifs, fields that are unset.
fn refusals() -> Vec<(&'static str, Check)> {
    vec![
        ("382-price-precaution", |h, _, _| count(h, "error 2 382") == 1 && new_fails(h)),
        ("383-size-precaution", |h, _, _| count(h, "error 2 383") == 1 && new_fails(h)),
        ("451-value-precaution", |h, _, _| count(h, "error 2 451") == 1 && new_fails(h)),
        ("203-not-allowed", |h, _, _| count(h, "error 2 203") == 1 && new_fails(h)),
        ("460-no-permission", |h, _, _| count(h, "error 2 460") == 1 && new_fails(h)),
        ("329-on-modify", |h, _, _| count(h, "error 2 329") == 1 && count(h, "status 2 Cancelled 40/60") == 1),
        ("10256-bare-refusal", |h, _, _| {
            count(h, "error 2 10256") == 1 && count(h, "error 2 202") == 1 && count(h, "status 2") == 0
        }),
        ("202-at-exchange", |h, _, _| {
            first(h, "status 2 Cancelled 40/60") == Some(5) && first(h, "error 2 202") == Some(5)
        }),
        ("504-not-connected", |h, _, s| {
            count(h, "error 2 504") == 2 && count(h, "status 2 Cancelled") == 0 && still_works(s)
        }),
        ("unknown-code", |h, _, _| count(h, "error 2 99999") == 1 && count(h, "exec -1 2 BOT 40") == 1),
        ("paper-drops-orders", |h, _, s| {
            // The modification of an order that was lost is a new order.
            let told = (2..=4).filter(|id| count(h, &format!("open {id} ")) > 0).count() as u64;
            s.b.venue.faults_struck() > 0 && told >= 3 - s.b.venue.faults_struck()
        }),
        ("orders-lost-9s", |h, _, _| count(h, "open 2") + count(h, "error 2") == 0 && count(h, "exec -1 3") == 1),
        ("161-races-the-fill", |h, _, _| {
            let (refused, told) = (place(h, "error 2 161"), place(h, "exec -1 2 BOT 40"));
            count(h, "error 2 161") == 1 && refused < told && told < h.len()
        }),
        ("cancel-no-answer", |h, _, s| count(h, "status 2 Cancelled") == 0 && still_works(s)),
        ("2161-capped-no-trade", |h, _, _| {
            // The modification of second 6 is not capped.
            count(h, "status 2 Submitted 0/100 cap 293.69") > 0
                && count(h, "exec -1 2") == 0
                && count(h, "error 2 2161") == 1
        }),
        ("what-if-warning", |h, _, _| count(h, "what-if Some(true) Some(true)Your order may be held") == 1),
        ("what-if-empty-first", |h, _, _| {
            place(h, "what-if None None") < place(h, "what-if Some(true)") && count(h, "what-if") == 2
        }),
        ("sentinels-orders", |h, _, _| all_unset(h, "open 2") && all_unset(h, "status 2")),
        ("sentinels-fills", |h, _, _| all_unset(h, "exec -1") && all_unset(h, "commission")),
        ("sentinels-account", |h, _, _| ["position", "value", "Pnl"].iter().all(|w| all_unset(h, w))),
        ("sentinels-market", |h, _, _| {
            let ticks = h.iter().filter(|(t, w)| *t >= 20 && w.contains("UNSET") && w.contains(" 901 ")).count();
            ticks > 5 && count(h, "HistoricalData UNSET") == 1 && all_unset(h, "details")
        }),
        ("empty-fields-orders", |h, _, _| {
            count(h, "status 2  ") > 0 && count(h, "status 2 ") == count(h, "status 2  ")
        }),
        ("empty-fields-fills", |h, _, _| {
            count(h, "exec -1 2  40") == 1 && count(h, "commission of  in") == count(h, "commission")
        }),
        ("empty-fields-account", |h, _, _| count(h, "position  50 of ") == 1 && count(h, "value NetLiquidation ") == 1),
        ("empty-fields-market", |h, clean, _| {
            let bare = |h: &Heard| h.iter().filter(|(_, w)| w == "details rules " || w == "parameters 901 ").count();
            bare(h) == 2 && bare(clean) == 0
        }),
    ]
}

/// The link, the market and what others do to the account.
fn days() -> Vec<(&'static str, Check)> {
    vec![
        ("10182-live-updates-lost", |h, _, _| count(h, "error 901 10182") == 1 && ticks(h, 21, 49) == 0),
        ("2110-tws-server", |h, _, _| {
            count(h, "error -1 2110") == 1
                && count(h, "error -1 1100") == 0
                && ticks(h, 21, 29) == 0
                && ticks(h, 31, 60) > 0
        }),
        ("1100-for-hours", |h, _, _| count(h, "error -1 1100") == 1 && h.iter().all(|(t, _)| *t <= 20)),
        ("2148-forced-liquidation", |h, _, s| {
            first(h, "error -1 2148") == Some(15) && s.b.venue.audit().positions.get("AAPL").is_none_or(|p| *p == 0)
        }),
        ("buy-in", |_, _, s| s.b.venue.audit().positions.get("FELL").is_none_or(|p| *p == 0)),
        ("resume-without-quote", |h, _, _| {
            first(h, "tick 901 49 0") == Some(39) && ticks(h, 41, 69) == 0 && ticks(h, 71, 80) > 0
        }),
        ("tick-49-never", |h, _, _| count(h, "tick 901 49") == 0 && first(h, "exec -1 3 BOT 10") == Some(39)),
        ("unknown-tick", |h, _, _| count(h, "tick 901 9999") + count(h, "tick 902 9999") == 10),
        ("symbol-change", |h, _, s| {
            let refused = ["error 3 200", "error 71 200"].iter().all(|w| count(h, w) == 1);
            refused && s.b.venue.audit().positions["AAPL"] == 40
        }),
        ("overnight-split", |h, _, s| {
            let twice = s.b.venue.audit().positions["AAPL"] == 90 && count(h, "position AAPL 90") == 1;
            twice && count(h, "exec -1") == 3
        }),
        ("foreign-orders", |h, _, s| {
            count(h, "open 0 Submitted") == 1 && s.b.venue.audit().open_orders.iter().all(|o| o.client != 0)
        }),
        ("foreign-position", |h, _, s| {
            s.b.venue.audit().positions["FELL"] == 65 && count(h, "position FELL 65") == 1 && count(h, "exec -1 0") == 0
        }),
        ("network-dark", |h, _, _| count(h, "error 901 10089") == 1 && ticks(h, 0, 120) == 0),
        ("10167-delayed-instead", |h, _, _| count(h, "error 901 10167") == 1 && count(h, "tick 901 66") > 0),
        ("not-consolidated", |h, clean, _| {
            let wide = count(h, "tick 901 1 309.15") < count(clean, "tick 901 1 309.15");
            wide && count(h, "parameters 901 IEX") == 1 && count(clean, "parameters 901 IEX") == 0
        }),
        ("no-borrow", |h, clean, _| {
            let none = count(h, "tick 901 46 0") == count(h, "tick 901 46")
                && count(h, "size 901 89 0") == count(h, "size 901 89")
                && count(h, "size 901 89") > 0;
            none && count(clean, "tick 901 46 3") > 0
        }),
        ("utc-execution-time", |h, clean, _| {
            let utc =
                |h: &Heard| h.iter().filter(|(_, w)| w.starts_with("exec") && w.contains(" at 20260825-14:0")).count();
            utc(h) == count(h, "exec") && utc(h) > 3 && utc(clean) == 0
        }),
        ("next-id-max", |h, _, _| count(h, "next 2147483647") == 1),
    ]
}

/// Questions that get no answer, or a wrong one.
fn queries() -> Vec<(&'static str, Check)> {
    vec![
        ("executions-without-end", |h, _, _| count(h, "exec 70") == 3 && count(h, "ExecutionDetailsEnd") == 0),
        ("lists-without-end", |h, _, _| h.iter().all(|(_, w)| !w.contains("End")) && count(h, "position") > 0),
        ("time-unanswered", |h, _, _| count(h, "clock") == 0),
        ("positions-fail", |h, _, _| {
            count(h, "error -1 322") == 1 && count(h, "position") + count(h, "PositionEnd") == 0
        }),
        ("account-rows-stop", |h, _, _| count(h, "position") + count(h, "value") == 0 && count(h, "PositionEnd") == 1),
        ("162-history-pacing", |h, _, _| count(h, "error 72 162") == 1 && count(h, "HistoricalData") == 0),
    ]
}

/// Faults of bytes: in lockstep it is seen that the wire is asked for them.
fn bytes() -> Vec<(&'static str, Check)> {
    vec![
        ("second-factor-pending", |h, _, _| count(h, "ManagedAccounts") == 0 && count(h, "error -1 504") > 10),
        ("startup-hangs", |h, _, _| place(h, "ManagedAccounts") == 0 && first(h, "next") == Some(60)),
        ("session-taken-over", |h, _, _| count(h, "error 901 10197") == 1 && first(h, "Disconnect") == Some(21)),
        ("weekly-reauthentication", |h, _, _| count(h, "error -1 1100") == 1 && first(h, "Disconnect") == Some(22)),
        ("malformed-frame", |h, _, _| first(h, "Wire(Malformed)") == Some(20)),
        ("unknown-message", |h, _, _| first(h, "Wire(Unknown)") == Some(20)),
        ("truncated-frame", |h, _, _| first(h, "Wire(Truncated)") == Some(20) && count(h, "Disconnect") == 0),
        ("frame-cut-by-the-end", |h, _, _| place(h, "Wire(Truncated)") < place(h, "Disconnect")),
        ("507-oversized-frame", |h, _, _| first(h, "Wire(Oversized)") == Some(20)),
        ("garbage-bytes", |h, _, _| first(h, "Wire(Bytes") == Some(20)),
        ("no-handshake-answer", |h, _, _| doors(h, "Silent")),
        ("502-connection-refused", |h, _, _| doors(h, "Closed")),
        ("handshake-garbage", |h, _, _| doors(h, "Garbage")),
        ("hung-gateway", |h, _, _| first(h, "Wire(Hang)") == Some(20)),
        ("slow-drip", |h, _, _| place(h, "Wire(Slice { bytes: 16, pause_ms: 1 })") == 0),
        ("one-byte-at-a-time", |h, _, _| place(h, "Wire(Slice { bytes: 1, pause_ms: 0 })") == 0),
        ("coalesced-frames", |h, _, _| place(h, "Wire(Slice { bytes: 0, pause_ms: 200 })") == 0),
        ("disconnect-on-modify", |h, _, _| {
            first(h, "Disconnect") == Some(7) && count(h, "status 2 Submitted 40/50") <= 1
        }),
        ("restart-mid-order", |h, _, _| first(h, "Disconnect") == Some(11) && count(h, "exec 70") == 0),
        ("restart-executions-vanish", |h, _, _| first(h, "Disconnect") == Some(20) && count(h, "exec 70") == 0),
    ]
}

/// The port misbehaves from second 20 to 60, and every connection ends at 20.
fn doors(h: &Heard, how: &str) -> bool {
    let shut = first(h, &format!("Wire(Door({how}))")) == Some(20);
    shut && first(h, "Wire(Door(Open))") == Some(60) && first(h, "Disconnect") == Some(20)
}

/// Something of this kind was said, and always with fields that are unset.
fn all_unset(h: &Heard, start: &str) -> bool {
    let mut said = h.iter().filter(|(_, w)| w.starts_with(start)).peekable();
    said.peek().is_some() && said.all(|(_, w)| w.ends_with("UNSET"))
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

/// Names whose story is told by a test of their own: they need more messages than the story has.
const APART: [&str; 2] = ["pacing-disconnect", "pacing-hang"];

#[test]
fn every_scenario_happens_as_specified_and_the_books_stay_exact() {
    let clean = tell(Vec::new(), 1);
    assert!(clean.b.venue.audit().books_agree);
    let mut wrong = Vec::new();
    for (name, check) in &checks() {
        let story = tell(vec![scenario(name)], 1);
        let audit = story.b.venue.audit();
        let struck = story.b.venue.faults_struck();
        if struck == 0 || !audit.books_agree || !check(&story.heard, &clean.heard, &story) {
            let lines = story.heard.iter().filter(|(_, w)| !w.starts_with("size") && !w.starts_with("Tick"));
            let text: Vec<_> = lines.take(120).map(|(t, w)| format!("{t} {w}")).collect();
            wrong.push(format!("{name}: struck {struck}, agree {}\n  {}", audit.books_agree, text.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The files on disk, by name.
fn files() -> BTreeMap<String, Scenario> {
    let entries = std::fs::read_dir(folder()).unwrap().flatten().map(|e| e.path());
    let files = entries.filter(|p| p.extension().is_some_and(|e| e == "toml"));
    files.map(|p| (p.file_stem().unwrap().to_str().unwrap().to_string(), Scenario::read(&p).unwrap())).collect()
}

#[test]
fn the_files_on_disk_are_the_tested_names_and_the_listed_ones() {
    let tested: BTreeSet<String> = checks().keys().copied().chain(APART).map(String::from).collect();
    let files = files();
    let on_disk: BTreeSet<String> = files.keys().cloned().collect();
    assert_eq!(on_disk, tested, "a file without a check, or a check without a file");
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for (name, s) in files {
        assert!(!s.incident.is_empty() && !s.fault.is_empty(), "{name}");
        let tag = if s.tag == Tag::Venue { "venue" } else { "wire" };
        let row = format!("| `{name}` | {tag} | {} |", s.incident);
        assert!(readme.contains(&row), "faults/README.md lacks the row\n{row}");
    }
}

#[test]
fn random_pairs_leave_the_books_exact() {
    let all: Vec<Scenario> = files().into_values().collect();
    let mut draw = Draw::keyed(7, "pairs", 0, 0);
    let mut pick = || all[usize::try_from(draw.below(all.len() as u64)).unwrap()].clone();
    for seed in 0..600 {
        let pair = vec![pick(), pick()];
        let names: Vec<_> = pair.iter().map(|s| s.incident.clone()).collect();
        let story = tell(pair, seed);
        let audit = story.b.venue.audit();
        assert!(audit.books_agree, "seed {seed}: {names:?}");
        assert!(audit.violations["duplicate_orders"].is_empty(), "the client's own doing stays its own: {names:?}");
    }
}

#[test]
fn after_error_100_the_gateway_may_hang() {
    let s = scenario("pacing-hang");
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.delays, c.scenarios) = (Delays::NONE, vec![s]));
    b.log_in(1);
    for _ in 0..60 {
        b.ask(1, Request::ReqIds);
    }
    let hangs = b.out.iter().filter(|o| o.response == Response::Wire(WireFault::Hang)).count();
    assert_eq!(hangs, 1);
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
    assert!(Scenario::parse(&fault("do = { act = \"ignore\" }")).unwrap_err().contains("requests and answers"));
    assert!(Scenario::parse(&fault("until_s = -1.0\ndo = { act = \"drop\" }")).unwrap_err().contains("until_s"));
    let hang = fault("do = { act = \"half_open\", for_s = 1e9 }");
    assert!(Scenario::parse(&hang).unwrap_err().contains("for_s"));
    for (act, word) in [
        ("by_hand\", symbol = \"AAPL\", side = \"BUY\", qty = 0", "qty 0"),
        ("by_hand\", symbol = \"AAPL\", side = \"BUY\", qty = 1, limit_usd = nan", "limit_usd"),
        ("correct\", by_usd = inf", "inf USD"),
        ("duplicate\", copies = 1001", "copies"),
        ("restart\", ids_back = -1", "fall back"),
        ("outage\", for_s = 1.0, then = 1100", "1101 or 1102"),
        ("split\", symbol = \"AAPL\", to = 0, from = 1", "to and from"),
        ("garbage_bytes\", bytes = 9999999", "mebibyte"),
    ] {
        let why = Scenario::parse(&fault(&format!("do = {{ act = \"{act} }}"))).unwrap_err();
        assert!(why.contains(word), "{act}: {why}");
    }
    assert!(Scenario::parse(&fault("nht = 2\ndo = { act = \"drop\" }")).unwrap_err().contains("nht"));
    let missing = Scenario::read(&folder().join("nothing.toml")).unwrap_err().to_string();
    assert!(missing.contains("nothing.toml"), "{missing}");
}
