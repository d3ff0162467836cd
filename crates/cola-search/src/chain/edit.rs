//! Edits: the moves of a search, each of which is one change of a chain.
//!
//! Positions are places of the *chain*, not layers of the model: the fifth place of `0-3,(2-3)x2,4-7` holds
//! layer 2 again. Three kinds of edits reach every chain without damping; a fourth kind adds damping:
//!
//! ```text
//! chain               0 1 2 3 4 5
//! skip   start 1, len 2            0 3 4 5
//! repeat start 1, len 2, extra 1   0 1 2 1 2 3 4 5  (damped by alpha: 0 1 2 1@alpha 2@alpha 3 4 5)
//! swap   start 1, left 2, right 1  0 3 1 2 4 5      (moving 3 forward is the same edit)
//! ```
//!
//! Places keep their alphas: a damped place stays damped when it is moved, and a plain repeat copies the
//! alphas of its block.

use serde::{Deserialize, Serialize};

use super::{Alpha, Chain, Step};

/// One change of a chain. Ordered: skips, then repeats, then damped repeats, then swaps; each by
/// place, then by size.
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
    /// Runs a block again, right after itself, where every layer `F` is applied as `x + alpha (F(x) - x)`.
    DampedRepeat {
        /// First place of the block.
        start: usize,
        /// Places in the block.
        len: usize,
        /// How many more times it runs: `(block)x(extra + 1)@alpha`.
        extra: usize,
        /// Alpha of every layer in the copies, whatever the alphas of the block are.
        alpha: Alpha,
    },
    /// Exchanges two adjacent blocks. If one of them is a single place, this moves a layer, so there is no
    /// separate edit for moving.
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
    /// Length of the result for a chain of `chain_len` layers; `None` if the edit does not fit.
    pub(super) fn result_len(self, chain_len: usize) -> Option<usize> {
        let (start, width, grown) = match self {
            Edit::Skip { start, len } => (start, len, chain_len.checked_sub(len)?),
            Edit::Repeat { start, len, extra }
            | Edit::DampedRepeat {
                start, len, extra, ..
            } => (start, len, chain_len + len * extra),
            Edit::Swap { start, left, right } => (start, left + right, chain_len),
        };
        (start + width <= chain_len).then_some(grown)
    }

    /// The edited chain; `None` if the edit reaches past the end.
    pub fn apply(self, chain: &Chain) -> Option<Chain> {
        self.result_len(chain.len())?;
        let steps: Vec<Step> = chain.steps().collect();
        Some(Chain::from_steps(match self {
            Edit::Skip { start, len } => [&steps[..start], &steps[start + len..]].concat(),
            Edit::Repeat { start, len, extra } => {
                repeated(&steps, start + len, &steps[start..start + len], extra)
            }
            Edit::DampedRepeat {
                start,
                len,
                extra,
                alpha,
            } => {
                let block = steps[start..start + len].iter();
                let copy: Vec<Step> = block.map(|&step| Step { alpha, ..step }).collect();
                repeated(&steps, start + len, &copy, extra)
            }
            Edit::Swap { start, left, right } => {
                let mut swapped = steps;
                swapped[start..start + left + right].rotate_left(left);
                swapped
            }
        }))
    }
}

/// The steps with `times` copies of a block inserted at `end`.
fn repeated(steps: &[Step], end: usize, copy: &[Step], times: usize) -> Vec<Step> {
    let (before, after) = steps.split_at(end);
    [before, &copy.repeat(times), after].concat()
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
        let damped = Edit::DampedRepeat {
            start: 1,
            len: 2,
            extra: 2,
            alpha: Alpha::from_thousandths(500).unwrap(),
        };
        assert_eq!(edited(damped), "0,(1-2)x3@0.5,3-5");
        assert_eq!(Edit::Skip { start: 5, len: 2 }.apply(&chain("0-5")), None);
    }

    #[test]
    fn places_keep_their_alphas_and_damped_copies_get_the_edits() {
        let edited = |text: &str, edit: Edit| edit.apply(&chain(text)).unwrap().to_string();
        let skip = Edit::Skip { start: 1, len: 1 };
        assert_eq!(edited("0,(1)x2@0.5,2", skip), "0,1@0.5,2");
        let swap = Edit::Swap {
            start: 0,
            left: 2,
            right: 1,
        };
        assert_eq!(edited("0,1@0.5,2", swap), "2,0,1@0.5");
        let (start, len, extra) = (0, 2, 1);
        let repeat = Edit::Repeat { start, len, extra };
        assert_eq!(edited("0,1@0.5,2", repeat), "0,1@0.5,0,1@0.5,2");
        let damped = Edit::DampedRepeat {
            start,
            len,
            extra,
            alpha: Alpha::from_thousandths(250).unwrap(),
        };
        assert_eq!(edited("0,1@0.5,2", damped), "0,1@0.5,0-1@0.25,2");
        assert_eq!(edited("0-2", damped), "(0-1)x2@0.25,2");
    }
}
