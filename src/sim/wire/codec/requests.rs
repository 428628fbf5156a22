//! Protobuf frames of a client → [`Request`].

use super::DecodeError;
use super::convert::shortened;
use super::order::order_from;
use super::{lookups, streams};
use crate::sim::api::{Contract, ExecutionFilter, Request};
use crate::sim::wire::framing::Frame;
use crate::sim::wire::messages::{PROTOBUF_OFFSET, account, contract, market, order, request_id as id, session};
use prost::Message;

/// The request that a frame holds. A text frame, which no served version sends, is not served.
pub(super) fn decode(frame: Frame<'_>) -> Result<Request, DecodeError> {
    if frame.id <= PROTOBUF_OFFSET {
        return Ok(Request::Unserved { msg_id: frame.id, req_id: -1 });
    }
    let msg_id = frame.id - PROTOBUF_OFFSET;
    let b = frame.body;
    Ok(match msg_id {
        id::START_API => Request::StartApi { client_id: read::<session::StartApi>(msg_id, b)?.client_id.unwrap_or(0) },
        id::IDS => Request::ReqIds,
        id::CURRENT_TIME => Request::ReqCurrentTime,
        id::MANAGED_ACCOUNTS => Request::ReqManagedAccounts,
        id::CONTRACT_DETAILS | id::MARKET_RULE | id::MARKET_DATA_TYPE | id::MARKET_DATA | id::HISTORICAL_DATA => {
            market_request(msg_id, b)?
        }
        id::CANCEL_MARKET_DATA => Request::CancelMktData { req_id: only_id(msg_id, b)? },
        id::CANCEL_HISTORICAL_DATA => Request::CancelHistoricalData { req_id: only_id(msg_id, b)? },
        id::PLACE_ORDER | id::CANCEL_ORDER | id::AUTO_OPEN_ORDERS | id::COMPLETED_ORDERS => order_request(msg_id, b)?,
        id::GLOBAL_CANCEL => Request::ReqGlobalCancel,
        id::OPEN_ORDERS => Request::ReqOpenOrders,
        id::ALL_OPEN_ORDERS => Request::ReqAllOpenOrders,
        id::POSITIONS => Request::ReqPositions,
        id::CANCEL_POSITIONS => Request::CancelPositions,
        id::EXECUTIONS | id::ACCOUNT_SUMMARY | id::ACCOUNT_UPDATES | id::PNL | id::PNL_SINGLE => {
            account_request(msg_id, b)?
        }
        id::CANCEL_ACCOUNT_SUMMARY => Request::CancelAccountSummary { req_id: only_id(msg_id, b)? },
        id::CANCEL_PNL => Request::CancelPnl { req_id: only_id(msg_id, b)? },
        id::CANCEL_PNL_SINGLE => Request::CancelPnlSingle { req_id: only_id(msg_id, b)? },
        _ if id::UNANSWERED.contains(&msg_id) => Request::Unanswered { msg_id },
        _ => match (streams::decode(msg_id, b)?, lookups::decode(msg_id, b)?) {
            (Some(request), _) => Request::Stream(request),
            (None, Some(request)) => Request::Lookup(request),
            (None, None) => unserved(msg_id, b),
        },
    })
}

/// Contract and market-data requests.
fn market_request(msg_id: i32, body: &[u8]) -> Result<Request, DecodeError> {
    Ok(match msg_id {
        id::CONTRACT_DETAILS => {
            let m: contract::ContractDataRequest = read(msg_id, body)?;
            Request::ReqContractDetails { req_id: req(m.req_id), contract: contract_from(m.contract) }
        }
        id::MARKET_RULE => Request::ReqMarketRule { market_rule_id: only_id(msg_id, body)? },
        id::MARKET_DATA_TYPE => {
            let m: market::MarketDataTypeRequest = read(msg_id, body)?;
            Request::ReqMarketDataType { market_data_type: m.market_data_type.unwrap_or_default() }
        }
        id::MARKET_DATA => {
            let m: market::MarketDataRequest = read(msg_id, body)?;
            Request::ReqMktData {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                generic_ticks: m.generic_ticks.unwrap_or_default(),
                snapshot: m.snapshot.unwrap_or_default(),
                regulatory: m.regulatory.unwrap_or_default(),
            }
        }
        _ => {
            let m: market::HistoricalDataRequest = read(msg_id, body)?;
            Request::ReqHistoricalData {
                req_id: req(m.req_id),
                contract: contract_from(m.contract),
                end: m.end.unwrap_or_default(),
                duration: m.duration.unwrap_or_default(),
                bar_size: m.bar_size.unwrap_or_default(),
                what_to_show: m.what_to_show.unwrap_or_default(),
                use_rth: m.use_rth.unwrap_or_default(),
                format_date: m.format_date.unwrap_or_default(),
                keep_up_to_date: m.keep_up_to_date.unwrap_or_default(),
            }
        }
    })
}

/// Order requests. The order id of placeOrder is the request's, not the order's field.
fn order_request(msg_id: i32, body: &[u8]) -> Result<Request, DecodeError> {
    Ok(match msg_id {
        id::PLACE_ORDER => {
            let m: order::PlaceOrderRequest = read(msg_id, body)?;
            let mut order = order_from(msg_id, m.order.unwrap_or_default())?;
            order.order_id = m.order_id.unwrap_or_default();
            Request::PlaceOrder { contract: contract_from(m.contract), order }
        }
        id::CANCEL_ORDER => {
            let m: order::CancelOrderRequest = read(msg_id, body)?;
            Request::CancelOrder { order_id: m.order_id.unwrap_or_default() }
        }
        id::AUTO_OPEN_ORDERS => Request::ReqAutoOpenOrders { bind: only_flag(msg_id, body)? },
        _ => Request::ReqCompletedOrders { api_only: only_flag(msg_id, body)? },
    })
}

/// Account requests.
fn account_request(msg_id: i32, body: &[u8]) -> Result<Request, DecodeError> {
    Ok(match msg_id {
        id::EXECUTIONS => {
            let m: account::ExecutionRequest = read(msg_id, body)?;
            let f = m.filter.unwrap_or_default();
            Request::ReqExecutions {
                req_id: req(m.req_id),
                filter: ExecutionFilter {
                    client_id: f.client_id.unwrap_or_default(),
                    account: f.account.unwrap_or_default(),
                    time: f.time.unwrap_or_default(),
                    symbol: f.symbol.unwrap_or_default(),
                    sec_type: f.sec_type.unwrap_or_default(),
                    exchange: f.exchange.unwrap_or_default(),
                    side: f.side.unwrap_or_default(),
                },
            }
        }
        id::ACCOUNT_SUMMARY => {
            let m: account::AccountSummaryRequest = read(msg_id, body)?;
            Request::ReqAccountSummary {
                req_id: req(m.req_id),
                group: m.group.unwrap_or_default(),
                tags: m.tags.unwrap_or_default(),
            }
        }
        id::ACCOUNT_UPDATES => {
            let m: account::AccountUpdatesRequest = read(msg_id, body)?;
            Request::ReqAccountUpdates {
                subscribe: m.subscribe.unwrap_or_default(),
                account: m.account.unwrap_or_default(),
            }
        }
        id::PNL => {
            let m: account::PnlRequest = read(msg_id, body)?;
            Request::ReqPnl { req_id: req(m.req_id), account: m.account.unwrap_or_default() }
        }
        _ => {
            let m: account::PnlSingleRequest = read(msg_id, body)?;
            Request::ReqPnlSingle {
                req_id: req(m.req_id),
                account: m.account.unwrap_or_default(),
                con_id: m.con_id.unwrap_or_default(),
            }
        }
    })
}

/// A message that is not served, with its request id if it has one.
fn unserved(msg_id: i32, body: &[u8]) -> Request {
    let req_id = if id::WITHOUT_REQ_ID.contains(&msg_id) { None } else { only_id(msg_id, body).ok() };
    Request::Unserved { msg_id, req_id: req_id.unwrap_or(-1) }
}

/// Reads a body as `M`; fields that `M` does not name are skipped.
pub(super) fn read<M: Message + Default>(id: i32, body: &[u8]) -> Result<M, DecodeError> {
    M::decode(body).map_err(|e| DecodeError::Protobuf { id, reason: shortened(&e.to_string()) })
}

/// The request id of a message that has it in field 1.
pub(super) fn only_id(id: i32, body: &[u8]) -> Result<i32, DecodeError> {
    Ok(req(read::<session::OnlyReqId>(id, body)?.req_id))
}

fn only_flag(id: i32, body: &[u8]) -> Result<bool, DecodeError> {
    Ok(read::<order::OnlyFlag>(id, body)?.flag.unwrap_or_default())
}

/// An absent request id is −1, which no client uses.
pub(super) fn req(id: Option<i32>) -> i32 {
    id.unwrap_or(-1)
}

/// An absent contract is an empty one.
pub(super) fn contract_from(c: Option<contract::Contract>) -> Contract {
    c.unwrap_or_default().into()
}
