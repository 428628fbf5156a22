//! Borrowing: the short-stock file, the pool and its ticks, locates, the fee over a night, Rule 201 and its second day.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Request, Response};
use ibkr_trader::sim::venue::{Delays, ShortStock};
use std::path::PathBuf;
use venue_bench::{AAPL, Bench, contract, limit, market};

const FELL: i32 = 900_000_002;

const FILE: &str = "#BOF|2026.08.25|09:00:03\n#SYM|CUR|NAME|CON|ISIN|REBATERATE|FEERATE|AVAILABLE|\n\
                    AAPL|USD|APPLE INC|265598|X|-20.0|25.0000|1500|\nFELL|USD|FELL CO|1|X|2.07|0.25|>10000000|\n#EOF|2\n";

fn bench() -> Bench {
    let mut b = Bench::with(Date(20_260_825).at(10, 0), |c| {
        (c.delays, c.rules.short_stock) = (Delays::NONE, Some(ShortStock::parse(FILE).unwrap()));
    });
    b.log_in(1);
    b
}

/// Ticks 46 and 89 since last asked.
fn shortable(b: &mut Bench) -> Vec<(i32, f64)> {
    let tick = |r: Response| match r {
        Response::TickGeneric { tick_type: 46, value, .. } => Some((46, value)),
        Response::TickSize { tick_type: 89, size, .. } => Some((89, size)),
        _ => None,
    };
    b.out.drain(..).filter_map(|o| tick(o.response)).collect()
}

fn watch(b: &mut Bench, con_id: i32) {
    let request = Request::ReqMktData {
        req_id: con_id,
        contract: contract(con_id),
        generic_ticks: "236".into(),
        snapshot: false,
        regulatory: false,
    };
    b.ask(1, request);
}

#[test]
fn the_pool_goes_down_as_shares_are_sold_short_and_the_ticks_follow() {
    let mut b = bench();
    b.quote(0, 309.15, 5_000, 309.16, 5_000);
    watch(&mut b, AAPL);
    assert_eq!(shortable(&mut b), [(46, 3.0), (89, 1_500.0)]);
    watch(&mut b, FELL);
    assert_eq!(shortable(&mut b), [(46, 3.0), (89, 10_000_000.0)]);
    watch(&mut b, 900_000_001);
    assert_eq!(shortable(&mut b), [(46, 1.0), (89, 0.0)], "the file lacks it");
    b.place(1, market(Side::Sell, 600));
    assert_eq!(shortable(&mut b), [(46, 2.0), (89, 900.0)]);
    b.place(1, market(Side::Buy, 600));
    assert_eq!(shortable(&mut b), [(46, 3.0), (89, 1_500.0)]);
}

#[test]
fn a_short_beyond_the_pool_is_held_and_one_against_none_refused() {
    let mut b = bench();
    b.quote(0, 309.15, 5_000, 309.16, 5_000);
    b.place(1, market(Side::Sell, 1_000));
    b.words();
    b.place(1, limit(Side::Sell, 600, 309.15));
    let held = b.out.iter().find_map(|o| match &o.response {
        Response::OrderStatus { why_held, status, .. } => Some((status.clone(), why_held.clone())),
        _ => None,
    });
    assert_eq!(held, Some(("PreSubmitted".into(), "locate".into())));
    assert!(b.words().contains(&"error 2 404".to_string()));
    b.place(1, market(Side::Buy, 200));
    b.words();
    b.seconds(60);
    assert!(b.words().contains(&"exec -1 2 SLD 600 @309.15".to_string()), "800 short and 600 more are within 1,500");
    b.place_on(1, 900_000_001, market(Side::Sell, 1));
    assert!(b.words().contains(&"error 4 201".to_string()));
}

#[test]
fn a_night_short_costs_the_fee_and_a_day_does_not() {
    let mut b = bench();
    b.quote(0, 309.15, 5_000, 309.16, 5_000);
    b.place(1, market(Side::Sell, 1_000));
    b.trade(0, 310.0, 1);
    let cash = |b: &mut Bench| {
        b.out.clear();
        b.ask(1, Request::ReqAccountUpdates { subscribe: true, account: String::new() });
        let value = |key: &str, r: &Response| match r {
            Response::AccountValue { key: k, value, currency, .. } if k == key && currency == "USD" => {
                value.parse::<f64>().ok()
            }
            _ => None,
        };
        let of = |key: &str| b.out.iter().find_map(|o| value(key, &o.response)).unwrap();
        (of("CashBalance"), of("AccruedCash"))
    };
    let (before, accrued) = cash(&mut b);
    // 310 × 1.02 = 316.2, rounded up 317, × 1,000 shares × 25 % / 360.
    assert!((accrued + 220.14).abs() < 1e-9, "{accrued}");
    b.seconds(7 * 3_600);
    let state = b.venue.state();
    let same = Bench::resumed(Date(20_260_825).at(10, 0), state.clone());
    assert!(same.venue.audit().books_agree, "the same day nothing is charged");
    // The bench's next day has no file: the usual 0.25 % a year, one night.
    let mut next = Bench::resumed(Date(20_260_826).at(9, 30), state);
    next.log_in(1);
    let (after, _) = cash(&mut next);
    let fee = 317.0 * 1_000.0 * 0.0025 / 360.0;
    assert!((before - after - fee).abs() < 0.011, "{before} {after} {fee}");
    assert!(next.venue.audit().books_agree);
}

#[test]
fn rule_201_is_triggered_at_ten_percent_and_carried_to_the_next_day_alone() {
    let mut b = Bench::new();
    b.log_in(1);
    b.trade(2, 90.01, 100);
    b.place_on(1, FELL, market(Side::Sell, 1));
    assert!(!b.words().iter().any(|w| w.starts_with("error")), "90.01 is not 10 % below 100");
    b.trade(2, 90.0, 100);
    b.quote(2, 89.5, 500, 89.52, 500);
    b.place_on(1, FELL, limit(Side::Sell, 1, 89.5));
    assert!(b.words().contains(&"error 2 201".to_string()), "at the bid");
    b.place_on(1, FELL, limit(Side::Sell, 1, 89.51));
    assert!(!b.words().iter().any(|w| w.starts_with("error")), "above the bid");
    b.seconds(7 * 3_600);
    let state = b.venue.state();
    let refused = |day: Date, state| {
        let mut next = Bench::resumed(day.at(9, 30), state);
        next.log_in(1);
        next.quote(2, 95.0, 500, 95.02, 500);
        next.seconds(1);
        next.place_on(1, FELL, market(Side::Sell, 10));
        next.words().iter().any(|w| w.ends_with(" 201"))
    };
    assert!(refused(Date(20_260_826), state.clone()), "the next trading day");
    assert!(!refused(Date(20_260_827), state), "not the one after");
}

#[test]
fn the_published_file_is_read() {
    let data = std::env::var_os("IBKR_TRADER_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let path = data.join("ref/ibkr_shortstock_usa_20220806.txt.gz");
    if !path.exists() {
        eprintln!("skipped: no {}", path.display());
        return;
    }
    let stock = ShortStock::read(&path).unwrap();
    assert!(stock.len() > 17_000, "{}", stock.len());
    let gme = stock.get("GME").unwrap();
    assert_eq!((gme.available, gme.fee_percent, gme.rebate_percent), (250_000, 30.3849, -28.0649));
    assert_eq!(stock.get("AAPL").unwrap().available, 10_000_000);
    let error = ShortStock::read(&PathBuf::from("no-such-file")).unwrap_err().to_string();
    assert!(error.contains("short-stock file"), "{error}");
}
