//! The referee's own limits, from its own file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::Price;

/// What a client is held to. See `config/referee.toml` for each value's meaning.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "documented in config/referee.toml")]
pub struct Limits {
    pub max_order_shares: i64,
    pub max_order_notional_usd: f64,
    pub max_position_shares: i64,
    pub max_position_notional_usd: f64,
    pub max_gross_notional_usd: f64,
    pub open_blackout_s: i64,
    pub close_blackout_s: i64,
    pub max_active_orders_per_side: usize,
    pub duplicate_window_s: f64,
    pub max_messages_per_s: usize,
    pub max_initial_margin_share: f64,
    pub tick_rules: Vec<(f64, f64)>,
    pub panic_file: PathBuf,
    pub panic_scope_clients: Vec<i32>,
    pub panic_grace_s: f64,
}

/// Why a limits file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("referee limits {path}: {why}; see config/referee.toml for a complete file")]
pub struct LimitsError {
    path: String,
    why: String,
}

/// The shipped file.
const SHIPPED: &str = include_str!("../../../config/referee.toml");

impl Default for Limits {
    /// The shipped limits.
    fn default() -> Self {
        // A test reads the shipped file; the fallback denies everything, so that a broken file can't pass silently.
        Self::parse(SHIPPED).unwrap_or(Self {
            max_order_shares: 0,
            max_order_notional_usd: 0.0,
            max_position_shares: 0,
            max_position_notional_usd: 0.0,
            max_gross_notional_usd: 0.0,
            open_blackout_s: 0,
            close_blackout_s: 0,
            max_active_orders_per_side: 0,
            duplicate_window_s: 0.0,
            max_messages_per_s: 0,
            max_initial_margin_share: 0.0,
            tick_rules: Vec::new(),
            panic_file: PathBuf::new(),
            panic_scope_clients: Vec::new(),
            panic_grace_s: 0.0,
        })
    }
}

impl Limits {
    /// Reads a limits file.
    ///
    /// # Errors
    /// It can't be read, misses a key or holds an unknown one.
    pub fn read(path: &Path) -> Result<Self, LimitsError> {
        let fail = |why: String| LimitsError { path: path.display().to_string(), why };
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(fail)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let limits: Self = toml::from_str(text).map_err(|e| e.message().to_string())?;
        for (name, s) in [("duplicate_window_s", limits.duplicate_window_s), ("panic_grace_s", limits.panic_grace_s)] {
            if !(0.0..=86_400.0).contains(&s) {
                return Err(format!("{name} {s} must lie between 0 and 86400 seconds"));
            }
        }
        Ok(limits)
    }

    /// The price increment at `price`.
    pub(super) fn tick_at(&self, price: Price) -> Price {
        let rule = self.tick_rules.iter().rev().find(|(low, _)| *low <= price.to_f64());
        rule.map_or(Price::NONE, |(_, increment)| Price::from_f64(*increment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_complete_and_unknown_keys_are_refused() {
        let limits = Limits::parse(SHIPPED).expect("complete");
        assert_eq!(limits, Limits::default());
        assert!(limits.max_order_shares > 0);
        assert_eq!(limits.tick_at(Price(500_000)), Price(100));
        assert_eq!(limits.tick_at(Price(1_000_000)), Price(10_000));
        assert!(Limits::parse(&format!("{SHIPPED}\nmax_ordr_shares = 1")).is_err());
    }
}
