//! The session thread: performs what the session machine decides. Opens connections, hands them to ingest, keeps
//! the lines within their budget, asks for the snapshots that reconciliation needs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender};
use ibapi::client::blocking::Client;

use super::connect::{BrokerError, Opened, check_account, open_orders};
use super::ingest::ToIngest;
use super::session::{Action, Input, Phase, Session};
use super::shared::{Halt, Live, Shared, Writer};
use super::warmup;
use super::worker::ToWorker;
use crate::broker::port::{Lane, Query};
use crate::clock::{Clock, SECOND, SessionTime};
use crate::domain::{ConnEpoch, SymbolId};

/// Requests that may wait for the session thread.
pub(super) const QUEUE: usize = 1_024;
/// How long the thread listens before it looks around, wall time.
const LISTEN: Duration = Duration::from_millis(20);
/// Session time between two tries for one line.
const LINE_RETRY: i64 = 15 * SECOND;
/// Tries for one line per epoch.
const LINE_TRIES: u32 = 20;
/// Longest wait for a message token, session time.
const TOKEN_LIMIT: i64 = 120 * SECOND;
/// What reconciliation asks, in this order: orders before fills before positions.
const SNAPSHOTS: [Query; 5] =
    [Query::OpenOrders, Query::CompletedOrders, Query::Executions, Query::Positions, Query::Account];

/// What the session thread is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToSession {
    /// The connection of this epoch is gone.
    Dropped(ConnEpoch),
    /// Ask for every snapshot.
    Reconcile,
    /// Open every line anew and ask for every snapshot.
    ResubscribeAll,
    /// Open this line again, later.
    RetryLine(SymbolId),
    /// The allowance of lines is used up.
    ShrinkLines,
    /// Take the connection down and make a new one.
    Reconnect,
}

pub(super) struct Lifecycle<C> {
    shared: Arc<Shared>,
    clock: C,
    machine: Session,
    requests: Receiver<ToSession>,
    ingest: Sender<ToIngest>,
    worker: Sender<ToWorker>,
    opened: Option<Opened>,
    retries: BTreeMap<SymbolId, (SessionTime, u32)>,
    line_budget: usize,
    last_error: String,
}

/// The thread's channels.
pub(super) struct Channels {
    pub requests: Receiver<ToSession>,
    pub ingest: Sender<ToIngest>,
    pub worker: Sender<ToWorker>,
}

impl<C: Clock + Sync> Lifecycle<C> {
    /// Goes on from a machine that is `Ready` with a connection that is not yet live.
    pub(super) fn new(shared: Arc<Shared>, clock: C, machine: Session, opened: Opened, channels: Channels) -> Self {
        let line_budget = shared.config.line_budget;
        let Channels { requests, ingest, worker } = channels;
        Self {
            shared,
            clock,
            machine,
            requests,
            ingest,
            worker,
            opened: Some(opened),
            retries: BTreeMap::new(),
            line_budget,
            last_error: String::new(),
        }
    }

    /// Runs until the adapter stops. `history` is the worker's connection, which the warm-up shares.
    pub(super) fn run(mut self, history: &Client) {
        self.announce();
        self.reconcile();
        let warm = warmup::fetch(&self.shared, history, &self.clock);
        self.shared.metrics.history_failed.store(warm.failed.len() as u64, Ordering::Relaxed);
        self.pass(ToIngest::History { bars: warm.bars, prior_closes: warm.prior_closes });
        self.open_lines();
        while !self.shared.stopping() {
            match self.requests.recv_timeout(LISTEN) {
                Ok(request) => self.request(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.step(Input::Tick);
            self.retry_lines();
        }
        self.step(Input::Stop);
    }

    fn request(&mut self, request: ToSession) {
        match request {
            ToSession::Dropped(epoch) if epoch == self.machine.epoch() => self.step(Input::Dropped),
            ToSession::Dropped(_) => {}
            ToSession::Reconcile => self.reconcile(),
            ToSession::ResubscribeAll => {
                self.pass(ToIngest::DropLines);
                self.reconcile();
                self.open_lines();
            }
            ToSession::RetryLine(symbol) => {
                let due = self.clock.now() + LINE_RETRY;
                let tries = self.retries.get(&symbol).map_or(0, |(_, tries)| *tries);
                self.retries.insert(symbol, (due, tries + 1));
            }
            ToSession::ShrinkLines => {
                let open = usize::try_from(self.shared.metrics.lines.load(Ordering::Relaxed)).unwrap_or(0);
                self.line_budget = self.line_budget.min(open.max(1));
            }
            // ibapi then ends the update stream, and ingest reports the drop.
            ToSession::Reconnect => self.disconnect(),
        }
    }

    /// Feeds the machine and does what it says, until it says nothing.
    fn step(&mut self, input: Input) {
        let mut input = Some(input);
        while let Some(given) = input.take() {
            let now_ms = self.clock.mono_ns() / 1_000_000;
            input = match self.machine.step(given, now_ms) {
                Action::None => None,
                Action::Connect(epoch) => Some(self.open(epoch)),
                Action::CheckAccount => Some(self.check()),
                // Contracts were read before this thread began.
                Action::Qualify => Some(Input::Qualified),
                Action::GoLive => {
                    self.announce();
                    self.reconcile();
                    self.open_lines();
                    None
                }
                Action::Close => {
                    self.disconnect();
                    None
                }
                Action::GiveUp => {
                    self.disconnect();
                    None
                }
            };
        }
        if self.machine.phase() == Phase::Ended && !self.shared.stopping() {
            self.shared.halt(Halt::GivenUp(std::mem::take(&mut self.last_error)));
        }
    }

    fn open(&mut self, epoch: ConnEpoch) -> Input {
        match open_orders(&self.shared.config, epoch) {
            Ok(opened) => {
                self.opened = Some(opened);
                Input::Connected
            }
            Err(e) => self.failed(&e),
        }
    }

    fn check(&mut self) -> Input {
        let Some(opened) = &self.opened else { return Input::Dropped };
        match check_account(&opened.live.client, &self.shared.config.account) {
            Ok(()) => Input::AccountOk,
            Err(e) => self.failed(&e),
        }
    }

    fn failed(&mut self, error: &BrokerError) -> Input {
        tracing::warn!("{error}");
        self.last_error = error.to_string();
        Input::Failed { may_pass: error.may_pass() }
    }

    /// Makes the opened connection the live one.
    fn announce(&mut self) {
        let Some(opened) = self.opened.take() else { return };
        self.retries.clear();
        self.line_budget = self.shared.config.line_budget;
        self.shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
        let live = Arc::clone(&opened.live);
        // Ingest first: the link's `Up` is on its way before the sender can see the connection.
        self.pass(ToIngest::Epoch(Box::new(opened)));
        self.shared.set_live(Some(live));
    }

    fn reconcile(&self) {
        for query in SNAPSHOTS {
            if self.worker.try_send(ToWorker::Ask(query)).is_err() {
                tracing::error!("the worker's queue is full; {query:?} was not asked");
            }
        }
    }

    /// Opens a line for every symbol within the budget, in the universe's order; the rest are told that they have
    /// none.
    fn open_lines(&mut self) {
        for i in 0..self.shared.contracts.len() {
            let symbol = SymbolId(u16::try_from(i).unwrap_or(u16::MAX));
            if i >= self.line_budget {
                self.pass(ToIngest::NoLine { symbol, code: 0 });
            } else if !self.open_line(symbol) {
                return;
            }
        }
    }

    /// `false`: the connection is gone or the adapter stops.
    fn open_line(&self, symbol: SymbolId) -> bool {
        let Some(live) = self.shared.live() else { return false };
        let Some(contract) = self.shared.contract(symbol) else { return true };
        if !self.shared.wait_for_token(Lane::Worker, &self.clock, TOKEN_LIMIT) {
            return false;
        }
        // 236: shortable shares (ticks 46 and 89).
        let subscribe = || live.client.market_data(contract).generic_ticks(&["236"]).subscribe();
        match self.shared.writing(Writer::Session, &self.clock, subscribe) {
            Ok(line) => {
                self.pass(ToIngest::Line { epoch: live.epoch, symbol, line: Box::new(line) });
                true
            }
            Err(e) => {
                tracing::warn!("line of {}: {e}", contract.symbol.as_str());
                self.pass(ToIngest::NoLine { symbol, code: 0 });
                live.client.is_connected()
            }
        }
    }

    fn retry_lines(&mut self) {
        let now = self.clock.now();
        let due: Vec<SymbolId> = self
            .retries
            .iter()
            .filter(|(_, (at, tries))| *at <= now && *tries <= LINE_TRIES)
            .map(|(symbol, _)| *symbol)
            .collect();
        for symbol in due {
            if let Some((at, _)) = self.retries.get_mut(&symbol) {
                // Until it is asked for again, it is not due.
                *at = SessionTime(i64::MAX);
            }
            self.open_line(symbol);
        }
    }

    fn disconnect(&mut self) {
        let opened = self.opened.take().map(|o| o.live);
        // At the orderly end ingest closes the lines of the live connection first, then the connection.
        let live: Option<Arc<Live>> =
            if self.shared.stopping() { opened } else { opened.or_else(|| self.shared.live()) };
        if let Some(live) = live {
            live.client.disconnect();
        }
    }

    fn pass(&self, what: ToIngest) {
        let mut what = what;
        loop {
            match self.ingest.send_timeout(what, LISTEN) {
                Ok(()) => return,
                Err(crossbeam::channel::SendTimeoutError::Timeout(back)) if !self.shared.stopping() => what = back,
                Err(_) => return,
            }
        }
    }
}
