//! Turns doubt into proof. Pure: it says when to ask, keeps what a round answered, and says what the round proves;
//! the stage applies it to the book.
//!
//! A round is five snapshots of one connection. It proves absence only if every end marker came and the broker was
//! reachable throughout. A real gateway can leave the end of executions out: such rounds count as weak proof.

use crate::clock::SessionTime;
use crate::domain::{ConnEpoch, Qty, SymbolId};
use crate::message::SnapshotKind;
use crate::routing::ReconcileConfig;
use crate::routing::config::secs;

/// Snapshots of a round, in the order in which they are asked. Positions come last: a fill that moves them during
/// the round is then already known from the executions.
pub const ROUND: [SnapshotKind; 5] = [
    SnapshotKind::Account,
    SnapshotKind::OpenOrders,
    SnapshotKind::CompletedOrders,
    SnapshotKind::Executions,
    SnapshotKind::Positions,
];

/// What a round proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Every end marker came.
    Full,
    /// All but the end of executions.
    WithoutExecutions,
    /// Nothing.
    None,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconcileStep {
    /// Ask for all snapshots of a round.
    Ask {
        /// On this connection.
        epoch: ConnEpoch,
        /// Counts from 1.
        round: u32,
    },
    /// A round is over.
    Over(Proof),
    /// The last round is spent; a person must look.
    GaveUp,
}

/// The reconciler.
#[derive(Debug)]
pub struct OrderReconciler {
    config: ReconcileConfig,
    epoch: Option<ConnEpoch>,
    round: u32,
    /// Rounds since nothing was in doubt.
    spent: u32,
    running: bool,
    wanted: bool,
    gave_up: bool,
    started: SessionTime,
    ends: [Option<bool>; ROUND.len()],
    /// 1100 during the round, or a fill during it: positions prove nothing this time.
    disturbed: bool,
    moved: bool,
    positions: Vec<Qty>,
    foreign_position: bool,
}

impl OrderReconciler {
    /// Idle, over `symbols` symbols.
    pub fn new(config: ReconcileConfig, symbols: usize) -> Self {
        Self {
            config,
            epoch: None,
            round: 0,
            spent: 0,
            running: false,
            wanted: false,
            gave_up: false,
            started: SessionTime(0),
            ends: [None; ROUND.len()],
            disturbed: false,
            moved: false,
            positions: vec![Qty::ZERO; symbols],
            foreign_position: false,
        }
    }

    /// A new connection: rounds count anew, the first begins at once.
    pub fn on_link_up(&mut self, epoch: ConnEpoch, now: SessionTime) -> ReconcileStep {
        self.epoch = Some(epoch);
        self.round = 0;
        self.spent = 0;
        self.gave_up = false;
        self.begin(epoch, now)
    }

    /// The connection is gone: the running round proves nothing.
    pub fn on_link_down(&mut self) {
        self.epoch = None;
        self.running = false;
    }

    /// Nothing is in doubt any more: the count of rounds in a row starts anew.
    pub fn settled(&mut self) {
        self.spent = 0;
    }

    /// 1100: what runs proves nothing.
    pub fn on_lost(&mut self) {
        self.disturbed = true;
    }

    /// A fill was applied: positions of this round may be older than the book.
    pub fn on_fill(&mut self) {
        self.moved = true;
    }

    /// Something is in doubt: another round is needed.
    pub fn request(&mut self) {
        self.wanted = true;
    }

    /// Rounds so far on this connection.
    pub const fn round(&self) -> u32 {
        self.round
    }

    /// Whether a round is running.
    pub const fn is_running(&self) -> bool {
        self.running
    }

    /// When the present or last round began.
    pub const fn started(&self) -> SessionTime {
        self.started
    }

    /// Whether fills came during the round.
    pub const fn moved(&self) -> bool {
        self.moved
    }

    /// The broker's position in a symbol, as this round told it (no row = none).
    pub fn position(&self, symbol: SymbolId) -> Qty {
        self.positions.get(symbol.index()).copied().unwrap_or_default()
    }

    /// Whether the broker holds something outside the universe.
    pub const fn foreign_position(&self) -> bool {
        self.foreign_position
    }

    fn begin(&mut self, epoch: ConnEpoch, now: SessionTime) -> ReconcileStep {
        self.round += 1;
        self.spent += 1;
        self.running = true;
        self.wanted = false;
        self.started = now;
        self.ends = [None; ROUND.len()];
        self.disturbed = false;
        self.moved = false;
        self.foreign_position = false;
        self.positions.fill(Qty::ZERO);
        ReconcileStep::Ask { epoch, round: self.round }
    }

    /// A position row.
    pub fn on_position(&mut self, symbol: Option<SymbolId>, qty: Qty) {
        match symbol.and_then(|s| self.positions.get_mut(s.index())) {
            Some(p) => *p = qty,
            None => self.foreign_position |= qty.0 != 0,
        }
    }

    /// The end of a snapshot. Gives the round's proof when it was the last one.
    pub fn on_end(&mut self, kind: SnapshotKind, complete: bool, epoch: ConnEpoch) -> Option<ReconcileStep> {
        if !self.running || self.epoch != Some(epoch) {
            return None;
        }
        let i = ROUND.iter().position(|k| *k == kind)?;
        self.ends[i] = Some(complete);
        if self.ends.iter().any(Option::is_none) {
            return None;
        }
        Some(self.finish())
    }

    fn finish(&mut self) -> ReconcileStep {
        self.running = false;
        let missing = |i: usize| self.ends[i] != Some(true);
        // The account rows carry no proof about orders.
        let count = (1..ROUND.len()).filter(|i| missing(*i)).count();
        let proof = match (self.disturbed, count) {
            (false, 0) => Proof::Full,
            (false, 1) if missing(3) => Proof::WithoutExecutions,
            _ => Proof::None,
        };
        if proof == Proof::None {
            self.wanted = true;
        }
        ReconcileStep::Over(proof)
    }

    /// Time passed: a round times out, or the next one is due.
    pub fn on_timer(&mut self, now: SessionTime) -> Option<ReconcileStep> {
        let epoch = self.epoch?;
        if self.running {
            return (now - self.started >= secs(self.config.round_timeout_s)).then(|| self.finish());
        }
        if !self.wanted || self.gave_up || now - self.started < secs(self.config.round_gap_s) {
            return None;
        }
        if self.spent >= self.config.rounds_max {
            self.gave_up = true;
            return Some(ReconcileStep::GaveUp);
        }
        Some(self.begin(epoch, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SECOND;

    fn ends(r: &mut OrderReconciler, skip: Option<SnapshotKind>) -> Option<ReconcileStep> {
        ROUND.into_iter().filter_map(|k| r.on_end(k, Some(k) != skip, ConnEpoch(1))).last()
    }

    #[test]
    fn a_timeout_is_not_an_empty_list_and_other_connections_do_not_count() {
        let mut r = OrderReconciler::new(ReconcileConfig::default(), 1);
        let t = SessionTime::from_secs(0);
        assert_eq!(r.on_link_up(ConnEpoch(1), t), ReconcileStep::Ask { epoch: ConnEpoch(1), round: 1 });
        assert_eq!(r.on_end(SnapshotKind::Positions, true, ConnEpoch(9)), None);
        assert_eq!(ends(&mut r, Some(SnapshotKind::OpenOrders)), Some(ReconcileStep::Over(Proof::None)));
        assert_eq!(r.on_timer(t + 9 * SECOND), None, "rounds are ten seconds apart");
        assert!(matches!(r.on_timer(t + 10 * SECOND), Some(ReconcileStep::Ask { round: 2, .. })));
        assert_eq!(ends(&mut r, Some(SnapshotKind::Executions)), Some(ReconcileStep::Over(Proof::WithoutExecutions)));
        r.request();
        assert!(matches!(r.on_timer(t + 20 * SECOND), Some(ReconcileStep::Ask { round: 3, .. })));
        assert_eq!(ends(&mut r, None), Some(ReconcileStep::Over(Proof::Full)));
        r.request();
        assert!(r.on_timer(t + 30 * SECOND).is_some());
        r.on_lost();
        assert_eq!(ends(&mut r, None), Some(ReconcileStep::Over(Proof::None)), "1100 spoils the round");
        assert!(r.on_timer(t + 40 * SECOND).is_some());
        assert_eq!(r.on_timer(t + 70 * SECOND), Some(ReconcileStep::Over(Proof::None)), "a round times out");
    }

    #[test]
    fn rounds_are_bounded() {
        let config = ReconcileConfig { rounds_max: 2, ..ReconcileConfig::default() };
        let mut r = OrderReconciler::new(config, 1);
        let _ = r.on_link_up(ConnEpoch(1), SessionTime::from_secs(0));
        let steps: Vec<_> = (1..400).filter_map(|s| r.on_timer(SessionTime::from_secs(s))).collect();
        assert_eq!(steps.iter().filter(|s| matches!(s, ReconcileStep::Ask { .. })).count(), 1);
        assert_eq!(steps.last(), Some(&ReconcileStep::GaveUp));
    }
}
