//! The registry: loads a zoo from its manifest and believes nothing that it can check. What is wrong with the zoo as
//! a whole refuses it; a model that fails a check of its own is quarantined by name, and the zoo goes on without it.
//!
//! Each check answers a failure seen in practice: damaged weights that load and give other numbers (SHA-256), a
//! manifest that does not belong to the files (names, shapes, operator sets, golden vector), features in another
//! order (schema hash and columns). The checks are in `checks.rs` (zoo) and `model_checks.rs` (one model);
//! `engine.rs` runs the models.

use std::path::Path;

use super::checks::{check_schema, check_zoo, feature_ranges, read_manifest};
use super::manifest::{Input, Output};
use super::model::{Evaluator, Model};
use super::model_checks::load_model;
use super::online::FtrlState;
use super::runtime::{Runtime, RuntimeError};
use super::session::SessionError;
use crate::domain::{Family, Horizon};
use crate::message::Calibration;

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
    /// The matrices of the inputs can't be made.
    #[error("the inputs of zoo {zoo} can't be made ({why}); lower the number of symbols")]
    Inputs {
        /// Which zoo.
        zoo: String,
        /// The runtime's word.
        why: String,
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
    /// The file uses other operator sets than stated.
    #[error("its file uses the operator sets {found}, the manifest says {expected}")]
    Opset {
        /// In the file.
        found: String,
        /// In the manifest.
        expected: String,
    },
    /// ONNX Runtime refuses it or its ends don't fit.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It does not reproduce the training's outputs.
    #[error("its golden row {row} gives {found} for {column}, the training saw {expected}")]
    Golden {
        /// Row of the golden vector.
        row: usize,
        /// Which output.
        column: String,
        /// Computed here.
        found: f32,
        /// In the manifest.
        expected: f32,
    },
    /// One pass of it takes longer than all may together.
    #[error("one pass of {rows} rows takes {took_ms:.1} ms, and all models together have {budget_ms:.1}")]
    Slow {
        /// Rows of the pass.
        rows: usize,
        /// What it took.
        took_ms: f64,
        /// The budget.
        budget_ms: f64,
    },
}

/// A model that failed a check.
#[derive(Debug, thiserror::Error)]
#[error("model {name} ({file}): {fault}; restore it from version control or train the zoo again")]
pub struct Quarantined {
    /// The model.
    pub name: String,
    /// Its file.
    pub file: String,
    /// The check.
    pub fault: ModelFault,
}

/// A model that passed every check.
#[derive(Debug)]
pub struct LoadedModel {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Its family; `None` = barrier events.
    pub family: Option<Family>,
    /// Its inputs, in the order of its columns.
    pub inputs: Vec<Input>,
    /// Its outputs, in the order of its columns.
    pub outputs: Vec<Output>,
    /// Largest |computed − golden| at load.
    pub golden_max_diff: f32,
    /// Size of its file.
    pub bytes: usize,
    /// The state of an online learner, as trained.
    pub state: Option<FtrlState>,
    pub(super) model: Model,
}

impl LoadedModel {
    /// What runs it.
    pub fn evaluator(&self) -> Evaluator {
        self.model.evaluator()
    }

    /// Its horizons.
    pub fn horizons(&self) -> impl Iterator<Item = Horizon> {
        horizons(&self.outputs)
    }
}

/// Horizons of the scores among outputs.
pub(super) fn horizons(outputs: &[Output]) -> impl Iterator<Item = Horizon> {
    outputs.iter().filter_map(|o| match o {
        Output::Score(horizon) => Some(*horizon),
        Output::Aux(_) => None,
    })
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

/// What the manifest says of the zoo as a whole.
#[derive(Clone, Debug)]
pub(super) struct ZooPlan {
    /// How to read the scores.
    pub(super) calibration: Calibration,
    /// Indices of models in order of evaluation: the manifest's, readers of scores after what they read.
    pub(super) order: Vec<usize>,
    /// Families in the order in which lateness sheds them.
    pub(super) shed_order: Vec<Family>,
    /// Fewest families per horizon.
    pub(super) quorum: [usize; Horizon::COUNT],
}

/// A checked zoo.
#[derive(Debug)]
pub struct Registry {
    zoo: String,
    manifest_sha256: String,
    columns: usize,
    models: Vec<LoadedModel>,
    quarantined: Vec<Quarantined>,
    plan: ZooPlan,
    ranges: Vec<FeatureRange>,
}

impl Registry {
    /// Loads and checks the zoo in `dir`. A model that fails a check is in [`Registry::quarantined`].
    ///
    /// # Errors
    /// What is wrong with the zoo as a whole; the sentence names the fix.
    pub fn load(dir: &Path, schema: &SchemaRef<'_>, runtime: &Runtime) -> Result<Self, RegistryError> {
        let (manifest, manifest_sha256) = read_manifest(dir)?;
        check_schema(&manifest, schema)?;
        let plan = check_zoo(dir, &manifest, schema)?;
        let ranges = feature_ranges(dir, &manifest, schema)?;
        let (mut models, mut quarantined) = (Vec::with_capacity(manifest.models.len()), Vec::new());
        for &index in &plan.order {
            let entry = &manifest.models[index];
            match load_model(dir, entry, schema, &plan.calibration, runtime) {
                Ok(model) => models.push(model),
                Err(fault) => {
                    let bad = Quarantined { name: entry.name.clone(), file: entry.file.clone(), fault };
                    tracing::warn!("quarantined: {bad}");
                    quarantined.push(bad);
                }
            }
        }
        tracing::info!(zoo = %manifest.zoo, models = models.len(), manifest = %manifest_sha256, "model zoo loaded");
        let columns = schema.columns.len();
        Ok(Self { zoo: manifest.zoo, manifest_sha256, columns, models, quarantined, plan, ranges })
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
    pub fn calibration(&self) -> &Calibration {
        &self.plan.calibration
    }

    /// Columns of the feature schema.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The models that passed, in evaluation order.
    pub fn models(&self) -> &[LoadedModel] {
        &self.models
    }

    /// The models that did not.
    pub fn quarantined(&self) -> &[Quarantined] {
        &self.quarantined
    }

    /// Ranges of the features that some model reads.
    pub fn ranges(&self) -> &[FeatureRange] {
        &self.ranges
    }

    pub(super) fn into_parts(self) -> (Vec<LoadedModel>, Vec<Quarantined>, ZooPlan) {
        (self.models, self.quarantined, self.plan)
    }
}
