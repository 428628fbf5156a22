//! An instrument as the session knows it.

use super::{ConId, Price, SymbolId};

/// One step of a market rule: from `low_edge` upwards prices move by `increment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickRule {
    /// Lowest price of the band.
    pub low_edge: Price,
    /// Minimum increment in the band.
    pub increment: Price,
}

/// A US stock, qualified with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Dense session index.
    pub id: SymbolId,
    /// Ticker, as IB spells it.
    pub symbol: String,
    /// IB's contract id.
    pub con_id: ConId,
    /// Listing exchange (`NASDAQ`, `NYSE`, …).
    pub primary_exchange: String,
    /// Currency of the contract.
    pub currency: String,
    /// Price increments, lowest band first; never empty.
    pub tick_rules: Vec<TickRule>,
}

impl Instrument {
    /// The minimum increment at `price`: the last band whose low edge is at or below it.
    pub fn tick_at(&self, price: Price) -> Price {
        self.tick_rules
            .iter()
            .rev()
            .find(|r| r.low_edge <= price)
            .or(self.tick_rules.first())
            .map_or(Price(10_000), |r| r.increment)
    }
}
