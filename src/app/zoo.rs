//! Loads the models and hands each stage what it needs of them; `models verify`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::zoo_watch::ZooWatch;
use crate::clock::{Clock, MILLISECOND, ScaledClock};
use crate::features::schema;
use crate::inference::{
    DeadlineClock, Engine, FtrlState, InferenceConfig, InferenceStage, Registry, Runtime, SchemaRef,
};
use crate::message::Calibration;

/// What is said of a zoo without its quorum.
pub(super) const NO_QUORUM: &str = "a horizon has fewer families than the zoo's quorum asks for";

/// A checked zoo, ready to become a stage.
pub struct Zoo {
    runtime: Runtime,
    registry: Registry,
    folder: PathBuf,
    /// How decision reads the scores.
    pub calibration: Calibration,
    /// Name of the zoo, and the hash of its manifest.
    pub name: String,
    /// Models that passed every check.
    pub models: usize,
    /// Models that did not, each as a sentence.
    pub quarantined: Vec<String>,
    /// Whether a model with a state learns on, and where an earlier session stopped.
    learn: Option<Option<FtrlState>>,
}

impl Zoo {
    /// Loads ONNX Runtime and every model of `dir`. A model that fails a check is quarantined by name.
    ///
    /// # Errors
    /// What is wrong with the zoo as a whole, with the fix.
    pub fn load(dir: &Path) -> Result<Self> {
        let runtime = Runtime::load()?;
        let hash = schema::hash();
        let registry = Registry::load(dir, &schema_ref(&hash), &runtime)?;
        let calibration = *registry.calibration();
        let name = format!("{} ({})", registry.zoo(), registry.manifest_sha256().get(..12).unwrap_or("?"));
        let models = registry.models().len();
        let quarantined = registry.quarantined().iter().map(ToString::to_string).collect();
        Ok(Self { runtime, registry, folder: dir.to_path_buf(), calibration, name, models, quarantined, learn: None })
    }

    /// SHA-256 of the manifest.
    pub fn manifest_sha256(&self) -> &str {
        self.registry.manifest_sha256()
    }

    /// Lets a model with a state learn on, from `checkpoint` if there is one.
    pub fn learning(mut self, checkpoint: Option<FtrlState>) -> Self {
        self.learn = Some(checkpoint);
        self
    }

    /// Version of ONNX Runtime and where it was found.
    pub fn runtime(&self) -> String {
        format!("ONNX Runtime {} at {}", self.runtime.version(), self.runtime.path().display())
    }

    /// The engine, warmed up.
    ///
    /// # Errors
    /// The inputs' matrices can't be made.
    pub fn into_engine(self, config: InferenceConfig, clock: &impl DeadlineClock) -> Result<Engine> {
        Engine::new(self.registry, &self.runtime, config, clock).context("warming the models up")
    }

    /// The inference stage alone, warmed up.
    ///
    /// # Errors
    /// The inputs' matrices can't be made.
    pub fn into_bench_stage<C: DeadlineClock>(self, config: InferenceConfig, clock: C) -> Result<InferenceStage<C>> {
        Ok(InferenceStage::new(self.registry, &self.runtime, config, clock)?)
    }

    /// The inference stage, warmed up, and what watches its zoo.
    ///
    /// # Errors
    /// The inputs' matrices can't be made.
    pub fn into_stage<C: Clock>(
        self,
        symbols: usize,
        budget_ms: u32,
        clock: C,
    ) -> Result<(InferenceStage<C>, ZooWatch)> {
        let config = InferenceConfig {
            budget: i64::from(budget_ms) * MILLISECOND,
            learn: self.learn.is_some(),
            ..InferenceConfig::new(symbols)
        };
        let mut stage = InferenceStage::new(self.registry, &self.runtime, config, clock)?;
        if let Some(Some(state)) = self.learn
            && !stage.resume(&state)
        {
            tracing::warn!("the checkpoint of the online learner is another model's and is not taken");
        }
        let port = stage.swap_port();
        let watch = ZooWatch::new(self.folder, config, port, stage.engine().health());
        Ok((stage, watch))
    }
}

/// Checks every model of `dir` and prints a line for each.
///
/// # Errors
/// The zoo can't be read, or a model is bad.
#[allow(clippy::print_stdout, reason = "the report is this command's output")]
pub fn verify(dir: &Path) -> Result<()> {
    let hash = schema::hash();
    let report = crate::inference::verify(dir, &schema_ref(&hash), &ScaledClock::real_time())?;
    println!("{report}");
    ensure!(report.is_good(), "some models failed; restore them from version control or train the zoo again");
    Ok(())
}

pub(super) const fn schema_ref(hash: &str) -> SchemaRef<'_> {
    SchemaRef { version: schema::VERSION, hash, columns: &schema::NAMES }
}
