//! The registry: loads a zoo from its manifest and believes nothing that it can check. One model that fails is
//! enough to refuse the zoo: a session with half of its models is another strategy than the one tested.
//!
//! Each check answers a failure seen in practice: damaged weights that load and give other numbers (SHA-256), a
//! manifest that does not belong to the files (names, shapes, golden vector), features in another order (schema
//! hash and columns). The checks themselves are in `checks.rs`; `stage.rs` runs the models.

use std::path::Path;

use super::checks::{check_schema, check_zoo, feature_ranges, load_model, read_manifest};
use super::runtime::{Runtime, RuntimeError};
use super::session::{OnnxModel, SessionError};
use crate::domain::{Family, Horizon};

/// File name of the manifest in a zoo's folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The feature schema of the running program, as `features/` states it.
#[derive(Clone, Copy, Debug)]
pub struct SchemaRef<'a> {
    /// Its version.
    pub version: u32,
    /// Its hash.
    pub hash: &'a str,
    /// Its columns, in the order of [`crate::message::Cycle::features`].
    pub columns: &'a [&'a str],
}

/// Why a zoo can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// There is no ONNX Runtime.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The manifest is absent, unreadable or contradicts itself.
    #[error("model manifest {path}: {why}; {fix}")]
    Manifest {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
        /// What to do.
        fix: &'static str,
    },
    /// The zoo was trained on other features than this program computes.
    #[error(
        "zoo {zoo}: trained on feature schema {trained}, this program computes {running} ({why}); train the models \
         again, or run the program that they were trained for"
    )]
    Schema {
        /// Which zoo.
        zoo: String,
        /// Version and hash in the manifest.
        trained: String,
        /// Version and hash of the program.
        running: String,
        /// The first difference.
        why: String,
    },
    /// A model failed a check.
    #[error("model {name} ({file}): {fault}; restore it from version control or train the zoo again")]
    Model {
        /// The model.
        name: String,
        /// Its file.
        file: String,
        /// The check.
        fault: ModelFault,
    },
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelFault {
    /// The entry contradicts itself or the schema.
    #[error("its manifest entry is wrong ({0})")]
    Entry(String),
    /// The file can't be read.
    #[error("its file can't be read ({0})")]
    Unreadable(String),
    /// The file is not the one that was trained.
    #[error("its file has SHA-256 {found}, the manifest says {expected}")]
    Hash {
        /// Of the file.
        found: String,
        /// Of the manifest.
        expected: String,
    },
    /// ONNX Runtime refuses it or its ends don't fit.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It does not reproduce the training's outputs.
    #[error("its golden row {row} gives {found} for {horizon_min} minutes, the training saw {expected}")]
    Golden {
        /// Row of the golden vector.
        row: usize,
        /// Which output.
        horizon_min: i64,
        /// Computed here.
        found: f32,
        /// In the manifest.
        expected: f32,
    },
}

/// Mean and standard deviation of a model's raw score in training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreScale {
    /// Mean.
    pub mean: f32,
    /// Standard deviation, > 0.
    pub std: f32,
}

/// What the decision stage needs to read scores: plain data.
#[derive(Clone, Debug, PartialEq)]
pub struct ZooCalibration {
    /// Per family that the zoo has, in [`Family::ALL`]'s order: its scale per horizon, `None` = no such model.
    pub families: Vec<(Family, [Option<ScoreScale>; Horizon::COUNT])>,
    /// Per horizon: expected return in σ√h per unit of standardized mean score; NaN = not calibrated.
    pub slope: [f32; Horizon::COUNT],
}

/// A model that passed every check.
#[derive(Debug)]
pub struct LoadedModel {
    /// Its name.
    pub name: String,
    /// Its family.
    pub family: Family,
    /// Its horizons, in the order of its outputs.
    pub horizons: Vec<Horizon>,
    /// Its inputs as columns of the cycle.
    pub columns: Vec<usize>,
    /// Largest |computed − golden| at load.
    pub golden_max_diff: f32,
    /// Size of its file.
    pub bytes: usize,
    pub(super) model: OnnxModel,
}

/// The training's range of one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureRange {
    /// Column of the cycle.
    pub column: usize,
    /// Lowest value.
    pub low: f32,
    /// Highest value.
    pub high: f32,
}

/// A checked zoo.
#[derive(Debug)]
pub struct Registry {
    zoo: String,
    manifest_sha256: String,
    columns: usize,
    models: Vec<LoadedModel>,
    calibration: ZooCalibration,
    ranges: Vec<FeatureRange>,
}

impl Registry {
    /// Loads and checks the zoo in `dir`.
    ///
    /// # Errors
    /// The first check that fails; the sentence names the model and the fix.
    pub fn load(dir: &Path, schema: &SchemaRef<'_>, runtime: &Runtime) -> Result<Self, RegistryError> {
        let (manifest, manifest_sha256) = read_manifest(dir)?;
        check_schema(&manifest, schema)?;
        let calibration = check_zoo(dir, &manifest)?;
        let ranges = feature_ranges(dir, &manifest, schema)?;
        let mut models = Vec::with_capacity(manifest.models.len());
        for entry in &manifest.models {
            models.push(load_model(dir, entry, schema, runtime).map_err(|fault| RegistryError::Model {
                name: entry.name.clone(),
                file: entry.file.clone(),
                fault,
            })?);
        }
        tracing::info!(zoo = %manifest.zoo, models = models.len(), manifest = %manifest_sha256, "model zoo loaded");
        Ok(Self { zoo: manifest.zoo, manifest_sha256, columns: schema.columns.len(), models, calibration, ranges })
    }

    /// Name of the zoo.
    pub fn zoo(&self) -> &str {
        &self.zoo
    }

    /// SHA-256 of the manifest, and by its hashes of the whole zoo: what a journal should name.
    pub fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// How to read the scores.
    pub fn calibration(&self) -> &ZooCalibration {
        &self.calibration
    }

    /// Columns of the feature schema.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The models, in evaluation order.
    pub fn models(&self) -> &[LoadedModel] {
        &self.models
    }

    /// Ranges of the features that some model reads.
    pub fn ranges(&self) -> &[FeatureRange] {
        &self.ranges
    }

    pub(super) fn into_models(self) -> Vec<LoadedModel> {
        self.models
    }
}
