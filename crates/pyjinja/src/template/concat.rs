//! Refuses templates whose `~` would print a value differently than Python does.
//!
//! The `~` of minijinja prints floats, and the lists and mappings that a template writes out, in its own notation. For
//! strings, integers, truth values, `None` and lists of a row this is Python's notation. A template in which an operand
//! may be anything else is refused with a message that names the operand, since the rendered prompt could differ.

use serde_json::{Map, Value as Json};

use super::tokens::tokens;
use crate::python::Special;

/// Alternatives to `~`, for the message.
const INSTEAD: &str = "write {{ a }}{{ b }}, or a|string ~ b";

/// Why the `~` of a template might print something else than Python for this row; `None` if it cannot.
/// `names`: the columns that the template reads.
pub(super) fn objection<'n>(
    source: &str,
    names: impl IntoIterator<Item = &'n String>,
    row: &Map<String, Json>,
) -> Option<String> {
    let tokens = tokens(source);
    let joins = (0..tokens.len()).filter(|&at| tokens[at] == "~");
    let operands = joins.flat_map(|at| [before(&tokens, at), after(&tokens, at)]);
    // The source shows that the operand is a string: it is a string literal or ends in `|string`.
    let is_text = |operand: &[&str]| {
        matches!(operand, [.., "|", "string"])
            || matches!(operand, [text] if text.starts_with(['\'', '"']))
    };
    let operands: Vec<&[&str]> = operands
        .flatten()
        .filter(|operand| !is_text(operand))
        .collect();
    if let Some(operand) = operands.iter().find(|operand| prints_otherwise(operand)) {
        return Some(format!(
            "`~` of `{}`, which Python prints in another way: {INSTEAD}",
            operand.join(" ")
        ));
    }
    let names: Vec<&String> = names.into_iter().collect();
    let read: Vec<&str> = operands
        .iter()
        .filter_map(|operand| operand.iter().copied().find(|token| is_name(token)))
        .collect();
    // A variable that the template sets may hold any column that the template reads.
    let all_columns = read
        .iter()
        .all(|name| names.iter().any(|known| known == name));
    let name = names
        .into_iter()
        .filter(|name| !operands.is_empty() && (!all_columns || read.contains(&name.as_str())))
        .find(|name| row.get(*name).is_some_and(holds_other))?;
    Some(format!(
        "`~` in a template that reads `{name}`, which holds a float: {INSTEAD}"
    ))
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether a value, or a value nested in it, is a float or bytes.
fn holds_other(value: &Json) -> bool {
    match value {
        Json::Number(number) => number.is_f64(),
        Json::Null | Json::Bool(_) | Json::String(_) => false,
        Json::Array(items) => items.iter().any(holds_other),
        Json::Object(entries) => match Special::of(entries) {
            Some(Special::Integer(_)) => false,
            Some(_) => true,
            None => entries.values().any(holds_other),
        },
    }
}

/// Whether the source of an operand shows that its value may be a float, or a list or mapping of the template.
fn prints_otherwise(operand: &[&str]) -> bool {
    const WORDS: [&str; 3] = ["float", "/", "**"];
    let first = operand.first().copied();
    let is_float = |token: &str| {
        token.starts_with(|c: char| c.is_ascii_digit()) && token.contains(['.', 'e', 'E'])
    };
    matches!(first, Some("[" | "{"))
        || operand
            .iter()
            .any(|token| WORDS.contains(token) || is_float(token))
}

/// The operand that ends before the token `at`.
fn before<'t, 's>(tokens: &'t [&'s str], at: usize) -> Option<&'t [&'s str]> {
    let mut depth = 0;
    let mut start = at;
    while let Some(previous) = start.checked_sub(1) {
        match tokens[previous] {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth > 0 => depth -= 1,
            "(" | "[" | "{" | "," | "~" | "{{" | "{%" | "=" | "if" | "else" | ":" if depth == 0 => {
                break;
            }
            _ => {}
        }
        start = previous;
    }
    (start < at).then(|| &tokens[start..at])
}

/// The operand that begins after the token `at`.
fn after<'t, 's>(tokens: &'t [&'s str], at: usize) -> Option<&'t [&'s str]> {
    let mut depth = 0;
    let mut end = at + 1;
    while let Some(next) = tokens.get(end) {
        match *next {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth > 0 => depth -= 1,
            ")" | "]" | "}" | "," | "~" | "}}" | "%}" | "if" | "else" | ":" if depth == 0 => break,
            _ => {}
        }
        end += 1;
    }
    (end > at + 1).then(|| &tokens[at + 1..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(source: &str) -> bool {
        let row = json!({"q": "text", "n": 3, "f": 0.5, "flag": true, "list": ["a", "b"], "mixed": ["a", null]});
        let names: Vec<String> = ["q", "n", "f", "flag", "list", "mixed"]
            .into_iter()
            .filter(|name| tokens(source).contains(name))
            .map(str::to_owned)
            .collect();
        objection(source, &names, row.as_object().unwrap()).is_some()
    }

    #[test]
    fn texts_integers_and_lists_of_them_may_be_joined() {
        for source in [
            "{{ q ~ '. ' ~ n }}",
            "{{ list ~ n }} {{ list[0] ~ ')' }}",
            "{% for o in list %}{{ loop.index ~ '. ' ~ o ~ '\\n' }}{% endfor %}",
            "{{ 'true ~ [1]' }} {{ f }} {{ flag }}",
            "{# {{ f ~ '' }} #}{{ 'it\\'s' ~ q }}",
            "{{ q ~ (n + 1) }} {{ 'a' if n == 3 else 'b' }}",
            "{{ (n // 2) ~ q }}",
            "{{ q ~ n }} {{ flag }} {{ f }}",
            "{{ f|string ~ q ~ n }}",
            "{{ 'a' ~ flag|string }}",
            "{{ flag ~ q }}",
            "{{ mixed ~ '' }}",
            "{{ q ~ none }}",
            "{{ True ~ q }}",
            "{{ (n == 3) ~ q }}",
            "{% raw %}{{ f ~ '' }}{% endraw %}",
        ] {
            assert!(!refused(source), "{source}");
        }
    }

    #[test]
    fn what_python_prints_in_another_way_is_refused() {
        for source in [
            "{{ f ~ '' }}",
            "{{ ['a'] ~ q }}",
            "{{ q ~ {'a': 1} }}",
            "{{ n / 2 ~ q }}",
            "{{ 1e16 ~ q }}",
            "{{ q ~ n|float }}",
        ] {
            assert!(refused(source), "{source}");
        }
    }
}
