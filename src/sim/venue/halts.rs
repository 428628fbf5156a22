//! Halts known beforehand, from a file in the format of Nasdaq's list of trade halts.
//!
//! The columns used: `halt_time_et`, `symbol`, `reason`, `resume_trade_time_et`, found by the header's names. A reason
//! that starts with `LUD` or is `M` is a volatility halt (tick 49 = 2), `MWC…` and all others a general one (1). A row
//! without a resumption holds to the end of the day. A file of one date is played on the session's day, whichever that is;
//! of a file of several dates, only the session's day.

use std::path::Path;

use crate::clock::SessionTime;
use crate::domain::calendar::Date;

/// One halt of the session's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedHalt {
    /// Ticker.
    pub symbol: String,
    /// When trading stops.
    pub from: SessionTime,
    /// When it resumes; `None` = not on that day.
    pub to: Option<SessionTime>,
    /// Tick 49: 1 general, 2 volatility.
    pub kind: i32,
}

/// Why a list of halts is unusable.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} is no list of trade halts ({why}); give a CSV file with halt_date, halt_time_et, symbol, reason and resume_trade_time_et"
)]
pub struct HaltsError {
    path: String,
    why: String,
}

/// Reads a list of halts for the session's day.
///
/// # Errors
/// It can't be read, a column is missing, a row is broken, or it has none for that day.
pub fn read_halts(path: &Path, day: Date) -> Result<Vec<PlannedHalt>, HaltsError> {
    let fail = |why: String| HaltsError { path: path.display().to_string(), why };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    parse_halts(&text, day).map_err(fail)
}

/// Reads a list's text.
///
/// # Errors
/// What is wrong, with the line.
pub fn parse_halts(text: &str, day: Date) -> Result<Vec<PlannedHalt>, String> {
    let mut lines = text.lines().enumerate();
    let (_, header) = lines.next().ok_or("it is empty")?;
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let column = |name: &str| names.iter().position(|n| *n == name).ok_or_else(|| format!("it has no column {name}"));
    let (date, time, symbol) = (column("halt_date")?, column("halt_time_et")?, column("symbol")?);
    let (reason, resume) = (column("reason")?, column("resume_trade_time_et")?);
    let rows: Vec<(usize, Vec<String>)> =
        lines.filter(|(_, l)| !l.trim().is_empty()).map(|(i, l)| (i + 1, fields(l))).collect();
    let field = |row: &[String], at: usize| row.get(at).cloned().unwrap_or_default();
    let first = rows.first().map(|(_, r)| field(r, date));
    let one_date = rows.iter().all(|(_, r)| Some(field(r, date)) == first);
    let mut halts = Vec::new();
    for (line, row) in &rows {
        let broken = |what: &str| format!("line {line}: {what}");
        let when = mdy(&field(row, date)).ok_or_else(|| broken("its date is not MM/DD/YYYY"))?;
        if !one_date && when != day {
            continue;
        }
        let at = |text: &str| instant(day, text);
        let from = at(&field(row, time)).ok_or_else(|| broken("its time is not HH:MM:SS"))?;
        let text = field(row, resume);
        let to =
            if text.is_empty() { None } else { Some(at(&text).ok_or_else(|| broken("its resumption is no time"))?) };
        let why = field(row, reason);
        let kind = if why.starts_with("LUD") || why == "M" { 2 } else { 1 };
        halts.push(PlannedHalt { symbol: field(row, symbol), from, to, kind });
    }
    if halts.is_empty() {
        return Err(format!("it has no halt of {}", day.0));
    }
    Ok(halts)
}

/// Fields of a CSV line; a quoted one may hold commas.
fn fields(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            _ => {
                if let Some(last) = out.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    out.iter().map(|f| f.trim().to_owned()).collect()
}

fn mdy(text: &str) -> Option<Date> {
    let mut parts = text.split('/').map(|p| p.parse::<u32>().ok());
    let (m, d, y) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = (1..=12).contains(&m) && (1..=31).contains(&d) && parts.next().is_none();
    valid.then(|| Some(Date::of(i32::try_from(y).ok()?, m, d))).flatten()
}

fn instant(day: Date, text: &str) -> Option<SessionTime> {
    let mut parts = text.split(':').map(|p| p.parse::<u32>().ok());
    let (h, m, s) = (parts.next()??, parts.next()??, parts.next()??);
    (h < 24 && m < 60 && s < 60).then(|| day.at(h, m) + i64::from(s) * crate::clock::SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "halt_date,halt_time_et,symbol,name,market,reason,pause_threshold_price,resume_date,\
                          resume_quote_time_et,resume_trade_time_et";

    #[test]
    fn rows_become_halts_of_the_day() {
        let day = Date(20_260_825);
        let text = format!(
            "{HEADER}\n06/16/2023,10:19:19,AAPL,\"Apple, Inc\",NASDAQ,LUDP,,06/16/2023,10:24:19,10:24:19\n\
             06/16/2023,11:00:00,MU,Micron,NASDAQ,T1,,,,\n"
        );
        let halts = parse_halts(&text, day).unwrap();
        let at = |h, m, s| day.at(h, m) + s * crate::clock::SECOND;
        let halt = |symbol: &str, from, to, kind| PlannedHalt { symbol: symbol.into(), from, to, kind };
        assert_eq!(halts, [halt("AAPL", at(10, 19, 19), Some(at(10, 24, 19)), 2), halt("MU", at(11, 0, 0), None, 1)]);
    }

    #[test]
    fn of_several_dates_only_the_sessions_counts() {
        let rows = "08/24/2026,10:00:00,A,x,N,T1,,,,\n08/25/2026,10:00:00,B,x,N,T1,,,,";
        let text = format!("{HEADER}\n{rows}");
        let halts = parse_halts(&text, Date(20_260_825)).unwrap();
        assert_eq!(halts.iter().map(|h| h.symbol.as_str()).collect::<Vec<_>>(), ["B"]);
        assert!(parse_halts(&text, Date(20_260_826)).unwrap_err().contains("no halt"));
        assert!(parse_halts("a,b\n", Date(20_260_826)).unwrap_err().contains("halt_date"));
        assert!(parse_halts(&format!("{HEADER}\nsoon,x"), Date(20_260_826)).unwrap_err().contains("line 2"));
    }
}
