//! `ibkr-trader models verify`: every check of the registry on every model, reported one by one instead of
//! stopping at the first. Reads files, changes nothing.

use std::fmt;
use std::path::Path;

use super::checks::{check_schema, check_zoo, read_manifest};
use super::model_checks::load_model;
use super::registry::{LoadedModel, RegistryError, SchemaRef};
use super::runtime::Runtime;
use super::session::InputMatrix;
use super::stage::DeadlineClock;
use crate::domain::Family;
use crate::message::Calibration;

/// Rows of the pass that is timed.
pub const COST_ROWS: usize = 50;
/// Passes, of which the fastest counts.
const COST_PASSES: usize = 5;

/// What was found of one model.
#[derive(Clone, Debug)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// Its family, `barrier` for barrier models.
    pub family: &'static str,
    /// Its outputs.
    pub columns: Vec<String>,
    /// First twelve digits of its hash as the manifest says.
    pub sha256: String,
    /// What passed, or the sentence of the check that failed.
    pub outcome: Result<Passed, String>,
}

/// A model that passed every check.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// Size of its file.
    pub bytes: usize,
    /// Largest difference from its golden vector.
    pub golden_max_diff: f32,
    /// What runs it.
    pub evaluator: &'static str,
    /// Cost of a pass of [`COST_ROWS`] rows, the fastest of some, ns.
    pub cost_ns: u64,
}

/// What was found of a zoo.
#[derive(Clone, Debug)]
pub struct VerifyReport {
    /// Its name.
    pub zoo: String,
    /// The ONNX Runtime that ran the golden vectors.
    pub runtime: String,
    /// What is wrong with the zoo as a whole.
    pub problems: Vec<String>,
    /// Its models.
    pub models: Vec<ModelReport>,
}

impl VerifyReport {
    /// Whether a session would start on it with all of its models.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.models.iter().all(|m| m.outcome.is_ok())
    }
}

/// Checks the zoo in `dir` against the running schema.
///
/// # Errors
/// There is no ONNX Runtime, or no manifest that can be read: then there is nothing to report on.
pub fn verify(dir: &Path, schema: &SchemaRef<'_>, clock: &impl DeadlineClock) -> Result<VerifyReport, RegistryError> {
    let runtime = Runtime::load()?;
    let (manifest, _) = read_manifest(dir)?;
    let plan = check_zoo(dir, &manifest, schema);
    // Without a sound whole, a model that reads scores can't be told to read ones that exist.
    let calibration = plan.as_ref().map_or_else(|_| no_calibration(), |p| p.calibration);
    let problems = [check_schema(&manifest, schema).err(), plan.err()];
    let models = manifest.models.iter().map(|entry| {
        let loaded = load_model(dir, entry, schema, &calibration, &runtime);
        let outcome = loaded.map_err(|fault| fault.to_string()).and_then(|m| passed(m, &runtime, clock));
        ModelReport {
            name: entry.name.clone(),
            family: entry.family.map_or("barrier", Family::name),
            columns: entry.columns.clone(),
            sha256: entry.sha256.chars().take(12).collect(),
            outcome,
        }
    });
    Ok(VerifyReport {
        models: models.collect(),
        zoo: manifest.zoo,
        runtime: format!("ONNX Runtime {} ({})", runtime.version(), runtime.path().display()),
        problems: problems.into_iter().flatten().map(|e| e.to_string()).collect(),
    })
}

fn no_calibration() -> Calibration {
    Calibration { scales: Default::default(), slope: Default::default() }
}

/// Times a model that passed.
fn passed(mut loaded: LoadedModel, runtime: &Runtime, clock: &impl DeadlineClock) -> Result<Passed, String> {
    let buckets = [COST_ROWS];
    let matrix = InputMatrix::new(runtime, loaded.inputs.len(), &buckets).map_err(|e| e.to_string())?;
    loaded.model.prepare(&buckets).map_err(|e| e.to_string())?;
    let mut cost_ns = u64::MAX;
    for _ in 0..COST_PASSES {
        let from_ns = clock.mono_ns();
        loaded.model.run(&matrix, 0, COST_ROWS, |_| ()).map_err(|e| e.to_string())?;
        cost_ns = cost_ns.min(clock.mono_ns().saturating_sub(from_ns));
    }
    let (bytes, golden_max_diff) = (loaded.bytes, loaded.golden_max_diff);
    Ok(Passed { bytes, golden_max_diff, evaluator: loaded.evaluator().name(), cost_ns })
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "zoo {}, {} models, {}", self.zoo, self.models.len(), self.runtime)?;
        for problem in &self.problems {
            writeln!(f, "BAD  {problem}")?;
        }
        let width = self.models.iter().map(|m| m.name.len()).max().unwrap_or(0);
        let mut total_us = 0.0;
        for ModelReport { name, family, columns, sha256, outcome } in &self.models {
            let cells = columns.join(" ");
            match outcome {
                Ok(Passed { bytes, golden_max_diff, evaluator, cost_ns }) => {
                    let cost_us = *cost_ns as f64 / 1e3;
                    total_us += cost_us;
                    writeln!(
                        f,
                        "ok   {name:<width$}  {family:<18}  {sha256}  {evaluator:<5}  {cost_us:>8.1} us  \
                         {bytes:>8} bytes  golden within {golden_max_diff:.1e}  {cells}"
                    )?;
                }
                Err(why) => writeln!(f, "QUARANTINED  {name}  {family}  {sha256}  {cells}: {why}")?,
            }
        }
        let bad = self.models.iter().filter(|m| m.outcome.is_err()).count();
        writeln!(f, "{bad} quarantined; all others together {:.2} ms for {COST_ROWS} rows", total_us / 1e3)
    }
}
