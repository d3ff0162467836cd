//! A chain as differences from the unmodified model.
//!
//! Both are aligned on a longest common subsequence of their layers; what lies between two aligned layers is one block.
//!
//! ```text
//! model   0 1 2 3 4 5 6 7         8 9
//! chain   0 1 2       6 7 6 7     8 5
//!               skip 3-5  repeat 6-7   replace 9 by 5
//! ```
//!
//! Of several longest common subsequences the one counts that leaves the fewest runs of skipped and of inserted layers, and of
//! these the one whose layers come first in the chain, so that the later visits of a layer are the repeats. A damped layer is
//! aligned with nothing.

use std::ops::Range;

use cola_search::chain::{Chain, Layer, Step};

/// A place where a chain differs from the unmodified model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Places of the chain that the model does not have. Empty where layers are only skipped: they would stand before its start.
    inserted: Range<usize>,
    /// Layers of the model that the chain does not run there.
    skipped: Range<usize>,
}

/// The differences between a chain and a model of `layers` layers, in the order of the chain.
pub fn blocks(chain: &Chain, layers: usize) -> Vec<Block> {
    let steps: Vec<Step> = chain.steps().collect();
    let mut blocks = Vec::new();
    let (mut place, mut layer) = (0, 0);
    let aligned = align(&steps, layers).into_iter();
    let end = (steps.len(), layers);
    for (at, aligned) in aligned.chain([end]) {
        if (place, layer) != (at, aligned) {
            blocks.push(Block {
                inserted: place..at,
                skipped: layer..aligned,
            });
        }
        (place, layer) = (at + 1, aligned + 1);
    }
    blocks
}

/// The chain with some of its blocks undone; these are in the order of the chain.
pub fn undo(chain: &Chain, undone: &[Block]) -> Chain {
    let mut steps: Vec<Step> = chain.steps().collect();
    for block in undone.iter().rev() {
        let skipped = model(block.skipped.clone());
        steps.splice(block.inserted.clone(), skipped.steps());
    }
    Chain::from_steps(steps)
}

impl Block {
    /// The block in words, with layers in chain notation.
    pub fn text(&self, chain: &Chain) -> String {
        let skipped = model(self.skipped.clone());
        let inserted = chain.steps().skip(self.inserted.start);
        let inserted = Chain::from_steps(inserted.take(self.inserted.len()));
        match (inserted.is_empty(), skipped.is_empty()) {
            (true, _) => format!("skip {skipped}"),
            (false, false) => format!("replace {skipped} by {inserted}"),
            (false, true) if self.repeats(chain) => format!("repeat {inserted}"),
            (false, true) => format!("insert {inserted}"),
        }
    }

    /// Whether what is inserted is what stands right before it, once or several times.
    fn repeats(&self, chain: &Chain) -> bool {
        let (before, rest) = chain.layers().split_at(self.inserted.start);
        let inserted = &rest[..self.inserted.len()];
        (1..=inserted.len().min(before.len())).any(|period| {
            let repeated = &before[before.len() - period..];
            inserted.len().is_multiple_of(period)
                && inserted.chunks(period).all(|copy| copy == repeated)
        })
    }
}

/// Layers of the model, as it runs them.
fn model(layers: Range<usize>) -> Chain {
    layers.map(|layer| layer as Layer).collect()
}

/// The best alignment of the steps up to one of them, which is aligned itself.
#[derive(Clone, Copy)]
struct Aligned {
    /// Steps that are aligned.
    length: usize,
    /// Runs of skipped and of inserted layers between them.
    runs: usize,
    /// The aligned step before.
    previous: Option<usize>,
}

/// The places of a chain that are aligned with the model, each with its layer. The model's layers ascend, so a common
/// subsequence is a sequence of plain steps that ascends.
fn align(steps: &[Step], layers: usize) -> Vec<(usize, usize)> {
    let layer_at = |at: usize| match steps.get(at) {
        // Behind the last step stands the end of the model.
        None => Some(layers),
        Some(step) => Some(step.layer as usize).filter(|_| step.alpha.is_plain()),
    };
    let mut best: Vec<Option<Aligned>> = Vec::with_capacity(steps.len() + 1);
    for at in 0..=steps.len() {
        let Some(layer) = layer_at(at) else {
            best.push(None);
            continue;
        };
        let mut found = Aligned {
            length: 1,
            runs: usize::from(at > 0) + usize::from(layer > 0),
            previous: None,
        };
        for (before, aligned) in best.iter().enumerate() {
            let (Some(aligned), Some(below)) = (aligned, layer_at(before)) else {
                continue;
            };
            if below >= layer {
                continue;
            }
            let between = usize::from(at > before + 1) + usize::from(layer > below + 1);
            let (length, runs) = (aligned.length + 1, aligned.runs + between);
            if length > found.length || (length == found.length && runs < found.runs) {
                found = Aligned {
                    length,
                    runs,
                    previous: Some(before),
                };
            }
        }
        best.push(Some(found));
    }
    let mut places = Vec::new();
    let mut next = best[steps.len()].and_then(|end| end.previous);
    while let Some(at) = next {
        places.push((at, steps[at].layer as usize));
        next = best[at].and_then(|aligned| aligned.previous);
    }
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use cola_search::chain::Alpha;
    use proptest::prelude::*;

    fn texts(chain: &str, layers: usize) -> Vec<String> {
        let chain: Chain = chain.parse().unwrap();
        let blocks = blocks(&chain, layers);
        let text = |block: &Block| {
            let undone = undo(&chain, std::slice::from_ref(block));
            format!("{}: {undone}", block.text(&chain))
        };
        blocks.iter().map(text).collect()
    }

    #[test]
    fn differences_read_like_this() {
        assert_eq!(texts("0-9", 10), [""; 0]);
        assert_eq!(texts("0-4,8-9", 10), ["skip 5-7: 0-9"]);
        assert_eq!(texts("0-4,(3-4)x2,5", 6), ["repeat (3-4)x2: 0-5"]);
        assert_eq!(texts("0,(1-3)x2,4-5", 6), ["repeat 1-3: 0-5"]);
        assert_eq!(texts("0-3,3@0.5,4-5", 6), ["repeat 3@0.5: 0-5"]);
        assert_eq!(texts("0,1,4,2,3,4,5", 6), ["insert 4: 0-5"]);
        assert_eq!(texts("0-1,5,3-5", 6), ["replace 2 by 5: 0-5"]);
        assert_eq!(texts("0-3,4@0.5,5", 6), ["replace 4 by 4@0.5: 0-5"]);
        assert_eq!(texts("empty", 3), ["skip 0-2: 0-2"]);
        assert_eq!(
            texts("1-3,5,5", 7),
            [
                "skip 0: 0-3,(5)x2",
                "skip 4: 1-4,(5)x2",
                "replace 6 by 5: 1-3,5-6"
            ]
        );
        // Neighbours that change places are one layer taken out and put in elsewhere.
        assert_eq!(texts("0,2,1,3", 4), ["skip 1: 0-2,1,3", "insert 1: 0,2-3"]);
        assert_eq!(
            texts("0-2,6,7,6,7,8,5", 10),
            [
                "skip 3-5: 0-5,(6-7)x2,8,5",
                "repeat 6-7: 0-2,6-8,5",
                "replace 9 by 5: 0-2,(6-7)x2,8-9"
            ]
        );
    }

    /// Chains of a model of 6 layers, some damped; or the model with a few changes, as searches find them.
    fn chains() -> impl Strategy<Value = Chain> {
        let alpha = prop_oneof![4 => Just(1000), 1 => Just(500)];
        let step = (0_u16..6, alpha).prop_map(|(layer, thousandths)| Step {
            layer,
            alpha: Alpha::from_thousandths(thousandths).unwrap(),
        });
        let edit = (0_usize..3, 0_usize..6, 1_usize..4);
        let edited = prop::collection::vec(edit, 0..4).prop_map(|edits| {
            let mut layers: Vec<u16> = (0..6).collect();
            for (kind, at, length) in edits {
                let at = at.min(layers.len());
                let block: Vec<u16> = layers[at..].iter().copied().take(length).collect();
                match kind {
                    0 => drop(layers.drain(at..at + block.len())),
                    1 => drop(layers.splice(at..at, block)),
                    _ => layers[at..at + block.len()].reverse(),
                }
            }
            Chain::new(layers)
        });
        prop_oneof![
            prop::collection::vec(step, 0..10).prop_map(Chain::from_steps),
            edited,
        ]
    }

    proptest! {
        #[test]
        fn all_blocks_undone_give_the_model_and_each_alone_another_chain(chain in chains()) {
            let blocks = blocks(&chain, 6);
            prop_assert_eq!(undo(&chain, &blocks), Chain::identity(6));
            prop_assert_eq!(blocks.is_empty(), chain.is_identity(6));
            for block in &blocks {
                let undone = undo(&chain, std::slice::from_ref(block));
                prop_assert_ne!(&undone, &chain);
            }
        }

        #[test]
        fn no_alignment_is_longer(chain in chains()) {
            let steps: Vec<Step> = chain.steps().collect();
            let aligned = align(&steps, 6);
            prop_assert!(aligned.windows(2).all(|two| two[0] < two[1] && two[0].1 < two[1].1));
            // The longest common subsequence by its textbook recurrence.
            let mut lengths = vec![[0_usize; 7]; steps.len() + 1];
            for (at, step) in steps.iter().enumerate() {
                for layer in 0..6 {
                    let same = step.alpha.is_plain() && step.layer as usize == layer;
                    let apart = lengths[at][layer + 1].max(lengths[at + 1][layer]);
                    lengths[at + 1][layer + 1] = match same {
                        true => lengths[at][layer] + 1,
                        false => apart,
                    };
                }
            }
            prop_assert_eq!(aligned.len(), lengths[steps.len()][6]);
        }
    }
}
