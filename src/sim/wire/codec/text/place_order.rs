//! Field order of placeOrder in text, the longest request. Algo parameters, conditions, scale, hedge and
//! benchmark fields have no place in the vocabulary: they are stepped over, by their counts. Sources: the fields
//! that public clients write at each server version.

use super::fields::Fields;
use super::orders::conditions;
use super::requests::contract;
use crate::sim::api::{Contract, Order};

/// Fields behind the message id.
pub(super) fn place_order(f: &mut impl Fields, c: &mut Contract, o: &mut Order) {
    f.int(&mut o.order_id);
    contract(f, c);
    // Another security id and its type.
    f.constants(&["", ""]);
    f.side(&mut o.action);
    f.number(&mut o.total_quantity);
    f.text(&mut o.order_type);
    f.optional(&mut o.limit_price, "");
    f.optional(&mut o.aux_price, "");
    f.text(&mut o.tif);
    f.text(&mut o.oca_group);
    f.text(&mut o.account);
    // Open or close, origin.
    f.constants(&["", "0"]);
    f.text(&mut o.order_ref);
    f.flag(&mut o.transmit);
    f.int(&mut o.parent_id);
    // Block, sweep to fill.
    f.constants(&["0", "0"]);
    f.int(&mut o.display_size);
    if o.display_size == i32::MAX && f.reads() {
        o.display_size = 0;
    }
    f.int(&mut o.trigger_method);
    f.flag(&mut o.outside_rth);
    // Hidden.
    f.constant("0");
    if c.sec_type == "BAG" {
        f.skipped_list(8);
        f.skipped_list(1);
        f.skipped_list(2);
    }
    // Share allocation, discretionary amount.
    f.constants(&["", "0"]);
    f.text(&mut o.good_after_time);
    f.text(&mut o.good_till_date);
    // Advisor group, method, percentage, and below 177 profile; model; short sale slot and location, exempt code.
    f.constants(&["", "", ""]);
    f.versioned(&[(0, 177, "")]);
    f.constants(&["", "0", "", "-1"]);
    f.int(&mut o.oca_type);
    // Rule 80A, settling firm.
    f.constants(&["", ""]);
    f.flag(&mut o.all_or_none);
    pricing(f, o);
    hedging(f);
    f.flag(&mut o.what_if);
    // Options, solicited, randomized size and price.
    f.constants(&["", "0", "0", "0"]);
    if matches!(o.order_type.as_str(), "PEG BENCH" | "PEGBENCH") {
        f.constants(&["0", "0", "0", "0", ""]);
    }
    conditions(f);
    // Adjusted order type, trigger price, limit offset, adjusted stop, limit, trailing amount and unit; external
    // operator; soft dollar tier; cash quantity; decision makers and executing traders; hedge pricing off,
    // container, discretionary up to the limit.
    f.constants(&["", "", "", "", "", "", "0", "", "", "", "", "", "", "", "", "0", "0", "0"]);
    f.flag(&mut o.use_price_mgmt_algo);
    if !f.reads() {
        tail(f, c, o);
    }
}

/// From the minimum quantity to the trail.
fn pricing(f: &mut impl Fields, o: &mut Order) {
    // Minimum quantity, percent offset, electronic only, firm quotes only, price cap, auction strategy; starting
    // and reference price, delta, stock range; override of percentage limits; volatility and its type.
    f.constants(&["", "", "0", "0", "", "0", "", "", "", "", "", "0", "", ""]);
    // Delta-neutral order type and price.
    let delta_neutral = f.constant("").filled;
    f.constant("");
    if delta_neutral {
        f.constants(&[""; 8]);
    }
    // Continuous update, reference price type.
    f.constants(&["0", ""]);
    f.optional(&mut o.trail_stop_price, "");
    f.optional(&mut o.trailing_percent, "");
}

/// From the scale fields to the algo's id.
fn hedging(f: &mut impl Fields) {
    // Scale sizes, increment.
    f.constants(&["", ""]);
    if f.constant("").positive {
        f.constants(&[""; 7]);
    }
    // Scale table, active from and to.
    f.constants(&["", "", ""]);
    // Hedge type and parameter.
    if f.constant("").filled {
        f.constant("");
    }
    // Out of smart routing, clearing account and intent, not held.
    f.constants(&["0", "", "", "0"]);
    // Delta-neutral contract.
    if f.constant("0").positive {
        f.constants(&[""; 3]);
    }
    // Algo and its parameters.
    if f.constant("").filled {
        f.skipped_list(2);
    }
    f.constant("");
}

/// What follows the last field that is read.
fn tail(f: &mut impl Fields, c: &Contract, o: &Order) {
    const ALWAYS: i32 = i32::MAX;
    // Duration, post to ATS, cancelled with the parent, error override, manual order time.
    f.versioned(&[(158, ALWAYS, ""), (160, ALWAYS, ""), (162, ALWAYS, "0"), (166, ALWAYS, ""), (169, ALWAYS, "")]);
    if f.since(170) {
        if c.exchange == "IBKRATS" {
            f.constant("");
        }
        if matches!(o.order_type.as_str(), "PEG BEST" | "PEGBEST" | "PEG MID" | "PEGMID") {
            f.constants(&["", ""]);
        }
    }
    // Customer account, professional; two fields of quote requests, for three versions; overnight; manual order
    // indicator; imbalance only.
    f.versioned(&[
        (183, ALWAYS, ""),
        (184, ALWAYS, "0"),
        (187, 190, ""),
        (187, 190, ""),
        (189, ALWAYS, "0"),
        (192, ALWAYS, ""),
        (199, ALWAYS, "0"),
    ]);
}
