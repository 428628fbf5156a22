//! `gateway`: the options of the venue, and the rules that they make.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};

use crate::domain::Money;
use crate::domain::calendar::Date;
use crate::sim::market::Reference;
use crate::sim::venue::{
    AccountKind, Base, BreakerIndex, Delays, FeePlan, FillOrKill, Precautions, Rules, ShortStock, VenueConfig,
    read_halts,
};

/// The options of the venue.
#[derive(Clone, Debug, Args)]
pub struct VenueOptions {
    /// How long orders and reports take, in session time: `real`, `fast`, `none`, or a TOML file (min_ms, max_ms, log_sd,
    /// tail_one_in, tail_mean_ms, tail_max_ms, and factors cancel, fill, what_if).
    #[arg(long, default_value = "real", help_heading = "Venue")]
    pub delays: String,
    /// Most ticks by which a market order's fill is worse than the quote, drawn evenly.
    #[arg(long, default_value_t = 0, help_heading = "Venue")]
    pub slippage_ticks: u64,
    /// What fill-or-kill draws: 201 (as recorded, after hours), or it is worked in regular hours.
    #[arg(long, value_enum, default_value = "refused", help_heading = "Venue")]
    pub fill_or_kill: FillOrKillOption,
    /// Messages a second of all clients together, before error 100.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Venue")]
    pub messages_per_s: u32,
    /// Most working orders of one contract and side; 0 = no limit. IB's is 15 to 20.
    #[arg(long, default_value_t = 20, help_heading = "Venue")]
    pub active_orders: usize,
    /// No limit-up limit-down bands.
    #[arg(long, help_heading = "Venue")]
    pub no_luld: bool,
    /// Names whose bands are those of tier 2, separated by commas.
    #[arg(long, value_delimiter = ',', help_heading = "Venue")]
    pub tier_2: Vec<String>,
    /// Market-wide circuit breakers by this symbol, or by `universe`, the mean of all.
    #[arg(long, help_heading = "Venue")]
    pub breakers: Option<String>,
    /// Halts of the day: a file in the format of Nasdaq's list of trade halts.
    #[arg(long, help_heading = "Venue")]
    pub halts: Option<PathBuf>,
    /// What can be borrowed, and at which fee: IBKR's short-stock file, plain or .gz.
    #[arg(long, help_heading = "Account")]
    pub short_stock: Option<PathBuf>,
    /// Margin, or cash that buys from what has settled.
    #[arg(long, value_enum, default_value = "margin", help_heading = "Account")]
    pub account_kind: AccountOption,
    /// Commission plan.
    #[arg(long, value_enum, default_value = "fixed", help_heading = "Account")]
    pub fees: FeesOption,
    /// Base currency of the account; with another than USD give --usd-rate.
    #[arg(long, default_value = "USD", help_heading = "Account")]
    pub base_currency: String,
    /// Units of the base currency that a dollar costs, such as 0.8574 for EUR.
    #[arg(long, help_heading = "Account")]
    pub usd_rate: Option<f64>,
    /// House margin, percent of what the regulations ask for.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(100..=1_000), help_heading = "Account")]
    pub house_margin: i64,
    /// The pattern-day-trader rule: below $25,000 at most three day trades in five days.
    #[arg(long, help_heading = "Account")]
    pub day_trade_rule: bool,
    /// Precaution: a limit further than so many percent through the market draws 163.
    #[arg(long, help_heading = "Account")]
    pub precaution_percent: Option<f64>,
    /// Precaution: more shares than these draw 383.
    #[arg(long, help_heading = "Account")]
    pub precaution_size: Option<i64>,
    /// Precaution: an order of a larger value in USD draws 382.
    #[arg(long, help_heading = "Account")]
    pub precaution_value: Option<f64>,
    /// Limits further than so many percent through the market are capped there (warning 2161, mktCapPrice).
    #[arg(long, help_heading = "Account")]
    pub price_cap_percent: Option<f64>,
}

/// `--fill-or-kill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "named after the options")]
pub enum FillOrKillOption {
    Refused,
    Worked,
}

/// `--account-kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "named after the options")]
pub enum AccountOption {
    Margin,
    Cash,
}

/// `--fees`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "named after the options")]
pub enum FeesOption {
    Fixed,
    Tiered,
}

impl VenueOptions {
    /// Puts the options into a venue's settings, for a session of `day` over a universe.
    ///
    /// # Errors
    /// A file is unusable, a number out of range, or a symbol not in the universe.
    pub fn apply(&self, config: &mut VenueConfig, day: Date, universe: &[Reference]) -> anyhow::Result<()> {
        config.delays = Delays::named(&self.delays).context("--delays")?;
        config.messages_per_s_max = usize::try_from(self.messages_per_s).unwrap_or(usize::MAX);
        config.rules = Rules {
            fill_or_kill: match self.fill_or_kill {
                FillOrKillOption::Refused => FillOrKill::Refused,
                FillOrKillOption::Worked => FillOrKill::Worked,
            },
            fees: match self.fees {
                FeesOption::Fixed => FeePlan::Fixed,
                FeesOption::Tiered => FeePlan::Tiered,
            },
            account: match self.account_kind {
                AccountOption::Margin => AccountKind::Margin,
                AccountOption::Cash => AccountKind::Cash,
            },
            base: self.base()?,
            day_trade_rule: self.day_trade_rule,
            active_orders_max: self.active_orders,
            precautions: self.precautions()?,
            price_cap_percent: positive("--price-cap-percent", self.price_cap_percent)?,
            slippage_ticks_max: self.slippage_ticks,
            house_margin_percent: self.house_margin,
            bands: !self.no_luld,
            tier_2: self.tier_2.clone(),
            breakers: self.breaker_index(universe)?,
            halts: match &self.halts {
                Some(path) => read_halts(path, day).context("--halts")?,
                None => Vec::new(),
            },
            short_stock: self.short_stock.as_deref().map(ShortStock::read).transpose().context("--short-stock")?,
        };
        Ok(())
    }

    fn base(&self) -> anyhow::Result<Base> {
        let currency = self.base_currency.clone();
        let code = currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase());
        ensure!(code, "--base-currency {currency} is no currency code; write three capitals, such as EUR");
        if currency == "USD" {
            ensure!(self.usd_rate.is_none(), "--usd-rate is for another --base-currency than USD");
            return Ok(Base::default());
        }
        let rate =
            self.usd_rate.with_context(|| format!("--base-currency {currency} needs --usd-rate, such as 0.86"))?;
        ensure!(rate.is_finite() && rate > 0.0, "--usd-rate {rate} must be above 0, such as 0.86");
        Ok(Base { currency, per_usd: rate })
    }

    fn precautions(&self) -> anyhow::Result<Precautions> {
        ensure!(self.precaution_size.is_none_or(|n| n > 0), "--precaution-size must be above 0, such as 500");
        let value = positive("--precaution-value", self.precaution_value)?;
        Ok(Precautions {
            percent: positive("--precaution-percent", self.precaution_percent)?,
            size: self.precaution_size,
            value: value.and_then(Money::from_f64),
        })
    }

    fn breaker_index(&self, universe: &[Reference]) -> anyhow::Result<Option<BreakerIndex>> {
        let Some(name) = &self.breakers else { return Ok(None) };
        if name == "universe" {
            return Ok(Some(BreakerIndex::Universe));
        }
        let known = universe.iter().any(|r| r.symbol == *name);
        ensure!(known, "--breakers {name}: the market has no such symbol; name one of it, or universe");
        Ok(Some(BreakerIndex::Symbol(name.clone())))
    }
}

fn positive(option: &str, value: Option<f64>) -> anyhow::Result<Option<f64>> {
    let fine = value.is_none_or(|v| v.is_finite() && v > 0.0 && v < 1e12);
    ensure!(fine, "{option} must be above 0, such as 3");
    Ok(value)
}
