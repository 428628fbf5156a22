//! What stands for *unset* in TWS messages, put into every field of an answer that can be unset: 1.797e308 in prices and
//! amounts, the largest i32 and i64 in whole numbers, nothing in texts. Ids by which an answer finds its request stay.

use super::rewrite::margins;
use crate::sim::api::{Contract, Execution, Order, Response};

/// 1.797e308 as gateways write it in texts.
const MAX_TEXT: &str = "1.7976931348623157E308";

/// Puts the largest numbers into an answer.
pub(super) fn sentinels(r: &mut Response) {
    match r {
        Response::TickPrice { price, size, .. } => fill([price, size]),
        Response::TickSize { size: value, .. } | Response::TickGeneric { value, .. } => *value = f64::MAX,
        Response::HistoricalData { bars, .. } => {
            for b in bars {
                fill([&mut b.open, &mut b.high, &mut b.low, &mut b.close, &mut b.volume, &mut b.wap]);
                b.count = i32::MAX;
            }
        }
        Response::ContractData { details: d, .. } => {
            fill([&mut d.min_tick, &mut d.min_size, &mut d.size_increment, &mut d.suggested_size_increment]);
            d.agg_group = i32::MAX;
        }
        Response::OpenOrder { .. } => {
            margins(r, Some(f64::MAX));
            if let Response::OpenOrder { order, .. } = r {
                order_numbers(order);
            }
        }
        Response::CompletedOrder { order, .. } => order_numbers(order),
        Response::OrderStatus {
            filled, remaining, avg_fill_price, last_fill_price, mkt_cap_price, parent_id, ..
        } => {
            fill([filled, remaining, avg_fill_price, last_fill_price, mkt_cap_price]);
            *parent_id = i32::MAX;
        }
        Response::ExecutionDetails { execution, .. } => execution_numbers(execution),
        Response::CommissionReport { commission, realized_pnl, .. } => {
            *commission = f64::MAX;
            *realized_pnl = Some(f64::MAX);
        }
        _ => account_sentinels(r),
    }
}

fn account_sentinels(r: &mut Response) {
    match r {
        Response::Position { position, avg_cost, .. } => fill([position, avg_cost]),
        Response::AccountValue { value, .. } | Response::AccountSummary { value, .. } => *value = MAX_TEXT.into(),
        Response::PortfolioValue {
            position,
            market_price,
            market_value,
            average_cost,
            unrealized_pnl,
            realized_pnl,
            ..
        } => fill([position, market_price, market_value, average_cost, unrealized_pnl, realized_pnl]),
        Response::Pnl { daily, unrealized, realized, .. } => {
            *daily = f64::MAX;
            (*unrealized, *realized) = (Some(f64::MAX), Some(f64::MAX));
        }
        Response::PnlSingle { position, daily, unrealized, realized, value, .. } => {
            fill([position, daily, value]);
            (*unrealized, *realized) = (Some(f64::MAX), Some(f64::MAX));
        }
        Response::NextValidId { order_id } => *order_id = i32::MAX,
        Response::MarketRule { increments, .. } => {
            for (low, increment) in increments {
                fill([low, increment]);
            }
        }
        _ => {}
    }
}

fn fill<const N: usize>(fields: [&mut f64; N]) {
    for field in fields {
        *field = f64::MAX;
    }
}

fn order_numbers(o: &mut Order) {
    (o.limit_price, o.aux_price) = (Some(f64::MAX), Some(f64::MAX));
    (o.trailing_percent, o.trail_stop_price) = (Some(f64::MAX), Some(f64::MAX));
    fill([&mut o.total_quantity, &mut o.filled_quantity]);
    (o.perm_id, o.parent_perm_id) = (i64::MAX, i64::MAX);
    (o.parent_id, o.oca_type, o.trigger_method) = (i32::MAX, i32::MAX, i32::MAX);
}

fn execution_numbers(e: &mut Execution) {
    fill([&mut e.shares, &mut e.price, &mut e.cum_qty, &mut e.avg_price]);
    (e.perm_id, e.last_liquidity) = (i64::MAX, i32::MAX);
}

/// Takes the texts and the optional numbers out of an answer.
pub(super) fn empty(r: &mut Response) {
    match r {
        Response::OpenOrder { contract, order, .. } => {
            names(contract);
            order_texts(order);
            margins(r, None);
            if let Response::OpenOrder { state, .. } = r {
                (state.commission_currency, state.margin_currency) = (String::new(), String::new());
            }
        }
        Response::CompletedOrder { contract, order, state } => {
            names(contract);
            order_texts(order);
            (state.completed_time, state.completed_status) = (String::new(), String::new());
        }
        Response::OrderStatus { why_held, status, .. } => (*why_held, *status) = (String::new(), String::new()),
        Response::ExecutionDetails { contract, execution: e, .. } => {
            names(contract);
            for text in [&mut e.exec_id, &mut e.time, &mut e.account, &mut e.exchange, &mut e.side, &mut e.order_ref] {
                text.clear();
            }
        }
        Response::CommissionReport { exec_id, currency, realized_pnl, .. } => {
            (*exec_id, *currency, *realized_pnl) = (String::new(), String::new(), None);
        }
        Response::Position { account, contract, .. } | Response::PortfolioValue { account, contract, .. } => {
            account.clear();
            names(contract);
        }
        Response::AccountValue { value, currency, .. } | Response::AccountSummary { value, currency, .. } => {
            (*value, *currency) = (String::new(), String::new());
        }
        Response::Pnl { unrealized, realized, .. } | Response::PnlSingle { unrealized, realized, .. } => {
            (*unrealized, *realized) = (None, None);
        }
        Response::TickString { value, .. } => value.clear(),
        Response::TickReqParams { min_tick, bbo_exchange, .. } => {
            (*min_tick, *bbo_exchange) = (String::new(), String::new())
        }
        Response::ContractData { details: d, .. } => {
            for text in [&mut d.valid_exchanges, &mut d.market_rule_ids, &mut d.trading_hours, &mut d.liquid_hours] {
                text.clear();
            }
        }
        Response::ManagedAccounts { accounts } => accounts.clear(),
        Response::Error { message, .. } => message.clear(),
        _ => {}
    }
}

fn names(c: &mut Contract) {
    *c = Contract { con_id: c.con_id, ..Contract::default() };
}

fn order_texts(o: &mut Order) {
    (o.order_type, o.tif, o.account, o.order_ref) = (String::new(), String::new(), String::new(), String::new());
    (o.limit_price, o.aux_price, o.trailing_percent, o.trail_stop_price) = (None, None, None, None);
}
