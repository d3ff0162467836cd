//! How Python would print and read a value. lm-evaluation-harness passes every prompt, option list and label through
//! Python's `str`, so a list column in a prompt looks like `['a', "b's"]` there, and must here.

use serde_json::Value;

/// `str(value)`: a string as it is, everything else as [`repr`].
pub(super) fn to_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`. Rows are JSON, so nesting is bounded by the JSON parser (128 levels).
pub(super) fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quote(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", quote(key), repr(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Single quotes, unless the text holds a single quote and no double one.
fn quote(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for char in text.chars() {
        match char {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() && (c as u32) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", c as u32))
            }
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

/// `text.lstrip()`: Python also counts the separators U+001C..U+001F as white space.
pub(super) fn lstrip(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// `text.strip()`.
pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_space(c: char) -> bool {
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
    fn stripping_takes_pythons_white_space() {
        assert_eq!(strip("\u{1c} \n x \u{a0}"), "x");
        assert_eq!(lstrip("\t x "), "x ");
    }
}
