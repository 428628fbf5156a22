//! The checks of a zoo as a whole. `registry.rs` stops at the first that fails, `verify.rs` reports all. Reads the
//! manifest, keeps nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::manifest::{FORMAT, Input, Manifest, ModelEntry, Output, horizon};
use super::model_checks::Parsed;
use super::registry::{FeatureRange, MANIFEST_FILE, RegistryError, SchemaRef, ZooPlan};
use crate::domain::{Family, Horizon};
use crate::message::{Calibration, Cycle};

/// Most models of a zoo (16 families × 5 horizons, and as many again).
const MAX_MODELS: usize = 160;
/// Largest manifest, bytes.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

fn manifest_error(dir: &Path, why: String, fix: &'static str) -> RegistryError {
    RegistryError::Manifest { path: dir.join(MANIFEST_FILE).display().to_string(), why, fix }
}

/// Reads a manifest and the hash of its bytes.
pub(super) fn read_manifest(dir: &Path) -> Result<(Manifest, String), RegistryError> {
    let bytes = read_limited(&dir.join(MANIFEST_FILE), MAX_MANIFEST_BYTES)
        .map_err(|why| manifest_error(dir, why, "point `session.models_folder` at a trained zoo, or train one"))?;
    let not_one =
        |e: serde_json::Error| manifest_error(dir, format!("not a manifest ({e})"), "restore it from version control");
    // The format first: another one's fields are not this one's.
    let format = serde_json::from_slice::<serde_json::Value>(&bytes).map_err(not_one)?["format"].as_u64();
    if format != Some(u64::from(FORMAT)) {
        let said = format.map_or("none".to_owned(), |f| f.to_string());
        let why = format!("format {said} is unknown, this program reads format {FORMAT}");
        return Err(manifest_error(dir, why, "train the zoo with this version's models/train"));
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(not_one)?;
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

/// What can be said of the models together: count, names, no two for one output, calibration, order, quorum. An entry
/// that makes no sense by itself is left to its own check.
pub(super) fn check_zoo(dir: &Path, manifest: &Manifest, schema: &SchemaRef<'_>) -> Result<ZooPlan, RegistryError> {
    let wrong = |why: String| manifest_error(dir, why, "train the zoo again");
    if manifest.models.is_empty() || manifest.models.len() > MAX_MODELS {
        return Err(wrong(format!("{} models, it must have 1 to {MAX_MODELS}", manifest.models.len())));
    }
    let parsed: Vec<Option<Parsed>> = manifest.models.iter().map(|e| Parsed::of(e, schema).ok()).collect();
    let calibration = check_outputs(manifest, &parsed).map_err(wrong)?;
    let quorum = check_quorum(manifest, &calibration).map_err(wrong)?;
    let order = order_of(&manifest.models, &parsed).map_err(wrong)?;
    let mut shed = BTreeSet::new();
    for family in &manifest.shed_order {
        let known = manifest.models.iter().any(|m| m.family == Some(*family));
        if !known || !shed.insert(*family) {
            return Err(wrong(format!("shed_order names {} twice, or without a model", family.name())));
        }
    }
    Ok(ZooPlan { calibration, order, shed_order: manifest.shed_order.clone(), quorum })
}

/// Names and outputs are each there once, every horizon is calibrated; gives how to read the scores.
fn check_outputs(manifest: &Manifest, parsed: &[Option<Parsed>]) -> Result<Calibration, String> {
    let mut slope = [f32::NAN; Horizon::COUNT];
    for (minutes, fitted) in &manifest.calibration {
        let horizon = horizon(minutes).ok_or_else(|| format!("calibration of an unknown horizon {minutes:?}"))?;
        if !fitted.slope.is_finite() {
            return Err(format!("the calibration slope of {minutes} minutes is not a number"));
        }
        // A negative slope is worth nothing: doubt rejects.
        slope[horizon.index()] = fitted.slope.max(0.0);
    }
    let mut calibration = Calibration { scales: [[None; Horizon::COUNT]; Family::COUNT], slope };
    let (mut names, mut aux) = (BTreeSet::new(), BTreeSet::new());
    for (entry, parsed) in manifest.models.iter().zip(parsed) {
        if !names.insert(entry.name.as_str()) {
            return Err(format!("two models are called {}", entry.name));
        }
        let Some(parsed) = parsed else { continue };
        let mut scales = parsed.scales.iter();
        for (output, column) in parsed.outputs.iter().zip(&entry.columns) {
            let (Output::Score(horizon), Some(family)) = (output, entry.family) else {
                if let Output::Aux(what) = output
                    && !aux.insert(*what)
                {
                    return Err(format!("model {} is the second that gives {column}", entry.name));
                }
                continue;
            };
            let (i, minutes) = (horizon.index(), horizon.minutes());
            if slope[i].is_nan() {
                return Err(format!("model {} predicts {minutes} minutes, which has no calibration", entry.name));
            }
            let cell = &mut calibration.scales[family.index()][i];
            if cell.is_some() {
                return Err(format!("model {} is the second {} for {minutes} minutes", entry.name, family.name()));
            }
            *cell = scales.next().copied();
        }
    }
    calibration.slope = slope.map(|s| if s.is_nan() { 0.0 } else { s });
    Ok(calibration)
}

/// Every horizon that has a family has a quorum that its families can meet.
fn check_quorum(manifest: &Manifest, calibration: &Calibration) -> Result<[usize; Horizon::COUNT], String> {
    let mut quorum = [0; Horizon::COUNT];
    for (minutes, n) in &manifest.quorum {
        let horizon = horizon(minutes).ok_or_else(|| format!("quorum of an unknown horizon {minutes:?}"))?;
        quorum[horizon.index()] = *n;
    }
    for horizon in Horizon::ALL {
        let families = calibration.scales.iter().filter(|row| row[horizon.index()].is_some()).count();
        let (n, minutes) = (quorum[horizon.index()], horizon.minutes());
        // Models with faults of their own may be what is missing: only a quorum beyond all families is a lie.
        if n > Family::COUNT || (n == 0 && families > 0) {
            return Err(format!("the quorum of {minutes} minutes is {n}, it must be 1 to {}", Family::COUNT));
        }
    }
    Ok(quorum)
}

/// The manifest's order, but each family whole and after the families whose scores it reads.
fn order_of(entries: &[ModelEntry], parsed: &[Option<Parsed>]) -> Result<Vec<usize>, String> {
    let mut units: Vec<(Option<Family>, Vec<usize>)> = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        match units.iter_mut().find(|u| u.0 == entry.family) {
            Some(unit) => unit.1.push(i),
            None => units.push((entry.family, vec![i])),
        }
    }
    let reads = |models: &[usize]| -> BTreeSet<Family> {
        let inputs = models.iter().filter_map(|i| parsed[*i].as_ref()).flat_map(|p| &p.inputs);
        inputs.filter_map(|i| if let Input::Score(family, _) = i { Some(*family) } else { None }).collect()
    };
    let mut order = Vec::with_capacity(entries.len());
    while !units.is_empty() {
        let waiting: BTreeSet<Family> = units.iter().filter_map(|u| u.0).collect();
        let Some(next) = units.iter().position(|u| reads(&u.1).is_disjoint(&waiting)) else {
            let names: Vec<&str> = units.iter().map(|u| u.0.map_or("barrier", Family::name)).collect();
            return Err(format!("the z: inputs of {} form a circle", names.join(", ")));
        };
        order.extend(units.remove(next).1);
    }
    Ok(order)
}

/// Ranges of the features that some model reads, by column.
pub(super) fn feature_ranges(
    dir: &Path,
    manifest: &Manifest,
    schema: &SchemaRef<'_>,
) -> Result<Vec<FeatureRange>, RegistryError> {
    let read: BTreeSet<&str> = manifest.models.iter().flat_map(|m| m.inputs.iter().map(String::as_str)).collect();
    let columns: BTreeMap<&str, usize> = schema.columns.iter().enumerate().map(|(i, c)| (*c, i)).collect();
    let mut ranges = Vec::new();
    for (name, &[low, high]) in &manifest.feature_ranges {
        let wrong = |why: &str| manifest_error(dir, format!("feature_ranges of {name:?} {why}"), "train the zoo again");
        let column = columns.get(name.as_str()).ok_or_else(|| wrong("is of no feature of the schema"))?;
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(wrong("is not a range [low, high]"));
        }
        if read.contains(name.as_str()) {
            ranges.push(FeatureRange { column: *column, low, high });
        }
    }
    ranges.sort_by_key(|r| r.column);
    Ok(ranges)
}

/// Features outside the ranges; NaN is not counted here (its row is refused).
pub(super) fn count_out_of_range(ranges: &[FeatureRange], cycle: &Cycle) -> u64 {
    (0..cycle.rows)
        .filter(|row| cycle.scored[*row])
        .map(|row| {
            let features = cycle.feature_row(row);
            ranges.iter().filter(|r| features[r.column] < r.low || features[r.column] > r.high).count() as u64
        })
        .sum()
}

/// A file's bytes, or in words why not.
pub(super) fn read_limited(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > limit_bytes {
        return Err(format!("{size} bytes, the limit is {limit_bytes}"));
    }
    std::fs::read(path).map_err(|e| e.to_string())
}

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
