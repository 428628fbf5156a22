//! Market facts: ingest → feed → {features, routing}.

use crate::clock::SessionTime;
use crate::domain::{Price, SymbolId};

/// What is known of a quote's fitness. Ingest writes `UNKNOWN`; only the feed stage raises it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Quality {
    /// Not looked at yet: treated as unfit.
    #[default]
    Unknown,
    /// One-sided, crossed, jumped, stale or of a delayed type: no new exposure on it.
    Unfit,
    /// Two-sided, uncrossed, real-time and plausible.
    Fit,
}

/// The merged top of book and last trade of one symbol after one sampled update. 64 bytes with its tag.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tick {
    /// When ingest stamped it: the latency of everything it causes is measured from here.
    pub at: SessionTime,
    /// National best bid, `NONE` if absent.
    pub bid: Price,
    /// National best ask, `NONE` if absent.
    pub ask: Price,
    /// Last trade, `NONE` before the first.
    pub last: Price,
    /// Cumulative volume of the day, shares (rounded to the feed's own unit).
    pub day_volume: u64,
    /// Displayed at the bid, shares.
    pub bid_size: u32,
    /// Displayed at the ask, shares.
    pub ask_size: u32,
    /// Size of the last trade, shares.
    pub last_size: u32,
    /// The symbol.
    pub symbol: SymbolId,
    /// Fitness, set by the feed stage.
    pub quality: Quality,
}

/// One-minute bar of trades.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar {
    /// Start of the minute.
    pub start: SessionTime,
    /// First trade.
    pub open: Price,
    /// Highest trade.
    pub high: Price,
    /// Lowest trade.
    pub low: Price,
    /// Last trade.
    pub close: Price,
    /// Shares.
    pub volume: u64,
    /// The symbol.
    pub symbol: SymbolId,
}

/// Facts of a symbol that are no quote.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StatusKind {
    /// Tick 49: −1 unknown, 0 no, 1 general, 2 volatility.
    Halted(i8),
    /// Tick 46: > 2.5 at least 1,000 shares, > 1.5 locate needed, else none.
    Shortable(f32),
    /// Tick 89: shares available to short.
    ShortableShares(u64),
    /// 1 real-time, 2 frozen, 3 delayed, 4 delayed-frozen. Anything but 1 is unfit to trade.
    MarketDataType(u8),
    /// Official close of the previous trading day (tick 9).
    PriorClose(Price),
    /// The subscription ended or was refused, with IB's code: the symbol has no line.
    NoLine(i32),
}

/// A [`StatusKind`] of a symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SymbolStatus {
    /// When ingest saw it.
    pub at: SessionTime,
    /// The symbol.
    pub symbol: SymbolId,
    /// What is known now.
    pub kind: StatusKind,
}

/// Everything that the feed stage takes and passes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MarketEvent {
    /// A sampled update.
    Tick(Tick),
    /// A bar from the broker's history, oldest first, before the symbol's first tick.
    History(Bar),
    /// The session grid: one every [`crate::pipeline::GRID`] of session time, made by ingest alone.
    Timer(SessionTime),
    /// A fact about a symbol.
    Status(SymbolStatus),
    /// The data link: `false` makes every quote unfit until a fresh tick after `true`.
    DataLink {
        /// When.
        at: SessionTime,
        /// Whether data is believed to flow.
        up: bool,
    },
}

impl MarketEvent {
    /// The instant that ingest stamped.
    pub const fn at(&self) -> SessionTime {
        match self {
            Self::Tick(t) => t.at,
            Self::History(b) => b.start,
            Self::Timer(t) => *t,
            Self::Status(s) => s.at,
            Self::DataLink { at, .. } => *at,
        }
    }
}

const _: () = assert!(size_of::<MarketEvent>() <= 72, "market facts stay within a cache line and its tag");
