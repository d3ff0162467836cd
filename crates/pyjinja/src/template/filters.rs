//! Filters of Jinja2 that minijinja lacks or implements differently.

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};

use super::bounds::{self, Limited};
use super::values::{List, integer, text_of, to_str};
use super::{format, json, methods, refused, web};
use crate::PythonRegex;
use crate::python;

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("regex_replace", regex_replace);
    environment.add_filter("string", string);
    environment.add_filter("list", list);
    environment.add_filter("join", join);
    environment.add_filter("map", map);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("format", format_filter);
    environment.add_filter("tojson", json::jinja);
    environment.add_filter("e", web::escape);
    environment.add_filter("escape", web::escape);
    environment.add_filter("forceescape", web::escape);
    environment.add_filter("indent", indent);
    environment.add_filter("trim", trim);
    environment.add_filter("center", center);
    environment.add_filter("truncate", truncate);
    environment.add_filter("wordcount", wordcount);
    environment.add_filter("urlencode", web::urlencode);
    environment.add_filter("striptags", striptags);
}

/// `str(value)`, for filters of text. What is undefined is empty, or an error where it is one everywhere.
pub(super) fn text(state: &State<'_, '_>, value: &Value) -> Result<String, Error> {
    match defined(state, value)? {
        true => to_str(value),
        false => Ok(String::new()),
    }
}

/// Whether a value is defined; an error where undefined values are errors.
fn defined(state: &State<'_, '_>, value: &Value) -> Result<bool, Error> {
    match (value.is_undefined(), state.undefined_behavior()) {
        (true, UndefinedBehavior::Strict) => Err(Error::from(ErrorKind::UndefinedError)),
        (undefined, _) => Ok(!undefined),
    }
}

fn string(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    match text_of(value) {
        Some(_) => Ok(value.clone()),
        None => text(state, value).map(Value::from),
    }
}

fn trim(state: &mut State<'_, '_>, value: &Value, chars: Option<Value>) -> Result<Value, Error> {
    let value = text(state, value)?;
    methods::text_method(state, &value, "strip", chars.as_slice())
}

fn center(
    state: &mut State<'_, '_>,
    value: &Value,
    width: Option<usize>,
    named: Kwargs,
) -> Result<Value, Error> {
    let width = width.or(named.get("width")?).unwrap_or(80);
    named.assert_all_used()?;
    let value = text(state, value)?;
    methods::text_method(state, &value, "center", &[Value::from(width)])
}

fn wordcount(state: &mut State<'_, '_>, value: &Value) -> Result<usize, Error> {
    let text = text(state, value)?;
    let words = text.split(|char: char| !char.is_alphanumeric() && char != '_');
    Ok(words.filter(|word| !word.is_empty()).count())
}

fn striptags(state: &mut State<'_, '_>, value: &Value) -> Result<String, Error> {
    Ok(minijinja_contrib::filters::striptags(text(state, value)?))
}

/// lm-evaluation-harness's own filter: Python's `re.sub`.
fn regex_replace(
    text: &str,
    pattern: &str,
    replacement: &str,
    count: Rest<usize>,
) -> Result<String, Error> {
    let regex = PythonRegex::new(pattern).map_err(refused)?;
    let count = count.first().copied().unwrap_or(0);
    let replaced = regex.replace_within(text, replacement, count, bounds::LONGEST_TEXT);
    replaced.ok_or_else(|| refused(bounds::too_much_text()))
}

fn list(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    defined(state, value)?;
    bounds::items(state, value).map(List::value)
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
    defined(state, &items)?;
    let mut out = Limited::default();
    for (at, item) in bounds::items(state, &items)?.iter().enumerate() {
        if at > 0 {
            out.push(&separator)?;
        }
        out.push(&text(state, item)?)?;
    }
    Ok(out.finish())
}

/// `map('filter', ...)` or `map(attribute='a.b', default=...)`. minijinja's own `map` does not pass keyword
/// arguments to the filter.
fn map(state: &mut State<'_, '_>, value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let (positional, named): (&[Value], Kwargs) = from_args(&args)?;
    defined(state, &value)?;
    let items = bounds::items(state, &value)?.into_iter();
    if let Some(filter) = positional.first() {
        let filter = filter
            .as_str()
            .ok_or_else(|| refused("map() needs the name of a filter"))?;
        let apply = |item: Value| {
            let with: Vec<Value> = std::iter::once(item)
                .chain(args[1..].iter().cloned())
                .collect();
            state.apply_filter(filter, &with)
        };
        return Ok(List::value(items.map(apply).collect::<Result<_, _>>()?));
    }
    let path: Value = named.get("attribute")?;
    let default: Option<Value> = named.get("default")?;
    named.assert_all_used()?;
    let attribute = |item: Value| {
        let found = to_str(&path)?.split('.').try_fold(item, |value, part| {
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
fn format_filter(
    state: &mut State<'_, '_>,
    form: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<String, Error> {
    let args = args.into_values();
    let (positional, named): (&[Value], Kwargs) = from_args(&args)?;
    let text = text(state, form)?;
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

/// Inserts spaces, or the given text, before every line except the first and empty ones.
fn indent(
    state: &mut State<'_, '_>,
    value: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<String, Error> {
    let args = args.into_values();
    let (width, first, blank, named): (Option<Value>, Option<bool>, Option<bool>, Kwargs) =
        from_args(&args)?;
    let width = width.or(named.get("width")?);
    let first = first.or(named.get("first")?).unwrap_or(false);
    let blank = blank.or(named.get("blank")?).unwrap_or(false);
    named.assert_all_used()?;
    let by = match &width {
        None => " ".repeat(4),
        Some(text) if text_of(text).is_some() => to_str(text)?,
        Some(width) => " ".repeat(usize::from(u16::try_from(width.clone())?)),
    };
    let text = text(state, value)? + "\n";
    let mut out = Limited::default();
    let lines = methods::text_method(state, &text, "splitlines", &[])?;
    for (at, line) in lines.try_iter()?.enumerate() {
        let line = to_str(&line)?;
        let indented = match at {
            0 => first,
            _ => blank || !line.is_empty(),
        };
        let separator = if at == 0 { "" } else { "\n" };
        for part in [separator, if indented { &by } else { "" }, &line] {
            out.push(part)?;
        }
    }
    Ok(out.finish())
}

/// Cuts a text that is too long: at the last space, or with `killwords` anywhere.
fn truncate(
    state: &mut State<'_, '_>,
    value: &Value,
    args: Rest<ValueOrKwargs>,
) -> Result<String, Error> {
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
    let text = text(state, value)?;
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
