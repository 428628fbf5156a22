//! Trading time: a minute count that runs through regular hours only, so that "30 minutes ago" at 09:45 is the last
//! quarter of the previous session. Consecutive sessions are adjacent; over a gap of more than one session the
//! count jumps, and everything that looks back finds nothing.

use crate::clock::{MINUTE, SessionTime};
use crate::domain::calendar::{Date, next_trading_day, previous_trading_day, regular_hours};

/// Minutes of a full session. A half day leaves its afternoon's minutes unused.
pub(super) const SESSION_MINUTES: i64 = 390;
/// The same, as a table length.
pub(super) const SESSION_LEN: usize = 390;
/// Sessions remembered: a warm-up touches two, a run through a week one more a day.
const SESSIONS_MAX: usize = 8;

/// Where an instant lies in trading time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Trading minute; differences are trading minutes apart.
    pub(super) minute: i64,
    /// Session number; adjacent sessions differ by 1.
    pub(super) session: i64,
    /// Minutes since the session's open, from 0.
    pub(super) of_session: i64,
    /// The session's length in minutes.
    pub(super) session_minutes: i64,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    date: Date,
    number: i64,
    open: SessionTime,
    close: SessionTime,
}

/// Locates instants. Numbers sessions in the order in which they are first asked for, by the calendar.
#[derive(Debug)]
pub(super) struct TradingClock {
    known: Vec<Session>,
}

impl TradingClock {
    pub(super) fn new() -> Self {
        Self { known: Vec::with_capacity(SESSIONS_MAX) }
    }

    /// The place of `t`, `None` outside regular hours or the calendar.
    pub(super) fn locate(&mut self, t: SessionTime) -> Option<Place> {
        let found = self.known.iter().rev().find(|s| t >= s.open && t < s.close).copied();
        let session = match found {
            Some(s) => s,
            None => self.learn(t)?,
        };
        let of_session = (t - session.open) / MINUTE;
        Some(Place {
            minute: session.number * SESSION_MINUTES + of_session,
            session: session.number,
            of_session,
            session_minutes: (session.close - session.open) / MINUTE,
        })
    }

    /// Numbers the session that holds `t`: next to a known neighbour, else far from all.
    fn learn(&mut self, t: SessionTime) -> Option<Session> {
        let date = Date::new_york(t);
        let hours = regular_hours(date)?;
        if t < hours.open || t >= hours.close {
            return None;
        }
        let number_of = |d: Option<Date>| self.known.iter().find(|s| Some(s.date) == d).map(|s| s.number);
        let number = number_of(previous_trading_day(date))
            .map(|n| n + 1)
            .or_else(|| number_of(next_trading_day(date)).map(|n| n - 1))
            .unwrap_or_else(|| self.known.iter().map(|s| s.number).max().unwrap_or(0) + 1_000);
        if self.known.len() == SESSIONS_MAX {
            let oldest = self.known.iter().enumerate().min_by_key(|(_, s)| s.date).map(|(i, _)| i)?;
            self.known.remove(oldest);
        }
        let session = Session { date, number, open: hours.open, close: hours.close };
        self.known.push(session);
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_adjacent_in_either_order_and_far_over_a_gap() {
        let mut clock = TradingClock::new();
        let friday = clock.locate(Date(20260410).at(15, 59)).unwrap();
        let monday = clock.locate(Date(20260413).at(9, 30)).unwrap();
        assert_eq!(monday.minute - friday.minute, 1);
        let thursday = clock.locate(Date(20260409).at(15, 59)).unwrap();
        assert_eq!(friday.minute - thursday.minute, SESSION_MINUTES);
        let wednesday_after = clock.locate(Date(20260415).at(9, 30)).unwrap();
        assert!(wednesday_after.session - monday.session > 1);
        assert_eq!(clock.locate(Date(20260413).at(16, 0)), None);
        assert_eq!(clock.locate(Date(20260412).at(12, 0)), None);
    }
}
