//! The write side of the order connection, for the caller's sender thread. Owns no order state: what is sent,
//! and whether, is the business of the state machine that it steps. Orders go out fire-and-forget; every answer
//! comes on the one order update stream, which `ingest` reads.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam::channel::Sender;
use ibapi::Error;

use super::shared::{Live, Shared, Writer};
use super::translate::to_order;
use super::worker::ToWorker;
use crate::broker::port::{BrokerLink, Lane, LinkError, Query};
use crate::clock::Clock;
use crate::domain::{ConnEpoch, OrderId};
use crate::message::OrderTerms;

/// [`BrokerLink`] over ibapi. One per program: it goes to the sender thread.
pub struct IbLink<C> {
    shared: Arc<Shared>,
    clock: C,
    worker: Sender<ToWorker>,
    generation: u64,
    bound: Option<Arc<Live>>,
}

impl<C: Clock + Send> IbLink<C> {
    pub(super) fn new(shared: Arc<Shared>, clock: C, worker: Sender<ToWorker>) -> Self {
        Self { shared, clock, worker, generation: u64::MAX, bound: None }
    }

    fn place(&self, terms: &OrderTerms, lane: Lane) -> Result<(), LinkError> {
        let order = to_order(terms, &self.shared.directory.account).map_err(LinkError::Refused)?;
        let contract = self
            .shared
            .contract(terms.symbol)
            .ok_or_else(|| LinkError::Refused(format!("symbol {} is not in the universe", terms.symbol)))?;
        self.write(lane, |live| live.client.submit_order(terms.order_id.0, contract, &order))
    }

    fn write(&self, lane: Lane, call: impl FnOnce(&Live) -> Result<(), Error>) -> Result<(), LinkError> {
        let live = self.bound.as_ref().ok_or(LinkError::NotConnected)?;
        if !live.client.is_connected() {
            return Err(LinkError::NotConnected);
        }
        if let Err(wait) = self.shared.pacer.try_take(lane, self.clock.now()) {
            self.shared.metrics.paced.fetch_add(1, Ordering::Relaxed);
            return Err(LinkError::Paced { wait });
        }
        self.shared.writing(Writer::Sender, &self.clock, || call(live)).map_err(link_error)?;
        self.shared.metrics.orders_written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Which of ibapi's errors come before the first byte is written: its send gate and its checks of the order. A
/// shutdown is told by the gate and by a write that was cut short alike: doubt.
fn link_error(error: Error) -> LinkError {
    match error {
        Error::ConnectionReset | Error::ConnectionFailed => LinkError::NotConnected,
        Error::OrderIdInRequestRange { .. } | Error::ServerVersion(..) | Error::InvalidArgument(_) => {
            LinkError::Refused(error.to_string())
        }
        other => LinkError::Broken(other.to_string()),
    }
}

impl<C: Clock + Send> BrokerLink for IbLink<C> {
    fn epoch(&mut self) -> Option<ConnEpoch> {
        let generation = self.shared.generation();
        if generation != self.generation {
            self.generation = generation;
            self.bound = self.shared.live();
        }
        self.bound.as_ref().filter(|live| live.client.is_connected()).map(|live| live.epoch)
    }

    fn submit(&mut self, terms: &OrderTerms, lane: Lane) -> Result<(), LinkError> {
        self.place(terms, lane)
    }

    fn modify(&mut self, terms: &OrderTerms, lane: Lane) -> Result<(), LinkError> {
        self.place(terms, lane)
    }

    fn cancel(&mut self, id: OrderId) -> Result<(), LinkError> {
        // The subscription that ibapi makes here is dropped unread: no order of ours has a stream of its own that
        // it could displace, and the answers come on the update stream.
        self.write(Lane::Reduce, |live| live.client.cancel_order(id.0, "").map(drop))
    }

    fn what_if(&mut self, terms: &OrderTerms) -> Result<(), LinkError> {
        self.worker
            .try_send(ToWorker::Ask(Query::WhatIf(*terms)))
            .map_err(|_| LinkError::Refused("the worker's queue is full".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_that_began_puts_an_order_in_doubt() {
        let broken = std::io::Error::new(std::io::ErrorKind::BrokenPipe, "broken pipe");
        assert!(!link_error(Error::Io(broken)).surely_unsent());
        assert!(!link_error(Error::Shutdown).surely_unsent());
        for before in [
            Error::ConnectionReset,
            Error::ConnectionFailed,
            Error::OrderIdInRequestRange { order_id: 1_500_000_000 },
            Error::ServerVersion(216, 213, "post only".into()),
        ] {
            assert!(link_error(before.clone()).surely_unsent(), "{before}");
        }
    }
}
