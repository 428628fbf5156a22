//! When a conversation was recorded: `20260824 22:51:45 CET`, with the zone names that gateways write.

use crate::clock::{HOUR, SessionTime};
use crate::domain::calendar::{Civil, days_from_civil, from_new_york};

/// Which clock a zone name means.
enum Zone {
    /// Hours behind (−) New York.
    NewYork(i64),
    /// Hours ahead of UTC in winter; summer by the rule of the European Union.
    Europe(i64),
    /// Hours ahead of UTC.
    Fixed(i64),
}

fn zone(name: &str) -> Option<Zone> {
    Some(match name {
        "US/Eastern" | "America/New_York" | "EST" | "EDT" | "EST5EDT" | "Eastern Standard Time" => Zone::NewYork(0),
        "US/Central" | "America/Chicago" | "CST" | "CDT" | "Central Standard Time" => Zone::NewYork(-1),
        "US/Mountain" | "America/Denver" | "MST" | "MDT" | "Mountain Standard Time" => Zone::NewYork(-2),
        "US/Pacific" | "America/Los_Angeles" | "PST" | "PDT" | "Pacific Standard Time" => Zone::NewYork(-3),
        "GB" | "Europe/London" | "BST" | "WET" | "GMT Standard Time" | "Greenwich Mean Time" => Zone::Europe(0),
        "CET" | "CEST" | "MET" | "Central European Standard Time" | "Central European Summer Time" => Zone::Europe(1),
        "Europe/Berlin" | "Europe/Paris" | "Europe/Zurich" | "Europe/Madrid" | "Europe/Rome" => Zone::Europe(1),
        "Europe/Amsterdam" | "Europe/Vienna" | "Europe/Stockholm" | "Europe/Oslo" | "Europe/Prague" => Zone::Europe(1),
        "EET" | "EEST" | "Europe/Athens" | "Europe/Helsinki" | "Europe/Kiev" | "Europe/Kyiv" => Zone::Europe(2),
        "Asia/Hong_Kong" | "Hongkong" | "Asia/Shanghai" | "PRC" | "China Standard Time" => Zone::Fixed(8),
        "Asia/Singapore" | "Singapore" | "Asia/Taipei" | "Australia/Perth" => Zone::Fixed(8),
        "Asia/Tokyo" | "Japan" | "JST" | "Japan Standard Time" => Zone::Fixed(9),
        "UTC" | "GMT" | "Etc/UTC" | "Coordinated Universal Time" | "Universal" | "Z" | "" => Zone::Fixed(0),
        _ => return None,
    })
}

/// The instant that a handshake names; `None` where its zone or form is not known.
pub(super) fn parse(text: &str) -> Option<SessionTime> {
    let mut words = text.trim().splitn(3, ' ');
    let (date, clock, name) = (words.next()?, words.next()?, words.next().unwrap_or(""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u32>().ok()).flatten();
    let (year, month, day) = (digits(date.get(..4)?)?, digits(date.get(4..6)?)?, digits(date.get(6..)?)?);
    let mut hms = clock.split(':').map(digits);
    let (hour, minute, second) = (hms.next()??, hms.next()??, hms.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let civil = Civil { year: i32::try_from(year).ok()?, month, day, hour, minute, second };
    let as_utc = SessionTime::from_secs(
        days_from_civil(civil.year, month, day) * 86_400 + i64::from(hour * 3_600 + minute * 60 + second),
    );
    Some(match zone(name.trim())? {
        Zone::NewYork(behind) => from_new_york(civil) - behind * HOUR,
        Zone::Fixed(ahead) => as_utc - ahead * HOUR,
        Zone::Europe(ahead) => {
            let winter = as_utc - ahead * HOUR;
            if is_summer(civil.year, winter) { winter - HOUR } else { winter }
        }
    })
}

/// From 01:00 UTC of the last Sunday of March to that of October.
fn is_summer(year: i32, t: SessionTime) -> bool {
    let turn = |month| {
        let last = days_from_civil(year, month, 31);
        // Day 0 of the epoch was a Thursday.
        let sunday = last - (last + 4).rem_euclid(7);
        SessionTime::from_secs(sunday * 86_400 + 3_600)
    };
    // `t` was read as winter time: in summer it is an hour late.
    t >= turn(3) && t < turn(10) + HOUR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_gateways_are_read() {
        for (text, utc) in [
            ("20260824 22:51:45 CET", "2026-08-24T20:51:45.000Z"),
            ("20260415 18:22:00 Central European Standard Time", "2026-04-15T16:22:00.000Z"),
            ("20260115 18:22:00 CET", "2026-01-15T17:22:00.000Z"),
            ("20260406 12:00:00 US/Eastern", "2026-04-06T16:00:00.000Z"),
            ("20260406 09:00:00 US/Pacific", "2026-04-06T16:00:00.000Z"),
            ("20260406 16:00:00 UTC", "2026-04-06T16:00:00.000Z"),
            ("20260407 01:00:00 Japan", "2026-04-06T16:00:00.000Z"),
        ] {
            assert_eq!(parse(text).map(|t| t.to_string()).as_deref(), Some(utc), "{text}");
        }
        assert_eq!(parse("20260406 12:00:00 Mars/Olympus"), None);
        assert_eq!(parse("soon"), None);
    }
}
