//! Shares of a symbol in all their states, and why a symbol may be frozen. Plain values that the book computes.

use crate::domain::{OrderId, Side};

/// Orders that may be alive (or owe fills) in one symbol at once; IB allows 15–20 a side.
pub(super) const LIVE_PER_SYMBOL_MAX: usize = 32;

/// Ids of a symbol's live orders at an instant.
#[derive(Clone, Copy, Debug)]
pub struct LiveOrders {
    ids: [OrderId; LIVE_PER_SYMBOL_MAX],
    len: usize,
}

impl LiveOrders {
    pub(super) const fn new(ids: [OrderId; LIVE_PER_SYMBOL_MAX], len: usize) -> Self {
        Self { ids, len }
    }

    /// Oldest first.
    pub fn iter(&self) -> std::slice::Iter<'_, OrderId> {
        self.ids[..self.len].iter()
    }
}

/// Why a symbol takes no new exposure, apart from orders in doubt (which the book counts itself).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freeze(u8);

impl Freeze {
    /// A foreign order or fill was seen.
    pub const EXTERNAL: Self = Self(1);
    /// The broker's position differs from the book.
    pub const UNEXPLAINED: Self = Self(2);
    /// An order was abandoned by weak proof.
    pub const WEAK_PROOF: Self = Self(4);
    /// A fill or an order could not be booked.
    pub const UNBOOKED: Self = Self(8);

    /// Whether any reason holds.
    pub const fn any(self) -> bool {
        self.0 != 0
    }

    /// With `reason`.
    pub const fn with(self, reason: Self) -> Self {
        Self(self.0 | reason.0)
    }

    /// Without `reason`.
    pub const fn without(self, reason: Self) -> Self {
        Self(self.0 & !reason.0)
    }

    /// Whether `reason` holds.
    pub const fn has(self, reason: Self) -> bool {
        self.0 & reason.0 != 0
    }
}

/// Shares of one symbol: held, working and in doubt. Unsigned but for `filled` and `external`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Own shares held, signed.
    pub filled: i64,
    /// Shares that foreign fills moved since the start, and those that the broker told and no fill explains, signed.
    pub external: i64,
    /// Open shares of own working buys.
    pub working_buy: i64,
    /// Open shares of own working sells.
    pub working_sell: i64,
    /// Shares of buys in doubt, foreign orders included.
    pub unknown_buy: i64,
    /// Shares of sells in doubt, foreign orders included.
    pub unknown_sell: i64,
}

impl Exposure {
    /// Signed shares if every buy fills and no sell does.
    pub const fn longest(&self) -> i64 {
        self.filled + self.external + self.working_buy + self.unknown_buy
    }

    /// Signed shares if every sell fills and no buy does.
    pub const fn shortest(&self) -> i64 {
        self.filled + self.external - self.working_sell - self.unknown_sell
    }

    /// The larger of both, absolute.
    pub fn worst(&self) -> i64 {
        self.longest().abs().max(self.shortest().abs())
    }

    /// Open shares on a side, doubt included.
    pub const fn open(&self, side: Side) -> i64 {
        match side {
            Side::Buy => self.working_buy + self.unknown_buy,
            Side::Sell => self.working_sell + self.unknown_sell,
        }
    }

    /// Whether anything is in doubt.
    pub const fn in_doubt(&self) -> bool {
        self.unknown_buy != 0 || self.unknown_sell != 0
    }
}
