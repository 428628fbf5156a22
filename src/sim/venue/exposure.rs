//! What an order may do to the account: borrow, Rule 201, margin, settled cash, day trades; and what a what-if tells.
//!
//! **Margin** (documented: Regulation T and FINRA Rule 4210): half of the notional to open; to hold, a quarter of a long,
//! and of a short 30 % but at least $5.00 a share, or below $5.00 a share all of it but at least $2.50 a share. The house's percentage
//! multiplies all of it. Working orders count at the worst case of each side. **SMA** (documented): the larger of equity
//! less half of the holdings, and the day's start less half of what is held at cost.
//! **Cash account** (assumed wording): buys from settled cash; what is sold today settles tomorrow. **Day trades**
//! (FINRA Rule 4210 until 2026): below $25,000 of equity not more than three in five days.

use super::account::Margin;
use super::agenda::Task;
use super::core::Core;
use super::delays::Way;
use super::fees::Filled;
use super::orders::{Record, Status, Terms};
use super::reports::open_order;
use super::rules::AccountKind;
use crate::domain::{Money, Price, Side, SymbolId};
use crate::sim::api::{ConnId, Order, OrderState, Response};

/// Equity from which day trades are not counted.
const DAY_TRADER_EQUITY: Money = Money(25_000_000_000);
/// Day trades in five days below it.
pub(super) const DAY_TRADES_MAX: i64 = 3;

/// What holding or opening `qty` signed shares at a price asks for: (initial, maintenance).
pub(super) fn requirement(qty: i64, price: Price, house_percent: i64) -> (i64, i64) {
    let shares = qty.abs();
    let notional = shares * price.0;
    let maintenance = match (qty < 0, price.0 >= 5_000_000) {
        (false, _) => notional / 4,
        (true, true) => (notional / 10 * 3).max(shares * 5_000_000),
        (true, false) => notional.max(shares * 2_500_000),
    };
    let house = |x: i64| i64::try_from(i128::from(x) * i128::from(house_percent) / 100).unwrap_or(i64::MAX);
    (house((notional / 2).max(maintenance)), house(maintenance))
}

/// Why an order may not go on, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Objection {
    /// 201 with this reason.
    Refuse(String),
    /// 404: held until shares are found.
    Locate,
}

impl Core {
    /// Margin with working orders at their worst, and `extra` signed shares of one symbol on top.
    pub(super) fn margin(&self, extra: Option<(SymbolId, i64)>) -> Margin {
        let mut sides = self.working_sides();
        if let Some((symbol, signed)) = extra {
            let (buys, sells) = sides.entry(symbol).or_default();
            *(if signed > 0 { buys } else { sells }) += signed.abs();
        }
        self.account.margin(|s| self.mark(s), &sides, self.config.rules.house_margin_percent)
    }

    /// Signed shares after everything that works on the order's side, and the order, has filled; short is positive.
    pub(super) fn short_after(&self, r: &Record) -> i64 {
        let held = self.account.position(r.symbol).qty;
        -(held + r.side.sign() * self.working_with(r))
    }

    /// Borrow, price test, cash and margin, checked at arrival for what raises exposure; `more` = shares that it adds to
    /// what works.
    pub(super) fn objection(&self, r: &Record, more: i64) -> Option<Objection> {
        let held = self.account.position(r.symbol).qty;
        let after = held + r.side.sign() * self.working_with(r);
        if after < 0 && r.side == Side::Sell {
            let found = self.short_objection(r, -after);
            if found.is_some() {
                return found;
            }
        }
        if after.abs() <= held.abs() {
            return None;
        }
        if let Some(reason) = self.cash_refusal(r, more).or_else(|| self.day_trade_refusal()) {
            return Some(Objection::Refuse(reason));
        }
        let m = self.margin(Some((r.symbol, r.side.sign() * more)));
        (m.initial > m.equity).then(|| {
            let base = &self.config.rules.base.currency;
            Objection::Refuse(format!(
                "YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR EQUITY WITH LOAN VALUE [{} \
                 {base}] MUST EXCEED THE INITIAL MARGIN OF [{} {base}]",
                self.in_base(m.equity),
                self.in_base(m.initial)
            ))
        })
    }

    fn short_objection(&self, r: &Record, short: i64) -> Option<Objection> {
        let refuse = |reason: &str| Some(Objection::Refuse(reason.into()));
        if self.config.rules.account == AccountKind::Cash {
            return refuse("Short sales are not permitted in a cash account.");
        }
        let pool = self.borrow_of(r.symbol).available;
        if short > pool {
            return if pool > 0 {
                Some(Objection::Locate)
            } else {
                refuse("Contract is not available for short sale.")
            };
        }
        // Assumed: what the exchange would hold or re-price is refused. A stop is tested when it is triggered.
        let bid = self.markets[r.symbol.index()].book.quote().bid;
        let tested = self.is_restricted(r.symbol) && !r.waits_for_trigger();
        if tested && self.limit_now(r).is_none_or(|l| l <= bid) {
            return refuse("The short sale does not meet the price test of Rule 201.");
        }
        None
    }

    /// A cash account buys from what has settled.
    fn cash_refusal(&self, r: &Record, more: i64) -> Option<String> {
        if self.config.rules.account != AccountKind::Cash || r.side == Side::Sell {
            return None;
        }
        let price = |o: &Record| o.terms.limit.unwrap_or_else(|| self.mark(o.symbol));
        let pending = self.orders.live().filter(|o| o.perm != r.perm && o.side == Side::Buy && o.status.is_open());
        let needed = Money(pending.map(|o| o.remaining() * price(o).0).sum::<i64>() + more * price(r).0);
        let settled = self.account.settled;
        (needed > settled).then(|| {
            format!(
                "The available cash in your account is not sufficient: CASH AVAILABLE: {settled}; CASH NEEDED FOR \
                     THIS ORDER AND OTHER PENDING ORDERS: {needed}"
            )
        })
    }

    fn day_trade_refusal(&self) -> Option<String> {
        let left = self.day_trades_left()?;
        (left == 0).then(|| {
            "YOUR ORDER IS NOT ACCEPTED. YOUR ACCOUNT HAS LESS THAN 25,000 USD AND HAS USED ITS DAY TRADES (PATTERN DAY \
             TRADER RULE)"
                .into()
        })
    }

    /// Day trades that are left; `None` = they are not counted.
    pub(super) fn day_trades_left(&self) -> Option<i64> {
        let counted = self.config.rules.day_trade_rule && self.margin(None).equity < DAY_TRADER_EQUITY;
        counted.then(|| (DAY_TRADES_MAX - self.account.day_trades()).max(0))
    }

    /// What-if: one openOrder with margin figures in the base currency, or one error.
    pub(super) fn what_if(
        &mut self,
        conn: ConnId,
        client: i32,
        symbol: SymbolId,
        side: Side,
        terms: Terms,
        order: Order,
    ) {
        let before = self.margin(None);
        let after = self.margin(Some((symbol, side.sign() * terms.qty)));
        let price = terms.limit.unwrap_or_else(|| self.mark(symbol));
        let value = Money(price.0.saturating_mul(terms.qty));
        let fee = self.config.rules.fees.fee(Filled { side, qty: terms.qty, value, added: 0 });
        let base = |m: Money| Some(self.in_base(m).to_f64());
        let state = OrderState {
            status: "PreSubmitted".into(),
            init_margin_before: base(before.initial),
            maint_margin_before: base(before.maintenance),
            equity_with_loan_before: base(before.equity),
            init_margin_change: base(after.initial - before.initial),
            maint_margin_change: base(after.maintenance - before.maintenance),
            equity_with_loan_change: base(-fee),
            init_margin_after: base(after.initial),
            maint_margin_after: base(after.maintenance),
            equity_with_loan_after: base(before.equity - fee),
            commission: Some(fee.to_f64()),
            commission_currency: "USD".into(),
            margin_currency: self.config.rules.base.currency.clone(),
            ..OrderState::default()
        };
        let record =
            Record::new(self.orders.next_perm(), client, symbol, side, terms, order, Status::PreSubmitted, self.now);
        let echo = open_order(&record, self.reference(symbol), &self.config.account, "PreSubmitted", None);
        let Response::OpenOrder { contract, order, .. } = echo else { return };
        let messages = vec![Response::OpenOrder { contract, order, state: Box::new(state) }];
        let there = self.later_by(Way::WhatIf);
        let back = self.later_by(Way::WhatIf) - self.now;
        self.agenda.add(there + back, Task::Answer { conn, messages });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_by_side_and_price() {
        let dollars = |d: i64| Price(d * 1_000_000);
        let m = 1_000_000;
        // (shares, price, initial, maintenance)
        let table = [
            (100, dollars(100), 5_000 * m, 2_500 * m),
            (-100, dollars(100), 5_000 * m, 3_000 * m),
            (-100, dollars(10), 500 * m, 500 * m),
            (-100, dollars(4), 400 * m, 400 * m),
            (-100, dollars(2), 250 * m, 250 * m),
        ];
        for (qty, price, initial, maintenance) in table {
            assert_eq!(requirement(qty, price, 100), (initial, maintenance), "{qty} at {price}");
        }
        assert_eq!(requirement(100, dollars(100), 150).1, 3_750 * m);
    }
}
