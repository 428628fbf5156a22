//! History beyond bars: ticks, the head time stamp, histograms, schedules. Answered like bars, after a way there and
//! back, and under the same pacing.
//!
//! Recorded: a schedule of regular sessions. Documented: at most 1,000 ticks, from a start or up to an end, with the
//! last second complete. Assumed: ticks reach back as far as the venue's tape; a histogram counts each minute's shares at
//! its last price; pairs and indices begin with 2005.

use std::collections::BTreeMap;

use super::contracts::Instrument;
use super::core::Core;
use super::history::{Ask, Refused, Show, Span, duration, invalid, service};
use super::reports::error;
use super::streams::{bid_ask_tick, last_tick, mid_tick};
use super::tape::{KEPT, mid};
use super::text;
use crate::clock::{HOUR, SECOND, SessionTime};
use crate::domain::calendar::{Date, new_york, previous_trading_day, regular_hours};
use crate::sim::api::{ConnId, Contract, Response, StreamRequest, StreamResponse, TradingSession};
use crate::sim::market::Quote;
use crate::sim::market::quoted::{Kind, QUOTED};

/// Since when pairs and indices have history.
const MODELLED_SINCE: Date = Date(20_050_103);
/// Sessions of a schedule at most.
const SESSIONS_MAX: i64 = 400;

impl Core {
    /// Historical ticks, head time stamp, histogram.
    pub(super) fn past_request(&mut self, conn: ConnId, request: StreamRequest) {
        let (req_id, result) = match request {
            StreamRequest::HistoricalTicks {
                req_id,
                contract,
                start,
                end,
                number_of_ticks,
                what_to_show,
                use_rth: _,
                ignore_size,
            } => {
                let wanted = (what_to_show.as_str(), number_of_ticks, ignore_size);
                (req_id, self.historical_ticks(req_id, &contract, (&start, &end), wanted))
            }
            StreamRequest::HeadTimestamp { req_id, contract, what_to_show, use_rth: _, format_date } => {
                (req_id, self.head_timestamp(req_id, &contract, &what_to_show, format_date))
            }
            StreamRequest::Histogram { req_id, contract, use_rth: _, period } => {
                (req_id, self.histogram(req_id, &contract, &period))
            }
            _ => return,
        };
        let message = match result {
            Ok(answer) => Response::Stream(answer),
            Err((code, text)) => error(self.now, req_id, code, text),
        };
        self.answer_later(conn, vec![message]);
    }

    fn past_contract(&mut self, contract: &Contract, what: &str) -> Result<Instrument, Refused> {
        let no_security = || (200, "No security definition has been found for the request".to_string());
        let instrument = self.instrument(contract).ok_or_else(no_security)?;
        let name = self.history_name(instrument);
        self.history.pace(self.now, &name, what, false)?;
        Ok(instrument)
    }

    fn historical_ticks(
        &mut self,
        req_id: i32,
        contract: &Contract,
        (start, end): (&str, &str),
        (what_to_show, number, ignore_size): (&str, i32, bool),
    ) -> Result<StreamResponse, Refused> {
        let what = format!("ticks|{start}|{end}|{number}|{what_to_show}");
        let instrument = self.past_contract(contract, &what)?;
        let show = Show::read(what_to_show).filter(|s| matches!(s, Show::Trades | Show::BidAsk | Show::Mid));
        let show = show.ok_or_else(|| invalid(format!("What to show \"{what_to_show}\" is not supported")))?;
        let time = |text: &str| match text.trim() {
            "" => Ok(None),
            given => text::parse(given).map(Some).ok_or_else(|| invalid(format!("Date/Time: {given} is invalid"))),
        };
        let range = (time(start)?, time(end)?);
        if range.0.is_some() == range.1.is_some() {
            return Err(invalid("Please specify either a start or an end time"));
        }
        if number < 1 {
            return Err(invalid("Number of ticks must be from 1 to 1000"));
        }
        if !self.is_real_time(instrument) {
            let text = "No market data permissions for the requested ticks";
            return Err(service(text));
        }
        Ok(self.past_ticks(req_id, instrument, show, range, number, ignore_size))
    }

    /// The ticks of a range, at most [`KEPT`] and the rest of the last second.
    pub(super) fn past_ticks(
        &self,
        req_id: i32,
        instrument: Instrument,
        show: Show,
        range: (Option<SessionTime>, Option<SessionTime>),
        number: i32,
        ignore_size: bool,
    ) -> StreamResponse {
        let number = usize::try_from(number).unwrap_or(0).min(KEPT);
        let done = true;
        if show == Show::Trades {
            let Instrument::Stock(id) = instrument else {
                return StreamResponse::HistoricalTicksLast { req_id, ticks: Vec::new(), done };
            };
            let exchange = &self.reference(id).primary_exchange;
            let all: Vec<_> = self.markets[id.index()].tape.prints.iter().map(|(t, p, q)| (*t, (*p, *q))).collect();
            let ticks = select(&all, range, number).map(|(t, (p, q))| last_tick(*t, *p, *q, exchange)).collect();
            return StreamResponse::HistoricalTicksLast { req_id, ticks, done };
        }
        let mut all: Vec<(SessionTime, Quote)> = match instrument {
            Instrument::Stock(id) => self.markets[id.index()].tape.quotes.iter().copied().collect(),
            Instrument::Quoted(i) => self.quoted_ticks(i, range, number),
        };
        if show == Show::Mid {
            all.retain(|(_, q)| mid(*q).is_some());
            all.dedup_by_key(|(_, q)| mid(*q));
            let tick = |(t, q): &(SessionTime, Quote)| mid(*q).map(|m| mid_tick(*t, m));
            let ticks = select(&all, range, number).filter_map(tick).collect();
            return StreamResponse::HistoricalTicks { req_id, ticks, done };
        }
        if ignore_size {
            all.dedup_by_key(|(_, q)| (q.bid, q.ask));
        }
        let ticks = select(&all, range, number).map(|(t, q)| bid_ask_tick(*t, *q)).collect();
        StreamResponse::HistoricalTicksBidAsk { req_id, ticks, done }
    }

    /// A pair's quotes, one a second.
    fn quoted_ticks(
        &self,
        i: usize,
        (start, end): (Option<SessionTime>, Option<SessionTime>),
        number: usize,
    ) -> Vec<(SessionTime, Quote)> {
        let n = i64::try_from(number).unwrap_or(0);
        let last = end.unwrap_or(self.now).min(self.now).floor_to(SECOND);
        let first = start.map_or(last - (n - 1) * SECOND, |s| (s - 1 + SECOND).floor_to(SECOND));
        let times = (0..n).map(|k| first + k * SECOND).filter(|t| *t <= last);
        let quotes = times.map(|t| (t, QUOTED[i].quote(self.seed, t)));
        quotes.filter(|(_, q)| *q != Quote::default()).collect()
    }

    fn head_timestamp(
        &mut self,
        req_id: i32,
        contract: &Contract,
        what_to_show: &str,
        format_date: i32,
    ) -> Result<StreamResponse, Refused> {
        let instrument = self.past_contract(contract, &format!("head|{what_to_show}"))?;
        let unknown = || invalid(format!("What to show \"{what_to_show}\" is not supported"));
        let show = Show::read(what_to_show).ok_or_else(unknown)?;
        let first = match instrument {
            Instrument::Stock(id) => {
                let m = &self.markets[id.index()];
                let trades = || self.source.history(id).iter().chain(&m.bars).chain(&m.bar).next().map(|b| b.start);
                if show == Show::Trades { trades() } else { m.tape.mids.first().map(|b| b.start) }
            }
            Instrument::Quoted(i) => {
                let has = (QUOTED[i].kind == Kind::Index) == (show == Show::Trades);
                has.then(|| MODELLED_SINCE.at(9, 30))
            }
        };
        let first = first.ok_or_else(|| service("No head time stamp"))?;
        let time = if format_date == 2 { first.secs().to_string() } else { utc(first) };
        Ok(StreamResponse::HeadTimestamp { req_id, time })
    }

    fn histogram(&mut self, req_id: i32, contract: &Contract, period: &str) -> Result<StreamResponse, Refused> {
        let instrument = self.past_contract(contract, &format!("histogram|{period}"))?;
        let span = duration(period).ok_or_else(|| invalid(format!("Time period {period} is invalid")))?;
        let Instrument::Stock(id) = instrument else { return Err(service("No histogram for this contract")) };
        let start = match span {
            Span::Time(ns) => self.now - ns,
            Span::Sessions(n) => self.sessions_back(id, self.now, n),
        };
        let m = &self.markets[id.index()];
        let mut points = BTreeMap::new();
        for bar in self.source.history(id).iter().chain(&m.bars).chain(&m.bar).filter(|b| b.start >= start) {
            *points.entry(bar.close).or_insert(0) += bar.volume.0;
        }
        let points = points.into_iter().map(|(price, shares)| (price.to_f64(), shares as f64)).collect();
        Ok(StreamResponse::Histogram { req_id, points })
    }

    /// The sessions of a range, in New York time.
    pub(super) fn schedule(&mut self, contract: &Contract, ask: &Ask) -> Result<Response, Refused> {
        let what = format!("schedule|{}|{}", ask.end, ask.duration);
        self.past_contract(contract, &what)?;
        if ask.bar_size != "1 day" {
            return Err(invalid("Schedule requests need the bar size 1 day"));
        }
        let end = match ask.end.trim() {
            "" => self.now,
            given => text::parse(given).ok_or_else(|| invalid(format!("End Date/Time: {given} is invalid")))?,
        };
        let wanted = match duration(&ask.duration) {
            Some(Span::Sessions(n)) => n.min(SESSIONS_MAX),
            Some(Span::Time(ns)) => (ns / (24 * HOUR)).max(1),
            None => return Err(invalid("Historical data query end date/time string or duration is invalid")),
        };
        let mut sessions = Vec::new();
        let mut day = Some(Date::new_york(end));
        for _ in 0..=wanted {
            let Some(date) = day.filter(|_| i64::try_from(sessions.len()).is_ok_and(|n| n < wanted)) else { break };
            if let Some(h) = regular_hours(date) {
                sessions.push(TradingSession {
                    start: local(h.open),
                    end: local(h.close),
                    ref_date: date.0.to_string(),
                });
            }
            day = previous_trading_day(date);
        }
        sessions.reverse();
        let edge = |s: Option<&TradingSession>, end: bool| {
            s.map_or(String::new(), |s| if end { s.end.clone() } else { s.start.clone() })
        };
        Ok(Response::Stream(StreamResponse::Schedule {
            req_id: ask.req_id,
            start: edge(sessions.first(), false),
            end: edge(sessions.last(), true),
            time_zone: "US/Eastern".into(),
            sessions,
        }))
    }
}

/// Those of `all` (in time order) that a range and a number ask for, seconds complete.
fn select<T>(
    all: &[(SessionTime, T)],
    (start, end): (Option<SessionTime>, Option<SessionTime>),
    number: usize,
) -> impl Iterator<Item = &(SessionTime, T)> {
    let same = |a: usize, b: usize| all[a].0.floor_to(SECOND) == all[b].0.floor_to(SECOND);
    let (from, to) = match start {
        Some(start) => {
            let from = all.partition_point(|(t, _)| *t < start);
            let mut to = (from + number).min(all.len());
            while to > from && to < all.len() && same(to, to - 1) {
                to += 1;
            }
            (from, to)
        }
        None => {
            let to = end.map_or(all.len(), |end| all.partition_point(|(t, _)| *t <= end));
            let mut from = to.saturating_sub(number);
            while from > 0 && from < to && same(from, from - 1) {
                from -= 1;
            }
            (from, to)
        }
    };
    all[from..to].iter()
}

/// `20260312-09:30:00`, New York.
fn local(t: SessionTime) -> String {
    let c = new_york(t);
    format!("{:04}{:02}{:02}-{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// `20260312-13:30:00`, UTC.
fn utc(t: SessionTime) -> String {
    let c = crate::domain::calendar::civil_from_secs(t.secs());
    format!("{:04}{:02}{:02}-{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_complete() {
        let at = |ms: i64| SessionTime(ms * 1_000_000);
        let all: Vec<(SessionTime, i64)> =
            [100, 900, 1_000, 1_500, 1_900, 2_100, 3_000].map(|ms| (at(ms), ms)).to_vec();
        let picked = |start: Option<i64>, end: Option<i64>, n| {
            select(&all, (start.map(at), end.map(at)), n).map(|(_, ms)| *ms).collect::<Vec<_>>()
        };
        assert_eq!(picked(Some(900), None, 2), [900, 1_000, 1_500, 1_900], "the second of the last tick is complete");
        assert_eq!(picked(None, Some(2_100), 2), [1_000, 1_500, 1_900, 2_100]);
        assert_eq!(picked(None, Some(50), 2), Vec::<i64>::new());
        assert_eq!(picked(Some(9_000), None, 2), Vec::<i64>::new());
        assert_eq!(picked(Some(0), None, 100), [100, 900, 1_000, 1_500, 1_900, 2_100, 3_000]);
    }
}
