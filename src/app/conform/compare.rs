//! What was recorded against what was played, stream by stream.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Message, Value, plain};
use super::names;
use super::play::{Heard, Leg};
use super::rules::{self, Rule};
use super::streams::{Guide, gist, once, row, same};

/// In which way two streams differ.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum How {
    /// The recording has a message that the venue did not send.
    Missing,
    /// The venue sent a message that the recording does not have.
    Extra,
    /// A field's values, as shown; `None` = not set.
    Field { path: String, expected: Option<String>, got: Option<String> },
}

/// One difference.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    pub(super) stream: String,
    /// The message that it is about: the recorded one, or ours where it is too much.
    pub(super) message: Message,
    pub(super) how: How,
}

impl Difference {
    /// As a report shows it.
    pub(super) fn shown(&self) -> String {
        let what = gist(&self.message);
        let note = match self.message.id {
            4 => format!(" ({})", self.message.text("4").replace('\n', " ")),
            _ => String::new(),
        };
        match &self.how {
            How::Missing => format!("{}: expected {what}{note}, got none", self.stream),
            How::Extra => format!("{}: expected none, got {what}{note}", self.stream),
            How::Field { path, expected, got } => {
                let field = names::field(self.message.id, path);
                let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "unset".into());
                format!("{}: {what}: {field}: expected {}, got {}", self.stream, shown(expected), shown(got))
            }
        }
    }
}

/// Ids of theirs and of ours that mean the same.
#[derive(Debug, Default)]
pub(super) struct Ids {
    map: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Ids {
    /// Whether the two can mean the same; from now on they do.
    fn agree(&mut self, theirs: &str, ours: &str) -> bool {
        match self.map.get(theirs) {
            Some(known) => known == ours,
            None => {
                self.map.insert(theirs.into(), ours.into());
                self.taken.insert(ours.into())
            }
        }
    }
}

/// How many answers were compared, and what differs; the differences of one field of one kind of message count once.
pub(super) fn compare(guide: &Guide, leg: &Leg, selection: bool, ids: &mut Ids) -> (usize, Vec<Difference>) {
    let (theirs, ours) = (guide.sort(&leg.recorded), guide.sort(&leg.ours));
    let mut found = Vec::new();
    let mut compared = 0;
    for (stream, list) in &theirs {
        compared += list.len();
        let mine = ours.get(stream).map_or(&[][..], Vec::as_slice);
        compare_stream(stream, &once(list), &once(mine), leg.asked, selection, ids, &mut found);
    }
    for (stream, list) in &ours {
        // An answer to the last request may be one that the recording's end cut off.
        if theirs.contains_key(stream) || selection {
            continue;
        }
        for h in list.iter().filter(|h| h.asked < leg.asked || leg.asked == 0) {
            note(&mut found, Difference { stream: stream.clone(), message: h.message.clone(), how: How::Extra });
        }
    }
    (compared, found)
}

fn note(found: &mut Vec<Difference>, d: Difference) {
    let same_kind = |o: &Difference| match (&o.how, &d.how) {
        (How::Field { path: a, .. }, How::Field { path: b, .. }) => o.message.id == d.message.id && a == b,
        (a, b) => a == b && gist(&o.message) == gist(&d.message) && o.stream == d.stream,
    };
    if !found.iter().any(same_kind) {
        found.push(d);
    }
}

fn compare_stream(
    stream: &str,
    theirs: &[&Heard],
    ours: &[&Heard],
    asked: usize,
    selection: bool,
    ids: &mut Ids,
    found: &mut Vec<Difference>,
) {
    let mut differs =
        |m: &Message, how: How| note(found, Difference { stream: stream.into(), message: m.clone(), how });
    // Rows and ticks: each recorded one must be there.
    let mut seen = BTreeSet::new();
    for h in theirs {
        let Some(key) = row(&h.message) else { continue };
        if !seen.insert(key.clone()) {
            continue;
        }
        match ours.iter().find(|o| row(&o.message).as_ref() == Some(&key)) {
            Some(o) => fields(&h.message, &o.message, ids, &mut differs),
            None => differs(&h.message, How::Missing),
        }
    }
    for o in ours {
        if row(&o.message).is_some_and(|key| seen.insert(key)) && !selection {
            differs(&o.message, How::Extra);
        }
    }
    let events = |list: &[&Heard]| -> Vec<Heard> {
        list.iter().filter(|h| row(&h.message).is_none()).map(|h| (*h).clone()).collect()
    };
    let (theirs, ours) = (events(theirs), events(ours));
    let pairs = align(&theirs, &ours);
    let matched: BTreeSet<usize> = pairs.iter().map(|(_, o)| *o).collect();
    let last = pairs.last().map(|(_, o)| *o);
    for (i, h) in theirs.iter().enumerate() {
        match pairs.iter().find(|(t, _)| *t == i) {
            Some((_, o)) => fields(&h.message, &ours[*o].message, ids, &mut differs),
            None => differs(&h.message, How::Missing),
        }
    }
    for (i, o) in ours.iter().enumerate() {
        // The recording ends where it ends: what follows its last answer may have come after.
        let cut_off = o.asked == asked && last.is_none_or(|l| i > l);
        if !matched.contains(&i) && !selection && !cut_off {
            differs(&o.message, How::Extra);
        }
    }
}

/// The longest common sequence of events, as pairs of indices.
fn align(theirs: &[Heard], ours: &[Heard]) -> Vec<(usize, usize)> {
    let mut best = vec![vec![0_u32; ours.len() + 1]; theirs.len() + 1];
    for (i, t) in theirs.iter().enumerate().rev() {
        for (j, o) in ours.iter().enumerate().rev() {
            best[i][j] =
                if same(&t.message, &o.message) { best[i + 1][j + 1] + 1 } else { best[i + 1][j].max(best[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < theirs.len() && j < ours.len() {
        if same(&theirs[i].message, &ours[j].message) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if best[i + 1][j] >= best[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Compares two messages field by field.
fn fields(theirs: &Message, ours: &Message, ids: &mut Ids, differs: &mut impl FnMut(&Message, How)) {
    if ours.partial {
        return;
    }
    let paths: BTreeSet<String> = theirs.fields.keys().chain(ours.fields.keys()).map(|p| plain(p)).collect();
    for path in paths {
        let rule = rules::rule(theirs.id, &path);
        let (t, o) = (theirs.fields.get(&path), ours.fields.get(&path));
        let fine = match (rule, t, o) {
            (Rule::Any, ..) | (_, None, None) => true,
            // A transcript names some fields, and writes 0 for what is not set.
            (_, None, Some(_)) => theirs.partial,
            (_, Some(t), None) => theirs.partial && (t.number() == Some(0.0) || *t == Value::Text("0".into())),
            (rule, Some(t), Some(o)) => agree(rule, t, o, theirs.partial, ids),
        };
        if !fine {
            let how = How::Field { path, expected: t.map(Value::shown), got: o.map(Value::shown) };
            differs(theirs, how);
        }
    }
}

fn agree(rule: Rule, theirs: &Value, ours: &Value, partial: bool, ids: &mut Ids) -> bool {
    let equal = || match (theirs.number(), ours.number()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        _ => theirs == ours,
    };
    match rule {
        Rule::Any | Rule::Set => true,
        Rule::Exact => equal(),
        Rule::Sign => match (theirs.number(), ours.number()) {
            (Some(a), Some(b)) => sign(a) == sign(b),
            _ => partial || theirs == ours,
        },
        Rule::Text => match (theirs, ours) {
            (Value::Text(a), Value::Text(b)) => without_numbers(a) == without_numbers(b),
            _ => equal(),
        },
        Rule::Id => {
            let zero = |v: &Value| v.number() == Some(0.0);
            if zero(theirs) || zero(ours) {
                zero(theirs) && zero(ours)
            } else {
                ids.agree(&theirs.shown(), &ours.shown())
            }
        }
    }
}

fn sign(x: f64) -> i8 {
    i8::from(x > 0.0) - i8::from(x < 0.0)
}

/// A text with every number in it as `#`, and runs of white space as one blank. The letters in `-'bF'` name a part of the
/// gateway's build: they are left out.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    let words = text.split_whitespace().map(|w| if w.contains(".-'") { "validating-part" } else { w });
    for c in words.collect::<Vec<_>>().join(" ").chars() {
        let digit = c.is_ascii_digit() || (in_number && matches!(c, '.' | ',' | ':' | '-'));
        if digit && !in_number {
            out.push('#');
        }
        if !digit {
            out.push(c);
        }
        in_number = digit;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: i32, fields: &[(&str, Value)]) -> Message {
        let fields = fields.iter().map(|(p, v)| ((*p).to_string(), v.clone())).collect();
        Message { id, fields, partial: false }
    }

    fn status(word: &str, perm: i64) -> Heard {
        let text = |t: &str| Value::Text(t.into());
        let fields = [("1", Value::Int(7)), ("2", text(word)), ("3", text("0")), ("6", Value::Int(perm))];
        Heard { asked: 1, message: message(3, &fields) }
    }

    fn differences(theirs: &[Heard], ours: &[Heard]) -> Vec<String> {
        let leg = Leg { recorded: theirs.to_vec(), ours: ours.to_vec(), asked: 2 };
        compare(&Guide::default(), &leg, false, &mut Ids::default()).1.iter().map(Difference::shown).collect()
    }

    #[test]
    fn order_and_number_of_answers_count() {
        let (a, b, c) = (status("PreSubmitted", 5), status("Submitted", 5), status("Cancelled", 5));
        assert!(differences(&[a.clone(), b.clone()], &[a.clone(), a.clone(), b.clone()]).is_empty(), "said twice");
        let got = differences(&[a.clone(), b.clone()], std::slice::from_ref(&a));
        assert_eq!(got, ["order 7: expected order_status Submitted, got none"]);
        let got = differences(&[a.clone(), c.clone()], &[a.clone(), b, c]);
        assert_eq!(got, ["order 7: expected none, got order_status Submitted"]);
    }

    #[test]
    fn ids_are_mapped_and_fields_must_be_set() {
        let (a, b) = (status("PreSubmitted", 5), status("Submitted", 5));
        assert!(differences(&[a.clone(), b.clone()], &[status("PreSubmitted", 9), status("Submitted", 9)]).is_empty());
        let got = differences(&[a.clone(), b.clone()], &[status("PreSubmitted", 9), status("Submitted", 8)]);
        assert_eq!(got, ["order 7: order_status Submitted: perm_id: expected 5, got 8"]);
        let mut bare = status("Submitted", 5);
        bare.message.fields.remove("3");
        let got = differences(&[a.clone(), b], &[a, bare]);
        assert_eq!(got, ["order 7: order_status Submitted: filled: expected \"0\", got unset"]);
    }

    #[test]
    fn texts_are_the_same_but_for_their_numbers() {
        assert_eq!(
            without_numbers("until 2026-08-25 09:30:00 US/Eastern."),
            without_numbers("until 2027-01-04 09:30:00 US/Eastern.")
        );
        assert_ne!(without_numbers("max=50"), without_numbers("min=50"));
    }
}
