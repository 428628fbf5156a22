//! The client of `record` and `history`: one connection that asks for market data or bars and sends no order. Owns the
//! connection, its lines and their coming back; what it hears goes to the caller as [`Heard`], in order of time.

use std::time::Duration;

use ibapi::client::blocking::{Client, NoticeStream, Subscription};
use ibapi::contracts::Contract;
use ibapi::market_data::realtime::{BidAsk, TickTypes, Trade};
use ibapi::market_data::{IgnoreSize, MarketDataType};
use ibapi::subscriptions::SubscriptionItem;
use ibapi::{Error, Notice};

use super::config::Config;
use super::connect::{BrokerError, Who};
use super::errors::{self, Reaction};
use super::pacing::Pacer;
use super::qualify::{self, Listing};
use super::record_merge::{Merge, Row, Top};
use super::shared::pause;
use super::translate::{self, to_contract};
use crate::broker::port::Lane;
use crate::clock::{Clock, SessionTime};
use crate::domain::{Instrument, Price, Qty, SymbolId};
use crate::message::StatusKind;

/// Values taken from one line in one sweep.
const MAX_PER_LINE: usize = 4_096;
/// First and longest pause between tries to connect again, wall ns.
const RETRY_MIN_NS: u64 = 500_000_000;
const RETRY_MAX_NS: u64 = 30_000_000_000;
/// Pause between tries for a message token, wall time.
const TOKEN_POLL: Duration = Duration::from_millis(1);
/// The farms whose loss ends the data: those of US stocks.
const FARMS: &str = "usfarm";

/// How to reach the gateway and what to ask of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordOptions {
    /// Host of TWS or IB Gateway.
    pub host: String,
    /// Its API port.
    pub port: u16,
    /// Client id of this connection.
    pub client_id: i32,
    /// Ask for delayed data where real-time data is not subscribed.
    pub delayed: bool,
    /// Record raw quotes and prints (tick-by-tick, few lines) rather than 250 ms samples.
    pub tick_by_tick: bool,
    /// Shares in one unit of day volume.
    pub volume_unit_shares: u32,
}

/// What the recorder heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The whole best bid and offer.
    Quote {
        /// Which symbol.
        symbol: SymbolId,
        /// When its first message came.
        at: SessionTime,
        /// What it is now.
        top: Top,
    },
    /// A print, or of samples all that was traded since the one before.
    Trade {
        /// Which symbol.
        symbol: SymbolId,
        /// When its first message came.
        at: SessionTime,
        /// Price of the last print.
        price: Price,
        /// Shares.
        size: Qty,
        /// Where, if told (tick-by-tick only).
        exchange: String,
        /// Its conditions, if told (tick-by-tick only).
        conditions: String,
    },
    /// A fact about a symbol that is no quote.
    Fact(SymbolId, StatusKind),
    /// A symbol gets no data, and why.
    Refused(SymbolId, String),
    /// The data ended; every quote counts as empty from then on.
    GapBegan(SessionTime, String),
    /// The data is back.
    GapEnded(SessionTime),
}

/// The lines of one symbol.
#[derive(Default)]
struct Lines {
    sampled: Option<Subscription<TickTypes>>,
    quotes: Option<Subscription<BidAsk>>,
    trades: Option<Subscription<Trade>>,
    /// Of before a gap: what it tells is part of a quote that is not known, until it is opened anew.
    stale: bool,
}

/// A connection that only listens.
pub struct Recorder<C> {
    options: RecordOptions,
    make_clock: Box<dyn Fn() -> Result<C, BrokerError>>,
    clock: C,
    instruments: Vec<Instrument>,
    contracts: Vec<Contract>,
    pacer: Pacer,
    connection: Option<(Client, NoticeStream)>,
    lines: Vec<Lines>,
    merge: Merge,
    /// Lines opened since the last [`Recorder::subscribe`], in the symbols' order.
    opened: usize,
    in_gap: bool,
    retry_at_ns: u64,
    retry_pause_ns: u64,
}

impl RecordOptions {
    pub(super) fn config(&self) -> Config {
        Config { host: self.host.clone(), port: self.port, client_id: self.client_id, ..Config::default() }
    }
}

/// Opens the connection.
pub(super) fn open(options: &RecordOptions) -> Result<(Client, NoticeStream), BrokerError> {
    let config = options.config();
    let address = config.address();
    let who = Who { address: &address, client_id: options.client_id, key: "--client-id" };
    Client::builder()
        .address(address.as_str())
        .client_id(options.client_id)
        .tcp_no_delay(true)
        .max_reconnect_attempts(0)
        .one_shot_timeout(config.query_timeout())
        .connect_with_notice_stream()
        .map_err(|e| BrokerError::of(e, who))
}

impl<C: Clock + Sync> Recorder<C> {
    /// Connects and qualifies the symbols; no data flows before [`Recorder::subscribe`]. The clock is made after the
    /// handshake (a simulated gateway writes its clock file then), and again after each reconnect.
    ///
    /// # Errors
    /// One sentence with its fix: no gateway, an unknown symbol.
    pub fn connect(
        options: RecordOptions,
        universe: &[Listing],
        make_clock: impl Fn() -> Result<C, BrokerError> + 'static,
    ) -> Result<Self, BrokerError> {
        let connection = open(&options)?;
        let clock = make_clock()?;
        let config = options.config();
        let pacer = Pacer::new(config.messages_per_s, config.message_burst);
        let instruments = qualify::qualify(&connection.0, universe, &config, &pacer, &clock)?;
        let symbols = u16::try_from(instruments.len()).unwrap_or(u16::MAX);
        Ok(Self {
            merge: Merge::new(symbols, options.volume_unit_shares),
            options,
            make_clock: Box::new(make_clock),
            clock,
            contracts: instruments.iter().map(to_contract).collect(),
            lines: instruments.iter().map(|_| Lines::default()).collect(),
            instruments,
            pacer,
            connection: Some(connection),
            opened: usize::MAX,
            in_gap: false,
            retry_at_ns: 0,
            retry_pause_ns: RETRY_MIN_NS,
        })
    }

    /// The qualified symbols, at the index of each symbol's id.
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The session's clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// `host:port, server version N`.
    pub fn source(&self) -> String {
        let version = self.connection.as_ref().map_or(0, |(c, _)| c.server_version());
        format!("{}:{}, server version {version}", self.options.host, self.options.port)
    }

    /// Asks for a line for every symbol: [`Recorder::sweep`] opens them as the message budget allows.
    pub fn subscribe(&mut self) {
        if self.options.delayed
            && let Some((client, _)) = &self.connection
        {
            self.token();
            let asked = client.switch_market_data_type(MarketDataType::Delayed);
            let _ = asked.inspect_err(|e| tracing::warn!("asking for delayed data: {e}"));
        }
        self.opened = 0;
    }

    /// Opens the next lines while there is room in the message budget; how many.
    fn open_more(&mut self, heard: &mut impl FnMut(Heard)) -> usize {
        let first = self.opened;
        while self.opened < self.contracts.len() && self.pacer.try_take(Lane::Worker, self.clock.now()).is_ok() {
            let (i, mut lines) = (self.opened, Lines::default());
            self.opened += 1;
            // A line of before a gap is cancelled, which is a message too.
            if self.lines[i].sampled.take().is_some() {
                self.token();
            }
            let Some((client, _)) = &self.connection else { break };
            if let Err(e) = self.open_lines(client, i, &mut lines)
                && client.is_connected()
            {
                heard(Heard::Refused(symbol_at(i), e.to_string()));
            }
            self.lines[i] = lines;
        }
        self.opened - first
    }

    fn open_lines(&self, client: &Client, i: usize, lines: &mut Lines) -> Result<(), Error> {
        let contract = &self.contracts[i];
        // 236: shortable shares. Beside raw ticks the sampled line tells prior close and type of data.
        lines.sampled = Some(client.market_data(contract).generic_ticks(&["236"]).subscribe()?);
        if self.options.tick_by_tick {
            self.token();
            lines.quotes = Some(client.tick_by_tick(contract, 0).bid_ask(IgnoreSize::No)?);
            self.token();
            lines.trades = Some(client.tick_by_tick(contract, 0).all_last()?);
        }
        Ok(())
    }

    /// Waits for room in the message budget.
    fn token(&self) {
        while self.pacer.try_take(Lane::Worker, self.clock.now()).is_err() {
            pause(TOKEN_POLL);
        }
    }

    /// One look at everything; how much was heard. Connects again when it is time to.
    pub fn sweep(&mut self, heard: &mut impl FnMut(Heard)) -> usize {
        if self.connection.is_none() {
            return usize::from(self.reconnect(heard));
        }
        let mut found = self.notices(heard) + self.open_more(heard);
        for i in 0..self.lines.len() {
            found += self.read_sampled(i, heard);
            if self.options.tick_by_tick {
                found += self.read_raw(i, heard);
            }
        }
        let raw = self.options.tick_by_tick;
        self.merge.sweep(self.clock.now(), &mut |symbol, at, row| pass(raw, symbol, at, row, heard));
        if self.connection.as_ref().is_some_and(|(client, _)| !client.is_connected()) {
            self.lose("the connection to the gateway was lost".into(), heard);
            self.connection = None;
            // Their cancels go nowhere: the session has ended.
            self.lines.iter_mut().for_each(|l| *l = Lines::default());
            self.retry_at_ns = self.clock.mono_ns() + self.retry_pause_ns;
        }
        found
    }

    fn reconnect(&mut self, heard: &mut impl FnMut(Heard)) -> bool {
        if self.clock.mono_ns() < self.retry_at_ns {
            return false;
        }
        match open(&self.options) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.retry_pause_ns = RETRY_MIN_NS;
                match (self.make_clock)() {
                    Ok(clock) => self.clock = clock,
                    Err(e) => tracing::warn!("{e}; the clock of before goes on"),
                }
                self.come_back(heard);
                true
            }
            Err(e) => {
                tracing::warn!("{e}");
                self.retry_pause_ns = (self.retry_pause_ns * 2).min(RETRY_MAX_NS);
                self.retry_at_ns = self.clock.mono_ns() + self.retry_pause_ns;
                false
            }
        }
    }

    /// The data is gone: quotes are empty until lines are opened again.
    fn lose(&mut self, why: String, heard: &mut impl FnMut(Heard)) {
        let (at, raw) = (self.clock.now(), self.options.tick_by_tick);
        self.merge.gap(at, &mut |symbol, at, row| pass(raw, symbol, at, row, heard));
        // Not closed here: a hundred cancels at once would be too many messages.
        self.lines.iter_mut().for_each(|l| l.stale = true);
        if !std::mem::replace(&mut self.in_gap, true) {
            heard(Heard::GapBegan(at, why));
        }
    }

    /// Opens all lines anew and ends the gap.
    fn come_back(&mut self, heard: &mut impl FnMut(Heard)) {
        self.subscribe();
        if std::mem::take(&mut self.in_gap) {
            heard(Heard::GapEnded(self.clock.now()));
        }
    }

    fn notices(&mut self, heard: &mut impl FnMut(Heard)) -> usize {
        let mut found = 0;
        while let Some(notice) = self.connection.as_ref().and_then(|(_, notices)| notices.try_next()) {
            found += 1;
            tracing::info!("{notice}");
            let ours = errors::farm(&notice.message).starts_with(FARMS);
            match errors::of(notice.code).1 {
                Reaction::LinkLost | Reaction::Competing => self.lose(told(&notice), heard),
                Reaction::DataSuspect if ours => self.lose(told(&notice), heard),
                Reaction::ResubscribeAll => {
                    self.lose(told(&notice), heard);
                    self.come_back(heard);
                }
                Reaction::Reconcile if self.in_gap => self.come_back(heard),
                Reaction::DataVerify if ours && self.in_gap => self.come_back(heard),
                _ => {}
            }
        }
        found
    }

    fn read_sampled(&mut self, i: usize, heard: &mut impl FnMut(Heard)) -> usize {
        let symbol = symbol_at(i);
        for found in 0..MAX_PER_LINE {
            let Some(line) = &self.lines[i].sampled else { return found };
            match line.try_next() {
                None => return found,
                Some(Ok(SubscriptionItem::Data(_))) if self.lines[i].stale => {}
                Some(Ok(SubscriptionItem::Data(value))) => {
                    let (at, raw) = (self.clock.now(), self.options.tick_by_tick);
                    let row = &mut |symbol, at, row| pass(raw, symbol, at, row, heard);
                    if let Some(kind) = self.merge.apply(symbol, at, &value, row) {
                        heard(Heard::Fact(symbol, kind));
                    }
                }
                // Some refusals come as a notice: the line stays open and silent.
                Some(Ok(SubscriptionItem::Notice(n))) if errors::of(n.code).1 == Reaction::NoLine => {
                    heard(Heard::Refused(symbol, told(&n)));
                }
                Some(Ok(SubscriptionItem::Notice(notice))) => tracing::info!("symbol {symbol}: {notice}"),
                Some(Err(e)) => {
                    self.lines[i].sampled = None;
                    self.line_ended(symbol, &e, heard);
                    return found + 1;
                }
            }
        }
        MAX_PER_LINE
    }

    fn read_raw(&mut self, i: usize, heard: &mut impl FnMut(Heard)) -> usize {
        let symbol = symbol_at(i);
        let mut found = 0;
        while found < MAX_PER_LINE && !self.lines[i].stale {
            let at = self.clock.now();
            let quote = self.lines[i].quotes.as_ref().and_then(Subscription::try_next);
            let trade = self.lines[i].trades.as_ref().and_then(Subscription::try_next);
            if quote.is_none() && trade.is_none() {
                break;
            }
            found += 1;
            match quote {
                Some(Ok(SubscriptionItem::Data(q))) => heard(Heard::Quote { symbol, at, top: top(&q) }),
                Some(Err(e)) => {
                    self.lines[i].quotes = None;
                    self.line_ended(symbol, &e, heard);
                }
                Some(Ok(SubscriptionItem::Notice(_))) | None => {}
            }
            match trade {
                Some(Ok(SubscriptionItem::Data(t))) => heard(print(symbol, at, &t)),
                Some(Err(e)) => {
                    self.lines[i].trades = None;
                    self.line_ended(symbol, &e, heard);
                }
                Some(Ok(SubscriptionItem::Notice(_))) | None => {}
            }
        }
        found
    }

    /// A line ended. With its connection it comes back; by an error of its own it does not.
    fn line_ended(&self, symbol: SymbolId, error: &Error, heard: &mut impl FnMut(Heard)) {
        let stale = self.lines.get(symbol.index()).is_some_and(|l| l.stale);
        if !stale && self.connection.as_ref().is_some_and(|(client, _)| client.is_connected()) {
            heard(Heard::Refused(symbol, error.to_string()));
        }
    }

    /// The orderly end: what waits is told, lines are closed, the connection ends.
    pub fn close(mut self, heard: &mut impl FnMut(Heard)) {
        let raw = self.options.tick_by_tick;
        self.merge.finish(&mut |symbol, at, row| pass(raw, symbol, at, row, heard));
        for lines in std::mem::take(&mut self.lines) {
            // Closing a line writes a message.
            if self.connection.as_ref().is_some_and(|(client, _)| client.is_connected()) {
                self.token();
            }
            drop(lines);
        }
        if let Some((client, _)) = self.connection.take() {
            client.disconnect();
        }
    }
}

fn symbol_at(i: usize) -> SymbolId {
    SymbolId(u16::try_from(i).unwrap_or(u16::MAX))
}

fn told(notice: &Notice) -> String {
    format!("{}: {}", notice.code, notice.message)
}

/// Hands a row of samples on. Beside raw ticks it would be the same thing twice, but for the empty quote of a gap.
fn pass(raw: bool, symbol: SymbolId, at: SessionTime, row: Row, heard: &mut impl FnMut(Heard)) {
    match row {
        Row::Quote(top) if !raw || top == Top::default() => heard(Heard::Quote { symbol, at, top }),
        Row::Trade { price, size } if !raw => {
            let (exchange, conditions) = (String::new(), String::new());
            heard(Heard::Trade { symbol, at, price, size, exchange, conditions });
        }
        Row::Quote(_) | Row::Trade { .. } => {}
    }
}

fn shares(x: f64) -> Qty {
    translate::shares(x).unwrap_or(Qty::ZERO)
}

fn top(q: &BidAsk) -> Top {
    let side = |price: f64, size: f64| {
        let price = Price::from_f64(price);
        (price, if price.is_some() { shares(size) } else { Qty::ZERO })
    };
    let ((bid, bid_size), (ask, ask_size)) = (side(q.bid_price, q.bid_size), side(q.ask_price, q.ask_size));
    Top { bid, bid_size, ask, ask_size }
}

fn print(symbol: SymbolId, at: SessionTime, t: &Trade) -> Heard {
    Heard::Trade {
        symbol,
        at,
        price: Price::from_f64(t.price),
        size: shares(t.size),
        exchange: t.exchange.clone(),
        conditions: t.special_conditions.clone(),
    }
}
