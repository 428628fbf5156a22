//! Bars as they are made: five-second bars, and the updates of history that is kept up to date.
//!
//! Recorded: 420 without entitlement. Documented: requests for five-second bars count as history of small bars. Assumed: a bar without an event repeats the last price; the first bar told is a
//! whole one; a bar of history is told every five seconds if it changed.

use super::agenda::Task;
use super::contracts::Instrument;
use super::core::{Core, answer};
use super::history::Show;
use super::streams::{NO_SUBSCRIPTION, What};
use crate::clock::{Nanos, SECOND, SessionTime};
use crate::domain::Price;
use crate::sim::api::{ConnId, Contract, HistoricalBar, Outgoing, Response, StreamResponse};
use crate::sim::market::RawBody;

/// Length of a real-time bar.
const BAR: Nanos = 5 * SECOND;

/// A five-second bar being built.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    show: Show,
    bar: HistoricalBar,
    /// Traded value of the bar, for its mean price.
    value: f64,
    /// The first bar is not whole and not told.
    whole: bool,
    /// No bar starts then or later.
    until: SessionTime,
}

impl Bars {
    pub(super) fn new(show: Show, now: SessionTime, until: SessionTime, price: Option<Price>) -> Self {
        let price = price.map_or(0.0, Price::to_f64);
        let bar = HistoricalBar { time: now.floor_to(BAR), ..flat(price, show) };
        Self { show, bar, value: 0.0, whole: false, until }
    }

    /// Tells every bar that is over at `time`.
    pub(super) fn roll(&mut self, req_id: i32, time: SessionTime, send: &mut impl FnMut(StreamResponse)) {
        let current = time.floor_to(BAR);
        while self.bar.time < current {
            let next = HistoricalBar { time: self.bar.time + BAR, ..flat(self.bar.close, self.show) };
            let mut bar = std::mem::replace(&mut self.bar, next);
            if self.show == Show::Trades && bar.volume > 0.0 {
                bar.wap = self.value / bar.volume;
            }
            self.value = 0.0;
            if self.whole && bar.close > 0.0 && bar.time < self.until {
                send(StreamResponse::RealTimeBar { req_id, bar });
            }
            self.whole = true;
        }
    }

    pub(super) fn take(&mut self, body: &RawBody) {
        let price = match (self.show, body) {
            (Show::Trades, RawBody::Trade { price, size }) => {
                let first = self.bar.count == 0;
                self.bar.count += 1;
                self.bar.volume += size.0 as f64;
                self.value += price.to_f64() * size.0 as f64;
                if first {
                    let p = price.to_f64();
                    (self.bar.open, self.bar.high, self.bar.low) = (p, p, p);
                }
                *price
            }
            (show, RawBody::Quote(q)) => match show.of(*q) {
                Some(price) => price,
                None => return,
            },
            _ => return,
        };
        let p = price.to_f64();
        if self.bar.open == 0.0 {
            (self.bar.open, self.bar.high, self.bar.low) = (p, p, p);
        }
        self.bar.high = self.bar.high.max(p);
        self.bar.low = self.bar.low.min(p);
        self.bar.close = p;
    }
}

/// A bar in which nothing happens.
fn flat(price: f64, show: Show) -> HistoricalBar {
    let (volume, wap, count) = if show == Show::Trades { (0.0, price, 0) } else { (-1.0, -1.0, -1) };
    HistoricalBar { open: price, high: price, low: price, close: price, volume, wap, count, ..HistoricalBar::default() }
}

impl Core {
    /// reqRealTimeBars.
    pub(super) fn real_time_bars(
        &mut self,
        conn: ConnId,
        req_id: i32,
        contract: &Contract,
        (what_to_show, use_rth): (&str, bool),
    ) -> Result<(), (i32, String)> {
        let (instrument, live) = self.streamed(conn, req_id, contract)?;
        let show = Show::read(what_to_show).filter(|s| *s != Show::BidAsk).ok_or_else(|| {
            (321, format!("Error validating request.-'bZ' : cause - What to show \"{what_to_show}\" is not supported"))
        })?;
        if !live {
            let place = self.permission_name(instrument);
            return Err((
                420,
                format!("Invalid Real-time Query:No market data permissions for {place}. {NO_SUBSCRIPTION}"),
            ));
        }
        let what = format!("bars|{what_to_show}|{}|{req_id}", conn.0);
        let name = self.history_name(instrument);
        if self.history.pace(self.now, &name, &what, true).is_err() {
            return Err((420, "Invalid Real-time Query:Historical data request pacing violation".into()));
        }
        let price = match (instrument, show) {
            (Instrument::Stock(symbol), Show::Trades) => {
                Some(self.markets[symbol.index()].last).filter(|p| p.is_some())
            }
            (Instrument::Stock(symbol), show) => show.of(self.markets[symbol.index()].book.quote()),
            (Instrument::Quoted(_), _) => None,
        };
        let stock = matches!(instrument, Instrument::Stock(_));
        let until = if use_rth && stock { self.source.hours().close } else { SessionTime(i64::MAX) };
        let bars = Bars::new(show, self.now, until, price);
        self.sessions.streams.add(conn, req_id, instrument, What::Bars(bars));
        self.start_beat();
        self.start_quoted();
        Ok(())
    }

    /// Five-second bars and bars kept up to date beat every five seconds while anyone listens.
    pub(super) fn start_beat(&mut self) {
        if !self.bars_beat {
            self.bars_beat = true;
            self.agenda.add(self.now.floor_to(BAR) + BAR, Task::BarBeat);
        }
    }

    pub(super) fn bar_beat(&mut self, out: &mut Vec<Outgoing>) {
        let now = self.now;
        let mut streams = std::mem::take(&mut self.sessions.streams);
        self.bars_beat = false;
        for (conn, req_id, s) in streams.iter_mut() {
            let mut send = |r| answer(conn, Response::Stream(r), out);
            match &mut s.what {
                What::Bars(bars) => bars.roll(req_id, now, &mut send),
                What::UpToDate { ask, sent, ready } => {
                    if now < *ready {
                        self.bars_beat = true;
                        continue;
                    }
                    for bar in self.newer(s.instrument, ask, sent) {
                        sent.clone_from(&bar);
                        send(StreamResponse::BarUpdate { req_id, bar, format_date: ask.format_date });
                    }
                }
                _ => continue,
            }
            self.bars_beat = true;
        }
        self.sessions.streams = streams;
        if self.bars_beat {
            self.agenda.add(now.floor_to(BAR) + BAR, Task::BarBeat);
        }
    }
}
