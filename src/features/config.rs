//! Settings of the features stage. What changes the meaning of a column is a constant under the schema's version,
//! not a setting.

use serde::Deserialize;

use super::universe_prefilter::PrefilterConfig;
use crate::clock::MILLISECOND;
use crate::pipeline::{GRID, topology};

/// Settings of the bar builder and the batch slots. Durations are session time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A bar closes this long after its boundary (late ticks of the minute still count until then).
    pub grace_ms: u32,
    /// Of the previous session only this many last minutes warm the state up, live and exported alike.
    pub history_minutes: u32,
    /// Batch slots in circulation; with none free a cycle is dropped and counted.
    pub cycle_slots: u32,
    /// Which symbols models look at.
    pub prefilter: PrefilterConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self { grace_ms: 500, history_minutes: 120, cycle_slots: 4, prefilter: PrefilterConfig::default() }
    }
}

impl Config {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting out of range, with what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        if i64::from(self.grace_ms) * MILLISECOND % GRID != 0 || !(250..=30_000).contains(&self.grace_ms) {
            return Err(format!(
                "features.grace_ms = {} is not usable; set a multiple of 250 between 250 and 30000",
                self.grace_ms
            ));
        }
        if !(60..=390).contains(&self.history_minutes) {
            return Err(format!(
                "features.history_minutes = {} is out of range; set it between 60 and 390",
                self.history_minutes
            ));
        }
        // No more than a ring holds: then a slow model empties the pool and drops cycles, and fills no ring.
        let slots_max = topology::FEATURES_INFERENCE.capacity.min(topology::INFERENCE_DECISION.capacity);
        if self.cycle_slots == 0 || self.cycle_slots as usize > slots_max {
            return Err(format!(
                "features.cycle_slots = {} is out of range; set it between 1 and {slots_max}",
                self.cycle_slots
            ));
        }
        Ok(())
    }
}
