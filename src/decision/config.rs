//! Settings of the decision stage and what they mean. Gates that a profile loosens are named here, so that a
//! banner can print them.

use serde::Deserialize;

use crate::clock::SessionTime;
use crate::domain::Family;
pub use crate::message::{Calibration, ScoreScale};

/// `[decision]` of the settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Families that must have spoken for a horizon to count.
    pub families_min: usize,
    /// Standardised scores are clipped to ± this.
    pub score_clip: f32,
    /// Whether an entry must clear its round-trip cost. `false` only in a plumbing profile.
    pub cost_gate: bool,
    /// The slope used where the fitted one is smaller; 0 = the fitted slope rules. > 0 only in a plumbing profile.
    pub slope_floor: f32,
    /// Net edge that an entry needs beyond its cost, as a fraction of the full spread.
    pub reserve_spread_fraction: f32,
    /// Share of the adjacent horizon of the same sign in the blended edge.
    pub adjacent_weight: f32,
    /// Most names held or being entered at once.
    pub names_max: usize,
    /// Most entries in one cycle.
    pub entries_per_cycle_max: usize,
    /// Notional of one name at most, dollars.
    pub name_notional_usd_max: f64,
    /// Shares of one name at most: within `routing.limits.max_order_shares` entry and exit are one order each, and no
    /// slice can look like a repeated order.
    pub name_shares_max: i64,
    /// Notional below which an entry is not worth its minimum commission, dollars.
    pub name_notional_usd_min: f64,
    /// Gross notional of all names at most, dollars.
    pub gross_notional_usd_max: f64,
    /// Share of one minute's average volume that one entry may take.
    pub adv_minute_fraction_max: f64,
    /// Whether short targets are made at all.
    pub allow_short: bool,
    /// Seconds after an exit before the same name may be entered again.
    pub cooldown_s: i64,
    /// The cost model.
    pub cost: CostConfig,
}

/// `[decision.cost]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostConfig {
    /// Commission per share, dollars.
    pub commission_per_share_usd: f64,
    /// Commission minimum per order, dollars.
    pub commission_min_usd: f64,
    /// Share of the half spread that an order is expected to pay (1 = always crosses).
    pub spread_paid_fraction: f64,
    /// Seconds that a child order takes, for the impact model.
    pub execution_s: f64,
    /// Shares outstanding over average daily volume, for the permanent part of the impact model.
    pub shares_outstanding_over_adv: f64,
}

/// When the session may trade, in session time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First instant of an entry.
    pub entries_from: SessionTime,
    /// Everything goes flat from here on.
    pub flat_from: SessionTime,
}

impl Config {
    /// Checks ranges.
    ///
    /// # Errors
    /// The first key out of range, with what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("score_clip", f64::from(self.score_clip)),
            ("name_notional_usd_max", self.name_notional_usd_max),
            ("gross_notional_usd_max", self.gross_notional_usd_max),
            ("adv_minute_fraction_max", self.adv_minute_fraction_max),
            ("cost.execution_s", self.cost.execution_s),
            ("cost.shares_outstanding_over_adv", self.cost.shares_outstanding_over_adv),
        ];
        let not_negative = [
            ("slope_floor", f64::from(self.slope_floor)),
            ("reserve_spread_fraction", f64::from(self.reserve_spread_fraction)),
            ("name_notional_usd_min", self.name_notional_usd_min),
            ("cost.commission_per_share_usd", self.cost.commission_per_share_usd),
            ("cost.commission_min_usd", self.cost.commission_min_usd),
            ("cost.spread_paid_fraction", self.cost.spread_paid_fraction),
        ];
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(format!("decision.{key} = {value} must be a positive number"));
            }
        }
        for (key, value) in not_negative {
            if !(value.is_finite() && value >= 0.0) {
                return Err(format!("decision.{key} = {value} must be zero or a positive number"));
            }
        }
        if !(0.0..1.0).contains(&self.adjacent_weight) {
            return Err(format!("decision.adjacent_weight = {} must be in [0, 1)", self.adjacent_weight));
        }
        if self.families_min == 0 || self.families_min > Family::COUNT {
            return Err(format!("decision.families_min = {} must be 1 to {}", self.families_min, Family::COUNT));
        }
        if self.name_shares_max < 1 {
            return Err(format!("decision.name_shares_max = {} must be 1 or more", self.name_shares_max));
        }
        if self.cooldown_s < 0 {
            return Err(format!("decision.cooldown_s = {} must be zero or more", self.cooldown_s));
        }
        Ok(())
    }

    /// The gates that this profile loosens, in words for a banner. Empty = P&L may be read as evidence.
    pub fn loosened(&self) -> Vec<String> {
        let mut gates = Vec::new();
        if !self.cost_gate {
            gates.push("cost gate off: entries need not clear their round-trip cost".to_string());
        }
        if self.slope_floor > 0.0 {
            gates.push(format!(
                "calibration floor {}: the sign of the score is traded even where its fitted worth is zero",
                self.slope_floor
            ));
        }
        gates
    }
}
