//! How the conversations went: one row each, the score, and what none of them covers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::compare::Difference;
use super::fixture::Fixture;
use super::names;
use super::recording::{Recording, Step};
use super::rules;
use crate::sim::api::Request;

/// How a conversation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Every answer was the recorded one.
    Reproduced,
    /// It differs only in ways that are listed with a reason.
    Listed,
    /// It differs otherwise.
    Differs,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Listed => "listed",
            Self::Differs => "differs",
        }
    }
}

/// One conversation.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// The file's name.
    pub name: String,
    /// What it is about.
    pub topic: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// Recorded answers compared.
    pub answers: usize,
    /// Differences that are not listed.
    pub differences: Vec<String>,
    /// Reasons of those that are, with one example each.
    pub listed: BTreeMap<String, String>,
}

/// What the conversations cover: requests and answers by message.
#[derive(Clone, Debug, Default)]
pub(super) struct Coverage {
    answers: BTreeMap<i32, usize>,
    errors: BTreeMap<i64, usize>,
    kinds: BTreeSet<String>,
    requests: BTreeSet<String>,
}

impl Coverage {
    pub(super) fn add(&mut self, recording: &Recording) {
        for m in recording.answers() {
            *self.answers.entry(m.id).or_default() += 1;
            if m.id == 4 {
                *self.errors.entry(m.int("3").unwrap_or(0)).or_default() += 1;
            }
        }
        for r in recording.requests() {
            self.requests.insert(request_name(r));
            if let Request::PlaceOrder { order, .. } = r {
                self.kinds.insert(order.order_type.clone());
                self.kinds.insert(order.tif.clone());
            }
        }
    }
}

/// The variant's name.
fn request_name(r: &Request) -> String {
    match r {
        Request::Unserved { msg_id, .. } | Request::Unanswered { msg_id } => format!("request {msg_id}"),
        other => {
            let text = format!("{other:?}");
            let inner = text.strip_prefix("Stream(").or_else(|| text.strip_prefix("Lookup(")).unwrap_or(&text);
            inner.split([' ', '{', ')']).next().unwrap_or_default().to_string()
        }
    }
}

/// Requests that a client can make, by their name here.
const REQUESTS: &[&str] = &[
    "ReqIds",
    "ReqCurrentTime",
    "ReqManagedAccounts",
    "ReqContractDetails",
    "ReqMarketRule",
    "ReqMarketDataType",
    "ReqMktData",
    "CancelMktData",
    "ReqHistoricalData",
    "CancelHistoricalData",
    "PlaceOrder",
    "CancelOrder",
    "ReqGlobalCancel",
    "ReqOpenOrders",
    "ReqAllOpenOrders",
    "ReqAutoOpenOrders",
    "ReqCompletedOrders",
    "ReqExecutions",
    "ReqPositions",
    "CancelPositions",
    "ReqAccountSummary",
    "CancelAccountSummary",
    "ReqAccountUpdates",
    "ReqPnl",
    "CancelPnl",
    "ReqPnlSingle",
    "CancelPnlSingle",
    "TickByTick",
    "Depth",
    "DepthExchanges",
    "RealTimeBars",
    "HistoricalTicks",
    "HeadTimestamp",
    "Histogram",
    "PositionsMulti",
    "AccountUpdatesMulti",
    "MatchingSymbols",
    "SmartComponents",
    "CurrentTimeInMillis",
    "Config",
    "UserInfo",
    "FamilyCodes",
    "SoftDollarTiers",
];

/// Order types and times in force that the gateway takes.
const ORDER_KINDS: &[&str] = &[
    "MKT",
    "LMT",
    "STP",
    "STP LMT",
    "TRAIL",
    "TRAIL LIMIT",
    "MIT",
    "LIT",
    "MTL",
    "MIDPRICE",
    "PEG MID",
    "REL",
    "MOC",
    "LOC",
    "DAY",
    "GTC",
    "IOC",
    "FOK",
    "GTD",
    "OPG",
    "DTC",
];

/// All conversations.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// One a conversation.
    pub rows: Vec<Row>,
    /// Reproduced, listed, of how many, by topic.
    pub by_topic: BTreeMap<&'static str, [usize; 3]>,
    /// Recorded answers by message.
    pub answers: BTreeMap<String, usize>,
    /// Recorded error codes.
    pub errors: BTreeMap<i64, usize>,
    /// What no conversation covers: requests, order types and times in force.
    pub not_covered: Vec<String>,
}

impl Report {
    pub(super) fn new(rows: Vec<Row>, coverage: &Coverage) -> Self {
        let mut by_topic: BTreeMap<&'static str, [usize; 3]> = BTreeMap::new();
        for row in &rows {
            let [reproduced, listed, all] = by_topic.entry(row.topic).or_default();
            *all += 1;
            match row.outcome {
                Outcome::Reproduced => *reproduced += 1,
                Outcome::Listed => *listed += 1,
                Outcome::Differs => {}
            }
        }
        let requests = REQUESTS.iter().filter(|r| !coverage.requests.contains(**r));
        let kinds = ORDER_KINDS.iter().filter(|k| !coverage.kinds.contains(**k));
        Self {
            by_topic,
            answers: coverage.answers.iter().map(|(id, n)| (names::message(*id), *n)).collect(),
            errors: coverage.errors.clone(),
            not_covered: requests.chain(kinds).map(|s| (*s).to_string()).collect(),
            rows,
        }
    }

    /// How many went so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows.iter().filter(|r| r.outcome == outcome).count()
    }

    /// As a table for people; `all` shows every difference.
    pub fn render(&self, all: bool) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let (name, topic, word) = (&row.name, row.topic, row.outcome.word());
            let _ = writeln!(out, "{name:<44} {topic:<12} {word:<11} {:>4} answers", row.answers);
            let shown = if all { row.differences.len() } else { 1 };
            for difference in row.differences.iter().take(shown) {
                let _ = writeln!(out, "    differs  {difference}");
            }
            if row.differences.len() > shown {
                let _ = writeln!(out, "    and {} more", row.differences.len() - shown);
            }
            for (why, example) in &row.listed {
                let _ = writeln!(out, "    listed   {why}");
                if all {
                    let _ = writeln!(out, "             {example}");
                }
            }
        }
        let of = self.rows.len();
        let _ = writeln!(
            out,
            "\nreproduced {} of {of} conversations, {} differ in listed ways only, {} otherwise",
            self.count(Outcome::Reproduced),
            self.count(Outcome::Listed),
            self.count(Outcome::Differs)
        );
        for (topic, [reproduced, listed, all]) in &self.by_topic {
            let _ = writeln!(out, "  {topic:<12} {reproduced} of {all} reproduced, {listed} listed");
        }
        let list = |names: &mut dyn Iterator<Item = String>| names.collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "answers: {}", list(&mut self.answers.iter().map(|(m, n)| format!("{m} {n}"))));
        let _ = writeln!(out, "error codes: {}", list(&mut self.errors.iter().map(|(c, n)| format!("{c} ×{n}"))));
        let _ = write!(out, "no recording covers: {}", self.not_covered.join(", "));
        out
    }
}

/// A conversation's row.
pub(super) fn row(
    recording: &Recording,
    fixture: &Fixture,
    answers: usize,
    found: &[Difference],
    unplayable: &[String],
) -> Row {
    let mut differences: Vec<String> = Vec::new();
    let mut listed: BTreeMap<String, String> = BTreeMap::new();
    for d in found.iter().filter(|d| !rules::is_forgiven(d, fixture)) {
        match rules::reason(d, fixture) {
            Some(why) => drop(listed.entry(why.into()).or_insert_with(|| d.shown())),
            None => differences.push(d.shown()),
        }
    }
    differences.extend(unplayable.iter().map(|why| format!("the client's side can't be played: {why}")));
    let outcome = match (differences.is_empty(), listed.is_empty()) {
        (false, _) => Outcome::Differs,
        (true, false) => Outcome::Listed,
        (true, true) => Outcome::Reproduced,
    };
    Row { name: recording.name.clone(), topic: topic(recording), outcome, answers, differences, listed }
}

/// What a conversation is about: the first of these that its client asks for.
fn topic(recording: &Recording) -> &'static str {
    let asks = |is: fn(&Request) -> bool| recording.requests().any(is);
    let server_only = !recording.steps.iter().any(|s| matches!(s, Step::Client(_) | Step::Unplayable(_)));
    if server_only {
        "session"
    } else if asks(|r| {
        matches!(r, Request::PlaceOrder { .. } | Request::CancelOrder { .. } | Request::ReqCompletedOrders { .. })
    }) {
        "orders"
    } else if asks(|r| matches!(r, Request::ReqContractDetails { .. } | Request::ReqMarketRule { .. })) {
        "contracts"
    } else if asks(|r| matches!(r, Request::ReqHistoricalData { .. })) {
        "history"
    } else if asks(|r| matches!(r, Request::ReqMktData { .. } | Request::ReqMarketDataType { .. } | Request::Stream(_)))
    {
        "market data"
    } else if asks(|r| !matches!(r, Request::ReqCurrentTime | Request::ReqIds | Request::StartApi { .. })) {
        "account"
    } else {
        "session"
    }
}
