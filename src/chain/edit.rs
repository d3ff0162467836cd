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

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Chain, Layer};

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
    fn result_len(self, chain_len: usize) -> Option<usize> {
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

/// The lengths a chain may have, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthBounds {
    /// Shortest.
    pub min: usize,
    /// Longest.
    pub max: usize,
}

impl LengthBounds {
    /// Whether a chain of `len` layers is allowed.
    pub fn contains(&self, len: usize) -> bool {
        (self.min..=self.max).contains(&len)
    }
}

/// Which edits are legal. A kind whose largest block is 0 is not allowed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditSpace {
    /// Largest block that may be skipped.
    pub skip_block: usize,
    /// Largest block that may be repeated.
    pub repeat_block: usize,
    /// Most extra copies one repeat may add.
    pub extra_repeats: usize,
    /// Largest of the two blocks of a swap.
    pub swap_block: usize,
    /// Most uses of one layer after a repeat; `None` for any number.
    pub max_uses: Option<usize>,
    /// Whether edits may only touch blocks no earlier edit touched: consecutive layers of the
    /// model, each used once.
    pub untouched_only: bool,
    /// Lengths of the results.
    pub lengths: LengthBounds,
}

impl EditSpace {
    /// The chain after `edit`, or `None` where the edit is not legal. A result is never equal to
    /// the chain and never outside [`lengths`](Self::lengths).
    pub fn apply(&self, chain: &Chain, edit: Edit) -> Option<Chain> {
        self.allows(chain, edit).then(|| edit.apply(chain))?
    }

    /// Whether `edit` is legal on `chain`.
    pub fn allows(&self, chain: &Chain, edit: Edit) -> bool {
        let Some(len) = edit.result_len(chain.len()) else {
            return false;
        };
        self.lengths.contains(len) && self.block_allowed(edit) && self.content_allowed(chain, edit)
    }

    fn block_allowed(&self, edit: Edit) -> bool {
        match edit {
            Edit::Skip { len, .. } => (1..=self.skip_block).contains(&len),
            Edit::Repeat { len, extra, .. } => {
                (1..=self.repeat_block).contains(&len) && (1..=self.extra_repeats).contains(&extra)
            }
            Edit::Swap { left, right, .. } => {
                (1..=self.swap_block).contains(&left) && (1..=self.swap_block).contains(&right)
            }
        }
    }

    fn content_allowed(&self, chain: &Chain, edit: Edit) -> bool {
        let layers = chain.layers();
        let block = match edit {
            Edit::Skip { start, len } | Edit::Repeat { start, len, .. } => {
                &layers[start..start + len]
            }
            Edit::Swap { start, left, right } => &layers[start..start + left + right],
        };
        if self.untouched_only && !untouched(layers, block) {
            return false;
        }
        match edit {
            Edit::Skip { .. } => true,
            Edit::Repeat { extra, .. } => self.max_uses.is_none_or(|most| {
                let uses = |of: &[Layer], l| of.iter().filter(|&&other| other == l).count();
                block
                    .iter()
                    .all(|&l| uses(layers, l) + extra * uses(block, l) <= most)
            }),
            Edit::Swap { left, .. } => changed_by_rotation(block, left),
        }
    }

    /// Every edit that fits on a chain of `n` layers and leaves an allowed length, sorted. What
    /// depends on the layers themselves is not checked: [`allows`](Self::allows) does.
    pub fn shapes(&self, n: usize) -> impl Iterator<Item = Edit> {
        let skips = (0..n).flat_map(move |start| {
            (1..=self.skip_block.min(n - start)).map(move |len| Edit::Skip { start, len })
        });
        let repeats = (0..n).flat_map(move |start| {
            (1..=self.repeat_block.min(n - start)).flat_map(move |len| {
                (1..=self.extra_repeats).map(move |extra| Edit::Repeat { start, len, extra })
            })
        });
        let swaps = (0..n).flat_map(move |start| {
            (1..=self.swap_block.min(n - start)).flat_map(move |left| {
                (1..=self.swap_block.min(n - start - left)).map(move |right| Edit::Swap {
                    start,
                    left,
                    right,
                })
            })
        });
        let lengths = self.lengths;
        skips
            .chain(repeats)
            .chain(swaps)
            .filter(move |edit| edit.result_len(n).is_some_and(|len| lengths.contains(len)))
    }

    /// The legal edits of `chain`, sorted. Of several edits that give the same chain (skipping the
    /// first or the second of two equal layers) only the first is listed.
    pub fn edits(&self, chain: &Chain) -> Vec<Edit> {
        let mut edits: Vec<Edit> = self
            .shapes(chain.len())
            .filter(|&edit| self.allows(chain, edit))
            .collect();
        // On a chain without repeats different edits cannot meet: length, first and last changed
        // place tell them apart.
        if chain.unique_layers() < chain.len() {
            let mut seen = HashSet::new();
            edits.retain(|edit| edit.apply(chain).is_some_and(|result| seen.insert(result)));
        }
        edits
    }

    /// How many different chains one legal edit of `chain` gives.
    pub fn count(&self, chain: &Chain) -> usize {
        self.edits(chain).len()
    }

    /// A random legal edit, or `None` where there is none. `below(n)` must draw uniformly from
    /// `0..n`. Kinds are equally likely, sizes and extra copies likely as 1/size (log-uniform:
    /// small changes are common, large ones not rare), places uniform.
    pub fn random_edit(
        &self,
        chain: &Chain,
        mut below: impl FnMut(usize) -> usize,
    ) -> Option<Edit> {
        const TRIES: usize = 64;
        for _ in 0..TRIES {
            let edit = self.draw(chain.len(), &mut below);
            if let Some(edit) = edit.filter(|&edit| self.allows(chain, edit)) {
                return Some(edit);
            }
        }
        let edits = self.edits(chain);
        (!edits.is_empty()).then(|| edits[below(edits.len())])
    }

    fn draw(&self, n: usize, below: &mut impl FnMut(usize) -> usize) -> Option<Edit> {
        let repeats = self.repeat_block > 0 && self.extra_repeats > 0;
        let allowed = [self.skip_block > 0, repeats, self.swap_block > 0];
        let kinds: Vec<usize> = (0..3).filter(|&kind| allowed[kind]).collect();
        if n == 0 || kinds.is_empty() {
            return None;
        }
        match kinds[below(kinds.len())] {
            0 => {
                let len = log_uniform(self.skip_block.min(n), below);
                let start = below(n + 1 - len);
                Some(Edit::Skip { start, len })
            }
            1 => {
                let len = log_uniform(self.repeat_block.min(n), below);
                let start = below(n + 1 - len);
                let extra = log_uniform(self.extra_repeats, below);
                Some(Edit::Repeat { start, len, extra })
            }
            _ if n == 1 => None,
            _ => {
                let left = log_uniform(self.swap_block.min(n - 1), below);
                let right = log_uniform(self.swap_block.min(n - left), below);
                let start = below(n + 1 - left - right);
                Some(Edit::Swap { start, left, right })
            }
        }
    }
}

/// A size from `1..=most`, likely as 1/size.
fn log_uniform(most: usize, below: &mut impl FnMut(usize) -> usize) -> usize {
    loop {
        let size = 1 + below(most);
        if below(size) == 0 {
            return size;
        }
    }
}

/// Whether `block` is a run of the model's own order whose layers appear nowhere else.
fn untouched(layers: &[Layer], block: &[Layer]) -> bool {
    block.windows(2).all(|w| w[1] == w[0] + 1)
        && block
            .iter()
            .all(|layer| layers.iter().filter(|&other| other == layer).count() == 1)
}

/// Whether exchanging the first `left` layers with the rest gives another order.
fn changed_by_rotation(block: &[Layer], left: usize) -> bool {
    let rotated = block[left..].iter().chain(&block[..left]);
    !rotated.eq(block)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn space() -> EditSpace {
        EditSpace {
            skip_block: 3,
            repeat_block: 3,
            extra_repeats: 2,
            swap_block: 2,
            max_uses: None,
            untouched_only: false,
            lengths: LengthBounds { min: 2, max: 10 },
        }
    }

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

    #[test]
    fn swapping_equal_blocks_is_no_edit() {
        let swap = Edit::Swap {
            start: 0,
            left: 1,
            right: 1,
        };
        assert!(!space().allows(&chain("1,1,2"), swap));
        assert!(space().allows(&chain("1,2,1"), swap));
    }

    #[test]
    fn a_root_of_28_layers_has_212_skips_and_single_copies() {
        let polar = EditSpace {
            skip_block: 4,
            repeat_block: 4,
            extra_repeats: 1,
            swap_block: 0,
            lengths: LengthBounds { min: 16, max: 32 },
            ..space()
        };
        assert_eq!(polar.count(&Chain::identity(28)), 212);
    }

    #[test]
    fn uses_and_untouched_blocks_are_respected() {
        let twice = EditSpace {
            max_uses: Some(2),
            ..space()
        };
        let again = |start| Edit::Repeat {
            start,
            len: 1,
            extra: 1,
        };
        assert!(twice.allows(&chain("0,1,1,2"), again(0)));
        assert!(!twice.allows(&chain("0,1,1,2"), again(1)));
        let fresh = EditSpace {
            untouched_only: true,
            ..space()
        };
        let skip = |start| Edit::Skip { start, len: 2 };
        assert!(fresh.allows(&chain("0,2-4,4,5"), skip(1)));
        assert!(!fresh.allows(&chain("0,2-4,4,5"), skip(0)), "spans a skip");
        assert!(
            !fresh.allows(&chain("0,2-4,4,5"), skip(2)),
            "spans a repeat"
        );
    }

    proptest! {
        #[test]
        fn edits_stay_legal_sorted_and_distinct(
            layers in prop::collection::vec(0u16..5, 0..9),
            fresh: bool,
            uses in prop::option::of(1usize..4),
        ) {
            let space = EditSpace { untouched_only: fresh, max_uses: uses, ..space() };
            let chain = Chain::new(layers);
            let edits = space.edits(&chain);
            prop_assert!(edits.windows(2).all(|w| w[0] < w[1]));
            let mut results = HashSet::new();
            for edit in edits {
                let result = space.apply(&chain, edit).unwrap();
                prop_assert!(space.lengths.contains(result.len()));
                prop_assert_ne!(&result, &chain);
                prop_assert!(results.insert(result), "{:?} is a duplicate", edit);
            }
            // Nothing legal is lost by listing only one edit a result.
            for edit in space.shapes(chain.len()) {
                if let Some(result) = space.apply(&chain, edit) {
                    prop_assert!(results.contains(&result));
                }
            }
        }

        #[test]
        fn on_distinct_layers_no_two_edits_meet(n in 0usize..9) {
            let space = EditSpace { swap_block: 4, ..space() };
            let chain = Chain::identity(n);
            let edits = space.edits(&chain);
            let results: HashSet<Chain> = edits.iter().filter_map(|e| e.apply(&chain)).collect();
            prop_assert_eq!(results.len(), edits.len());
        }

        #[test]
        fn random_edits_are_legal_and_found_whenever_one_exists(
            layers in prop::collection::vec(0u16..4, 0..9),
            seed: u64,
        ) {
            let chain = Chain::new(layers);
            let mut state = seed;
            let below = |n: usize| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) as usize % n
            };
            match space().random_edit(&chain, below) {
                Some(edit) => prop_assert!(space().allows(&chain, edit)),
                None => prop_assert_eq!(space().count(&chain), 0),
            }
        }
    }
}
