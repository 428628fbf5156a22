//! Orders: terms to ibapi's order and contract; statuses, open orders, fills, commissions, what-ifs and errors
//! to facts.

use ibapi::Notice;
use ibapi::contracts::{Contract, Currency, Exchange, SecurityType, Symbol};
use ibapi::orders::{
    Action, CommissionReport, ExecutionData, ExecutionSide, Order, OrderData, OrderStatus, OrderStatusKind,
    OrderUpdate, TimeInForce,
};

use super::{Directory, broker_time, gtd_time, shares};
use crate::domain::{ClientId, Instrument, Money, OrderId, OrderKind, PermId, Price, Qty, Side, Text, Tif};
use crate::message::{
    BrokerEvent, BrokerStatus, CommissionFact, ErrorFact, ExecutionFact, OpenOrderFact, OrderTerms, StatusFact,
    WhatIfFact, WhyHeld,
};

/// The contract that orders and data requests name: the qualified id, routed SMART.
pub fn to_contract(i: &Instrument) -> Contract {
    Contract {
        contract_id: i.con_id.0,
        symbol: Symbol::from(i.symbol.as_str()),
        security_type: SecurityType::Stock,
        exchange: Exchange::from("SMART"),
        primary_exchange: Exchange::from(i.primary_exchange.as_str()),
        currency: Currency::from(i.currency.as_str()),
        ..Contract::default()
    }
}

/// The order that `terms` describe. Nothing is left to a gateway's preset: TIF, account, regular hours and
/// `transmit` are always sent.
///
/// # Errors
/// The terms make no sense to a broker; one sentence why.
pub fn to_order(terms: &OrderTerms, account: &str) -> Result<Order, String> {
    if terms.qty.0 <= 0 {
        return Err(format!("quantity {} is not above zero", terms.qty));
    }
    let (order_type, limit_price) = match terms.kind {
        OrderKind::Limit(p) if p.is_some() => ("LMT", Some(p.to_f64())),
        OrderKind::Limit(p) => return Err(format!("limit {p} is no price")),
        OrderKind::Market => ("MKT", None),
    };
    let (tif, good_till_date) = match terms.tif {
        Tif::Day => (TimeInForce::Day, String::new()),
        Tif::Gtd(t) => (TimeInForce::GoodTillDate, gtd_time(t)),
        Tif::Ioc => (TimeInForce::ImmediateOrCancel, String::new()),
        Tif::Gtc => (TimeInForce::GoodTillCanceled, String::new()),
    };
    #[allow(clippy::cast_precision_loss, reason = "guards bound quantities far below 2^53")]
    let total_quantity = terms.qty.0 as f64;
    Ok(Order {
        order_id: terms.order_id.0,
        action: match terms.side {
            Side::Buy => Action::Buy,
            Side::Sell => Action::Sell,
        },
        total_quantity,
        order_type: order_type.into(),
        limit_price,
        tif,
        good_till_date,
        account: account.into(),
        order_ref: terms.order_ref.as_str().into(),
        transmit: true,
        outside_rth: false,
        ..Order::default()
    })
}

/// IB's status word.
pub fn status_word(word: &OrderStatusKind) -> BrokerStatus {
    match word {
        OrderStatusKind::ApiPending => BrokerStatus::ApiPending,
        OrderStatusKind::PendingSubmit => BrokerStatus::PendingSubmit,
        OrderStatusKind::PendingCancel => BrokerStatus::PendingCancel,
        OrderStatusKind::PreSubmitted => BrokerStatus::PreSubmitted,
        OrderStatusKind::Submitted => BrokerStatus::Submitted,
        OrderStatusKind::ApiCancelled => BrokerStatus::ApiCancelled,
        OrderStatusKind::Cancelled => BrokerStatus::Cancelled,
        OrderStatusKind::Filled => BrokerStatus::Filled,
        OrderStatusKind::Inactive => BrokerStatus::Inactive,
        OrderStatusKind::Unknown(_) => BrokerStatus::Unknown,
    }
}

/// The state that the text of a cancel's answer names (10148 `… state: Filled.`).
pub fn named_state(text: &str) -> Option<BrokerStatus> {
    let word = text.rsplit_once("state:")?.1.trim().trim_end_matches('.');
    word.parse::<OrderStatusKind>().ok().map(|w| status_word(&w)).filter(|s| *s != BrokerStatus::Unknown)
}

fn why_held(text: &str) -> WhyHeld {
    match text {
        "" => WhyHeld::None,
        t if t.contains("locate") => WhyHeld::Locate,
        t if t.contains("child") => WhyHeld::Child,
        t if t.contains("trigger") => WhyHeld::Trigger,
        _ => WhyHeld::Other,
    }
}

const fn side(action: Action) -> Side {
    match action {
        Action::Buy => Side::Buy,
        Action::Sell | Action::SellShort | Action::SellLong => Side::Sell,
    }
}

/// orderStatus. Quantities that are no number put the order in doubt.
pub fn order_status(s: &OrderStatus) -> StatusFact {
    let (filled, remaining) = (shares(s.filled), shares(s.remaining));
    let believable = filled.is_some() && remaining.is_some();
    StatusFact {
        order_id: OrderId(s.order_id),
        client: ClientId(s.client_id),
        perm_id: PermId(s.perm_id),
        status: if believable { status_word(&s.status) } else { BrokerStatus::Unknown },
        why_held: why_held(&s.why_held),
        filled: filled.unwrap_or_default(),
        remaining: remaining.unwrap_or_default(),
        average: Price::from_f64(s.average_fill_price.unwrap_or(0.0)),
        cap: Price::from_f64(s.market_cap_price.unwrap_or(0.0)),
    }
}

/// openOrder. An order type other than LMT and MKT, or a limit that is no price, reads as market: the worst case.
pub fn open_order(o: &OrderData, directory: &Directory) -> OpenOrderFact {
    let limit = Price::from_f64(o.order.limit_price.unwrap_or(0.0));
    OpenOrderFact {
        order_id: OrderId(if o.order_id > 0 { o.order_id } else { o.order.order_id }),
        client: ClientId(o.order.client_id),
        perm_id: PermId(o.order.perm_id),
        symbol: directory.symbol(o.contract.contract_id),
        side: side(o.order.action),
        qty: shares(o.order.total_quantity).unwrap_or_default(),
        kind: if o.order.order_type == "LMT" && limit.is_some() { OrderKind::Limit(limit) } else { OrderKind::Market },
        status: status_word(&o.order_state.status),
        order_ref: Text::new(&o.order.order_ref).unwrap_or_default(),
    }
}

/// completedOrder. IB tells the unfilled rest as the total: the size ordered is the sum.
pub fn completed_order(o: &OrderData, directory: &Directory) -> OpenOrderFact {
    let filled = shares(o.order.filled_quantity).unwrap_or_default();
    let fact = open_order(o, directory);
    OpenOrderFact { qty: fact.qty + filled, ..fact }
}

/// execDetails; `None` only when it names no execution or no shares, which no fill lacks.
pub fn execution(e: &ExecutionData, directory: &Directory) -> Option<ExecutionFact> {
    let x = &e.execution;
    let qty = shares(x.shares).filter(|q| *q > Qty::ZERO)?;
    Some(ExecutionFact {
        exec_id: Text::new(&x.execution_id).filter(|id| !id.is_empty())?,
        order_id: OrderId(x.order_id),
        client: ClientId(x.client_id),
        perm_id: PermId(x.perm_id),
        symbol: directory.symbol(e.contract.contract_id),
        side: match x.side {
            ExecutionSide::Bought => Side::Buy,
            ExecutionSide::Sold => Side::Sell,
        },
        qty,
        price: Price::from_f64(x.price),
        cumulative: shares(x.cumulative_quantity).unwrap_or_default(),
        broker_time: broker_time(&x.time),
        order_ref: Text::new(&x.order_reference).unwrap_or_default(),
    })
}

/// commissionReport; `None` when it names no execution or no amount.
pub fn commission(c: &CommissionReport) -> Option<CommissionFact> {
    Some(CommissionFact {
        exec_id: Text::new(&c.execution_id).filter(|id| !id.is_empty())?,
        commission: Money::from_f64(c.commission)?,
        realized: c.realized_pnl.and_then(Money::from_f64),
    })
}

/// The answer to a what-if, told under the id that the trader asked with. Margins in another currency than the
/// account's base are unknown.
pub fn what_if(asked_as: OrderId, o: &OrderData, base_currency: &str) -> WhatIfFact {
    let s = &o.order_state;
    let base = s.margin_currency.is_empty() || s.margin_currency == base_currency;
    let money = |x: Option<f64>| x.filter(|_| base).and_then(Money::from_f64);
    let dollars = s.commission_currency.is_empty() || s.commission_currency == base_currency;
    WhatIfFact {
        order_id: asked_as,
        init_margin_change: money(s.initial_margin_change),
        maint_margin_after: money(s.maintenance_margin_after),
        equity_after: money(s.equity_with_loan_after),
        commission: s.commission.filter(|_| dollars).and_then(Money::from_f64),
        warned: !s.warning_text.is_empty() || !s.reject_reason.is_empty(),
    }
}

/// An error or notice, whoever it is bound to.
pub fn error(n: &Notice) -> ErrorFact {
    ErrorFact { id: n.request_id.unwrap_or(-1), code: n.code, named_state: named_state(&n.message) }
}

/// One value of the order update stream. `None`: it carries nothing for the trader (orderBound), or it is a fill
/// or commission that names nothing; the latter two must be counted.
pub fn order_update(u: &OrderUpdate, directory: &Directory) -> Option<BrokerEvent> {
    match u {
        OrderUpdate::OrderStatus(s) => Some(BrokerEvent::Status(order_status(s))),
        OrderUpdate::OpenOrder(o) => Some(BrokerEvent::OpenOrder(open_order(o, directory))),
        OrderUpdate::ExecutionData(e) => execution(e, directory).map(BrokerEvent::Execution),
        OrderUpdate::CommissionReport(c) => commission(c).map(BrokerEvent::Commission),
        OrderUpdate::OrderBound(_) => None,
    }
}

#[cfg(test)]
#[path = "orders_tests.rs"]
pub(super) mod tests;
