//! Is the connection alive? The heartbeat asks the gateway's time; the watchdog looks for a write that hangs. ibapi
//! has no keepalive and no write time-out: a half-open socket and a gateway that reads nothing are found here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shared::{Live, Shared, pause};
use crate::broker::port::Lane;
use crate::clock::{Clock, SECOND, SessionTime};
use crate::domain::ConnEpoch;

/// Wall pause of both threads.
const PAUSE: Duration = Duration::from_millis(20);
/// Unanswered heartbeats in a row, with no value of any kind meanwhile, that prove death. One proves nothing: real
/// gateways leave some unanswered.
const MISSES: u32 = 3;

/// Counts unanswered heartbeats. Pure.
#[derive(Debug, Default)]
struct Pulse {
    misses: u32,
    /// Monotonic ns of the last sign of life.
    alive_mono: u64,
}

impl Pulse {
    fn answered(&mut self, mono: u64) {
        *self = Self { misses: 0, alive_mono: mono };
    }

    /// Whether the connection is dead: nothing heard since the first of [`MISSES`] misses in a row.
    fn missed(&mut self, last_value_mono: u64) -> bool {
        if last_value_mono > self.alive_mono {
            self.misses = 0;
            self.alive_mono = last_value_mono;
        }
        self.misses += 1;
        self.misses >= MISSES
    }
}

/// Runs the heartbeat until the adapter stops.
pub(super) fn heartbeat(shared: &Shared, clock: &impl Clock) {
    let period = shared.config.heartbeat_s * 1_000_000_000;
    let (mut pulse, mut epoch, mut next) = (Pulse::default(), None::<ConnEpoch>, clock.mono_ns() + period);
    while !shared.stopping() {
        pause(PAUSE);
        if clock.mono_ns() < next {
            continue;
        }
        next = clock.mono_ns() + period;
        let Some(live) = shared.live() else { continue };
        if epoch != Some(live.epoch) {
            epoch = Some(live.epoch);
            pulse.answered(clock.mono_ns());
        }
        if shared.pacer.try_take(Lane::Heartbeat, clock.now()).is_err() {
            continue;
        }
        beat(shared, clock, &live, &mut pulse);
    }
}

fn beat(shared: &Shared, clock: &impl Clock, live: &Arc<Live>, pulse: &mut Pulse) {
    // No mark for the watchdog: the call waits for its answer. A hanging write is found by any other writer's mark,
    // and by the missing answers.
    match live.client.server_time() {
        Ok(time) => {
            pulse.answered(clock.mono_ns());
            let gateway = SessionTime(time.unix_timestamp().saturating_mul(SECOND));
            shared.clock_skew.store(gateway - clock.now(), Ordering::Relaxed);
        }
        Err(_) if !live.client.is_connected() => {}
        Err(e) => {
            shared.metrics.heartbeats_missed.fetch_add(1, Ordering::Relaxed);
            if pulse.missed(shared.last_value_mono.load(Ordering::Relaxed)) {
                tracing::error!("{MISSES} heartbeats unanswered and nothing heard ({e}): taking the connection down");
                live.client.disconnect();
            }
        }
    }
}

/// Runs the write watchdog until the adapter stops: a write that hangs leaves the order behind it in doubt, and
/// only the socket's end frees the thread.
pub(super) fn watchdog(shared: &Shared, clock: &impl Clock) {
    let limit = shared.config.write_limit_ms * 1_000_000;
    while !shared.stopping() {
        pause(PAUSE);
        if shared.longest_write(clock.mono_ns()) <= limit {
            continue;
        }
        if let Some(live) = shared.live() {
            tracing::error!("a write to the gateway hangs: taking the connection down");
            live.client.disconnect();
        }
        // Give the freed writer time to clear its mark.
        pause(10 * PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missed_heartbeat_proves_nothing_and_any_value_is_life() {
        let mut p = Pulse::default();
        p.answered(100);
        assert!(!p.missed(90));
        assert!(!p.missed(90));
        assert!(p.missed(90), "three in a row without a sign of life");
        p.answered(200);
        assert!(!p.missed(150) && !p.missed(150));
        assert!(!p.missed(250), "a value arrived in between");
        assert!(!p.missed(250));
        assert!(p.missed(250));
    }
}
