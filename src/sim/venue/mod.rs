//! The venue: a pure exchange and broker core behind the TWS protocol's messages.
//!
//! Owns connections, subscriptions, orders, matching, accounts. Knows no socket, no clock, no file: requests and `now`
//! come in, answers go out, and the same calls give the same answers. May not touch the wire, the trader, or anything
//! but `sim::api`, `sim::market` and the referee that watches it.
//!
//! **Calls.** [`Venue::handle`] for each request, [`Venue::advance`] whenever time has passed; [`Venue::next_due`] says
//! when something will happen next, for stepping in lockstep. `now` never runs backwards: an earlier one counts as the
//! latest seen.
//!
//! **Where behaviour comes from** (`recorded` on real gateways, `documented` by IB, `assumed`):
//! * recorded: order of messages at log-in, of a market order's opening and closing leg, of resting, cancelling
//!   (in hours, off hours, before the acknowledgement, across clients), of IOC, FOK and what-if; held states of stops,
//!   trails and bracket children off hours; errors 200, 201, 202, 321, 399, 10147, 10148; repeated reqCurrentTime; echo of
//!   orders; fees; summary rows; unsubscribed accounts (2100);
//! * documented: 101, 103, 105, 110, 326, 162, pacing (100), shortable ticks 46 and 89, account cadence, commissions
//!   (`fees`), margin (`exposure`), price bands and breakers (`bands`), borrowing (`borrow`), algo and scale errors; of
//!   streams, history and entitlements see `data`, `delayed`, `streams`, `five_seconds`, `depth`, `history`, `past`,
//!   `lookups`;
//! * assumed: delays ([`Delays`]), partial fills and the queue (`book`), good-till-date expiry, what
//!   triggers and fills stops, pegs and prints (`triggers`), how algos are worked (`algos`) and conditions read
//!   (`conditions`), children's and OCA quantities (`groups`), margin calls and the enforcement of Rule 201 (`house`).
//!
//! Each file says which is which for what it owns; `GATEWAY.md` has one table of all.
//!
//! **Between venue and clients** stand the referee, which hears what the venue says, and then the faults of the scenarios
//! (`sim/faults`). **State** outlives the process through [`Venue::state`] and [`Venue::resume`] (`state`).

mod account;
mod agenda;
mod algos;
mod attributes;
mod bands;
mod book;
mod borrow;
mod changes;
mod clients;
mod commands;
mod conditions;
mod contracts;
mod core;
mod data;
mod delayed;
mod delays;
mod depth;
mod efficiency;
mod entitlement;
mod entry;
mod exposure;
mod facts;
mod fees;
mod fills;
mod five_seconds;
mod groups;
mod halts;
mod history;
mod house;
mod lookups;
mod orders;
mod past;
mod precautions;
mod queries;
mod quotes;
mod reports;
mod rows;
mod rules;
mod sessions;
mod state;
mod statements;
mod streams;
mod tape;
mod terms;
mod text;
mod triggers;

use crate::clock::{Nanos, SessionTime};
use crate::domain::Money;
use crate::sim::api::{ConnId, Outgoing, Request};
use crate::sim::faults::{Command, Faults, Inbound, Scenario};
use crate::sim::market::sampler::SAMPLE_PERIOD;
use crate::sim::market::{MarketError, MarketSource, Reference};
use crate::sim::referee::{Audit, Limits, MarketFacts, Referee};

pub use borrow::{Borrow, ShortStock, ShortStockError};
pub use delays::{Delays, DelaysError};
pub use efficiency::Efficiency;
pub use entitlement::{Entitlement, Entitlements};
pub use fees::FeePlan;
pub use halts::{HaltsError, PlannedHalt, parse_halts, read_halts};
pub use rules::{AccountKind, Base, BreakerIndex, FillOrKill, Precautions, Rules};
pub use state::{StateChange, StateError, VenueState};

/// Rounds in which faults may strike at what other faults caused in one instant; the rest waits for the next call.
const SETTLE_MAX: usize = 16;

/// What does not change during a session.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// The account's code.
    pub account: String,
    /// Its cash at the start.
    pub cash: Money,
    /// Market-data lines, all clients together.
    pub lines_max: usize,
    /// Session time between samples of one symbol; 0 = every event is sent.
    pub sample_period: Nanos,
    /// Which market data the account may have.
    pub entitlements: Entitlements,
    /// Messages a second, all clients together, before error 100.
    pub messages_per_s_max: usize,
    /// How long orders and reports take.
    pub delays: Delays,
    /// The client that hears of every client's orders; none by default.
    pub master_client: Option<i32>,
    /// Whether reqExecutions sends its end when there is none to report; gateways were recorded doing either.
    pub executions_end_when_empty: bool,
    /// Symbols whose short-sale restriction was triggered on the previous trading day.
    pub restricted: Vec<String>,
    /// What the account holds at the start, beside its cash.
    pub holdings: Vec<Holding>,
    /// The farms that a log-in tells of: code and text of the notice.
    pub farms: Vec<(i32, String)>,
    /// What orders are held to.
    pub rules: Rules,
    /// What goes wrong; empty = nothing does.
    pub scenarios: Vec<Scenario>,
    /// What the referee holds clients to.
    pub limits: Limits,
}

impl Default for VenueConfig {
    fn default() -> Self {
        Self {
            account: "DU9000001".into(),
            cash: Money(1_000_000_000_000),
            lines_max: 100,
            sample_period: SAMPLE_PERIOD,
            entitlements: Entitlements::default(),
            messages_per_s_max: 50,
            delays: Delays::default(),
            master_client: None,
            executions_end_when_empty: true,
            restricted: Vec::new(),
            holdings: Vec::new(),
            farms: queries::FARMS.iter().map(|(code, text)| (*code, (*text).to_string())).collect(),
            rules: Rules::default(),
            scenarios: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// A position that the account brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Ticker; one that the market does not have is left out.
    pub symbol: String,
    /// Signed.
    pub shares: i64,
    /// Cost of one with commissions.
    pub average_cost: Money,
}

/// The venue, the referee that watches it, and the faults between it and its clients.
pub struct Venue {
    core: core::Core,
    referee: Referee,
    faults: Faults,
    /// What the venue said, before faults.
    said: Vec<Outgoing>,
    /// What of the state was told to whoever keeps it.
    told: state::Told,
}

impl Venue {
    /// A venue at the source's start.
    pub fn new(config: VenueConfig, source: Box<dyn MarketSource>, seed: u64) -> Self {
        let referee = Referee::new(config.limits.clone(), source.hours(), config.account.clone(), config.cash);
        let faults = Faults::new(&config.scenarios, source.references(), source.start(), seed);
        Self {
            core: core::Core::new(config, source, seed),
            referee,
            faults,
            said: Vec::new(),
            told: state::Told::default(),
        }
    }

    /// Takes a request at `now`. What is due by then happens first.
    pub fn handle(&mut self, now: SessionTime, conn: ConnId, mut request: Request, out: &mut Vec<Outgoing>) {
        self.advance(now, out);
        let now = self.core.now();
        self.referee.request(now, conn, &request, &self.core);
        match self.faults.inbound(now, conn, &mut request, out) {
            Inbound::Pass => {
                self.obey(out);
                self.core.handle(conn, request, &mut self.said);
                self.speak(out);
            }
            Inbound::Instead(answers) => {
                self.obey(out);
                out.extend(answers.into_iter().map(|response| Outgoing { conn, response }));
            }
        }
        self.settle(now, out);
    }

    /// Lets time pass until `now`: instant by instant where anything may strike, so that what a fault does and when does
    /// not depend on how often the host looks at the clock.
    pub fn advance(&mut self, now: SessionTime, out: &mut Vec<Outgoing>) {
        let mut last = None;
        while !self.faults.is_idle()
            && let Some(due) = self.next_due().filter(|t| *t < now && last.is_none_or(|l| l < *t))
        {
            self.step(due, out);
            last = Some(due);
        }
        self.step(now, out);
    }

    fn step(&mut self, now: SessionTime, out: &mut Vec<Outgoing>) {
        self.core.advance(now, &mut self.said);
        self.speak(out);
        self.settle(now, out);
    }

    /// What struck at this very instant is done at once.
    fn settle(&mut self, now: SessionTime, out: &mut Vec<Outgoing>) {
        for _ in 0..SETTLE_MAX {
            if self.faults.next_due().is_none_or(|t| t > now) {
                return;
            }
            self.faults.run_due(now, out);
            self.obey(out);
            self.core.advance(now, &mut self.said);
            self.speak(out);
        }
    }

    /// When something happens next without a request; `None` after the last event of the session.
    pub fn next_due(&mut self) -> Option<SessionTime> {
        [self.core.next_due(), self.faults.next_due()].into_iter().flatten().min()
    }

    /// The universe.
    pub fn references(&self) -> &[Reference] {
        self.core.references()
    }

    /// What broke the market data, if anything did.
    pub fn market_failure(&self) -> Option<&MarketError> {
        self.core.source.failure()
    }

    /// How many faults of the scenarios have struck.
    pub fn faults_struck(&self) -> u64 {
        self.faults.struck()
    }

    /// The referee's account of the session so far.
    pub fn audit(&self) -> Audit {
        self.referee.audit(self.core.now(), &self.core)
    }

    /// Where the referee's limits say that a panic file may lie.
    pub fn panic_file(&self) -> Option<&std::path::Path> {
        self.referee.panic_file()
    }

    /// The panic file lies, or does not, at `now`: for the referee alone.
    pub fn panic(&mut self, now: SessionTime, lies: bool) {
        self.referee.panic(now.max(self.core.now()), lies);
    }

    /// What counts towards IB's order-efficiency ratio, so far.
    pub fn efficiency(&self) -> Efficiency {
        self.core.efficiency
    }

    /// Ends the session: what is under way is delivered now.
    pub fn finish(&mut self, out: &mut Vec<Outgoing>) {
        self.core.deliver_all(&mut self.said);
        self.speak(out);
    }

    /// Does what faults ask of the venue.
    fn obey(&mut self, out: &mut Vec<Outgoing>) {
        for command in self.faults.take_commands() {
            let split = matches!(command, Command::Split { .. });
            self.core.command(command, &mut self.said);
            if split {
                // No execution tells of it.
                let (_, _, positions) = MarketFacts::booked(&self.core);
                self.referee.split(positions);
            }
        }
        self.speak(out);
    }

    /// What the venue said goes past the referee, then through the faults, to the clients.
    fn speak(&mut self, out: &mut Vec<Outgoing>) {
        for response in self.core.unheard.drain(..) {
            self.referee.unheard(&response);
        }
        for o in &self.said {
            self.referee.response(o);
        }
        if self.faults.is_idle() {
            out.append(&mut self.said);
            return;
        }
        let now = self.core.now();
        for o in self.said.drain(..) {
            self.faults.outbound(now, o, out);
        }
    }
}
