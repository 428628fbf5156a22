//! One ONNX model as a function of a float matrix. Only this file and `runtime.rs` name `ort`.
//!
//! Every session runs on the calling thread alone: intra-op = inter-op = 1, sequential, spinning off (the default
//! is a spinning pool per session). Inputs and outputs are tensors of fixed batch buckets, made once: a pass
//! allocates nothing on our side (ONNX Runtime's own allocations are its own affair).

use ort::memory::Allocator;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session};
use ort::value::{Outlet, Tensor, TensorElementType, TensorRef};

use super::runtime::Runtime;

/// What the manifest says of a model's two ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signature<'a> {
    /// Name of the one input, float32 `[n, width]`.
    pub(super) input: &'a str,
    /// Its columns.
    pub(super) width: usize,
    /// Name of the one output, float32 `[n, heads]`.
    pub(super) output: &'a str,
    /// Its columns.
    pub(super) heads: usize,
}

/// What a model file got wrong.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// ONNX Runtime can't make a model of the bytes.
    #[error("ONNX Runtime can't load it ({0})")]
    Load(String),
    /// Not one input and one output.
    #[error("it has {inputs} inputs and {outputs} outputs instead of one each")]
    Arity {
        /// Inputs found.
        inputs: usize,
        /// Outputs found.
        outputs: usize,
    },
    /// Another name than the manifest's.
    #[error("its {end} is called {found:?}, the manifest says {expected:?}")]
    Name {
        /// "input" or "output".
        end: &'static str,
        /// In the file.
        found: String,
        /// In the manifest.
        expected: String,
    },
    /// Another type or shape than float32 `[n, columns]` with a free n.
    #[error("its {end} is {found}, it must be float32 [n, {columns}] with a free n")]
    Shape {
        /// "input" or "output".
        end: &'static str,
        /// As the file declares it.
        found: String,
        /// What the manifest implies.
        columns: usize,
    },
    /// A pass failed.
    #[error("a pass failed ({0})")]
    Run(String),
}

/// Gives an `ort` error its place in ours, in one line.
fn one_line(e: impl std::fmt::Display) -> String {
    e.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One input matrix per batch bucket, shared by all models that read the same columns.
#[derive(Debug)]
pub(super) struct InputMatrix {
    tensors: Vec<Tensor<f32>>,
    width: usize,
}

impl InputMatrix {
    /// Zeroed matrices `[bucket, width]`. The runtime must be loaded: `_runtime` is the proof.
    pub(super) fn new(_runtime: &Runtime, width: usize, buckets: &[usize]) -> Result<Self, SessionError> {
        let tensors = buckets.iter().map(|&rows| zeroed(rows, width)).collect::<Result<_, _>>()?;
        Ok(Self { tensors, width })
    }

    /// Row-major `[bucket rows, width]`.
    pub(super) fn rows(&self, bucket: usize) -> &[f32] {
        self.tensors[bucket].extract_tensor().1
    }

    /// As [`InputMatrix::rows`], to fill.
    pub(super) fn rows_mut(&mut self, bucket: usize) -> &mut [f32] {
        self.tensors[bucket].extract_tensor_mut().1
    }

    /// Columns.
    pub(super) fn width(&self) -> usize {
        self.width
    }
}

fn zeroed(rows: usize, columns: usize) -> Result<Tensor<f32>, SessionError> {
    let mut tensor =
        Tensor::<f32>::new(&Allocator::default(), [rows, columns]).map_err(|e| SessionError::Run(one_line(e)))?;
    tensor.extract_tensor_mut().1.fill(0.0);
    Ok(tensor)
}

/// A loaded model.
pub(super) struct OnnxModel {
    session: Session,
    output: String,
    heads: usize,
    /// Per bucket: run options that hold the preallocated output `[bucket, heads]`.
    buckets: Vec<RunOptions<HasSelectedOutputs>>,
}

impl std::fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxModel").field("output", &self.output).field("heads", &self.heads).finish_non_exhaustive()
    }
}

impl OnnxModel {
    /// Builds a session from a file's bytes (the ones that were hashed) and checks both ends.
    pub(super) fn load(runtime: &Runtime, bytes: &[u8], signature: Signature<'_>) -> Result<Self, SessionError> {
        let session = build(runtime, bytes).map_err(|e| SessionError::Load(one_line(e)))?;
        let ([input], [output]) = (session.inputs(), session.outputs()) else {
            return Err(SessionError::Arity { inputs: session.inputs().len(), outputs: session.outputs().len() });
        };
        check_end("input", input, signature.input, signature.width, false)?;
        check_end("output", output, signature.output, signature.heads, true)?;
        let output = output.name().to_owned();
        Ok(Self { session, output, heads: signature.heads, buckets: Vec::new() })
    }

    /// Makes the outputs for the batch buckets that [`InputMatrix`] was made with.
    pub(super) fn prepare(&mut self, buckets: &[usize]) -> Result<(), SessionError> {
        self.buckets.clear();
        for &rows in buckets {
            let options = RunOptions::new().map_err(|e| SessionError::Run(one_line(e)))?;
            let selector = OutputSelector::default().preallocate(self.output.as_str(), zeroed(rows, self.heads)?);
            self.buckets.push(options.with_outputs(selector));
        }
        Ok(())
    }

    /// One pass over a bucket; `read` gets the outputs, row-major `[bucket rows, heads]`.
    pub(super) fn run<R>(
        &mut self,
        inputs: &InputMatrix,
        bucket: usize,
        read: impl FnOnce(&[f32]) -> R,
    ) -> Result<R, SessionError> {
        let outputs = self
            .session
            .run_with_options(ort::inputs![&inputs.tensors[bucket]], &self.buckets[bucket])
            .map_err(|e| SessionError::Run(one_line(e)))?;
        let value = outputs.get(&self.output).ok_or_else(|| SessionError::Run("the output is missing".into()))?;
        let (_, scores) = value.try_extract_tensor::<f32>().map_err(|e| SessionError::Run(one_line(e)))?;
        Ok(read(scores))
    }

    /// One pass of any size ≥ 1 that allocates: golden vectors, tests. `x` is row-major `[rows, width]`; the
    /// answer row-major `[rows, heads]`.
    pub(super) fn predict(&mut self, x: &[f32], rows: usize, width: usize) -> Result<Vec<f32>, SessionError> {
        // A batch of 0 into an LSTM aborts the process.
        if rows == 0 {
            return Ok(Vec::new());
        }
        let view = TensorRef::from_array_view(([rows, width], x)).map_err(|e| SessionError::Run(one_line(e)))?;
        let outputs = self.session.run(ort::inputs![view]).map_err(|e| SessionError::Run(one_line(e)))?;
        let value = outputs.get(&self.output).ok_or_else(|| SessionError::Run("the output is missing".into()))?;
        let (shape, scores) = value.try_extract_tensor::<f32>().map_err(|e| SessionError::Run(one_line(e)))?;
        let expected = [rows, self.heads].map(|d| i64::try_from(d).unwrap_or(i64::MAX));
        if **shape != expected {
            return Err(SessionError::Shape { end: "output", found: format!("{:?}", &**shape), columns: self.heads });
        }
        Ok(scores.to_vec())
    }
}

fn build(runtime: &Runtime, bytes: &[u8]) -> ort::Result<Session> {
    Session::builder(runtime.environment())?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_parallel_execution(false)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?
        .with_deterministic_compute(true)?
        .commit_from_memory(bytes)
}

/// Checks a name, a type and a shape. An output may leave its width open (tree ensembles do): the golden vector
/// pins it.
fn check_end(
    end: &'static str,
    outlet: &Outlet,
    name: &str,
    columns: usize,
    width_may_be_open: bool,
) -> Result<(), SessionError> {
    if outlet.name() != name {
        return Err(SessionError::Name { end, found: outlet.name().to_owned(), expected: name.to_owned() });
    }
    let dtype = outlet.dtype();
    let fits = dtype.tensor_type() == Some(TensorElementType::Float32)
        && dtype.tensor_shape().is_some_and(|shape| match &**shape {
            [batch, width] => {
                *batch < 0 && (usize::try_from(*width) == Ok(columns) || (width_may_be_open && *width < 0))
            }
            _ => false,
        });
    if fits { Ok(()) } else { Err(SessionError::Shape { end, found: one_line(dtype), columns }) }
}
