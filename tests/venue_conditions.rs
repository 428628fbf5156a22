//! Conditional orders and algos: held until their conditions hold, or cancelled by them; worked in parts over time.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Condition, Order, Request, Test};
use ibkr_trader::sim::venue::Delays;
use venue_bench::{AAPL, Bench, limit, market};

const FELL: i32 = 900_000_002;

fn bench() -> Bench {
    let mut b = Bench::new();
    b.log_in(1);
    b
}

fn one(test: Test) -> Vec<Condition> {
    vec![Condition { and: true, test }]
}

fn price(is_more: bool, price: f64, con_id: i32) -> Test {
    Test::Price { is_more, price, con_id, exchange: "SMART".into(), trigger_method: 0 }
}

fn filled(words: &[String], id: i32) -> bool {
    words.iter().any(|w| w.starts_with(&format!("exec -1 {id} ")))
}

#[test]
fn each_kind_of_condition_holds_an_order_until_it_is_met() {
    type Move = fn(&mut Bench);
    let time = |text: &str| Test::Time { is_more: true, time: text.into() };
    let fill = || Test::Execution { sec_type: "STK".into(), exchange: "SMART".into(), symbol: "FELL".into() };
    let volume = || Test::Volume { is_more: true, volume: 500, con_id: FELL, exchange: "SMART".into() };
    let change =
        |c: f64| Test::PercentChange { is_more: false, change_percent: c, con_id: FELL, exchange: "SMART".into() };
    let cases: Vec<(&str, Test, Move, Move)> = vec![
        ("price", price(false, 89.0, FELL), |b| b.trade(2, 89.01, 1), |b| b.trade(2, 89.0, 1)),
        ("time", time("20260825 10:01:00 US/Eastern"), |b| b.seconds(59), |b| b.seconds(1)),
        (
            "execution",
            fill(),
            |b| b.trade(2, 89.5, 10),
            |b| {
                b.place_on(1, FELL, market(Side::Buy, 1));
            },
        ),
        ("volume", volume(), |b| b.trade(2, 90.0, 499), |b| b.trade(2, 90.0, 1)),
        ("percent change", change(-12.0), |b| b.trade(2, 88.5, 1), |b| b.trade(2, 88.0, 1)),
        (
            "margin",
            Test::Margin { is_more: false, percent: 99 },
            |b| b.trade(0, 309.0, 1),
            |b| {
                b.place(1, market(Side::Buy, 200));
            },
        ),
    ];
    for (what, test, not_yet, now) in cases {
        let mut b = bench();
        b.place(1, Order { conditions: one(test), ..market(Side::Buy, 10) });
        assert_eq!(b.words(), ["open 1 PreSubmitted", "status 1 PreSubmitted 0/10 @0"], "{what}");
        not_yet(&mut b);
        assert!(!filled(&b.words(), 1), "{what}: not yet");
        now(&mut b);
        b.quote(0, 309.15, 300, 309.16, 500);
        assert!(filled(&b.words(), 1), "{what}: met");
    }
}

#[test]
fn conditions_are_joined_from_left_to_right() {
    let holds = || price(true, 1.0, AAPL);
    let fails = || price(true, 9_999.0, AAPL);
    let join =
        |list: Vec<(Test, bool)>| list.into_iter().map(|(test, and)| Condition { and, test }).collect::<Vec<_>>();
    let cases = [
        (join(vec![(holds(), true), (holds(), true)]), true),
        (join(vec![(holds(), true), (fails(), true)]), false),
        (join(vec![(holds(), false), (fails(), true)]), true),
        (join(vec![(fails(), false), (fails(), false)]), false),
        (join(vec![(fails(), true), (fails(), false), (holds(), true)]), true),
    ];
    for (conditions, met) in cases {
        let mut b = bench();
        b.trade(0, 309.15, 1);
        b.place(1, Order { conditions: conditions.clone(), ..market(Side::Buy, 10) });
        assert_eq!(filled(&b.words(), 1), met, "{conditions:?}");
    }
}

#[test]
fn a_cancelling_condition_ends_an_order_that_works() {
    let mut b = bench();
    let order = Order {
        conditions: one(price(true, 311.0, AAPL)),
        conditions_cancel_order: true,
        ..limit(Side::Buy, 10, 300.0)
    };
    b.place(1, order);
    assert!(b.words().contains(&"status 1 Submitted 0/10 @0".to_string()), "it works at once");
    b.trade(0, 311.0, 1);
    assert!(b.words().contains(&"status 1 Cancelled 0/10 @0".to_string()));
}

#[test]
fn conditions_that_make_no_sense_are_refused() {
    let mut b = bench();
    let cases = [
        (147, price(true, 10.0, 12_345)),
        (10_149, price(true, 0.0, AAPL)),
        (10_149, Test::Time { is_more: true, time: "soon".into() }),
    ];
    for (code, test) in cases {
        let id = b.place(1, Order { conditions: one(test), ..market(Side::Buy, 10) });
        assert_eq!(b.words(), [format!("error {id} {code}")]);
    }
}

fn algo(name: &str, params: &[(&str, &str)], order: Order) -> Order {
    let params = params.iter().map(|(t, v)| ((*t).to_string(), (*v).to_string())).collect();
    Order { algo_strategy: name.into(), algo_params: params, ..order }
}

#[test]
fn algos_and_their_parameters_are_validated() {
    type Case = (i32, &'static str, Vec<(&'static str, &'static str)>);
    let cases: Vec<Case> = vec![
        (439, "Nonsense", vec![]),
        (442, "MinImpact", vec![]),
        (441, "Adaptive", vec![("adaptivePriority", "Wild")]),
        (441, "Adaptive", vec![]),
        (443, "Adaptive", vec![("adaptivePriority", "Normal"), ("speed", "1")]),
        (441, "Vwap", vec![("maxPctVol", "0.9")]),
        (441, "PctVol", vec![]),
        (441, "Twap", vec![("startTime", "later")]),
        (441, "Twap", vec![("endTime", "09:00:00 US/Eastern")]),
        (441, "ArrivalPx", vec![("riskAversion", "None")]),
    ];
    let mut b = bench();
    for (code, name, params) in cases {
        let id = b.place(1, algo(name, &params, limit(Side::Buy, 100, 309.0)));
        assert_eq!(b.words(), [format!("error {id} {code}")], "{name} {params:?}");
    }
    let id = b.place(
        1,
        algo("Twap", &[], Order { order_type: "STP".into(), aux_price: Some(320.0), ..market(Side::Buy, 1) }),
    );
    assert_eq!(b.words(), [format!("error {id} 442")], "not for stops");
    let id = b.place(1, Order { algo_params: vec![("a".into(), "b".into())], ..market(Side::Buy, 1) });
    assert_eq!(b.words(), [format!("error {id} 443")], "parameters without a strategy");
}

#[test]
fn adaptive_slides_from_the_midpoint_to_the_touch() {
    let mut b = bench();
    b.quote(0, 309.00, 300, 309.20, 200);
    b.place(1, algo("Adaptive", &[("adaptivePriority", "Normal")], market(Side::Buy, 100)));
    b.words();
    b.seconds(5);
    assert!(!filled(&b.words(), 1), "still between the quotes");
    b.trade(0, 309.12, 30);
    assert!(
        b.words().contains(&"exec -1 1 BOT 30 @309.13".to_string()),
        "a third of the way after a third of the time"
    );
    b.seconds(11);
    assert!(b.words().contains(&"exec -1 1 BOT 70 @309.2".to_string()), "then it crosses");
}

#[test]
fn twap_releases_evenly_and_ends_with_its_window() {
    let mut b = bench();
    b.quote(0, 309.15, 30_000, 309.16, 20_000);
    let window = [("startTime", "10:00:00 US/Eastern"), ("endTime", "10:10:00 US/Eastern")];
    b.place(1, algo("Twap", &window, market(Side::Buy, 600)));
    b.words();
    b.seconds(300);
    let bought = |b: &Bench| b.venue.audit().positions.get("AAPL").copied().unwrap_or(0);
    assert!((295..=305).contains(&bought(&b)), "half of it after half of the time: {}", bought(&b));
    b.seconds(295);
    b.quote(0, 309.15, 100, 0.0, 0);
    b.seconds(60);
    assert!((585..600).contains(&bought(&b)));
    assert!(b.words().iter().any(|w| w.starts_with("status 1 Cancelled")), "past the end nothing is bought");
    assert!(b.venue.audit().books_agree);
}

#[test]
fn a_share_of_the_volume_follows_the_prints() {
    let mut b = bench();
    b.quote(0, 309.15, 30_000, 309.16, 20_000);
    b.place(1, algo("PctVol", &[("pctVol", "0.1")], market(Side::Buy, 1_000)));
    b.seconds(30);
    assert_eq!(b.venue.audit().positions.get("AAPL"), None, "nothing traded, nothing bought");
    b.trade(0, 309.16, 2_000);
    b.seconds(6);
    assert_eq!(b.venue.audit().positions["AAPL"], 200);
}

#[test]
fn an_algo_keeps_its_strategy_and_is_cancelled_like_any_order() {
    let mut b = bench();
    b.place(1, algo("Vwap", &[], limit(Side::Buy, 1_000, 309.0)));
    b.words();
    b.place(1, Order { order_id: 1, ..algo("Twap", &[], limit(Side::Buy, 1_000, 309.0)) });
    assert_eq!(b.words(), ["error 1 440"]);
    b.seconds(20);
    b.ask(1, Request::CancelOrder { order_id: 1 });
    assert!(b.words().contains(&"status 1 Cancelled 0/1000 @0".to_string()));
    b.seconds(20);
    assert!(b.words().is_empty());
}

#[test]
fn a_held_order_survives_a_restart_of_the_gateway() {
    let mut b = bench();
    b.place(1, Order { conditions: one(price(true, 311.0, AAPL)), ..limit(Side::Buy, 10, 309.16) });
    let state = b.venue.state();
    let mut again = Bench::resumed(Date(20_260_825).at(10, 0), state);
    again.log_in(1);
    again.quote(0, 309.15, 300, 309.16, 200);
    assert!(!filled(&again.words(), 1));
    again.trade(0, 311.0, 1);
    assert!(filled(&again.words(), 1));
    let mut late = Bench::with(Date(20_260_825).at(16, 30), |c| c.delays = Delays::NONE);
    late.log_in(1);
    late.place(1, Order { conditions: one(price(true, 1.0, AAPL)), ..limit(Side::Buy, 10, 309.16) });
    late.trade(0, 309.0, 1);
    assert!(!filled(&late.words(), 1), "conditions wait for regular hours");
}
