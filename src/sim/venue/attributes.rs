//! What the gateway refuses at once: attributes that this venue can't honour. None of them is ever ignored: either it is
//! honoured, or it is a mark that changes nothing about the trade and is echoed, or the order is refused.
//!
//! * Honoured: all-or-none, display size, good-after-time, outside regular hours, adjusted stops, conditions, algos
//!   (`algos`), scales without profit taking, cancel of the parent with its child.
//! * Marks, echoed: block, sweep to fill, not held, rule 80A, solicited, post to ATS, minimum trade and competing sizes
//!   (they act on pegs to the best only), operator, customer, soft-dollar tier, smart-routing opt-out.
//! * Refused with the recorded text: minimum quantity (10256), display size where it can't be (10255), activation times
//!   with a date (10315); with documented codes: hidden (152), discretionary amount (325), delta neutral (429), hedge
//!   (10006, 10007), scale (408 to 410, 419, 449), percent offset (159), display size above the order's (10020); the rest
//!   with 321 and a text of our own (assumed).

use super::orders::Terms;
use super::terms::{Refusal, invalid};
use crate::sim::api::Order;

/// Recorded.
pub(super) const MIN_QTY: i32 = 10_256;

/// Refuses what can't be honoured.
pub(super) fn check(order: &Order, t: &Terms) -> Result<(), Refusal> {
    recorded(order, t)?;
    documented(order)?;
    scale(order, t)?;
    assumed(order)
}

fn refuse<T>(code: i32, text: &str) -> Result<T, Refusal> {
    Err((code, text.into()))
}

fn recorded(order: &Order, t: &Terms) -> Result<(), Refusal> {
    if order.min_qty.is_some_and(|n| n > 0) {
        return refuse(MIN_QTY, "The 'Minimum Quantity' order attribute may not be specified for this order.");
    }
    let plain_limit =
        matches!(order.order_type.as_str(), "LMT" | "REL" | "STP LMT" | "LIT") && order.algo_strategy.is_empty();
    if order.display_size != 0 && !plain_limit {
        return refuse(10_255, "The 'Display Size' order attribute may not be specified for this order.");
    }
    if order.display_size < 0 || i64::from(order.display_size) > t.qty {
        return refuse(10_020, "Display size should be smaller than order size.");
    }
    for (which, time) in [("Start", &order.active_start_time), ("Stop", &order.active_stop_time)] {
        if !time.is_empty() && !is_clock_time(time) {
            let text = format!(
                "Active {which} Time: The time entered is invalid. The correct format is hh:mm:ss. E.g.: 15:00:00 in \
                 UTC. No date should be specified, current date is assumed."
            );
            return Err((10_315, text));
        }
    }
    Ok(())
}

fn is_clock_time(text: &str) -> bool {
    let mut parts = text.trim_end_matches(" UTC").split(':').map(str::parse::<u32>);
    let in_day = |h, m, s| h < 24 && m < 60 && s < 60;
    matches!((parts.next(), parts.next(), parts.next(), parts.next()),
        (Some(Ok(h)), Some(Ok(m)), Some(Ok(s)), None) if in_day(h, m, s))
}

fn documented(order: &Order) -> Result<(), Refusal> {
    if order.hidden {
        return refuse(152, "The 'hidden' order attribute may not be specified for this order.");
    }
    if order.discretionary_amt != 0.0 || order.discretionary_up_to_limit_price {
        return refuse(
            325,
            "Discretionary Orders are not supported for this combination of exchange and security type.",
        );
    }
    if order.block_order && order.total_quantity < 50.0 {
        return refuse(117, "The block order size must be at least 50.");
    }
    if !order.delta_neutral_order_type.is_empty() {
        return refuse(429, "Delta neutral orders are only supported for combos (BAG security type).");
    }
    if !order.hedge_type.is_empty() {
        let orphan = order.parent_id == 0;
        return if orphan { refuse(10_006, "Missing parent order.") } else { refuse(10_007, "Invalid hedge type.") };
    }
    if !matches!(order.trigger_method, 0..=4 | 7 | 8) {
        return refuse(146, "Invalid trigger method.");
    }
    Ok(())
}

/// A scale is worked part after part; taking profits and adjusting prices by time are not built.
fn scale(order: &Order, t: &Terms) -> Result<(), Refusal> {
    let Some(increment) = order.scale_price_increment else {
        let sizes = order.scale_init_level_size.is_some() || order.scale_subs_level_size.is_some();
        return if sizes { refuse(408, "Invalid scale order increment.") } else { Ok(()) };
    };
    if increment <= 0.0 || t.limit.is_none() || order.order_type != "LMT" {
        return refuse(408, "Invalid scale order increment.");
    }
    let Some(first) = order.scale_init_level_size.filter(|n| *n > 0) else {
        return refuse(409, "Invalid scale order. You must specify order component size.");
    };
    if i64::from(first) > t.qty {
        return refuse(409, "Invalid scale order. You must specify order component size.");
    }
    if order.scale_subs_level_size.is_some_and(|n| n <= 0 || i64::from(n) > t.qty) {
        return refuse(410, "Invalid subsequent component size for scale order.");
    }
    let profit = order.scale_profit_offset.is_some() || order.scale_auto_reset || order.scale_init_position.is_some();
    if profit || order.scale_init_fill_qty.is_some() {
        return refuse(419, "Invalid scale order profit offset.");
    }
    let adjusts = order.scale_price_adjust_value.is_some_and(|x| x != 0.0);
    if adjusts || order.scale_price_adjust_interval.is_some_and(|n| n != 0) {
        return refuse(449, "Unexpected scale price adjustment amount or interval.");
    }
    Ok(())
}

/// Attributes of other kinds of accounts, sessions and exchanges.
fn assumed(order: &Order) -> Result<(), Refusal> {
    let advisor = !order.fa_group.is_empty() || !order.fa_method.is_empty() || !order.fa_percentage.is_empty();
    let clearing = !order.clearing_account.is_empty() || !order.clearing_intent.is_empty();
    let refused = [
        (advisor, "Allocations are for advisor accounts only"),
        (!order.model_code.is_empty(), "Invalid model code"),
        (clearing || !order.settling_firm.is_empty(), "Clearing elsewhere is not permitted for this account"),
        (order.short_sale_slot > 1 || !order.designated_location.is_empty(), "Invalid short sale slot"),
        (order.exempt_code.is_some(), "Short sale exemption is not permitted for this account"),
        (order.origin != 0, "Invalid origin"),
        (order.volatility.is_some(), "Volatility is for options only"),
        (order.duration.is_some_and(|n| n != 0), "Duration is not supported for this order"),
        (!order.active_start_time.is_empty(), "Active start time is not supported for this order"),
        (!order.active_stop_time.is_empty(), "Active stop time is not supported for this order"),
        (order.randomize_size || order.randomize_price, "Randomizing is not supported for this order"),
        (order.scale_random_percent || !order.scale_table.is_empty(), "Scale table is not supported"),
        (order.include_overnight, "The overnight session is not supported for this order"),
        (order.imbalance_only, "Imbalance only is not supported for this order"),
        (order.post_only, "Post only is not supported for this order"),
        (order.allow_pre_open || order.ignore_open_auction, "Pre-open attributes are not supported for this order"),
        (order.is_oms_container || order.deactivate, "Order containers are not supported"),
    ];
    refused.iter().find(|(is, _)| *is).map_or(Ok(()), |(_, text)| Err(invalid(text)))
}
