//! The terms of an order, read from its fields as IB spells them; what the gateway refuses at once. No state.

#![allow(clippy::cast_possible_truncation, reason = "quantities are checked to be whole and below a billion")]

use super::contracts::tick_at;
use super::orders::{Style, Terms, Tif, Trail};
use super::text;
use crate::clock::SessionTime;
use crate::domain::Price;
use crate::sim::api::Order;

/// Most shares of one order that the gateway takes.
const QTY_MAX: f64 = 1e9;

/// Why the gateway refuses an order at once: code and text.
pub(super) type Refusal = (i32, String);

pub(super) fn invalid(cause: &str) -> Refusal {
    (321, format!("Error validating request.-'v' : cause - {cause}"))
}

/// The terms of an order, or why they are refused.
pub(super) fn terms(order: &Order) -> Result<Terms, Refusal> {
    let qty = order.total_quantity;
    if !(qty > 0.0 && qty <= QTY_MAX) {
        return Err((434, "The order size cannot be zero.".into()));
    }
    if qty.fract() > 0.0 {
        return Err((10_243, "Fractional-sized order cannot be placed via API. Please use desktop version.".into()));
    }
    let (mut limit, mut trigger, mut trail, mut style) = (None, None, None, Style::Plain);
    match order.order_type.as_str() {
        "MKT" => {}
        "LMT" => limit = Some(on_grid(order.limit_price, "Invalid limit price")?),
        "STP" => trigger = Some(on_grid(order.aux_price, "Invalid stop price")?),
        "STP LMT" => {
            limit = Some(on_grid(order.limit_price, "Invalid limit price")?);
            trigger = Some(on_grid(order.aux_price, "Invalid stop price")?);
        }
        "TRAIL" => (trigger, trail) = trailing(order)?,
        "MIDPRICE" | "PEG MID" => (limit, style) = (cap(order)?, Style::Mid),
        "REL" => (limit, style) = (cap(order)?, Style::Primary),
        "MOC" => style = Style::OnClose,
        "LOC" => (limit, style) = (Some(on_grid(order.limit_price, "Invalid limit price")?), Style::OnClose),
        _ => return Err(invalid("Invalid order type was entered")),
    }
    let tif = match order.tif.as_str() {
        "DAY" => Tif::Day,
        "GTC" => Tif::Gtc,
        "IOC" => Tif::Ioc,
        "FOK" => Tif::Fok,
        "OPG" => Tif::Opg,
        "GTD" => Tif::Gtd(text::parse(&order.good_till_date).ok_or_else(|| invalid("Invalid good till date"))?),
        "" => return Err((10_052, "Invalid time in force:".into())),
        _ => return Err(invalid("Invalid time in force")),
    };
    Ok(Terms { qty: qty as i64, limit, tif, style, trigger, trail, not_before: not_before(order)? })
}

/// A price that must be there and on the grid.
fn on_grid(price: Option<f64>, missing: &str) -> Result<Price, Refusal> {
    let price = Price::from_f64(price.unwrap_or(0.0));
    if !price.is_some() {
        return Err(invalid(missing));
    }
    if price.0 % tick_at(price).0 != 0 {
        return Err((110, "The price does not conform to the minimum price variation for this contract.".into()));
    }
    Ok(price)
}

/// The worst price of a pegged order; 0 and absent mean none.
fn cap(order: &Order) -> Result<Option<Price>, Refusal> {
    match order.limit_price {
        Some(p) if p > 0.0 => on_grid(Some(p), "Invalid limit price").map(Some),
        _ => Ok(None),
    }
}

/// A trailing stop's first price, if it was given, and its distance.
fn trailing(order: &Order) -> Result<(Option<Price>, Option<Trail>), Refusal> {
    let by = order.aux_price.map(Price::from_f64).filter(|p| p.is_some()).map(Trail::By);
    let share = order.trailing_percent.filter(|p| *p > 0.0 && *p < 100.0).map(|p| Trail::Share((p * 1e4) as i64));
    let trail = by.or(share).ok_or_else(|| invalid("Invalid trailing amount"))?;
    Ok((Some(on_grid(order.trail_stop_price, "Invalid trail stop price")?), Some(trail)))
}

fn not_before(order: &Order) -> Result<Option<SessionTime>, Refusal> {
    if order.good_after_time.is_empty() {
        return Ok(None);
    }
    text::parse(&order.good_after_time).map(Some).ok_or_else(|| invalid("Invalid good after time"))
}
