//! Time: what each family is expected to cost, who is left out of a pass for want of it, and which families are shed
//! after repeated lateness. Pure; instants come in. On a virtual clock everything costs nothing and nobody is shed.

/// Passes in a row that were late or left a family out, after which one family is shed.
pub const LATE_PASSES: u32 = 3;
/// A shed family is taken back after this long without a late pass, monotonic nanoseconds.
pub const QUIET_NS: u64 = 600_000_000_000;
/// Weight of a new measurement.
const ALPHA: f64 = 1.0 / 8.0;
/// An estimate that kept a family out shrinks by this each time: one slow minute must not silence it for ever.
const FORGET: f64 = 0.9;

/// Running mean and mean absolute deviation of a cost (Jacobson 1988).
#[derive(Clone, Copy, Debug, Default)]
struct Estimate {
    mean_ns: f64,
    deviation_ns: f64,
    known: bool,
}

impl Estimate {
    fn push(&mut self, ns: f64) {
        if !self.known {
            *self = Self { mean_ns: ns, deviation_ns: 0.0, known: true };
            return;
        }
        let error = ns - self.mean_ns;
        self.mean_ns += ALPHA * error;
        self.deviation_ns += ALPHA * (libm::fabs(error) - self.deviation_ns);
    }

    /// About the 95th percentile: a normal's is 1.64 σ = 2.06 mean deviations above its mean.
    fn high_ns(&self) -> f64 {
        self.mean_ns + 2.0 * self.deviation_ns
    }
}

/// A family shed or taken back, by its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Shed(usize),
    Readmitted(usize),
}

/// See the module's documentation. Units are families in order of evaluation.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    /// Per unit and batch bucket.
    estimates: Vec<Vec<Estimate>>,
    shed: Vec<bool>,
    /// Units in the order in which they are shed, and how many are.
    order: Vec<usize>,
    late_run: u32,
    quiet_from_ns: u64,
}

impl Budget {
    /// `order` names the units that may be shed, first to go first.
    pub(super) fn new(units: usize, buckets: usize, order: Vec<usize>) -> Self {
        Self {
            estimates: vec![vec![Estimate::default(); buckets]; units],
            shed: vec![false; units],
            order,
            late_run: 0,
            quiet_from_ns: 0,
        }
    }

    /// A unit took so long over a bucket.
    pub(super) fn record(&mut self, unit: usize, bucket: usize, ns: u64) {
        self.estimates[unit][bucket].push(ns as f64);
    }

    /// Whether a unit fits into the time left.
    pub(super) fn fits(&self, unit: usize, bucket: usize, left_ns: u64) -> bool {
        self.estimates[unit][bucket].high_ns() <= left_ns as f64
    }

    /// A unit was left out because it did not fit.
    pub(super) fn left_out(&mut self, unit: usize, bucket: usize) {
        let estimate = &mut self.estimates[unit][bucket];
        estimate.mean_ns *= FORGET;
        estimate.deviation_ns *= FORGET;
    }

    /// Whether a unit is shed.
    pub(super) fn is_shed(&self, unit: usize) -> bool {
        self.shed[unit]
    }

    /// A pass ended at `now_ns`. `may_shed` says whether the quorum would hold without a unit.
    pub(super) fn pass_ended(
        &mut self,
        now_ns: u64,
        late: bool,
        may_shed: impl Fn(&Self, usize) -> bool,
    ) -> Option<Change> {
        if late {
            self.late_run += 1;
            self.quiet_from_ns = now_ns;
            if self.late_run < LATE_PASSES {
                return None;
            }
            self.late_run = 0;
            let unit = self.order.iter().copied().find(|u| !self.shed[*u] && may_shed(self, *u))?;
            self.shed[unit] = true;
            return Some(Change::Shed(unit));
        }
        self.late_run = 0;
        if now_ns.saturating_sub(self.quiet_from_ns) < QUIET_NS {
            return None;
        }
        let unit = self.order.iter().rev().copied().find(|u| self.shed[*u])?;
        self.shed[unit] = false;
        self.quiet_from_ns = now_ns;
        Some(Change::Readmitted(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_fits_by_its_measured_high_and_a_slow_one_gets_another_chance() {
        let mut b = Budget::new(2, 3, vec![]);
        assert!(b.fits(0, 1, 0), "nothing is known: it is tried");
        (0..50).for_each(|i| b.record(0, 1, if i % 2 == 0 { 900 } else { 1_100 }));
        assert!(!b.fits(0, 1, 1_050) && b.fits(0, 1, 1_400) && b.fits(0, 2, 0) && b.fits(1, 1, 0));
        (0..3).for_each(|_| b.left_out(0, 1));
        assert!(b.fits(0, 1, 1_050));
    }

    #[test]
    fn lateness_sheds_in_order_while_the_quorum_allows_and_quiet_takes_back_in_reverse() {
        let mut b = Budget::new(4, 1, vec![2, 0, 3]);
        let late = |b: &mut Budget, at| b.pass_ended(at, true, |_, unit| unit != 0);
        assert_eq!((late(&mut b, 1), late(&mut b, 2), late(&mut b, 3)), (None, None, Some(Change::Shed(2))));
        assert_eq!(b.pass_ended(4, false, |_, _| true), None, "a good pass ends the run");
        assert_eq!((late(&mut b, 5), late(&mut b, 6), late(&mut b, 7)), (None, None, Some(Change::Shed(3))));
        assert_eq!((late(&mut b, 8), late(&mut b, 9), late(&mut b, 10)), (None, None, None), "0 is needed");
        assert!(b.is_shed(2) && b.is_shed(3) && !b.is_shed(0));
        assert_eq!(b.pass_ended(9 + QUIET_NS, false, |_, _| true), None);
        assert_eq!(b.pass_ended(10 + QUIET_NS, false, |_, _| true), Some(Change::Readmitted(3)));
        assert_eq!(b.pass_ended(11 + QUIET_NS, false, |_, _| true), None, "one at a time");
        assert_eq!(b.pass_ended(10 + 2 * QUIET_NS, false, |_, _| true), Some(Change::Readmitted(2)));
    }
}
