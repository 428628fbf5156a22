//! Conditions of an order: what must hold before it is sent, or before it is cancelled.

/// One condition and how it is joined to the one behind it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Condition {
    /// Joined to the next condition by *and*, else by *or*.
    pub and: bool,
    /// What must hold.
    pub test: Test,
}

/// What a condition looks at. `is_more`: at or above the figure, else at or below it.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[allow(missing_docs, reason = "TWS field names")]
pub enum Test {
    /// TWS type 1.
    Price { is_more: bool, price: f64, con_id: i32, exchange: String, trigger_method: i32 },
    /// Type 3.
    Time { is_more: bool, time: String },
    /// Type 4: the account's cushion, in percent.
    Margin { is_more: bool, percent: i32 },
    /// Type 5: a fill of that symbol in the account.
    Execution { sec_type: String, exchange: String, symbol: String },
    /// Type 6: the day's volume, in shares.
    Volume { is_more: bool, volume: i32, con_id: i32, exchange: String },
    /// Type 7: change since the prior close, in percent.
    PercentChange { is_more: bool, change_percent: f64, con_id: i32, exchange: String },
}

impl Test {
    /// TWS's number of its type.
    pub const fn kind(&self) -> i32 {
        match self {
            Self::Price { .. } => 1,
            Self::Time { .. } => 3,
            Self::Margin { .. } => 4,
            Self::Execution { .. } => 5,
            Self::Volume { .. } => 6,
            Self::PercentChange { .. } => 7,
        }
    }

    /// An empty one of a type; `None` where TWS has no such type.
    pub fn blank(kind: i32) -> Option<Self> {
        let text = String::new;
        Some(match kind {
            1 => Self::Price { is_more: false, price: 0.0, con_id: 0, exchange: text(), trigger_method: 0 },
            3 => Self::Time { is_more: false, time: text() },
            4 => Self::Margin { is_more: false, percent: 0 },
            5 => Self::Execution { sec_type: text(), exchange: text(), symbol: text() },
            6 => Self::Volume { is_more: false, volume: 0, con_id: 0, exchange: text() },
            7 => Self::PercentChange { is_more: false, change_percent: 0.0, con_id: 0, exchange: text() },
            _ => return None,
        })
    }
}
