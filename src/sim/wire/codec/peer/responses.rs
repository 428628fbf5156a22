//! A gateway's protobuf frames → [`Response`], as a client reads them.

use super::{lookups, streams};
use crate::clock::SessionTime;
use crate::sim::api::{ContractDetails, Execution, HistoricalBar, Response};
use crate::sim::wire::codec::DecodeError;
use crate::sim::wire::codec::convert::{from_millis, number, parse_bar_date, state_from};
use crate::sim::wire::codec::order::order_from;
use crate::sim::wire::codec::requests::read;
use crate::sim::wire::framing::Frame;
use crate::sim::wire::messages::{PROTOBUF_OFFSET, account, contract, market, order, response_id as ids, session};

/// Reads a gateway's protobuf frame.
pub fn decode_response(frame: Frame<'_>) -> Result<Response, DecodeError> {
    let msg_id = frame.id.saturating_sub(PROTOBUF_OFFSET);
    let b = frame.body;
    match msg_id {
        ids::TICK_PRICE
        | ids::TICK_SIZE
        | ids::TICK_GENERIC
        | ids::TICK_STRING
        | ids::TICK_REQ_PARAMS
        | ids::TICK_SNAPSHOT_END
        | ids::MARKET_DATA_TYPE => tick(msg_id, b),
        ids::CONTRACT_DATA
        | ids::CONTRACT_DATA_END
        | ids::MARKET_RULE
        | ids::HISTORICAL_DATA
        | ids::HISTORICAL_DATA_END => reference(msg_id, b),
        ids::OPEN_ORDER
        | ids::OPEN_ORDER_END
        | ids::ORDER_STATUS
        | ids::COMPLETED_ORDER
        | ids::COMPLETED_ORDERS_END
        | ids::EXECUTION_DETAILS
        | ids::EXECUTION_DETAILS_END
        | ids::COMMISSION_REPORT => orders(msg_id, b),
        ids::MANAGED_ACCOUNTS | ids::NEXT_VALID_ID | ids::CURRENT_TIME | ids::ERROR => session_answer(msg_id, b),
        ids::POSITION
        | ids::POSITION_END
        | ids::ACCOUNT_SUMMARY
        | ids::ACCOUNT_SUMMARY_END
        | ids::ACCOUNT_VALUE
        | ids::PORTFOLIO_VALUE
        | ids::ACCOUNT_UPDATE_TIME
        | ids::ACCOUNT_DOWNLOAD_END
        | ids::PNL
        | ids::PNL_SINGLE => accounts(msg_id, b),
        _ => match (streams::decode(msg_id, b)?, lookups::decode(msg_id, b)?) {
            (Some(answer), _) => Ok(Response::Stream(answer)),
            (None, Some(answer)) => Ok(Response::Lookup(answer)),
            (None, None) => Err(DecodeError::Unmodelled { id: msg_id }),
        },
    }
}

fn session_answer(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    Ok(match id {
        ids::MANAGED_ACCOUNTS => Response::ManagedAccounts {
            accounts: read::<session::ManagedAccounts>(id, b)?.accounts.unwrap_or_default(),
        },
        ids::NEXT_VALID_ID => {
            Response::NextValidId { order_id: read::<session::NextValidId>(id, b)?.order_id.unwrap_or_default() }
        }
        ids::CURRENT_TIME => Response::CurrentTime {
            time: SessionTime::from_secs(read::<session::CurrentTime>(id, b)?.time_s.unwrap_or_default()),
        },
        _ => {
            let m: session::ErrorMessage = read(id, b)?;
            Response::Error {
                id: m.id.unwrap_or(-1),
                time: from_millis(m.time_ms.unwrap_or_default()),
                code: m.code.unwrap_or_default(),
                message: m.message.unwrap_or_default(),
                advanced_order_reject_json: m.advanced_order_reject_json.unwrap_or_default(),
            }
        }
    })
}

fn tick(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    Ok(match id {
        ids::TICK_PRICE => {
            let m: market::TickPrice = read(id, b)?;
            Response::TickPrice {
                req_id: m.req_id.unwrap_or(-1),
                tick_type: m.tick_type.unwrap_or_default(),
                price: m.price.unwrap_or_default(),
                size: number(id, m.size.as_deref())?,
                attr_mask: m.attr_mask.unwrap_or_default(),
            }
        }
        ids::TICK_SIZE => {
            let m: market::TickSize = read(id, b)?;
            Response::TickSize {
                req_id: m.req_id.unwrap_or(-1),
                tick_type: m.tick_type.unwrap_or_default(),
                size: number(id, m.size.as_deref())?,
            }
        }
        ids::TICK_GENERIC => {
            let m: market::TickGeneric = read(id, b)?;
            Response::TickGeneric {
                req_id: m.req_id.unwrap_or(-1),
                tick_type: m.tick_type.unwrap_or_default(),
                value: m.value.unwrap_or_default(),
            }
        }
        ids::TICK_STRING => {
            let m: market::TickString = read(id, b)?;
            Response::TickString {
                req_id: m.req_id.unwrap_or(-1),
                tick_type: m.tick_type.unwrap_or_default(),
                value: m.value.unwrap_or_default(),
            }
        }
        ids::TICK_REQ_PARAMS => {
            let m: market::TickReqParams = read(id, b)?;
            Response::TickReqParams {
                req_id: m.req_id.unwrap_or(-1),
                min_tick: m.min_tick.unwrap_or_default(),
                bbo_exchange: m.bbo_exchange.unwrap_or_default(),
                snapshot_permissions: m.snapshot_permissions.unwrap_or_default(),
            }
        }
        ids::MARKET_DATA_TYPE => {
            let m: market::MarketDataType = read(id, b)?;
            let market_data_type = m.market_data_type.unwrap_or_default();
            Response::MarketDataType { req_id: m.req_id.unwrap_or(-1), market_data_type }
        }
        _ => Response::TickSnapshotEnd { req_id: only_id(id, b)? },
    })
}

fn reference(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    Ok(match id {
        ids::CONTRACT_DATA => contract_data(id, b)?,
        ids::CONTRACT_DATA_END => Response::ContractDataEnd { req_id: only_id(id, b)? },
        ids::MARKET_RULE => {
            let m: contract::MarketRule = read(id, b)?;
            let step = |i: contract::PriceIncrement| (i.low_edge.unwrap_or_default(), i.increment.unwrap_or_default());
            Response::MarketRule {
                market_rule_id: m.market_rule_id.unwrap_or_default(),
                increments: m.increments.into_iter().map(step).collect(),
            }
        }
        ids::HISTORICAL_DATA => {
            let m: market::HistoricalData = read(id, b)?;
            let bars: Result<Vec<_>, _> = m.bars.iter().map(|bar| bar_from(id, bar)).collect();
            let text_dates = m.bars.iter().any(|bar| bar.date.as_deref().is_some_and(|d| d.contains(' ')));
            Response::HistoricalData {
                req_id: m.req_id.unwrap_or(-1),
                bars: bars?,
                format_date: if text_dates { 1 } else { 2 },
            }
        }
        _ => {
            let m: market::HistoricalDataEnd = read(id, b)?;
            Response::HistoricalDataEnd {
                req_id: m.req_id.unwrap_or(-1),
                start: m.start.unwrap_or_default(),
                end: m.end.unwrap_or_default(),
            }
        }
    })
}

/// A bar of history.
pub(super) fn bar_from(id: i32, b: &market::HistoricalDataBar) -> Result<HistoricalBar, DecodeError> {
    Ok(HistoricalBar {
        time: parse_bar_date(id, b.date.as_deref().unwrap_or_default())?,
        open: b.open.unwrap_or_default(),
        high: b.high.unwrap_or_default(),
        low: b.low.unwrap_or_default(),
        close: b.close.unwrap_or_default(),
        volume: number(id, b.volume.as_deref())?,
        wap: number(id, b.wap.as_deref())?,
        count: b.count.unwrap_or_default(),
    })
}

fn contract_data(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    let m: contract::ContractData = read(id, b)?;
    let d = m.details.unwrap_or_default();
    let details = ContractDetails {
        contract: m.contract.unwrap_or_default().into(),
        market_name: d.market_name.unwrap_or_default(),
        min_tick: number(id, d.min_tick.as_deref())?,
        order_types: d.order_types.unwrap_or_default(),
        valid_exchanges: d.valid_exchanges.unwrap_or_default(),
        market_rule_ids: d.market_rule_ids.unwrap_or_default(),
        long_name: d.long_name.unwrap_or_default(),
        time_zone_id: d.time_zone_id.unwrap_or_default(),
        trading_hours: d.trading_hours.unwrap_or_default(),
        liquid_hours: d.liquid_hours.unwrap_or_default(),
        stock_type: d.stock_type.unwrap_or_default(),
        min_size: number(id, d.min_size.as_deref())?,
        size_increment: number(id, d.size_increment.as_deref())?,
        suggested_size_increment: number(id, d.suggested_size_increment.as_deref())?,
        min_algo_size: d.min_algo_size.as_deref().map(|text| number(id, Some(text))).transpose()?,
        industry: d.industry.unwrap_or_default(),
        category: d.category.unwrap_or_default(),
        subcategory: d.subcategory.unwrap_or_default(),
        agg_group: d.agg_group.unwrap_or_default(),
    };
    Ok(Response::ContractData { req_id: m.req_id.unwrap_or(-1), details: Box::new(details) })
}

fn orders(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    Ok(match id {
        ids::OPEN_ORDER => {
            let m: order::OpenOrder = read(id, b)?;
            let mut order = order_from(id, m.order.unwrap_or_default())?;
            order.order_id = m.order_id.unwrap_or_default();
            Response::OpenOrder {
                contract: m.contract.unwrap_or_default().into(),
                order: Box::new(order),
                state: Box::new(state_from(m.state.unwrap_or_default())),
            }
        }
        ids::OPEN_ORDER_END => Response::OpenOrderEnd,
        ids::COMPLETED_ORDER => {
            let m: order::CompletedOrder = read(id, b)?;
            Response::CompletedOrder {
                contract: m.contract.unwrap_or_default().into(),
                order: Box::new(order_from(id, m.order.unwrap_or_default())?),
                state: Box::new(state_from(m.state.unwrap_or_default())),
            }
        }
        ids::COMPLETED_ORDERS_END => Response::CompletedOrdersEnd,
        ids::EXECUTION_DETAILS => execution_details(id, b)?,
        ids::EXECUTION_DETAILS_END => Response::ExecutionDetailsEnd { req_id: only_id(id, b)? },
        ids::COMMISSION_REPORT => {
            let m: account::CommissionReport = read(id, b)?;
            Response::CommissionReport {
                exec_id: m.exec_id.unwrap_or_default(),
                commission: m.commission.unwrap_or_default(),
                currency: m.currency.unwrap_or_default(),
                realized_pnl: m.realized_pnl,
            }
        }
        _ => {
            let m: order::OrderStatus = read(id, b)?;
            Response::OrderStatus {
                order_id: m.order_id.unwrap_or_default(),
                status: m.status.unwrap_or_default(),
                filled: number(id, m.filled.as_deref())?,
                remaining: number(id, m.remaining.as_deref())?,
                avg_fill_price: m.avg_fill_price.unwrap_or_default(),
                perm_id: m.perm_id.unwrap_or_default(),
                parent_id: m.parent_id.unwrap_or_default(),
                last_fill_price: m.last_fill_price.unwrap_or_default(),
                client_id: m.client_id.unwrap_or_default(),
                why_held: m.why_held.unwrap_or_default(),
                mkt_cap_price: m.mkt_cap_price.unwrap_or_default(),
            }
        }
    })
}

fn execution_details(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    let m: account::ExecutionDetails = read(id, b)?;
    let e = m.execution.unwrap_or_default();
    let execution = Execution {
        order_id: e.order_id.unwrap_or_default(),
        client_id: e.client_id.unwrap_or_default(),
        exec_id: e.exec_id.unwrap_or_default(),
        time: e.time.unwrap_or_default(),
        account: e.account.unwrap_or_default(),
        exchange: e.exchange.unwrap_or_default(),
        side: e.side.unwrap_or_default(),
        shares: number(id, e.shares.as_deref())?,
        price: e.price.unwrap_or_default(),
        perm_id: e.perm_id.unwrap_or_default(),
        cum_qty: number(id, e.cum_qty.as_deref())?,
        avg_price: e.avg_price.unwrap_or_default(),
        order_ref: e.order_ref.unwrap_or_default(),
        last_liquidity: e.last_liquidity.unwrap_or_default(),
    };
    Ok(Response::ExecutionDetails {
        req_id: m.req_id.unwrap_or(-1),
        contract: m.contract.unwrap_or_default().into(),
        execution: Box::new(execution),
    })
}

fn accounts(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    Ok(match id {
        ids::POSITION => {
            let m: account::Position = read(id, b)?;
            Response::Position {
                account: m.account.unwrap_or_default(),
                contract: m.contract.unwrap_or_default().into(),
                position: number(id, m.position.as_deref())?,
                avg_cost: m.avg_cost.unwrap_or_default(),
            }
        }
        ids::POSITION_END => Response::PositionEnd,
        ids::ACCOUNT_SUMMARY => {
            let m: account::AccountSummary = read(id, b)?;
            Response::AccountSummary {
                req_id: m.req_id.unwrap_or(-1),
                account: m.account.unwrap_or_default(),
                tag: m.tag.unwrap_or_default(),
                value: m.value.unwrap_or_default(),
                currency: m.currency.unwrap_or_default(),
            }
        }
        ids::ACCOUNT_SUMMARY_END => Response::AccountSummaryEnd { req_id: only_id(id, b)? },
        ids::ACCOUNT_VALUE => {
            let m: account::AccountValue = read(id, b)?;
            Response::AccountValue {
                key: m.key.unwrap_or_default(),
                value: m.value.unwrap_or_default(),
                currency: m.currency.unwrap_or_default(),
                account: m.account.unwrap_or_default(),
            }
        }
        ids::ACCOUNT_UPDATE_TIME => Response::AccountUpdateTime { time: only_text(id, b)? },
        ids::ACCOUNT_DOWNLOAD_END => Response::AccountDownloadEnd { account: only_text(id, b)? },
        _ => money(id, b)?,
    })
}

fn money(id: i32, b: &[u8]) -> Result<Response, DecodeError> {
    Ok(match id {
        ids::PORTFOLIO_VALUE => {
            let m: account::PortfolioValue = read(id, b)?;
            Response::PortfolioValue {
                contract: m.contract.unwrap_or_default().into(),
                position: number(id, m.position.as_deref())?,
                market_price: m.market_price.unwrap_or_default(),
                market_value: m.market_value.unwrap_or_default(),
                average_cost: m.average_cost.unwrap_or_default(),
                unrealized_pnl: m.unrealized_pnl.unwrap_or_default(),
                realized_pnl: m.realized_pnl.unwrap_or_default(),
                account: m.account.unwrap_or_default(),
            }
        }
        ids::PNL => {
            let m: account::Pnl = read(id, b)?;
            Response::Pnl {
                req_id: m.req_id.unwrap_or(-1),
                daily: m.daily.unwrap_or_default(),
                unrealized: m.unrealized,
                realized: m.realized,
            }
        }
        _ => {
            let m: account::PnlSingle = read(id, b)?;
            Response::PnlSingle {
                req_id: m.req_id.unwrap_or(-1),
                position: number(id, m.position.as_deref())?,
                daily: m.daily.unwrap_or_default(),
                unrealized: m.unrealized,
                realized: m.realized,
                value: m.value.unwrap_or_default(),
            }
        }
    })
}

/// An absent request id is −1.
pub(super) fn only_id_or(id: Option<i32>) -> i32 {
    id.unwrap_or(-1)
}

fn only_id(id: i32, b: &[u8]) -> Result<i32, DecodeError> {
    Ok(read::<session::OnlyReqId>(id, b)?.req_id.unwrap_or(-1))
}

fn only_text(id: i32, b: &[u8]) -> Result<String, DecodeError> {
    Ok(read::<account::OnlyText>(id, b)?.text.unwrap_or_default())
}
