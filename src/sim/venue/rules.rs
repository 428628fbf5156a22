//! What the account's kind, the broker's settings and the exchanges hold orders to: everything about orders that an
//! option of the gateway changes. The defaults are what was recorded, else what is usual.

use super::borrow::ShortStock;
use super::fees::FeePlan;
use super::halts::PlannedHalt;
use crate::domain::Money;

/// What fill-or-kill draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FillOrKill {
    /// 201, at all hours. Recorded of limit orders through SMART after the close, which can't be told from a rule for all
    /// hours.
    #[default]
    Refused,
    /// All of it at once or none, in regular hours; refused outside them, as recorded.
    Worked,
}

/// What the account may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountKind {
    /// Buys on margin and sells short.
    #[default]
    Margin,
    /// Buys from settled cash (T+1) and sells what it holds.
    Cash,
}

/// The account's base currency, in which it reports everything that is the account's as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// Its code.
    pub currency: String,
    /// Units of it that a dollar costs, as ExchangeRate rows tell it.
    pub per_usd: f64,
}

impl Default for Base {
    fn default() -> Self {
        Self { currency: "USD".into(), per_usd: 1.0 }
    }
}

/// The precautionary settings of a gateway: what it refuses itself. `None` = bypassed, as `certify` wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Precautions {
    /// A limit further than so many percent through the market draws 163.
    pub percent: Option<f64>,
    /// More shares draw 383.
    pub size: Option<i64>,
    /// A larger value draws 382.
    pub value: Option<Money>,
}

/// The index that market-wide circuit breakers go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BreakerIndex {
    /// The mean of the whole universe, each name weighted alike.
    Universe,
    /// One symbol of it, such as SPY.
    Symbol(String),
}

/// The rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Fill-or-kill.
    pub fill_or_kill: FillOrKill,
    /// Commissions.
    pub fees: FeePlan,
    /// Margin or cash.
    pub account: AccountKind,
    /// Base currency.
    pub base: Base,
    /// Whether the pattern-day-trader rule holds: below $25,000 at most three day trades in five days.
    pub day_trade_rule: bool,
    /// Working orders of one contract and side; 0 = no limit. IB's is 15 to 20.
    pub active_orders_max: usize,
    /// Precautionary settings.
    pub precautions: Precautions,
    /// Percent beyond the opposite quote at which marketable limits are capped (2161); `None` = they are not.
    pub price_cap_percent: Option<f64>,
    /// Most ticks by which a taker's fill is worse than the quote, drawn evenly.
    pub slippage_ticks_max: u64,
    /// House margin in percent of what the regulations ask for.
    pub house_margin_percent: i64,
    /// Whether limit-up limit-down bands are in force.
    pub bands: bool,
    /// Names of tier 2, whose bands are 10 % instead of 5 %.
    pub tier_2: Vec<String>,
    /// Market-wide circuit breakers; `None` = none.
    pub breakers: Option<BreakerIndex>,
    /// Halts that are known beforehand.
    pub halts: Vec<PlannedHalt>,
    /// What can be borrowed, instead of the market source's figures.
    pub short_stock: Option<ShortStock>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            fill_or_kill: FillOrKill::default(),
            fees: FeePlan::default(),
            account: AccountKind::default(),
            base: Base::default(),
            day_trade_rule: false,
            active_orders_max: 0,
            precautions: Precautions::default(),
            price_cap_percent: None,
            slippage_ticks_max: 0,
            house_margin_percent: 100,
            bands: false,
            tier_2: Vec::new(),
            breakers: None,
            halts: Vec::new(),
            short_stock: None,
        }
    }
}
