//! Field order of the account's answers in text. Sources: conversations recorded at server version 173, and the
//! fields that public clients read.

use super::fields::{Fields, UNSET};
use super::market::contract;
use crate::sim::api::Response;

/// Positions, summary rows, P&L.
pub(super) fn account(f: &mut impl Fields, response: &mut Response) {
    match response {
        Response::Position { account, contract: c, position, avg_cost } => {
            f.constant("3");
            f.text(account);
            contract(f, c, "");
            f.number(position);
            f.number(avg_cost);
        }
        Response::PositionEnd => {
            f.constant("1");
        }
        Response::AccountSummary { req_id, account, tag, value, currency } => {
            f.constant("1");
            f.int(req_id);
            f.text(account);
            f.text(tag);
            f.text(value);
            f.text(currency);
        }
        Response::AccountSummaryEnd { req_id } => {
            f.constant("1");
            f.int(req_id);
        }
        Response::Pnl { req_id, daily, unrealized, realized } => {
            f.int(req_id);
            f.number(daily);
            f.optional(unrealized, UNSET);
            f.optional(realized, UNSET);
        }
        Response::PnlSingle { req_id, position, daily, unrealized, realized, value } => {
            f.int(req_id);
            f.number(position);
            f.number(daily);
            f.optional(unrealized, UNSET);
            f.optional(realized, UNSET);
            f.number(value);
        }
        _ => {}
    }
}

/// The rows of reqAccountUpdates.
pub(super) fn updates(f: &mut impl Fields, response: &mut Response) {
    match response {
        Response::AccountValue { key, value, currency, account } => {
            f.constant("2");
            f.text(key);
            f.text(value);
            f.text(currency);
            f.text(account);
        }
        Response::PortfolioValue {
            contract: c,
            position,
            market_price,
            market_value,
            average_cost,
            unrealized_pnl,
            realized_pnl,
            account,
        } => {
            f.constant("8");
            f.int(&mut c.con_id);
            f.text(&mut c.symbol);
            f.text(&mut c.sec_type);
            // Expiry, strike, right, multiplier.
            f.constants(&["", "0", "0", ""]);
            f.text(&mut c.primary_exchange);
            f.text(&mut c.currency);
            f.text(&mut c.local_symbol);
            f.text(&mut c.trading_class);
            f.number(position);
            f.number(market_price);
            f.number(market_value);
            f.number(average_cost);
            f.number(unrealized_pnl);
            f.number(realized_pnl);
            f.text(account);
        }
        Response::AccountUpdateTime { time } => {
            f.constant("1");
            f.text(time);
        }
        Response::AccountDownloadEnd { account } => {
            f.constant("1");
            f.text(account);
        }
        _ => {}
    }
}
