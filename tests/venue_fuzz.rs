//! Fuzzing of the venue: whatever a client that decodes can ask, in any order, at any time, with any number in any field,
//! and whichever shipped scenarios are in force, the venue answers or refuses, and its books stay exact. Part of `make fuzz`.

#![allow(clippy::unwrap_used, reason = "tests: a broken expectation must stop them")]

mod venue_bench;
#[allow(dead_code, reason = "the parts of answers are for the tests of the encodings")]
mod wire_parts;

use std::sync::OnceLock;

use ibkr_trader::domain::Side;
use ibkr_trader::domain::calendar::Date;
use ibkr_trader::sim::api::{Contract, Order, Request};
use ibkr_trader::sim::faults::Scenario;
use ibkr_trader::sim::venue::Delays;
use proptest::prelude::*;
use venue_bench::{AAPL, ACCOUNT, Bench, contract};
use wire_parts::{order, parts, requests};

/// Few cases, or as many as `PROPTEST_CASES` says.
fn config() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(32),
    }
}

/// Numbers at the edges of what fields hold, and ordinary ones.
fn edge() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 1.0..400.0_f64,
        1 => prop::sample::select(vec![
            0.0, -0.0, -1.0, 0.5, 1e-9, 1e6, 1e9, 9.2e12, 9.3e18, 1e300, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY,
            f64::NEG_INFINITY,
        ]),
    ]
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(String::from)
}

prop_compose! {
    /// An order that a venue understands, but for some of its numbers.
    fn likely()(
        order_id in prop_oneof![1..12_i32, any::<i32>()], parent_id in prop_oneof![Just(0), 1..12_i32],
        action in prop::option::weighted(0.95, prop_oneof![Just(Side::Buy), Just(Side::Sell)]),
        total_quantity in prop_oneof![4 => (1..3_000_i32).prop_map(f64::from), 1 => edge()],
        order_type in word(&["MKT", "LMT", "STP", "STP LMT", "TRAIL", "MIDPRICE", "PEG MID", "REL", "MOC", "LOC", "?"]),
        prices in prop::array::uniform4(prop::option::of(edge())),
        tif in word(&["DAY", "GTC", "IOC", "FOK", "GTD", "OPG", ""]),
        good_till_date in word(&["", "20260825-14:30:00", "20260825 11:00:00 US/Eastern", "99991231-10:00:00", "99991231 10:00:00", "00010101 10:00:00",
            "20260825-24:00:00", "x",
        ]),
        (transmit, what_if, outside_rth) in (prop::bool::weighted(0.9), prop::bool::weighted(0.1), any::<bool>()),
        oca_group in word(&["", "", "a", "b"]), oca_type in 0..4_i32,
    ) -> Order {
        let [limit_price, aux_price, trailing_percent, trail_stop_price] = prices;
        Order {
            order_id, parent_id, action, total_quantity, order_type, limit_price, aux_price, tif, good_till_date,
            account: ACCOUNT.into(), transmit, what_if, outside_rth, oca_group, oca_type, trailing_percent,
            trail_stop_price, ..Order::default()
        }
    }
}

/// What a client does next.
#[derive(Clone, Debug)]
enum Step {
    Ask(u64, Box<Request>),
    Pass(i64),
    Trade(u16, i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    let place = (likely(), 0..4_usize).prop_map(|(order, name)| {
        let ids = [AAPL, 900_000_001, 900_000_002, 4_711];
        Request::PlaceOrder { contract: contract(ids[name]), order }
    });
    let any_request = (parts(), order(), any::<prop::sample::Index>()).prop_map(|(p, order, i)| {
        let mut all = requests(p, order);
        all.swap_remove(i.index(all.len()))
    });
    // A known contract, so that it gets past the first check.
    let known = any_request.prop_map(|mut r| {
        if let Request::ReqMktData { contract: c, .. }
        | Request::ReqHistoricalData { contract: c, .. }
        | Request::PlaceOrder { contract: c, .. } = &mut r
        {
            *c = Contract { con_id: AAPL, ..contract(AAPL) };
        }
        r
    });
    let conn = 1..4_u64;
    prop_oneof![
        6 => (conn.clone(), place).prop_map(|(c, r)| Step::Ask(c, Box::new(r))),
        2 => (conn.clone(), known).prop_map(|(c, r)| Step::Ask(c, Box::new(r))),
        2 => (conn.clone(), 1..12_i32).prop_map(|(c, order_id)| Step::Ask(c, Box::new(Request::CancelOrder { order_id }))),
        1 => conn.prop_map(|c| Step::Ask(c, Box::new(Request::ReqGlobalCancel))),
        2 => (0..400_000_i64).prop_map(Step::Pass),
        3 => (0..3_u16, 8_000..32_000_i64, 1..5_000_i64).prop_map(|(s, cents, size)| Step::Trade(s, cents, size)),
    ]
}

/// The shipped scenarios.
fn scenarios() -> &'static [Scenario] {
    static ALL: OnceLock<Vec<Scenario>> = OnceLock::new();
    ALL.get_or_init(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/faults");
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path()).collect();
        paths.sort();
        let files = paths.iter().filter(|p| p.extension().is_some_and(|e| e == "toml"));
        files.map(|p| Scenario::read(p).unwrap()).collect()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_asked_and_goes_wrong_the_books_stay_exact(
        steps in prop::collection::vec(step(), 1..60), delays in any::<bool>(), seed in any::<u64>(),
        picked in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let delays = if delays { Delays::default() } else { Delays::NONE };
        let all = scenarios();
        let scenarios = picked.iter().map(|i| all[i.index(all.len())].clone()).collect();
        let start = Date(20_260_825).at(10, 0);
        let mut b = Bench::seeded(start, seed, |c| (c.delays, c.scenarios) = (delays, scenarios));
        for client in 1..4 {
            b.log_in(client);
        }
        for step in steps {
            match step {
                Step::Ask(conn, request) => b.ask(conn, *request),
                Step::Pass(ms) => b.run(ms),
                Step::Trade(symbol, cents, size) => {
                    let price = cents as f64 / 100.0;
                    b.quote(symbol, price - 0.01, size, price + 0.01, size);
                    b.trade(symbol, price, size);
                }
            }
        }
        b.venue.finish(&mut b.out);
        prop_assert!(b.venue.audit().books_agree);
    }
}
