//! What a generated question is made of: one row of the JSONL file.

use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Split, SynthError, arith, commonsense};

/// The families of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Chained turns of a dial, answered with a number; the level is the number of turns.
    Arith,
    /// Multiple choice over a small world of facts; the level is the number of facts an answer
    /// takes.
    Commonsense,
}

impl Kind {
    /// Every kind, in the order of the help text.
    pub const ALL: [Kind; 2] = [Kind::Arith, Kind::Commonsense];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Arith => "arith",
            Kind::Commonsense => "commonsense",
        }
    }

    /// The levels that exist.
    pub fn levels(self) -> RangeInclusive<u32> {
        match self {
            Kind::Arith => 1..=8,
            Kind::Commonsense => 1..=2,
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
    /// A number in decimal.
    Number {
        /// `0` to `99`, no leading zero.
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
            Solution::Number { .. } => self.question.clone(),
            Solution::Choice { choices, .. } => {
                format!("{}\n{}", self.question, choices.text.join(", "))
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
        }
    }
}
