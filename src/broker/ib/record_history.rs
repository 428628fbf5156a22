//! The client of `history`: one-minute bars of one symbol and day, one request at a time, and IB's pacing of such
//! requests as a pure rule.

use std::collections::VecDeque;

use ibapi::Error;
use ibapi::client::blocking::Client;
use ibapi::contracts::Contract;
use ibapi::market_data::TradingHours;
use ibapi::market_data::historical::{BarSize, Duration, WhatToShow};
use time::OffsetDateTime;

use super::connect::BrokerError;
use super::pacing::Pacer;
use super::qualify::{self, Listing};
use super::record::{self, RecordOptions};
use super::translate::{self, to_contract};
use crate::clock::{Clock, MINUTE, Nanos, SECOND, SessionTime};
use crate::domain::{Instrument, SymbolId};
use crate::message::Bar;

/// Requests in any ten minutes (documented by IB), and the window with room for the way there.
const REQUESTS_MAX: usize = 60;
const WINDOW: Nanos = 10 * MINUTE + 5 * SECOND;
/// No identical request within so long (documented: 15 s).
const IDENTICAL: Nanos = 16 * SECOND;
/// Fewer than six for one contract within two seconds (documented), with room for the way there.
const PER_CONTRACT_MAX: usize = 5;
const PER_CONTRACT_WINDOW: Nanos = 3 * SECOND;
/// IB's code of a history request that found nothing, or came too fast.
const HISTORY_ERROR: i32 = 162;

/// When the next history request may go: at most 60 in any ten minutes, none identical within 15 s, fewer than six for
/// one contract within 2 s. At most 50 may be open (documented): one is.
#[derive(Clone, Debug, Default)]
pub struct HistoryPacer {
    /// (when, symbol, end of the request), oldest first; no more than the window holds.
    sent: VecDeque<(SessionTime, SymbolId, SessionTime)>,
}

impl HistoryPacer {
    /// How long the request for `symbol` up to `end` must wait, 0 = it may go at once.
    pub fn wait(&mut self, now: SessionTime, symbol: SymbolId, end: SessionTime) -> Nanos {
        while self.sent.front().is_some_and(|(t, ..)| now - *t >= WINDOW) {
            self.sent.pop_front();
        }
        let until = |t: SessionTime, window: Nanos| (t + window).since(now);
        let full = self.sent.len().checked_sub(REQUESTS_MAX).and_then(|i| self.sent.get(i));
        let full = full.map_or(0, |(t, ..)| until(*t, WINDOW));
        let same = self.sent.iter().rev().find(|(_, s, e)| (*s, *e) == (symbol, end));
        let same = same.map_or(0, |(t, ..)| until(*t, IDENTICAL));
        let contract = self.sent.iter().rev().filter(|(_, s, _)| *s == symbol).nth(PER_CONTRACT_MAX - 1);
        let contract = contract.map_or(0, |(t, ..)| until(*t, PER_CONTRACT_WINDOW));
        full.max(same).max(contract)
    }

    /// Notes that the request goes now.
    pub fn sent(&mut self, now: SessionTime, symbol: SymbolId, end: SessionTime) {
        self.sent.push_back((now, symbol, end));
    }
}

/// A connection that asks for bars.
pub struct HistoryClient<C> {
    client: Client,
    clock: C,
    instruments: Vec<Instrument>,
    contracts: Vec<Contract>,
    address: String,
}

impl<C: Clock + Sync> HistoryClient<C> {
    /// Connects and qualifies the symbols; the clock is made after the handshake.
    ///
    /// # Errors
    /// One sentence with its fix: no gateway, an unknown symbol.
    pub fn connect(
        options: &RecordOptions,
        universe: &[Listing],
        make_clock: impl FnOnce() -> Result<C, BrokerError>,
    ) -> Result<Self, BrokerError> {
        let (client, _) = record::open(options)?;
        let clock = make_clock()?;
        let config = options.config();
        let pacer = Pacer::new(config.messages_per_s, config.message_burst);
        let instruments = qualify::qualify(&client, universe, &config, &pacer, &clock)?;
        let contracts = instruments.iter().map(to_contract).collect();
        Ok(Self { client, clock, instruments, contracts, address: config.address() })
    }

    /// The qualified symbols, at the index of each symbol's id.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The session's clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// Complete one-minute bars of trades of `symbol` in the regular session `[open, close)`, oldest first; empty where
    /// the broker has none.
    ///
    /// # Errors
    /// The connection is lost, or the gateway refuses the request for another reason than that there is no data.
    pub fn day(&self, symbol: SymbolId, open: SessionTime, close: SessionTime) -> Result<Vec<Bar>, BrokerError> {
        let other = |why: String| BrokerError::Other { address: self.address.clone(), why };
        let contract = self.contracts.get(symbol.index()).ok_or_else(|| other(format!("no symbol {symbol}")))?;
        let end = OffsetDateTime::from_unix_timestamp(close.secs()).map_err(|e| other(e.to_string()))?;
        let asked = self
            .client
            .historical_data(contract, BarSize::Min)
            .what_to_show(WhatToShow::Trades)
            .trading_hours(TradingHours::Regular)
            .duration(Duration::days(1))
            .ending(end)
            .fetch();
        let data = match asked {
            Ok(data) => data,
            Err(Error::Notice(n)) if n.code == HISTORY_ERROR && n.message.contains("no data") => return Ok(Vec::new()),
            Err(e) => return Err(other(format!("history of {}: {e}", contract.symbol.as_str()))),
        };
        let now = self.clock.now();
        let mut bars: Vec<Bar> = data.bars.iter().filter_map(|b| translate::bar(symbol, b)).collect();
        bars.retain(|b| b.start >= open && b.start < close && b.start + MINUTE <= now);
        bars.sort_unstable_by_key(|b| b.start);
        bars.dedup_by_key(|b| b.start);
        Ok(bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SessionTime = SessionTime(1);

    /// Sends as fast as the pacer lets `symbols` × `days` requests go; when each went, in seconds.
    fn times(symbols: u16, days: i64) -> Vec<i64> {
        let (mut pacer, mut now, mut times) = (HistoryPacer::default(), SessionTime(0), Vec::new());
        for symbol in (0..symbols).map(SymbolId) {
            for day in 0..days {
                now = now + pacer.wait(now, symbol, SessionTime(day));
                assert_eq!(pacer.wait(now, symbol, SessionTime(day)), 0, "the named wait is enough");
                pacer.sent(now, symbol, SessionTime(day));
                times.push(now.0 / SECOND);
            }
        }
        times
    }

    #[test]
    fn no_ten_minutes_hold_more_than_sixty_requests() {
        let times = times(130, 1);
        assert_eq!(times[59], 0);
        assert!(times.windows(61).all(|w| w[60] - w[0] > 600), "{times:?}");
        assert_eq!(times[120], 2 * WINDOW / SECOND);
    }

    #[test]
    fn a_contract_has_fewer_than_six_in_two_seconds() {
        let times = times(1, 20);
        assert!(times.windows(6).all(|w| w[5] - w[0] > 2), "{times:?}");
    }

    #[test]
    fn an_identical_request_waits_out_its_fifteen_seconds() {
        let mut pacer = HistoryPacer::default();
        pacer.sent(SessionTime(0), SymbolId(3), DAY);
        assert_eq!(pacer.wait(SessionTime(SECOND), SymbolId(3), DAY), 15 * SECOND);
        assert_eq!(pacer.wait(SessionTime(SECOND), SymbolId(3), SessionTime(2)), 0);
        assert_eq!(pacer.wait(SessionTime(SECOND), SymbolId(4), DAY), 0);
    }
}
