//! Account facts that the margin gate and the percentage limits read. Each carries its own age; a missing or
//! stale one denies new exposure. Assumed to be in dollars: an account with another base currency needs its
//! exchange rates first and must not be traded with this gate alone.

use crate::clock::SessionTime;
use crate::domain::Money;

/// A value and when it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
    value: Money,
    at: Option<SessionTime>,
}

impl Row {
    fn set(&mut self, value: Option<Money>, now: SessionTime) {
        if let Some(value) = value {
            *self = Self { value, at: Some(now) };
        }
    }
}

/// The account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountView {
    net_liquidation: Row,
    excess_liquidity: Row,
    buying_power: Row,
    /// Equity at the first row of the day: the loss limit counts from it.
    baseline: Option<Money>,
    /// Initial margin of entries approved since the rows of excess liquidity and buying power.
    reserved: Money,
}

impl AccountView {
    /// A day began: its baseline is what a journal kept for it, else the last row told, else the first to come.
    pub fn set_baseline(&mut self, baseline: Option<Money>) {
        self.baseline = baseline.or_else(|| self.net_liquidation());
    }

    /// Takes rows; `None` = not told this time. What was reserved for fills since the former rows is part of the
    /// new ones; `open_margin` is what the orders still open may need.
    pub fn on_rows(
        &mut self,
        net_liquidation: Option<Money>,
        excess_liquidity: Option<Money>,
        buying_power: Option<Money>,
        open_margin: Money,
        now: SessionTime,
    ) {
        if excess_liquidity.is_some() && buying_power.is_some() {
            self.reserved = open_margin;
        }
        self.net_liquidation.set(net_liquidation, now);
        self.excess_liquidity.set(excess_liquidity, now);
        self.buying_power.set(buying_power, now);
        if self.baseline.is_none() {
            self.baseline = net_liquidation.filter(|m| m.0 > 0);
        }
    }

    /// NetLiquidation as last told, however old.
    pub fn net_liquidation(&self) -> Option<Money> {
        self.net_liquidation.at.map(|_| self.net_liquidation.value).filter(|m| m.0 > 0)
    }

    /// The day's first equity.
    pub const fn baseline(&self) -> Option<Money> {
        self.baseline
    }

    /// (equity, excess liquidity, buying power), all younger than `age_max`, less what was reserved since.
    pub fn fresh(&self, now: SessionTime, age_max: i64) -> Option<(Money, Money, Money)> {
        let young = |r: &Row| r.at.is_some_and(|at| now.since(at) <= age_max);
        (young(&self.net_liquidation) && young(&self.excess_liquidity) && young(&self.buying_power)).then(|| {
            (
                self.net_liquidation.value,
                self.excess_liquidity.value - self.reserved,
                self.buying_power.value - self.reserved,
            )
        })
    }

    /// Reserves the margin of an approved entry until the next rows.
    pub fn reserve(&mut self, margin: Money) {
        self.reserved += margin;
    }
}
