//! What an order can be: side, kind, time in force.

use super::Price;
use crate::clock::SessionTime;

/// Buy or sell. IB has no other sides for stocks held at IB: a sell beyond the long goes short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

impl Side {
    /// +1 for a buy, −1 for a sell.
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }

    /// The side that a signed quantity trades on; zero counts as a buy.
    pub const fn of(signed: i64) -> Self {
        if signed < 0 { Self::Sell } else { Self::Buy }
    }

    /// The other side.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// IB's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

/// The kinds of order that the trader sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// Limit at a price.
    Limit(Price),
    /// Market.
    Market,
}

impl OrderKind {
    /// The limit, if any.
    pub const fn limit(self) -> Option<Price> {
        match self {
            Self::Limit(p) => Some(p),
            Self::Market => None,
        }
    }
}

/// Time in force, in session time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tif {
    /// Until the session's close.
    Day,
    /// Until an instant: the broker cancels it even when this host is dead.
    Gtd(SessionTime),
    /// Immediate or cancel.
    Ioc,
    /// Until cancelled.
    Gtc,
}
