//! What the adapter's threads share: the live connection, the message budget, the write watchdog's marks, counters,
//! the stop flag. Owns no logic of the trade.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use ibapi::client::blocking::Client;
use ibapi::contracts::Contract;
use parking_lot::Mutex;

use super::config::Config;
use super::pacing::Pacer;
use super::translate::{Directory, to_contract};
use crate::broker::port::Lane;
use crate::clock::{Clock, Nanos};
use crate::domain::{ConnEpoch, SymbolId};

/// Pause between tries for a token, wall time. At speed 60 a token's interval is half a millisecond of wall time.
const TOKEN_POLL: Duration = Duration::from_micros(500);

/// One live order connection.
pub(super) struct Live {
    pub epoch: ConnEpoch,
    pub client: Client,
}

/// Threads that write to the order connection, each with a mark for the watchdog.
#[derive(Clone, Copy, Debug)]
pub(super) enum Writer {
    Sender,
    Session,
    Ingest,
    Worker,
}

/// Why the adapter stopped by itself. Nothing may be traded on after it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Halt {
    /// Routing's ring of broker facts stayed full: a fill would have been lost.
    #[error("the ring of broker facts stayed full: facts would have been lost; the adapter stopped")]
    FactsBlocked,
    /// The session can't be continued.
    #[error("the connection was given up: {0}")]
    GivenUp(String),
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Live counters.
        #[derive(Debug, Default)]
        pub(super) struct Metrics { $(pub $name: AtomicU64),+ }

        /// Counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
        pub struct MetricsSnapshot { $($(#[$doc])* pub $name: u64),+ }

        impl Metrics {
            pub(super) fn snapshot(&self) -> MetricsSnapshot {
                MetricsSnapshot { $($name: self.$name.load(Ordering::Relaxed)),+ }
            }
        }
    };
}

counters! {
    /// Sweeps of the ingest thread.
    sweeps,
    /// Values taken from ibapi's queues.
    values,
    /// Most values that one sweep found waiting.
    backlog_max,
    /// Values merged into a tick that had not left yet: several values of one sample, or a full ring.
    conflated,
    /// Grid timers skipped.
    timers_skipped,
    /// Times that the market ring was full.
    market_full,
    /// Connections made.
    connections,
    /// Connections lost.
    drops,
    /// Orders, modifications and cancels written.
    orders_written,
    /// Writes refused by the message budget.
    paced,
    /// Fills, commissions or updates that could not be read: each one asks for reconciliation.
    unreadable,
    /// Market data lines open.
    lines,
    /// Lines refused or lost.
    lines_lost,
    /// Questions that got no complete answer in time.
    queries_incomplete,
    /// What-ifs without an answer.
    what_ifs_unanswered,
    /// Heartbeats without an answer.
    heartbeats_missed,
    /// Bars of history handed on.
    history_bars,
    /// Symbols whose history could not be read.
    history_failed,
}

/// Everything shared.
pub(super) struct Shared {
    pub config: Config,
    pub directory: Directory,
    /// Contract of each symbol, at its index.
    pub contracts: Vec<Contract>,
    pub pacer: Arc<Pacer>,
    pub metrics: Metrics,
    pub halt: OnceLock<Halt>,
    /// Gateway time minus session time at the last heartbeat, ns.
    pub clock_skew: AtomicI64,
    /// Monotonic ns of the last value received.
    pub last_value_mono: AtomicU64,
    stop: AtomicBool,
    live: Mutex<Option<Arc<Live>>>,
    /// Grows with each change of `live`, so that the sender need not lock.
    generation: AtomicU64,
    /// Monotonic ns at which a write of each writer began, 0 = none.
    writing: [AtomicU64; 4],
}

impl Shared {
    pub(super) fn new(config: Config, directory: Directory, pacer: Arc<Pacer>) -> Self {
        Self {
            contracts: directory.instruments.iter().map(to_contract).collect(),
            config,
            directory,
            pacer,
            metrics: Metrics::default(),
            halt: OnceLock::new(),
            clock_skew: AtomicI64::new(0),
            last_value_mono: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            live: Mutex::new(None),
            generation: AtomicU64::new(0),
            writing: Default::default(),
        }
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Records the first reason to stop, and stops.
    pub(super) fn halt(&self, why: Halt) {
        tracing::error!("{why}");
        let _ = self.halt.set(why);
        self.stop();
    }

    pub(super) fn live(&self) -> Option<Arc<Live>> {
        self.live.lock().clone()
    }

    pub(super) fn set_live(&self, live: Option<Arc<Live>>) {
        *self.live.lock() = live;
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn contract(&self, symbol: SymbolId) -> Option<&Contract> {
        self.contracts.get(symbol.index())
    }

    /// Runs a call that may write to the order connection's socket, under the watchdog's eye.
    pub(super) fn writing<R>(&self, writer: Writer, clock: &impl Clock, call: impl FnOnce() -> R) -> R {
        let mark = &self.writing[writer as usize];
        mark.store(clock.mono_ns().max(1), Ordering::Release);
        let result = call();
        mark.store(0, Ordering::Release);
        result
    }

    /// The longest write under way, ns.
    pub(super) fn longest_write(&self, mono_ns: u64) -> u64 {
        let began = self.writing.iter().map(|w| w.load(Ordering::Acquire)).filter(|w| *w != 0).min();
        began.map_or(0, |began| mono_ns.saturating_sub(began))
    }

    /// Waits for a token of `lane`; `false` = the adapter stops, or `limit` of session time passed.
    pub(super) fn wait_for_token(&self, lane: Lane, clock: &impl Clock, limit: Nanos) -> bool {
        let deadline = clock.now() + limit;
        loop {
            let now = clock.now();
            if self.pacer.try_take(lane, now).is_ok() {
                return true;
            }
            if self.stopping() || now > deadline {
                return false;
            }
            pause(TOKEN_POLL);
        }
    }
}

/// Sleeps: only the adapter's I/O threads wait.
#[allow(clippy::disallowed_methods, reason = "the adapter's threads are I/O shells; logic never comes here")]
pub(super) fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{MILLISECOND, SECOND, SessionTime, VirtualClock};

    #[test]
    fn the_longest_write_is_the_one_that_began_first() {
        let shared = Shared::new(Config::default(), Directory::default(), Arc::new(Pacer::new(40, 8)));
        let clock = VirtualClock::at(SessionTime(SECOND));
        let seen = shared.writing(Writer::Session, &clock, || {
            clock.advance_to(SessionTime(SECOND + MILLISECOND));
            shared.writing(Writer::Sender, &clock, || {
                clock.advance_to(SessionTime(SECOND + 3 * MILLISECOND));
                shared.longest_write(clock.mono_ns())
            })
        });
        assert_eq!(seen, 3_000_000);
        assert_eq!(shared.longest_write(clock.mono_ns()), 0, "nobody writes");
    }

    #[test]
    fn waiting_for_a_token_ends_with_the_adapter() {
        let shared = Shared::new(Config::default(), Directory::default(), Arc::new(Pacer::new(5, 1)));
        let clock = VirtualClock::at(SessionTime(0));
        assert!(shared.wait_for_token(Lane::Worker, &clock, SECOND));
        shared.halt(Halt::FactsBlocked);
        assert!(!shared.wait_for_token(Lane::Worker, &clock, SECOND), "the clock stands still: only the stop ends it");
        shared.halt(Halt::GivenUp("later".into()));
        assert_eq!(shared.halt.get(), Some(&Halt::FactsBlocked), "the first reason stays");
    }
}
