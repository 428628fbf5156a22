//! Cash, positions, commissions, margin: exact micro-dollars.
//!
//! **Identities** held by tests: cash = start − Σ signed notional − Σ commissions, and start + Σ realized = cash + Σ cost
//! basis. The cost basis holds commissions, as IB's does: a recorded round trip (bought at 309.16, sold at 309.15,
//! fees 1.000003 and 1.006566) realized −2.016569.
//!
//! Fees are in `fees`, what margin asks for in `exposure`.

use std::collections::BTreeMap;

use super::exposure::requirement;
use crate::domain::{Money, Price, Side, SymbolId};

/// Shares held and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Position {
    /// Signed shares.
    pub(super) qty: i64,
    /// What was paid for them with commissions; negative for a short.
    pub(super) basis: Money,
    /// Realized since the start.
    pub(super) realized: Money,
}

impl Position {
    /// Cost per share with commissions, as IB reports it.
    pub(super) fn average_cost(&self) -> f64 {
        if self.qty == 0 { 0.0 } else { self.basis.to_f64() / self.qty as f64 }
    }
}

/// Margin figures at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Margin {
    pub(super) equity: Money,
    pub(super) initial: Money,
    pub(super) maintenance: Money,
    pub(super) gross: Money,
}

/// The account.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) cash: Money,
    pub(super) start_cash: Money,
    pub(super) positions: BTreeMap<SymbolId, Position>,
    pub(super) commissions: Money,
    /// Cash that a cash account may buy from: today's sales settle tomorrow.
    pub(super) settled: Money,
    /// What borrowing cost, taken from cash.
    pub(super) borrow_fees: Money,
    /// Signed shares by symbol that were opened today and not closed since.
    pub(super) opened_today: BTreeMap<SymbolId, i64>,
    /// Day trades by day, the last five trading days, this one last.
    pub(super) day_trades: Vec<(u32, i64)>,
}

impl Account {
    pub(super) fn new(cash: Money) -> Self {
        Self { cash, start_cash: cash, settled: cash, ..Self::default() }
    }

    /// The account on a day.
    pub(super) fn on(self, date: u32) -> Self {
        Self { day_trades: vec![(date, 0)], ..self }
    }

    /// Day trades in five trading days.
    pub(super) fn day_trades(&self) -> i64 {
        self.day_trades.iter().map(|(_, n)| n).sum()
    }

    /// Counts a day trade: shares opened today are closed (FINRA Rule 4210: once a round trip).
    fn count_day_trade(&mut self, symbol: SymbolId, signed: i64, closing: i64) {
        let opened = self.opened_today.entry(symbol).or_default();
        let round_trip = closing > 0 && opened.signum() * signed.signum() < 0;
        if round_trip {
            *opened = 0;
            if let Some((_, n)) = self.day_trades.last_mut() {
                *n += 1;
            }
        }
        let opening = signed.abs() - closing;
        *opened += signed.signum() * opening;
    }

    /// A position that the account brings.
    pub(super) fn bring(&mut self, symbol: SymbolId, shares: i64, average_cost: Money) {
        let basis = Money(average_cost.0.saturating_mul(shares));
        self.positions.insert(symbol, Position { qty: shares, basis, realized: Money(0) });
    }

    pub(super) fn position(&self, symbol: SymbolId) -> Position {
        self.positions.get(&symbol).copied().unwrap_or_default()
    }

    pub(super) fn realized(&self) -> Money {
        self.positions.values().map(|p| p.realized).sum()
    }

    /// Books a fill; the realized part if it closed anything.
    pub(super) fn fill(&mut self, symbol: SymbolId, side: Side, qty: i64, price: Price, fee: Money) -> Option<Money> {
        let signed = side.sign() * qty;
        self.cash -= Money(signed * price.0) + fee;
        self.commissions += fee;
        let p = self.positions.entry(symbol).or_default();
        let closing = if p.qty.signum() * signed.signum() < 0 { qty.min(p.qty.abs()) } else { 0 };
        let opening = qty - closing;
        let closing_fee = share_of(fee, closing, qty);
        let mut realized = None;
        if closing > 0 {
            let basis = share_of(p.basis, closing, p.qty.abs());
            let gain = Money(-side.sign() * closing * price.0) - closing_fee - basis;
            p.basis -= basis;
            p.realized += gain;
            realized = Some(gain);
        }
        if opening > 0 {
            p.basis += Money(side.sign() * opening * price.0) + (fee - closing_fee);
        }
        p.qty += signed;
        self.settled -= if side == Side::Buy { Money(qty * price.0) + fee } else { fee };
        self.count_day_trade(symbol, signed, closing);
        realized
    }

    /// A fill of `signed` shares turns out to have cost `by` more each.
    pub(super) fn correct(&mut self, symbol: SymbolId, signed: i64, by: Price) {
        let more = Money(signed * by.0);
        self.cash -= more;
        let p = self.positions.entry(symbol).or_default();
        if p.qty == 0 {
            p.realized -= more;
        } else {
            p.basis += more;
        }
    }

    /// Margin at the given marks; `working` = shares that buys and sells may add to each symbol, of which the worse side
    /// counts.
    pub(super) fn margin(
        &self,
        mark: impl Fn(SymbolId) -> Price,
        working: &BTreeMap<SymbolId, (i64, i64)>,
        house_percent: i64,
    ) -> Margin {
        let mut m = Margin { equity: self.cash, ..Margin::default() };
        for (symbol, p) in &self.positions {
            let price = mark(*symbol);
            m.equity += Money(p.qty * price.0);
            m.gross += Money(p.qty.abs() * price.0);
        }
        let held = self.positions.keys().chain(working.keys());
        let symbols: std::collections::BTreeSet<SymbolId> = held.copied().collect();
        for symbol in symbols {
            let (qty, price) = (self.position(symbol).qty, mark(symbol));
            let (buys, sells) = working.get(&symbol).copied().unwrap_or_default();
            let cases = [qty, qty + buys, qty - sells].map(|q| requirement(q, price, house_percent));
            m.initial += Money(cases.iter().map(|c| c.0).max().unwrap_or(0));
            m.maintenance += Money(cases.iter().map(|c| c.1).max().unwrap_or(0));
        }
        m
    }
}

/// `amount × part / whole`, rounded towards zero.
fn share_of(amount: Money, part: i64, whole: i64) -> Money {
    if whole == 0 {
        return Money(0);
    }
    let exact = i128::from(amount.0) * i128::from(part) / i128::from(whole);
    Money(i64::try_from(exact).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::venue::fees::{FeePlan, Filled};
    use proptest::prelude::*;

    #[test]
    fn the_recorded_round_trip_costs_what_was_recorded() {
        let mut a = Account::new(Money(0));
        let (buy, sell) = (Price(309_160_000), Price(309_150_000));
        let fee = |side, value| FeePlan::Fixed.fee(Filled { side, qty: 1, value: Money(value), added: 0 });
        let (fee_in, fee_out) = (fee(Side::Buy, buy.0), fee(Side::Sell, sell.0));
        assert_eq!((fee_in, fee_out), (Money(1_000_003), Money(1_006_566)));
        assert_eq!(a.fill(SymbolId(0), Side::Buy, 1, buy, fee_in), None);
        assert_eq!(a.fill(SymbolId(0), Side::Sell, 1, sell, fee_out), Some(Money(-2_016_569)));
    }

    proptest! {
        #[test]
        fn cash_and_basis_identities_hold(fills in prop::collection::vec(
            (0_u16..3, any::<bool>(), 1_i64..500, 1_i64..2_000_000, 0_i64..5_000_000), 1..80)) {
            let start = Money(1_000_000_000_000);
            let mut a = Account::new(start);
            let (mut expected, mut fees, mut held) = (start, Money(0), [0_i64; 3]);
            for (symbol, buy, qty, cents, fee) in fills {
                let side = if buy { Side::Buy } else { Side::Sell };
                let price = Price(cents * 100);
                a.fill(SymbolId(symbol), side, qty, price, Money(fee));
                expected -= Money(side.sign() * qty * price.0) + Money(fee);
                fees += Money(fee);
                held[symbol as usize] += side.sign() * qty;
                let basis: Money = a.positions.values().map(|p| p.basis).sum();
                prop_assert_eq!(a.cash, expected);
                prop_assert_eq!(a.commissions, fees);
                prop_assert_eq!(start + a.realized(), a.cash + basis);
                for (i, q) in (0_u16..).zip(&held) {
                    let p = a.position(SymbolId(i));
                    prop_assert_eq!(p.qty, *q);
                    prop_assert!(p.qty != 0 || p.basis == Money(0), "a flat position has no cost");
                }
            }
        }
    }
}
