//! Answers sorted into streams: what concerns one order, one request, the account, the log-in. Streams do not wait for each
//! other, so order counts within a stream only.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::Message;
use super::names;
use super::play::Heard;
use super::recording::{Recording, Step};
use crate::sim::api::Request;

/// Messages that are rows of a table or ticks: which come, and in which order, hangs on account and market; the fields
/// that make the row's key.
const ROWS: &[(i32, &[&str])] = &[
    (1, &["2"]),
    (2, &["2"]),
    (45, &["2"]),
    (46, &["2"]),
    (6, &["1"]),
    (7, &["1.1"]),
    (8, &[]),
    (17, &[]),
    (61, &["2.2"]),
    (63, &["3"]),
    (71, &["3.2"]),
    (73, &["4"]),
];

/// Which numbers are order ids in a conversation.
#[derive(Debug, Default)]
pub(super) struct Guide {
    orders: BTreeSet<i64>,
}

impl Guide {
    /// From what client and gateway say of orders.
    pub(super) fn of(recording: &Recording) -> Self {
        let ids = recording.steps.iter().filter_map(|s| match s {
            Step::Client(r) => match &**r {
                Request::PlaceOrder { order, .. } => Some(i64::from(order.order_id)),
                Request::CancelOrder { order_id } => Some(i64::from(*order_id)),
                _ => None,
            },
            Step::Server(m) if matches!(m.id, 3 | 5) => m.int("1"),
            _ => None,
        });
        Self { orders: ids.collect() }
    }

    /// The stream of a message; `executions` remembers whose order an execution is.
    fn stream(&self, m: &Message, executions: &mut BTreeMap<String, i64>) -> String {
        let number = |path: &str| m.number(path).map_or(0.0, f64::round);
        match m.id {
            3 | 5 => format!("order {}", number("1")),
            11 => {
                #[allow(clippy::cast_possible_truncation, reason = "an order id")]
                let order = number("3.1") as i64;
                executions.insert(m.text("3.2").into(), order);
                match m.int("1") {
                    Some(request) if request > 0 => format!("request {request}"),
                    _ => format!("order {order}"),
                }
            }
            59 => format!("order {}", executions.get(m.text("1")).copied().unwrap_or(0)),
            4 => match m.int("1") {
                None | Some(..=0) => "notices".into(),
                Some(id) if self.orders.contains(&id) => format!("order {id}"),
                Some(id) => format!("request {id}"),
            },
            9 | 15 => "log-in".into(),
            6 | 7 | 8 | 54 => "account updates".into(),
            49 | 109 => "time".into(),
            53 => "open orders".into(),
            61 | 62 => "positions".into(),
            93 => "market rule".into(),
            101 | 102 => "completed orders".into(),
            _ => match m.number("1") {
                Some(request) => format!("request {request:.0}"),
                None => names::message(m.id),
            },
        }
    }

    /// The streams of what was heard, each in its order.
    pub(super) fn sort<'a>(&self, heard: &'a [Heard]) -> BTreeMap<String, Vec<&'a Heard>> {
        let mut executions = BTreeMap::new();
        let mut streams: BTreeMap<String, Vec<&Heard>> = BTreeMap::new();
        for h in heard {
            streams.entry(self.stream(&h.message, &mut executions)).or_default().push(h);
        }
        streams
    }
}

/// The row that a message is, if it is one.
pub(super) fn row(m: &Message) -> Option<String> {
    let (_, keys) = ROWS.iter().find(|(id, _)| *id == m.id)?;
    let mut row = names::message(m.id);
    for key in *keys {
        row.push(' ');
        row.push_str(&m.fields.get(*key).map_or_else(String::new, super::fields::Value::shown));
    }
    // The account's own currency and the sum of all currencies are different rows.
    if m.id == 6 && m.text("3") == "BASE" {
        row.push_str(" BASE");
    }
    Some(row)
}

/// What two messages must share to be taken for the same event.
pub(super) fn gist(m: &Message) -> String {
    let name = names::message(m.id);
    match m.id {
        3 => format!("{name} {}", m.text("2")),
        4 => format!("{name} {}", m.int("3").unwrap_or(0)),
        5 => format!("{name} {}", m.text("4.1")),
        101 => format!("{name} {} {}", m.text("2.5"), m.text("3.1")),
        _ => row(m).unwrap_or(name),
    }
}

/// Whether two messages may be the same event; a transcript may leave a state's word out.
pub(super) fn same(theirs: &Message, ours: &Message) -> bool {
    if theirs.partial && theirs.id == ours.id && theirs.id == 5 && theirs.text("4.1").is_empty() {
        return true;
    }
    gist(theirs) == gist(ours)
}

/// Drops each state of an order that repeats the state before it: how often a gateway says it (two to four times) hangs
/// on its timing.
pub(super) fn once<'a>(list: &[&'a Heard]) -> Vec<&'a Heard> {
    let state = |m: &Message| (gist(m), m.text("3").to_string(), m.text("4").to_string());
    let mut kept: Vec<&Heard> = Vec::new();
    for h in list {
        let n = kept.len();
        let is_status = h.message.id == 3;
        let repeats = is_status
            && n >= 3
            && state(&kept[n - 2].message) == state(&h.message)
            && kept[n - 1].message.id == 5
            && kept[n - 3].message.id == 5
            && gist(&kept[n - 1].message) == gist(&kept[n - 3].message);
        let alone =
            is_status && n >= 1 && kept[n - 1].message.id == 3 && state(&kept[n - 1].message) == state(&h.message);
        if repeats {
            kept.pop();
        } else if !alone {
            kept.push(h);
        }
    }
    kept
}

/// What the recording has and ours has not, by stream: how many messages, and the id of the recording's last. Of a
/// selection of messages the number says nothing: there each must be found, in their order.
pub(super) fn missing(guide: &Guide, theirs: &[Heard], ours: &[Heard], selection: bool) -> Vec<(String, usize, i32)> {
    let ours = guide.sort(ours);
    let mut missing = Vec::new();
    for (stream, list) in guide.sort(theirs) {
        let mine = ours.get(&stream).map_or(&[][..], Vec::as_slice);
        let (want, have) = if selection { (list.len(), found(&list, mine)) } else { (distinct(&list), distinct(mine)) };
        if have < want {
            missing.push((stream, want - have, list.last().map_or(0, |h| h.message.id)));
        }
    }
    missing
}

/// Messages, each row counted once.
fn distinct(list: &[&Heard]) -> usize {
    let rows: BTreeSet<String> = list.iter().filter_map(|h| row(&h.message)).collect();
    rows.len() + list.iter().filter(|h| row(&h.message).is_none()).count()
}

/// How many of theirs are found in ours, in their order.
fn found(theirs: &[&Heard], ours: &[&Heard]) -> usize {
    let mut rest = ours.iter();
    let mut count = 0;
    for t in theirs {
        let mut ahead = rest.clone();
        if ahead.any(|o| same(&t.message, &o.message)) {
            rest = ahead;
            count += 1;
        }
    }
    count
}
