//! What routing knows of each symbol's market: the annotated quote, status facts, and the short-sale restriction
//! latch. Nothing here decides; the guards read it.

use crate::clock::SessionTime;
use crate::domain::calendar::{Date, RegularHours, next_trading_day, previous_trading_day, regular_hours};
use crate::domain::{Price, SymbolId};
use crate::message::{MarketEvent, Quality, StatusKind, SymbolStatus, Tick};

/// One symbol's market.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SymbolMarket {
    /// The last update.
    pub tick: Tick,
    /// Whether an update came since the data link last came up.
    pub fresh: bool,
    /// Tick 49, `None` = never came (it may never).
    pub halted: Option<i8>,
    /// Tick 46.
    pub shortable: Option<f32>,
    /// Tick 89.
    pub shortable_shares: Option<u64>,
    /// Market data type; `None` = never told.
    pub data_type: Option<u8>,
    /// Official close of the previous trading day.
    pub prior_close: Price,
    /// Whether the market-data line was lost.
    pub no_line: bool,
    /// Last day of a short-sale restriction that we saw trigger.
    pub ssr_until: Option<Date>,
    /// Whether the previous trading day's restriction is known (it is not on a first day).
    pub ssr_yesterday_known: bool,
}

impl SymbolMarket {
    /// Mid of a two-sided quote, `NONE` otherwise; rounded down to a micro-dollar.
    pub fn mid(&self) -> Price {
        let (b, a) = (self.tick.bid, self.tick.ask);
        if b.is_some() && a >= b { Price(b.0 + (a.0 - b.0) / 2) } else { Price::NONE }
    }

    /// Whether the quote may carry new exposure at `now`, but for its age.
    pub fn is_fit(&self) -> bool {
        self.fresh
            && !self.no_line
            && self.tick.quality == Quality::Fit
            && self.data_type.is_none_or(|t| t == 1)
            && self.tick.bid.is_some()
            && self.tick.ask > self.tick.bid
    }

    /// The best mark known: mid of a fit quote, else the last trade, else the prior close.
    pub fn mark(&self) -> Price {
        let mid = self.mid();
        if self.is_fit() {
            mid
        } else if self.tick.last.is_some() {
            self.tick.last
        } else {
            self.prior_close
        }
    }

    /// Whether Rule 201 restricts shorts on `today`: a latch seen, or yesterday unknown.
    pub fn ssr(&self, today: Date) -> bool {
        !self.ssr_yesterday_known || self.ssr_until.is_some_and(|until| today <= until)
    }
}

/// Rule 201's trigger in whole micro-dollars: a trade at least 10 % below the prior close.
pub(crate) const fn ssr_triggers(trade: Price, prior_close: Price) -> bool {
    trade.0 > 0 && prior_close.0 > 0 && 10 * (trade.0 as i128) <= 9 * (prior_close.0 as i128)
}

/// All symbols.
#[derive(Debug)]
pub struct MarketView {
    symbols: Vec<SymbolMarket>,
    today: Option<Date>,
    hours: Option<RegularHours>,
    link_up: bool,
    known_day: Option<Date>,
}

impl MarketView {
    /// Nothing known of `symbols` symbols.
    pub fn new(symbols: usize) -> Self {
        Self {
            symbols: vec![SymbolMarket::default(); symbols],
            today: None,
            hours: None,
            link_up: true,
            known_day: None,
        }
    }

    /// A symbol's market; all unknown for a symbol outside the universe.
    pub fn get(&self, symbol: SymbolId) -> SymbolMarket {
        self.symbols.get(symbol.index()).copied().unwrap_or_default()
    }

    /// Regular hours of the day of the last `roll`; `None` = no trading, or beyond the calendar.
    pub const fn hours(&self) -> Option<RegularHours> {
        self.hours
    }

    /// The day of the last `roll`.
    pub fn today(&self) -> Date {
        self.today.unwrap_or_default()
    }

    /// Whether the data link is believed up.
    pub const fn link_up(&self) -> bool {
        self.link_up
    }

    /// Restores a latch that a journal kept.
    pub fn restore_ssr(&mut self, symbol: SymbolId, until: Option<Date>) {
        if let Some(s) = self.symbols.get_mut(symbol.index()) {
            s.ssr_until = s.ssr_until.max(until);
        }
    }

    /// Tells which trading day the journal last covered whole: yesterday's restrictions are known only if it was
    /// that day.
    pub fn restore_known_day(&mut self, known: Option<Date>) {
        self.known_day = known;
    }

    /// Moves to the day of `now`; `true` when a day begins.
    pub fn roll(&mut self, now: SessionTime) -> bool {
        if self.hours.is_some_and(|h| now >= h.open && now < h.close) {
            return false;
        }
        let today = Date::new_york(now);
        if self.today == Some(today) {
            return false;
        }
        let before = self.today.or(self.known_day);
        let known = before.is_some() && (before == previous_trading_day(today) || before == Some(today));
        let overnight = self.today.is_some();
        for s in &mut self.symbols {
            s.ssr_yesterday_known = known;
            if overnight {
                s.prior_close = Price::NONE;
            }
        }
        self.today = Some(today);
        self.hours = regular_hours(today);
        true
    }

    /// Takes a market fact. Returns a symbol whose restriction has just latched, and its last day.
    pub fn on_event(&mut self, event: &MarketEvent) -> Option<(SymbolId, Date)> {
        match event {
            MarketEvent::Tick(t) => self.on_tick(t),
            MarketEvent::Status(s) => self.on_status(s),
            MarketEvent::DataLink { up, .. } => {
                self.link_up = *up;
                self.symbols.iter_mut().for_each(|s| s.fresh = false);
                None
            }
            MarketEvent::History(_) | MarketEvent::Timer(_) => None,
        }
    }

    fn on_tick(&mut self, t: &Tick) -> Option<(SymbolId, Date)> {
        let in_hours = self.hours.is_some_and(|h| t.at >= h.open && t.at < h.close);
        let link_up = self.link_up;
        let s = self.symbols.get_mut(t.symbol.index())?;
        let traded = t.last.is_some() && (t.last != s.tick.last || t.day_volume != s.tick.day_volume);
        s.tick = *t;
        s.fresh = link_up;
        if traded && in_hours { self.latch(t.symbol, t.last) } else { None }
    }

    fn latch(&mut self, symbol: SymbolId, trade: Price) -> Option<(SymbolId, Date)> {
        let today = self.today?;
        let s = self.symbols.get_mut(symbol.index())?;
        // Unknown next day: hold it for ever rather than not at all.
        let until = next_trading_day(today).unwrap_or(Date(u32::MAX));
        if ssr_triggers(trade, s.prior_close) && s.ssr_until.is_none_or(|u| u < until) {
            s.ssr_until = Some(until);
            return Some((symbol, until));
        }
        None
    }

    fn on_status(&mut self, status: &SymbolStatus) -> Option<(SymbolId, Date)> {
        let in_hours = self.hours.is_some_and(|h| status.at >= h.open && status.at < h.close);
        let s = self.symbols.get_mut(status.symbol.index())?;
        match status.kind {
            StatusKind::Halted(v) => s.halted = Some(v),
            StatusKind::Shortable(v) => s.shortable = Some(v),
            StatusKind::ShortableShares(v) => s.shortable_shares = Some(v),
            StatusKind::MarketDataType(v) => {
                s.data_type = Some(v);
                // IB tells the type at the start of each subscription: so the line is there again.
                s.no_line = false;
            }
            StatusKind::NoLine(_) => s.no_line = true,
            StatusKind::PriorClose(p) => {
                s.prior_close = p;
                // A trade that came before its reference still counts.
                let last = s.tick.last;
                if in_hours && last.is_some() {
                    return self.latch(status.symbol, last);
                }
            }
        }
        None
    }
}
