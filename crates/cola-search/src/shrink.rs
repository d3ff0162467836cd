//! Shortens the shortest right chain until no single deletion from it is right.
//!
//! Delta debugging (Zeller 2002) on a chain: tries to delete a half, then quarters, and so on down to
//! single layers. A deletion that is right is applied at once, and the next ones start from the shorter
//! chain. When every deletion of a single layer is known to be wrong, the chain is *proven*. It is then a
//! local minimum: other simulations look for better chains.

use std::collections::VecDeque;

use crate::chain::{Chain, Edit};

/// State of the evaluation of a chain that a deletion gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Not evaluated yet.
    Unasked,
    /// Outstanding: being evaluated.
    Pending,
    /// The chain is right.
    Right,
    /// The chain is wrong.
    Wrong,
}

/// A deletion to try.
#[derive(Debug, Clone, PartialEq)]
pub struct Deletion {
    /// The right chain from which the block is deleted.
    pub from: Chain,
    /// The skip that deletes the block.
    pub edit: Edit,
    /// The chain without the block.
    pub chain: Chain,
}

/// Tries deletions from one right chain, the target.
#[derive(Debug)]
pub struct Shrinker {
    target: Chain,
    /// Identifier of each place of the target. It does not change when other places are deleted.
    places: Vec<u32>,
    /// Blocks of the current size still to be tried, as the identifiers of their places.
    queue: VecDeque<Vec<u32>>,
    /// Size of the blocks in the queue.
    size: usize,
    /// Largest block the edit space allows.
    largest: usize,
    /// Length of the shortest chain allowed.
    shortest: usize,
    /// Whether every single deletion from this target was tried.
    proven: bool,
}

impl Shrinker {
    /// Starts with a right chain as the target.
    pub fn new(target: Chain, largest: usize, shortest: usize) -> Self {
        let mut shrinker = Self {
            places: Vec::new(),
            queue: VecDeque::new(),
            size: 0,
            largest,
            shortest,
            proven: false,
            target: target.clone(),
        };
        shrinker.restart(target);
        shrinker
    }

    /// The shortest right chain so far.
    pub fn target(&self) -> &Chain {
        &self.target
    }

    /// Whether every single deletion of the target is known to be wrong.
    pub fn proven(&self) -> bool {
        self.proven
    }

    /// Makes a right chain the target, and starts again with large blocks.
    fn restart(&mut self, target: Chain) {
        self.places = (0..target.len() as u32).collect();
        let half = (target.len() / 2).min(self.largest).max(1);
        self.size = 1 << half.ilog2();
        self.target = target;
        self.refill();
    }

    /// Queues the blocks of the current size. Blocks near 0.6 of the depth come first, where real models
    /// can most often do without a layer; the early ones come last.
    fn refill(&mut self) {
        self.proven = false;
        let mut blocks: Vec<Vec<u32>> =
            self.places.chunks(self.size).map(<[u32]>::to_vec).collect();
        let favourite = 0.6 * (blocks.len() as f64 - 1.0);
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by(|&a, &b| {
            let distance = |at: usize| (at as f64 - favourite).abs();
            distance(a).total_cmp(&distance(b)).then(b.cmp(&a))
        });
        self.queue = order
            .into_iter()
            .map(|at| std::mem::take(&mut blocks[at]))
            .collect();
    }

    /// The next deletion whose verdict is not known. `None` if the target is proven, or if all verdicts
    /// still missing are outstanding.
    pub fn next(&mut self, known: impl Fn(&Chain) -> Known) -> Option<Deletion> {
        let mut waiting = false;
        let mut passes = 0;
        while !self.proven {
            let Some(block) = self.queue.pop_front() else {
                // A pass over all single layers without a right deletion proves the target.
                if self.size > 1 {
                    self.size /= 2;
                } else if waiting {
                    return None;
                } else if passes > 0 {
                    self.proven = true;
                    break;
                } else {
                    passes += 1;
                }
                self.refill();
                continue;
            };
            let Some(deletion) = self.delete(&block) else {
                continue;
            };
            match known(&deletion.chain) {
                Known::Unasked => return Some(deletion),
                Known::Pending => waiting = true,
                Known::Wrong => {}
                Known::Right => {
                    self.adopt(&deletion, &block);
                    passes = 0;
                }
            }
        }
        None
    }

    /// Makes a right chain the target, if it is shorter than the current one.
    pub fn right(&mut self, chain: &Chain) {
        if chain.len() >= self.target.len() {
            return;
        }
        match self.own_deletion(chain) {
            Some((deletion, block)) => self.adopt(&deletion, &block),
            None => self.restart(chain.clone()),
        }
    }

    /// The block whose deletion from the target gives `chain`, if one does.
    fn own_deletion(&self, chain: &Chain) -> Option<(Deletion, Vec<u32>)> {
        let len = self.target.len() - chain.len();
        let pairs = chain.steps().zip(self.target.steps());
        let start = pairs.take_while(|(a, b)| a == b).count();
        let block = self.places.get(start..start + len)?.to_vec();
        let deletion = self.delete(&block)?;
        (deletion.chain == *chain).then_some((deletion, block))
    }

    /// The deletion of a block from the target; `None` if part of the block is deleted already, or if the
    /// rest would be too short.
    fn delete(&self, block: &[u32]) -> Option<Deletion> {
        let first = block.first()?;
        let start = self.places.iter().position(|place| place == first)?;
        let len = block.len();
        let there = self.places.get(start..start + len)? == block;
        if !there || self.target.len() - len < self.shortest {
            return None;
        }
        let edit = Edit::Skip { start, len };
        Some(Deletion {
            from: self.target.clone(),
            edit,
            chain: edit.apply(&self.target)?,
        })
    }

    fn adopt(&mut self, deletion: &Deletion, block: &[u32]) {
        self.target = deletion.chain.clone();
        self.places.retain(|place| !block.contains(place));
        self.proven = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Shrinks the identity of `n` layers, where `right` gives the verdicts. Returns the shortest chain and
    /// the number of verdicts used.
    fn shrink(n: usize, right: impl Fn(&[u16]) -> bool) -> (Chain, usize) {
        let mut told: HashMap<Chain, bool> = HashMap::new();
        let mut shrinker = Shrinker::new(Chain::identity(n), n, 1);
        while let Some(deletion) = shrinker.next(|chain| match told.get(chain) {
            None => Known::Unasked,
            Some(true) => Known::Right,
            Some(false) => Known::Wrong,
        }) {
            let verdict = right(deletion.chain.layers());
            assert!(told.insert(deletion.chain.clone(), verdict).is_none());
            if verdict {
                shrinker.right(&deletion.chain);
            }
        }
        assert!(shrinker.proven());
        (shrinker.target().clone(), told.len())
    }

    #[test]
    fn needed_layers_remain_and_nothing_else() {
        let needs = |layers: &[u16]| [2, 3, 21].iter().all(|l| layers.contains(l));
        let (chain, asked) = shrink(32, needs);
        assert_eq!(chain.to_string(), "2-3,21");
        assert!(asked < 40, "{asked}");
    }

    #[test]
    fn when_nothing_can_go_every_single_deletion_was_tried() {
        let (chain, asked) = shrink(8, |_| false);
        assert!(chain.is_identity(8));
        assert_eq!(asked, 2 + 4 + 8);
    }
}
