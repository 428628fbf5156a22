//! Historical bars: one-minute trades of the source's history and of the session so far, folded into longer bars; bars
//! of bid, offer and midpoint since the window opened; bars below a minute from the latest raw events; bars of pairs and
//! indices from their model; and the pacing that all history requests share.
//!
//! Pacing (documented by IB): at most 50 open at once (322), no identical request within 15 s, fewer than six for one
//! contract within 2 s, at most 60 within ten minutes for bars of 30 s or less; a breach of the last three draws 162.
//! Recorded: without entitlement a request up to now draws 2188 alone. Assumed: bars kept up to date are told every five
//! seconds where they changed; bars of quotes have −1 for volume, mean price and count.

use std::collections::VecDeque;

use super::agenda::Task;
use super::contracts::Instrument;
use super::core::Core;
use super::reports::error;
use super::streams::What;
use super::tape::mid;
use super::text;
use crate::clock::{HOUR, MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::calendar::{Date, regular_hours};
use crate::domain::{Price, Qty, SymbolId};
use crate::sim::api::{ConnId, Contract, HistoricalBar, Request, Response};
use crate::sim::market::quoted::{Kind, QUOTED};
use crate::sim::market::{Bar, Quote};

/// Requests remembered for pacing.
const REMEMBERED: usize = 512;
/// Requests open at once.
const OPEN_MAX: usize = 50;
/// Bars that a request for a pair or an index gets at most, the latest.
const MODELLED_MAX: i64 = 20_000;
const DAY: Nanos = 24 * HOUR;

/// An error code and its text.
pub(super) type Refused = (i32, String);

/// A history request without its contract.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) req_id: i32,
    pub(super) end: String,
    pub(super) duration: String,
    pub(super) bar_size: String,
    pub(super) what_to_show: String,
    pub(super) use_rth: bool,
    pub(super) format_date: i32,
    pub(super) keep_up_to_date: bool,
}

/// What history is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    Trades,
    Bid,
    Ask,
    Mid,
    /// Of ticks only.
    BidAsk,
}

impl Show {
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "TRADES" | "ADJUSTED_LAST" => Some(Self::Trades),
            "BID" => Some(Self::Bid),
            "ASK" => Some(Self::Ask),
            "MIDPOINT" => Some(Self::Mid),
            "BID_ASK" => Some(Self::BidAsk),
            _ => None,
        }
    }

    /// What a quote says of it.
    pub(super) fn of(self, q: Quote) -> Option<Price> {
        match self {
            Self::Bid => Some(q.bid).filter(|p| p.is_some()),
            Self::Ask => Some(q.ask).filter(|p| p.is_some()),
            Self::Mid => mid(q),
            Self::Trades | Self::BidAsk => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Trades => "Trades",
            Self::Bid => "Bid",
            Self::Ask => "Ask",
            Self::Mid => "Midpoint",
            Self::BidAsk => "Bid/Ask",
        }
    }
}

/// History requests of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// When, what (beginning with the contract), whether its bars are of 30 s or less.
    all: VecDeque<(SessionTime, String, bool)>,
    /// When the open ones are answered.
    open: Vec<SessionTime>,
}

impl Asked {
    /// Takes note of a request; an error where IB's rules on repeating them are broken.
    pub(super) fn pace(&mut self, now: SessionTime, contract: &str, what: &str, small: bool) -> Result<(), Refused> {
        self.open.retain(|t| *t > now);
        if self.open.len() >= OPEN_MAX {
            let text = format!(
                "Error processing request.-'bS' : cause - Only {OPEN_MAX} simultaneous API historical data requests allowed."
            );
            return Err((322, text));
        }
        let kept = |small: bool| if small { 10 * MINUTE } else { 15 * SECOND };
        self.all.retain(|(t, _, small)| now - *t < kept(*small));
        let (prefix, what) = (format!("{contract}|"), format!("{contract}|{what}"));
        let identical = self.all.iter().any(|(t, w, _)| now - *t < 15 * SECOND && *w == what);
        let near = self.all.iter().filter(|(t, w, _)| now - *t < 2 * SECOND && w.starts_with(&prefix));
        let crowded = near.count() >= 5;
        let many = small && self.all.iter().filter(|(.., small)| *small).count() >= 60;
        if self.all.len() >= REMEMBERED {
            self.all.pop_front();
        }
        self.all.push_back((now, what, small));
        if identical || crowded || many {
            return Err(service("Historical data request pacing violation"));
        }
        Ok(())
    }
}

/// The history service's refusal.
pub(super) fn service(text: &str) -> Refused {
    (162, format!("Historical Market Data Service error message:{text}"))
}

/// The gateway's refusal.
pub(super) fn invalid(cause: impl std::fmt::Display) -> Refused {
    (321, format!("Error validating request.-'bZ' : cause - {cause}"))
}

impl Core {
    /// reqHistoricalData.
    pub(super) fn historical(&mut self, conn: ConnId, request: Request) {
        let Request::ReqHistoricalData {
            req_id,
            contract,
            end,
            duration,
            bar_size,
            what_to_show,
            use_rth,
            format_date,
            keep_up_to_date,
        } = request
        else {
            return;
        };
        let ask = Ask { req_id, end, duration, bar_size, what_to_show, use_rth, format_date, keep_up_to_date };
        let contract = &contract;
        let result = if ask.what_to_show == "SCHEDULE" {
            self.schedule(contract, &ask).map(|r| (vec![r], None))
        } else {
            self.bars(contract, &ask)
        };
        let (messages, live) = match result {
            Ok(found) => found,
            Err((code, text)) => (vec![error(self.now, ask.req_id, code, text)], None),
        };
        let ready = self.answer_later(conn, messages);
        if let Some((instrument, sent)) = live {
            let req_id = ask.req_id;
            self.sessions.streams.end(|c, id, _| c == conn && id == req_id);
            self.sessions.streams.add(conn, req_id, instrument, What::UpToDate { ask, sent, ready });
            self.start_beat();
        }
    }

    /// Sends the answer to a history request after its way there and back; when that is.
    pub(super) fn answer_later(&mut self, conn: ConnId, messages: Vec<Response>) -> SessionTime {
        let there = self.later();
        let at = there + (self.later() - self.now);
        self.history.open.push(at);
        self.agenda.add(at, Task::Answer { conn, messages });
        at
    }

    /// Ends the updates of a history request; what is answered whole has nothing left to cancel.
    pub(super) fn cancel_historical(&mut self, conn: ConnId, req_id: i32) {
        self.sessions.streams.end(|c, id, what| c == conn && id == req_id && matches!(what, What::UpToDate { .. }));
    }

    /// The answer, and what is to be kept up to date, if anything is.
    #[allow(clippy::type_complexity, reason = "one answer and its continuation")]
    fn bars(
        &mut self,
        contract: &Contract,
        ask: &Ask,
    ) -> Result<(Vec<Response>, Option<(Instrument, HistoricalBar)>), Refused> {
        let no_security = || (200, "No security definition has been found for the request".to_string());
        let instrument = self.instrument(contract).ok_or_else(no_security)?;
        let show = Show::read(&ask.what_to_show).filter(|s| *s != Show::BidAsk);
        let show = show.ok_or_else(|| invalid(format!("What to show \"{}\" is not supported", ask.what_to_show)))?;
        let size = bar_size(&ask.bar_size).ok_or_else(|| {
            invalid(
                "Historical data bar size setting is invalid. Legal ones are: 5 secs, 10 secs, 15 secs, 30 secs, 1 min, \
                 2 mins, 3 mins, 5 mins, 10 mins, 15 mins, 20 mins, 30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, \
                 1 day",
            )
        })?;
        let length = duration(&ask.duration)
            .ok_or_else(|| invalid("Historical data query end date/time string or duration is invalid"))?;
        let open_ended = ask.end.trim().is_empty();
        if ask.keep_up_to_date && !open_ended {
            return Err(invalid("End Date/Time must be empty for a request that is kept up to date"));
        }
        let end = if open_ended {
            self.now
        } else {
            text::parse(&ask.end).ok_or_else(|| invalid(format!("End Date/Time: {} is invalid", ask.end)))?
        };
        let what = format!("{}|{}|{}|{}", ask.end, ask.duration, ask.bar_size, ask.what_to_show);
        self.history.pace(self.now, &self.history_name(instrument), &what, size <= 30 * SECOND)?;
        if open_ended && !self.is_real_time(instrument) {
            let text = "Up-to-the-second historical data requires additional subscription for the API.";
            return Err((2_188, text.into()));
        }
        let end = end.min(self.now);
        // Recorded: the answer's start counts calendar days back, whatever the bars cover.
        let (start, told) = match (length, instrument) {
            (Span::Time(ns), _) => (end - ns, end - ns),
            (Span::Sessions(n), Instrument::Stock(id)) => (self.sessions_back(id, end, n), end - n * DAY),
            (Span::Sessions(n), Instrument::Quoted(_)) => (end - n * DAY, end - n * DAY),
        };
        let bars = self.folded(instrument, (show, size, ask.use_rth), start, end);
        let Some(last) = bars.last().cloned() else {
            let name = self.history_name(instrument);
            return Err(service(&format!("HMDS query returned no data: {name} {}", show.word())));
        };
        let range =
            Response::HistoricalDataEnd { req_id: ask.req_id, start: text::eastern(told), end: text::eastern(end) };
        let data = Response::HistoricalData { req_id: ask.req_id, bars, format_date: ask.format_date };
        Ok((vec![data, range], ask.keep_up_to_date.then_some((instrument, last))))
    }

    /// `AAPL@SMART`, `EUR.USD@IDEALPRO`.
    pub(super) fn history_name(&self, instrument: Instrument) -> String {
        match instrument {
            Instrument::Stock(id) => format!("{}@SMART", self.reference(id).symbol),
            Instrument::Quoted(i) => format!("{}@{}", QUOTED[i].local_symbol, QUOTED[i].exchange),
        }
    }

    /// Bars that a request kept up to date has not been told as they are now.
    pub(super) fn newer(&self, instrument: Instrument, ask: &Ask, sent: &HistoricalBar) -> Vec<HistoricalBar> {
        let (Some(show), Some(size)) = (Show::read(&ask.what_to_show), bar_size(&ask.bar_size)) else {
            return Vec::new();
        };
        let mut bars = self.folded(instrument, (show, size, ask.use_rth), sent.time, self.now);
        bars.retain(|b| b != sent);
        bars
    }

    fn folded(
        &self,
        instrument: Instrument,
        (show, size, use_rth): (Show, Nanos, bool),
        start: SessionTime,
        end: SessionTime,
    ) -> Vec<HistoricalBar> {
        let mut pieces = self.pieces(instrument, show, size, start, end);
        // The hours of pairs are not those of stocks.
        let has_hours = !matches!(instrument, Instrument::Quoted(i) if QUOTED[i].kind == Kind::Cash);
        if use_rth && has_hours {
            pieces.retain(|b| is_regular(b.start));
        }
        fold(&pieces, size, show)
    }

    /// Minutes, or for bars below a minute the events themselves, of [`start`, `end`).
    fn pieces(
        &self,
        instrument: Instrument,
        show: Show,
        size: Nanos,
        start: SessionTime,
        end: SessionTime,
    ) -> Vec<Bar> {
        let wanted = |b: &Bar| b.start >= start && b.start < end;
        let id = match instrument {
            Instrument::Stock(id) => id,
            Instrument::Quoted(i) => return self.modelled(i, show, size, start, end),
        };
        let market = &self.markets[id.index()];
        if size < MINUTE {
            let prints = market.tape.prints.iter().filter(|_| show == Show::Trades);
            let quotes = market.tape.quotes.iter().filter_map(|(t, q)| show.of(*q).map(|p| Bar::of(*t, p, Qty(0))));
            return prints.map(|(t, p, q)| Bar::of(*t, *p, *q)).chain(quotes).filter(wanted).collect();
        }
        match show {
            Show::Trades => {
                let known = self.source.history(id).iter().chain(&market.bars).chain(&market.bar);
                known.copied().filter(wanted).collect()
            }
            Show::Bid => market.tape.bids.iter().copied().filter(wanted).collect(),
            Show::Ask => market.tape.asks.iter().copied().filter(wanted).collect(),
            Show::Mid => market.tape.mids.iter().copied().filter(wanted).collect(),
            Show::BidAsk => Vec::new(),
        }
    }

    /// Bars of a pair or an index; a pair has no trades, an index nothing else.
    fn modelled(&self, i: usize, show: Show, size: Nanos, start: SessionTime, end: SessionTime) -> Vec<Bar> {
        let quoted = &QUOTED[i];
        if (quoted.kind == Kind::Index) != (show == Show::Trades) || size < MINUTE {
            return Vec::new();
        }
        let step = size.min(HOUR);
        let above = match show {
            Show::Ask => quoted.tick,
            Show::Mid => Price(quoted.tick.0 / 2),
            _ => Price(0),
        };
        let mut t = start.max(end - MODELLED_MAX * step).floor_to(step);
        let mut out = Vec::new();
        while t < end {
            let b = quoted.bar(self.seed, t, step, end);
            let up = |p: Price| p + above;
            let bar = Bar { open: up(b.open), high: up(b.high), low: up(b.low), close: up(b.close), ..b };
            out.push(bar);
            t = t + step;
        }
        out
    }

    /// The start of the earliest of the last `n` days that have bars.
    pub(super) fn sessions_back(&self, id: SymbolId, end: SessionTime, n: i64) -> SessionTime {
        let mut day = Date::new_york(end);
        let mut left = n;
        let has = |d: Date| {
            let m = &self.markets[id.index()];
            let mut all = self.source.history(id).iter().chain(&m.bars).chain(&m.bar);
            all.any(|b| Date::new_york(b.start) == d && b.start < end)
        };
        for _ in 0..10 {
            if has(day) {
                left -= 1;
                if left <= 0 {
                    break;
                }
            }
            day = day.previous();
        }
        day.at(0, 0)
    }
}

/// Whether `t` lies in regular hours.
fn is_regular(t: SessionTime) -> bool {
    regular_hours(Date::new_york(t)).is_some_and(|h| t >= h.open && t < h.close)
}

/// How far back a request reaches.
pub(super) enum Span {
    Time(Nanos),
    /// So many days with trading.
    Sessions(i64),
}

fn bar_size(text: &str) -> Option<Nanos> {
    let (n, unit) = text.trim().split_once(' ')?;
    let n: i64 = n.parse().ok()?;
    match (n, unit) {
        (5 | 10 | 15 | 30, "secs") => Some(n * SECOND),
        (1, "min") => Some(MINUTE),
        (2 | 3 | 5 | 10 | 15 | 20 | 30, "mins") => Some(n * MINUTE),
        (1, "hour") => Some(HOUR),
        (2 | 3 | 4 | 8, "hours") => Some(n * HOUR),
        (1, "day") => Some(DAY),
        _ => None,
    }
}

/// `1 D`, `3600 S`, …; also the histogram's `3 days`.
pub(super) fn duration(text: &str) -> Option<Span> {
    let (n, unit) = text.trim().split_once(' ')?;
    let n: i64 = n.parse().ok().filter(|n| (1..=86_400).contains(n))?;
    match unit {
        "S" | "secs" => Some(Span::Time(n * SECOND)),
        "D" | "day" | "days" => Some(Span::Sessions(n)),
        "W" | "week" | "weeks" => Some(Span::Sessions(n * 5)),
        "M" | "month" | "months" => Some(Span::Sessions(n * 21)),
        "Y" | "year" | "years" => Some(Span::Sessions(n * 252)),
        _ => None,
    }
}

/// When the bar begins that holds `t`. Recorded: an hour's bar at the opening bell begins with it.
fn bar_start(t: SessionTime, size: Nanos) -> SessionTime {
    let day = Date::new_york(t);
    if size >= DAY {
        return day.at(0, 0);
    }
    let start = t.floor_to(size);
    regular_hours(day).filter(|h| start < h.open && t >= h.open).map_or(start, |h| h.open)
}

/// Folds pieces into bars of `size`; the weighted price is the mean of the pieces' typical prices by volume.
fn fold(pieces: &[Bar], size: Nanos, show: Show) -> Vec<HistoricalBar> {
    let mut out: Vec<HistoricalBar> = Vec::new();
    for b in pieces {
        let start = bar_start(b.start, size);
        let typical = (b.high.to_f64() + b.low.to_f64() + b.close.to_f64()) / 3.0;
        let volume = b.volume.0 as f64;
        let count = i32::try_from((b.volume.0 / 100).max(1)).unwrap_or(i32::MAX);
        match out.last_mut() {
            Some(h) if h.time == start => {
                h.high = h.high.max(b.high.to_f64());
                h.low = h.low.min(b.low.to_f64());
                h.close = b.close.to_f64();
                let total = h.volume + volume;
                if total > 0.0 {
                    h.wap = (h.wap * h.volume + typical * volume) / total;
                }
                h.volume = total;
                h.count = h.count.saturating_add(count);
            }
            _ => out.push(HistoricalBar {
                time: start,
                open: b.open.to_f64(),
                high: b.high.to_f64(),
                low: b.low.to_f64(),
                close: b.close.to_f64(),
                volume,
                wap: typical,
                count,
            }),
        }
    }
    if show != Show::Trades {
        for h in &mut out {
            (h.volume, h.wap, h.count) = (-1.0, -1.0, -1);
        }
    }
    out
}
