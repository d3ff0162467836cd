//! Refuses templates whose `~` would print a value differently than Python does.
//!
//! The `~` of minijinja prints its operands in its own notation: `true`, `none`, `1e16`. For strings,
//! integers and lists of these this is Python's notation. A template in which an operand may be anything
//! else is refused with a message that names the operand, since the rendered prompt could differ.

use serde_json::{Map, Value as Json};

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
    let is_text = |operand: &[String]| {
        matches!(operand, [.., bar, string] if bar == "|" && string == "string")
            || matches!(operand, [text] if text.starts_with(['\'', '"']))
    };
    let operands: Vec<Vec<String>> = operands
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
    let begins = |operand: &Vec<String>| operand.iter().find(|token| is_name(token)).cloned();
    let read: Vec<String> = operands.iter().filter_map(begins).collect();
    // A variable that the template sets may hold any column that the template reads.
    let all_columns = read.iter().all(|name| names.contains(&name));
    let name = names
        .into_iter()
        .filter(|name| !operands.is_empty() && (!all_columns || read.contains(name)))
        .find(|name| row.get(*name).is_some_and(holds_other))?;
    Some(format!(
        "`~` in a template that reads `{name}`, which holds a truth value, a float or None: {INSTEAD}"
    ))
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Whether a value, or a value nested in it, is neither a string nor an integer.
fn holds_other(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(_) => true,
        Json::Number(number) => number.is_f64(),
        Json::String(_) => false,
        Json::Array(items) => items.iter().any(holds_other),
        Json::Object(entries) => match Special::of(entries) {
            Some(Special::Integer(_)) => false,
            Some(_) => true,
            None => entries.values().any(holds_other),
        },
    }
}

/// Whether the source of an operand shows that its value may be neither a string nor an integer.
fn prints_otherwise(operand: &[String]) -> bool {
    const WORDS: [&str; 17] = [
        "true", "True", "false", "False", "none", "None", "not", "and", "or", "is", "in", "float",
        "==", "!=", "/", "**", "<",
    ];
    let first = operand.first().map(String::as_str);
    let is_float = |token: &String| {
        token.starts_with(|c: char| c.is_ascii_digit()) && token.contains(['.', 'e', 'E'])
    };
    matches!(first, Some("[" | "{"))
        || operand
            .iter()
            .any(|token| WORDS.contains(&token.as_str()) || is_float(token))
}

/// The operand that ends before the token `at`.
fn before(tokens: &[String], at: usize) -> Option<Vec<String>> {
    let mut depth = 0;
    let mut start = at;
    while let Some(previous) = start.checked_sub(1) {
        match tokens[previous].as_str() {
            ")" | "]" | "}" => depth += 1,
            "(" | "[" | "{" if depth > 0 => depth -= 1,
            "(" | "[" | "{" | "," | "~" | "{{" | "{%" | "=" | "if" | "else" | ":" if depth == 0 => {
                break;
            }
            _ => {}
        }
        start = previous;
    }
    (start < at).then(|| tokens[start..at].to_vec())
}

/// The operand that begins after the token `at`.
fn after(tokens: &[String], at: usize) -> Option<Vec<String>> {
    let mut depth = 0;
    let mut end = at + 1;
    while let Some(next) = tokens.get(end) {
        match next.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth > 0 => depth -= 1,
            ")" | "]" | "}" | "," | "~" | "}}" | "%}" | "if" | "else" | ":" if depth == 0 => break,
            _ => {}
        }
        end += 1;
    }
    (end > at + 1).then(|| tokens[at + 1..end].to_vec())
}

/// The tokens inside `{{ }}` and `{% %}`, including these delimiters. A string literal is one token,
/// whatever is in it.
fn tokens(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(open) = rest.find("{{").into_iter().chain(rest.find("{%")).min() {
        let comment = rest.find("{#").filter(|comment| *comment < open);
        if let Some(comment) = comment {
            rest = rest[comment..]
                .split_once("#}")
                .map_or("", |(_, after)| after);
            continue;
        }
        let (opening, close) = match &rest[open..open + 2] {
            "{{" => ("{{", "}}"),
            _ => ("{%", "%}"),
        };
        found.push(opening.to_owned());
        rest = &rest[open + 2..];
        while let Some(character) = rest.chars().next() {
            if rest.starts_with(close) {
                rest = &rest[2..];
                break;
            }
            let length = length(rest, character);
            let (token, after) = rest.split_at(length);
            if !token.trim().is_empty() {
                found.push(token.to_owned());
            }
            rest = after;
        }
        found.push(close.to_owned());
    }
    found
}

/// Length in bytes of the token that `text` begins with.
fn length(text: &str, first: char) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let run = |while_: &dyn Fn(char) -> bool| text.find(|c| !while_(c)).unwrap_or(text.len());
    match first {
        '\'' | '"' => {
            let mut escaped = false;
            let end = text.char_indices().skip(1).find(|&(_, c)| {
                let ends = c == first && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |(at, _)| at + 1)
        }
        _ if first.is_ascii_digit() => run(&|c| word(c) || c == '.'),
        _ if word(first) => run(&word),
        _ if first.is_whitespace() => run(&char::is_whitespace),
        _ => ["==", "!=", "**", "//", "<=", ">="]
            .into_iter()
            .find(|operator| text.starts_with(operator))
            .map_or(first.len_utf8(), str::len),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(source: &str) -> bool {
        let row = json!({"q": "text", "n": 3, "f": 0.5, "flag": true, "list": ["a", "b"], "mixed": ["a", null]});
        let names: Vec<String> = ["q", "n", "f", "flag", "list", "mixed"]
            .into_iter()
            .filter(|name| tokens(source).iter().any(|token| token == name))
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
        ] {
            assert!(!refused(source), "{source}");
        }
    }

    #[test]
    fn what_python_prints_in_another_way_is_refused() {
        for source in [
            "{{ f ~ '' }}",
            "{{ flag ~ q }}",
            "{{ mixed ~ '' }}",
            "{{ q ~ none }}",
            "{{ True ~ q }}",
            "{{ ['a'] ~ q }}",
            "{{ q ~ {'a': 1} }}",
            "{{ (n == 3) ~ q }}",
            "{{ n / 2 ~ q }}",
            "{{ 1e16 ~ q }}",
            "{{ q ~ n|float }}",
        ] {
            assert!(refused(source), "{source}");
        }
    }
}
