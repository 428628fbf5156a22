//! Tests of order translation.

use ibapi::orders::{Execution, OrderState};

use super::super::time::broker_time;
use super::*;
use crate::clock::SessionTime;
use crate::domain::{ConId, SymbolId, TickRule};

pub(in super::super) fn directory() -> Directory {
    let stock = |id: u16, symbol: &str, con_id: i32| Instrument {
        id: SymbolId(id),
        symbol: symbol.into(),
        con_id: ConId(con_id),
        primary_exchange: "NASDAQ".into(),
        currency: "USD".into(),
        tick_rules: vec![TickRule { low_edge: Price(0), increment: Price(10_000) }],
    };
    Directory::new(vec![stock(0, "AAPL", 265_598), stock(1, "MSFT", 272_093)], "DU1")
}

fn terms() -> OrderTerms {
    OrderTerms {
        order_id: OrderId(41),
        symbol: SymbolId(1),
        side: Side::Sell,
        qty: Qty(300),
        kind: OrderKind::Limit(Price(412_345_000)),
        tif: Tif::Gtd(broker_time("20260415-14:05:30").unwrap()),
        order_ref: Text::new("dep|3|17|9c").unwrap(),
        arrival: Price(412_350_000),
    }
}

#[test]
fn an_order_leaves_nothing_to_the_gateways_presets() {
    let o = to_order(&terms(), "DU1").unwrap();
    let sent = (o.order_id, o.action, o.total_quantity, o.order_type.as_str(), o.limit_price);
    assert_eq!(sent, (41, Action::Sell, 300.0, "LMT", Some(412.345)));
    assert_eq!((o.tif, o.good_till_date.as_str()), (TimeInForce::GoodTillDate, "20260415-14:05:30"));
    assert_eq!((o.account.as_str(), o.order_ref.as_str()), ("DU1", "dep|3|17|9c"));
    assert!(o.transmit && !o.outside_rth && !o.what_if);

    for (tif, word) in [
        (Tif::Day, TimeInForce::Day),
        (Tif::Ioc, TimeInForce::ImmediateOrCancel),
        (Tif::Gtc, TimeInForce::GoodTillCanceled),
    ] {
        let o = to_order(&OrderTerms { tif, ..terms() }, "DU1").unwrap();
        assert_eq!((o.tif, o.good_till_date.as_str()), (word, ""));
    }
    let market = to_order(&OrderTerms { kind: OrderKind::Market, side: Side::Buy, ..terms() }, "DU1").unwrap();
    assert_eq!((market.order_type.as_str(), market.limit_price, market.action), ("MKT", None, Action::Buy));
}

#[test]
fn orders_without_sense_are_refused_before_the_wire() {
    let refused = |t: OrderTerms| to_order(&t, "DU1").unwrap_err();
    assert!(refused(OrderTerms { qty: Qty(0), ..terms() }).contains("quantity"));
    assert!(refused(OrderTerms { qty: Qty(-5), ..terms() }).contains("quantity"));
    assert!(refused(OrderTerms { kind: OrderKind::Limit(Price::NONE), ..terms() }).contains("limit"));
}

#[test]
fn contracts_name_the_qualified_id_and_smart() {
    let c = to_contract(&directory().instruments[1]);
    let named =
        (c.contract_id, c.symbol.as_str(), c.exchange.as_str(), c.primary_exchange.as_str(), c.currency.as_str());
    assert_eq!(named, (272_093, "MSFT", "SMART", "NASDAQ", "USD"));
}

#[test]
fn every_status_word_is_known_or_doubt() {
    for (word, status) in [
        ("ApiPending", BrokerStatus::ApiPending),
        ("PendingSubmit", BrokerStatus::PendingSubmit),
        ("PendingCancel", BrokerStatus::PendingCancel),
        ("PreSubmitted", BrokerStatus::PreSubmitted),
        ("Submitted", BrokerStatus::Submitted),
        ("ApiCancelled", BrokerStatus::ApiCancelled),
        ("Cancelled", BrokerStatus::Cancelled),
        ("Filled", BrokerStatus::Filled),
        ("Inactive", BrokerStatus::Inactive),
        ("Teleported", BrokerStatus::Unknown),
    ] {
        assert_eq!(status_word(&word.parse().unwrap()), status);
    }
}

#[test]
fn a_status_keeps_its_reason_and_cap() {
    let s = OrderStatus {
        order_id: 41,
        status: OrderStatusKind::PreSubmitted,
        filled: 100.0,
        remaining: 200.0,
        average_fill_price: Some(412.34),
        perm_id: 9_000_000_001,
        client_id: 10,
        why_held: "child,trigger".into(),
        market_cap_price: Some(413.0),
        ..OrderStatus::default()
    };
    let f = order_status(&s);
    assert_eq!((f.filled, f.remaining, f.average, f.cap), (Qty(100), Qty(200), Price(412_340_000), Price(413_000_000)));
    assert_eq!((f.why_held, f.perm_id, f.client), (WhyHeld::Child, PermId(9_000_000_001), ClientId(10)));
    for (text, why) in
        [("", WhyHeld::None), ("locate", WhyHeld::Locate), ("trigger", WhyHeld::Trigger), ("moon", WhyHeld::Other)]
    {
        assert_eq!(order_status(&OrderStatus { why_held: text.into(), ..s.clone() }).why_held, why);
    }
    let sentinel = OrderStatus { filled: f64::MAX, average_fill_price: Some(f64::MAX), ..s };
    assert_eq!(order_status(&sentinel).status, BrokerStatus::Unknown);
    assert_eq!(order_status(&sentinel).average, Price::NONE);
}

fn echoed() -> OrderData {
    OrderData {
        order_id: 41,
        contract: Contract { contract_id: 265_598, ..Contract::default() },
        order: Order {
            order_id: 41,
            client_id: 10,
            perm_id: 77,
            action: Action::Buy,
            total_quantity: 300.0,
            order_type: "LMT".into(),
            limit_price: Some(200.5),
            order_ref: "dep|3|17|9c".into(),
            ..Order::default()
        },
        order_state: OrderState { status: OrderStatusKind::Submitted, ..OrderState::default() },
    }
}

#[test]
fn open_orders_of_ours_and_of_others() {
    let f = open_order(&echoed(), &directory());
    assert_eq!((f.order_id, f.perm_id, f.symbol), (OrderId(41), PermId(77), Some(SymbolId(0))));
    assert_eq!((f.side, f.qty, f.kind), (Side::Buy, Qty(300), OrderKind::Limit(Price(200_500_000))));
    assert_eq!((f.status, f.order_ref.as_str()), (BrokerStatus::Submitted, "dep|3|17|9c"));

    let mut manual = echoed();
    manual.order_id = 0;
    manual.order = Order { order_id: 0, order_type: "TRAIL".into(), order_ref: String::new(), ..manual.order };
    manual.contract.contract_id = 1;
    let f = open_order(&manual, &directory());
    assert_eq!((f.order_id, f.symbol, f.kind), (OrderId(0), None, OrderKind::Market));
    assert!(f.order_ref.is_empty());
    manual.order.order_ref = "x".repeat(39);
    assert!(open_order(&manual, &directory()).order_ref.is_empty(), "a reference too long to be ours is none");
}

#[test]
fn a_completed_order_tells_the_size_that_was_ordered() {
    let mut done = echoed();
    done.order_id = -1;
    done.order.total_quantity = 0.0;
    done.order.filled_quantity = 300.0;
    done.order_state.completed_status = "Cancelled by System:\n".into();
    let f = completed_order(&done, &directory());
    assert_eq!((f.order_id, f.qty), (OrderId(41), Qty(300)));
}

fn fill() -> ExecutionData {
    ExecutionData {
        request_id: -1,
        contract: Contract { contract_id: 272_093, ..Contract::default() },
        execution: Execution {
            order_id: 41,
            client_id: 10,
            execution_id: "0000e0d5.6a2b.01.01".into(),
            time: "20260413 15:27:04 US/Eastern".into(),
            side: ExecutionSide::Sold,
            shares: 100.0,
            price: 412.345,
            perm_id: 77,
            cumulative_quantity: 100.0,
            order_reference: "dep|3|17|9c".into(),
            ..Execution::default()
        },
    }
}

#[test]
fn a_fill_is_never_dropped_over_its_time() {
    let f = execution(&fill(), &directory()).unwrap();
    assert_eq!((f.side, f.qty, f.price, f.cumulative), (Side::Sell, Qty(100), Price(412_345_000), Qty(100)));
    assert_eq!(f.broker_time, Some(SessionTime::from_secs(1_776_108_424)));
    let mut odd = fill();
    odd.execution.time = "yesterday".into();
    assert_eq!(execution(&odd, &directory()).map(|f| f.broker_time), Some(None));
    odd.contract.contract_id = 1;
    assert_eq!(execution(&odd, &directory()).map(|f| f.symbol), Some(None), "a foreign fill is told");
}

#[test]
fn a_fill_that_names_nothing_is_none() {
    for break_it in [
        (|e: &mut ExecutionData| e.execution.execution_id.clear()) as fn(&mut ExecutionData),
        |e| e.execution.execution_id = "x".repeat(47),
        |e| e.execution.shares = 0.0,
        |e| e.execution.shares = f64::NAN,
    ] {
        let mut e = fill();
        break_it(&mut e);
        assert_eq!(execution(&e, &directory()), None);
    }
}

#[test]
fn commissions_and_their_sentinels() {
    let c = CommissionReport {
        execution_id: "e1".into(),
        commission: 1.000_125,
        realized_pnl: Some(-12.5),
        ..CommissionReport::default()
    };
    let f = commission(&c).unwrap();
    assert_eq!((f.commission, f.realized), (Money(1_000_125), Some(Money(-12_500_000))));
    let unset = CommissionReport { realized_pnl: Some(f64::MAX), ..c.clone() };
    assert_eq!(commission(&unset).map(|f| f.realized), Some(None));
    assert_eq!(commission(&CommissionReport { commission: f64::MAX, ..c.clone() }), None);
    assert_eq!(commission(&CommissionReport { execution_id: String::new(), ..c }), None);
}

#[test]
fn what_ifs_deny_by_silence() {
    let mut o = echoed();
    o.order_state = OrderState {
        initial_margin_change: Some(1_500.25),
        maintenance_margin_after: Some(9_000.0),
        equity_with_loan_after: Some(99_000.0),
        commission: Some(1.0),
        margin_currency: "USD".into(),
        commission_currency: "USD".into(),
        ..OrderState::default()
    };
    let f = what_if(OrderId(9), &o, "USD");
    assert_eq!((f.order_id, f.init_margin_change, f.warned), (OrderId(9), Some(Money(1_500_250_000)), false));
    assert_eq!(f.commission, Some(Money(1_000_000)));
    o.order_state.margin_currency = "EUR".into();
    o.order_state.warning_text = "short sale".into();
    let f = what_if(OrderId(9), &o, "USD");
    assert_eq!((f.init_margin_change, f.maint_margin_after, f.equity_after, f.warned), (None, None, None, true));
    o.order_state = OrderState { initial_margin_change: Some(f64::MAX), ..OrderState::default() };
    assert_eq!(what_if(OrderId(9), &o, "USD").init_margin_change, None);
}

#[test]
fn cancels_of_finished_orders_name_the_state() {
    let n = |code: i32, text: &str| Notice {
        request_id: Some(41),
        code,
        message: text.into(),
        error_time: None,
        advanced_order_reject_json: String::new(),
    };
    let filled = n(10148, "OrderId 41 that needs to be cancelled cannot be cancelled, state: Filled.");
    let expected = ErrorFact { id: 41, code: 10148, named_state: Some(BrokerStatus::Filled) };
    assert_eq!(error(&filled), expected);
    assert_eq!(named_state("… state: PendingCancel."), Some(BrokerStatus::PendingCancel));
    assert_eq!(named_state("… state: Lost."), None);
    assert_eq!(error(&n(161, "Cancel attempted when order is not in a cancellable state")).named_state, None);
    assert_eq!(error(&Notice { request_id: None, ..filled }).id, -1);
}

#[test]
fn the_update_stream_translates_value_by_value() {
    let d = directory();
    let bound = ibapi::orders::OrderBound { perm_id: 1, client_id: 0, order_id: 1 };
    assert_eq!(order_update(&OrderUpdate::OrderBound(bound), &d), None);
    assert!(matches!(order_update(&OrderUpdate::OpenOrder(echoed()), &d), Some(BrokerEvent::OpenOrder(_))));
    assert!(matches!(order_update(&OrderUpdate::ExecutionData(fill()), &d), Some(BrokerEvent::Execution(_))));
    let status = OrderUpdate::OrderStatus(OrderStatus::default());
    assert!(matches!(order_update(&status, &d), Some(BrokerEvent::Status(_))));
    let nothing = OrderUpdate::CommissionReport(CommissionReport::default());
    assert_eq!(order_update(&nothing, &d), None);
}
