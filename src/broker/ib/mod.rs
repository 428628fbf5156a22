//! The adapter to Interactive Brokers through the TWS protocol. The only user of `ibapi`.
//!
//! [`IbBroker::connect`] opens both connections, checks the account and qualifies the universe;
//! [`IbBroker::start`] begins to trade facts for orders. Five threads: `ib-session` (connections, lines),
//! `ib-ingest` (all reading), `ib-worker` (questions), `ib-heartbeat`, `ib-watchdog`; the sender thread belongs to
//! the caller ([`IbBroker::link`]).
//!
//! Deliberately absent: ibapi's own reconnect (it opens the way for orders before anyone is told) and its rate
//! limiter (it sleeps).

mod config;
mod conflate;
mod connect;
pub mod errors;
mod ingest;
mod lifecycle;
pub mod pacing;
mod qualify;
mod record;
mod record_history;
mod record_merge;
mod sender;
pub mod session;
mod shared;
pub mod translate;
mod warmup;
mod watch;
mod worker;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use ibapi::client::blocking::Client;

pub use config::{Config, is_paper_account};
pub use conflate::{CATCH_UP, Conflator, Counts};
pub use connect::{BrokerError, MIN_SERVER_VERSION};
pub use qualify::Listing;
pub use record::{Heard, RecordOptions, Recorder};
pub use record_history::{HistoryClient, HistoryPacer};
pub use record_merge::Top;
pub use sender::IbLink;
pub use shared::{Halt, MetricsSnapshot};
pub use worker::QueryPort;

use crate::broker::port::{BrokerSink, MarketSink};
use crate::clock::{Clock, Nanos, ScaledClock};
use crate::domain::{ConnEpoch, Instrument};
use connect::Opened;
use ingest::{Ingest, ToIngest};
use lifecycle::{Channels, Lifecycle, ToSession};
use pacing::Pacer;
use session::{Action, Input, Session};
use shared::Shared;
use translate::Directory;
use worker::{ToWorker, Worker};

/// Wall pause between looks at the machine while it backs off before the first connection.
const CONNECT_POLL: Duration = Duration::from_millis(20);

/// What [`IbBroker::start`] needs once.
struct Pending {
    machine: Session,
    opened: Opened,
    worker: Client,
    to_ingest: Receiver<ToIngest>,
    to_worker: Receiver<ToWorker>,
    from_ingest: (Sender<ToSession>, Receiver<ToSession>),
}

/// The connected adapter.
pub struct IbBroker<C> {
    shared: Arc<Shared>,
    clock: C,
    ingest: Sender<ToIngest>,
    worker: Sender<ToWorker>,
    pending: Option<Box<Pending>>,
    threads: Vec<JoinHandle<()>>,
}

impl<C: Clock + Clone + Send + Sync + 'static> IbBroker<C> {
    /// Opens both connections, checks the account, reads the clock and qualifies `universe` (ids in its order).
    /// The clock is made after the first handshake: a simulated gateway writes its clock file then. A gateway that
    /// isn't there yet is tried for `connect_wait_s`. `seed` spreads the retries.
    ///
    /// # Errors
    /// One sentence with its fix.
    pub fn connect(
        config: Config,
        universe: &[Listing],
        seed: u64,
        make_clock: impl FnOnce() -> Result<C, BrokerError>,
    ) -> Result<Self, BrokerError> {
        config.validate()?;
        let mut machine = Session::new(seed);
        let opened = first_connection(&config, &mut machine)?;
        let clock = make_clock()?;
        let worker = connect::open_worker(&config)?;
        let pacer = Arc::new(Pacer::new(config.messages_per_s, config.message_burst));
        let instruments = qualify::qualify(&worker, universe, &config, &pacer, &clock)?;
        machine.step(Input::Qualified, 0);
        let directory = Directory::new(instruments, &config.account);
        let shared = Arc::new(Shared::new(config, directory, pacer));
        let (ingest, to_ingest) = bounded(ingest::QUEUE);
        let (to_worker, questions) = bounded(worker::QUEUE);
        let from_ingest = bounded(lifecycle::QUEUE);
        let pending = Pending { machine, opened, worker, to_ingest, to_worker: questions, from_ingest };
        let pending = Some(Box::new(pending));
        Ok(Self { shared, clock, ingest, worker: to_worker, pending, threads: Vec::new() })
    }

    /// Starts the threads. Order of what follows: `Link(Up)`, then the snapshots' rows and ends; history, then the
    /// grid and the first ticks. A second call does nothing.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn start(
        &mut self,
        market: impl MarketSink + 'static,
        broker: impl BrokerSink + 'static,
    ) -> Result<(), BrokerError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let Pending { machine, opened, worker, to_ingest, to_worker, from_ingest: (to_session, requests) } = *pending;
        let (shared, clock, ask) = (&self.shared, &self.clock, &self.worker);
        let ingest = Ingest::new(shared.clone(), clock.clone(), market, broker, to_ingest, to_session, ask.clone());
        let worker = Arc::new(worker);
        let questions = Worker::new(shared.clone(), clock.clone(), to_worker, self.ingest.clone(), Arc::clone(&worker));
        let channels = Channels { requests, ingest: self.ingest.clone(), worker: ask.clone() };
        let lifecycle = Lifecycle::new(shared.clone(), clock.clone(), machine, opened, channels);
        let (beat, watch) = ((shared.clone(), clock.clone()), (shared.clone(), clock.clone()));
        self.spawn("ib-ingest", move || ingest.run())?;
        self.spawn("ib-worker", move || questions.run())?;
        self.spawn("ib-session", move || lifecycle.run(&worker))?;
        self.spawn("ib-heartbeat", move || watch::heartbeat(&beat.0, &beat.1))?;
        self.spawn("ib-watchdog", move || watch::watchdog(&watch.0, &watch.1))
    }

    fn spawn(&mut self, name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<(), BrokerError> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(body);
        self.threads.push(thread.map_err(|source| BrokerError::Thread { name, source })?);
        Ok(())
    }

    /// The qualified universe, at the index of each symbol's id.
    pub fn instruments(&self) -> &[Instrument] {
        &self.shared.directory.instruments
    }

    /// The write side of the order connection, for the sender thread.
    pub fn link(&self) -> IbLink<C> {
        IbLink::new(self.shared.clone(), self.clock.clone(), self.worker.clone())
    }

    /// Where routing puts its questions.
    pub fn queries(&self) -> QueryPort {
        QueryPort(self.worker.clone())
    }

    /// The session's clock.
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The epoch of the live connection.
    pub fn epoch(&self) -> Option<ConnEpoch> {
        self.shared.live().map(|l| l.epoch)
    }

    /// Counters now.
    pub fn metrics(&self) -> MetricsSnapshot {
        self.shared.metrics.snapshot()
    }

    /// Gateway time minus session time at the last heartbeat (whole seconds of the gateway's clock), ns.
    pub fn clock_skew(&self) -> Nanos {
        self.shared.clock_skew.load(Ordering::Relaxed)
    }

    /// Why the adapter stopped by itself, if it did.
    pub fn halted(&self) -> Option<Halt> {
        self.shared.halt.get().cloned()
    }

    /// Ends in order: passes on what was told, closes the lines, disconnects, joins the threads.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the adapter had panicked");
            }
        }
    }
}

impl<C> Drop for IbBroker<C> {
    fn drop(&mut self) {
        // Without `shutdown`, the threads are told to end and not waited for.
        self.shared.stop();
    }
}

/// The first order connection: the machine is stepped until the account is checked, or time is over.
fn first_connection(config: &Config, machine: &mut Session) -> Result<Opened, BrokerError> {
    // Backoff runs in wall time, and the session's clock does not exist yet.
    let wall = ScaledClock::real_time();
    let began = wall.mono_ns();
    let now_ms = || wall.mono_ns().saturating_sub(began) / 1_000_000;
    let mut failure = None;
    let mut opened: Option<Opened> = None;
    let mut input = Input::Tick;
    loop {
        let patient = now_ms() < config.connect_wait_s * 1_000;
        input = match machine.step(input, now_ms()) {
            Action::Connect(epoch) => match connect::open_orders(config, epoch) {
                Ok(connection) => {
                    opened = Some(connection);
                    Input::Connected
                }
                Err(e) => {
                    let may_pass = patient && e.may_pass();
                    failure = Some(e);
                    Input::Failed { may_pass }
                }
            },
            Action::CheckAccount => {
                let connection =
                    opened.as_ref().map_or(Ok(()), |o| connect::check_account(&o.live.client, &config.account));
                match connection {
                    Ok(()) => Input::AccountOk,
                    Err(e) => {
                        failure = Some(e);
                        Input::Failed { may_pass: false }
                    }
                }
            }
            Action::Qualify => match opened.take() {
                Some(connection) => return Ok(connection),
                None => Input::Dropped,
            },
            Action::GiveUp => {
                let why = || BrokerError::Other { address: config.address(), why: "no connection".into() };
                return Err(failure.unwrap_or_else(why));
            }
            Action::None | Action::GoLive | Action::Close => {
                shared::pause(CONNECT_POLL);
                Input::Tick
            }
        };
    }
}
