//! What a baseline knows of its search so far.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::energy::Energy;
use crate::{
    Feedback, Health, Prefixes, SearchParams,
    chain::{Chain, EditSpace},
    health::root_coverage,
};

/// Place of a chain in the order of asking; the identity is 0.
pub type Id = usize;

/// Random edits that are drawn before the legal edits are listed.
const EDIT_TRIES: usize = 16;

/// Consecutive draws of known chains after which no random chain is expected to be new.
const CHAIN_TRIES: usize = 1000;

/// A chain to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The chain.
    pub chain: Chain,
    /// Number of edits that made it from the identity.
    pub edits: usize,
}

struct Entry {
    draft: Draft,
    /// `None` while the chain is outstanding.
    energy: Option<Energy>,
}

/// The chains asked for, their verdicts, and the source of randomness.
pub struct Ledger {
    /// Parameters of the search.
    pub params: SearchParams,
    /// Source of all randomness.
    pub rng: ChaCha8Rng,
    entries: Vec<Entry>,
    /// Entry of each chain. Used for look-ups only, since the order of a hash map differs between runs.
    index: HashMap<Chain, Id>,
    outstanding: usize,
    /// Steps of the chains asked for; empty unless they are bounded.
    prefixes: Prefixes,
}

impl Ledger {
    pub(super) fn new(params: SearchParams, seed: u64) -> Self {
        Self {
            params,
            rng: ChaCha8Rng::seed_from_u64(seed),
            entries: Vec::new(),
            index: HashMap::new(),
            outstanding: 0,
            prefixes: Prefixes::default(),
        }
    }

    /// Number of chains asked for, which is the [`Id`] of the next one.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of chains whose verdict is not known yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether the chain was asked for.
    pub fn knows(&self, chain: &Chain) -> bool {
        self.index.contains_key(chain)
    }

    /// The energy of a chain; `None` while it is outstanding or not asked for.
    pub fn energy(&self, id: Id) -> Option<Energy> {
        self.entries.get(id)?.energy
    }

    /// Share of the budget used, from 0 to 1: of simulations or of layer steps, whichever is more.
    pub fn progress(&self) -> f64 {
        let share = |used: usize, all: usize| used as f64 / all.max(1) as f64;
        let steps = self.params.budget_steps;
        let steps = steps.map_or(0.0, |steps| share(self.prefixes.steps(), steps));
        share(self.len(), self.params.simulations)
            .max(steps)
            .min(1.0)
    }

    /// A random edit of a chain that gives a chain not asked for; `None` if there is none.
    pub fn new_edit(&mut self, id: Id) -> Option<Draft> {
        let Draft { chain, edits } = self.entries[id].draft.clone();
        let space: EditSpace = *self.params.edits_at(edits as u32);
        let draft = |chain| Draft {
            chain,
            edits: edits + 1,
        };
        for _ in 0..EDIT_TRIES {
            let edit = space.random_edit(&chain, |n| self.rng.random_range(0..n))?;
            let edited = edit.apply(&chain).filter(|edited| !self.knows(edited));
            if let Some(edited) = edited {
                return Some(draft(edited));
            }
        }
        let edited = space.edits(&chain).into_iter();
        let edited = edited.filter_map(|edit| edit.apply(&chain));
        let mut left: Vec<Chain> = edited.filter(|edited| !self.knows(edited)).collect();
        if left.is_empty() {
            return None;
        }
        let drawn = self.rng.random_range(0..left.len());
        Some(draft(left.swap_remove(drawn)))
    }

    /// A chain of 1 to `random_edits` random edits that was not asked for; `None` if many draws give none.
    pub fn new_chain(&mut self) -> Option<Draft> {
        let most = self.params.random_edits.max(1);
        self.new_draw(|ledger| {
            let edits = ledger.rng.random_range(1..=most);
            ledger.random_chain(edits)
        })
    }

    /// The first of many draws that gives a chain not asked for.
    pub fn new_draw(&mut self, mut draw: impl FnMut(&mut Self) -> Draft) -> Option<Draft> {
        for _ in 0..CHAIN_TRIES {
            let draft = draw(self);
            if !self.knows(&draft.chain) {
                return Some(draft);
            }
        }
        None
    }

    /// A chain of so many random edits of the identity; fewer where none is legal.
    pub fn random_chain(&mut self, edits: usize) -> Draft {
        let mut chain = Chain::identity(self.params.layers);
        for done in 0..edits {
            let space = self.params.edits_at(done as u32);
            let edit = space.random_edit(&chain, |n| self.rng.random_range(0..n));
            match edit.and_then(|edit| edit.apply(&chain)) {
                Some(edited) => chain = edited,
                None => return Draft { chain, edits: done },
            }
        }
        Draft { chain, edits }
    }

    /// Records that a chain is asked for.
    pub(super) fn ask(&mut self, draft: Draft) {
        if self.params.budget_steps.is_some() {
            self.prefixes.insert(&draft.chain);
        }
        self.index.insert(draft.chain.clone(), self.len());
        self.outstanding += 1;
        self.entries.push(Entry {
            draft,
            energy: None,
        });
    }

    /// Records a verdict; `None` if the chain is not outstanding.
    pub(super) fn tell(&mut self, chain: &Chain, feedback: Feedback) -> Option<Id> {
        let id = *self.index.get(chain)?;
        let energy = Energy::new(feedback, chain.len(), id, &self.params);
        let told = &mut self.entries[id].energy;
        if told.is_some() {
            return None;
        }
        *told = Some(energy);
        self.outstanding -= 1;
        Some(id)
    }

    pub(super) fn health(&self, exhausted: bool) -> Health {
        let told = |entry: &&Entry| entry.energy.is_some();
        let edits = || {
            let told = self.entries.iter().filter(told);
            told.map(|entry| entry.draft.edits)
        };
        let chains = self.len() - self.outstanding;
        let evaluated = |chain: &Chain| {
            self.index
                .get(chain)
                .is_some_and(|&id| self.energy(id).is_some())
        };
        Health {
            max_depth: edits().max().unwrap_or(0),
            mean_depth: edits().sum::<usize>() as f64 / chains.max(1) as f64,
            root_coverage: root_coverage(&self.params, evaluated),
            exhausted: exhausted && self.outstanding == 0,
            ..Health::without_tree(chains)
        }
    }
}
