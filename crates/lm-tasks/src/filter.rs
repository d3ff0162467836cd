//! Filters, which process a generated text before a metric sees it: those of lm-evaluation-harness,
//! and our own `boxed`, `letter` and `answer`.

use std::borrow::Cow;

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

    /// What [`apply`](Self::apply) gives for every text of which this is known; `None` if that depends on what follows.
    /// `no_box`: whether no text that may come has a box, so that a first step that looks for one finds none.
    pub(super) fn settled(&self, known: Known<'_>, no_box: bool, doc: &Columns) -> Option<String> {
        let mut steps = self.steps.iter();
        let mut known = known;
        if let (true, [Filter::Boxed { fallback }, rest @ ..]) = (no_box, &self.steps[..]) {
            (known, steps) = (Known::Whole(fallback.trim().into()), rest.iter());
        }
        match steps.try_fold(known, |known, step| step.of_known(known, doc))? {
            Known::Whole(text) => Some(text.into_owned()),
            Known::Beginning(_) => None,
        }
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
            } => selected(regex.find_and_select(&text, *select), fallback),
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

    /// What is known of the result for a text of which this is known; `None` if that is nothing.
    fn of_known<'t>(&self, known: Known<'t>, doc: &Columns) -> Option<Known<'t>> {
        match known {
            Known::Whole(text) => {
                let text = self.apply(text.into_owned(), doc);
                Some(Known::Whole(text.into()))
            }
            Known::Beginning(text) => self.of_beginning(&text),
        }
    }

    /// What is known of the result for every text that begins with `text`.
    fn of_beginning<'t>(&self, text: &str) -> Option<Known<'t>> {
        let whole = |text: &str| Some(Known::Whole(text.to_owned().into()));
        let beginning = |text: String| Some(Known::Beginning(text.into()));
        match self {
            Filter::Regex {
                regex,
                select,
                fallback,
            } => whole(&selected(regex.settled_selection(text, *select)?, fallback)),
            Filter::ListedChoice(filter) => whole(&filter.settled(text)?),
            // White space at the end is inside of a longer text.
            Filter::RemoveWhitespace => beginning(python::strip(text).to_owned()),
            // The lower case of a capital sigma depends on what follows it, that of any other character does not.
            Filter::Lowercase => beginning(text.split('\u{3a3}').next()?.to_lowercase()),
            Filter::Uppercase => beginning(text.to_uppercase()),
            Filter::Boxed { .. } => whole(first_boxed(text)?.trim()),
            Filter::Letter { fallback } => whole(letters::is_beyond(text).then_some(fallback)?),
            // Without a box, a later box would be the answer.
            Filter::Answer { .. } => {
                let boxed = first_boxed(text)?.trim();
                whole((!boxed.is_empty()).then_some(boxed)?)
            }
        }
    }
}

/// What a regex found, without white space around it, or the fallback.
fn selected(found: Option<String>, fallback: &str) -> String {
    found.map_or_else(
        || fallback.to_owned(),
        |found| python::strip(&found).to_owned(),
    )
}

/// What is known of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known<'t> {
    /// All of it.
    Whole(Cow<'t, str>),
    /// It begins with this, and may end with it.
    Beginning(Cow<'t, str>),
}
