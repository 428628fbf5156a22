//! Field order of placeOrder in text, the longest request. Combination legs, delta-neutral details, benchmark pegs,
//! quote requests and decision makers have no place in the vocabulary: they are stepped over, by their counts.
//! Sources: the fields that public clients write at each server version.

use super::fields::Fields;
use super::order_parts::{adjusted, advisor, conditions, customer, hedge, not_held_and_algo, scale, short_sale};
use super::requests::contract;
use crate::sim::api::{Contract, Order};
use crate::sim::wire::codec::order::{NONE, USUAL_CLEARING};

/// Fields behind the message id.
pub(super) fn place_order(f: &mut impl Fields, c: &mut Contract, o: &mut Order) {
    f.int(&mut o.order_id);
    contract(f, c);
    // Another security id and its type.
    f.constants(&["", ""]);
    head(f, c, o);
    // Share allocation.
    f.constant("");
    f.number(&mut o.discretionary_amt);
    f.text(&mut o.good_after_time);
    f.text(&mut o.good_till_date);
    advisor(f, o);
    f.text(&mut o.model_code);
    short_sale(f, o);
    f.int(&mut o.oca_type);
    f.text(&mut o.rule_80a);
    f.text(&mut o.settling_firm);
    f.flag(&mut o.all_or_none);
    pricing(f, o);
    scale_to_algo(f, o);
    f.flag(&mut o.what_if);
    // Options.
    f.constant("");
    f.flag(&mut o.solicited);
    f.flag(&mut o.randomize_size);
    f.flag(&mut o.randomize_price);
    if matches!(o.order_type.as_str(), "PEG BENCH" | "PEGBENCH") {
        f.constants(&["0", "0", "0", "0", ""]);
    }
    conditions(f, o);
    f.text(&mut o.adjusted_order_type);
    f.optional(&mut o.trigger_price, "");
    f.optional(&mut o.lmt_price_offset, "");
    adjusted(f, o, "");
    f.text(&mut o.ext_operator);
    f.text(&mut o.soft_dollar_name);
    f.text(&mut o.soft_dollar_value);
    f.optional(&mut o.cash_qty, "");
    // Decision makers and executing traders; hedge pricing off.
    f.constants(&["", "", "", "", "0"]);
    f.flag(&mut o.is_oms_container);
    f.flag(&mut o.discretionary_up_to_limit_price);
    f.flag(&mut o.use_price_mgmt_algo);
    tail(f, c, o);
    // An order that is sent back as it was echoed names what it has none of.
    for name in [&mut o.adjusted_order_type, &mut o.delta_neutral_order_type] {
        if name == NONE {
            name.clear();
        }
    }
}

/// From the action to hidden, with the legs of a combination.
fn head(f: &mut impl Fields, c: &Contract, o: &mut Order) {
    f.side(&mut o.action);
    f.number(&mut o.total_quantity);
    f.text(&mut o.order_type);
    f.optional(&mut o.limit_price, "");
    f.optional(&mut o.aux_price, "");
    f.text(&mut o.tif);
    f.text(&mut o.oca_group);
    f.text(&mut o.account);
    f.text(&mut o.open_close);
    f.int(&mut o.origin);
    f.text(&mut o.order_ref);
    f.flag(&mut o.transmit);
    f.int(&mut o.parent_id);
    f.flag(&mut o.block_order);
    f.flag(&mut o.sweep_to_fill);
    f.int(&mut o.display_size);
    if o.display_size == i32::MAX && f.reads() {
        o.display_size = 0;
    }
    f.int(&mut o.trigger_method);
    f.flag(&mut o.outside_rth);
    f.flag(&mut o.hidden);
    if c.sec_type == "BAG" {
        f.skipped_list(8);
        f.skipped_list(1);
        f.skipped_list(2);
    }
}

/// From the minimum quantity to the trail.
fn pricing(f: &mut impl Fields, o: &mut Order) {
    f.optional_int(&mut o.min_qty, "");
    f.optional(&mut o.percent_offset, "");
    // Electronic only, firm quotes only, price cap, auction strategy; starting and reference price, delta, stock range.
    f.constants(&["0", "0", "", "0", "", "", "", "", ""]);
    f.flag(&mut o.override_percentage_constraints);
    f.optional(&mut o.volatility, "");
    // Volatility type.
    f.constant("");
    f.text(&mut o.delta_neutral_order_type);
    // Its price.
    f.constant("");
    if !o.delta_neutral_order_type.is_empty() {
        f.constants(&[""; 8]);
    }
    // Continuous update, reference price type.
    f.constants(&["0", ""]);
    f.optional(&mut o.trail_stop_price, "");
    f.optional(&mut o.trailing_percent, "");
}

/// From the scale fields to the algo's id.
fn scale_to_algo(f: &mut impl Fields, o: &mut Order) {
    scale(f, o, "");
    f.text(&mut o.scale_table);
    f.text(&mut o.active_start_time);
    f.text(&mut o.active_stop_time);
    hedge(f, o);
    f.flag(&mut o.opt_out_smart_routing);
    f.text(&mut o.clearing_account);
    f.text(&mut o.clearing_intent);
    if o.clearing_intent == USUAL_CLEARING {
        o.clearing_intent.clear();
    }
    not_held_and_algo(f, o);
    f.text(&mut o.algo_id);
}

/// Fields that came with later versions.
fn tail(f: &mut impl Fields, c: &Contract, o: &mut Order) {
    if f.since(158) {
        f.optional_int(&mut o.duration, "");
    }
    if f.since(160) {
        f.optional_int(&mut o.post_to_ats, "");
    }
    if f.since(162) {
        f.flag(&mut o.auto_cancel_parent);
    }
    if f.since(166) {
        f.text(&mut o.advanced_error_override);
    }
    if f.since(169) {
        f.text(&mut o.manual_order_time);
    }
    if f.since(170) {
        if c.exchange == "IBKRATS" {
            f.optional_int(&mut o.min_trade_qty, "");
        }
        pegs(f, o);
    }
    customer(f, o);
    // Two fields of quote requests, for three versions.
    f.versioned(&[(187, 190, ""), (187, 190, "")]);
    if f.since(189) {
        f.flag(&mut o.include_overnight);
    }
    if f.since(192) {
        f.optional_int(&mut o.manual_order_indicator, "");
    }
    if f.since(199) {
        f.flag(&mut o.imbalance_only);
    }
}

/// What pegs to the best and to the midpoint bring: the offsets from the midpoint follow a peg to the best only if its
/// own offset is "up to the midpoint", which is written as infinite.
fn pegs(f: &mut impl Fields, o: &mut Order) {
    let best = matches!(o.order_type.as_str(), "PEG BEST" | "PEGBEST");
    if best {
        f.optional_int(&mut o.min_compete_size, "");
        f.optional(&mut o.compete_against_best_offset, "Infinity");
    }
    let to_mid = best && o.compete_against_best_offset.is_none();
    if to_mid || matches!(o.order_type.as_str(), "PEG MID" | "PEGMID") {
        f.optional(&mut o.mid_offset_at_whole, "");
        f.optional(&mut o.mid_offset_at_half, "");
    }
}
