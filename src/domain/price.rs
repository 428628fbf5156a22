//! Fixed-point money and prices in micro-dollars (1e-6 USD), whole shares as quantity. `f64` appears only at
//! the edges: features, inference, reports, the wire.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// Micro-dollars in a dollar.
pub const MICROS: i64 = 1_000_000;

/// A price per share in micro-dollars. Zero and below mean "no price".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Price(pub i64);

/// An amount of money in micro-dollars, signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Money(pub i64);

/// Whole shares; signed where it is a position or a delta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Qty(pub i64);

impl Price {
    /// No price.
    pub const NONE: Self = Self(0);

    /// From dollars, rounded to the nearest micro-dollar; NaN, infinities, sentinels (≥ 1e12) and
    /// non-positive values give [`Price::NONE`].
    pub fn from_f64(dollars: f64) -> Self {
        if dollars.is_finite() && dollars > 0.0 && dollars < 1e9 { Self(round_micros(dollars)) } else { Self::NONE }
    }

    /// Dollars.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / MICROS as f64
    }

    /// Whether this is a price at all (> 0).
    pub const fn is_some(self) -> bool {
        self.0 > 0
    }

    /// `self × qty`, `None` on overflow.
    pub fn notional(self, qty: Qty) -> Option<Money> {
        self.0.checked_mul(qty.0).map(Money)
    }

    /// The nearest multiple of `tick` at or below.
    pub const fn floor_to(self, tick: Self) -> Self {
        if tick.0 <= 0 { self } else { Self(self.0.div_euclid(tick.0) * tick.0) }
    }

    /// The nearest multiple of `tick` at or above.
    pub const fn ceil_to(self, tick: Self) -> Self {
        if tick.0 <= 0 { self } else { Self((self.0 + tick.0 - 1).div_euclid(tick.0) * tick.0) }
    }
}

impl Add<Price> for Price {
    type Output = Self;
    fn add(self, rhs: Price) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl Sub<Price> for Price {
    type Output = Self;
    fn sub(self, rhs: Price) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_micros(f, self.0, 2)
    }
}

impl Money {
    /// From dollars, rounded to the nearest micro-dollar; `None` for NaN, infinities and sentinels (≥ 1e12).
    pub fn from_f64(dollars: f64) -> Option<Self> {
        (dollars.is_finite() && dollars.abs() < 1e12).then(|| Self(round_micros(dollars)))
    }

    /// Dollars.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / MICROS as f64
    }

    /// Rounded half away from zero to whole cents.
    pub const fn cents(self) -> i64 {
        let half = if self.0 < 0 { -5_000 } else { 5_000 };
        (self.0 + half) / 10_000
    }

    /// The absolute amount.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl Neg for Money {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, rhs: Self) {
        self.0 -= rhs.0;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        Self(iter.map(|m| m.0).sum())
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.cents();
        let sign = if c < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:02}", c.abs() / 100, c.abs() % 100)
    }
}

impl Qty {
    /// No shares.
    pub const ZERO: Self = Self(0);

    /// The absolute number of shares.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Add for Qty {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(self.0 + rhs.0)
    }
}

impl Sub for Qty {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(self.0 - rhs.0)
    }
}

impl Neg for Qty {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Qty {
    fn add_assign(&mut self, rhs: Self) {
        self.0 += rhs.0;
    }
}

impl SubAssign for Qty {
    fn sub_assign(&mut self, rhs: Self) {
        self.0 -= rhs.0;
    }
}

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Nearest micro-dollar of an amount that the caller has bounded by 1e12.
#[allow(clippy::cast_possible_truncation, reason = "|dollars| < 1e12, so micro-dollars stay below 2^63")]
fn round_micros(dollars: f64) -> i64 {
    libm::round(dollars * MICROS as f64) as i64
}

/// Writes micro-dollars with at least `min_decimals` decimals and no trailing zeros beyond them.
fn write_micros(f: &mut fmt::Formatter<'_>, micros: i64, min_decimals: usize) -> fmt::Result {
    let sign = if micros < 0 { "-" } else { "" };
    let abs = micros.unsigned_abs();
    let frac = format!("{:06}", abs % MICROS as u64);
    let kept = frac.trim_end_matches('0').len().max(min_decimals);
    write!(f, "{sign}{}.{}", abs / MICROS as u64, &frac[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_print_and_round_as_money_people_expect() {
        assert_eq!(Price::from_f64(309.16).to_string(), "309.16");
        assert_eq!(Price::from_f64(0.0001).to_string(), "0.0001");
        assert_eq!(Price::from_f64(f64::NAN), Price::NONE);
        assert_eq!(Price::from_f64(f64::MAX), Price::NONE);
        assert_eq!(Price(10_014_999).floor_to(Price(10_000)), Price(10_010_000));
        assert_eq!(Price(10_010_001).ceil_to(Price(10_000)), Price(10_020_000));
        assert_eq!(Money(-1_005_000).cents(), -101);
        assert_eq!(Money(-1_005_000).to_string(), "-1.01");
    }
}
