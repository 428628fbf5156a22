//! The worker thread: questions with bounded waits, what-ifs, the account's figures, and the dropping of streams
//! (which writes to a socket, so ingest must not do it). It has its own client id and connection: answers on the
//! order connection would land on the order update stream. Results go through ingest, which drains that stream
//! first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError};
use ibapi::Error;
use ibapi::accounts::types::{AccountGroup, AccountId};
use ibapi::accounts::{AccountSummaryResult, AccountUpdate, PositionUpdate};
use ibapi::client::blocking::{Client, Subscription};
use ibapi::market_data::realtime::TickTypes;
use ibapi::orders::{ExecutionFilter, Executions, Orders, PlaceOrder};
use ibapi::subscriptions::SubscriptionItem;

use super::connect::open_worker;
use super::ingest::ToIngest;
use super::shared::{Shared, Writer, pause};
use super::translate::{self, AccountFigures};
use crate::broker::port::{Lane, Queries, Query};
use crate::clock::{Clock, SECOND};
use crate::domain::ConnEpoch;
use crate::message::{BrokerEvent, OrderTerms, SnapshotKind, WhatIfFact};

/// Questions and drops that may wait for the worker.
pub(super) const QUEUE: usize = 512;
/// Rows that one answer may have; a longer one is not called complete.
const MAX_ROWS: usize = 20_000;
/// Longest wait for a message token, session time.
const TOKEN_LIMIT: i64 = 30 * SECOND;
/// How long the worker listens for questions before it looks at the account stream, wall time.
const LISTEN: Duration = Duration::from_millis(50);
/// Wall time between attempts to bring the worker's connection back, ns.
const RECONNECT_EVERY_NS: u64 = 2_000_000_000;
/// Account rows taken in one look.
const MAX_ACCOUNT_ROWS: usize = 2_000;
/// After an answer without figures to a what-if: how long the one with figures may still take.
const SECOND_ANSWER: Duration = Duration::from_millis(500);

/// What the worker is asked.
pub(super) enum ToWorker {
    Ask(Query),
    /// A market data line that ended or is not wanted.
    DropLine(Box<Subscription<TickTypes>>),
}

/// Puts questions to the worker.
#[derive(Clone)]
pub struct QueryPort(pub(super) Sender<ToWorker>);

impl Queries for QueryPort {
    fn ask(&mut self, query: Query) -> bool {
        self.0.try_send(ToWorker::Ask(query)).is_ok()
    }
}

/// Rows of a snapshot and whether its end marker came.
struct Answer {
    rows: Vec<BrokerEvent>,
    complete: bool,
}

pub(super) struct Worker<C> {
    shared: Arc<Shared>,
    clock: C,
    questions: Receiver<ToWorker>,
    ingest: Sender<ToIngest>,
    client: Option<Arc<Client>>,
    next_attempt_mono: u64,
    tried_in: Option<ConnEpoch>,
    account: Option<Subscription<AccountUpdate>>,
    figures: AccountFigures,
    /// The account stream's first download is over: from then on its figures are whole.
    downloaded: bool,
}

impl<C: Clock> Worker<C> {
    pub(super) fn new(
        shared: Arc<Shared>,
        clock: C,
        questions: Receiver<ToWorker>,
        ingest: Sender<ToIngest>,
        client: Arc<Client>,
    ) -> Self {
        let figures = AccountFigures::default();
        Self {
            shared,
            clock,
            questions,
            ingest,
            client: Some(client),
            next_attempt_mono: 0,
            tried_in: None,
            account: None,
            figures,
            downloaded: false,
        }
    }

    /// Runs until the adapter stops.
    pub(super) fn run(mut self) {
        while !self.shared.stopping() {
            match self.questions.recv_timeout(LISTEN) {
                Ok(ToWorker::Ask(query)) => self.answer(query),
                Ok(ToWorker::DropLine(line)) => self.drop_line(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.connect();
            self.follow_account();
        }
        // The connection first: then the streams' ends write nothing.
        if let Some(client) = self.client.take() {
            client.disconnect();
        }
    }

    /// Dropping a line writes its cancel to the order connection.
    fn drop_line(&self, line: Box<Subscription<TickTypes>>) {
        self.shared.wait_for_token(Lane::Worker, &self.clock, TOKEN_LIMIT);
        self.shared.writing(Writer::Worker, &self.clock, || drop(line));
    }

    /// Brings a lost worker connection back: at once in a new epoch, else at most once every two seconds. It has no
    /// say over the epoch.
    fn connect(&mut self) {
        if self.client.as_ref().is_some_and(|c| c.is_connected()) {
            return;
        }
        self.forget_account();
        self.client = None;
        let (now, Some(live)) = (self.clock.mono_ns(), self.shared.live()) else { return };
        if now < self.next_attempt_mono && self.tried_in == Some(live.epoch) {
            return;
        }
        self.next_attempt_mono = now + RECONNECT_EVERY_NS;
        self.tried_in = Some(live.epoch);
        match open_worker(&self.shared.config) {
            Ok(client) => self.client = Some(Arc::new(client)),
            Err(e) => tracing::warn!("worker connection: {e}"),
        }
    }

    /// Before a question: waits for the worker's connection as long as for an answer.
    fn await_connection(&mut self) {
        let limit = self.clock.mono_ns() + self.shared.config.query_timeout_s * 1_000_000_000;
        self.connect();
        while self.client.is_none() && self.clock.mono_ns() < limit {
            if self.shared.stopping() || self.shared.live().is_none() {
                return;
            }
            pause(LISTEN);
            self.connect();
        }
    }

    fn answer(&mut self, query: Query) {
        self.await_connection();
        let kind = match query {
            Query::WhatIf(terms) => return self.what_if(&terms),
            Query::OpenOrders => SnapshotKind::OpenOrders,
            Query::CompletedOrders => SnapshotKind::CompletedOrders,
            Query::Executions => SnapshotKind::Executions,
            Query::Positions => SnapshotKind::Positions,
            Query::Account => SnapshotKind::Account,
        };
        let asked_on = self.shared.live().map(|l| l.epoch);
        let mut answer = match (&self.client, asked_on) {
            (Some(client), Some(_)) if self.shared.wait_for_token(Lane::Worker, &self.clock, TOKEN_LIMIT) => {
                self.collect(client, kind).unwrap_or_else(|e| {
                    tracing::warn!("{kind:?}: {e}");
                    Answer { rows: Vec::new(), complete: false }
                })
            }
            _ => Answer { rows: Vec::new(), complete: false },
        };
        // A snapshot that a connection's loss cut through proves nothing.
        let complete = answer.complete && asked_on.is_some() && self.shared.live().map(|l| l.epoch) == asked_on;
        if !complete {
            self.shared.metrics.queries_incomplete.fetch_add(1, Ordering::Relaxed);
        }
        let epoch = asked_on.unwrap_or(ConnEpoch(0));
        answer.rows.push(BrokerEvent::SnapshotEnd { kind, complete, epoch });
        self.pass(answer.rows);
    }

    fn collect(&self, client: &Client, kind: SnapshotKind) -> Result<Answer, Error> {
        let directory = &self.shared.directory;
        let ours = |account: &str| account.is_empty() || account == directory.account;
        match kind {
            SnapshotKind::OpenOrders | SnapshotKind::CompletedOrders => {
                let open = kind == SnapshotKind::OpenOrders;
                let stream = if open { client.all_open_orders()? } else { client.completed_orders(false)? };
                self.rows(
                    |rest| stream.next_timeout(rest),
                    |row| match row {
                        Orders::OrderData(o) if !ours(&o.order.account) => Row::Skip,
                        Orders::OrderData(o) if open => {
                            Row::Fact(BrokerEvent::OpenOrder(translate::open_order(&o, directory)))
                        }
                        Orders::OrderData(o) => {
                            Row::Fact(BrokerEvent::Completed(translate::completed_order(&o, directory)))
                        }
                        Orders::OrderStatus(s) => Row::Fact(BrokerEvent::Status(translate::order_status(&s))),
                    },
                )
            }
            SnapshotKind::Executions => {
                let filter = ExecutionFilter { account_code: directory.account.clone(), ..ExecutionFilter::default() };
                let stream = client.executions(filter)?;
                self.rows(
                    |rest| stream.next_timeout(rest),
                    |row| {
                        let fact = match row {
                            Executions::ExecutionData(e) => {
                                translate::execution(&e, directory).map(BrokerEvent::Execution)
                            }
                            Executions::CommissionReport(c) => translate::commission(&c).map(BrokerEvent::Commission),
                        };
                        fact.map_or(Row::Unreadable, Row::Fact)
                    },
                )
            }
            SnapshotKind::Positions => {
                let stream = client.positions()?;
                self.rows(
                    |rest| stream.next_timeout(rest),
                    |row| match row {
                        PositionUpdate::PositionEnd => Row::End,
                        PositionUpdate::Position(p) if !ours(&p.account) => Row::Skip,
                        PositionUpdate::Position(p) => translate::position(&p, directory)
                            .map_or(Row::Unreadable, |f| Row::Fact(BrokerEvent::Position(f))),
                    },
                )
            }
            SnapshotKind::Account => self.account_summary(client),
        }
    }

    fn account_summary(&self, client: &Client) -> Result<Answer, Error> {
        let tags = ["NetLiquidation", "TotalCashValue", "ExcessLiquidity", "BuyingPower"];
        let stream = client.account_summary(&AccountGroup("All".into()), &tags)?;
        let (mut figures, base) = (AccountFigures::default(), self.shared.config.base_currency.as_str());
        let mut answer = self.rows(
            |rest| stream.next_timeout(rest),
            |row| match row {
                AccountSummaryResult::End => Row::End,
                AccountSummaryResult::Summary(s) => {
                    if s.account == self.shared.directory.account {
                        figures.row(&s.tag, &s.value, &s.currency, base);
                    }
                    Row::Skip
                }
            },
        )?;
        answer.rows.push(figures.event());
        Ok(answer)
    }

    /// Reads a stream to its end marker, its end, or the time limit.
    fn rows<T>(
        &self,
        next: impl Fn(Duration) -> Option<Result<SubscriptionItem<T>, Error>>,
        mut translate: impl FnMut(T) -> Row,
    ) -> Result<Answer, Error> {
        let limit = self.shared.config.query_timeout().as_nanos();
        let began = self.clock.mono_ns();
        let (mut rows, mut readable) = (Vec::new(), true);
        loop {
            let spent = u128::from(self.clock.mono_ns().saturating_sub(began));
            let Some(rest) = limit.checked_sub(spent).filter(|rest| *rest > 0) else {
                return Ok(Answer { rows, complete: false });
            };
            let rest = Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX));
            let waited_from = self.clock.mono_ns();
            match next(rest) {
                // Nothing before the wait was over: the stream's own end.
                None if Duration::from_nanos(self.clock.mono_ns().saturating_sub(waited_from)) < rest => {
                    return Ok(Answer { rows, complete: readable });
                }
                None => {}
                Some(Ok(SubscriptionItem::Notice(n))) => tracing::info!("{n}"),
                Some(Err(e)) => return Err(e),
                Some(Ok(SubscriptionItem::Data(row))) => match translate(row) {
                    Row::Fact(_) if rows.len() >= MAX_ROWS => readable = false,
                    Row::Fact(fact) => rows.push(fact),
                    Row::Skip => {}
                    Row::Unreadable => readable = false,
                    Row::End => return Ok(Answer { rows, complete: readable }),
                },
            }
        }
    }

    /// Every what-if gets one answer; without one from the broker all its figures are unset.
    fn what_if(&mut self, terms: &OrderTerms) {
        let fact = self.ask_what_if(terms).unwrap_or_else(|why| {
            tracing::warn!("what-if {}: {why}", terms.order_id);
            self.shared.metrics.what_ifs_unanswered.fetch_add(1, Ordering::Relaxed);
            WhatIfFact {
                order_id: terms.order_id,
                init_margin_change: None,
                maint_margin_after: None,
                equity_after: None,
                commission: None,
                warned: true,
            }
        });
        self.pass(vec![BrokerEvent::WhatIf(fact)]);
    }

    fn ask_what_if(&self, terms: &OrderTerms) -> Result<WhatIfFact, String> {
        let client = self.client.as_ref().ok_or("no worker connection")?;
        let contract = self.shared.contract(terms.symbol).ok_or("symbol not in the universe")?;
        let mut order = translate::to_order(terms, &self.shared.directory.account)?;
        // The flag is set here and nowhere else; the id is the worker's own, so that it can't meet a real order's.
        order.what_if = true;
        let id = client.next_order_id();
        order.order_id = id;
        if !self.shared.wait_for_token(Lane::Worker, &self.clock, TOKEN_LIMIT) {
            return Err("no room in the message budget".into());
        }
        let stream = client.place_order(id, contract, &order).map_err(|e| e.to_string())?;
        let began = self.clock.mono_ns();
        let mut limit = self.shared.config.what_if_timeout();
        let mut without_figures = None;
        loop {
            let spent = Duration::from_nanos(self.clock.mono_ns().saturating_sub(began));
            let Some(rest) = limit.checked_sub(spent).filter(|rest| !rest.is_zero()) else {
                return without_figures.ok_or_else(|| "no answer in time".into());
            };
            match stream.next_timeout(rest) {
                Some(Ok(SubscriptionItem::Data(PlaceOrder::OpenOrder(o)))) => {
                    let fact = translate::what_if(terms.order_id, &o, &self.shared.config.base_currency);
                    if fact.init_margin_change.is_some() {
                        return Ok(fact);
                    }
                    // Some gateways answer twice, the first time without figures.
                    without_figures = Some(fact);
                    limit = limit.min(spent + SECOND_ANSWER);
                }
                Some(Ok(_)) | None => {}
                Some(Err(e)) => return Err(e.to_string()),
            }
        }
    }

    /// Keeps the account stream open and tells its figures when rows came.
    fn follow_account(&mut self) {
        let Some(client) = &self.client else { return };
        if self.account.is_none() {
            if self.shared.pacer.try_take(Lane::Worker, self.clock.now()).is_err() {
                return;
            }
            let account = AccountId(self.shared.directory.account.clone());
            self.account = client.account_updates(&account).inspect_err(|e| tracing::warn!("account: {e}")).ok();
        }
        let Some(stream) = &self.account else { return };
        let (mut ours, mut ended) = (false, false);
        for _ in 0..MAX_ACCOUNT_ROWS {
            match stream.try_next() {
                Some(Ok(SubscriptionItem::Data(AccountUpdate::AccountValue(v)))) => {
                    let base = &self.shared.config.base_currency;
                    ours |= self.figures.row(&v.key, &v.value, &v.currency, base);
                }
                Some(Ok(SubscriptionItem::Data(AccountUpdate::End))) => {
                    self.downloaded = true;
                    ours = true;
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => {
                    tracing::warn!("account stream: {e}");
                    ended = true;
                }
                None => break,
            }
        }
        if ours && self.downloaded {
            let event = self.figures.event();
            self.pass(vec![event]);
        }
        if ended {
            self.forget_account();
        }
    }

    /// Figures of a stream that ended are unknown until a new one has told them all.
    fn forget_account(&mut self) {
        self.account = None;
        self.figures = AccountFigures::default();
        self.downloaded = false;
    }

    /// Hands facts to ingest. They wait until there is room or the adapter stops: none is dropped.
    fn pass(&self, events: Vec<BrokerEvent>) {
        let mut message = ToIngest::Facts(events);
        while let Err(TrySendError::Full(back)) = self.ingest.try_send(message) {
            if self.shared.stopping() {
                return;
            }
            message = back;
            pause(Duration::from_millis(1));
        }
    }
}

/// What a row of an answer is.
enum Row {
    Fact(BrokerEvent),
    Skip,
    Unreadable,
    End,
}
