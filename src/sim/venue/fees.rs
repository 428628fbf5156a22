//! Commissions and fees of an order, by plan and by version.
//!
//! **Fixed** (documented by IB): $0.005 a share, at least $1.00 and at most 1 % of the value. **Tiered** (documented):
//! $0.0035 a share (the first tier, up to 300,000 shares a month), at least $0.35 and at most 1 %; passed on are the
//! exchange's fee of $0.0030 a share for taking and its rebate of $0.0020 for adding (typical, they differ by
//! exchange: assumed), clearing of $0.00020 a share (at most 0.5 % of the value), and 0.0175 % and 0.056 % of the
//! commission (NYSE and FINRA pass-through). **Both**, recorded: $0.000003 a share (consolidated audit trail) and on
//! sells $20.60 a million (SEC) and $0.000195 a share (FINRA trading activity): 309.15 × 20.6e-6 + 0.000195 + 0.000003 =
//! 0.006566.
//!
//! **Versions** (documented by an IB representative): the minimum counts once an order version: a modification
//! after a partial fill pays it again.

use crate::domain::{Money, Side};

/// Which of IB's plans the account is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeePlan {
    /// One price a share, everything included.
    #[default]
    Fixed,
    /// A lower price a share, exchange and clearing fees on top.
    Tiered,
}

/// What one version of an order has filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) side: Side,
    pub(super) qty: i64,
    pub(super) value: Money,
    /// Shares of it that added liquidity.
    pub(super) added: i64,
}

impl FeePlan {
    /// Fees of an order version so far. A fill's fee is the difference to the fee before it.
    pub(super) fn fee(self, f: Filled) -> Money {
        if f.qty == 0 {
            return Money(0);
        }
        let most = (f.value.0 / 100).max(0);
        let (commission, passed_on) = match self {
            Self::Fixed => ((f.qty * 5_000).max(1_000_000).min(most), 0),
            Self::Tiered => {
                let commission = (f.qty * 3_500).max(350_000).min(most);
                let exchange = (f.qty - f.added) * 3_000 - f.added * 2_000;
                let clearing = (f.qty * 200).min(f.value.0 / 200);
                (commission, exchange + clearing + commission * 175 / 1_000_000 + commission * 56 / 100_000)
            }
        };
        let sec = if f.side == Side::Sell { i128::from(f.value.0) * 206 / 10_000_000 } else { 0 };
        let per_share = if f.side == Side::Sell { 198 } else { 3 };
        Money(commission + passed_on + i64::try_from(sec).unwrap_or(0) + f.qty * per_share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(side: Side, qty: i64, dollars: i64) -> Filled {
        Filled { side, qty, value: Money(dollars * 1_000_000), added: 0 }
    }

    #[test]
    fn fees_have_a_minimum_an_order_and_a_cap() {
        let fixed = |f| FeePlan::Fixed.fee(f);
        assert_eq!(fixed(filled(Side::Buy, 1_000, 50_000)), Money(5_003_000));
        assert_eq!(fixed(filled(Side::Buy, 1, 10)), Money(100_003), "1 % of $10");
        assert_eq!(fixed(filled(Side::Buy, 0, 0)), Money(0));
    }

    #[test]
    fn tiered_passes_on_what_exchanges_charge_and_pay() {
        let taken = filled(Side::Buy, 1_000, 50_000);
        let commission = 3_500_000;
        let passed = commission * 175 / 1_000_000 + commission * 56 / 100_000;
        assert_eq!(FeePlan::Tiered.fee(taken), Money(commission + 3_000_000 + 200_000 + passed + 3_000));
        let added = Filled { added: 1_000, ..taken };
        assert_eq!(FeePlan::Tiered.fee(taken) - FeePlan::Tiered.fee(added), Money(5_000_000));
        assert_eq!(FeePlan::Tiered.fee(filled(Side::Buy, 1, 100)).0 / 1_000, 353, "the minimum of $0.35");
    }
}
