//! The last look before the wire: how many orders may be unacknowledged, what is withdrawn and why, and that nothing
//! leaves before it is durable (the rig's socket checks that at every new order).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod orders_support;

use ibkr_trader::clock::SECOND;
use ibkr_trader::domain::{ConnEpoch, OrderId};
use ibkr_trader::journal::record::why;
use ibkr_trader::journal::{Record, scan};
use ibkr_trader::message::*;
use ibkr_trader::routing::orders::State;
use ibkr_trader::routing::{Config, Control, RoutingIn};
use orders_support::*;

fn quick() -> Config {
    let mut c = config();
    c.limits.messages_per_s = 50;
    c.limits.messages_reserve = 5;
    c.limits.messages_per_100ms = 45;
    c.execution.ack_timeout_s = 60;
    c
}

fn news(rig: &Rig) -> Vec<i32> {
    rig.broker().writes.iter().filter(|w| w.0 == "new").map(|w| w.1.0).collect()
}

fn withdrawals(rig: &mut Rig) -> Vec<(i32, u8)> {
    rig.journal.flush(rig.now + SECOND);
    let mut all = Vec::new();
    scan(&mut rig.disk.clone(), |_, r| {
        if let Record::Withdrawn(w) = r {
            all.push((w.order_id.0, w.why));
        }
    })
    .unwrap();
    all
}

#[test]
fn at_most_four_new_orders_are_unacknowledged_and_an_answer_frees_a_place() {
    let mut rig = Rig::ready(8, quick());
    for s in 0..8 {
        rig.target(s, 10, Cause::Enter);
    }
    assert_eq!(news(&rig), [1, 2, 3, 4]);
    assert_eq!((rig.sender.waiting(), rig.sender.unacknowledged()), (4, 4));
    rig.deliver(); // openOrder of order 1
    assert_eq!(rig.order_state(1), State::Acked);
    assert_eq!(news(&rig), [1, 2, 3, 4, 5]);
    rig.settle();
    assert_eq!(news(&rig), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn what_waits_longer_than_its_time_to_live_is_withdrawn() {
    let mut rig = Rig::ready(6, quick());
    for s in 0..6 {
        rig.target(s, 10, Cause::Enter);
    }
    rig.now = rig.now + 2 * SECOND;
    rig.pump();
    assert_eq!(news(&rig), [1, 2, 3, 4]);
    assert_eq!((rig.order_state(5), rig.order_state(6)), (State::Withdrawn, State::Withdrawn));
    let gone = withdrawals(&mut rig);
    assert!(gone.contains(&(5, why::TTL)) && gone.contains(&(6, why::TTL)), "{gone:?}");
}

#[test]
fn a_new_connection_withdraws_what_was_meant_for_the_old_one() {
    let mut rig = Rig::ready(6, quick());
    for s in 0..6 {
        rig.target(s, 10, Cause::Enter);
    }
    rig.broker().epoch = Some(ConnEpoch(2));
    rig.pump();
    assert_eq!(news(&rig), [1, 2, 3, 4]);
    assert!(withdrawals(&mut rig).contains(&(5, why::EPOCH)));
    assert_eq!(rig.sender.unacknowledged(), 0, "the old connection's orders are doubt, not load");
}

#[test]
fn the_panic_latch_lets_only_cancels_pass() {
    let mut rig = Rig::ready(2, quick());
    rig.target(0, 10, Cause::Enter);
    rig.settle();
    rig.gate.latch();
    rig.target(1, 10, Cause::Enter);
    assert_eq!(rig.order_state(2), State::Withdrawn);
    assert!(withdrawals(&mut rig).contains(&(2, why::LATCH)));
    rig.feed(RoutingIn::Control(Control::CancelAll));
    rig.settle();
    assert_eq!(rig.broker().writes, [("new", OrderId(1)), ("cancel", OrderId(1))]);
    assert_eq!(rig.order_state(1), State::Cancelled);
}

#[test]
fn a_reduction_has_its_own_lane_and_what_it_overtakes_comes_back_under_a_new_id() {
    let mut rig = Rig::ready(7, quick());
    rig.target(6, 10, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 10);
    rig.settle();
    for s in 0..6 {
        rig.target(s, 10, Cause::Enter);
    }
    assert_eq!(news(&rig), [1, 2, 3, 4, 5], "four entries fill the places");
    rig.target(6, 0, Cause::Exit);
    assert_eq!(news(&rig).last(), Some(&8), "the exit does not wait for them");
    assert_eq!((rig.order_state(6), rig.order_state(7)), (State::Withdrawn, State::Withdrawn));
    let gone = withdrawals(&mut rig);
    assert!(gone.contains(&(6, why::OVERTAKEN)), "ids must rise on the wire: {gone:?}");
    rig.settle();
    rig.wait_s(1);
    let mut sent = news(&rig);
    assert_eq!(sent.len(), 8, "both entries went out in the end: {sent:?}");
    let in_order = sent.clone();
    sent.sort_unstable();
    assert_eq!(sent, in_order, "rising ids only");
}

#[test]
fn a_cancel_of_an_order_that_still_waits_sends_neither() {
    // Still in the journal.
    let mut rig = Rig::ready(6, quick());
    rig.hold = true;
    rig.target(0, 10, Cause::Enter);
    rig.feed(RoutingIn::Control(Control::CancelAll));
    rig.hold = false;
    rig.pump();
    assert!(rig.broker().writes.is_empty());
    assert_eq!(rig.order_state(1), State::Withdrawn);
    // Still in the sender's queue.
    let mut rig = Rig::ready(6, quick());
    for s in 0..6 {
        rig.target(s, 10, Cause::Enter);
    }
    assert_eq!(rig.sender.waiting(), 2);
    rig.feed(RoutingIn::Control(Control::CancelAll));
    rig.settle();
    rig.wait_s(1);
    assert_eq!(news(&rig), [1, 2, 3, 4]);
    assert!(withdrawals(&mut rig).contains(&(5, why::CANCELLED)));
    assert_eq!(rig.order_state(5), State::Withdrawn);
    assert!(rig.broker().live().is_empty());
}

#[test]
fn one_sync_makes_a_whole_group_durable() {
    let mut rig = Rig::ready(4, quick());
    rig.hold = true;
    let before = rig.disk.syncs();
    for s in 0..4 {
        rig.target(s, 10, Cause::Enter);
    }
    assert_eq!(rig.disk.syncs(), before);
    rig.hold = false;
    rig.pump();
    assert_eq!((rig.disk.syncs() - before, news(&rig).len()), (1, 4));
}

#[test]
fn new_terms_that_wait_for_the_disk_never_leave_after_a_cancel() {
    let mut rig = Rig::ready(1, quick());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.wait_s(4);
    rig.hold = true;
    rig.wait_s(2);
    assert_eq!(rig.order_state(1), State::PendModify, "the step at a third of the window");
    rig.feed(RoutingIn::Control(Control::CancelAll));
    rig.hold = false;
    rig.pump();
    rig.settle();
    let writes: Vec<_> = rig.broker().writes.iter().map(|w| w.0).collect();
    assert_eq!(writes, ["new", "cancel"]);
    assert_eq!(rig.order_state(1), State::Cancelled);
    assert_eq!(withdrawals(&mut rig), [(1, why::CANCELLED)]);
}
