//! Session time: nanoseconds since 1970-01-01 00:00 UTC, as a newtype.

use std::fmt;
use std::ops::{Add, Sub};

/// A signed duration in nanoseconds of session time.
pub type Nanos = i64;

/// One millisecond, in nanoseconds.
pub const MILLISECOND: Nanos = 1_000_000;
/// One second, in nanoseconds.
pub const SECOND: Nanos = 1_000 * MILLISECOND;
/// One minute, in nanoseconds.
pub const MINUTE: Nanos = 60 * SECOND;
/// One hour, in nanoseconds.
pub const HOUR: Nanos = 60 * MINUTE;

/// An instant of session time: nanoseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SessionTime(pub i64);

impl SessionTime {
    /// Builds from whole seconds since the Unix epoch; what lies beyond the range is its end.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(SECOND))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// The latest multiple of `step` nanoseconds at or before this instant.
    pub const fn floor_to(self, step: Nanos) -> Self {
        Self(self.0.div_euclid(step) * step)
    }

    /// `self - earlier`, zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Nanos {
        let d = self.0 - earlier.0;
        if d < 0 { 0 } else { d }
    }
}

impl Add<Nanos> for SessionTime {
    type Output = Self;
    fn add(self, rhs: Nanos) -> Self {
        Self(self.0 + rhs)
    }
}

impl Sub<Nanos> for SessionTime {
    type Output = Self;
    fn sub(self, rhs: Nanos) -> Self {
        Self(self.0 - rhs)
    }
}

impl Sub for SessionTime {
    type Output = Nanos;
    fn sub(self, rhs: Self) -> Nanos {
        self.0 - rhs.0
    }
}

impl fmt::Display for SessionTime {
    /// ISO 8601 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = crate::domain::calendar::civil_from_secs(self.secs());
        let ms = self.0.rem_euclid(SECOND) / MILLISECOND;
        write!(f, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{ms:03}Z", c.year, c.month, c.day, c.hour, c.minute, c.second)
    }
}
