//! Settings of routing, units in the names. Every key must be present and no other; `validate` says what is wrong
//! in one sentence. Limits that scale with the account are percent of equity = min(NetLiquidation, `equity_cap_usd`).

use serde::Deserialize;

use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::domain::{Horizon, Money};

/// All of routing's settings: table `[routing]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Names this installation in every order reference; 1–8 letters, digits or `-`.
    pub deployment: String,
    /// Orders kept in memory, tombstones included.
    pub order_slots: usize,
    /// Executions kept in memory; beyond it trading disarms.
    pub execution_slots: usize,
    /// Foreign live orders kept; beyond it no new exposure.
    pub external_slots: usize,
    /// How targets become children.
    pub execution: ExecutionConfig,
    /// What the guards allow.
    pub limits: Limits,
    /// How doubt is settled.
    pub reconcile: ReconcileConfig,
}

/// How targets become child orders: table `[routing.execution]`. All times are session time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionConfig {
    /// Time in force of a child by horizon 5, 10, 15, 30, 60 minutes.
    pub tif_s: [i64; Horizon::COUNT],
    /// Time in force of exits and flattening.
    pub exit_tif_s: i64,
    /// The broker's own expiry comes this much after the local cancel.
    pub gtd_grace_s: i64,
    /// Raise the limit by modifying at a third and two thirds of the time in force.
    pub step_up: bool,
    /// Ticks beyond the passive mid at the first and second step.
    pub step_ticks: [i64; 2],
    /// At the end of the time in force, an entry crosses the spread once.
    pub cross_entries_at_end: bool,
    /// How long a crossing order may rest before it is cancelled.
    pub cross_window_s: i64,
    /// An entry never pays more than this over its arrival mid, bps.
    pub entry_slippage_cap_bps: i64,
    /// A crossing exit never pays more than this over the far touch, bps.
    pub exit_slippage_cap_bps: i64,
    /// An intent older than this is withdrawn instead of sent.
    pub intent_ttl_ms: i64,
    /// A sent order without an answer is in doubt after this.
    pub ack_timeout_s: i64,
    /// A cancel without an answer is asked again after this.
    pub cancel_retry_s: i64,
    /// Cancels asked per order before a person is told.
    pub cancels_max: u8,
    /// A reduction that was refused is tried again after this.
    pub reduce_retry_s: i64,
}

/// What the guards allow: table `[routing.limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest child order, shares.
    pub max_order_shares: i64,
    /// Largest child order, dollars.
    pub max_order_notional_usd: i64,
    /// Largest worst-case position in a symbol, shares.
    pub max_position_shares: i64,
    /// Equity that percentages count at most, dollars.
    pub equity_cap_usd: i64,
    /// Worst-case position in a symbol, percent of equity.
    pub max_name_pct: i64,
    /// Sum of worst-case positions, percent of equity.
    pub max_gross_pct: i64,
    /// Net of worst-case positions, either way, percent of equity.
    pub max_net_pct: i64,
    /// Loss of the day that latches, percent of the day's first equity.
    pub daily_loss_pct: i64,
    /// A fit quote older than this carries no new exposure (a quiet quote is not a stale one: keep it generous).
    pub quote_age_max_s: i64,
    /// A limit may lie this far beyond the far touch, bps.
    pub collar_nbbo_bps: i64,
    /// A limit may lie this far from the last trade (else the prior close), bps.
    pub collar_reference_bps: i64,
    /// The same for reductions, against any price known.
    pub collar_reduce_bps: i64,
    /// Widest quoted spread for new exposure, bps of mid.
    pub max_spread_bps: i64,
    /// No new exposure so long after the open.
    pub open_blackout_s: i64,
    /// No new exposure so long before the close.
    pub close_blackout_s: i64,
    /// Active orders per symbol and side.
    pub max_active_orders: i64,
    /// The same order (symbol, side, shares, limit) twice within this is denied.
    pub duplicate_window_ms: i64,
    /// Entries per symbol within `repeat_window_s` before the symbol is denied until a person re-arms.
    pub repeat_entries_max: usize,
    /// See `repeat_entries_max`.
    pub repeat_window_s: i64,
    /// (submits + revisions + cancels) / (executed orders + 1) above which nothing new is sent.
    pub order_efficiency_max: i64,
    /// Messages before which the efficiency ratio is not judged.
    pub order_efficiency_min_messages: i64,
    /// All outbound order messages in any one second.
    pub messages_per_s: usize,
    /// Of them, kept for cancels and reductions.
    pub messages_reserve: usize,
    /// All outbound order messages in any 100 ms.
    pub messages_per_100ms: usize,
    /// Account facts older than this deny new exposure.
    pub account_age_max_s: i64,
    /// Initial margin assumed for a stock, percent of notional.
    pub initial_margin_pct: i64,
    /// Added to that estimate, percent of it.
    pub margin_headroom_pct: i64,
    /// (equity − excess liquidity) / equity after the order, percent.
    pub utilisation_max_pct: i64,
    /// Buying power that must remain, dollars.
    pub min_buying_power_usd: i64,
    /// Whether shorts are allowed at all.
    pub allow_shorts: bool,
    /// Tick 46 must exceed this, thousandths (2500 = 2.5: at least 1,000 shares).
    pub shortable_min_milli: i64,
    /// Tick 89 must be at least so many times the shares to short.
    pub shortable_multiple: u64,
    /// Whether trading may arm while the broker holds positions that the book can't explain.
    pub arm_with_unexplained_positions: bool,
}

/// How doubt is settled: table `[routing.reconcile]`. All times are session time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileConfig {
    /// Rounds are at least so far apart.
    pub round_gap_s: i64,
    /// A round whose answers did not all come is over after this.
    pub round_timeout_s: i64,
    /// Rounds with every proof before an order in doubt is abandoned.
    pub proof_rounds: u32,
    /// Rounds without the end of executions, all else proven, that make a weak proof.
    pub weak_proof_rounds: u32,
    /// Rounds in a row with something left in doubt before a person must look; what is in doubt stays frozen.
    pub rounds_max: u32,
    /// An intent's time to live must be past by this before it can be proven absent.
    pub ttl_margin_s: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            deployment: "ibt".into(),
            order_slots: 16_384,
            execution_slots: 32_768,
            external_slots: 64,
            execution: ExecutionConfig::default(),
            limits: Limits::default(),
            reconcile: ReconcileConfig::default(),
        }
    }
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        Self {
            tif_s: [15, 25, 30, 45, 60],
            exit_tif_s: 15,
            gtd_grace_s: 30,
            step_up: true,
            step_ticks: [1, 2],
            cross_entries_at_end: false,
            cross_window_s: 5,
            entry_slippage_cap_bps: 10,
            exit_slippage_cap_bps: 30,
            intent_ttl_ms: 2_000,
            ack_timeout_s: 15,
            cancel_retry_s: 5,
            cancels_max: 5,
            reduce_retry_s: 2,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_order_shares: 1_000,
            max_order_notional_usd: 25_000,
            max_position_shares: 2_000,
            equity_cap_usd: 1_000_000,
            max_name_pct: 10,
            max_gross_pct: 50,
            max_net_pct: 25,
            daily_loss_pct: 2,
            quote_age_max_s: 30,
            collar_nbbo_bps: 25,
            collar_reference_bps: 500,
            collar_reduce_bps: 1_000,
            max_spread_bps: 12,
            open_blackout_s: 180,
            close_blackout_s: 120,
            max_active_orders: 15,
            duplicate_window_ms: 1_000,
            repeat_entries_max: 20,
            repeat_window_s: 600,
            order_efficiency_max: 20,
            order_efficiency_min_messages: 40,
            messages_per_s: 30,
            messages_reserve: 10,
            messages_per_100ms: 6,
            account_age_max_s: 200,
            initial_margin_pct: 50,
            margin_headroom_pct: 15,
            utilisation_max_pct: 85,
            min_buying_power_usd: 1_000,
            allow_shorts: true,
            shortable_min_milli: 2_500,
            shortable_multiple: 2,
            arm_with_unexplained_positions: false,
        }
    }
}

impl Default for ReconcileConfig {
    fn default() -> Self {
        Self {
            round_gap_s: 10,
            round_timeout_s: 30,
            proof_rounds: 2,
            weak_proof_rounds: 3,
            rounds_max: 30,
            ttl_margin_s: 5,
        }
    }
}

/// Whole seconds as session nanoseconds.
pub(crate) const fn secs(s: i64) -> Nanos {
    s * SECOND
}

/// Milliseconds as session nanoseconds.
pub(crate) const fn millis(ms: i64) -> Nanos {
    ms * MILLISECOND
}

/// Whole dollars.
pub(crate) const fn usd(dollars: i64) -> Money {
    Money(dollars * crate::domain::price::MICROS)
}

/// Highest value of any setting: keeps products of settings inside 63 bits.
const VALUE_MAX: i64 = 1_000_000_000;
/// Tables that fit memory on any host.
const SLOTS_MAX: usize = 1 << 20;

fn positive(table: &str, values: &[(&str, i64)]) -> Result<(), String> {
    values.iter().try_for_each(|(name, v)| {
        if (1..=VALUE_MAX).contains(v) {
            Ok(())
        } else {
            Err(format!("{table}.{name} = {v}: it must lie between 1 and {VALUE_MAX}"))
        }
    })
}

impl Config {
    /// Checks every value; the error is one sentence that names the key.
    pub fn validate(&self) -> Result<(), String> {
        let name_ok = (1..=8).contains(&self.deployment.len())
            && self.deployment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !name_ok {
            return Err(format!(
                "routing.deployment = {:?}: use 1 to 8 letters, digits or '-'; it goes into every order reference",
                self.deployment
            ));
        }
        for (name, v, min) in [
            ("order_slots", self.order_slots, 64),
            ("execution_slots", self.execution_slots, 64),
            ("external_slots", self.external_slots, 1),
        ] {
            if !(min..=SLOTS_MAX).contains(&v) {
                return Err(format!("routing.{name} = {v}: it must lie between {min} and {SLOTS_MAX}"));
            }
        }
        self.execution.validate()?;
        self.limits.validate()?;
        self.reconcile.validate()
    }
}

impl ExecutionConfig {
    fn validate(&self) -> Result<(), String> {
        for tif in self.tif_s {
            positive("routing.execution", &[("tif_s", tif)])?;
        }
        positive(
            "routing.execution",
            &[
                ("exit_tif_s", self.exit_tif_s),
                ("gtd_grace_s", self.gtd_grace_s),
                ("cross_window_s", self.cross_window_s),
                ("entry_slippage_cap_bps", self.entry_slippage_cap_bps),
                ("exit_slippage_cap_bps", self.exit_slippage_cap_bps),
                ("intent_ttl_ms", self.intent_ttl_ms),
                ("ack_timeout_s", self.ack_timeout_s),
                ("cancel_retry_s", self.cancel_retry_s),
                ("cancels_max", i64::from(self.cancels_max)),
                ("reduce_retry_s", self.reduce_retry_s),
            ],
        )?;
        let [a, b] = self.step_ticks;
        if !(0..=100).contains(&a) || !(a..=100).contains(&b) {
            return Err(format!("routing.execution.step_ticks = [{a}, {b}]: give two rising numbers from 0 to 100"));
        }
        Ok(())
    }

    /// Time in force of a child for a horizon (`None` = exits).
    pub fn tif(&self, horizon: Option<Horizon>) -> Nanos {
        secs(horizon.map_or(self.exit_tif_s, |h| self.tif_s[h.index()]))
    }
}

impl Limits {
    fn validate(&self) -> Result<(), String> {
        positive(
            "routing.limits",
            &[
                ("max_order_shares", self.max_order_shares),
                ("max_order_notional_usd", self.max_order_notional_usd),
                ("max_position_shares", self.max_position_shares),
                ("equity_cap_usd", self.equity_cap_usd),
                ("max_name_pct", self.max_name_pct),
                ("max_gross_pct", self.max_gross_pct),
                ("max_net_pct", self.max_net_pct),
                ("daily_loss_pct", self.daily_loss_pct),
                ("quote_age_max_s", self.quote_age_max_s),
                ("collar_nbbo_bps", self.collar_nbbo_bps),
                ("collar_reference_bps", self.collar_reference_bps),
                ("collar_reduce_bps", self.collar_reduce_bps),
                ("max_spread_bps", self.max_spread_bps),
                ("max_active_orders", self.max_active_orders),
                ("order_efficiency_max", self.order_efficiency_max),
                ("order_efficiency_min_messages", self.order_efficiency_min_messages),
                ("account_age_max_s", self.account_age_max_s),
                ("initial_margin_pct", self.initial_margin_pct),
                ("utilisation_max_pct", self.utilisation_max_pct),
                ("repeat_window_s", self.repeat_window_s),
                ("shortable_min_milli", self.shortable_min_milli),
            ],
        )?;
        for (name, v) in [
            ("open_blackout_s", self.open_blackout_s),
            ("close_blackout_s", self.close_blackout_s),
            ("duplicate_window_ms", self.duplicate_window_ms),
            ("margin_headroom_pct", self.margin_headroom_pct),
            ("min_buying_power_usd", self.min_buying_power_usd),
        ] {
            if !(0..=VALUE_MAX).contains(&v) {
                return Err(format!("routing.limits.{name} = {v}: it must not be negative"));
            }
        }
        if self.max_active_orders > 15 {
            return Err("routing.limits.max_active_orders: IB works 15 active orders per contract and side; use at \
                        most 15"
                .into());
        }
        if self.repeat_entries_max == 0 || self.repeat_entries_max > super::guards::REPEAT_ENTRIES_LIMIT {
            return Err(format!(
                "routing.limits.repeat_entries_max = {}: it must lie between 1 and {}",
                self.repeat_entries_max,
                super::guards::REPEAT_ENTRIES_LIMIT
            ));
        }
        if self.messages_per_s == 0 || self.messages_per_s > 50 || self.messages_reserve >= self.messages_per_s {
            return Err("routing.limits.messages_per_s: IB disconnects above 50 a second; give 1 to 50, and a \
                        messages_reserve below it"
                .into());
        }
        if self.messages_per_100ms == 0 || self.messages_per_100ms > self.messages_per_s {
            return Err("routing.limits.messages_per_100ms: give 1 up to messages_per_s".into());
        }
        Ok(())
    }
}

impl ReconcileConfig {
    fn validate(&self) -> Result<(), String> {
        positive(
            "routing.reconcile",
            &[
                ("round_gap_s", self.round_gap_s),
                ("round_timeout_s", self.round_timeout_s),
                ("proof_rounds", i64::from(self.proof_rounds)),
                ("weak_proof_rounds", i64::from(self.weak_proof_rounds)),
                ("rounds_max", i64::from(self.rounds_max)),
                ("ttl_margin_s", self.ttl_margin_s),
            ],
        )?;
        if self.proof_rounds < 2 || self.round_gap_s < 10 || self.weak_proof_rounds < 3 {
            return Err("routing.reconcile: a proof of absence takes at least 2 rounds (3 for a weak one) at least \
                        10 s apart"
                .into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_bad_values_are_named() {
        assert_eq!(Config::default().validate(), Ok(()));
        let mut c = Config::default();
        c.limits.messages_per_s = 51;
        assert!(c.validate().is_err_and(|e| e.contains("50 a second")));
        let c = Config { deployment: "a|b".into(), ..Config::default() };
        assert!(c.validate().is_err_and(|e| e.contains("routing.deployment")));
        let mut c = Config::default();
        c.limits.max_name_pct = 0;
        assert!(c.validate().is_err_and(|e| e.contains("max_name_pct")));
        let mut c = Config::default();
        c.reconcile.proof_rounds = 1;
        assert!(c.validate().is_err());
    }

    #[test]
    fn unknown_and_missing_keys_are_refused() {
        let unknown = toml::from_str::<ReconcileConfig>(
            "round_gap_s = 10\nround_timeout_s = 30\nproof_rounds = 2\nweak_proof_rounds = 3\nrounds_max = 30\n\
             ttl_margin_s = 5\nround_gap = 3",
        );
        assert!(unknown.is_err_and(|e| e.to_string().contains("round_gap")));
        let missing = toml::from_str::<ReconcileConfig>("round_gap_s = 10");
        assert!(missing.is_err_and(|e| e.to_string().contains("round_timeout_s")));
    }
}
