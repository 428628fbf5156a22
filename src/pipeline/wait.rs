//! How a stage thread waits for work.

use std::time::Duration;

/// What a thread does when a sweep found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Never leaves the core: a dedicated one per thread, or threads starve each other.
    Spin,
    /// Spins 64 rounds, then yields the core each round.
    SpinYield,
    /// Spins 64 rounds, then sleeps about 50 µs: for hosts whose cores are shared.
    SpinPark,
}

/// Rounds of spinning before anything else.
const SPINS: u32 = 64;
/// Length of a park.
const PARK: Duration = Duration::from_micros(50);

/// Counts idle rounds of one thread.
#[derive(Debug)]
pub struct Idler {
    wait: Wait,
    rounds: u32,
}

impl Idler {
    /// For one thread.
    pub const fn new(wait: Wait) -> Self {
        Self { wait, rounds: 0 }
    }

    /// Tells it whether the last sweep did any work; waits if it did not.
    pub fn after(&mut self, worked: bool) {
        if worked {
            self.rounds = 0;
            return;
        }
        self.rounds = self.rounds.saturating_add(1);
        if self.wait == Wait::Spin || self.rounds < SPINS {
            std::hint::spin_loop();
        } else if self.wait == Wait::SpinYield {
            std::thread::yield_now();
        } else {
            std::thread::park_timeout(PARK);
        }
    }
}
