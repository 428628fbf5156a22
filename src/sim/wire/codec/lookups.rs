//! Look-ups, settings and rows by account and model in protobuf, the gateway's side: requests in, answers out.

use super::DecodeError;
use super::convert::{decimal, flag, gateway_contract, millis, text};
use super::requests::{only_id, read, req};
use super::responses::{put, put_id};
use crate::sim::api::{Contract, GatewayConfig, LookupRequest, LookupResponse, SmartComponent, SymbolMatch};
use crate::sim::wire::framing::FrameError;
use crate::sim::wire::messages::{contract, lookup, request_id, response_id as id};

/// The request of a message id of this topic; `None` = another topic's.
pub(super) fn decode(msg_id: i32, body: &[u8]) -> Result<Option<LookupRequest>, DecodeError> {
    use request_id as id;
    Ok(Some(match msg_id {
        id::POSITIONS_MULTI => {
            let m: lookup::RowsRequest = read(msg_id, body)?;
            let (account, model) = (m.account.unwrap_or_default(), m.model.unwrap_or_default());
            LookupRequest::PositionsMulti { req_id: req(m.req_id), account, model }
        }
        id::ACCOUNT_UPDATES_MULTI => {
            let m: lookup::RowsRequest = read(msg_id, body)?;
            let (account, model) = (m.account.unwrap_or_default(), m.model.unwrap_or_default());
            let ledger = m.ledger.unwrap_or_default();
            LookupRequest::AccountUpdatesMulti { req_id: req(m.req_id), account, model, ledger }
        }
        id::CANCEL_POSITIONS_MULTI => LookupRequest::CancelPositionsMulti { req_id: only_id(msg_id, body)? },
        id::CANCEL_ACCOUNT_UPDATES_MULTI => LookupRequest::CancelAccountUpdatesMulti { req_id: only_id(msg_id, body)? },
        id::MATCHING_SYMBOLS => {
            let m: lookup::IdAndText = read(msg_id, body)?;
            LookupRequest::MatchingSymbols { req_id: req(m.req_id), pattern: m.text.unwrap_or_default() }
        }
        id::SMART_COMPONENTS => {
            let m: lookup::IdAndText = read(msg_id, body)?;
            LookupRequest::SmartComponents { req_id: req(m.req_id), bbo_exchange: m.text.unwrap_or_default() }
        }
        id::CURRENT_TIME_IN_MILLIS => LookupRequest::CurrentTimeInMillis,
        id::CONFIG => LookupRequest::Config { req_id: only_id(msg_id, body)? },
        id::USER_INFO => LookupRequest::UserInfo { req_id: only_id(msg_id, body)? },
        id::FAMILY_CODES => LookupRequest::FamilyCodes,
        id::SOFT_DOLLAR_TIERS => LookupRequest::SoftDollarTiers { req_id: only_id(msg_id, body)? },
        _ => return Ok(None),
    }))
}

/// Appends an answer's frame.
pub(super) fn encode(response: LookupResponse, out: &mut Vec<u8>) -> Result<(), FrameError> {
    match response {
        LookupResponse::PositionMulti { req_id, account, model, contract, position, avg_cost } => {
            let m = lookup::PositionMulti {
                req_id: Some(req_id),
                account: text(account),
                contract: gateway_contract(contract),
                position: decimal(position),
                avg_cost: Some(avg_cost),
                model: text(model),
            };
            put(out, id::POSITION_MULTI, &m)
        }
        LookupResponse::PositionMultiEnd { req_id } => put_id(out, id::POSITION_MULTI_END, req_id),
        LookupResponse::AccountUpdateMulti { req_id, account, model, key, value, currency } => {
            let m = lookup::AccountUpdateMulti {
                req_id: Some(req_id),
                account: text(account),
                model: text(model),
                key: text(key),
                value: Some(value),
                currency: text(currency),
            };
            put(out, id::ACCOUNT_UPDATE_MULTI, &m)
        }
        LookupResponse::AccountUpdateMultiEnd { req_id } => put_id(out, id::ACCOUNT_UPDATE_MULTI_END, req_id),
        LookupResponse::SymbolSamples { req_id, matches } => {
            let matches = matches.into_iter().map(symbol_match).collect();
            put(out, id::SYMBOL_SAMPLES, &lookup::SymbolSamples { req_id: Some(req_id), matches })
        }
        LookupResponse::SmartComponents { req_id, components } => {
            let component = |c: SmartComponent| lookup::SmartComponent {
                bit: Some(c.bit),
                exchange: text(c.exchange),
                letter: text(c.letter),
            };
            let components = components.into_iter().map(component).collect();
            put(out, id::SMART_COMPONENTS, &lookup::SmartComponents { req_id: Some(req_id), components })
        }
        LookupResponse::CurrentTimeInMillis { time } => {
            put(out, id::CURRENT_TIME_IN_MILLIS, &lookup::CurrentTimeInMillis { time_ms: Some(millis(time)) })
        }
        LookupResponse::Config { req_id, config } => put(out, id::CONFIG, &config_of(req_id, config)),
        LookupResponse::UserInfo { req_id, white_branding_id } => {
            put(out, id::USER_INFO, &lookup::IdAndText { req_id: Some(req_id), text: text(white_branding_id) })
        }
        LookupResponse::FamilyCodes { codes } => {
            let code = |(account, code)| lookup::FamilyCode { account: text(account), code: text(code) };
            put(out, id::FAMILY_CODES, &lookup::FamilyCodes { codes: codes.into_iter().map(code).collect() })
        }
        LookupResponse::SoftDollarTiers { req_id, tiers } => {
            let tier = |(name, value, display)| lookup::SoftDollarTier {
                name: text(name),
                value: text(value),
                display_name: text(display),
            };
            let tiers = tiers.into_iter().map(tier).collect();
            put(out, id::SOFT_DOLLAR_TIERS, &lookup::SoftDollarTiers { req_id: Some(req_id), tiers })
        }
    }
}

fn symbol_match(m: SymbolMatch) -> lookup::SymbolMatch {
    let Contract { con_id, symbol, sec_type, primary_exchange, currency, .. } = m.contract;
    let contract = contract::Contract {
        con_id: Some(con_id),
        symbol: text(symbol),
        sec_type: text(sec_type),
        primary_exchange: text(primary_exchange),
        currency: text(currency),
        ..contract::Contract::default()
    };
    lookup::SymbolMatch { contract: Some(contract), derivatives: m.derivatives }
}

fn config_of(req_id: i32, c: GatewayConfig) -> lookup::ConfigResponse {
    lookup::ConfigResponse {
        req_id: Some(req_id),
        lock_and_exit: Some(lookup::LockAndExit {
            auto_logoff_time: text(c.auto_logoff_time),
            auto_logoff_period: text(c.auto_logoff_period),
            auto_logoff_type: text(c.auto_logoff_type),
        }),
        api: Some(lookup::ApiConfig {
            precautions: Some(lookup::ApiPrecautions {
                bypass_order_precautions: Some(c.bypass_order_precautions),
                bypass_price_based_volatility_warning: Some(c.bypass_price_based_volatility_warning),
                bypass_redirect_order_warning: Some(c.bypass_redirect_order_warning),
            }),
            settings: Some(lookup::ApiSettings {
                read_only_api: Some(c.read_only_api),
                download_open_orders_on_connection: Some(c.download_open_orders_on_connection),
                socket_port: Some(c.socket_port),
                master_client_id: Some(c.master_client_id),
                reject_messages_above_max_rate: Some(c.reject_messages_above_max_rate),
                maintain_and_resubmit_orders_on_reconnect: Some(c.maintain_and_resubmit_orders_on_reconnect),
                allow_localhost_only: Some(c.allow_localhost_only),
            }),
        }),
        orders: Some(lookup::OrdersConfig {
            smart_routing: Some(lookup::SmartRouting {
                seek_price_improvement: flag(c.seek_price_improvement),
                do_not_route_to_dark_pools: flag(c.do_not_route_to_dark_pools),
            }),
        }),
    }
}
