//! Simulations that the tree policy does not choose.
//!
//! A tree walks on from where it has been, and can spend a whole budget below one poor edit. While no right chain is known,
//! `default` therefore gives it only three fifths of the budget: one fifth of the simulations draw a *fresh* chain of a few edits
//! of the identity, which no local optimum can hold back, and one fifth *repair* one of the nearest misses. Once the shortest
//! right chain is proven, chains lose several layers at once: of many deletions drawn, the one that the [surrogate](super::surrogate)
//! expects to save most layers.

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

/// Random deletions among which the most promising is chosen.
const CANDIDATES: usize = 128;

/// Share of these that start from any evaluated chain, right or wrong.
const FROM_ANY: f64 = 0.25;

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

    /// The walk to a chain that an evaluated one becomes when layers are deleted and that would be a new best: of many random
    /// deletions, most of them from right chains, the one that is expected to save most layers.
    pub(super) fn nearby(&mut self, best: usize) -> Option<Vec<NodeIndex>> {
        let fit = self.surrogate.fit();
        let told = |node: &NodeIndex| self.graph.node(*node).told();
        let told: Vec<NodeIndex> = self.graph.indices().filter(told).collect();
        let mut chosen: Option<(f64, NodeIndex, Chain)> = None;
        for _ in 0..CANDIDATES {
            let from = match self.rng.random_bool(FROM_ANY) {
                true => &told,
                false => &self.right,
            };
            let from = from[self.rng.random_range(0..from.len())];
            let mut steps: Vec<chain::Step> = self.graph.node(from).chain.steps().collect();
            let mut drop = (steps.len() + 1).saturating_sub(best).max(1);
            while self.rng.random_bool(0.5) {
                drop += 1;
            }
            if steps.len() < drop + self.params.deep_edits.lengths.min {
                continue;
            }
            for _ in 0..drop {
                steps.remove(self.rng.random_range(0..steps.len()));
            }
            let layers: Vec<chain::Layer> = steps.iter().map(|step| step.layer).collect();
            let gain = fit.chance(&layers) * (best - layers.len()) as f64;
            if chosen.as_ref().is_some_and(|(most, _, _)| gain <= *most) {
                continue;
            }
            let chain = Chain::from_steps(steps);
            if self.graph.find(&chain).is_none() {
                chosen = Some((gain, from, chain));
            }
        }
        let (_, from, chain) = chosen?;
        Some(self.jump(from, chain, JUMP))
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
    fn presets_that_reproduce_a_search_draw_nothing_of_their_own() {
        for (_, preset) in &Preset::ALL[1..] {
            let params = SearchParams::preset(*preset, LAYERS);
            assert_eq!((params.fresh_share, params.repair_share), (0.0, 0.0));
        }
    }
}
