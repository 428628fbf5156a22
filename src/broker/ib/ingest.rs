//! The ingest thread: the one reader of the order update stream, of all market data lines and of the gateway's
//! notices; the one writer of both outgoing rings. It stamps, merges and translates, and decides nothing about
//! orders. ibapi's queues are unbounded and unstamped, so how much a sweep finds waiting is a metric.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use ibapi::client::blocking::{NoticeStream, Subscription};
use ibapi::market_data::realtime::TickTypes;
use ibapi::orders::OrderUpdate;
use ibapi::subscriptions::SubscriptionItem;
use ibapi::{Error, Notice};

use super::conflate::Conflator;
use super::connect::Opened;
use super::errors::{self, Class, Reaction};
use super::lifecycle::ToSession;
use super::shared::{Halt, Live, Shared, Writer, pause};
use super::translate;
use super::worker::ToWorker;
use crate::broker::port::{BrokerSink, Lane, MarketSink};
use crate::clock::{Clock, SECOND};
use crate::domain::{ConnEpoch, Price, SymbolId};
use crate::message::{Bar, BrokerEvent, ErrorFact, LinkState, MarketEvent, StatusKind, SymbolStatus};

/// Messages that may wait for ingest.
pub(super) const QUEUE: usize = 1_024;
/// Messages taken in one sweep.
const MAX_COMMANDS: usize = 64;
/// Values taken from one market data line in one sweep: a flood on one line can't silence the others.
const MAX_PER_LINE: usize = 256;
/// Updates and notices taken in one sweep.
const MAX_UPDATES: usize = 10_000;
/// Tries to hand a broker fact to a full ring before the adapter halts, and the pause between them.
const FACT_TRIES: usize = 2_000;
const FACT_PAUSE: Duration = Duration::from_micros(50);
/// Pause of all messages after the gateway complained of too many, session time.
const BACK_OFF: i64 = SECOND;
/// Longest that closing lines may take at the end, session time.
const CLOSE_LIMIT: i64 = 5 * SECOND;

/// What ingest is told.
pub(super) enum ToIngest {
    /// A new order connection; its lines follow.
    Epoch(Box<Opened>),
    /// A market data line of an epoch.
    Line { epoch: ConnEpoch, symbol: SymbolId, line: Box<Subscription<TickTypes>> },
    /// A symbol gets no line, and why (IB's code, 0 = over our budget).
    NoLine { symbol: SymbolId, code: i32 },
    /// The history before the first tick. Told once, even when empty: it starts the grid.
    History { bars: Vec<Bar>, prior_closes: Vec<(SymbolId, Price)> },
    /// Broker facts from other threads, passed on after the update stream is drained.
    Facts(Vec<BrokerEvent>),
    /// Every line of this epoch is void (1101).
    DropLines,
}

struct Line {
    symbol: SymbolId,
    stream: Box<Subscription<TickTypes>>,
}

struct Connection {
    live: Arc<Live>,
    updates: Option<Subscription<OrderUpdate>>,
    notices: NoticeStream,
}

pub(super) struct Ingest<C, M, B> {
    pub shared: Arc<Shared>,
    pub clock: C,
    pub market: M,
    pub broker: B,
    pub commands: Receiver<ToIngest>,
    pub session: Sender<ToSession>,
    pub worker: Sender<ToWorker>,
    table: Conflator,
    connection: Option<Connection>,
    lines: Vec<Line>,
    history: VecDeque<Bar>,
    started: bool,
}

impl<C: Clock, M: MarketSink, B: BrokerSink> Ingest<C, M, B> {
    pub(super) fn new(
        shared: Arc<Shared>,
        clock: C,
        market: M,
        broker: B,
        commands: Receiver<ToIngest>,
        session: Sender<ToSession>,
        worker: Sender<ToWorker>,
    ) -> Self {
        let table = Conflator::new(shared.contracts.len(), shared.config.volume_unit_shares);
        Self {
            shared,
            clock,
            market,
            broker,
            commands,
            session,
            worker,
            table,
            connection: None,
            lines: Vec::new(),
            history: VecDeque::new(),
            started: false,
        }
    }

    /// Runs until the adapter stops.
    pub(super) fn run(mut self) {
        let idle = Duration::from_micros(self.shared.config.sweep_idle_us);
        while !self.shared.stopping() {
            let (heard, found) = self.sweep();
            if heard > 0 {
                self.shared.last_value_mono.store(self.clock.mono_ns(), Ordering::Relaxed);
            }
            let metrics = &self.shared.metrics;
            metrics.sweeps.fetch_add(1, Ordering::Relaxed);
            if found == 0 {
                pause(idle);
                continue;
            }
            metrics.values.fetch_add(found as u64, Ordering::Relaxed);
            metrics.backlog_max.fetch_max(found as u64, Ordering::Relaxed);
        }
        self.close();
    }

    /// One look at everything: how many values the order connection had told, and how many things there were to
    /// do.
    fn sweep(&mut self) -> (usize, usize) {
        let mut heard = self.updates() + self.notices();
        let commands = self.commands();
        if self.history.is_empty() {
            heard += self.lines();
        } else {
            self.pass_history();
        }
        let now = self.clock.now();
        self.table.flush(now, &mut self.market);
        self.publish_counts();
        (heard, heard + commands)
    }

    fn publish_counts(&self) {
        let (counts, metrics) = (self.table.counts(), &self.shared.metrics);
        metrics.conflated.store(counts.conflated, Ordering::Relaxed);
        metrics.timers_skipped.store(counts.timers_skipped, Ordering::Relaxed);
        metrics.market_full.store(counts.full, Ordering::Relaxed);
        metrics.lines.store(self.lines.len() as u64, Ordering::Relaxed);
    }

    fn commands(&mut self) -> usize {
        for taken in 0..MAX_COMMANDS {
            match self.commands.try_recv() {
                Ok(command) => self.command(command),
                Err(_) => return taken,
            }
        }
        MAX_COMMANDS
    }

    fn command(&mut self, command: ToIngest) {
        let at = self.clock.now();
        match command {
            ToIngest::Epoch(opened) => self.go_live(*opened),
            ToIngest::Line { epoch, symbol, line } => {
                let current = self.connection.as_ref().is_some_and(|c| c.live.epoch == epoch);
                let line = Line { symbol, stream: line };
                if current { self.lines.push(line) } else { self.retire(line) }
            }
            ToIngest::NoLine { symbol, code } => {
                self.table.status(SymbolStatus { at, symbol, kind: StatusKind::NoLine(code) });
            }
            ToIngest::History { bars, prior_closes } => {
                for (symbol, price) in prior_closes {
                    self.table.status(SymbolStatus { at, symbol, kind: StatusKind::PriorClose(price) });
                }
                self.history = bars.into();
                if self.history.is_empty() {
                    self.start_grid();
                }
            }
            ToIngest::Facts(facts) => {
                // What the stream told before the snapshot's end comes first.
                self.updates();
                facts.into_iter().for_each(|fact| self.tell(fact));
            }
            ToIngest::DropLines => {
                for line in std::mem::take(&mut self.lines) {
                    self.retire(line);
                }
            }
        }
    }

    fn go_live(&mut self, opened: Opened) {
        let epoch = opened.live.epoch;
        let told = opened.startup_events(&self.shared.directory);
        let up = LinkState::Up { epoch, next_order_id: opened.next_order_id };
        self.table.forget_prices();
        self.connection =
            Some(Connection { live: opened.live, updates: Some(opened.updates), notices: opened.notices });
        self.tell(BrokerEvent::Link(up));
        told.into_iter().for_each(|fact| self.tell(fact));
        self.table.data_link(self.clock.now(), true);
    }

    /// Hands history on, as far as the ring has room; lines and timers wait for it.
    fn pass_history(&mut self) {
        while let Some(bar) = self.history.front() {
            if !self.market.push(MarketEvent::History(*bar)) {
                return;
            }
            self.history.pop_front();
            self.shared.metrics.history_bars.fetch_add(1, Ordering::Relaxed);
        }
        self.start_grid();
    }

    fn start_grid(&mut self) {
        if !self.started {
            self.started = true;
            self.table.start_timers(self.clock.now());
        }
    }

    /// Hands a broker fact on. A ring that stays full would lose a fill: the adapter halts instead.
    fn tell(&mut self, fact: BrokerEvent) {
        for _ in 0..FACT_TRIES {
            if self.broker.push(fact) {
                return;
            }
            pause(FACT_PAUSE);
        }
        self.shared.halt(Halt::FactsBlocked);
    }

    fn updates(&mut self) -> usize {
        for found in 0..MAX_UPDATES {
            let Some(stream) = self.connection.as_ref().and_then(|c| c.updates.as_ref()) else { return found };
            match stream.try_next() {
                None => return found,
                Some(Ok(SubscriptionItem::Data(update))) => self.update(&update),
                Some(Ok(SubscriptionItem::Notice(notice))) => self.order_notice(&notice),
                Some(Err(e)) => self.updates_ended(&e),
            }
        }
        MAX_UPDATES
    }

    fn update(&mut self, update: &OrderUpdate) {
        match translate::order_update(update, &self.shared.directory) {
            Some(fact) => self.tell(fact),
            None if matches!(update, OrderUpdate::OrderBound(_)) => {}
            None => {
                tracing::error!("a fill or commission that can't be read; reconciling: {update:?}");
                self.shared.metrics.unreadable.fetch_add(1, Ordering::Relaxed);
                self.ask_session(ToSession::Reconcile);
            }
        }
    }

    /// An error or notice about an order: routing has the say over the order.
    fn order_notice(&mut self, notice: &Notice) {
        tracing::info!("order {}: {notice}", notice.request_id.unwrap_or(-1));
        let (class, reaction) = errors::of(notice.code);
        self.tell(BrokerEvent::Error(translate::error(notice)));
        if matches!(class, Class::Link | Class::Account | Class::Pacing) {
            self.react(reaction, notice);
        }
    }

    /// The update stream ended: with its connection, or over one message that ibapi could not read. The second is
    /// repaired at once, and what it may have hidden is found by reconciliation.
    fn updates_ended(&mut self, error: &Error) {
        let Some(connection) = &mut self.connection else { return };
        let ended = connection.updates.take();
        if connection.live.client.is_connected() {
            tracing::error!("order update stream ended ({error}); reopening and reconciling");
            // The old one must be gone before a new one is granted; without a route it writes nothing.
            drop(ended);
            connection.updates = connection.live.client.order_update_stream().ok();
            self.shared.metrics.unreadable.fetch_add(1, Ordering::Relaxed);
            if self.connection.as_ref().is_some_and(|c| c.updates.is_some()) {
                self.tell(BrokerEvent::Link(LinkState::Restored));
                self.ask_session(ToSession::Reconcile);
                return;
            }
        }
        self.dropped(error);
    }

    /// The connection is gone; everything that it had told is passed on by now.
    fn dropped(&mut self, error: &Error) {
        let Some(connection) = self.connection.take() else { return };
        tracing::warn!("connection lost: {error}");
        self.shared.metrics.drops.fetch_add(1, Ordering::Relaxed);
        self.shared.set_live(None);
        // Their cancels go nowhere: ibapi writes none for a session that ended.
        self.lines.clear();
        self.table.data_link(self.clock.now(), false);
        self.tell(BrokerEvent::Link(LinkState::Down));
        self.ask_session(ToSession::Dropped(connection.live.epoch));
    }

    fn notices(&mut self) -> usize {
        for found in 0..MAX_UPDATES {
            let Some(notice) = self.connection.as_ref().and_then(|c| c.notices.try_next()) else { return found };
            self.notice(&notice);
        }
        MAX_UPDATES
    }

    /// A notice that is bound to no request.
    fn notice(&mut self, notice: &Notice) {
        let (class, reaction) = errors::of(notice.code);
        tracing::info!("{class:?} {notice}");
        self.react(reaction, notice);
        let tells = !matches!(class, Class::Info | Class::Farm) && reaction != Reaction::None;
        if tells {
            self.tell(BrokerEvent::Error(translate::error(notice)));
        }
    }

    fn react(&mut self, reaction: Reaction, notice: &Notice) {
        let at = self.clock.now();
        let ours =
            || self.shared.config.data_farms.iter().any(|f| errors::farm(&notice.message).starts_with(f.as_str()));
        match reaction {
            Reaction::LinkLost => {
                self.table.data_link(at, false);
                self.tell(BrokerEvent::Link(LinkState::Lost));
            }
            Reaction::ResubscribeAll | Reaction::Reconcile => {
                self.table.data_link(at, true);
                self.tell(BrokerEvent::Link(LinkState::Restored));
                let resubscribe = reaction == Reaction::ResubscribeAll;
                self.ask_session(if resubscribe { ToSession::ResubscribeAll } else { ToSession::Reconcile });
            }
            Reaction::Reconnect => self.ask_session(ToSession::Reconnect),
            Reaction::BackOff => self.shared.pacer.back_off(at, BACK_OFF),
            Reaction::DataSuspect if ours() => self.table.data_link(at, false),
            Reaction::DataVerify if ours() => self.table.data_link(at, true),
            Reaction::None
            | Reaction::Tell
            | Reaction::DataSuspect
            | Reaction::DataVerify
            | Reaction::Competing
            | Reaction::PageMargin
            | Reaction::NoLine
            | Reaction::ShrinkLines
            | Reaction::RetryLine => {}
        }
    }

    fn lines(&mut self) -> usize {
        let (mut found, mut i) = (0, 0);
        while i < self.lines.len() {
            let (values, alive) = self.read_line(i);
            found += values;
            if values > 0 {
                self.table.flush(self.clock.now(), &mut self.market);
            }
            if alive {
                i += 1;
            } else {
                let line = self.lines.swap_remove(i);
                self.retire(line);
            }
        }
        found
    }

    /// Takes what waits on a line; whether the line goes on.
    fn read_line(&mut self, i: usize) -> (usize, bool) {
        for found in 0..MAX_PER_LINE {
            let symbol = self.lines[i].symbol;
            match self.lines[i].stream.try_next() {
                None => return (found, true),
                Some(Ok(SubscriptionItem::Data(value))) => self.table.apply(symbol, self.clock.now(), &value),
                Some(Ok(SubscriptionItem::Notice(notice))) => {
                    tracing::info!("symbol {symbol}: {notice}");
                    if errors::for_line(notice.code) != Reaction::None {
                        self.line_lost(symbol, &notice, false);
                    }
                }
                Some(Err(Error::Notice(notice))) => {
                    tracing::warn!("symbol {symbol}: {notice}");
                    self.line_lost(symbol, &notice, true);
                    return (found + 1, false);
                }
                // The connection's end is told by the update stream.
                Some(Err(Error::ConnectionReset | Error::ConnectionFailed | Error::Shutdown)) => {
                    return (found + 1, false);
                }
                Some(Err(e)) => {
                    tracing::warn!("symbol {symbol}: {e}");
                    self.tell_no_line(symbol, 0);
                    self.ask_session(ToSession::RetryLine(symbol));
                    return (found + 1, false);
                }
            }
        }
        (MAX_PER_LINE, true)
    }

    fn tell_no_line(&mut self, symbol: SymbolId, code: i32) {
        let at = self.clock.now();
        self.shared.metrics.lines_lost.fetch_add(1, Ordering::Relaxed);
        self.table.status(SymbolStatus { at, symbol, kind: StatusKind::NoLine(code) });
    }

    /// A line was refused, or `ended`, with a code.
    fn line_lost(&mut self, symbol: SymbolId, notice: &Notice, ended: bool) {
        self.tell_no_line(symbol, notice.code);
        self.react(errors::of(notice.code).1, notice);
        let reaction = errors::for_line(notice.code);
        if reaction == Reaction::Competing {
            // One login has one data session: this is about every line.
            self.tell(BrokerEvent::Error(ErrorFact { id: -1, ..translate::error(notice) }));
        }
        match reaction {
            Reaction::ShrinkLines => self.ask_session(ToSession::ShrinkLines),
            // A warning that ibapi takes for an end: the line comes back.
            Reaction::RetryLine | Reaction::Competing | Reaction::None if ended => {
                self.ask_session(ToSession::RetryLine(symbol));
            }
            _ => {}
        }
    }

    /// Gives a line away to be closed: that writes to the socket, which must not hold this thread up.
    fn retire(&mut self, line: Line) {
        if let Err(full) = self.worker.try_send(ToWorker::DropLine(line.stream)) {
            self.shared.writing(Writer::Ingest, &self.clock, || drop(full));
        }
    }

    fn ask_session(&self, what: ToSession) {
        if self.session.try_send(what).is_err() {
            tracing::error!("the session thread's queue is full; a request to it was dropped");
        }
    }

    /// The orderly end: what was told is passed on, lines are closed within the message budget and a time limit.
    fn close(&mut self) {
        self.updates();
        let deadline = self.clock.now() + CLOSE_LIMIT;
        while let Some(line) = self.lines.pop() {
            while self.shared.pacer.try_take(Lane::Worker, self.clock.now()).is_err() && self.clock.now() < deadline {
                pause(FACT_PAUSE);
            }
            if self.clock.now() >= deadline {
                self.lines.push(line);
                break;
            }
            self.shared.writing(Writer::Ingest, &self.clock, || drop(line));
        }
        if let Some(connection) = self.connection.take() {
            connection.live.client.disconnect();
        }
        self.shared.set_live(None);
    }
}
