//! The default market: seeded, calibrated, and without any edge in it.
//!
//! **No planted edge.** The bid is a symmetric random walk on the tick grid, the spread opens and closes on either
//! side with equal chance, so the midpoint is an exact martingale given everything seen. Displayed sizes, volume and
//! the aggressor's side are drawn independently of every later move; volatility clusters by the clock only.
//!
//! **Calibration**, from one-minute bars of 78 US technology names on 2026-04-14 and 2026-04-15 (pooled numbers):
//! standard deviation of one-minute returns: median 11 bp, log-sd 0.42; relative by half hour 2.5, 1.1, 0.9 … 0.55,
//! 0.75; kurtosis 5.6–7.7, met by a log-sd of 0.39 on each minute's volatility; variance shared by all names
//! 0.15–0.21, met by one common factor of weight 0.2; dollar volume by rank ≈ 25 bn / rank^1.05; volume by half hour
//! 2.15, 1.11, 0.87 … 0.86, 2.34 of the mean. Spreads and displayed sizes: quotes of 2013–2015 (median spread max(1
//! cent, 2–3 bp), wider for thin names), an assumption for 2026. Price levels are log-normal around $115.
//!
//! **Time.** Steps of 250 ms inside the window. History (the previous trading day and the minutes before the window)
//! comes from the same process at 5 s steps, whose ranges are a little too narrow.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "tick counts, share counts and minutes of a day are bounded by the calibration's clamps"
)]

use super::minutes::MinuteQueue;
use super::rng::{Draw, name_hash};
use super::universe::{SYMBOLS_MAX, TICKERS, con_id, primary_exchange, ticker};
use super::{Bar, MarketError, MarketOptions, MarketSource, Quote, RawBody, RawEvent, Reference};
use crate::clock::{MILLISECOND, MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::calendar::{RegularHours, minutes_since, previous_trading_day, regular_hours};
use crate::domain::{Price, Qty, SymbolId};

/// Relative volatility by half hour of the day.
const VOLATILITY_SHAPE: [f64; 13] = [2.2, 1.1, 0.9, 0.83, 0.75, 0.68, 0.75, 0.68, 0.6, 0.68, 0.58, 0.56, 0.76];
/// Relative volume by half hour of the day.
const VOLUME_SHAPE: [f64; 13] = [2.15, 1.11, 0.87, 0.9, 0.81, 0.66, 0.82, 0.56, 0.56, 0.69, 0.68, 0.86, 2.34];
/// Variance share of the common factor.
const FACTOR_SHARE: f64 = 0.2;
/// Log-standard deviation of a minute's volatility.
const VOLATILITY_LOG_SD: f64 = 0.39;
/// Step inside the window.
const STEP: Nanos = 250 * MILLISECOND;
/// Step of history.
const HISTORY_STEP: Nanos = 5 * SECOND;
/// The price grid.
const TICK: Price = Price(10_000);
/// Overnight gap, standard deviation of the log.
const OVERNIGHT_SD: f64 = 0.006;

/// What does not change for a symbol during the day.
#[derive(Clone, Copy, Debug)]
struct Traits {
    /// Standard deviation of one-minute returns over the day.
    minute_vol: f64,
    adv_shares: f64,
    /// The spread that it returns to, in ticks.
    spread_ticks: i64,
    /// Mean displayed size, shares.
    display_shares: f64,
}

/// The moving part.
#[derive(Clone, Copy, Debug)]
struct State {
    bid_ticks: i64,
    spread_ticks: i64,
    quote: Quote,
}

/// The synthetic market.
#[derive(Debug)]
pub struct SyntheticMarket {
    seed: u64,
    hours: RegularHours,
    start: SessionTime,
    references: Vec<Reference>,
    traits: Vec<Traits>,
    states: Vec<State>,
    history: Vec<Vec<Bar>>,
    queue: MinuteQueue,
}

impl SyntheticMarket {
    /// The market of `options`: its date, start, symbols and seed.
    ///
    /// # Errors
    /// The date is no trading day or the start is outside regular hours.
    pub fn new(options: &MarketOptions) -> Result<Self, MarketError> {
        let (hours, start) = options.window(options.date)?;
        let count = if options.symbols == 0 { TICKERS.len() } else { options.symbols.min(SYMBOLS_MAX) };
        let mut market = Self {
            seed: options.seed,
            hours,
            start,
            references: Vec::with_capacity(count),
            traits: Vec::with_capacity(count),
            states: Vec::with_capacity(count),
            history: Vec::with_capacity(count),
            queue: MinuteQueue::new(start.floor_to(MINUTE), hours.close),
        };
        for i in 0..count {
            market.add(SymbolId(i as u16), &ticker(i), i);
        }
        Ok(market)
    }

    /// Adds one symbol and runs it up to the window.
    fn add(&mut self, id: SymbolId, symbol: &str, rank: usize) {
        let mut draw = Draw::keyed(0, "personality", name_hash(symbol), 0);
        let price = (115.0 * libm::exp(draw.normal())).clamp(5.0, 1_200.0);
        let minute_vol = (11e-4 * libm::exp(0.42 * draw.normal())).clamp(4e-4, 25e-4);
        let adv_usd = 25e9 * libm::pow(rank as f64 + 1.0, -1.05);
        let spread_bps = 2.5 * libm::pow(1e9 / adv_usd, 0.25).clamp(0.5, 4.0);
        let traits = Traits {
            minute_vol,
            adv_shares: adv_usd / price,
            spread_ticks: ((price * spread_bps * 1e-4 / TICK.to_f64()) as i64).max(1),
            display_shares: (200.0 * libm::sqrt(adv_usd / 1e9) * 100.0 / price).max(100.0),
        };
        let bid_ticks = (price / TICK.to_f64()) as i64;
        let mut state = State { bid_ticks, spread_ticks: traits.spread_ticks, quote: Quote::default() };
        let mut bars = Vec::new();
        let mut prior_close = Price::NONE;
        let yesterday = previous_trading_day(crate::domain::calendar::Date::new_york(self.hours.open));
        if let Some(day) = yesterday.and_then(regular_hours) {
            self.run_history(id, &traits, &mut state, day, day.close, &mut bars);
            prior_close = bars.last().map_or(Price::NONE, |b| b.close);
            let gap = Draw::keyed(self.seed, "overnight", name_hash(symbol), 0).normal() * OVERNIGHT_SD;
            state.bid_ticks = (state.bid_ticks as f64 * libm::exp(gap)) as i64;
        }
        self.run_history(id, &traits, &mut state, self.hours, self.start.floor_to(MINUTE), &mut bars);
        let shortable = if draw.chance(0.03) { 0 } else { (traits.adv_shares * 0.1) as i64 };
        self.references.push(Reference {
            id,
            symbol: symbol.to_string(),
            con_id: con_id(symbol),
            primary_exchange: primary_exchange(symbol).to_string(),
            prior_close,
            adv: Qty(traits.adv_shares as i64),
            shortable: Qty(shortable),
        });
        self.traits.push(traits);
        self.states.push(state);
        self.history.push(bars);
    }

    /// Bars of `day` from its open to `until`, at the coarse step.
    fn run_history(
        &self,
        id: SymbolId,
        traits: &Traits,
        state: &mut State,
        day: RegularHours,
        until: SessionTime,
        bars: &mut Vec<Bar>,
    ) {
        let mut events = Vec::new();
        let mut minute = day.open;
        while minute < until {
            events.clear();
            let plan = Plan::of(self.seed, id, traits, day.open, minute, HISTORY_STEP);
            plan.run(state, &mut events);
            let mut bar: Option<Bar> = None;
            for e in &events {
                if let RawBody::Trade { price, size } = e.body {
                    match &mut bar {
                        Some(b) => b.add(price, size),
                        None => bar = Some(Bar::of(minute, price, size)),
                    }
                }
            }
            bars.extend(bar);
            minute = minute + MINUTE;
        }
    }
}

impl MarketSource for SyntheticMarket {
    fn references(&self) -> &[Reference] {
        &self.references
    }

    fn hours(&self) -> RegularHours {
        self.hours
    }

    fn start(&self) -> SessionTime {
        self.start
    }

    fn history(&self, symbol: SymbolId) -> &[Bar] {
        self.history.get(symbol.index()).map_or(&[], Vec::as_slice)
    }

    fn next_time(&mut self) -> Option<SessionTime> {
        let Self { seed, hours, traits, states, queue, .. } = self;
        queue.peek(|minute, out| make_minute(*seed, hours.open, traits, states, minute, out)).map(|e| e.time)
    }

    fn next_until(&mut self, t: SessionTime) -> Option<RawEvent> {
        let Self { seed, hours, traits, states, queue, .. } = self;
        let event = queue.peek(|minute, out| make_minute(*seed, hours.open, traits, states, minute, out))?;
        (event.time <= t).then(|| {
            queue.pop();
            event
        })
    }
}

/// All symbols' events of one minute.
fn make_minute(
    seed: u64,
    open: SessionTime,
    traits: &[Traits],
    states: &mut [State],
    minute: SessionTime,
    out: &mut Vec<RawEvent>,
) {
    for (i, (traits, state)) in traits.iter().zip(states).enumerate() {
        Plan::of(seed, SymbolId(i as u16), traits, open, minute, STEP).run(state, out);
    }
}

/// One symbol's minute, ready to run.
struct Plan<'a> {
    traits: &'a Traits,
    id: SymbolId,
    minute: SessionTime,
    step: Nanos,
    /// Variance of a return over one step.
    variance: f64,
    /// Prints per step, and mean shares of each.
    prints: f64,
    shares: f64,
    factor: Draw,
    draw: Draw,
}

impl<'a> Plan<'a> {
    fn of(seed: u64, id: SymbolId, traits: &'a Traits, open: SessionTime, minute: SessionTime, step: Nanos) -> Self {
        let index = minute.secs() as u64;
        let bucket = (minutes_since(open, minute).clamp(0, 389) / 30) as usize;
        let mut draw = Draw::keyed(seed, "minute", u64::from(id.0), index);
        let scale = libm::exp(VOLATILITY_LOG_SD * draw.normal() - VOLATILITY_LOG_SD * VOLATILITY_LOG_SD);
        let vol = traits.minute_vol * VOLATILITY_SHAPE[bucket] * scale;
        let steps = (MINUTE / step) as f64;
        let volume = traits.adv_shares / 390.0 * VOLUME_SHAPE[bucket] * libm::exp(0.5 * draw.normal() - 0.125);
        let prints = (volume / 100.0).clamp(1.0, 150.0);
        Self {
            traits,
            id,
            minute,
            step,
            variance: vol * vol / steps,
            prints: prints / steps,
            shares: volume / prints,
            factor: Draw::keyed(seed, "factor", index, 0),
            draw,
        }
    }

    /// Runs the minute step by step.
    fn run(mut self, state: &mut State, out: &mut Vec<RawEvent>) {
        let steps = MINUTE / self.step;
        for k in 0..steps {
            let begin = self.minute + k * self.step;
            let span = (self.step - 2) as u64;
            // Quote in the first half of the step, prints in the second: a print is at a quote already shown.
            let at = begin + 1 + self.draw.below(span / 2) as i64;
            self.move_quote(state, at, out);
            let mut count = self.draw.round(self.prints.min(3.0)).min(3);
            if self.step > STEP {
                count = count.max(1);
            }
            let mut when = begin + (span / 2) as i64;
            for _ in 0..count {
                when = when + 1 + self.draw.below(span / 8) as i64;
                self.print(state, when, out);
            }
        }
    }

    fn move_quote(&mut self, state: &mut State, at: SessionTime, out: &mut Vec<RawEvent>) {
        let z = libm::sqrt(FACTOR_SHARE) * self.factor.normal() + libm::sqrt(1.0 - FACTOR_SHARE) * self.draw.normal();
        let variance_ticks = self.variance * (state.bid_ticks as f64) * (state.bid_ticks as f64);
        // Either way the jump's mean is 0 and its variance is `variance_ticks`: a martingale on the grid.
        let jump = if variance_ticks < 1.0 {
            if self.draw.chance(variance_ticks) { if z < 0.0 { -1 } else { 1 } } else { 0 }
        } else {
            self.draw.round(z * libm::sqrt(variance_ticks - 1.0 / 6.0))
        };
        let before = (state.bid_ticks, state.spread_ticks);
        state.bid_ticks = (state.bid_ticks + jump).max(1);
        if self.draw.chance(0.02) {
            let (base, now) = (self.traits.spread_ticks, state.spread_ticks);
            let u = self.draw.uniform();
            let narrow = now > (base - 1).max(1) && u > if now > base { 0.2 } else { 0.85 };
            let change = i64::from(u < 0.15) - i64::from(narrow);
            // Whichever side gives way is drawn evenly, so the midpoint moves half a tick up or down with equal chance.
            let low_side = i64::from(self.draw.chance(0.5));
            state.spread_ticks += change;
            state.bid_ticks = (state.bid_ticks - change * low_side).max(1);
        }
        let moved = before != (state.bid_ticks, state.spread_ticks) || !state.quote.bid.is_some();
        if moved || self.draw.chance(0.25) {
            let mut size = || Qty(((self.traits.display_shares * self.draw.exponential() / 100.0) as i64 + 1) * 100);
            state.quote = Quote {
                bid: Price(state.bid_ticks * TICK.0),
                bid_size: size(),
                ask: Price((state.bid_ticks + state.spread_ticks) * TICK.0),
                ask_size: size(),
            };
            out.push(RawEvent { time: at, symbol: self.id, body: RawBody::Quote(state.quote) });
        }
    }

    fn print(&mut self, state: &State, at: SessionTime, out: &mut Vec<RawEvent>) {
        let price = if self.draw.chance(0.5) { state.quote.bid } else { state.quote.ask };
        let size = Qty((self.shares * self.draw.exponential()) as i64 + 1);
        out.push(RawEvent { time: at, symbol: self.id, body: RawBody::Trade { price, size } });
    }
}
