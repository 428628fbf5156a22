//! Parts that both directions share: absent fields, decimal texts, times, contracts, order states. Empty texts and
//! zero ids that a gateway leaves out stay out.

use super::DecodeError;
use crate::clock::{MILLISECOND, SessionTime};
use crate::domain::calendar::{Civil, Date, from_new_york, new_york};
use crate::sim::api;
use crate::sim::wire::messages::{contract, order};
use std::fmt::Write as _;

/// Empty = absent.
pub(super) fn text(s: String) -> Option<String> {
    if s.is_empty() { None } else { Some(s) }
}

/// 0 = absent.
pub(super) fn nonzero<T: PartialEq + Default>(n: T) -> Option<T> {
    if n == T::default() { None } else { Some(n) }
}

/// `false` = absent.
pub(super) fn flag(b: bool) -> Option<bool> {
    if b { Some(true) } else { None }
}

/// A double that is set: neither absent, nor infinite, nor the largest one, which clients send for "unset".
pub(super) fn set(x: Option<f64>) -> Option<f64> {
    x.filter(|v| v.is_finite() && *v < f64::MAX)
}

/// A decimal text, never in exponent form: `100`, `0.01`. What is no number is absent.
pub(super) fn decimal(x: f64) -> Option<String> {
    let mut out = String::new();
    write_decimal(&mut out, x);
    text(out)
}

/// As [`decimal`], into a reused text, which stays empty where `x` is no number.
pub(super) fn write_decimal(out: &mut String, x: f64) {
    out.clear();
    if x.is_finite() {
        // Writing to a String cannot fail. Adding 0.0 makes −0 read 0.
        let _ = write!(out, "{}", x + 0.0);
    }
}

/// Reads a decimal text; absent and empty are 0.
pub(super) fn number(id: i32, field: Option<&str>) -> Result<f64, DecodeError> {
    let Some(s) = field.filter(|s| !s.is_empty()) else { return Ok(0.0) };
    match s.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(DecodeError::Decimal { id, text: shortened(s) }),
    }
}

/// At most 40 characters, for an error message.
pub(super) fn shortened(s: &str) -> String {
    s.chars().take(40).collect()
}

/// Milliseconds since 1970.
pub(super) fn millis(t: SessionTime) -> i64 {
    t.nanos().div_euclid(MILLISECOND)
}

/// From milliseconds since 1970.
pub(super) fn from_millis(ms: i64) -> SessionTime {
    SessionTime(ms.saturating_mul(MILLISECOND))
}

/// A bar's start as history gives it: `20260713` if it is midnight in New York (a day bar), else epoch seconds
/// (`format_date` 2) or `20260713 09:30:00 US/Eastern`.
pub(super) fn bar_date(t: SessionTime, format_date: i32) -> String {
    let c = new_york(t);
    if (c.hour, c.minute, c.second) == (0, 0, 0) {
        format!("{:04}{:02}{:02}", c.year, c.month, c.day)
    } else if format_date == 2 {
        t.secs().to_string()
    } else {
        format!("{:04}{:02}{:02} {:02}:{:02}:{:02} US/Eastern", c.year, c.month, c.day, c.hour, c.minute, c.second)
    }
}

/// The reverse of [`bar_date`].
pub(super) fn parse_bar_date(id: i32, s: &str) -> Result<SessionTime, DecodeError> {
    let broken = || DecodeError::Time { id, text: shortened(s) };
    let digits = |part: Option<&str>| part.and_then(|p| p.parse::<u32>().ok()).ok_or_else(broken);
    let date = |part: &str| {
        let (year, month, day) = Date(digits(Some(part))?).parts();
        // Session time ends in 2262.
        let exists = (1_970..2_200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        if exists { Ok((year, month, day)) } else { Err(broken()) }
    };
    if let Some(local) = s.strip_suffix(" US/Eastern") {
        let (day, time) = local.split_once(' ').ok_or_else(broken)?;
        let mut parts = time.split(':');
        let (year, month, day) = date(day)?;
        let (hour, minute) = (digits(parts.next())?, digits(parts.next())?);
        let second = digits(parts.next())?;
        if hour > 23 || minute > 59 || second > 60 {
            return Err(broken());
        }
        return Ok(from_new_york(Civil { year, month, day, hour, minute, second }));
    }
    if s.len() == 8 {
        let (year, month, day) = date(s)?;
        return Ok(Date::of(year, month, day).at(0, 0));
    }
    s.parse::<i64>().map(SessionTime::from_secs).map_err(|_| broken())
}

impl From<contract::Contract> for api::Contract {
    fn from(c: contract::Contract) -> Self {
        Self {
            con_id: c.con_id.unwrap_or_default(),
            symbol: c.symbol.unwrap_or_default(),
            sec_type: c.sec_type.unwrap_or_default(),
            exchange: c.exchange.unwrap_or_default(),
            primary_exchange: c.primary_exchange.unwrap_or_default(),
            currency: c.currency.unwrap_or_default(),
            local_symbol: c.local_symbol.unwrap_or_default(),
            trading_class: c.trading_class.unwrap_or_default(),
        }
    }
}

/// A contract as both sides write it, but for the fields in which they differ.
fn contract_of(c: api::Contract) -> contract::Contract {
    contract::Contract {
        con_id: Some(c.con_id),
        symbol: text(c.symbol),
        sec_type: text(c.sec_type),
        strike: None,
        exchange: text(c.exchange),
        primary_exchange: text(c.primary_exchange),
        currency: text(c.currency),
        local_symbol: text(c.local_symbol),
        trading_class: text(c.trading_class),
    }
}

/// A contract as a client writes it.
pub(super) fn client_contract(c: api::Contract) -> Option<contract::Contract> {
    Some(contract_of(c))
}

/// A contract as a gateway writes it: with strike 0 [recorded].
pub(super) fn gateway_contract(c: api::Contract) -> Option<contract::Contract> {
    Some(contract::Contract { strike: Some(0.0), ..contract_of(c) })
}

/// The order state, gateway's side.
pub(super) fn state_of(s: api::OrderState) -> order::OrderState {
    order::OrderState {
        status: text(s.status),
        init_margin_before: s.init_margin_before,
        maint_margin_before: s.maint_margin_before,
        equity_with_loan_before: s.equity_with_loan_before,
        init_margin_change: s.init_margin_change,
        maint_margin_change: s.maint_margin_change,
        equity_with_loan_change: s.equity_with_loan_change,
        init_margin_after: s.init_margin_after,
        maint_margin_after: s.maint_margin_after,
        equity_with_loan_after: s.equity_with_loan_after,
        commission: s.commission,
        commission_currency: text(s.commission_currency),
        margin_currency: text(s.margin_currency),
        warning_text: text(s.warning_text),
        completed_time: text(s.completed_time),
        completed_status: text(s.completed_status),
    }
}

/// The reverse of [`state_of`].
pub(super) fn state_from(s: order::OrderState) -> api::OrderState {
    api::OrderState {
        status: s.status.unwrap_or_default(),
        init_margin_before: s.init_margin_before,
        maint_margin_before: s.maint_margin_before,
        equity_with_loan_before: s.equity_with_loan_before,
        init_margin_change: s.init_margin_change,
        maint_margin_change: s.maint_margin_change,
        equity_with_loan_change: s.equity_with_loan_change,
        init_margin_after: s.init_margin_after,
        maint_margin_after: s.maint_margin_after,
        equity_with_loan_after: s.equity_with_loan_after,
        commission: s.commission,
        commission_currency: s.commission_currency.unwrap_or_default(),
        margin_currency: s.margin_currency.unwrap_or_default(),
        warning_text: s.warning_text.unwrap_or_default(),
        completed_time: s.completed_time.unwrap_or_default(),
        completed_status: s.completed_status.unwrap_or_default(),
    }
}
