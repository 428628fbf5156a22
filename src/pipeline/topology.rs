//! The one table of topology: which rings exist, how large they are, what happens when one is full, and which
//! stages share a thread.

use serde::{Deserialize, Serialize};

use super::wait::Wait;

/// The five stages, in data-flow order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the documentation")]
pub enum StageName {
    Feed,
    Features,
    Inference,
    Decision,
    Routing,
}

impl StageName {
    /// All, in data-flow order.
    pub const ALL: [Self; 5] = [Self::Feed, Self::Features, Self::Inference, Self::Decision, Self::Routing];
}

/// What a producer does when its ring is full. Nobody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullPolicy {
    /// The latest per symbol waits at the producer and replaces the one before.
    Conflate,
    /// The producer halts its stage: losing one of these would lose an order or a fill.
    Halt,
    /// The record is dropped, the gap counted, the session marked not replayable.
    Degrade,
}

/// One ring.
#[derive(Clone, Copy, Debug)]
pub struct RingSpec {
    /// `from → to`.
    pub name: &'static str,
    /// Messages.
    pub capacity: usize,
    /// When full.
    pub policy: FullPolicy,
}

macro_rules! rings {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $capacity:literal, $policy:ident;)*) => {
        $($(#[$doc])* pub const $name: RingSpec =
            RingSpec { name: $text, capacity: $capacity, policy: FullPolicy::$policy };)*
        /// Every ring of the pipeline.
        pub const RINGS: &[RingSpec] = &[$($name),*];
    };
}

rings! {
    /// Market events of the ingest thread.
    INGEST_FEED = "ingest → feed", 16384, Conflate;
    /// Annotated market events.
    FEED_FEATURES = "feed → features", 16384, Conflate;
    /// Annotated market events, for the book top that guards read.
    FEED_ROUTING = "feed → routing", 16384, Conflate;
    /// The session grid.
    FEED_DECISION = "feed → decision", 1024, Degrade;
    /// Batches. Holds every slot in circulation, so it never fills: without a free slot features drops the cycle.
    FEATURES_INFERENCE = "features → inference", 4, Halt;
    /// Batches with predictions; as above.
    INFERENCE_DECISION = "inference → decision", 4, Halt;
    /// Empty slots on their way back: as many places as there are slots, so it never fills.
    DECISION_FEATURES = "decision → features", 8, Halt;
    /// Targets.
    DECISION_ROUTING = "decision → routing", 4096, Halt;
    /// Position state.
    ROUTING_DECISION = "routing → decision", 4096, Conflate;
    /// Broker events of the ingest thread, straight to routing.
    BROKER_ROUTING = "broker → routing", 65536, Halt;
    /// What journal and sender tell routing (sent, withdrawn, durable).
    JOURNAL_ROUTING = "journal → routing", 8192, Halt;
    /// Operator and supervisor.
    CONTROL_ROUTING = "supervisor → routing", 64, Halt;
    /// Commands.
    ROUTING_JOURNAL = "routing → journal", 8192, Halt;
    /// Facts for journal and audit.
    ROUTING_FACTS = "routing → facts", 65536, Degrade;
    /// Questions to the broker's worker.
    ROUTING_WORKER = "routing → worker", 256, Halt;
}

/// A thread: which stages it runs, where, and how it waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSpec {
    /// Stages that share the thread, in data-flow order.
    pub stages: Vec<StageName>,
    /// The core it is pinned to; −1 = not pinned.
    pub core: i32,
    /// How it waits.
    pub wait: Wait,
}

/// The map of stages to threads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// One entry a thread.
    pub groups: Vec<GroupSpec>,
}

impl Topology {
    /// The choice for a host whose usable cores are `cores`: six or more, one stage a core from the second core
    /// on (the first is left to the system and the gateway), busy spin; three to five, {feed, features},
    /// {inference}, {decision, routing}; fewer, {feed, features, decision, routing} and {inference}, both
    /// parking, since the cores are shared with the gateway and the broker's threads.
    pub fn automatic(cores: &[usize]) -> Self {
        use StageName::{Decision, Features, Feed, Inference, Routing};
        let core = |i: usize| cores.get(i).map_or(-1, |c| i32::try_from(*c).unwrap_or(-1));
        let group = |stages: &[StageName], core, wait| GroupSpec { stages: stages.to_vec(), core, wait };
        let groups = match cores.len() {
            0..=2 => vec![
                group(&[Feed, Features, Decision, Routing], core(0), Wait::SpinPark),
                group(&[Inference], core(1), Wait::SpinPark),
            ],
            3..=5 => vec![
                group(&[Feed, Features], core(0), Wait::SpinYield),
                group(&[Inference], core(1), Wait::SpinYield),
                group(&[Decision, Routing], core(2), Wait::SpinYield),
            ],
            _ => StageName::ALL.iter().enumerate().map(|(i, s)| group(&[*s], core(i + 1), Wait::Spin)).collect(),
        };
        Self { groups }
    }

    /// Checks an explicit map.
    ///
    /// # Errors
    /// A stage is missing or named twice, inference shares a thread with feed or routing, a core does not exist
    /// or is used twice.
    pub fn checked(groups: Vec<GroupSpec>, cores: &[usize]) -> Result<Self, String> {
        for stage in StageName::ALL {
            match groups.iter().flat_map(|g| &g.stages).filter(|s| **s == stage).count() {
                1 => {}
                0 => return Err(format!("pipeline.groups: no group runs {stage:?}; name each stage once")),
                n => return Err(format!("pipeline.groups: {stage:?} is named {n} times; name each stage once")),
            }
        }
        for g in &groups {
            let has = |s| g.stages.contains(&s);
            if has(StageName::Inference) && (has(StageName::Feed) || has(StageName::Routing)) {
                return Err("pipeline.groups: inference must not share a thread with feed or routing: \
                            a cancel would wait for a model"
                    .into());
            }
            if let Ok(core) = usize::try_from(g.core) {
                if !cores.contains(&core) {
                    return Err(format!(
                        "pipeline.groups: core {core} does not exist here; usable cores are {cores:?}"
                    ));
                }
                if groups.iter().filter(|o| o.core == g.core).count() > 1 {
                    return Err(format!(
                        "pipeline.groups: core {core} is given to two groups; use −1 to leave one unpinned"
                    ));
                }
            }
        }
        Ok(Self { groups })
    }

    /// The group that runs a stage.
    pub fn group_of(&self, stage: StageName) -> usize {
        self.groups.iter().position(|g| g.stages.contains(&stage)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn automatic_maps_are_valid_on_every_size_of_host() {
        for n in [0, 1, 2, 3, 5, 6, 16] {
            let cores: Vec<usize> = (0..n).collect();
            let topology = Topology::automatic(&cores);
            assert!(Topology::checked(topology.groups, &cores).is_ok() || n == 0, "{n} cores");
        }
    }

    #[test]
    fn bad_maps_are_refused_with_the_reason() {
        let g = |stages: &[StageName], core| GroupSpec { stages: stages.to_vec(), core, wait: Wait::Spin };
        let refused = |groups: Vec<GroupSpec>| Topology::checked(groups, &[0, 1]).unwrap_err();
        use StageName::{Decision, Features, Feed, Inference, Routing};
        assert!(refused(vec![g(&[Feed, Features, Decision, Routing], 0)]).contains("no group runs Inference"));
        assert!(refused(vec![g(&StageName::ALL, 0)]).contains("must not share"));
        assert!(refused(vec![g(&[Feed, Features, Decision, Routing], 7), g(&[Inference], 1)]).contains("core 7"));
        assert!(refused(vec![g(&[Feed, Features, Decision, Routing], 1), g(&[Inference], 1)]).contains("two groups"));
    }
}
