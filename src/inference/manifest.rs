//! `models/manifest.json` as data: what the training wrote of a zoo. No checks beyond form; `checks.rs` checks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Family, Horizon};
use crate::message::Aux;

/// The one format that this crate reads.
pub(super) const FORMAT: u32 = 2;

/// A zoo: models trained together on one feature schema. Order of models = order of evaluation, except that a model
/// that reads scores runs after the families that it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: u32,
    /// Name of the zoo.
    pub zoo: String,
    /// The features that it was trained on.
    pub feature_schema: ManifestSchema,
    /// Per horizon in minutes: how scores turn into expected returns.
    pub calibration: BTreeMap<String, ManifestCalibration>,
    /// Per feature: lowest and highest value in training.
    #[serde(default)]
    pub feature_ranges: BTreeMap<String, [f32; 2]>,
    /// Families in the order in which repeated lateness sheds them, costliest first.
    pub shed_order: Vec<Family>,
    /// Per horizon in minutes: the fewest families that it needs.
    pub quorum: BTreeMap<String, usize>,
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
pub struct ManifestCalibration {
    /// Expected return in units of σ√h per unit of standardized mean score.
    pub slope: f32,
    /// Rank IC on the calibration days, for the reader.
    #[serde(default)]
    pub ic: Option<f32>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Scores of a family.
    Forecast,
    /// Chances of barrier events.
    Barrier,
}

/// One model file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Unique name.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Family; forecasts only.
    #[serde(default)]
    pub family: Option<Family>,
    /// File beside the manifest.
    pub file: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Operator sets of the file, by domain.
    pub opset: BTreeMap<String, i64>,
    /// Inputs by name, in the order of the input's columns; see [`Input`].
    pub inputs: Vec<String>,
    /// Name of the ONNX input, float32 `[n, inputs]`.
    pub input: String,
    /// Name of the ONNX output, float32 `[n, columns]`.
    pub output: String,
    /// Meaning of the output's columns; see [`Output`].
    pub columns: Vec<String>,
    /// Mean of the raw score in training, per `score:` column.
    #[serde(default)]
    pub score_mean: Vec<f32>,
    /// Standard deviation of the raw score in training, per `score:` column, > 0.
    #[serde(default)]
    pub score_std: Vec<f32>,
    /// Inputs with the outputs that the training saw.
    pub golden: Golden,
    /// Where an online learner stopped; FTRL-proximal only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<serde_json::Value>,
    /// What the training wants remembered; not read.
    #[serde(default)]
    pub training: serde_json::Value,
}

/// Golden rows: the model must reproduce `y` from `x` at load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Golden {
    /// Shape `[rows, inputs]`.
    pub x: Vec<Vec<f32>>,
    /// Shape `[rows, columns]`.
    pub y: Vec<Vec<f32>>,
}

/// What a column of a model's input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A column of the feature schema, by its name.
    Feature(usize),
    /// `z:<family>:<minutes>`: that family's standardised score of the same pass, cut to ±3.
    Score(Family, Horizon),
}

impl Input {
    /// Reads a name; `features` are the schema's.
    pub(super) fn parse(name: &str, features: &[&str]) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("z:") {
            let (family, minutes) = rest.split_once(':')?;
            return Some(Self::Score(Family::from_name(family)?, horizon(minutes)?));
        }
        features.iter().position(|f| *f == name).map(Self::Feature)
    }
}

/// What a column of a model's output means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// `score:<minutes>`: the raw score.
    Score(Horizon),
    /// `q10:…`, `q90:…`, `log_scale:<minutes>`, `anomaly`, `realism`, `p:<barrier>`.
    Aux(Aux),
}

impl Output {
    /// Reads a name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        use crate::domain::Barrier;
        Some(match name.split_once(':') {
            Some(("score", minutes)) => Self::Score(horizon(minutes)?),
            Some(("q10", minutes)) => Self::Aux(Aux::Q10(horizon(minutes)?)),
            Some(("q90", minutes)) => Self::Aux(Aux::Q90(horizon(minutes)?)),
            Some(("log_scale", minutes)) => Self::Aux(Aux::LogScale(horizon(minutes)?)),
            Some(("p", barrier)) => Self::Aux(Aux::Chance(Barrier::ALL.into_iter().find(|b| b.name() == barrier)?)),
            None if name == "anomaly" => Self::Aux(Aux::Anomaly),
            None if name == "realism" => Self::Aux(Aux::Realism),
            _ => return None,
        })
    }
}

/// A horizon by its minutes, spelled without sign or leading zero.
pub(super) fn horizon(minutes: &str) -> Option<Horizon> {
    Horizon::ALL.into_iter().find(|h| h.minutes().to_string() == minutes)
}
