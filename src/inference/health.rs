//! What the engine tells of itself while it runs: which models are quarantined, which families shed, whether each
//! horizon still has its quorum. Flags only, set on the hot path without lock or allocation; whoever watches puts
//! them into words.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// 64 models a word.
const WORDS: usize = 3;

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Health {
    /// Names of the models, in order of evaluation, and of the units (families, barriers).
    models: Vec<String>,
    units: Vec<&'static str>,
    /// Models that failed at load, each with its sentence.
    failed_at_load: Vec<String>,
    quarantined: [AtomicU64; WORDS],
    shed: AtomicU32,
    quorum_lost: AtomicBool,
}

impl Health {
    pub(super) fn new(models: Vec<String>, units: Vec<&'static str>, failed_at_load: Vec<String>) -> Self {
        Self { models, units, failed_at_load, ..Self::default() }
    }

    pub(super) fn quarantine(&self, model: usize) {
        if let Some(word) = self.quarantined.get(model / 64) {
            word.fetch_or(1 << (model % 64), Ordering::Relaxed);
        }
    }

    pub(super) fn set_shed(&self, unit: usize, shed: bool) {
        let bit = 1 << (unit % 32);
        if shed {
            self.shed.fetch_or(bit, Ordering::Relaxed);
        } else {
            self.shed.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    pub(super) fn set_quorum(&self, holds: bool) {
        self.quorum_lost.store(!holds, Ordering::Release);
    }

    /// Whether every horizon has the families that its quorum asks for.
    pub fn quorum_holds(&self) -> bool {
        !self.quorum_lost.load(Ordering::Acquire)
    }

    /// Models that failed a check at load, each as a sentence.
    pub fn failed_at_load(&self) -> &[String] {
        &self.failed_at_load
    }

    /// Models quarantined while running, by name.
    pub fn quarantined(&self) -> Vec<&str> {
        let set =
            |i: usize| self.quarantined.get(i / 64).is_some_and(|w| w.load(Ordering::Relaxed) & (1 << (i % 64)) != 0);
        self.models.iter().enumerate().filter(|(i, _)| set(*i)).map(|(_, name)| name.as_str()).collect()
    }

    /// Families that are shed now, by name.
    pub fn shed(&self) -> Vec<&'static str> {
        let bits = self.shed.load(Ordering::Relaxed);
        self.units.iter().enumerate().filter(|(i, _)| bits & (1 << (i % 32)) != 0).map(|(_, name)| *name).collect()
    }
}
