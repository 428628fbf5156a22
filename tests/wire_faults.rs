//! Every scenario tagged `wire` over TCP: what a client written by hand meets at the gateway process, and what it finds
//! when it comes back. All run side by side: they mostly wait.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests: a broken expectation must stop them; a process is waited for"
)]

mod raw_client;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ibkr_trader::sim::faults::{Scenario, Tag};
use raw_client::*;

/// Session seconds a second: second 20 of a scenario comes after half a second.
const SPEED: &str = "40";

type Play = fn(&Gateway);

fn plays() -> BTreeMap<&'static str, Play> {
    let all: [(&str, Play); 30] = [
        ("1300-socket-port-reset", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.wait_code(1300);
            c.until_closed();
            Raw::log_in_again(&g.address, 5);
        }),
        ("partial-fill-then-disconnect", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.place(1, &market("BUY", 300));
            c.until_closed();
            let told: Vec<_> = c.seen.iter().filter(|f| f.id == EXECUTION).collect();
            assert_eq!(told.len(), 1, "the end comes right after the first fill");
            let filled = |c: &mut Raw| c.executions().iter().map(|(_, q)| whole(q)).sum::<i64>();
            let mut again = Raw::log_in_again(&g.address, 5);
            assert!(settled(&mut again, |c| filled(c) == 300), "it went on filling: {}", filled(&mut again));
        }),
        ("disconnect-mid-order", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.place(1, &buy(10, 1.0));
            c.place(2, &buy(20, 1.0));
            c.until_closed();
            let mut again = Raw::log_in_again(&g.address, 5);
            let arrived = settled(&mut again, |c| c.open_orders().len() == 2);
            assert!(arrived, "both orders were taken");
            let ids: Vec<_> = again.open_orders().iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, [1, 2]);
        }),
        ("restart-mid-order", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.place(1, &buy(10, 1.0));
            c.place(2, &buy(20, 1.0));
            c.until_closed();
            let mut again = Raw::log_in_again(&g.address, 5);
            let next = again.seen.iter().find(|f| f.id == NEXT_VALID_ID).and_then(|f| f.int(1));
            assert_eq!(next, Some(2), "id 2 is handed out again");
            let both = |c: &mut Raw| c.open_orders().iter().map(|(id, _)| *id).eq([1, 2]);
            assert!(settled(&mut again, both), "though it works: {:?}", again.open_orders());
            again.place(2, &buy(30, 1.0));
            let kept = |c: &mut Raw| c.open_orders().len() == 2;
            assert!(settled(&mut again, kept), "what uses it again modifies the old order");
        }),
        ("disconnect-on-modify", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.place(1, &buy(10, 1.0));
            c.wait("its acknowledgement", |f| (f.id == ORDER_STATUS).then_some(()));
            c.place(1, &buy(15, 1.0));
            c.until_closed();
            let mut again = Raw::log_in_again(&g.address, 5);
            let one = |c: &mut Raw| c.open_orders() == [(1, "15".to_string())];
            assert!(settled(&mut again, one), "one order, at its new terms: {:?}", again.open_orders());
        }),
        ("326-client-id-in-use", |g| {
            let mut c = Raw::connect(&g.address);
            c.start(5);
            c.wait_code(326);
            c.until_closed();
            Raw::log_in(&g.address, 5);
        }),
        ("half-open-socket", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            assert_eq!(silence(&mut c), Next::Silence);
            c.send(IDS, Body::default());
            assert_eq!(silence(&mut c), Next::Silence);
        }),
        ("hung-gateway", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            assert_eq!(silence(&mut c), Next::Silence);
            c.send(IDS, Body::default());
            assert_eq!(silence(&mut c), Next::Silence);
            let (_, answer) = Raw::greet(&g.address, Duration::from_millis(500));
            assert_eq!(answer, None, "nor does it greet anybody");
        }),
        ("restart-mid-session", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            for id in 1..=3 {
                c.place(id, &buy(10 + u32::try_from(id).unwrap(), 1.0));
            }
            c.until_closed();
            let again = Raw::log_in_again(&g.address, 5);
            let next = again.seen.iter().find(|f| f.id == NEXT_VALID_ID).and_then(|f| f.int(1));
            assert_eq!(next, Some(2), "ids 2 and 3 are handed out again");
        }),
        ("restart-executions-vanish", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.place(1, &market("BUY", 10));
            c.wait("the fill", |f| (f.id == EXECUTION).then_some(()));
            c.until_closed();
            let mut again = Raw::log_in_again(&g.address, 5);
            assert_eq!(again.executions(), []);
            assert_eq!(again.list(POSITIONS, POSITION, POSITION_END).len(), 1, "the position does not lie");
        }),
        ("pacing-disconnect", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            flood(&mut c);
            c.wait_code(100);
            c.until_closed();
            Raw::log_in_again(&g.address, 5);
        }),
        ("pacing-hang", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            flood(&mut c);
            c.wait_code(100);
            assert_eq!(c.until_no_frame(), Next::Silence);
        }),
        ("second-factor-pending", |g| {
            let mut c = Raw::connect(&g.address);
            c.start(5);
            assert_eq!(c.next(Duration::from_millis(200)), Next::Silence);
            Raw::log_in_again(&g.address, 5);
        }),
        ("startup-hangs", |g| {
            let mut c = Raw::connect(&g.address);
            c.start(5);
            c.wait("the accounts", |f| (f.id == MANAGED_ACCOUNTS).then_some(()));
            assert!(c.seen.iter().all(|f| f.id != NEXT_VALID_ID));
            Raw::log_in_again(&g.address, 6);
        }),
        ("session-taken-over", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.watch_aapl(1);
            c.wait_code(10197);
            c.wait_code(1100);
            c.until_closed();
            Raw::log_in_again(&g.address, 5);
        }),
        ("weekly-reauthentication", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.wait_code(1100);
            c.until_closed();
            Raw::log_in_again(&g.address, 5);
        }),
        ("malformed-frame", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            let broken = c.wait("a broken frame", |f| f.fields().is_none().then(|| f.clone()));
            assert_eq!(broken.id, NEXT_VALID_ID);
            still_serves(&mut c);
        }),
        ("unknown-message", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.wait("message 9799", |f| (f.id == 9_799).then_some(()));
            still_serves(&mut c);
        }),
        ("truncated-frame", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.watch_aapl(1);
            // The frames behind it are read as its rest: 96 bytes of body.
            let swallowed = c.wait("a frame of others' bytes", |f| (f.body.len() == 96).then(|| f.clone()));
            assert_eq!(swallowed.id, NEXT_VALID_ID);
            assert!(swallowed.body.starts_with(b"\x08\x01\x08\x01\0\0\0"), "{:?}", swallowed.body);
        }),
        ("frame-cut-by-the-end", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            assert_eq!(last(&mut c), Next::Cut);
            Raw::log_in_again(&g.address, 5);
        }),
        ("507-oversized-frame", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            assert_eq!(last(&mut c), Next::BadLength(0x7FFF_FFFF));
            Raw::log_in_again(&g.address, 6);
        }),
        ("garbage-bytes", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            assert!(matches!(last(&mut c), Next::BadLength(_)));
            Raw::log_in_again(&g.address, 6);
        }),
        ("no-handshake-answer", |g| {
            Raw::log_in(&g.address, 5).until_closed();
            let (mut c, answer) = Raw::greet(&g.address, Duration::from_millis(300));
            assert_eq!(answer, None);
            assert_eq!(c.next(Duration::from_millis(10)), Next::Silence, "the socket stays");
            Raw::log_in_again(&g.address, 5);
        }),
        ("502-connection-refused", |g| {
            Raw::log_in(&g.address, 5).until_closed();
            let (mut c, answer) = Raw::greet(&g.address, PATIENCE);
            assert_eq!((answer, c.next(PATIENCE)), (None, Next::Closed));
            Raw::log_in_again(&g.address, 5);
        }),
        ("handshake-garbage", |g| {
            Raw::log_in(&g.address, 5).until_closed();
            let (_, answer) = Raw::greet(&g.address, PATIENCE);
            assert_eq!(answer.as_deref(), Some(&b"hello world!"[..]));
            Raw::log_in_again(&g.address, 5);
        }),
        ("slow-drip", trades),
        ("one-byte-at-a-time", trades),
        ("coalesced-frames", trades),
        // A gateway that is up and refuses every order is judged in lockstep; here, that its socket looks well meanwhile.
        ("unauthenticated", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.place(1, &market("BUY", 10));
            c.wait_code(201);
            drop(c);
            let mut again = Raw::log_in(&g.address, 5);
            again.place(2, &market("BUY", 11));
            again.wait_code(201);
            still_serves(&mut again);
        }),
        ("1101-reports-lost", |g| {
            let mut c = Raw::log_in(&g.address, 5);
            c.watch_aapl(1);
            c.place(1, &market("BUY", 10));
            c.wait_code(1100);
            c.wait_code(1101);
            assert_eq!(c.executions().len(), 1, "only a question brings the fill");
        }),
    ];
    all.into_iter().collect()
}

fn whole(shares: &str) -> i64 {
    shares.parse().unwrap()
}

/// Whether it comes true while the venue's delays pass.
fn settled(c: &mut Raw, mut is_so: impl FnMut(&mut Raw) -> bool) -> bool {
    (0..50).any(|_| {
        let so = is_so(c);
        if !so {
            std::thread::sleep(Duration::from_millis(20));
        }
        so
    })
}

/// What ends a time in which nothing was to come: the scenario strikes after half a second at most.
fn silence(c: &mut Raw) -> Next {
    std::thread::sleep(Duration::from_millis(600));
    while let Next::Frame(_) = c.next(Duration::from_millis(10)) {}
    c.next(Duration::from_millis(400))
}

/// What is not a frame any more.
fn last(c: &mut Raw) -> Next {
    for _ in 0..10_000 {
        match c.next(PATIENCE) {
            Next::Frame(_) => {}
            end => return end,
        }
    }
    panic!("frames never stopped coming");
}

fn flood(c: &mut Raw) {
    for _ in 0..200 {
        c.send(IDS, Body::default());
    }
}

fn still_serves(c: &mut Raw) {
    c.send(IDS, Body::default());
    c.wait_new("the next id", |f| (f.id == NEXT_VALID_ID && f.fields().is_some()).then_some(()));
}

/// However the bytes come, a trade is a trade.
fn trades(g: &Gateway) {
    let mut c = Raw::log_in(&g.address, 5);
    c.watch_aapl(1);
    c.wait("a quote", |f| (f.id == TICK_PRICE).then_some(()));
    c.place(1, &market("BUY", 10));
    c.wait("the fill", |f| (f.id == EXECUTION).then_some(()));
    assert!(c.seen.iter().all(|f| f.fields().is_some()), "every frame is whole");
}

#[test]
fn every_wire_scenario_is_met_over_tcp() {
    let names: Vec<_> = plays().into_iter().collect();
    let failed: Vec<&str> = std::thread::scope(|s| {
        let run = |(name, play): (&'static str, Play)| {
            s.spawn(move || {
                let mut gateway = Gateway::with_scenario(name, SPEED);
                play(&gateway);
                assert!(gateway.is_running(), "{name}: the gateway is gone");
            })
        };
        let threads: Vec<_> = names.into_iter().map(|(name, play)| (name, run((name, play)))).collect();
        threads.into_iter().filter_map(|(name, t)| t.join().is_err().then_some(name)).collect()
    });
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn no_wire_scenario_is_left_out() {
    let folder = scenario("x").parent().unwrap().to_path_buf();
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|e| e.path());
    let files = entries.filter(|p| p.extension().is_some_and(|e| e == "toml"));
    let wire = files.filter(|p| Scenario::read(p).unwrap().tag == Tag::Wire);
    let wire: BTreeSet<String> = wire.map(|p| p.file_stem().unwrap().to_str().unwrap().to_string()).collect();
    let played: BTreeSet<String> = plays().keys().map(|n| (*n).to_string()).collect();
    assert!(wire.is_subset(&played), "without a play: {:?}", wire.difference(&played));
}
