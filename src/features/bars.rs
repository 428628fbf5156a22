//! One-minute bars from sampled ticks, one symbol. A trade shows as a step of the day's volume or a new last
//! price. Volume of a minute = day volume at its last tick − at the previous bar's last tick. A minute that was
//! not watched from its start makes no bar (its open and range are unknown), nor does one whose price moved
//! without volume (a correction, or a vendor's gap: no trade can be told).

use crate::clock::{MINUTE, SessionTime};
use crate::domain::{Price, SymbolId};
use crate::message::{Bar, Tick};

/// A minute's number since the Unix epoch.
pub(super) fn minute_of(t: SessionTime) -> i64 {
    t.0.div_euclid(MINUTE)
}

/// A bar that is still being built.
#[derive(Clone, Copy, Debug)]
struct Building {
    minute: i64,
    open: Price,
    high: Price,
    low: Price,
    close: Price,
    day_volume: u64,
}

const NOTHING: Building = Building {
    minute: i64::MIN,
    open: Price::NONE,
    high: Price::NONE,
    low: Price::NONE,
    close: Price::NONE,
    day_volume: 0,
};

/// See the module's documentation. Holds two minutes: the one that waits for its grace to pass, and the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarBuilder {
    /// Whether a first tick has told where last price and day volume stand.
    based: bool,
    /// The minute in which that happened: it was not watched from its start.
    unwatched: i64,
    seen_volume: u64,
    seen_last: Price,
    /// Day volume at the end of the last closed bar.
    closed_volume: u64,
    slots: [Building; 2],
}

/// When a tick came, for the builder.
#[derive(Clone, Copy, Debug)]
pub(super) struct When {
    /// [`minute_of`] its stamp.
    pub(super) minute: i64,
    /// Whether inside regular hours: trades outside make no bars.
    pub(super) in_session: bool,
    /// Whether in the session's first minute.
    pub(super) first_minute: bool,
}

impl BarBuilder {
    pub(super) const fn new() -> Self {
        Self {
            based: false,
            unwatched: i64::MIN,
            seen_volume: 0,
            seen_last: Price::NONE,
            closed_volume: 0,
            slots: [NOTHING; 2],
        }
    }

    /// The feed was interrupted: what traded meanwhile is unknown, and so are the bars under construction.
    pub(super) fn interrupt(&mut self) {
        *self = Self::new();
    }

    /// Takes a tick whose minute is not closed yet.
    pub(super) fn on_tick(&mut self, tick: &Tick, when: When) {
        if !tick.last.is_some() {
            return;
        }
        let fresh_day = when.first_minute && tick.day_volume > 0 && (!self.based || tick.day_volume < self.seen_volume);
        if fresh_day {
            // The day's volume so far was all traded in this minute, under our eyes or just before them.
            self.based = true;
            self.seen_volume = 0;
            self.closed_volume = 0;
        } else if !self.based {
            self.based = true;
            self.unwatched = when.minute;
            self.rebase(tick);
            return;
        }
        let traded = tick.day_volume > self.seen_volume || tick.last != self.seen_last;
        if tick.day_volume < self.seen_volume || !when.in_session || when.minute == self.unwatched {
            self.rebase(tick);
        }
        self.seen_volume = tick.day_volume;
        self.seen_last = tick.last;
        if traded && when.in_session && when.minute != self.unwatched {
            self.add(tick, when.minute);
        }
    }

    /// Takes volume and last as given, without a trade.
    fn rebase(&mut self, tick: &Tick) {
        self.seen_volume = tick.day_volume;
        self.closed_volume = tick.day_volume;
        self.seen_last = tick.last;
    }

    fn add(&mut self, tick: &Tick, minute: i64) {
        let slot = &mut self.slots[usize::from(minute & 1 != 0)];
        if slot.minute != minute {
            *slot = Building {
                minute,
                open: tick.last,
                high: tick.last,
                low: tick.last,
                close: tick.last,
                day_volume: tick.day_volume,
            };
            return;
        }
        slot.high = slot.high.max(tick.last);
        slot.low = slot.low.min(tick.last);
        slot.close = tick.last;
        slot.day_volume = tick.day_volume;
    }

    /// Closes `minute`: its bar, `None` when nothing traded or it was not watched.
    pub(super) fn close(&mut self, minute: i64, symbol: SymbolId) -> Option<Bar> {
        let slot = &mut self.slots[usize::from(minute & 1 != 0)];
        if slot.minute != minute {
            return None;
        }
        let bar = Bar {
            start: SessionTime(minute * MINUTE),
            open: slot.open,
            high: slot.high,
            low: slot.low,
            close: slot.close,
            volume: slot.day_volume.saturating_sub(self.closed_volume),
            symbol,
        };
        self.closed_volume = slot.day_volume;
        slot.minute = i64::MIN;
        (bar.volume > 0).then_some(bar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(last: i64, day_volume: u64) -> Tick {
        Tick { last: Price(last), day_volume, ..Tick::default() }
    }

    fn at(minute: i64) -> When {
        When { minute, in_session: true, first_minute: false }
    }

    fn ohlcv(bar: Option<Bar>) -> Option<(i64, i64, i64, i64, u64)> {
        bar.map(|b| (b.open.0, b.high.0, b.low.0, b.close.0, b.volume))
    }

    #[test]
    fn the_minute_of_the_first_tick_makes_no_bar_and_the_next_one_is_whole() {
        let mut b = BarBuilder::new();
        b.on_tick(&tick(100, 5_000), at(10));
        b.on_tick(&tick(101, 5_100), at(10));
        for (last, volume) in [(103, 5_150), (99, 5_200), (102, 5_300), (102, 5_300)] {
            b.on_tick(&tick(last, volume), at(11));
        }
        assert_eq!(ohlcv(b.close(10, SymbolId(0))), None);
        assert_eq!(ohlcv(b.close(11, SymbolId(0))), Some((103, 103, 99, 102, 200)));
        assert_eq!(ohlcv(b.close(12, SymbolId(0))), None, "no trade, no bar");
    }

    #[test]
    fn a_tick_past_the_boundary_belongs_to_the_next_bar_before_the_first_has_closed() {
        let mut b = BarBuilder::new();
        b.on_tick(&tick(100, 0), at(9));
        b.on_tick(&tick(101, 10), at(10));
        b.on_tick(&tick(105, 15), at(11));
        b.on_tick(&tick(102, 18), at(10));
        assert_eq!(ohlcv(b.close(10, SymbolId(0))), Some((101, 102, 101, 102, 18)));
        b.on_tick(&tick(104, 20), at(11));
        assert_eq!(ohlcv(b.close(11, SymbolId(0))), Some((105, 105, 104, 104, 2)));
    }

    #[test]
    fn the_open_counts_from_zero_and_trades_outside_hours_make_no_bar() {
        let mut b = BarBuilder::new();
        b.on_tick(&tick(90, 70), When { minute: 9, in_session: false, first_minute: false });
        b.on_tick(&tick(91, 80), When { minute: 9, in_session: false, first_minute: false });
        b.on_tick(&tick(100, 95), When { first_minute: true, ..at(10) });
        assert_eq!(ohlcv(b.close(9, SymbolId(0))), None);
        assert_eq!(ohlcv(b.close(10, SymbolId(0))), Some((100, 100, 100, 100, 15)));
        let mut cold = BarBuilder::new();
        cold.on_tick(&tick(100, 95), When { first_minute: true, ..at(10) });
        assert_eq!(ohlcv(cold.close(10, SymbolId(0))), Some((100, 100, 100, 100, 95)));
    }

    #[test]
    fn after_an_interruption_nothing_is_known_until_the_next_whole_minute() {
        let mut b = BarBuilder::new();
        b.on_tick(&tick(100, 10), at(10));
        b.on_tick(&tick(101, 20), at(11));
        b.interrupt();
        assert_eq!(ohlcv(b.close(11, SymbolId(0))), None);
        b.on_tick(&tick(110, 900), at(12));
        b.on_tick(&tick(111, 950), at(13));
        assert_eq!(ohlcv(b.close(12, SymbolId(0))), None);
        assert_eq!(ohlcv(b.close(13, SymbolId(0))), Some((111, 111, 111, 111, 50)));
    }
}
