//! Cash, positions, commissions, margin: exact micro-dollars.
//!
//! **Identities** held by tests: cash = start − Σ signed notional − Σ commissions, and start + Σ realized = cash + Σ cost
//! basis. The cost basis holds commissions, as IB's does: a recorded round trip (bought at 309.16, sold at 309.15,
//! fees 1.000003 and 1.006566) realized −2.016569.
//!
//! **Fees.** Fixed plan, documented by IB: $0.005 a share, at least $1.00 and at most 1 % of the value, per order. The
//! recorded fees add $0.000003 a share (consolidated audit trail) and on sells $20.60 a million (SEC) and $0.000195
//! a share (FINRA): 309.15 × 20.6e-6 + 0.000195 + 0.000003 = 0.006566, as recorded.
//!
//! **Margin** is simple Reg T: 50 % of notional to open, 25 % to hold, long and short alike (IB asks for more of some
//! names). Working orders count at the worst case of each side.

use std::collections::BTreeMap;

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
}

impl Account {
    pub(super) fn new(cash: Money) -> Self {
        Self { cash, start_cash: cash, ..Self::default() }
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

    /// Margin at the given marks; `worst` says how far working orders can carry each symbol's position.
    pub(super) fn margin(&self, mark: impl Fn(SymbolId) -> Price, worst: &BTreeMap<SymbolId, i64>) -> Margin {
        let mut m = Margin { equity: self.cash, ..Margin::default() };
        for (symbol, p) in &self.positions {
            let price = mark(*symbol);
            m.equity += Money(p.qty * price.0);
            m.gross += Money(p.qty.abs() * price.0);
        }
        let mut shares: BTreeMap<SymbolId, i64> = self.positions.iter().map(|(s, p)| (*s, p.qty.abs())).collect();
        for (symbol, qty) in worst {
            let held = shares.entry(*symbol).or_default();
            *held = (*held).max(*qty);
        }
        for (symbol, qty) in shares {
            let notional = qty * mark(symbol).0;
            m.initial += Money(notional / 2);
            m.maintenance += Money(notional / 4);
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

/// Fees of an order that has filled `qty` shares worth `value` so far. A fill's fee is the difference to the fee
/// before it, so the minimum is paid once an order.
pub(super) fn order_fee(side: Side, qty: i64, value: Money) -> Money {
    if qty == 0 {
        return Money(0);
    }
    let commission = (qty * 5_000).max(1_000_000).min((value.0 / 100).max(0));
    let sec = if side == Side::Sell { i128::from(value.0) * 206 / 10_000_000 } else { 0 };
    let per_share = if side == Side::Sell { 198 } else { 3 };
    Money(commission + i64::try_from(sec).unwrap_or(0) + qty * per_share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_recorded_round_trip_costs_what_was_recorded() {
        let mut a = Account::new(Money(0));
        let (buy, sell) = (Price(309_160_000), Price(309_150_000));
        let fee_in = order_fee(Side::Buy, 1, Money(buy.0));
        let fee_out = order_fee(Side::Sell, 1, Money(sell.0));
        assert_eq!((fee_in, fee_out), (Money(1_000_003), Money(1_006_566)));
        assert_eq!(a.fill(SymbolId(0), Side::Buy, 1, buy, fee_in), None);
        assert_eq!(a.fill(SymbolId(0), Side::Sell, 1, sell, fee_out), Some(Money(-2_016_569)));
    }

    #[test]
    fn fees_have_a_minimum_an_order_and_a_cap() {
        assert_eq!(order_fee(Side::Buy, 1_000, Money(50_000_000_000)), Money(5_003_000));
        assert_eq!(order_fee(Side::Buy, 1, Money(10_000_000)), Money(100_003), "1 % of $10");
        assert_eq!(order_fee(Side::Buy, 0, Money(0)), Money(0));
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
