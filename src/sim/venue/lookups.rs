//! Look-ups: symbols, exchanges, settings, the clock in milliseconds; and the account's rows by account and model.
//!
//! Recorded: positions by account (rows as of positions, then their end). Documented: the other answers' shapes.
//! Assumed: which exchanges a map names; the settings; that there are no models, tiers or families; a symbol matches a
//! pattern that it begins with.

use super::core::{Core, answer};
use super::history::{Refused, invalid};
use super::reports::error;
use crate::domain::SymbolId;
use crate::sim::api::{
    ConnId, Contract, GatewayConfig, LookupRequest, LookupResponse, Outgoing, Response, SmartComponent, SymbolMatch,
};
use crate::sim::market::quoted::QUOTED;

/// The map of exchanges behind consolidated quotes, as recorded.
pub(super) const CONSOLIDATED: &str = "9c0001";
/// The map behind the free quotes of Cboe and IEX (assumed).
pub(super) const UNCONSOLIDATED: &str = "a60001";
/// Exchanges and their letters.
const EXCHANGES: [(&str, &str); 16] = [
    ("AMEX", "A"),
    ("NASDAQ", "Q"),
    ("NYSE", "N"),
    ("ARCA", "P"),
    ("BATS", "Z"),
    ("BYX", "Y"),
    ("EDGX", "K"),
    ("EDGEA", "J"),
    ("IEX", "V"),
    ("MEMX", "U"),
    ("PEARL", "H"),
    ("LTSE", "L"),
    ("CHX", "M"),
    ("NYSENAT", "C"),
    ("PSX", "X"),
    ("BEX", "B"),
];
/// Those of [`UNCONSOLIDATED`].
const FREE: [&str; 5] = ["BATS", "BYX", "EDGX", "EDGEA", "IEX"];
/// Matches told at most.
const MATCHES_MAX: usize = 16;
/// Values by currency, and the net liquidation.
const LEDGER: [&str; 9] = [
    "CashBalance",
    "Currency",
    "ExchangeRate",
    "NetLiquidation",
    "NetLiquidationByCurrency",
    "RealizedPnL",
    "StockMarketValue",
    "TotalCashBalance",
    "UnrealizedPnL",
];

impl Core {
    pub(super) fn lookup_request(&mut self, conn: ConnId, request: LookupRequest, out: &mut Vec<Outgoing>) {
        match self.looked_up(conn, request, out) {
            Ok(Some(found)) => answer(conn, Response::Lookup(found), out),
            Ok(None) => {}
            Err((req_id, (code, text))) => answer(conn, error(self.now, req_id, code, text), out),
        }
    }

    fn looked_up(
        &mut self,
        conn: ConnId,
        request: LookupRequest,
        out: &mut Vec<Outgoing>,
    ) -> Result<Option<LookupResponse>, (i32, Refused)> {
        Ok(Some(match request {
            LookupRequest::PositionsMulti { req_id, account, model } => {
                self.own(&account, &model).map_err(|e| (req_id, e))?;
                self.multi_positions(conn, req_id, |_| true, out);
                if let Some(c) = self.sessions.get_mut(conn) {
                    c.positions_multi.insert(req_id);
                }
                LookupResponse::PositionMultiEnd { req_id }
            }
            LookupRequest::AccountUpdatesMulti { req_id, account, model, ledger } => {
                self.own(&account, &model).map_err(|e| (req_id, e))?;
                self.multi_values(conn, req_id, ledger, out);
                if let Some(c) = self.sessions.get_mut(conn) {
                    c.updates_multi.insert(req_id, ledger);
                }
                LookupResponse::AccountUpdateMultiEnd { req_id }
            }
            LookupRequest::CancelPositionsMulti { req_id } => {
                if let Some(c) = self.sessions.get_mut(conn) {
                    c.positions_multi.remove(&req_id);
                }
                return Ok(None);
            }
            LookupRequest::CancelAccountUpdatesMulti { req_id } => {
                if let Some(c) = self.sessions.get_mut(conn) {
                    c.updates_multi.remove(&req_id);
                }
                return Ok(None);
            }
            LookupRequest::MatchingSymbols { req_id, pattern } => {
                LookupResponse::SymbolSamples { req_id, matches: self.matching(&pattern) }
            }
            LookupRequest::SmartComponents { req_id, bbo_exchange } => {
                let components = components(&bbo_exchange).map_err(|e| (req_id, e))?;
                LookupResponse::SmartComponents { req_id, components }
            }
            LookupRequest::CurrentTimeInMillis => LookupResponse::CurrentTimeInMillis { time: self.now },
            LookupRequest::Config { req_id } => LookupResponse::Config { req_id, config: settings() },
            LookupRequest::UserInfo { req_id } => LookupResponse::UserInfo { req_id, white_branding_id: String::new() },
            LookupRequest::FamilyCodes => {
                LookupResponse::FamilyCodes { codes: vec![(self.config.account.clone(), String::new())] }
            }
            LookupRequest::SoftDollarTiers { req_id } => LookupResponse::SoftDollarTiers { req_id, tiers: Vec::new() },
        }))
    }

    /// Refuses other accounts, and models, of which there are none.
    fn own(&self, account: &str, model: &str) -> Result<(), Refused> {
        if !(account.is_empty() || account == "All" || account == self.config.account) {
            return Err(invalid(format!("Invalid account code '{account}'.")));
        }
        if model.is_empty() { Ok(()) } else { Err(invalid(format!("Invalid model code '{model}'."))) }
    }

    /// Rows of the positions that `wanted` picks.
    pub(super) fn multi_positions(
        &self,
        conn: ConnId,
        req_id: i32,
        wanted: impl Fn(SymbolId) -> bool,
        out: &mut Vec<Outgoing>,
    ) {
        for row in self.positions(wanted) {
            let Response::Position { account, contract, position, avg_cost } = row else { continue };
            let model = String::new();
            let row = LookupResponse::PositionMulti { req_id, account, model, contract, position, avg_cost };
            answer(conn, Response::Lookup(row), out);
        }
    }

    /// The account's values by request.
    pub(super) fn multi_values(&self, conn: ConnId, req_id: i32, ledger: bool, out: &mut Vec<Outgoing>) {
        for (key, value, currency) in self.values() {
            if ledger && !LEDGER.contains(&key) {
                continue;
            }
            let row = LookupResponse::AccountUpdateMulti {
                req_id,
                account: self.config.account.clone(),
                model: String::new(),
                key: key.into(),
                value,
                currency,
            };
            answer(conn, Response::Lookup(row), out);
        }
    }

    fn matching(&self, pattern: &str) -> Vec<SymbolMatch> {
        let pattern = pattern.trim().to_uppercase();
        let begins = |symbol: &str| !pattern.is_empty() && symbol.starts_with(&pattern);
        let found = |con_id: i32, symbol: &str, sec_type: &str, listed: &str, currency: &str| SymbolMatch {
            contract: Contract {
                con_id,
                symbol: symbol.into(),
                sec_type: sec_type.into(),
                primary_exchange: listed.into(),
                currency: currency.into(),
                ..Contract::default()
            },
            derivatives: Vec::new(),
        };
        let stocks = self.references().iter().filter(|r| begins(&r.symbol));
        let stocks = stocks.map(|r| found(r.con_id.0, &r.symbol, "STK", &r.primary_exchange, "USD"));
        let others = QUOTED.iter().filter(|q| begins(q.symbol));
        let others = others.map(|q| found(q.con_id, q.symbol, q.sec_type(), q.exchange, q.currency));
        stocks.chain(others).take(MATCHES_MAX).collect()
    }
}

fn components(map: &str) -> Result<Vec<SmartComponent>, Refused> {
    let named = |exchange: &str| map == CONSOLIDATED || FREE.contains(&exchange);
    if map != CONSOLIDATED && map != UNCONSOLIDATED {
        return Err(invalid(format!("Invalid BBO exchange {map}")));
    }
    let all = (0..).zip(EXCHANGES).filter(|(_, (exchange, _))| named(exchange));
    Ok(all
        .map(|(bit, (exchange, letter))| SmartComponent { bit, exchange: exchange.into(), letter: letter.into() })
        .collect())
}

/// What a gateway that is set up for a trader says of itself.
fn settings() -> GatewayConfig {
    GatewayConfig {
        auto_logoff_time: "11:45 PM".into(),
        auto_logoff_type: "restart".into(),
        bypass_order_precautions: true,
        bypass_price_based_volatility_warning: true,
        bypass_redirect_order_warning: true,
        download_open_orders_on_connection: true,
        socket_port: 4_002,
        maintain_and_resubmit_orders_on_reconnect: true,
        allow_localhost_only: true,
        ..GatewayConfig::default()
    }
}
