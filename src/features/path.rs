//! One symbol's log-price path over the last trading minutes, overnight jumps taken out. A ring: pushing a bar is
//! O(1) (filling skipped minutes is bounded by the ring), looking back is one indexed read.

/// Minutes kept: the longest look-back (60) plus the age allowed, rounded up to a power of two.
pub(super) const RING: usize = 128;
/// A price this many minutes old still stands for a minute without a bar; an older one is unknown.
pub(super) const AGE_MAX: i64 = 3;

#[derive(Clone, Copy, Debug)]
struct Slot {
    minute: i64,
    /// Log price relative to an arbitrary origin.
    path: f64,
    /// Log return of exactly this minute, NaN where this minute or the one before has no bar.
    ret: f64,
    /// Minutes since the bar that `path` comes from.
    age: i64,
    /// σ of this minute's return as known before it, NaN when unknown.
    sigma: f64,
}

const EMPTY: Slot = Slot { minute: i64::MIN, path: f64::NAN, ret: f64::NAN, age: 0, sigma: f64::NAN };

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(super) struct Path {
    slots: [Slot; RING],
    last: i64,
}

/// A minute's place in a ring of [`RING`].
pub(super) fn index(minute: i64) -> usize {
    usize::try_from(minute & (RING as i64 - 1)).unwrap_or(0)
}

impl Path {
    pub(super) fn new() -> Self {
        Self { slots: [EMPTY; RING], last: i64::MIN }
    }

    /// Adds the bar of `minute`, `step` log return away from the last bar (or from its own open when it is the
    /// first of a session; `step` then is the whole minute's return). Returns the minutes since the last bar, 1 for
    /// the very first. `minute` must grow. `sigma` is the σ of a one-minute return as known before this bar.
    pub(super) fn push(&mut self, minute: i64, step: f64, sigma: f64) -> i64 {
        let gap = if self.last == i64::MIN { 1 } else { minute - self.last };
        let from = if self.last == i64::MIN { None } else { Some(self.slots[index(self.last)].path) };
        let path = from.unwrap_or(0.0) + step;
        let ret = if gap == 1 { step } else { f64::NAN };
        if let Some(stale) = from {
            for age in 1..gap.min(RING as i64) {
                let skipped = self.last + age;
                self.slots[index(skipped)] = Slot { minute: skipped, path: stale, age, ..EMPTY };
            }
        }
        self.slots[index(minute)] = Slot { minute, path, ret, age: 0, sigma };
        self.last = minute;
        gap
    }

    /// The path at `minute`, NaN when unknown or too old.
    pub(super) fn at(&self, minute: i64) -> f64 {
        let s = &self.slots[index(minute)];
        if s.minute == minute && s.age <= AGE_MAX { s.path } else { f64::NAN }
    }

    /// The return of exactly `minute`, NaN when unknown.
    pub(super) fn ret(&self, minute: i64) -> f64 {
        let s = &self.slots[index(minute)];
        if s.minute == minute { s.ret } else { f64::NAN }
    }

    /// σ of the return of exactly `minute` as known before it, NaN when unknown.
    pub(super) fn sigma(&self, minute: i64) -> f64 {
        let s = &self.slots[index(minute)];
        if s.minute == minute { s.sigma } else { f64::NAN }
    }

    /// The return over the `k` minutes that end with the bar of `minute`.
    pub(super) fn move_over(&self, minute: i64, k: i64) -> f64 {
        if k == 1 { self.ret(minute) } else { self.at(minute) - self.at(minute - k) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_minutes_are_bridged_briefly_and_never_counted_as_returns() {
        let mut p = Path::new();
        p.push(10, 0.01, 1.0);
        p.push(11, 0.02, 1.0);
        assert_eq!(p.push(14, 0.03, 1.0), 3);
        assert!((p.move_over(14, 1)).is_nan() && p.ret(12).is_nan());
        assert!((p.move_over(14, 2) - 0.03).abs() < 1e-15, "12 stands on the price of 11");
        p.push(20, 0.01, 1.0);
        assert!((p.at(17) - 0.06).abs() < 1e-15 && p.at(18).is_nan());
    }

    #[test]
    fn a_gap_longer_than_the_ring_leaves_nothing_behind() {
        let mut p = Path::new();
        for m in 0..200 {
            p.push(m, 0.001, 1.0);
        }
        p.push(1_000, 0.5, 1.0);
        assert!((901..1_000).rev().take(90).all(|m| m > 998 - 90 && (p.at(m).is_nan())));
    }
}
