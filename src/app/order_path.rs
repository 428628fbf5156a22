//! The two threads between routing and the socket. The journal thread makes commands durable and keeps facts; the
//! sender thread takes what the journal released, looks once more, and writes. Both only step the machines of
//! `journal/`; order, limits and doubt are decided there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use crate::broker::port::{BrokerLink, Lane, LinkError};
use crate::clock::{Clock, SessionTime};
use crate::domain::{ConnEpoch, OrderId};
use crate::journal::{
    FileDisk, JournalMachine, Journaled, OrderWriter, Record, Release, SendGate, SenderConfig, SenderMachine,
    WriteError, record,
};
use crate::message::BrokerEvent;
use crate::pipeline::ring::{Rx, Tx};
use crate::routing::orders::State;
use crate::routing::{Command, Fact};
use crate::telemetry::{Counter, Counters, Hop, LatencyRecorder};

/// Messages between the two threads; a full channel makes the journal thread wait, never routing.
const QUEUE: usize = 1_024;
/// Pause of either thread when it has nothing to do.
const IDLE: Duration = Duration::from_micros(50);

/// From the journal thread to the sender thread.
enum ToSender {
    Release(Release),
    Event(BrokerEvent),
}

/// What the threads are made of.
pub struct OrderPathParts<C, L> {
    /// The open journal.
    pub journal: JournalMachine<FileDisk>,
    /// The write side of the connection.
    pub link: L,
    /// The panic latch.
    pub gate: Arc<SendGate>,
    /// Settings of the sender.
    pub sender: SenderConfig,
    /// Routing → journal.
    pub commands: Rx<Command>,
    /// Routing → journal.
    pub facts: Rx<Fact>,
    /// Sender → routing.
    pub events: Tx<BrokerEvent>,
    /// The session's clock.
    pub clock: C,
    /// Empty histograms to copy.
    pub latency: LatencyRecorder,
    /// Shared counters.
    pub counters: Arc<Counters>,
}

/// The running threads.
pub struct OrderPath {
    journal: JoinHandle<(JournalMachine<FileDisk>, LatencyRecorder)>,
    sender: JoinHandle<LatencyRecorder>,
    stop: Arc<AtomicBool>,
    open_orders: Arc<AtomicUsize>,
    poisoned: Arc<AtomicBool>,
}

impl OrderPath {
    /// Starts both threads.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start<C, L>(parts: OrderPathParts<C, L>) -> std::io::Result<Self>
    where
        C: Clock + Clone + Send + 'static,
        L: BrokerLink + 'static,
    {
        let OrderPathParts { journal, link, gate, sender, commands, facts, events, clock, latency, counters } = parts;
        let stop = Arc::new(AtomicBool::new(false));
        let open_orders = Arc::new(AtomicUsize::new(0));
        let poisoned = Arc::new(AtomicBool::new(false));
        let (to_sender, from_journal) = bounded(QUEUE);
        let (to_journal, records) = bounded(QUEUE);
        let mut keeper = Keeper {
            journal,
            commands,
            facts,
            records,
            to_sender,
            clock: clock.clone(),
            latency: latency.clone(),
            counters: Arc::clone(&counters),
            lives: BTreeMap::new(),
            open_orders: Arc::clone(&open_orders),
            poisoned: Arc::clone(&poisoned),
        };
        let mut writer = Writing {
            machine: SenderMachine::new(LinkWriter(RefCell::new(link)), gate, sender),
            from_journal,
            to_journal,
            events,
            clock,
            latency,
            counters,
            made_at: BTreeMap::new(),
        };
        let (journal_stop, sender_stop) = (Arc::clone(&stop), Arc::clone(&stop));
        let journal = std::thread::Builder::new().name("journal".into()).spawn(move || {
            while keeper.step() || !journal_stop.load(Ordering::Acquire) {}
            keeper.end()
        })?;
        let sender = std::thread::Builder::new().name("sender".into()).spawn(move || {
            while writer.step() || !sender_stop.load(Ordering::Acquire) {}
            writer.latency
        })?;
        Ok(Self { journal, sender, stop, open_orders, poisoned })
    }

    /// Orders without a known end.
    pub fn open_orders(&self) -> usize {
        self.open_orders.load(Ordering::Acquire)
    }

    /// Whether a disk error poisoned the journal: routing must be disarmed, a person must look.
    pub fn poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    /// Whether a thread ended by itself.
    pub fn failed(&self) -> bool {
        self.journal.is_finished() || self.sender.is_finished()
    }

    /// Ends both threads once they have nothing left to do; gives the journal and the histograms back.
    pub fn stop(self) -> Option<(JournalMachine<FileDisk>, LatencyRecorder)> {
        self.stop.store(true, Ordering::Release);
        let written = self.sender.join();
        let (journal, mut latency) = self.journal.join().ok()?;
        latency.merge(&written.ok()?);
        Some((journal, latency))
    }
}

/// An order's stamps on its way.
#[derive(Clone, Copy)]
struct Life {
    made_at: SessionTime,
    sent_at: Option<SessionTime>,
    acknowledged: bool,
}

struct Keeper<C> {
    journal: JournalMachine<FileDisk>,
    commands: Rx<Command>,
    facts: Rx<Fact>,
    records: Receiver<Record>,
    to_sender: Sender<ToSender>,
    clock: C,
    latency: LatencyRecorder,
    counters: Arc<Counters>,
    lives: BTreeMap<OrderId, Life>,
    open_orders: Arc<AtomicUsize>,
    poisoned: Arc<AtomicBool>,
}

impl<C: Clock> Keeper<C> {
    /// One sweep; `false` after a pause with nothing done.
    fn step(&mut self) -> bool {
        let now = self.clock.now();
        let mut busy = false;
        let accepted = self.clock.mono_ns();
        while let Some(command) = self.commands.pop() {
            busy = true;
            if matches!(command, Command::New(_) | Command::Reduce(_)) {
                let made_at = command.approved().intent().at;
                self.lives.insert(command.order_id(), Life { made_at, sent_at: None, acknowledged: false });
            }
            self.journal.accept(command, now);
        }
        // The sender's mark of a write lies here before the broker's answer to it can come as a fact.
        while let Ok(record) = self.records.try_recv() {
            busy = true;
            self.keep(&record, now);
        }
        while let Some(fact) = self.facts.pop() {
            busy = true;
            self.follow(&fact);
            self.journal.note(&fact, now);
        }
        if self.journal.flush(now) {
            self.latency.record(Hop::JournalSync, self.clock.mono_ns().saturating_sub(accepted));
        }
        busy |= self.hand_over();
        if self.journal.take_control().is_some() {
            tracing::error!("the journal failed on its disk: nothing new is sent, what is held may still be closed");
            self.poisoned.store(true, Ordering::Release);
        }
        if !busy {
            super::pause(IDLE);
        }
        busy
    }

    fn keep(&mut self, record: &Record, now: SessionTime) {
        if let Record::Sent(sent) = record
            && sent.what == record::what::NEW
            && let Some(life) = self.lives.get_mut(&sent.order_id)
        {
            life.sent_at = Some(sent.at);
        }
        self.journal.keep(record, now);
    }

    fn hand_over(&mut self) -> bool {
        let mut busy = false;
        while let Some(release) = self.journal.take_release() {
            busy |= self.to_sender.send(ToSender::Release(release)).is_ok();
        }
        while let Some(event) = self.journal.take_event() {
            busy |= self.to_sender.send(ToSender::Event(event)).is_ok();
        }
        busy
    }

    /// Latencies of the order path, and which orders are open, from the facts that pass.
    fn follow(&mut self, fact: &Fact) {
        match fact {
            Fact::Fill(_) => self.counters.bump(Counter::Fills),
            Fact::Reject(r) => self.counters.reject(r.reason as usize - 1),
            Fact::Order(change) => {
                if let Some(life) = self.lives.get_mut(&change.order_id) {
                    let mono = |t| self.clock.mono_of(t);
                    if is_answer(change.to) && !life.acknowledged {
                        life.acknowledged = true;
                        let acked = mono(change.at);
                        self.latency.record(Hop::OrderRouting, acked.saturating_sub(mono(life.made_at)));
                        if let Some(sent_at) = life.sent_at {
                            self.latency.record(Hop::SendToAck, acked.saturating_sub(mono(sent_at)));
                        }
                    }
                    if !change.to.is_live() {
                        self.lives.remove(&change.order_id);
                    }
                }
            }
            _ => {}
        }
        self.open_orders.store(self.lives.len(), Ordering::Release);
    }

    fn end(mut self) -> (JournalMachine<FileDisk>, LatencyRecorder) {
        while let Ok(record) = self.records.try_recv() {
            self.keep(&record, self.clock.now());
        }
        (self.journal, self.latency)
    }
}

/// States that only the broker's own answer leads to: what we ask for or withdraw ourselves acknowledges nothing.
const fn is_answer(state: State) -> bool {
    matches!(state, State::Acked | State::Held | State::Partial | State::Filled | State::Cancelled | State::Rejected)
}

struct Writing<C, L> {
    machine: SenderMachine<LinkWriter<L>>,
    from_journal: Receiver<ToSender>,
    to_journal: Sender<Record>,
    events: Tx<BrokerEvent>,
    clock: C,
    latency: LatencyRecorder,
    counters: Arc<Counters>,
    made_at: BTreeMap<OrderId, SessionTime>,
}

impl<C: Clock, L: BrokerLink> Writing<C, L> {
    fn step(&mut self) -> bool {
        let now = self.clock.now();
        let mut busy = false;
        while let Ok(message) = self.from_journal.try_recv() {
            busy = true;
            match message {
                ToSender::Event(event) => self.tell(event),
                ToSender::Release(release) => {
                    if let Release::Send(order) = &release {
                        self.made_at.insert(order.order_id(), order.intent().at);
                        if matches!(order.command(), Command::Cancel { .. }) {
                            self.counters.bump(Counter::Cancels);
                        }
                    }
                    self.machine.accept(release, now);
                }
            }
        }
        busy |= self.machine.step(now) > 0;
        while let Some(record) = self.machine.take_record() {
            // A bounded channel that the journal thread always drains: waiting here is short.
            let _ = self.to_journal.send(record);
        }
        while let Some(event) = self.machine.take_event() {
            self.measure(&event);
            self.tell(event);
        }
        if !busy {
            super::pause(IDLE);
        }
        busy
    }

    fn measure(&mut self, event: &BrokerEvent) {
        match event {
            BrokerEvent::Sent(id) => {
                self.counters.bump(Counter::Orders);
                if let Some(at) = self.made_at.remove(id) {
                    let took = self.clock.mono_ns().saturating_sub(self.clock.mono_of(at));
                    self.latency.record(Hop::IntentToSend, took);
                }
            }
            BrokerEvent::Withdrawn(id) => {
                self.counters.bump(Counter::Withdrawn);
                self.made_at.remove(id);
            }
            _ => {}
        }
    }

    /// Routing must learn of every write: a full ring is waited for, since routing drains it first.
    fn tell(&mut self, event: BrokerEvent) {
        let mut event = event;
        while let Err(back) = self.events.push(event) {
            if self.events.is_abandoned() {
                return;
            }
            event = back;
            super::pause(IDLE);
        }
    }
}

/// [`BrokerLink`] as the sender machine writes to it.
struct LinkWriter<L>(RefCell<L>);

impl<L: BrokerLink> OrderWriter for LinkWriter<L> {
    fn epoch(&self) -> Option<ConnEpoch> {
        self.0.borrow_mut().epoch()
    }

    fn submit(&mut self, order: &Journaled) -> Result<(), WriteError> {
        self.0.get_mut().submit(order.terms(), lane(order.command())).map_err(|e| refusal(&e))
    }

    fn modify(&mut self, order: &Journaled) -> Result<(), WriteError> {
        self.0.get_mut().modify(order.terms(), lane(order.command())).map_err(|e| refusal(&e))
    }

    fn cancel(&mut self, order: &Journaled) -> Result<(), WriteError> {
        self.0.get_mut().cancel(order.order_id()).map_err(|e| refusal(&e))
    }
}

fn lane(command: &Command) -> Lane {
    if command.waits_for_disk() { Lane::New } else { Lane::Reduce }
}

fn refusal(error: &LinkError) -> WriteError {
    match error {
        // Routing makes the child again; the guards' own limit is meant to keep this rare.
        LinkError::Paced { .. } => tracing::info!("{error}"),
        LinkError::NotConnected | LinkError::Refused(_) | LinkError::Broken(_) => tracing::warn!("{error}"),
    }
    match error {
        LinkError::NotConnected => WriteError::NotSent("no connection"),
        LinkError::Paced { .. } => WriteError::NotSent("message budget used up"),
        LinkError::Refused(_) => WriteError::NotSent("the order can't be expressed"),
        LinkError::Broken(_) => WriteError::Unknown,
    }
}
