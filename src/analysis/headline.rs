//! The two numbers that say what is beyond luck, in the form of the JSON summary: keys are always there, and a number that does
//! not exist is null.

use serde::{Deserialize, Serialize};

use super::{
    selectivity::Selectivity,
    statistics::{Excess, Interval, Mean, Paired},
};

/// The search for the right answer beside the same search for a matched wrong one, on the same samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ExcessCounts {
    /// Samples that the unmodified model gets wrong and that have a matched wrong answer.
    pub wrong_samples: usize,
    /// Of those, samples in which the right answer was reached.
    pub fixed: usize,
    /// Of those, samples in which the matched wrong answer was reached.
    pub wrong_target_hit: usize,
    /// Lower end of the paired 95 % interval of (`fixed` - `wrong_target_hit`) / `wrong_samples`.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The difference as a share of the samples.
    pub value: Option<f64>,
    /// McNemar's exact test, two-sided.
    pub p_value: Option<f64>,
    /// What is left of the difference where the right answer and the matched one have the same score under the unmodified
    /// model; null where too few samples say so.
    pub at_equal_score: Option<Mean>,
}

impl ExcessCounts {
    /// What two searches reached on the same samples.
    pub fn of(paired: Paired, at_equal_score: Option<Mean>) -> Self {
        let excess = paired.excess();
        Self {
            wrong_samples: paired.of,
            fixed: paired.first().hits,
            wrong_target_hit: paired.second().hits,
            low: excess.map(|e| e.interval.low),
            high: excess.map(|e| e.interval.high),
            value: excess.map(|e| e.value),
            p_value: excess.map(|e| e.p_value),
            at_equal_score,
        }
    }

    /// The difference with its interval; `None` of no samples.
    pub fn excess(self) -> Option<Excess> {
        Some(Excess {
            value: self.value?,
            interval: Interval {
                low: self.low?,
                high: self.high?,
            },
            p_value: self.p_value?,
        })
    }
}

/// The odds of the right answer against a wrong one of its rank in the unmodified model's order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SelectivityCounts {
    /// Above 1 chains prefer the right answer; null where no chain says anything.
    pub value: Option<f64>,
    /// Lower end of the 95 % interval, from resampling samples; null of fewer than ten.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Chains within the bound that gave another answer than the unmodified model, on samples that it gets wrong.
    pub chains: usize,
    /// Those samples.
    pub samples: usize,
    /// Of the chains, those that gave the right answer.
    pub right: usize,
}

impl SelectivityCounts {
    /// The JSON form of a selectivity.
    pub fn of(selectivity: Option<Selectivity>) -> Self {
        let Some(s) = selectivity else {
            return Self::default();
        };
        Self {
            value: Some(s.odds),
            low: s.interval.map(|i| i.low),
            high: s.interval.map(|i| i.high),
            chains: s.right + s.wrong,
            samples: s.samples,
            right: s.right,
        }
    }

    /// The odds with their interval, where there is one.
    pub fn with_interval(self) -> Option<(f64, Interval)> {
        let (low, high) = (self.low?, self.high?);
        Some((self.value?, Interval { low, high }))
    }
}
