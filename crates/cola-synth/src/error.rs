//! Why items could not be generated, or why an item is wrong.

use thiserror::Error;

use super::{Kind, Split};

/// Why items could not be generated, or why an item is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SynthError {
    /// A kind that does not exist.
    #[error("option `kind` {text:?} is unknown; known: {}", Kind::ALL.map(Kind::name).join(", "))]
    UnknownKind {
        /// The name that was given.
        text: String,
    },
    /// A split that does not exist.
    #[error("option `split` {text:?} is unknown; known: train, test")]
    UnknownSplit {
        /// The name that was given.
        text: String,
    },
    /// A level the kind does not have.
    #[error("option `level` {level}: {kind} has levels {} to {}", kind.levels().start(), kind.levels().end())]
    Level {
        /// The family of questions.
        kind: Kind,
        /// The requested level.
        level: u32,
    },
    /// More items were requested than there are.
    #[error(
        "option `count` {count}: only {found} distinct {split} questions of {kind} level {level} could be found; \
         give a smaller number"
    )]
    Exhausted {
        /// The family of questions.
        kind: Kind,
        /// The difficulty.
        level: u32,
        /// The requested split.
        split: Split,
        /// Number of items requested.
        count: usize,
        /// Number of different items that a long search found.
        found: usize,
    },
    /// An item with a wrong answer, id, level, question or options.
    #[error("item {id}: {reason}")]
    Wrong {
        /// The id of the item.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}
