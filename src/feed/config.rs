//! Settings of the feed stage. Durations are session time.

use serde::Deserialize;

/// Limits beyond which a quote is unfit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A mid (or last) further than this from the symbol's own reference is a jump, in bps of the reference.
    pub jump_max_bps: u32,
    /// A jump that holds its new level this long becomes the reference.
    pub jump_confirm_ms: u32,
    /// A spread wider than this is no quote to act on, in bps of the mid.
    pub spread_max_bps: u32,
    /// No tick of any symbol for this long: the feed counts as down until the next one.
    pub silence_max_ms: u32,
    /// A quote older than this is unfit even on a live feed. A quiet quote is valid until it changes, so this
    /// only bounds the belief in that.
    pub quote_age_max_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            jump_max_bps: 300,
            jump_confirm_ms: 2_000,
            spread_max_bps: 300,
            silence_max_ms: 60_000,
            quote_age_max_ms: 900_000,
        }
    }
}

impl Config {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first setting out of range, with what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        let in_range = |name: &str, value: u32, low: u32, high: u32| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(format!("feed.{name} = {value} is out of range; set it between {low} and {high}"))
            }
        };
        in_range("jump_max_bps", self.jump_max_bps, 1, 10_000)?;
        in_range("jump_confirm_ms", self.jump_confirm_ms, 250, 600_000)?;
        in_range("spread_max_bps", self.spread_max_bps, 1, 10_000)?;
        in_range("silence_max_ms", self.silence_max_ms, 1_000, 3_600_000)?;
        in_range("quote_age_max_ms", self.quote_age_max_ms, 1_000, 86_400_000)
    }
}
