//! The guards between an intent and the right to send it. `Guards::check` runs one fixed chain; only this folder
//! can make an [`Approved`]. Doubt rejects new exposure; a reduction of a position skips what would trap it, and
//! `chain.rs` says at each guard why.

mod approved;
mod chain;
mod context;
mod exposure_guards;
mod margin_gate;
mod market_guards;
mod pre_trade_guards;
mod rate_limiter;
mod reject;
mod short_sale_guard;
mod throttles;

pub use approved::{Approved, ExposureClass};
pub use chain::{CHAIN, Facts, Guard, Guards, OnReduction};
pub use context::{Authority, Context};
pub use margin_gate::margin_estimate;
pub use rate_limiter::RateLimiter;
pub use reject::Reject;
pub use throttles::{Efficiency, REPEAT_ENTRIES_LIMIT, Throttles};
