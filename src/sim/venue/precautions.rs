//! What broker and gateway refuse or change for safety: precautionary settings, price caps, too many orders. And when a
//! market is open for an order, and how a taker's fill slips.
//!
//! Documented: 163 (percent), 383 (size, its text as users report it), 382 (value), all by the gateway, bare; 2161 and
//! mktCapPrice, 15 to 20 working orders of one contract and side. Assumed: the wording of 382 and of the refusal of too
//! many orders; that a cap is a percentage of the opposite quote.

use super::contracts::tick_at;
use super::core::Core;
use super::orders::{Record, Style, Terms, Tif};
use super::reports::error;
use super::terms::Refusal;
use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{Money, Price, Side, SymbolId};
use crate::sim::api::Order;

impl Terms {
    /// Whether it may trade outside regular hours, if it asks to: with a limit only, and not at a print.
    pub(super) fn may_trade_outside(&self) -> bool {
        self.limit.is_some() && self.style == Style::Plain && self.tif != Tif::Opg && self.trail.is_none()
    }
}

impl Core {
    /// When the hours outside the regular ones begin and end: 4:00 to 20:00 New York.
    pub(super) fn extended_hours(&self) -> (SessionTime, SessionTime) {
        let day = Date::new_york(self.source.hours().open);
        (day.at(4, 0), day.at(20, 0))
    }

    /// Whether the market is open for an order.
    pub(super) fn may_trade(&self, r: &Record) -> bool {
        let hours = self.source.hours();
        if self.now >= hours.open && self.now < hours.close {
            return true;
        }
        let (first, last) = self.extended_hours();
        r.terms.outside_rth && r.terms.may_trade_outside() && self.now >= first && self.now < last
    }

    /// What the gateway's precautionary settings refuse.
    pub(super) fn precautions(&self, order: &Order, symbol: SymbolId, side: Side, t: &Terms) -> Result<(), Refusal> {
        let p = self.config.rules.precautions;
        let restriction = "Restriction is specified in Precautionary Settings of Global Configuration/Presets.";
        let (id, mark) = (order.order_id, self.mark(symbol));
        if let (Some(percent), Some(limit), false) = (p.percent, t.limit, order.override_percentage_constraints) {
            let through = side.sign() as f64 * (limit.to_f64() / mark.to_f64() - 1.0) * 100.0;
            if mark.is_some() && t.trigger.is_none() && through > percent {
                let text = "The price specified would violate the percentage constraint specified in the default order \
                            settings.";
                return Err((163, text.into()));
            }
        }
        if let Some(most) = p.size.filter(|most| t.qty > *most) {
            let text = format!("The following order \"ID:{id}\" size exceeds the Size Limit of {most}. {restriction}");
            return Err((383, text));
        }
        let value = Money(t.limit.unwrap_or(mark).0.saturating_mul(t.qty));
        if let Some(most) = p.value.filter(|most| value > *most) {
            let text = format!(
                "The following order \"ID:{id}\" value estimate of {value} USD exceeds the Total Value Limit of {most} \
                 USD. {restriction}"
            );
            return Err((382, text));
        }
        Ok(())
    }

    /// Refuses an order where too many of its contract and side work already.
    pub(super) fn crowded(&self, r: &Record) -> Option<String> {
        let most = self.config.rules.active_orders_max;
        let same = |o: &&Record| o.perm != r.perm && o.symbol == r.symbol && o.side == r.side && o.status.is_open();
        let full = most > 0 && self.orders.live().filter(same).count() >= most;
        full.then(|| format!("The maximum of {most} active orders on one side of a contract has been reached."))
    }

    /// Caps a limit that is far through the market: warning 2161, and mktCapPrice in its states.
    pub(super) fn cap_price(&mut self, perm: i64) {
        let Some(percent) = self.config.rules.price_cap_percent else { return };
        let Some(r) = self.orders.get(perm) else { return };
        let (side, symbol, qty, id, client) = (r.side, r.symbol, r.terms.qty, r.order_id, r.client);
        let Some(limit) = r.terms.limit.filter(|_| r.terms.style == Style::Plain) else { return };
        let q = self.markets[symbol.index()].book.quote();
        let opposite = if side == Side::Buy { q.ask } else { q.bid };
        if !opposite.is_some() {
            return;
        }
        let far = Price::from_f64(opposite.to_f64() * (1.0 + side.sign() as f64 * percent / 100.0));
        let tick = tick_at(far).0;
        let cap = Price(far.0.div_euclid(tick) * tick);
        let beyond = if side == Side::Buy { limit > cap } else { limit < cap };
        if let Some(r) = self.orders.get_mut(perm) {
            r.cap = if beyond { cap } else { Price::NONE };
        }
        if beyond {
            let name = &self.reference(symbol).symbol;
            let text = format!(
                "{} {qty} {name} @ {limit}  In accordance with our regulatory obligations as a broker, we will initially \
                 cap (or limit) the price of your Limit Order to {cap} or a more aggressive price still within your \
                 specified limit price.  If your order is not immediately executable, our systems may, depending on \
                 market conditions, cap your order to a limit price that is no more than the allowed amount away from \
                 the reference price at that time. If this happens, you will not receive a fill.",
                side.as_str()
            );
            let notice = error(self.now, id, 2_161, text);
            self.report(perm, client, vec![notice]);
        }
    }

    /// A taker's price, worse than the quote by as many ticks as are drawn, though never beyond its limit.
    pub(super) fn slipped(&mut self, side: Side, limit: Option<Price>, price: Price) -> Price {
        let most = self.config.rules.slippage_ticks_max;
        if most == 0 {
            return price;
        }
        let ticks = i64::try_from(self.draw.below(most + 1)).unwrap_or(0);
        let worse = Price((price.0 + side.sign() * ticks * tick_at(price).0).max(1));
        limit.map_or(worse, |l| if side == Side::Buy { worse.min(l) } else { worse.max(l) })
    }
}
