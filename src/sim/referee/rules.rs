//! The rules: each order is judged at the moment it arrives.

#![allow(clippy::cast_possible_truncation, reason = "order quantities are capped far below 2^53 before use")]

use super::ledger::{Ledger, Seen};
use super::{Facts, MarketFacts, Referee};
use crate::clock::{SECOND, SessionTime};
use crate::domain::{Money, Price, Side};
use crate::sim::api::{Contract, Order};

/// A recent order, for the duplicate rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Recent {
    time: SessionTime,
    client: i32,
    order_id: i32,
    symbol: String,
    side: Side,
    qty: i64,
    price: Price,
}

/// Most recent orders compared; older ones are outside any sensible window.
const RECENT_MAX: usize = 4_096;

/// An order under judgement.
struct Case<'a> {
    now: SessionTime,
    client: i32,
    order: &'a Order,
    facts: &'a Facts,
    side: Side,
    qty: i64,
    /// Limit, else reference price.
    price: Price,
    /// Shares held, and held after it in the worst case.
    held: i64,
    worst: i64,
}

impl Case<'_> {
    fn raises(&self) -> bool {
        self.worst.abs() > self.held.abs()
    }
}

/// The price that an order names: its limit, else its stop; none of a market order.
fn named_price(order: &Order) -> Price {
    let dollars = match order.order_type.as_str() {
        "MKT" | "MOC" | "MTL" => None,
        "STP" | "MIT" => order.aux_price,
        "TRAIL" | "TRAIL LIMIT" => order.trail_stop_price,
        _ => order.limit_price,
    };
    Price::from_f64(dollars.unwrap_or(0.0))
}

/// The prices of an order that must lie on the grid; an absent one that must be there shows as none.
fn grid_prices(order: &Order) -> Vec<Price> {
    let price = |p: Option<f64>| Price::from_f64(p.unwrap_or(0.0));
    match order.order_type.as_str() {
        "MKT" | "MOC" | "MTL" => Vec::new(),
        "STP" | "MIT" => vec![price(order.aux_price)],
        "TRAIL" | "TRAIL LIMIT" => vec![price(order.trail_stop_price)],
        "STP LMT" | "LIT" => vec![price(order.limit_price), price(order.aux_price)],
        // A pegged order's limit is a cap and may be left out.
        "MIDPRICE" | "PEG MID" | "REL" => {
            order.limit_price.filter(|p| *p != 0.0).map(Price::from_f64).into_iter().collect()
        }
        _ => vec![price(order.limit_price)],
    }
}

/// Enters an order that an earlier process left working.
pub(super) fn resume_order(l: &mut Ledger, client: i32, perm_id: i64, symbol: &str, order: &Order, filled: i64) {
    let Some(side) = order.action else { return };
    let seen = Seen {
        symbol: symbol.into(),
        side,
        qty: order.total_quantity as i64,
        filled,
        price: named_price(order),
        order_ref: order.order_ref.clone(),
        parent_id: order.parent_id,
        group: order.oca_group.clone(),
        perm_id,
        working: true,
    };
    l.placed(client, order.order_id, seen);
}

impl Referee {
    /// Judges a placeOrder.
    pub(super) fn judge(
        &mut self,
        now: SessionTime,
        client: i32,
        contract: &Contract,
        order: &Order,
        market: &dyn MarketFacts,
    ) {
        if order.what_if {
            self.exercised.what_ifs += 1;
            return;
        }
        self.exercised.orders_checked += 1;
        let id = order.order_id;
        let Some(facts) = market.facts(contract) else {
            return self.violation("guard", now, client, id, "unknown_contract", contract.symbol.clone());
        };
        let whole = order.total_quantity.is_finite() && order.total_quantity > 0.0 && order.total_quantity < 1e9;
        let (Some(side), true) = (order.action, whole) else {
            return self.violation("guard", now, client, id, "bad_side_or_quantity", format!("{order:?}"));
        };
        let qty = order.total_quantity as i64;
        let limit = named_price(order);
        let held = self.ledger.held(&facts.symbol);
        let (buys, sells) = self.ledger.exposure(&facts.symbol, (client, id));
        let already = self.ledger.orders.get(&(client, id)).map_or(0, |o| o.filled);
        let child = order.parent_id != 0 && order.oca_group.is_empty();
        let seen = Seen {
            symbol: facts.symbol.clone(),
            side,
            qty,
            filled: 0,
            price: limit,
            order_ref: order.order_ref.clone(),
            parent_id: order.parent_id,
            group: if child { format!("child of {}", order.parent_id) } else { order.oca_group.clone() },
            perm_id: 0,
            working: true,
        };
        let left = self.ledger.most(client, &seen, (qty - already).max(0), already);
        // In its OCA group only the largest order counts, and the others are in `buys` and `sells` already.
        let left = (left - self.ledger.group_largest(client, &seen, (client, id))).max(0);
        let worst = match side {
            Side::Buy => held + buys + left,
            Side::Sell => held - sells - left,
        };
        let price = if limit.is_some() { limit } else { facts.reference_price };
        let case = Case { now, client, order, facts: &facts, side, qty, price, held, worst };
        self.guards(&case);
        self.active_orders(&case);
        let short_limit =
            if matches!(order.order_type.as_str(), "STP" | "TRAIL" | "MIT") { Price::NONE } else { limit };
        self.short(&case, short_limit);
        self.margin(&case, market);
        let modifies = self.ledger.orders.contains_key(&(client, id));
        if !modifies {
            self.duplicates(&case, limit);
        }
        self.ledger.placed(client, id, seen);
    }

    fn guard(&mut self, c: &Case<'_>, rule: &'static str, detail: String) {
        self.violation("guard", c.now, c.client, c.order.order_id, rule, detail);
    }

    /// Size, notional, position, session, price grid, account, time in force.
    fn guards(&mut self, c: &Case<'_>) {
        let l = self.limits.clone();
        let usd = |m: Option<Money>| m.map_or(f64::INFINITY, Money::to_f64);
        let notional = usd(Price(c.price.0).notional(crate::domain::Qty(c.qty)));
        let after = usd(c.price.notional(crate::domain::Qty(c.worst.abs())));
        if c.qty > l.max_order_shares {
            self.guard(c, "order_shares", format!("{} shares, {} permitted", c.qty, l.max_order_shares));
        }
        if notional > l.max_order_notional_usd {
            self.guard(c, "order_notional", format!("{notional:.2} USD, {:.2} permitted", l.max_order_notional_usd));
        }
        if c.raises() && c.worst.abs() > l.max_position_shares {
            self.guard(c, "position_shares", format!("{} shares, {} permitted", c.worst, l.max_position_shares));
        }
        if c.raises() && after > l.max_position_notional_usd {
            self.guard(c, "position_notional", format!("{after:.2} USD, {:.2} permitted", l.max_position_notional_usd));
        }
        let opens = self.hours.open + l.open_blackout_s * SECOND;
        let closes = self.hours.close - l.close_blackout_s * SECOND;
        if c.raises() && (c.now < opens || c.now >= closes) {
            self.guard(c, "session", format!("exposure raised at {}, permitted {opens} to {closes}", c.now));
        }
        for price in grid_prices(c.order) {
            let tick = l.tick_at(price);
            if !price.is_some() || !tick.is_some() || price.0 % tick.0 != 0 {
                self.guard(c, "price_grid", format!("{price} is off the {tick} grid"));
            }
        }
        if !c.order.account.is_empty() && c.order.account != self.account {
            self.guard(c, "account", format!("order for {}", c.order.account));
        }
        if c.order.tif.is_empty() {
            self.guard(c, "time_in_force", "no time in force".into());
        }
    }

    fn active_orders(&mut self, c: &Case<'_>) {
        let key = (c.client, c.order.order_id);
        let same = |o: &Seen| o.symbol == c.facts.symbol && o.side == c.side;
        let active = 1 + self.ledger.working().filter(|(k, o)| **k != key && same(o)).count();
        self.exercised.most_active_orders_per_side = self.exercised.most_active_orders_per_side.max(active as u64);
        let max = self.limits.max_active_orders_per_side;
        if active > max {
            self.guard(c, "active_orders", format!("{active} working {} orders, {max} permitted", c.side.as_str()));
        }
    }

    /// Short sales: Rule 201's price test in integers (trigger 10·print ≤ 9·close), and borrow.
    fn short(&mut self, c: &Case<'_>, limit: Price) {
        if c.side != Side::Sell || c.worst >= 0 {
            return;
        }
        self.exercised.shorts_checked += 1;
        let f = c.facts;
        let mut ssr = |rule, detail| self.violation("ssr", c.now, c.client, c.order.order_id, rule, detail);
        if -c.worst > f.shortable.0 {
            ssr("no_borrow", format!("{} short, {} can be borrowed", -c.worst, f.shortable));
        }
        if !f.prior_close.is_some() {
            ssr("prior_close_unknown", "the restriction can't be ruled out".into());
            return;
        }
        let today = f.lowest_print.is_some() && 10 * f.lowest_print.0 <= 9 * f.prior_close.0;
        let restricted = today || f.restricted_yesterday;
        if restricted {
            if limit <= f.lowest_bid {
                ssr("price_test", format!("short at {limit}, bid {}", f.lowest_bid));
            }
            self.exercised.shorts_in_restricted_names += 1;
        }
    }

    /// Gross notional, and initial margin (half of it) against equity, everything working at its worst.
    fn margin(&mut self, c: &Case<'_>, market: &dyn MarketFacts) {
        if !c.raises() {
            return;
        }
        let mut worst: std::collections::BTreeMap<&str, (i64, i64)> = std::collections::BTreeMap::new();
        for (_, o) in self.ledger.working() {
            let sides = worst.entry(&o.symbol).or_default();
            *(if o.side == Side::Buy { &mut sides.0 } else { &mut sides.1 }) += (o.qty - o.filled).max(0);
        }
        let mut equity = self.ledger.cash;
        let (mut gross, mut counted) = (Money(0), false);
        let symbols: std::collections::BTreeSet<&str> =
            worst.keys().copied().chain(self.ledger.positions.keys().map(String::as_str)).collect();
        for symbol in symbols {
            let held = self.ledger.held(symbol);
            let mark = market.mark(symbol);
            equity += Money(held * mark.0);
            let (buys, sells) = worst.get(symbol).copied().unwrap_or_default();
            let mut most = (held + buys).abs().max((held - sells).abs());
            if symbol == c.facts.symbol {
                counted = true;
                most = most.max(c.worst.abs());
            }
            gross += Money(most * mark.0);
        }
        if !counted {
            gross += Money(c.worst.abs().saturating_mul(c.price.0));
        }
        let cushion = 1.0 - gross.to_f64() / 2.0 / equity.to_f64().max(1e-6);
        let least = self.exercised.smallest_margin_cushion.get_or_insert(cushion);
        *least = least.min(cushion);
        if gross.to_f64() > self.limits.max_gross_notional_usd {
            self.guard(
                c,
                "gross_notional",
                format!("{gross} USD, {:.2} permitted", self.limits.max_gross_notional_usd),
            );
        }
        if gross.to_f64() / 2.0 > equity.to_f64() * self.limits.max_initial_margin_share {
            let detail = format!("initial margin {} of equity {equity}", Money(gross.0 / 2));
            self.violation("margin", c.now, c.client, c.order.order_id, "initial_margin", detail);
        }
    }

    /// The same order again within the window, or one orderRef under two order ids.
    fn duplicates(&mut self, c: &Case<'_>, price: Price) {
        let window = (self.limits.duplicate_window_s * SECOND as f64) as i64;
        while self.recent.len() >= RECENT_MAX || self.recent.front().is_some_and(|r| c.now - r.time > window) {
            self.recent.pop_front();
        }
        let id = c.order.order_id;
        let symbol = c.facts.symbol.clone();
        let new = Recent { time: c.now, client: c.client, order_id: id, symbol, side: c.side, qty: c.qty, price };
        let twin = |r: &&Recent| {
            (r.client, &r.symbol, r.side, r.qty, r.price) == (new.client, &new.symbol, new.side, new.qty, new.price)
        };
        if let Some(old) = self.recent.iter().find(twin) {
            let detail = format!("as order {} {} ms before", old.order_id, (c.now - old.time) / 1_000_000);
            self.violation("duplicate_orders", c.now, c.client, id, "same_order_again", detail);
        }
        self.recent.push_back(new);
        if !c.order.order_ref.is_empty() {
            self.exercised.order_refs_checked += 1;
            let first = *self.refs.entry(c.order.order_ref.clone()).or_insert((c.client, id));
            if first != (c.client, id) {
                let detail = format!("orderRef {} was order {} of client {}", c.order.order_ref, first.1, first.0);
                self.violation("duplicate_orders", c.now, c.client, id, "order_ref_reused", detail);
            }
        }
    }
}
