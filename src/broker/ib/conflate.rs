//! From ticks to the market facts that leave the adapter: one latest tick per symbol, one latest fact per symbol
//! and kind, grid timers in band. Pure: the ingest thread supplies stamps and the sink. A full sink costs nothing
//! but age: what waits is bounded by the number of symbols.
//!
//! Order. Facts leave in the order of their stamps; the timer of grid step `t` leaves after everything stamped
//! ≤ `t` and before everything stamped later. A tick that waits takes the stamp and place of its latest merge; a
//! status keeps the place of its first, so that a stream's change of type is never told after its ticks.

use ibapi::market_data::realtime::TickTypes;

use super::translate::{Quotes, Touch};
use crate::broker::port::MarketSink;
use crate::clock::{Nanos, SessionTime};
use crate::domain::SymbolId;
use crate::message::{MarketEvent, StatusKind, SymbolStatus};
use crate::pipeline::GRID;

/// Kinds of [`StatusKind`].
const KINDS: usize = 6;
/// Slots per symbol: its tick and its statuses.
const SLOTS: usize = 1 + KINDS;
/// Grid steps that a late producer makes up for: a minute. Older ones are skipped and counted.
pub const CATCH_UP: Nanos = 240 * GRID;

/// What the producer did and could not do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Values merged into a tick that had not left yet: several values of one sample, or a full sink.
    pub conflated: u64,
    /// Grid timers skipped since the producer was too late.
    pub timers_skipped: u64,
    /// Pushes that found the sink full.
    pub full: u64,
}

/// The table.
#[derive(Debug)]
pub struct Conflator {
    quotes: Quotes,
    statuses: Vec<[Option<SymbolStatus>; KINDS]>,
    link: Option<(SessionTime, bool)>,
    /// The data link came back while its loss still waits: told right after it.
    link_back: bool,
    /// Slots that wait, in no order; `order` says when each was touched.
    dirty: Vec<usize>,
    /// Place of each slot, 0 = does not wait. The last slot is the data link.
    order: Vec<u64>,
    next_order: u64,
    next_timer: Option<SessionTime>,
    counts: Counts,
}

const fn kind_index(kind: &StatusKind) -> usize {
    match kind {
        StatusKind::Halted(_) => 0,
        StatusKind::Shortable(_) => 1,
        StatusKind::ShortableShares(_) => 2,
        StatusKind::MarketDataType(_) => 3,
        StatusKind::PriorClose(_) => 4,
        StatusKind::NoLine(_) => 5,
    }
}

impl Conflator {
    /// A table of `symbols` symbols; `volume_unit` = shares in one unit of day volume.
    pub fn new(symbols: usize, volume_unit: u32) -> Self {
        Self {
            quotes: Quotes::new(symbols, volume_unit),
            statuses: vec![[None; KINDS]; symbols],
            link: None,
            link_back: false,
            dirty: Vec::with_capacity(symbols * SLOTS + 1),
            order: vec![0; symbols * SLOTS + 1],
            next_order: 1,
            next_timer: None,
            counts: Counts::default(),
        }
    }

    /// What was conflated, skipped and refused so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Starts the grid: the first timer is the first step after `now`.
    pub fn start_timers(&mut self, now: SessionTime) {
        self.next_timer.get_or_insert(now.floor_to(GRID) + GRID);
    }

    /// Forgets all prices (a new connection).
    pub fn forget_prices(&mut self) {
        self.quotes.clear_all();
    }

    /// Merges one value of a line.
    pub fn apply(&mut self, symbol: SymbolId, at: SessionTime, value: &TickTypes) {
        match self.quotes.apply(symbol, at, value) {
            Touch::Quote => self.touch_tick(symbol),
            Touch::Status(kind) => self.status(SymbolStatus { at, symbol, kind }),
            Touch::StatusAndQuote(kind) => {
                self.status(SymbolStatus { at, symbol, kind });
                self.touch_tick(symbol);
            }
            Touch::Nothing => {}
        }
    }

    /// Leaves a fact about a symbol.
    pub fn status(&mut self, status: SymbolStatus) {
        let kind = kind_index(&status.kind);
        let Some(row) = self.statuses.get_mut(status.symbol.index()) else { return };
        let slot = status.symbol.index() * SLOTS + 1 + kind;
        if let (Some(waiting), true) = (&mut row[kind], self.order[slot] != 0) {
            waiting.kind = status.kind;
            return;
        }
        row[kind] = Some(status);
        self.touch(slot);
    }

    /// Leaves the state of the data link. A loss is told even when the link is back before it could be.
    pub fn data_link(&mut self, at: SessionTime, up: bool) {
        let slot = self.order.len() - 1;
        if self.order[slot] != 0 {
            let lost = self.link.is_some_and(|(_, waiting)| !waiting);
            self.link = self.link.map(|(from, waiting)| (from, waiting && up));
            self.link_back = lost && up;
            return;
        }
        self.link = Some((at, up));
        self.touch(slot);
    }

    /// Passes on everything that waits and every timer before `now`, in order. `false`: the sink is full.
    pub fn flush(&mut self, now: SessionTime, sink: &mut impl MarketSink) -> bool {
        self.skip_old_timers(now);
        let order = &self.order;
        self.dirty.sort_unstable_by_key(|slot| order[*slot]);
        let mut done = 0;
        while done < self.dirty.len() {
            let slot = self.dirty[done];
            let Some(event) = self.event(slot) else {
                self.order[slot] = 0;
                done += 1;
                continue;
            };
            if !self.timers_before(event.at(), sink) || !sink.push(event) {
                break;
            }
            self.order[slot] = 0;
            done += 1;
            if slot + 1 == self.order.len() && std::mem::take(&mut self.link_back) {
                self.data_link(now, true);
            }
        }
        let all = done == self.dirty.len();
        self.dirty.drain(..done);
        let flushed = all && self.timers_before(now, sink);
        self.counts.full += u64::from(!flushed);
        flushed
    }

    fn touch_tick(&mut self, symbol: SymbolId) {
        let slot = symbol.index() * SLOTS;
        if self.order[slot] != 0 {
            self.counts.conflated += 1;
        }
        self.touch(slot);
    }

    fn touch(&mut self, slot: usize) {
        if self.order[slot] == 0 {
            self.dirty.push(slot);
        }
        self.order[slot] = self.next_order;
        self.next_order += 1;
    }

    fn event(&self, slot: usize) -> Option<MarketEvent> {
        if slot + 1 == self.order.len() {
            return self.link.map(|(at, up)| MarketEvent::DataLink { at, up });
        }
        let (symbol, part) = (slot / SLOTS, slot % SLOTS);
        match part {
            0 => self.quotes.tick(SymbolId(u16::try_from(symbol).ok()?)).copied().map(MarketEvent::Tick),
            kind => self.statuses[symbol][kind - 1].map(MarketEvent::Status),
        }
    }

    /// Emits the timers of grid steps before `limit`.
    fn timers_before(&mut self, limit: SessionTime, sink: &mut impl MarketSink) -> bool {
        while let Some(timer) = self.next_timer.filter(|t| *t < limit) {
            if !sink.push(MarketEvent::Timer(timer)) {
                return false;
            }
            self.next_timer = Some(timer + GRID);
        }
        true
    }

    fn skip_old_timers(&mut self, now: SessionTime) {
        let Some(timer) = self.next_timer else { return };
        let oldest = (now - CATCH_UP).floor_to(GRID);
        if timer < oldest {
            self.counts.timers_skipped += u64::try_from((oldest - timer) / GRID).unwrap_or(0);
            self.next_timer = Some(oldest);
        }
    }
}

#[cfg(test)]
#[path = "conflate_tests.rs"]
mod tests;
