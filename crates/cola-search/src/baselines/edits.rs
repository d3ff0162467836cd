//! `random`, `single-edits` and `double-edits`: chains of few edits, whatever the verdicts are.

use std::vec;

use rand::seq::SliceRandom;

use super::{Draft, Ledger, Next, Proposer};
use crate::{
    Prefixes,
    chain::{Chain, Edit},
};

/// `random`: compositions of one to `random_edits` random edits of the identity.
pub struct Random;

impl Proposer for Random {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        ledger.new_chain().into()
    }
}

/// `single-edits`: every chain of one legal edit; in random order if the budget does not hold them all.
pub struct Singles {
    edits: vec::IntoIter<Edit>,
}

impl Singles {
    /// Lists the edits, in random order if the budget does not hold them all or `shuffled` is set.
    pub fn new(ledger: &mut Ledger, shuffled: bool) -> Self {
        let identity = Chain::identity(ledger.params.layers);
        let mut edits = ledger.params.root_edits.edits(&identity);
        if shuffled || !holds(ledger, &identity, &edits) {
            edits.shuffle(&mut ledger.rng);
        }
        Self {
            edits: edits.into_iter(),
        }
    }
}

/// Whether the budget holds the identity and all of the edits.
fn holds(ledger: &Ledger, identity: &Chain, edits: &[Edit]) -> bool {
    if edits.len() >= ledger.params.simulations {
        return false;
    }
    ledger.params.budget_steps.is_none_or(|budget| {
        let mut prefixes = Prefixes::default();
        prefixes.insert(identity);
        edits.iter().all(|edit| {
            if let Some(edited) = edit.apply(identity) {
                prefixes.insert(&edited);
            }
            prefixes.steps() <= budget
        })
    })
}

impl Proposer for Singles {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        let identity = Chain::identity(ledger.params.layers);
        let mut edited = self.edits.by_ref().filter_map(|edit| edit.apply(&identity));
        let chain = edited.find(|chain| !ledger.knows(chain));
        chain.map(|chain| Draft { chain, edits: 1 }).into()
    }
}

/// `double-edits`: every chain of one edit, in random order; then random chains of two.
pub struct Doubles(pub Singles);

impl Proposer for Doubles {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        match self.0.next(ledger) {
            // All chains of fewer edits were asked for, so that a new one has two.
            Next::Exhausted => ledger.new_draw(|ledger| ledger.random_chain(2)).into(),
            next => next,
        }
    }
}
