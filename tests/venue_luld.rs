//! Price bands, pauses and reopenings, market-wide breakers, halts known beforehand.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Request, Response};
use ibkr_trader::sim::venue::{BreakerIndex, Delays, Rules, read_halts};
use std::path::PathBuf;
use venue_bench::{AAPL, Bench, contract, limit, market};

fn bench(rules: impl FnOnce(&mut Rules)) -> Bench {
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
        c.delays = Delays::NONE;
        rules(&mut c.rules);
    });
    b.log_in(1);
    for (req_id, con_id) in [(1, AAPL), (2, 900_000_001), (3, 900_000_002)] {
        let line = Request::ReqMktData {
            req_id,
            contract: contract(con_id),
            generic_ticks: String::new(),
            snapshot: false,
            regulatory: false,
        };
        b.ask(1, line);
    }
    b.out.clear();
    b
}

/// Values of tick 49 since last asked: (request id, value).
#[allow(clippy::cast_possible_truncation, reason = "0, 1 or 2")]
fn halts(b: &mut Bench) -> Vec<(i32, i32)> {
    let halted = |r: Response| match r {
        Response::TickGeneric { req_id, tick_type: 49, value } => Some((req_id, value as i32)),
        _ => None,
    };
    b.out.drain(..).filter_map(|o| halted(o.response)).collect()
}

/// AAPL at 300 with bands of 285 to 315.
fn banded() -> Bench {
    let mut b = bench(|r| r.bands = true);
    b.quote(0, 299.99, 300, 300.01, 300);
    b.trade(0, 300.0, 100);
    b.out.clear();
    b
}

#[test]
fn a_limit_state_of_fifteen_seconds_pauses_for_five_minutes() {
    let mut b = banded();
    b.quote(0, 284.9, 300, 285.0, 300);
    b.seconds(14);
    assert_eq!(halts(&mut b), []);
    b.quote(0, 290.0, 300, 290.1, 300);
    b.seconds(10);
    assert_eq!(halts(&mut b), [], "it ended before 15 s");
    b.quote(0, 284.9, 300, 285.0, 300);
    b.seconds(15);
    assert_eq!(halts(&mut b), [(1, 2)]);
    b.place(1, market(Side::Buy, 10));
    b.place(1, limit(Side::Buy, 10, 280.0));
    b.seconds(299);
    b.trade(0, 286.0, 500);
    assert!(!b.words().iter().any(|w| w.starts_with("exec")), "nothing trades in a pause");
    b.seconds(1);
    assert_eq!(halts(&mut b), [], "the reopening waits for its print");
    b.trade(0, 287.5, 500);
    let out = b.out.clone();
    assert_eq!(halts(&mut b), [(1, 0)]);
    b.out = out;
    let words = b.words();
    assert!(words.contains(&"exec -1 1 BOT 10 @287.5".to_string()), "{words:?}");
    assert!(!words.iter().any(|w| w.starts_with("exec -1 2")), "its limit was not reached");
}

#[test]
fn a_reopening_without_a_print_ends_by_time() {
    let mut b = banded();
    b.quote(0, 315.0, 300, 315.1, 300);
    b.seconds(15);
    assert_eq!(halts(&mut b), [(1, 2)], "the bid at the upper band is a limit state too");
    b.seconds(599);
    assert_eq!(halts(&mut b), []);
    b.seconds(1);
    assert_eq!(halts(&mut b), [(1, 0)]);
}

#[test]
fn a_second_pause_lasts_as_long_as_the_first() {
    let mut b = banded();
    b.quote(0, 284.9, 300, 285.0, 300);
    b.seconds(15 + 300);
    b.trade(0, 285.0, 100);
    b.quote(0, 270.0, 300, 270.7, 300);
    b.seconds(15);
    assert_eq!(halts(&mut b), [(1, 2), (1, 0), (1, 2)], "5 % below the reopening print");
    b.seconds(299);
    assert_eq!(halts(&mut b), [], "what the first reopening had left to wait ends nothing");
    b.seconds(301);
    assert_eq!(halts(&mut b), [(1, 0)]);
}

#[test]
fn orders_never_trade_outside_the_bands() {
    let mut b = banded();
    b.quote(0, 314.0, 300, 316.0, 300);
    b.place(1, market(Side::Buy, 10));
    b.place(1, limit(Side::Buy, 10, 320.0));
    assert!(!b.words().iter().any(|w| w.starts_with("exec")), "the offer is above the upper band of 315");
    b.quote(0, 314.0, 300, 315.0, 300);
    let words = b.words();
    for id in [1, 2] {
        assert!(words.iter().any(|w| w.starts_with(&format!("exec -1 {id} BOT 10 @315"))), "{words:?}");
    }
}

#[test]
fn breakers_halt_everything_by_the_index() {
    // The bench's prior closes are 310, 20 and 100; only FELL is the index.
    let mut b = bench(|r| r.breakers = Some(BreakerIndex::Symbol("FELL".into())));
    b.trade(2, 93.01, 100);
    b.seconds(2);
    assert_eq!(halts(&mut b), []);
    b.trade(2, 93.0, 100);
    b.seconds(2);
    assert_eq!(halts(&mut b), [(1, 1), (2, 1), (3, 1)], "7 %");
    b.seconds(15 * 60);
    assert_eq!(halts(&mut b), [(1, 0), (2, 0), (3, 0)]);
    b.quote(2, 79.9, 100, 80.0, 100);
    b.trade(2, 80.0, 100);
    b.seconds(2);
    assert_eq!(halts(&mut b).len(), 3, "20 % ends the day");
    b.seconds(3 * 3_600);
    assert_eq!(halts(&mut b), []);
}

#[test]
fn late_breakers_of_the_first_two_levels_do_nothing() {
    let mut b = Bench::with(Date(20_260_825).at(15, 26), |c| {
        (c.delays, c.rules.breakers) = (Delays::NONE, Some(BreakerIndex::Universe));
    });
    b.log_in(1);
    for (symbol, price) in [(0, 280.0), (1, 18.0), (2, 90.0)] {
        b.trade(symbol, price, 100);
    }
    b.seconds(5);
    b.place(1, market(Side::Buy, 10));
    assert!(b.words().iter().any(|w| w.starts_with("exec")), "after 15:25 a fall of 10 % halts nothing");
}

#[test]
fn the_recorded_list_of_halts_is_played_on_the_sessions_day() {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let day = Date(20_260_825);
    match read_halts(&data.join("ref/nasdaq_halts_20230616.csv"), day) {
        Ok(halts) => {
            assert!(halts.len() > 10, "{}", halts.len());
            assert!(halts.iter().all(|h| h.from >= day.at(0, 0) && h.to.is_none_or(|t| t >= h.from)));
        }
        Err(e) => eprintln!("skipped: {e}"),
    }
    let text = "halt_date,halt_time_et,symbol,reason,resume_trade_time_et\n08/25/2026,10:05:00,AAPL,LUDP,10:10:00\n\
                08/25/2026,10:06:00,FELL,T1,\n08/25/2026,10:06:00,NOTHERE,T1,\n";
    let mut b = bench(|r| r.halts = ibkr_trader::sim::venue::parse_halts(text, day).unwrap());
    b.seconds(299);
    assert_eq!(halts(&mut b), []);
    b.seconds(61);
    assert_eq!(halts(&mut b), [(1, 2), (3, 1)]);
    b.seconds(240);
    assert_eq!(halts(&mut b), [(1, 0)], "the other has no resumption");
}
