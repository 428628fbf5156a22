//! Tests of the session machine: the whole transition table, epochs and backoff.

use super::*;

const INPUTS: [Input; 8] = [
    Input::Tick,
    Input::Connected,
    Input::Failed { may_pass: true },
    Input::Failed { may_pass: false },
    Input::AccountOk,
    Input::Qualified,
    Input::Dropped,
    Input::Stop,
];

fn name(phase: Phase) -> &'static str {
    match phase {
        Phase::Waiting { .. } => "Waiting",
        Phase::Connecting => "Connecting",
        Phase::AccountCheck => "AccountCheck",
        Phase::Qualify => "Qualify",
        Phase::Ready => "Ready",
        Phase::Ended => "Ended",
    }
}

fn at(phase: Phase) -> Session {
    Session { phase, ..Session::new(1) }
}

#[test]
fn every_phase_meets_every_input() {
    let phases = [
        Phase::Waiting { until_ms: 100 },
        Phase::Connecting,
        Phase::AccountCheck,
        Phase::Qualify,
        Phase::Ready,
        Phase::Ended,
    ];
    let mut table = String::new();
    for phase in phases {
        for input in INPUTS {
            let mut s = at(phase);
            let action = s.step(input, 100);
            if s.phase != phase || action != Action::None {
                table += &format!("{} + {input:?} -> {} {action:?}\n", name(phase), name(s.phase));
            }
        }
    }
    let expected = "\
Waiting + Tick -> Connecting Connect(ConnEpoch(1))
Waiting + Stop -> Ended None
Connecting + Connected -> AccountCheck CheckAccount
Connecting + Failed { may_pass: true } -> Waiting Close
Connecting + Failed { may_pass: false } -> Ended GiveUp
Connecting + Dropped -> Waiting Close
Connecting + Stop -> Ended Close
AccountCheck + Failed { may_pass: true } -> Waiting Close
AccountCheck + Failed { may_pass: false } -> Ended GiveUp
AccountCheck + AccountOk -> Qualify Qualify
AccountCheck + Dropped -> Waiting Close
AccountCheck + Stop -> Ended Close
Qualify + Failed { may_pass: true } -> Waiting Close
Qualify + Failed { may_pass: false } -> Ended GiveUp
Qualify + Qualified -> Ready GoLive
Qualify + Dropped -> Waiting Close
Qualify + Stop -> Ended Close
Ready + Failed { may_pass: true } -> Waiting Close
Ready + Failed { may_pass: false } -> Ended GiveUp
Ready + Dropped -> Waiting Close
Ready + Stop -> Ended Close
";
    assert_eq!(table, expected);
}

#[test]
fn a_new_socket_is_a_new_epoch_and_contracts_are_read_once() {
    let mut s = Session::new(7);
    assert_eq!(s.step(Input::Tick, 0), Action::Connect(ConnEpoch(1)));
    s.step(Input::Connected, 1);
    assert_eq!(s.step(Input::AccountOk, 2), Action::Qualify);
    assert_eq!(s.step(Input::Qualified, 3), Action::GoLive);
    assert_eq!(s.step(Input::Dropped, 4), Action::Close);
    assert_eq!(s.step(Input::Tick, 5), Action::None, "backs off first");
    assert_eq!(s.step(Input::Tick, 1_000), Action::Connect(ConnEpoch(2)));
    s.step(Input::Connected, 1_001);
    assert_eq!(s.step(Input::AccountOk, 1_002), Action::GoLive);
    assert_eq!(s.epoch(), ConnEpoch(2));
}

#[test]
fn backoff_doubles_to_a_limit_is_spread_and_starts_anew_after_success() {
    let waits = |seed| {
        let mut s = Session::new(seed);
        (0..12).map(|_| s.next_wait_ms()).collect::<Vec<_>>()
    };
    for (i, wait) in waits(3).iter().enumerate() {
        let base = (BACKOFF_FIRST_MS << i).min(BACKOFF_MAX_MS);
        assert!((base * 3 / 4..=base * 5 / 4 + 1).contains(wait), "{i}: {wait}");
    }
    assert_ne!(waits(3), waits(4));
    assert_eq!(waits(3), waits(3));
    let mut s = at(Phase::Qualify);
    s.failures = 9;
    s.step(Input::Qualified, 0);
    assert!(s.next_wait_ms() <= BACKOFF_FIRST_MS * 5 / 4 + 1);
}
