//! From routing's commands and facts to records.

use super::codec::terms;
use super::record::{self, Record, what};
use crate::clock::SessionTime;
use crate::domain::Text;
use crate::message::{Cause, Urgency};
use crate::routing::{Alert, Command, Fact};

/// The record of a command. `at` = when the journal took it.
pub(super) fn of_command(command: &Command, at: SessionTime) -> Record {
    let intent = command.approved().intent();
    let t = &intent.terms;
    let (tif, tif_until) = terms::tif(t.tif);
    match command {
        Command::New(a) | Command::Reduce(a) => record::Intent {
            at,
            order_id: t.order_id,
            symbol: t.symbol,
            side: t.side,
            qty: t.qty,
            limit: terms::limit(t.kind),
            tif,
            tif_until,
            order_ref: t.order_ref,
            intent: intent.seq,
            decision: intent.decision,
            cause_at: intent.cause_at,
            ttl: intent.ttl,
            epoch: intent.epoch,
            arrival: t.arrival,
            reduces: !a.raises_exposure(),
        }
        .into(),
        Command::Modify(a) => record::Modify {
            at,
            order_id: t.order_id,
            qty: t.qty,
            limit: terms::limit(t.kind),
            tif,
            tif_until,
            epoch: intent.epoch,
            raises: a.raises_exposure(),
        }
        .into(),
        Command::Cancel { perm_id, .. } => {
            record::Cancel { at, order_id: t.order_id, perm_id: *perm_id, epoch: intent.epoch }.into()
        }
    }
}

/// What a command is about, as records number it.
pub(super) const fn what_of(command: &Command) -> u8 {
    match command {
        Command::New(_) | Command::Reduce(_) => what::NEW,
        Command::Modify(_) => what::MODIFY,
        Command::Cancel { .. } => what::CANCEL,
    }
}

/// The record of a fact.
pub(super) fn of_fact(fact: &Fact) -> Record {
    match *fact {
        Fact::Order(c) => record::OrderState {
            at: c.at,
            order_id: c.order_id,
            perm_id: c.perm_id,
            symbol: c.symbol,
            from: c.from as u8,
            to: c.to as u8,
            trigger: c.trigger as u8,
            effect: c.effect as u8,
        }
        .into(),
        Fact::Reject(r) => record::Reject {
            at: r.at,
            symbol: r.symbol,
            side: r.side,
            qty: r.qty,
            limit: r.limit,
            decision: r.decision,
            reason: r.reason as u8,
        }
        .into(),
        Fact::Fill(f) => of_fill(&f),
        Fact::Commission { at, commission: c } => {
            record::Commission { at, exec_id: c.exec_id, commission: c.commission, realized: c.realized }.into()
        }
        Fact::Target(t) => of_target(&t),
        Fact::Mode { at, mode } => record::Mode { at, mode: mode as u8 }.into(),
        Fact::Armed { at, armed, reason } => {
            record::Armed { at, armed, reason: reason.map_or(0, |r| r as u8 + 1) }.into()
        }
        Fact::SsrLatched { at, symbol, until } => record::Ssr { at, symbol, until }.into(),
        Fact::Equity { at, net_liquidation, cash } => record::Equity { at, net_liquidation, cash }.into(),
        Fact::Alert { at, alert } => of_alert(at, alert),
    }
}

fn of_fill(f: &crate::routing::FillRecord) -> Record {
    let e = &f.execution;
    record::Execution {
        at: f.at,
        exec_id: e.exec_id,
        order_id: e.order_id,
        client: e.client,
        perm_id: e.perm_id,
        symbol: e.symbol.unwrap_or_default(),
        side: e.side,
        qty: e.qty,
        price: e.price,
        cumulative: e.cumulative,
        broker_time: e.broker_time,
        order_ref: e.order_ref,
        correction: f.correction,
        external: f.external,
        position: f.position,
        arrival: f.arrival,
    }
    .into()
}

fn of_target(t: &crate::message::Target) -> Record {
    record::Target {
        at: t.at,
        decision: t.decision,
        symbol: t.symbol,
        net: t.net,
        arrival: t.arrival,
        net_edge_bps: t.net_edge_bps,
        horizon_minutes: t.horizon.map_or(0, |h| u8::try_from(h.minutes()).unwrap_or(0)),
        urgency: match t.urgency {
            Urgency::Passive => 0,
            Urgency::Normal => 1,
            Urgency::Cross => 2,
        },
        cause: match t.cause {
            Cause::Enter => 0,
            Cause::Exit => 1,
            Cause::Flatten => 2,
        },
        cause_at: t.cause_at,
    }
    .into()
}

/// Names of alert kinds, by number.
pub(super) const ALERTS: [&str; 14] = [
    "late fill of an order that had ended",
    "an order thought dead is alive: cancelled",
    "an event that this state can't have",
    "a fill that can't be applied",
    "a foreign order or fill: strategy off in the symbol",
    "the broker's position differs from the book",
    "abandoned by weak proof: the symbol is reduce-only",
    "reconciliation gave up",
    "the execution table is full",
    "the table of foreign orders is full",
    "the broker warned of margin",
    "the day's loss limit was hit",
    "a cancel was not answered",
    "unknown",
];
/// Number of the daily-loss alert: recovery restores its latch.
pub(super) const ALERT_DAILY_LOSS: u8 = 11;

fn of_alert(at: SessionTime, alert: Alert) -> Record {
    let order = |id: crate::domain::OrderId| i64::from(id.0);
    let (kind, subject, first, second) = match alert {
        Alert::LateFill(id) => (0, order(id), 0, 0),
        Alert::Surfaced(id) => (1, order(id), 0, 0),
        Alert::Defect(id) => (2, order(id), 0, 0),
        Alert::MalformedFill(id) => (3, order(id), 0, 0),
        Alert::External(symbol) => (4, i64::from(symbol.0), 0, 0),
        Alert::Unexplained { symbol, broker, book } => (5, i64::from(symbol.0), broker.0, book.0),
        Alert::WeakProof(id) => (6, order(id), 0, 0),
        Alert::ReconcileFailed => (7, 0, 0, 0),
        Alert::ExecutionTableFull => (8, 0, 0, 0),
        Alert::ExternalTableFull => (9, 0, 0, 0),
        Alert::MarginWarning => (10, 0, 0, 0),
        Alert::DailyLoss(pnl) => (ALERT_DAILY_LOSS, 0, pnl.0, 0),
        Alert::CancelUnanswered(id) => (12, order(id), 0, 0),
    };
    record::Alert { at, alert: kind, subject, first, second }.into()
}

/// Text that fits, cut at a character when it must be (names for people, never ids).
pub(super) fn short<const N: usize>(text: &str) -> Text<N> {
    let mut end = text.len().min(N);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Text::new(&text[..end]).unwrap_or_default()
}
