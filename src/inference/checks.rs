//! The checks of a zoo, each a function of its own: `registry.rs` stops at the first that fails, `verify.rs` reports
//! all. Reads files, keeps nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::manifest::{FORMAT, Golden, Manifest, ModelEntry};
use super::registry::{
    FeatureRange, LoadedModel, MANIFEST_FILE, ModelFault, RegistryError, SchemaRef, ScoreScale, ZooCalibration,
};
use super::runtime::Runtime;
use super::session::{OnnxModel, Signature};
use crate::domain::{Family, Horizon};

/// Most models of a zoo (16 families × 5 horizons, and as many again).
const MAX_MODELS: usize = 160;
/// Largest model file, bytes.
const MAX_MODEL_BYTES: u64 = 64 << 20;
/// Largest manifest, bytes.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;
/// A golden output may differ by `GOLDEN_ABS + GOLDEN_REL × |expected|`: float32 sums in another order.
const GOLDEN_ABS: f32 = 1e-4;
/// See [`GOLDEN_ABS`].
const GOLDEN_REL: f32 = 1e-3;

fn manifest_error(dir: &Path, why: String, fix: &'static str) -> RegistryError {
    RegistryError::Manifest { path: dir.join(MANIFEST_FILE).display().to_string(), why, fix }
}

/// Reads a manifest and the hash of its bytes.
pub(super) fn read_manifest(dir: &Path) -> Result<(Manifest, String), RegistryError> {
    let bytes = read_limited(&dir.join(MANIFEST_FILE), MAX_MANIFEST_BYTES)
        .map_err(|why| manifest_error(dir, why, "point `session.models_folder` at a trained zoo, or train one"))?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|e| manifest_error(dir, format!("not a manifest ({e})"), "restore it from version control"))?;
    if manifest.format != FORMAT {
        let why = format!("format {} is unknown, this program reads format {FORMAT}", manifest.format);
        return Err(manifest_error(dir, why, "train the zoo with this version's models/train"));
    }
    Ok((manifest, sha256_hex(&bytes)))
}

/// The manifest's schema must be the running one: hash, version and every column.
pub(super) fn check_schema(manifest: &Manifest, schema: &SchemaRef<'_>) -> Result<(), RegistryError> {
    let trained = &manifest.feature_schema;
    let mismatch = |why: String| RegistryError::Schema {
        zoo: manifest.zoo.clone(),
        trained: format!("v{} {}", trained.version, trained.hash),
        running: format!("v{} {}", schema.version, schema.hash),
        why,
    };
    if trained.version != schema.version {
        return Err(mismatch("versions differ".into()));
    }
    if trained.columns.len() != schema.columns.len() {
        return Err(mismatch(format!("{} columns against {}", trained.columns.len(), schema.columns.len())));
    }
    let differs = trained.columns.iter().zip(schema.columns).position(|(t, s)| t.name != *s);
    if let Some(i) = differs {
        return Err(mismatch(format!("column {i} is {:?} against {:?}", trained.columns[i].name, schema.columns[i])));
    }
    if trained.hash != schema.hash {
        return Err(mismatch("hashes differ".into()));
    }
    Ok(())
}

/// What can be said of the models together: count, names, no two for one column of predictions, calibration.
pub(super) fn check_zoo(dir: &Path, manifest: &Manifest) -> Result<ZooCalibration, RegistryError> {
    let wrong = |why: String| manifest_error(dir, why, "train the zoo again");
    if manifest.models.is_empty() || manifest.models.len() > MAX_MODELS {
        return Err(wrong(format!("{} models, it must have 1 to {MAX_MODELS}", manifest.models.len())));
    }
    let mut slope = [f32::NAN; Horizon::COUNT];
    for (minutes, calibration) in &manifest.calibration {
        let horizon = minutes.parse().ok().and_then(Horizon::from_minutes);
        let horizon = horizon.ok_or_else(|| wrong(format!("calibration of an unknown horizon {minutes:?}")))?;
        if !calibration.slope.is_finite() {
            return Err(wrong(format!("the calibration slope of {minutes} minutes is not a number")));
        }
        slope[horizon.index()] = calibration.slope;
    }
    let mut names = BTreeSet::new();
    let mut scales: BTreeMap<Family, [Option<ScoreScale>; Horizon::COUNT]> = BTreeMap::new();
    for entry in &manifest.models {
        if !names.insert(entry.name.as_str()) {
            return Err(wrong(format!("two models are called {}", entry.name)));
        }
        let horizons = horizons_of(entry).map_err(|why| wrong(format!("model {}: {why}", entry.name)))?;
        let row = scales.entry(entry.family).or_default();
        for (i, horizon) in horizons.into_iter().enumerate() {
            let minutes = horizon.minutes();
            if slope[horizon.index()].is_nan() {
                return Err(wrong(format!(
                    "model {} predicts {minutes} minutes, which has no calibration",
                    entry.name
                )));
            }
            let scale = ScoreScale { mean: entry.score_mean[i], std: entry.score_std[i] };
            if row[horizon.index()].replace(scale).is_some() {
                let why = format!("model {} is the second {:?} for {minutes} minutes", entry.name, entry.family);
                return Err(wrong(why));
            }
        }
    }
    Ok(ZooCalibration { families: scales.into_iter().collect(), slope })
}

/// An entry's horizons, with its score scales checked for length and sense.
fn horizons_of(entry: &ModelEntry) -> Result<Vec<Horizon>, String> {
    let horizons: Option<Vec<Horizon>> = entry.horizons.iter().map(|&m| Horizon::from_minutes(m)).collect();
    let horizons = horizons.ok_or_else(|| format!("horizons {:?} are not all of 5, 10, 15, 30, 60", entry.horizons))?;
    if horizons.is_empty() {
        return Err("it has no horizon".into());
    }
    if entry.score_mean.len() != horizons.len() || entry.score_std.len() != horizons.len() {
        return Err(format!("score_mean and score_std must have {} values each", horizons.len()));
    }
    if entry.score_mean.iter().any(|m| !m.is_finite()) {
        return Err("score_mean is not finite".into());
    }
    if entry.score_std.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err("score_std is not positive".into());
    }
    Ok(horizons)
}

/// Ranges of the features that some model reads, by column.
pub(super) fn feature_ranges(
    dir: &Path,
    manifest: &Manifest,
    schema: &SchemaRef<'_>,
) -> Result<Vec<FeatureRange>, RegistryError> {
    let read: BTreeSet<&str> = manifest.models.iter().flat_map(|m| m.inputs.iter().map(String::as_str)).collect();
    let mut ranges = Vec::new();
    for (name, &[low, high]) in &manifest.feature_ranges {
        let wrong = |why: &str| manifest_error(dir, format!("feature_ranges of {name:?} {why}"), "train the zoo again");
        let column = column_of(schema, name).ok_or_else(|| wrong("is of no feature of the schema"))?;
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(wrong("is not a range [low, high]"));
        }
        if read.contains(name.as_str()) {
            ranges.push(FeatureRange { column, low, high });
        }
    }
    ranges.sort_by_key(|r| r.column);
    Ok(ranges)
}

fn column_of(schema: &SchemaRef<'_>, name: &str) -> Option<usize> {
    schema.columns.iter().position(|c| *c == name)
}

/// Loads one model and runs every check on it.
pub(super) fn load_model(
    dir: &Path,
    entry: &ModelEntry,
    schema: &SchemaRef<'_>,
    runtime: &Runtime,
) -> Result<LoadedModel, ModelFault> {
    let horizons = horizons_of(entry).map_err(ModelFault::Entry)?;
    let columns = columns_of(entry, schema)?;
    check_golden_shape(entry)?;
    if Path::new(&entry.file).file_name().is_none_or(|name| name != entry.file.as_str()) {
        return Err(ModelFault::Entry("its file is not a plain file name".into()));
    }
    let bytes = read_limited(&dir.join(&entry.file), MAX_MODEL_BYTES).map_err(ModelFault::Unreadable)?;
    let found = sha256_hex(&bytes);
    if !found.eq_ignore_ascii_case(&entry.sha256) {
        return Err(ModelFault::Hash { found, expected: entry.sha256.clone() });
    }
    let signature =
        Signature { input: &entry.input, width: columns.len(), output: &entry.output, heads: horizons.len() };
    let mut model = OnnxModel::load(runtime, &bytes, signature)?;
    let golden_max_diff = check_golden(&mut model, entry)?;
    let (name, family, bytes) = (entry.name.clone(), entry.family, bytes.len());
    Ok(LoadedModel { name, family, horizons, columns, golden_max_diff, bytes, model })
}

fn columns_of(entry: &ModelEntry, schema: &SchemaRef<'_>) -> Result<Vec<usize>, ModelFault> {
    if entry.inputs.is_empty() {
        return Err(ModelFault::Entry("it lists no inputs".into()));
    }
    let column = |name: &String| {
        column_of(schema, name)
            .ok_or_else(|| ModelFault::Entry(format!("input {name:?} is no feature of schema v{}", schema.version)))
    };
    entry.inputs.iter().map(column).collect()
}

fn check_golden_shape(entry: &ModelEntry) -> Result<(), ModelFault> {
    let Golden { x, y } = &entry.golden;
    if x.is_empty() || x.len() != y.len() {
        return Err(ModelFault::Entry(format!("its golden vector has {} rows of x and {} of y", x.len(), y.len())));
    }
    if x.iter().any(|r| r.len() != entry.inputs.len()) || y.iter().any(|r| r.len() != entry.horizons.len()) {
        return Err(ModelFault::Entry("its golden vector has rows of another width".into()));
    }
    if x.iter().chain(y).flatten().any(|v| !v.is_finite()) {
        return Err(ModelFault::Entry("its golden vector is not finite".into()));
    }
    Ok(())
}

/// Runs the golden rows; gives the largest difference.
fn check_golden(model: &mut OnnxModel, entry: &ModelEntry) -> Result<f32, ModelFault> {
    let x: Vec<f32> = entry.golden.x.iter().flatten().copied().collect();
    let scores = model.predict(&x, entry.golden.x.len(), entry.inputs.len())?;
    let heads = entry.horizons.len();
    let mut largest = 0.0_f32;
    for (row, (found, expected)) in scores.chunks_exact(heads).zip(&entry.golden.y).enumerate() {
        for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let diff = (found - expected).abs();
            if !diff.is_finite() || diff > GOLDEN_ABS + GOLDEN_REL * expected.abs() {
                return Err(ModelFault::Golden { row, horizon_min: entry.horizons[i], found, expected });
            }
            largest = largest.max(diff);
        }
    }
    Ok(largest)
}

/// A file's bytes, or in words why not.
fn read_limited(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > limit_bytes {
        return Err(format!("{size} bytes, the limit is {limit_bytes}"));
    }
    std::fs::read(path).map_err(|e| e.to_string())
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
