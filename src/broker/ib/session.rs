//! The life of the connection to the gateway as a state machine: pure, stepped by the session thread. Owns no
//! socket and no clock; wall milliseconds come in, jitter comes from a seed. One pass from `Connecting` to
//! `Ready` is one connection epoch.

use crate::domain::ConnEpoch;

/// First wait after a failure, wall milliseconds; doubles with each further one.
const BACKOFF_FIRST_MS: u64 = 250;
/// Longest wait.
const BACKOFF_MAX_MS: u64 = 30_000;

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No connection; the next attempt is due at this wall time, ms.
    Waiting {
        /// When.
        until_ms: u64,
    },
    /// An attempt is under way.
    Connecting,
    /// Connected; the managed accounts are compared with the configured one.
    AccountCheck,
    /// Contracts and market rules are read (first epoch only).
    Qualify,
    /// Orders may flow once routing has reconciled.
    Ready,
    /// Given up or stopped; nothing leads out.
    Ended,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time passed.
    Tick,
    /// The handshake ended well.
    Connected,
    /// The last step failed; `may_pass` = trying again can help.
    Failed {
        /// Whether to try again.
        may_pass: bool,
    },
    /// The account is managed by this login.
    AccountOk,
    /// The universe is qualified.
    Qualified,
    /// The connection is gone.
    Dropped,
    /// The program ends.
    Stop,
}

/// What the thread has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// Connect; success makes this epoch.
    Connect(ConnEpoch),
    /// Compare accounts.
    CheckAccount,
    /// Read contracts and rules.
    Qualify,
    /// Hand the connection to ingest and sender.
    GoLive,
    /// Close what is left of the connection.
    Close,
    /// Close and end: no later step can succeed.
    GiveUp,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Session {
    phase: Phase,
    epoch: u32,
    qualified: bool,
    failures: u32,
    seed: u64,
}

impl Session {
    /// A machine that connects at its first tick. `seed` spreads the retries of several programs.
    pub const fn new(seed: u64) -> Self {
        Self { phase: Phase::Waiting { until_ms: 0 }, epoch: 0, qualified: false, failures: 0, seed }
    }

    /// Where it stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The epoch of the current or latest connection attempt.
    pub const fn epoch(&self) -> ConnEpoch {
        ConnEpoch(self.epoch)
    }

    /// Takes what happened at wall time `now_ms` and says what to do.
    pub fn step(&mut self, input: Input, now_ms: u64) -> Action {
        let (phase, action) = match (self.phase, input) {
            (Phase::Ended, _) => (Phase::Ended, Action::None),
            (Phase::Waiting { .. }, Input::Stop) => (Phase::Ended, Action::None),
            (_, Input::Stop) => (Phase::Ended, Action::Close),
            (Phase::Waiting { until_ms }, Input::Tick) if now_ms >= until_ms => {
                self.epoch += 1;
                (Phase::Connecting, Action::Connect(ConnEpoch(self.epoch)))
            }
            (Phase::Connecting, Input::Connected) => (Phase::AccountCheck, Action::CheckAccount),
            (Phase::AccountCheck, Input::AccountOk) if self.qualified => self.ready(),
            (Phase::AccountCheck, Input::AccountOk) => (Phase::Qualify, Action::Qualify),
            (Phase::Qualify, Input::Qualified) => {
                self.qualified = true;
                self.ready()
            }
            (
                Phase::Connecting | Phase::AccountCheck | Phase::Qualify | Phase::Ready,
                Input::Failed { may_pass: false },
            ) => (Phase::Ended, Action::GiveUp),
            (
                Phase::Connecting | Phase::AccountCheck | Phase::Qualify | Phase::Ready,
                Input::Failed { .. } | Input::Dropped,
            ) => (Phase::Waiting { until_ms: now_ms + self.next_wait_ms() }, Action::Close),
            (phase, _) => (phase, Action::None),
        };
        self.phase = phase;
        action
    }

    fn ready(&mut self) -> (Phase, Action) {
        self.failures = 0;
        (Phase::Ready, Action::GoLive)
    }

    /// Doubling wait, spread over ±25 % by the seed.
    fn next_wait_ms(&mut self) -> u64 {
        let base = (BACKOFF_FIRST_MS << self.failures.min(10)).min(BACKOFF_MAX_MS);
        self.failures = self.failures.saturating_add(1);
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        base * 3 / 4 + mixed(self.seed) % (base / 2 + 1)
    }
}

/// SplitMix64's output function (Steele, Lea, Flood 2014).
const fn mixed(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
