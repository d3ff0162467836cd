//! What the chains of one sample give, one try after the other.

use crate::run::{Evaluation, SampleRecord};
use cola_search::Prefixes;

/// What one sample gives at a number of tries: the chance that one is right, and layer steps.
pub type Given = (f64, f64);

/// What some chains of one sample give, in their order. The unmodified model is the first try, whether it is among the chains or not.
#[derive(Debug, Clone, PartialEq)]
pub struct ChainTries {
    /// Number of the first right one, from 1.
    first: Option<usize>,
    /// Layer steps up to each, where every prefix that chains share runs once.
    steps: Box<[u32]>,
    chains: usize,
}

impl ChainTries {
    /// Of these chains of a sample.
    pub fn of(record: &SampleRecord, evaluations: &[Evaluation]) -> Self {
        let mut prefixes = Prefixes::default();
        let mut steps = Vec::with_capacity(evaluations.len() + 1);
        let (mut total, mut first) = (0u32, None);
        let others = evaluations
            .iter()
            .filter(|e| !e.chain.is_identity(record.layers));
        for (at, evaluation) in record.baseline.iter().chain(others).enumerate() {
            let new = prefixes.insert(&evaluation.chain);
            total = total.saturating_add(u32::try_from(new).unwrap_or(u32::MAX));
            steps.push(total);
            let counts = evaluation.correct
                && record.is_fluent(evaluation)
                && !record.unconfirmed.contains(&evaluation.chain);
            first = first.or(counts.then_some(at + 1));
        }
        Self {
            first,
            steps: steps.into(),
            chains: evaluations.len(),
        }
    }

    /// Number of chains, as recorded.
    pub fn chains(&self) -> usize {
        self.chains
    }

    /// What so many tries give.
    pub fn within(&self, tries: usize) -> Given {
        let found = self.first.is_some_and(|first| first <= tries);
        let run = tries.min(self.steps.len()).checked_sub(1);
        (
            f64::from(u8::from(found)),
            run.map_or(0.0, |last| f64::from(self.steps[last])),
        )
    }
}
