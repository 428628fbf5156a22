//! The feed stage: annotates ticks, watches the liveness of the feed, passes every fact on.
//! At most [`FeedStage::OUTPUTS_MAX`] outputs for one input.

use super::Config;
use super::sanity::{Fault, Sanity};
use crate::clock::{MILLISECOND, SessionTime};
use crate::domain::Price;
use crate::message::{MarketEvent, Quality, SymbolStatus, Tick};
use crate::pipeline::{Outbox, Stage};

/// Symbols whose quote age is looked at per timer, round robin: 1,000 symbols within 8 s of session time.
const AGE_CHECKS_PER_TIMER: usize = 32;

#[derive(Clone, Copy, Debug, Default)]
struct Symbol {
    sanity: Sanity,
    /// The last tick as it went on; its stamp is `SessionTime(0)` before the first.
    last: Tick,
}

/// Stage 1. See the module's documentation.
#[derive(Debug)]
pub struct FeedStage {
    config: Config,
    symbols: Vec<Symbol>,
    /// What the link's owner says.
    link_up: bool,
    /// Whether this stage itself declared the feed dead for silence.
    silent: bool,
    /// Stamp of the last tick of any symbol, or of the link's last rise.
    alive_at: SessionTime,
    cursor: usize,
    faults: [u64; Fault::COUNT],
    unknown_symbols: u64,
    silences: u64,
    distrusted_lasts: u64,
}

impl FeedStage {
    /// Most outputs that one input can cause: size the outbox at least so.
    pub const OUTPUTS_MAX: usize = 2;

    /// A stage for symbols `0..n_symbols`. Until the link is reported up and a symbol's market-data type is
    /// reported real-time, its quotes are unfit.
    pub fn new(config: Config, n_symbols: usize) -> Self {
        Self {
            config,
            symbols: vec![Symbol::default(); n_symbols],
            link_up: false,
            silent: false,
            alive_at: SessionTime(0),
            cursor: 0,
            faults: [0; Fault::COUNT],
            unknown_symbols: 0,
            silences: 0,
            distrusted_lasts: 0,
        }
    }

    /// Ticks that were unfit for this reason since the start.
    pub const fn fault_count(&self, fault: Fault) -> u64 {
        self.faults[fault.index()]
    }

    /// Facts of symbols outside the universe: passed on to nobody, since no table has a row for them.
    pub const fn unknown_symbols(&self) -> u64 {
        self.unknown_symbols
    }

    /// How often the feed fell silent.
    pub const fn silences(&self) -> u64 {
        self.silences
    }

    /// Ticks whose last price was withheld as implausible or not real-time.
    pub const fn distrusted_lasts(&self) -> u64 {
        self.distrusted_lasts
    }

    fn on_tick(&mut self, mut tick: Tick, out: &mut Outbox<MarketEvent>) {
        let Some(symbol) = self.symbols.get_mut(tick.symbol.index()) else {
            self.unknown_symbols += 1;
            return;
        };
        self.alive_at = self.alive_at.max(tick.at);
        if self.silent && self.link_up {
            self.silent = false;
            out.push(MarketEvent::DataLink { at: tick.at, up: true });
        }
        let fault = if self.link_up { symbol.sanity.judge(&tick, &self.config) } else { Some(Fault::LinkDown) };
        tick.quality = if fault.is_some() { Quality::Unfit } else { Quality::Fit };
        if let Some(fault) = fault {
            self.faults[fault.index()] += 1;
        }
        if tick.last.is_some() && !(self.link_up && symbol.sanity.trust_last(&tick, &self.config)) {
            tick.last = Price::NONE;
            self.distrusted_lasts += 1;
        }
        symbol.last = tick;
        out.push(MarketEvent::Tick(tick));
    }

    fn on_status(&mut self, status: SymbolStatus, out: &mut Outbox<MarketEvent>) {
        let Some(symbol) = self.symbols.get_mut(status.symbol.index()) else {
            self.unknown_symbols += 1;
            return;
        };
        let worse = symbol.sanity.on_status(status.kind);
        out.push(MarketEvent::Status(status));
        if worse && symbol.last.quality == Quality::Fit {
            symbol.last.quality = Quality::Unfit;
            out.push(MarketEvent::Tick(Tick { at: status.at, last: Price::NONE, ..symbol.last }));
        }
    }

    fn on_link(&mut self, at: SessionTime, up: bool, out: &mut Outbox<MarketEvent>) {
        self.link_up = up;
        self.silent = false;
        self.alive_at = at;
        self.doubt_all();
        out.push(MarketEvent::DataLink { at, up });
    }

    /// Every quote is unfit until its next tick.
    fn doubt_all(&mut self) {
        for symbol in &mut self.symbols {
            symbol.last.quality = Quality::Unfit;
            symbol.sanity.forget_levels();
        }
    }

    fn on_timer(&mut self, now: SessionTime, out: &mut Outbox<MarketEvent>) {
        let silence_max = i64::from(self.config.silence_max_ms) * MILLISECOND;
        if self.link_up && !self.silent && now.since(self.alive_at) > silence_max {
            self.silent = true;
            self.silences += 1;
            self.doubt_all();
            out.push(MarketEvent::DataLink { at: now, up: false });
        } else {
            self.expire_one(now, out);
        }
        out.push(MarketEvent::Timer(now));
    }

    /// Looks at the next few symbols and marks at most one over-aged quote, so that outputs stay bounded.
    fn expire_one(&mut self, now: SessionTime, out: &mut Outbox<MarketEvent>) {
        let age_max = i64::from(self.config.quote_age_max_ms) * MILLISECOND;
        for _ in 0..AGE_CHECKS_PER_TIMER.min(self.symbols.len()) {
            self.cursor = (self.cursor + 1) % self.symbols.len();
            let last = &mut self.symbols[self.cursor].last;
            if last.quality == Quality::Fit && now.since(last.at) > age_max {
                last.quality = Quality::Unfit;
                self.faults[Fault::Old.index()] += 1;
                out.push(MarketEvent::Tick(Tick { at: now, last: Price::NONE, ..*last }));
                return;
            }
        }
    }
}

impl Stage for FeedStage {
    type In = MarketEvent;
    type Out = MarketEvent;

    fn on_event(&mut self, _now: SessionTime, input: MarketEvent, out: &mut Outbox<MarketEvent>) {
        match input {
            MarketEvent::Tick(tick) => self.on_tick(tick, out),
            MarketEvent::Timer(at) => self.on_timer(at, out),
            MarketEvent::Status(status) => self.on_status(status, out),
            MarketEvent::DataLink { at, up } => self.on_link(at, up, out),
            MarketEvent::History(_) => out.push(input),
        }
    }
}

#[cfg(test)]
mod tests;
