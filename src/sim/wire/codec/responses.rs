//! [`Response`] → protobuf frames. Values move into the messages, ticks reuse one text for their size: no
//! allocation a tick. `encode` names every variant and hands it to its topic's function, whose last arm is for
//! the other topics' variants and never runs; a test encodes every variant.

use super::convert::{decimal, gateway_contract, millis, state_of, text, write_decimal};
use super::order::gateway_order;
use super::{lookups, streams};
use crate::sim::api::{ContractDetails, Execution, Response};
use crate::sim::wire::framing::{FrameError, append_frame};
use crate::sim::wire::messages::{PROTOBUF_OFFSET, account, contract, market, order, response_id as id, session};
use prost::Message;

/// Price and size precision of tickReqParams [recorded, on a stock].
const PRECISION: &str = "0.000001";

/// Appends the frame of `response` to `out`. `scratch` is reused between calls.
pub(super) fn encode(response: Response, scratch: &mut String, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        Response::TickPrice { req_id, tick_type, price, size, attr_mask } => {
            write_decimal(scratch, size);
            let mut m = market::TickPrice {
                req_id: Some(req_id),
                tick_type: Some(tick_type),
                price: Some(price),
                size: Some(std::mem::take(scratch)),
                attr_mask: Some(attr_mask),
            };
            let result = put(out, id::TICK_PRICE, &m);
            *scratch = m.size.take().unwrap_or_default();
            result
        }
        Response::TickSize { req_id, tick_type, size } => {
            write_decimal(scratch, size);
            let size = Some(std::mem::take(scratch));
            let mut m = market::TickSize { req_id: Some(req_id), tick_type: Some(tick_type), size };
            let result = put(out, id::TICK_SIZE, &m);
            *scratch = m.size.take().unwrap_or_default();
            result
        }
        Response::TickGeneric { req_id, tick_type, value } => {
            let m = market::TickGeneric { req_id: Some(req_id), tick_type: Some(tick_type), value: Some(value) };
            put(out, id::TICK_GENERIC, &m)
        }
        Response::TickString { req_id, tick_type, value } => {
            let m = market::TickString { req_id: Some(req_id), tick_type: Some(tick_type), value: Some(value) };
            put(out, id::TICK_STRING, &m)
        }
        Response::ManagedAccounts { .. }
        | Response::NextValidId { .. }
        | Response::CurrentTime { .. }
        | Response::Error { .. } => session_answer(response, out),
        Response::OpenOrder { .. }
        | Response::OpenOrderEnd
        | Response::OrderStatus { .. }
        | Response::CompletedOrder { .. }
        | Response::CompletedOrdersEnd
        | Response::ExecutionDetails { .. }
        | Response::ExecutionDetailsEnd { .. }
        | Response::CommissionReport { .. } => order_answer(response, out),
        Response::ContractData { .. }
        | Response::ContractDataEnd { .. }
        | Response::MarketRule { .. }
        | Response::MarketDataType { .. }
        | Response::TickReqParams { .. }
        | Response::TickSnapshotEnd { .. }
        | Response::HistoricalData { .. }
        | Response::HistoricalDataEnd { .. } => market_answer(response, out),
        Response::Position { .. }
        | Response::PositionEnd
        | Response::AccountSummary { .. }
        | Response::AccountSummaryEnd { .. }
        | Response::AccountValue { .. }
        | Response::PortfolioValue { .. }
        | Response::AccountUpdateTime { .. }
        | Response::AccountDownloadEnd { .. }
        | Response::Pnl { .. }
        | Response::PnlSingle { .. } => account_answer(response, out),
        Response::Stream(answer) => streams::encode(answer, out),
        Response::Lookup(answer) => lookups::encode(answer, out),
        Response::Disconnect | Response::Wire(_) => Ok(()),
    }
}

fn session_answer(response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        Response::ManagedAccounts { accounts } => {
            put(out, id::MANAGED_ACCOUNTS, &session::ManagedAccounts { accounts: Some(accounts) })
        }
        Response::NextValidId { order_id } => {
            put(out, id::NEXT_VALID_ID, &session::NextValidId { order_id: Some(order_id) })
        }
        Response::CurrentTime { time } => {
            put(out, id::CURRENT_TIME, &session::CurrentTime { time_s: Some(time.secs()) })
        }
        Response::Error { id, time, code, message, advanced_order_reject_json } => {
            let m = session::ErrorMessage {
                id: Some(id),
                time_ms: Some(millis(time)),
                code: Some(code),
                message: Some(message),
                advanced_order_reject_json: text(advanced_order_reject_json),
            };
            put(out, id::ERROR, &m)
        }
        _ => Ok(()),
    }
}

fn market_answer(response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        Response::ContractData { req_id, details } => put(out, id::CONTRACT_DATA, &contract_data(req_id, *details)),
        Response::ContractDataEnd { req_id } => put_id(out, id::CONTRACT_DATA_END, req_id),
        Response::MarketRule { market_rule_id, increments } => {
            let step = |(low, step)| contract::PriceIncrement { low_edge: Some(low), increment: Some(step) };
            let increments = increments.into_iter().map(step).collect();
            put(out, id::MARKET_RULE, &contract::MarketRule { market_rule_id: Some(market_rule_id), increments })
        }
        Response::MarketDataType { req_id, market_data_type } => {
            let m = market::MarketDataType { req_id: Some(req_id), market_data_type: Some(market_data_type) };
            put(out, id::MARKET_DATA_TYPE, &m)
        }
        Response::TickReqParams { req_id, min_tick, bbo_exchange, snapshot_permissions } => {
            let m = market::TickReqParams {
                req_id: Some(req_id),
                min_tick: text(min_tick),
                bbo_exchange: text(bbo_exchange),
                snapshot_permissions: Some(snapshot_permissions),
                last_price_precision: Some(PRECISION.to_owned()),
                last_size_precision: Some(PRECISION.to_owned()),
            };
            put(out, id::TICK_REQ_PARAMS, &m)
        }
        Response::TickSnapshotEnd { req_id } => put_id(out, id::TICK_SNAPSHOT_END, req_id),
        Response::HistoricalData { req_id, bars, format_date } => {
            let bars = bars.into_iter().map(|b| streams::history_bar(b, format_date)).collect();
            put(out, id::HISTORICAL_DATA, &market::HistoricalData { req_id: Some(req_id), bars })
        }
        Response::HistoricalDataEnd { req_id, start, end } => {
            let m = market::HistoricalDataEnd { req_id: Some(req_id), start: text(start), end: text(end) };
            put(out, id::HISTORICAL_DATA_END, &m)
        }
        _ => Ok(()),
    }
}

fn contract_data(req_id: i32, d: ContractDetails) -> contract::ContractData {
    contract::ContractData {
        req_id: Some(req_id),
        contract: gateway_contract(d.contract),
        details: Some(contract::ContractDetails {
            market_name: text(d.market_name),
            min_tick: decimal(d.min_tick),
            order_types: text(d.order_types),
            valid_exchanges: text(d.valid_exchanges),
            price_magnifier: Some(1),
            long_name: text(d.long_name),
            industry: text(d.industry),
            category: text(d.category),
            subcategory: text(d.subcategory),
            time_zone_id: text(d.time_zone_id),
            trading_hours: text(d.trading_hours),
            liquid_hours: text(d.liquid_hours),
            agg_group: Some(d.agg_group),
            market_rule_ids: text(d.market_rule_ids),
            stock_type: text(d.stock_type),
            min_size: decimal(d.min_size),
            size_increment: decimal(d.size_increment),
            suggested_size_increment: decimal(d.suggested_size_increment),
            min_algo_size: d.min_algo_size.and_then(decimal),
        }),
    }
}

fn order_answer(response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        Response::OpenOrder { contract, order, state } => {
            let m = order::OpenOrder {
                order_id: Some(order.order_id),
                contract: gateway_contract(contract),
                order: Some(gateway_order(*order)),
                state: Some(state_of(*state)),
            };
            put(out, id::OPEN_ORDER, &m)
        }
        Response::OpenOrderEnd => put_empty(out, id::OPEN_ORDER_END),
        Response::CompletedOrder { contract, order, state } => {
            let m = order::CompletedOrder {
                contract: gateway_contract(contract),
                order: Some(gateway_order(*order)),
                state: Some(state_of(*state)),
            };
            put(out, id::COMPLETED_ORDER, &m)
        }
        Response::CompletedOrdersEnd => put_empty(out, id::COMPLETED_ORDERS_END),
        Response::ExecutionDetails { req_id, contract, execution } => {
            let m = account::ExecutionDetails {
                req_id: Some(req_id),
                contract: gateway_contract(contract),
                execution: Some(execution_of(*execution)),
            };
            put(out, id::EXECUTION_DETAILS, &m)
        }
        Response::ExecutionDetailsEnd { req_id } => put_id(out, id::EXECUTION_DETAILS_END, req_id),
        Response::CommissionReport { exec_id, commission, currency, realized_pnl } => {
            let m = account::CommissionReport {
                exec_id: text(exec_id),
                commission: Some(commission),
                currency: text(currency),
                realized_pnl,
            };
            put(out, id::COMMISSION_REPORT, &m)
        }
        status @ Response::OrderStatus { .. } => order_status(status, out),
        _ => Ok(()),
    }
}

fn order_status(response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let Response::OrderStatus {
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
    } = response
    else {
        return Ok(());
    };
    let m = order::OrderStatus {
        order_id: Some(order_id),
        status: text(status),
        filled: decimal(filled),
        remaining: decimal(remaining),
        avg_fill_price: Some(avg_fill_price),
        perm_id: Some(perm_id),
        parent_id: Some(parent_id),
        last_fill_price: Some(last_fill_price),
        client_id: Some(client_id),
        why_held: text(why_held),
        mkt_cap_price: Some(mkt_cap_price),
    };
    put(out, id::ORDER_STATUS, &m)
}

fn execution_of(e: Execution) -> account::Execution {
    account::Execution {
        order_id: Some(e.order_id),
        exec_id: text(e.exec_id),
        time: text(e.time),
        account: text(e.account),
        exchange: text(e.exchange),
        side: text(e.side),
        shares: decimal(e.shares),
        price: Some(e.price),
        perm_id: Some(e.perm_id),
        client_id: Some(e.client_id),
        cum_qty: decimal(e.cum_qty),
        avg_price: Some(e.avg_price),
        order_ref: text(e.order_ref),
        last_liquidity: Some(e.last_liquidity),
        exercise_or_lapse: Some(-1),
    }
}

fn account_answer(response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        Response::Position { account, contract, position, avg_cost } => {
            let m = account::Position {
                account: text(account),
                contract: gateway_contract(contract),
                position: decimal(position),
                avg_cost: Some(avg_cost),
            };
            put(out, id::POSITION, &m)
        }
        Response::PositionEnd => put_empty(out, id::POSITION_END),
        Response::AccountSummary { req_id, account, tag, value, currency } => {
            let m = account::AccountSummary {
                req_id: Some(req_id),
                account: text(account),
                tag: text(tag),
                value: Some(value),
                currency: text(currency),
            };
            put(out, id::ACCOUNT_SUMMARY, &m)
        }
        Response::AccountSummaryEnd { req_id } => put_id(out, id::ACCOUNT_SUMMARY_END, req_id),
        Response::AccountValue { key, value, currency, account } => {
            let m = account::AccountValue {
                key: text(key),
                value: Some(value),
                currency: text(currency),
                account: text(account),
            };
            put(out, id::ACCOUNT_VALUE, &m)
        }
        Response::AccountUpdateTime { time } => put_text(out, id::ACCOUNT_UPDATE_TIME, time),
        Response::AccountDownloadEnd { account } => put_text(out, id::ACCOUNT_DOWNLOAD_END, account),
        Response::Pnl { req_id, daily, unrealized, realized } => {
            let m = account::Pnl { req_id: Some(req_id), daily: Some(daily), unrealized, realized };
            put(out, id::PNL, &m)
        }
        Response::PnlSingle { req_id, position, daily, unrealized, realized, value } => {
            let m = account::PnlSingle {
                req_id: Some(req_id),
                position: decimal(position),
                daily: Some(daily),
                unrealized,
                realized,
                value: Some(value),
            };
            put(out, id::PNL_SINGLE, &m)
        }
        row @ Response::PortfolioValue { .. } => portfolio_value(row, out),
        _ => Ok(()),
    }
}

fn portfolio_value(response: Response, out: &mut Vec<u8>) -> Result<(), FrameError> {
    let Response::PortfolioValue {
        contract,
        position,
        market_price,
        market_value,
        average_cost,
        unrealized_pnl,
        realized_pnl,
        account,
    } = response
    else {
        return Ok(());
    };
    let m = account::PortfolioValue {
        contract: gateway_contract(contract),
        position: decimal(position),
        market_price: Some(market_price),
        market_value: Some(market_value),
        average_cost: Some(average_cost),
        unrealized_pnl: Some(unrealized_pnl),
        realized_pnl: Some(realized_pnl),
        account: text(account),
    };
    put(out, id::PORTFOLIO_VALUE, &m)
}

/// Appends a message's frame.
pub(super) fn put(out: &mut Vec<u8>, id: i32, m: &impl Message) -> Result<(), FrameError> {
    // Encoding fails only where the buffer is full, and a Vec grows.
    append_frame(out, id + PROTOBUF_OFFSET, |body| m.encode(body).unwrap_or_default())
}

/// A frame of field 1 alone, an id.
pub(super) fn put_id(out: &mut Vec<u8>, id: i32, req_id: i32) -> Result<(), FrameError> {
    put(out, id, &session::OnlyReqId { req_id: Some(req_id) })
}

/// A frame without content.
pub(super) fn put_empty(out: &mut Vec<u8>, id: i32) -> Result<(), FrameError> {
    append_frame(out, id + PROTOBUF_OFFSET, |_| {})
}

fn put_text(out: &mut Vec<u8>, id: i32, content: String) -> Result<(), FrameError> {
    put(out, id, &account::OnlyText { text: Some(content) })
}
