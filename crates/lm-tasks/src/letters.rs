//! Multiple choice as in Dr.LLM: the prompt lists the options by letter, and the model generates a
//! letter.

use pyjinja::python;
use serde_json::json;

use super::error::TaskError;
use super::filter::{FALLBACK, Filter, Pipeline};
use super::metric::{ExactMatch, Metric};
use super::spec::{Output, TaskSpec};

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Last line of a prompt whose own last line does not end in a colon.
const CUE: &str = "Answer:";

/// The letter of an option, A for the first.
pub fn letter(at: usize) -> Option<&'static str> {
    LETTERS.get(at..=at)
}

/// The index of the option with this letter.
pub fn place(letter: &str) -> Option<usize> {
    LETTERS.find(letter).filter(|_| letter.chars().count() == 1)
}

/// Whether the options are only letters, of options that the prompt itself lists.
pub(super) fn are_letters(options: &[String]) -> bool {
    let mut options = options.iter().enumerate();
    options.all(|(at, option)| Some(option.as_str()) == letter(at))
}

impl TaskSpec {
    /// The task with its options listed in the prompt by letter, and the letter generated instead
    /// of the options scored; at most `max_tokens` are read.
    ///
    /// # Errors
    /// Returns an error if the task has no options.
    pub fn by_letters(mut self, max_tokens: usize) -> Result<Self, TaskError> {
        if !self.is_multiple_choice() {
            return Err(TaskError::Option {
                task: self.name,
                option: "letters",
                message: "its answers are generated text, so there are no options to list"
                    .to_owned(),
            });
        }
        self.letters = true;
        self.config
            .insert("output_type".to_owned(), json!("generate_until"));
        self.config.insert(
            "metric_list".to_owned(),
            json!([{ "metric": "exact_match" }]),
        );
        let options = json!({ "until": [], "max_gen_toks": max_tokens, "do_sample": false });
        self.config.insert("generation_kwargs".to_owned(), options);
        self.output = Output::Generate {
            until: Vec::new(),
            max_tokens,
        };
        self.metrics = vec![Metric::ExactMatch(ExactMatch::default())];
        self.filters = vec![Pipeline {
            name: "letter".to_owned(),
            steps: vec![Filter::Letter {
                fallback: FALLBACK.to_owned(),
            }],
        }];
        Ok(self)
    }
}

/// A prompt with its options listed before its last line, if that ends in a colon, else before
/// `Answer:`. A prompt whose options are letters lists them itself.
pub(super) fn listed(prompt: &str, options: &[String]) -> Result<String, String> {
    if options.len() > LETTERS.len() {
        let (count, most) = (options.len(), LETTERS.len());
        return Err(format!(
            "{count} options, but there are letters for only {most}"
        ));
    }
    if are_letters(options) {
        return Ok(prompt.to_owned());
    }
    let prompt = prompt.trim_end();
    let (question, cue) = match prompt.rsplit_once('\n') {
        Some((question, cue)) if cue.ends_with(':') => (question, cue),
        _ => (prompt, CUE),
    };
    let mut text = format!("{question}\n");
    for (option, letter) in options.iter().zip(LETTERS.chars()) {
        text.push_str(&format!("{letter}. {option}\n"));
    }
    Ok(text + cue)
}

/// The letter that a text gives as its answer: `^(?:Answer:\s*)?([A-Za-z])\.?$` of the text without
/// white space around it.
pub(super) fn answered(text: &str) -> Option<String> {
    let text = python::strip(text);
    let text = text.strip_prefix(CUE).map_or(text, python::lstrip);
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(letter), None) if letter.is_ascii_alphabetic() => {
            Some(letter.to_ascii_uppercase().to_string())
        }
        _ => None,
    }
}

/// Whether no continuation of a text can give a letter as its answer.
pub(super) fn is_beyond(text: &str) -> bool {
    let text = python::strip(text);
    if CUE.starts_with(text) {
        return false;
    }
    let text = text.strip_prefix(CUE).map_or(text, python::lstrip);
    !text.is_empty() && answered(text).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn an_answer_is_a_letter_alone_or_after_answer() {
        for (text, letter) in [
            ("B", "B"),
            (" b", "B"),
            ("C.", "C"),
            ("\nD\n", "D"),
            ("Answer: A", "A"),
            ("Answer:a.", "A"),
            (" Answer:\n B. ", "B"),
            ("E", "E"),
        ] {
            assert_eq!(answered(text).as_deref(), Some(letter), "{text:?}");
            assert!(!is_beyond(text), "{text:?}");
        }
        for text in [
            "",
            "A B",
            "A)",
            "(A)",
            "AB",
            "B..",
            "answer: A",
            "Answer A",
            "4",
            "Á",
            "A. ice",
            "The answer is A",
            "Answer: Answer: A",
            "A\nB",
            ".",
            "B .",
        ] {
            assert_eq!(answered(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_beyond_when_no_text_that_begins_with_it_answers() {
        for text in [
            "",
            " ",
            "A",
            "An",
            "Answer",
            "Answer:",
            "Answer: ",
            "Answer: C",
        ] {
            assert!(!is_beyond(text), "{text:?}");
        }
        for text in ["AB", "Ax", "C ice", "Answer: The", "The", "Answers", "B.."] {
            assert!(is_beyond(text), "{text:?}");
        }
    }

    #[test]
    fn options_are_listed_before_the_cue() {
        let options = texts(&["ice", "steam"]);
        let list = |prompt| listed(prompt, &options).unwrap();
        assert_eq!(list("Which?\nAnswer:"), "Which?\nA. ice\nB. steam\nAnswer:");
        assert_eq!(list("Which?"), "Which?\nA. ice\nB. steam\nAnswer:");
        assert_eq!(list("It is:"), "It is:\nA. ice\nB. steam\nAnswer:");
        let letters = texts(&["A", "B"]);
        assert_eq!(
            listed("A. ice\nB. steam\n", &letters).unwrap(),
            "A. ice\nB. steam\n"
        );
        assert!(listed("Which?", &vec!["x".to_owned(); 27]).is_err());
    }

    #[test]
    fn letters_stand_for_places() {
        assert_eq!(
            (letter(0), letter(25), letter(26)),
            (Some("A"), Some("Z"), None)
        );
        let places = ["A", "Z", "a", "", "AB", "[invalid]"].map(place);
        assert_eq!(places, [Some(0), Some(25), None, None, None, None]);
    }
}
