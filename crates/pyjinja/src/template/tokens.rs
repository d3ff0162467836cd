//! Splits a template into tokens, for what has to be known of it before minijinja compiles it.

/// The tokens inside `{{ }}` and `{% %}`, including these delimiters. A string literal is one token,
/// whatever is in it. Comments and what is within `{% raw %}` have none.
pub(super) fn tokens(source: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut rest = source;
    while let Some((opening, at)) = next_tag(rest) {
        rest = &rest[at + 2..];
        if opening == "{#" {
            rest = rest.split_once("#}").map_or("", |(_, after)| after);
            continue;
        }
        let close = if opening == "{{" { "}}" } else { "%}" };
        let begin = found.len();
        found.push(opening);
        rest = split(rest, Some(close), &mut found);
        let words = found[begin + 1..]
            .iter()
            .filter(|token| **token != "-" && **token != "+");
        if opening == "{%" && words.copied().eq(["raw"]) {
            rest = after_raw(rest);
        }
        found.push(close);
    }
    found
}

/// The tokens of an expression without delimiters.
pub(super) fn tokens_of_expression(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    split(text, None, &mut found);
    found
}

/// Splits what is before `close`, and returns what is after it.
fn split<'s>(text: &'s str, close: Option<&str>, found: &mut Vec<&'s str>) -> &'s str {
    let mut rest = text;
    let mut braces = 0_usize;
    while let Some(first) = rest.chars().next() {
        // `}}` may also close two mappings.
        if let Some(close) = close.filter(|_| braces == 0)
            && let Some(after) = rest.strip_prefix(close)
        {
            return after;
        }
        match first {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
        let (token, after) = rest.split_at(length(rest, first));
        if !token.trim().is_empty() {
            found.push(token);
        }
        rest = after;
    }
    rest
}

/// The next `{{`, `{%` or `{#`, and where it is.
fn next_tag(text: &str) -> Option<(&'static str, usize)> {
    text.match_indices('{').find_map(|(at, _)| {
        let opening = match text.as_bytes().get(at + 1)? {
            b'{' => "{{",
            b'%' => "{%",
            b'#' => "{#",
            _ => return None,
        };
        Some((opening, at))
    })
}

/// The text after the `{% endraw %}` that comes next.
fn after_raw(text: &str) -> &str {
    let mut rest = text;
    while let Some((_, inside)) = rest.split_once("{%") {
        let tag = inside.trim_start_matches(['-', '+']).trim_start();
        if let Some(end) = tag.strip_prefix("endraw") {
            return end.split_once("%}").map_or("", |(_, after)| after);
        }
        rest = inside;
    }
    ""
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
