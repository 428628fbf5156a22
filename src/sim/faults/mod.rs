//! Fault scenarios: what goes wrong, when, and how often, read from TOML and carried out between the venue and the wire.
//!
//! Owns the scenarios ([`Scenario`]) and the engine ([`Faults`]). A fault that concerns messages (lost, late, doubled,
//! wrong, never sent) is carried out here, after the venue has spoken and the referee has listened, so that books and
//! audit stay exact; one that concerns the market or the orders goes to the venue as a [`Command`]; one that concerns
//! bytes goes to the wire's server as a [`WireFault`](crate::sim::api::WireFault). Knows no socket and no clock; the
//! same seed and the same calls give the same faults.
//!
//! A file holds `incident` (the real-world class it stands for), `tag` (`venue`: everything happens in lockstep too;
//! `wire`: it ends or wedges a connection) and a list of `[[fault]]`: `when` it strikes, which (`nth`, `times`, `only`,
//! `chance`), `after_ms`, and what it does (`do = { act = "…", … }`). Files compose: all given are in force together.

mod act;
mod action;
mod describe;
mod engine;
mod rewrite;
mod unset;

use std::path::Path;

use serde::Deserialize;

pub use action::{Action, Command, When};
pub use engine::{Faults, Inbound};

use action::Place;

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
    /// Session seconds after the session's start from which it no longer strikes; 0 = never ends.
    #[serde(default)]
    pub until_s: f64,
    /// It strikes from the nth match on.
    #[serde(default = "one")]
    pub nth: u64,
    /// So many matches; 0 = all that follow.
    #[serde(default = "one")]
    pub times: u64,
    /// Only with this chance each time.
    #[serde(default = "certain")]
    pub chance: f64,
    /// Only where it says so: a status word, an error code, a tick type, a row's key, a list's name; a symbol or its
    /// primary exchange; an order's side or type.
    #[serde(default)]
    pub only: String,
    /// So many session milliseconds after the match; for faults that are commands, notices or about bytes.
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
        scenario.fault.iter().try_for_each(Fault::check)?;
        Ok(scenario)
    }
}

impl Fault {
    fn check(&self) -> Result<(), String> {
        let span = |s: f64| (0.0..1e6).contains(&s);
        if !(0.0..=1.0).contains(&self.chance) {
            return Err(format!("chance {} must lie between 0 and 1", self.chance));
        }
        if !span(self.at_s) || !span(self.until_s) || self.nth == 0 || !(0..=1_000_000_000).contains(&self.after_ms) {
            return Err(
                "at_s, until_s and after_ms must be 0 or more and below a million seconds, nth 1 or more".into()
            );
        }
        let fits = match self.action.place() {
            Place::Anything => true,
            Place::Requests => self.when.is_request(),
            Place::Answers => !self.when.is_request() && self.when != When::Time,
        };
        if !fits {
            return Err(format!(
                "{:?} can't be done at {:?}: requests and answers have acts of their own",
                self.action, self.when
            ));
        }
        match &self.action {
            Action::Delay { ms } | Action::Locate { ms } if !(0..=1_000_000_000).contains(ms) => {
                Err(format!("ms {ms} must be 0 or more and below a million seconds"))
            }
            Action::Outage { for_s, .. }
            | Action::StaleTicks { for_s }
            | Action::DelayedTicks { for_s }
            | Action::Halt { for_s, .. }
            | Action::HalfOpen { for_s }
            | Action::Door { for_s, .. }
                if !span(*for_s) =>
            {
                Err(format!("for_s {for_s} must be 0 or more and below a million seconds"))
            }
            Action::Cap { by } if !(0.0..1.0).contains(by) => {
                Err(format!("by {by} must be a share of the limit below 1"))
            }
            Action::Split { to, from, .. } if !(1..=1_000).contains(to) || !(1..=1_000).contains(from) => {
                Err("a split's to and from must lie between 1 and 1000".into())
            }
            Action::ByHand { qty, .. } | Action::LateFill { qty } if !(1..=1_000_000).contains(qty) => {
                Err(format!("qty {qty} must lie between 1 and a million shares"))
            }
            Action::ByHand { limit_usd: Some(usd), .. } if !(0.0001..1e6).contains(usd) => {
                Err(format!("limit_usd {usd} must be a price"))
            }
            Action::CrossBy { usd } | Action::OneExchange { usd, .. } | Action::Correct { by_usd: usd }
                if !(-1e4..1e4).contains(usd) =>
            {
                Err(format!("{usd} USD must lie between -10000 and 10000"))
            }
            Action::Duplicate { copies } if *copies > 1_000 => {
                Err(format!("copies {copies} must be a thousand at most"))
            }
            Action::RollBackIds { by } | Action::Restart { ids_back: by } if *by < 0 => {
                Err(format!("ids fall back by {by}: it must be 0 or more"))
            }
            Action::Outage { then, .. } if ![1_101, 1_102].contains(then) => {
                Err(format!("an outage ends with 1101 or 1102, not {then}"))
            }
            Action::GarbageBytes { bytes } if *bytes > 1 << 20 => Err("bytes must be a mebibyte at most".into()),
            _ => Ok(()),
        }
    }
}
