//! The split into training and test items, as a function of their content.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The two parts of the items. They are disjoint by construction: an item's part is a function of its
/// content, never of the seed or of the order of drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Items that a model may be trained on.
    Train,
    /// Items that a model is evaluated on.
    Test,
}

impl Split {
    /// The split of `content`. One content in `one_in` is a test content.
    pub(super) fn of(content: &str, one_in: u64) -> Self {
        let hash = blake3::hash(content.as_bytes());
        // The item's id is the start of a hash; the split is computed from the end, so the two are
        // independent.
        let tail = hash.as_bytes()[24..]
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        if tail.is_multiple_of(one_in) {
            Split::Test
        } else {
            Split::Train
        }
    }

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Test => "test",
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = super::SynthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "train" => Ok(Split::Train),
            "test" => Ok(Split::Test),
            _ => Err(super::SynthError::UnknownSplit {
                text: text.to_owned(),
            }),
        }
    }
}
