//! Field order of the requests in text, and the request that each message id stands for. Sources: the fields that
//! public clients write at each server version, and conversations recorded at versions 173 and 200.

use super::fields::{Fields, Reader, UNSET_INT};
use super::place_order::place_order;
use super::{lookups, streams};
use crate::sim::api::{Contract, ExecutionFilter, Order, Request};
use crate::sim::wire::codec::DecodeError;
use crate::sim::wire::messages::request_id as id;

/// Requests that are not served and tell their request id behind a version field: exercise, fundamentals, option
/// calculations, display groups.
const REQ_ID_SECOND: &[i32] = &[21, 52, 54, 55, 67, 68, 69, 70];
/// Requests that are not served and tell their request id first: scanner, option parameters, news article, historical
/// news, corporate events.
const REQ_ID_FIRST: &[i32] = &[22, 78, 84, 86, 100, 102];

/// Reads the request behind its message id.
pub(super) fn decode(mut reader: Reader<'_>) -> Result<Request, DecodeError> {
    let msg_id = reader.id();
    match blank(msg_id) {
        Some(mut request) => {
            describe(&mut reader, &mut request);
            reader.finish(request)
        }
        None if id::UNANSWERED.contains(&msg_id) => Ok(Request::Unanswered { msg_id }),
        None => {
            let mut req_id = -1;
            unserved(&mut reader, msg_id, &mut req_id);
            // A broken request id is none: the answer names the message.
            Ok(Request::Unserved { msg_id, req_id: reader.finish(req_id).unwrap_or(-1) })
        }
    }
}

fn unserved(f: &mut impl Fields, msg_id: i32, req_id: &mut i32) {
    if REQ_ID_SECOND.contains(&msg_id) {
        f.constant("1");
    }
    if REQ_ID_SECOND.contains(&msg_id) || REQ_ID_FIRST.contains(&msg_id) {
        f.int(req_id);
    }
}

/// The message id of a request; [`Request::Disconnected`] has none.
pub(super) fn id_of(request: &Request) -> Option<i32> {
    Some(match request {
        Request::StartApi { .. } => id::START_API,
        Request::ReqIds => id::IDS,
        Request::ReqCurrentTime => id::CURRENT_TIME,
        Request::ReqManagedAccounts => id::MANAGED_ACCOUNTS,
        Request::ReqContractDetails { .. } => id::CONTRACT_DETAILS,
        Request::ReqMarketRule { .. } => id::MARKET_RULE,
        Request::ReqMarketDataType { .. } => id::MARKET_DATA_TYPE,
        Request::ReqMktData { .. } => id::MARKET_DATA,
        Request::CancelMktData { .. } => id::CANCEL_MARKET_DATA,
        Request::ReqHistoricalData { .. } => id::HISTORICAL_DATA,
        Request::CancelHistoricalData { .. } => id::CANCEL_HISTORICAL_DATA,
        Request::PlaceOrder { .. } => id::PLACE_ORDER,
        Request::CancelOrder { .. } => id::CANCEL_ORDER,
        Request::ReqGlobalCancel => id::GLOBAL_CANCEL,
        Request::ReqOpenOrders => id::OPEN_ORDERS,
        Request::ReqAllOpenOrders => id::ALL_OPEN_ORDERS,
        Request::ReqAutoOpenOrders { .. } => id::AUTO_OPEN_ORDERS,
        Request::ReqCompletedOrders { .. } => id::COMPLETED_ORDERS,
        Request::ReqExecutions { .. } => id::EXECUTIONS,
        Request::ReqPositions => id::POSITIONS,
        Request::CancelPositions => id::CANCEL_POSITIONS,
        Request::ReqAccountSummary { .. } => id::ACCOUNT_SUMMARY,
        Request::CancelAccountSummary { .. } => id::CANCEL_ACCOUNT_SUMMARY,
        Request::ReqAccountUpdates { .. } => id::ACCOUNT_UPDATES,
        Request::ReqPnl { .. } => id::PNL,
        Request::CancelPnl { .. } => id::CANCEL_PNL,
        Request::ReqPnlSingle { .. } => id::PNL_SINGLE,
        Request::CancelPnlSingle { .. } => id::CANCEL_PNL_SINGLE,
        Request::Stream(request) => streams::request_id_of(request),
        Request::Lookup(request) => lookups::request_id_of(request),
        Request::Unserved { msg_id, .. } | Request::Unanswered { msg_id } => *msg_id,
        Request::Disconnected => return None,
    })
}

/// The request of a message id, to be filled; `None` = not served.
fn blank(msg_id: i32) -> Option<Request> {
    let (req_id, account, contract) = (0, String::new(), Contract::default());
    Some(match msg_id {
        id::START_API => Request::StartApi { client_id: 0 },
        id::IDS => Request::ReqIds,
        id::CURRENT_TIME => Request::ReqCurrentTime,
        id::MANAGED_ACCOUNTS => Request::ReqManagedAccounts,
        id::CONTRACT_DETAILS => Request::ReqContractDetails { req_id, contract },
        id::MARKET_RULE => Request::ReqMarketRule { market_rule_id: 0 },
        id::MARKET_DATA_TYPE => Request::ReqMarketDataType { market_data_type: 0 },
        id::MARKET_DATA => {
            Request::ReqMktData { req_id, contract, generic_ticks: account, snapshot: false, regulatory: false }
        }
        id::CANCEL_MARKET_DATA => Request::CancelMktData { req_id },
        id::HISTORICAL_DATA => Request::ReqHistoricalData {
            req_id,
            contract,
            end: String::new(),
            duration: String::new(),
            bar_size: String::new(),
            what_to_show: String::new(),
            use_rth: false,
            format_date: 0,
            keep_up_to_date: false,
        },
        id::CANCEL_HISTORICAL_DATA => Request::CancelHistoricalData { req_id },
        id::PLACE_ORDER => Request::PlaceOrder { contract, order: Order::default() },
        id::CANCEL_ORDER => Request::CancelOrder { order_id: 0 },
        id::GLOBAL_CANCEL => Request::ReqGlobalCancel,
        id::OPEN_ORDERS => Request::ReqOpenOrders,
        id::ALL_OPEN_ORDERS => Request::ReqAllOpenOrders,
        id::AUTO_OPEN_ORDERS => Request::ReqAutoOpenOrders { bind: false },
        id::COMPLETED_ORDERS => Request::ReqCompletedOrders { api_only: false },
        id::EXECUTIONS => Request::ReqExecutions { req_id, filter: ExecutionFilter::default() },
        id::POSITIONS => Request::ReqPositions,
        id::CANCEL_POSITIONS => Request::CancelPositions,
        id::ACCOUNT_SUMMARY => Request::ReqAccountSummary { req_id, group: String::new(), tags: String::new() },
        id::CANCEL_ACCOUNT_SUMMARY => Request::CancelAccountSummary { req_id },
        id::ACCOUNT_UPDATES => Request::ReqAccountUpdates { subscribe: false, account },
        id::PNL => Request::ReqPnl { req_id, account },
        id::CANCEL_PNL => Request::CancelPnl { req_id },
        id::PNL_SINGLE => Request::ReqPnlSingle { req_id, account, con_id: 0 },
        id::CANCEL_PNL_SINGLE => Request::CancelPnlSingle { req_id },
        _ => {
            let stream = streams::blank_request(msg_id).map(Request::Stream);
            return stream.or_else(|| lookups::blank_request(msg_id).map(Request::Lookup));
        }
    })
}

/// Fields behind the message id.
pub(super) fn describe(f: &mut impl Fields, request: &mut Request) {
    match request {
        Request::StartApi { client_id } => {
            f.constant("2");
            f.int(client_id);
            // Optional capabilities.
            f.constant("");
        }
        Request::ReqIds => f.constants(&["1", "1"]),
        Request::ReqCurrentTime
        | Request::ReqManagedAccounts
        | Request::ReqOpenOrders
        | Request::ReqAllOpenOrders
        | Request::ReqPositions
        | Request::CancelPositions => f.constants(&["1"]),
        Request::ReqMarketRule { market_rule_id: value }
        | Request::CancelPnl { req_id: value }
        | Request::CancelPnlSingle { req_id: value } => f.int(value),
        Request::CancelMktData { req_id: value }
        | Request::CancelHistoricalData { req_id: value }
        | Request::CancelAccountSummary { req_id: value }
        | Request::ReqMarketDataType { market_data_type: value } => {
            f.constant("1");
            f.int(value);
        }
        Request::ReqAutoOpenOrders { bind } => {
            f.constant("1");
            f.flag(bind);
        }
        Request::ReqCompletedOrders { api_only } => f.flag(api_only),
        Request::PlaceOrder { contract, order } => place_order(f, contract, order),
        Request::CancelOrder { order_id } => {
            f.versioned(&[(0, 192, "1")]);
            f.int(order_id);
            // Manual cancel time; three fields of quote requests, for three versions; external operator, indicator.
            f.versioned(&[(169, i32::MAX, ""), (187, 190, ""), (187, 190, ""), (187, 190, UNSET_INT)]);
            f.versioned(&[(192, i32::MAX, ""), (192, i32::MAX, "")]);
        }
        // External operator, indicator.
        Request::ReqGlobalCancel => f.versioned(&[(0, 192, "1"), (192, i32::MAX, ""), (192, i32::MAX, "")]),
        Request::Stream(request) => streams::describe_request(f, request),
        Request::Lookup(request) => lookups::describe_request(f, request),
        Request::Unserved { msg_id, req_id } => unserved(f, *msg_id, req_id),
        Request::Unanswered { .. } | Request::Disconnected => {}
        Request::ReqContractDetails { .. } | Request::ReqMktData { .. } | Request::ReqHistoricalData { .. } => {
            market(f, request);
        }
        Request::ReqExecutions { .. }
        | Request::ReqAccountSummary { .. }
        | Request::ReqAccountUpdates { .. }
        | Request::ReqPnl { .. }
        | Request::ReqPnlSingle { .. } => account(f, request),
    }
}

fn market(f: &mut impl Fields, request: &mut Request) {
    match request {
        Request::ReqContractDetails { req_id, contract: c } => {
            f.constant("8");
            f.int(req_id);
            contract(f, c);
            // Expired ones too, another security id and its type, bond issuer.
            f.versioned(&[(0, i32::MAX, "0"), (0, i32::MAX, ""), (0, i32::MAX, ""), (176, i32::MAX, "")]);
        }
        Request::ReqMktData { req_id, contract: c, generic_ticks, snapshot, regulatory } => {
            f.constant("11");
            f.int(req_id);
            contract(f, c);
            if c.sec_type == "BAG" {
                f.skipped_list(4);
            }
            // Delta-neutral contract.
            if f.constant("0").positive {
                f.constants(&[""; 3]);
            }
            f.text(generic_ticks);
            f.flag(snapshot);
            f.flag(regulatory);
            // Options.
            f.constant("");
        }
        Request::ReqHistoricalData {
            req_id,
            contract: c,
            end,
            duration,
            bar_size,
            what_to_show,
            use_rth,
            format_date,
            keep_up_to_date,
        } => {
            f.int(req_id);
            contract(f, c);
            // Expired ones too.
            f.constant("0");
            f.text(end);
            f.text(bar_size);
            f.text(duration);
            f.flag(use_rth);
            f.text(what_to_show);
            f.int(format_date);
            if c.sec_type == "BAG" {
                f.skipped_list(4);
            }
            f.flag(keep_up_to_date);
            // Options.
            f.constant("");
        }
        _ => {}
    }
}

fn account(f: &mut impl Fields, request: &mut Request) {
    match request {
        Request::ReqExecutions { req_id, filter } => {
            f.constant("3");
            f.int(req_id);
            f.int(&mut filter.client_id);
            f.text(&mut filter.account);
            f.text(&mut filter.time);
            f.text(&mut filter.symbol);
            f.text(&mut filter.sec_type);
            f.text(&mut filter.exchange);
            f.text(&mut filter.side);
            // Number of days, and a list of dates.
            f.versioned(&[(200, i32::MAX, UNSET_INT), (200, i32::MAX, "0")]);
        }
        Request::ReqAccountSummary { req_id, group, tags } => {
            f.constant("1");
            f.int(req_id);
            f.text(group);
            f.text(tags);
        }
        Request::ReqAccountUpdates { subscribe, account } => {
            f.constant("2");
            f.flag(subscribe);
            f.text(account);
        }
        Request::ReqPnl { req_id, account } => {
            f.int(req_id);
            f.text(account);
            // Model.
            f.constant("");
        }
        Request::ReqPnlSingle { req_id, account, con_id } => {
            f.int(req_id);
            f.text(account);
            // Model.
            f.constant("");
            f.int(con_id);
        }
        _ => {}
    }
}

/// A contract as requests name it.
pub(super) fn contract(f: &mut impl Fields, c: &mut Contract) {
    f.int(&mut c.con_id);
    f.text(&mut c.symbol);
    f.text(&mut c.sec_type);
    // Expiry; strike, which clients leave empty from 202 on [recorded]; right, multiplier.
    f.versioned(&[(0, i32::MAX, ""), (0, 202, "0.0"), (202, i32::MAX, ""), (0, i32::MAX, ""), (0, i32::MAX, "")]);
    f.text(&mut c.exchange);
    f.text(&mut c.primary_exchange);
    f.text(&mut c.currency);
    f.text(&mut c.local_symbol);
    f.text(&mut c.trading_class);
}
