//! Parts that both directions share: absent fields, decimal texts, times, contracts, orders. Empty texts and
//! zero ids that a gateway leaves out stay out; the fields that every recorded openOrder carries unchanged are
//! written here once.

use super::DecodeError;
use crate::clock::{MILLISECOND, SessionTime};
use crate::domain::Side;
use crate::domain::calendar::{Civil, Date, from_new_york, new_york};
use crate::sim::api;
use crate::sim::wire::messages::{contract, order, order::Empty};
use std::fmt::Write as _;

/// The share-holder text of every recorded openOrder.
pub(super) const SHAREHOLDER: &str = "Not an insider or substantial shareholder";

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

/// Reads an order, either side's.
pub(super) fn order_from(id: i32, o: order::Order) -> Result<api::Order, DecodeError> {
    Ok(api::Order {
        order_id: o.order_id.unwrap_or_default(),
        client_id: o.client_id.unwrap_or_default(),
        perm_id: o.perm_id.unwrap_or_default(),
        parent_id: o.parent_id.unwrap_or_default(),
        action: match o.action.as_deref() {
            Some("BUY") => Some(Side::Buy),
            Some("SELL") => Some(Side::Sell),
            _ => None,
        },
        total_quantity: number(id, o.total_quantity.as_deref())?,
        order_type: o.order_type.unwrap_or_default(),
        limit_price: set(o.limit_price),
        aux_price: set(o.aux_price),
        tif: o.tif.unwrap_or_default(),
        good_till_date: o.good_till_date.unwrap_or_default(),
        account: o.account.unwrap_or_default(),
        order_ref: o.order_ref.unwrap_or_default(),
        oca_group: o.oca_group.unwrap_or_default(),
        oca_type: o.oca_type.unwrap_or_default(),
        outside_rth: o.outside_rth.unwrap_or_default(),
        transmit: o.transmit.unwrap_or_default(),
        what_if: o.what_if.unwrap_or_default(),
        filled_quantity: number(id, o.filled_quantity.as_deref())?,
        trigger_method: o.trigger_method.unwrap_or_default(),
        all_or_none: o.all_or_none.unwrap_or_default(),
        display_size: o.display_size.unwrap_or_default(),
        good_after_time: o.good_after_time.unwrap_or_default(),
        trailing_percent: set(o.trailing_percent),
        trail_stop_price: set(o.trail_stop_price),
        parent_perm_id: o.parent_perm_id.unwrap_or_default(),
        auto_cancel_date: o.auto_cancel_date.unwrap_or_default(),
        submitter: o.submitter.unwrap_or_default(),
        use_price_mgmt_algo: o.use_price_mgmt_algo.unwrap_or_default() != 0,
    })
}

/// What client and gateway write alike.
fn order_of(o: api::Order) -> order::Order {
    order::Order {
        parent_id: Some(o.parent_id),
        action: o.action.map(|s| s.as_str().to_owned()),
        total_quantity: decimal(o.total_quantity),
        order_type: text(o.order_type),
        limit_price: o.limit_price,
        aux_price: o.aux_price,
        tif: text(o.tif),
        account: text(o.account),
        all_or_none: flag(o.all_or_none),
        outside_rth: flag(o.outside_rth),
        trailing_percent: o.trailing_percent,
        trail_stop_price: o.trail_stop_price,
        good_after_time: text(o.good_after_time),
        good_till_date: text(o.good_till_date),
        oca_group: text(o.oca_group),
        order_ref: text(o.order_ref),
        oca_type: Some(o.oca_type),
        trigger_method: Some(o.trigger_method),
        what_if: flag(o.what_if),
        origin: Some(0),
        exempt_code: Some(-1),
        adjustable_trailing_unit: Some(0),
        ..order::Order::default()
    }
}

/// An order as a client places it.
pub(super) fn client_order(o: api::Order) -> order::Order {
    order::Order {
        display_size: Some(o.display_size),
        transmit: flag(o.transmit),
        use_price_mgmt_algo: nonzero(i32::from(o.use_price_mgmt_algo)),
        soft_dollar_tier: Some(Empty {}),
        ..order_of(o)
    }
}

/// An order as a gateway echoes it [recorded]: prices 0 where the order has none (a trail by
/// percent leaves its aux price out), no transmit flag, and a set of fields that never changed on 204 recorded echoes.
pub(super) fn gateway_order(o: api::Order) -> order::Order {
    order::Order {
        client_id: Some(o.client_id),
        order_id: Some(o.order_id),
        perm_id: Some(o.perm_id),
        limit_price: Some(o.limit_price.unwrap_or(0.0)),
        aux_price: if o.trailing_percent.is_some() { o.aux_price } else { Some(o.aux_price.unwrap_or(0.0)) },
        clearing_intent: Some("IB".to_owned()),
        volatility_type: Some(0),
        reference_price_type: Some(0),
        delta_neutral_order_type: Some("None".to_owned()),
        delta_neutral_short_sale_slot: Some(0),
        short_sale_slot: Some(0),
        adjusted_order_type: Some("None".to_owned()),
        no_auto_price_for_hedge: Some(true),
        auto_cancel_date: text(o.auto_cancel_date.clone()),
        filled_quantity: decimal(o.filled_quantity),
        shareholder: Some(SHAREHOLDER.to_owned()),
        route_marketable_to_bbo: Some(0),
        parent_perm_id: nonzero(o.parent_perm_id),
        use_price_mgmt_algo: Some(i32::from(o.use_price_mgmt_algo)),
        submitter: text(o.submitter.clone()),
        seek_price_improvement: Some(0),
        what_if_type: nonzero(i32::from(o.what_if)),
        ..order_of(o)
    }
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
