//! Inference: the model zoo run in batch through ONNX Runtime, the third of the five stages.
//!
//! Reads a cycle's features, writes its predictions, knows nothing of quotes, positions or orders. `ort` is named
//! in `runtime.rs` and `session.rs` alone. Models are data: [`Registry`] checks them at start, [`InferenceStage`]
//! runs them, [`verify`] reports on them.

mod batch;
mod checks;
mod manifest;
mod registry;
mod runtime;
mod session;
mod stage;
mod verify;

pub use manifest::{Calibration, Golden, Manifest, ManifestColumn, ManifestSchema, ModelEntry};
pub use registry::{
    FeatureRange, LoadedModel, MANIFEST_FILE, ModelFault, Registry, RegistryError, SchemaRef, ScoreScale,
    ZooCalibration,
};
pub use runtime::{Runtime, RuntimeError, RuntimeSearch};
pub use session::SessionError;
pub use stage::{DeadlineClock, InferenceConfig, InferenceStage, InferenceStats, RANGE_MARGIN};
pub use verify::{ModelReport, VerifyReport, verify};
