//! One checked model file as a function of a float matrix: tree ensembles are evaluated by `trees/`, everything else
//! by ONNX Runtime.

use super::runtime::Runtime;
use super::session::{InputMatrix, OnnxModel, SessionError, Signature};
use super::trees::{Scratch, TreeEnsemble};

/// What runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluator {
    /// This program's tree evaluator.
    Trees,
    /// ONNX Runtime.
    OnnxRuntime,
}

impl Evaluator {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trees => "trees",
            Self::OnnxRuntime => "onnx",
        }
    }
}

/// A loaded model.
#[derive(Debug)]
pub(super) enum Model {
    Trees { ensemble: TreeEnsemble, scratch: Scratch, out: Vec<f32> },
    Onnx(Box<OnnxModel>),
}

impl Model {
    /// Loads a file's bytes (the ones that were hashed) into the evaluator that fits.
    pub(super) fn load(
        runtime: &Runtime,
        name: &str,
        bytes: &[u8],
        signature: Signature<'_>,
    ) -> Result<Self, SessionError> {
        match TreeEnsemble::read(bytes, &signature) {
            Some(Ok(ensemble)) => {
                let scratch = ensemble.scratch();
                return Ok(Self::Trees { ensemble, scratch, out: Vec::new() });
            }
            Some(Err(why)) => tracing::info!(model = name, "its trees run in ONNX Runtime ({why})"),
            None => {}
        }
        Self::onnx(runtime, bytes, signature)
    }

    /// As [`Model::load`], by ONNX Runtime whatever it is.
    pub(super) fn onnx(runtime: &Runtime, bytes: &[u8], signature: Signature<'_>) -> Result<Self, SessionError> {
        Ok(Self::Onnx(Box::new(OnnxModel::load(runtime, bytes, signature)?)))
    }

    /// What runs it.
    pub(super) const fn evaluator(&self) -> Evaluator {
        match self {
            Self::Trees { .. } => Evaluator::Trees,
            Self::Onnx(_) => Evaluator::OnnxRuntime,
        }
    }

    /// Makes the outputs for the batch buckets that [`InputMatrix`] was made with.
    pub(super) fn prepare(&mut self, buckets: &[usize]) -> Result<(), SessionError> {
        match self {
            Self::Trees { ensemble, out, .. } => {
                out.resize(buckets.last().copied().unwrap_or(0) * ensemble.targets(), 0.0);
                Ok(())
            }
            Self::Onnx(model) => model.prepare(buckets),
        }
    }

    /// One pass over the first `rows` of a bucket; `read` gets the outputs, row-major, at least `rows` of them.
    pub(super) fn run<R>(
        &mut self,
        inputs: &InputMatrix,
        bucket: usize,
        rows: usize,
        read: impl FnOnce(&[f32]) -> R,
    ) -> Result<R, SessionError> {
        match self {
            Self::Trees { ensemble, scratch, out } => {
                let out = &mut out[..rows * ensemble.targets()];
                ensemble.evaluate(&inputs.rows(bucket)[..rows * inputs.width()], scratch, out);
                Ok(read(out))
            }
            Self::Onnx(model) => model.run(inputs, bucket, read),
        }
    }

    /// One pass of any size that allocates: golden vectors, tests. `x` is row-major `[rows, width]`.
    pub(super) fn predict(&mut self, x: &[f32], rows: usize, width: usize) -> Result<Vec<f32>, SessionError> {
        match self {
            Self::Trees { ensemble, scratch, .. } => {
                let mut out = vec![0.0; rows * ensemble.targets()];
                ensemble.evaluate(x, scratch, &mut out);
                Ok(out)
            }
            Self::Onnx(model) => model.predict(x, rows, width),
        }
    }
}
