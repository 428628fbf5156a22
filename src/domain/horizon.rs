//! The five forecast horizons.

use crate::clock::{MINUTE, Nanos};

/// A forecast horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizon {
    /// 5 minutes.
    M5,
    /// 10 minutes.
    M10,
    /// 15 minutes.
    M15,
    /// 30 minutes.
    M30,
    /// 60 minutes.
    M60,
}

impl Horizon {
    /// How many there are.
    pub const COUNT: usize = 5;
    /// All, shortest first.
    pub const ALL: [Self; Self::COUNT] = [Self::M5, Self::M10, Self::M15, Self::M30, Self::M60];

    /// Length in minutes.
    pub const fn minutes(self) -> i64 {
        match self {
            Self::M5 => 5,
            Self::M10 => 10,
            Self::M15 => 15,
            Self::M30 => 30,
            Self::M60 => 60,
        }
    }

    /// Length in session nanoseconds.
    pub const fn nanos(self) -> Nanos {
        self.minutes() * MINUTE
    }

    /// Position in [`Horizon::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The horizon of so many minutes.
    pub fn from_minutes(minutes: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|h| h.minutes() == minutes)
    }
}
