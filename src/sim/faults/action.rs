//! The vocabulary of scenario files: what a fault waits for and what it does; and what the venue is asked to do.

use serde::Deserialize;

use crate::domain::Side;
use crate::sim::api::{ConnId, Door};

/// What a fault waits for: a time, a kind of request, a kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum When {
    Time,
    // Requests.
    Start,
    Order,
    Modify,
    Cancel,
    WhatIf,
    OpenOrders,
    CompletedOrders,
    Executions,
    Positions,
    MarketData,
    ContractDetails,
    History,
    CurrentTime,
    Account,
    Ids,
    Message,
    // Answers.
    Fill,
    Execution,
    Commission,
    Status,
    OpenOrder,
    WhatIfAnswer,
    Tick,
    Error,
    AccountRow,
    Pnl,
    Clock,
    NextId,
    Contract,
    Bars,
    ListEnd,
    Answer,
}

impl When {
    /// Whether it is a request; times are neither request nor answer.
    pub(super) const fn is_request(self) -> bool {
        matches!(
            self,
            Self::Start
                | Self::Order
                | Self::Modify
                | Self::Cancel
                | Self::WhatIf
                | Self::OpenOrders
                | Self::CompletedOrders
                | Self::Executions
                | Self::Positions
                | Self::MarketData
                | Self::ContractDetails
                | Self::History
                | Self::CurrentTime
                | Self::Account
                | Self::Ids
                | Self::Message
        )
    }
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Answers: lost.
    Drop,
    /// Answers: sent so many times more.
    Duplicate {
        /// How often more.
        #[serde(default = "one")]
        copies: u64,
    },
    /// Answers: so much later than others.
    Delay {
        /// Session milliseconds.
        ms: i64,
    },
    /// Price, size and generic ticks: another value, `nan`, `max` (1.797e308), or a number.
    Price {
        /// The text of the value.
        value: String,
    },
    /// Ticks: another type.
    TickType {
        /// The type.
        to: i32,
    },
    /// Bid ticks: so far above the last ask that was sent; 0 locks, more crosses.
    CrossBy {
        /// USD.
        usd: f64,
    },
    /// Ticks: one exchange's quote instead of the consolidated one, although the data type says real-time.
    OneExchange {
        /// The exchange that the parameters and the exchange ticks then name.
        code: String,
        /// How far its bid is below and its ask above the best ones, USD.
        usd: f64,
    },
    /// Statuses: another word.
    Word {
        /// The word.
        text: String,
    },
    /// Rows of positions and of the account: another account's code.
    Account {
        /// The code.
        code: String,
    },
    /// Answers to reqCurrentTime: so many seconds off.
    ClockStep {
        /// Seconds, positive = ahead.
        by_s: i64,
    },
    /// Executions: their time in UTC, `yyyymmdd-hh:mm:ss`.
    UtcTime,
    /// Any answer: what stands for *unset* in each of its numbers that is no id: 1.797e308, i32 and i64 maximum.
    Sentinels,
    /// Any answer: nothing in its texts and optional numbers.
    EmptyFields,
    /// What-if answers: one without figures first.
    EmptyFirst,
    /// What-if answers: with a warning.
    Warning {
        /// Its text.
        text: String,
    },
    /// Requests: taken and never answered.
    Ignore,
    /// Requests: refused with this code; the venue never sees them.
    Refuse {
        /// IB's code.
        code: i32,
        /// Its text.
        text: String,
    },
    /// Queries: the end of the list and nothing before it.
    EmptyList,
    /// Orders: refused by the exchange with 201 and Inactive.
    Reject {
        /// The text after `reason:`.
        reason: String,
    },
    /// Orders: held for a locate (404, whyHeld `locate`), then set to work.
    Locate {
        /// Session milliseconds until the shares are found; 0 = never.
        ms: i64,
    },
    /// Limit orders: the limit is capped (buys lower, sells higher) with 2161, statuses tell the cap.
    Cap {
        /// Share of the limit, such as 0.05.
        by: f64,
    },
    /// A warning on the order's id, which goes on.
    Warn {
        /// IB's code.
        code: i32,
        /// Its text.
        text: String,
    },
    /// A notice to every client, or one for every market-data line.
    Notice {
        /// IB's code.
        code: i32,
        /// Its text.
        text: String,
        /// One for each line, with its request id.
        #[serde(default)]
        lines: bool,
    },
    /// 1100, then 1101 (subscriptions and reports lost) or 1102 (reports come late). The exchange goes on meanwhile.
    Outage {
        /// Session seconds.
        for_s: f64,
        /// 1101 or 1102.
        then: i32,
        /// Whether 1100 is told.
        #[serde(default = "yes")]
        told: bool,
    },
    /// No ticks; everything else goes on.
    StaleTicks {
        /// Session seconds.
        for_s: f64,
    },
    /// Ticks become delayed ones (66 and up), and the type says so.
    DelayedTicks {
        /// Session seconds.
        for_s: f64,
    },
    /// The budget of market-data lines shrinks.
    Lines {
        /// Lines left.
        max: usize,
    },
    /// Trading in a symbol stops: tick 49.
    Halt {
        /// Ticker.
        symbol: String,
        /// 1 general, 2 volatility.
        kind: i32,
        /// Session seconds.
        for_s: f64,
    },
    /// Somebody trades by hand in the account.
    ByHand {
        /// Ticker.
        symbol: String,
        /// Side.
        side: Side,
        /// Shares.
        qty: i64,
        /// Rests at this price, USD; absent = at the market.
        limit_usd: Option<f64>,
    },
    /// Somebody closes the position in a symbol.
    ExternalClose {
        /// Ticker.
        symbol: String,
    },
    /// A split: `to` shares for each `from` held; what works in the symbol is cancelled. The market's prices stay.
    Split {
        /// Ticker.
        symbol: String,
        /// New shares.
        to: i64,
        /// For so many old ones.
        from: i64,
    },
    /// Every working order of the account is cancelled at the exchange; nobody asked.
    CancelledAtExchange,
    /// The last execution is corrected: the same id ending in .02, another price.
    Correct {
        /// USD a share on top of the first price.
        by_usd: f64,
    },
    /// The order whose status struck fills although its end was told.
    LateFill {
        /// Shares.
        qty: i64,
    },
    /// Every client's next order id falls back.
    RollBackIds {
        /// By so many.
        by: i32,
    },
    /// The connection that struck ends, or all of them; what was said before is sent.
    Disconnect {
        /// All connections.
        #[serde(default)]
        all: bool,
    },
    /// The connections stay open and nothing comes out any more.
    HalfOpen {
        /// Session seconds.
        for_s: f64,
    },
    /// The gateway restarts: every connection ends, subscriptions are gone, ids fall back.
    Restart {
        /// By so many.
        #[serde(default)]
        ids_back: i32,
    },
    /// Bytes drawn by seed, in no frame, on the connection that struck, or on all.
    GarbageBytes {
        /// How many.
        bytes: usize,
    },
    /// A frame of a known message that breaks the encoding.
    MalformedFrame,
    /// A frame of a message id that no client knows.
    UnknownFrame,
    /// The head of a frame and a part of its body; the rest never comes.
    TruncatedFrame,
    /// The head of a frame longer than any client accepts.
    OversizedFrame,
    /// The bytes come in slices from now on.
    Slice {
        /// Bytes in one write, 0 = as many as there are.
        bytes: usize,
        /// Wall milliseconds after each.
        pause_ms: u64,
    },
    /// The connections are neither read nor written any more.
    Hang,
    /// How new connections fare.
    Door {
        /// `closed`, `silent` or `garbage`.
        how: Door,
        /// Session seconds.
        for_s: f64,
    },
}

/// What an action can be done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Answers,
    Requests,
    Anything,
}

impl Action {
    /// What it can be done to.
    pub(super) const fn place(&self) -> Place {
        match self {
            Self::Drop
            | Self::Duplicate { .. }
            | Self::Delay { .. }
            | Self::Price { .. }
            | Self::TickType { .. }
            | Self::CrossBy { .. }
            | Self::OneExchange { .. }
            | Self::Word { .. }
            | Self::Account { .. }
            | Self::ClockStep { .. }
            | Self::UtcTime
            | Self::Sentinels
            | Self::EmptyFields
            | Self::EmptyFirst
            | Self::Warning { .. }
            | Self::LateFill { .. } => Place::Answers,
            Self::Ignore
            | Self::Refuse { .. }
            | Self::EmptyList
            | Self::Reject { .. }
            | Self::Locate { .. }
            | Self::Cap { .. } => Place::Requests,
            _ => Place::Anything,
        }
    }
}

fn one() -> u64 {
    1
}

fn yes() -> bool {
    true
}

/// What the venue itself must do.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "as the actions of the same names")]
pub enum Command {
    Lines { max: usize },
    Halt { symbol: String, kind: i32 },
    ByHand { symbol: String, side: Side, qty: i64, limit_usd: Option<f64> },
    ExternalClose { symbol: String },
    Split { symbol: String, to: i64, from: i64 },
    CancelledAtExchange,
    Correct { by_usd: f64 },
    LateFill { perm: i64, qty: i64 },
    RollBackIds { by: i32 },
    Disconnect { conn: ConnId },
    DropLines,
    Reject { client_order: i32, conn: ConnId, reason: String },
    Locate { client_order: i32, conn: ConnId, ms: i64 },
}
