//! Broker times as text. Formats recorded on real gateways: `20260413 15:27:04 US/Eastern` (wall clock of a named
//! zone) and `20260610-19:58:22` (UTC).

use crate::clock::SessionTime;
use crate::domain::calendar::{Civil, civil_from_secs, days_from_civil, from_new_york};

/// Names under which New York's time goes.
const NEW_YORK: &[&str] = &["US/Eastern", "America/New_York", "EST5EDT"];
/// Names under which UTC goes.
const UTC: &[&str] = &["UTC", "GMT", "Etc/UTC", "Z"];

/// Reads a broker's time; `None` for a zone or shape that we don't know: a time is never guessed.
pub fn broker_time(text: &str) -> Option<SessionTime> {
    let text = text.trim();
    if text.as_bytes().get(8) == Some(&b'-') {
        let (clock, zone) = split(text.get(9..)?);
        return matches!(zone, "" | "Z").then(|| utc(civil(text.get(..8)?, clock)?)).flatten();
    }
    let (clock, zone) = split(text.get(8..)?.trim_start());
    let civil = civil(text.get(..8)?, clock)?;
    if NEW_YORK.contains(&zone) {
        Some(from_new_york(civil))
    } else if UTC.contains(&zone) {
        utc(civil)
    } else {
        None
    }
}

/// `yyyymmdd-hh:mm:ss`, UTC: how good-till dates are sent. A fraction of a second is dropped (an order may end
/// early, never late).
pub fn gtd_time(t: SessionTime) -> String {
    let c = civil_from_secs(t.secs());
    format!("{:04}{:02}{:02}-{:02}:{:02}:{:02}", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// Splits `hh:mm:ss rest`.
fn split(text: &str) -> (&str, &str) {
    text.split_at_checked(8).map_or((text, ""), |(clock, zone)| (clock, zone.trim()))
}

fn civil(date: &str, clock: &str) -> Option<Civil> {
    let number = |text: &str, from: usize, to: usize| -> Option<u32> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let colons = clock.len() == 8 && clock.as_bytes()[2] == b':' && clock.as_bytes()[5] == b':';
    let c = Civil {
        year: i32::try_from(number(date, 0, 4)?).ok()?,
        month: number(date, 4, 6)?,
        day: number(date, 6, 8)?,
        hour: number(clock, 0, 2)?,
        minute: number(clock, 3, 5)?,
        second: number(clock, 6, 8)?,
    };
    let real =
        (1..=12).contains(&c.month) && (1..=31).contains(&c.day) && c.hour < 24 && c.minute < 60 && c.second < 60;
    (colons && real).then_some(c)
}

fn utc(c: Civil) -> Option<SessionTime> {
    let clock = i64::from(c.hour * 3_600 + c.minute * 60 + c.second);
    Some(SessionTime::from_secs(days_from_civil(c.year, c.month, c.day) * 86_400 + clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_recorded_formats_are_read() {
        let read = |s| broker_time(s).map(|t| t.to_string());
        for (text, expected) in [
            ("20260413 15:27:04 US/Eastern", Some("2026-04-13T19:27:04.000Z")),
            ("20260113  15:27:04 America/New_York", Some("2026-01-13T20:27:04.000Z")),
            ("20260610-19:58:22", Some("2026-06-10T19:58:22.000Z")),
            ("20260610-19:58:22Z", Some("2026-06-10T19:58:22.000Z")),
            ("20260610 19:58:22 UTC", Some("2026-06-10T19:58:22.000Z")),
            ("20260413 15:27:04 Middle/Earth", None),
            ("20260413 15:27:04", None),
            ("20261301-15:27:04", None),
            ("20260413-25:27:04", None),
            ("2026-04-13 15:27", None),
            ("2026041€-15:27:04", None),
            ("", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn good_till_dates_are_utc_and_never_late() {
        let t = broker_time("20260415-14:05:30").unwrap();
        assert_eq!(gtd_time(t + 999_999_999), "20260415-14:05:30");
        assert_eq!(broker_time(&gtd_time(t)), Some(t));
    }
}
