//! The two clocks. Session time is all that logic reads: UTC, scaled in accelerated sessions, virtual in
//! lockstep. Monotonic nanoseconds measure latency and nothing else. Only this folder, `pipeline/` and `app/`
//! read a real clock.

mod file;
mod scaled;
mod time;

pub use file::{ClockFile, ClockFileError};
pub use scaled::{Clock, ScaledClock, VirtualClock};
pub use time::{HOUR, MILLISECOND, MINUTE, Nanos, SECOND, SessionTime};
