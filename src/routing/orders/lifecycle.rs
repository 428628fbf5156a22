//! What an order can be, and what can happen to it: one pure table. It owns nothing; the book applies it.
//!
//! Three additions to the design's table, each on the side of doubt: every live state becomes UNKNOWN when the
//! link is lost, a sender's withdrawal during PEND_MODIFY leaves the old order live, and a snapshot that shows an
//! ended order alive (`Found`) cancels it.

use std::fmt::Write;

/// Where an order is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum State {
    /// Nothing exists.
    #[default]
    None,
    /// Approved and on its way to disk; nothing was sent.
    Intent,
    /// Written to the socket; no proof of arrival.
    Sent,
    /// The broker has it (PreSubmitted, Submitted).
    Acked,
    /// The broker holds it for a locate.
    Held,
    /// Partly filled.
    Partial,
    /// A cancel is on its way.
    PendCancel,
    /// New terms are on their way; either terms may be live.
    PendModify,
    /// In doubt: its worst case is reserved and the symbol is frozen.
    Unknown,
    /// Done by fills.
    Filled,
    /// Done by a cancel or its expiry.
    Cancelled,
    /// Refused by the broker.
    Rejected,
    /// Proven absent.
    Abandoned,
    /// The sender refused to write it: nothing was sent.
    Withdrawn,
    /// Not ours.
    External,
}

/// What can happen to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Trigger {
    /// Guards passed, exposure reserved.
    Reserve,
    /// The sender wrote it.
    Written,
    /// The sender refused to write it.
    Withdraw,
    /// openOrder or status shows it live.
    Ack,
    /// A snapshot shows it live.
    Found,
    /// openOrder shows the new terms.
    ModifyAck,
    /// Held for a locate.
    Hold,
    /// A fill that leaves a remainder.
    PartFill,
    /// A fill that leaves none.
    FullFill,
    /// We ask to cancel.
    AskCancel,
    /// We ask to modify.
    AskModify,
    /// Cancelled, ApiCancelled or 202.
    Cancelled,
    /// 201, or Inactive without a locate.
    Reject,
    /// A definite refusal without a status (321, 10052, 200 …).
    Refuse,
    /// An error about new terms.
    ModifyRefused,
    /// 10147: the broker knows no such order.
    CancelUnknown,
    /// 161: not cancellable now.
    CancelLate,
    /// Link lost, or no answer in time.
    Doubt,
    /// Proven absent.
    Absent,
    /// Seen, and not ours.
    Foreign,
}

/// What a step means to whoever applies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Effect {
    /// The state changed.
    Step,
    /// Expected; nothing changes.
    Keep,
    /// A fill after the end: apply it, alert, reconcile.
    LateFill,
    /// A dead order is alive: cancel it and page.
    Surface,
    /// This can't happen: alert.
    Defect,
}

impl State {
    /// All, in order.
    pub const ALL: [Self; 15] = [
        Self::None,
        Self::Intent,
        Self::Sent,
        Self::Acked,
        Self::Held,
        Self::Partial,
        Self::PendCancel,
        Self::PendModify,
        Self::Unknown,
        Self::Filled,
        Self::Cancelled,
        Self::Rejected,
        Self::Abandoned,
        Self::Withdrawn,
        Self::External,
    ];

    /// Whether the order may still trade.
    pub const fn is_live(self) -> bool {
        match self {
            Self::Intent
            | Self::Sent
            | Self::Acked
            | Self::Held
            | Self::Partial
            | Self::PendCancel
            | Self::PendModify
            | Self::Unknown
            | Self::External => true,
            Self::None | Self::Filled | Self::Cancelled | Self::Rejected | Self::Abandoned | Self::Withdrawn => false,
        }
    }

    /// Whether the broker has answered for it: it no longer counts as unacknowledged at the sender.
    pub const fn is_acknowledged(self) -> bool {
        !matches!(self, Self::None | Self::Intent | Self::Sent | Self::Unknown)
    }

    /// The state with this number, as records keep it.
    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.get(n as usize).copied()
    }

    /// The design's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Intent => "INTENT",
            Self::Sent => "SENT",
            Self::Acked => "ACKED",
            Self::Held => "HELD",
            Self::Partial => "PARTIAL",
            Self::PendCancel => "PEND_CANCEL",
            Self::PendModify => "PEND_MODIFY",
            Self::Unknown => "UNKNOWN",
            Self::Filled => "FILLED",
            Self::Cancelled => "CANCELLED",
            Self::Rejected => "REJECTED",
            Self::Abandoned => "ABANDONED",
            Self::Withdrawn => "WITHDRAWN",
            Self::External => "EXTERNAL",
        }
    }
}

impl Trigger {
    /// All, in order.
    pub const ALL: [Self; 20] = [
        Self::Reserve,
        Self::Written,
        Self::Withdraw,
        Self::Ack,
        Self::Found,
        Self::ModifyAck,
        Self::Hold,
        Self::PartFill,
        Self::FullFill,
        Self::AskCancel,
        Self::AskModify,
        Self::Cancelled,
        Self::Reject,
        Self::Refuse,
        Self::ModifyRefused,
        Self::CancelUnknown,
        Self::CancelLate,
        Self::Doubt,
        Self::Absent,
        Self::Foreign,
    ];

    /// The trigger with this number, as records keep it.
    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.get(n as usize).copied()
    }
}

impl Effect {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Step, Self::Keep, Self::LateFill, Self::Surface, Self::Defect];

    /// The effect with this number, as records keep it.
    pub fn from_u8(n: u8) -> Option<Self> {
        Self::ALL.get(n as usize).copied()
    }
}

/// The table: what `trigger` does to an order in `state`.
pub const fn step(state: State, trigger: Trigger) -> (State, Effect) {
    use State as S;
    match state {
        S::None => from_none(trigger),
        S::Intent => from_intent(trigger),
        S::Sent => from_sent(trigger),
        S::Acked | S::Held => from_resting(state, trigger),
        S::Partial => from_partial(trigger),
        S::PendCancel => from_pend_cancel(trigger),
        S::PendModify => from_pend_modify(trigger),
        S::Unknown => from_unknown(trigger),
        S::Filled | S::Cancelled | S::Rejected => from_ended(state, trigger),
        S::Abandoned | S::Withdrawn => from_absent(state, trigger),
        S::External => from_external(trigger),
    }
}

const fn to(state: State) -> (State, Effect) {
    (state, Effect::Step)
}

const fn keep(state: State) -> (State, Effect) {
    (state, Effect::Keep)
}

const fn defect(state: State) -> (State, Effect) {
    (state, Effect::Defect)
}

const fn from_none(trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::Reserve => to(State::Intent),
        Trigger::Foreign => to(State::External),
        // An own reference that the journal lost (power loss after an unsynced reduction): adopt it.
        Trigger::Found | Trigger::Ack => to(State::Acked),
        Trigger::Hold => to(State::Held),
        _ => defect(State::None),
    }
}

const fn from_intent(trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::Written => to(State::Sent),
        Trigger::Withdraw => to(State::Withdrawn),
        Trigger::AskCancel => to(State::PendCancel),
        Trigger::Doubt => to(State::Unknown),
        // The sender's mark may come later than the broker's answer.
        _ => from_answer(State::Intent, trigger),
    }
}

const fn from_sent(trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::AskCancel => to(State::PendCancel),
        Trigger::Doubt => to(State::Unknown),
        Trigger::Written | Trigger::CancelUnknown | Trigger::CancelLate => keep(State::Sent),
        _ => from_answer(State::Sent, trigger),
    }
}

/// The broker's first answers, the same for INTENT, SENT and UNKNOWN.
const fn from_answer(state: State, trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::Ack | Trigger::Found | Trigger::ModifyAck => to(State::Acked),
        Trigger::Hold => to(State::Held),
        Trigger::PartFill => to(State::Partial),
        Trigger::FullFill => to(State::Filled),
        Trigger::Cancelled => to(State::Cancelled),
        Trigger::Reject | Trigger::Refuse => to(State::Rejected),
        _ => defect(state),
    }
}

const fn from_resting(state: State, trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::Ack | Trigger::Found => match state {
            State::Held => to(State::Acked),
            _ => keep(state),
        },
        Trigger::Hold => match state {
            State::Held => keep(state),
            _ => to(State::Held),
        },
        Trigger::PartFill => to(State::Partial),
        Trigger::FullFill => to(State::Filled),
        Trigger::AskCancel => to(State::PendCancel),
        Trigger::AskModify => to(State::PendModify),
        Trigger::Cancelled => to(State::Cancelled),
        Trigger::Reject => to(State::Rejected),
        Trigger::Doubt => to(State::Unknown),
        // Late marks, answers to a modify that was settled by a timeout, warnings about a live order.
        Trigger::Written
        | Trigger::ModifyAck
        | Trigger::ModifyRefused
        | Trigger::Refuse
        | Trigger::CancelUnknown
        | Trigger::CancelLate => keep(state),
        Trigger::Reserve | Trigger::Withdraw | Trigger::Absent | Trigger::Foreign => defect(state),
    }
}

const fn from_partial(trigger: Trigger) -> (State, Effect) {
    match trigger {
        // Never back to ACKED.
        Trigger::Hold | Trigger::PartFill => keep(State::Partial),
        _ => match from_resting(State::Acked, trigger) {
            (State::Acked, effect) => (State::Partial, effect),
            other => other,
        },
    }
}

const fn from_pend_cancel(trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::PartFill => to(State::Partial),
        Trigger::FullFill => to(State::Filled),
        Trigger::Cancelled => to(State::Cancelled),
        Trigger::Reject | Trigger::Refuse => to(State::Rejected),
        Trigger::Withdraw => to(State::Withdrawn),
        Trigger::CancelUnknown | Trigger::Doubt => to(State::Unknown),
        Trigger::Written
        | Trigger::Ack
        | Trigger::Found
        | Trigger::ModifyAck
        | Trigger::Hold
        | Trigger::AskCancel
        | Trigger::ModifyRefused
        | Trigger::CancelLate => keep(State::PendCancel),
        Trigger::Reserve | Trigger::AskModify | Trigger::Absent | Trigger::Foreign => defect(State::PendCancel),
    }
}

const fn from_pend_modify(trigger: Trigger) -> (State, Effect) {
    match trigger {
        // PARTIAL instead of ACKED when it has fills: the book applies that rule to every step.
        Trigger::ModifyAck | Trigger::ModifyRefused | Trigger::Withdraw => to(State::Acked),
        Trigger::FullFill => to(State::Filled),
        Trigger::AskCancel => to(State::PendCancel),
        Trigger::Cancelled => to(State::Cancelled),
        Trigger::Reject => to(State::Rejected),
        Trigger::Doubt => to(State::Unknown),
        // A status without terms proves neither the old nor the new ones.
        Trigger::Written
        | Trigger::Ack
        | Trigger::Found
        | Trigger::Hold
        | Trigger::PartFill
        | Trigger::Refuse
        | Trigger::CancelUnknown
        | Trigger::CancelLate => keep(State::PendModify),
        Trigger::Reserve | Trigger::AskModify | Trigger::Absent | Trigger::Foreign => defect(State::PendModify),
    }
}

const fn from_unknown(trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::Absent => to(State::Abandoned),
        Trigger::Withdraw => to(State::Withdrawn),
        // A fill proves the order, not that its remainder still lives: only a list of open orders does.
        Trigger::PartFill
        | Trigger::Written
        | Trigger::Doubt
        | Trigger::AskCancel
        | Trigger::ModifyRefused
        | Trigger::CancelUnknown
        | Trigger::CancelLate => keep(State::Unknown),
        _ => from_answer(State::Unknown, trigger),
    }
}

const fn from_ended(state: State, trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::PartFill => (state, Effect::LateFill),
        Trigger::FullFill => match state {
            State::Cancelled => (State::Filled, Effect::LateFill),
            _ => (state, Effect::LateFill),
        },
        Trigger::Found => match state {
            State::Filled => keep(state),
            _ => (state, Effect::Surface),
        },
        Trigger::Reserve | Trigger::AskCancel | Trigger::AskModify | Trigger::Absent | Trigger::Foreign => {
            defect(state)
        }
        // Repeated, reordered and late messages about an order that has ended.
        _ => keep(state),
    }
}

const fn from_absent(state: State, trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::PartFill | Trigger::FullFill => (state, Effect::LateFill),
        Trigger::Ack | Trigger::Found | Trigger::ModifyAck | Trigger::Hold => (state, Effect::Surface),
        Trigger::Cancelled => to(State::Cancelled),
        Trigger::Reject | Trigger::Refuse => to(State::Rejected),
        Trigger::Reserve | Trigger::AskModify | Trigger::Foreign => defect(state),
        _ => keep(state),
    }
}

const fn from_external(trigger: Trigger) -> (State, Effect) {
    match trigger {
        Trigger::Cancelled => to(State::Cancelled),
        Trigger::Reject => to(State::Rejected),
        Trigger::FullFill => to(State::Filled),
        Trigger::Absent => to(State::Abandoned),
        Trigger::Reserve | Trigger::AskCancel | Trigger::AskModify | Trigger::Written | Trigger::Withdraw => {
            defect(State::External)
        }
        _ => keep(State::External),
    }
}

/// The state diagram in Mermaid's language, made from the table: every pair of states that some trigger joins.
pub fn mermaid() -> String {
    let mut out = String::from("stateDiagram-v2\n");
    for from in State::ALL {
        for target in State::ALL {
            let labels: Vec<String> = Trigger::ALL
                .iter()
                .filter(|t| {
                    let (to, effect) = step(from, **t);
                    to == target && target != from && effect != Effect::Defect
                })
                .map(|t| format!("{t:?}"))
                .collect();
            if !labels.is_empty() {
                let _ = writeln!(out, "    {} --> {}: {}", from.name(), target.name(), labels.join(", "));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state × trigger on one line each: `·` keep, `!` defect, `late`, `cancel+page`, or the next state.
    fn table() -> String {
        let mut out = String::new();
        for s in State::ALL {
            for t in Trigger::ALL {
                let (to, effect) = step(s, t);
                let moved = if to == s { "" } else { to.name() };
                let cell = match effect {
                    Effect::Step => to.name().to_string(),
                    Effect::Keep => "·".to_string(),
                    Effect::Defect => "!".to_string(),
                    Effect::LateFill => format!("late {moved}").trim_end().to_string(),
                    Effect::Surface => "cancel+page".to_string(),
                };
                let _ = writeln!(out, "{:<11} {:<13} {cell}", s.name(), format!("{t:?}"));
            }
        }
        out
    }

    #[test]
    fn every_state_and_trigger_is_snapshotted() {
        let golden = include_str!("lifecycle.golden");
        assert_eq!(table(), golden, "the transition table changed: read the difference, then update lifecycle.golden");
    }

    #[test]
    fn the_diagram_names_every_state_and_comes_from_the_table() {
        let diagram = mermaid();
        for s in State::ALL {
            assert!(diagram.contains(s.name()), "{} is missing", s.name());
        }
        assert!(diagram.contains("INTENT --> WITHDRAWN: Withdraw\n"), "{diagram}");
        assert!(!diagram.contains("PARTIAL --> ACKED"));
    }

    #[test]
    fn nothing_leaves_an_ended_state_alive_and_partial_never_goes_back() {
        for s in State::ALL.into_iter().filter(|s| !s.is_live() && *s != State::None) {
            for t in Trigger::ALL {
                assert!(!step(s, t).0.is_live(), "{s:?} {t:?} revived an ended order");
            }
        }
        for t in Trigger::ALL {
            assert_ne!(step(State::Partial, t).0, State::Acked);
        }
    }
}
