//! Punctuation: the characters whose Unicode category begins with P.

use std::sync::LazyLock;

use fancy_regex::Regex;

static PUNCTUATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{P}$").ok());

/// Whether a character is punctuation.
pub fn is_punctuation(c: char) -> bool {
    let mut bytes = [0; 4];
    let text = c.encode_utf8(&mut bytes);
    let found = PUNCTUATION.as_ref().map(|regex| regex.is_match(text));
    matches!(found, Some(Ok(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_every_script_are_punctuation_and_symbols_are_not() {
        assert!(
            "!_-\u{bf}\u{2019}\u{3002}\u{1e95f}"
                .chars()
                .all(is_punctuation)
        );
        assert!(!"a0 $+<^`|~\u{20ac}".chars().any(is_punctuation));
    }
}
