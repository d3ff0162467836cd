//! JSON as Python's `json` reads and writes it: with `NaN`, `Infinity` and integers of any size.

use std::borrow::Cow;
use std::fmt::Write;

use serde::de::Error as _;
use serde_json::{Error, Map, Value};

use super::special::{self, Special};

/// Options of `json.dumps`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style<'a> {
    /// Spaces per nesting level; `None` writes a single line.
    pub indent: Option<usize>,
    /// Whether characters beyond ASCII are escaped.
    pub ascii: bool,
    /// Whether keys are sorted.
    pub sorted: bool,
    /// Whether to leave out the space after commas and colons that Python writes by default.
    pub compact: bool,
    /// Other texts between items and after keys.
    pub separators: Option<[&'a str; 2]>,
}

impl<'a> Style<'a> {
    fn after_item(&self) -> &'a str {
        match (self.separators, self.compact, self.indent) {
            (Some([between, _]), ..) => between,
            (None, false, None) => ", ",
            _ => ",",
        }
    }

    fn after_key(&self) -> &'a str {
        match (self.separators, self.compact) {
            (Some([_, after]), _) => after,
            (None, true) => ":",
            (None, false) => ": ",
        }
    }
}

/// `json.dumps(value, default=str)`.
pub fn dumps(value: &Value, style: Style<'_>) -> String {
    let mut out = String::new();
    write_value(value, style, 0, &mut out);
    out
}

/// A row in the form that lm-evaluation-harness hashes: JSON indented by two spaces.
pub fn row_json(row: &Map<String, Value>) -> String {
    let mut out = String::new();
    let style = Style {
        indent: Some(2),
        ..Style::default()
    };
    write_object(row, style, 0, &mut out);
    out
}

/// A value as a line of JSONL for Python, which may contain `NaN`.
pub fn line_json(value: &Value) -> String {
    let style = Style {
        compact: true,
        ..Style::default()
    };
    dumps(value, style)
}

fn write_value(value: &Value, style: Style<'_>, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&super::number(number)),
        Value::String(text) => write_text(text, style, out),
        Value::Array(items) => write_items(['[', ']'], items, style, depth, out, |item, out| {
            write_value(item, style, depth + 1, out);
        }),
        Value::Object(entries) => write_object(entries, style, depth, out),
    }
}

fn write_object(entries: &Map<String, Value>, style: Style<'_>, depth: usize, out: &mut String) {
    match Special::of(entries) {
        Some(Special::Float(value)) if value.is_nan() => out.push_str("NaN"),
        Some(Special::Float(value)) if value > 0.0 => out.push_str("Infinity"),
        Some(Special::Float(_)) => out.push_str("-Infinity"),
        Some(Special::Integer(digits)) => out.push_str(digits),
        Some(Special::Bytes(bytes)) => write_text(&super::bytes(&bytes), style, out),
        None => {
            let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
            if style.sorted {
                entries.sort_by_key(|(key, _)| *key);
            }
            write_items(
                ['{', '}'],
                entries,
                style,
                depth,
                out,
                |(key, value), out| {
                    write_text(key, style, out);
                    out.push_str(style.after_key());
                    write_value(value, style, depth + 1, out);
                },
            );
        }
    }
}

fn write_items<T>(
    [open, close]: [char; 2],
    items: impl IntoIterator<Item = T>,
    style: Style<'_>,
    depth: usize,
    out: &mut String,
    write: impl Fn(T, &mut String),
) {
    let line = |depth: usize, out: &mut String| {
        if let Some(indent) = style.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    out.push(open);
    let mut empty = true;
    for item in items {
        if !empty {
            out.push_str(style.after_item());
        }
        empty = false;
        line(depth + 1, out);
        write(item, out);
    }
    if !empty {
        line(depth, out);
    }
    out.push(close);
}

fn write_text(text: &str, style: Style<'_>, out: &mut String) {
    // Serializing a string cannot fail.
    let quoted = serde_json::to_string(text).unwrap_or_default();
    if !style.ascii {
        return out.push_str(&quoted);
    }
    for char in quoted.chars() {
        match char {
            ' '..='~' => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
}

/// Most digits of an integer that Python reads from a text.
const DIGITS: usize = 4300;

/// `json.loads(text)`.
///
/// # Errors
/// The error of `serde_json`. Its position is in the text in which Python-only values have been replaced. Also, without a
/// position, that an integer has more digits than Python reads.
pub fn loads(text: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(&standard(text)?)
}

/// The text as standard JSON: `NaN`, `Infinity` and integers beyond 64 bits are replaced by the objects
/// that represent them.
fn standard(text: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    let mut out = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let (length, value) = match rest[0] {
            b'"' => (string_length(rest), None),
            b'N' if rest.starts_with(b"NaN") => (3, Some(special::float(f64::NAN))),
            b'I' if rest.starts_with(b"Infinity") => (8, Some(special::float(f64::INFINITY))),
            b'-' if rest.starts_with(b"-Infinity") => (9, Some(special::float(f64::NEG_INFINITY))),
            b'-' | b'0'..=b'9' => number(rest)?,
            _ => (1, None),
        };
        if let Some(value) = value {
            out.extend_from_slice(&text[copied..at]);
            out.extend_from_slice(value.to_string().as_bytes());
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(text));
    }
    out.extend_from_slice(&text[copied..]);
    Ok(Cow::Owned(out))
}

/// Length in bytes of the string that `text` begins with, including its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Length in bytes of the number that `text` begins with, and its value if it is an integer beyond 64 bits.
fn number(text: &[u8]) -> Result<(usize, Option<Value>), Error> {
    let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = text
        .iter()
        .position(|byte| !part(byte))
        .unwrap_or(text.len());
    let number = &text[..length];
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let whole = digits.iter().all(u8::is_ascii_digit) && !digits.starts_with(b"0");
    // An integer of fewer than 19 digits fits in 64 bits, whatever its sign.
    if digits.len() < 19 || !whole {
        return Ok((length, None));
    }
    if digits.len() > DIGITS {
        return Err(Error::custom(format!(
            "an integer of {} digits; Python reads at most {DIGITS}",
            digits.len()
        )));
    }
    let value = std::str::from_utf8(number).map(special::integer);
    Ok((length, value.ok().filter(Value::is_object)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Output of Python's `json.dumps`.
    const PYTHONS: &str = r#"{"a": [NaN, Infinity, -Infinity], "big": 123456789012345678901234567890, "f": [1e-05, 1e+16, 0.1, 100.0, -0.0, 1.5e+300], "n": -5, "t": "NaN \" 12345678901234567890123", "u": [18446744073709551615, 18446744073709551616, -9223372036854775809]}"#;

    #[test]
    fn what_python_writes_is_read_and_written_back() {
        let value = loads(PYTHONS.as_bytes()).unwrap();
        assert_eq!(dumps(&value, Style::default()), PYTHONS);
        assert_eq!(value["t"], json!("NaN \" 12345678901234567890123"));
        assert_eq!(value["u"][0], json!(u64::MAX));
    }

    #[test]
    fn an_integer_has_as_many_digits_as_python_reads() {
        let most = "7".repeat(DIGITS);
        let value = loads(format!("[-{most}]").as_bytes()).unwrap();
        assert_eq!(dumps(&value, Style::default()), format!("[-{most}]"));
        let error = loads(format!("[1, {most}7]").as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "an integer of 4301 digits; Python reads at most 4300"
        );
        // In a text they are no number.
        assert!(loads(format!("\"{most}7\"").as_bytes()).is_ok());
    }

    #[test]
    fn styles_are_those_of_dumps() {
        let value = json!({"b": [1, {}], "a": ["é\u{1f600}\u{7f}", []]});
        let written = |style| dumps(&value, style);
        assert_eq!(
            written(Style {
                indent: Some(2),
                ..Style::default()
            }),
            "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": [\n    \"é\u{1f600}\u{7f}\",\n    []\n  ]\n}"
        );
        assert_eq!(
            written(Style {
                ascii: true,
                sorted: true,
                ..Style::default()
            }),
            r#"{"a": ["\u00e9\ud83d\ude00\u007f", []], "b": [1, {}]}"#
        );
        assert_eq!(
            written(Style {
                compact: true,
                ..Style::default()
            }),
            serde_json::to_string(&value).unwrap()
        );
    }

    #[test]
    fn what_is_no_json_to_python_either_stays_an_error() {
        for text in [
            "Nan",
            "[1,]",
            "{\"a\": -NaN}",
            "\"open",
            "Infinit",
            "0123",
            "12-3",
        ] {
            assert!(loads(text.as_bytes()).is_err(), "{text}");
        }
    }
}
