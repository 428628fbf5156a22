//! A group: the stages that share a thread. A message for a stage of the same group is handed over by a direct
//! call, one for another group goes through a ring. Lockstep is the group that holds all five.

use std::sync::Arc;

use super::ring::{ConflatingTx, Rx, Tx};
use super::stage::{Outbox, Stage};
use crate::clock::{Clock, SessionTime};
use crate::decision::{DecisionIn, DecisionOut, DecisionStage};
use crate::features::{FeaturesIn, FeaturesStage};
use crate::feed::FeedStage;
use crate::inference::InferenceStage;
use crate::message::{BrokerEvent, Cycle, MarketEvent, PositionState, Target};
use crate::routing::{Command, Control, DisarmReason, Fact, ReconcileQuery, RoutingIn, RoutingOut, RoutingStage};
use crate::telemetry::{Counter, Counters, Hop, LatencyRecorder};

/// Messages that one sweep takes from one ring at most, so that no ring starves another.
const BATCH: usize = 256;

/// The stages of a group; `None` = another group runs it.
#[allow(missing_docs, reason = "the names are the documentation")]
pub struct Stages<C> {
    pub feed: Option<FeedStage>,
    pub features: Option<FeaturesStage>,
    pub inference: Option<InferenceStage<C>>,
    pub decision: Option<DecisionStage>,
    pub routing: Option<RoutingStage>,
}

impl<C> Default for Stages<C> {
    fn default() -> Self {
        Self { feed: None, features: None, inference: None, decision: None, routing: None }
    }
}

/// The ring ends that a group holds; `None` = the other end is in the group too, or it has no such stage.
#[derive(Default)]
#[allow(missing_docs, reason = "the names are those of the topology table")]
pub struct Links {
    pub market_in: Option<Rx<MarketEvent>>,
    pub features_in: Option<Rx<MarketEvent>>,
    pub recycle_in: Option<Rx<Box<Cycle>>>,
    pub inference_in: Option<Rx<Box<Cycle>>>,
    pub decision_in: Option<Rx<Box<Cycle>>>,
    pub timer_in: Option<Rx<SessionTime>>,
    pub position_in: Option<Rx<PositionState>>,
    pub routing_market_in: Option<Rx<MarketEvent>>,
    pub target_in: Option<Rx<Target>>,
    pub broker_in: Option<Rx<BrokerEvent>>,
    pub journal_in: Option<Rx<BrokerEvent>>,
    pub control_in: Option<Rx<Control>>,

    pub features_out: Option<ConflatingTx<MarketEvent>>,
    pub routing_market_out: Option<ConflatingTx<MarketEvent>>,
    pub timer_out: Option<Tx<SessionTime>>,
    pub inference_out: Option<Tx<Box<Cycle>>>,
    pub decision_out: Option<Tx<Box<Cycle>>>,
    pub recycle_out: Option<Tx<Box<Cycle>>>,
    pub target_out: Option<Tx<Target>>,
    pub position_out: Option<ConflatingTx<PositionState>>,
    pub command_out: Option<Tx<Command>>,
    pub fact_out: Option<Tx<Fact>>,
    pub query_out: Option<Tx<ReconcileQuery>>,
}

/// What each stage leaves behind, emptied after every input.
struct Outboxes {
    feed: Outbox<MarketEvent>,
    features: Outbox<Box<Cycle>>,
    inference: Outbox<Box<Cycle>>,
    decision: Outbox<DecisionOut>,
    routing: Outbox<RoutingOut>,
}

/// Why a group halted: a `Halt` ring was full, or a stage caused more than its outbox holds. From then on routing is
/// disarmed; cancels and reductions go on, since nobody else can send them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halted(pub &'static str);

/// The stages of one thread with the ends of its rings.
pub struct Group<C> {
    stages: Stages<C>,
    links: Links,
    out: Outboxes,
    clock: C,
    latency: LatencyRecorder,
    counters: Arc<Counters>,
    halted: Option<Halted>,
    disarmed: bool,
    gaps: u64,
}

impl<C: Clock> Group<C> {
    /// A group for up to `symbols` symbols.
    pub fn new(
        stages: Stages<C>,
        links: Links,
        clock: C,
        latency: LatencyRecorder,
        counters: Arc<Counters>,
        symbols: usize,
    ) -> Self {
        let out = Outboxes {
            feed: Outbox::with_capacity(8),
            features: Outbox::with_capacity(2),
            inference: Outbox::with_capacity(2),
            decision: Outbox::with_capacity(symbols + 8),
            routing: Outbox::with_capacity(stages.routing.as_ref().map_or(0, RoutingStage::outbox_capacity)),
        };
        Self { stages, links, out, clock, latency, counters, halted: None, disarmed: false, gaps: 0 }
    }

    /// Why it stopped, if it did.
    pub const fn halted(&self) -> Option<Halted> {
        self.halted
    }

    /// The histograms of this thread.
    pub const fn latency(&self) -> &LatencyRecorder {
        &self.latency
    }

    /// The stages, for their counters after the end.
    pub const fn stages(&self) -> &Stages<C> {
        &self.stages
    }

    /// Records that found no room on a `Degrade` ring.
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// One sweep over the input rings: fills and controls first, market data last. Returns messages handled.
    pub fn poll(&mut self) -> usize {
        let mut done = 0;
        done += self.sweep(|l| &mut l.control_in, |g, m| g.give_routing(RoutingIn::Control(m)));
        done += self.sweep(|l| &mut l.broker_in, |g, m| g.give_routing(RoutingIn::Broker(m)));
        done += self.sweep(|l| &mut l.journal_in, |g, m| g.give_routing(RoutingIn::Broker(m)));
        done += self.sweep(|l| &mut l.target_in, Self::target);
        done += self.sweep(|l| &mut l.position_in, |g, m| g.give_decision(DecisionIn::Position(m)));
        done += self.sweep(|l| &mut l.recycle_in, |g, m| g.give_features(FeaturesIn::Recycle(m)));
        done += self.sweep(|l| &mut l.decision_in, Self::cycle_to_decision);
        done += self.sweep(|l| &mut l.timer_in, |g, m| g.give_decision(DecisionIn::Timer(m)));
        done += self.sweep(|l| &mut l.inference_in, Self::cycle_to_inference);
        done += self.sweep(|l| &mut l.routing_market_in, |g, m| g.give_routing(RoutingIn::Market(m)));
        done += self.sweep(|l| &mut l.market_in, Self::market);
        done += self.sweep(|l| &mut l.features_in, |g, m| g.give_features(FeaturesIn::Market(m)));
        self.flush();
        if self.halted.is_some() && !self.disarmed {
            self.disarmed = true;
            self.give_routing(RoutingIn::Control(Control::Disarm { reason: DisarmReason::StageFailure }));
        }
        done
    }

    fn sweep<T, R>(
        &mut self,
        end: impl Fn(&mut Links) -> &mut Option<Rx<T>>,
        mut deliver: impl FnMut(&mut Self, T) -> R,
    ) -> usize {
        for done in 0..BATCH {
            let Some(message) = end(&mut self.links).as_mut().and_then(Rx::pop) else { return done };
            deliver(self, message);
        }
        BATCH
    }

    /// Gives conflated rings another chance.
    fn flush(&mut self) {
        for tx in [&mut self.links.features_out, &mut self.links.routing_market_out].into_iter().flatten() {
            tx.flush();
        }
        if let Some(tx) = &mut self.links.position_out {
            tx.flush();
        }
    }

    fn market(&mut self, event: MarketEvent) {
        let (now, from) = (self.clock.now(), self.clock.mono_ns());
        let Some(stage) = &mut self.stages.feed else { return };
        stage.on_event(now, event, &mut self.out.feed);
        self.latency.record(Hop::Feed, self.clock.mono_ns().saturating_sub(from));
        self.counters.bump(Counter::Events);
        let mut out = std::mem::replace(&mut self.out.feed, Outbox::with_capacity(0));
        for event in out.drain() {
            if let MarketEvent::Timer(at) = event {
                self.timer(at);
            }
            if self.stages.routing.is_some() {
                self.give_routing(RoutingIn::Market(event));
            } else if self.links.routing_market_out.as_mut().is_some_and(|tx| !tx.push(event)) {
                self.halt("feed → routing");
            }
            if self.stages.features.is_some() {
                self.give_features(FeaturesIn::Market(event));
            } else if self.links.features_out.as_mut().is_some_and(|tx| !tx.push(event)) {
                self.halt("feed → features");
            }
        }
        self.out.feed = out;
    }

    fn timer(&mut self, at: SessionTime) {
        if self.stages.decision.is_some() {
            self.give_decision(DecisionIn::Timer(at));
        } else if self.links.timer_out.as_mut().is_some_and(|tx| tx.push(at).is_err()) {
            self.gaps += 1;
        }
    }

    fn give_features(&mut self, input: FeaturesIn) {
        let (now, from) = (self.clock.now(), self.clock.mono_ns());
        let Some(stage) = &mut self.stages.features else { return };
        stage.on_event(now, input, &mut self.out.features);
        self.latency.record(Hop::Features, self.clock.mono_ns().saturating_sub(from));
        if self.out.features.is_empty() {
            return;
        }
        let mut out = std::mem::replace(&mut self.out.features, Outbox::with_capacity(0));
        for cycle in out.drain() {
            if self.stages.inference.is_some() {
                self.cycle_to_inference(cycle);
            } else if self.links.inference_out.as_mut().is_some_and(|tx| tx.push(cycle).is_err()) {
                self.halt("features → inference");
            }
        }
        self.out.features = out;
    }

    fn cycle_to_inference(&mut self, cycle: Box<Cycle>) {
        let (now, from) = (self.clock.now(), self.clock.mono_ns());
        let Some(stage) = &mut self.stages.inference else { return };
        stage.on_event(now, cycle, &mut self.out.inference);
        self.latency.record(Hop::Inference, self.clock.mono_ns().saturating_sub(from));
        let mut out = std::mem::replace(&mut self.out.inference, Outbox::with_capacity(0));
        for cycle in out.drain() {
            if self.stages.decision.is_some() {
                self.cycle_to_decision(cycle);
            } else if self.links.decision_out.as_mut().is_some_and(|tx| tx.push(cycle).is_err()) {
                self.halt("inference → decision");
            }
        }
        self.out.inference = out;
    }

    fn cycle_to_decision(&mut self, cycle: Box<Cycle>) {
        let cause = self.clock.mono_of(cycle.cause);
        self.counters.bump(Counter::Cycles);
        self.give_decision(DecisionIn::Cycle(cycle));
        self.latency.record(Hop::EventToDecision, self.clock.mono_ns().saturating_sub(cause));
    }

    fn give_decision(&mut self, input: DecisionIn) {
        let (now, from) = (self.clock.now(), self.clock.mono_ns());
        let timed = matches!(input, DecisionIn::Cycle(_));
        let Some(stage) = &mut self.stages.decision else { return };
        stage.on_event(now, input, &mut self.out.decision);
        if timed {
            self.latency.record(Hop::Decision, self.clock.mono_ns().saturating_sub(from));
        }
        if self.out.decision.is_empty() {
            return;
        }
        let mut out = std::mem::replace(&mut self.out.decision, Outbox::with_capacity(0));
        for output in out.drain() {
            match output {
                DecisionOut::Target(target) if self.stages.routing.is_some() => {
                    self.counters.bump(Counter::Targets);
                    self.target(target);
                }
                DecisionOut::Target(target) => {
                    self.counters.bump(Counter::Targets);
                    if self.links.target_out.as_mut().is_some_and(|tx| tx.push(target).is_err()) {
                        self.halt("decision → routing");
                    }
                }
                DecisionOut::Recycle(cycle) if self.stages.features.is_some() => {
                    self.give_features(FeaturesIn::Recycle(cycle));
                }
                DecisionOut::Recycle(cycle) => {
                    if self.links.recycle_out.as_mut().is_some_and(|tx| tx.push(cycle).is_err()) {
                        self.halt("decision → features");
                    }
                }
            }
        }
        if out.lost() > 0 {
            self.halt("decision's outbox");
        }
        self.out.decision = out;
    }

    /// A target, measured from the market event that caused it to the intents that follow from it.
    fn target(&mut self, target: Target) {
        let cause = self.clock.mono_of(target.cause_at);
        if self.give_routing(RoutingIn::Target(target)) {
            self.latency.record(Hop::TickToIntent, self.clock.mono_ns().saturating_sub(cause));
        }
    }

    /// Returns whether a command followed.
    fn give_routing(&mut self, input: RoutingIn) -> bool {
        let (now, from) = (self.clock.now(), self.clock.mono_ns());
        let Some(stage) = &mut self.stages.routing else { return false };
        stage.on_event(now, input, &mut self.out.routing);
        self.latency.record(Hop::Routing, self.clock.mono_ns().saturating_sub(from));
        if self.out.routing.is_empty() {
            return false;
        }
        let mut commanded = false;
        let mut out = std::mem::replace(&mut self.out.routing, Outbox::with_capacity(0));
        for output in out.drain() {
            match output {
                RoutingOut::Command(command) => {
                    commanded = true;
                    self.counters.bump(Counter::Intents);
                    if self.links.command_out.as_mut().is_some_and(|tx| tx.push(command).is_err()) {
                        self.halt("routing → journal");
                    }
                }
                RoutingOut::Position(state) if self.stages.decision.is_some() => {
                    self.give_decision(DecisionIn::Position(state));
                }
                RoutingOut::Position(state) => {
                    if self.links.position_out.as_mut().is_some_and(|tx| !tx.push(state)) {
                        self.halt("routing → decision");
                    }
                }
                RoutingOut::Query(query) => {
                    if self.links.query_out.as_mut().is_some_and(|tx| tx.push(query).is_err()) {
                        self.halt("routing → worker");
                    }
                }
                RoutingOut::Fact(fact) => {
                    if self.links.fact_out.as_mut().is_some_and(|tx| tx.push(fact).is_err()) {
                        self.gaps += 1;
                        self.counters.bump(Counter::JournalGaps);
                    }
                }
            }
        }
        if out.lost() > 0 {
            self.halt("routing's outbox");
        }
        self.out.routing = out;
        commanded
    }

    fn halt(&mut self, what: &'static str) {
        self.halted.get_or_insert(Halted(what));
    }
}
