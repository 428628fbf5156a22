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
    assert!(audit.books_agree && audit.open_orders.is_empty());
    let asked: Vec<_> = audit.order_requests.iter().map(|r| (r.request, r.order_id, r.terms.as_str())).collect();
    assert_eq!(asked[0], ("place_order", 1, "BUY 100 265598 LMT @309.16 DAY"));
    assert_eq!(asked[3], ("cancel_order", 3, ""));
    assert!(audit.exercised.smallest_margin_cushion.unwrap() > 0.9);
    assert_eq!(audit.violations.len(), 6, "every kind is listed, broken or not");
}

#[test]
fn guards() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place_on(1, HARD, limit(Side::Buy, 20_001, 1.0));
    b.place(1, limit(Side::Buy, 1_000, 300.0));
    b.place(1, limit(Side::Buy, 10, 300.005));
    b.place(1, Order { account: "DU1".into(), ..limit(Side::Buy, 10, 300.0) });
    b.place(1, Order { tif: String::new(), ..limit(Side::Buy, 11, 300.0) });
    b.place_on(1, 4_711, limit(Side::Buy, 10, 300.0));
    let rules = broken(&b, "limits");
    let all = ["order_shares", "order_notional", "price_grid", "account", "time_in_force", "unknown_contract"];
    assert!(all.iter().all(|r| rules.contains(r)), "{rules:?}");
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
    assert_eq!(broken(&b, "limits"), Vec::<&str>::new());
    b.place(1, market(Side::Buy, 10));
    assert_eq!(broken(&b, "limits"), ["session"]);
}

#[test]
fn too_many_working_orders_on_one_side() {
    let mut b = Bench::new();
    b.log_in(1);
    for i in 0..16 {
        b.place(1, limit(Side::Buy, 1 + i, 300.0));
    }
    assert_eq!(broken(&b, "limits"), ["active_orders"]);
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
    assert_eq!(broken(&b, "ssr"), ["no_borrow"]);
    // FELL closed at 100; a print at 90.00 arms the restriction, 90.01 does not.
    b.trade(2, 90.01, 100);
    b.place_on(1, FELL, limit(Side::Sell, 10, 89.50));
    assert_eq!(broken(&b, "ssr").len(), 1, "not armed");
    b.trade(2, 90.00, 100);
    b.seconds(3);
    b.place_on(1, FELL, limit(Side::Sell, 11, 89.51));
    assert_eq!(broken(&b, "ssr").len(), 1, "above the bid is allowed");
    b.place_on(1, FELL, limit(Side::Sell, 12, 89.50));
    b.place_on(1, FELL, market(Side::Sell, 13));
    assert_eq!(broken(&b, "ssr"), ["no_borrow", "price_test", "price_test"]);
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
