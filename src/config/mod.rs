//! Settings: layers of TOML (base file, profile, environment) checked key by key against the shipped base file,
//! then turned into validated structs. Unknown, missing or mistyped keys are refused with line and nearest name.

mod layers;
mod settings;

pub use layers::{ConfigError, ENV_PREFIX, Layers};
pub use settings::{DemoSettings, InferenceSettings, PipelineSettings, SessionSettings, Settings, UniverseSettings};
