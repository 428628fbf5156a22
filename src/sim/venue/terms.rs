//! The terms of an order, read from its fields as IB spells them. What the gateway refuses at once for its attributes is
//! in `attributes`. No state.

#![allow(clippy::cast_possible_truncation, reason = "quantities are checked to be whole and below a billion")]

use super::attributes;
use super::contracts::tick_at;
use super::orders::{Adjustment, Style, Terms, Tif, Trail};
use super::text;
use crate::clock::SessionTime;
use crate::domain::{Price, Side};
use crate::sim::api::Order;

/// Most shares of one order that the gateway takes.
const QTY_MAX: f64 = 1e9;
/// IB's order types that stocks here have no market for (documented, 387).
const UNSUPPORTED: [&str; 17] = [
    "BOX TOP",
    "PEG BEST",
    "PEGBEST",
    "PEG BENCH",
    "PEGBENCH",
    "PEG STK",
    "PEG PRIM",
    "PASSV REL",
    "MKT PRT",
    "STP PRT",
    "VOL",
    "VWAP",
    "MIDPX",
    "LIT + MKT",
    "REL + MKT",
    "REL + LMT",
    "SNAP MID",
];

/// Why the gateway refuses an order at once: code and text.
pub(super) type Refusal = (i32, String);

pub(super) fn invalid(cause: &str) -> Refusal {
    (321, format!("Error validating request.-'v' : cause - {cause}"))
}

/// The terms of an order, or why they are refused.
pub(super) fn terms(order: &Order) -> Result<Terms, Refusal> {
    if order.cash_qty.is_some_and(|c| c > 0.0) {
        return Err((10_244, "Cash Quantity cannot be used for this order.".into()));
    }
    let qty = order.total_quantity;
    if !(qty > 0.0 && qty <= QTY_MAX) {
        return Err((434, "The order size cannot be zero.".into()));
    }
    if qty.fract() > 0.0 {
        return Err((10_243, "Fractional-sized order cannot be placed via API. Please use desktop version.".into()));
    }
    let mut t = Terms::market(qty as i64);
    t.tif = tif(order)?;
    kind(order, &mut t)?;
    attributes::check(order, &t)?;
    t.adjust = adjustment(order)?;
    t.all_or_none = order.all_or_none;
    t.display = i64::from(order.display_size);
    t.outside_rth = order.outside_rth;
    t.not_before = not_before(order)?;
    Ok(t)
}

/// What the order type says.
fn kind(order: &Order, t: &mut Terms) -> Result<(), Refusal> {
    let limit = || on_grid(order.limit_price, "Invalid limit price").map(Some);
    let stop = || on_grid(order.aux_price, "Invalid stop price").map(Some);
    match order.order_type.as_str() {
        "MKT" => {}
        "MTL" => t.to_limit = true,
        "LMT" => t.limit = limit()?,
        "STP" => t.trigger = stop()?,
        "STP LMT" => (t.limit, t.trigger) = (limit()?, stop()?),
        "MIT" => (t.trigger, t.if_touched) = (stop()?, true),
        "LIT" => (t.limit, t.trigger, t.if_touched) = (limit()?, stop()?, true),
        "TRAIL" => (t.trigger, t.trail) = trailing(order)?,
        "TRAIL LIMIT" => {
            (t.trigger, t.trail) = trailing(order)?;
            let offset = trailing_offset(order, t.trigger)?;
            (t.limit_offset, t.limit) = (Some(offset), limit_behind(order.action, t.trigger, offset));
        }
        "MIDPRICE" | "PEG MID" | "PEGMID" => (t.limit, t.style) = (cap(order)?, Style::Mid),
        "REL" => (t.limit, t.style, t.offset) = (cap(order)?, Style::Primary, relative_offset(order)?),
        "MOC" => t.style = Style::OnClose,
        "LOC" => (t.limit, t.style) = (limit()?, Style::OnClose),
        other if UNSUPPORTED.contains(&other) => {
            return Err((387, "Unsupported order type for this exchange and security type.".into()));
        }
        _ => return Err(invalid("Invalid order type was entered")),
    }
    if t.style == Style::OnClose && t.tif != Tif::Day {
        return Err((113, "The Tif option should be set to DAY for MOC and LOC orders.".into()));
    }
    Ok(())
}

fn tif(order: &Order) -> Result<Tif, Refusal> {
    Ok(match order.tif.as_str() {
        "DAY" => Tif::Day,
        "GTC" => Tif::Gtc,
        "IOC" => Tif::Ioc,
        "FOK" => Tif::Fok,
        "OPG" => Tif::Opg,
        "DTC" => Tif::Dtc,
        "GTD" => Tif::Gtd(text::parse(&order.good_till_date).ok_or_else(|| invalid("Invalid good till date"))?),
        "" => return Err((10_052, "Invalid time in force:".into())),
        _ => return Err(invalid("Invalid time in force")),
    })
}

/// A price that must be there and on the grid.
pub(super) fn on_grid(price: Option<f64>, missing: &str) -> Result<Price, Refusal> {
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

/// How far a relative order stands before the touch: a percentage as a fraction, or dollars; none = at it (recorded:
/// both may be absent).
fn relative_offset(order: &Order) -> Result<Option<Trail>, Refusal> {
    match (order.percent_offset, order.aux_price.map(Price::from_f64).filter(|p| p.is_some())) {
        (Some(p), _) if !(0.0..=1.0).contains(&p) => {
            Err((159, "The percent offset value must be between 0% and 100%.".into()))
        }
        (Some(p), _) if p > 0.0 => Ok(Some(Trail::Share((p * 1e6) as i64))),
        (_, dollars) => Ok(dollars.map(Trail::By)),
    }
}

/// A trailing stop's first price, if it was given, and its distance.
fn trailing(order: &Order) -> Result<(Option<Price>, Option<Trail>), Refusal> {
    let by = order.aux_price.map(Price::from_f64).filter(|p| p.is_some()).map(Trail::By);
    let share = order.trailing_percent.filter(|p| *p > 0.0 && *p < 100.0).map(|p| Trail::Share((p * 1e4) as i64));
    let trail = by.or(share).ok_or_else(|| invalid("Invalid trailing amount"))?;
    Ok((Some(on_grid(order.trail_stop_price, "Invalid trail stop price")?), Some(trail)))
}

/// A trailing limit's distance from its stop: given, or the difference of its two prices.
fn trailing_offset(order: &Order, stop: Option<Price>) -> Result<Price, Refusal> {
    if let Some(offset) = order.lmt_price_offset {
        return Ok(Price::from_f64(offset));
    }
    let limit = on_grid(order.limit_price, "Invalid limit price")?;
    let stop = stop.unwrap_or(limit);
    Ok(Price(if order.action == Some(Side::Buy) { limit.0 - stop.0 } else { stop.0 - limit.0 }))
}

/// The limit that stands `offset` behind a stop (recorded: sell, stop 2000, offset 0.05: limit 1999.95).
pub(super) fn limit_behind(side: Option<Side>, stop: Option<Price>, offset: Price) -> Option<Price> {
    let sign = side.map_or(1, Side::sign);
    stop.map(|s| Price((s.0 + sign * offset.0).max(1)))
}

/// What a stop turns into (documented: errors 361 to 364).
fn adjustment(order: &Order) -> Result<Option<Adjustment>, Refusal> {
    if order.adjusted_order_type.is_empty() {
        return Ok(None);
    }
    let price = |p: Option<f64>, code: i32, what: &str| on_grid(p, "").map_err(|_| (code, format!("Invalid {what}.")));
    let at = price(order.trigger_price, 361, "trigger price")?;
    let stop = price(order.adjusted_stop_price, 362, "adjusted stop price")?;
    let mut a = Adjustment { at, stop, limit: None, trail: None };
    match order.adjusted_order_type.as_str() {
        "STP" => {}
        "STP LMT" => a.limit = Some(price(order.adjusted_stop_limit_price, 363, "adjusted stop limit price")?),
        "TRAIL" => {
            let amount = order.adjusted_trailing_amount.filter(|x| *x > 0.0);
            let amount = amount.ok_or_else(|| (364, "Invalid adjusted trailing amount.".to_owned()))?;
            let percent = order.adjustable_trailing_unit == 100;
            a.trail =
                Some(if percent { Trail::Share((amount * 1e4) as i64) } else { Trail::By(Price::from_f64(amount)) });
        }
        _ => return Err(invalid("Invalid adjusted order type")),
    }
    if !matches!(order.order_type.as_str(), "STP" | "STP LMT" | "TRAIL") {
        return Err(invalid("Only stop orders can be adjusted"));
    }
    Ok(Some(a))
}

fn not_before(order: &Order) -> Result<Option<SessionTime>, Refusal> {
    if order.good_after_time.is_empty() {
        return Ok(None);
    }
    text::parse(&order.good_after_time).map(Some).ok_or_else(|| invalid("Invalid good after time"))
}
