//! A deliberately bad client for each kind of violation is caught, and a good one is not.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Order, Request};
use ibkr_trader::sim::referee::Limits;
use ibkr_trader::sim::venue::Delays;
use venue_bench::{Bench, limit, market};

/// The rules that were broken, of one kind.
fn broken(b: &Bench, kind: &str) -> Vec<&'static str> {
    b.venue.audit().violations[kind].iter().map(|v| v.rule).collect()
}

const HARD: i32 = 900_000_001;
const FELL: i32 = 900_000_002;

#[test]
fn a_good_client_breaks_nothing_and_is_counted() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 100, 309.16));
    b.place(1, limit(Side::Sell, 100, 309.15));
    b.place(1, limit(Side::Sell, 10, 309.20));
    b.ask(1, Request::CancelOrder { order_id: 3 });
    let audit = b.venue.audit();
    assert!(audit.is_clean(), "{:?}", audit.violations);
    assert_eq!((audit.exercised.orders_checked, audit.exercised.shorts_checked, audit.executions), (3, 1, 2));
    assert_eq!((audit.received["place_order"], audit.received["cancel_order"], audit.cancels_asked), (3, 1, 1));
    assert!((audit.order_efficiency - 4.0 / 3.0).abs() < 1e-12, "3 orders and a cancel over 2 executed and 1");
    assert!(audit.books_agree && audit.open_orders.is_empty());
    let asked: Vec<_> = audit.order_requests.iter().map(|r| (r.request, r.order_id, r.terms.as_str())).collect();
    assert_eq!(asked[0], ("place_order", 1, "BUY 100 265598 LMT @309.16 DAY"));
    assert_eq!(asked[3], ("cancel_order", 3, ""));
    assert!(audit.exercised.smallest_margin_cushion.unwrap() > 0.9);
    assert_eq!(audit.violations.len(), 12, "every kind is listed, broken or not");
}

#[test]
fn sizes_and_notionals() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place_on(1, HARD, limit(Side::Buy, 20_001, 1.0));
    b.place(1, limit(Side::Buy, 1_000, 300.0));
    assert_eq!(broken(&b, "limits"), ["order_shares", "order_notional"]);
}

#[test]
fn prices_off_the_grid() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 300.005));
    b.place(1, Order { order_type: "STP".into(), aux_price: Some(310.001), ..market(Side::Buy, 11) });
    b.place(1, Order { limit_price: None, ..limit(Side::Buy, 12, 300.0) });
    assert_eq!(broken(&b, "off_tick"), ["price_grid"; 3]);
    b.place(1, limit(Side::Buy, 13, 300.01));
    b.place_on(1, HARD, limit(Side::Buy, 14, 0.9999));
    assert_eq!(broken(&b, "off_tick").len(), 3, "a cent above a dollar, a hundredth of one below");
}

#[test]
fn orders_that_are_none() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, Order { account: "DU1".into(), ..limit(Side::Buy, 10, 300.0) });
    b.place(1, Order { tif: String::new(), ..limit(Side::Buy, 11, 300.0) });
    b.place_on(1, 4_711, limit(Side::Buy, 10, 300.0));
    b.place(1, Order { action: None, ..limit(Side::Buy, 10, 300.0) });
    b.place(1, Order { total_quantity: f64::NAN, ..limit(Side::Buy, 10, 300.0) });
    let rules = ["account", "time_in_force", "unknown_contract", "bad_side_or_quantity", "bad_side_or_quantity"];
    assert_eq!(broken(&b, "malformed"), rules);
}

/// A bench whose referee watches for panic, with 100 shares held and a client 2.
fn panicking(scope: &[i32]) -> Bench {
    let limits = Limits { panic_scope_clients: scope.to_vec(), ..Limits::default() };
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.limits, c.delays) = (limits, Delays::NONE));
    b.log_in(1);
    b.log_in(2);
    b.place(1, limit(Side::Buy, 100, 309.16));
    b.place(1, limit(Side::Buy, 50, 300.0));
    b.seconds(10);
    let now = b.now;
    b.venue.panic(now, true);
    b
}

#[test]
fn after_panic_nothing_may_raise_exposure() {
    let mut b = panicking(&[]);
    b.place(1, limit(Side::Buy, 1, 300.0));
    assert!(broken(&b, "after_panic").is_empty(), "on its way when the file appeared");
    b.seconds(3);
    // The file still lies: panic began when it was first seen.
    let now = b.now;
    b.venue.panic(now, true);
    b.ask(1, Request::CancelOrder { order_id: 2 });
    b.place(1, limit(Side::Sell, 60, 309.10));
    assert!(broken(&b, "after_panic").is_empty(), "cancels and reductions stay allowed");
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.place(1, Order { order_id: 3, ..limit(Side::Buy, 40, 300.0) });
    b.place(2, market(Side::Sell, 300));
    let audit = b.venue.audit();
    let told: Vec<_> = audit.violations["after_panic"].iter().map(|v| (v.client, v.rule)).collect();
    assert_eq!(told, [(1, "exposure_raised"), (1, "exposure_raised"), (2, "exposure_raised")], "modifications too");
    assert_eq!((audit.exercised.panics, audit.exercised.orders_after_panic), (1, 5));
    // A person has removed the file.
    let now = b.now;
    b.venue.panic(now, false);
    b.place(1, limit(Side::Buy, 20, 300.0));
    assert_eq!(broken(&b, "after_panic").len(), 3);
}

#[test]
fn panic_has_a_scope() {
    let mut b = panicking(&[1]);
    b.seconds(3);
    b.place(2, limit(Side::Buy, 10, 300.0));
    assert!(broken(&b, "after_panic").is_empty(), "another client's panic");
    b.place(1, limit(Side::Buy, 11, 300.0));
    assert_eq!(broken(&b, "after_panic"), ["exposure_raised"]);
}

#[test]
fn each_violation_says_when_who_what_and_which_rule() {
    let mut b = Bench::new();
    b.log_in(7);
    b.seconds(5);
    b.place(7, Order { order_id: 31, ..limit(Side::Buy, 10, 300.005) });
    let audit = serde_json::to_value(b.venue.audit()).unwrap();
    let told = &audit["violations"]["off_tick"][0];
    assert!(told["time"].as_str().unwrap().starts_with("2026-08-25T14:00:05"), "{told}");
    assert_eq!((told["client"].as_i64(), told["order_id"].as_i64()), (Some(7), Some(31)));
    assert_eq!(told["rule"], "price_grid");
    assert!(audit["received"]["place_order"] == 1 && audit["violations"]["pacing"].as_array().unwrap().is_empty());
}

#[test]
fn a_split_leaves_the_books_in_agreement() {
    let scenario = "incident = \"x\"\ntag = \"venue\"\n[[fault]]\nwhen = \"time\"\nat_s = 5.0\ndo = { act = \"split\", \
                    symbol = \"AAPL\", to = 1, from = 10 }\n";
    let scenario = ibkr_trader::sim::faults::Scenario::parse(scenario).unwrap();
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.delays, c.scenarios) = (Delays::NONE, vec![scenario]));
    b.log_in(1);
    b.place(1, limit(Side::Buy, 109, 309.16));
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.seconds(6);
    let audit = b.venue.audit();
    assert!(audit.books_agree && audit.open_orders.is_empty(), "{:?}", audit.open_orders);
    assert_eq!(audit.positions["AAPL"], 10, "fractions are lost");
    b.place(1, market(Side::Sell, 10));
    assert!(b.venue.audit().books_agree && b.venue.audit().is_clean());
}

#[test]
fn position_and_gross_count_what_works() {
    let mut b = Bench::new();
    b.log_in(1);
    for i in 0..3 {
        b.place(1, limit(Side::Buy, 500 + i, 300.0));
        b.seconds(3);
    }
    assert_eq!(broken(&b, "limits"), ["position_notional"], "the third carries it over 400,000 USD");
    let limits = Limits { max_gross_notional_usd: 100_000.0, ..Limits::default() };
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.limits, c.delays) = (limits, Delays::NONE));
    b.log_in(1);
    b.place(1, limit(Side::Buy, 200, 309.0));
    b.place_on(1, FELL, limit(Side::Buy, 500, 89.0));
    assert_eq!(broken(&b, "limits"), ["gross_notional"]);
}

#[test]
fn session_edges_forbid_new_exposure_but_not_reductions() {
    let mut b = Bench::with(Date(20_260_825).at(15, 57), |c| c.delays = Delays::NONE);
    b.log_in(1);
    b.place(1, market(Side::Buy, 10));
    b.seconds(61);
    b.place(1, market(Side::Sell, 10));
    assert_eq!(broken(&b, "session"), Vec::<&str>::new());
    b.place(1, market(Side::Buy, 10));
    assert_eq!(broken(&b, "session"), ["session"]);
}

#[test]
fn too_many_working_orders_on_one_side() {
    let mut b = Bench::new();
    b.log_in(1);
    for i in 0..16 {
        b.place(1, limit(Side::Buy, 1 + i, 300.0));
    }
    assert_eq!(broken(&b, "active_orders"), ["active_orders"]);
    assert_eq!(b.venue.audit().exercised.most_active_orders_per_side, 16);
}

#[test]
fn margin() {
    let limits = Limits {
        max_order_notional_usd: 1e9,
        max_position_notional_usd: 1e9,
        max_gross_notional_usd: 1e9,
        ..Limits::default()
    };
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.limits, c.delays) = (limits, Delays::NONE));
    b.log_in(1);
    b.place(1, limit(Side::Buy, 6_600, 309.0));
    assert_eq!(broken(&b, "margin"), ["initial_margin", "refused_for_margin"], "seen coming, and refused");
}

#[test]
fn short_sales() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place_on(1, HARD, limit(Side::Sell, 10, 20.05));
    assert_eq!(broken(&b, "borrow"), ["no_borrow"]);
    // FELL closed at 100; a print at 90.00 arms the restriction, 90.01 does not.
    b.trade(2, 90.01, 100);
    b.place_on(1, FELL, limit(Side::Sell, 10, 89.50));
    assert!(broken(&b, "ssr").is_empty(), "not armed");
    b.trade(2, 90.00, 100);
    b.seconds(3);
    b.place_on(1, FELL, limit(Side::Sell, 11, 89.51));
    assert!(broken(&b, "ssr").is_empty(), "above the bid is allowed");
    b.place_on(1, FELL, limit(Side::Sell, 12, 89.50));
    b.place_on(1, FELL, market(Side::Sell, 13));
    assert_eq!(broken(&b, "ssr"), ["price_test", "price_test"]);
    assert_eq!(broken(&b, "borrow").len(), 1);
    assert_eq!(b.venue.audit().exercised.shorts_in_restricted_names, 3);
}

#[test]
fn a_short_at_a_bid_that_just_moved_is_no_breach() {
    let mut b = Bench::new();
    b.log_in(1);
    b.trade(2, 90.00, 100);
    b.seconds(1);
    b.quote(2, 89.60, 500, 89.62, 500);
    b.seconds(1);
    b.place_on(1, FELL, limit(Side::Sell, 10, 89.51));
    assert!(broken(&b, "ssr").is_empty(), "one tick above the bid that was current a second ago");
    b.seconds(3);
    b.place_on(1, FELL, limit(Side::Sell, 11, 89.51));
    assert_eq!(broken(&b, "ssr"), ["price_test"]);
}

#[test]
fn pacing() {
    let mut b = Bench::new();
    b.log_in(1);
    b.log_in(2);
    for i in 0..51 {
        b.ask(1 + i % 2, Request::ReqIds);
    }
    assert_eq!(broken(&b, "pacing"), ["messages_per_second"], "two clients share the budget, one breach");
    assert_eq!(b.venue.audit().exercised.peak_messages_per_s, 51);
}

#[test]
fn duplicates() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.run(1_999);
    b.place(1, limit(Side::Buy, 10, 300.0));
    assert_eq!(broken(&b, "duplicate_orders"), ["same_order_again"]);
    b.seconds(3);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.place(1, Order { order_id: 3, ..limit(Side::Buy, 10, 300.0) });
    assert_eq!(broken(&b, "duplicate_orders").len(), 1, "later is none, a modification is none");
    b.place(1, Order { order_ref: "a".into(), ..limit(Side::Buy, 20, 300.0) });
    b.seconds(60);
    b.place(1, Order { order_ref: "a".into(), ..limit(Side::Buy, 30, 300.0) });
    assert_eq!(broken(&b, "duplicate_orders"), ["same_order_again", "order_ref_reused"]);
}

#[test]
fn orphans() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 300.0));
    assert!(broken(&b, "orphan_orders").is_empty());
    assert_eq!(b.venue.audit().open_orders.len(), 1);
    b.ask(1, Request::Disconnected);
    assert_eq!(broken(&b, "orphan_orders"), ["works_without_client"]);
    b.log_in(2);
    b.ask(2, Request::ReqGlobalCancel);
    assert!(broken(&b, "orphan_orders").is_empty(), "cancelled by another client: none is left");
}
