//! The merged table as validated structs. Each part of the trader owns the struct of its section.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Table;

use super::layers::ConfigError;
use crate::pipeline::{GroupSpec, Topology};
use crate::{broker, decision, features, feed, journal, routing};

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[session]`.
    pub session: SessionSettings,
    /// `[universe]`.
    pub universe: UniverseSettings,
    /// `[pipeline]`.
    pub pipeline: PipelineSettings,
    /// `[feed]`.
    pub feed: feed::Config,
    /// `[features]`.
    pub features: features::Config,
    /// `[inference]`.
    pub inference: InferenceSettings,
    /// `[decision]`.
    pub decision: decision::Config,
    /// `[routing]`.
    pub routing: routing::Config,
    /// `[journal]`.
    pub journal: journal::JournalConfig,
    /// `[sender]`.
    pub sender: journal::SenderConfig,
    /// `[broker]`; checked when a broker is connected, since the shipped account is empty.
    pub broker: broker::ib::Config,
    /// `[demo]`.
    pub demo: DemoSettings,
    /// Hash of the merged table: what a journal's session was run with.
    #[serde(skip)]
    pub hash: u64,
}

/// `[session]`: what the run is called and when it trades.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSettings {
    /// Name of the profile, printed in banner and report.
    pub profile: String,
    /// Minutes after the opening bell before the first entry.
    pub entries_after_open_min: i64,
    /// Minutes before the session's end from which everything is flattened.
    pub flat_before_end_min: i64,
    /// Folder of journal and audit of the run.
    pub folder: String,
    /// Folder of histograms and summary.
    pub perf_folder: String,
    /// Folder of the models.
    pub models_folder: String,
}

/// `[universe]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniverseSettings {
    /// Tickers, as IB spells them.
    pub symbols: Vec<String>,
}

/// `[pipeline]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSettings {
    /// Threads; empty = chosen by the number of cores.
    pub groups: Vec<GroupSpec>,
}

/// `[inference]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceSettings {
    /// Wall time that one pass over all models may take.
    pub budget_ms: u32,
    /// Whether the online learner goes on from realised returns; never on a simulated gateway.
    pub learn: bool,
}

/// `[demo]`: the simulated session that `make demo` plays.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoSettings {
    /// Session seconds per wall second.
    pub speed: f64,
    /// Symbols of the simulated market.
    pub symbols: usize,
    /// Seed of the simulated market.
    pub seed: u64,
    /// First minute of the window, `HH:MM` New York.
    pub start: String,
    /// Length of the window, minutes of session time.
    pub minutes: i64,
}

impl Settings {
    /// Reads the merged table and checks every range.
    ///
    /// # Errors
    /// The first value out of range, named with what it may be.
    pub fn from_table(table: Table) -> Result<Self, ConfigError> {
        let hash = hash_of(&table);
        let settings: Self = table.try_into().map_err(|e: toml::de::Error| ConfigError::Invalid(one_line(&e)))?;
        settings.check()?;
        Ok(Self { hash, ..settings })
    }

    /// Checks every range again, after a command line changed values.
    ///
    /// # Errors
    /// The first value out of range, named with what it may be.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.validate().map_err(ConfigError::Invalid)
    }

    fn validate(&self) -> Result<(), String> {
        self.feed.validate()?;
        self.features.validate()?;
        self.decision.validate()?;
        self.routing.validate()?;
        self.journal.validate()?;
        self.sender.validate()?;
        if !(1..=10_000).contains(&self.inference.budget_ms) {
            return Err(format!("inference.budget_ms = {} must be 1 to 10000", self.inference.budget_ms));
        }
        if self.decision.name_shares_max > self.routing.limits.max_order_shares {
            return Err(format!(
                "decision.name_shares_max = {} is above routing.limits.max_order_shares = {}: an entry would be cut into \
                 equal slices that look like repeated orders; lower the first or raise the second",
                self.decision.name_shares_max, self.routing.limits.max_order_shares
            ));
        }
        let demo = &self.demo;
        if !(demo.speed.is_finite() && demo.speed > 0.0) {
            return Err(format!("demo.speed = {} must be a positive number", demo.speed));
        }
        if demo.minutes < 1 {
            return Err(format!("demo.minutes = {} must be 1 to 390 minutes", demo.minutes));
        }
        for (key, value) in [
            ("session.entries_after_open_min", self.session.entries_after_open_min),
            ("session.flat_before_end_min", self.session.flat_before_end_min),
            ("demo.minutes", demo.minutes),
        ] {
            if !(0..=390).contains(&value) {
                return Err(format!("{key} = {value} must be 0 to 390 minutes"));
            }
        }
        Ok(())
    }

    /// The map of stages to threads for a host with these cores.
    ///
    /// # Errors
    /// An explicit map that is not valid here.
    pub fn topology(&self, cores: &[usize]) -> Result<Topology, ConfigError> {
        if self.pipeline.groups.is_empty() {
            return Ok(Topology::automatic(cores));
        }
        Topology::checked(self.pipeline.groups.clone(), cores).map_err(ConfigError::Invalid)
    }
}

/// serde's words, which name the key in a line of its own.
fn one_line(error: &toml::de::Error) -> String {
    let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{words}; config/default.toml shows what it may be")
}

/// First eight bytes of the SHA-256 of the table as text.
fn hash_of(table: &Table) -> u64 {
    let digest = Sha256::digest(table.to_string().as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}
