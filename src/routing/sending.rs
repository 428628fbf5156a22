//! From plan to command: builds the intent, asks the guards, books what was approved, then emits it.

use super::facts::{Command, Fact, Intent, RejectRecord, RoutingOut};
use super::guards::{Approved, ExposureClass, Facts, Reject, margin_estimate};
use super::orders::{Order, Pending, State};
use super::short_horizon_execution::{Plan, View, closes, plan};
use super::stage::RoutingStage;
use crate::clock::SessionTime;
use crate::domain::{ConnEpoch, DecisionId, OrderId, OrderKind, Price, Qty, Side, SymbolId, Tif};
use crate::message::{OrderTerms, Target};
use crate::pipeline::Outbox;
use crate::routing::config::{millis, secs};

/// Plans per symbol and event: a step that needs no message is followed by the next one.
const PLANS_PER_EVENT: usize = 4;
/// Order ids passed over in one go because a live order holds their place in the table.
const ID_SKIPS_MAX: usize = 64;

/// What a child is to be.
#[derive(Clone, Copy, Debug)]
struct Child {
    side: Side,
    qty: Qty,
    limit: Price,
    tif: Tif,
}

impl RoutingStage {
    /// The oldest live own order of a symbol that is not in doubt.
    pub(super) fn child(&self, symbol: SymbolId) -> Option<&Order> {
        let live = self.book.live(symbol).iter().filter_map(|id| self.book.order(*id));
        live.into_iter().find(|o| o.state.is_live() && o.state != State::Unknown)
    }

    fn has_more_children(&self, symbol: SymbolId) -> bool {
        let live = self.book.live(symbol).iter().filter_map(|id| self.book.order(*id));
        live.filter(|o| o.state.is_live() && o.state != State::Unknown).count() > 1
    }

    fn plan(&self, symbol: SymbolId, now: SessionTime) -> Plan {
        let i = symbol.index();
        let view = View {
            exposure: self.book.exposure(symbol),
            child: self.child(symbol),
            more_children: self.has_more_children(symbol),
            market: self.market.get(symbol),
            ssr: self.market.get(symbol).ssr(self.market.today()),
            average: self.book.position(symbol).average(),
            instrument: &self.instruments[i],
            now,
        };
        plan(&self.work[i], &view, &self.config.execution, &self.config.limits)
    }

    /// Moves a symbol toward its target as far as this instant allows.
    pub(super) fn advance(&mut self, symbol: SymbolId, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let i = symbol.index();
        for _ in 0..PLANS_PER_EVENT {
            match self.plan(symbol, now) {
                Plan::Wait => return,
                Plan::Drop => {
                    self.work[i].target = None;
                    self.work[i].started = None;
                    return;
                }
                Plan::Advance { stage } => self.work[i].stage = stage,
                Plan::Place { side, qty, limit, tif, stage } => {
                    return self.place(symbol, Child { side, qty, limit, tif }, stage, now, out);
                }
                Plan::Modify { id, qty, limit, tif, stage } => {
                    return self.modify(id, qty, limit, tif, stage, now, out);
                }
                Plan::Cancel { id } => {
                    self.cancel(id, now, out);
                    return;
                }
            }
        }
    }

    fn epoch_or_none(&self) -> ConnEpoch {
        self.epoch.unwrap_or_default()
    }

    fn check(&self, intent: Intent, now: SessionTime) -> Result<Approved, Reject> {
        let facts = Facts {
            book: &self.book,
            market: &self.market,
            account: &self.account,
            instrument: &self.instruments[intent.terms.symbol.index()],
            authority: self.authority(),
        };
        self.guards.check(intent, &facts, now)
    }

    fn next_identity(&mut self, symbol: SymbolId) -> Result<(OrderId, u64, crate::message::OrderRef), Reject> {
        for _ in 0..ID_SKIPS_MAX {
            let found = self.ids.peek().ok_or(Reject::IdsExhausted)?;
            if self.book.has_room(symbol, found.0) {
                return Ok(found);
            }
            self.ids.skip();
        }
        Err(Reject::TableFull)
    }

    fn place(&mut self, symbol: SymbolId, child: Child, stage: u8, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let Some(target) = self.work[symbol.index()].target else { return };
        match self.try_place(symbol, child, &target, now) {
            Ok(command) => {
                let closing = closes(&target, self.book.exposure(symbol).filled);
                let work = &mut self.work[symbol.index()];
                // A closing window starts again with each child after its first.
                let restart = closing && stage >= super::short_horizon_execution::CROSSING;
                work.started = if restart { Some(now) } else { work.started.or(Some(now)) };
                work.stage = stage;
                work.refused = None;
                out.push(RoutingOut::Command(command));
            }
            Err(reason) => self.refused(symbol, child, &target, reason, now, out),
        }
    }

    fn try_place(
        &mut self,
        symbol: SymbolId,
        child: Child,
        target: &Target,
        now: SessionTime,
    ) -> Result<Command, Reject> {
        let (order_id, seq, order_ref) = self.next_identity(symbol)?;
        let intent = Intent {
            terms: OrderTerms {
                order_id,
                symbol,
                side: child.side,
                qty: child.qty,
                kind: OrderKind::Limit(child.limit),
                tif: child.tif,
                order_ref,
                arrival: self.market.get(symbol).mark(),
            },
            modifies: false,
            seq,
            decision: target.decision,
            cause_at: target.cause_at,
            at: now,
            ttl: now + millis(self.config.execution.intent_ttl_ms),
            epoch: self.epoch_or_none(),
        };
        let approved = self.check(intent, now)?;
        let raises = approved.raises_exposure();
        self.book.insert(Order::approved(&intent, !raises), now).map_err(|_| Reject::TableFull)?;
        self.ids.take();
        self.reserve_margin(&approved);
        self.guards.sent(&approved, now);
        Ok(if raises { Command::New(approved) } else { Command::Reduce(approved) })
    }

    fn reserve_margin(&mut self, approved: &Approved) {
        if approved.class() != ExposureClass::Raises {
            return;
        }
        let t = &approved.intent().terms;
        let price = t.kind.limit().unwrap_or_default().max(self.market.get(t.symbol).mark());
        let value = price.notional(t.qty).unwrap_or_default();
        self.account.reserve(margin_estimate(value, &self.config.limits));
    }

    /// What a refusal means for the target: a reduction tries again, a passing reason too, an entry is dropped.
    fn refused(
        &mut self,
        symbol: SymbolId,
        child: Child,
        target: &Target,
        reason: Reject,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) {
        let closing = closes(target, self.book.exposure(symbol).filled);
        let retry = secs(self.config.execution.reduce_retry_s);
        let work = &mut self.work[symbol.index()];
        if work.refused != Some(reason) {
            work.refused = Some(reason);
            out.push(RoutingOut::Fact(Fact::Reject(RejectRecord {
                at: now,
                symbol,
                side: child.side,
                qty: child.qty,
                limit: child.limit,
                decision: target.decision,
                reason,
            })));
        }
        if reason == Reject::Repeated {
            self.guards.throttles_mut().latch(symbol);
        }
        let work = &mut self.work[symbol.index()];
        if closing {
            work.retry_at = now + retry;
        } else if reason.is_passing() {
            // The window runs on: it bounds the waiting.
            work.started = work.started.or(Some(now));
        } else {
            work.target = None;
            work.started = None;
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one planned modify")]
    fn modify(
        &mut self,
        id: OrderId,
        qty: Qty,
        limit: Price,
        tif: Tif,
        stage: u8,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) {
        let Some(order) = self.book.order(id).copied() else { return };
        let symbol = order.terms.symbol;
        let intent = Intent {
            terms: OrderTerms { qty, kind: OrderKind::Limit(limit), tif, ..order.terms },
            modifies: true,
            seq: order.seq,
            decision: order.decision,
            cause_at: self.work[symbol.index()].target.map_or(now, |t| t.cause_at),
            at: now,
            ttl: now + millis(self.config.execution.intent_ttl_ms),
            epoch: self.epoch_or_none(),
        };
        match self.check(intent, now) {
            Ok(approved) => {
                self.guards.sent(&approved, now);
                if let Some(o) = self.book.order_mut(id) {
                    o.terms.tif = tif;
                }
                let change = self.book.ask_modify(id, Pending { qty, kind: OrderKind::Limit(limit) }, now);
                self.work[symbol.index()].stage = stage;
                self.tell(change, out);
                out.push(RoutingOut::Command(Command::Modify(approved)));
            }
            Err(reason) if reason.is_passing() => {}
            Err(_) if qty < order.terms.qty => self.cancel(id, now, out),
            // The step is left out; the order rests at its old terms until its window ends.
            Err(_) => self.work[symbol.index()].stage = stage,
        }
    }

    /// Cancels an order as soon as the connection and pacing allow; callers try again on the timer.
    pub(super) fn cancel(&mut self, id: OrderId, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let Some(order) = self.book.order(id).copied() else { return };
        let intent = Intent {
            terms: order.terms,
            modifies: true,
            seq: order.seq,
            decision: DecisionId(order.decision.0),
            cause_at: now,
            at: now,
            ttl: now + millis(self.config.execution.intent_ttl_ms),
            epoch: self.epoch_or_none(),
        };
        let Ok(approved) = self.guards.check_cancel(intent, &self.authority(), now) else { return };
        self.guards.sent(&approved, now);
        if let Some(o) = self.book.order_mut(id) {
            o.cancels = o.cancels.saturating_add(1);
            o.cancel_at = now;
        }
        if order.state.is_live() && order.state != State::PendCancel {
            let change = self.book.apply(id, super::orders::Trigger::AskCancel, now);
            self.tell(change, out);
        }
        out.push(RoutingOut::Command(Command::Cancel { order: approved, perm_id: order.perm_id }));
    }
}
