//! Groups of fields that placeOrder, openOrder and completedOrder share in text: advisor's fields, short sale, scale,
//! hedge, clearing, algo, conditions, adjusted orders.

use super::fields::{Fields, UNSET};
use crate::sim::api::{Condition, Order, Test};
use crate::sim::wire::codec::DecodeError;

/// Advisor group, method, percentage, and below 177 a profile.
pub(super) fn advisor(f: &mut impl Fields, o: &mut Order) {
    f.text(&mut o.fa_group);
    f.text(&mut o.fa_method);
    f.text(&mut o.fa_percentage);
    f.versioned(&[(0, 177, "")]);
}

/// Slot, location, exempt code.
pub(super) fn short_sale(f: &mut impl Fields, o: &mut Order) {
    f.int(&mut o.short_sale_slot);
    f.text(&mut o.designated_location);
    f.optional_int(&mut o.exempt_code, "-1");
    if o.exempt_code == Some(-1) {
        o.exempt_code = None;
    }
}

/// Scale sizes and increment, with more where the increment is above 0. `unset` = how an unset size is written.
pub(super) fn scale(f: &mut impl Fields, o: &mut Order, unset: &str) {
    f.optional_int(&mut o.scale_init_level_size, unset);
    f.optional_int(&mut o.scale_subs_level_size, unset);
    f.optional(&mut o.scale_price_increment, "");
    if o.scale_price_increment.is_some_and(|x| x > 0.0) {
        f.optional(&mut o.scale_price_adjust_value, "");
        f.optional_int(&mut o.scale_price_adjust_interval, "");
        f.optional(&mut o.scale_profit_offset, "");
        f.flag(&mut o.scale_auto_reset);
        f.optional_int(&mut o.scale_init_position, "");
        f.optional_int(&mut o.scale_init_fill_qty, "");
        f.flag(&mut o.scale_random_percent);
    }
}

/// Hedge type and its parameter.
pub(super) fn hedge(f: &mut impl Fields, o: &mut Order) {
    f.text(&mut o.hedge_type);
    if !o.hedge_type.is_empty() {
        f.text(&mut o.hedge_param);
    }
}

/// Not held, delta-neutral contract, algo with its parameters.
pub(super) fn not_held_and_algo(f: &mut impl Fields, o: &mut Order) {
    f.flag(&mut o.not_held);
    if f.constant("0").positive {
        f.constants(&[""; 3]);
    }
    f.text(&mut o.algo_strategy);
    if !o.algo_strategy.is_empty() {
        f.pairs(&mut o.algo_params);
    }
}

/// Conditions; two flags follow the last.
pub(super) fn conditions(f: &mut impl Fields, o: &mut Order) {
    let n = f.count(o.conditions.len());
    if f.reads() {
        o.conditions.clear();
        for _ in 0..n {
            let mut kind = 0;
            f.int(&mut kind);
            let Some(test) = Test::blank(kind) else {
                let (id, text) = (f.id(), format!("condition type {kind}"));
                return f.fail(DecodeError::Decimal { id, text });
            };
            let mut c = Condition { and: false, test };
            condition(f, &mut c);
            o.conditions.push(c);
        }
    } else {
        for c in &mut o.conditions {
            f.int(&mut c.test.kind());
            condition(f, c);
        }
    }
    if n > 0 {
        f.flag(&mut o.conditions_ignore_rth);
        f.flag(&mut o.conditions_cancel_order);
    }
}

/// A condition behind its type: the link to the next one as `a` or `o`, then its figures.
fn condition(f: &mut impl Fields, c: &mut Condition) {
    let mut link = if c.and { "a" } else { "o" }.to_owned();
    f.text(&mut link);
    c.and = link == "a";
    match &mut c.test {
        Test::Price { is_more, price, con_id, exchange, trigger_method } => {
            f.flag(is_more);
            f.number(price);
            f.int(con_id);
            f.text(exchange);
            f.int(trigger_method);
        }
        Test::Time { is_more, time } => {
            f.flag(is_more);
            f.text(time);
        }
        Test::Margin { is_more, percent } => {
            f.flag(is_more);
            f.int(percent);
        }
        Test::Execution { sec_type, exchange, symbol } => {
            f.text(sec_type);
            f.text(exchange);
            f.text(symbol);
        }
        Test::Volume { is_more, volume, con_id, exchange } => {
            f.flag(is_more);
            f.int(volume);
            f.int(con_id);
            f.text(exchange);
        }
        Test::PercentChange { is_more, change_percent, con_id, exchange } => {
            f.flag(is_more);
            f.number(change_percent);
            f.int(con_id);
            f.text(exchange);
        }
    }
}

/// From the adjusted stop on: stop, limit, trailing amount and its unit.
pub(super) fn adjusted(f: &mut impl Fields, o: &mut Order, unset: &str) {
    f.optional(&mut o.adjusted_stop_price, unset);
    f.optional(&mut o.adjusted_stop_limit_price, unset);
    f.optional(&mut o.adjusted_trailing_amount, unset);
    f.int(&mut o.adjustable_trailing_unit);
}

/// Minimum trade, minimum compete and its offset, offsets from the midpoint: openOrder and completedOrder from 170 on.
pub(super) fn competing(f: &mut impl Fields, o: &mut Order) {
    if !f.since(170) {
        return;
    }
    f.optional_int(&mut o.min_trade_qty, "");
    f.optional_int(&mut o.min_compete_size, "");
    f.optional(&mut o.compete_against_best_offset, "");
    f.optional(&mut o.mid_offset_at_whole, "");
    f.optional(&mut o.mid_offset_at_half, "");
}

/// Customer account (from 183 on) and professional customer (from 184 on).
pub(super) fn customer(f: &mut impl Fields, o: &mut Order) {
    if f.since(183) {
        f.text(&mut o.customer_account);
    }
    if f.since(184) {
        f.flag(&mut o.professional_customer);
    }
}

/// How far a limit stands behind its stop, as answers tell it.
pub(super) fn limit_offset(f: &mut impl Fields, o: &mut Order) {
    f.optional(&mut o.lmt_price_offset, UNSET);
}
