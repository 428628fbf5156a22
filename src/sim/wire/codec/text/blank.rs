//! Which message id an answer has, and the empty answer of an id, which a client's side fills in.

use super::{lookups, streams};
use crate::clock::SessionTime;
use crate::sim::api::{Contract, Response};
use crate::sim::wire::messages::response_id as id;

/// The message id; [`Response::Disconnect`] has none.
pub(super) fn id_of(response: &Response) -> Option<i32> {
    Some(match response {
        Response::ManagedAccounts { .. } => id::MANAGED_ACCOUNTS,
        Response::NextValidId { .. } => id::NEXT_VALID_ID,
        Response::CurrentTime { .. } => id::CURRENT_TIME,
        Response::Error { .. } => id::ERROR,
        Response::ContractData { .. } => id::CONTRACT_DATA,
        Response::ContractDataEnd { .. } => id::CONTRACT_DATA_END,
        Response::MarketRule { .. } => id::MARKET_RULE,
        Response::MarketDataType { .. } => id::MARKET_DATA_TYPE,
        Response::TickReqParams { .. } => id::TICK_REQ_PARAMS,
        Response::TickPrice { .. } => id::TICK_PRICE,
        Response::TickSize { .. } => id::TICK_SIZE,
        Response::TickGeneric { .. } => id::TICK_GENERIC,
        Response::TickString { .. } => id::TICK_STRING,
        Response::TickSnapshotEnd { .. } => id::TICK_SNAPSHOT_END,
        Response::HistoricalData { .. } => id::HISTORICAL_DATA,
        Response::HistoricalDataEnd { .. } => id::HISTORICAL_DATA_END,
        Response::OpenOrder { .. } => id::OPEN_ORDER,
        Response::OpenOrderEnd => id::OPEN_ORDER_END,
        Response::OrderStatus { .. } => id::ORDER_STATUS,
        Response::CompletedOrder { .. } => id::COMPLETED_ORDER,
        Response::CompletedOrdersEnd => id::COMPLETED_ORDERS_END,
        Response::ExecutionDetails { .. } => id::EXECUTION_DETAILS,
        Response::ExecutionDetailsEnd { .. } => id::EXECUTION_DETAILS_END,
        Response::CommissionReport { .. } => id::COMMISSION_REPORT,
        Response::Position { .. } => id::POSITION,
        Response::PositionEnd => id::POSITION_END,
        Response::AccountSummary { .. } => id::ACCOUNT_SUMMARY,
        Response::AccountSummaryEnd { .. } => id::ACCOUNT_SUMMARY_END,
        Response::AccountValue { .. } => id::ACCOUNT_VALUE,
        Response::PortfolioValue { .. } => id::PORTFOLIO_VALUE,
        Response::AccountUpdateTime { .. } => id::ACCOUNT_UPDATE_TIME,
        Response::AccountDownloadEnd { .. } => id::ACCOUNT_DOWNLOAD_END,
        Response::Pnl { .. } => id::PNL,
        Response::PnlSingle { .. } => id::PNL_SINGLE,
        Response::Stream(answer) => streams::response_id_of(answer),
        Response::Lookup(answer) => lookups::response_id_of(answer),
        Response::Disconnect => return None,
    })
}

/// The answer of a message id, empty; `None` = not modelled.
pub(super) fn blank(msg_id: i32) -> Option<Response> {
    let text = String::new;
    let (req_id, tick_type) = (0, 0);
    Some(match msg_id {
        id::MANAGED_ACCOUNTS => Response::ManagedAccounts { accounts: text() },
        id::NEXT_VALID_ID => Response::NextValidId { order_id: 0 },
        id::CURRENT_TIME => Response::CurrentTime { time: SessionTime::default() },
        id::ERROR => Response::Error {
            id: 0,
            time: SessionTime::default(),
            code: 0,
            message: text(),
            advanced_order_reject_json: text(),
        },
        id::CONTRACT_DATA => Response::ContractData { req_id, details: Box::default() },
        id::CONTRACT_DATA_END => Response::ContractDataEnd { req_id },
        id::MARKET_RULE => Response::MarketRule { market_rule_id: 0, increments: Vec::new() },
        id::MARKET_DATA_TYPE => Response::MarketDataType { req_id, market_data_type: 0 },
        id::TICK_REQ_PARAMS => {
            Response::TickReqParams { req_id, min_tick: text(), bbo_exchange: text(), snapshot_permissions: 0 }
        }
        id::TICK_PRICE => Response::TickPrice { req_id, tick_type, price: 0.0, size: 0.0, attr_mask: 0 },
        id::TICK_SIZE => Response::TickSize { req_id, tick_type, size: 0.0 },
        id::TICK_GENERIC => Response::TickGeneric { req_id, tick_type, value: 0.0 },
        id::TICK_STRING => Response::TickString { req_id, tick_type, value: text() },
        id::TICK_SNAPSHOT_END => Response::TickSnapshotEnd { req_id },
        // Dates are epoch seconds unless one shows otherwise.
        id::HISTORICAL_DATA => Response::HistoricalData { req_id, bars: Vec::new(), format_date: 2 },
        id::HISTORICAL_DATA_END => Response::HistoricalDataEnd { req_id, start: text(), end: text() },
        _ => {
            return blank_order(msg_id)
                .or_else(|| blank_account(msg_id))
                .or_else(|| streams::blank_response(msg_id).map(Response::Stream))
                .or_else(|| lookups::blank_response(msg_id).map(Response::Lookup));
        }
    })
}

fn blank_order(msg_id: i32) -> Option<Response> {
    let (req_id, contract) = (0, Contract::default());
    Some(match msg_id {
        id::OPEN_ORDER => Response::OpenOrder { contract, order: Box::default(), state: Box::default() },
        id::OPEN_ORDER_END => Response::OpenOrderEnd,
        id::ORDER_STATUS => Response::OrderStatus {
            order_id: 0,
            status: String::new(),
            filled: 0.0,
            remaining: 0.0,
            avg_fill_price: 0.0,
            perm_id: 0,
            parent_id: 0,
            last_fill_price: 0.0,
            client_id: 0,
            why_held: String::new(),
            mkt_cap_price: 0.0,
        },
        id::COMPLETED_ORDER => Response::CompletedOrder { contract, order: Box::default(), state: Box::default() },
        id::COMPLETED_ORDERS_END => Response::CompletedOrdersEnd,
        id::EXECUTION_DETAILS => Response::ExecutionDetails { req_id, contract, execution: Box::default() },
        id::EXECUTION_DETAILS_END => Response::ExecutionDetailsEnd { req_id },
        id::COMMISSION_REPORT => Response::CommissionReport {
            exec_id: String::new(),
            commission: 0.0,
            currency: String::new(),
            realized_pnl: None,
        },
        _ => return None,
    })
}

fn blank_account(msg_id: i32) -> Option<Response> {
    let text = String::new;
    let req_id = 0;
    Some(match msg_id {
        id::POSITION => {
            Response::Position { account: text(), contract: Contract::default(), position: 0.0, avg_cost: 0.0 }
        }
        id::POSITION_END => Response::PositionEnd,
        id::ACCOUNT_SUMMARY => {
            Response::AccountSummary { req_id, account: text(), tag: text(), value: text(), currency: text() }
        }
        id::ACCOUNT_SUMMARY_END => Response::AccountSummaryEnd { req_id },
        id::ACCOUNT_VALUE => Response::AccountValue { key: text(), value: text(), currency: text(), account: text() },
        id::PORTFOLIO_VALUE => Response::PortfolioValue {
            contract: Contract::default(),
            position: 0.0,
            market_price: 0.0,
            market_value: 0.0,
            average_cost: 0.0,
            unrealized_pnl: 0.0,
            realized_pnl: 0.0,
            account: text(),
        },
        id::ACCOUNT_UPDATE_TIME => Response::AccountUpdateTime { time: text() },
        id::ACCOUNT_DOWNLOAD_END => Response::AccountDownloadEnd { account: text() },
        id::PNL => Response::Pnl { req_id, daily: 0.0, unrealized: None, realized: None },
        id::PNL_SINGLE => {
            Response::PnlSingle { req_id, position: 0.0, daily: 0.0, unrealized: None, realized: None, value: 0.0 }
        }
        _ => return None,
    })
}
