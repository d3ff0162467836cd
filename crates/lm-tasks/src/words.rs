//! Word counts as in lm-evaluation-harness, for perplexity by word.

/// Number of words as lm-evaluation-harness counts them: the pieces between runs of white space,
/// also the empty ones at the ends.
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
