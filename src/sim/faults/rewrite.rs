//! Changes to single messages: prices of ticks, delayed tick types, margin fields of what-ifs; the ends of lists.

use crate::clock::SECOND;
use crate::sim::api::{Request, Response};

/// Real-time tick type → delayed one, as documented.
const DELAYED: [(i32, i32); 12] =
    [(1, 66), (2, 67), (4, 68), (0, 69), (3, 70), (5, 71), (6, 72), (7, 73), (8, 74), (9, 75), (14, 76), (45, 88)];

/// A tick's request id and type.
pub(super) fn tick_of(r: &Response) -> Option<(i32, i32)> {
    match r {
        Response::TickPrice { req_id, tick_type, .. }
        | Response::TickSize { req_id, tick_type, .. }
        | Response::TickGeneric { req_id, tick_type, .. }
        | Response::TickString { req_id, tick_type, .. } => Some((*req_id, *tick_type)),
        _ => None,
    }
}

/// Turns a tick into its delayed kind; other messages stay, the data type becomes 3.
pub(super) fn delay_type(r: &mut Response) {
    let delayed = |t: &mut i32| *t = DELAYED.iter().find(|(live, _)| live == t).map_or(*t, |(_, d)| *d);
    match r {
        Response::TickPrice { tick_type, .. }
        | Response::TickSize { tick_type, .. }
        | Response::TickString { tick_type, .. } => delayed(tick_type),
        Response::MarketDataType { market_data_type, .. } => *market_data_type = 3,
        _ => {}
    }
}

/// Puts another price into a price tick.
pub(super) fn price(r: &mut Response, value: &str) {
    let new = match value {
        "nan" => f64::NAN,
        "max" => f64::MAX,
        number => number.parse().unwrap_or(-1.0),
    };
    if let Response::TickPrice { price, .. } = r {
        *price = new;
    }
}

/// Puts another word into a status.
pub(super) fn word(r: &mut Response, text: &str) {
    match r {
        Response::OrderStatus { status, .. } => *status = text.into(),
        Response::OpenOrder { state, .. } => state.status = text.into(),
        _ => {}
    }
}

/// Puts another account's code into a row.
pub(super) fn account(r: &mut Response, code: &str) {
    match r {
        Response::Position { account, .. }
        | Response::AccountValue { account, .. }
        | Response::PortfolioValue { account, .. }
        | Response::AccountSummary { account, .. } => *account = code.into(),
        _ => {}
    }
}

/// Moves the clock that an answer shows.
pub(super) fn clock(r: &mut Response, by_s: i64) {
    if let Response::CurrentTime { time } = r {
        *time = *time + by_s * SECOND;
    }
}

/// Puts one value, or none, into every margin field of a what-if's answer.
pub(super) fn margins(r: &mut Response, value: Option<f64>) {
    let Response::OpenOrder { state, .. } = r else { return };
    for field in [
        &mut state.init_margin_before,
        &mut state.maint_margin_before,
        &mut state.equity_with_loan_before,
        &mut state.init_margin_change,
        &mut state.maint_margin_change,
        &mut state.equity_with_loan_change,
        &mut state.init_margin_after,
        &mut state.maint_margin_after,
        &mut state.equity_with_loan_after,
        &mut state.commission,
    ] {
        *field = value;
    }
}

/// The end of the list that a query asks for.
pub(super) fn end_of(request: &Request) -> Option<Response> {
    match request {
        Request::ReqOpenOrders | Request::ReqAllOpenOrders => Some(Response::OpenOrderEnd),
        Request::ReqCompletedOrders { .. } => Some(Response::CompletedOrdersEnd),
        Request::ReqExecutions { req_id, .. } => Some(Response::ExecutionDetailsEnd { req_id: *req_id }),
        Request::ReqPositions => Some(Response::PositionEnd),
        _ => None,
    }
}
