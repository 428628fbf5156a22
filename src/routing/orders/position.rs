//! One symbol's position: shares, cost of what is held, cash that moved, realised P&L by average cost. All in
//! whole micro-dollars; when the position is flat the realised P&L equals the cash flow exactly.

use crate::domain::{Money, Price, Qty, Side};

/// Largest fill that is believed, shares: anything bigger is a malformed message.
pub(super) const FILL_QTY_MAX: i64 = 10_000_000;
/// Highest price that is believed: $1,000,000.
pub(super) const FILL_PRICE_MAX: Price = Price(1_000_000_000_000);

/// A position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Signed shares held.
    pub filled: Qty,
    /// Signed cost of what is held.
    pub basis: Money,
    /// Cash from all fills, before commissions: sells minus buys.
    pub cash_flow: Money,
    /// Realised P&L before commissions.
    pub realized: Money,
    /// Commissions told so far.
    pub commissions: Money,
}

impl Position {
    /// Applies `qty` shares at `price`.
    pub fn apply(&mut self, side: Side, qty: Qty, price: Price) {
        let signed = side.sign() * qty.0;
        let cash = i128::from(signed) * i128::from(price.0);
        self.cash_flow -= narrow(cash);
        let held = self.filled.0;
        let closing = if held != 0 && (held < 0) != (signed < 0) { signed.abs().min(held.abs()) } else { 0 };
        if closing > 0 {
            let released = narrow(i128::from(self.basis.0) * i128::from(closing) / i128::from(held.abs()));
            let proceeds = narrow(-i128::from(signed.signum() * closing) * i128::from(price.0));
            self.realized += proceeds - released;
            self.basis -= released;
        }
        let opening = signed - signed.signum() * closing;
        self.basis += narrow(i128::from(opening) * i128::from(price.0));
        self.filled += Qty(signed);
    }

    /// Average price of what is held, `NONE` when flat.
    pub fn average(&self) -> Price {
        if self.filled.0 == 0 { Price::NONE } else { Price((self.basis.0 / self.filled.0).abs()) }
    }

    /// P&L at `mark`: realised, plus value over cost of what is held, less commissions. (At all times
    /// `cash_flow = realized - basis` of the same fills.)
    pub fn pnl(&self, mark: Price) -> Money {
        self.realized + narrow(i128::from(self.filled.0) * i128::from(mark.0)) - self.basis - self.commissions
    }
}

/// Saturates: |shares| and prices are bounded above, so only a corrupt message could come near the ends.
fn narrow(v: i128) -> Money {
    Money(i64::try_from(v).unwrap_or(if v < 0 { i64::MIN / 4 } else { i64::MAX / 4 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: i64 = 1_000_000;

    #[test]
    fn a_round_trip_through_short_realises_its_cash_flow() {
        let mut p = Position::default();
        p.apply(Side::Buy, Qty(100), Price(10 * D));
        p.apply(Side::Buy, Qty(50), Price(11 * D));
        assert_eq!((p.filled, p.average()), (Qty(150), Price(10_333_333)));
        p.apply(Side::Sell, Qty(200), Price(12 * D));
        assert_eq!((p.filled, p.realized, p.average()), (Qty(-50), Money(250 * D), Price(12 * D)));
        p.apply(Side::Buy, Qty(50), Price(13 * D));
        assert_eq!((p.filled, p.realized, p.basis), (Qty(0), Money(200 * D), Money(0)));
        assert_eq!(p.cash_flow, p.realized);
        assert_eq!(p.average(), Price::NONE);
    }

    #[test]
    fn marked_pnl_counts_commissions_once() {
        let mut p = Position::default();
        p.apply(Side::Sell, Qty(10), Price(20 * D));
        p.commissions += Money(D);
        assert_eq!(p.pnl(Price(19 * D)), Money(9 * D));
    }
}
