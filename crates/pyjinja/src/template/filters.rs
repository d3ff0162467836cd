//! Filters of Jinja2 that minijinja lacks or implements differently.

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::values::{List, integer, text_of, to_json, to_str};
use super::{format, methods, refused};
use crate::PythonRegex;
use crate::python::{self, Style};

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("regex_replace", regex_replace);
    environment.add_filter("string", |value: &Value| -> Result<Value, Error> {
        match text_of(value) {
            Some(_) => Ok(value.clone()),
            None => defined_text(value).map(Value::from),
        }
    });
    environment.add_filter("list", list);
    environment.add_filter("join", join);
    environment.add_filter("map", map);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("format", format_filter);
    environment.add_filter("tojson", tojson);
    environment.add_filter("e", escape);
    environment.add_filter("escape", escape);
    environment.add_filter("forceescape", escape);
    environment.add_filter("indent", indent);
    environment.add_filter("trim", |value: &Value, chars: Option<Value>| {
        methods::text_method(&defined_text(value)?, "strip", chars.as_slice())
    });
    environment.add_filter(
        "center",
        |value: &Value, width: Option<usize>, named: Kwargs| {
            let width = width.or(named.get("width")?).unwrap_or(80);
            named.assert_all_used()?;
            methods::text_method(&defined_text(value)?, "center", &[Value::from(width)])
        },
    );
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", |value: &Value| -> Result<usize, Error> {
        let text = defined_text(value)?;
        let words = text.split(|char: char| !char.is_alphanumeric() && char != '_');
        Ok(words.filter(|word| !word.is_empty()).count())
    });
    environment.add_filter("urlencode", urlencode);
    environment.add_filter("striptags", |value: &Value| -> Result<String, Error> {
        Ok(minijinja_contrib::filters::striptags(defined_text(value)?))
    });
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
}

/// `str(value)`, for filters of text; undefined values are an error.
fn defined_text(value: &Value) -> Result<String, Error> {
    match value.is_undefined() {
        true => Err(Error::from(ErrorKind::UndefinedError)),
        false => to_str(value),
    }
}

/// lm-evaluation-harness's own filter: Python's `re.sub`.
fn regex_replace(
    text: &str,
    pattern: &str,
    replacement: &str,
    count: Rest<usize>,
) -> Result<String, Error> {
    let regex = PythonRegex::new(pattern).map_err(refused)?;
    Ok(regex.replace(text, replacement, count.first().copied().unwrap_or(0)))
}

fn list(value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let items = value.try_iter()?.checked();
    Ok(List::value(items.collect::<Result<_, _>>()?))
}

/// `join(separator, attribute)`: joins the items as Python's `str` prints them.
fn join(
    state: &mut State<'_, '_>,
    value: &Value,
    separator: Option<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let separator = separator.or(named.get("d")?);
    let separator = separator.map_or(Ok(String::new()), |separator| to_str(&separator))?;
    let items = match named.get::<Option<Value>>("attribute")? {
        Some(attribute) => {
            let named = Kwargs::from_iter([("attribute", attribute)]);
            state.apply_filter("map", &[value.clone(), Value::from(named)])?
        }
        None => value.clone(),
    };
    named.assert_all_used()?;
    if items.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let texts = items.try_iter()?.checked().map(|item| defined_text(&item?));
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join(&separator))
}

/// `map('filter', ...)` or `map(attribute='a.b', default=...)`. minijinja's own `map` does not pass keyword
/// arguments to the filter.
fn map(state: &mut State<'_, '_>, value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let (positional, named): (&[Value], Kwargs) = from_args(&args)?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let items = value.try_iter()?.checked();
    if let Some(filter) = positional.first() {
        let filter = filter
            .as_str()
            .ok_or_else(|| refused("map() needs the name of a filter"))?;
        let apply = |item: Result<Value, Error>| {
            let with: Vec<Value> = std::iter::once(item?)
                .chain(args[1..].iter().cloned())
                .collect();
            state.apply_filter(filter, &with)
        };
        return Ok(List::value(items.map(apply).collect::<Result<_, _>>()?));
    }
    let path: Value = named.get("attribute")?;
    let default: Option<Value> = named.get("default")?;
    named.assert_all_used()?;
    let attribute = |item: Result<Value, Error>| {
        let found = to_str(&path)?.split('.').try_fold(item?, |value, part| {
            let key = part
                .parse::<i64>()
                .map_or_else(|_| Value::from(part), Value::from);
            value.get_item(&key)
        });
        Ok(match (found, &default) {
            (Ok(found), _) if !found.is_undefined() => found,
            (_, Some(default)) => default.clone(),
            (found, None) => found?,
        })
    };
    let items: Result<Vec<Value>, Error> = items.map(attribute).collect();
    items.map(List::value)
}

/// `int(value, base)`, else `int(float(value))`, else the default.
fn int(
    value: &Value,
    default: Option<Value>,
    base: Option<u32>,
    named: Kwargs,
) -> Result<Value, Error> {
    let default = default.or(named.get("default")?);
    let base = base.or(named.get("base")?).unwrap_or(10);
    named.assert_all_used()?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let whole = |number: f64| {
        number
            .is_finite()
            .then(|| integer(&format!("{:.0}", number.trunc())))
    };
    let found = match (value.kind(), text_of(value)) {
        (ValueKind::Bool, _) => Some(Value::from(i64::from(value.is_true()))),
        (ValueKind::Number, _) if value.is_integer() => Some(value.clone()),
        (ValueKind::Number, _) => whole(f64::try_from(value.clone())?),
        (_, Some(text)) => digits(text, base)
            .map(Value::from)
            .or_else(|| number(text).and_then(whole)),
        _ => None,
    };
    Ok(found.or(default).unwrap_or_else(|| Value::from(0)))
}

/// `float(value)`, else the default.
fn float(value: &Value, default: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let default = default.or(named.get("default")?);
    named.assert_all_used()?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let found = match (value.kind(), text_of(value)) {
        (ValueKind::Bool, _) => Some(f64::from(u8::from(value.is_true()))),
        (ValueKind::Number, _) => value.to_string().parse().ok(),
        (_, Some(text)) => number(text),
        _ => None,
    };
    Ok(found
        .map(Value::from)
        .or(default)
        .unwrap_or_else(|| Value::from(0.0)))
}

/// `int(text, base)`.
fn digits(text: &str, base: u32) -> Option<i128> {
    let text = without_underscores(python::strip(text))?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let prefixed = digits.get(..2).map(str::to_ascii_lowercase);
    let (digits, base) = match (prefixed.as_deref(), base) {
        (Some("0x"), 16 | 0) => (&digits[2..], 16),
        (Some("0o"), 8 | 0) => (&digits[2..], 8),
        (Some("0b"), 2 | 0) => (&digits[2..], 2),
        (_, 0) => (digits, 10),
        (_, 2..=36) => (digits, base),
        _ => return None,
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(digits, base).ok()?;
    Some(if negative { -number } else { number })
}

/// `float(text)`; Rust accepts the same notations.
fn number(text: &str) -> Option<f64> {
    without_underscores(python::strip(text))?.parse().ok()
}

/// Removes underscores between digits; `None` if an underscore is anywhere else.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let between = |at: usize| {
        let digit = |at: Option<usize>| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_alphanumeric)
        };
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let allowed = text.match_indices('_').all(|(at, _)| between(at));
    allowed.then(|| text.replace('_', ""))
}

/// `text % args`, or `text % named`.
fn format_filter(text: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let args = args.into_values();
    let (positional, named): (&[Value], Kwargs) = from_args(&args)?;
    let text = defined_text(text)?;
    let names: Vec<&str> = named.args().collect();
    if names.is_empty() {
        return format::percent(
            &text,
            &Value::from(minijinja::value::Tuple::from(positional)),
        );
    }
    let entry = |name: &str| Ok((name.to_owned(), named.get::<Value>(name)?));
    let entries: Vec<(String, Value)> =
        names.into_iter().map(entry).collect::<Result<_, Error>>()?;
    format::percent(&text, &Value::from_pairs(entries))
}

/// JSON with sorted keys, in which the characters special to HTML are escaped.
fn tojson(value: &Value, indent: Option<usize>, named: Kwargs) -> Result<Value, Error> {
    let style = Style {
        indent: indent.or(named.get("indent")?),
        ascii: true,
        sorted: true,
        compact: false,
    };
    named.assert_all_used()?;
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let mut text = python::dumps(&to_json(value)?, style);
    for (char, escaped) in [
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("&", "\\u0026"),
        ("'", "\\u0027"),
    ] {
        text = text.replace(char, escaped);
    }
    Ok(Value::from_safe_string(text))
}

fn escape(value: &Value) -> Result<Value, Error> {
    if value.is_safe() {
        return Ok(value.clone());
    }
    let mut text = defined_text(value)?;
    for (char, escaped) in [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("'", "&#39;"),
        ("\"", "&#34;"),
    ] {
        text = text.replace(char, escaped);
    }
    Ok(Value::from_safe_string(text))
}

/// Inserts spaces, or the given text, before every line except the first and empty ones.
fn indent(
    value: &Value,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    named: Kwargs,
) -> Result<String, Error> {
    let width = width.or(named.get("width")?);
    let first = first.or(named.get("first")?).unwrap_or(false);
    let blank = blank.or(named.get("blank")?).unwrap_or(false);
    named.assert_all_used()?;
    let by = match &width {
        None => " ".repeat(4),
        Some(text) if text_of(text).is_some() => to_str(text)?,
        Some(width) => " ".repeat(usize::from(u16::try_from(width.clone())?)),
    };
    let text = defined_text(value)? + "\n";
    let mut out = String::new();
    let lines = methods::text_method(&text, "splitlines", &[])?;
    for (at, line) in lines.try_iter()?.enumerate() {
        let line = to_str(&line)?;
        let indented = match at {
            0 => first,
            _ => blank || !line.is_empty(),
        };
        let separator = if at == 0 { "" } else { "\n" };
        out.extend([separator, if indented { &by } else { "" }, &line]);
    }
    Ok(out)
}

/// Cuts a text that is too long: at the last space, or with `killwords` anywhere.
fn truncate(value: &Value, args: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let args = args.into_values();
    type Args<'a> = (
        Option<usize>,
        Option<bool>,
        Option<&'a str>,
        Option<usize>,
        Kwargs,
    );
    let (length, anywhere, end, leeway, named): Args<'_> = from_args(&args)?;
    let length = length.or(named.get("length")?).unwrap_or(255);
    let anywhere = anywhere.or(named.get("killwords")?).unwrap_or(false);
    let end = end.or(named.get("end")?).unwrap_or("...");
    let leeway = leeway.or(named.get("leeway")?).unwrap_or(5);
    named.assert_all_used()?;
    let text = defined_text(value)?;
    let kept = length.checked_sub(end.chars().count());
    let kept =
        kept.ok_or_else(|| refused(format!("truncate: {length} is shorter than `{end}`")))?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(text);
    }
    let cut: String = text.chars().take(kept).collect();
    let cut = match cut.rsplit_once(' ') {
        Some((words, _)) if !anywhere => words,
        _ => &cut,
    };
    Ok(format!("{cut}{end}"))
}

/// Percent-encodes a text for a URL; a mapping becomes a query string.
fn urlencode(value: &Value) -> Result<String, Error> {
    let quoted = |value: &Value, kept: &[u8], space: &str| -> Result<String, Error> {
        let mut out = String::new();
        for byte in defined_text(value)?.bytes() {
            match byte {
                b' ' if !space.is_empty() => out.push_str(space),
                _ if byte.is_ascii_alphanumeric()
                    || b"-._~".contains(&byte)
                    || kept.contains(&byte) =>
                {
                    out.push(char::from(byte));
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(out)
    };
    if value.kind() != ValueKind::Map {
        return quoted(value, b"/", "");
    }
    let pair = |key: Value| {
        let item = value.get_item(&key)?;
        Ok(format!(
            "{}={}",
            quoted(&key, b"", "+")?,
            quoted(&item, b"", "+")?
        ))
    };
    let pairs: Result<Vec<String>, Error> = value.try_iter()?.map(pair).collect();
    Ok(pairs?.join("&"))
}
