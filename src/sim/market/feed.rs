//! Source and sampler in one: the sampled updates that IB would have sent, in time order.

use super::MarketSource;
use super::sampler::{SampledUpdate, Sampler};
use crate::clock::SessionTime;

/// A source behind a sampler. Pull it with [`SampledFeed::next_until`]; it reads no raw event later than asked.
pub struct SampledFeed<S: MarketSource> {
    source: S,
    sampler: Sampler,
}

impl<S: MarketSource> SampledFeed<S> {
    /// Puts `sampler` behind `source`. Day volume and last price start from the source's history of the day.
    pub fn new(source: S, mut sampler: Sampler) -> Self {
        seed_day(&source, &mut sampler);
        Self { source, sampler }
    }

    /// The source, for its reference data and history.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The next update stamped at or before `t`, in time order (ties: lower symbol first); `None` when `t` is reached.
    pub fn next_until(&mut self, t: SessionTime) -> Option<SampledUpdate> {
        loop {
            let sample = self.sampler.next_due();
            let limit = sample.map_or(t, |s| s.min(t));
            if let Some(raw) = self.source.next_until(limit) {
                self.sampler.push(&raw);
                continue;
            }
            let due = sample.filter(|s| *s <= t)?;
            if let Some(update) = self.sampler.due(due) {
                return Some(update);
            }
        }
    }

    /// When the next update can come: the next sample, else the next raw event; `None` at the end of the data.
    pub fn next_time(&mut self) -> Option<SessionTime> {
        match (self.sampler.next_due(), self.source.next_time()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

/// Starts the sampler's day from what the source says was traded today before its window.
pub(crate) fn seed_day(source: &impl MarketSource, sampler: &mut Sampler) {
    let open = source.hours().open;
    for r in source.references() {
        let today = source.history(r.id).iter().filter(|b| b.start >= open);
        let (mut last, mut volume, mut value) = (crate::domain::Price::NONE, crate::domain::Qty::ZERO, 0);
        for bar in today {
            last = bar.close;
            volume += bar.volume;
            value += i128::from(bar.typical().0) * i128::from(bar.volume.0);
        }
        sampler.seed_day(r.id, last, volume, value);
    }
}
