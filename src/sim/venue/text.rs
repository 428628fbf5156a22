//! How a gateway writes and reads instants.

use crate::clock::SessionTime;
use crate::domain::calendar::{Civil, days_from_civil, from_new_york, new_york};

/// `20260825 14:11:30 US/Eastern`.
pub(super) fn eastern(t: SessionTime) -> String {
    let c = new_york(t);
    format!("{:04}{:02}{:02} {:02}:{:02}:{:02} US/Eastern", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// `2026-08-25 09:30:00 US/Eastern`, as warning 399 has it.
pub(super) fn eastern_dashed(t: SessionTime) -> String {
    let c = new_york(t);
    format!("{:04}-{:02}-{:02} {:02}:{:02}:{:02} US/Eastern", c.year, c.month, c.day, c.hour, c.minute, c.second)
}

/// When a good-till-cancelled order that was placed at `t` ends of itself. Documented by IB, recorded once: at the end of
/// the calendar quarter after the current one.
pub(super) fn gtc_end(t: SessionTime) -> String {
    let c = new_york(t);
    let quarter = (c.month - 1) / 3 + 2;
    let (year, month) = if quarter > 4 { (c.year + 1, (quarter - 4) * 3) } else { (c.year, quarter * 3) };
    let day = if month == 3 || month == 12 { 31 } else { 30 };
    format!("{year:04}{month:02}{day:02} 16:00:00 US/Eastern")
}

/// `hh:mm`, New York.
pub(super) fn clock_time(t: SessionTime) -> String {
    let c = new_york(t);
    format!("{:02}:{:02}", c.hour, c.minute)
}

/// Reads `yyyymmdd-hh:mm:ss` (UTC), and `yyyymmdd hh:mm:ss` with ` UTC`, ` GMT` or a New York zone, or none (New
/// York, the zone of this gateway).
pub(super) fn parse(text: &str) -> Option<SessionTime> {
    let (date, rest) = text.trim().split_at_checked(8)?;
    let utc_dash = rest.starts_with('-');
    let mut words = rest.get(1..)?.split_whitespace();
    let (clock, zone) = (words.next()?, words.next());
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u32>().ok()).flatten();
    let mut hms = clock.split(':').map(digits);
    let (hour, minute, second) = (hms.next()??, hms.next()??, hms.next()??);
    let (year, month, day) = (digits(&date[..4])?, digits(&date[4..6])?, digits(&date[6..])?);
    // Session time ends in 2262.
    if !(1_970..2_200).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let civil = Civil { year: i32::try_from(year).ok()?, month, day, hour, minute, second };
    let as_utc = || {
        let days = days_from_civil(civil.year, month, day);
        SessionTime::from_secs(days * 86_400 + i64::from(hour * 3_600 + minute * 60 + second))
    };
    match zone {
        None if utc_dash => Some(as_utc()),
        Some("UTC" | "GMT") => Some(as_utc()),
        None | Some("US/Eastern" | "America/New_York" | "EST" | "EDT") => Some(from_new_york(civil)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_till_cancelled_ends_with_the_next_quarter() {
        let end = |y, m, d| gtc_end(crate::domain::calendar::Date::of(y, m, d).at(12, 0));
        assert_eq!(end(2026, 8, 24), "20261231 16:00:00 US/Eastern", "as recorded");
        assert_eq!(end(2026, 4, 15), "20260930 16:00:00 US/Eastern");
        assert_eq!(end(2026, 11, 2), "20270331 16:00:00 US/Eastern");
    }

    #[test]
    fn instants_round_trip_in_both_zones() {
        let t = SessionTime::from_secs(1_776_261_930);
        assert_eq!(parse(&eastern(t)), Some(t));
        assert_eq!(parse("20260415-14:05:30"), Some(t));
        assert_eq!(parse("20260415 14:05:30 UTC"), Some(t));
        assert_eq!(parse("20261315-14:05:30"), None);
        assert_eq!(parse("soon"), None);
        for year in ["0001", "1969", "2200", "9999"] {
            assert_eq!(parse(&format!("{year}0615-14:05:30")), None, "{year}");
            assert_eq!(parse(&format!("{year}0615 14:05:30")), None, "{year}");
        }
        assert_eq!(parse("20260415 14:05:30 Europe/Paris"), None, "a zone it does not know is no time");
    }
}
