//! What the broker, the sender and the session owner tell, turned into triggers of the lifecycle. Executions move
//! positions; statuses and errors only move orders.

use super::facts::{Alert, DisarmReason, Fact, FillRecord, OrderChange, RoutingOut};
use super::guards::margin_estimate;
use super::orders::{
    CodeClass, Effect, ExternalOrder, FillOutcome, Freeze, Order, State, Trigger, classify, is_notable,
};
use super::stage::RoutingStage;
use crate::clock::SessionTime;
use crate::domain::{Money, OrderId, Price, Qty, SymbolId, Tif};
use crate::message::{
    BrokerEvent, BrokerStatus, CommissionFact, ErrorFact, ExecutionFact, LinkState, OpenOrderFact, OrderTerms,
    StatusFact, WhyHeld,
};
use crate::pipeline::Outbox;

impl RoutingStage {
    pub(super) fn on_broker(&mut self, now: SessionTime, event: &BrokerEvent, out: &mut Outbox<RoutingOut>) {
        self.see_id(event);
        match event {
            BrokerEvent::Link(state) => self.on_link(*state, now, out),
            BrokerEvent::Status(s) => self.on_status(s, now, out),
            BrokerEvent::OpenOrder(o) => self.on_open_order(o, now, out),
            BrokerEvent::Completed(o) => self.on_completed(o, now, out),
            BrokerEvent::Execution(e) => self.on_execution(e, now, out),
            BrokerEvent::Commission(c) => self.on_commission(c, now, out),
            BrokerEvent::Position(p) => self.reconciler.on_position(p.symbol, p.qty),
            BrokerEvent::SnapshotEnd { kind, complete, epoch } => {
                let step = self.reconciler.on_end(*kind, *complete, *epoch);
                self.on_reconcile_step(step, now, out);
            }
            BrokerEvent::Account { net_liquidation, cash, excess_liquidity, buying_power } => {
                let open = self.open_margin();
                self.account.on_rows(*net_liquidation, *excess_liquidity, *buying_power, open, now);
                if let Some(net_liquidation) = *net_liquidation {
                    let cash = *cash;
                    out.push(RoutingOut::Fact(Fact::Equity { at: now, net_liquidation, cash }));
                }
            }
            BrokerEvent::Error(e) => self.on_error(e, now, out),
            BrokerEvent::Sent(id) => {
                if let Some(o) = self.book.order_mut(*id) {
                    o.written = true;
                }
                self.apply(*id, Trigger::Written, now, out);
            }
            BrokerEvent::Withdrawn(id) => self.on_withdrawn(*id, now, out),
            // No what-if is asked yet; an answer to someone else's must not touch an order.
            BrokerEvent::WhatIf(_) => {}
        }
    }

    /// Our next order id lies above every id of this client that the broker ever names.
    fn see_id(&mut self, event: &BrokerEvent) {
        let (client, id) = match event {
            BrokerEvent::Status(s) => (s.client, s.order_id),
            BrokerEvent::OpenOrder(o) | BrokerEvent::Completed(o) => (o.client, o.order_id),
            BrokerEvent::Execution(e) => (e.client, e.order_id),
            _ => return,
        };
        if self.is_mine(client) {
            self.ids.seen(id);
        }
    }

    /// Margin that orders still open may need.
    fn open_margin(&self) -> Money {
        self.book
            .all_live()
            .filter(|o| !o.reduces)
            .map(|o| {
                let limit = o.terms.kind.limit().unwrap_or_default();
                let price = limit.max(self.market.get(o.terms.symbol).mark());
                margin_estimate(price.notional(o.open()).unwrap_or_default(), &self.config.limits)
            })
            .sum()
    }

    /// Applies a trigger to an order of ours and tells what it meant.
    pub(super) fn apply(&mut self, id: OrderId, trigger: Trigger, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let change = self.book.apply(id, trigger, now);
        self.tell(change, out);
        let Some(change) = change else { return };
        self.react(&change, now, out);
    }

    /// Emits the fact of a change. What is merely expected is not kept.
    pub(super) fn tell(&self, change: Option<OrderChange>, out: &mut Outbox<RoutingOut>) {
        if let Some(c) = change.filter(|c| c.from != c.to || is_notable(c.effect)) {
            out.push(RoutingOut::Fact(Fact::Order(c)));
        }
    }

    fn react(&mut self, change: &OrderChange, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        match change.effect {
            Effect::Keep => return,
            Effect::Step => {}
            Effect::LateFill => {
                self.reconciler.request();
                self.alert(now, Alert::LateFill(change.order_id), out);
            }
            Effect::Surface => {
                self.reconciler.request();
                self.freeze(change.symbol, Freeze::UNBOOKED, now);
                self.alert(now, Alert::Surfaced(change.order_id), out);
                self.cancel(change.order_id, now, out);
            }
            Effect::Defect => self.alert(now, Alert::Defect(change.order_id), out),
        }
        if change.to == State::Unknown {
            self.reconciler.request();
        }
        if matches!(change.to, State::Rejected | State::Withdrawn) {
            self.hold_back(change, now);
        }
        if change.from != change.to {
            self.advance(change.symbol, now, out);
        }
    }

    /// The next child at once would meet the same fate: a refused entry is over, everything else waits a moment.
    fn hold_back(&mut self, change: &OrderChange, now: SessionTime) {
        let filled = self.book.exposure(change.symbol).filled;
        let retry = super::config::secs(self.config.execution.reduce_retry_s);
        let work = &mut self.work[change.symbol.index()];
        let closing = work.target.is_some_and(|t| super::short_horizon_execution::closes(&t, filled));
        match (change.to, closing) {
            (State::Rejected, false) => work.target = None,
            (State::Withdrawn, _) => work.retry_at = now + crate::pipeline::GRID,
            _ => work.retry_at = now + retry,
        }
    }

    fn is_mine(&self, client: crate::domain::ClientId) -> bool {
        client == self.identity.client
    }

    /// The own order that a status is about; another client's id in it may be the canceller's.
    fn own_order(&self, s: &StatusFact) -> Option<OrderId> {
        let by_id = self
            .book
            .order(s.order_id)
            .filter(|o| self.is_mine(s.client) && (s.perm_id.0 == 0 || o.perm_id.0 == 0 || o.perm_id == s.perm_id));
        by_id.map(|o| o.terms.order_id).or_else(|| self.book.by_perm(s.perm_id))
    }

    fn on_status(&mut self, s: &StatusFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let Some(id) = self.own_order(s) else { return self.on_external_status(s, now) };
        if let Some(o) = self.book.order_mut(id) {
            o.seen |= s.status != BrokerStatus::PendingSubmit;
            if o.perm_id.0 == 0 {
                o.perm_id = s.perm_id;
            }
        }
        self.on_word(id, s.status, s.why_held, s.filled, now, out);
    }

    /// What the broker's word for an order's state means.
    fn on_word(
        &mut self,
        id: OrderId,
        status: BrokerStatus,
        why_held: WhyHeld,
        filled: Qty,
        now: SessionTime,
        out: &mut Outbox<RoutingOut>,
    ) {
        let trigger = match (status, why_held) {
            (BrokerStatus::PreSubmitted | BrokerStatus::Inactive, WhyHeld::Locate) => Trigger::Hold,
            (BrokerStatus::PreSubmitted | BrokerStatus::Submitted, _) => Trigger::Ack,
            (BrokerStatus::Inactive, _) => Trigger::Reject,
            (BrokerStatus::Cancelled | BrokerStatus::ApiCancelled, _) => Trigger::Cancelled,
            (BrokerStatus::Unknown, _) => Trigger::Doubt,
            // Executions prove fills; until they come the shares stay reserved.
            (BrokerStatus::Filled, _) => return self.owe(id, None, now),
            (BrokerStatus::PendingSubmit | BrokerStatus::ApiPending | BrokerStatus::PendingCancel, _) => return,
        };
        if matches!(trigger, Trigger::Cancelled | Trigger::Reject) {
            self.owe(id, Some(filled), now);
        }
        self.apply(id, trigger, now, out);
    }

    /// Notes fills that a terminal word claims (`None` = all of it) and that executions have not proven.
    fn owe(&mut self, id: OrderId, claimed: Option<Qty>, now: SessionTime) {
        let Some(o) = self.book.order(id) else { return };
        self.book.owe(id, claimed.unwrap_or(o.terms.qty), now);
        if self.book.order(id).is_some_and(|o| o.owed.0 > 0) {
            self.reconciler.request();
        }
    }

    fn on_external_status(&mut self, s: &StatusFact, now: SessionTime) {
        let ended = matches!(
            s.status,
            BrokerStatus::Cancelled | BrokerStatus::ApiCancelled | BrokerStatus::Filled | BrokerStatus::Inactive
        );
        let Some(known) = self.book.externals().get(s.perm_id).copied() else { return };
        if ended {
            self.book.externals().remove(s.perm_id);
        } else {
            self.book.put_external(ExternalOrder { open: Qty(s.remaining.0.max(0)), ..known }, now);
        }
    }

    fn on_open_order(&mut self, o: &OpenOrderFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        // An id alone may be another session's; a gateway that leaves our reference out is believed.
        let id = self
            .book
            .order(o.order_id)
            .filter(|k| self.is_mine(o.client) && (k.terms.order_ref == o.order_ref || o.order_ref.is_empty()));
        let id = id.map(|k| k.terms.order_id).or_else(|| self.book.by_perm(o.perm_id));
        let Some(id) = id else { return self.on_strange_order(o, now, out) };
        let round = self.reconciler.round();
        let in_snapshot = self.reconciler.is_running();
        let mut modified = false;
        if let Some(k) = self.book.order_mut(id) {
            k.seen = true;
            k.seen_round = round;
            if k.perm_id.0 == 0 {
                k.perm_id = o.perm_id;
            }
            modified = k.pending.is_some_and(|p| p.qty == o.qty && p.kind == o.kind);
            if k.state == State::Unknown {
                // Adopted with the broker's own terms, whichever of ours they are.
                k.terms.qty = o.qty;
                k.terms.kind = o.kind;
                k.pending = None;
                modified = false;
            }
        }
        let trigger = match o.status {
            BrokerStatus::PreSubmitted | BrokerStatus::Submitted if modified => Trigger::ModifyAck,
            BrokerStatus::PreSubmitted | BrokerStatus::Submitted if in_snapshot => Trigger::Found,
            BrokerStatus::PreSubmitted | BrokerStatus::Submitted => Trigger::Ack,
            // Terminal words come with an orderStatus, which alone tells what was filled.
            _ => return,
        };
        self.apply(id, trigger, now, out);
    }

    /// An order that the book does not know: ours by its reference, or foreign.
    fn on_strange_order(&mut self, o: &OpenOrderFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let Some(symbol) = o.symbol.filter(|s| self.book.covers(*s)) else { return };
        let alive = matches!(
            o.status,
            BrokerStatus::PreSubmitted
                | BrokerStatus::Submitted
                | BrokerStatus::PendingSubmit
                | BrokerStatus::PendingCancel
                | BrokerStatus::Unknown
        );
        if !alive {
            self.book.externals().remove(o.perm_id);
            return;
        }
        if self.is_mine(o.client) && self.ids.is_ours(&o.order_ref) && o.order_id.0 > 0 {
            return self.adopt(o, symbol, now, out);
        }
        let order = ExternalOrder { perm_id: o.perm_id, symbol, side: o.side, open: o.qty };
        let news = self.book.externals().get(o.perm_id).is_none();
        if !self.book.put_external(order, now) {
            self.alert(now, Alert::ExternalTableFull, out);
            self.disarm(DisarmReason::ExecutionTableFull);
        } else if news {
            self.alert(now, Alert::External(symbol), out);
        }
    }

    /// Ours, but not in the journal (its record was lost with the power): it counts, and is cancelled.
    fn adopt(&mut self, o: &OpenOrderFact, symbol: SymbolId, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let terms = OrderTerms {
            order_id: o.order_id,
            symbol,
            side: o.side,
            qty: o.qty,
            kind: o.kind,
            tif: Tif::Day,
            order_ref: o.order_ref,
            arrival: Price::NONE,
        };
        let order = Order::adopted(terms, o.perm_id, self.epoch.unwrap_or_default(), now);
        if self.book.insert(order, now).is_err() {
            self.freeze(symbol, Freeze::UNBOOKED, now);
            return self.alert(now, Alert::Defect(o.order_id), out);
        }
        self.apply(o.order_id, Trigger::Found, now, out);
        self.alert(now, Alert::Surfaced(o.order_id), out);
        self.cancel(o.order_id, now, out);
    }

    fn on_completed(&mut self, o: &OpenOrderFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let id = self.book.by_perm(o.perm_id).or_else(|| {
            let live = self.book.all_live().find(|k| !k.terms.order_ref.is_empty() && k.terms.order_ref == o.order_ref);
            live.map(|k| k.terms.order_id)
        });
        let Some(id) = id else {
            self.book.externals().remove(o.perm_id);
            return;
        };
        // A completed order tells no filled quantity; executions and positions of the same round do.
        match o.status {
            BrokerStatus::Cancelled | BrokerStatus::ApiCancelled => self.apply(id, Trigger::Cancelled, now, out),
            BrokerStatus::Inactive => self.apply(id, Trigger::Reject, now, out),
            BrokerStatus::Filled => self.owe(id, None, now),
            _ => {}
        }
    }

    fn on_execution(&mut self, e: &ExecutionFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let known = self.is_mine(e.client) && self.book.order(e.order_id).is_some();
        let own = known || self.ids.is_ours(&e.order_ref);
        let first = self.book.order(e.order_id).is_some_and(|o| o.filled.0 == 0);
        match self.book.on_execution(e, own, now) {
            FillOutcome::Repeat => {}
            FillOutcome::Malformed => {
                if let Some(symbol) = e.symbol.filter(|s| self.book.covers(*s)) {
                    self.freeze(symbol, Freeze::UNBOOKED, now);
                }
                self.alert(now, Alert::MalformedFill(e.order_id), out);
            }
            FillOutcome::Applied { change, correction, external, untracked } => {
                self.reconciler.on_fill();
                let symbol = e.symbol.unwrap_or_default();
                if self.book.freeze_of(symbol).has(Freeze::UNEXPLAINED) {
                    // It may be the fill that explains the difference.
                    self.reconciler.request();
                }
                if known && first && !correction {
                    self.guards.executed();
                }
                let arrival = self.book.order(e.order_id).filter(|_| own).map_or(Price::NONE, |o| o.terms.arrival);
                let position = self.book.position(symbol).filled;
                let fill = FillRecord { at: now, execution: *e, correction, external, position, arrival };
                out.push(RoutingOut::Fact(Fact::Fill(fill)));
                self.tell(change, out);
                if external {
                    self.book.externals().fill(e.perm_id, e.qty);
                    self.alert(now, Alert::External(symbol), out);
                }
                if untracked {
                    self.disarm(DisarmReason::ExecutionTableFull);
                    self.alert(now, Alert::ExecutionTableFull, out);
                }
                if let Some(change) = change {
                    self.react(&change, now, out);
                }
                self.update_pnl(now, out);
            }
        }
    }

    fn on_commission(&mut self, c: &CommissionFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        if self.book.on_commission(c, now) {
            out.push(RoutingOut::Fact(Fact::Commission { at: now, commission: *c }));
        }
    }

    fn on_error(&mut self, e: &ErrorFact, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let id = OrderId(e.id);
        if e.code == 2_148 {
            self.margin_warned = true;
            self.alert(now, Alert::MarginWarning, out);
        }
        let Some(order) = self.book.order(id).copied() else { return };
        match classify(e) {
            CodeClass::Warning | CodeClass::MarginWarning => {}
            CodeClass::Named(status) => self.on_word(id, status, WhyHeld::None, order.filled, now, out),
            CodeClass::Step(Trigger::CancelUnknown) if order.refused => self.apply(id, Trigger::Refuse, now, out),
            CodeClass::Step(trigger) => self.apply(id, trigger, now, out),
            CodeClass::Doubtful if order.state == State::PendModify => {
                self.apply(id, Trigger::ModifyRefused, now, out);
            }
            CodeClass::Doubtful if !order.seen && order.state.is_live() => {
                if let Some(o) = self.book.order_mut(id) {
                    o.refused = true;
                }
                if order.cancels == 0 {
                    self.cancel(id, now, out);
                }
            }
            CodeClass::Doubtful => {}
        }
    }

    /// The sender's word that nothing was sent. About a live order it can only mean its modify.
    fn on_withdrawn(&mut self, id: OrderId, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let Some(o) = self.book.order(id) else { return };
        let never_sent = !o.written && !o.seen && o.filled.0 == 0;
        if never_sent || o.state == State::PendModify {
            self.apply(id, Trigger::Withdraw, now, out);
        }
    }

    fn on_link(&mut self, state: LinkState, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        match state {
            LinkState::Up { epoch, next_order_id } => {
                self.doubt_all(now, out);
                self.epoch = Some(epoch);
                self.broker_reachable = true;
                self.reconciled = false;
                self.ids.at_least(next_order_id);
                let step = self.reconciler.on_link_up(epoch, now);
                self.on_reconcile_step(Some(step), now, out);
            }
            LinkState::Down => {
                self.epoch = None;
                self.reconciled = false;
                self.reconciler.on_link_down();
                self.doubt_all(now, out);
            }
            LinkState::Lost => {
                self.broker_reachable = false;
                self.reconciled = false;
                self.reconciler.on_lost();
            }
            LinkState::Restored => {
                self.broker_reachable = true;
                self.reconciled = false;
                self.reconciler.request();
            }
        }
    }

    /// Every order that may be at the broker is in doubt now. An intent is not: the sender answers for it.
    fn doubt_all(&mut self, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        for i in 0..self.instruments.len() {
            let symbol = self.instruments[i].id;
            let live = self.book.live_copy(symbol);
            for id in live.iter() {
                let waits = self.book.order(*id).is_none_or(|o| o.state == State::Intent);
                if !waits {
                    let change = self.book.apply(*id, Trigger::Doubt, now);
                    self.tell(change, out);
                }
            }
        }
    }
}
