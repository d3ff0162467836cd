//! Depth against degradation: the shortest right chain of every sample at several bounds, from the one run.

use serde::{Deserialize, Serialize};

use super::{
    digest::Digest,
    outcome::{failed, started_right},
    statistics::Mean,
};

/// The bounds of the curve, nats a token; after them comes none.
pub const BOUNDS: [f64; 4] = [0.1, 0.2, 0.5, 1.0];

/// What is left of a run's right chains at one bound on degradation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtBound {
    /// The bound, nats a token; `None` for none.
    pub bound: Option<f64>,
    /// Samples, failed ones included.
    pub samples: usize,
    /// Samples that a chain within the bound answers right, the unmodified model included. The search aimed at its own bound,
    /// and only at that one its best chains were run again to confirm them.
    pub right: usize,
    /// Of those, samples that the unmodified model gets wrong.
    pub fixed: usize,
    /// Mean length of their shortest right chains.
    pub depth: Option<Mean>,
    /// Of the samples that the unmodified model gets right, the mean length of the shortest right chains.
    pub depth_of_right: Option<Mean>,
}

impl AtBound {
    /// The curve of a run: 0.1, 0.2, 0.5 and 1 nats, and no bound.
    pub fn curve(records: &[Digest]) -> Vec<Self> {
        let bounds = BOUNDS.map(Some).into_iter().chain([None]);
        let at = |(nth, bound)| Self::of(records, nth, bound);
        bounds.enumerate().map(at).collect()
    }

    fn of(records: &[Digest], nth: usize, bound: Option<f64>) -> Self {
        let (mut depths, mut of_right, mut fixed) = (Vec::new(), Vec::new(), 0);
        for record in records.iter().filter(|record| !failed(record)) {
            let Some(shortest) = record.facts.shortest_right[nth] else {
                continue;
            };
            depths.push(shortest as f64);
            match started_right(record) {
                true => of_right.push(shortest as f64),
                false => fixed += 1,
            }
        }
        Self {
            bound,
            samples: records.len(),
            right: depths.len(),
            fixed,
            depth: Mean::of(&depths),
            depth_of_right: Mean::of(&of_right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::fixtures::sample, run::SampleRecord};

    #[test]
    fn the_shortest_right_chain_within_each_bound_counts() {
        let degrade = |record: &mut SampleRecord, chain: &str, nats: f64| {
            let chain = chain.parse().unwrap();
            let evaluations = record.evaluations.iter_mut();
            for evaluation in evaluations.filter(|e| e.chain == chain) {
                evaluation.degradation = Some(nats);
            }
        };
        let right = sample("t", 0)
            .baseline(true)
            .tried("0-2", true)
            .tried("0", true)
            .with(|record| {
                degrade(record, "0-2", 0.15);
                degrade(record, "0", 3.0);
            })
            .build();
        let wrong = sample("t", 1)
            .tried("0-1", true)
            .with(|record| degrade(record, "0-1", 0.7))
            .build();
        let curve = AtBound::curve(&[right, wrong, sample("t", 2).build()].map(Digest::from));
        let depth = |at: &AtBound| (at.right, at.fixed, at.depth_of_right.map(|d| d.value));
        let found: Vec<_> = curve.iter().map(depth).collect();
        assert_eq!(
            found,
            [
                (1, 0, Some(4.0)),
                (1, 0, Some(3.0)),
                (1, 0, Some(3.0)),
                (2, 1, Some(3.0)),
                (2, 1, Some(1.0)),
            ]
        );
        assert!(curve.iter().all(|at| at.samples == 3));
    }
}
