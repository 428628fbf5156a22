//! The feature schema: names, order, sources, version, hash. A model names its inputs by these names and its
//! manifest carries the hash, so a model can never read a column that means something else. Change of meaning =
//! new [`VERSION`]; the hash is pinned by a test.

use sha2::{Digest, Sha256};

/// Version of what the columns mean (formulas and constants included).
pub const VERSION: u32 = 2;

/// What a column is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Closed one-minute bars of trades.
    Bar,
    /// Sampled quotes up to the bar's boundary.
    Quote,
}

/// How many columns there are.
pub const COLUMNS: usize = NAMES.len();

/// Bar columns come first: `0..BAR_COLUMNS`.
pub const BAR_COLUMNS: usize = 46;

/// The columns, in order. σ is the symbol's point-in-time one-minute volatility (`sigma`); `ret_k` is the log
/// return of the last k trading minutes, overnight jumps taken out.
pub const NAMES: [&str; 53] = [
    // --- own returns, / (σ√k), clipped at ±CLIP ---
    "ret_1",
    "ret_2",
    "ret_3",
    "ret_5",
    "ret_10",
    "ret_15",
    "ret_30",
    "ret_60",
    // --- mean return of the universe, / (its own σ over an hour · √k) ---
    "market_ret_1",
    "market_ret_5",
    "market_ret_15",
    "market_ret_60",
    // --- own return minus the universe's mean (beta taken as 1), / (σ√k) ---
    "residual_ret_1",
    "residual_ret_5",
    "residual_ret_10",
    "residual_ret_15",
    "residual_ret_30",
    "residual_ret_60",
    // --- rank of ret_k across the universe, −½ … ½, ties share their mean rank ---
    "rank_ret_5",
    "rank_ret_30",
    // --- volatility ---
    "vol_ratio",        // ln σ(half-life 5) / σ(half-life 60)
    "parkinson_ratio",  // ln Parkinson σ / close-to-close σ, half-life 15
    "market_vol_ratio", // ln σ of the universe's mean over 10 / over 60 minutes
    "dispersion",       // ln cross-section std of one-minute returns (mean of 5) / σ
    "autocorrelation",  // lag 1, 30 returns, mean taken as 0
    "skew",             // third moment over 30 returns, mean taken as 0
    // --- position ---
    "bar_position",      // close in the bar's range, −½ … ½
    "range_position_60", // close in the range of the last 60 closes, −½ … ½
    "bollinger_z",       // (close − mean of 20) / std of 20
    "efficiency",        // |move over 30| / path over 30
    "rsi",               // Wilder, 14, −½ … ½
    "day_position",      // close in the day's range, −½ … ½
    "day_ret",           // since the day's open, / (σ√minutes)
    "twap_deviation",    // ln close − mean ln close of the day, / (σ√minutes)
    "vwap_deviation",    // ln close − ln VWAP of the day, / (σ√minutes)
    "gap",               // overnight, / (σ√390)
    // --- volume; unknown where the bar's volume is unknown ---
    "volume_relative", // ln volume / (expected at that time of day from the day so far)
    "volume_ratio",    // ln volume rate, half-life 5 / 30, time of day taken out
    "signed_volume",   // volume signed by the bar's return, half-life 10, −1 … 1
    // --- universe and clock ---
    "breadth",        // mean over 5 minutes of (risers − fallers) / symbols
    "relative_sigma", // ln σ / mean σ of the universe in this cycle
    "time_sin",
    "time_cos",
    "time_of_day", // minutes since the open / 390
    // --- change points of residual_ret_1 in this session, hazard 1/60 (`change_point`) ---
    "run_length",  // ln (1 + mean minutes since the last change)
    "change_prob", // chance of a change in the last 5 minutes
    // --- quotes at the bar's boundary ---
    "spread_bps",
    "size_imbalance",       // (bid size − ask size) / (bid size + ask size)
    "microprice_deviation", // microprice − mid, bps
    "ofi_sampled_1m",       // order-flow imbalance from sampled quotes, minute, / (mean depth · √updates)
    "ofi_sampled_5m",       // the same, exponential over minutes, half-life 5
    "quote_rate",           // ln (1 + quote updates in the minute)
    "last_deviation",       // (last − mid) / half spread
];

/// What column `index` is computed from.
pub const fn source(index: usize) -> Source {
    if index < BAR_COLUMNS { Source::Bar } else { Source::Quote }
}

/// Position of a column.
pub fn index_of(name: &str) -> Option<usize> {
    NAMES.iter().position(|n| *n == name)
}

/// SHA-256 over version, names, order and sources, in hex.
pub fn hash() -> String {
    let mut hasher = Sha256::new();
    hasher.update(VERSION.to_le_bytes());
    for (i, name) in NAMES.iter().enumerate() {
        hasher.update(name.as_bytes());
        hasher.update([if matches!(source(i), Source::Bar) { b'|' } else { b'?' }]);
    }
    hasher.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Positions of the columns, so that the code that fills them reads like the schema.
pub(super) mod at {
    pub(in crate::features) const RET: usize = 0;
    pub(in crate::features) const MARKET_RET: usize = 8;
    pub(in crate::features) const RESIDUAL_RET: usize = 12;
    pub(in crate::features) const RANK_RET_5: usize = 18;
    pub(in crate::features) const RANK_RET_30: usize = 19;
    pub(in crate::features) const VOL_RATIO: usize = 20;
    pub(in crate::features) const PARKINSON_RATIO: usize = 21;
    pub(in crate::features) const MARKET_VOL_RATIO: usize = 22;
    pub(in crate::features) const DISPERSION: usize = 23;
    pub(in crate::features) const AUTOCORRELATION: usize = 24;
    pub(in crate::features) const SKEW: usize = 25;
    pub(in crate::features) const BAR_POSITION: usize = 26;
    pub(in crate::features) const RANGE_POSITION_60: usize = 27;
    pub(in crate::features) const BOLLINGER_Z: usize = 28;
    pub(in crate::features) const EFFICIENCY: usize = 29;
    pub(in crate::features) const RSI: usize = 30;
    pub(in crate::features) const DAY_POSITION: usize = 31;
    pub(in crate::features) const DAY_RET: usize = 32;
    pub(in crate::features) const TWAP_DEVIATION: usize = 33;
    pub(in crate::features) const VWAP_DEVIATION: usize = 34;
    pub(in crate::features) const GAP: usize = 35;
    pub(in crate::features) const VOLUME_RELATIVE: usize = 36;
    pub(in crate::features) const VOLUME_RATIO: usize = 37;
    pub(in crate::features) const SIGNED_VOLUME: usize = 38;
    pub(in crate::features) const BREADTH: usize = 39;
    pub(in crate::features) const RELATIVE_SIGMA: usize = 40;
    pub(in crate::features) const TIME: usize = 41;
    pub(in crate::features) const RUN_LENGTH: usize = 44;
    pub(in crate::features) const CHANGE_PROB: usize = 45;
}
