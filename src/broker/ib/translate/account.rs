//! Account figures and positions. Rows come one tag at a time, from the summary and from account updates alike;
//! a figure in a currency other than the account's base is unknown.

use ibapi::accounts::Position;

use super::{Directory, shares};
use crate::domain::{Money, Price};
use crate::message::{BrokerEvent, PositionFact};

/// The account figures that the trader reads, `None` = never told or not in the base currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountFigures {
    /// NetLiquidation.
    pub net_liquidation: Option<Money>,
    /// TotalCashValue.
    pub cash: Option<Money>,
    /// ExcessLiquidity.
    pub excess_liquidity: Option<Money>,
    /// BuyingPower.
    pub buying_power: Option<Money>,
}

impl AccountFigures {
    /// Takes one row; `true` when it was one of ours. A row that can't be read makes its figure unknown.
    pub fn row(&mut self, tag: &str, value: &str, currency: &str, base_currency: &str) -> bool {
        let figure = match tag {
            "NetLiquidation" => &mut self.net_liquidation,
            "TotalCashValue" => &mut self.cash,
            "ExcessLiquidity" => &mut self.excess_liquidity,
            "BuyingPower" => &mut self.buying_power,
            _ => return false,
        };
        let base = currency == base_currency || currency == "BASE" || currency.is_empty();
        *figure = value.trim().parse().ok().filter(|_| base).and_then(Money::from_f64);
        true
    }

    /// As a fact.
    pub const fn event(&self) -> BrokerEvent {
        BrokerEvent::Account {
            net_liquidation: self.net_liquidation,
            cash: self.cash,
            excess_liquidity: self.excess_liquidity,
            buying_power: self.buying_power,
        }
    }
}

/// A position row of our account; `None` for other accounts' rows and for quantities that are no number (the
/// caller must then not call its snapshot complete).
pub fn position(p: &Position, directory: &Directory) -> Option<PositionFact> {
    if p.account != directory.account {
        return None;
    }
    let qty = shares(p.position)?;
    Some(PositionFact {
        symbol: directory.symbol(p.contract.contract_id),
        qty,
        average: Price::from_f64(p.average_cost),
    })
}

#[cfg(test)]
mod tests {
    use ibapi::contracts::Contract;

    use super::super::orders::tests::directory;
    use super::*;
    use crate::domain::{Qty, SymbolId};

    #[test]
    fn rows_fill_figures_and_other_currencies_make_them_unknown() {
        let mut a = AccountFigures::default();
        assert!(a.row("NetLiquidation", "1000000.25", "USD", "USD"));
        assert!(a.row("BuyingPower", "4e6", "BASE", "USD"));
        assert!(a.row("ExcessLiquidity", "nonsense", "USD", "USD"));
        assert!(a.row("TotalCashValue", "1.7976931348623157E308", "USD", "USD"));
        assert!(!a.row("Cushion", "1", "", "USD"));
        let expected = AccountFigures {
            net_liquidation: Some(Money(1_000_000_250_000)),
            buying_power: Some(Money(4_000_000_000_000)),
            ..AccountFigures::default()
        };
        assert_eq!(a, expected);
        assert!(a.row("NetLiquidation", "900000", "EUR", "USD"));
        assert_eq!(a.net_liquidation, None);
    }

    #[test]
    fn positions_of_our_account_only() {
        let row = |account: &str, con_id: i32, position: f64| Position {
            account: account.into(),
            contract: Contract { contract_id: con_id, ..Contract::default() },
            position,
            average_cost: 100.5,
        };
        let d = directory();
        let read = |p| position(&p, &d).map(|f| (f.symbol, f.qty));
        assert_eq!(read(row("DU1", 265_598, -100.0)), Some((Some(SymbolId(0)), Qty(-100))));
        assert_eq!(read(row("DU1", 42, 0.5)), Some((None, Qty(1))), "a fraction counts as a whole share");
        assert_eq!(read(row("DU2", 265_598, 100.0)), None);
        assert_eq!(read(row("DU1", 265_598, f64::NAN)), None);
    }
}
