//! Decision: predictions → one absolute target per symbol. Holds no order state: routing does. Pure.
//! balance (within a horizon) → calibrate → cost, subtracted once → arbitrate (across horizons) → size → hold.

pub mod config;
pub mod cost;
pub mod horizon_arbiter;
pub mod sizing;
mod stage;
pub mod zoo_balancer;

pub use config::{Config, Window};
pub use stage::{Counters, DecisionIn, DecisionOut, DecisionStage};
