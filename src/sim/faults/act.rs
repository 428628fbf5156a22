//! Actions that are more than a change of one message: notices, outages, commands to the venue, faults of bytes.

#![allow(clippy::cast_possible_truncation, reason = "session seconds of a scenario are below a million")]

use super::describe::Origin;
use super::engine::{Faults, Later, error};
use super::{Action, Command};
use crate::clock::{SECOND, SessionTime};
use crate::sim::api::{ConnId, Door, Outgoing, Response, WireFault};

impl Faults {
    pub(super) fn act(&mut self, now: SessionTime, action: &Action, origin: Origin, out: &mut Vec<Outgoing>) {
        let until = |s: &f64| now + (*s * SECOND as f64) as i64;
        match action {
            Action::Notice { code, text, lines: false } => self.notice(now, *code, text, out),
            Action::Notice { code, text, lines: true } => {
                out.extend(self.lines().map(|(conn, id)| Outgoing { conn, response: error(now, id, *code, text) }));
            }
            Action::Warn { code, text } => {
                if let Some(conn) = origin.conn {
                    self.pass(now, Outgoing { conn, response: error(now, origin.id, *code, text) }, out);
                }
            }
            Action::Outage { for_s, then, told } => {
                if *told {
                    let text = "Connectivity between IBKR and Trader Workstation has been lost.";
                    self.notice(now, 1_100, text, out);
                }
                self.dark = Some(until(for_s));
                self.schedule(until(for_s), Later::OutageEnds { then: *then });
            }
            Action::StaleTicks { for_s } => self.stale_until = until(for_s),
            Action::DelayedTicks { for_s } => {
                self.delayed_until = until(for_s);
                out.extend(self.lines().map(|(conn, req_id)| Outgoing {
                    conn,
                    response: Response::MarketDataType { req_id, market_data_type: 3 },
                }));
            }
            Action::HalfOpen { for_s } => self.half_open_until = until(for_s),
            Action::Disconnect { all: false } => {
                self.commands.extend(origin.conn.map(|conn| Command::Disconnect { conn }));
            }
            Action::Disconnect { all: true } => self.disconnect_all(),
            Action::Restart { ids_back } => {
                self.disconnect_all();
                self.commands.push(Command::RollBackIds { by: *ids_back });
            }
            Action::Halt { symbol, kind, for_s } => {
                self.commands.push(Command::Halt { symbol: symbol.clone(), kind: *kind });
                self.schedule(until(for_s), Later::HaltEnds { symbol: symbol.clone() });
            }
            Action::Door { how, for_s } => {
                door(*how, out);
                self.schedule(until(for_s), Later::DoorOpens);
            }
            other => match self.bytes(other) {
                Some(fault) => self.to_wire(&fault, origin, out),
                None => self.commands.extend(command(other, origin)),
            },
        }
    }

    pub(super) fn notice(&self, now: SessionTime, code: i32, text: &str, out: &mut Vec<Outgoing>) {
        out.extend(self.conns.iter().map(|conn| Outgoing { conn: *conn, response: error(now, -1, code, text) }));
    }

    fn disconnect_all(&mut self) {
        self.commands.extend(self.conns.iter().map(|conn| Command::Disconnect { conn: *conn }));
    }

    /// What the wire makes of an action, if it is about bytes.
    fn bytes(&mut self, action: &Action) -> Option<WireFault> {
        Some(match action {
            Action::GarbageBytes { bytes } => {
                let byte = |_| u8::try_from(self.draw.below(256)).unwrap_or(0);
                WireFault::Bytes((0..*bytes).map(byte).collect())
            }
            Action::MalformedFrame => WireFault::Malformed,
            Action::UnknownFrame => WireFault::Unknown,
            Action::TruncatedFrame => WireFault::Truncated,
            Action::OversizedFrame => WireFault::Oversized,
            Action::Slice { bytes, pause_ms } => WireFault::Slice { bytes: *bytes, pause_ms: *pause_ms },
            Action::Hang => WireFault::Hang,
            _ => return None,
        })
    }

    /// To the connection that struck; of a time, to all.
    fn to_wire(&self, fault: &WireFault, origin: Origin, out: &mut Vec<Outgoing>) {
        let conns: Vec<ConnId> = origin.conn.map_or_else(|| self.conns.iter().copied().collect(), |conn| vec![conn]);
        out.extend(conns.into_iter().map(|conn| Outgoing { conn, response: Response::Wire(fault.clone()) }));
    }
}

/// Tells the server how new connections fare.
pub(super) fn door(how: Door, out: &mut Vec<Outgoing>) {
    out.push(Outgoing { conn: ConnId::SERVER, response: Response::Wire(WireFault::Door(how)) });
}

/// The command that an action is, if it is one.
fn command(action: &Action, origin: Origin) -> Option<Command> {
    Some(match action {
        Action::Lines { max } => Command::Lines { max: *max },
        Action::ByHand { symbol, side, qty, limit_usd } => {
            Command::ByHand { symbol: symbol.clone(), side: *side, qty: *qty, limit_usd: *limit_usd }
        }
        Action::ExternalClose { symbol } => Command::ExternalClose { symbol: symbol.clone() },
        Action::Split { symbol, to, from } => Command::Split { symbol: symbol.clone(), to: *to, from: *from },
        Action::CancelledAtExchange => Command::CancelledAtExchange,
        Action::Correct { by_usd } => Command::Correct { by_usd: *by_usd },
        Action::LateFill { qty } => Command::LateFill { perm: origin.perm, qty: *qty },
        Action::RollBackIds { by } => Command::RollBackIds { by: *by },
        Action::Reject { reason } => {
            Command::Reject { client_order: origin.id, conn: origin.conn?, reason: reason.clone() }
        }
        Action::Locate { ms } => Command::Locate { client_order: origin.id, conn: origin.conn?, ms: *ms },
        _ => return None,
    })
}
