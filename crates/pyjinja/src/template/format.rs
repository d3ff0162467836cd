//! Python's two kinds of string formatting: `'%s: %.2f' % (a, b)` and `'{}: {:.2f}'.format(a, b)`.
//!
//! minijinja formats single numbers. This module adds what it lacks: `%d` of a float, `%r`, `{:.1%}`,
//! `{!r}`, and Python's notation for lists, `None` and other values.

use std::sync::LazyLock;

use fancy_regex::{Captures, Regex};
use minijinja::formatting::{FormatStyle, format};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use super::bounds::Limited;
use super::refused;
use super::values::{repr, text_of, to_str};
use crate::python;

type Pattern = LazyLock<Result<Regex, String>>;

fn pattern(source: &str) -> Result<Regex, String> {
    Regex::new(source).map_err(|error| error.to_string())
}

fn captures<'t>(regex: &Pattern, text: &'t str) -> Result<Option<Captures<'t, str>>, Error> {
    let regex = regex.as_ref().map_err(|error| refused(error.clone()))?;
    regex
        .captures(text)
        .map_err(|error| refused(error.to_string()))
}

fn part<'t>(captures: &Captures<'t, str>, name: &str) -> Option<&'t str> {
    captures.name(name).map(|found| found.as_str())
}

/// `text % args`. A tuple provides several arguments; a dictionary is looked up by name.
pub(super) fn percent(text: &str, args: &Value) -> Result<String, Error> {
    static CONVERSION: Pattern = LazyLock::new(|| {
        pattern(
            r"^%(?:\((?<name>[^)]*)\))?(?<flags>[#0 +-]*)(?<width>\*|\d+)?(?:\.(?<precision>\*|\d*))?[hlL]?(?<kind>.)",
        )
    });
    let several: Vec<Value> = match args.is_tuple() {
        true => args.try_iter()?.collect(),
        false => vec![args.clone()],
    };
    let mut rest = several.iter();
    let mut next = || {
        rest.next()
            .ok_or_else(|| refused("not enough arguments for format string"))
    };
    let mut out = Limited::default();
    let mut unread = text;
    let mut by_name = false;
    while let Some(at) = unread.find('%') {
        out.push(&unread[..at])?;
        let found = captures(&CONVERSION, &unread[at..])?;
        let found = found.ok_or_else(|| refused("the format ends within a conversion"))?;
        unread = &unread[at + found[0].len()..];
        let kind = &found["kind"];
        if kind == "%" {
            out.push("%")?;
            continue;
        }
        let mut size = |name: &str| match part(&found, name) {
            Some("*") => Ok(Some(i64::try_from(next()?.clone())?.to_string())),
            Some("") => Ok(Some("0".to_owned())),
            other => Ok::<_, Error>(other.map(str::to_owned)),
        };
        let (width, precision) = (size("width")?, size("precision")?);
        let flags = found["flags"].to_owned();
        let value = match part(&found, "name") {
            Some(name) if args.kind() == ValueKind::Map => {
                by_name = true;
                args.get_item(&Value::from(name))?
            }
            Some(_) => return Err(refused("format requires a mapping")),
            None => next()?.clone(),
        };
        if value.is_undefined() {
            return Err(refused("a value to format is undefined"));
        }
        out.push(&converted(kind, &flags, width, precision, &value)?)?;
    }
    out.push(unread)?;
    if rest.next().is_some() && !by_name && args.kind() != ValueKind::Map {
        return Err(refused(
            "not all arguments converted during string formatting",
        ));
    }
    Ok(out.finish())
}

/// Formats one value by a conversion of `%`.
fn converted(
    kind: &str,
    flags: &str,
    width: Option<String>,
    precision: Option<String>,
    value: &Value,
) -> Result<String, Error> {
    let text = match kind {
        "s" => Some(to_str(value)?),
        "r" => Some(repr(value)?),
        "a" => Some(python::ascii(&to_str(value)?)),
        _ => None,
    };
    if let Some(text) = text {
        let width = width.as_deref().unwrap_or_default();
        let left = flags.contains('-') || width.starts_with('-');
        let sign = if left { "<" } else { ">" };
        return padded(
            &text,
            "",
            sign,
            width.trim_start_matches('-'),
            precision.as_deref(),
        );
    }
    // A float beyond minijinja's integers: `%.0f` prints the same digits as `%d`.
    let (kind, precision) = match kind {
        "d" | "i" | "u" if (1e38..f64::INFINITY).contains(&real(value)?.abs()) => {
            ("f", Some("0".to_owned()))
        }
        "i" | "u" => ("d", precision),
        _ => (kind, precision),
    };
    let value = match kind {
        "d" => whole(value)?,
        "e" | "E" | "f" | "F" | "g" | "G" => Value::from(real(value)?),
        "o" | "x" | "X" | "c" => value.clone(),
        _ => {
            return Err(refused(format!(
                "%{kind} is not a conversion that Python has"
            )));
        }
    };
    for digits in width.iter().chain(&precision) {
        size(digits.trim_start_matches('-'))?;
    }
    let precision = precision
        .map(|digits| format!(".{digits}"))
        .unwrap_or_default();
    let conversion = format!("%{flags}{}{precision}{kind}", width.unwrap_or_default());
    format(FormatStyle::Printf, &conversion, &[value])
}

/// `int(value)` of a number.
fn whole(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Number if !value.is_integer() => {
            let number = f64::try_from(value.clone())?;
            match number.is_finite() {
                true => Ok(Value::from(number.trunc() as i128)),
                false => Err(refused(format!(
                    "cannot convert {} to integer",
                    python::float(number)
                ))),
            }
        }
        ValueKind::Number => Ok(value.clone()),
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        kind => Err(refused(format!(
            "expected a number to format, not a {kind}"
        ))),
    }
}

/// `float(value)` of a number.
fn real(value: &Value) -> Result<f64, Error> {
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).or_else(|_| {
            // A number that minijinja does not convert to a float is parsed from its digits.
            value
                .to_string()
                .parse()
                .map_err(|_| refused("too large a number for a float"))
        }),
        ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        kind => Err(refused(format!(
            "expected a number to format, not a {kind}"
        ))),
    }
}

/// Largest width or precision; a larger one is taken for a mistake.
const WIDEST: usize = 100_000;

fn size(digits: &str) -> Result<usize, Error> {
    match digits.parse() {
        Ok(size) if size <= WIDEST => Ok(size),
        _ => Err(refused(format!("{digits} is too wide"))),
    }
}

/// Cuts a text to `precision` characters and pads it to `width` characters.
fn padded(
    text: &str,
    fill: &str,
    align: &str,
    width: &str,
    precision: Option<&str>,
) -> Result<String, Error> {
    let kept: String = match precision {
        Some(digits) => text.chars().take(size(digits)?).collect(),
        None => text.to_owned(),
    };
    let width = if width.is_empty() { 0 } else { size(width)? };
    let missing = width.saturating_sub(kept.chars().count());
    let left = match align {
        "<" => 0,
        "^" => missing / 2,
        _ => missing,
    };
    let fill = if fill.is_empty() { " " } else { fill };
    Ok(format!(
        "{}{kept}{}",
        fill.repeat(left),
        fill.repeat(missing - left)
    ))
}

/// `text.format(*args, **named)`.
pub(super) fn str_format(text: &str, args: &[Value], named: &Kwargs) -> Result<String, Error> {
    Fields {
        args,
        named,
        next: 0,
    }
    .fill(text, 0)
}

struct Fields<'a> {
    args: &'a [Value],
    named: &'a Kwargs,
    next: usize,
}

impl Fields<'_> {
    /// Replaces the fields of a text. At `depth` 1 the text is the format of a field, which may contain
    /// fields too.
    fn fill(&mut self, text: &str, depth: usize) -> Result<String, Error> {
        let mut out = Limited::default();
        let mut unread = text;
        while let Some(at) = unread.find(['{', '}']) {
            out.push(&unread[..at])?;
            let brace = &unread[at..=at];
            unread = &unread[at + 1..];
            if unread.starts_with(brace) {
                out.push(brace)?;
                unread = &unread[1..];
            } else if brace == "{" {
                let end = field_end(unread).filter(|_| depth < 2);
                let end = end.ok_or_else(|| refused("a field of the format is not closed"))?;
                out.push(&self.field(&unread[..end], depth)?)?;
                unread = &unread[end + 1..];
            } else {
                return Err(refused("single '}' in the format"));
            }
        }
        out.push(unread)?;
        Ok(out.finish())
    }

    /// Formats one field: `name!conversion:format`.
    fn field(&mut self, field: &str, depth: usize) -> Result<String, Error> {
        let (name, form) = field.split_once(':').unwrap_or((field, ""));
        let (name, conversion) = match name.split_once('!') {
            Some((name, conversion)) => (name, Some(conversion)),
            None => (name, None),
        };
        let value = self.value(name)?;
        let value = match conversion {
            None => value,
            Some("s") => Value::from(to_str(&value)?),
            Some("r") => Value::from(repr(&value)?),
            Some("a") => Value::from(python::ascii(&to_str(&value)?)),
            Some(other) => {
                return Err(refused(format!(
                    "!{other} is not a conversion that Python has"
                )));
            }
        };
        let form = self.fill(form, depth + 1)?;
        formatted(&value, &form)
    }

    /// Looks up the value of a field: `0`, `name`, or nothing for the next argument, followed by any
    /// `.attribute` and `[key]`.
    fn value(&mut self, path: &str) -> Result<Value, Error> {
        let first = path.find(['.', '[']).unwrap_or(path.len());
        let (name, mut rest) = path.split_at(first);
        let positional = match name {
            "" => {
                self.next += 1;
                Some(self.next - 1)
            }
            name => name.parse().ok(),
        };
        let missing = || refused(format!("format() has no argument for {{{path}}}"));
        let mut value = match positional {
            Some(at) => self.args.get(at).cloned().ok_or_else(missing)?,
            None => self.named.get(name).map_err(|_| missing())?,
        };
        while !rest.is_empty() {
            let (key, after) = match rest.strip_prefix('[') {
                Some(inside) => inside.split_once(']').ok_or_else(missing)?,
                None => {
                    let inside = &rest[1..];
                    inside.split_at(inside.find(['.', '[']).unwrap_or(inside.len()))
                }
            };
            let key = key
                .parse::<i64>()
                .map_or_else(|_| Value::from(key), Value::from);
            value = value.get_item(&key)?;
            rest = after;
        }
        match value.is_undefined() {
            true => Err(missing()),
            false => Ok(value),
        }
    }
}

/// Offset of the brace that closes a field. The format of the field may contain fields.
fn field_end(text: &str) -> Option<usize> {
    let mut open = 0;
    text.char_indices().find_map(|(at, char)| {
        match char {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        None
    })
}

/// `format(value, form)`.
fn formatted(value: &Value, form: &str) -> Result<String, Error> {
    static FORM: Pattern = LazyLock::new(|| {
        pattern(
            r"^(?:(?<fill>.)?(?<align>[<>=^]))?(?<sign>[-+ ]?)(?<other>#?)(?<zero>0?)(?<width>\d*)(?<group>[,_]?)(?:\.(?<precision>\d+))?(?<kind>.?)$",
        )
    });
    if form.is_empty() {
        return to_str(value);
    }
    let bad = || refused(format!("`{form}` is not a format for a {}", value.kind()));
    let found = captures(&FORM, form)?.ok_or_else(bad)?;
    let [fill, align, width, kind] =
        ["fill", "align", "width", "kind"].map(|name| part(&found, name).unwrap_or_default());
    for name in ["width", "precision"] {
        size(
            part(&found, name)
                .filter(|digits| !digits.is_empty())
                .unwrap_or("0"),
        )?;
    }
    if let Some(text) = text_of(value) {
        if !matches!(kind, "" | "s") || align == "=" {
            return Err(bad());
        }
        let align = if align.is_empty() { "<" } else { align };
        return padded(text, fill, align, width, part(&found, "precision"));
    }
    let value = match (value.kind(), kind) {
        (ValueKind::Number | ValueKind::Bool, "%") => {
            let precision = part(&found, "precision").unwrap_or("6");
            let (sign, group) = (&found["sign"], &found["group"]);
            let hundredfold = Value::from(real(value)? * 100.0);
            let form = format!("{{:{sign}{group}.{precision}f}}");
            let text = format(FormatStyle::StrFormat, &form, &[hundredfold])? + "%";
            let (fill, align) = match (align, &found["zero"]) {
                ("", "0") => ("0", ">"),
                ("", _) => (fill, ">"),
                _ => (fill, align),
            };
            return padded(&text, fill, align, width, None);
        }
        (ValueKind::Number | ValueKind::Bool, "e" | "E" | "f" | "F" | "g" | "G") => {
            Value::from(real(value)?)
        }
        (ValueKind::Number, "" | "b" | "c" | "d" | "o" | "x" | "X" | "n") => value.clone(),
        (ValueKind::Bool, "" | "b" | "c" | "d" | "o" | "x" | "X" | "n") => whole(value)?,
        _ => return Err(bad()),
    };
    format(FormatStyle::StrFormat, &format!("{{:{form}}}"), &[value])
}
