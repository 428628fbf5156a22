//! The features stage: ticks to bars, bars to state, one cycle per closed minute. At most
//! [`FeaturesStage::OUTPUTS_MAX`] outputs per input. No allocation after construction.

use super::bars::{BarBuilder, When, minute_of};
use super::change_point::RunTable;
use super::columns;
use super::config::Config;
use super::market::Market;
use super::quotes::QuoteState;
use super::rank::rank;
use super::rolling::Rolling;
use super::schema::{BAR_COLUMNS, COLUMNS, at};
use super::session::{Place, TradingClock};
use super::universe_prefilter::{PrefilterConfig, choose};
use super::volatility::Curves;
use crate::clock::{MILLISECOND, MINUTE, Nanos, SessionTime};
use crate::domain::SymbolId;
use crate::domain::calendar::{Date, previous_trading_day, regular_hours};
use crate::message::{Bar, Cycle, CyclePool, MarketEvent, Tick};
use crate::pipeline::{Outbox, Stage};

/// A symbol whose last bar is older than this many trading minutes has no row.
const BAR_AGE_MAX: i64 = 5;

/// What the stage takes.
#[derive(Debug)]
pub enum FeaturesIn {
    /// A market fact, annotated by the feed stage.
    Market(MarketEvent),
    /// A slot that decision is done with.
    Recycle(Box<Cycle>),
}

/// What was refused or lost, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bars closed from ticks.
    pub bars: u64,
    /// Bars taken from history.
    pub history_bars: u64,
    /// Cycles emitted.
    pub cycles: u64,
    /// Cycles dropped for want of a free slot.
    pub dropped_cycles: u64,
    /// Ticks stamped in a minute that had closed: their trades are in no bar.
    pub late_ticks: u64,
    /// History bars of no use: unfinished, outside the warm-up window, or not newer than what is known.
    pub ignored_history: u64,
    /// Bars whose prices contradict each other.
    pub broken_bars: u64,
    /// Facts of symbols outside the universe.
    pub unknown_symbols: u64,
    /// Rows that the prefilter kept from the models.
    pub prefiltered_rows: u64,
}

/// Stage 2. See the module's documentation.
#[derive(Debug)]
pub struct FeaturesStage {
    grace: Nanos,
    history: Nanos,
    builders: Vec<BarBuilder>,
    quotes: Vec<QuoteState>,
    rolling: Vec<Rolling>,
    market: Market,
    curves: Curves,
    runs: RunTable,
    clock: TradingClock,
    /// The oldest minute that is not closed, `None` before the first tick or timer.
    open_minute: Option<i64>,
    /// The minute that all quotes have been rolled to.
    quote_minute: i64,
    pool: CyclePool,
    scratch: Vec<(f32, usize)>,
    prefilter: PrefilterConfig,
    /// By symbol: what decision said with the last slot that came back. All, before the first one.
    held: Vec<bool>,
    counters: Counters,
}

impl FeaturesStage {
    /// Most outputs that one input can cause: size the outbox at least so.
    pub const OUTPUTS_MAX: usize = 2;

    /// A stage for symbols `0..n_symbols` with `config.cycle_slots` batch slots of that many rows.
    pub fn new(config: &Config, n_symbols: usize) -> Self {
        Self {
            grace: i64::from(config.grace_ms) * MILLISECOND,
            history: i64::from(config.history_minutes) * MINUTE,
            builders: vec![BarBuilder::new(); n_symbols],
            quotes: vec![QuoteState::new(); n_symbols],
            rolling: vec![Rolling::new(); n_symbols],
            market: Market::new(),
            curves: Curves::new(),
            runs: RunTable::new(),
            clock: TradingClock::new(),
            open_minute: None,
            quote_minute: i64::MIN,
            pool: CyclePool::new(usize::try_from(config.cycle_slots).unwrap_or(1), n_symbols, COLUMNS),
            scratch: Vec::with_capacity(n_symbols),
            prefilter: config.prefilter.clone(),
            held: vec![true; n_symbols],
            counters: Counters::default(),
        }
    }

    /// What was refused or lost.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// The cycle that came back last, for whoever records what models saw; before the first one an empty slot.
    pub fn latest_cycle(&self) -> Option<&Cycle> {
        self.pool.latest()
    }

    /// Puts one closed bar into the state. The bar builder and history end here; an exporter enters here. Volume 0
    /// means that the volume is unknown.
    pub fn apply_bar(&mut self, bar: &Bar) {
        let plausible = bar.low.is_some() && bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close);
        let (Some(rolling), true) = (self.rolling.get_mut(bar.symbol.index()), plausible) else {
            self.counters.broken_bars += 1;
            return;
        };
        let Some(place) = self.clock.locate(bar.start) else {
            self.counters.broken_bars += 1;
            return;
        };
        if let Some((step, span)) = rolling.apply(place, bar, &self.curves) {
            self.market.add(place.minute, step, span, self.curves.sigma(place.of_session, place.session_minutes));
        } else {
            self.counters.ignored_history += 1;
        }
    }

    /// Takes a bar of the broker's history. Only bars that are over and lie in the warm-up window count: today's,
    /// and the last minutes of the session before. So whatever the broker sends, the state starts alike.
    pub fn warm_up(&mut self, now: SessionTime, bar: &Bar) {
        let today = Date::new_york(now);
        let date = Date::new_york(bar.start);
        let in_window = date == today
            || previous_trading_day(today) == Some(date)
                && regular_hours(date).is_some_and(|h| bar.start >= h.close - self.history);
        if !in_window || bar.start + MINUTE > now || self.clock.locate(bar.start).is_none() {
            self.counters.ignored_history += 1;
            return;
        }
        self.counters.history_bars += 1;
        self.apply_bar(bar);
    }

    /// Emits the cycle of the minute that starts at `start`, all of whose bars are in the state.
    pub fn emit(&mut self, at: SessionTime, start: SessionTime, out: &mut Outbox<Box<Cycle>>) {
        let Some(place) = self.clock.locate(start) else { return };
        let Some(mut cycle) = self.pool.take() else {
            self.counters.dropped_cycles += 1;
            return;
        };
        self.fill(&mut cycle, place, minute_of(start));
        if cycle.rows == 0 {
            self.pool.put(cycle);
            return;
        }
        self.counters.cycles += 1;
        cycle.id = self.counters.cycles;
        cycle.at = at;
        cycle.cause = at;
        out.push(cycle);
    }

    /// Fills the rows of all symbols with a valid history, in the order of their ids.
    fn fill(&mut self, cycle: &mut Cycle, place: Place, minute: i64) {
        let market = self.market.view(place.minute, self.curves.sigma(place.of_session, place.session_minutes));
        let next_curve = self.curves.sigma(place.of_session + 1, place.session_minutes);
        let mut rows = 0;
        for (i, rolling) in self.rolling.iter_mut().enumerate() {
            rolling.detect_change(place, &self.market, &self.runs);
            let sigma = rolling.volatility.sigma(next_curve);
            let recent = rolling.place.is_some_and(|p| place.minute - p.minute <= BAR_AGE_MAX);
            if !recent || sigma.is_nan() {
                continue;
            }
            let row = &mut cycle.features[rows * COLUMNS..(rows + 1) * COLUMNS];
            columns::fill(row, rolling, &market, place, sigma);
            let (mid, half_spread_bps) = self.quotes[i].read(minute, &mut row[BAR_COLUMNS..]);
            cycle.symbols[rows] = SymbolId(u16::try_from(i).unwrap_or(u16::MAX));
            cycle.sigma_1m[rows] = columns::narrow(sigma);
            cycle.mid[rows] = mid;
            cycle.half_spread_bps[rows] = half_spread_bps;
            cycle.adv[rows] = columns::shares(rolling.volumes.daily());
            rows += 1;
        }
        cycle.rows = rows;
        for (from, to) in [(at::RET + 3, at::RANK_RET_5), (at::RET + 6, at::RANK_RET_30)] {
            rank(&mut cycle.features, COLUMNS, rows, from, to, &mut self.scratch);
        }
        columns::relative_sigma(cycle);
        let held = &self.held;
        let always = |s: SymbolId| held.get(s.index()).copied().unwrap_or(true);
        self.counters.prefiltered_rows += choose(cycle, &self.prefilter, always, &mut self.scratch);
    }

    /// A slot comes back, and with it what must be scored whatever it can earn.
    fn recycle(&mut self, cycle: Box<Cycle>) {
        for (held, told) in self.held.iter_mut().zip(&cycle.held) {
            *held = *told;
        }
        self.pool.put(cycle);
    }

    fn on_tick(&mut self, tick: &Tick) {
        let i = tick.symbol.index();
        if i >= self.builders.len() {
            self.counters.unknown_symbols += 1;
            return;
        }
        let minute = minute_of(tick.at);
        self.quotes[i].on_tick(tick, minute);
        if minute < *self.open_minute.get_or_insert(minute) {
            self.counters.late_ticks += 1;
            return;
        }
        let place = self.clock.locate(tick.at);
        let when = When { minute, in_session: place.is_some(), first_minute: place.is_some_and(|p| p.of_session == 0) };
        self.builders[i].on_tick(tick, when);
    }

    fn on_timer(&mut self, at: SessionTime, out: &mut Outbox<Box<Cycle>>) {
        let now_minute = minute_of(at);
        let open = *self.open_minute.get_or_insert(now_minute);
        // The newest minute whose grace has passed.
        let closable = minute_of(at - self.grace) - 1;
        if self.quote_minute < now_minute {
            self.quote_minute = now_minute;
            for quote in &mut self.quotes {
                quote.roll_to(now_minute);
            }
        }
        if closable < open {
            return;
        }
        // A builder holds two minutes; timers come every grid step, so more than one to close means a hole.
        for minute in [open, open + 1] {
            if minute <= closable {
                self.close_minute(minute, at, out);
            }
        }
        self.open_minute = Some(closable + 1);
    }

    fn close_minute(&mut self, minute: i64, at: SessionTime, out: &mut Outbox<Box<Cycle>>) {
        for i in 0..self.builders.len() {
            let symbol = SymbolId(u16::try_from(i).unwrap_or(u16::MAX));
            if let Some(bar) = self.builders[i].close(minute, symbol) {
                self.counters.bars += 1;
                self.apply_bar(&bar);
            }
        }
        self.emit(at, SessionTime(minute * MINUTE), out);
    }

    fn on_link(&mut self) {
        for quote in &mut self.quotes {
            quote.doubt();
        }
        for builder in &mut self.builders {
            builder.interrupt();
        }
    }
}

impl Stage for FeaturesStage {
    type In = FeaturesIn;
    type Out = Box<Cycle>;

    fn on_event(&mut self, now: SessionTime, input: FeaturesIn, out: &mut Outbox<Box<Cycle>>) {
        match input {
            FeaturesIn::Recycle(cycle) => self.recycle(cycle),
            FeaturesIn::Market(MarketEvent::Tick(tick)) => self.on_tick(&tick),
            FeaturesIn::Market(MarketEvent::Timer(at)) => self.on_timer(at, out),
            // As the bar builder: a price without volume is no bar.
            FeaturesIn::Market(MarketEvent::History(bar)) if bar.volume == 0 => self.counters.ignored_history += 1,
            FeaturesIn::Market(MarketEvent::History(bar)) => self.warm_up(now, &bar),
            FeaturesIn::Market(MarketEvent::DataLink { .. }) => self.on_link(),
            FeaturesIn::Market(MarketEvent::Status(_)) => {}
        }
    }
}
