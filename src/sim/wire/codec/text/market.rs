//! Field order of the session's, contracts' and market data's answers in text. Sources: conversations recorded at
//! server versions 173 and 200, and the fields that public clients read at each version.

use super::fields::Fields;
use crate::sim::api::{Contract, ContractDetails, HistoricalBar, Response};

/// Session answers: fields behind the message id.
pub(super) fn session(f: &mut impl Fields, response: &mut Response) {
    match response {
        Response::ManagedAccounts { accounts } => {
            f.constant("1");
            f.text(accounts);
        }
        Response::NextValidId { order_id } => {
            f.constant("1");
            f.int(order_id);
        }
        Response::CurrentTime { time } => {
            f.constant("1");
            f.seconds(time);
        }
        Response::Error { id, time, code, message, advanced_order_reject_json } => {
            f.versioned(&[(0, 194, "2")]);
            f.int(id);
            f.int(code);
            f.escaped(message);
            if f.since(166) {
                f.escaped(advanced_order_reject_json);
            }
            if f.since(194) {
                f.milliseconds(time);
            }
        }
        _ => {}
    }
}

/// Ticks and what surrounds them.
pub(super) fn tick(f: &mut impl Fields, response: &mut Response) {
    match response {
        Response::TickPrice { req_id, tick_type, price, size, attr_mask } => {
            f.constant("6");
            f.int(req_id);
            f.int(tick_type);
            f.number(price);
            f.number(size);
            f.int(attr_mask);
        }
        Response::TickSize { req_id, tick_type, size } => {
            f.constant("6");
            f.int(req_id);
            f.int(tick_type);
            f.number(size);
        }
        Response::TickGeneric { req_id, tick_type, value } => {
            f.constant("6");
            f.int(req_id);
            f.int(tick_type);
            f.number(value);
        }
        Response::TickString { req_id, tick_type, value } => {
            f.constant("6");
            f.int(req_id);
            f.int(tick_type);
            f.text(value);
        }
        Response::MarketDataType { req_id, market_data_type } => {
            f.constant("1");
            f.int(req_id);
            f.int(market_data_type);
        }
        Response::TickReqParams { req_id, min_tick, bbo_exchange, snapshot_permissions } => {
            f.int(req_id);
            f.text(min_tick);
            f.text(bbo_exchange);
            f.int(snapshot_permissions);
        }
        Response::TickSnapshotEnd { req_id } => {
            f.constant("1");
            f.int(req_id);
        }
        _ => {}
    }
}

/// Contracts, market rules and history.
pub(super) fn reference(f: &mut impl Fields, response: &mut Response) {
    match response {
        Response::ContractData { req_id, details } => contract_data(f, req_id, details),
        Response::ContractDataEnd { req_id } => {
            f.constant("1");
            f.int(req_id);
        }
        Response::MarketRule { market_rule_id, increments } => {
            f.int(market_rule_id);
            let n = f.count(increments.len());
            grow(f, increments, n);
            for (low_edge, increment) in increments {
                f.number(low_edge);
                f.number(increment);
            }
        }
        Response::HistoricalData { req_id, bars, format_date } => {
            f.int(req_id);
            history(f, bars, format_date);
        }
        Response::HistoricalDataEnd { req_id, start, end } => {
            f.int(req_id);
            f.text(start);
            f.text(end);
        }
        _ => {}
    }
}

/// Bars and, below version 196, the range that another message tells from then on.
pub(super) fn history_with_range(
    f: &mut impl Fields,
    req_id: &mut i32,
    range: (&mut String, &mut String),
    bars: &mut Vec<HistoricalBar>,
    format_date: &mut i32,
) {
    f.int(req_id);
    f.text(range.0);
    f.text(range.1);
    history(f, bars, format_date);
}

fn history(f: &mut impl Fields, bars: &mut Vec<HistoricalBar>, format_date: &mut i32) {
    let n = f.count(bars.len());
    grow(f, bars, n);
    for bar in bars {
        f.bar_start(&mut bar.time, format_date);
        f.number(&mut bar.open);
        f.number(&mut bar.high);
        f.number(&mut bar.low);
        f.number(&mut bar.close);
        f.number(&mut bar.volume);
        f.number(&mut bar.wap);
        f.int(&mut bar.count);
    }
}

/// Makes room for what is read. A count is never more than the message's bytes.
pub(super) fn grow<T: Default + Clone>(f: &impl Fields, list: &mut Vec<T>, n: usize) {
    if f.reads() {
        list.resize(n, T::default());
    }
}

/// A contract as most answers tell it. `right` is what a contract without one is told to have.
pub(super) fn contract(f: &mut impl Fields, c: &mut Contract, right: &str) {
    f.int(&mut c.con_id);
    f.text(&mut c.symbol);
    f.text(&mut c.sec_type);
    // Expiry, strike, right, multiplier.
    f.constants(&["", "0.0", right, ""]);
    f.text(&mut c.exchange);
    f.text(&mut c.currency);
    f.text(&mut c.local_symbol);
    f.text(&mut c.trading_class);
}

fn contract_data(f: &mut impl Fields, req_id: &mut i32, d: &mut ContractDetails) {
    f.versioned(&[(0, 164, "8")]);
    f.int(req_id);
    let c = &mut d.contract;
    f.text(&mut c.symbol);
    f.text(&mut c.sec_type);
    // Expiry, and from 182 on the last trade date.
    f.versioned(&[(0, i32::MAX, ""), (182, i32::MAX, "")]);
    // Strike, right.
    f.constants(&["0", ""]);
    f.text(&mut c.exchange);
    f.text(&mut c.currency);
    f.text(&mut c.local_symbol);
    f.text(&mut d.market_name);
    f.text(&mut c.trading_class);
    f.int(&mut c.con_id);
    f.number(&mut d.min_tick);
    // The market data size multiplier, then the multiplier.
    f.versioned(&[(0, 164, "100"), (0, i32::MAX, "")]);
    f.text(&mut d.order_types);
    f.text(&mut d.valid_exchanges);
    // Price magnifier, underlying.
    f.constants(&["1", "0"]);
    f.escaped(&mut d.long_name);
    f.text(&mut c.primary_exchange);
    // Contract month.
    f.constant("");
    f.text(&mut d.industry);
    f.text(&mut d.category);
    f.text(&mut d.subcategory);
    f.text(&mut d.time_zone_id);
    f.text(&mut d.trading_hours);
    f.text(&mut d.liquid_hours);
    // Economic value rule and multiplier.
    f.constants(&["", "0"]);
    // Other security ids, as pairs.
    f.skipped_list(2);
    f.int(&mut d.agg_group);
    // The underlying's symbol and type.
    f.constants(&["", ""]);
    f.text(&mut d.market_rule_ids);
    // Real expiry.
    f.constant("");
    f.text(&mut d.stock_type);
    if f.version() == 163 {
        f.number(&mut d.min_size);
    }
    if f.since(164) {
        f.number(&mut d.min_size);
        f.number(&mut d.size_increment);
        f.number(&mut d.suggested_size_increment);
    }
    if f.since(186) {
        // Reasons why the contract is not eligible, as pairs.
        f.skipped_list(2);
    }
}
