//! How lm-evaluation-harness counts the words of a text, for its perplexity by word.

/// Words as lm-evaluation-harness counts them: pieces between runs of white space, empty ones at the ends too.
pub(super) fn words(text: &str) -> usize {
    let space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let begins = |(at, c): &(usize, char)| {
        let before = text[..*at].chars().next_back();
        space(*c) && !before.is_some_and(space)
    };
    1 + text.char_indices().filter(begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_white_space_parts() {
        for (text, count) in [
            ("", 1),
            ("a", 1),
            ("a b", 2),
            (" a  b\n", 4),
            ("a\u{a0}b", 2),
        ] {
            assert_eq!(words(text), count, "{text:?}");
        }
    }
}
