//! Turns the topology table into groups joined by rings, and gives the outside its ends.

use std::sync::Arc;

use super::group::{Group, Links, Stages};
use super::ring::{ConflatingTx, Rx, Tx, ring};
use super::topology::{self as table, RingSpec, StageName, Topology};
use crate::clock::Clock;
use crate::message::{BrokerEvent, Cycle, MarketEvent};
use crate::routing::{Command, Control, Fact, ReconcileQuery};
use crate::telemetry::{Counters, LatencyRecorder};

/// The ring ends of the threads that are no stages.
pub struct Outside {
    /// Ingest → feed.
    pub market: ConflatingTx<MarketEvent>,
    /// Ingest → routing.
    pub broker: Tx<BrokerEvent>,
    /// Journal and sender → routing.
    pub journal: Tx<BrokerEvent>,
    /// Supervisor → routing.
    pub control: Tx<Control>,
    /// Routing → journal.
    pub commands: Rx<Command>,
    /// Routing → journal and audit.
    pub facts: Rx<Fact>,
    /// Routing → the broker's worker.
    pub queries: Rx<ReconcileQuery>,
}

/// Splits five stages into the groups of `topology`. Each group gets a copy of the empty histograms `latency` and a
/// clock of its own.
pub fn wire<C: Clock>(
    mut stages: Stages<C>,
    topology: &Topology,
    symbols: usize,
    counters: &Arc<Counters>,
    latency: &LatencyRecorder,
    clock: impl Fn() -> C,
) -> (Vec<Group<C>>, Outside) {
    let mut links: Vec<Links> = topology.groups.iter().map(|_| Links::default()).collect();
    let outside = join_outside(&mut links, topology, symbols);
    join_stages(&mut links, topology, symbols);
    let groups = topology
        .groups
        .iter()
        .zip(links)
        .map(|(spec, links)| {
            let mut own = Stages::default();
            for stage in &spec.stages {
                match stage {
                    StageName::Feed => own.feed = stages.feed.take(),
                    StageName::Features => own.features = stages.features.take(),
                    StageName::Inference => own.inference = stages.inference.take(),
                    StageName::Decision => own.decision = stages.decision.take(),
                    StageName::Routing => own.routing = stages.routing.take(),
                }
            }
            Group::new(own, links, clock(), latency.clone(), Arc::clone(counters), symbols)
        })
        .collect();
    (groups, outside)
}

fn open<T>(spec: &RingSpec) -> (Tx<T>, Rx<T>) {
    ring(spec.capacity)
}

fn join_outside(links: &mut [Links], topology: &Topology, symbols: usize) -> Outside {
    let (feed, routing) = (topology.group_of(StageName::Feed), topology.group_of(StageName::Routing));
    let (market, rx) = open(&table::INGEST_FEED);
    links[feed].market_in = Some(rx);
    let (broker, rx) = open(&table::BROKER_ROUTING);
    links[routing].broker_in = Some(rx);
    let (journal, rx) = open(&table::JOURNAL_ROUTING);
    links[routing].journal_in = Some(rx);
    let (control, rx) = open(&table::CONTROL_ROUTING);
    links[routing].control_in = Some(rx);
    let (tx, commands) = open(&table::ROUTING_JOURNAL);
    links[routing].command_out = Some(tx);
    let (tx, facts) = open(&table::ROUTING_FACTS);
    links[routing].fact_out = Some(tx);
    let (tx, queries) = open(&table::ROUTING_WORKER);
    links[routing].query_out = Some(tx);
    Outside { market: ConflatingTx::new(market, symbols), broker, journal, control, commands, facts, queries }
}

/// Rings between stages of different groups; stages of one group call each other.
fn join_stages(links: &mut [Links], topology: &Topology, symbols: usize) {
    let of = |stage| topology.group_of(stage);
    let (feed, features, inference, decision, routing) = (
        of(StageName::Feed),
        of(StageName::Features),
        of(StageName::Inference),
        of(StageName::Decision),
        of(StageName::Routing),
    );
    if feed != features {
        let (tx, rx) = open(&table::FEED_FEATURES);
        links[feed].features_out = Some(ConflatingTx::new(tx, symbols));
        links[features].features_in = Some(rx);
    }
    if feed != routing {
        let (tx, rx) = open(&table::FEED_ROUTING);
        links[feed].routing_market_out = Some(ConflatingTx::new(tx, symbols));
        links[routing].routing_market_in = Some(rx);
    }
    if feed != decision {
        let (tx, rx) = open(&table::FEED_DECISION);
        links[feed].timer_out = Some(tx);
        links[decision].timer_in = Some(rx);
    }
    if features != inference {
        let (tx, rx) = open::<Box<Cycle>>(&table::FEATURES_INFERENCE);
        links[features].inference_out = Some(tx);
        links[inference].inference_in = Some(rx);
    }
    if inference != decision {
        let (tx, rx) = open(&table::INFERENCE_DECISION);
        links[inference].decision_out = Some(tx);
        links[decision].decision_in = Some(rx);
    }
    if decision != features {
        let (tx, rx) = open(&table::DECISION_FEATURES);
        links[decision].recycle_out = Some(tx);
        links[features].recycle_in = Some(rx);
    }
    if decision != routing {
        let (tx, rx) = open(&table::DECISION_ROUTING);
        links[decision].target_out = Some(tx);
        links[routing].target_in = Some(rx);
        let (tx, rx) = open(&table::ROUTING_DECISION);
        links[routing].position_out = Some(ConflatingTx::new(tx, symbols));
        links[decision].position_in = Some(rx);
    }
}
