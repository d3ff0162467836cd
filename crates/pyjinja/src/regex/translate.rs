//! Python's patterns in the syntax of `fancy-regex`, which differs in a few places: `$` also matches before a final newline,
//! `\Z` is the very end, `{` without a count and `[` inside a class are plain characters.

/// Python's `$`: the end of the text, or the place before its last line break.
pub(super) const END: &str = "(?=\\n?\\z)";

/// Translates a Python pattern to the syntax of `fancy-regex`.
pub(super) fn translate(pattern: &str) -> String {
    let flags = pattern
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'));
    let multi_line = flags.is_some_and(|(flags, _)| {
        flags.contains('m') && flags.chars().all(|flag| "aiLmsux".contains(flag))
    });
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let escaped = tail.chars().next();
                match escaped {
                    Some('Z') if !in_class => out.push_str("\\z"),
                    // `\<` and `\>` are word boundaries in `fancy-regex`, but plain characters in Python.
                    Some(e @ ('<' | '>')) => out.push(e),
                    Some(e) => out.extend(['\\', e]),
                    None => out.push('\\'),
                }
                rest = &tail[escaped.map_or(0, char::len_utf8)..];
                continue;
            }
            '[' if in_class => out.push_str("\\["),
            '&' | '~' if in_class => out.extend(['\\', c]),
            '[' => {
                in_class = true;
                out.push('[');
                let mut inner = tail;
                if let Some(after) = inner.strip_prefix('^') {
                    out.push('^');
                    inner = after;
                }
                // A bracket right after the opening one is a member of the class.
                if let Some(after) = inner.strip_prefix(']') {
                    out.push_str("\\]");
                    inner = after;
                }
                rest = inner;
                continue;
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '$' if !in_class && !multi_line => out.push_str(END),
            '{' if !in_class => match repetition(tail) {
                Some(length) => {
                    out.push('{');
                    out.push_str(&tail[..length]);
                    rest = &tail[length..];
                    continue;
                }
                None => out.push_str("\\{"),
            },
            '}' if !in_class => out.push_str("\\}"),
            c => out.push(c),
        }
        rest = tail;
    }
    out
}

/// Length of a count such as `3}`, `3,}`, `,3}` or `3,5}` at the start of `text`. Python reads `{` as a
/// repetition only before a count.
fn repetition(text: &str) -> Option<usize> {
    let end = text.find('}')?;
    let body = &text[..end];
    let valid = body.bytes().all(|b| b.is_ascii_digit() || b == b',')
        && body.bytes().filter(|&b| b == b',').count() <= 1
        && body.bytes().any(|b| b.is_ascii_digit());
    valid.then_some(end + 1)
}
