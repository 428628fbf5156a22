//! The one table of what a comparison forgives, with reasons. Everything that is not here must be the same.

use super::compare::{Difference, How};
use super::derive::FARM_CODES;
use super::fixture::Fixture;
use super::names;

/// How a field's two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The same value.
    Exact,
    /// The same sign: it hangs on market or account.
    Sign,
    /// Set in both: it hangs on market, account or contract.
    Set,
    /// The same text but for the numbers in it.
    Text,
    /// Each side has ids of its own; one id of theirs is always the same one of ours.
    Id,
    /// Not compared; the reason stands beside it.
    Any,
}
use Rule::{Any, Id, Set, Sign, Text};

/// Message, path (a trailing dot means all below it), how it is compared.
const RULES: &[(i32, &str, Rule)] = &[
    // Prices and sizes of the market.
    (1, "3", Sign),
    (1, "4", Set),
    (1, "5", Set),
    (2, "3", Set),
    (45, "3", Set),
    (46, "3", Set),
    (81, "3", Set),
    (81, "4", Set),
    (17, "2.", Set),
    (108, "2", Text),
    (108, "3", Text),
    (49, "1", Set),
    (109, "1", Set),
    (8, "1", Text),
    // Orders: identity, what the market did, when.
    (3, "5", Sign),
    (3, "6", Id),
    (3, "8", Sign),
    (5, "3.3", Id),
    (5, "3.23", Sign),
    (5, "3.26", Text),
    (5, "3.25", Text),
    (5, "3.27", Id),
    (5, "3.114", Set),
    (5, "3.121", Id),
    (5, "3.137", Any), // the user who logged in to the gateway
    (5, "4.2", Set),
    (5, "4.3", Set),
    (5, "4.4", Set),
    (5, "4.5", Sign),
    (5, "4.6", Sign),
    (5, "4.7", Set),
    (5, "4.8", Set),
    (5, "4.9", Set),
    (5, "4.10", Set),
    (5, "4.11", Sign),
    (5, "4.12", Sign),
    (5, "4.13", Sign),
    (5, "4.28", Text),
    (5, "4.29", Text),
    (101, "2.3", Id),
    (101, "2.23", Sign),
    (101, "2.27", Id),
    (101, "2.114", Set),
    (101, "2.121", Id),
    (101, "2.137", Any), // the user who logged in to the gateway
    (101, "3.29", Text),
    (101, "3.30", Text),
    // Executions: identity, when and where, at which price.
    (11, "2.8", Set),
    (11, "3.2", Id),
    (11, "3.3", Set),
    (11, "3.5", Set),
    (11, "3.8", Sign),
    (11, "3.9", Id),
    (11, "3.13", Sign),
    (11, "3.18", Set), // whether it took or made liquidity
    (59, "1", Id),
    (59, "2", Sign),
    (59, "4", Set),
    // Errors: when, and the numbers in their texts.
    (4, "2", Any), // present at every version that has it
    (4, "4", Text),
    // What a contract is, in words.
    (10, "2.9", Set),
    (10, "3.", Set),
    (93, "2.", Set),
    // The account's amounts.
    (6, "2", Set),
    (7, "1.9", Any), // some rows name the listing exchange
    (7, "3", Sign),
    (7, "4", Set),
    (7, "5", Sign),
    (7, "6", Set),
    (7, "7", Set),
    (61, "2.8", Set),
    (61, "4", Set),
    (63, "4", Set),
    (71, "5", Set),
    (73, "5", Set),
    (94, "2", Set),
    (94, "3", Set),
    (94, "4", Set),
    (95, "3", Set),
    (95, "4", Set),
    (95, "5", Set),
    (95, "6", Set),
];

/// How a field is compared.
pub(super) fn rule(id: i32, plain: &str) -> Rule {
    let found = RULES
        .iter()
        .filter(|(m, path, _)| *m == id && (*path == plain || (path.ends_with('.') && plain.starts_with(path))));
    // The longest path counts.
    found.max_by_key(|(_, path, _)| path.len()).map_or(Rule::Exact, |(_, _, rule)| *rule)
}

/// A kind of difference: why it is forgiven or stands, and which it is.
pub(super) struct Kind {
    /// One line.
    pub(super) why: &'static str,
    /// Whether a difference is of this kind.
    pub(super) is: fn(&Difference, &Fixture) -> bool,
}

/// What says nothing of a gateway's behaviour: a conversation is reproduced all the same.
const FORGIVEN: &[Kind] = &[
    Kind {
        why: "farm notices tell which of IB's farms the host was connected to at that instant",
        is: |d, _| d.message.id == 4 && d.message.int("3").is_some_and(|c| FARM_CODES.contains(&c)),
    },
    Kind {
        why: "recordings keep a selection of ticks and account rows: more of them are no difference",
        is: |d, _| d.how == How::Extra && matches!(d.message.id, 1 | 2 | 45 | 46 | 6 | 7 | 8),
    },
    Kind {
        why: "a recording that starts after the log-in does not show its messages",
        is: |d, _| d.how == How::Extra && matches!(d.message.id, 9 | 15),
    },
    Kind {
        why: "orders that ended before the conversation are not known here",
        is: |d, f| {
            let id = d.message.int(if d.message.id == 101 { "2.2" } else { "1" });
            d.how == How::Missing && matches!(d.message.id, 3 | 101) && id.is_some_and(|id| !f.own_orders.contains(&id))
        },
    },
    Kind {
        why: "the echo of a market order carries a trail stop price when the gateway has a quote at that instant",
        is: |d, _| is_field(d, "3.23") && d.message.text("3.8") == "MKT",
    },
    Kind {
        why: "whether a market order shows PreSubmitted or Submitted before its fill hangs on timing: recorded both ways",
        is: |d, f| {
            let filled = f.fills.iter().any(|fill| d.message.int("1") == Some(i64::from(fill.order_id)));
            let word = d.message.text(if d.message.id == 3 { "2" } else { "4.1" });
            let state = matches!(d.message.id, 3 | 5) && matches!(word, "PreSubmitted" | "Submitted" | "");
            state && filled && d.how == How::Missing && d.message.partial
        },
    },
];

/// Differences that stand, each with its reason.
const LISTED: &[Kind] = &[
    Kind {
        why: "requests that are not served draw 321: GATEWAY.md's table says which and why",
        is: |d, f| {
            let refusal = d.message.id == 4 && d.how == How::Extra && d.message.text("4").ends_with("is not supported");
            let unknown = d.how == How::Missing && d.message.id != 4 && !names::is_known(d.message.id);
            f.unserved && (refusal || unknown)
        },
    },
    Kind {
        why: "another account: it has segments (-C, -F, -S, -Z), which this gateway's account has not",
        is: |d, _| {
            let key = d.message.text("1");
            d.message.id == 6 && ["-C", "-F", "-S", "-Z"].iter().any(|segment| key.ends_with(segment))
        },
    },
    Kind {
        why: "another account: instruments that this gateway does not have, or requests that it does not serve",
        is: |d, f| {
            let path = match d.message.id {
                7 | 101 => "1.1",
                10 | 11 | 61 => "2.1",
                71 => "3.1",
                _ => "",
            };
            #[allow(clippy::cast_possible_truncation, reason = "a contract id")]
            let con_id = d.message.number(path).map(|id| id as i64);
            con_id.is_some_and(|id| f.foreign.contains(&id)) || f.beyond.contains(&d.stream)
        },
    },
];

fn is_field(d: &Difference, name: &str) -> bool {
    matches!(&d.how, How::Field { path, .. } if path == name)
}

/// Whether a difference says nothing of a gateway's behaviour.
pub(super) fn is_forgiven(d: &Difference, fixture: &Fixture) -> bool {
    FORGIVEN.iter().any(|k| (k.is)(d, fixture))
}

/// The reason why a difference stands, if one is listed.
pub(super) fn reason(d: &Difference, fixture: &Fixture) -> Option<&'static str> {
    LISTED.iter().find(|k| (k.is)(d, fixture)).map(|k| k.why)
}
