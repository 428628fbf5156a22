//! Inference: the model zoo run in batch, the third of the five stages.
//!
//! Reads a cycle's features, writes its predictions, knows nothing of quotes, positions or orders. `ort` is named
//! in `runtime.rs` and `session.rs` alone; tree ensembles are evaluated by `trees/`. Models are data: [`Registry`]
//! checks them at start, [`Engine`] runs them, [`InferenceStage`] is what the pipeline sees, [`verify`] reports.

mod batch;
mod budget;
mod checks;
mod compare;
mod engine;
mod health;
mod manifest;
mod model;
mod model_checks;
mod online;
mod registry;
mod runtime;
mod session;
mod stage;
mod trees;
mod verify;

pub use budget::{LATE_PASSES, QUIET_NS};
pub use compare::{CompareError, TreeComparison, compare_trees};
pub use engine::{Engine, FamilyCost, RANGE_MARGIN, STRIKES_MAX};
pub use health::Health;
pub use manifest::{
    Golden, Input, Kind, Manifest, ManifestCalibration, ManifestColumn, ManifestSchema, ModelEntry, Output,
};
pub use model::Evaluator;
pub use online::FtrlState;
pub use registry::{
    FeatureRange, LoadedModel, MANIFEST_FILE, ModelFault, Quarantined, Registry, RegistryError, SchemaRef,
};
pub use runtime::{Runtime, RuntimeError, RuntimeSearch};
pub use session::SessionError;
pub use stage::{DeadlineClock, InferenceConfig, InferenceStage, InferenceStats, SwapPort};
pub use verify::{COST_ROWS, ModelReport, Passed, VerifyReport, verify};
