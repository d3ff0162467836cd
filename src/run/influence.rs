//! How much each layer of the unmodified model changes a sample, for searches that go by it.
//!
//! Searches use the order of the layers, not the values, and the order must not depend on the batch that the unmodified model
//! ran in: where two layers are too near, it runs isolated.

use cola_engine::Outcome;

/// Influence of each layer, mean over the rows; `None` where a row has none, or one is not finite.
pub fn mean_influence(outcomes: &[Outcome]) -> Option<Vec<f64>> {
    let mut mean: Vec<f64> = Vec::new();
    for outcome in outcomes {
        let influence = outcome.influence.as_ref()?;
        mean.resize(influence.len(), 0.0);
        for (sum, value) in mean.iter_mut().zip(influence) {
            *sum += value / outcomes.len() as f64;
        }
    }
    (!mean.is_empty() && mean.iter().all(|value| value.is_finite())).then_some(mean)
}

/// Whether another batch could put the layers in another order: two influences differ by less than a ten-thousandth of them.
pub fn is_order_near_tie(influence: &[f64]) -> bool {
    let mut sorted = influence.to_vec();
    sorted.sort_by(f64::total_cmp);
    let near = |pair: &[f64]| pair[1] - pair[0] < 1e-4 * pair[1].abs() + 1e-7;
    sorted.windows(2).any(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fakes::outcome;

    fn of(influence: Option<Vec<f64>>) -> Outcome {
        Outcome {
            influence,
            ..outcome(1)
        }
    }

    #[test]
    fn rows_are_averaged_and_what_is_not_finite_is_nothing() {
        let rows = [of(Some(vec![0.5, 0.25])), of(Some(vec![0.25, 0.75]))];
        assert_eq!(mean_influence(&rows), Some(vec![0.375, 0.5]));
        assert_eq!(mean_influence(&[of(Some(vec![0.5])), of(None)]), None);
        assert_eq!(mean_influence(&[of(Some(vec![0.5, f64::NAN]))]), None);
        assert_eq!(mean_influence(&[]), None);
    }

    #[test]
    fn layers_that_a_batch_could_reorder_are_near_ties() {
        assert!(is_order_near_tie(&[0.3, 0.1, 0.300_01]));
        assert!(!is_order_near_tie(&[0.3, 0.1, 0.301]));
        assert!(is_order_near_tie(&[0.0, 0.0]));
    }
}
