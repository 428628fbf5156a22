//! The only thread loop of stages: pins, polls, waits, and ends when told. A group that halts itself says so and goes
//! on disarmed: its cancels and reductions are the only way out of what works at the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::affinity;
use super::group::Group;
use super::topology::{GroupSpec, Topology};
use super::wait::Idler;
use crate::clock::Clock;

/// Sweeps after the order to end, at most: what other threads left until then (the last fills) still counts.
const LAST_SWEEPS: usize = 64;

/// Running stage threads.
pub struct Shell<C> {
    threads: Vec<JoinHandle<Group<C>>>,
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicBool>,
}

impl<C: Clock + Send + 'static> Shell<C> {
    /// Starts one pinned thread a group.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn start(groups: Vec<Group<C>>, topology: &Topology) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::with_capacity(groups.len());
        for (group, spec) in groups.into_iter().zip(&topology.groups) {
            let (spec, stop, failed) = (spec.clone(), Arc::clone(&stop), Arc::clone(&failed));
            let name = spec.stages.iter().map(|s| format!("{s:?}").to_lowercase()).collect::<Vec<_>>().join("+");
            let thread = std::thread::Builder::new().name(name).spawn(move || run(group, &spec, &stop, &failed))?;
            threads.push(thread);
        }
        Ok(Self { threads, stop, failed })
    }

    /// Whether a stage thread halted or panicked. The supervisor then disarms, cancels and stops.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire) || self.threads.iter().any(JoinHandle::is_finished)
    }

    /// Ends the loops and gives the groups back, with their counters and histograms. A thread that panicked
    /// gives nothing; its name is in the second list.
    pub fn stop(self) -> (Vec<Group<C>>, Vec<String>) {
        self.stop.store(true, Ordering::Release);
        let (mut groups, mut lost) = (Vec::new(), Vec::new());
        for thread in self.threads {
            let name = thread.thread().name().unwrap_or("stage").to_string();
            match thread.join() {
                Ok(group) => groups.push(group),
                Err(_) => lost.push(name),
            }
        }
        (groups, lost)
    }
}

fn run<C: Clock>(mut group: Group<C>, spec: &GroupSpec, stop: &AtomicBool, failed: &AtomicBool) -> Group<C> {
    if let Ok(core) = usize::try_from(spec.core)
        && !affinity::pin(core)
    {
        tracing::warn!(core, "the kernel refused to pin this stage thread; it floats");
    }
    let mut idler = Idler::new(spec.wait);
    while !stop.load(Ordering::Acquire) {
        let done = group.poll();
        if let Some(halted) = group.halted()
            && !failed.swap(true, Ordering::AcqRel)
        {
            tracing::error!(
                ring = halted.0,
                "a ring that must not lose messages is full: no new exposure from here on"
            );
        }
        idler.after(done > 0);
    }
    for _ in 0..LAST_SWEEPS {
        if group.poll() == 0 {
            break;
        }
    }
    group
}
