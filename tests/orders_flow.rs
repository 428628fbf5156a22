//! The order path as a whole: targets to children, fills to positions, doubt to proof. The broker is simulated, the
//! stage, journal and sender are the real ones.

mod orders_support;

use ibkr_trader::clock::SECOND;
use ibkr_trader::domain::{ClientId, ConnEpoch, Money, OrderId, OrderKind, PermId, Price, Qty, Side, SymbolId, Tif};
use ibkr_trader::message::*;
use ibkr_trader::routing::orders::State;
use ibkr_trader::routing::{Alert, Control, DisarmReason, Fact, Mode, Reject, RoutingIn};
use orders_support::*;

#[test]
fn an_entry_rests_passive_steps_up_by_modify_and_is_cancelled_when_its_time_is_over() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    assert_eq!(rig.order_state(1), State::Acked);
    assert_eq!(rig.limit_of(1), usd(100.02), "mid, rounded to the passive side");
    let Tif::Gtd(until) = rig.broker().orders[&OrderId(1)].terms.tif else { panic!("entries are GTD") };
    assert!(until > rig.now + 15 * SECOND && until.nanos() % SECOND == 0);
    rig.wait_s(6);
    assert_eq!(rig.limit_of(1), usd(100.03), "one tick at a third");
    rig.wait_s(5);
    assert_eq!(rig.limit_of(1), usd(100.04), "two ticks at two thirds");
    rig.wait_s(6);
    let writes = rig.broker().writes.clone();
    assert_eq!(writes, [("new", OrderId(1)), ("modify", OrderId(1)), ("modify", OrderId(1)), ("cancel", OrderId(1))]);
    assert_eq!((rig.order_state(1), rig.filled(0)), (State::Cancelled, 0));
    rig.wait_s(30);
    assert_eq!(rig.broker().writes.len(), 4, "an entry is tried once per window");
}

#[test]
fn fills_move_the_position_and_the_state_tells_decision() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 40);
    rig.settle();
    let s = rig.state[&SymbolId(0)];
    assert_eq!((s.filled, s.working, s.frozen), (Qty(40), Qty(60), false));
    rig.broker().fill(OrderId(1), 60);
    rig.settle();
    let s = rig.state[&SymbolId(0)];
    assert_eq!((s.filled, s.working, rig.order_state(1)), (Qty(100), Qty(0), State::Filled));
    assert_eq!(rig.stage.book().commissions(), Money(2 * DOLLAR));
    rig.target(0, 0, Cause::Exit);
    rig.settle();
    assert_eq!(rig.side_of(2), Side::Sell);
    rig.broker().fill(OrderId(2), 100);
    rig.settle();
    rig.wait_s(1);
    assert_eq!(rig.filled(0), 0);
    let p = rig.stage.book().position(SymbolId(0));
    assert_eq!((p.realized, p.cash_flow), (Money(0), Money(0)), "bought and sold at the passive mid");
}

#[test]
fn an_exit_crosses_at_the_end_and_goes_on_until_it_is_closed() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 100);
    rig.settle();
    rig.target(0, 0, Cause::Exit);
    rig.wait_s(16);
    assert!(rig.limit_of(2) < usd(100.0), "through the bid, with capped slippage: {}", rig.limit_of(2));
    assert!(rig.limit_of(2) >= usd(99.69));
    rig.wait_s(30);
    let sells = rig.broker().writes.iter().filter(|w| w.0 == "new").count();
    assert!(sells >= 3, "a new child after each window that did not fill: {sells}");
    let id = *rig.broker().live().last().unwrap();
    rig.broker().fill(id, 100);
    rig.settle();
    rig.wait_s(20);
    assert_eq!((rig.filled(0), rig.live_orders().len()), (0, 0));
    rig.assert_positions();
}

#[test]
fn an_opposite_target_cancels_first_and_a_sell_through_zero_closes_first() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 60);
    rig.settle();
    rig.target(0, -50, Cause::Enter);
    assert_eq!(rig.order_state(1), State::PendCancel);
    assert_eq!(rig.live_orders(), [OrderId(1)], "no sell beside a live buy");
    rig.settle();
    rig.wait(SECOND / 4);
    rig.settle();
    let sell = rig.broker().orders[&OrderId(2)].clone();
    assert_eq!((sell.terms.side, sell.terms.qty), (Side::Sell, Qty(60)), "only what is held");
    rig.broker().fill(OrderId(2), 60);
    rig.settle();
    rig.wait(SECOND / 4);
    let short = rig.broker().orders[&OrderId(3)].clone();
    assert_eq!((short.terms.side, short.terms.qty), (Side::Sell, Qty(50)));
    rig.assert_positions();
}

#[test]
fn executions_are_the_truth_in_any_order_and_apply_once() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    // The fill overtakes every acknowledgement.
    rig.broker().outbox.clear();
    rig.broker().fill(OrderId(1), 100);
    let e = *rig.broker().executions.last().unwrap();
    rig.broker().outbox.clear();
    rig.feed(RoutingIn::Broker(BrokerEvent::Execution(e)));
    rig.feed(RoutingIn::Broker(BrokerEvent::Execution(e)));
    assert_eq!((rig.filled(0), rig.order_state(1)), (100, State::Filled));
    // A late Submitted changes nothing, a correction replaces.
    let o = rig.broker().orders[&OrderId(1)].clone();
    let stale = OpenOrderFact { status: BrokerStatus::Submitted, ..Broker::open_fact(&o) };
    rig.feed(RoutingIn::Broker(BrokerEvent::OpenOrder(stale)));
    assert_eq!(rig.order_state(1), State::Filled);
    let corrected =
        ExecutionFact { exec_id: ExecId::new("0001.0001.01.02").unwrap(), price: usd(100.05), qty: Qty(90), ..e };
    rig.feed(RoutingIn::Broker(BrokerEvent::Execution(corrected)));
    assert_eq!(rig.filled(0), 90);
    assert_eq!(rig.stage.book().position(SymbolId(0)).cash_flow, Money(-90 * 100_050_000));
    rig.feed(RoutingIn::Broker(BrokerEvent::Execution(e)));
    assert_eq!(rig.filled(0), 90, "the replaced version is a repeat");
}

#[test]
fn a_fill_after_cancelled_is_applied_and_told() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 30);
    let late = rig.broker().outbox.pop_front().unwrap();
    rig.broker().outbox.clear();
    let status = StatusFact {
        order_id: OrderId(1),
        client: CLIENT,
        perm_id: PermId(9_001),
        status: BrokerStatus::Cancelled,
        why_held: WhyHeld::None,
        filled: Qty(30),
        remaining: Qty(70),
        average: Price::NONE,
        cap: Price::NONE,
    };
    rig.feed(RoutingIn::Broker(BrokerEvent::Status(status)));
    let s = rig.state[&SymbolId(0)];
    assert_eq!((s.filled, s.unknown, s.frozen), (Qty(0), Qty(30), true), "claimed fills stay reserved");
    rig.feed(RoutingIn::Broker(late));
    let s = rig.state[&SymbolId(0)];
    assert_eq!((s.filled, s.unknown, s.frozen), (Qty(30), Qty(0), false));
    assert!(rig.alerts().contains(&Alert::LateFill(OrderId(1))));
}

#[test]
fn rejections_come_in_either_order_and_end_the_entry() {
    for first_error in [true, false] {
        let mut rig = Rig::ready(1, config());
        rig.target(0, 100, Cause::Enter);
        rig.settle();
        let error = BrokerEvent::Error(ErrorFact { id: 1, code: 201, named_state: None });
        let inactive = BrokerEvent::Status(StatusFact {
            order_id: OrderId(1),
            client: CLIENT,
            perm_id: PermId(9_001),
            status: BrokerStatus::Inactive,
            why_held: WhyHeld::None,
            filled: Qty(0),
            remaining: Qty(100),
            average: Price::NONE,
            cap: Price::NONE,
        });
        let pair = if first_error { [error, inactive] } else { [inactive, error] };
        for e in pair {
            rig.feed(RoutingIn::Broker(e));
            assert_eq!(rig.order_state(1), State::Rejected);
        }
        rig.broker().orders.clear();
        rig.wait_s(5);
        assert_eq!(rig.broker().writes.len(), 1, "a refused entry is not repeated");
    }
}

#[test]
fn a_locate_hold_is_no_rejection_and_warnings_never_end_an_order() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    for code in [399, 10_349, 110, 2_161] {
        rig.feed(RoutingIn::Broker(BrokerEvent::Error(ErrorFact { id: 1, code, named_state: None })));
        assert_eq!(rig.order_state(1), State::Acked, "code {code}");
    }
    rig.feed(RoutingIn::Broker(BrokerEvent::Error(ErrorFact { id: 1, code: 404, named_state: None })));
    assert_eq!(rig.order_state(1), State::Held);
}

#[test]
fn an_unlisted_error_on_an_order_never_seen_is_settled_by_one_cancel() {
    let mut rig = Rig::ready(1, config());
    rig.broker().swallow = true;
    rig.target(0, 100, Cause::Enter);
    rig.broker().swallow = false;
    rig.feed(RoutingIn::Broker(BrokerEvent::Error(ErrorFact { id: 1, code: 10_256, named_state: None })));
    assert_eq!(rig.broker().writes.last(), Some(&("cancel", OrderId(1))));
    rig.settle(); // 10147: the order never existed.
    assert_eq!(rig.order_state(1), State::Rejected);
}

#[test]
fn a_refused_modify_leaves_the_old_order_live() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().swallow = true;
    rig.wait_s(6);
    assert_eq!(rig.order_state(1), State::PendModify);
    rig.broker().swallow = false;
    rig.feed(RoutingIn::Broker(BrokerEvent::Error(ErrorFact { id: 1, code: 105, named_state: None })));
    let o = *rig.stage.book().order(OrderId(1)).unwrap();
    assert_eq!((o.state, o.terms.kind, o.pending), (State::Acked, OrderKind::Limit(usd(100.02)), None));
}

#[test]
fn nothing_is_sent_before_reconciliation_and_arming() {
    let mut rig = Rig::new(1, config());
    rig.feed(RoutingIn::Control(Control::Arm));
    rig.quote_all(100.0, 100.04);
    rig.target(0, 100, Cause::Enter);
    assert_eq!(rig.rejects(), [Reject::Link]);
    rig.connect(1);
    rig.quote_all(100.0, 100.04);
    assert!(rig.stage.is_armed(), "arming waits for reconciliation");
    rig.feed(RoutingIn::Control(Control::Disarm { reason: DisarmReason::Operator }));
    rig.target(0, 100, Cause::Enter);
    assert_eq!(rig.rejects().last(), Some(&Reject::NotArmed));
    assert!(rig.broker().writes.is_empty());
}

#[test]
fn a_quorum_that_is_back_loosens_nothing_that_another_cause_tightened() {
    let mut rig = Rig::ready(1, config());
    let modes = |rig: &Rig| {
        let modes = rig.facts.iter().filter_map(|f| if let Fact::Mode { mode, .. } = f { Some(*mode) } else { None });
        modes.collect::<Vec<_>>()
    };
    let mut want = Vec::new();
    for (control, change) in [
        (Control::Quorum { holds: true }, None),
        (Control::Quorum { holds: false }, Some(Mode::Observe)),
        (Control::Mode(Mode::Degraded), None),
        (Control::Quorum { holds: true }, Some(Mode::Degraded)),
        (Control::Quorum { holds: false }, Some(Mode::Observe)),
        (Control::Mode(Mode::Emergency), Some(Mode::Emergency)),
        (Control::Quorum { holds: true }, None),
        (Control::Quorum { holds: false }, None),
        (Control::Mode(Mode::Live), Some(Mode::Observe)),
    ] {
        rig.feed(RoutingIn::Control(control));
        want.extend(change);
        assert_eq!(modes(&rig), want, "after {control:?}");
    }
    rig.target(0, 100, Cause::Enter);
    assert!(rig.broker().writes.is_empty(), "observing opens nothing");
    rig.feed(RoutingIn::Control(Control::Quorum { holds: true }));
    rig.settle();
    rig.target(0, 200, Cause::Enter);
    rig.settle();
    assert_eq!(modes(&rig).last(), Some(&Mode::Live));
    assert!(!rig.broker().writes.is_empty(), "and with the cause gone it trades");
}

#[test]
fn a_lost_order_is_abandoned_only_by_two_rounds_of_proof() {
    let mut rig = Rig::ready(1, config());
    rig.broker().swallow = true;
    rig.target(0, 100, Cause::Enter);
    assert_eq!(rig.order_state(1), State::Sent);
    rig.disconnect();
    assert_eq!(rig.order_state(1), State::Unknown);
    assert!(rig.state[&SymbolId(0)].frozen);
    rig.broker().swallow = false;
    rig.connect(2);
    assert_eq!(rig.order_state(1), State::Unknown, "one round is not enough");
    rig.quote_all(100.0, 100.04);
    rig.target(0, 100, Cause::Enter);
    assert_eq!(rig.broker().writes.len(), 1, "frozen until proven");
    rig.wait_s(25);
    assert_eq!(rig.order_state(1), State::Abandoned);
    assert!(!rig.state[&SymbolId(0)].frozen);
    assert_eq!(rig.broker().submits.values().max(), Some(&1), "never sent again");
}

#[test]
fn without_the_end_of_executions_the_proof_is_weak_and_the_symbol_stays_reduce_only() {
    let mut rig = Rig::ready(1, config());
    rig.broker().swallow = true;
    rig.target(0, 100, Cause::Enter);
    rig.disconnect();
    rig.broker().swallow = false;
    rig.broker().executions_end_missing = true;
    rig.connect(2);
    rig.wait_s(15);
    assert_eq!(rig.order_state(1), State::Unknown);
    rig.wait_s(40);
    assert_eq!(rig.order_state(1), State::Abandoned);
    assert!(rig.alerts().contains(&Alert::WeakProof(OrderId(1))));
    assert!(rig.state[&SymbolId(0)].frozen);
}

#[test]
fn an_order_that_filled_while_the_link_was_down_is_found() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.disconnect();
    rig.broker().fill(OrderId(1), 100);
    rig.broker().outbox.clear();
    rig.connect(2);
    assert_eq!((rig.order_state(1), rig.filled(0)), (State::Filled, 100));
    rig.wait_s(15);
    assert!(rig.stage.is_armed() && !rig.state[&SymbolId(0)].frozen);
    rig.assert_positions();
}

#[test]
fn an_order_that_was_part_filled_and_cancelled_while_the_link_was_down_is_settled() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.disconnect();
    rig.broker().fill(OrderId(1), 30);
    rig.broker().expire(OrderId(1));
    rig.broker().outbox.clear();
    rig.connect(2);
    rig.wait_s(15);
    assert_eq!((rig.order_state(1), rig.filled(0)), (State::Cancelled, 30));
    assert!(!rig.state[&SymbolId(0)].frozen);
    rig.assert_positions();
}

#[test]
fn a_live_order_survives_a_reconnect_without_a_second_one() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.disconnect();
    rig.connect(2);
    assert_eq!(rig.order_state(1), State::Acked, "adopted from the open orders");
    rig.wait_s(20);
    assert_eq!(rig.broker().submits.len(), 1);
    assert_eq!(rig.order_state(1), State::Cancelled, "its window ended in the meantime");
}

#[test]
fn foreign_orders_and_fills_freeze_their_symbol_only() {
    let mut rig = Rig::ready(2, config());
    let manual = OpenOrderFact {
        order_id: OrderId(0),
        client: ClientId(0),
        perm_id: PermId(77),
        symbol: Some(SymbolId(0)),
        side: Side::Sell,
        qty: Qty(500),
        kind: OrderKind::Market,
        status: BrokerStatus::Submitted,
        order_ref: OrderRef::default(),
    };
    rig.feed(RoutingIn::Broker(BrokerEvent::OpenOrder(manual)));
    assert!(rig.state[&SymbolId(0)].frozen);
    assert_eq!(rig.stage.book().exposure(SymbolId(0)).shortest(), -500);
    rig.target(0, 100, Cause::Enter);
    assert!(rig.broker().writes.is_empty());
    rig.target(1, 100, Cause::Enter);
    rig.settle();
    assert_eq!(rig.broker().writes.len(), 1, "the other symbol trades on");
}

#[test]
fn unexplained_positions_keep_trading_disarmed() {
    let mut rig = Rig::new(1, config());
    rig.broker().positions.insert(SymbolId(0), 300);
    rig.connect(1);
    rig.quote_all(100.0, 100.04);
    rig.feed(RoutingIn::Control(Control::Arm));
    assert!(!rig.stage.is_armed());
    assert!(rig.alerts().contains(&Alert::Unexplained { symbol: SymbolId(0), broker: Qty(300), book: Qty(0) }));
    rig.broker().positions.insert(SymbolId(0), 0);
    rig.wait_s(11);
    assert!(rig.stage.is_armed(), "explained again");
}

#[test]
fn cancel_all_leaves_nothing_working_and_forgets_targets() {
    let mut rig = Rig::ready(3, config());
    for s in 0..3 {
        rig.target(s, 100, Cause::Enter);
    }
    rig.settle();
    rig.feed(RoutingIn::Control(Control::Disarm { reason: DisarmReason::SessionEnd }));
    rig.feed(RoutingIn::Control(Control::CancelAll));
    rig.wait_s(2);
    assert!(rig.broker().live().is_empty() && rig.live_orders().is_empty());
    rig.wait_s(20);
    assert_eq!(rig.broker().writes.iter().filter(|w| w.0 == "new").count(), 3);
}

#[test]
fn after_cancel_all_no_target_is_worked_until_armed_again() {
    let mut rig = Rig::ready(1, config());
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 100);
    rig.settle();
    rig.feed(RoutingIn::Control(Control::CancelAll));
    // Decision does not know that the session ends and goes on asking.
    rig.target_as(0, 0, Cause::Flatten, Urgency::Cross);
    rig.wait_s(5);
    assert!(rig.broker().live().is_empty(), "an order that nobody would cancel any more");
    rig.feed(RoutingIn::Control(Control::Arm));
    rig.target_as(0, 0, Cause::Flatten, Urgency::Cross);
    rig.settle();
    assert_eq!(rig.broker().live().len(), 1);
}

#[test]
fn the_daily_loss_latches_and_still_lets_positions_go() {
    let mut c = config();
    c.limits.daily_loss_pct = 1;
    c.limits.max_position_shares = 1_000;
    c.limits.max_order_notional_usd = 100_000;
    let mut rig = Rig::ready(1, c);
    rig.target(0, 900, Cause::Enter);
    rig.settle();
    rig.broker().fill(OrderId(1), 900);
    rig.settle();
    rig.tick(0, 88.0, 88.02); // −12 × 900 = −10,800 > 1 % of 1,000,000
    rig.wait_s(1);
    assert!(matches!(rig.alerts().last(), Some(Alert::DailyLoss(m)) if m.0 < -10_000 * DOLLAR));
    rig.tick(0, 100.0, 100.02);
    rig.wait_s(1);
    rig.target(0, 950, Cause::Enter);
    assert_eq!(rig.rejects().last(), Some(&Reject::DailyLoss), "recovered prices do not lift the latch");
    rig.target(0, 0, Cause::Flatten);
    rig.settle();
    assert_eq!(rig.side_of(2), Side::Sell);
}

#[test]
fn stale_connection_and_withdrawn_intents_come_back_to_the_policy() {
    let mut rig = Rig::ready(1, config());
    rig.hold = true;
    rig.target(0, 100, Cause::Enter);
    assert_eq!(rig.order_state(1), State::Intent);
    rig.broker().epoch = Some(ConnEpoch(5)); // the socket was replaced under the sender
    rig.hold = false;
    rig.pump();
    assert!(rig.broker().writes.is_empty());
    assert_eq!(rig.order_state(1), State::Withdrawn);
    let withdrawn = rig.facts.iter().any(|f| matches!(f, Fact::Order(c) if c.to == State::Withdrawn));
    assert!(withdrawn);
}

#[test]
fn a_full_execution_table_disarms_and_repeats_still_count_once() {
    let mut c = config();
    c.execution_slots = 64;
    let mut rig = Rig::ready(1, c);
    rig.target(0, 100, Cause::Enter);
    rig.settle();
    for _ in 0..100 {
        rig.broker().fill(OrderId(1), 1);
    }
    rig.settle();
    assert_eq!(rig.filled(0), 100);
    assert!(!rig.stage.is_armed());
    let told = rig.broker().executions.clone();
    told.iter().for_each(|e| rig.feed(RoutingIn::Broker(BrokerEvent::Execution(*e))));
    assert_eq!(rig.filled(0), 100, "a list told them all again");
}
