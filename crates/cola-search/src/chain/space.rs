//! The space of legal edits: checks, lists and draws the edits of a chain.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Alpha, Chain, Edit, Layer};

/// The lengths a chain may have, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthBounds {
    /// Length of the shortest chain.
    pub min: usize,
    /// Length of the longest chain.
    pub max: usize,
}

impl LengthBounds {
    /// Whether a chain of `len` layers is allowed.
    pub fn contains(&self, len: usize) -> bool {
        (self.min..=self.max).contains(&len)
    }
}

/// Which edits are legal. A kind of edit whose largest block is 0 is not allowed at all.
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
    /// Alpha of damped repeats, which are legal in addition to plain ones with the same bounds on blocks
    /// and copies; `None` or 1 for no damped repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damping: Option<Alpha>,
    /// Whether edits may only change blocks that no earlier edit has changed: consecutive layers of the
    /// model, each used once and plain.
    pub untouched_only: bool,
    /// Allowed lengths of edited chains.
    pub lengths: LengthBounds,
}

impl EditSpace {
    /// The chain after `edit`, or `None` if the edit is not legal. A result is never equal to the chain and
    /// never outside [`lengths`](Self::lengths).
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
            Edit::DampedRepeat {
                start,
                len,
                extra,
                alpha,
            } => {
                self.damped() == Some(alpha)
                    && self.block_allowed(Edit::Repeat { start, len, extra })
            }
            Edit::Swap { left, right, .. } => {
                (1..=self.swap_block).contains(&left) && (1..=self.swap_block).contains(&right)
            }
        }
    }

    fn content_allowed(&self, chain: &Chain, edit: Edit) -> bool {
        let (start, width) = match edit {
            Edit::Skip { start, len }
            | Edit::Repeat { start, len, .. }
            | Edit::DampedRepeat { start, len, .. } => (start, len),
            Edit::Swap { start, left, right } => (start, left + right),
        };
        let layers = chain.layers();
        let block = &layers[start..start + width];
        let alphas = chain.alphas().map(|all| &all[start..start + width]);
        if self.untouched_only && !untouched(layers, block, alphas) {
            return false;
        }
        match edit {
            Edit::Skip { .. } => true,
            Edit::Repeat { extra, .. } | Edit::DampedRepeat { extra, .. } => {
                self.max_uses.is_none_or(|most| {
                    let uses = |of: &[Layer], l| of.iter().filter(|&&other| other == l).count();
                    block
                        .iter()
                        .all(|&l| uses(layers, l) + extra * uses(block, l) <= most)
                })
            }
            Edit::Swap { left, .. } => {
                changed_by_rotation(block, left)
                    || alphas.is_some_and(|alphas| changed_by_rotation(alphas, left))
            }
        }
    }

    /// The alpha of damped repeats; `None` if there are none, or if they would be plain.
    fn damped(&self) -> Option<Alpha> {
        self.damping.filter(|alpha| !alpha.is_plain())
    }

    /// Every edit that fits a chain of `n` layers and gives an allowed length, sorted. Rules that depend on
    /// the chain's layers are not checked here, but by [`allows`](Self::allows).
    pub fn shapes(&self, n: usize) -> impl Iterator<Item = Edit> {
        let skips = (0..n).flat_map(move |start| {
            (1..=self.skip_block.min(n - start)).map(move |len| Edit::Skip { start, len })
        });
        let again = move || {
            (0..n).flat_map(move |start| {
                (1..=self.repeat_block.min(n - start)).flat_map(move |len| {
                    (1..=self.extra_repeats).map(move |extra| (start, len, extra))
                })
            })
        };
        let repeats = again().map(|(start, len, extra)| Edit::Repeat { start, len, extra });
        let damped = self.damped().into_iter().flat_map(move |alpha| {
            again().map(move |(start, len, extra)| Edit::DampedRepeat {
                start,
                len,
                extra,
                alpha,
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
            .chain(damped)
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
        // On a chain without repeats and damping, different edits give different chains: the chains differ
        // in length, or in the first or last place that changed. Otherwise results may be equal: a plain
        // and a damped copy of a damped place, for example.
        if chain.unique_layers() < chain.len() || chain.is_damped() {
            let mut seen = HashSet::new();
            edits.retain(|edit| edit.apply(chain).is_some_and(|result| seen.insert(result)));
        }
        edits
    }

    /// Number of different chains that one legal edit of `chain` can give.
    pub fn count(&self, chain: &Chain) -> usize {
        self.edits(chain).len()
    }

    /// A random legal edit, or `None` if there is none. `below(n)` must draw uniformly from `0..n`. All
    /// kinds are equally likely, a size or number of extra copies has a probability proportional to 1/size
    /// (log-uniform: small changes are common, large ones not rare), and places are uniform.
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
        let damped = self.damped().filter(|_| repeats);
        let allowed = [
            self.skip_block > 0,
            repeats,
            damped.is_some(),
            self.swap_block > 0,
        ];
        let kinds: Vec<usize> = (0..allowed.len()).filter(|&kind| allowed[kind]).collect();
        if n == 0 || kinds.is_empty() {
            return None;
        }
        match (kinds[below(kinds.len())], damped) {
            (0, _) => {
                let len = log_uniform(self.skip_block.min(n), below);
                let start = below(n + 1 - len);
                Some(Edit::Skip { start, len })
            }
            (kind @ (1 | 2), alpha) => {
                let len = log_uniform(self.repeat_block.min(n), below);
                let start = below(n + 1 - len);
                let extra = log_uniform(self.extra_repeats, below);
                Some(match alpha.filter(|_| kind == 2) {
                    None => Edit::Repeat { start, len, extra },
                    Some(alpha) => Edit::DampedRepeat {
                        start,
                        len,
                        extra,
                        alpha,
                    },
                })
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

/// A size from `1..=most`, with a probability proportional to 1/size.
fn log_uniform(most: usize, below: &mut impl FnMut(usize) -> usize) -> usize {
    loop {
        let size = 1 + below(most);
        if below(size) == 0 {
            return size;
        }
    }
}

/// Whether `block` is a run of consecutive plain layers that occur nowhere else in the chain.
fn untouched(layers: &[Layer], block: &[Layer], alphas: Option<&[Alpha]>) -> bool {
    alphas.is_none_or(|alphas| alphas.iter().all(|alpha| alpha.is_plain()))
        && block.windows(2).all(|w| w[1] == w[0] + 1)
        && block
            .iter()
            .all(|layer| layers.iter().filter(|&other| other == layer).count() == 1)
}

/// Whether exchanging the first `left` items with the rest gives another order.
fn changed_by_rotation<T: PartialEq>(block: &[T], left: usize) -> bool {
    let rotated = block[left..].iter().chain(&block[..left]);
    !rotated.eq(block)
}

#[cfg(test)]
mod tests;
