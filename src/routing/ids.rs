//! Order ids and references. An id is taken only when the guards approved; the reference joins the order to its
//! journal record for ever: `deployment|epoch|seq|check`, check = crc32c of what stands before it.

use std::fmt::Write;

use crate::domain::{OrderId, ProcessEpoch};
use crate::message::OrderRef;

/// Hands out ids and references.
#[derive(Clone, Debug)]
pub struct Ids {
    deployment: String,
    epoch: ProcessEpoch,
    next_order_id: OrderId,
    next_seq: u64,
}

/// Text built on the stack: formatting a reference must not allocate.
struct Line {
    bytes: [u8; 38],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.len + s.len();
        self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl Line {
    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or("")
    }
}

/// The reference of intent `seq`. With a deployment of at most 8 letters it always fits.
pub fn order_ref(deployment: &str, epoch: ProcessEpoch, seq: u64) -> Option<OrderRef> {
    let mut line = Line { bytes: [0; 38], len: 0 };
    write!(line, "{deployment}|{}|{seq}|", epoch.0).ok()?;
    let check = crc32c::crc32c(&line.bytes[..line.len]);
    write!(line, "{check:08x}").ok()?;
    OrderRef::new(line.as_str())
}

/// Epoch and number of a reference of this deployment; `None` for anything else or a wrong check.
pub fn parse_ref(text: &str, deployment: &str) -> Option<(ProcessEpoch, u64)> {
    let (body, check) = text.rsplit_once('|')?;
    let mut parts = body.split('|');
    let (name, epoch, seq) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || name != deployment {
        return None;
    }
    let (epoch, seq) = (ProcessEpoch(epoch.parse().ok()?), seq.parse().ok()?);
    let prefix = text.len() - check.len();
    (u32::from_str_radix(check, 16).ok()? == crc32c::crc32c(&text.as_bytes()[..prefix])).then_some((epoch, seq))
}

impl Ids {
    /// Starts at `next_order_id`, never below 1.
    pub fn new(deployment: &str, epoch: ProcessEpoch, next_order_id: OrderId) -> Self {
        Self { deployment: deployment.into(), epoch, next_order_id: OrderId(next_order_id.0.max(1)), next_seq: 1 }
    }

    /// The gateway's own next id: ours is never below it, and never falls.
    pub fn at_least(&mut self, id: OrderId) {
        self.next_order_id = self.next_order_id.max(id);
    }

    /// An id of ours was seen: the next lies above it.
    pub fn seen(&mut self, id: OrderId) {
        self.at_least(OrderId(id.0.saturating_add(1)));
    }

    /// What the next intent would be called; nothing is taken yet. `None` when ids or references run out.
    pub fn peek(&self) -> Option<(OrderId, u64, OrderRef)> {
        if self.next_order_id.0 == i32::MAX {
            return None;
        }
        let order_ref = order_ref(&self.deployment, self.epoch, self.next_seq)?;
        Some((self.next_order_id, self.next_seq, order_ref))
    }

    /// Takes what `peek` showed.
    pub fn take(&mut self) {
        self.next_order_id = OrderId(self.next_order_id.0.saturating_add(1));
        self.next_seq += 1;
    }

    /// A number for an intent that is no new order.
    pub fn next_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }

    /// Passes over an id whose place in the order table is taken by a live order.
    pub fn skip(&mut self) {
        self.next_order_id = OrderId(self.next_order_id.0.saturating_add(1));
    }

    /// Whether a reference is of this deployment.
    pub fn is_ours(&self, reference: &OrderRef) -> bool {
        parse_ref(reference.as_str(), &self.deployment).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_fit_round_trip_and_notice_damage() {
        let longest = order_ref("deploy-8", ProcessEpoch(99_999), 9_999_999_999).unwrap();
        assert_eq!(parse_ref(longest.as_str(), "deploy-8"), Some((ProcessEpoch(99_999), 9_999_999_999)));
        let r = order_ref("ibt", ProcessEpoch(3), 17).unwrap();
        assert!(r.as_str().starts_with("ibt|3|17|"));
        assert_eq!(parse_ref(&r.as_str().replace("17", "18"), "ibt"), None);
        assert_eq!(parse_ref(r.as_str(), "ibu"), None);
        assert_eq!(parse_ref("", "ibt"), None);
        assert_eq!(parse_ref("a|b|c|d|e", "a"), None);
        assert_eq!(order_ref("deploy-8", ProcessEpoch(u32::MAX), u64::MAX), None, "it is never shortened");
    }

    #[test]
    fn ids_never_fall() {
        let mut ids = Ids::new("ibt", ProcessEpoch(1), OrderId(0));
        assert_eq!(ids.peek().map(|p| p.0), Some(OrderId(1)));
        ids.at_least(OrderId(40));
        ids.take();
        ids.at_least(OrderId(5));
        assert_eq!(ids.peek().map(|p| p.0), Some(OrderId(41)));
        ids.seen(OrderId(90));
        assert_eq!(ids.peek().map(|p| p.0), Some(OrderId(91)));
    }
}
