//! Telemetry.
mod counters;
mod latency;
pub use counters::{Counter, Counters};
pub use latency::{Hop, LatencyError, LatencyRecorder, MAX_NS};
