//! `ibkr-trader models verify`: every check of the registry on every model, reported one by one instead of
//! stopping at the first. Reads files, changes nothing.

use std::fmt;
use std::path::Path;

use super::checks::{check_schema, check_zoo, load_model, read_manifest};
use super::registry::{RegistryError, SchemaRef};
use super::runtime::Runtime;

/// What was found of one model.
#[derive(Clone, Debug)]
pub struct ModelReport {
    /// Its name.
    pub name: String,
    /// Its family and horizons in minutes, for the reader.
    pub predicts: String,
    /// Size of its file and largest difference from its golden vector, or the sentence of the check that failed.
    pub outcome: Result<(usize, f32), String>,
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
    /// Whether a session would start on it.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty() && self.models.iter().all(|m| m.outcome.is_ok())
    }
}

/// Checks the zoo in `dir` against the running schema.
///
/// # Errors
/// There is no ONNX Runtime, or no manifest that can be read: then there is nothing to report on.
pub fn verify(dir: &Path, schema: &SchemaRef<'_>) -> Result<VerifyReport, RegistryError> {
    let runtime = Runtime::load()?;
    let (manifest, _) = read_manifest(dir)?;
    let whole = [check_schema(&manifest, schema).err(), check_zoo(dir, &manifest).err()];
    let models = manifest.models.iter().map(|entry| ModelReport {
        name: entry.name.clone(),
        predicts: format!("{:?} {:?}", entry.family, entry.horizons),
        outcome: load_model(dir, entry, schema, &runtime)
            .map(|m| (m.bytes, m.golden_max_diff))
            .map_err(|fault| fault.to_string()),
    });
    Ok(VerifyReport {
        models: models.collect(),
        zoo: manifest.zoo,
        runtime: format!("ONNX Runtime {} ({})", runtime.version(), runtime.path().display()),
        problems: whole.into_iter().flatten().map(|e| e.to_string()).collect(),
    })
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "zoo {}, {} models, {}", self.zoo, self.models.len(), self.runtime)?;
        for problem in &self.problems {
            writeln!(f, "BAD  {problem}")?;
        }
        let width = self.models.iter().map(|m| m.name.len()).max().unwrap_or(0);
        for model in &self.models {
            match &model.outcome {
                Ok((bytes, diff)) => {
                    let (name, predicts) = (&model.name, &model.predicts);
                    writeln!(f, "ok   {name:<width$}  {bytes:>9} bytes  golden within {diff:.1e}  {predicts}")?;
                }
                Err(why) => writeln!(f, "BAD  {:<width$}  {why}", model.name)?,
            }
        }
        Ok(())
    }
}
