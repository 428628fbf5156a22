//! Sanity of one symbol's quotes and trades against its own recent past. Owns the reference levels; decides
//! nothing about the feed as a whole (that is `stage`). Integer arithmetic on prices only.

use super::Config;
use crate::clock::{MILLISECOND, SessionTime};
use crate::domain::Price;
use crate::message::{StatusKind, Tick};

/// Why a quote is unfit; the first that applies, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The data link is down, or nothing came since it went up.
    LinkDown,
    /// The symbol has no market-data line.
    NoLine,
    /// The market-data type is not known to be real-time.
    NotRealTime,
    /// Halted, or the halt status is unavailable.
    Halted,
    /// A price below zero.
    NonPositive,
    /// A side without a price or a size.
    OneSided,
    /// Bid above ask.
    Crossed,
    /// Bid equals ask.
    Locked,
    /// Wider than the limit.
    Wide,
    /// The mid left its reference and the new level has not held long enough.
    Jump,
    /// Older than the limit.
    Old,
}

impl Fault {
    /// How many there are.
    pub const COUNT: usize = 11;

    /// Position in a table of counts.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A level that follows a price, but only believes a jump after it has held.
#[derive(Clone, Copy, Debug, Default)]
struct Reference {
    level: Price,
    /// The level that a jump went to, and when; meaningless while `NONE`.
    candidate: Price,
    candidate_since: SessionTime,
}

impl Reference {
    /// Whether `price` is plausible at `now`. A plausible price becomes the reference.
    fn accept(&mut self, now: SessionTime, price: Price, config: &Config) -> bool {
        if !self.level.is_some() || within(price, self.level, config.jump_max_bps) {
            self.level = price;
            self.candidate = Price::NONE;
            return true;
        }
        if !self.candidate.is_some() || !within(price, self.candidate, config.jump_max_bps) {
            self.candidate = price;
            self.candidate_since = now;
            return false;
        }
        if now.since(self.candidate_since) < i64::from(config.jump_confirm_ms) * MILLISECOND {
            return false;
        }
        self.level = price;
        self.candidate = Price::NONE;
        true
    }
}

/// `|a − b| ≤ bps · b`, in 128 bits so that no price overflows.
fn within(a: Price, b: Price, bps: u32) -> bool {
    i128::from((a.0 - b.0).abs()) * 10_000 <= i128::from(b.0) * i128::from(bps)
}

/// What is known of one symbol.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sanity {
    quote: Reference,
    trade: Reference,
    real_time: bool,
    no_line: bool,
    halted: bool,
}

impl Sanity {
    /// Takes a status; `true` when it makes a quote that was fit unfit.
    pub(super) fn on_status(&mut self, kind: StatusKind) -> bool {
        match kind {
            StatusKind::MarketDataType(t) => {
                // IB tells the type at the start of each subscription: so the line is there again.
                self.no_line = false;
                self.real_time = t == 1;
                t != 1
            }
            StatusKind::NoLine(_) => {
                self.no_line = true;
                true
            }
            StatusKind::Halted(h) => {
                self.halted = h != 0;
                h != 0
            }
            StatusKind::Shortable(_) | StatusKind::ShortableShares(_) | StatusKind::PriorClose(_) => false,
        }
    }

    /// Forgets the reference levels: after an outage the first quote is judged on its own.
    pub(super) fn forget_levels(&mut self) {
        self.quote = Reference::default();
        self.trade = Reference::default();
    }

    /// The first fault of a quote at its stamp, if any. Updates the reference.
    pub(super) fn judge(&mut self, tick: &Tick, config: &Config) -> Option<Fault> {
        if self.no_line {
            return Some(Fault::NoLine);
        }
        if !self.real_time {
            return Some(Fault::NotRealTime);
        }
        if self.halted {
            return Some(Fault::Halted);
        }
        if tick.bid.0 < 0 || tick.ask.0 < 0 {
            return Some(Fault::NonPositive);
        }
        if !tick.bid.is_some() || !tick.ask.is_some() || tick.bid_size == 0 || tick.ask_size == 0 {
            return Some(Fault::OneSided);
        }
        if tick.bid > tick.ask {
            return Some(Fault::Crossed);
        }
        if tick.bid == tick.ask {
            return Some(Fault::Locked);
        }
        if !within(tick.ask, tick.bid, config.spread_max_bps) {
            return Some(Fault::Wide);
        }
        let mid = Price(tick.bid.0 + (tick.ask.0 - tick.bid.0) / 2);
        (!self.quote.accept(tick.at, mid, config)).then_some(Fault::Jump)
    }

    /// Whether a last price may be believed: real-time, positive and no unconfirmed jump.
    pub(super) fn trust_last(&mut self, tick: &Tick, config: &Config) -> bool {
        self.real_time && !self.no_line && tick.last.is_some() && self.trade.accept(tick.at, tick.last, config)
    }
}
