//! How much of what a search finds luck finds too.
//!
//! On the control subsample the same budget is spent twice more: on random chains from the same
//! edit space, and on the same search with a random wrong answer as its target. A search that
//! reaches a *wrong* answer about as often as the right one has shown the reach of the edit space,
//! not that the model knew.

use serde::{Deserialize, Serialize};

use super::{
    outcome::{failed, found, started_right},
    statistics::Proportion,
};
use crate::run::{Controls, SampleRecord};

/// Counts over the control subsample; failed samples are not in it.
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
    /// Baseline-right samples the controls ran on.
    pub right_control_samples: usize,
    /// Of those: samples the search found a shorter right chain for.
    pub search_shortened: usize,
    /// Of those: samples random chains found a shorter right chain for.
    pub random_shortened: usize,
}

impl ControlCounts {
    /// Counts the samples that have controls.
    pub fn of(records: &[SampleRecord]) -> Self {
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
        self.control_samples += 1;
        self.search_fixed += usize::from(found(record).is_some());
        self.random_fixed += usize::from(controls.random.found.is_some());
        match &controls.wrong_target {
            None => self.without_wrong_target += 1,
            Some(outcome) => self.wrong_target_hit += usize::from(outcome.found.is_some()),
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
        assert_eq!(ControlCounts::of(&[record]), ControlCounts::default());
    }
}
