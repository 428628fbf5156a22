//! History before the first tick: one-minute bars of trades in regular hours, and the prior close that they show
//! until tick 9 tells the official one. Pure but for the request itself.

use ibapi::client::blocking::Client;
use ibapi::market_data::TradingHours;
use ibapi::market_data::historical::{BarSize, Duration, HistoricalData, WhatToShow};

use super::qualify::in_parallel;
use super::shared::Shared;
use super::translate;
use crate::broker::port::Lane;
use crate::clock::{Clock, MINUTE, SECOND, SessionTime};
use crate::domain::calendar::Date;
use crate::domain::{Price, SymbolId};
use crate::message::Bar;

/// Longest wait for a message token, session time.
const TOKEN_LIMIT: i64 = 600 * SECOND;

/// What history told of the universe.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WarmUp {
    /// Complete bars, oldest first, symbols in order within a minute.
    pub bars: Vec<Bar>,
    /// The last trade of the previous day's regular hours, where there was one.
    pub prior_closes: Vec<(SymbolId, Price)>,
    /// Symbols whose history could not be read.
    pub failed: Vec<SymbolId>,
}

/// Asks for every symbol's history on the worker's connection, `history_parallel` at a time, each request paid
/// for with a token.
pub(super) fn fetch(shared: &Shared, client: &Client, clock: &(impl Clock + Sync)) -> WarmUp {
    let config = &shared.config;
    let answers = in_parallel(config.history_parallel, shared.contracts.len(), |i| {
        if !shared.wait_for_token(Lane::Worker, clock, TOKEN_LIMIT) {
            return None;
        }
        let asked = client
            .historical_data(&shared.contracts[i], BarSize::Min)
            .what_to_show(WhatToShow::Trades)
            .trading_hours(TradingHours::Regular)
            .duration(Duration::days(config.history_days))
            .fetch();
        asked.inspect_err(|e| tracing::warn!("history of {}: {e}", shared.contracts[i].symbol.as_str())).ok()
    });
    assemble(&answers, clock.now(), config.history_bars)
}

/// The last `keep` complete bars of each symbol as of `now`, merged by time.
fn assemble(answers: &[Option<HistoricalData>], now: SessionTime, keep: usize) -> WarmUp {
    let mut all = WarmUp::default();
    let today = Date::new_york(now);
    for (i, answer) in answers.iter().enumerate() {
        let symbol = SymbolId(u16::try_from(i).unwrap_or(u16::MAX));
        let Some(data) = answer else {
            all.failed.push(symbol);
            continue;
        };
        let mut bars: Vec<Bar> = data.bars.iter().filter_map(|b| translate::bar(symbol, b)).collect();
        bars.retain(|b| b.start + MINUTE <= now);
        bars.sort_unstable_by_key(|b| b.start);
        bars.dedup_by_key(|b| b.start);
        if let Some(last) = bars.iter().rfind(|b| Date::new_york(b.start) < today) {
            all.prior_closes.push((symbol, last.close));
        }
        let skip = bars.len().saturating_sub(keep);
        all.bars.extend(bars.drain(skip..));
    }
    all.bars.sort_by_key(|b| (b.start, b.symbol));
    all
}

#[cfg(test)]
mod tests {
    use ibapi::market_data::historical::{self, BarTimestamp};
    use time::OffsetDateTime;

    use super::*;

    fn at(secs: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(secs).unwrap()
    }

    fn history(bars: &[(i64, f64)]) -> Option<HistoricalData> {
        let bar = |&(secs, close): &(i64, f64)| historical::Bar {
            date: BarTimestamp::DateTime(at(secs)),
            open: close,
            high: close,
            low: close,
            close,
            volume: 10.0,
            wap: close,
            count: 1,
        };
        Some(HistoricalData { start: at(0), end: at(0), bars: bars.iter().map(bar).collect() })
    }

    #[test]
    fn bars_come_oldest_first_without_the_one_that_is_still_open() {
        let open = Date(20260415).at(9, 30).secs();
        let yesterday = Date(20260414).at(15, 59).secs();
        let answers = [
            history(&[(open + 60, 12.0), (open, 11.0), (yesterday, 10.0), (open + 120, 13.0)]),
            None,
            history(&[(open, 21.0), (open, 99.0), (open + 60, 22.0)]),
        ];
        let w = assemble(&answers, SessionTime::from_secs(open + 150), 2);
        let told: Vec<_> = w.bars.iter().map(|b| (b.start.secs() - open, b.symbol.0, b.close.0 / 1_000_000)).collect();
        assert_eq!(told, [(0, 0, 11), (0, 2, 21), (60, 0, 12), (60, 2, 22)]);
        assert_eq!(w.prior_closes, [(SymbolId(0), Price(10_000_000))], "beyond the bars kept, and only of another day");
        assert_eq!(w.failed, [SymbolId(1)]);
        assert_eq!(
            assemble(&answers, SessionTime::from_secs(open + 60), 9).bars.len(),
            3,
            "a bar ends with its minute"
        );
    }
}
