//! Changes to orders that exist: modification (placeOrder with the same id) and cancel, at the gateway and at the
//! exchange.

use super::agenda::Task;
use super::core::{Core, answer};
use super::exposure::Objection;
use super::orders::{Record, Status, Terms, Tif, Version};
use super::reports::{error, order_status};
use super::terms::{Refusal, terms};
use super::text;
use crate::sim::api::{ConnId, Order, Outgoing};

impl Core {
    /// placeOrder with the id of an order that exists.
    pub(super) fn modify(&mut self, conn: ConnId, perm: i64, order: Order, out: &mut Vec<Outgoing>) {
        let checked = self.recheck(perm, &order);
        let Some(r) = self.orders.get_mut(perm) else { return };
        let id = r.order_id;
        match r.status {
            // Recorded: of a filled order it is ignored without a word.
            Status::Filled => {}
            Status::Cancelled | Status::Inactive => answer(conn, error(self.now, id, 103, "Duplicate order id"), out),
            _ if order.action != Some(r.side) => {
                let text = "Order being modified does not match original order";
                answer(conn, error(self.now, id, 105, text), out);
            }
            _ if r.changes_plan(&order) => {
                let text = "Order modify failed. Algorithm cannot be modified.";
                answer(conn, error(self.now, id, 440, text), out);
            }
            _ if r.changes_scale(&order) => {
                let text = "Order modify failed. Cannot change to the new order type.";
                answer(conn, error(self.now, id, 329, text), out);
            }
            Status::Untransmitted => match checked {
                Ok(terms) => {
                    let transmit = order.transmit;
                    (r.terms, r.discarded) = (terms, false);
                    r.conditions_met = !Record::waits_for_conditions(&order);
                    r.take_fields(order);
                    if transmit {
                        self.transmit(perm);
                    }
                }
                Err((code, text)) => answer(conn, error(self.now, id, code, text), out),
            },
            Status::Sent | Status::PreSubmitted | Status::Submitted => match checked {
                Ok(_) => self.send_in(perm, Task::Modify { perm, order: Box::new(order) }),
                Err((code, text)) => answer(conn, error(self.now, id, code, text), out),
            },
        }
    }

    /// The terms of a modification, or why the gateway refuses them.
    fn recheck(&self, perm: i64, order: &Order) -> Result<Terms, Refusal> {
        let new = terms(order)?;
        self.check_conditions_of(order)?;
        if let Some(r) = self.orders.get(perm) {
            self.precautions(order, r.symbol, r.side, &new)?;
        }
        Ok(new)
    }

    /// A modification reaches the exchange. It keeps its place only when it merely asks for fewer shares.
    pub(super) fn modify_arrives(&mut self, perm: i64, order: &Order) {
        let Ok(new) = terms(order) else { return };
        let Some(r) = self.orders.get(perm).cloned() else { return };
        if !r.status.is_open() || r.cancelling {
            return;
        }
        let mut changed = r.clone();
        changed.terms = new;
        let more = new.qty - r.terms.qty;
        match if more > 0 { self.objection(&changed, more) } else { None } {
            Some(Objection::Refuse(reason)) => {
                let text = format!("Order rejected - reason:{reason}");
                return self.report(perm, r.client, vec![error(self.now, r.order_id, 201, text)]);
            }
            Some(Objection::Locate) => {
                let text = "Order rejected - reason:Contract is not available for short sale.";
                return self.report(perm, r.client, vec![error(self.now, r.order_id, 201, text)]);
            }
            None => {}
        }
        if let Some(kept) = self.orders.get_mut(perm) {
            kept.terms = new;
            kept.version = Version { fees_before: kept.fees, ..Version::default() };
            if order.conditions != kept.sent.conditions {
                kept.conditions_met = !Record::waits_for_conditions(order);
            }
            kept.take_fields(order.clone());
        }
        self.watch_conditions(perm);
        self.cap_price(perm);
        if let Tif::Gtd(until) = new.tif {
            self.agenda.add(until, Task::Expire { perm });
        }
        if new.qty <= r.filled {
            self.markets[r.symbol.index()].book.remove(perm);
            return self.cancelled(perm, None, "Cancelled by Trader");
        }
        self.report_pair(perm, r.status.word());
        if r.status != Status::Submitted {
            // Recorded off hours: the state comes twice.
            self.report_pair(perm, r.status.word());
            self.watch_order(perm);
            return self.try_release(perm);
        }
        let same = Terms { qty: new.qty, ..r.terms } == new;
        if same && new.qty <= r.terms.qty && r.plan.is_none() {
            self.markets[r.symbol.index()].book.shrink(perm, new.qty - r.filled);
        } else {
            self.rework(perm);
        }
    }

    /// cancelOrder: of an own order, or of another client's that this connection was shown.
    pub(super) fn cancel(&mut self, conn: ConnId, order_id: i32, out: &mut Vec<Outgoing>) {
        let Some(c) = self.sessions.get(conn) else { return };
        let (client, mut shown) = (c.client, c.shown.iter());
        let own = self.orders.find(client, order_id);
        let named = own.or_else(|| shown.find_map(|p| self.orders.get(*p).filter(|r| r.order_id == order_id)));
        let Some(r) = named else {
            let text = format!("OrderId {order_id} that needs to be cancelled is not found.");
            return answer(conn, error(self.now, order_id, 10_147, text), out);
        };
        if r.status.is_final() || r.cancelling {
            // Recorded: of a refused order it says Cancelled.
            let word = match r.status {
                Status::Inactive => "Cancelled",
                s if s.is_final() => s.word(),
                _ => "PendingCancel",
            };
            let text = format!("OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {word}.");
            return answer(conn, error(self.now, order_id, 10_148, text), out);
        }
        let perm = r.perm;
        self.efficiency.cancels += 1;
        self.start_cancel(perm, client);
    }

    /// Sends a cancel towards the exchange, with the states that were recorded on the way.
    pub(super) fn start_cancel(&mut self, perm: i64, by: i32) {
        let in_hours = self.orders.get(perm).is_some_and(|r| self.may_trade(r));
        let Some(r) = self.orders.get_mut(perm).filter(|r| !r.cancelling) else { return };
        r.cancelling = true;
        if r.discarded {
            return self.discarded(perm, by);
        }
        if r.status == Status::Untransmitted {
            return self.cancelled(perm, Some(by), "Cancelled by Trader");
        }
        let deferring = r.status == Status::PreSubmitted && !r.deferral_told;
        let unacknowledged = r.status == Status::Sent || r.undelivered > 0 || deferring;
        r.cancelled_early = unacknowledged;
        if by == r.client && !unacknowledged && in_hours && r.status == Status::Submitted {
            let status = order_status(r, "PendingCancel", by);
            self.report(perm, by, vec![status]);
        }
        self.send_in(perm, Task::Cancel { perm, by });
    }

    /// The cancel of an order that was refused at the gateway, as recorded.
    fn discarded(&mut self, perm: i64, by: i32) {
        self.orders.finish(perm, Status::Cancelled, text::eastern(self.now), "Order was discarded.".into());
        let Some(r) = self.orders.get(perm) else { return };
        let status = order_status(r, "Cancelled", by);
        let notice = error(self.now, r.order_id, 202, "Order Canceled - reason:Order was discarded.");
        let late = format!("Cancel attempted when order is not in a cancellable state.  Order permId ={perm}");
        let messages = vec![status, notice, error(self.now, r.order_id, 161, late)];
        self.report(perm, by, messages);
    }

    /// A cancel reaches the exchange.
    pub(super) fn cancel_arrives(&mut self, perm: i64, by: i32) {
        let Some(r) = self.orders.get(perm).cloned() else { return };
        if r.status.is_final() {
            // A fill won the race.
            let text = format!("Cancel attempted when order is not in a cancellable state.  Order permId ={perm}");
            return self.report(perm, by, vec![error(self.now, r.order_id, 161, text)]);
        }
        self.markets[r.symbol.index()].book.remove(perm);
        if r.cancelled_early && by == r.client && r.filled == 0 {
            // Recorded: a cancel before the acknowledgement is complete shows PendingCancel twice.
            self.report_pair(perm, "PendingCancel");
            self.report_pair(perm, "PendingCancel");
        }
        self.cancelled(perm, Some(by), "Cancelled by Trader");
    }
}
