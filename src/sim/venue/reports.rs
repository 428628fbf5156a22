//! The messages about orders and fills, from their records.

use super::contracts::contract;
use super::orders::{Record, Status};
use super::text;
use crate::clock::SessionTime;
use crate::domain::{Money, Side};
use crate::sim::api::{Execution, ExecutionFilter, Order, OrderState, Response};
use crate::sim::market::Reference;

/// One fill, as kept for reqExecutions.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Fill {
    pub(super) symbol: crate::domain::SymbolId,
    pub(super) time: SessionTime,
    pub(super) execution: Execution,
    pub(super) fee: Money,
    pub(super) realized: Option<Money>,
}

impl Fill {
    /// Whether `filter` lets it through.
    pub(super) fn matches(&self, filter: &ExecutionFilter, symbol: &str) -> bool {
        let e = &self.execution;
        let side = match filter.side.as_str() {
            "BUY" => "BOT",
            "SELL" => "SLD",
            other => other,
        };
        (filter.client_id == 0 || filter.client_id == e.client_id)
            && (filter.account.is_empty() || filter.account == e.account)
            && (filter.symbol.is_empty() || filter.symbol == symbol)
            && (filter.sec_type.is_empty() || filter.sec_type == "STK")
            && (filter.exchange.is_empty() || filter.exchange == e.exchange)
            && (side.is_empty() || side == e.side)
            && text::parse(&filter.time).is_none_or(|t| self.time >= t)
    }

    pub(super) fn details(&self, req_id: i32, r: &Reference) -> Response {
        let contract = contract(r, &self.execution.exchange);
        Response::ExecutionDetails { req_id, contract, execution: Box::new(self.execution.clone()) }
    }

    pub(super) fn commission(&self) -> Response {
        Response::CommissionReport {
            exec_id: self.execution.exec_id.clone(),
            commission: self.fee.to_f64(),
            currency: "USD".into(),
            realized_pnl: self.realized.map(Money::to_f64),
        }
    }
}

/// The order as a gateway echoes it: DAY orders come back with ocaType 3, good-till-cancelled ones with a date.
fn echo(r: &Record, account: &str) -> Order {
    let mut order = r.sent.clone();
    order.order_id = r.order_id;
    order.client_id = r.client;
    order.perm_id = r.perm;
    order.total_quantity = r.terms.qty as f64;
    order.limit_price = Some(r.terms.limit.map_or(0.0, crate::domain::Price::to_f64));
    if order.trailing_percent.is_none() {
        order.aux_price = Some(order.aux_price.unwrap_or(0.0));
    }
    if let super::orders::Tif::Gtd(until) = r.terms.tif {
        order.good_till_date = text::eastern(until);
    }
    if let Some(t) = r.terms.not_before {
        order.good_after_time = text::eastern(t);
    }
    // Recorded: what only the gateway reads does not come back; a scale switches price management on.
    order.manual_order_time.clear();
    order.advanced_error_override.clear();
    order.use_price_mgmt_algo |= order.scale_price_increment.is_some();
    order.account = account.into();
    order.filled_quantity = r.filled as f64;
    if order.oca_group.is_empty() {
        order.oca_type = 3;
    }
    if !r.echoed {
        // Recorded: the gateway's own echo has its defaults for orders that compete against the best quote.
        order.min_compete_size.get_or_insert(100);
        order.compete_against_best_offset.get_or_insert(0.02);
    }
    if let Some(trigger) = r.terms.trigger {
        order.trail_stop_price = Some(trigger.to_f64());
    } else if let Some(limit) = r.terms.limit {
        // Recorded: a limit order's echo carries a trail stop one dollar above it.
        order.trail_stop_price = Some(limit.to_f64() + 1.0);
    }
    order
}

/// openOrder with the given status word; `fee` fills the commission of a closing leg's repetition.
pub(super) fn open_order(r: &Record, reference: &Reference, account: &str, word: &str, fee: Option<Money>) -> Response {
    let mut state = OrderState { status: word.into(), ..OrderState::default() };
    // Recorded: of a refused order openOrder does not say when and how it ended, only completedOrder does.
    if let (true, Some((time, how))) = (r.status == Status::Filled, &r.completed) {
        state.completed_time.clone_from(time);
        state.completed_status.clone_from(how);
    }
    if let Some(fee) = fee {
        state.commission = Some(fee.to_f64());
        state.commission_currency = "USD".into();
    }
    Response::OpenOrder {
        contract: contract(reference, "SMART"),
        order: Box::new(echo(r, account)),
        state: Box::new(state),
    }
}

/// orderStatus with the given status word, as `client` is told of it.
pub(super) fn order_status(r: &Record, word: &str, client: i32) -> Response {
    Response::OrderStatus {
        order_id: r.order_id,
        status: word.into(),
        filled: r.filled as f64,
        remaining: r.remaining() as f64,
        avg_fill_price: r.average_price(),
        perm_id: r.perm,
        parent_id: r.sent.parent_id,
        last_fill_price: if r.filled > 0 { r.last_price.to_f64() } else { 0.0 },
        client_id: client,
        why_held: if word == "Cancelled" { String::new() } else { r.why_held().into() },
        mkt_cap_price: r.cap.to_f64(),
    }
}

/// openOrder and orderStatus.
pub(super) fn pair(r: &Record, reference: &Reference, account: &str, word: &str) -> [Response; 2] {
    [open_order(r, reference, account, word, None), order_status(r, word, r.client)]
}

/// completedOrder.
pub(super) fn completed(r: &Record, reference: &Reference, account: &str) -> Response {
    let Response::OpenOrder { contract, order, mut state } = open_order(r, reference, account, r.status.word(), None)
    else {
        return Response::CompletedOrdersEnd;
    };
    if let Some((time, how)) = &r.completed {
        state.completed_time.clone_from(time);
        state.completed_status.clone_from(how);
    }
    Response::CompletedOrder { contract, order, state }
}

/// An error; `id` is a request or order id, −1 = a notice.
pub(super) fn error(now: SessionTime, id: i32, code: i32, message: impl Into<String>) -> Response {
    Response::Error { id, time: now, code, message: message.into(), advanced_order_reject_json: String::new() }
}

/// `BOT` or `SLD`.
pub(super) const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BOT",
        Side::Sell => "SLD",
    }
}
