//! Field order of order answers in text: openOrder and completedOrder with their hundred-odd fields, status,
//! executions, commissions. Sources: the fields that public clients read at each server version; the contents of
//! fields that the vocabulary lacks are those of a plain stock order.

use super::fields::{Fields, UNSET, UNSET_INT};
use super::market::contract;
use super::order_parts as part;
use crate::sim::api::{Contract, Execution, Order, OrderState, Response};
use crate::sim::wire::codec::order::{NONE, SHAREHOLDER, USUAL_CLEARING};

/// Every version.
const ALWAYS: i32 = i32::MAX;

/// Order answers: fields behind the message id.
pub(super) fn orders(f: &mut impl Fields, response: &mut Response) {
    match response {
        Response::OpenOrder { contract, order, state } => open_order(f, contract, order, state),
        Response::OpenOrderEnd => {
            f.constant("1");
        }
        Response::CompletedOrder { contract, order, state } => completed_order(f, contract, order, state),
        Response::CompletedOrdersEnd => {}
        Response::OrderStatus { .. } => order_status(f, response),
        Response::ExecutionDetails { req_id, contract, execution } => {
            f.int(req_id);
            f.int(&mut execution.order_id);
            execution_details(f, contract, execution);
        }
        Response::ExecutionDetailsEnd { req_id } => {
            f.constant("1");
            f.int(req_id);
        }
        Response::CommissionReport { exec_id, commission, currency, realized_pnl } => {
            f.constant("1");
            f.text(exec_id);
            f.number(commission);
            f.text(currency);
            f.optional(realized_pnl, UNSET);
            // Yield and its redemption date, of bonds.
            f.constants(&[UNSET, ""]);
        }
        _ => {}
    }
}

fn order_status(f: &mut impl Fields, response: &mut Response) {
    let Response::OrderStatus {
        order_id,
        status,
        filled,
        remaining,
        avg_fill_price,
        perm_id,
        parent_id,
        last_fill_price,
        client_id,
        why_held,
        mkt_cap_price,
    } = response
    else {
        return;
    };
    f.int(order_id);
    f.text(status);
    f.number(filled);
    f.number(remaining);
    f.number(avg_fill_price);
    f.long(perm_id);
    f.int(parent_id);
    f.number(last_fill_price);
    f.int(client_id);
    f.text(why_held);
    f.number(mkt_cap_price);
}

fn execution_details(f: &mut impl Fields, c: &mut Contract, e: &mut Execution) {
    contract(f, c, "");
    f.text(&mut e.exec_id);
    f.text(&mut e.time);
    f.text(&mut e.account);
    f.text(&mut e.exchange);
    f.text(&mut e.side);
    f.number(&mut e.shares);
    f.number(&mut e.price);
    f.long(&mut e.perm_id);
    f.int(&mut e.client_id);
    // Liquidation.
    f.constant("0");
    f.number(&mut e.cum_qty);
    f.number(&mut e.avg_price);
    f.text(&mut e.order_ref);
    // Economic value rule and multiplier, model.
    f.constants(&["", "", ""]);
    f.int(&mut e.last_liquidity);
    // Pending price revision, submitter.
    f.versioned(&[(178, ALWAYS, "0"), (198, ALWAYS, "")]);
}

/// A price that an echo gives as 0 where the order has none; a trail by percent leaves its aux price out.
fn echoed(f: &mut impl Fields, price: &mut Option<f64>, may_be_unset: bool) {
    f.optional(price, if may_be_unset { "" } else { "0.0" });
}

fn open_order(f: &mut impl Fields, c: &mut Contract, o: &mut Order, s: &mut OrderState) {
    f.int(&mut o.order_id);
    contract(f, c, "?");
    order_head(f, o);
    f.int(&mut o.client_id);
    f.long(&mut o.perm_id);
    f.flag(&mut o.outside_rth);
    f.flag(&mut o.hidden);
    f.number(&mut o.discretionary_amt);
    f.text(&mut o.good_after_time);
    // Share allocation.
    f.constant("");
    part::advisor(f, o);
    f.text(&mut o.model_code);
    f.text(&mut o.good_till_date);
    f.text(&mut o.rule_80a);
    f.optional(&mut o.percent_offset, "");
    f.text(&mut o.settling_firm);
    part::short_sale(f, o);
    // Auction strategy; starting and reference price, delta, stock range.
    f.constants(&["0", "", "", "", "", ""]);
    f.int(&mut o.display_size);
    f.flag(&mut o.block_order);
    f.flag(&mut o.sweep_to_fill);
    f.flag(&mut o.all_or_none);
    f.optional_int(&mut o.min_qty, "");
    f.int(&mut o.oca_type);
    // Electronic only, firm quotes only, price cap.
    f.constants(&["0", "0", ""]);
    f.int(&mut o.parent_id);
    f.int(&mut o.trigger_method);
    volatility(f, o, &["0", "", "", "", "?", "0", "0", ""]);
    trail(f, o);
    // Basis points and their type, description of the combination.
    f.constants(&["", "", ""]);
    lists_and_scale(f, o);
    f.flag(&mut o.opt_out_smart_routing);
    clearing_and_algo(f, o);
    f.flag(&mut o.what_if);
    order_state(f, s);
    f.flag(&mut o.randomize_size);
    f.flag(&mut o.randomize_price);
    benchmark_and_conditions(f, o);
    open_order_tail(f, o);
}

/// From the adjusted order type on.
fn open_order_tail(f: &mut impl Fields, o: &mut Order) {
    f.named(&mut o.adjusted_order_type, NONE);
    f.optional(&mut o.trigger_price, UNSET);
    f.optional(&mut o.trail_stop_price, UNSET);
    part::limit_offset(f, o);
    part::adjusted(f, o, UNSET);
    f.text(&mut o.soft_dollar_name);
    f.text(&mut o.soft_dollar_value);
    f.text(&mut o.soft_dollar_display_name);
    cash_quantity(f, o);
    // Hedge pricing off.
    f.constant("1");
    f.flag(&mut o.is_oms_container);
    f.flag(&mut o.discretionary_up_to_limit_price);
    f.flag(&mut o.use_price_mgmt_algo);
    if f.since(158) {
        f.optional_int(&mut o.duration, UNSET_INT);
    }
    if f.since(160) {
        f.optional_int(&mut o.post_to_ats, UNSET_INT);
    }
    if f.since(162) {
        f.flag(&mut o.auto_cancel_parent);
    }
    part::competing(f, o);
    part::customer(f, o);
    // Accrued interest.
    f.versioned(&[(185, ALWAYS, "")]);
    if f.since(189) {
        f.flag(&mut o.include_overnight);
    }
    if f.since(193) {
        f.text(&mut o.ext_operator);
        f.optional_int(&mut o.manual_order_indicator, UNSET_INT);
    }
    if f.since(198) {
        f.text(&mut o.submitter);
    }
    if f.since(199) {
        f.flag(&mut o.imbalance_only);
    }
}

/// Cash quantity, written as 0 where there is none.
fn cash_quantity(f: &mut impl Fields, o: &mut Order) {
    f.optional(&mut o.cash_qty, "0");
    o.cash_qty = o.cash_qty.filter(|c| *c != 0.0);
}

fn completed_order(f: &mut impl Fields, c: &mut Contract, o: &mut Order, s: &mut OrderState) {
    contract(f, c, "?");
    order_head(f, o);
    f.long(&mut o.perm_id);
    f.flag(&mut o.outside_rth);
    f.flag(&mut o.hidden);
    f.number(&mut o.discretionary_amt);
    f.text(&mut o.good_after_time);
    part::advisor(f, o);
    f.text(&mut o.model_code);
    f.text(&mut o.good_till_date);
    f.text(&mut o.rule_80a);
    f.optional(&mut o.percent_offset, "");
    f.text(&mut o.settling_firm);
    part::short_sale(f, o);
    // Starting and reference price, delta, stock range.
    f.constants(&["", "", "", "", ""]);
    f.int(&mut o.display_size);
    f.flag(&mut o.sweep_to_fill);
    f.flag(&mut o.all_or_none);
    f.optional_int(&mut o.min_qty, "");
    f.int(&mut o.oca_type);
    f.int(&mut o.trigger_method);
    volatility(f, o, &["0", "0", "0", ""]);
    trail(f, o);
    // Description of the combination.
    f.constant("");
    lists_and_scale(f, o);
    clearing_and_algo(f, o);
    f.text(&mut s.status);
    f.flag(&mut o.randomize_size);
    f.flag(&mut o.randomize_price);
    benchmark_and_conditions(f, o);
    f.optional(&mut o.trail_stop_price, UNSET);
    part::limit_offset(f, o);
    cash_quantity(f, o);
    // Hedge pricing off.
    f.constant("1");
    f.flag(&mut o.is_oms_container);
    f.text(&mut o.auto_cancel_date);
    f.number(&mut o.filled_quantity);
    // Reference future.
    f.constant("0");
    f.flag(&mut o.auto_cancel_parent);
    f.constant(SHAREHOLDER);
    f.flag(&mut o.imbalance_only);
    // Routed to the BBO.
    f.constant("0");
    f.long(&mut o.parent_perm_id);
    f.text(&mut s.completed_time);
    f.text(&mut s.completed_status);
    part::competing(f, o);
    part::customer(f, o);
    if f.since(198) {
        f.text(&mut o.submitter);
    }
}

/// From the action to the order reference.
fn order_head(f: &mut impl Fields, o: &mut Order) {
    f.side(&mut o.action);
    f.number(&mut o.total_quantity);
    f.text(&mut o.order_type);
    echoed(f, &mut o.limit_price, false);
    // Whether it trails by percent comes later in the message; a reader does not need it.
    echoed(f, &mut o.aux_price, o.trailing_percent.is_some());
    f.text(&mut o.tif);
    f.text(&mut o.oca_group);
    f.text(&mut o.account);
    f.text(&mut o.open_close);
    f.int(&mut o.origin);
    f.text(&mut o.order_ref);
}

/// Volatility and delta-neutral fields; `details` follow a delta-neutral order type, `None` included.
fn volatility(f: &mut impl Fields, o: &mut Order, details: &[&str]) {
    f.optional(&mut o.volatility, "");
    // Volatility type.
    f.constant("0");
    let mut kind = if o.delta_neutral_order_type.is_empty() { NONE.into() } else { o.delta_neutral_order_type.clone() };
    f.text(&mut kind);
    f.constant("");
    if !kind.is_empty() {
        f.constants(details);
    }
    o.delta_neutral_order_type = if kind == NONE { String::new() } else { kind };
    // Continuous update, reference price type.
    f.constants(&["0", "0"]);
}

fn trail(f: &mut impl Fields, o: &mut Order) {
    f.optional(&mut o.trail_stop_price, "");
    f.optional(&mut o.trailing_percent, "");
}

/// Legs, their prices and routing parameters; scale and hedge fields.
fn lists_and_scale(f: &mut impl Fields, o: &mut Order) {
    f.skipped_list(8);
    f.skipped_list(1);
    f.skipped_list(2);
    part::scale(f, o, UNSET_INT);
    part::hedge(f, o);
}

/// Clearing account and intent, not held, delta-neutral contract, algo, solicited.
fn clearing_and_algo(f: &mut impl Fields, o: &mut Order) {
    f.text(&mut o.clearing_account);
    f.named(&mut o.clearing_intent, USUAL_CLEARING);
    part::not_held_and_algo(f, o);
    f.flag(&mut o.solicited);
}

/// Fields of an order pegged to a benchmark, and conditions.
fn benchmark_and_conditions(f: &mut impl Fields, o: &mut Order) {
    if matches!(o.order_type.as_str(), "PEG BENCH" | "PEGBENCH") {
        f.constants(&["0", "0", "0", "0", ""]);
    }
    part::conditions(f, o);
}

/// The status, margin and commission part of openOrder.
fn order_state(f: &mut impl Fields, s: &mut OrderState) {
    f.text(&mut s.status);
    for amount in [
        &mut s.init_margin_before,
        &mut s.maint_margin_before,
        &mut s.equity_with_loan_before,
        &mut s.init_margin_change,
        &mut s.maint_margin_change,
        &mut s.equity_with_loan_change,
        &mut s.init_margin_after,
        &mut s.maint_margin_after,
        &mut s.equity_with_loan_after,
    ] {
        f.optional(amount, UNSET);
    }
    f.optional(&mut s.commission, "");
    // Lowest and highest commission.
    f.constants(&["", ""]);
    f.text(&mut s.commission_currency);
    if f.since(195) {
        f.text(&mut s.margin_currency);
        // The nine margin fields outside regular hours, suggested size, reason of a rejection.
        f.constants(&[UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, "", ""]);
        // Allocations to accounts.
        f.skipped_list(7);
    }
    f.text(&mut s.warning_text);
}
