//! The checks of one model: its manifest entry, its file, and that it gives what the training saw.

use std::collections::BTreeMap;
use std::path::Path;

use super::checks::{read_limited, sha256_hex};
use super::manifest::{Golden, Input, Kind, ModelEntry, Output};
use super::model::Model;
use super::online::{FtrlState, Learner};
use super::registry::{LoadedModel, ModelFault, SchemaRef, horizons};
use super::runtime::Runtime;
use super::session::Signature;
use super::trees;
use crate::domain::Family;
use crate::message::{Aux, Calibration, ScoreScale};

/// Largest model file, bytes.
pub(super) const MAX_MODEL_BYTES: u64 = 64 << 20;
/// Newest operator sets that a model may use, by domain.
const OPSETS_MAX: [(&str, i64); 2] = [("", 17), ("ai.onnx.ml", 3)];
/// Fewest golden rows.
const GOLDEN_ROWS_MIN: usize = 8;
/// A golden output may differ by `GOLDEN_ABS + GOLDEN_REL × |expected|`: float32 sums in another order.
const GOLDEN_ABS: f32 = 1e-4;
/// See [`GOLDEN_ABS`].
const GOLDEN_REL: f32 = 1e-3;

/// An entry's names, understood.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) inputs: Vec<Input>,
    pub(super) outputs: Vec<Output>,
    /// Per score among the outputs.
    pub(super) scales: Vec<ScoreScale>,
}

impl Parsed {
    /// Reads an entry; the error says which of its fields is wrong.
    pub(super) fn of(entry: &ModelEntry, schema: &SchemaRef<'_>) -> Result<Self, String> {
        let inputs = entry.inputs.iter().map(|name| {
            Input::parse(name, schema.columns).ok_or_else(|| {
                format!("input {name:?} is no feature of schema v{} and no z:<family>:<minutes>", schema.version)
            })
        });
        let outputs = entry
            .columns
            .iter()
            .map(|name| Output::parse(name).ok_or_else(|| format!("column {name:?} is none that this program knows")));
        let inputs: Vec<Input> = inputs.collect::<Result<_, _>>()?;
        let outputs: Vec<Output> = outputs.collect::<Result<_, _>>()?;
        if inputs.is_empty() || outputs.is_empty() {
            return Err("it lists no inputs or no columns".into());
        }
        if outputs.iter().enumerate().any(|(i, o)| outputs[..i].contains(o)) {
            return Err("a column stands twice".into());
        }
        check_kind(entry, &outputs)?;
        Ok(Self { scales: scales_of(entry, horizons(&outputs).count())?, inputs, outputs })
    }
}

/// Forecasts have a family and a score, barrier models only chances.
fn check_kind(entry: &ModelEntry, outputs: &[Output]) -> Result<(), String> {
    let is_chance = |o: &Output| matches!(o, Output::Aux(Aux::Chance(_)));
    match (entry.kind, entry.family) {
        (Kind::Forecast, None) => Err("a forecast without a family".into()),
        (Kind::Forecast, Some(_)) if horizons(outputs).next().is_none() || outputs.iter().any(is_chance) => {
            Err("a forecast must have a score: column and no p: column".into())
        }
        (Kind::Barrier, Some(_)) => Err("a barrier model has no family".into()),
        (Kind::Barrier, None) if !outputs.iter().all(is_chance) => {
            Err("a barrier model must have p: columns only".into())
        }
        _ => Ok(()),
    }
}

fn scales_of(entry: &ModelEntry, scores: usize) -> Result<Vec<ScoreScale>, String> {
    if entry.score_mean.len() != scores || entry.score_std.len() != scores {
        return Err(format!("score_mean and score_std must have {scores} values each, one per score: column"));
    }
    if entry.score_mean.iter().any(|m| !m.is_finite()) {
        return Err("score_mean is not finite".into());
    }
    if entry.score_std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err("score_std is not positive".into());
    }
    let scale = |(&mean, &std): (&f32, &f32)| ScoreScale { mean, std };
    Ok(entry.score_mean.iter().zip(&entry.score_std).map(scale).collect())
}

/// Loads one model and runs every check on it.
pub(super) fn load_model(
    dir: &Path,
    entry: &ModelEntry,
    schema: &SchemaRef<'_>,
    calibration: &Calibration,
    runtime: &Runtime,
) -> Result<LoadedModel, ModelFault> {
    let parsed = Parsed::of(entry, schema).map_err(ModelFault::Entry)?;
    for (input, name) in parsed.inputs.iter().zip(&entry.inputs) {
        if let Input::Score(family, horizon) = input
            && calibration.scales[family.index()][horizon.index()].is_none()
        {
            return Err(ModelFault::Entry(format!("input {name:?} is a score that no model of the zoo gives")));
        }
    }
    check_golden_shape(entry)?;
    check_opset_limits(&entry.opset)?;
    if Path::new(&entry.file).file_name().is_none_or(|name| name != entry.file.as_str()) {
        return Err(ModelFault::Entry("its file is not a plain file name".into()));
    }
    let bytes = read_limited(&dir.join(&entry.file), MAX_MODEL_BYTES).map_err(ModelFault::Unreadable)?;
    let found = sha256_hex(&bytes);
    if !found.eq_ignore_ascii_case(&entry.sha256) {
        return Err(ModelFault::Hash { found, expected: entry.sha256.clone() });
    }
    let signature = Signature {
        input: &entry.input,
        width: parsed.inputs.len(),
        output: &entry.output,
        heads: entry.columns.len(),
    };
    let mut model = Model::load(runtime, &entry.name, &bytes, signature)?;
    let found = trees::opsets(&bytes).unwrap_or_default();
    if found != entry.opset {
        return Err(ModelFault::Opset { found: listed(&found), expected: listed(&entry.opset) });
    }
    let golden_max_diff = check_golden(entry, |x, rows| Ok(model.predict(x, rows, entry.inputs.len())?))?;
    let state = check_state(entry, &parsed)?;
    Ok(LoadedModel {
        name: entry.name.clone(),
        file: entry.file.clone(),
        family: entry.family,
        inputs: parsed.inputs,
        outputs: parsed.outputs,
        golden_max_diff,
        bytes: bytes.len(),
        state,
        model,
    })
}

fn listed(opsets: &BTreeMap<String, i64>) -> String {
    let one = |(domain, version): (&String, &i64)| {
        format!("{} {version}", if domain.is_empty() { "ai.onnx" } else { domain.as_str() })
    };
    if opsets.is_empty() { "none".into() } else { opsets.iter().map(one).collect::<Vec<_>>().join(", ") }
}

fn check_opset_limits(opsets: &BTreeMap<String, i64>) -> Result<(), ModelFault> {
    let known = |(domain, version): (&String, &i64)| {
        OPSETS_MAX.iter().any(|(d, max)| d == domain && (1..=*max).contains(version))
    };
    if opsets.is_empty() || !opsets.iter().all(known) {
        let why = format!("opset {}, allowed are ai.onnx up to 17 and ai.onnx.ml up to 3", listed(opsets));
        return Err(ModelFault::Entry(why));
    }
    Ok(())
}

fn check_golden_shape(entry: &ModelEntry) -> Result<(), ModelFault> {
    let Golden { x, y } = &entry.golden;
    if x.len() < GOLDEN_ROWS_MIN || x.len() != y.len() {
        let why = format!(
            "its golden vector has {} rows of x and {} of y, it must have {GOLDEN_ROWS_MIN} or more of each",
            x.len(),
            y.len()
        );
        return Err(ModelFault::Entry(why));
    }
    if x.iter().any(|r| r.len() != entry.inputs.len()) || y.iter().any(|r| r.len() != entry.columns.len()) {
        return Err(ModelFault::Entry("its golden vector has rows of another width".into()));
    }
    if x.iter().chain(y).flatten().any(|v| !v.is_finite()) {
        return Err(ModelFault::Entry("its golden vector is not finite".into()));
    }
    Ok(())
}

/// The state of an online learner must be the very model that the file holds.
fn check_state(entry: &ModelEntry, parsed: &Parsed) -> Result<Option<FtrlState>, ModelFault> {
    let Some(state) = &entry.state else { return Ok(None) };
    if entry.family != Some(Family::FtrlProximal) {
        return Err(ModelFault::Entry("only ftrl_proximal has a state".into()));
    }
    let state: FtrlState = serde_json::from_value(state.clone())
        .map_err(|e| ModelFault::Entry(format!("its state can't be read ({e})")))?;
    state.check(&parsed.inputs, &parsed.outputs).map_err(ModelFault::Entry)?;
    let mut learner = Learner::new(state.clone(), &parsed.inputs, &parsed.outputs, 0);
    let scored = |x: &[f32], rows: usize| {
        let mut y = vec![0.0; rows * entry.columns.len()];
        for (x, y) in x.chunks_exact(entry.inputs.len()).zip(y.chunks_exact_mut(entry.columns.len())) {
            learner.score(x, y);
        }
        Ok(y)
    };
    check_golden(entry, scored)?;
    Ok(Some(state))
}

/// Runs the golden rows; gives the largest difference.
fn check_golden(
    entry: &ModelEntry,
    mut predict: impl FnMut(&[f32], usize) -> Result<Vec<f32>, ModelFault>,
) -> Result<f32, ModelFault> {
    let x: Vec<f32> = entry.golden.x.iter().flatten().copied().collect();
    let found = predict(&x, entry.golden.x.len())?;
    let mut largest = 0.0_f32;
    for (row, (found, expected)) in found.chunks_exact(entry.columns.len()).zip(&entry.golden.y).enumerate() {
        for ((&found, &expected), column) in found.iter().zip(expected).zip(&entry.columns) {
            let diff = (found - expected).abs();
            if !diff.is_finite() || diff > GOLDEN_ABS + GOLDEN_REL * expected.abs() {
                return Err(ModelFault::Golden { row, column: column.clone(), found, expected });
            }
            largest = largest.max(diff);
        }
    }
    Ok(largest)
}
