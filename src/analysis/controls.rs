//! How much of what a search finds luck finds too.
//!
//! The budget of the search is spent again on random chains from the same edit space, and, where the unmodified model is
//! wrong, on the same search for a wrong answer: one that the model finds about as likely as the right one (*matched*), and one
//! drawn at random. A search that reaches a matched wrong answer about as often as the right one has shown the reach of the
//! edit space, not that the model knew. So what counts is the *excess*, a difference on the same samples.

use serde::{Deserialize, Serialize};

use super::{
    digest::Digest,
    outcome::{failed, found, started_right},
    statistics::{Mean, Paired, Proportion},
};
use crate::run::{ControlOutcome, Controls, SampleRecord};

/// Counts over the samples with controls; failed samples are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlCounts {
    /// Baseline-wrong samples the controls ran on.
    pub control_samples: usize,
    /// Of those: samples the search fixed (confirmed by the re-check).
    pub search_fixed: usize,
    /// Of those: samples random chains fixed.
    pub random_fixed: usize,
    /// Of those: samples in which the search for a random wrong answer reached it.
    pub wrong_target_hit: usize,
    /// Of those: samples without a wrong answer to look for; not in the rate of the one above.
    pub without_wrong_target: usize,
    /// Of those that have a matched wrong answer: the search for the right answer (first) and for that one (second).
    #[serde(default)]
    pub matched: Paired,
    /// The same of random chains.
    #[serde(default)]
    pub random_matched: Paired,
    /// Baseline-right samples the controls ran on.
    pub right_control_samples: usize,
    /// Of those: samples the search found a shorter right chain for.
    pub search_shortened: usize,
    /// Of those: samples random chains found a shorter right chain for.
    pub random_shortened: usize,
}

impl ControlCounts {
    /// Counts the samples that have controls.
    pub fn of(records: &[Digest]) -> Self {
        let mut counts = Self::default();
        for record in records.iter().filter(|record| !failed(record)) {
            match &record.controls {
                None => {}
                Some(controls) if started_right(record) => counts.add_right(record, controls),
                Some(controls) => counts.add_wrong(record, controls),
            }
        }
        counts
    }

    fn add_wrong(&mut self, record: &SampleRecord, controls: &Controls) {
        let fixed = found(record).is_some();
        let random = &controls.random;
        self.control_samples += 1;
        self.search_fixed += usize::from(fixed);
        self.random_fixed += usize::from(random.found.is_some());
        let reached = |outcome: &ControlOutcome| outcome.found.is_some();
        match &controls.wrong_target {
            None => self.without_wrong_target += 1,
            Some(outcome) => self.wrong_target_hit += usize::from(reached(outcome)),
        }
        if let Some(outcome) = &controls.matched_target {
            self.matched.add(fixed, reached(outcome));
            self.random_matched
                .add(random.found.is_some(), random.found_matched.is_some());
        }
    }

    fn add_right(&mut self, record: &SampleRecord, controls: &Controls) {
        let random = controls.random.found.as_ref();
        self.right_control_samples += 1;
        self.search_shortened += usize::from(found(record).is_some() && record.shorter());
        self.random_shortened += usize::from(random.is_some_and(|c| c.len() < record.layers));
    }

    /// How often the search fixed a wrong answer.
    pub fn search(self) -> Proportion {
        Proportion::new(self.search_fixed, self.control_samples)
    }

    /// How often random chains did.
    pub fn random(self) -> Proportion {
        Proportion::new(self.random_fixed, self.control_samples)
    }

    /// How often the search reached a random wrong answer, of the samples that had one.
    pub fn wrong_target(self) -> Proportion {
        let of = self.control_samples - self.without_wrong_target;
        Proportion::new(self.wrong_target_hit, of)
    }

    /// How often the search shortened a right answer's chain.
    pub fn search_shorter(self) -> Proportion {
        Proportion::new(self.search_shortened, self.right_control_samples)
    }

    /// How often random chains did.
    pub fn random_shorter(self) -> Proportion {
        Proportion::new(self.random_shortened, self.right_control_samples)
    }
}

/// Layers that the search saves beyond random chains, on samples the unmodified model gets right: the length of the shortest
/// chain that random chains found less that of the search's. `None` of no such samples.
pub fn layers_saved_beyond_random(records: &[Digest]) -> Option<Mean> {
    let right = records.iter().filter(|record| started_right(record));
    let saved: Vec<f64> = right
        .filter_map(|record| {
            let random = record.controls.as_ref()?.random.found.as_ref()?.len();
            Some(random as f64 - found(record)?.chain.len() as f64)
        })
        .collect();
    Mean::of(&saved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixtures::{sample, small_run};

    #[test]
    fn search_and_controls_are_counted_on_the_same_samples() {
        let run = small_run();
        let arith = ControlCounts::of(run.datasets().next().unwrap().1);
        let by_hand = ControlCounts {
            control_samples: 2,
            search_fixed: 1,
            random_fixed: 1,
            wrong_target_hit: 1,
            without_wrong_target: 1,
            matched: Paired {
                of: 1,
                both: 1,
                first_only: 0,
                second_only: 0,
            },
            random_matched: Paired {
                of: 1,
                both: 1,
                first_only: 0,
                second_only: 0,
            },
            right_control_samples: 1,
            search_shortened: 0,
            random_shortened: 1,
        };
        assert_eq!(arith, by_hand);
        assert_eq!(arith.wrong_target(), Proportion::new(1, 1));
    }

    #[test]
    fn failed_samples_are_not_controls() {
        let record = sample("t", 0)
            .controls(Some("0"), None)
            .failed("broken")
            .build();
        assert_eq!(
            ControlCounts::of(&[record.into()]),
            ControlCounts::default()
        );
    }

    #[test]
    fn layers_are_saved_against_random_chains_of_the_same_sample() {
        let records = [
            sample("t", 0)
                .baseline(true)
                .best("0")
                .controls(Some("0-2"), None)
                .build(),
            sample("t", 1)
                .baseline(true)
                .best("0-3")
                .controls(Some("0-2"), None)
                .build(),
            sample("t", 2).best("0").controls(Some("0-2"), None).build(),
        ];
        let mean = layers_saved_beyond_random(&records.map(Digest::from)).unwrap();
        assert_eq!((mean.n, mean.value), (2, 0.5));
    }
}
