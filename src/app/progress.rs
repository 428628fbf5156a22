//! Shows a running session: a bar on a terminal, a line now and then elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::stages::Plan;
use crate::clock::{MINUTE, SessionTime};
use crate::domain::calendar::new_york;
use crate::telemetry::{Counter, Counters};

/// A line without a terminal every so many looks.
const LINE_EVERY: u32 = 100;

/// The display.
pub struct Progress {
    bar: ProgressBar,
    start: SessionTime,
    looks: u32,
    quiet: bool,
}

impl Progress {
    /// For a session from `start` to the plan's end.
    pub fn new(start: SessionTime, plan: &Plan, quiet: bool) -> Self {
        let minutes = u64::try_from((plan.end - start) / MINUTE).unwrap_or(0);
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(minutes) };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} min  {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self { bar, start, looks: 0, quiet }
    }

    /// One look, about every 100 ms of wall time.
    pub fn look(&mut self, now: SessionTime, counters: &Counters, open_orders: usize) {
        let get = |c| counters.get(c);
        let at = new_york(now);
        let text = format!(
            "{:02}:{:02} NY  events {}  cycles {}  targets {}  orders {}  open {}  fills {}  refused {}",
            at.hour,
            at.minute,
            get(Counter::Events),
            get(Counter::Cycles),
            get(Counter::Targets),
            get(Counter::Orders),
            open_orders,
            get(Counter::Fills),
            counters.rejected(),
        );
        self.bar.set_position(u64::try_from((now - self.start) / MINUTE).unwrap_or(0));
        if self.bar.is_hidden() && !self.quiet && self.looks.is_multiple_of(LINE_EVERY) {
            eprintln!("{text}");
        }
        self.bar.set_message(text);
        self.looks += 1;
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
