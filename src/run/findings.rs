//! What is known of a sample so far, as its record will say it.

use std::collections::VecDeque;

use super::{Candidate, ControlOutcome, Evaluation, RandomOutcome, Sampled};
use cola_search::{Health, chain::Chain};

/// What is known of the sample so far, as its record will say it.
#[derive(Default)]
pub struct Findings {
    pub candidates: Vec<Candidate>,
    pub baseline: Option<Evaluation>,
    pub evaluations: Vec<Evaluation>,
    /// Right chains within the bound, in the order they were told.
    pub right: Vec<Chain>,
    pub best: Option<Evaluation>,
    pub unconfirmed: Vec<Chain>,
    pub health: Option<Health>,
    pub random: Option<RandomOutcome>,
    pub matched_target: Option<ControlOutcome>,
    pub wrong_target: Option<ControlOutcome>,
    pub sampling: Vec<Sampled>,
}

impl Findings {
    /// Right chains of the search within the bound, shortest first; of equal length in the order they were tried.
    pub fn right_chains(&self) -> VecDeque<Chain> {
        let mut right = self.right.clone();
        right.sort_by_key(Chain::len);
        right.into()
    }

    /// Drops what the controls found.
    pub fn forget_controls(&mut self) {
        self.random = None;
        self.matched_target = None;
        self.wrong_target = None;
        self.sampling.clear();
    }
}

/// Keeps the first of the shortest chains that reached an answer.
pub fn keep_shortest(found: &mut Option<Chain>, chain: &Chain, reached: bool) {
    if reached && found.as_ref().is_none_or(|found| chain.len() < found.len()) {
        *found = Some(chain.clone());
    }
}
