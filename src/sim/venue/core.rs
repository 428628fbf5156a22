//! The core's state, its time loop and the dispatch of requests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::VenueConfig;
use super::account::Account;
use super::agenda::{Agenda, Task};
use super::bands::{BREAKER_PERIOD, Bands};
use super::book::{Book, Match};
use super::contracts::Instrument;
use super::data::Watch;
use super::delayed::Delay;
use super::delays::Way;
use super::efficiency::Efficiency;
use super::entitlement::Entitlement;
use super::history::Asked;
use super::orders::Orders;
use super::reports::{Fill, error};
use super::sessions::Sessions;
use super::tape::Tape;
use crate::clock::{MINUTE, SECOND, SessionTime};
use crate::domain::calendar::Date;
use crate::domain::{Price, Qty, SymbolId};
use crate::sim::api::{ConnId, Outgoing, Request, Response};
use crate::sim::market::feed::seed_day;
use crate::sim::market::rng::Draw;
use crate::sim::market::{Bar, MarketSource, RawBody, RawEvent, Reference, SampledUpdate, Sampler};

/// Published bids kept per symbol for the referee.
const BIDS_KEPT: usize = 16;
/// Session time between unasked account rows (documented by IB: three minutes).
pub(super) const ACCOUNT_PERIOD: i64 = 3 * MINUTE;
/// Session time between looks at the account's margin (assumed).
const MARGIN_PERIOD: i64 = 5 * SECOND;
/// Session time between P&L rows.
pub(super) const PNL_PERIOD: i64 = SECOND;

/// One symbol's market as the venue sees it.
#[derive(Debug)]
pub(super) struct Market {
    pub(super) book: Book,
    pub(super) last: Price,
    /// Today's regular prints.
    pub(super) day_open: Price,
    pub(super) day_high: Price,
    pub(super) day_low: Price,
    /// High and low as last published.
    pub(super) sent_high: Price,
    pub(super) sent_low: Price,
    /// Minutes completed since the window opened, and the open one.
    pub(super) bars: Vec<Bar>,
    pub(super) bar: Option<Bar>,
    /// Orders that the market's moves may set to work or re-price: stops, trails, pegs, the opening print's.
    pub(super) watched: Vec<i64>,
    /// Tick 49: 0 trading, 1 general halt, 2 volatility halt.
    pub(super) halted: i32,
    /// Shares printed today.
    pub(super) volume: i64,
    pub(super) bands: Bands,
    /// Bids as published, oldest first.
    pub(super) bids: VecDeque<(SessionTime, Price)>,
    pub(super) tape: Tape,
}

/// The venue without its referee.
pub(super) struct Core {
    pub(super) config: VenueConfig,
    pub(super) source: Box<dyn MarketSource>,
    pub(super) sampler: Sampler,
    pub(super) now: SessionTime,
    pub(super) markets: Vec<Market>,
    pub(super) agenda: Agenda,
    pub(super) sessions: Sessions,
    pub(super) orders: Orders,
    pub(super) account: Account,
    pub(super) fills: Vec<Fill>,
    /// Executions of this account by this and earlier processes: their running number.
    pub(super) executions_ever: usize,
    pub(super) draw: Draw,
    /// Positions changed since rows were last pushed.
    pub(super) changed: BTreeSet<SymbolId>,
    pub(super) pnl_beats: bool,
    /// Symbols whose short-sale restriction was triggered on the previous trading day.
    pub(super) carried: BTreeSet<SymbolId>,
    /// What a scenario has in store for orders on their way, by (client, order id).
    pub(super) forced: BTreeMap<(i32, i32), super::commands::Forced>,
    /// The margin warning stands.
    pub(super) margin_told: bool,
    pub(super) seed: u64,
    /// History requests of the last minutes, for IB's pacing rules.
    pub(super) history: Asked,
    /// Data of networks without real time.
    pub(super) delay: Delay,
    /// Whether bars and looks at pairs and indices are due.
    pub(super) bars_beat: bool,
    pub(super) quoted_beat: bool,
    /// Orders that have conditions.
    pub(super) conditional: Vec<i64>,
    /// Market-data lines that asked for shortability: (connection, request id).
    pub(super) borrow_lines: Vec<(ConnId, i32)>,
    /// How many market-wide breakers have gone off today.
    pub(super) breaker_level: usize,
    pub(super) efficiency: Efficiency,
    /// Reports whose client was gone: only the referee hears them.
    pub(super) unheard: Vec<Response>,
    messages: VecDeque<SessionTime>,
    pacing_told: bool,
    matches: Vec<Match>,
}

impl Core {
    pub(super) fn new(config: VenueConfig, source: Box<dyn MarketSource>, seed: u64) -> Self {
        let mut sampler = Sampler::with_period(source.references().len(), seed, config.sampling);
        seed_day(&source, &mut sampler);
        let (hours, now) = (source.hours(), source.start());
        let markets = source.references().iter().map(|r| Market::before(&source, r, hours.open)).collect();
        let mut agenda = Agenda::default();
        if now < hours.open {
            agenda.add(hours.open, Task::Open);
        }
        agenda.add(hours.close, Task::Close);
        agenda.add(now + ACCOUNT_PERIOD, Task::AccountCadence);
        agenda.add(now + MARGIN_PERIOD, Task::MarginCheck);
        let late = |r: &Reference| config.entitlements.of(&r.primary_exchange) == Entitlement::Delayed;
        let delay = if config.entitlements.any_delayed() { Delay::new(&*source, late) } else { Delay::default() };
        if config.rules.breakers.is_some() {
            agenda.add(now + BREAKER_PERIOD, Task::Breakers);
        }
        super::house::plan_halts(&config.rules.halts, source.references(), &mut agenda);
        let carried = |r: &&Reference| config.restricted.contains(&r.symbol);
        let carried = source.references().iter().filter(carried).map(|r| r.id).collect();
        let mut account = Account::new(config.cash).on(Date::new_york(hours.open).0);
        for h in &config.holdings {
            if let Some(r) = source.references().iter().find(|r| r.symbol == h.symbol) {
                account.bring(r.id, h.shares, h.average_cost);
            }
        }
        Self {
            carried,
            margin_told: false,
            forced: BTreeMap::new(),
            account,
            config,
            source,
            sampler,
            now,
            markets,
            agenda,
            sessions: Sessions::default(),
            orders: Orders::default(),
            fills: Vec::new(),
            executions_ever: 0,
            draw: Draw::keyed(seed, "venue", 0, 0),
            changed: BTreeSet::new(),
            conditional: Vec::new(),
            borrow_lines: Vec::new(),
            breaker_level: 0,
            efficiency: Efficiency::default(),
            unheard: Vec::new(),
            pnl_beats: false,
            seed,
            history: Asked::default(),
            delay,
            bars_beat: false,
            quoted_beat: false,
            messages: VecDeque::new(),
            pacing_told: false,
            matches: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> SessionTime {
        self.now
    }

    pub(super) fn references(&self) -> &[Reference] {
        self.source.references()
    }

    pub(super) fn reference(&self, symbol: SymbolId) -> &Reference {
        &self.source.references()[symbol.index()]
    }

    pub(super) fn next_due(&mut self) -> Option<SessionTime> {
        let times = [self.source.next_time(), self.sampler.next_due(), self.agenda.next_due(), self.delay.next_due()];
        times.into_iter().flatten().min()
    }

    /// Lets everything due by `now` happen, in time order; at one instant raw events first, then samples, then tasks.
    pub(super) fn advance(&mut self, now: SessionTime, out: &mut Vec<Outgoing>) {
        loop {
            let sample = self.sampler.next_due().unwrap_or(SessionTime(i64::MAX));
            let task = self.agenda.next_due().unwrap_or(SessionTime(i64::MAX));
            let delayed = self.delay.next_due().unwrap_or(SessionTime(i64::MAX));
            let limit = now.min(sample).min(task).min(delayed);
            if let Some(event) = self.source.next_until(limit) {
                self.now = self.now.max(event.time);
                self.raw(&event, out);
            } else if delayed <= now && delayed <= sample && delayed <= task {
                self.now = self.now.max(delayed);
                self.show_delayed(out);
            } else if sample <= now && sample <= task {
                self.now = self.now.max(sample);
                if let Some(update) = self.sampler.due(sample) {
                    self.published(&update, out);
                }
            } else if task <= now {
                self.now = self.now.max(task);
                if let Some(t) = self.agenda.pop(task) {
                    self.run(t, out);
                }
            } else {
                self.now = self.now.max(now);
                return;
            }
        }
    }

    /// Delivers every message that is under way, at once: the end of a session.
    pub(super) fn deliver_all(&mut self, out: &mut Vec<Outgoing>) {
        while let Some(task) = self.agenda.pop_message() {
            self.run(task, out);
        }
    }

    /// A raw market event: the book matches; sampler, tape and bars take note; streams tell it.
    fn raw(&mut self, event: &RawEvent, out: &mut Vec<Outgoing>) {
        self.sampler.push(event);
        self.bands_before(event);
        let market = &mut self.markets[event.symbol.index()];
        let mut matches = std::mem::take(&mut self.matches);
        if let RawBody::Quote(q) = event.body {
            market.tape.quote(event.time, q);
        }
        let silent = market.halted != 0 && matches!(event.body, RawBody::Trade { .. });
        match event.body {
            RawBody::Quote(q) if market.halted != 0 => market.book.set_quote(q),
            RawBody::Quote(q) => market.book.on_quote(q, &mut matches),
            RawBody::Trade { .. } if market.halted != 0 => {}
            RawBody::Trade { price, size } => {
                market.print(event.time, price, size);
                market.tape.print(event.time, price, size);
                market.book.on_trade(price, size.0, &mut matches);
            }
        }
        for m in matches.drain(..) {
            self.filled(&m);
        }
        self.matches = matches;
        self.bands_after(event);
        self.watch_market(event);
        if !silent {
            let exchange = &self.source.references()[event.symbol.index()].primary_exchange;
            let stock = Instrument::Stock(event.symbol);
            self.sessions.streams.event(stock, event.time, &event.body, exchange, out);
        }
        self.look_at_conditions();
    }

    fn published(&mut self, update: &SampledUpdate, out: &mut Vec<Outgoing>) {
        let market = &mut self.markets[update.symbol.index()];
        if let Some(bid) = update.bid {
            if market.bids.len() == BIDS_KEPT {
                market.bids.pop_front();
            }
            market.bids.push_back((update.time, bid));
        }
        if self.config.entitlements.any_delayed() && self.entitlement(update.symbol) == Entitlement::Delayed {
            self.delay.push(*update);
        }
        self.publish(update, out);
    }

    fn run(&mut self, task: Task, out: &mut Vec<Outgoing>) {
        match task {
            Task::Arrive { perm } => self.arrive(perm),
            Task::Modify { perm, order } => self.modify_arrives(perm, &order),
            Task::Cancel { perm, by } => self.cancel_arrives(perm, by),
            Task::Expire { perm } => self.expire(perm),
            Task::Deferred { perm } => self.deferred(perm),
            Task::Release { perm } => self.release(perm),
            Task::Located { perm } => self.located(perm),
            Task::Locate { perm } => self.locate(perm),
            Task::Slice { perm } => self.slice(perm),
            Task::LimitState { symbol, since } => self.pause(symbol, since, out),
            Task::Reopen { symbol } => self.reopen(symbol),
            Task::ReopenAnyway { symbol, since } => self.reopen_anyway(symbol, since, out),
            Task::Breakers => self.look_at_index(out),
            Task::Shortability { symbol } => self.tell_shortability(symbol, out),
            Task::OcaReduce { perm, qty } => self.oca_reduce(perm, qty),
            Task::Report { perm, client, messages } => {
                if let Some(r) = self.orders.get_mut(perm) {
                    r.undelivered = r.undelivered.saturating_sub(1);
                }
                match self.sessions.of_client(client) {
                    Some(conn) => out.extend(messages.into_iter().map(|response| Outgoing { conn, response })),
                    None => self.unheard.extend(messages),
                }
            }
            Task::Answer { conn, messages } => {
                if self.sessions.get(conn).is_some() {
                    out.extend(messages.into_iter().map(|response| Outgoing { conn, response }));
                }
            }
            Task::Open => self.opening_bell(),
            Task::Close => self.closing_bell(),
            Task::AccountCadence => {
                self.agenda.add(self.now + ACCOUNT_PERIOD, Task::AccountCadence);
                self.push_account(out);
            }
            Task::MarginCheck => {
                self.agenda.add(self.now + MARGIN_PERIOD, Task::MarginCheck);
                self.check_margin(out);
            }
            Task::Halt { symbol, kind } => {
                let resumed = kind == 0 && self.markets[symbol.index()].halted != 0;
                self.halt(symbol, kind, out);
                if resumed {
                    self.reset_depth(symbol, out);
                }
            }
            Task::BarBeat => self.bar_beat(out),
            Task::QuotedBeat => self.look_at_quoted(out),
            Task::AccountChanged if self.changed.is_empty() => {}
            Task::AccountChanged => self.push_account(out),
            Task::PnlBeat => self.pnl_beat(out),
        }
    }

    /// Takes a request.
    pub(super) fn handle(&mut self, conn: ConnId, request: Request, out: &mut Vec<Outgoing>) {
        match request {
            Request::StartApi { client_id } => return self.start(conn, client_id, out),
            Request::Disconnected => return self.sessions.end(conn),
            _ => {}
        }
        if self.sessions.get(conn).is_none() {
            return answer(conn, error(self.now, -1, 504, "Not connected"), out);
        }
        self.count_message(conn, out);
        self.dispatch(conn, request, out);
    }

    fn dispatch(&mut self, conn: ConnId, request: Request, out: &mut Vec<Outgoing>) {
        match request {
            Request::ReqIds => self.ids(conn, out),
            Request::ReqCurrentTime => self.current_time(conn, out),
            Request::ReqManagedAccounts => {
                answer(conn, Response::ManagedAccounts { accounts: self.config.account.clone() }, out);
            }
            Request::ReqContractDetails { req_id, contract } => self.contract_details(conn, req_id, &contract, out),
            Request::ReqMarketRule { market_rule_id } => self.market_rule(conn, market_rule_id, out),
            Request::ReqMarketDataType { market_data_type } => self.market_data_type(conn, market_data_type, out),
            Request::ReqMktData { req_id, contract, generic_ticks, snapshot, regulatory } => {
                let snapshot = snapshot || regulatory;
                self.watch(conn, &Watch { req_id, contract: &contract, generics: &generic_ticks, snapshot }, out);
            }
            Request::CancelMktData { req_id } => self.unwatch(conn, req_id, out),
            history @ Request::ReqHistoricalData { .. } => self.historical(conn, history),
            Request::CancelHistoricalData { req_id } => self.cancel_historical(conn, req_id),
            Request::Stream(request) => self.stream_request(conn, request, out),
            Request::Lookup(request) => self.lookup_request(conn, request, out),
            Request::PlaceOrder { contract, order } => self.place(conn, &contract, order, out),
            Request::CancelOrder { order_id } => self.cancel(conn, order_id, out),
            Request::ReqGlobalCancel => self.global_cancel(),
            Request::ReqOpenOrders => self.open_orders(conn, false, out),
            Request::ReqAllOpenOrders => self.open_orders(conn, true, out),
            Request::ReqAutoOpenOrders { bind } => self.auto_open_orders(conn, bind, out),
            Request::ReqCompletedOrders { api_only: _ } => self.completed_orders(conn, out),
            Request::ReqExecutions { req_id, filter } => self.executions(conn, req_id, &filter, out),
            Request::Unanswered { .. } => {}
            Request::Unserved { msg_id, req_id } => {
                let text = format!("Error validating request.-'bK' : cause - Request {msg_id} is not supported");
                answer(conn, error(self.now, req_id, 321, text), out);
            }
            other => self.statement_request(conn, other, out),
        }
    }

    /// IB's pacing: more than the permitted messages in any second of session time draw error 100, once a breach.
    fn count_message(&mut self, conn: ConnId, out: &mut Vec<Outgoing>) {
        while self.messages.front().is_some_and(|t| self.now - *t >= SECOND) {
            self.messages.pop_front();
        }
        self.messages.push_back(self.now);
        let max = self.config.messages_per_s_max;
        if self.messages.len() <= max {
            self.pacing_told = false;
        } else if !self.pacing_told {
            self.pacing_told = true;
            let text =
                format!("Max rate of messages per second has been exceeded:max={max} rec={} (1)", self.messages.len());
            answer(conn, error(self.now, -1, 100, text), out);
        }
        // The window is all that is kept: its length is bounded by the breach that it reports.
        if self.messages.len() > max * 100 {
            self.messages.pop_front();
        }
    }

    /// The price that positions are valued at: last print, else mid, else prior close.
    pub(super) fn mark(&self, symbol: SymbolId) -> Price {
        let Some(m) = self.markets.get(symbol.index()) else { return Price::NONE };
        let q = m.book.quote();
        if m.last.is_some() {
            m.last
        } else if q.bid.is_some() && q.ask.is_some() {
            Price((q.bid.0 + q.ask.0) / 2)
        } else {
            self.reference(symbol).prior_close
        }
    }

    /// One way's delay from now.
    pub(super) fn later(&mut self) -> SessionTime {
        self.later_by(Way::Order)
    }

    /// As [`Core::later`], for what may take longer.
    pub(super) fn later_by(&mut self, way: Way) -> SessionTime {
        self.now + self.config.delays.draw(way, &mut self.draw)
    }
}

/// Sends `response` to `conn` now.
pub(super) fn answer(conn: ConnId, response: Response, out: &mut Vec<Outgoing>) {
    out.push(Outgoing { conn, response });
}

impl Market {
    /// The market as history leaves it.
    fn before(source: &dyn MarketSource, r: &Reference, open: SessionTime) -> Self {
        let mut market = Self {
            book: Book::default(),
            last: Price::NONE,
            day_open: Price::NONE,
            day_high: Price::NONE,
            day_low: Price::NONE,
            sent_high: Price::NONE,
            sent_low: Price::NONE,
            bars: Vec::new(),
            bar: None,
            watched: Vec::new(),
            halted: 0,
            volume: 0,
            bands: Bands::default(),
            bids: VecDeque::new(),
            tape: Tape::default(),
        };
        for bar in source.history(r.id).iter().filter(|b| b.start >= open) {
            market.day(bar.open);
            market.day(bar.high);
            market.day(bar.low);
            market.last = bar.close;
            market.volume += bar.volume.0;
        }
        market
    }

    fn day(&mut self, price: Price) {
        if !self.day_open.is_some() {
            (self.day_open, self.day_high, self.day_low) = (price, price, price);
        }
        self.day_high = self.day_high.max(price);
        self.day_low = self.day_low.min(price);
    }

    fn print(&mut self, time: SessionTime, price: Price, size: Qty) {
        self.last = price;
        self.volume += size.0;
        self.day(price);
        let minute = time.floor_to(MINUTE);
        match &mut self.bar {
            Some(b) if b.start == minute => b.add(price, size),
            slot => self.bars.extend(slot.replace(Bar::of(minute, price, size))),
        }
    }
}
