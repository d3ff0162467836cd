//! The filter `multi_choice_regex` of lm-evaluation-harness: the letter of an option, however the
//! text names it.

use pyjinja::{Columns, PythonRegex, is_punctuation, python};
/// The column that lists a row's options.
const COLUMN: &str = "choices";

/// The filter with its options.
#[derive(Debug, Clone)]
pub(super) struct ListedChoice {
    pub regex: PythonRegex,
    pub select: i64,
    pub fallback: String,
    /// Three options that apply both to the text and to the row's options before these are looked
    /// for.
    pub regexes_to_ignore: Vec<PythonRegex>,
    pub ignore_case: bool,
    /// Ignores all punctuation of Unicode, unlike `exact_match`.
    pub ignore_punctuation: bool,
}

impl ListedChoice {
    /// Refuses a row without a list of options.
    pub fn check(doc: &Columns) -> Result<(), String> {
        match doc.get(COLUMN).and_then(|value| value.as_array()) {
            Some(options) if !options.is_empty() => Ok(()),
            _ => Err(format!(
                "the filter multi_choice_regex reads the options from a list in the column `{COLUMN}`, which the row \
                 does not have"
            )),
        }
    }

    /// The match of the pattern; else the letter, as `(B)`, of an option whose text is found; else
    /// a letter after a colon.
    pub fn apply(&self, text: &str, doc: &Columns) -> String {
        let options = doc.get(COLUMN).and_then(|value| value.as_array());
        let options: Vec<String> = options
            .into_iter()
            .flatten()
            .map(|option| self.without_ignored(python::strip(&python::to_str(option))))
            .collect();
        let found = self
            .find(&self.regex, text)
            .or_else(|| self.by_text(&self.without_ignored(text), &options))
            .or_else(|| self.by_letter(text, options.len()));
        found.unwrap_or_else(|| self.fallback.clone())
    }

    /// What [`apply`](Self::apply) gives for every text that begins with `text`: the match of the pattern, if that is settled.
    pub fn settled(&self, text: &str) -> Option<String> {
        not_empty(&self.regex.settled_selection(text, self.select)??)
    }

    fn find(&self, regex: &PythonRegex, text: &str) -> Option<String> {
        not_empty(&regex.find_and_select(text, self.select)?)
    }

    fn by_text(&self, text: &str, options: &[String]) -> Option<String> {
        // The longest option comes first, so that an option that begins another does not hide it.
        let mut patterns: Vec<String> = options.iter().map(|o| escaped(o)).collect();
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.chars().count()));
        let found = self.find(&PythonRegex::new(&patterns.join("|")).ok()?, text)?;
        // If several options have the same text, the last counts.
        match options.iter().rposition(|option| *option == found) {
            Some(at) => Some(format!("({})", letter(at))),
            None => Some(found),
        }
    }

    fn by_letter(&self, text: &str, count: usize) -> Option<String> {
        let letters: Vec<String> = (0..count)
            .map(|at| escaped(&letter(at).to_string()))
            .collect();
        let regex = PythonRegex::new(&format!(r":[\s]*({})", letters.join("|"))).ok()?;
        Some(format!("({})", self.find(&regex, text)?))
    }

    fn without_ignored(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for regex in &self.regexes_to_ignore {
            text = regex.replace(&text, "", 0);
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        if self.ignore_punctuation {
            text.retain(|c| !is_punctuation(c));
        }
        text
    }
}

/// What was found, without white space around it, unless that is nothing.
fn not_empty(found: &str) -> Option<String> {
    let found = python::strip(found);
    (!found.is_empty()).then(|| found.to_owned())
}

fn escaped(text: &str) -> String {
    fancy_regex::escape(text).into_owned()
}

/// `A` for 0; past `Z` the characters that follow it.
fn letter(at: usize) -> char {
    let code = u32::try_from(at)
        .ok()
        .and_then(|at| at.checked_add(u32::from('A')));
    code.and_then(char::from_u32).unwrap_or('A')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_found_by_pattern_text_and_letter() {
        let filter = |ignore: bool| ListedChoice {
            regex: PythonRegex::new(r"(\([A-Z]\))").unwrap(),
            select: 0,
            fallback: "[invalid]".to_owned(),
            regexes_to_ignore: Vec::new(),
            ignore_case: ignore,
            ignore_punctuation: ignore,
        };
        let doc: Columns = serde_json::from_str(
            r#"{"choices": ["Guilty", "Guilty of Romance", "a-b (c)", "\u00bfYes?"]}"#,
        )
        .unwrap();
        for (text, plain, ignoring) in [
            ("It is (C), not (D).", "(C)", "(C)"),
            ("Guilty of Romance", "(B)", "(B)"),
            ("guilty of all.", "[invalid]", "(A)"),
            ("I say a-b (c).", "(C)", "(C)"),
            ("yes", "[invalid]", "(D)"),
            ("Answer: B", "(B)", "(B)"),
            ("Answer: E", "[invalid]", "[invalid]"),
            ("", "[invalid]", "[invalid]"),
        ] {
            assert_eq!(filter(false).apply(text, &doc), plain, "{text}");
            assert_eq!(filter(true).apply(text, &doc), ignoring, "{text}");
        }
        assert!(ListedChoice::check(&Columns::new()).is_err());
        assert!(ListedChoice::check(&doc).is_ok());
    }
}
