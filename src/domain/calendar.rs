//! The NYSE calendar and New York time. A day outside the table has no trading: doubt rejects.
//! Holidays and half days: NYSE's published calendars for 2013 and 2025–2027. Daylight saving: US rule since
//! 2007 (second Sunday of March, first Sunday of November, 02:00 local). Civil date arithmetic: Howard
//! Hinnant, "chrono-Compatible Low-Level Date Algorithms".

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "calendar fields and seconds since 1970 stay far inside every type used"
)]

use crate::clock::{HOUR, MINUTE, Nanos, SessionTime};

/// A calendar date and time of day, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Civil {
    pub year: i32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

/// A calendar date as `yyyymmdd`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Date(pub u32);

/// Regular trading hours of one day, in session time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegularHours {
    /// The opening bell.
    pub open: SessionTime,
    /// The closing bell (13:00 New York on half days).
    pub close: SessionTime,
}

/// Full-day closures.
const CLOSED: &[u32] = &[
    20130101, 20130121, 20130218, 20130329, 20130527, 20130704, 20130902, 20131128, 20131225, //
    20250101, 20250109, 20250120, 20250217, 20250418, 20250526, 20250619, 20250704, 20250901, 20251127, 20251225,
    20260101, 20260119, 20260216, 20260403, 20260525, 20260619, 20260703, 20260907, 20261126, 20261225, //
    20270101, 20270118, 20270215, 20270326, 20270531, 20270618, 20270705, 20270906, 20271125, 20271224,
];
/// Days that close at 13:00 New York.
const HALF: &[u32] = &[20130703, 20131129, 20131224, 20250703, 20251128, 20251224, 20261127, 20261224, 20271126];
/// Years that the table covers.
const YEARS: &[i32] = &[2013, 2025, 2026, 2027];

/// Days since 1970-01-01 of a civil date.
pub const fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    let y = if month <= 2 { year as i64 - 1 } else { year as i64 };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let mp = (month as i64 + 9) % 12;
    let doy = (153 * mp + 2) / 5 + day as i64 - 1;
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    era * 146_097 + doe - 719_468
}

/// The civil time, UTC, of seconds since the Unix epoch.
pub const fn civil_from_secs(secs: i64) -> Civil {
    let z = secs.div_euclid(86_400) + 719_468;
    let sod = secs.rem_euclid(86_400);
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
    let year = (yoe + era * 400) as i32 + if month <= 2 { 1 } else { 0 };
    Civil { year, month, day, hour: (sod / 3_600) as u32, minute: (sod / 60 % 60) as u32, second: (sod % 60) as u32 }
}

/// Day of the week of days since the epoch, Sunday = 0.
const fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// The date of the `n`th Sunday (from 1) of a month, as days since the epoch.
const fn nth_sunday(year: i32, month: u32, n: i64) -> i64 {
    let first = days_from_civil(year, month, 1);
    first + (7 - weekday(first)) % 7 + 7 * (n - 1)
}

/// New York's offset from UTC at `t`, in nanoseconds (−4 h or −5 h).
pub const fn new_york_offset(t: SessionTime) -> Nanos {
    let year = civil_from_secs(t.secs()).year;
    let dst_from = nth_sunday(year, 3, 2) * 86_400 + 7 * 3_600;
    let dst_to = nth_sunday(year, 11, 1) * 86_400 + 6 * 3_600;
    if t.secs() >= dst_from && t.secs() < dst_to { -4 * HOUR } else { -5 * HOUR }
}

/// New York's civil time at `t`.
pub const fn new_york(t: SessionTime) -> Civil {
    civil_from_secs(SessionTime(t.0.saturating_add(new_york_offset(t))).secs())
}

/// Session time of a New York civil time. In the hour that daylight saving repeats, the first one.
pub const fn from_new_york(c: Civil) -> SessionTime {
    let local = days_from_civil(c.year, c.month, c.day) * 86_400
        + c.hour as i64 * 3_600
        + c.minute as i64 * 60
        + c.second as i64;
    let guess = SessionTime::from_secs(local + 4 * 3_600);
    SessionTime(SessionTime::from_secs(local).0.saturating_sub(new_york_offset(guess)))
}

impl Date {
    /// The New York date at `t`.
    pub const fn new_york(t: SessionTime) -> Self {
        let c = new_york(t);
        Self::of(c.year, c.month, c.day)
    }

    /// A date from its parts.
    pub const fn of(year: i32, month: u32, day: u32) -> Self {
        Self(year as u32 * 10_000 + month * 100 + day)
    }

    /// Year, month, day.
    pub const fn parts(self) -> (i32, u32, u32) {
        ((self.0 / 10_000) as i32, self.0 / 100 % 100, self.0 % 100)
    }

    /// Days since the Unix epoch.
    pub const fn days(self) -> i64 {
        let (y, m, d) = self.parts();
        days_from_civil(y, m, d)
    }

    /// The following calendar day.
    pub const fn next(self) -> Self {
        let c = civil_from_secs((self.days() + 1) * 86_400);
        Self::of(c.year, c.month, c.day)
    }

    /// The preceding calendar day.
    pub const fn previous(self) -> Self {
        let c = civil_from_secs((self.days() - 1) * 86_400);
        Self::of(c.year, c.month, c.day)
    }

    /// An instant of this date in New York.
    pub const fn at(self, hour: u32, minute: u32) -> SessionTime {
        let (year, month, day) = self.parts();
        from_new_york(Civil { year, month, day, hour, minute, second: 0 })
    }
}

/// Regular hours of `date`; `None` on weekends, holidays and in years that the table does not cover.
pub fn regular_hours(date: Date) -> Option<RegularHours> {
    let day = weekday(date.days());
    if !YEARS.contains(&date.parts().0) || day == 0 || day == 6 || CLOSED.contains(&date.0) {
        return None;
    }
    let close = if HALF.contains(&date.0) { 13 } else { 16 };
    Some(RegularHours { open: date.at(9, 30), close: date.at(close, 0) })
}

/// The first trading day after `date` that the table knows, within ten days.
pub fn next_trading_day(date: Date) -> Option<Date> {
    std::iter::successors(Some(date.next()), |d| Some(d.next())).take(10).find(|d| regular_hours(*d).is_some())
}

/// The last trading day before `date` that the table knows, within ten days.
pub fn previous_trading_day(date: Date) -> Option<Date> {
    std::iter::successors(Some(date.previous()), |d| Some(d.previous())).take(10).find(|d| regular_hours(*d).is_some())
}

/// Minutes from the opening bell to `t`, negative before it.
pub const fn minutes_since(open: SessionTime, t: SessionTime) -> i64 {
    (t.0 - open.0).div_euclid(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_ring_in_utc_through_daylight_saving_and_half_days() {
        let hours = |d| regular_hours(Date(d)).map(|h| (h.open.to_string(), h.close.to_string()));
        let pair = |a: &str, b: &str| Some((a.to_string(), b.to_string()));
        assert_eq!(hours(20260415), pair("2026-04-15T13:30:00.000Z", "2026-04-15T20:00:00.000Z"));
        assert_eq!(hours(20250130), pair("2025-01-30T14:30:00.000Z", "2025-01-30T21:00:00.000Z"));
        assert_eq!(hours(20261127), pair("2026-11-27T14:30:00.000Z", "2026-11-27T18:00:00.000Z"));
        assert_eq!(hours(20131007), pair("2013-10-07T13:30:00.000Z", "2013-10-07T20:00:00.000Z"));
        assert_eq!((hours(20261126), hours(20260418), hours(20280103)), (None, None, None));
        assert_eq!(next_trading_day(Date(20261125)), Some(Date(20261127)));
    }

    #[test]
    fn new_york_round_trips() {
        for secs in (1_760_000_000..1_790_000_000).step_by(86_399) {
            let t = SessionTime::from_secs(secs);
            assert_eq!(from_new_york(new_york(t)), t);
        }
    }
}
