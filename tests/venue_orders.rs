//! The venue's behaviour, message by message: matching, life of an order, refusals, sessions, statements.

#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tests: a broken expectation must stop them; the numbers are small"
)]

mod venue_bench;

use std::collections::BTreeMap;

use ibkr_trader::clock::{MILLISECOND, SECOND, SessionTime};
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::domain::{Price, Side};
use ibkr_trader::sim::api::{ConnId, ExecutionFilter, Order, Outgoing, Request, Response};
use ibkr_trader::sim::market::synthetic::SyntheticMarket;
use ibkr_trader::sim::market::{MarketOptions, MarketSource};
use ibkr_trader::sim::venue::{Delays, Venue, VenueConfig};
use proptest::prelude::*;
use venue_bench::{AAPL, ACCOUNT, Bench, contract, limit, market};

fn ten() -> SessionTime {
    Date(20_260_825).at(10, 0)
}

#[test]
fn a_market_order_takes_the_touch_and_waits_for_more() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, market(Side::Buy, 250));
    assert_eq!(
        b.words(),
        [
            "open 1 Submitted",
            "status 1 Submitted 0/250 @0",
            "exec -1 1 BOT 200 @309.16",
            "open 1 Submitted",
            "status 1 Submitted 200/50 @309.16",
            "commission 1.000600 realized -",
        ]
    );
    b.trade(0, 309.16, 10_000);
    assert_eq!(b.words(), Vec::<String>::new(), "a print is no new offer");
    b.quote(0, 309.16, 300, 309.18, 500);
    assert_eq!(b.words()[..3], ["exec -1 1 BOT 50 @309.18", "open 1 Filled", "status 1 Filled 250/0 @309.164"]);
}

#[test]
fn a_closing_leg_repeats_its_last_state_and_realizes() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, market(Side::Buy, 1));
    b.words();
    b.place(1, market(Side::Sell, 1));
    assert_eq!(
        b.words(),
        [
            "open 2 PreSubmitted",
            "status 2 PreSubmitted 0/1 @0",
            "open 2 Submitted",
            "status 2 Submitted 0/1 @0",
            "exec -1 2 SLD 1 @309.15",
            "open 2 Filled",
            "status 2 Filled 1/0 @309.15",
            "open 2 Filled fee 1.006566",
            "status 2 Filled 1/0 @309.15",
            "commission 1.006566 realized -2.016569",
        ]
    );
}

#[test]
fn a_limit_rests_in_the_queue_and_fills_in_parts() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 100, 309.15));
    assert_eq!(
        b.words(),
        ["open 1 PreSubmitted", "status 1 PreSubmitted 0/100 @0", "open 1 Submitted", "status 1 Submitted 0/100 @0",]
    );
    b.trade(0, 309.15, 300);
    assert!(b.words().is_empty(), "the queue before it was served");
    b.trade(0, 309.15, 40);
    assert_eq!(b.words()[..3], ["exec -1 1 BOT 40 @309.15", "open 1 Submitted", "status 1 Submitted 40/60 @309.15"]);
    b.quote(0, 309.10, 300, 309.14, 200);
    assert_eq!(b.words()[..3], ["exec -1 1 BOT 60 @309.15", "open 1 Filled", "status 1 Filled 100/0 @309.15"]);
}

#[test]
fn an_ioc_takes_what_there_is_and_goes() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, Order { tif: "IOC".into(), ..limit(Side::Buy, 300, 309.16) });
    let words = b.words();
    assert_eq!(words[2], "exec -1 1 BOT 200 @309.16");
    assert_eq!(
        words[6..],
        [
            "open 1 PendingCancel",
            "status 1 PendingCancel 200/100 @309.16",
            "status 1 Cancelled 200/100 @309.16",
            "error 1 202",
        ]
    );
}

#[test]
fn good_till_date_ends_at_its_instant_and_moves_with_a_modification() {
    let mut b = Bench::new();
    b.log_in(1);
    let gtd = |until: &str| Order { tif: "GTD".into(), good_till_date: until.into(), ..limit(Side::Buy, 10, 300.0) };
    b.place(1, gtd("20260825-14:00:30"));
    b.place(1, Order { order_id: 1, ..gtd("20260825-14:00:50") });
    b.words();
    b.seconds(49);
    assert!(b.words().iter().all(|w| !w.contains("Cancelled")));
    b.seconds(1);
    assert_eq!(b.words(), ["status 1 Cancelled 0/10 @0", "error 1 202"]);
    b.place(1, gtd("20260825-14:00:30"));
    assert!(b.words().contains(&"error 2 201".to_string()), "a date in the past is refused");
}

#[test]
fn cancels_answer_as_recorded() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.words();
    b.ask(1, Request::CancelOrder { order_id: 1 });
    assert_eq!(b.words(), ["status 1 PendingCancel 0/10 @0", "status 1 Cancelled 0/10 @0", "error 1 202"]);
    b.ask(1, Request::CancelOrder { order_id: 1 });
    b.ask(1, Request::CancelOrder { order_id: 77 });
    assert_eq!(b.words(), ["error 1 10148", "error 77 10147"]);
    b.place(1, market(Side::Buy, 1));
    b.words();
    b.ask(1, Request::CancelOrder { order_id: 2 });
    assert_eq!(b.words(), ["error 2 10148"]);
    b.ask(1, Request::ReqGlobalCancel);
    assert!(b.words().is_empty(), "nothing to cancel, no answer");
}

#[test]
fn a_fill_that_wins_the_race_against_a_cancel_draws_161() {
    let mut b = Bench::with(ten(), |c| {
        c.delays = Delays { min: 100 * MILLISECOND, max: 100 * MILLISECOND, tail_one_in: 0, ..Delays::NONE };
    });
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 309.15));
    b.seconds(1);
    b.words();
    b.ask(1, Request::CancelOrder { order_id: 1 });
    b.ask(1, Request::CancelOrder { order_id: 1 });
    assert_eq!(b.words(), ["error 1 10148"], "it is pending already");
    b.run(50);
    b.trade(0, 309.14, 10);
    b.seconds(1);
    let words = b.words();
    assert_eq!(words[0], "status 1 PendingCancel 0/10 @0");
    assert!(words.contains(&"status 1 Filled 10/0 @309.15".to_string()));
    assert_eq!(words.last().unwrap(), "error 1 161");
}

#[test]
fn a_modification_takes_new_terms_and_is_ignored_once_filled() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.words();
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 10, 300.005) });
    assert_eq!(b.words(), ["error 1 110"], "off the grid: the old order lives");
    b.place(1, Order { order_id: 1, ..limit(Side::Sell, 10, 300.0) });
    assert_eq!(b.words(), ["error 1 105"]);
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 20, 309.16) });
    assert_eq!(b.words()[..3], ["open 1 Submitted", "status 1 Submitted 0/20 @0", "exec -1 1 BOT 20 @309.16"]);
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 30, 309.16) });
    assert!(b.words().is_empty());
}

#[test]
fn what_the_gateway_refuses_it_refuses_with_ibs_codes() {
    let mut b = Bench::new();
    b.log_in(1);
    let good = || limit(Side::Buy, 10, 300.0);
    let cases: Vec<(Order, i32)> = vec![
        (Order { order_type: "FEELINGS".into(), ..good() }, 321),
        (Order { limit_price: Some(300.001), ..good() }, 110),
        (Order { limit_price: None, ..good() }, 321),
        (Order { tif: String::new(), ..good() }, 10_052),
        (Order { total_quantity: 0.5, ..good() }, 10_243),
        (Order { total_quantity: 0.0, ..good() }, 434),
        (Order { total_quantity: f64::NAN, ..good() }, 434),
        (Order { account: "DU1".into(), ..good() }, 321),
        (Order { tif: "GTD".into(), good_till_date: "soon".into(), ..good() }, 321),
    ];
    for (order, code) in cases {
        let id = b.place(1, order);
        assert_eq!(b.words(), [format!("error {id} {code}")]);
    }
    let id = b.place_on(1, 12_345, good());
    assert_eq!(b.words(), [format!("error {id} 200")]);
    b.place(1, Order { order_id: 500, ..good() });
    b.words();
    b.place(1, Order { order_id: 499, ..good() });
    assert_eq!(b.words(), ["error 499 103"]);
    b.ask(1, Request::CancelOrder { order_id: 500 });
    b.words();
    b.place(1, Order { order_id: 500, ..good() });
    assert_eq!(b.words(), ["error 500 103"]);
}

#[test]
fn margin_and_borrow_refuse_with_201_and_inactive() {
    let mut b = Bench::new();
    b.log_in(1);
    // 1,000,000 USD carry at most 2,000,000 USD of stock.
    b.place(1, limit(Side::Buy, 6_400, 309.0));
    assert!(b.words().contains(&"open 1 Submitted".to_string()));
    b.place(1, limit(Side::Buy, 200, 309.0));
    let mut words = b.words();
    words.sort();
    assert_eq!(words, ["error 2 201", "open 2 Inactive", "status 2 Inactive 0/200 @0"]);
    b.place_on(1, 900_000_001, limit(Side::Sell, 10, 20.05));
    assert!(b.words().contains(&"error 3 201".to_string()), "nothing to borrow");
    b.place(1, limit(Side::Sell, 10, 310.0));
    assert!(b.words().contains(&"open 4 Submitted".to_string()));
}

#[test]
fn day_orders_end_with_the_bell_and_good_till_cancelled_stay() {
    let mut b = Bench::with(Date(20_260_825).at(15, 59), |c| c.delays = Delays::NONE);
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.place(1, Order { tif: "GTC".into(), ..limit(Side::Buy, 10, 300.0) });
    b.words();
    b.seconds(61);
    assert_eq!(b.words(), ["status 1 Cancelled 0/10 @0", "error 1 202"]);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.seconds(1);
    assert!(b.words().contains(&"error 3 399".to_string()), "after the bell it waits for tomorrow");
}

#[test]
fn an_untransmitted_order_is_silent_until_it_is_transmitted() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, Order { transmit: false, ..limit(Side::Buy, 10, 300.0) });
    b.ask(1, Request::ReqOpenOrders);
    assert_eq!(b.words(), ["OpenOrderEnd"]);
    b.place(1, Order { order_id: 1, ..limit(Side::Buy, 10, 300.0) });
    assert_eq!(b.words()[2], "open 1 Submitted");
}

#[test]
fn log_in_shows_working_orders_first_and_one_client_id_connects_once() {
    let mut b = Bench::new();
    b.ask(1, Request::StartApi { client_id: 7 });
    let plain = ["ManagedAccounts", "NextValidId", "error -1 2104", "error -1 2106", "error -1 2158"];
    assert_eq!(b.words(), plain);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.words();
    b.ask(2, Request::StartApi { client_id: 7 });
    assert_eq!(b.words_to(2), ["error -1 326", "Disconnect"]);
    b.ask(1, Request::Disconnected);
    b.ask(3, Request::StartApi { client_id: 7 });
    let words = b.words();
    assert_eq!(words[..3], ["open 1 Submitted", "status 1 Submitted 0/10 @0", "OpenOrderEnd"]);
    assert_eq!(words[3..], plain);
}

#[test]
fn what_filled_while_the_client_was_gone_is_in_executions_and_completed_orders() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, limit(Side::Buy, 10, 309.15));
    b.ask(1, Request::Disconnected);
    b.trade(0, 309.0, 100);
    b.log_in(1);
    b.ask(1, Request::ReqExecutions { req_id: 9, filter: ExecutionFilter::default() });
    assert_eq!(b.words(), ["exec 9 1 BOT 10 @309.15", "commission 1.000030 realized -", "ExecutionDetailsEnd"]);
    let sold = ExecutionFilter { side: "SELL".into(), ..ExecutionFilter::default() };
    b.ask(1, Request::ReqExecutions { req_id: 9, filter: sold });
    b.ask(1, Request::ReqCompletedOrders { api_only: true });
    assert_eq!(b.words(), ["ExecutionDetailsEnd", "completed 1 Filled", "CompletedOrdersEnd"]);
    assert!(b.venue.audit().books_agree, "the referee heard of the fill although the client did not");
}

#[test]
fn any_client_cancels_what_it_was_shown_and_the_owner_is_not_told() {
    let mut b = Bench::new();
    b.log_in(1);
    b.log_in(2);
    b.place(1, limit(Side::Buy, 10, 300.0));
    b.words();
    b.ask(2, Request::CancelOrder { order_id: 1 });
    assert_eq!(b.words(), ["error 1 10147"], "not shown yet");
    b.ask(2, Request::ReqAllOpenOrders);
    b.words();
    b.ask(2, Request::CancelOrder { order_id: 1 });
    let told: Vec<Outgoing> = std::mem::take(&mut b.out);
    assert!(told.iter().all(|o| o.conn == ConnId(2)));
    assert!(matches!(&told[0].response, Response::OrderStatus { status, client_id: 2, .. } if status == "Cancelled"));
}

#[test]
fn lines_are_a_budget_and_ids_are_unique() {
    let mut b = Bench::with(ten(), |c| c.lines_max = 2);
    b.log_in(1);
    let data = |req_id, con_id| Request::ReqMktData {
        req_id,
        contract: contract(con_id),
        generic_ticks: "236".into(),
        regulatory: false,
        snapshot: false,
    };
    b.ask(1, data(1, AAPL));
    let words = b.words();
    assert_eq!(words[..4], ["TickReqParams", "MarketDataType", "TickGeneric", "TickSize"]);
    b.ask(1, data(1, AAPL));
    b.ask(1, data(2, 900_000_001));
    b.words();
    b.ask(1, data(3, 900_000_002));
    assert_eq!(b.words(), ["error 3 101"]);
    b.ask(1, Request::CancelMktData { req_id: 2 });
    b.ask(1, Request::CancelMktData { req_id: 2 });
    assert_eq!(b.words(), ["error 2 300"]);
    b.ask(1, data(3, 900_000_002));
    b.ask(1, data(4, 1));
    assert_eq!(b.words().last().unwrap(), "error 4 200");
}

#[test]
fn ticks_come_sampled_with_volume_in_hundreds() {
    let mut b = Bench::new();
    b.log_in(1);
    b.seconds(1);
    let request = Request::ReqMktData {
        req_id: 1,
        contract: contract(AAPL),
        generic_ticks: String::new(),
        snapshot: false,
        regulatory: false,
    };
    b.ask(1, request);
    b.out.clear();
    b.trade(0, 309.16, 1);
    b.trade(0, 309.155, 249);
    b.quote(0, 309.15, 400, 309.16, 200);
    assert!(b.out.is_empty(), "nothing before the sample");
    b.run(250);
    let ticks: Vec<Response> = std::mem::take(&mut b.out).into_iter().map(|o| o.response).collect();
    assert_eq!(ticks[0], Response::TickSize { req_id: 1, tick_type: 0, size: 400.0 });
    assert_eq!(ticks[1], Response::TickPrice { req_id: 1, tick_type: 4, price: 309.155, size: 249.0, attr_mask: 0 });
    let volume = |r: &&Response| matches!(r, Response::TickSize { tick_type: 8, .. });
    // 30 history minutes of 1,000 shares lie before 10:00 the same day.
    let expected = Response::TickSize { req_id: 1, tick_type: 8, size: 302.5 };
    assert_eq!(ticks.iter().find(volume), Some(&expected));
}

#[test]
fn more_than_fifty_messages_in_a_second_draw_error_100_once() {
    let mut b = Bench::new();
    b.log_in(1);
    for _ in 0..50 {
        b.ask(1, Request::ReqIds);
    }
    assert!(!b.words().contains(&"error -1 100".to_string()));
    b.ask(1, Request::ReqIds);
    b.ask(1, Request::ReqIds);
    assert_eq!(b.words().iter().filter(|w| *w == "error -1 100").count(), 1);
    b.seconds(1);
    b.ask(1, Request::ReqIds);
    assert_eq!(b.words(), ["NextValidId"]);
}

#[test]
fn current_time_is_not_answered_twice_within_four_seconds() {
    let mut b = Bench::new();
    b.log_in(1);
    b.ask(1, Request::ReqCurrentTime);
    b.run(3_999);
    b.ask(1, Request::ReqCurrentTime);
    assert_eq!(b.words(), ["CurrentTime"]);
    b.run(1);
    b.ask(1, Request::ReqCurrentTime);
    assert_eq!(b.words(), ["CurrentTime"]);
}

fn history(req_id: i32, con_id: i32, duration: &str) -> Request {
    Request::ReqHistoricalData {
        req_id,
        contract: contract(con_id),
        end: String::new(),
        duration: duration.into(),
        bar_size: "1 min".into(),
        what_to_show: "TRADES".into(),
        use_rth: true,
        format_date: 2,
        keep_up_to_date: false,
    }
}

#[test]
fn history_ends_now_and_is_paced() {
    let mut b = Bench::new();
    b.log_in(1);
    b.trade(0, 309.5, 700);
    b.seconds(70);
    b.trade(0, 309.25, 100);
    b.ask(1, history(1, AAPL, "600 S"));
    let out = std::mem::take(&mut b.out);
    let Response::HistoricalData { bars, .. } = &out[0].response else { panic!("{out:?}") };
    let last = &bars[bars.len() - 2..];
    assert_eq!((last[0].close, last[0].volume, last[1].close), (309.5, 700.0, 309.25));
    assert_eq!(bars.len(), 10, "eight minutes of history and two of the session");
    b.ask(1, history(2, AAPL, "600 S"));
    assert_eq!(b.words(), ["error 2 162"], "identical within 15 s");
    b.ask(1, history(3, 900_000_001, "1 D"));
    assert_eq!(b.words(), ["error 3 162"], "no data");
    b.ask(1, history(4, AAPL, "1 parsec"));
    assert_eq!(b.words(), ["error 4 321"]);
    b.seconds(16);
    b.ask(1, history(5, AAPL, "1 D"));
    assert_eq!(b.words(), ["HistoricalData", "HistoricalDataEnd"]);
}

#[test]
fn account_rows_come_every_three_minutes_and_on_a_position_change() {
    let mut b = Bench::new();
    b.log_in(1);
    b.ask(1, Request::ReqAccountUpdates { subscribe: true, account: ACCOUNT.into() });
    assert_eq!(b.words().last().unwrap(), "AccountDownloadEnd");
    b.ask(1, Request::ReqPositions);
    assert_eq!(b.words(), ["PositionEnd"]);
    b.seconds(179);
    assert!(b.words().is_empty());
    b.seconds(1);
    assert!(b.words().contains(&"AccountValue".to_string()));
    b.place(1, market(Side::Buy, 5));
    let words = b.words();
    assert!(words.contains(&"position AAPL 5".to_string()), "{words:?}");
    assert!(words.contains(&"PortfolioValue".to_string()));
    b.ask(1, Request::ReqAccountUpdates { subscribe: false, account: ACCOUNT.into() });
    assert_eq!(b.words(), ["error -1 2100"]);
    let tags = "NetLiquidation,TotalCashValue,BuyingPower".to_string();
    b.ask(1, Request::ReqAccountSummary { req_id: 3, group: "All".into(), tags });
    let rows: Vec<String> = std::mem::take(&mut b.out)
        .into_iter()
        .filter_map(|o| match o.response {
            Response::AccountSummary { tag, .. } => Some(tag),
            _ => None,
        })
        .collect();
    assert_eq!(rows, ["BuyingPower", "NetLiquidation", "TotalCashValue"], "alphabetical");
}

#[test]
fn a_what_if_answers_with_one_open_order_and_changes_nothing() {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, Order { what_if: true, ..limit(Side::Buy, 100, 300.0) });
    let out = std::mem::take(&mut b.out);
    let [Outgoing { response: Response::OpenOrder { state, order, .. }, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((state.status.as_str(), order.what_if, order.perm_id > 0), ("PreSubmitted", true, true));
    // Half of 100 × the mark (the last history close, 309).
    assert_eq!((state.init_margin_change, state.maint_margin_after), (Some(15_450.0), Some(7_725.0)));
    assert_eq!(state.commission, Some(1.0003), "as recorded for 100 shares");
    b.ask(1, Request::ReqAllOpenOrders);
    assert_eq!(b.words(), ["OpenOrderEnd"]);
}

/// Rank of a status word: it may never fall.
fn rank(status: &str) -> i32 {
    match status {
        "PreSubmitted" => 0,
        "Submitted" => 1,
        "PendingCancel" => 2,
        _ => 3,
    }
}

/// A seeded client that trades the synthetic market for some minutes; all that the venue answered.
fn churn(seed: u64, minutes: i64) -> (Venue, Vec<Outgoing>, SessionTime) {
    let options = MarketOptions { symbols: 6, seed, start: Some((11, 0)), ..MarketOptions::default() };
    let source = SyntheticMarket::new(&options).unwrap();
    let references = source.references().to_vec();
    let mut now = source.start();
    let mut venue = Venue::new(VenueConfig::default(), Box::new(source), seed);
    let mut out = Vec::new();
    let mut draw = ibkr_trader::sim::market::rng::Draw::keyed(seed, "test client", 0, 0);
    venue.handle(now, ConnId(1), Request::StartApi { client_id: 1 }, &mut out);
    let mut id = 0;
    for _ in 0..minutes * 60 {
        now = now + SECOND;
        venue.advance(now, &mut out);
        let r = &references[draw.below(6) as usize];
        let side = if draw.chance(0.5) { Side::Buy } else { Side::Sell };
        let near = r.prior_close.to_f64() * (1.0 + 0.002 * draw.normal());
        let price = Price::from_f64(near).floor_to(Price(10_000)).to_f64();
        match draw.below(6) {
            0 => {
                id += 1;
                let order = Order { order_id: id, ..market(side, 1 + draw.below(150) as i64) };
                let request = Request::PlaceOrder { contract: contract(r.con_id.0), order };
                venue.handle(now, ConnId(1), request, &mut out);
            }
            1 | 2 => {
                id += 1;
                let order = Order { order_id: id, ..limit(side, 1 + draw.below(150) as i64, price) };
                let request = Request::PlaceOrder { contract: contract(r.con_id.0), order };
                venue.handle(now, ConnId(1), request, &mut out);
            }
            3 if id > 0 => {
                let order_id = 1 + draw.below(id as u64) as i32;
                venue.handle(now, ConnId(1), Request::CancelOrder { order_id }, &mut out);
            }
            _ => {}
        }
    }
    venue.advance(now + 10 * SECOND, &mut out);
    (venue, out, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn money_adds_up_and_states_never_run_backwards(seed in 0_u64..1_000) {
        let (mut venue, mut out, _) = churn(seed, 4);
        venue.finish(&mut out);
        let mut cash = 1_000_000_000_000_i64;
        let mut held: BTreeMap<String, i64> = BTreeMap::new();
        let mut at: BTreeMap<i32, (i32, f64)> = BTreeMap::new();
        let mut fills = 0;
        for o in &out {
            match &o.response {
                Response::ExecutionDetails { contract, execution: e, .. } => {
                    fills += 1;
                    let signed = if e.side == "BOT" { e.shares } else { -e.shares } as i64;
                    cash -= signed * Price::from_f64(e.price).0;
                    *held.entry(contract.symbol.clone()).or_default() += signed;
                }
                Response::CommissionReport { commission, .. } => cash -= (commission * 1e6).round() as i64,
                Response::OrderStatus { order_id, status, filled, .. } => {
                    let (before, had) = at.insert(*order_id, (rank(status), *filled)).unwrap_or((0, 0.0));
                    prop_assert!(rank(status) >= before, "order {} went back to {}", order_id, status);
                    prop_assert!(*filled >= had, "order {} lost shares", order_id);
                }
                _ => {}
            }
        }
        held.retain(|_, q| *q != 0);
        let audit = venue.audit();
        prop_assert!(fills > 10, "{fills} fills exercise little");
        prop_assert_eq!(audit.positions.clone(), held);
        prop_assert_eq!((audit.cash_usd * 1e6).round() as i64, cash);
        prop_assert!(audit.books_agree);
    }
}

#[test]
fn the_same_seed_gives_the_same_answers() {
    let (_, a, _) = churn(5, 2);
    let (_, b, _) = churn(5, 2);
    assert_eq!(format!("{a:?}"), format!("{b:?}"));
    let (_, c, _) = churn(6, 2);
    assert_ne!(format!("{a:?}"), format!("{c:?}"));
}

#[test]
fn stepping_by_next_due_is_the_same_as_jumping() {
    let play = |step: bool| {
        let options = MarketOptions { symbols: 3, ..MarketOptions::default() };
        let source = SyntheticMarket::new(&options).unwrap();
        let (start, con_id) = (source.start(), source.references()[0].con_id.0);
        let mut venue = Venue::new(VenueConfig::default(), Box::new(source), 1);
        let mut out = Vec::new();
        venue.handle(start, ConnId(1), Request::StartApi { client_id: 1 }, &mut out);
        let data = Request::ReqMktData {
            req_id: 1,
            contract: contract(con_id),
            generic_ticks: String::new(),
            regulatory: false,
            snapshot: false,
        };
        venue.handle(start, ConnId(1), data, &mut out);
        let order = Order { order_id: 1, ..market(Side::Buy, 5) };
        venue.handle(start, ConnId(1), Request::PlaceOrder { contract: contract(con_id), order }, &mut out);
        let end = start + 20 * SECOND;
        if step {
            while let Some(t) = venue.next_due().filter(|t| *t <= end) {
                venue.advance(t, &mut out);
            }
        }
        venue.advance(end, &mut out);
        out
    };
    let jumped = play(false);
    assert!(jumped.len() > 60);
    assert_eq!(jumped, play(true));
}
