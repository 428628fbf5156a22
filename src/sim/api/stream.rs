//! Streams beyond sampled quotes (tick by tick, depth, five-second bars) and history beyond bars (ticks, head time
//! stamp, histogram, schedule).

use super::contract::Contract;
use super::market::HistoricalBar;
use crate::clock::SessionTime;

/// What a client asks of streams and history.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS message names and fields")]
pub enum StreamRequest {
    TickByTick {
        req_id: i32,
        contract: Contract,
        /// `Last`, `AllLast`, `BidAsk` or `MidPoint`.
        kind: String,
        /// Past ticks that come before the stream, 0 = none.
        number_of_ticks: i32,
        /// Leave out quotes that change only a size.
        ignore_size: bool,
    },
    Depth {
        req_id: i32,
        contract: Contract,
        rows: i32,
        /// Rows of all exchanges together.
        smart: bool,
    },
    DepthExchanges,
    RealTimeBars {
        req_id: i32,
        contract: Contract,
        /// A gateway takes 5 for any.
        bar_size_s: i32,
        what_to_show: String,
        use_rth: bool,
    },
    /// Exactly one of start and end is given.
    HistoricalTicks {
        req_id: i32,
        contract: Contract,
        start: String,
        end: String,
        number_of_ticks: i32,
        what_to_show: String,
        use_rth: bool,
        ignore_size: bool,
    },
    HeadTimestamp {
        req_id: i32,
        contract: Contract,
        what_to_show: String,
        use_rth: bool,
        format_date: i32,
    },
    Histogram {
        req_id: i32,
        contract: Contract,
        use_rth: bool,
        /// `3 days`, `1 week`, …
        period: String,
    },
    Cancel {
        req_id: i32,
        stream: Stream,
    },
}

/// What can be cancelled by its request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "TWS message names")]
pub enum Stream {
    TickByTick,
    Depth,
    RealTimeBars,
    HistoricalTicks,
    HeadTimestamp,
    Histogram,
}

/// What the gateway answers to [`StreamRequest`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS message names and fields")]
pub enum StreamResponse {
    TickByTick {
        req_id: i32,
        tick: ByTick,
    },
    /// A row of an exchange that names no market makers.
    Depth {
        req_id: i32,
        row: DepthRow,
    },
    DepthL2 {
        req_id: i32,
        row: DepthRow,
    },
    DepthExchanges {
        exchanges: Vec<DepthExchange>,
    },
    RealTimeBar {
        req_id: i32,
        bar: HistoricalBar,
    },
    HistoricalTicks {
        req_id: i32,
        ticks: Vec<MidTick>,
        done: bool,
    },
    HistoricalTicksBidAsk {
        req_id: i32,
        ticks: Vec<BidAskTick>,
        done: bool,
    },
    HistoricalTicksLast {
        req_id: i32,
        ticks: Vec<LastTick>,
        done: bool,
    },
    HeadTimestamp {
        req_id: i32,
        time: String,
    },
    /// Pairs of (price, shares).
    Histogram {
        req_id: i32,
        points: Vec<(f64, f64)>,
    },
    Schedule {
        req_id: i32,
        start: String,
        end: String,
        time_zone: String,
        sessions: Vec<TradingSession>,
    },
    /// The bar that is being built, of a history request that is kept up to date.
    BarUpdate {
        req_id: i32,
        bar: HistoricalBar,
        format_date: i32,
    },
}

/// One tick of a tick-by-tick stream.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "TWS names")]
pub enum ByTick {
    Last(LastTick),
    AllLast(LastTick),
    BidAsk(BidAskTick),
    MidPoint(MidTick),
}

/// A midpoint. Times of ticks are whole seconds.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct MidTick {
    pub time: SessionTime,
    pub price: f64,
    /// Has no place in a tick-by-tick message in text.
    pub size: f64,
}

/// A quote.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct BidAskTick {
    pub time: SessionTime,
    pub bid: f64,
    pub ask: f64,
    pub bid_size: f64,
    pub ask_size: f64,
    pub bid_past_low: bool,
    pub ask_past_high: bool,
}

/// A print.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct LastTick {
    pub time: SessionTime,
    pub price: f64,
    pub size: f64,
    pub past_limit: bool,
    pub unreported: bool,
    pub exchange: String,
    pub conditions: String,
}

/// A change of one row of a book.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct DepthRow {
    /// From 0, best first.
    pub position: i32,
    /// 0 insert, 1 update, 2 delete.
    pub operation: i32,
    /// 0 ask, 1 bid.
    pub side: i32,
    pub price: f64,
    pub size: f64,
    /// Of L2 rows: the market maker, or the exchange of smart depth.
    pub market_maker: String,
    pub smart: bool,
}

/// An exchange that offers depth.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct DepthExchange {
    pub exchange: String,
    pub sec_type: String,
    pub listing_exchange: String,
    /// `Deep` or `Deep2`.
    pub service: String,
    pub agg_group: i32,
}

/// One session of a schedule; times as `20260312-09:30:00` in the schedule's zone.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct TradingSession {
    pub start: String,
    pub end: String,
    /// `20260312`.
    pub ref_date: String,
}
