//! The one message budget of all clients of a gateway: lock-free, debited at the moment of each write by every
//! thread. Owns no clock: session time comes in.
//!
//! Generic cell rate algorithm (ITU-T I.371): one atomic holds the time until which the budget is spent; a
//! message moves it by the emission interval `T`, and a lane may do so while it lies within the lane's tolerance
//! of now. With rate `r` and burst `b` any second carries at most `r + b` messages, so `limit = r + b`. Later
//! lanes have a smaller tolerance: the difference is the reserve of the earlier ones, and while an earlier lane
//! keeps the budget busy, later ones wait. The burst also shapes: 100 ms carry at most `r / 10 + b`.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::broker::port::Lane;
use crate::clock::{Nanos, SECOND, SessionTime};

/// Share of the burst that each lane may use, in percent, in the order of [`Lane`]. The first message always
/// fits when the budget is idle.
const BURST_SHARE: [i64; 5] = [100, 75, 50, 35, 25];
/// Attempts to win the race for a token before the caller is told to wait: bounded, since each loss is another
/// thread's gain.
const MAX_RACES: usize = 64;

/// The token bucket. Share it by `Arc`.
#[derive(Debug)]
pub struct Pacer {
    /// Session time, ns, until which the budget is spent.
    spent_until: AtomicI64,
    /// Session ns between messages at the steady rate.
    interval: Nanos,
    /// Tolerance per lane, session ns.
    tolerance: [Nanos; 5],
    limit: u32,
}

impl Pacer {
    /// At most `limit_per_s` messages in any second of session time, `burst` of them at once
    /// (`burst < limit_per_s`).
    pub fn new(limit_per_s: u32, burst: u32) -> Self {
        let rate = i64::from(limit_per_s.saturating_sub(burst).max(1));
        let burst = i64::from(burst.max(1));
        // Rounded up, so that rounding can't add a message to a second.
        let interval = (SECOND + rate - 1) / rate;
        let tolerance = BURST_SHARE.map(|share| (burst * share / 100).max(1) * interval - interval);
        Self { spent_until: AtomicI64::new(i64::MIN / 2), interval, tolerance, limit: limit_per_s }
    }

    /// Takes one token of `lane` at `now`.
    ///
    /// # Errors
    /// No room: the session ns until there may be some.
    pub fn try_take(&self, lane: Lane, now: SessionTime) -> Result<(), Nanos> {
        let tolerance = self.tolerance[lane as usize];
        let mut spent = self.spent_until.load(Ordering::Relaxed);
        for _ in 0..MAX_RACES {
            let from = spent.max(now.0);
            let ahead = from - now.0;
            if ahead > tolerance {
                return Err(ahead - tolerance);
            }
            match self.spent_until.compare_exchange_weak(
                spent,
                from + self.interval,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(()),
                Err(seen) => spent = seen,
            }
        }
        Err(self.interval)
    }

    /// The gateway complained of too many messages: the budget counts as spent for `pause` from `now`.
    pub fn back_off(&self, now: SessionTime, pause: Nanos) {
        self.spent_until.fetch_max(now.0 + pause, Ordering::AcqRel);
    }

    /// Messages that any second may carry.
    pub const fn limit_per_s(&self) -> u32 {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::MILLISECOND;

    const LANES: [Lane; 5] = [Lane::Panic, Lane::Reduce, Lane::New, Lane::Worker, Lane::Heartbeat];

    fn most_in(window: Nanos, grants: &[i64]) -> usize {
        grants
            .iter()
            .map(|from| grants.iter().filter(|t| (*from..*from + window).contains(*t)).count())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        /// Whatever the gaps, lanes and burst sizes: no second carries more than the limit.
        #[test]
        fn any_second_holds_the_limit(
            limit in 5u32..50, burst in 1u32..12,
            asks in proptest::collection::vec((0i64..400, 0usize..5, 1usize..30), 1..120),
        ) {
            let burst = burst.min(limit - 4);
            let pacer = Pacer::new(limit, burst);
            let (mut now, mut grants) = (SessionTime(0), Vec::new());
            for (gap_ms, lane, count) in asks {
                now = now + gap_ms * MILLISECOND;
                grants.extend((0..count).filter(|_| pacer.try_take(LANES[lane], now).is_ok()).map(|_| now.0));
            }
            prop_assert!(most_in(SECOND, &grants) <= limit as usize);
            let slice = (limit - burst) as usize / 10 + 1 + burst as usize;
            prop_assert!(most_in(100 * MILLISECOND, &grants) <= slice);
        }

        /// The wait that a refusal names is enough.
        #[test]
        fn the_named_wait_suffices(limit in 5u32..50, lane in 0usize..5, taken in 1usize..80) {
            let pacer = Pacer::new(limit, limit / 5);
            let now = SessionTime(0);
            for _ in 0..taken {
                let _ = pacer.try_take(Lane::Panic, now);
            }
            if let Err(wait) = pacer.try_take(LANES[lane], now) {
                prop_assert!(pacer.try_take(LANES[lane], now + wait).is_ok());
            }
        }
    }

    #[test]
    fn later_lanes_leave_a_reserve_to_earlier_ones() {
        let pacer = Pacer::new(40, 8);
        let now = SessionTime(0);
        let take = |lane| (0..100).take_while(|_| pacer.try_take(lane, now).is_ok()).count();
        let counts =
            [take(Lane::Heartbeat), take(Lane::Worker), take(Lane::New), take(Lane::Reduce), take(Lane::Panic)];
        assert_eq!(counts, [2, 0, 2, 2, 2]);
    }

    #[test]
    fn a_busy_earlier_lane_starves_later_ones_and_is_served_at_the_full_rate() {
        let pacer = Pacer::new(40, 8);
        let (mut reduce, mut new) = (0, 0);
        for step in 0..1_000 {
            let now = SessionTime(step * 10 * MILLISECOND);
            reduce += usize::from(pacer.try_take(Lane::Reduce, now).is_ok());
            new += usize::from(pacer.try_take(Lane::New, now).is_ok());
        }
        assert!(reduce >= 315, "ten seconds at 32 per second, got {reduce}");
        assert!(new <= 4, "only before the budget was busy, got {new}");
    }

    #[test]
    fn a_complaint_stops_everybody_for_a_while() {
        let pacer = Pacer::new(40, 8);
        pacer.back_off(SessionTime(0), SECOND);
        for lane in LANES {
            assert!(pacer.try_take(lane, SessionTime(SECOND / 2)).is_err(), "{lane:?}");
            assert!(pacer.try_take(lane, SessionTime(SECOND)).is_ok() || lane > Lane::Panic, "{lane:?}");
        }
        pacer.back_off(SessionTime(0), SECOND);
        assert!(pacer.try_take(Lane::Panic, SessionTime(2 * SECOND)).is_ok(), "an old complaint changes nothing");
    }

    #[test]
    fn threads_share_one_budget() {
        let pacer = Pacer::new(40, 8);
        let taken: usize = std::thread::scope(|s| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    s.spawn(|| {
                        (0..500).filter(|i| pacer.try_take(Lane::Panic, SessionTime(i * MILLISECOND)).is_ok()).count()
                    })
                })
                .collect();
            workers.into_iter().map(|w| w.join().unwrap()).sum()
        });
        assert!((8..=8 + 16 + 1).contains(&taken), "half a second at 32 per second and a burst of 8, got {taken}");
    }
}
