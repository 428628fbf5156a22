//! `models/manifest.json` as data: what the training wrote of a zoo. No checks beyond form; `registry.rs` checks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::Family;

/// The one format that this crate reads.
pub(super) const FORMAT: u32 = 1;

/// A zoo: models trained together on one feature schema. Order of models = order of evaluation: when a pass runs
/// late, the last ones are left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Name of the zoo.
    pub zoo: String,
    /// The features that it was trained on.
    pub feature_schema: ManifestSchema,
    /// Per horizon in minutes: how scores turn into expected returns.
    pub calibration: BTreeMap<String, Calibration>,
    /// Per feature: lowest and highest value in training.
    #[serde(default)]
    pub feature_ranges: BTreeMap<String, [f32; 2]>,
    /// The models.
    pub models: Vec<ModelEntry>,
    /// What the training wants remembered; not read.
    #[serde(default)]
    pub training: serde_json::Value,
}

/// The schema that the training saw.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestSchema {
    /// Version of the schema.
    pub version: u32,
    /// Hash of names and order, as `features/` computes it.
    pub hash: String,
    /// The columns, in order.
    pub columns: Vec<ManifestColumn>,
}

/// One feature.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ManifestColumn {
    /// Its name.
    pub name: String,
    /// What it is computed from: `bar` or `quote`.
    pub source: String,
}

/// Calibration of one horizon.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected return in units of σ√h per unit of standardized mean score.
    pub slope: f32,
    /// Rank IC on the calibration days, for the reader.
    #[serde(default)]
    pub ic: Option<f32>,
}

/// One model file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Unique name.
    pub name: String,
    /// Family.
    pub family: Family,
    /// Horizons in minutes, in the order of the output's columns.
    pub horizons: Vec<i64>,
    /// File beside the manifest.
    pub file: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Features by name, in the order of the input's columns.
    pub inputs: Vec<String>,
    /// Name of the ONNX input, float32 `[n, inputs]`.
    pub input: String,
    /// Name of the ONNX output, float32 `[n, horizons]`.
    pub output: String,
    /// Mean of the raw score in training, per horizon.
    pub score_mean: Vec<f32>,
    /// Standard deviation of the raw score in training, per horizon, > 0.
    pub score_std: Vec<f32>,
    /// Inputs with the outputs that the training saw.
    pub golden: Golden,
    /// What the training wants remembered; not read.
    #[serde(default)]
    pub training: serde_json::Value,
}

/// Golden rows: the model must reproduce `y` from `x` at load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Golden {
    /// Shape `[rows, inputs]`.
    pub x: Vec<Vec<f32>>,
    /// Shape `[rows, horizons]`.
    pub y: Vec<Vec<f32>>,
}
