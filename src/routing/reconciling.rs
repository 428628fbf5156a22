//! Applies the reconciler's rounds to the book: adopts, abandons by proof, compares positions, and says when the
//! book may be trusted.

use super::facts::{Alert, ReconcileQuery, RoutingOut};
use super::orders::{Freeze, Proof, ROUND, ReconcileStep, State, Trigger};
use super::stage::RoutingStage;
use crate::clock::SessionTime;
use crate::domain::{OrderId, SymbolId};
use crate::pipeline::Outbox;
use crate::routing::config::secs;

/// Rounds of a connection that a difference of positions alone may ask for.
const MISMATCH_ROUNDS_MAX: u32 = 5;

impl RoutingStage {
    pub(super) fn on_reconcile_step(
        &mut self,
        step: Option<ReconcileStep>,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) {
        match step {
            None => {}
            Some(ReconcileStep::Ask { epoch, round }) => {
                for kind in ROUND {
                    out.push(RoutingOut::Query(ReconcileQuery { kind, epoch, round }));
                }
            }
            Some(ReconcileStep::Over(proof)) => self.on_round(proof, now, out),
            Some(ReconcileStep::GaveUp) => self.alert(now, Alert::ReconcileFailed, out),
        }
    }

    fn on_round(&mut self, proof: Proof, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        if proof == Proof::None || !self.broker_reachable {
            self.reconciler.request();
            return;
        }
        let comparable = !self.reconciler.moved();
        let mut in_doubt = !comparable;
        let mut unexplained = self.reconciler.foreign_position();
        for i in 0..self.instruments.len() {
            let symbol = self.instruments[i].id;
            let equal = comparable && self.position_equals(symbol);
            in_doubt |= self.judge_orders(symbol, proof, equal, now, out);
            if comparable {
                unexplained |= self.judge_position(symbol, equal, now, out);
            }
        }
        if in_doubt {
            self.reconciler.request();
        } else {
            self.reconciler.settled();
        }
        if comparable {
            self.unexplained = unexplained;
            // With nothing in doubt, equal positions need no end of executions; with doubt, its symbol stays frozen.
            self.reconciled = true;
        }
    }

    fn position_equals(&self, symbol: SymbolId) -> bool {
        self.reconciler.position(symbol) == self.book.explained(symbol)
    }

    /// A difference between the broker and the book: tolerated while orders are in doubt, else unexplained.
    fn judge_position(
        &mut self,
        symbol: SymbolId,
        equal: bool,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) -> bool {
        let (broker, book) = (self.reconciler.position(symbol), self.book.explained(symbol));
        // Until it is explained, what closes the symbol is bounded by what the broker holds.
        self.book.set_unexplained(symbol, broker - book, now);
        if equal {
            self.book.thaw(symbol, Freeze::UNEXPLAINED, now);
            return false;
        }
        if !self.book.freeze_of(symbol).has(Freeze::UNEXPLAINED) {
            self.freeze(symbol, Freeze::UNEXPLAINED, now);
            self.alert(now, Alert::Unexplained { symbol, broker, book }, out);
        }
        // Look again a few times: the fill that explains it may be on its way.
        if self.reconciler.round() <= MISMATCH_ROUNDS_MAX {
            self.reconciler.request();
        }
        true
    }

    /// Counts rounds of absence of a symbol's doubtful orders; returns whether any doubt is left.
    fn judge_orders(
        &mut self,
        symbol: SymbolId,
        proof: Proof,
        position_equal: bool,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) -> bool {
        let live = self.book.live_copy(symbol);
        for id in live.iter() {
            self.judge_order(*id, proof, position_equal, now, out);
        }
        self.book.exposure(symbol).in_doubt()
    }

    fn judge_order(
        &mut self,
        id: OrderId,
        proof: Proof,
        position_equal: bool,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) {
        let round = self.reconciler.round();
        let started = self.reconciler.started();
        let config = self.config.reconcile.clone();
        let Some(o) = self.book.order_mut(id) else { return };
        if !o.state.is_live() {
            // Fills that a terminal status claimed: a full round with equal positions proves that none is missing.
            if proof == Proof::Full && position_equal && o.changed_at < started {
                self.book.forgive(id, now);
            }
            return;
        }
        if o.seen_round == round || o.changed_at >= started {
            return;
        }
        if o.state != State::Unknown {
            // The broker should work it and did not show it: we missed its end. The sender answers for an intent.
            if proof == Proof::Full && o.state != State::Intent {
                self.apply(id, Trigger::Doubt, now, out);
            }
            return;
        }
        if !position_equal || started - o.ttl < secs(config.ttl_margin_s) {
            o.absent_rounds = 0;
            o.absent_weak_rounds = 0;
            return;
        }
        match proof {
            Proof::Full => o.absent_rounds += 1,
            Proof::WithoutExecutions => o.absent_weak_rounds += 1,
            Proof::None => return,
        }
        let symbol = o.terms.symbol;
        let full = o.absent_rounds >= config.proof_rounds;
        let weak = o.absent_rounds + o.absent_weak_rounds >= config.weak_proof_rounds;
        if full || weak {
            self.apply(id, Trigger::Absent, now, out);
        }
        if weak && !full {
            self.freeze(symbol, Freeze::WEAK_PROOF, now);
            self.alert(now, Alert::WeakProof(id), out);
        }
    }
}
