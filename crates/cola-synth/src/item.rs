//! A generated question with its answer: one row of the JSONL file.

use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Split, SynthError, arith, boolean, commonsense, countdown, counting, hops, list_ops};

/// The families of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Chained turns of a dial, answered with a number; the level is the number of turns.
    Arith,
    /// Multiple choice over a small world of facts; the level is the number of facts that an answer needs.
    Commonsense,
    /// Which of four expressions reaches a number; the level is the number of operations minus one.
    Countdown,
    /// Nested formulas of `and`, `or` and `not`; the level is the number of binary operators minus two.
    Boolean,
    /// Nested lists of digits under MAX, MIN, MED and SM (sum modulo 10), answered with a digit; the
    /// level is the depth of nesting.
    ListOps,
    /// Consecutive look-ups in facts that the question lists; the level is the number of look-ups.
    Hops,
    /// How often a word occurs in a list, or a letter in a string, answered with a digit; each level adds
    /// eight entries.
    Counting,
}

impl Kind {
    /// Every kind, in the order of the help text.
    pub const ALL: [Kind; 7] = [
        Kind::Arith,
        Kind::Commonsense,
        Kind::Countdown,
        Kind::Boolean,
        Kind::ListOps,
        Kind::Hops,
        Kind::Counting,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Arith => "arith",
            Kind::Commonsense => "commonsense",
            Kind::Countdown => "countdown",
            Kind::Boolean => "boolean",
            Kind::ListOps => "list-ops",
            Kind::Hops => "hops",
            Kind::Counting => "counting",
        }
    }

    /// The levels of this kind.
    pub fn levels(self) -> RangeInclusive<u32> {
        match self {
            Kind::Arith | Kind::Boolean | Kind::ListOps | Kind::Hops => 1..=8,
            Kind::Commonsense => 1..=2,
            Kind::Countdown => 1..=4,
            Kind::Counting => 1..=6,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = SynthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| SynthError::UnknownKind {
                text: text.to_owned(),
            })
    }
}

/// The options of a multiple-choice item, in the format of the hub's ARC files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// The texts of the options.
    pub text: Vec<String>,
    /// The letters of the options, from `A`.
    pub label: Vec<String>,
}

/// The right answer. In a row of the file its fields are next to the question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Solution {
    /// A short text.
    Text {
        /// A number without leading zeros, or `True` or `False`.
        answer: String,
    },
    /// One of the listed options.
    Choice {
        /// The options.
        choices: Choices,
        /// The label of the right option.
        #[serde(rename = "answerKey")]
        answer_key: String,
    },
}

/// One question with its answer: one row of the JSONL file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Kind, level and 12 hexadecimal digits of the content's BLAKE3 hash.
    pub id: String,
    /// The family of questions.
    pub kind: Kind,
    /// The difficulty, see [`Kind`].
    pub level: u32,
    /// The text of the question.
    pub question: String,
    /// The right answer, and the options of a multiple-choice item.
    #[serde(flatten)]
    pub solution: Solution,
}

impl Item {
    /// An item with the id of its content.
    pub(super) fn new(kind: Kind, level: u32, question: String, solution: Solution) -> Self {
        let mut item = Item {
            id: String::new(),
            kind,
            level,
            question,
            solution,
        };
        item.id = item.content_id();
        item
    }

    /// The text of an item: the question and the list of its options.
    pub(super) fn content(&self) -> String {
        match &self.solution {
            Solution::Text { .. } => self.question.clone(),
            Solution::Choice { choices, .. } => {
                format!("{}\n{}", self.question, choices.text.join(", "))
            }
        }
    }

    /// Two items with the same key count as the same: the question and its sorted options.
    pub(super) fn sameness(&self) -> String {
        match &self.solution {
            Solution::Text { .. } => self.question.clone(),
            Solution::Choice { choices, .. } => {
                let mut options = choices.text.clone();
                options.sort_unstable();
                format!("{}\n{}", self.question, options.join("\n"))
            }
        }
    }

    /// The id for the content of this item.
    pub(super) fn content_id(&self) -> String {
        let hash = blake3::hash(self.content().as_bytes()).to_hex();
        format!("{}-{}-{}", self.kind, self.level, &hash[..12])
    }

    /// The split of this item, which depends on its content only.
    pub fn split(&self) -> Split {
        match self.kind {
            Kind::Arith => arith::split(self),
            Kind::Commonsense => commonsense::split(self),
            Kind::Countdown => countdown::split(self),
            Kind::Boolean => boolean::split(self),
            Kind::ListOps => list_ops::split(self),
            Kind::Hops => hops::split(self),
            Kind::Counting => counting::split(self),
        }
    }
}
