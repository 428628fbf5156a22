//! Look-ups, settings and rows by account and model in protobuf, the client's side: requests out, answers in.

use super::responses::only_id_or;
use crate::sim::api::{GatewayConfig, LookupRequest, LookupResponse, SmartComponent, SymbolMatch};
use crate::sim::wire::codec::DecodeError;
use crate::sim::wire::codec::convert::{flag, from_millis, number, text};
use crate::sim::wire::codec::requests::{only_id, read};
use crate::sim::wire::codec::responses::{put, put_empty, put_id};
use crate::sim::wire::framing::FrameError;
use crate::sim::wire::messages::{lookup, request_id, response_id as id};

/// Appends the frame of `request`.
pub(super) fn encode(request: LookupRequest, out: &mut Vec<u8>) -> Result<(), FrameError> {
    use request_id as id;
    let named = |req_id, text_| lookup::IdAndText { req_id: Some(req_id), text: text(text_) };
    match request {
        LookupRequest::PositionsMulti { req_id, account, model } => {
            let (account, model) = (text(account), text(model));
            put(out, id::POSITIONS_MULTI, &lookup::RowsRequest { req_id: Some(req_id), account, model, ledger: None })
        }
        LookupRequest::AccountUpdatesMulti { req_id, account, model, ledger } => {
            let (account, model, ledger) = (text(account), text(model), flag(ledger));
            put(out, id::ACCOUNT_UPDATES_MULTI, &lookup::RowsRequest { req_id: Some(req_id), account, model, ledger })
        }
        LookupRequest::CancelPositionsMulti { req_id } => put_id(out, id::CANCEL_POSITIONS_MULTI, req_id),
        LookupRequest::CancelAccountUpdatesMulti { req_id } => put_id(out, id::CANCEL_ACCOUNT_UPDATES_MULTI, req_id),
        LookupRequest::MatchingSymbols { req_id, pattern } => put(out, id::MATCHING_SYMBOLS, &named(req_id, pattern)),
        LookupRequest::SmartComponents { req_id, bbo_exchange } => {
            put(out, id::SMART_COMPONENTS, &named(req_id, bbo_exchange))
        }
        LookupRequest::CurrentTimeInMillis => put_empty(out, id::CURRENT_TIME_IN_MILLIS),
        LookupRequest::Config { req_id } => put_id(out, id::CONFIG, req_id),
        LookupRequest::UserInfo { req_id } => put_id(out, id::USER_INFO, req_id),
        LookupRequest::FamilyCodes => put_empty(out, id::FAMILY_CODES),
        LookupRequest::SoftDollarTiers { req_id } => put_id(out, id::SOFT_DOLLAR_TIERS, req_id),
    }
}

/// The answer of a message id of this topic; `None` = another topic's.
pub(super) fn decode(msg_id: i32, b: &[u8]) -> Result<Option<LookupResponse>, DecodeError> {
    Ok(Some(match msg_id {
        id::POSITION_MULTI => {
            let m: lookup::PositionMulti = read(msg_id, b)?;
            LookupResponse::PositionMulti {
                req_id: only_id_or(m.req_id),
                account: m.account.unwrap_or_default(),
                model: m.model.unwrap_or_default(),
                contract: m.contract.unwrap_or_default().into(),
                position: number(msg_id, m.position.as_deref())?,
                avg_cost: m.avg_cost.unwrap_or_default(),
            }
        }
        id::POSITION_MULTI_END => LookupResponse::PositionMultiEnd { req_id: only_id(msg_id, b)? },
        id::ACCOUNT_UPDATE_MULTI => {
            let m: lookup::AccountUpdateMulti = read(msg_id, b)?;
            LookupResponse::AccountUpdateMulti {
                req_id: only_id_or(m.req_id),
                account: m.account.unwrap_or_default(),
                model: m.model.unwrap_or_default(),
                key: m.key.unwrap_or_default(),
                value: m.value.unwrap_or_default(),
                currency: m.currency.unwrap_or_default(),
            }
        }
        id::ACCOUNT_UPDATE_MULTI_END => LookupResponse::AccountUpdateMultiEnd { req_id: only_id(msg_id, b)? },
        _ => return found(msg_id, b),
    }))
}

fn found(msg_id: i32, b: &[u8]) -> Result<Option<LookupResponse>, DecodeError> {
    Ok(Some(match msg_id {
        id::SYMBOL_SAMPLES => {
            let m: lookup::SymbolSamples = read(msg_id, b)?;
            let one = |s: lookup::SymbolMatch| SymbolMatch {
                contract: s.contract.unwrap_or_default().into(),
                derivatives: s.derivatives,
            };
            let matches = m.matches.into_iter().map(one).collect();
            LookupResponse::SymbolSamples { req_id: only_id_or(m.req_id), matches }
        }
        id::SMART_COMPONENTS => {
            let m: lookup::SmartComponents = read(msg_id, b)?;
            let one = |c: lookup::SmartComponent| SmartComponent {
                bit: c.bit.unwrap_or_default(),
                exchange: c.exchange.unwrap_or_default(),
                letter: c.letter.unwrap_or_default(),
            };
            let components = m.components.into_iter().map(one).collect();
            LookupResponse::SmartComponents { req_id: only_id_or(m.req_id), components }
        }
        id::CURRENT_TIME_IN_MILLIS => {
            let m: lookup::CurrentTimeInMillis = read(msg_id, b)?;
            LookupResponse::CurrentTimeInMillis { time: from_millis(m.time_ms.unwrap_or_default()) }
        }
        id::CONFIG => config(read(msg_id, b)?),
        id::USER_INFO => {
            let m: lookup::IdAndText = read(msg_id, b)?;
            LookupResponse::UserInfo { req_id: only_id_or(m.req_id), white_branding_id: m.text.unwrap_or_default() }
        }
        id::FAMILY_CODES => {
            let m: lookup::FamilyCodes = read(msg_id, b)?;
            let code = |c: lookup::FamilyCode| (c.account.unwrap_or_default(), c.code.unwrap_or_default());
            LookupResponse::FamilyCodes { codes: m.codes.into_iter().map(code).collect() }
        }
        id::SOFT_DOLLAR_TIERS => {
            let m: lookup::SoftDollarTiers = read(msg_id, b)?;
            let tier = |t: lookup::SoftDollarTier| {
                (t.name.unwrap_or_default(), t.value.unwrap_or_default(), t.display_name.unwrap_or_default())
            };
            let tiers = m.tiers.into_iter().map(tier).collect();
            LookupResponse::SoftDollarTiers { req_id: only_id_or(m.req_id), tiers }
        }
        _ => return Ok(None),
    }))
}

fn config(m: lookup::ConfigResponse) -> LookupResponse {
    let lock = m.lock_and_exit.unwrap_or_default();
    let api = m.api.unwrap_or_default();
    let (precautions, settings) = (api.precautions.unwrap_or_default(), api.settings.unwrap_or_default());
    let routing = m.orders.unwrap_or_default().smart_routing.unwrap_or_default();
    let config = GatewayConfig {
        auto_logoff_time: lock.auto_logoff_time.unwrap_or_default(),
        auto_logoff_period: lock.auto_logoff_period.unwrap_or_default(),
        auto_logoff_type: lock.auto_logoff_type.unwrap_or_default(),
        bypass_order_precautions: precautions.bypass_order_precautions.unwrap_or_default(),
        bypass_price_based_volatility_warning: precautions.bypass_price_based_volatility_warning.unwrap_or_default(),
        bypass_redirect_order_warning: precautions.bypass_redirect_order_warning.unwrap_or_default(),
        read_only_api: settings.read_only_api.unwrap_or_default(),
        download_open_orders_on_connection: settings.download_open_orders_on_connection.unwrap_or_default(),
        socket_port: settings.socket_port.unwrap_or_default(),
        master_client_id: settings.master_client_id.unwrap_or_default(),
        reject_messages_above_max_rate: settings.reject_messages_above_max_rate.unwrap_or_default(),
        maintain_and_resubmit_orders_on_reconnect: settings
            .maintain_and_resubmit_orders_on_reconnect
            .unwrap_or_default(),
        allow_localhost_only: settings.allow_localhost_only.unwrap_or_default(),
        seek_price_improvement: routing.seek_price_improvement.unwrap_or_default(),
        do_not_route_to_dark_pools: routing.do_not_route_to_dark_pools.unwrap_or_default(),
    };
    LookupResponse::Config { req_id: only_id_or(m.req_id), config }
}
