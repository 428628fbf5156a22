//! Historical bars: one-minute trades of the source's history and of the session so far, folded into longer bars.
//!
//! Pacing (documented by IB): no identical request within 15 s, fewer than six for one contract within 2 s; a breach
//! draws 162. Bars shorter than a minute, other data than trades and keepUpToDate are refused.

use super::agenda::Task;
use super::contracts::find;
use super::core::Core;
use super::reports::error;
use super::text;
use crate::clock::{HOUR, MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::calendar::{Date, regular_hours};
use crate::sim::api::{ConnId, Contract, HistoricalBar, Response};
use crate::sim::market::Bar;

/// Requests remembered for pacing.
const REMEMBERED: usize = 512;

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

impl Core {
    pub(super) fn historical(&mut self, conn: ConnId, contract: &Contract, ask: Ask) {
        let messages = match self.bars(contract, &ask) {
            Ok(messages) => messages,
            Err((code, text)) => vec![error(self.now, ask.req_id, code, text)],
        };
        let there = self.later();
        let back = self.later() - self.now;
        self.agenda.add(there + back, Task::Answer { conn, messages });
    }

    fn bars(&mut self, contract: &Contract, ask: &Ask) -> Result<Vec<Response>, (i32, String)> {
        let invalid = |cause: String| (321, format!("Error validating request.-'bZ' : cause - {cause}"));
        let service = |text: String| (162, format!("Historical Market Data Service error message:{text}"));
        let no_security = || (200, "No security definition has been found for the request".to_string());
        let reference = find(self.references(), contract).ok_or_else(no_security)?;
        let (id, symbol) = (reference.id, reference.symbol.clone());
        if ask.keep_up_to_date {
            return Err(invalid("keepUpToDate is not supported".into()));
        }
        if ask.what_to_show != "TRADES" {
            return Err(invalid(format!("What to show \"{}\" is not supported", ask.what_to_show)));
        }
        let bar_size = bar_size(&ask.bar_size).ok_or_else(|| {
            invalid(
                "Historical data bar size setting is invalid. Legal ones are: 1 min, 2 mins, 3 mins, \
                                    5 mins, 10 mins, 15 mins, 20 mins, 30 mins, 1 hour"
                    .into(),
            )
        })?;
        let length = duration(&ask.duration)
            .ok_or_else(|| invalid("Historical data query end date/time string or duration is invalid".into()))?;
        let end = if ask.end.trim().is_empty() {
            self.now
        } else {
            text::parse(&ask.end).ok_or_else(|| invalid(format!("End Date/Time: {} is invalid", ask.end)))?
        };
        if self.is_too_fast(id.0, ask) {
            return Err(service("Historical data request pacing violation".into()));
        }
        let end = end.min(self.now);
        // Recorded: the answer's start counts calendar days back, whatever the bars cover.
        let (start, told) = match length {
            Span::Time(ns) => (end - ns, end - ns),
            Span::Sessions(n) => (self.sessions_back(id, end, n), end - n * 24 * HOUR),
        };
        let market = &self.markets[id.index()];
        let known = self.source.history(id).iter().chain(&market.bars).chain(&market.bar);
        let wanted = |b: &&Bar| b.start >= start && b.start < end && (!ask.use_rth || is_regular(b.start));
        let minutes: Vec<Bar> = known.filter(wanted).copied().collect();
        if minutes.is_empty() {
            return Err(service(format!("HMDS query returned no data: {symbol}@SMART Trades")));
        }
        let bars = fold(&minutes, bar_size);
        Ok(vec![
            Response::HistoricalData { req_id: ask.req_id, bars, format_date: ask.format_date },
            Response::HistoricalDataEnd { req_id: ask.req_id, start: text::eastern(told), end: text::eastern(end) },
        ])
    }

    /// The start of the earliest of the last `n` days that have bars.
    fn sessions_back(&self, id: crate::domain::SymbolId, end: SessionTime, n: i64) -> SessionTime {
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

    /// IB's rules on repeating history requests.
    fn is_too_fast(&mut self, symbol: u16, ask: &Ask) -> bool {
        let what = format!("{symbol}|{}|{}|{}|{}", ask.end, ask.duration, ask.bar_size, ask.what_to_show);
        let prefix = format!("{symbol}|");
        let now = self.now;
        self.history_asked.retain(|(t, _)| now - *t < 15 * SECOND);
        let identical = self.history_asked.iter().any(|(_, w)| *w == what);
        let recent = |(t, w): &&(SessionTime, String)| now - *t < 2 * SECOND && w.starts_with(&prefix);
        let crowded = self.history_asked.iter().filter(recent).count() >= 5;
        if self.history_asked.len() >= REMEMBERED {
            self.history_asked.pop_front();
        }
        self.history_asked.push_back((now, what));
        identical || crowded
    }
}

/// Whether `t` lies in regular hours.
fn is_regular(t: SessionTime) -> bool {
    regular_hours(Date::new_york(t)).is_some_and(|h| t >= h.open && t < h.close)
}

/// How far back a request reaches.
enum Span {
    Time(Nanos),
    /// So many days with trading.
    Sessions(i64),
}

fn bar_size(text: &str) -> Option<Nanos> {
    let (n, unit) = text.trim().split_once(' ')?;
    let n: i64 = n.parse().ok()?;
    match (n, unit) {
        (1, "min") => Some(MINUTE),
        (2 | 3 | 5 | 10 | 15 | 20 | 30, "mins") => Some(n * MINUTE),
        (1, "hour") => Some(HOUR),
        _ => None,
    }
}

fn duration(text: &str) -> Option<Span> {
    let (n, unit) = text.trim().split_once(' ')?;
    let n: i64 = n.parse().ok().filter(|n| (1..=86_400).contains(n))?;
    match unit {
        "S" => Some(Span::Time(n * SECOND)),
        "D" => Some(Span::Sessions(n)),
        "W" => Some(Span::Sessions(n * 5)),
        "M" => Some(Span::Sessions(n * 21)),
        _ => None,
    }
}

/// Folds minutes into bars of `size`; the weighted price is the mean of the minutes' typical prices by volume.
fn fold(minutes: &[Bar], size: Nanos) -> Vec<HistoricalBar> {
    let mut out: Vec<HistoricalBar> = Vec::new();
    for b in minutes {
        let start = b.start.floor_to(size);
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
    out
}
