//! Whether a chain still reads the question.
//!
//! The *prompt loss* of a chain is its mean negative log-probability (nats a token) of the prompt's own tokens, at the
//! positions that a row reads for it. The *degradation* of a chain is its prompt loss less that of the unmodified model on the
//! same sample. It needs no label: a chain of single layers that is no language model any more has a degradation of many nats,
//! and an answer it gives right is luck. A run may set a bound; a chain beyond it is never best, whatever it answers.

use std::sync::Arc;

use super::assessed::Reached;
use cola_engine::{Outcome, Row};
use cola_search::Feedback;

/// Mean loss on the prompts of a problem's rows, nats a token: infinite where a state was not finite, `None` where no row
/// reads its prompt's loss.
pub fn prompt_loss(rows: &[Arc<Row>], outcomes: &[Outcome]) -> Option<f64> {
    let (mut total, mut positions) = (0.0, 0);
    for (row, outcome) in rows.iter().zip(outcomes) {
        if let Some(loss) = outcome.prompt_loss {
            total += loss * row.loss_reads().len() as f64;
            positions += row.loss_reads().len();
        }
    }
    (positions > 0).then(|| total / positions as f64)
}

/// The degradation of a chain; `None` where the unmodified model has no finite loss to compare with.
pub fn degradation(loss: Option<f64>, unmodified: Option<f64>) -> Option<f64> {
    let unmodified = unmodified.filter(|loss| loss.is_finite())?;
    loss.map(|loss| loss - unmodified)
}

/// The bound of a run, and what the unmodified model's loss on one sample is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fluency {
    /// Most degradation that counts; `None` for no bound.
    pub max_degradation: Option<f64>,
    /// Degradations that differ by less can come from the other rows of a batch.
    pub near_tie_nats: f64,
    /// Prompt loss of the unmodified model.
    pub unmodified: Option<f64>,
    /// The same, run isolated: known once a degradation was near the bound.
    pub unmodified_isolated: Option<f64>,
}

impl Fluency {
    /// The degradation of a chain with this prompt loss. A chain near the bound ran isolated, and is compared with the loss
    /// of the unmodified model when that ran isolated.
    pub fn degradation(&self, loss: Option<f64>) -> Option<f64> {
        match self.unmodified_isolated {
            Some(isolated) if self.is_near_bound(loss) => degradation(loss, Some(isolated)),
            _ => degradation(loss, self.unmodified),
        }
    }

    /// Whether another batch could put the chain on the other side of the bound.
    pub fn is_near_bound(&self, loss: Option<f64>) -> bool {
        let distance = degradation(loss, self.unmodified).zip(self.max_degradation);
        distance.is_some_and(|(nats, bound)| (nats - bound).abs() < self.near_tie_nats)
    }

    /// Nats a token beyond the bound: above 0 the chain does not count. `None` where there is no bound or no loss.
    fn nats_beyond(&self, loss: Option<f64>) -> Option<f64> {
        Some(self.degradation(loss)? - self.max_degradation?)
    }

    /// Whether a chain with this prompt loss counts.
    pub fn holds(&self, loss: Option<f64>) -> bool {
        self.nats_beyond(loss).is_none_or(|nats| nats <= 0.0)
    }

    /// What a search is told of a verdict: beyond the bound it is wrong, by the more the further it is beyond.
    pub fn feedback(&self, verdict: Reached, loss: Option<f64>) -> Feedback {
        let beyond = self.nats_beyond(loss).filter(|&nats| nats > 0.0);
        Feedback {
            correct: verdict.correct && beyond.is_none(),
            margin: match beyond {
                None => verdict.margin(),
                Some(nats) => verdict.margin().map(|margin| margin.min(0.0) - nats),
            },
            degradation: self.degradation(loss),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::exact::Exact;

    fn verdict(margin: f64) -> Reached {
        Reached {
            correct: margin > 0.0,
            margin: Some(Exact(margin)),
        }
    }

    fn fluency(max_degradation: Option<f64>) -> Fluency {
        Fluency {
            max_degradation,
            near_tie_nats: 1e-3,
            unmodified: Some(2.0),
            unmodified_isolated: None,
        }
    }

    #[test]
    fn beyond_the_bound_a_right_chain_is_wrong_by_its_distance() {
        let told = |margin, loss| fluency(Some(0.5)).feedback(verdict(margin), Some(loss));
        let inside = told(3.0, 2.5);
        assert_eq!(
            (inside.correct, inside.margin, inside.degradation),
            (true, Some(3.0), Some(0.5))
        );
        let outside = told(3.0, 4.0);
        assert_eq!((outside.correct, outside.margin), (false, Some(-1.5)));
        // A wrong one is further away still.
        assert_eq!(told(-1.0, 4.0).margin, Some(-2.5));
        let broken = told(3.0, f64::INFINITY);
        assert_eq!(
            (broken.correct, broken.margin),
            (false, Some(f64::NEG_INFINITY))
        );
    }

    #[test]
    fn without_a_bound_or_a_loss_every_chain_counts() {
        assert!(fluency(None).holds(Some(99.0)));
        assert!(fluency(Some(0.5)).holds(None));
        let unmeasured = Fluency {
            unmodified: None,
            ..fluency(Some(0.5))
        };
        assert!(unmeasured.holds(Some(99.0)));
        assert_eq!(unmeasured.degradation(Some(99.0)), None);
    }

    #[test]
    fn near_the_bound_what_ran_isolated_is_compared_with_what_ran_isolated() {
        let mut fluency = fluency(Some(0.5));
        assert!(fluency.is_near_bound(Some(2.5005)) && fluency.is_near_bound(Some(2.4995)));
        assert!(!fluency.is_near_bound(Some(2.6)));
        assert!(!fluency.holds(Some(2.5005)));
        fluency.unmodified_isolated = Some(2.0006);
        assert!(fluency.holds(Some(2.5005)));
        assert!(!fluency.holds(Some(2.6)));
    }
}
