//! This program's tree evaluator against ONNX Runtime on the same files and rows, in turns: what the one saves, and
//! that both give the same bits.

use std::path::Path;

use super::checks::{check_zoo, read_limited, read_manifest};
use super::manifest::Input;
use super::model::{Evaluator, Model};
use super::model_checks::{MAX_MODEL_BYTES, load_model};
use super::registry::{ModelFault, Quarantined, RegistryError, SchemaRef};
use super::runtime::Runtime;
use super::session::{InputMatrix, Signature};
use super::stage::DeadlineClock;

/// What was measured of all tree models together.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct TreeComparison {
    /// Rows of a pass.
    pub rows: usize,
    /// Models that this program evaluates.
    pub models: usize,
    /// Sum over models of the median pass here, ns.
    pub ours_ns: u64,
    /// The same in ONNX Runtime, ns.
    pub onnx_ns: u64,
    /// Outputs that differ in any bit.
    pub different: usize,
}

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The zoo.
    #[error(transparent)]
    Zoo(#[from] RegistryError),
    /// A model.
    #[error(transparent)]
    Model(#[from] Quarantined),
}

/// Runs every tree model of a zoo in both evaluators over `rows`, each a row of the schema, `passes` times.
///
/// # Errors
/// The zoo or one of its tree models can't be loaded.
pub fn compare_trees(
    dir: &Path,
    schema: &SchemaRef<'_>,
    runtime: &Runtime,
    rows: &[&[f32]],
    passes: usize,
    clock: &impl DeadlineClock,
) -> Result<TreeComparison, CompareError> {
    let (manifest, _) = read_manifest(dir)?;
    let plan = check_zoo(dir, &manifest, schema)?;
    let mut all = TreeComparison { rows: rows.len(), ..TreeComparison::default() };
    for entry in &manifest.models {
        let bad = |fault: ModelFault| Quarantined { name: entry.name.clone(), file: entry.file.clone(), fault };
        let mut ours = load_model(dir, entry, schema, &plan.calibration, runtime).map_err(bad)?;
        if ours.evaluator() != Evaluator::Trees {
            continue;
        }
        let (width, heads) = (ours.inputs.len(), entry.columns.len());
        let signature = Signature { input: &entry.input, width, output: &entry.output, heads };
        let mut pair = || -> Result<[u64; 3], ModelFault> {
            let bytes = read_limited(&dir.join(&entry.file), MAX_MODEL_BYTES).map_err(ModelFault::Unreadable)?;
            let mut theirs = Model::onnx(runtime, &bytes, signature)?;
            let mut matrix = InputMatrix::new(runtime, width, &[rows.len()])?;
            for (cells, row) in matrix.rows_mut(0).chunks_exact_mut(width).zip(rows) {
                for (cell, input) in cells.iter_mut().zip(&ours.inputs) {
                    *cell = if let Input::Feature(column) = input { row[*column] } else { 0.0 };
                }
            }
            measure(&mut ours.model, &mut theirs, &matrix, rows.len(), passes, clock)
        };
        let [ours_ns, onnx_ns, different] = pair().map_err(bad)?;
        all.models += 1;
        all.ours_ns += ours_ns;
        all.onnx_ns += onnx_ns;
        all.different += usize::try_from(different).unwrap_or(usize::MAX);
    }
    Ok(all)
}

/// Median of each, in turns, and how many outputs differ.
fn measure(
    ours: &mut Model,
    theirs: &mut Model,
    matrix: &InputMatrix,
    rows: usize,
    passes: usize,
    clock: &impl DeadlineClock,
) -> Result<[u64; 3], ModelFault> {
    ours.prepare(&[rows])?;
    theirs.prepare(&[rows])?;
    let expected = theirs.run(matrix, 0, rows, <[f32]>::to_vec)?;
    let found = ours.run(matrix, 0, rows, <[f32]>::to_vec)?;
    let different = found.iter().zip(&expected).filter(|(a, b)| a.to_bits() != b.to_bits()).count() as u64;
    let (mut ours_ns, mut theirs_ns) = (Vec::with_capacity(passes), Vec::with_capacity(passes));
    for _ in 0..passes {
        for (model, times) in [(&mut *ours, &mut ours_ns), (&mut *theirs, &mut theirs_ns)] {
            let from_ns = clock.mono_ns();
            model.run(matrix, 0, rows, |_| ())?;
            times.push(clock.mono_ns().saturating_sub(from_ns));
        }
    }
    let median = |times: &mut Vec<u64>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    };
    Ok([median(&mut ours_ns), median(&mut theirs_ns), different])
}
