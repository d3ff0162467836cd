//! Simulations that the tree policy does not choose.
//!
//! A tree walks on from where it has been, and can spend a whole budget below one poor edit. While no right chain is known,
//! `default` therefore gives it only three fifths of the budget: one fifth of the simulations draw a *fresh* chain of a few edits
//! of the identity, which no local optimum can hold back, and one fifth *repair* one of the nearest misses. Once the shortest
//! right chain is proven, chains near it lose several layers at once, most often those that right chains have done without.

use petgraph::graph::NodeIndex;
use rand::{Rng, RngExt};

use super::{
    graph::{Step, Verdict},
    mcts::Mcts,
};
use crate::chain::{self, Chain, EditSpace};

/// Draws of known chains before a simulation is left to the tree.
const TRIES: usize = 16;

/// Nearest misses that are repaired.
const MISSES: usize = 3;

/// How much longer than the shortest right chain another one may be to be searched near.
const NEAR: usize = 5;

/// Power by which layers that right chains do without are preferred.
const PREFERENCE: i32 = 3;

/// A step that no single edit makes.
const JUMP: Step = Step {
    edit: None,
    prior: 0.0,
};

impl Mcts {
    /// The walk of a simulation that is not the tree's, when it is such a one's turn; only while no right chain is known.
    pub(super) fn explore(&mut self) -> Option<Vec<NodeIndex>> {
        let (fresh, repair) = (self.params.fresh_share, self.params.repair_share);
        if fresh + repair == 0.0 || !self.right.is_empty() {
            return None;
        }
        let drawn = self.rng.random::<f64>();
        if drawn < fresh {
            self.fresh()
        } else if drawn < fresh + repair {
            self.repair()
        } else {
            None
        }
    }

    /// The walk to a new chain of one to `random_edits` random edits of the identity.
    fn fresh(&mut self) -> Option<Vec<NodeIndex>> {
        for _ in 0..TRIES {
            let identity = Chain::identity(self.params.layers);
            let edits = self.rng.random_range(1..=self.params.random_edits.max(1));
            let space = self.params.root_edits;
            let chain = edited(identity, edits, &space, &mut self.rng);
            if self.graph.find(&chain).is_none() {
                return Some(self.jump(self.root, chain, JUMP));
            }
        }
        None
    }

    /// The walk to a new chain that is one random edit from one of the nearest misses; among equally near ones those found
    /// first.
    fn repair(&mut self) -> Option<Vec<NodeIndex>> {
        let mut misses: Vec<(f64, NodeIndex)> = Vec::new();
        for node in self.graph.indices() {
            if let Verdict::Told { reward, .. } = self.graph.node(node).verdict {
                misses.push((reward, node));
            }
        }
        misses.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        misses.truncate(MISSES);
        if misses.is_empty() {
            return None;
        }
        for _ in 0..TRIES {
            let (_, from) = misses[self.rng.random_range(0..misses.len())];
            let space = self.params.deep_edits;
            let chain = self.graph.node(from).chain.clone();
            let chain = edited(chain, 1, &space, &mut self.rng);
            if self.graph.find(&chain).is_none() {
                return Some(self.jump(from, chain, JUMP));
            }
        }
        None
    }

    /// Picks a right chain at most [`NEAR`] layers longer than the best one and deletes so many layers that the result
    /// would be a new best, those the sooner that right chains have done without.
    pub(super) fn nearby(&mut self, best: usize) -> Option<Vec<NodeIndex>> {
        let near = self.right.iter().copied();
        let near = near.filter(|&node| self.graph.node(node).chain.len() <= best + NEAR);
        let near: Vec<NodeIndex> = near.collect();
        if near.is_empty() {
            return None;
        }
        let spare = self.spare();
        for _ in 0..TRIES {
            let from = near[self.rng.random_range(0..near.len())];
            let mut steps: Vec<chain::Step> = self.graph.node(from).chain.steps().collect();
            let drop = (steps.len() + 1 - best).max(2);
            if steps.len() < drop + self.params.deep_edits.lengths.min {
                continue;
            }
            for _ in 0..drop {
                let weights = steps.iter().map(|step| spare[usize::from(step.layer)]);
                steps.remove(weighted(weights.collect(), &mut self.rng));
            }
            let chain = Chain::from_steps(steps);
            if self.graph.find(&chain).is_none() {
                return Some(self.jump(from, chain, JUMP));
            }
        }
        None
    }

    /// How well this sample does without each layer: the share of right chains among those evaluated without it, to the power
    /// of [`PREFERENCE`]. A layer that was never left out has half a chance.
    fn spare(&self) -> Vec<f64> {
        let mut counts = vec![(0.5, 1.0); self.params.layers];
        for node in self.graph.nodes().filter(|node| node.told()) {
            let mut there = vec![false; self.params.layers];
            for &layer in node.chain.layers() {
                there[usize::from(layer)] = true;
            }
            for ((right, all), _) in counts.iter_mut().zip(there).filter(|(_, there)| !there) {
                *right += f64::from(u8::from(node.right()));
                *all += 1.0;
            }
        }
        let share = |(right, all): (f64, f64)| (right / all).powi(PREFERENCE);
        counts.into_iter().map(share).collect()
    }
}

/// A chain after so many random edits; fewer where none is legal.
fn edited(mut chain: Chain, edits: usize, space: &EditSpace, rng: &mut impl Rng) -> Chain {
    for _ in 0..edits {
        let edit = space.random_edit(&chain, |n| rng.random_range(0..n));
        match edit.and_then(|edit| edit.apply(&chain)) {
            Some(next) => chain = next,
            None => break,
        }
    }
    chain
}

/// Draws an index with probability in proportion to its weight. There is at least one weight, and all are above 0.
fn weighted(weights: Vec<f64>, rng: &mut impl Rng) -> usize {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    drawn.unwrap_or(weights.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ask, Feedback, Preset, SearchParams, Strategy};

    const LAYERS: usize = 12;

    fn search(simulations: usize, verdict: impl Fn(&Chain) -> Feedback) -> Mcts {
        let params = SearchParams {
            simulations,
            ..SearchParams::preset(Preset::Default, LAYERS)
        };
        let mut search = Mcts::new(params, 5);
        while let Ask::Evaluate(chain) = search.ask() {
            search.tell(&chain, verdict(&chain));
        }
        search
    }

    /// Chains that look the better the more often they run layer 0, and are never right.
    fn trap(chain: &Chain) -> Feedback {
        let runs = chain.layers().iter().filter(|&&layer| layer == 0).count();
        Feedback::new(false, Some(-9.0 / (1 + runs * runs) as f64))
    }

    #[test]
    fn however_good_one_line_looks_fresh_chains_keep_coming() {
        let search = search(200, trap);
        let fresh = search
            .graph
            .children(search.root)
            .filter(|(_, step)| step.edit.is_none())
            .count();
        // A fifth of 200, more or less.
        assert!((20..=70).contains(&fresh), "{fresh}");
    }

    #[test]
    fn layers_that_right_chains_do_without_are_the_first_to_go() {
        // Right without layer 7, whatever else runs, and with layer 2.
        let verdict = |chain: &Chain| {
            let layers = chain.layers();
            Feedback::new(!layers.contains(&7) && layers.contains(&2), Some(0.0))
        };
        let spare = search(60, verdict).spare();
        assert_eq!(spare.len(), LAYERS);
        assert!(spare[7] > spare[2], "{spare:?}");
        let others = (0..LAYERS).filter(|&layer| layer != 2);
        assert!(
            others.clone().all(|layer| spare[layer] > spare[2]),
            "{spare:?}"
        );
    }

    #[test]
    fn presets_that_reproduce_a_search_draw_nothing_of_their_own() {
        for (_, preset) in &Preset::ALL[1..] {
            let params = SearchParams::preset(*preset, LAYERS);
            assert_eq!((params.fresh_share, params.repair_share), (0.0, 0.0));
        }
    }
}
