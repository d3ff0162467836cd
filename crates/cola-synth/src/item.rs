//! What a generated question is made of: one row of the JSONL file.

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
    /// Multiple choice over a small world of facts; the level is the number of facts an answer
    /// takes.
    Commonsense,
    /// Which of four expressions reaches a number; the level is the number of operations less one.
    Countdown,
    /// Nested formulas of `and`, `or` and `not`; the level is the number of binary operators less
    /// two.
    Boolean,
    /// Nested lists of digits under MAX, MIN, MED and SM (sum modulo 10), answered with a digit; the
    /// level is the depth of nesting.
    ListOps,
    /// Look-ups one after the other in facts that the question lists; the level is their number.
    Hops,
    /// How often a word stands in a list, or a letter in a string, answered with a digit; a level
    /// adds eight places.
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

    /// The levels that exist.
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

/// The options of a multiple-choice item, as the hub's ARC files lay them out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// The options as they are scored.
    pub text: Vec<String>,
    /// Their letters, `A` first.
    pub label: Vec<String>,
}

/// What the right answer is; its fields stand in the row beside the question.
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
        /// The label of the right one.
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
    /// What is asked, in words.
    pub question: String,
    /// The right answer, and the options where there are some.
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

    /// What the reader of the item sees: the question and, listed, its options.
    pub(super) fn content(&self) -> String {
        match &self.solution {
            Solution::Text { .. } => self.question.clone(),
            Solution::Choice { choices, .. } => {
                format!("{}\n{}", self.question, choices.text.join(", "))
            }
        }
    }

    /// What makes two items the same: the question and its options in whatever order.
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

    /// The id an item of this content carries.
    pub(super) fn content_id(&self) -> String {
        let hash = blake3::hash(self.content().as_bytes()).to_hex();
        format!("{}-{}-{}", self.kind, self.level, &hash[..12])
    }

    /// The side of the train/test line this item falls on, always the same.
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
