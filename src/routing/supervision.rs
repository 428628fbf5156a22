//! What the session grid drives: windows of the children, answers that do not come, the day's P&L, reconciliation.

use super::facts::{Alert, RoutingOut};
use super::orders::{State, Trigger};
use super::stage::RoutingStage;
use crate::clock::SessionTime;
use crate::domain::{Money, OrderId, Tif};
use crate::pipeline::Outbox;
use crate::routing::config::secs;

impl RoutingStage {
    pub(super) fn on_timer(&mut self, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        for i in 0..self.instruments.len() {
            let symbol = self.instruments[i].id;
            let live = self.book.live_copy(symbol);
            for id in live.iter() {
                self.watch(*id, now, out);
            }
            if self.work[i].target.is_some() || !self.book.live(symbol).is_empty() {
                self.advance(symbol, now, out);
            }
        }
        self.update_pnl(now, out);
        let step = self.reconciler.on_timer(now);
        self.on_reconcile_step(step, now, out);
    }

    /// Raises doubt about an order whose answer is overdue.
    fn watch(&mut self, id: OrderId, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let Some(o) = self.book.order(id).copied() else { return };
        let e = &self.config.execution;
        let overdue = now - o.changed_at >= secs(e.ack_timeout_s);
        match o.state {
            State::Sent if overdue => self.apply(id, Trigger::Doubt, now, out),
            // The sender withdraws at the TTL; silence beyond it is doubt.
            State::Intent if now - o.ttl >= secs(e.ack_timeout_s) => self.apply(id, Trigger::Doubt, now, out),
            State::PendCancel if o.cancels >= e.cancels_max && now - o.cancel_at >= secs(e.ack_timeout_s) => {
                self.alert(now, Alert::CancelUnanswered(id), out);
                self.apply(id, Trigger::Doubt, now, out);
            }
            State::Unknown => {
                // Its window is over: one cancel per retry, so that a hidden order can't outlive it.
                let again = now - o.cancel_at >= secs(e.cancel_retry_s) && o.cancels < e.cancels_max;
                if again && o.seen && self.epoch.is_some() {
                    self.cancel(id, now, out);
                }
            }
            State::Acked | State::Held | State::Partial | State::PendModify => {
                // The broker must have ended it at its own expiry.
                let expired = matches!(o.terms.tif, Tif::Gtd(at) if now - at >= secs(e.ack_timeout_s));
                if expired {
                    self.apply(id, Trigger::Doubt, now, out);
                }
            }
            _ => {
                if o.owed.0 > 0 && overdue {
                    self.reconciler.request();
                }
            }
        }
    }

    /// The day's P&L from marks; a held symbol without any mark makes it unknown. Only a known figure latches.
    pub(super) fn update_pnl(&mut self, now: SessionTime, out: &mut Outbox<RoutingOut>) {
        let mut total = Money(0);
        let mut known = true;
        for i in 0..self.instruments.len() {
            let symbol = self.instruments[i].id;
            let position = self.book.position(symbol);
            let mark = self.market.get(symbol).mark();
            if position.filled.0 != 0 && !mark.is_some() {
                known = false;
            }
            total += position.pnl(mark);
        }
        self.pnl_known = known;
        let Some(baseline) = self.account.baseline().filter(|_| known && !self.loss_latched) else { return };
        let limit = i128::from(baseline.0) * i128::from(self.config.limits.daily_loss_pct) / 100;
        if i128::from(total.0) <= -limit {
            self.latch_loss();
            self.alert(now, Alert::DailyLoss(total), out);
        }
    }
}
