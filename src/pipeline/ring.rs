//! SPSC rings: the only user of `rtrb`. What happens when one is full is its policy, named in
//! `pipeline/topology.rs`; no producer ever waits.

use rtrb::{Consumer, Producer, RingBuffer};

use crate::domain::SymbolId;
use crate::message::{MarketEvent, PositionState};

/// The producer's end. Counts what found no room.
#[derive(Debug)]
pub struct Tx<T> {
    inner: Producer<T>,
    refused: u64,
}

/// The consumer's end.
#[derive(Debug)]
pub struct Rx<T> {
    inner: Consumer<T>,
}

/// A ring of `capacity` messages.
pub fn ring<T>(capacity: usize) -> (Tx<T>, Rx<T>) {
    let (inner, rx) = RingBuffer::new(capacity);
    (Tx { inner, refused: 0 }, Rx { inner: rx })
}

impl<T> Tx<T> {
    /// Pushes, or gives the message back when the ring is full.
    pub fn push(&mut self, message: T) -> Result<(), T> {
        self.inner.push(message).map_err(|rtrb::PushError::Full(m)| {
            self.refused += 1;
            m
        })
    }

    /// Free places.
    pub fn room(&self) -> usize {
        self.inner.slots()
    }

    /// Messages given back since the start.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether the consumer's end is gone.
    pub fn is_abandoned(&self) -> bool {
        self.inner.is_abandoned()
    }
}

impl<T> Rx<T> {
    /// Takes the oldest message.
    pub fn pop(&mut self) -> Option<T> {
        self.inner.pop().ok()
    }

    /// Messages waiting.
    pub fn waiting(&self) -> usize {
        self.inner.slots()
    }
}

/// Where a message waits while a conflated ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the symbol's slot, replacing the one before.
    Symbol(SymbolId),
    /// In the one slot that is flushed after all others, replacing the one before.
    Last,
    /// In a bounded queue that is flushed first: it may not be replaced.
    Queue,
}

/// A message that can wait in a conflated ring.
pub trait Conflate: Copy {
    /// Its place.
    fn place(&self) -> Place;
}

impl Conflate for MarketEvent {
    fn place(&self) -> Place {
        match self {
            Self::Tick(t) => Place::Symbol(t.symbol),
            Self::Timer(_) => Place::Last,
            Self::History(_) | Self::Status(_) | Self::DataLink { .. } => Place::Queue,
        }
    }
}

impl Conflate for PositionState {
    fn place(&self) -> Place {
        Place::Symbol(self.symbol)
    }
}

/// Most messages that may wait beside a full ring without being replaced; more means the consumer is dead.
const SIDE_QUEUE: usize = 4_096;

/// The `Conflate` policy: while the ring is full, the latest message of each place waits at the producer.
#[derive(Debug)]
pub struct ConflatingTx<T> {
    ring: Tx<T>,
    pending: Vec<Option<T>>,
    order: Vec<u16>,
    queue: std::collections::VecDeque<T>,
    last: Option<T>,
    conflated: u64,
}

impl<T: Conflate> ConflatingTx<T> {
    /// Wraps a ring for `symbols` symbols.
    pub fn new(ring: Tx<T>, symbols: usize) -> Self {
        Self {
            ring,
            pending: vec![None; symbols],
            order: Vec::with_capacity(symbols),
            queue: std::collections::VecDeque::with_capacity(SIDE_QUEUE),
            last: None,
            conflated: 0,
        }
    }

    /// Takes a message. `false` = it could not be kept: the consumer is dead, or the symbol is unknown.
    pub fn push(&mut self, message: T) -> bool {
        let rejected = if self.flush() { self.ring.push(message).err() } else { Some(message) };
        rejected.is_none_or(|m| self.park(m))
    }

    /// Moves what waits into the ring; `true` when nothing waits any more.
    pub fn flush(&mut self) -> bool {
        while let Some(message) = self.queue.front() {
            if self.ring.push(*message).is_err() {
                return false;
            }
            self.queue.pop_front();
        }
        let mut moved = 0;
        for id in &self.order {
            let slot = &mut self.pending[*id as usize];
            if slot.is_some_and(|m| self.ring.push(m).is_err()) {
                break;
            }
            *slot = None;
            moved += 1;
        }
        self.order.drain(..moved);
        if !self.order.is_empty() {
            return false;
        }
        if self.last.is_some_and(|m| self.ring.push(m).is_err()) {
            return false;
        }
        self.last = None;
        true
    }

    /// Messages that were replaced by a later one before the consumer saw them.
    pub const fn conflated(&self) -> u64 {
        self.conflated
    }

    /// Whether the consumer's end is gone.
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    fn park(&mut self, message: T) -> bool {
        match message.place() {
            Place::Symbol(symbol) => {
                let Some(slot) = self.pending.get_mut(symbol.index()) else { return false };
                if slot.replace(message).is_some() {
                    self.conflated += 1;
                } else {
                    self.order.push(symbol.0);
                }
            }
            Place::Last => self.conflated += u64::from(self.last.replace(message).is_some()),
            Place::Queue => {
                if self.queue.len() >= SIDE_QUEUE {
                    return false;
                }
                self.queue.push_back(message);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SessionTime;
    use crate::domain::Price;
    use crate::message::Tick;

    fn tick(symbol: u16, bid: i64) -> MarketEvent {
        MarketEvent::Tick(Tick { symbol: SymbolId(symbol), bid: Price(bid), ..Tick::default() })
    }

    #[test]
    fn a_full_ring_keeps_the_latest_tick_of_each_symbol_and_the_latest_timer() {
        let (tx, mut rx) = ring(2);
        let mut tx = ConflatingTx::new(tx, 2);
        for event in [tick(0, 1), tick(1, 1), tick(0, 2), tick(0, 3), tick(1, 2)] {
            assert!(tx.push(event));
        }
        assert!(tx.push(MarketEvent::Timer(SessionTime(1))));
        assert!(tx.push(MarketEvent::Timer(SessionTime(2))));
        let mut seen = Vec::new();
        while let Some(event) = rx.pop() {
            seen.push(event);
            tx.flush();
        }
        assert_eq!(seen, vec![tick(0, 1), tick(1, 1), tick(0, 3), tick(1, 2), MarketEvent::Timer(SessionTime(2))]);
        assert_eq!(tx.conflated(), 2);
    }
}
