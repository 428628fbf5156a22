//! Orders in protobuf, both ways. The fields that every recorded openOrder carries unchanged are written here once.

use super::DecodeError;
use super::convert::{decimal, flag, nonzero, number, set, text};
use crate::domain::Side;
use crate::sim::api::{Condition, Order, Test};
use crate::sim::wire::messages::order;

/// The share-holder text of every recorded openOrder.
pub(super) const SHAREHOLDER: &str = "Not an insider or substantial shareholder";
/// How an echo names what there is none of.
pub(super) const NONE: &str = "None";
/// How an echo names the usual clearing.
pub(super) const USUAL_CLEARING: &str = "IB";

/// A text that an echo fills with `usual` where it is empty.
fn or_usual(s: String, usual: &str) -> Option<String> {
    Some(if s.is_empty() { usual.to_owned() } else { s })
}

/// The reverse of [`or_usual`].
fn unless_usual(s: Option<String>, usual: &str) -> String {
    s.filter(|s| s != usual).unwrap_or_default()
}

/// Reads an order, either side's.
pub(super) fn order_from(id: i32, mut o: order::Order) -> Result<Order, DecodeError> {
    let tier = o.soft_dollar_tier.take().unwrap_or_default();
    let mut rest = Order {
        soft_dollar_name: tier.name.unwrap_or_default(),
        soft_dollar_value: tier.value.unwrap_or_default(),
        soft_dollar_display_name: tier.display_name.unwrap_or_default(),
        ..Order::default()
    };
    texts_from(&mut o, &mut rest);
    figures_from(&o, &mut rest);
    let params = o.algo_params.into_iter().map(|p| (p.tag.unwrap_or_default(), p.value.unwrap_or_default()));
    let algo_params = params.collect();
    Ok(Order {
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
        oca_type: o.oca_type.unwrap_or_default(),
        transmit: o.transmit.unwrap_or_default(),
        filled_quantity: number(id, o.filled_quantity.as_deref())?,
        trigger_method: o.trigger_method.unwrap_or_default(),
        display_size: o.display_size.filter(|n| *n != i32::MAX).unwrap_or_default(),
        parent_perm_id: o.parent_perm_id.unwrap_or_default(),
        use_price_mgmt_algo: o.use_price_mgmt_algo.unwrap_or_default() != 0,
        origin: o.origin.unwrap_or_default(),
        discretionary_amt: set(o.discretionary_amt).unwrap_or_default(),
        short_sale_slot: o.short_sale_slot.unwrap_or_default(),
        exempt_code: o.exempt_code.filter(|n| *n != -1),
        delta_neutral_order_type: unless_usual(o.delta_neutral_order_type, NONE),
        clearing_intent: unless_usual(o.clearing_intent, USUAL_CLEARING),
        algo_params,
        conditions: o.conditions.into_iter().map(|c| condition_from(id, c)).collect::<Result<_, _>>()?,
        adjusted_order_type: unless_usual(o.adjusted_order_type, NONE),
        adjustable_trailing_unit: o.adjustable_trailing_unit.unwrap_or_default(),
        ..rest
    })
}

fn texts_from(o: &mut order::Order, to: &mut Order) {
    to.tif = o.tif.take().unwrap_or_default();
    to.good_till_date = o.good_till_date.take().unwrap_or_default();
    to.account = o.account.take().unwrap_or_default();
    to.order_ref = o.order_ref.take().unwrap_or_default();
    to.oca_group = o.oca_group.take().unwrap_or_default();
    to.good_after_time = o.good_after_time.take().unwrap_or_default();
    to.auto_cancel_date = o.auto_cancel_date.take().unwrap_or_default();
    to.submitter = o.submitter.take().unwrap_or_default();
    to.open_close = o.open_close.take().unwrap_or_default();
    to.fa_group = o.fa_group.take().unwrap_or_default();
    to.fa_method = o.fa_method.take().unwrap_or_default();
    to.fa_percentage = o.fa_percentage.take().unwrap_or_default();
    to.model_code = o.model_code.take().unwrap_or_default();
    to.designated_location = o.designated_location.take().unwrap_or_default();
    to.rule_80a = o.rule_80a.take().unwrap_or_default();
    to.settling_firm = o.settling_firm.take().unwrap_or_default();
    to.scale_table = o.scale_table.take().unwrap_or_default();
    to.active_start_time = o.active_start_time.take().unwrap_or_default();
    to.active_stop_time = o.active_stop_time.take().unwrap_or_default();
    to.hedge_type = o.hedge_type.take().unwrap_or_default();
    to.hedge_param = o.hedge_param.take().unwrap_or_default();
    to.clearing_account = o.clearing_account.take().unwrap_or_default();
    to.algo_strategy = o.algo_strategy.take().unwrap_or_default();
    to.algo_id = o.algo_id.take().unwrap_or_default();
    to.ext_operator = o.ext_operator.take().unwrap_or_default();
    to.advanced_error_override = o.advanced_error_override.take().unwrap_or_default();
    to.manual_order_time = o.manual_order_time.take().unwrap_or_default();
    to.customer_account = o.customer_account.take().unwrap_or_default();
}

/// Flags, and numbers that may be unset.
fn figures_from(o: &order::Order, to: &mut Order) {
    to.outside_rth = o.outside_rth.unwrap_or_default();
    to.what_if = o.what_if.unwrap_or_default();
    to.all_or_none = o.all_or_none.unwrap_or_default();
    to.block_order = o.block_order.unwrap_or_default();
    to.sweep_to_fill = o.sweep_to_fill.unwrap_or_default();
    to.hidden = o.hidden.unwrap_or_default();
    to.override_percentage_constraints = o.override_percentage_constraints.unwrap_or_default();
    to.scale_auto_reset = o.scale_auto_reset.unwrap_or_default();
    to.scale_random_percent = o.scale_random_percent.unwrap_or_default();
    to.opt_out_smart_routing = o.opt_out_smart_routing.unwrap_or_default();
    to.not_held = o.not_held.unwrap_or_default();
    to.solicited = o.solicited.unwrap_or_default();
    to.randomize_size = o.randomize_size.unwrap_or_default();
    to.randomize_price = o.randomize_price.unwrap_or_default();
    to.conditions_ignore_rth = o.conditions_ignore_rth.unwrap_or_default();
    to.conditions_cancel_order = o.conditions_cancel_order.unwrap_or_default();
    to.is_oms_container = o.is_oms_container.unwrap_or_default();
    to.discretionary_up_to_limit_price = o.discretionary_up_to_limit_price.unwrap_or_default();
    to.auto_cancel_parent = o.auto_cancel_parent.unwrap_or_default();
    to.professional_customer = o.professional_customer.unwrap_or_default();
    to.include_overnight = o.include_overnight.unwrap_or_default();
    to.imbalance_only = o.imbalance_only.unwrap_or_default();
    to.post_only = o.post_only.unwrap_or_default();
    to.allow_pre_open = o.allow_pre_open.unwrap_or_default();
    to.ignore_open_auction = o.ignore_open_auction.unwrap_or_default();
    to.deactivate = o.deactivate.unwrap_or_default();
    let whole = |n: Option<i32>| n.filter(|n| *n != i32::MAX);
    to.percent_offset = set(o.percent_offset);
    to.volatility = set(o.volatility);
    to.scale_price_increment = set(o.scale_price_increment);
    to.scale_price_adjust_value = set(o.scale_price_adjust_value);
    to.scale_profit_offset = set(o.scale_profit_offset);
    to.trigger_price = set(o.trigger_price);
    to.adjusted_stop_price = set(o.adjusted_stop_price);
    to.adjusted_stop_limit_price = set(o.adjusted_stop_limit_price);
    to.adjusted_trailing_amount = set(o.adjusted_trailing_amount);
    to.lmt_price_offset = set(o.lmt_price_offset);
    to.cash_qty = set(o.cash_qty);
    to.compete_against_best_offset = set(o.compete_against_best_offset);
    to.mid_offset_at_whole = set(o.mid_offset_at_whole);
    to.mid_offset_at_half = set(o.mid_offset_at_half);
    to.trailing_percent = set(o.trailing_percent);
    to.trail_stop_price = set(o.trail_stop_price);
    to.min_qty = whole(o.min_qty);
    to.scale_init_level_size = whole(o.scale_init_level_size);
    to.scale_subs_level_size = whole(o.scale_subs_level_size);
    to.scale_price_adjust_interval = whole(o.scale_price_adjust_interval);
    to.scale_init_position = whole(o.scale_init_position);
    to.scale_init_fill_qty = whole(o.scale_init_fill_qty);
    to.duration = whole(o.duration);
    to.post_to_ats = whole(o.post_to_ats);
    to.min_trade_qty = whole(o.min_trade_qty);
    to.min_compete_size = whole(o.min_compete_size);
    to.manual_order_indicator = whole(o.manual_order_indicator);
}

fn condition_from(id: i32, c: order::Condition) -> Result<Condition, DecodeError> {
    let kind = c.kind.unwrap_or_default();
    let broken = || DecodeError::Decimal { id, text: format!("condition type {kind}") };
    let mut test = Test::blank(kind).ok_or_else(broken)?;
    let more = c.is_more.unwrap_or_default();
    match &mut test {
        Test::Price { is_more, price, con_id, exchange, trigger_method } => {
            (*is_more, *price, *con_id) = (more, set(c.price).unwrap_or_default(), c.con_id.unwrap_or_default());
            (*exchange, *trigger_method) = (c.exchange.unwrap_or_default(), c.trigger_method.unwrap_or_default());
        }
        Test::Time { is_more, time } => (*is_more, *time) = (more, c.time.unwrap_or_default()),
        Test::Margin { is_more, percent } => (*is_more, *percent) = (more, c.percent.unwrap_or_default()),
        Test::Execution { sec_type, exchange, symbol } => {
            (*sec_type, *exchange) = (c.sec_type.unwrap_or_default(), c.exchange.unwrap_or_default());
            *symbol = c.symbol.unwrap_or_default();
        }
        Test::Volume { is_more, volume, con_id, exchange } => {
            (*is_more, *volume) = (more, c.volume.unwrap_or_default());
            (*con_id, *exchange) = (c.con_id.unwrap_or_default(), c.exchange.unwrap_or_default());
        }
        Test::PercentChange { is_more, change_percent, con_id, exchange } => {
            (*is_more, *change_percent) = (more, set(c.change_percent).unwrap_or_default());
            (*con_id, *exchange) = (c.con_id.unwrap_or_default(), c.exchange.unwrap_or_default());
        }
    }
    Ok(Condition { and: c.and.unwrap_or_default(), test })
}

fn condition_of(c: Condition) -> order::Condition {
    let m = order::Condition { kind: Some(c.test.kind()), and: Some(c.and), ..order::Condition::default() };
    match c.test {
        Test::Price { is_more, price, con_id, exchange, trigger_method } => order::Condition {
            is_more: Some(is_more),
            price: Some(price),
            con_id: Some(con_id),
            exchange: text(exchange),
            trigger_method: Some(trigger_method),
            ..m
        },
        Test::Time { is_more, time } => order::Condition { is_more: Some(is_more), time: text(time), ..m },
        Test::Margin { is_more, percent } => order::Condition { is_more: Some(is_more), percent: Some(percent), ..m },
        Test::Execution { sec_type, exchange, symbol } => {
            order::Condition { sec_type: text(sec_type), exchange: text(exchange), symbol: text(symbol), ..m }
        }
        Test::Volume { is_more, volume, con_id, exchange } => order::Condition {
            is_more: Some(is_more),
            volume: Some(volume),
            con_id: Some(con_id),
            exchange: text(exchange),
            ..m
        },
        Test::PercentChange { is_more, change_percent, con_id, exchange } => order::Condition {
            is_more: Some(is_more),
            change_percent: Some(change_percent),
            con_id: Some(con_id),
            exchange: text(exchange),
            ..m
        },
    }
}

/// What client and gateway write alike.
fn order_of(mut o: Order) -> order::Order {
    let mut rest = order::Order::default();
    texts_of(&mut o, &mut rest);
    figures_of(&o, &mut rest);
    let tier = order::SoftDollarTier {
        name: text(o.soft_dollar_name),
        value: text(o.soft_dollar_value),
        display_name: text(o.soft_dollar_display_name),
    };
    let entry = |(tag, value)| order::TagValue { tag: Some(tag), value: Some(value) };
    order::Order {
        parent_id: Some(o.parent_id),
        action: o.action.map(|s| s.as_str().to_owned()),
        total_quantity: decimal(o.total_quantity),
        display_size: nonzero(o.display_size),
        order_type: text(o.order_type),
        limit_price: o.limit_price,
        aux_price: o.aux_price,
        oca_type: Some(o.oca_type),
        trigger_method: Some(o.trigger_method),
        origin: Some(o.origin),
        discretionary_amt: nonzero(o.discretionary_amt),
        short_sale_slot: nonzero(o.short_sale_slot),
        exempt_code: Some(o.exempt_code.unwrap_or(-1)),
        delta_neutral_order_type: text(o.delta_neutral_order_type),
        clearing_intent: text(o.clearing_intent),
        algo_params: o.algo_params.into_iter().map(entry).collect(),
        conditions: o.conditions.into_iter().map(condition_of).collect(),
        adjusted_order_type: text(o.adjusted_order_type),
        adjustable_trailing_unit: Some(o.adjustable_trailing_unit),
        soft_dollar_tier: if tier == order::SoftDollarTier::default() { None } else { Some(tier) },
        ..rest
    }
}

fn texts_of(o: &mut Order, to: &mut order::Order) {
    let take = |s: &mut String| text(std::mem::take(s));
    to.tif = take(&mut o.tif);
    to.good_till_date = take(&mut o.good_till_date);
    to.account = take(&mut o.account);
    to.order_ref = take(&mut o.order_ref);
    to.oca_group = take(&mut o.oca_group);
    to.good_after_time = take(&mut o.good_after_time);
    to.open_close = take(&mut o.open_close);
    to.fa_group = take(&mut o.fa_group);
    to.fa_method = take(&mut o.fa_method);
    to.fa_percentage = take(&mut o.fa_percentage);
    to.model_code = take(&mut o.model_code);
    to.designated_location = take(&mut o.designated_location);
    to.rule_80a = take(&mut o.rule_80a);
    to.settling_firm = take(&mut o.settling_firm);
    to.scale_table = take(&mut o.scale_table);
    to.active_start_time = take(&mut o.active_start_time);
    to.active_stop_time = take(&mut o.active_stop_time);
    to.hedge_type = take(&mut o.hedge_type);
    to.hedge_param = take(&mut o.hedge_param);
    to.clearing_account = take(&mut o.clearing_account);
    to.algo_strategy = take(&mut o.algo_strategy);
    to.algo_id = take(&mut o.algo_id);
    to.ext_operator = take(&mut o.ext_operator);
    to.advanced_error_override = take(&mut o.advanced_error_override);
    to.manual_order_time = take(&mut o.manual_order_time);
    to.customer_account = take(&mut o.customer_account);
}

fn figures_of(o: &Order, to: &mut order::Order) {
    to.outside_rth = flag(o.outside_rth);
    to.what_if = flag(o.what_if);
    to.all_or_none = flag(o.all_or_none);
    to.block_order = flag(o.block_order);
    to.sweep_to_fill = flag(o.sweep_to_fill);
    to.hidden = flag(o.hidden);
    to.override_percentage_constraints = flag(o.override_percentage_constraints);
    to.scale_auto_reset = flag(o.scale_auto_reset);
    to.scale_random_percent = flag(o.scale_random_percent);
    to.opt_out_smart_routing = flag(o.opt_out_smart_routing);
    to.not_held = flag(o.not_held);
    to.solicited = flag(o.solicited);
    to.randomize_size = flag(o.randomize_size);
    to.randomize_price = flag(o.randomize_price);
    to.conditions_ignore_rth = flag(o.conditions_ignore_rth);
    to.conditions_cancel_order = flag(o.conditions_cancel_order);
    to.is_oms_container = flag(o.is_oms_container);
    to.discretionary_up_to_limit_price = flag(o.discretionary_up_to_limit_price);
    to.auto_cancel_parent = flag(o.auto_cancel_parent);
    to.professional_customer = flag(o.professional_customer);
    to.include_overnight = flag(o.include_overnight);
    to.imbalance_only = flag(o.imbalance_only);
    to.post_only = flag(o.post_only);
    to.allow_pre_open = flag(o.allow_pre_open);
    to.ignore_open_auction = flag(o.ignore_open_auction);
    to.deactivate = flag(o.deactivate);
    to.percent_offset = o.percent_offset;
    to.volatility = o.volatility;
    to.scale_price_increment = o.scale_price_increment;
    to.scale_price_adjust_value = o.scale_price_adjust_value;
    to.scale_profit_offset = o.scale_profit_offset;
    to.trigger_price = o.trigger_price;
    to.adjusted_stop_price = o.adjusted_stop_price;
    to.adjusted_stop_limit_price = o.adjusted_stop_limit_price;
    to.adjusted_trailing_amount = o.adjusted_trailing_amount;
    to.lmt_price_offset = o.lmt_price_offset;
    to.cash_qty = o.cash_qty;
    to.compete_against_best_offset = o.compete_against_best_offset;
    to.mid_offset_at_whole = o.mid_offset_at_whole;
    to.mid_offset_at_half = o.mid_offset_at_half;
    to.trailing_percent = o.trailing_percent;
    to.trail_stop_price = o.trail_stop_price;
    to.min_qty = o.min_qty;
    to.scale_init_level_size = o.scale_init_level_size;
    to.scale_subs_level_size = o.scale_subs_level_size;
    to.scale_price_adjust_interval = o.scale_price_adjust_interval;
    to.scale_init_position = o.scale_init_position;
    to.scale_init_fill_qty = o.scale_init_fill_qty;
    to.duration = o.duration;
    to.post_to_ats = o.post_to_ats;
    to.min_trade_qty = o.min_trade_qty;
    to.min_compete_size = o.min_compete_size;
    to.manual_order_indicator = o.manual_order_indicator;
}

/// An order as a client places it.
pub(super) fn client_order(o: Order) -> order::Order {
    let (display_size, transmit, managed) = (o.display_size, o.transmit, o.use_price_mgmt_algo);
    let m = order_of(o);
    order::Order {
        display_size: Some(display_size),
        transmit: flag(transmit),
        use_price_mgmt_algo: nonzero(i32::from(managed)),
        soft_dollar_tier: m.soft_dollar_tier.clone().or_else(|| Some(order::SoftDollarTier::default())),
        ..m
    }
}

/// An order as a gateway echoes it [recorded]: prices 0 where the order has none (a trail by
/// percent leaves its aux price out), no transmit flag, and a set of fields that never changed on 204 recorded echoes.
pub(super) fn gateway_order(o: Order) -> order::Order {
    order::Order {
        client_id: Some(o.client_id),
        order_id: Some(o.order_id),
        perm_id: Some(o.perm_id),
        limit_price: Some(o.limit_price.unwrap_or(0.0)),
        aux_price: if o.trailing_percent.is_some() { o.aux_price } else { Some(o.aux_price.unwrap_or(0.0)) },
        clearing_intent: or_usual(o.clearing_intent.clone(), USUAL_CLEARING),
        volatility_type: Some(0),
        reference_price_type: Some(0),
        delta_neutral_order_type: or_usual(o.delta_neutral_order_type.clone(), NONE),
        delta_neutral_short_sale_slot: Some(0),
        short_sale_slot: Some(o.short_sale_slot),
        adjusted_order_type: or_usual(o.adjusted_order_type.clone(), NONE),
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
