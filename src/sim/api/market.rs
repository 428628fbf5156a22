//! Market data beyond single ticks.

use crate::clock::SessionTime;

/// One historical bar.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs, reason = "TWS field names")]
pub struct HistoricalBar {
    /// The bar's start.
    pub time: SessionTime,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    /// Shares.
    pub volume: f64,
    pub wap: f64,
    pub count: i32,
}
