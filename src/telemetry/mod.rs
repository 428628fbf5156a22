//! Telemetry: what a session measured of itself, for people and for other tools.
//!
//! Nothing here decides anything. Recording ([`LatencyRecorder`], [`Counters`]) is cheap enough for stage threads;
//! everything else runs after the session or on threads that are no stages.

mod counters;
mod latency;
mod page;
mod report;
mod summary;
mod table;

pub use counters::{Counter, Counters};
pub use latency::{Hop, LatencyError, LatencyRecorder, MAX_NS};
pub use report::{PAGE_FILE, ReportError, SUMMARY_FILE, read_summary, render, write_report};
pub use summary::{
    Book, Budget, Budgets, DECISION_P99_BUDGET_MS, Dollars, Exercised, FamilyLine, Host, INFERENCE_P95_BUDGET_MS,
    LatencyLine, Pair, ROUTING_P99_BUDGET_MS, Reconciliation, Summary, Violations, latency_lines,
};

#[cfg(test)]
mod tests;
