//! Field order of order answers in text: openOrder and completedOrder with their hundred-odd fields, status,
//! executions, commissions. Sources: the fields that public clients read at each server version; the contents of
//! fields that the vocabulary lacks are those of a plain stock order.

use super::fields::{Fields, UNSET, UNSET_INT};
use super::market::contract;
use crate::sim::api::{Contract, Execution, Order, OrderState, Response};
use crate::sim::wire::codec::DecodeError;
use crate::sim::wire::codec::convert::SHAREHOLDER;

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
    // Hidden, discretionary amount.
    f.constants(&["0", "0"]);
    f.text(&mut o.good_after_time);
    // Share allocation; advisor group, method, percentage, and below 177 profile; model.
    f.versioned(&[(0, ALWAYS, ""), (0, ALWAYS, ""), (0, ALWAYS, ""), (0, ALWAYS, ""), (0, 177, ""), (0, ALWAYS, "")]);
    f.text(&mut o.good_till_date);
    // Rule 80A, percent offset, settling firm, short sale slot and location, exempt code, auction strategy;
    // starting and reference price, delta, stock range.
    f.constants(&["", "", "", "0", "", "-1", "0", "", "", "", "", ""]);
    f.int(&mut o.display_size);
    // Block, sweep to fill.
    f.constants(&["0", "0"]);
    f.flag(&mut o.all_or_none);
    // Minimum quantity.
    f.constant("");
    f.int(&mut o.oca_type);
    // Electronic only, firm quotes only, price cap.
    f.constants(&["0", "0", ""]);
    f.int(&mut o.parent_id);
    f.int(&mut o.trigger_method);
    volatility(f, &["0", "", "", "", "?", "0", "0", ""]);
    trail(f, o);
    // Basis points and their type, description of the combination.
    f.constants(&["", "", ""]);
    lists_and_scale(f);
    // Out of smart routing.
    f.constant("0");
    clearing_and_algo(f);
    f.flag(&mut o.what_if);
    order_state(f, s);
    // Randomized size and price.
    f.constants(&["0", "0"]);
    benchmark_and_conditions(f, &o.order_type);
    open_order_tail(f, o);
}

/// From the adjusted order type on.
fn open_order_tail(f: &mut impl Fields, o: &mut Order) {
    // Adjusted order type, trigger price.
    f.constants(&["None", UNSET]);
    f.optional(&mut o.trail_stop_price, UNSET);
    // Limit offset, adjusted stop, limit, trailing amount and unit; soft dollar tier; cash quantity; hedge
    // pricing off, container, discretionary up to the limit.
    f.constants(&[UNSET, UNSET, UNSET, UNSET, "0", "", "", "", "0", "1", "0", "0"]);
    f.flag(&mut o.use_price_mgmt_algo);
    f.versioned(&[
        // Duration, post to ATS, cancelled with the parent.
        (158, ALWAYS, UNSET_INT),
        (160, ALWAYS, UNSET_INT),
        (162, ALWAYS, "0"),
        // Minimum trade, minimum compete, compete offset, mid offsets.
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        // Customer account, professional, accrued interest, overnight.
        (183, ALWAYS, ""),
        (184, ALWAYS, "0"),
        (185, ALWAYS, ""),
        (189, ALWAYS, "0"),
        // External operator, manual order indicator.
        (193, ALWAYS, ""),
        (193, ALWAYS, UNSET_INT),
    ]);
    if f.since(198) {
        f.text(&mut o.submitter);
    }
    // Imbalance only.
    f.versioned(&[(199, ALWAYS, "0")]);
}

fn completed_order(f: &mut impl Fields, c: &mut Contract, o: &mut Order, s: &mut OrderState) {
    contract(f, c, "?");
    order_head(f, o);
    f.long(&mut o.perm_id);
    f.flag(&mut o.outside_rth);
    // Hidden, discretionary amount.
    f.constants(&["0", "0"]);
    f.text(&mut o.good_after_time);
    // Advisor group, method, percentage, and below 177 profile; model.
    f.versioned(&[(0, ALWAYS, ""), (0, ALWAYS, ""), (0, ALWAYS, ""), (0, 177, ""), (0, ALWAYS, "")]);
    f.text(&mut o.good_till_date);
    // Rule 80A, percent offset, settling firm, short sale slot and location, exempt code; starting and reference
    // price, delta, stock range.
    f.constants(&["", "", "", "0", "", "-1", "", "", "", "", ""]);
    f.int(&mut o.display_size);
    // Sweep to fill.
    f.constant("0");
    f.flag(&mut o.all_or_none);
    // Minimum quantity.
    f.constant("");
    f.int(&mut o.oca_type);
    f.int(&mut o.trigger_method);
    volatility(f, &["0", "0", "0", ""]);
    trail(f, o);
    // Description of the combination.
    f.constant("");
    lists_and_scale(f);
    clearing_and_algo(f);
    f.text(&mut s.status);
    // Randomized size and price.
    f.constants(&["0", "0"]);
    benchmark_and_conditions(f, &o.order_type);
    f.optional(&mut o.trail_stop_price, UNSET);
    // Limit offset, cash quantity, hedge pricing off, container.
    f.constants(&[UNSET, "0", "1", "0"]);
    f.text(&mut o.auto_cancel_date);
    f.number(&mut o.filled_quantity);
    // Reference future, cancelled with the parent, shareholder, imbalance only, routed to the BBO.
    f.constants(&["0", "0", SHAREHOLDER, "0", "0"]);
    f.long(&mut o.parent_perm_id);
    f.text(&mut s.completed_time);
    f.text(&mut s.completed_status);
    // Minimum trade, minimum compete, compete offset, mid offsets; customer account, professional.
    f.versioned(&[
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (170, ALWAYS, ""),
        (183, ALWAYS, ""),
        (184, ALWAYS, "0"),
    ]);
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
    // Open or close, origin.
    f.constants(&["", "0"]);
    f.text(&mut o.order_ref);
}

/// Volatility and delta-neutral fields; `details` follow a delta-neutral order type, `None` included.
fn volatility(f: &mut impl Fields, details: &[&str]) {
    f.constants(&["", "0"]);
    let with_details = f.constant("None").filled;
    f.constant("");
    if with_details {
        f.constants(details);
    }
    // Continuous update, reference price type.
    f.constants(&["0", "0"]);
}

fn trail(f: &mut impl Fields, o: &mut Order) {
    f.optional(&mut o.trail_stop_price, "");
    f.optional(&mut o.trailing_percent, "");
}

/// Legs, their prices and routing parameters; scale and hedge fields.
fn lists_and_scale(f: &mut impl Fields) {
    f.skipped_list(8);
    f.skipped_list(1);
    f.skipped_list(2);
    f.constants(&[UNSET_INT, UNSET_INT]);
    if f.constant("").positive {
        f.constants(&[""; 7]);
    }
    if f.constant("").filled {
        f.constant("");
    }
}

/// Clearing account and intent, not held, delta-neutral contract, algo, solicited.
fn clearing_and_algo(f: &mut impl Fields) {
    f.constants(&["", "IB", "0"]);
    if f.constant("0").positive {
        f.constants(&[""; 3]);
    }
    if f.constant("").filled {
        f.skipped_list(2);
    }
    f.constant("0");
}

/// Fields of an order pegged to a benchmark, and conditions.
fn benchmark_and_conditions(f: &mut impl Fields, order_type: &str) {
    if matches!(order_type, "PEG BENCH" | "PEGBENCH") {
        f.constants(&["0", "0", "0", "0", ""]);
    }
    conditions(f);
}

/// Conditions of an order, which the vocabulary lacks: each is its type, the link to the next, and by type 2 to 5
/// more; two flags follow the last.
pub(super) fn conditions(f: &mut impl Fields) {
    let n = f.count(0);
    for _ in 0..n {
        let mut kind = 0;
        f.int(&mut kind);
        // Price; time; margin; execution; volume; percent change.
        let fields: &[&str] = match kind {
            1 => &["", "", "", "", "", ""],
            3 | 4 => &["", "", ""],
            5 => &["", "", "", ""],
            6 | 7 => &["", "", "", "", ""],
            _ => {
                let (id, text) = (f.id(), format!("condition type {kind}"));
                f.fail(DecodeError::Decimal { id, text });
                return;
            }
        };
        f.constants(fields);
    }
    if n > 0 {
        f.constants(&["", ""]);
    }
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
