//! Random chains, without a tree: the baseline that a search must beat with the same budget.

use std::collections::HashSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Ask, Feedback, Health, SearchParams, Strategy};
use crate::chain::Chain;

/// Number of consecutive draws of known chains after which the space counts as exhausted.
const TRIES: usize = 1000;

/// Compositions of one to `random_edits` random edits of the identity, each chain once.
pub(super) struct RandomChains {
    params: SearchParams,
    rng: ChaCha8Rng,
    seen: HashSet<Chain>,
    outstanding: Vec<Chain>,
    /// Number of chains returned by `ask`, and the sum and maximum of their numbers of edits.
    chains: usize,
    edits: usize,
    most_edits: usize,
    /// Number of chains of one edit.
    single: usize,
    exhausted: bool,
}

impl RandomChains {
    pub(super) fn new(params: SearchParams, seed: u64) -> Self {
        Self {
            params,
            rng: ChaCha8Rng::seed_from_u64(seed),
            seen: HashSet::new(),
            outstanding: Vec::new(),
            chains: 0,
            edits: 0,
            most_edits: 0,
            single: 0,
            exhausted: false,
        }
    }

    fn ask_for(&mut self, chain: Chain, edits: usize) -> Ask {
        self.seen.insert(chain.clone());
        self.outstanding.push(chain.clone());
        self.chains += 1;
        self.edits += edits;
        self.most_edits = self.most_edits.max(edits);
        self.single += usize::from(edits == 1);
        Ask::Evaluate(chain)
    }

    /// Draws a random chain, and returns it with its number of edits. There are fewer edits than drawn if
    /// no further edit was legal.
    fn draw(&mut self) -> (Chain, usize) {
        let mut chain = Chain::identity(self.params.layers);
        let wanted = self.rng.random_range(1..=self.params.random_edits.max(1));
        for done in 0..wanted {
            let space = self.params.edits_at(done as u32);
            let edit = space.random_edit(&chain, |n| self.rng.random_range(0..n));
            match edit.and_then(|edit| edit.apply(&chain)) {
                Some(edited) => chain = edited,
                None => return (chain, done),
            }
        }
        (chain, wanted)
    }
}

impl Strategy for RandomChains {
    fn ask(&mut self) -> Ask {
        if self.chains == 0 {
            return self.ask_for(Chain::identity(self.params.layers), 0);
        }
        if !self.exhausted && self.chains < self.params.simulations {
            for _ in 0..TRIES {
                let (chain, edits) = self.draw();
                if !self.seen.contains(&chain) {
                    return self.ask_for(chain, edits);
                }
            }
            self.exhausted = true;
        }
        match self.outstanding.is_empty() {
            true => Ask::Done,
            false => Ask::Wait,
        }
    }

    fn tell(&mut self, chain: &Chain, _: Feedback) {
        self.outstanding.retain(|outstanding| outstanding != chain);
    }

    fn health(&self) -> Health {
        let root_edits = self
            .params
            .root_edits
            .count(&Chain::identity(self.params.layers));
        let told = self.chains - self.outstanding.len();
        Health {
            max_depth: self.most_edits,
            mean_depth: self.edits as f64 / self.chains.max(1) as f64,
            root_coverage: self.single as f64 / root_edits.max(1) as f64,
            exhausted: self.exhausted,
            ..Health::without_tree(told)
        }
    }
}
