//! What an error code means for an order. Numbers and their meaning: the design's gateway facts (recorded where
//! they were recorded). A code is never taken as the end of an order unless it says so.

use super::Trigger;
use crate::message::{BrokerStatus, ErrorFact};

/// The class of a code that came bound to an order id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeClass {
    /// A definite step of the order.
    Step(Trigger),
    /// The broker names the state: the same as a status with that word.
    Named(BrokerStatus),
    /// A notice; the order lives on.
    Warning,
    /// 2148: the margin is thin.
    MarginWarning,
    /// A refusal in words that prove nothing: about a pending modify the old order is live; an order that the
    /// broker never showed is settled by one cancel; else a notice.
    Doubtful,
}

/// Classifies an error bound to an order.
pub fn classify(e: &ErrorFact) -> CodeClass {
    match (e.code, e.named_state) {
        (10_148 | 161, Some(state)) if state != BrokerStatus::Unknown => CodeClass::Named(state),
        (201, _) => CodeClass::Step(Trigger::Reject),
        (202, _) => CodeClass::Step(Trigger::Cancelled),
        (161 | 10_148, _) => CodeClass::Step(Trigger::CancelLate),
        (10_147, _) => CodeClass::Step(Trigger::CancelUnknown),
        (404, _) => CodeClass::Step(Trigger::Hold),
        // 321 request refused, 10052 missing TIF, 200 no such contract, 10255 attribute: no status follows.
        (200 | 203 | 321 | 10_052 | 10_255, _) => CodeClass::Step(Trigger::Refuse),
        (2_148, _) => CodeClass::MarginWarning,
        // 399 deferred, 2161 capped, 10167 delayed data, 10349 TIF preset, 10090 partly unsubscribed.
        (399 | 2_100..=2_199 | 10_167 | 10_349 | 10_090, _) => CodeClass::Warning,
        _ => CodeClass::Doubtful,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_never_end_an_order_and_named_states_count() {
        let class = |code, named_state| classify(&ErrorFact { id: 1, code, named_state });
        for code in [399, 10_349, 10_167, 2_161, 10_090, 2_109] {
            assert_eq!(class(code, None), CodeClass::Warning);
        }
        assert_eq!(class(10_148, Some(BrokerStatus::Filled)), CodeClass::Named(BrokerStatus::Filled));
        assert_eq!(class(161, None), CodeClass::Step(Trigger::CancelLate));
        assert_eq!(class(10_148, Some(BrokerStatus::Unknown)), CodeClass::Step(Trigger::CancelLate));
        assert_eq!(class(201, None), CodeClass::Step(Trigger::Reject));
        assert_eq!(class(110, None), CodeClass::Doubtful);
        assert_eq!(class(10_256, None), CodeClass::Doubtful);
    }
}
