//! Fault scenarios: what goes wrong, when, and how often, read from TOML and carried out between the venue and the wire.
//!
//! Owns the scenarios ([`Scenario`]) and the engine ([`Faults`]). A fault that concerns messages (lost, late, doubled,
//! wrong, never sent) is carried out here, after the venue has spoken and the referee has listened, so that books and
//! audit stay exact; one that concerns the market or the orders goes to the venue as a [`Command`]. Knows no socket and
//! no clock; the same seed and the same calls give the same faults.
//!
//! A file holds `incident` (the real-world class it stands for), `tag` (`venue`: everything happens in lockstep too;
//! `wire`: it ends or wedges a connection) and a list of `[[fault]]`: `when` it strikes, which (`nth`, `times`, `only`,
//! `chance`), `after_ms`, and what it does (`do = { act = "…", … }`). Files compose: all given are in force together.

mod engine;
mod rewrite;

use std::path::Path;

use serde::Deserialize;

use crate::domain::Side;

pub use engine::{Faults, Inbound};

/// One scenario file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The class of real-world incident that it stands for.
    pub incident: String,
    /// Where it can be played.
    pub tag: Tag,
    /// What goes wrong.
    pub fault: Vec<Fault>,
}

/// Where a scenario can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// In lockstep and over TCP.
    Venue,
    /// It is about the connection: to be judged over TCP.
    Wire,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What it waits for.
    pub when: When,
    /// Session seconds after the session's start: the instant of `when = "time"`, for others the earliest.
    #[serde(default)]
    pub at_s: f64,
    /// It strikes from the nth match on.
    #[serde(default = "one")]
    pub nth: u64,
    /// So many matches; 0 = all that follow.
    #[serde(default = "one")]
    pub times: u64,
    /// Only with this chance each time.
    #[serde(default = "certain")]
    pub chance: f64,
    /// Only where it says so: a status word, an error code, a tick type, a symbol of an order (`BUY`/`SELL` too).
    #[serde(default)]
    pub only: String,
    /// So many session milliseconds after the match; for faults that are commands or notices.
    #[serde(default)]
    pub after_ms: i64,
    /// What happens.
    #[serde(rename = "do")]
    pub action: Action,
}

fn one() -> u64 {
    1
}

fn certain() -> f64 {
    1.0
}

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
    Message,
    // Answers.
    Fill,
    Commission,
    Status,
    OpenOrder,
    WhatIfAnswer,
    Tick,
    Error,
    AccountRow,
    Clock,
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
    /// Ticks: another price, `nan`, `max` (1.797e308), or a number.
    Price {
        /// The text of the value.
        value: String,
    },
    /// Bid ticks: so far above the last ask that was sent; 0 locks, more crosses.
    CrossBy {
        /// USD.
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
    /// What-if answers: 1.797e308 in every margin field.
    Sentinels,
    /// What-if answers: no margin field at all.
    EmptyFields,
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
    },
    /// Somebody closes the position in a symbol.
    ExternalClose {
        /// Ticker.
        symbol: String,
    },
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
    ByHand { symbol: String, side: Side, qty: i64 },
    ExternalClose { symbol: String },
    Correct { by_usd: f64 },
    LateFill { perm: i64, qty: i64 },
    RollBackIds { by: i32 },
    Disconnect { conn: crate::sim::api::ConnId },
    DropLines,
    Reject { client_order: i32, conn: crate::sim::api::ConnId, reason: String },
    Locate { client_order: i32, conn: crate::sim::api::ConnId, ms: i64 },
}

/// Why a scenario file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("scenario {path}: {why}; see the files in faults/ for complete ones")]
pub struct ScenarioError {
    path: String,
    why: String,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// It can't be read, misses a key, holds an unknown one or a number that makes no sense.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let fail = |why: String| ScenarioError { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    /// Reads a scenario's text.
    ///
    /// # Errors
    /// As [`Scenario::read`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let scenario: Self = toml::from_str(text).map_err(|e| e.message().to_string())?;
        for f in &scenario.fault {
            if !(0.0..=1.0).contains(&f.chance) {
                return Err(format!("chance {} must lie between 0 and 1", f.chance));
            }
            if !(f.at_s >= 0.0 && f.at_s < 1e6) || f.nth == 0 || f.after_ms < 0 {
                return Err("at_s and after_ms must be 0 or more, nth 1 or more".into());
            }
        }
        Ok(scenario)
    }
}
