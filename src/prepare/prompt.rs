//! A question as the model reads it, in tokens, and what looks wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A question as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Places by which the options are rotated.
    pub rotation: usize,
    /// Index of the right one of the continuations; past them where none is.
    pub gold: usize,
    /// Tokens before any answer, special ones and all.
    pub tokens: Vec<u32>,
    /// Tokens of the prompt's beginning that are cut off because it is too long for the model.
    pub cut: usize,
    /// What is read after it: of options each, of a free answer the gold one.
    pub continuations: Vec<PromptContinuation>,
    /// What looks wrong.
    pub warnings: BTreeSet<PromptWarning>,
}

/// A text whose log-probability is read after a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptContinuation {
    /// As it is appended to the prompt's text.
    pub text: String,
    /// The tokens that count as its own.
    pub tokens: Vec<u32>,
}

/// What can look wrong with a prompt. The model is asked all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PromptWarning {
    /// A generation begins after white space.
    TrailingSpace,
    /// Nothing separates prompt and answer.
    NoSpace,
    /// White space on both sides of the split.
    DoubleSpace,
    /// The tokens of prompt and answer together do not begin with those of the prompt.
    RunsOver,
    /// Two beginning-of-sequence tokens.
    DoubleBeginning,
    /// The prompt writes the beginning-of-sequence token that the tokenizer would have added.
    OwnBeginning,
    /// The prompt ends in a token that ends texts.
    EndToken,
    /// Too long: its beginning is cut off.
    Cut,
    /// The chat template refuses or drops the description, which is a system message.
    NoSystem,
    /// The question is one of its own solved examples.
    ShowsItself,
}

impl PromptWarning {
    /// In JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::TrailingSpace => "trailing-space",
            Self::NoSpace => "no-space",
            Self::DoubleSpace => "double-space",
            Self::RunsOver => "runs-over",
            Self::DoubleBeginning => "double-beginning",
            Self::OwnBeginning => "own-beginning",
            Self::EndToken => "end-token",
            Self::Cut => "cut",
            Self::NoSystem => "no-system",
            Self::ShowsItself => "shows-itself",
        }
    }
}

impl fmt::Display for PromptWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TrailingSpace => {
                "the prompt ends in white space, which most models expect at the beginning of the next token; \
                 end doc_to_text without it"
            }
            Self::NoSpace => {
                "no space between the prompt and an answer; see target_delimiter and doc_to_choice"
            }
            Self::DoubleSpace => {
                "white space on both sides of the split between the prompt and an answer; end doc_to_text without it"
            }
            Self::RunsOver => {
                "a token runs over the split between the prompt and an answer: together they have other tokens than apart"
            }
            Self::DoubleBeginning => {
                "two beginning-of-sequence tokens: the prompt or the chat template writes one too many"
            }
            Self::OwnBeginning => {
                "the prompt begins with the beginning-of-sequence token itself: the tokenizer's own is left out, so that there is one"
            }
            Self::EndToken => {
                "the prompt ends in a token that ends texts: the tokenizer adds one (add_eos_token)"
            }
            Self::Cut => {
                "the prompt is longer than the model's context: its beginning is cut off"
            }
            Self::ShowsItself => {
                "the question stands among its own solved examples, answer included, as in lm-evaluation-harness; \
                 option `exclude_self` leaves it out"
            }
            Self::NoSystem => {
                "the chat template has no place for a system message: the task's description is left out"
            }
        })
    }
}

/// How many samples of which task have which warning.
#[derive(Debug, Default)]
pub struct PromptWarnings {
    counts: Mutex<BTreeMap<(String, PromptWarning), (usize, String)>>,
}

impl PromptWarnings {
    /// Counts a sample's.
    pub(super) fn count(&self, task: &str, id: &str, warnings: &BTreeSet<PromptWarning>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for &warning in warnings {
            let entry = counts.entry((task.to_owned(), warning));
            entry.or_insert_with(|| (0, id.to_owned())).0 += 1;
        }
    }

    /// One line a task and warning, with how many samples have it.
    pub fn lines(&self) -> Vec<String> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let line =
            |((task, warning), (count, first)): (&(String, PromptWarning), &(usize, String))| {
                let samples = match count {
                    1 => format!("sample {first}"),
                    _ => format!("{count} samples, {first} among them"),
                };
                format!("{task}: {samples}: {warning}")
            };
        counts.iter().map(line).collect()
    }
}
