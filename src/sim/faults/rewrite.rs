//! Changes to single messages: prices and types of ticks, words, accounts, times, margin fields; the ends of lists.

use crate::clock::{SECOND, SessionTime};
use crate::sim::api::{Request, Response};

/// Real-time tick type → delayed one, as documented.
const DELAYED: [(i32, i32); 12] =
    [(1, 66), (2, 67), (4, 68), (0, 69), (3, 70), (5, 71), (6, 72), (7, 73), (8, 74), (9, 75), (14, 76), (45, 88)];
/// Exchanges of the bid, the ask and the last price.
const EXCHANGE_TICKS: [i32; 3] = [32, 33, 84];

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

/// Gives a tick another type.
pub(super) fn tick_type(r: &mut Response, to: i32) {
    match r {
        Response::TickPrice { tick_type, .. }
        | Response::TickSize { tick_type, .. }
        | Response::TickGeneric { tick_type, .. }
        | Response::TickString { tick_type, .. } => *tick_type = to,
        _ => {}
    }
}

/// Puts another value into a tick.
pub(super) fn price(r: &mut Response, text: &str) {
    let new = match text {
        "nan" => f64::NAN,
        "max" => f64::MAX,
        number => number.parse().unwrap_or(-1.0),
    };
    match r {
        Response::TickPrice { price, .. } => *price = new,
        Response::TickSize { size, .. } => *size = new,
        Response::TickGeneric { value, .. } => *value = new,
        _ => {}
    }
}

/// Makes a tick one exchange's: its quote lies `usd` outside the best one.
pub(super) fn one_exchange(r: &mut Response, code: &str, usd: f64) {
    let cents = |p: f64| (p * 100.0).round() / 100.0;
    match r {
        Response::TickPrice { tick_type: 1, price, .. } => *price = cents(*price - usd),
        Response::TickPrice { tick_type: 2, price, .. } => *price = cents(*price + usd),
        Response::TickReqParams { bbo_exchange, .. } => *bbo_exchange = code.into(),
        Response::TickString { tick_type, value, .. } if EXCHANGE_TICKS.contains(tick_type) => *value = code.into(),
        _ => {}
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

/// Gives an execution the other form of time that was recorded: UTC, `yyyymmdd-hh:mm:ss`. `now` stands for its time.
pub(super) fn utc_time(r: &mut Response, now: SessionTime) {
    if let Response::ExecutionDetails { execution, .. } = r {
        let digits: String = now.to_string().chars().take(19).filter(|c| *c != '-').collect();
        execution.time = digits.replace(['T', ' '], "-");
    }
}

/// Puts one value, or none, into every margin field of an order's state.
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

/// Gives an order's state a warning.
pub(super) fn warning(r: &mut Response, text: &str) {
    if let Response::OpenOrder { state, .. } = r {
        state.warning_text = text.into();
    }
}

/// The end of the list that a query asks for.
pub(super) fn end_of(request: &Request) -> Option<Response> {
    match request {
        Request::ReqOpenOrders | Request::ReqAllOpenOrders => Some(Response::OpenOrderEnd),
        Request::ReqCompletedOrders { .. } => Some(Response::CompletedOrdersEnd),
        Request::ReqExecutions { req_id, .. } => Some(Response::ExecutionDetailsEnd { req_id: *req_id }),
        Request::ReqPositions => Some(Response::PositionEnd),
        Request::ReqAccountSummary { req_id, .. } => Some(Response::AccountSummaryEnd { req_id: *req_id }),
        Request::ReqAccountUpdates { account, .. } => Some(Response::AccountDownloadEnd { account: account.clone() }),
        Request::ReqContractDetails { req_id, .. } => Some(Response::ContractDataEnd { req_id: *req_id }),
        _ => None,
    }
}
