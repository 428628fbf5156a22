//! Clocks: scaled (live and accelerated sessions) and virtual (lockstep).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    reason = "the one place that reads real clocks; nanoseconds since boot and since 1970 fit 63 bits"
)]

use std::cell::Cell;
use std::rc::Rc;

use super::{ClockFile, SessionTime};

/// What the shells read. Logic never holds one: it is handed `now`.
pub trait Clock {
    /// Session time now.
    fn now(&self) -> SessionTime;
    /// Monotonic nanoseconds now (an arbitrary zero, the same for every thread of the process).
    fn mono_ns(&self) -> u64;
    /// The monotonic instant at which session time was `t`: session stamps double as latency stamps.
    fn mono_of(&self, t: SessionTime) -> u64;
}

/// `session = start + (CLOCK_MONOTONIC − anchor) × speed`. Two processes that hold the same three numbers agree.
#[derive(Clone, Debug)]
pub struct ScaledClock {
    start: SessionTime,
    anchor_mono_ns: u64,
    speed: f64,
    /// Offset of the fast counter from CLOCK_MONOTONIC, measured once.
    offset_ns: i64,
    counter: quanta::Clock,
}

impl ScaledClock {
    /// The clock that a clock file describes.
    pub fn from_file(file: &ClockFile) -> Self {
        let counter = quanta::Clock::new();
        let raw = counter.raw();
        let fast = counter.delta_as_nanos(0, raw);
        let offset_ns = monotonic_ns() as i64 - fast as i64;
        Self { start: file.session_start, anchor_mono_ns: file.anchor_mono_ns, speed: file.speed, offset_ns, counter }
    }

    /// Real time: speed 1, session time = UTC.
    pub fn real_time() -> Self {
        Self::from_file(&ClockFile::starting_now(utc_now(), 1.0))
    }

    /// Session seconds per wall second.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Wall nanoseconds that `session_ns` of session time take.
    pub fn wall_ns(&self, session_ns: i64) -> u64 {
        (session_ns.max(0) as f64 / self.speed) as u64
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> SessionTime {
        let elapsed = self.mono_ns() as i64 - self.anchor_mono_ns as i64;
        SessionTime(self.start.0 + (elapsed as f64 * self.speed) as i64)
    }

    fn mono_ns(&self) -> u64 {
        (self.counter.delta_as_nanos(0, self.counter.raw()) as i64 + self.offset_ns).max(0) as u64
    }

    fn mono_of(&self, t: SessionTime) -> u64 {
        let elapsed = ((t.0 - self.start.0) as f64 / self.speed) as i64;
        (self.anchor_mono_ns as i64 + elapsed).max(0) as u64
    }
}

/// Time that moves only when told to. Cheap to clone; clones share the instant.
#[derive(Clone, Debug, Default)]
pub struct VirtualClock(Rc<Cell<i64>>);

impl VirtualClock {
    /// A clock that stands at `t`.
    pub fn at(t: SessionTime) -> Self {
        Self(Rc::new(Cell::new(t.0)))
    }

    /// Moves to `t`; never backwards.
    pub fn advance_to(&self, t: SessionTime) {
        self.0.set(self.0.get().max(t.0));
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> SessionTime {
        SessionTime(self.0.get())
    }
    fn mono_ns(&self) -> u64 {
        self.0.get().max(0) as u64
    }
    fn mono_of(&self, t: SessionTime) -> u64 {
        t.0.max(0) as u64
    }
}

/// UTC from the wall clock.
pub(crate) fn utc_now() -> SessionTime {
    let d = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    SessionTime(i64::try_from(d.as_nanos()).unwrap_or(i64::MAX))
}

/// CLOCK_MONOTONIC in nanoseconds: shared by all processes of the host, unlike `Instant`'s opaque zero.
pub(crate) fn monotonic_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `ts` is a valid, writable timespec and CLOCK_MONOTONIC exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}
