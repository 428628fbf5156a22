//! Look-ups and rows by account and model in text: message ids, empty forms and the order of the fields, both
//! directions. Source: the fields that public clients write and read at each version. The settings have no text form.

use super::fields::Fields;
use super::market::{contract, grow};
use crate::clock::SessionTime;
use crate::sim::api::{Contract, LookupRequest, LookupResponse, SmartComponent, SymbolMatch};
use crate::sim::wire::codec::convert::{from_millis, millis};
use crate::sim::wire::messages::{request_id, response_id as id};

/// The message id of a request.
pub(super) const fn request_id_of(request: &LookupRequest) -> i32 {
    match request {
        LookupRequest::PositionsMulti { .. } => request_id::POSITIONS_MULTI,
        LookupRequest::CancelPositionsMulti { .. } => request_id::CANCEL_POSITIONS_MULTI,
        LookupRequest::AccountUpdatesMulti { .. } => request_id::ACCOUNT_UPDATES_MULTI,
        LookupRequest::CancelAccountUpdatesMulti { .. } => request_id::CANCEL_ACCOUNT_UPDATES_MULTI,
        LookupRequest::MatchingSymbols { .. } => request_id::MATCHING_SYMBOLS,
        LookupRequest::SmartComponents { .. } => request_id::SMART_COMPONENTS,
        LookupRequest::CurrentTimeInMillis => request_id::CURRENT_TIME_IN_MILLIS,
        LookupRequest::Config { .. } => request_id::CONFIG,
        LookupRequest::UserInfo { .. } => request_id::USER_INFO,
        LookupRequest::FamilyCodes => request_id::FAMILY_CODES,
        LookupRequest::SoftDollarTiers { .. } => request_id::SOFT_DOLLAR_TIERS,
    }
}

/// The request of a message id, to be filled.
pub(super) fn blank_request(msg_id: i32) -> Option<LookupRequest> {
    let (req_id, text) = (0, String::new);
    Some(match msg_id {
        request_id::POSITIONS_MULTI => LookupRequest::PositionsMulti { req_id, account: text(), model: text() },
        request_id::CANCEL_POSITIONS_MULTI => LookupRequest::CancelPositionsMulti { req_id },
        request_id::ACCOUNT_UPDATES_MULTI => {
            LookupRequest::AccountUpdatesMulti { req_id, account: text(), model: text(), ledger: false }
        }
        request_id::CANCEL_ACCOUNT_UPDATES_MULTI => LookupRequest::CancelAccountUpdatesMulti { req_id },
        request_id::MATCHING_SYMBOLS => LookupRequest::MatchingSymbols { req_id, pattern: text() },
        request_id::SMART_COMPONENTS => LookupRequest::SmartComponents { req_id, bbo_exchange: text() },
        request_id::CURRENT_TIME_IN_MILLIS => LookupRequest::CurrentTimeInMillis,
        request_id::USER_INFO => LookupRequest::UserInfo { req_id },
        request_id::FAMILY_CODES => LookupRequest::FamilyCodes,
        request_id::SOFT_DOLLAR_TIERS => LookupRequest::SoftDollarTiers { req_id },
        _ => return None,
    })
}

/// Fields of a request behind the message id.
pub(super) fn describe_request(f: &mut impl Fields, request: &mut LookupRequest) {
    match request {
        LookupRequest::PositionsMulti { req_id, account, model } => {
            f.constant("1");
            f.int(req_id);
            f.text(account);
            f.text(model);
        }
        LookupRequest::AccountUpdatesMulti { req_id, account, model, ledger } => {
            f.constant("1");
            f.int(req_id);
            f.text(account);
            f.text(model);
            f.flag(ledger);
        }
        LookupRequest::CancelPositionsMulti { req_id } | LookupRequest::CancelAccountUpdatesMulti { req_id } => {
            f.constant("1");
            f.int(req_id);
        }
        LookupRequest::MatchingSymbols { req_id, pattern: value }
        | LookupRequest::SmartComponents { req_id, bbo_exchange: value } => {
            f.int(req_id);
            f.text(value);
        }
        LookupRequest::Config { req_id }
        | LookupRequest::UserInfo { req_id }
        | LookupRequest::SoftDollarTiers { req_id } => f.int(req_id),
        LookupRequest::CurrentTimeInMillis | LookupRequest::FamilyCodes => {}
    }
}

/// The message id of an answer.
pub(super) const fn response_id_of(response: &LookupResponse) -> i32 {
    match response {
        LookupResponse::PositionMulti { .. } => id::POSITION_MULTI,
        LookupResponse::PositionMultiEnd { .. } => id::POSITION_MULTI_END,
        LookupResponse::AccountUpdateMulti { .. } => id::ACCOUNT_UPDATE_MULTI,
        LookupResponse::AccountUpdateMultiEnd { .. } => id::ACCOUNT_UPDATE_MULTI_END,
        LookupResponse::SymbolSamples { .. } => id::SYMBOL_SAMPLES,
        LookupResponse::SmartComponents { .. } => id::SMART_COMPONENTS,
        LookupResponse::CurrentTimeInMillis { .. } => id::CURRENT_TIME_IN_MILLIS,
        LookupResponse::Config { .. } => id::CONFIG,
        LookupResponse::UserInfo { .. } => id::USER_INFO,
        LookupResponse::FamilyCodes { .. } => id::FAMILY_CODES,
        LookupResponse::SoftDollarTiers { .. } => id::SOFT_DOLLAR_TIERS,
    }
}

/// The answer of a message id, empty.
pub(super) fn blank_response(msg_id: i32) -> Option<LookupResponse> {
    let (req_id, text) = (0, String::new);
    Some(match msg_id {
        id::POSITION_MULTI => LookupResponse::PositionMulti {
            req_id,
            account: text(),
            model: text(),
            contract: Contract::default(),
            position: 0.0,
            avg_cost: 0.0,
        },
        id::POSITION_MULTI_END => LookupResponse::PositionMultiEnd { req_id },
        id::ACCOUNT_UPDATE_MULTI => LookupResponse::AccountUpdateMulti {
            req_id,
            account: text(),
            model: text(),
            key: text(),
            value: text(),
            currency: text(),
        },
        id::ACCOUNT_UPDATE_MULTI_END => LookupResponse::AccountUpdateMultiEnd { req_id },
        id::SYMBOL_SAMPLES => LookupResponse::SymbolSamples { req_id, matches: Vec::new() },
        id::SMART_COMPONENTS => LookupResponse::SmartComponents { req_id, components: Vec::new() },
        id::CURRENT_TIME_IN_MILLIS => LookupResponse::CurrentTimeInMillis { time: SessionTime::default() },
        id::USER_INFO => LookupResponse::UserInfo { req_id, white_branding_id: text() },
        id::FAMILY_CODES => LookupResponse::FamilyCodes { codes: Vec::new() },
        id::SOFT_DOLLAR_TIERS => LookupResponse::SoftDollarTiers { req_id, tiers: Vec::new() },
        _ => return None,
    })
}

/// Fields of an answer behind the message id.
pub(super) fn describe_response(f: &mut impl Fields, response: &mut LookupResponse) {
    match response {
        LookupResponse::PositionMulti { req_id, account, model, contract: c, position, avg_cost } => {
            f.constant("1");
            f.int(req_id);
            f.text(account);
            contract(f, c, "");
            f.number(position);
            f.number(avg_cost);
            f.text(model);
        }
        LookupResponse::AccountUpdateMulti { req_id, account, model, key, value, currency } => {
            f.constant("1");
            f.int(req_id);
            f.text(account);
            f.text(model);
            f.text(key);
            f.text(value);
            f.text(currency);
        }
        LookupResponse::PositionMultiEnd { req_id } | LookupResponse::AccountUpdateMultiEnd { req_id } => {
            f.constant("1");
            f.int(req_id);
        }
        LookupResponse::CurrentTimeInMillis { time } => {
            let mut ms = millis(*time);
            f.long(&mut ms);
            *time = from_millis(ms);
        }
        LookupResponse::UserInfo { req_id, white_branding_id } => {
            f.int(req_id);
            f.text(white_branding_id);
        }
        LookupResponse::Config { .. } => {}
        list => lists(f, list),
    }
}

fn lists(f: &mut impl Fields, response: &mut LookupResponse) {
    match response {
        LookupResponse::SymbolSamples { req_id, matches } => {
            f.int(req_id);
            let n = f.count(matches.len());
            grow(f, matches, n);
            for m in matches {
                symbol_match(f, m);
            }
        }
        LookupResponse::SmartComponents { req_id, components } => {
            f.int(req_id);
            let n = f.count(components.len());
            grow(f, components, n);
            for SmartComponent { bit, exchange, letter } in components {
                f.int(bit);
                f.text(exchange);
                f.text(letter);
            }
        }
        LookupResponse::FamilyCodes { codes } => {
            let n = f.count(codes.len());
            grow(f, codes, n);
            for (account, code) in codes {
                f.text(account);
                f.text(code);
            }
        }
        LookupResponse::SoftDollarTiers { req_id, tiers } => {
            f.int(req_id);
            let n = f.count(tiers.len());
            grow(f, tiers, n);
            for (name, value, display) in tiers {
                f.text(name);
                f.text(value);
                f.text(display);
            }
        }
        _ => {}
    }
}

fn symbol_match(f: &mut impl Fields, m: &mut SymbolMatch) {
    let c = &mut m.contract;
    f.int(&mut c.con_id);
    f.text(&mut c.symbol);
    f.text(&mut c.sec_type);
    f.text(&mut c.primary_exchange);
    f.text(&mut c.currency);
    let n = f.count(m.derivatives.len());
    grow(f, &mut m.derivatives, n);
    for kind in &mut m.derivatives {
        f.text(kind);
    }
    // Description, issuer.
    f.versioned(&[(176, i32::MAX, ""), (176, i32::MAX, "")]);
}
