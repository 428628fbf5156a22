//! How long orders and reports are under way.
//!
//! Assumed; IB publishes none, the design notes of the project say 100 to 300 ms for an acknowledgement and sometimes
//! seconds. Each way takes a log-normal time between its bounds, the median their geometric mean; once in so many ways an
//! exponential tail is added. Cancels, fills and what-ifs take so many times as long, each by its factor.

#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "delays are a few seconds of nanoseconds")]

use std::path::Path;

use crate::clock::{MILLISECOND, Nanos, SECOND};
use crate::sim::market::rng::Draw;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// An order, a modification, an acknowledgement.
    Order,
    Cancel,
    Fill,
    WhatIf,
}

/// How long each way takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// Shortest way.
    pub min: Nanos,
    /// Longest usual way.
    pub max: Nanos,
    /// Standard deviation of the log between them; 0 = all times are as likely.
    pub log_sd: f64,
    /// One way in so many has a tail; 0 = none has.
    pub tail_one_in: u64,
    /// Mean of the tail.
    pub tail_mean: Nanos,
    /// Longest tail.
    pub tail_max: Nanos,
    /// How many times as long a cancel's ways take.
    pub cancel: f64,
    /// As `cancel`, for the report of a fill.
    pub fill: f64,
    /// As `cancel`, for a what-if.
    pub what_if: f64,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            min: 50 * MILLISECOND,
            max: 150 * MILLISECOND,
            log_sd: 0.35,
            tail_one_in: 100,
            tail_mean: SECOND,
            tail_max: 4 * SECOND,
            ..Self::NONE
        }
    }
}

/// A file of delays, in milliseconds.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    min_ms: f64,
    max_ms: f64,
    #[serde(default)]
    log_sd: f64,
    #[serde(default)]
    tail_one_in: u64,
    #[serde(default)]
    tail_mean_ms: f64,
    #[serde(default)]
    tail_max_ms: f64,
    #[serde(default = "one")]
    cancel: f64,
    #[serde(default = "one")]
    fill: f64,
    #[serde(default = "one")]
    what_if: f64,
}

fn one() -> f64 {
    1.0
}

/// Why delays are unusable.
#[derive(Debug, thiserror::Error)]
#[error("delays {name}: {why}; give real, fast, none or a TOML file with min_ms and max_ms")]
pub struct DelaysError {
    name: String,
    why: String,
}

impl Delays {
    /// No delay at all, for tests of matching.
    pub const NONE: Self = Self {
        min: 0,
        max: 0,
        log_sd: 0.0,
        tail_one_in: 0,
        tail_mean: 0,
        tail_max: 0,
        cancel: 1.0,
        fill: 1.0,
        what_if: 1.0,
    };
    /// A gateway next to the exchange: 1 to 3 ms, no tail.
    pub const FAST: Self = Self { min: MILLISECOND, max: 3 * MILLISECOND, ..Self::NONE };

    /// `real`, `fast`, `none`, or a file of them.
    ///
    /// # Errors
    /// The file can't be read, has an unknown key, or a delay below 0 or above an hour.
    pub fn named(name: &str) -> Result<Self, DelaysError> {
        let fail = |why: String| DelaysError { name: name.into(), why };
        match name {
            "real" => Ok(Self::default()),
            "fast" => Ok(Self::FAST),
            "none" => Ok(Self::NONE),
            path => {
                let text = std::fs::read_to_string(Path::new(path)).map_err(|e| fail(e.to_string()))?;
                Self::parse(&text).map_err(fail)
            }
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let f: File = toml::from_str(text).map_err(|e| e.message().to_string())?;
        let times = [f.min_ms, f.max_ms, f.tail_mean_ms, f.tail_max_ms];
        if times.iter().any(|ms| !(0.0..=3_600_000.0).contains(ms)) || f.min_ms > f.max_ms {
            return Err("a delay is below 0, above an hour, or min_ms above max_ms".into());
        }
        if [f.cancel, f.fill, f.what_if].iter().any(|x| !(0.0..=1_000.0).contains(x))
            || !(0.0..=3.0).contains(&f.log_sd)
        {
            return Err("a factor is not between 0 and 1000, or log_sd not between 0 and 3".into());
        }
        let ns = |ms: f64| (ms * MILLISECOND as f64) as Nanos;
        Ok(Self {
            min: ns(f.min_ms),
            max: ns(f.max_ms),
            log_sd: f.log_sd,
            tail_one_in: f.tail_one_in,
            tail_mean: ns(f.tail_mean_ms),
            tail_max: ns(f.tail_max_ms),
            cancel: f.cancel,
            fill: f.fill,
            what_if: f.what_if,
        })
    }

    /// One way's delay.
    pub(super) fn draw(&self, way: Way, draw: &mut Draw) -> Nanos {
        let factor = match way {
            Way::Order => 1.0,
            Way::Cancel => self.cancel,
            Way::Fill => self.fill,
            Way::WhatIf => self.what_if,
        };
        let usual = if self.log_sd > 0.0 && self.min > 0 {
            let median = libm::sqrt(self.min as f64 * self.max as f64);
            (median * libm::exp(self.log_sd * draw.normal())).clamp(self.min as f64, self.max as f64) as Nanos
        } else {
            self.min + draw.below((self.max - self.min).max(0) as u64 + 1) as Nanos
        };
        let has_tail = self.tail_one_in > 0 && draw.below(self.tail_one_in) == 0;
        let tail =
            if has_tail { ((self.tail_mean as f64 * draw.exponential()) as Nanos).min(self.tail_max) } else { 0 };
        ((usual + tail) as f64 * factor) as Nanos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lie_between_their_bounds_and_by_their_factor() {
        let mut draw = Draw::keyed(1, "delays", 0, 0);
        let d = Delays { tail_one_in: 0, cancel: 2.0, ..Delays::default() };
        let mut ways: Vec<Nanos> = (0..1_001).map(|_| d.draw(Way::Order, &mut draw)).collect();
        ways.sort_unstable();
        assert!(ways[0] >= d.min && ways[1_000] <= d.max);
        let median = ways[500] / MILLISECOND;
        assert!((80..95).contains(&median), "{median} ms, the geometric mean is 86.6");
        assert!((0..100).all(|_| d.draw(Way::Cancel, &mut draw) >= 2 * d.min));
        assert_eq!(Delays::NONE.draw(Way::Fill, &mut draw), 0);
    }

    #[test]
    fn a_file_is_read_or_says_what_is_wrong() {
        let d = Delays::parse("min_ms = 10\nmax_ms = 20\nfill = 3").unwrap();
        assert_eq!((d.min, d.max, d.tail_one_in, d.fill), (10 * MILLISECOND, 20 * MILLISECOND, 0, 3.0));
        for broken in ["min_ms = 10", "min_ms = 30\nmax_ms = 20", "min_ms = 1\nmax_ms = 2\nminms = 3"] {
            assert!(Delays::parse(broken).is_err(), "{broken}");
        }
        assert!(Delays::named("no-such-file.toml").unwrap_err().to_string().contains("real, fast, none"));
    }
}
