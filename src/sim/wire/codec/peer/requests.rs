//! [`Request`] → protobuf frames, as a client writes them.

use super::{lookups, streams};
use crate::sim::api::{Contract, ExecutionFilter, Order, Request};
use crate::sim::wire::codec::convert::{client_contract, flag, nonzero, text};
use crate::sim::wire::codec::order::client_order;
use crate::sim::wire::codec::responses::{put, put_empty, put_id};
use crate::sim::wire::framing::FrameError;
use crate::sim::wire::messages::{account, contract, market, order, request_id as id, session};

/// Appends the frame of `request` to `out`. [`Request::Unserved`] is written as its request id alone,
/// [`Request::Unanswered`] without content; [`Request::Disconnected`] has no frame.
pub fn encode_request(request: Request, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match request {
        Request::StartApi { client_id } => {
            put(out, id::START_API, &session::StartApi { client_id: Some(client_id), optional_capabilities: None })
        }
        Request::ReqIds => put_id(out, id::IDS, 1),
        Request::ReqCurrentTime => put_empty(out, id::CURRENT_TIME),
        Request::ReqManagedAccounts => put_empty(out, id::MANAGED_ACCOUNTS),
        Request::ReqMarketRule { market_rule_id } => put_id(out, id::MARKET_RULE, market_rule_id),
        Request::CancelMktData { req_id } => put_id(out, id::CANCEL_MARKET_DATA, req_id),
        Request::CancelHistoricalData { req_id } => put_id(out, id::CANCEL_HISTORICAL_DATA, req_id),
        Request::CancelAccountSummary { req_id } => put_id(out, id::CANCEL_ACCOUNT_SUMMARY, req_id),
        Request::CancelPnl { req_id } => put_id(out, id::CANCEL_PNL, req_id),
        Request::CancelPnlSingle { req_id } => put_id(out, id::CANCEL_PNL_SINGLE, req_id),
        Request::ReqOpenOrders => put_empty(out, id::OPEN_ORDERS),
        Request::ReqAllOpenOrders => put_empty(out, id::ALL_OPEN_ORDERS),
        Request::ReqPositions => put_empty(out, id::POSITIONS),
        Request::CancelPositions => put_empty(out, id::CANCEL_POSITIONS),
        Request::ReqAutoOpenOrders { bind } => put(out, id::AUTO_OPEN_ORDERS, &order::OnlyFlag { flag: flag(bind) }),
        Request::ReqCompletedOrders { api_only } => {
            put(out, id::COMPLETED_ORDERS, &order::OnlyFlag { flag: flag(api_only) })
        }
        Request::ReqGlobalCancel => {
            put(out, id::GLOBAL_CANCEL, &order::GlobalCancelRequest { order_cancel: Some(order::Empty {}) })
        }
        Request::CancelOrder { order_id } => {
            let order_cancel = Some(order::Empty {});
            put(out, id::CANCEL_ORDER, &order::CancelOrderRequest { order_id: Some(order_id), order_cancel })
        }
        Request::PlaceOrder { contract, order } => place_order(contract, order, out),
        Request::ReqContractDetails { .. }
        | Request::ReqMarketDataType { .. }
        | Request::ReqMktData { .. }
        | Request::ReqHistoricalData { .. } => market_request(request, out),
        Request::ReqExecutions { .. }
        | Request::ReqAccountSummary { .. }
        | Request::ReqAccountUpdates { .. }
        | Request::ReqPnl { .. }
        | Request::ReqPnlSingle { .. } => account_request(request, out),
        Request::Stream(request) => streams::encode(request, out),
        Request::Lookup(request) => lookups::encode(request, out),
        Request::Unserved { msg_id, req_id } => put_id(out, msg_id, req_id),
        Request::Unanswered { msg_id } => put_empty(out, msg_id),
        Request::Disconnected => Ok(()),
    }
}

fn place_order(contract: Contract, order: Order, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let m = order::PlaceOrderRequest {
        order_id: Some(order.order_id),
        contract: client_contract(contract),
        order: Some(client_order(order)),
        attached_orders: Some(order::Empty {}),
    };
    put(out, id::PLACE_ORDER, &m)
}

fn market_request(request: Request, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match request {
        Request::ReqContractDetails { req_id, contract } => {
            let m = contract::ContractDataRequest { req_id: Some(req_id), contract: client_contract(contract) };
            put(out, id::CONTRACT_DETAILS, &m)
        }
        Request::ReqMarketDataType { market_data_type } => {
            put(out, id::MARKET_DATA_TYPE, &market::MarketDataTypeRequest { market_data_type: Some(market_data_type) })
        }
        Request::ReqMktData { req_id, contract, generic_ticks, snapshot, regulatory } => {
            let m = market::MarketDataRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                generic_ticks: text(generic_ticks),
                snapshot: flag(snapshot),
                regulatory: flag(regulatory),
            };
            put(out, id::MARKET_DATA, &m)
        }
        Request::ReqHistoricalData {
            req_id,
            contract,
            end,
            duration,
            bar_size,
            what_to_show,
            use_rth,
            format_date,
            keep_up_to_date,
        } => {
            let m = market::HistoricalDataRequest {
                req_id: Some(req_id),
                contract: client_contract(contract),
                end: text(end),
                bar_size: text(bar_size),
                duration: text(duration),
                use_rth: flag(use_rth),
                what_to_show: text(what_to_show),
                format_date: Some(format_date),
                keep_up_to_date: flag(keep_up_to_date),
            };
            put(out, id::HISTORICAL_DATA, &m)
        }
        _ => Ok(()),
    }
}

fn account_request(request: Request, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match request {
        Request::ReqExecutions { req_id, filter } => {
            let m = account::ExecutionRequest { req_id: Some(req_id), filter: Some(filter_of(filter)) };
            put(out, id::EXECUTIONS, &m)
        }
        Request::ReqAccountSummary { req_id, group, tags } => {
            let m = account::AccountSummaryRequest { req_id: Some(req_id), group: text(group), tags: text(tags) };
            put(out, id::ACCOUNT_SUMMARY, &m)
        }
        Request::ReqAccountUpdates { subscribe, account } => {
            let m = account::AccountUpdatesRequest { subscribe: flag(subscribe), account: text(account) };
            put(out, id::ACCOUNT_UPDATES, &m)
        }
        Request::ReqPnl { req_id, account } => {
            put(out, id::PNL, &account::PnlRequest { req_id: Some(req_id), account: text(account) })
        }
        Request::ReqPnlSingle { req_id, account, con_id } => {
            let m = account::PnlSingleRequest { req_id: Some(req_id), account: text(account), con_id: Some(con_id) };
            put(out, id::PNL_SINGLE, &m)
        }
        _ => Ok(()),
    }
}

fn filter_of(f: ExecutionFilter) -> account::ExecutionFilter {
    account::ExecutionFilter {
        client_id: nonzero(f.client_id),
        account: text(f.account),
        time: text(f.time),
        symbol: text(f.symbol),
        sec_type: text(f.sec_type),
        exchange: text(f.exchange),
        side: text(f.side),
    }
}
