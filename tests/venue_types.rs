//! Order types and order groups: stops, trails, pegs, prints, brackets, OCA; and what the house does: halts, Rule 201,
//! margin calls.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::clock::MILLISECOND;
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Order, Request, Response};
use ibkr_trader::sim::referee::Limits;
use ibkr_trader::sim::venue::{Delays, FillOrKill};
use proptest::prelude::*;
use venue_bench::{AAPL, Bench, limit, market};

fn stop(side: Side, qty: i64, price: f64) -> Order {
    Order { order_type: "STP".into(), aux_price: Some(price), ..market(side, qty) }
}

fn bench() -> Bench {
    let mut b = Bench::new();
    b.log_in(1);
    b
}

#[test]
fn a_stop_waits_for_the_last_price_and_goes_to_the_market() {
    let mut b = bench();
    b.place(1, stop(Side::Buy, 10, 310.0));
    assert_eq!(b.words(), ["open 1 PreSubmitted", "status 1 PreSubmitted 0/10 @0"]);
    b.trade(0, 309.99, 100);
    b.quote(0, 309.15, 300, 310.05, 200);
    assert!(b.words().is_empty(), "neither a lower print nor a quote triggers it");
    b.trade(0, 310.0, 100);
    let words = b.words();
    assert_eq!(
        words[..5],
        [
            "open 1 Submitted",
            "status 1 Submitted 0/10 @0",
            "exec -1 1 BOT 10 @310.05",
            "open 1 Filled",
            "status 1 Filled 10/0 @310.05"
        ]
    );
    assert!(b.venue.audit().books_agree);
}

#[test]
fn a_stop_limit_rests_once_triggered_and_the_quote_triggers_by_method() {
    let mut b = bench();
    b.place(1, Order { order_type: "STP LMT".into(), limit_price: Some(309.2), ..stop(Side::Buy, 10, 309.18) });
    b.place(1, Order { trigger_method: 4, ..stop(Side::Sell, 10, 309.0) });
    b.words();
    b.trade(0, 309.18, 100);
    assert_eq!(b.words()[2], "exec -1 1 BOT 10 @309.16");
    b.quote(0, 308.99, 300, 309.16, 200);
    assert_eq!(b.words()[2], "exec -1 2 SLD 10 @308.99");
}

#[test]
fn a_trailing_stop_follows_up_and_never_back() {
    let mut b = bench();
    b.place(1, market(Side::Buy, 10));
    let trail = Order {
        order_type: "TRAIL".into(),
        aux_price: Some(1.0),
        trail_stop_price: Some(308.0),
        ..market(Side::Sell, 10)
    };
    b.place(1, trail);
    b.words();
    for price in [310.0, 312.0, 311.5, 311.01] {
        b.trade(0, price, 100);
    }
    assert!(b.words().is_empty());
    b.trade(0, 311.0, 100);
    assert!(b.words().contains(&"exec -1 2 SLD 10 @309.15".to_string()), "312 less 1 was reached");
}

#[test]
fn a_midpoint_peg_follows_the_quote_no_further_than_its_cap() {
    let mut b = bench();
    b.quote(0, 309.10, 300, 309.20, 200);
    b.place(1, Order { order_type: "MIDPRICE".into(), limit_price: Some(309.3), ..market(Side::Buy, 100) });
    b.words();
    b.trade(0, 309.16, 50);
    assert!(b.words().is_empty(), "above the midpoint");
    b.quote(0, 309.30, 300, 309.50, 200);
    b.trade(0, 309.31, 50);
    assert!(b.words().is_empty(), "the cap holds it at 309.30");
    b.trade(0, 309.29, 50);
    assert_eq!(b.words()[0], "exec -1 1 BOT 50 @309.3");
}

#[test]
fn opening_and_closing_prints_fill_what_waits_for_them() {
    let mut b = Bench::with(Date(20_260_825).at(9, 29), |c| c.delays = Delays::NONE);
    b.log_in(1);
    b.place(1, Order { tif: "OPG".into(), ..market(Side::Buy, 100) });
    b.place(1, Order { tif: "OPG".into(), ..limit(Side::Buy, 100, 300.0) });
    b.seconds(70);
    b.words();
    b.trade(0, 309.5, 1_000);
    let words = b.words();
    assert_eq!(words[0], "exec -1 1 BOT 100 @309.5");
    assert!(words.contains(&"status 2 Cancelled 0/100 @0".to_string()), "its limit was not reached");
    b.place(1, Order { tif: "OPG".into(), ..market(Side::Buy, 100) });
    assert!(b.words().contains(&"error 3 201".to_string()), "too late");
    b.place(1, Order { order_type: "MOC".into(), ..market(Side::Sell, 100) });
    assert_eq!(b.words(), ["open 4 PreSubmitted", "status 4 PreSubmitted 0/100 @0"]);
    b.trade(0, 311.0, 10);
    b.seconds(7 * 3_600);
    assert!(b.words().contains(&"exec -1 4 SLD 100 @311".to_string()));
    assert!(b.venue.audit().books_agree && b.venue.audit().open_orders.is_empty());
}

/// A bracket around a buy of 100: parent limit, target, stop; ids 1, 2, 3.
fn bracket(b: &mut Bench, parent: Order) {
    b.place(1, Order { transmit: false, ..parent });
    b.place(1, Order { parent_id: 1, transmit: false, ..limit(Side::Sell, 100, 312.0) });
    assert!(b.words().is_empty(), "nothing is told before it is transmitted");
    b.place(1, Order { parent_id: 1, ..stop(Side::Sell, 100, 308.0) });
}

fn held(b: &mut Bench) -> Vec<(i32, String, String)> {
    let status = |r: Response| match r {
        Response::OrderStatus { order_id, status, why_held, .. } => Some((order_id, status, why_held)),
        _ => None,
    };
    b.out.drain(..).filter_map(|o| status(o.response)).collect()
}

#[test]
fn a_bracket_is_held_then_works_and_its_stop_ends_the_target() {
    let mut b = bench();
    bracket(&mut b, limit(Side::Buy, 100, 309.0));
    let of = |id, status: &str, why: &str| (id, status.to_string(), why.to_string());
    assert_eq!(
        held(&mut b),
        [
            of(1, "PreSubmitted", ""),
            of(1, "Submitted", ""),
            of(2, "PreSubmitted", "child"),
            of(3, "PreSubmitted", "child,trigger")
        ]
    );
    b.trade(0, 308.9, 40);
    assert_eq!(
        held(&mut b),
        [of(1, "Submitted", ""), of(2, "Submitted", ""), of(3, "PreSubmitted", "trigger")],
        "a part of the parent sets its children to work for that part"
    );
    b.quote(0, 308.9, 300, 309.0, 500);
    b.words();
    b.trade(0, 307.9, 10);
    let words = b.words();
    assert!(words.contains(&"exec -1 3 SLD 100 @308.9".to_string()), "{words:?}");
    assert!(words.contains(&"status 2 Cancelled 0/100 @0".to_string()));
    let audit = b.venue.audit();
    assert!(audit.is_clean() && audit.books_agree && audit.open_orders.is_empty(), "{:?}", audit.violations);
    assert_eq!(audit.positions.get("AAPL").copied().unwrap_or(0), 0, "never a share more than the parent bought");
}

#[test]
fn a_parents_end_ends_its_waiting_children() {
    let mut b = bench();
    bracket(&mut b, limit(Side::Buy, 100, 300.0));
    b.words();
    b.ask(1, Request::CancelOrder { order_id: 1 });
    let words = b.words();
    for id in 1..=3 {
        assert!(words.contains(&format!("status {id} Cancelled 0/100 @0")), "{words:?}");
    }
    b.place(1, Order { parent_id: 99, ..limit(Side::Sell, 100, 312.0) });
    assert_eq!(b.words(), ["error 4 135"]);
}

#[test]
fn oca_groups_cancel_or_reduce() {
    let with = |kind: i32, order: Order| Order { oca_group: format!("g{kind}"), oca_type: kind, ..order };
    for (kind, expected) in [(1, "status 2 Cancelled 0/100 @0"), (2, "status 2 Submitted 0/60 @0")] {
        let mut b = bench();
        b.place(1, with(kind, limit(Side::Buy, 100, 309.0)));
        b.place(1, with(kind, limit(Side::Buy, 100, 308.0)));
        b.words();
        b.trade(0, 308.99, 40);
        let words = b.words();
        assert_eq!(words[0], "exec -1 1 BOT 40 @309");
        assert!(words.contains(&expected.to_string()), "{words:?}");
    }
}

#[test]
fn an_overfill_happens_without_block_and_not_with_it() {
    for (kind, bought) in [(2, 100), (3, 200)] {
        let delay = 200 * MILLISECOND;
        let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
            c.delays = Delays { min: delay, max: delay, ..Delays::NONE };
        });
        b.log_in(1);
        for price in [309.0, 308.9] {
            b.place(1, Order { oca_group: "g".into(), oca_type: kind, ..limit(Side::Buy, 100, price) });
        }
        b.seconds(1);
        b.trade(0, 308.8, 500);
        b.seconds(2);
        let audit = b.venue.audit();
        assert_eq!(audit.positions["AAPL"], bought, "type {kind}");
        assert!(audit.books_agree);
    }
}

#[test]
fn a_protective_stop_becomes_a_marketable_limit_by_modification() {
    let mut b = bench();
    b.place(1, market(Side::Buy, 100));
    b.place(1, stop(Side::Sell, 100, 300.0));
    b.words();
    b.place(1, Order { order_id: 2, ..limit(Side::Sell, 100, 309.15) });
    assert!(b.words().contains(&"exec -1 2 SLD 100 @309.15".to_string()));
}

#[test]
fn rule_201_holds_today_and_was_carried_over() {
    const FELL: i32 = 900_000_002;
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
        (c.delays, c.restricted) = (Delays::NONE, vec!["AAPL".into()]);
    });
    b.log_in(1);
    b.place(1, market(Side::Sell, 10));
    assert!(b.words().contains(&"error 1 201".to_string()), "restricted since yesterday");
    b.place(1, limit(Side::Sell, 10, 309.16));
    assert!(!b.words().iter().any(|w| w.starts_with("error")), "above the bid");
    b.place_on(1, FELL, market(Side::Sell, 10));
    assert!(!b.words().iter().any(|w| w.starts_with("error")), "not restricted");
    b.trade(2, 90.0, 100);
    b.place_on(1, FELL, market(Side::Sell, 11));
    assert!(b.words().contains(&"error 4 201".to_string()));
}

#[test]
fn a_margin_breach_warns_and_liquidates() {
    let limits = Limits {
        max_order_notional_usd: 1e9,
        max_position_notional_usd: 1e9,
        max_gross_notional_usd: 1e9,
        ..Limits::default()
    };
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| (c.limits, c.delays) = (limits, Delays::NONE));
    b.log_in(1);
    b.quote(0, 100.0, 100_000, 100.01, 100_000);
    b.trade(0, 100.0, 100);
    b.place(1, market(Side::Buy, 19_000));
    b.place(1, limit(Side::Buy, 10, 50.0));
    b.words();
    b.quote(0, 60.0, 100_000, 60.01, 100_000);
    b.trade(0, 60.0, 100);
    b.seconds(6);
    let words = b.words();
    assert!(words.contains(&"error -1 2148".to_string()), "{words:?}");
    assert!(words.contains(&"status 2 Cancelled 0/10 @0".to_string()));
    b.seconds(6);
    let audit = b.venue.audit();
    assert_eq!(audit.positions.get("AAPL").copied().unwrap_or(0), 0);
    assert!(audit.books_agree);
    b.ask(1, Request::ReqPositions);
    assert!(b.words().contains(&"position AAPL 0".to_string()), "{AAPL} is closed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the market does, and whenever the parent is cancelled, the exits of a bracket in one OCA group with block
    /// never sell a share more than the parent has bought, and the books agree.
    #[test]
    fn a_brackets_exits_never_oversell(
        kind in 1_i32..=2,
        moves in prop::collection::vec((0_i64..80, 1_i64..150, any::<bool>()), 1..40),
        cancel_at in 0_usize..40,
    ) {
        let mut b = bench();
        let exit = |order: Order| Order { parent_id: 1, oca_group: "exits".into(), oca_type: kind, ..order };
        b.place(1, Order { transmit: false, ..limit(Side::Buy, 100, 309.1) });
        b.place(1, Order { transmit: false, ..exit(limit(Side::Sell, 100, 309.3)) });
        b.place(1, exit(stop(Side::Sell, 100, 308.9)));
        for (i, (cents, size, quote)) in moves.into_iter().enumerate() {
            let price = (30_870 + cents) as f64 / 100.0;
            if quote {
                b.quote(0, price, size, price + 0.01, size);
            } else {
                b.trade(0, price, size);
            }
            if i == cancel_at {
                b.ask(1, Request::CancelOrder { order_id: 1 });
            }
            let audit = b.venue.audit();
            let held = audit.positions.get("AAPL").copied().unwrap_or(0);
            prop_assert!((0..=100).contains(&held), "{held} held");
            prop_assert!(audit.books_agree);
        }
    }
}

/// Fill-or-kill, worked.
fn fok_bench() -> Bench {
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
        (c.delays, c.rules.fill_or_kill) = (Delays::NONE, FillOrKill::Worked);
    });
    b.log_in(1);
    b
}

#[test]
fn fill_or_kill_fills_whole_or_goes() {
    let mut b = fok_bench();
    b.place(1, Order { tif: "FOK".into(), ..limit(Side::Buy, 200, 309.16) });
    assert!(b.words().contains(&"status 1 Filled 200/0 @309.16".to_string()));
    b.quote(0, 309.15, 300, 309.17, 150);
    b.place(1, Order { tif: "FOK".into(), ..limit(Side::Buy, 151, 309.17) });
    let words = b.words();
    assert!(words.contains(&"status 2 Cancelled 0/151 @0".to_string()), "{words:?}");
    let mut by_default = bench();
    by_default.place(1, Order { tif: "FOK".into(), ..limit(Side::Buy, 1, 309.16) });
    assert!(by_default.words().contains(&"error 1 201".to_string()), "as recorded");
    let mut night = Bench::with(Date(20_260_825).at(17, 0), |c| {
        (c.delays, c.rules.fill_or_kill) = (Delays::NONE, FillOrKill::Worked);
    });
    night.log_in(1);
    night.place(1, Order { tif: "FOK".into(), ..limit(Side::Buy, 1, 309.16) });
    assert!(night.words().contains(&"error 1 201".to_string()), "after hours it was recorded refused");
}

#[test]
fn all_or_none_and_market_to_limit() {
    let mut b = bench();
    b.place(1, Order { all_or_none: true, ..limit(Side::Buy, 250, 309.16) });
    b.words();
    b.quote(0, 309.15, 300, 309.16, 249);
    assert!(b.words().is_empty(), "249 are not all");
    b.quote(0, 309.15, 300, 309.16, 250);
    assert_eq!(b.words()[0], "exec -1 1 BOT 250 @309.16");
    b.place(1, Order { order_type: "MTL".into(), ..market(Side::Sell, 400) });
    assert!(b.words().contains(&"exec -1 2 SLD 300 @309.15".to_string()));
    b.quote(0, 309.10, 500, 309.16, 250);
    assert!(b.words().is_empty(), "the rest is a limit at 309.15");
    b.trade(0, 309.2, 100);
    assert_eq!(b.words()[0], "exec -1 2 SLD 100 @309.15");
}

#[test]
fn orders_if_touched_wait_for_a_better_price() {
    let mut b = bench();
    b.place(1, Order { order_type: "MIT".into(), aux_price: Some(308.0), ..market(Side::Buy, 10) });
    b.place(1, Order { order_type: "LIT".into(), aux_price: Some(308.0), ..limit(Side::Buy, 10, 308.5) });
    b.trade(0, 310.0, 100);
    b.words();
    b.quote(0, 307.9, 300, 308.1, 200);
    b.trade(0, 308.0, 100);
    let words = b.words();
    assert!(words.contains(&"exec -1 1 BOT 10 @308.1".to_string()), "{words:?}");
    assert!(words.contains(&"exec -1 2 BOT 10 @308.1".to_string()), "{words:?}");
}

#[test]
fn a_trailing_limits_limit_stays_behind_its_stop() {
    let mut b = bench();
    b.place(1, market(Side::Buy, 10));
    b.words();
    let order = Order {
        order_type: "TRAIL LIMIT".into(),
        aux_price: Some(1.0),
        trail_stop_price: Some(308.0),
        lmt_price_offset: Some(0.05),
        ..market(Side::Sell, 10)
    };
    b.place(1, order);
    let limits = |b: &mut Bench| -> Vec<f64> {
        let all = b.out.drain(..).filter_map(|o| match o.response {
            Response::OpenOrder { order, .. } => order.limit_price,
            _ => None,
        });
        all.collect()
    };
    assert_eq!(limits(&mut b), [307.95], "recorded: sell, stop less offset");
    b.trade(0, 312.0, 100);
    b.ask(1, Request::ReqOpenOrders);
    assert_eq!(limits(&mut b), [310.95]);
    b.quote(0, 310.0, 300, 310.1, 200);
    b.trade(0, 311.0, 100);
    assert!(!b.words().iter().any(|w| w.starts_with("exec")), "its limit is above the bid");
    b.trade(0, 310.96, 100);
    assert_eq!(b.words()[0], "exec -1 2 SLD 10 @310.95");
}

#[test]
fn an_iceberg_loses_its_place_part_by_part() {
    let mut b = bench();
    b.place(1, Order { display_size: 100, ..limit(Side::Buy, 250, 309.15) });
    b.words();
    b.trade(0, 309.15, 500);
    assert_eq!(b.words()[0], "exec -1 1 BOT 100 @309.15", "300 before it, then what it shows");
    b.trade(0, 309.15, 300);
    assert!(b.words().is_empty(), "the next part stands behind the 300 shown");
    b.trade(0, 309.15, 40);
    assert_eq!(b.words()[0], "exec -1 1 BOT 40 @309.15");
}

#[test]
fn hours_outside_the_regular_ones_are_for_limits_that_ask() {
    let mut b = Bench::with(Date(20_260_825).at(16, 30), |c| c.delays = Delays::NONE);
    b.log_in(1);
    b.place(1, Order { outside_rth: true, ..limit(Side::Buy, 10, 309.16) });
    let words = b.words();
    assert!(words.contains(&"exec -1 1 BOT 10 @309.16".to_string()), "{words:?}");
    b.place(1, Order { outside_rth: true, ..market(Side::Buy, 10) });
    let words = b.words();
    assert_eq!(words[0], "error 2 2109", "a market order's wish is ignored, with a word");
    assert!(words.contains(&"error 2 399".to_string()), "{words:?}");
    b.place(1, Order { outside_rth: true, ..limit(Side::Buy, 10, 300.0) });
    b.words();
    b.seconds(4 * 3_600);
    assert!(b.words().contains(&"status 3 Cancelled 0/10 @0".to_string()), "the evening ends at 20:00");
}

#[test]
fn a_day_till_cancelled_order_ends_inactive() {
    let mut b = bench();
    b.place(1, Order { tif: "DTC".into(), ..limit(Side::Buy, 10, 300.0) });
    b.words();
    b.seconds(7 * 3_600);
    assert_eq!(b.words(), ["open 1 Inactive", "status 1 Inactive 0/10 @0"]);
}

#[test]
fn a_stop_turns_into_what_it_is_to_become() {
    let mut b = bench();
    b.place(1, market(Side::Buy, 10));
    let order = Order {
        adjusted_order_type: "TRAIL".into(),
        trigger_price: Some(312.0),
        adjusted_stop_price: Some(311.0),
        adjusted_trailing_amount: Some(0.5),
        ..stop(Side::Sell, 10, 300.0)
    };
    b.place(1, order);
    b.words();
    b.trade(0, 311.99, 100);
    assert!(b.words().is_empty());
    b.trade(0, 312.0, 100);
    assert_eq!(b.words(), ["open 2 PreSubmitted", "status 2 PreSubmitted 0/10 @0"]);
    b.trade(0, 313.0, 100);
    b.trade(0, 312.5, 100);
    assert!(b.words().contains(&"exec -1 2 SLD 10 @309.15".to_string()), "313 less 0.50");
}

#[test]
fn a_scale_works_part_after_part() {
    let mut b = bench();
    let order = Order {
        scale_init_level_size: Some(100),
        scale_subs_level_size: Some(50),
        scale_price_increment: Some(0.05),
        ..limit(Side::Buy, 200, 309.0)
    };
    b.place(1, order);
    b.words();
    b.trade(0, 308.99, 1_000);
    assert_eq!(b.words()[0], "exec -1 1 BOT 100 @309");
    b.trade(0, 308.96, 1_000);
    assert!(b.words().is_empty(), "the next stands at 308.95");
    b.trade(0, 308.94, 1_000);
    b.trade(0, 308.89, 1_000);
    let fills: Vec<String> = b.words().into_iter().filter(|w| w.starts_with("exec")).collect();
    assert_eq!(fills, ["exec -1 1 BOT 50 @308.95", "exec -1 1 BOT 50 @308.9"]);
}

#[test]
fn what_cannot_be_honoured_is_refused_and_never_another_order() {
    let base = || limit(Side::Buy, 100, 300.0);
    let text = |s: &str| s.to_string();
    let cases: Vec<(&str, i32, Order)> = vec![
        ("hidden", 152, Order { hidden: true, ..base() }),
        ("discretionary", 325, Order { discretionary_amt: 0.1, ..base() }),
        ("minimum quantity", 10_256, Order { min_qty: Some(2), ..base() }),
        ("display of a market order", 10_255, Order { display_size: 10, ..market(Side::Buy, 100) }),
        ("display above the size", 10_020, Order { display_size: 101, ..base() }),
        ("activation time", 10_315, Order { active_start_time: text("20260824 22:46:45 UTC"), ..base() }),
        ("activation clock", 321, Order { active_start_time: text("15:00:00"), ..base() }),
        ("cash quantity", 10_244, Order { cash_qty: Some(500.0), ..base() }),
        ("hedge", 10_006, Order { hedge_type: text("D"), ..base() }),
        ("delta neutral", 429, Order { delta_neutral_order_type: text("MKT"), ..base() }),
        ("block", 117, Order { block_order: true, total_quantity: 10.0, ..base() }),
        ("advisor", 321, Order { fa_group: text("g"), ..base() }),
        ("model", 321, Order { model_code: text("m"), ..base() }),
        ("slot", 321, Order { short_sale_slot: 2, ..base() }),
        ("exempt", 321, Order { exempt_code: Some(1), ..base() }),
        ("scale without sizes", 409, Order { scale_price_increment: Some(0.1), ..base() }),
        ("scale without increment", 408, Order { scale_init_level_size: Some(10), ..base() }),
        (
            "scale with profits",
            419,
            Order {
                scale_price_increment: Some(0.1),
                scale_init_level_size: Some(10),
                scale_profit_offset: Some(1.0),
                ..base()
            },
        ),
        ("post only", 321, Order { post_only: true, ..base() }),
        ("overnight", 321, Order { include_overnight: true, ..base() }),
        ("duration", 321, Order { duration: Some(30), ..base() }),
        ("trigger method", 146, Order { trigger_method: 6, ..base() }),
        ("adjusted without trigger", 361, Order { adjusted_order_type: text("TRAIL"), ..stop(Side::Sell, 10, 300.0) }),
        ("close with another life", 113, Order { order_type: text("MOC"), tif: text("GTC"), ..market(Side::Buy, 10) }),
        ("a peg to the best", 387, Order { order_type: text("PEG BEST"), ..base() }),
        ("no such type", 321, Order { order_type: text("FEELINGS"), ..base() }),
    ];
    let mut b = bench();
    for (what, code, order) in cases {
        let id = b.place(1, order);
        assert_eq!(b.words(), [format!("error {id} {code}")], "{what}");
    }
    b.ask(1, Request::ReqOpenOrders);
    assert_eq!(b.words(), ["OpenOrderEnd"], "none of them lives");
    // Recorded: the order with the minimum quantity can still be cancelled.
    b.ask(1, Request::CancelOrder { order_id: 3 });
    assert_eq!(b.words(), ["status 3 Cancelled 0/100 @0", "error 3 202", "error 3 161"]);
}

#[test]
fn marks_are_echoed_and_change_nothing() {
    let mut b = bench();
    let order = Order {
        not_held: true,
        sweep_to_fill: true,
        rule_80a: "I".into(),
        solicited: true,
        soft_dollar_name: "tier".into(),
        ext_operator: "me".into(),
        manual_order_time: "20260824 22:44:45 UTC".into(),
        ..limit(Side::Buy, 10, 309.16)
    };
    b.place(1, order.clone());
    let echo = b.out.iter().find_map(|o| match &o.response {
        Response::OpenOrder { order, .. } => Some(order.clone()),
        _ => None,
    });
    let echo = echo.unwrap();
    assert!(echo.not_held && echo.sweep_to_fill && echo.solicited);
    assert_eq!((echo.rule_80a, echo.soft_dollar_name, echo.ext_operator), ("I".into(), "tier".into(), "me".into()));
    assert_eq!(echo.manual_order_time, "", "recorded: it does not come back");
    assert!(b.words().contains(&"exec -1 1 BOT 10 @309.16".to_string()));
}

#[test]
fn a_childs_cancel_takes_its_parent_along_if_it_says_so() {
    let mut b = bench();
    b.place(1, Order { transmit: false, ..limit(Side::Buy, 100, 300.0) });
    b.place(1, Order { parent_id: 1, auto_cancel_parent: true, ..limit(Side::Sell, 100, 312.0) });
    b.words();
    b.ask(1, Request::CancelOrder { order_id: 2 });
    assert!(b.words().contains(&"status 1 Cancelled 0/100 @0".to_string()));
}

#[test]
fn prices_lie_on_the_grid_of_their_size_and_relatives_stand_before_the_touch() {
    const HARD: i32 = 900_000_001;
    let mut b = bench();
    for (price, fine) in [(0.5001, true), (0.500_05, false), (0.9999, true), (1.01, true), (1.001, false)] {
        let id = b.place_on(1, HARD, limit(Side::Buy, 1, price));
        let refused = b.words() == [format!("error {id} 110")];
        assert_eq!(!refused, fine, "{price}");
    }
    let relative = |offset: Order| Order { order_type: "REL".into(), limit_price: Some(310.0), ..offset };
    b.quote(0, 309.10, 300, 309.20, 200);
    b.place(1, relative(Order { aux_price: Some(0.02), ..market(Side::Buy, 10) }));
    b.words();
    b.trade(0, 309.13, 100);
    assert!(b.words().is_empty());
    b.trade(0, 309.11, 100);
    assert_eq!(b.words()[0], "exec -1 6 BOT 10 @309.12", "two cents before the bid");
    let id = b.place(1, relative(Order { percent_offset: Some(1.5), ..market(Side::Buy, 10) }));
    assert_eq!(b.words(), [format!("error {id} 159")]);
}

#[test]
fn a_modification_obeys_what_a_new_order_does() {
    let mut b = bench();
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.words();
    b.place(1, Order { order_id: 1, hidden: true, ..limit(Side::Buy, 10, 300.0) });
    assert_eq!(b.words(), ["error 1 152"]);
    let scale =
        Order { scale_init_level_size: Some(5), scale_price_increment: Some(0.1), ..limit(Side::Buy, 10, 300.0) };
    b.place(1, Order { order_id: 1, ..scale });
    assert_eq!(b.words(), ["error 1 329"]);
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 10, 309.16) });
    assert!(b.words().contains(&"exec -1 1 BOT 10 @309.16".to_string()), "the old order lived on");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// No order fills more than the market showed or printed at prices that it allows.
    #[test]
    fn fills_are_bounded_by_what_was_shown(
        orders in prop::collection::vec((any::<bool>(), -5_i64..8, 1_i64..500, 0_i32..3, 0_i64..80), 1..6),
        moves in prop::collection::vec((-6_i64..7, 1_i64..150, any::<bool>()), 1..40),
    ) {
        let mut b = fok_bench();
        b.words();
        let (mut shown, mut bought, mut sold) = (200_i64 + 300, 0.0, 0.0);
        let place = |b: &mut Bench, (buy, off, qty, kind, display): (bool, i64, i64, i32, i64)| {
            let side = if buy { Side::Buy } else { Side::Sell };
            let order = limit(side, qty, (30_915 + off) as f64 / 100.0);
            b.place(1, match kind {
                0 => Order { all_or_none: true, ..order },
                1 => Order { display_size: i32::try_from(display.min(qty)).unwrap(), ..order },
                _ => Order { order_type: "MTL".into(), limit_price: None, ..order },
            });
        };
        for o in orders {
            place(&mut b, o);
        }
        for (cents, size, quote) in moves {
            let price = (30_915 + cents) as f64 / 100.0;
            shown += 2 * size;
            if quote { b.quote(0, price, size, price + 0.01, size) } else { b.trade(0, price, size) }
        }
        for o in b.out.drain(..) {
            if let Response::ExecutionDetails { execution: e, .. } = o.response {
                *(if e.side == "BOT" { &mut bought } else { &mut sold }) += e.shares;
            }
        }
        let shown = shown as f64;
        prop_assert!(bought <= shown && sold <= shown, "{bought} {sold} of {shown}");
        prop_assert!(b.venue.audit().books_agree);
    }
}
