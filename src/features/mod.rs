//! Stage 2: bars and features. Owns the one-minute bar builder, the O(1) state of each symbol, the schema of the
//! columns and the cycles (batch slots) while they are free. Emits one [`crate::message::Cycle`] per closed minute.
//! May not touch: models, positions, orders, clocks, files. Live, replay and training run this very code.
//!
//! **Causality.** A bar closes at its boundary plus a grace, and only then do its columns change. Quote columns,
//! mid and spread are frozen at the boundary: on a source whose quotes are invented from bars, a quote after the
//! boundary knows the next bar. NaN means unknown and is never replaced by a guess. No column counts missing
//! minutes: missing means unknown, not "no trade".

mod bars;
mod change_point;
mod columns;
mod config;
mod market;
mod path;
mod quotes;
mod rank;
mod rolling;
pub mod schema;
mod session;
mod stage;
mod universe_prefilter;
mod volatility;

pub use config::Config;
pub use stage::{Counters, FeaturesIn, FeaturesStage};
pub use universe_prefilter::PrefilterConfig;
