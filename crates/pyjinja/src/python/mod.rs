//! Prints and parses values as Python does. lm-evaluation-harness passes every prompt, option list and
//! label through Python's `str`, so a list column in a prompt has to be printed as `['a', "b's"]`.

mod json;
mod special;

use std::fmt::Write;
use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::{Number, Value};

pub use json::{Style, dumps, loads};
pub use json::{line_json, row_json};
pub use special::{Special, bytes as bytes_value, float as float_value, integer as integer_value};

/// `str(value)`: a string unchanged, any other value as its [`repr`].
pub fn to_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`. Rows are JSON, so nesting is bounded by the JSON parser (128 levels).
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(value) => number(value),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => match Special::of(entries) {
            Some(Special::Float(value)) => float(value),
            Some(Special::Integer(digits)) => digits.to_owned(),
            Some(Special::Bytes(value)) => bytes(&value),
            None => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", quote(key), repr(value)))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        },
    }
}

/// The digits of an integer of more than 64 bits.
pub fn big_integer(value: &Value) -> Option<&str> {
    match value.as_object().map(Special::of)? {
        Some(Special::Integer(digits)) => Some(digits),
        _ => None,
    }
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float(value),
        _ => number.to_string(),
    }
}

/// `repr` of a float: the shortest digits that parse to the same value, with an exponent below 1e-4 and
/// from 1e16 on.
pub fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    // Rust prints the same digits, and an exponent for the same values, but `1e-5` and `1e16` instead of
    // `1e-05` and `1e+16`.
    let text = format!("{value:?}");
    let exponent = |text: &str| text.parse::<i32>().ok();
    match text.split_once('e') {
        Some((digits, power)) if let Some(power) = exponent(power) => {
            format!("{}e{power:+03}", to_even(digits, value))
        }
        _ => to_even(&text, value),
    }
}

/// Breaks a tie between two shortest representations. If the value lies halfway between them, Rust may
/// print either; Python prints the one that ends in an even digit, as rounding to that many digits does.
/// Values that come from an [`f32`] are often such ties.
fn to_even(digits: &str, value: f64) -> String {
    let significant = digits.trim_start_matches(['-', '0', '.']);
    let count = significant.bytes().filter(u8::is_ascii_digit).count();
    let rounded = format!("{value:.*e}", count.saturating_sub(1));
    let last = rounded
        .split('e')
        .next()
        .and_then(|mantissa| mantissa.chars().next_back());
    match (
        rounded.parse::<f64>(),
        last,
        digits.strip_suffix(|c: char| c.is_ascii_digit()),
    ) {
        (Ok(same), Some(last), Some(front)) if same == value => format!("{front}{last}"),
        _ => digits.to_owned(),
    }
}

/// `repr` of a string: in single quotes, unless the text contains a single quote and no double one.
pub fn quote(text: &str) -> String {
    let mark = mark(text.contains('\''), text.contains('"'));
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if char == mark => out.extend(['\\', char]),
            _ if is_unprintable(char) => escape(char, &mut out),
            _ => out.push(char),
        }
    }
    out.push(mark);
    out
}

/// `text.isprintable()`.
pub fn is_printable(text: &str) -> bool {
    !text.chars().any(is_unprintable)
}

/// Whether Python escapes the character in a `repr`.
pub fn is_unprintable(char: char) -> bool {
    static UNPRINTABLE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^[\p{C}\p{Z}]$").ok());
    match char {
        ' '..='~' => false,
        '\0'..='\u{ff}' => char.is_control() || matches!(char, '\u{a0}' | '\u{ad}'),
        _ => UNPRINTABLE.as_ref().is_some_and(|regex| {
            regex
                .is_match(char.encode_utf8(&mut [0; 4]))
                .unwrap_or(false)
        }),
    }
}

/// `ascii(text)`: like [`quote`], with every character beyond ASCII escaped.
pub fn ascii(text: &str) -> String {
    let mut out = String::new();
    for char in quote(text).chars() {
        match char.is_ascii() {
            true => out.push(char),
            false => escape(char, &mut out),
        }
    }
    out
}

/// Appends a character as Python escapes it: `\x1b`.
pub(crate) fn escape(char: char, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match char as u32 {
        code @ ..0x100 => write!(out, "\\x{code:02x}"),
        code @ ..0x1_0000 => write!(out, "\\u{code:04x}"),
        code => write!(out, "\\U{code:08x}"),
    };
}

fn mark(single: bool, double: bool) -> char {
    if single && !double { '"' } else { '\'' }
}

/// `repr` of bytes.
pub fn bytes(bytes: &[u8]) -> String {
    let mark = mark(bytes.contains(&b'\''), bytes.contains(&b'"'));
    let mut out = format!("b{mark}");
    for &byte in bytes {
        match byte {
            b'\'' | b'"' if char::from(byte) != mark => out.push(char::from(byte)),
            _ => out.extend(byte.escape_ascii().map(char::from)),
        }
    }
    out.push(mark);
    out
}

/// `text.lstrip()`: unlike Rust, Python counts the separators U+001C..U+001F as white space.
pub fn lstrip(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// `text.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Whether `char.isspace()`.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_prints_as_python_prints_it() {
        let value = json!([
            "a",
            "b's",
            "say \"hi\"",
            "both ' and \"",
            1,
            2.5,
            true,
            null
        ]);
        assert_eq!(
            repr(&value),
            r#"['a', "b's", 'say "hi"', 'both \' and "', 1, 2.5, True, None]"#
        );
        assert_eq!(repr(&json!({"a": ["x\ny"]})), r"{'a': ['x\ny']}");
        assert_eq!(to_str(&json!("plain")), "plain");
        assert_eq!(to_str(&json!(51.0)), "51.0");
    }

    #[test]
    fn floats_have_pythons_digits_and_exponents() {
        for (value, text) in [
            (1e-5, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (0.0001, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (5e-324, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-0.0, "-0.0"),
            // -930.81011962890625, halfway between two texts of 16 digits.
            (f64::from(-930.8101_f32), "-930.8101196289062"),
            (5000000.5, "5000000.5"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
        ] {
            assert_eq!(float(value), text);
            assert_eq!(to_str(&float_value(value)), text);
            assert_eq!(repr(&json!([float_value(value)])), format!("[{text}]"));
        }
    }

    #[test]
    fn what_python_does_not_print_is_escaped() {
        assert_eq!(
            quote("\u{200b}\u{7f}\u{a0}\u{ad}\u{1f600}\u{e000}\u{e0001}é"),
            r"'\u200b\x7f\xa0\xad\U0001f600\ue000\U000e0001é'".replace(r"\U0001f600", "\u{1f600}")
        );
        assert_eq!(ascii("é\u{1f600}漢"), r"'\xe9\U0001f600\u6f22'");
        assert_eq!(bytes(b"\x89PNG\n\\'"), r#"b"\x89PNG\n\\'""#);
        assert_eq!(bytes(b"'\""), r#"b'\'"'"#);
        assert_eq!(
            repr(&json!([
                bytes_value(b"\xff"),
                integer_value("100000000000000000000")
            ])),
            r"[b'\xff', 100000000000000000000]"
        );
    }

    #[test]
    fn stripping_takes_pythons_white_space() {
        assert_eq!(strip("\u{1c} \n x \u{a0}"), "x");
        assert_eq!(lstrip("\t x "), "x ");
    }
}
