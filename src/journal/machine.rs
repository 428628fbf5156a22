//! The journal as a step-able machine: takes commands and facts, appends them, makes a whole group durable with one
//! sync, and only then releases what may raise exposure. Cancels and reductions are journaled and never wait. A disk
//! error poisons it: nothing new is released, reductions go on by the panic segment, and routing is told to disarm.

use std::collections::VecDeque;

use super::convert::{of_command, of_fact, short, what_of};
use super::disk::Disk;
use super::journaled::{Journaled, Release};
use super::reader::JournalError;
use super::record::{self, Record, why};
use super::recover::{Recovery, recover};
use super::writer::Writer;
use crate::clock::SessionTime;
use crate::domain::calendar::Date;
use crate::domain::{ClientId, Instrument, Money, OrderId, ProcessEpoch, SymbolId};
use crate::message::BrokerEvent;
use crate::routing::config::millis;
use crate::routing::orders::State;
use crate::routing::{Command, Control, DisarmReason, Fact, Recovered};

/// Commands that may wait for one sync; more are withdrawn.
const WAITING_MAX: usize = 256;
/// Outputs that may wait for their taker. Beyond it events are dropped for releases of settled orders only.
const OUTPUTS: usize = 1_024;

/// Settings: table `[journal]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// Bytes of a segment, preallocated.
    pub segment_bytes: usize,
    /// Facts without a waiting command are synced after this, session time.
    pub fact_sync_ms: i64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { segment_bytes: 8 << 20, fact_sync_ms: 250 }
    }
}

impl JournalConfig {
    /// Checks every value; the error is one sentence that names the key.
    pub fn validate(&self) -> Result<(), String> {
        if !(64 << 10..=1 << 30).contains(&self.segment_bytes) || !self.segment_bytes.is_multiple_of(4096) {
            return Err(format!(
                "journal.segment_bytes = {}: give a multiple of 4096 between 65536 and 1073741824",
                self.segment_bytes
            ));
        }
        if !(1..=60_000).contains(&self.fact_sync_ms) {
            return Err(format!("journal.fact_sync_ms = {}: give 1 to 60000", self.fact_sync_ms));
        }
        Ok(())
    }
}

/// What a session's first record says.
#[derive(Clone, Debug)]
pub struct SessionInfo<'a> {
    /// Now.
    pub at: SessionTime,
    /// The trade client.
    pub client: ClientId,
    /// Trading day.
    pub date: Date,
    /// Profile of the settings.
    pub profile: &'a str,
    /// The broker's account.
    pub account: &'a str,
    /// Hash of the settings.
    pub config_hash: u64,
    /// The universe.
    pub instruments: &'a [Instrument],
}

/// The machine.
#[derive(Debug)]
pub struct JournalMachine<D> {
    writer: Writer<D>,
    config: JournalConfig,
    waiting: Vec<(Command, u64)>,
    released: VecDeque<Release>,
    events: VecDeque<BrokerEvent>,
    control: Option<Control>,
    synced_at: SessionTime,
    told_poison: bool,
}

impl<D: Disk> JournalMachine<D> {
    /// Recovers the journal on `disk`, begins a session in it, and says what the past proves.
    pub fn open(
        mut disk: D,
        config: JournalConfig,
        session: &SessionInfo<'_>,
    ) -> Result<(Self, Recovered, ProcessEpoch), JournalError> {
        let Recovery { recovered, end, process_epoch } = recover(&mut disk, session.instruments, session.date)?;
        let writer = Writer::open(disk, end, u64::from(process_epoch.0), config.segment_bytes)?;
        let mut machine = Self {
            writer,
            config,
            waiting: Vec::with_capacity(WAITING_MAX),
            released: VecDeque::with_capacity(OUTPUTS),
            events: VecDeque::with_capacity(OUTPUTS),
            control: None,
            synced_at: session.at,
            told_poison: false,
        };
        machine.begin(session, process_epoch)?;
        Ok((machine, recovered, process_epoch))
    }

    fn begin(&mut self, s: &SessionInfo<'_>, process_epoch: ProcessEpoch) -> Result<(), JournalError> {
        let start = record::SessionStart {
            at: s.at,
            process_epoch,
            client: s.client,
            date: s.date,
            profile: short(s.profile),
            account: short(s.account),
            config_hash: s.config_hash,
        };
        self.writer.append(&start.into())?;
        for i in s.instruments {
            let symbol = record::Symbol { at: s.at, symbol: i.id, con_id: i.con_id, ticker: short(&i.symbol) };
            self.writer.append(&symbol.into())?;
        }
        self.writer.sync()
    }

    /// Takes a command. It is released now or by the next `flush`.
    pub fn accept(&mut self, command: Command, now: SessionTime) {
        let record = of_command(&command, now);
        if self.writer.is_poisoned() {
            return self.accept_poisoned(command, &record, now);
        }
        if let Command::Cancel { .. } = &command
            && self.withdraw_waiting(command.order_id(), now)
        {
            return;
        }
        if command.waits_for_disk() && self.waiting.len() == WAITING_MAX {
            return self.withdraw(&command, why::QUEUE, now);
        }
        match self.writer.append(&record) {
            Err(_) => self.accept_poisoned(command, &record, now),
            Ok(seq) if command.waits_for_disk() => self.waiting.push((command, seq)),
            Ok(seq) => {
                // In the page cache before it can be on the wire: a crash of this process keeps it.
                let _ = self.writer.write_out();
                self.released.push_back(Release::Send(Journaled::new(command, seq)));
            }
        }
        self.check_poison(now);
    }

    fn accept_poisoned(&mut self, command: Command, record: &Record, now: SessionTime) {
        if command.waits_for_disk() {
            return self.withdraw(&command, why::POISONED, now);
        }
        self.writer.append_panic(record);
        let seq = self.writer.seq();
        self.released.push_back(Release::Send(Journaled::new(command, seq)));
        self.check_poison(now);
    }

    /// A cancel of an order that still waits here: neither is sent. New terms that wait are withdrawn as well, or
    /// they would leave after the cancel; the cancel then goes on. Returns whether the cancel has no use any more.
    fn withdraw_waiting(&mut self, id: OrderId, now: SessionTime) -> bool {
        let found = self.waiting.iter().position(|(c, _)| c.order_id() == id);
        let Some(i) = found else { return false };
        let (command, _) = self.waiting.remove(i);
        self.withdraw(&command, why::CANCELLED, now);
        matches!(command, Command::New(_))
    }

    fn withdraw(&mut self, command: &Command, why: u8, now: SessionTime) {
        let order_id = command.order_id();
        let record = record::Withdrawn { at: now, order_id, what: what_of(command), why };
        let _ = self.writer.append(&record.into());
        self.events.push_back(BrokerEvent::Withdrawn(order_id));
    }

    /// Keeps a fact of routing. Never waits.
    pub fn note(&mut self, fact: &Fact, now: SessionTime) {
        if let Fact::Order(c) = fact {
            let settled = c.to.is_acknowledged() && !matches!(c.to, State::PendCancel | State::PendModify);
            if settled && self.released.len() < OUTPUTS {
                self.released.push_back(Release::Settled(c.order_id));
            }
        }
        self.keep(&of_fact(fact), now);
    }

    /// Keeps a record of the sender or the supervisor. Never waits.
    pub fn keep(&mut self, record: &Record, now: SessionTime) {
        let _ = self.writer.append(record);
        self.check_poison(now);
    }

    /// One group commit: syncs if a command waits or facts are old enough, then releases. Returns whether it
    /// synced.
    pub fn flush(&mut self, now: SessionTime) -> bool {
        let facts_due =
            self.writer.durable_seq() < self.writer.seq() && now - self.synced_at >= millis(self.config.fact_sync_ms);
        if self.waiting.is_empty() && !facts_due {
            return false;
        }
        if self.writer.sync().is_err() {
            self.check_poison(now);
            return false;
        }
        self.synced_at = now;
        for (command, seq) in self.waiting.drain(..) {
            self.released.push_back(Release::Send(Journaled::new(command, seq)));
        }
        // Only a full segment needs the next one: failing to make it early is told when it matters.
        let _ = self.writer.maintain();
        true
    }

    /// Whether commands wait for the disk.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn check_poison(&mut self, now: SessionTime) {
        if !self.writer.is_poisoned() || self.told_poison {
            return;
        }
        self.told_poison = true;
        self.control = Some(Control::Disarm { reason: DisarmReason::JournalPoisoned });
        let waiting = std::mem::take(&mut self.waiting);
        for (command, _) in &waiting {
            self.withdraw(command, why::POISONED, now);
        }
    }

    /// The next thing for the sender.
    pub fn take_release(&mut self) -> Option<Release> {
        self.released.pop_front()
    }

    /// The next thing for routing: an order that will not be sent.
    pub fn take_event(&mut self) -> Option<BrokerEvent> {
        self.events.pop_front()
    }

    /// What routing must be told when the journal is poisoned; once.
    pub fn take_control(&mut self) -> Option<Control> {
        self.control.take()
    }

    /// Whether a disk error ended it.
    pub fn is_poisoned(&self) -> bool {
        self.writer.is_poisoned()
    }

    /// Number of the last frame that a power loss can't take.
    pub fn durable_seq(&self) -> u64 {
        self.writer.durable_seq()
    }

    /// Ends the session in order: positions, totals, a last sync.
    pub fn close(&mut self, positions: &[record::Position], now: SessionTime) -> Result<(), JournalError> {
        for p in positions.iter().filter(|p| p.filled.0 != 0 || p.cash_flow.0 != 0) {
            self.writer.append(&(*p).into())?;
        }
        let epoch = self.writer.epoch();
        self.writer.sync()?;
        let totals = super::totals(self.writer.disk_mut(), Some(epoch))?;
        let end = record::SessionEnd {
            at: now,
            executions: totals.executions.len() as u64,
            cash_flow: totals.cash_flow,
            commissions: totals.commissions,
        };
        self.writer.append(&end.into())?;
        self.writer.sync()
    }

    /// The disk, to read.
    pub fn disk_mut(&mut self) -> &mut D {
        self.writer.disk_mut()
    }
}

/// A position record from the book.
pub fn position_record(symbol: SymbolId, p: &crate::routing::orders::Position, at: SessionTime) -> record::Position {
    record::Position {
        at,
        symbol,
        filled: p.filled,
        basis: p.basis,
        cash_flow: p.cash_flow,
        realized: p.realized,
        commissions: Money(p.commissions.0),
    }
}
