//! Conditional orders: held until what they wait for holds, then sent; or working until then, if the condition cancels.
//!
//! Documented: the six types and their fields; 147 where the contract is unknown, 10149 where a condition makes no sense.
//! Assumed: conditions are read from left to right, each joined to the next by its own *and* or *or*; prices by the last
//! print unless the trigger method asks for the quote; they are looked at in regular hours only, unless they ignore them;
//! an order that waits for its conditions is PreSubmitted without a word why.

use super::agenda::Task;
use super::core::Core;
use super::orders::Record;
use super::terms::Refusal;
use super::text;
use crate::domain::Price;
use crate::sim::api::{Order, Test};

impl Core {
    /// Whether every condition of an order can be understood.
    pub(super) fn check_conditions_of(&self, order: &Order) -> Result<(), Refusal> {
        let senseless = || (10_149, "Invalid order condition.".to_owned());
        for c in &order.conditions {
            let known = match &c.test {
                Test::Price { con_id, price, .. } => {
                    if !price.is_finite() || *price <= 0.0 {
                        return Err(senseless());
                    }
                    self.symbol_of(*con_id).is_some()
                }
                Test::Volume { con_id, .. } | Test::PercentChange { con_id, .. } => self.symbol_of(*con_id).is_some(),
                Test::Execution { symbol, .. } => self.references().iter().any(|r| r.symbol == *symbol),
                Test::Time { time, .. } => {
                    text::parse(time).ok_or_else(senseless)?;
                    true
                }
                Test::Margin { .. } => true,
            };
            if !known {
                return Err((147, "The conditional contract info is incomplete.".into()));
            }
        }
        Ok(())
    }

    /// Notes an order that has conditions, and when a time that it names comes.
    pub(super) fn watch_conditions(&mut self, perm: i64) {
        let Some(r) = self.orders.get(perm).filter(|r| r.has_conditions()) else { return };
        let times = r.sent.conditions.iter().filter_map(|c| match &c.test {
            Test::Time { time, .. } => text::parse(time),
            _ => None,
        });
        for at in times.filter(|t| *t > self.now) {
            self.agenda.add(at, Task::Release { perm });
        }
        if !self.conditional.contains(&perm) {
            self.conditional.push(perm);
        }
        self.look_at_conditions();
    }

    /// Looks at every order that has conditions.
    pub(super) fn look_at_conditions(&mut self) {
        if self.conditional.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.conditional);
        waiting.retain(|perm| !self.look_at(*perm));
        self.conditional.append(&mut waiting);
    }

    /// Acts on an order's conditions if they hold; true when there is nothing more to look at.
    fn look_at(&mut self, perm: i64) -> bool {
        let hours = self.source.hours();
        let regular = self.now >= hours.open && self.now < hours.close;
        let Some(r) = self.orders.get(perm).filter(|r| !r.status.is_final()) else { return true };
        if !r.status.is_open() || !(regular || r.sent.conditions_ignore_rth) || !self.conditions_hold(r) {
            return false;
        }
        if r.sent.conditions_cancel_order {
            let symbol = r.symbol;
            self.markets[symbol.index()].book.remove(perm);
            self.cancelled(perm, None, "Cancelled by System:\n");
            return true;
        }
        if let Some(r) = self.orders.get_mut(perm) {
            r.conditions_met = true;
        }
        self.try_release(perm);
        self.try_trigger(perm);
        true
    }

    fn conditions_hold(&self, r: &Record) -> bool {
        let mut so_far: Option<(bool, bool)> = None;
        for c in &r.sent.conditions {
            let holds = self.holds(&c.test, r);
            let value = match so_far {
                None => holds,
                Some((before, true)) => before && holds,
                Some((before, false)) => before || holds,
            };
            so_far = Some((value, c.and));
        }
        so_far.is_none_or(|(value, _)| value)
    }

    fn holds(&self, test: &Test, r: &Record) -> bool {
        let beyond = |is_more: bool, value: f64, figure: f64| if is_more { value >= figure } else { value <= figure };
        match test {
            Test::Price { is_more, price, con_id, trigger_method, .. } => {
                let Some(symbol) = self.symbol_of(*con_id) else { return false };
                let m = &self.markets[symbol.index()];
                let (q, figure) = (m.book.quote(), Price::from_f64(*price));
                let at = |p: Price| p.is_some() && if *is_more { p >= figure } else { p <= figure };
                let quoted = || at(if *is_more { q.ask } else { q.bid });
                match trigger_method {
                    1 | 4 => quoted(),
                    7 => at(m.last) || quoted(),
                    8 => q.bid.is_some() && q.ask.is_some() && at(Price((q.bid.0 + q.ask.0) / 2)),
                    _ => at(m.last),
                }
            }
            Test::Time { is_more, time } => {
                text::parse(time).is_some_and(|t| if *is_more { self.now >= t } else { self.now <= t })
            }
            Test::Margin { is_more, percent } => {
                let m = self.margin(None);
                let cushion = (m.equity - m.maintenance).to_f64() / m.equity.to_f64() * 100.0;
                m.equity.0 > 0 && beyond(*is_more, cushion, f64::from(*percent))
            }
            Test::Execution { symbol, .. } => {
                self.fills.iter().any(|f| f.time >= r.created && self.reference(f.symbol).symbol == *symbol)
            }
            Test::Volume { is_more, volume, con_id, .. } => {
                let traded = self.symbol_of(*con_id).map(|s| self.markets[s.index()].volume);
                traded.is_some_and(|v| if *is_more { v >= i64::from(*volume) } else { v <= i64::from(*volume) })
            }
            Test::PercentChange { is_more, change_percent, con_id, .. } => {
                let Some(symbol) = self.symbol_of(*con_id) else { return false };
                let (mark, close) = (self.mark(symbol), self.reference(symbol).prior_close);
                let change = (mark.to_f64() / close.to_f64() - 1.0) * 100.0;
                mark.is_some() && close.is_some() && beyond(*is_more, change, *change_percent)
            }
        }
    }
}

impl Record {
    /// Whether it has conditions to wait for, or to be cancelled by.
    pub(super) fn has_conditions(&self) -> bool {
        !self.sent.conditions.is_empty()
    }

    /// Whether it may not be sent before its conditions hold.
    pub(super) fn waits_for_conditions(order: &Order) -> bool {
        !order.conditions.is_empty() && !order.conditions_cancel_order
    }
}
