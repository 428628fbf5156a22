//! The venue's state outlives its process: the same day and the next one.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::clock::SECOND;
use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{ExecutionFilter, Order, Request};
use ibkr_trader::sim::venue::{StateError, Venue, VenueConfig, VenueState};
use venue_bench::{AAPL, Bench, Events, limit, market};

const FELL: i32 = 900_000_002;

/// What a killed process leaves: the state as its file had it.
fn killed(b: &Bench) -> VenueState {
    let text = serde_json::to_string(&b.venue.state()).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ten() -> ibkr_trader::clock::SessionTime {
    Date(20_260_825).at(10, 0)
}

fn gtd(until: &str, order: Order) -> Order {
    Order { tif: "GTD".into(), good_till_date: until.into(), ..order }
}

/// A position of 50, a fill, a resting order in part filled, a stop, two good-till-date orders.
fn busy() -> Bench {
    let mut b = Bench::new();
    b.log_in(1);
    b.place(1, market(Side::Buy, 50));
    b.place(1, limit(Side::Buy, 100, 309.0));
    b.trade(0, 308.9, 40);
    b.place(1, Order { order_type: "STP".into(), aux_price: Some(300.0), ..market(Side::Sell, 90) });
    b.place(1, gtd("20260825-14:00:30", limit(Side::Buy, 10, 290.0)));
    b.place(1, gtd("20260825-15:00:30", limit(Side::Buy, 11, 290.0)));
    b.words();
    b
}

/// The state as text, whatever is told of it in one piece or in changes.
fn same(a: &VenueState, b: &VenueState) {
    assert_eq!(serde_json::to_value(a).unwrap(), serde_json::to_value(b).unwrap());
}

#[test]
fn changes_add_up_to_the_state_at_every_point() {
    let mut b = Bench::new();
    b.venue.track_changes();
    let mut kept = killed(&b);
    let mut changes = 0;
    let mut take = |b: &mut Bench| {
        if let Some(change) = b.venue.change() {
            let text = serde_json::to_string(&change).unwrap();
            kept.apply(serde_json::from_str(&text).unwrap());
            changes += 1;
            same(&kept, &b.venue.state());
        }
        assert!(b.venue.change().is_none(), "told once");
    };
    b.log_in(1);
    take(&mut b);
    b.place(1, market(Side::Buy, 50));
    take(&mut b);
    b.place(1, limit(Side::Buy, 100, 309.0));
    take(&mut b);
    b.trade(0, 308.9, 40);
    take(&mut b);
    b.place(1, Order { transmit: false, ..limit(Side::Sell, 10, 400.0) });
    take(&mut b);
    b.place_on(1, FELL, Order { tif: "GTC".into(), ..limit(Side::Buy, 7, 50.0) });
    b.trade(2, 89.0, 10);
    take(&mut b);
    b.ask(1, Request::CancelOrder { order_id: 2 });
    b.seconds(5);
    take(&mut b);
    b.place(1, market(Side::Sell, 90));
    take(&mut b);
    // Refused outright: the id is used all the same.
    b.place(1, Order { order_type: "ODD".into(), ..market(Side::Buy, 1) });
    take(&mut b);
    assert!(changes >= 8, "{changes}");
}

#[test]
fn the_same_day_goes_on_and_what_time_brought_has_happened() {
    let before = busy();
    let mut b = Bench::resumed(ten(), killed(&before));
    b.now = b.now + 60 * SECOND;
    b.run(0);
    b.ask(1, Request::StartApi { client_id: 1 });
    let words = b.words();
    assert_eq!(
        words[..6],
        [
            "open 2 Submitted",
            "status 2 Submitted 40/60 @309",
            "open 3 PreSubmitted",
            "status 3 PreSubmitted 0/90 @0",
            "open 5 Submitted",
            "status 5 Submitted 0/11 @0",
        ],
        "order 4 ended while nobody was there"
    );
    let next = b.venue.state();
    assert_eq!(serde_json::to_value(&next).unwrap()["small"]["highest"], serde_json::json!([[1, 5]]));
    b.ask(1, Request::ReqExecutions { req_id: 7, filter: ExecutionFilter::default() });
    assert_eq!(b.words().iter().filter(|w| w.starts_with("exec 7")).count(), 2);
    b.ask(1, Request::ReqPositions);
    assert_eq!(b.words()[0], "position AAPL 90");
    b.quote(0, 308.9, 300, 308.95, 200);
    assert!(b.words().contains(&"exec -1 2 BOT 60 @309".to_string()), "the resting order works on");
    b.trade(0, 299.0, 10);
    assert!(b.words().contains(&"exec -1 3 SLD 90 @308.9".to_string()), "the stop was kept");
    let audit = b.venue.audit();
    assert!(audit.books_agree && audit.is_clean(), "{:?}", audit.violations);
    assert_eq!(audit.positions["AAPL"], 60);
}

#[test]
fn an_order_and_a_cancel_on_their_way_arrive_and_what_was_never_sent_is_gone() {
    let mut before = Bench::with(ten(), |_| {});
    before.log_in(1);
    before.place(1, limit(Side::Buy, 10, 300.0));
    before.seconds(10);
    before.ask(1, Request::CancelOrder { order_id: 1 });
    before.place(1, limit(Side::Buy, 20, 300.0));
    before.place(1, Order { transmit: false, ..limit(Side::Buy, 30, 300.0) });
    let mut b = Bench::resumed(ten(), killed(&before));
    b.run(0);
    b.ask(1, Request::StartApi { client_id: 1 });
    let words = b.words();
    assert_eq!(words[..2], ["open 2 Submitted", "status 2 Submitted 0/20 @0"]);
    assert_eq!(words.iter().filter(|w| w.starts_with("open")).count(), 1, "{words:?}");
}

#[test]
fn the_next_day_keeps_positions_ids_and_long_orders() {
    let mut before = busy();
    before.place_on(1, FELL, Order { tif: "GTC".into(), ..limit(Side::Buy, 7, 50.0) });
    before.trade(2, 89.0, 10);
    let mut b = Bench::resumed(Date(20_260_826).at(10, 0), killed(&before));
    b.quote(2, 89.50, 500, 89.52, 500);
    b.ask(1, Request::StartApi { client_id: 1 });
    let words = b.words();
    assert_eq!(words[..3], ["open 6 Submitted", "status 6 Submitted 0/7 @0", "OpenOrderEnd"]);
    b.ask(1, Request::ReqExecutions { req_id: 7, filter: ExecutionFilter::default() });
    assert_eq!(b.words(), ["ExecutionDetailsEnd"], "yesterday's executions are gone");
    b.place_on(1, FELL, Order { order_id: 7, ..market(Side::Sell, 10) });
    assert!(b.words().contains(&"error 7 201".to_string()), "Rule 201 was triggered yesterday");
    assert_eq!(b.venue.audit().positions["AAPL"], 90);
    assert!(b.venue.audit().books_agree);
}

#[test]
fn another_accounts_state_or_a_later_one_is_refused() {
    let state = killed(&busy());
    let events = Events::default();
    let resume = |config: VenueConfig, day: u32| {
        let source = Bench::source(Date(day).at(10, 0), &events);
        Venue::resume(config, Box::new(source), 1, state.clone()).err()
    };
    let other = VenueConfig { account: "DU7".into(), ..VenueConfig::default() };
    assert!(matches!(resume(other, 20_260_825), Some(StateError::Account(_))));
    assert!(matches!(resume(VenueConfig::default(), 20_260_824), Some(StateError::Later(..))));
    assert!(resume(VenueConfig::default(), 20_260_825).is_none(), "{AAPL}");
}
