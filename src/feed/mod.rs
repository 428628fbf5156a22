//! Stage 1: is this quote fit to act on? Owns each symbol's sanity state and the liveness of the feed as a whole;
//! sets `Tick::quality`. It never drops a fact that lowers trust: garbage goes on, marked unfit.
//! May not touch: bars and features (stage 2), orders, clocks. Knows nothing of the broker's protocol.

mod config;
mod sanity;
mod stage;

pub use config::Config;
pub use sanity::Fault;
pub use stage::FeedStage;
