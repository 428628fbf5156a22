//! The sender as a step-able machine: the last look before the wire. It takes only journaled commands, re-reads the
//! latch, the connection and the time to live before each write, and answers "withdrawn" instead of writing. At most
//! K new orders are unacknowledged; the rest wait in a bounded queue until their time to live. Cancels, modifies and
//! reductions have a lane of their own. Nothing is ever sent twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use super::convert::what_of;
use super::journaled::{Journaled, Release};
use super::record::{self, Record, why};
use crate::clock::SessionTime;
use crate::domain::{ConnEpoch, OrderId};
use crate::message::BrokerEvent;
use crate::routing::Command;

/// Why a write did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// Refused before a byte was written.
    #[error("nothing was written: {0}")]
    NotSent(&'static str),
    /// Some or all bytes may have left.
    #[error("the write broke off: the order may or may not have arrived")]
    Unknown,
}

/// The wire, as the sender sees it. One call writes one message; none of them waits for an answer.
pub trait OrderWriter {
    /// The live connection, if any.
    fn epoch(&self) -> Option<ConnEpoch>;
    /// Places an order.
    fn submit(&mut self, order: &Journaled) -> Result<(), WriteError>;
    /// Places it again with new terms.
    fn modify(&mut self, order: &Journaled) -> Result<(), WriteError>;
    /// Cancels it.
    fn cancel(&mut self, order: &Journaled) -> Result<(), WriteError>;
}

/// The latch that panic sets and every write re-reads. Only cancels pass it.
#[derive(Debug, Default)]
pub struct SendGate(AtomicBool);

impl SendGate {
    /// An open gate, shared.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Closes it for good.
    pub fn latch(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it is closed.
    pub fn is_latched(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Settings: table `[sender]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderConfig {
    /// New orders that may be unacknowledged at once.
    pub unacknowledged_max: usize,
    /// Reductions that may be unacknowledged at once, besides.
    pub reductions_unacknowledged_max: usize,
    /// New orders that may wait.
    pub queue_max: usize,
    /// Cancels, modifies and reductions that may wait.
    pub reserve_queue_max: usize,
}

impl Default for SenderConfig {
    fn default() -> Self {
        Self { unacknowledged_max: 4, reductions_unacknowledged_max: 4, queue_max: 64, reserve_queue_max: 256 }
    }
}

impl SenderConfig {
    /// Checks every value; the error is one sentence that names the key.
    pub fn validate(&self) -> Result<(), String> {
        let all = [
            ("unacknowledged_max", self.unacknowledged_max, 32),
            ("reductions_unacknowledged_max", self.reductions_unacknowledged_max, 32),
            ("queue_max", self.queue_max, 4_096),
            ("reserve_queue_max", self.reserve_queue_max, 4_096),
        ];
        all.iter().try_for_each(|(name, v, max)| {
            if (1..=*max).contains(v) { Ok(()) } else { Err(format!("sender.{name} = {v}: give 1 to {max}")) }
        })
    }
}

#[derive(Debug)]
struct Unacknowledged {
    id: OrderId,
    reduction: bool,
}

/// The machine.
#[derive(Debug)]
pub struct SenderMachine<W> {
    writer: W,
    gate: Arc<SendGate>,
    config: SenderConfig,
    queue: VecDeque<Journaled>,
    reserve: VecDeque<Journaled>,
    unacknowledged: Vec<Unacknowledged>,
    epoch: Option<ConnEpoch>,
    events: VecDeque<BrokerEvent>,
    records: VecDeque<Record>,
    highest_written: OrderId,
}

impl<W: OrderWriter> SenderMachine<W> {
    /// A sender over `writer`.
    pub fn new(writer: W, gate: Arc<SendGate>, config: SenderConfig) -> Self {
        let (q, r) = (config.queue_max, config.reserve_queue_max);
        let u = config.unacknowledged_max + config.reductions_unacknowledged_max;
        Self {
            writer,
            gate,
            queue: VecDeque::with_capacity(q),
            reserve: VecDeque::with_capacity(r),
            unacknowledged: Vec::with_capacity(u),
            epoch: None,
            events: VecDeque::with_capacity(q + r),
            records: VecDeque::with_capacity(2 * (q + r)),
            highest_written: OrderId(0),
            config,
        }
    }

    /// The wire.
    pub fn writer_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Takes what the journal released.
    pub fn accept(&mut self, release: Release, now: SessionTime) {
        match release {
            Release::Settled(id) => self.unacknowledged.retain(|u| u.id != id),
            Release::Send(order) => self.enqueue(order, now),
        }
    }

    fn enqueue(&mut self, order: Journaled, now: SessionTime) {
        if let Command::Cancel { .. } = order.command() {
            let id = order.order_id();
            let lanes = [&mut self.queue, &mut self.reserve];
            let waiting = lanes.into_iter().find_map(|lane| {
                let is_it = |j: &Journaled| j.order_id() == id && !matches!(j.command(), Command::Modify(_));
                let i = lane.iter().position(|j| is_it(j) && !matches!(j.command(), Command::Cancel { .. }))?;
                lane.remove(i)
            });
            if let Some(new) = waiting {
                return self.withdraw(&new, why::CANCELLED, now);
            }
        }
        let (lane, max) = match order.command() {
            Command::New(_) => (&mut self.queue, self.config.queue_max),
            Command::Modify(_) | Command::Reduce(_) | Command::Cancel { .. } => {
                (&mut self.reserve, self.config.reserve_queue_max)
            }
        };
        if lane.len() < max {
            lane.push_back(order);
        } else {
            self.withdraw(&order, why::QUEUE, now);
        }
    }

    /// Nothing was written for `order`. A cancel that is not sent says nothing about its order.
    fn withdraw(&mut self, order: &Journaled, why: u8, now: SessionTime) {
        let order_id = order.order_id();
        let what = what_of(order.command());
        self.records.push_back(record::Withdrawn { at: now, order_id, what, why }.into());
        if what != record::what::CANCEL {
            self.events.push_back(BrokerEvent::Withdrawn(order_id));
        }
    }

    /// Writes what may be written now; returns how many messages it wrote or withdrew.
    pub fn step(&mut self, now: SessionTime) -> usize {
        let epoch = self.writer.epoch();
        if epoch != self.epoch {
            // What was unacknowledged on another connection is routing's doubt, not this connection's load.
            self.epoch = epoch;
            self.unacknowledged.clear();
        }
        let mut work = self.step_reserve(now);
        work += self.expire(now);
        while self.count(false) < self.config.unacknowledged_max
            && let Some(order) = self.queue.pop_front()
        {
            self.send(order, now);
            work += 1;
        }
        work
    }

    fn step_reserve(&mut self, now: SessionTime) -> usize {
        let mut work = 0;
        for _ in 0..self.reserve.len() {
            let Some(order) = self.reserve.pop_front() else { break };
            let reduction = matches!(order.command(), Command::Reduce(_));
            let waits = reduction
                && self.count(true) >= self.config.reductions_unacknowledged_max
                && self.obstacle(&order, now).is_none();
            if waits {
                self.reserve.push_back(order);
            } else {
                self.send(order, now);
                work += 1;
            }
        }
        work
    }

    /// Withdraws queued orders whose time is over or whose connection is gone.
    fn expire(&mut self, now: SessionTime) -> usize {
        let mut work = 0;
        for _ in 0..self.queue.len() {
            let Some(order) = self.queue.pop_front() else { break };
            match self.obstacle(&order, now) {
                Some(why) => {
                    self.withdraw(&order, why, now);
                    work += 1;
                }
                None => self.queue.push_back(order),
            }
        }
        work
    }

    fn count(&self, reduction: bool) -> usize {
        self.unacknowledged.iter().filter(|u| u.reduction == reduction).count()
    }

    /// Why `order` must not be written at this instant.
    fn obstacle(&self, order: &Journaled, now: SessionTime) -> Option<u8> {
        let cancel = matches!(order.command(), Command::Cancel { .. });
        if self.writer.epoch() != Some(order.intent().epoch) {
            Some(why::EPOCH)
        } else if !cancel && self.gate.is_latched() {
            Some(why::LATCH)
        } else if !cancel && now >= order.intent().ttl {
            Some(why::TTL)
        } else if what_of(order.command()) == record::what::NEW && order.order_id() <= self.highest_written {
            // A reduction overtook it: IB wants rising ids (103 otherwise). Routing places it again under a new one.
            Some(why::OVERTAKEN)
        } else {
            None
        }
    }

    fn send(&mut self, order: Journaled, now: SessionTime) {
        // The last look, immediately before the write.
        if let Some(why) = self.obstacle(&order, now) {
            return self.withdraw(&order, why, now);
        }
        let (order_id, what, epoch) = (order.order_id(), what_of(order.command()), order.intent().epoch);
        self.records.push_back(record::SendBegin { at: now, order_id, what, epoch }.into());
        let result = match order.command() {
            Command::New(_) | Command::Reduce(_) => self.writer.submit(&order),
            Command::Modify(_) => self.writer.modify(&order),
            Command::Cancel { .. } => self.writer.cancel(&order),
        };
        match result {
            Err(WriteError::NotSent(_)) => self.withdraw(&order, why::REFUSED, now),
            // Whether it arrived is for reconciliation to find out; it counts as sent.
            Ok(()) | Err(WriteError::Unknown) => {
                if result.is_ok() {
                    self.records.push_back(record::Sent { at: now, order_id, what, epoch }.into());
                }
                if what == record::what::NEW {
                    let reduction = matches!(order.command(), Command::Reduce(_));
                    self.unacknowledged.push(Unacknowledged { id: order_id, reduction });
                    self.highest_written = self.highest_written.max(order_id);
                    self.events.push_back(BrokerEvent::Sent(order_id));
                }
            }
        }
    }

    /// The next thing for routing.
    pub fn take_event(&mut self) -> Option<BrokerEvent> {
        self.events.pop_front()
    }

    /// The next record for the journal.
    pub fn take_record(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    /// Orders that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.reserve.len()
    }

    /// Orders written and not answered for, reductions included.
    pub fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }
}
