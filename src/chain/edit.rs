//! Edits: the moves of a search, each one change of a chain.
//!
//! Positions count places of the *chain*, not layers of the model: after `0-3,(2-3)x2,4-7` the
//! fifth place holds layer 2 again. Three kinds reach every chain a layer can be in:
//!
//! ```text
//! chain               0 1 2 3 4 5
//! skip   start 1, len 2            0 3 4 5
//! repeat start 1, len 2, extra 1   0 1 2 1 2 3 4 5
//! swap   start 1, left 2, right 1  0 3 1 2 4 5      (moving 3 forward is the same edit)
//! ```

use serde::{Deserialize, Serialize};

use super::Chain;

/// One change of a chain. Ordered: skips, then repeats, then swaps; each by place, then by size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "edit")]
pub enum Edit {
    /// Leaves out a block.
    Skip {
        /// First place of the block.
        start: usize,
        /// Places in the block.
        len: usize,
    },
    /// Runs a block again, right after itself.
    Repeat {
        /// First place of the block.
        start: usize,
        /// Places in the block.
        len: usize,
        /// How many more times it runs: `(block)x(extra + 1)`.
        extra: usize,
    },
    /// Exchanges two adjacent blocks. With a block of one this moves a layer; the same change is
    /// never written in another way, so "move" is not a kind of its own.
    Swap {
        /// First place of the left block.
        start: usize,
        /// Places in the left block.
        left: usize,
        /// Places in the right block.
        right: usize,
    },
}

impl Edit {
    /// Length of the result for a chain of `chain_len` layers; `None` where the edit does not fit.
    pub(super) fn result_len(self, chain_len: usize) -> Option<usize> {
        let (start, width, grown) = match self {
            Edit::Skip { start, len } => (start, len, chain_len.checked_sub(len)?),
            Edit::Repeat { start, len, extra } => (start, len, chain_len + len * extra),
            Edit::Swap { start, left, right } => (start, left + right, chain_len),
        };
        (start + width <= chain_len).then_some(grown)
    }

    /// The edited chain; `None` where the edit reaches past the end.
    pub fn apply(self, chain: &Chain) -> Option<Chain> {
        let layers = chain.layers();
        let mut out = Vec::with_capacity(self.result_len(layers.len())?);
        match self {
            Edit::Skip { start, len } => {
                out.extend_from_slice(&layers[..start]);
                out.extend_from_slice(&layers[start + len..]);
            }
            Edit::Repeat { start, len, extra } => {
                out.extend_from_slice(&layers[..start + len]);
                for _ in 0..extra {
                    out.extend_from_slice(&layers[start..start + len]);
                }
                out.extend_from_slice(&layers[start + len..]);
            }
            Edit::Swap { start, left, right } => {
                out.extend_from_slice(layers);
                out[start..start + left + right].rotate_left(left);
            }
        }
        Some(Chain::new(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(text: &str) -> Chain {
        text.parse().unwrap()
    }

    #[test]
    fn each_kind_changes_what_it_says() {
        let edited = |edit: Edit| edit.apply(&chain("0-5")).unwrap().to_string();
        assert_eq!(edited(Edit::Skip { start: 1, len: 2 }), "0,3-5");
        let repeat = Edit::Repeat {
            start: 1,
            len: 2,
            extra: 2,
        };
        assert_eq!(edited(repeat), "0,(1-2)x3,3-5");
        let swap = Edit::Swap {
            start: 1,
            left: 2,
            right: 1,
        };
        assert_eq!(edited(swap), "0,3,1-2,4-5");
        assert_eq!(Edit::Skip { start: 5, len: 2 }.apply(&chain("0-5")), None);
    }
}
