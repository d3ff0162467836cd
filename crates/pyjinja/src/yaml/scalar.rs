//! Plain scalars of YAML 1.1, as PyYAML's resolver and constructor take them.

use std::sync::LazyLock;

use fancy_regex::{Captures, Regex};
use serde_json::Value as Json;
use serde_yaml_ng::{Mapping, Value};

use crate::python;

/// PyYAML's patterns.
static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    )
});
static INTEGER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
    )
});
static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(?<date>(?<year>[0-9]{4})-(?<month>[0-9]{1,2})-(?<day>[0-9]{1,2}))(?:(?:[Tt]|[ \t]+)(?<hour>[0-9]{1,2}):(?<minute>[0-9]{2}):(?<second>[0-9]{2})(?:\.(?<fraction>[0-9]*))?(?:[ \t]*(?<zone>Z|(?<sign>[-+])(?<hours>[0-9]{1,2})(?::?(?<minutes>[0-9]{2}))?))?)?$",
    )
});

fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("the pattern is a constant")
}

fn matches(pattern: &Regex, text: &str) -> bool {
    pattern.is_match(text).unwrap_or(false)
}

/// The value of a plain scalar. A date becomes the text that Python prints for it.
pub(super) fn resolved(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    // No other value begins in another way.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::String(text.to_owned());
    }
    if matches(&FLOAT, text) {
        return float_of(text).map_or_else(|| Value::String(text.to_owned()), Value::from);
    }
    let value = match matches(&INTEGER, text) {
        true => integer_of(text),
        false => timestamp(text).map(Value::String),
    };
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Sign and digits of a number, without underscores.
fn signed(text: &str) -> (bool, String) {
    let text = text.replace('_', "").to_ascii_lowercase();
    match text.strip_prefix('-') {
        Some(digits) => (true, digits.to_owned()),
        None => (false, text.strip_prefix('+').unwrap_or(&text).to_owned()),
    }
}

/// `float`, also of `12:30.5` to the base 60.
pub(super) fn float_of(text: &str) -> Option<f64> {
    let (negative, digits) = signed(text);
    let value = match digits.as_str() {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        digits => digits.split(':').try_fold(0.0, |value, part| {
            Some(value * 60.0 + part.parse::<f64>().ok()?)
        })?,
    };
    Some(if negative { -value } else { value })
}

/// `int`: binary, octal, hexadecimal, to the base 60, or decimal.
fn integer_of(text: &str) -> Option<Value> {
    let (negative, digits) = signed(text);
    let radix = |digits: &str, radix| i128::from_str_radix(digits, radix).ok();
    let value = match digits.as_str() {
        "0" => Some(0),
        digits if digits.starts_with("0b") => radix(&digits[2..], 2),
        digits if digits.starts_with("0x") => radix(&digits[2..], 16),
        digits if digits.starts_with('0') => radix(digits, 8),
        digits => digits.split(':').try_fold(0_i128, |value, part| {
            value.checked_mul(60)?.checked_add(part.parse().ok()?)
        }),
    };
    let digits = match value {
        Some(value) => (if negative { -value } else { value }).to_string(),
        // An integer beyond 128 bits is kept as it is written.
        None if digits.bytes().all(|byte| byte.is_ascii_digit()) => match negative {
            true => format!("-{digits}"),
            false => digits,
        },
        None => return None,
    };
    Some(match python::integer_value(&digits) {
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::from(value),
            (None, Some(value)) => Value::from(value),
            (None, None) => return None,
        },
        Json::Object(special) => {
            let entry = |(key, digits): (String, Json)| {
                (
                    Value::String(key),
                    Value::from(digits.as_str().unwrap_or_default()),
                )
            };
            Value::Mapping(special.into_iter().map(entry).collect::<Mapping>())
        }
        _ => return None,
    })
}

/// Whether a text is a date, or date and time.
pub(super) fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

/// `str` of the `datetime.date` or `datetime.datetime` that a text stands for.
fn timestamp(text: &str) -> Option<String> {
    let found = TIMESTAMP.captures(text).ok()??;
    let part = |name: &str| found.name(name).map(|part| part.as_str());
    let number = |name: &str| part(name).map_or(Some(0), |digits| digits.parse::<u32>().ok());
    let (month, day) = (number("month")?, number("day")?);
    let date = format!("{}-{month:02}-{day:02}", part("year")?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let Some(hour) = part("hour") else {
        // A date alone has two digits each.
        return (part("date")?.len() == 10).then_some(date);
    };
    let hour: u32 = hour.parse().ok()?;
    let (minute, second) = (number("minute")?, number("second")?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let time = format!("{date} {hour:02}:{minute:02}:{second:02}");
    Some(format!(
        "{time}{}{}",
        fraction(part("fraction")),
        zone(&found)?
    ))
}

/// Microseconds, unless there are none.
fn fraction(digits: Option<&str>) -> String {
    let digits: String = digits.unwrap_or_default().chars().take(6).collect();
    match digits.trim_end_matches('0') {
        "" => String::new(),
        _ => format!(".{digits:0<6}"),
    }
}

fn zone(found: &Captures<'_, str>) -> Option<String> {
    let part = |name: &str| found.name(name).map(|part| part.as_str());
    let Some(zone) = part("zone") else {
        return Some(String::new());
    };
    if zone == "Z" {
        return Some("+00:00".to_owned());
    }
    let hours: u32 = part("hours")?.parse().ok()?;
    let minutes = part("minutes").unwrap_or("00");
    Some(format!("{}{hours:02}:{minutes}", part("sign")?))
}
