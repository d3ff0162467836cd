//! Filters, which process a generated text before a metric sees it: those of lm-evaluation-harness,
//! and our own `boxed`, `letter` and `answer`.

use super::letters;
use super::listed_choice::ListedChoice;
use math_answer::{extract_answer, first_boxed};
use pyjinja::{Columns, PythonRegex, python};

/// A named pipeline of filters; its name is the second half of a metric's key (`exact_match,strict-match`).
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// `none` if the task file lists no filters.
    pub name: String,
    pub(super) steps: Vec<Filter>,
}

impl Pipeline {
    /// The pipeline of a task without `filter_list`.
    pub(super) fn unnamed() -> Self {
        Pipeline {
            name: "none".to_owned(),
            steps: Vec::new(),
        }
    }

    /// The result of all filters for `text`, an answer to the row `doc`.
    pub fn apply(&self, text: &str, doc: &Columns) -> String {
        let first = text.to_owned();
        let steps = self.steps.iter();
        steps.fold(first, |text, step| step.apply(text, doc))
    }

    /// Refuses a row that lacks a column that a filter needs.
    pub(super) fn check(&self, doc: &Columns) -> Result<(), String> {
        self.steps.iter().try_for_each(|step| match step {
            Filter::ListedChoice(_) => ListedChoice::check(doc),
            _ => Ok(()),
        })
    }

    /// Whether the pipeline's first step looks for a `\boxed{}`, so that text after the first one
    /// does not count.
    pub fn reads_a_box(&self) -> bool {
        matches!(self.steps.first(), Some(Filter::Boxed { .. }))
    }

    /// Whether the pipeline's first step looks for a letter, and `text` can no longer become one.
    pub(super) fn is_beyond_letters(&self, text: &str) -> bool {
        matches!(self.steps.first(), Some(Filter::Letter { .. })) && letters::is_beyond(text)
    }
}

/// One step of a [`Pipeline`]. A sample has one response, so `take_first` needs no step.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    /// The `select`-th match of a pattern, or `fallback`.
    Regex {
        regex: PythonRegex,
        select: i64,
        fallback: String,
    },
    /// The letter of the option that the text answers, out of the row's `choices`; or a fallback.
    ListedChoice(ListedChoice),
    /// Removes white space on both sides.
    RemoveWhitespace,
    Lowercase,
    Uppercase,
    /// The first complete `\boxed{...}`, or `fallback`. Not in lm-evaluation-harness.
    Boxed {
        fallback: String,
    },
    /// The letter that the text answers, or `fallback`. Not in lm-evaluation-harness.
    Letter {
        fallback: String,
    },
    /// The answer as `extract_answer` finds it, or `fallback`. Not in lm-evaluation-harness.
    Answer {
        fallback: String,
    },
}

/// lm-evaluation-harness's answer if nothing was found.
pub(super) const FALLBACK: &str = "[invalid]";

impl Filter {
    fn apply(&self, text: String, doc: &Columns) -> String {
        match self {
            Filter::ListedChoice(filter) => filter.apply(&text, doc),
            Filter::Regex {
                regex,
                select,
                fallback,
            } => regex.find_and_select(&text, *select).map_or_else(
                || fallback.clone(),
                |found| python::strip(&found).to_owned(),
            ),
            Filter::RemoveWhitespace => python::strip(&text).to_owned(),
            Filter::Lowercase => text.to_lowercase(),
            Filter::Uppercase => text.to_uppercase(),
            Filter::Letter { fallback } => {
                letters::answered(&text).unwrap_or_else(|| fallback.clone())
            }
            Filter::Answer { fallback } => extract_answer(&text).unwrap_or(fallback).to_owned(),
            Filter::Boxed { fallback } => first_boxed(&text).unwrap_or(fallback).trim().to_owned(),
        }
    }
}
