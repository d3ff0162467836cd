//! Why no items came, or why an item is not one.

use thiserror::Error;

use super::{Kind, Split};

/// Why no items came, or why an item is not one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SynthError {
    /// A kind that does not exist.
    #[error("unknown kind {text:?}; the kinds are {}", Kind::ALL.map(Kind::name).join(", "))]
    UnknownKind {
        /// What was asked for.
        text: String,
    },
    /// A split that does not exist.
    #[error("unknown split {text:?}; the splits are train and test")]
    UnknownSplit {
        /// What was asked for.
        text: String,
    },
    /// A level the kind does not have.
    #[error("{kind} has levels {} to {}, not {level}", kind.levels().start(), kind.levels().end())]
    Level {
        /// The family of questions.
        kind: Kind,
        /// The level asked for.
        level: u32,
    },
    /// More items were asked for than there are.
    #[error(
        "{count} distinct {split} items of {kind} level {level} were asked for; only {found} could be found"
    )]
    Exhausted {
        /// The family of questions.
        kind: Kind,
        /// The difficulty.
        level: u32,
        /// The side of the train/test line.
        split: Split,
        /// How many were asked for.
        count: usize,
        /// How many there are, as far as a long search found.
        found: usize,
    },
    /// An item that is not what it claims to be.
    #[error("item {id}: {reason}")]
    Wrong {
        /// The id the item carries.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}
