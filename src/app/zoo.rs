//! Loads the models with ONNX Runtime and hands each stage what it needs of them; `models verify`.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::clock::{Clock, MILLISECOND, ScaledClock};
use crate::features::schema;
use crate::inference::{InferenceConfig, InferenceStage, Registry, Runtime, SchemaRef};
use crate::message::Calibration;

/// A checked zoo, ready to become a stage.
pub struct Zoo {
    runtime: Runtime,
    registry: Registry,
    /// How decision reads the scores.
    pub calibration: Calibration,
    /// Name of the zoo, and the hash of its manifest.
    pub name: String,
    /// Models in it.
    pub models: usize,
}

impl Zoo {
    /// Loads ONNX Runtime and every model of `dir`.
    ///
    /// # Errors
    /// The first thing that fails a check, with the fix.
    pub fn load(dir: &Path) -> Result<Self> {
        let runtime = Runtime::load()?;
        let hash = schema::hash();
        let registry = Registry::load(dir, &schema_ref(&hash), &runtime)?;
        let calibration = *registry.calibration();
        let name = format!("{} ({})", registry.zoo(), registry.manifest_sha256().get(..12).unwrap_or("?"));
        let models = registry.models().len();
        Ok(Self { runtime, registry, calibration, name, models })
    }

    /// Version of ONNX Runtime and where it was found.
    pub fn runtime(&self) -> String {
        format!("ONNX Runtime {} at {}", self.runtime.version(), self.runtime.path().display())
    }

    /// The inference stage, warmed up.
    ///
    /// # Errors
    /// A model fails its warm-up pass.
    pub fn into_stage<C: Clock>(self, symbols: usize, budget_ms: u32, clock: C) -> Result<InferenceStage<C>> {
        let config = InferenceConfig { max_rows: symbols, budget: i64::from(budget_ms) * MILLISECOND, keep: true };
        InferenceStage::new(self.registry, &self.runtime, config, clock).context("warming the models up")
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

const fn schema_ref(hash: &str) -> SchemaRef<'_> {
    SchemaRef { version: schema::VERSION, hash, columns: &schema::NAMES }
}
