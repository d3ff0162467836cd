//! Which side of the train/test line an item falls on, as a function of what it says.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The two halves of the items. They are disjoint by construction: the side is a function of the
/// content, never of the seed or of the order of drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What a model may be trained on.
    Train,
    /// What it is judged by.
    Test,
}

impl Split {
    /// The side of `content`, which is test for one content in `one_in`.
    pub(super) fn of(content: &str, one_in: u64) -> Self {
        let hash = blake3::hash(content.as_bytes());
        // The front of the hash is the item's id; the split reads its end.
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
