//! A sliding window over every outbound order message: any one second holds at most the limit, any 100 ms at most
//! its slice. New exposure leaves a reserve of both to cancels and reductions. It only predicts: the adapter's own bucket
//! debits each write. It never sleeps and never queues.

use crate::clock::{MILLISECOND, SECOND, SessionTime};

/// Most messages a second that can be configured (IB disconnects above).
const WINDOW_MAX: usize = 50;

/// The window.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    sent: [SessionTime; WINDOW_MAX],
    next: usize,
    count: usize,
    per_second: usize,
    per_100ms: usize,
    reserve: usize,
}

impl RateLimiter {
    /// At most `per_second` and `per_100ms`, of which `reserve` a second is kept for cancels and reductions.
    pub fn new(per_second: usize, per_100ms: usize, reserve: usize) -> Self {
        Self {
            sent: [SessionTime(i64::MIN / 2); WINDOW_MAX],
            next: 0,
            count: 0,
            per_second: per_second.min(WINDOW_MAX),
            per_100ms,
            reserve,
        }
    }

    /// Messages in the last `window` nanoseconds, the newest first; ends at the first older one.
    fn within(&self, now: SessionTime, window: i64) -> usize {
        (1..=self.count)
            .take_while(|back| {
                let at = self.sent[(self.next + WINDOW_MAX - back) % WINDOW_MAX];
                now - at < window
            })
            .count()
    }

    /// Whether one more message may go now.
    pub fn allows(&self, now: SessionTime, reserved_lane: bool) -> bool {
        let (limit, slice) = if reserved_lane {
            (self.per_second, self.per_100ms)
        } else {
            // The same share of each slice is reserved, rounded up, but one message may always go.
            let kept = (self.per_100ms * self.reserve).div_ceil(self.per_second.max(1));
            (self.per_second.saturating_sub(self.reserve), self.per_100ms.saturating_sub(kept).max(1))
        };
        self.within(now, SECOND) < limit && self.within(now, 100 * MILLISECOND) < slice
    }

    /// Notes one message.
    pub fn record(&mut self, now: SessionTime) {
        self.sent[self.next] = now;
        self.next = (self.next + 1) % WINDOW_MAX;
        self.count = (self.count + 1).min(WINDOW_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn new_exposure_leaves_the_reserve_and_the_window_slides() {
        let mut r = RateLimiter::new(10, 10, 4);
        let t = SessionTime::from_secs(100);
        for _ in 0..6 {
            assert!(r.allows(t, false), "six of ten, four are kept");
            r.record(t);
        }
        assert!(!r.allows(t, false));
        for _ in 0..4 {
            assert!(r.allows(t, true));
            r.record(t);
        }
        assert!(!r.allows(t, true));
        assert!(!r.allows(t + SECOND - 1, true));
        assert!(r.allows(t + SECOND, false));
    }

    proptest! {
        #[test]
        fn no_second_holds_more_than_the_limit(gaps in prop::collection::vec((0i64..300, any::<bool>()), 1..400)) {
            let mut r = RateLimiter::new(20, 5, 5);
            let mut now = SessionTime::from_secs(1);
            let mut sent = Vec::new();
            for (gap_ms, reserved) in gaps {
                now = now + gap_ms * MILLISECOND / 4;
                if r.allows(now, reserved) {
                    r.record(now);
                    sent.push(now);
                }
            }
            for (i, at) in sent.iter().enumerate() {
                let in_second = sent[..=i].iter().filter(|s| *at - **s < SECOND).count();
                prop_assert!(in_second <= 20, "{in_second} messages in one second");
                let in_slice = sent[..=i].iter().filter(|s| *at - **s < 100 * MILLISECOND).count();
                prop_assert!(in_slice <= 5, "{in_slice} messages in 100 ms");
            }
        }
    }
}
