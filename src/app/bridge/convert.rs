//! Venue answers as the values that ibapi would have decoded from the wire, so that lockstep runs the adapter's own
//! translation. Pure.

#![allow(unreachable_pub, reason = "a private module of the bridge")]

use ibapi::contracts::tick_types::TickType;
use ibapi::contracts::{Contract, Currency, Exchange, Symbol};
use ibapi::market_data::MarketDataType;
use ibapi::market_data::realtime::{TickAttribute, TickGeneric, TickPrice, TickPriceSize, TickSize, TickTypes};
use ibapi::orders::{
    Action, CommissionReport, Execution, ExecutionData, ExecutionSide, Order, OrderData, OrderState, OrderStatus,
    OrderUpdate,
};

use ibapi::Notice;

use crate::domain::Side;
use crate::sim::api::{self, Response};

/// The size tick that travels with a price tick: bid 1 → 0, ask 2 → 3, last 4 → 5.
const fn size_type(price_type: i32) -> Option<i32> {
    match price_type {
        1 => Some(0),
        2 => Some(3),
        4 => Some(5),
        _ => None,
    }
}

/// A market data answer and its request.
pub fn tick(response: &Response) -> Option<(i32, TickTypes)> {
    match *response {
        Response::TickPrice { req_id, tick_type, price, size, .. } => {
            let attributes = TickAttribute::default();
            let value = match size_type(tick_type) {
                Some(kind) => TickTypes::PriceSize(TickPriceSize {
                    price_tick_type: TickType::from(tick_type),
                    price,
                    attributes,
                    size_tick_type: TickType::from(kind),
                    size,
                }),
                None => TickTypes::Price(TickPrice { tick_type: TickType::from(tick_type), price, attributes }),
            };
            Some((req_id, value))
        }
        Response::TickSize { req_id, tick_type, size } => {
            Some((req_id, TickTypes::Size(TickSize { tick_type: TickType::from(tick_type), size })))
        }
        Response::TickGeneric { req_id, tick_type, value } => {
            Some((req_id, TickTypes::Generic(TickGeneric { tick_type: TickType::from(tick_type), value })))
        }
        Response::MarketDataType { req_id, market_data_type } => {
            Some((req_id, TickTypes::MarketDataType(MarketDataType::from(market_data_type))))
        }
        _ => None,
    }
}

/// An answer of the order update stream.
pub fn update(response: &Response) -> Option<OrderUpdate> {
    match response {
        Response::OrderStatus {
            order_id,
            status,
            filled,
            remaining,
            avg_fill_price,
            perm_id,
            parent_id,
            last_fill_price,
            client_id,
            why_held,
            mkt_cap_price,
        } => Some(OrderUpdate::OrderStatus(OrderStatus {
            order_id: *order_id,
            status: status.parse().unwrap_or_default(),
            filled: *filled,
            remaining: *remaining,
            average_fill_price: Some(*avg_fill_price),
            perm_id: *perm_id,
            parent_id: *parent_id,
            last_fill_price: Some(*last_fill_price),
            client_id: *client_id,
            why_held: why_held.clone(),
            market_cap_price: Some(*mkt_cap_price),
        })),
        Response::OpenOrder { contract: c, order, state } => Some(OrderUpdate::OpenOrder(order_data(c, order, state))),
        Response::ExecutionDetails { req_id, contract: c, execution } => {
            Some(OrderUpdate::ExecutionData(execution_data(*req_id, c, execution)))
        }
        Response::CommissionReport { exec_id, commission, currency, realized_pnl } => {
            Some(OrderUpdate::CommissionReport(CommissionReport {
                execution_id: exec_id.clone(),
                commission: *commission,
                currency: currency.clone(),
                realized_pnl: *realized_pnl,
                ..Default::default()
            }))
        }
        _ => None,
    }
}

fn contract(c: &api::Contract) -> Contract {
    Contract {
        contract_id: c.con_id,
        symbol: Symbol::from(c.symbol.as_str()),
        exchange: Exchange::from(c.exchange.as_str()),
        currency: Currency::from(c.currency.as_str()),
        ..Default::default()
    }
}

pub fn order_data(c: &api::Contract, o: &api::Order, s: &api::OrderState) -> OrderData {
    OrderData {
        order_id: o.order_id,
        contract: contract(c),
        order: Order {
            order_id: o.order_id,
            client_id: o.client_id,
            perm_id: o.perm_id,
            action: if o.action == Some(Side::Sell) { Action::Sell } else { Action::Buy },
            total_quantity: o.total_quantity,
            order_type: o.order_type.clone(),
            limit_price: o.limit_price,
            order_ref: o.order_ref.clone(),
            filled_quantity: o.filled_quantity,
            ..Default::default()
        },
        order_state: OrderState { status: s.status.parse().unwrap_or_default(), ..Default::default() },
    }
}

fn execution_data(req_id: i32, c: &api::Contract, x: &api::Execution) -> ExecutionData {
    ExecutionData {
        request_id: req_id,
        contract: contract(c),
        execution: Execution {
            order_id: x.order_id,
            client_id: x.client_id,
            execution_id: x.exec_id.clone(),
            time: x.time.clone(),
            account_number: x.account.clone(),
            exchange: x.exchange.clone(),
            side: if x.side == "SLD" { ExecutionSide::Sold } else { ExecutionSide::Bought },
            shares: x.shares,
            price: x.price,
            perm_id: x.perm_id,
            cumulative_quantity: x.cum_qty,
            average_price: x.avg_price,
            order_reference: x.order_ref.clone(),
            ..Default::default()
        },
    }
}

/// An error or notice.
pub fn notice(id: i32, code: i32, message: &str) -> Notice {
    Notice {
        request_id: (id >= 0).then_some(id),
        code,
        message: message.into(),
        error_time: None,
        advanced_order_reject_json: String::new(),
    }
}
