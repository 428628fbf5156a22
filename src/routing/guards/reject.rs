//! The named reasons for which an intent is refused. Numbers are stable: records keep them.

/// Why a guard said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reject {
    /// No connection, or the intent is for another one.
    Link = 1,
    /// Not armed, or the mode allows cancels and reductions only.
    NotArmed,
    /// The book is not reconciled with the broker yet.
    NotReconciled,
    /// The symbol is frozen: an order in doubt, a foreign order, an unexplained position.
    Frozen,
    /// The account is not the configured one, or unproven.
    Account,
    /// Outside the session, inside a blackout, or beyond the calendar.
    Session,
    /// The intent is older than its time to live.
    Expired,
    /// Shares ≤ 0 or above the limit.
    Size,
    /// No limit price, or a product that overflows.
    Price,
    /// Dollars above the order limit.
    Notional,
    /// Worst-case shares above the position limit.
    Position,
    /// Equity unknown: percentages can't be computed.
    Equity,
    /// Worst case above the name limit.
    Name,
    /// Sum of worst cases above the gross limit.
    Gross,
    /// Net of worst cases above the net limit.
    Net,
    /// No fit quote.
    Quote,
    /// The quote is too old.
    QuoteAge,
    /// The spread is too wide.
    Spread,
    /// The limit is too far from the NBBO.
    CollarNbbo,
    /// The limit is too far from the last trade or prior close, or neither is known.
    CollarReference,
    /// The limit is off the price grid.
    Tick,
    /// Halted, or not known whether.
    Halted,
    /// Too many active orders in the symbol and side.
    ActiveOrders,
    /// It would trade against an own working order.
    SelfTrade,
    /// The same order was sent a moment ago.
    Duplicate,
    /// Too many entries in the symbol; a person must re-arm.
    Repeated,
    /// Too many messages per execution.
    Efficiency,
    /// The day's loss limit is latched.
    DailyLoss,
    /// A held position has no mark, so the day's loss is unknown.
    PnlUnknown,
    /// The message budget is used up.
    Pacing,
    /// Shorts are off, or no shares to borrow are known.
    Locate,
    /// Shorts: the prior close is unknown, so Rule 201 can't be judged.
    SsrUnknown,
    /// Rule 201: a short must be above the national best bid.
    Ssr,
    /// A sell would take a long position through zero: close first.
    CrossesZero,
    /// Account facts are missing or stale.
    MarginUnknown,
    /// Not enough excess liquidity, buying power or headroom.
    Margin,
    /// The broker warned of margin; a person must re-arm.
    MarginWarning,
    /// The order table or the symbol's list is full.
    TableFull,
    /// Order ids or references have run out.
    IdsExhausted,
}

impl Reject {
    /// All, by number.
    pub const ALL: [Self; 39] = [
        Self::Link,
        Self::NotArmed,
        Self::NotReconciled,
        Self::Frozen,
        Self::Account,
        Self::Session,
        Self::Expired,
        Self::Size,
        Self::Price,
        Self::Notional,
        Self::Position,
        Self::Equity,
        Self::Name,
        Self::Gross,
        Self::Net,
        Self::Quote,
        Self::QuoteAge,
        Self::Spread,
        Self::CollarNbbo,
        Self::CollarReference,
        Self::Tick,
        Self::Halted,
        Self::ActiveOrders,
        Self::SelfTrade,
        Self::Duplicate,
        Self::Repeated,
        Self::Efficiency,
        Self::DailyLoss,
        Self::PnlUnknown,
        Self::Pacing,
        Self::Locate,
        Self::SsrUnknown,
        Self::Ssr,
        Self::CrossesZero,
        Self::MarginUnknown,
        Self::Margin,
        Self::MarginWarning,
        Self::TableFull,
        Self::IdsExhausted,
    ];

    /// The reason with this number.
    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.get(usize::from(n).checked_sub(1)?).copied()
    }

    /// Whether the same intent may pass a moment later without any other change.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Pacing | Self::Duplicate | Self::QuoteAge | Self::TableFull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for (i, r) in Reject::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(r as u8), i + 1);
            assert_eq!(Reject::from_u8(r as u8), Some(r));
        }
        assert_eq!((Reject::from_u8(0), Reject::from_u8(40)), (None, None));
    }
}
