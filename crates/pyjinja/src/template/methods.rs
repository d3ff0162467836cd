//! Python's methods of strings, lists and dictionaries: those that minijinja's compatibility layer lacks or
//! implements differently; all others are passed on to that layer.

use minijinja::value::{Kwargs, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback as others;

use super::bounds::{self, Limited};
use super::values::List;
use super::{format, refused, values};
use crate::python::is_space;

/// Calls a method that minijinja's type of the value does not have.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    bounds::charge(state, value)?;
    let own = match (value.kind(), values::text_of(value)) {
        (_, Some(text)) => of_text(state, text, method, args)?,
        (ValueKind::Seq, _) => of_list(state, value, method, args)?,
        (ValueKind::Map, _) => of_map(value, method, args)?,
        (ValueKind::Bytes, _) if method == "decode" => {
            let bytes = value.as_bytes().unwrap_or_default();
            let text = std::str::from_utf8(bytes).map_err(|error| refused(error.to_string()))?;
            Some(Value::from(text))
        }
        _ => None,
    };
    match own {
        Some(value) => Ok(value),
        None => others(state, value, method, args),
    }
}

fn of_list(
    state: &State<'_, '_>,
    list: &Value,
    method: &str,
    args: &[Value],
) -> Result<Option<Value>, Error> {
    if matches!(
        method,
        "append" | "extend" | "insert" | "pop" | "reverse" | "copy"
    ) {
        return Err(refused(format!(
            "{method}: a list that a template writes out cannot be changed, only a list of the row"
        )));
    }
    if method != "index" {
        return Ok(None);
    }
    let (item,): (Value,) = from_args(args)?;
    for (at, candidate) in list.try_iter()?.checked().enumerate() {
        state.consume_fuel(1)?;
        if candidate? == item {
            return Ok(Some(Value::from(at)));
        }
    }
    Err(missing(&item, list))
}

fn missing(item: &Value, from: &Value) -> Error {
    let text = |value: &Value| values::to_str(value).unwrap_or_default();
    refused(format!("`{}` is not in {}", text(item), text(from)))
}

fn of_map(map: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "copy" => {
            let () = from_args(args)?;
            let entry = |key: Value| Ok((key.clone(), map.get_item(&key)?));
            let entries: Vec<(Value, Value)> =
                map.try_iter()?.map(entry).collect::<Result<_, Error>>()?;
            Ok(Some(Value::from_pairs(entries)))
        }
        // A list can be printed and indexed. Python returns a view, which behaves almost the same.
        "keys" => {
            let () = from_args(args)?;
            Ok(Some(List::value(map.try_iter()?.collect())))
        }
        _ => Ok(None),
    }
}

/// Calls a method of a string; `None` if it is not implemented here.
fn of_text(
    state: &State<'_, '_>,
    text: &str,
    method: &str,
    args: &[Value],
) -> Result<Option<Value>, Error> {
    let flag = |answer: bool| from_args::<()>(args).map(|()| Value::from(answer));
    let all = |test: fn(char) -> bool| flag(!text.is_empty() && text.chars().all(test));
    Ok(Some(match method {
        "strip" => stripped(text, args, [true, true])?,
        "lstrip" => stripped(text, args, [true, false])?,
        "rstrip" => stripped(text, args, [false, true])?,
        "split" => split(state, text, args, false)?,
        "rsplit" => split(state, text, args, true)?,
        "splitlines" => split_lines(state, text, args)?,
        "partition" | "rpartition" => partition(text, args, method == "rpartition")?,
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Value::from(text.strip_prefix(prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Value::from(text.strip_suffix(suffix).unwrap_or(text))
        }
        "find" | "rfind" | "index" | "rindex" => found(text, method, args)?,
        "count" => {
            let (part, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
            let (inside, _) = window(text, start, end);
            match part {
                // Python counts the places between the characters.
                "" => Value::from(inside.map_or(0, |text| text.chars().count() + 1)),
                part => Value::from(inside.map_or(0, |text| text.matches(part).count())),
            }
        }
        "startswith" | "endswith" => {
            let (parts, start, end): (&Value, Option<i64>, Option<i64>) = from_args(args)?;
            let (inside, _) = window(text, start, end);
            let parts = match (values::text_of(parts), parts.is_tuple()) {
                (Some(_), _) => vec![parts.clone()],
                (None, true) => parts.try_iter()?.collect(),
                (None, false) => return Err(refused(format!("{method} needs a text or a tuple"))),
            };
            let has = |text: &str, part: &str| match method {
                "startswith" => text.starts_with(part),
                _ => text.ends_with(part),
            };
            let mut parts = parts.iter().filter_map(values::text_of);
            Value::from(parts.any(|part| inside.is_some_and(|text| has(text, part))))
        }
        "encode" => {
            let (encoding,): (Option<&str>,) = from_args(args)?;
            match encoding.map(str::to_ascii_lowercase).as_deref() {
                None | Some("utf-8" | "utf8") => Value::from_bytes(text.as_bytes().to_vec()),
                Some(other) => return Err(refused(format!("encode: only utf-8, not {other}"))),
            }
        }
        "isidentifier" => {
            let first = |char: char| char.is_alphabetic() || char == '_';
            let rest = |char: char| char.is_alphanumeric() || char == '_';
            flag(text.starts_with(first) && text.chars().all(rest))?
        }
        "isprintable" => flag(crate::python::is_printable(text))?,
        "format" => {
            let (args, named): (&[Value], Kwargs) = from_args(args)?;
            Value::from(format::str_format(text, args, &named)?)
        }
        "title" => changed(title(text), args)?,
        "swapcase" => changed(swapcase(text), args)?,
        "casefold" => changed(text.chars().flat_map(folded).collect(), args)?,
        "expandtabs" => expand_tabs(text, args)?,
        "center" | "ljust" | "rjust" => justified(text, method, args)?,
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let sign = text.starts_with(['+', '-']).into();
            let zeros = checked(width)?.saturating_sub(text.chars().count());
            Value::from(format!(
                "{}{}{}",
                &text[..sign],
                "0".repeat(zeros),
                &text[sign..]
            ))
        }
        "isspace" => all(is_space)?,
        "isdecimal" => all(|char| is_digit(char) && !is_small(char))?,
        "isdigit" => all(is_digit)?,
        "isnumeric" => all(char::is_numeric)?,
        "istitle" => flag(is_title(text))?,
        _ => return Ok(None),
    }))
}

/// `find`, `index` and those that search from the right: the place of a part, in characters.
fn found(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (part, start, end): (&str, Option<i64>, Option<i64>) = from_args(args)?;
    let (inside, skipped) = window(text, start, end);
    let at = inside.and_then(|inside| {
        let at = match method {
            "find" | "index" => inside.find(part),
            _ => inside.rfind(part),
        };
        Some(skipped + inside[..at?].chars().count())
    });
    match at {
        Some(at) => Ok(Value::from(at)),
        None if method.ends_with("index") => Err(missing(&Value::from(part), &Value::from(text))),
        None => Ok(Value::from(-1)),
    }
}

/// `text[start:end]`, and the number of characters before it; `None` if it begins past the end.
fn window(text: &str, start: Option<i64>, end: Option<i64>) -> (Option<&str>, usize) {
    if (start, end) == (None, None) {
        return (Some(text), 0);
    }
    let length = text.chars().count();
    let place = |place: i64| match usize::try_from(place) {
        Ok(place) => place,
        Err(_) => {
            length.saturating_sub(usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX))
        }
    };
    let (start, end) = (
        start.map_or(0, place),
        end.map_or(length, place).min(length),
    );
    if start > end {
        return (None, start);
    }
    let mut offsets = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let from = offsets.nth(start).unwrap_or(text.len());
    let to = match end - start {
        0 => from,
        more => offsets.nth(more - 1).unwrap_or(text.len()),
    };
    (Some(&text[from..to]), start)
}

fn changed(text: String, args: &[Value]) -> Result<Value, Error> {
    from_args::<()>(args).map(|()| Value::from(text))
}

fn stripped(text: &str, args: &[Value], [left, right]: [bool; 2]) -> Result<Value, Error> {
    let (chars,): (Option<&str>,) = from_args(args)?;
    let strip = |char: char| chars.map_or_else(|| is_space(char), |chars| chars.contains(char));
    let text = if left {
        text.trim_start_matches(strip)
    } else {
        text
    };
    Ok(Value::from(if right {
        text.trim_end_matches(strip)
    } else {
        text
    }))
}

fn split(
    state: &State<'_, '_>,
    text: &str,
    args: &[Value],
    from_right: bool,
) -> Result<Value, Error> {
    let (separator, most, named): (Option<&str>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = match separator {
        Some(separator) => Some(separator),
        None => named.get::<Option<&str>>("sep")?,
    };
    let most = match most {
        Some(most) => Some(most),
        None => named.get::<Option<i64>>("maxsplit")?,
    };
    named.assert_all_used()?;
    let parts = most
        .and_then(|most| usize::try_from(most).ok())
        .map_or(usize::MAX, |most| most.saturating_add(1));
    let parts: Box<dyn Iterator<Item = &str>> = match (separator, from_right) {
        (Some(""), _) => return Err(refused("empty separator")),
        (Some(separator), false) => Box::new(text.splitn(parts, separator)),
        (Some(separator), true) => Box::new(text.rsplitn(parts, separator)),
        (None, _) => Box::new(words(text, parts, from_right)),
    };
    let mut found = Vec::new();
    for part in parts {
        state.consume_fuel(1)?;
        found.push(Value::from(part));
    }
    if from_right {
        found.reverse();
    }
    Ok(List::value(found))
}

/// Splits a text at white space into at most `most` words, of which the last is the whole rest of the text.
/// With `from_right`, words are taken from the end, in reverse order.
fn words(text: &str, most: usize, from_right: bool) -> impl Iterator<Item = &str> {
    let trim = move |text| match from_right {
        false => str::trim_start_matches(text, is_space),
        true => str::trim_end_matches(text, is_space),
    };
    let mut rest = trim(text);
    let mut found = 0_usize;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        found += 1;
        let cut = match from_right {
            _ if found == most => None,
            false => rest.find(is_space).map(|at| rest.split_at(at)),
            true => rest.rfind(is_space).map(|at| {
                let after = at + rest[at..].chars().next().map_or(0, char::len_utf8);
                (&rest[after..], &rest[..after])
            }),
        };
        let (word, left) = cut.unwrap_or((rest, ""));
        rest = trim(left);
        Some(word)
    })
}

fn split_lines(state: &State<'_, '_>, text: &str, args: &[Value]) -> Result<Value, Error> {
    let (keep, named): (Option<bool>, Kwargs) = from_args(args)?;
    let keep = keep.or(named.get("keepends")?).unwrap_or(false);
    named.assert_all_used()?;
    let ends = |char| matches!(char, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = rest.find(ends).unwrap_or(rest.len());
        let end = match rest[at..].chars().next() {
            Some('\r') if rest[at..].starts_with("\r\n") => 2,
            Some(char) => char.len_utf8(),
            None => 0,
        };
        state.consume_fuel(1)?;
        lines.push(Value::from(&rest[..if keep { at + end } else { at }]));
        rest = &rest[at + end..];
    }
    Ok(List::value(lines))
}

fn partition(text: &str, args: &[Value], from_right: bool) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(args)?;
    let cut = match (separator, from_right) {
        ("", _) => return Err(refused("empty separator")),
        (_, false) => text.split_once(separator),
        (_, true) => text.rsplit_once(separator),
    };
    let parts = match cut {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(minijinja::value::Tuple::from(
        parts.map(Value::from),
    )))
}

fn is_cased(char: char) -> bool {
    char.is_lowercase() || char.is_uppercase()
}

/// Capitalizes every letter that follows another kind of character: `O'Neil'S`.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for char in text.chars() {
        match within {
            true => out.extend(char.to_lowercase()),
            false => out.extend(char.to_uppercase()),
        }
        within = is_cased(char);
    }
    out
}

fn is_title(text: &str) -> bool {
    let (mut within, mut any) = (false, false);
    for char in text.chars() {
        if is_cased(char) {
            if char.is_uppercase() == within {
                return false;
            }
            any = true;
        }
        within = is_cased(char);
    }
    any
}

fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_uppercase() {
            true => out.extend(char.to_lowercase()),
            false => out.extend(char.to_uppercase()),
        }
    }
    out
}

/// Case folding of a character. The Turkish dotless i is not changed.
fn folded(char: char) -> impl Iterator<Item = char> {
    let upper: Vec<char> = match char {
        'ı' => vec![char],
        _ => char.to_uppercase().collect(),
    };
    upper.into_iter().flat_map(char::to_lowercase)
}

fn is_digit(char: char) -> bool {
    // Fractions, Roman numerals and Chinese numerals are numeric, but not digits.
    char.is_numeric()
        && !matches!(char, '¼'..='¾' | '\u{2150}'..='\u{218f}' | '\u{3000}'..='\u{9fff}')
}

fn is_small(char: char) -> bool {
    matches!(char, '²' | '³' | '¹' | '\u{2070}'..='\u{2089}' | '\u{2460}'..='\u{27ff}')
}

fn expand_tabs(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (size, named): (Option<usize>, Kwargs) = from_args(args)?;
    let size = checked(size.or(named.get("tabsize")?).unwrap_or(8))?;
    named.assert_all_used()?;
    let mut out = Limited::default();
    let mut column = 0;
    for char in text.chars() {
        match char {
            '\t' if size > 0 => {
                let spaces = size - column % size;
                out.repeat(' ', spaces)?;
                column += spaces;
            }
            '\t' => {}
            _ => {
                column = if matches!(char, '\n' | '\r') {
                    0
                } else {
                    column + 1
                };
                out.repeat(char, 1)?;
            }
        }
    }
    Ok(Value::from(out.finish()))
}

fn justified(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let (width, fill): (usize, Option<&str>) = from_args(args)?;
    let fill = fill.unwrap_or(" ");
    if fill.chars().count() != 1 {
        return Err(refused(
            "the fill character must be exactly one character long",
        ));
    }
    let missing = checked(width)?.saturating_sub(text.chars().count());
    let left = match method {
        "ljust" => 0,
        "rjust" => missing,
        // If the padding is odd, Python puts the extra character on the left only if the width is odd too.
        _ => missing / 2 + (missing & width & 1),
    };
    Ok(Value::from(format!(
        "{}{text}{}",
        fill.repeat(left),
        fill.repeat(missing - left)
    )))
}

/// Refuses a width that is too large to be meant.
fn checked(width: usize) -> Result<usize, Error> {
    match width {
        ..=100_000 => Ok(width),
        _ => Err(refused(format!("{width} is too wide"))),
    }
}

/// Calls a method of a string for a filter of the same effect.
pub(super) fn text_method(
    state: &State<'_, '_>,
    text: &str,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    of_text(state, text, method, args)?.ok_or_else(|| Error::from(ErrorKind::UnknownMethod))
}
