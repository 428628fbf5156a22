//! One line per record, for people.

use super::convert::ALERTS;
use super::record::{Record, what, why};
use crate::routing::Reject;
use crate::routing::orders::{Effect, State, Trigger};

fn named(what: u8) -> &'static str {
    match what {
        what::NEW => "order",
        what::MODIFY => "modify of",
        what::CANCEL => "cancel of",
        _ => "?",
    }
}

fn state(n: u8) -> &'static str {
    State::from_u8(n).map_or("?", State::name)
}

/// A line without its end.
pub fn render(record: &Record) -> String {
    let at = record.at();
    let text = match record {
        Record::SessionStart(r) => {
            format!("session {} of {} begins, profile {}, account {}", r.process_epoch, r.date.0, r.profile, r.account)
        }
        Record::Symbol(r) => format!("symbol {} = {} (contract {})", r.symbol, r.ticker, r.con_id),
        Record::Intent(r) => format!(
            "intent {} {} {} of symbol {} at {}{}, ref {}, decision {}",
            r.order_id,
            r.side.as_str(),
            r.qty,
            r.symbol,
            r.limit,
            if r.reduces { ", reduces" } else { "" },
            r.order_ref,
            r.decision
        ),
        Record::Modify(r) => format!("modify {} to {} at {}", r.order_id, r.qty, r.limit),
        Record::Cancel(r) => format!("cancel {} (broker's id {})", r.order_id, r.perm_id),
        Record::SendBegin(r) => format!("writing {} {}", named(r.what), r.order_id),
        Record::Sent(r) => format!("wrote {} {} on connection {}", named(r.what), r.order_id, r.epoch),
        Record::Withdrawn(r) => {
            let why = why::NAMES.get(usize::from(r.why)).copied().unwrap_or("?");
            format!("withdrawn {} {}: {why}", named(r.what), r.order_id)
        }
        Record::OrderState(r) => {
            let trigger = Trigger::from_u8(r.trigger).map_or_else(|| "?".into(), |t| format!("{t:?}"));
            let effect = match Effect::from_u8(r.effect) {
                Some(Effect::LateFill) => ", a late fill",
                Some(Effect::Surface) => ", alive though dead",
                Some(Effect::Defect) => ", a defect",
                _ => "",
            };
            format!("order {} {} -> {} by {trigger}{effect}", r.order_id, state(r.from), state(r.to))
        }
        Record::Execution(r) => format!(
            "fill {} order {} {} {} of symbol {} at {}, position {}{}{}",
            r.exec_id,
            r.order_id,
            r.side.as_str(),
            r.qty,
            r.symbol,
            r.price,
            r.position,
            if r.correction { ", a correction" } else { "" },
            if r.external { ", not ours" } else { "" }
        ),
        Record::Commission(r) => format!("commission {} of fill {}", r.commission, r.exec_id),
        Record::Position(r) => {
            format!("position {} of symbol {}, cash {}, realised {}", r.filled, r.symbol, r.cash_flow, r.realized)
        }
        Record::Equity(r) => format!("equity {}", r.net_liquidation),
        Record::Target(r) => {
            format!("target {} of symbol {}, decision {}, edge {:.1} bps", r.net, r.symbol, r.decision, r.net_edge_bps)
        }
        Record::Mode(r) => format!("mode {}", r.mode),
        Record::Armed(r) => (if r.armed { "armed" } else { "disarmed" }).to_owned(),
        Record::Ssr(r) => format!("short-sale restriction of symbol {} until {}", r.symbol, r.until.0),
        Record::Reject(r) => {
            let reason = Reject::from_u8(r.reason).map_or_else(|| "?".into(), |x| format!("{x:?}"));
            format!("refused {} {} of symbol {} at {}: {reason}", r.side.as_str(), r.qty, r.symbol, r.limit)
        }
        Record::Alert(r) => {
            let text = ALERTS.get(usize::from(r.alert)).copied().unwrap_or("?");
            format!("ALERT {text} ({}, {}, {})", r.subject, r.first, r.second)
        }
        Record::SessionEnd(r) => {
            format!("session ends: {} fills, cash {}, commissions {}", r.executions, r.cash_flow, r.commissions)
        }
    };
    format!("{at} {text}")
}
