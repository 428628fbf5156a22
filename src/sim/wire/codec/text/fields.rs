//! One message's text fields, each ended by a zero byte, both ways: a message is described once, as the order of
//! its fields, and [`Writer`] or [`Reader`] walks the description. Reading keeps the first error and goes on with
//! defaults, so that a description needs no error paths. Knows no message.

use crate::clock::SessionTime;
use crate::domain::Side;
use crate::sim::wire::codec::DecodeError;
use crate::sim::wire::codec::convert::{bar_date, from_millis, millis, parse_bar_date, set, shortened};
use std::io::Write as _;

/// How text says that a double is unset.
pub(super) const UNSET: &str = "1.7976931348623157E308";
/// How text says that an integer is unset.
pub(super) const UNSET_INT: &str = "2147483647";

/// What a field without a place in the vocabulary holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skipped {
    /// There is something in it.
    pub(super) filled: bool,
    /// It is a number above 0 that is not "unset".
    pub(super) positive: bool,
}

impl Skipped {
    fn of(text: &str) -> Self {
        let positive = text.parse::<f64>().is_ok_and(|x| x > 0.0 && x < f64::MAX);
        Self { filled: !text.is_empty(), positive }
    }
}

/// A walk over the fields of one message. Each method takes the next field.
pub(super) trait Fields {
    /// The server version of the conversation.
    fn version(&self) -> i32;
    /// Whether values are read, not written.
    fn reads(&self) -> bool;
    /// A text. Zero bytes are left out, they would end the field.
    fn text(&mut self, value: &mut String);
    /// An integer; read from an empty or unset field it is 0.
    fn int(&mut self, value: &mut i32);
    /// A long integer.
    fn long(&mut self, value: &mut i64);
    /// `0` or `1`.
    fn flag(&mut self, value: &mut bool);
    /// A number that is always there, in decimal form; read from an empty field it is 0.
    fn number(&mut self, value: &mut f64);
    /// A number that may be unset, which is written as `unset`.
    fn optional(&mut self, value: &mut Option<f64>, unset: &str);
    /// An integer that may be unset, which is written as `unset`.
    fn optional_int(&mut self, value: &mut Option<i32>, unset: &str);
    /// A field that the vocabulary lacks: written as `content`; read and forgotten, also if it is missing.
    fn constant(&mut self, content: &str) -> Skipped;
    /// A count of what follows; a read one is never more than the fields left.
    fn count(&mut self, value: usize) -> usize;
    /// Takes the error of a field that was read.
    fn fail(&mut self, error: DecodeError);
    /// Whether a field was broken or missing.
    fn failed(&self) -> bool;
    /// The message's id, for errors.
    fn id(&self) -> i32;

    /// Whether the conversation is at `version` or above.
    fn since(&self, version: i32) -> bool {
        self.version() >= version
    }

    /// Several fields that the vocabulary lacks.
    fn constants(&mut self, contents: &[&str]) {
        for content in contents {
            self.constant(content);
        }
    }

    /// Fields that the vocabulary lacks, each with the first version that has it and the first that no longer has.
    fn versioned(&mut self, fields: &[(i32, i32, &str)]) {
        for (since, until, content) in fields {
            if (*since..*until).contains(&self.version()) {
                self.constant(content);
            }
        }
    }

    /// A list that the vocabulary lacks, of entries of `width` fields: written empty, read and forgotten.
    fn skipped_list(&mut self, width: usize) -> usize {
        let n = self.count(0);
        for _ in 0..n.saturating_mul(width) {
            if self.failed() {
                break;
            }
            self.constant("");
        }
        n
    }

    /// A text that is written as `usual` where it is empty.
    fn named(&mut self, value: &mut String, usual: &str) {
        if self.reads() {
            self.text(value);
            if value == usual {
                value.clear();
            }
        } else if value.is_empty() {
            self.constant(usual);
        } else {
            self.text(value);
        }
    }

    /// A count and so many pairs of texts.
    fn pairs(&mut self, list: &mut Vec<(String, String)>) {
        let n = self.count(list.len());
        if self.reads() {
            *list = vec![<(String, String)>::default(); n];
        }
        for (tag, value) in list.iter_mut() {
            self.text(tag);
            self.text(value);
        }
    }

    /// A text in which what is not printable ASCII is written as `\uXXXX`.
    fn escaped(&mut self, value: &mut String) {
        if self.reads() {
            let mut text = String::new();
            self.text(&mut text);
            *value = unescape(&text);
        } else {
            self.text(&mut escape(value));
        }
    }

    /// `BUY` or `SELL`; anything else is none.
    fn side(&mut self, value: &mut Option<Side>) {
        let mut text = value.map_or_else(String::new, |s| s.as_str().to_owned());
        self.text(&mut text);
        *value = match text.as_str() {
            "BUY" => Some(Side::Buy),
            "SELL" => Some(Side::Sell),
            _ => None,
        };
    }

    /// Seconds since 1970.
    fn seconds(&mut self, value: &mut SessionTime) {
        let mut seconds = value.secs();
        self.long(&mut seconds);
        if self.reads() {
            *value = SessionTime::from_secs(seconds);
        }
    }

    /// Milliseconds since 1970.
    fn milliseconds(&mut self, value: &mut SessionTime) {
        let mut ms = millis(*value);
        self.long(&mut ms);
        if self.reads() {
            *value = from_millis(ms);
        }
    }

    /// A bar's start in the form that the request asked for; a read one says which form it was.
    fn bar_start(&mut self, value: &mut SessionTime, format_date: &mut i32) {
        if !self.reads() {
            self.text(&mut bar_date(*value, *format_date));
            return;
        }
        let mut text = String::new();
        self.text(&mut text);
        if text.contains(' ') {
            *format_date = 1;
        }
        match parse_bar_date(self.id(), &text) {
            Ok(time) => *value = time,
            Err(e) => self.fail(e),
        }
    }
}

/// Appends fields.
pub(super) struct Writer<'a> {
    pub(super) version: i32,
    pub(super) out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn end(&mut self) {
        self.out.push(0);
    }
}

impl Fields for Writer<'_> {
    fn version(&self) -> i32 {
        self.version
    }

    fn reads(&self) -> bool {
        false
    }

    fn text(&mut self, value: &mut String) {
        self.out.extend(value.bytes().filter(|b| *b != 0));
        self.end();
    }

    // Writing to a Vec cannot fail.
    fn int(&mut self, value: &mut i32) {
        let _ = write!(self.out, "{value}\0");
    }

    fn long(&mut self, value: &mut i64) {
        let _ = write!(self.out, "{value}\0");
    }

    fn flag(&mut self, value: &mut bool) {
        self.out.push(b'0' + u8::from(*value));
        self.end();
    }

    fn number(&mut self, value: &mut f64) {
        if value.is_finite() {
            // Adding 0.0 makes −0 read 0.
            let _ = write!(self.out, "{}", *value + 0.0);
        }
        self.end();
    }

    fn optional(&mut self, value: &mut Option<f64>, unset: &str) {
        match set(*value) {
            Some(mut x) => self.number(&mut x),
            None => {
                self.constant(unset);
            }
        }
    }

    fn optional_int(&mut self, value: &mut Option<i32>, unset: &str) {
        match value {
            Some(n) => self.int(n),
            None => {
                self.constant(unset);
            }
        }
    }

    fn constant(&mut self, content: &str) -> Skipped {
        self.out.extend_from_slice(content.as_bytes());
        self.end();
        Skipped::of(content)
    }

    fn count(&mut self, value: usize) -> usize {
        let _ = write!(self.out, "{value}\0");
        value
    }

    fn fail(&mut self, _: DecodeError) {}

    fn failed(&self) -> bool {
        false
    }

    fn id(&self) -> i32 {
        0
    }
}

/// Takes fields apart.
pub(super) struct Reader<'a> {
    version: i32,
    id: i32,
    rest: &'a [u8],
    taken: usize,
    error: Option<DecodeError>,
}

impl<'a> Reader<'a> {
    /// Over the fields of a message whose id is not among them.
    pub(super) fn new(version: i32, id: i32, rest: &'a [u8]) -> Self {
        Self { version, id, rest, taken: 0, error: None }
    }

    /// Over a whole message: its first field is its id.
    pub(super) fn open(version: i32, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Self::new(version, 0, body);
        let text = reader.required();
        match text.parse() {
            Ok(id) => Ok(Self::new(version, id, reader.rest)),
            Err(_) => Err(DecodeError::Decimal { id: 0, text: shortened(&text) }),
        }
    }

    /// What was read, unless a field was broken.
    pub(super) fn finish<T>(self, value: T) -> Result<T, DecodeError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.taken += 1;
        let end = self.rest.iter().position(|b| *b == 0);
        let (field, rest) = match end {
            Some(i) => (&self.rest[..i], &self.rest[i + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(field)
    }

    fn required(&mut self) -> String {
        if let Some(field) = self.next() {
            return String::from_utf8_lossy(field).into_owned();
        }
        let (id, field) = (self.id, self.taken + 1);
        self.fail(DecodeError::Missing { id, field });
        String::new()
    }

    fn broken(&mut self, text: &str) {
        let (id, text) = (self.id, shortened(text));
        self.fail(DecodeError::Decimal { id, text });
    }

    fn parsed<T: std::str::FromStr + Default>(&mut self) -> T {
        let text = self.required();
        if text.is_empty() {
            return T::default();
        }
        text.parse().unwrap_or_else(|_| {
            self.broken(&text);
            T::default()
        })
    }
}

impl Fields for Reader<'_> {
    fn version(&self) -> i32 {
        self.version
    }

    fn reads(&self) -> bool {
        true
    }

    fn text(&mut self, value: &mut String) {
        *value = self.required();
    }

    fn int(&mut self, value: &mut i32) {
        *value = self.parsed();
    }

    fn long(&mut self, value: &mut i64) {
        *value = self.parsed();
    }

    fn flag(&mut self, value: &mut bool) {
        let text = self.required();
        *value = match text.as_str() {
            "" | "0" | "false" | "False" => false,
            "1" | "true" | "True" => true,
            _ => {
                self.broken(&text);
                false
            }
        };
    }

    fn number(&mut self, value: &mut f64) {
        let mut read = None;
        self.optional(&mut read, "");
        *value = read.unwrap_or(0.0);
    }

    fn optional(&mut self, value: &mut Option<f64>, _: &str) {
        let text = self.required();
        *value = match text.parse::<f64>() {
            Ok(x) => set(Some(x)),
            Err(_) => {
                // Clients write an infinite offset as a word.
                if !text.is_empty() && text != "Infinite" {
                    self.broken(&text);
                }
                None
            }
        };
    }

    fn optional_int(&mut self, value: &mut Option<i32>, _: &str) {
        let mut number = None;
        self.optional(&mut number, "");
        let whole = number.filter(|n| n.fract() == 0.0 && *n < f64::from(i32::MAX) && *n >= f64::from(i32::MIN));
        #[allow(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        let whole = whole.map(|n| n as i32);
        *value = whole;
    }

    fn constant(&mut self, _: &str) -> Skipped {
        let field = self.next().unwrap_or_default();
        Skipped::of(&String::from_utf8_lossy(field))
    }

    fn count(&mut self, _: usize) -> usize {
        let text = String::from_utf8_lossy(self.next().unwrap_or_default()).into_owned();
        match text.parse::<usize>() {
            Ok(n) if n <= self.rest.len() => n,
            Err(_) if text.is_empty() => 0,
            _ => {
                self.broken(&text);
                0
            }
        }
    }

    fn fail(&mut self, error: DecodeError) {
        self.error.get_or_insert(error);
    }

    fn failed(&self) -> bool {
        self.error.is_some()
    }

    fn id(&self) -> i32 {
        self.id
    }
}

/// Printable ASCII but for the backslash stays; all else becomes UTF-16 escapes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        if (c == ' ' || c.is_ascii_graphic()) && c != '\\' {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// The reverse of [`escape`]; what is no escape stays as it is.
fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let unit = rest.strip_prefix("\\u").and_then(|r| r.get(..4)).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        if let Some(unit) = unit {
            units.push(unit);
            rest = &rest[6..];
        } else {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            rest = &rest[c.len_utf8()..];
        }
    }
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_end_with_a_zero_byte() {
        let mut out = Vec::new();
        let mut w = Writer { version: 178, out: &mut out };
        w.text(&mut "a\0b".to_owned());
        w.int(&mut -3);
        w.flag(&mut true);
        w.number(&mut 0.0001);
        w.optional(&mut None, UNSET);
        w.versioned(&[(170, 178, "no"), (178, 179, "yes"), (179, i32::MAX, "no")]);
        assert_eq!(out, b"ab\0-3\x001\x000.0001\x001.7976931348623157E308\0yes\0");
    }

    #[test]
    fn a_missing_field_is_named_and_a_skipped_one_is_not_missed() {
        let mut reader = Reader::new(178, 5, b"1\0");
        let (mut a, mut b) = (0, 0);
        reader.int(&mut a);
        assert_eq!(reader.constant("x"), Skipped { filled: false, positive: false });
        reader.int(&mut b);
        assert_eq!(reader.finish(()), Err(DecodeError::Missing { id: 5, field: 2 }));
    }

    #[test]
    fn a_count_beyond_the_message_is_refused() {
        let mut reader = Reader::new(178, 3, b"4000000000\0a\0");
        assert_eq!(reader.skipped_list(8), 0);
        assert!(reader.failed());
    }

    #[test]
    fn unset_numbers_are_absent() {
        for text in ["", "1.7976931348623157E308", "1.7976931348623157e+308", "Infinity", "Infinite", "NaN"] {
            let mut value = Some(1.0);
            let body = format!("{text}\0");
            let mut reader = Reader::new(178, 3, body.as_bytes());
            reader.optional(&mut value, "");
            assert_eq!((value, reader.failed()), (None, false), "{text}");
        }
    }

    proptest! {
        #[test]
        fn escapes_come_back(text in any::<String>()) {
            prop_assert!(escape(&text).is_ascii());
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}
