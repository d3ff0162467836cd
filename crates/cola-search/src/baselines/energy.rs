//! The order in which baselines compare chains.

use crate::{Feedback, SearchParams, reward};

/// How far a chain is from the shortest right one: lower is better.
///
/// The fields are in the order of the comparison. Right chains come before all wrong ones, the shorter first.
/// Wrong chains come by their shaped reward, then by their degradation, then by their length. Reward and
/// degradation are rounded, so that float noise in a margin changes nothing. Of equal chains the one asked
/// for first is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Energy {
    wrong: bool,
    /// 1 minus the shaped reward, in units of 1/`STEPS`; 0 for a right chain.
    miss: u32,
    /// Degradation in units of 1/`STEPS` nats; the worst if unknown. 0 for a right chain.
    degradation: i64,
    len: usize,
    /// Place of the chain in the order of asking.
    asked: usize,
}

impl Energy {
    /// The energy of a told chain. Searches by verdicts alone, and the presets of published searches, ignore
    /// margin and degradation.
    pub fn new(feedback: Feedback, len: usize, asked: usize, params: &SearchParams) -> Self {
        let bare = params.verdict_only || !params.shaped_reward;
        let feedback = match bare {
            true => Feedback::new(feedback.correct, None),
            false => feedback,
        };
        let (miss, degradation) = match feedback.correct {
            true => (0, 0),
            false => {
                let reward = reward::shaped(feedback, len, longest(params));
                (
                    ((1.0 - reward) * reward::STEPS).round() as u32,
                    rounded(feedback.degradation),
                )
            }
        };
        Self {
            wrong: !feedback.correct,
            miss,
            degradation,
            len,
            asked,
        }
    }

    /// The energy on a scale from 0 to 1: 1 minus the shaped reward. Right chains are at most at 1/2, wrong
    /// ones at least at 9/16.
    pub fn scaled(&self, params: &SearchParams) -> f64 {
        match self.wrong {
            true => f64::from(self.miss) / reward::STEPS,
            false => 0.5 * self.len as f64 / longest(params).max(self.len).max(1) as f64,
        }
    }
}

fn longest(params: &SearchParams) -> usize {
    params.deep_edits.lengths.max
}

fn rounded(degradation: Option<f64>) -> i64 {
    let finite = degradation.filter(|nats| nats.is_finite());
    finite.map_or(i64::MAX, |nats| (nats * reward::STEPS).round() as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Preset;

    fn energy(params: &SearchParams, told: (bool, f64, f64), len: usize) -> Energy {
        let (correct, margin, degradation) = told;
        let feedback = Feedback {
            degradation: Some(degradation),
            ..Feedback::new(correct, Some(margin))
        };
        Energy::new(feedback, len, 0, params)
    }

    #[test]
    fn right_comes_first_then_margin_then_degradation_then_length() {
        let params = SearchParams::preset(Preset::Default, 8);
        let sorted = [
            ((true, -9.0, 9.0), 3),
            ((true, 1.0, 0.0), 4),
            ((false, -0.5, 3.0), 8),
            ((false, -2.0, 0.1), 9),
            ((false, -2.0, 0.4), 1),
            ((false, -2.0, 0.4), 2),
            ((false, -2.0, f64::NAN), 1),
        ];
        let energies = sorted.map(|(told, len)| energy(&params, told, len));
        assert!(energies.is_sorted_by(|a, b| a < b), "{energies:?}");
        let first = Energy::new(Feedback::new(false, None), 5, 6, &params);
        let second = Energy::new(Feedback::new(false, None), 5, 7, &params);
        assert!(first < second, "order of asking");
    }

    #[test]
    fn searches_by_verdicts_know_only_right_wrong_and_length() {
        let mut verdicts = SearchParams::preset(Preset::Default, 8);
        verdicts.verdict_only = true;
        for params in [verdicts, SearchParams::preset(Preset::ColaPaper, 8)] {
            let (near, far) = ((false, -0.1, 0.0), (false, -7.0, 5.0));
            assert_eq!(energy(&params, near, 5), energy(&params, far, 5));
        }
    }

    proptest! {
        #[test]
        fn the_scale_keeps_the_order_and_noise_changes_nothing(
            chains in prop::collection::vec((any::<bool>(), -300..4_i32, -40..200_i32, 1..40_usize), 2)
        ) {
            let params = SearchParams::preset(Preset::Default, 16);
            let energies = |noise: f64| -> Vec<Energy> {
                let of = |&(correct, margin, nats, len): &(bool, i32, i32, usize)| {
                    let told = (correct, f64::from(margin) / 10.0, f64::from(nats) / 10.0);
                    energy(&params, (told.0, told.1 + noise, told.2 - noise), len)
                };
                chains.iter().map(of).collect()
            };
            let told = energies(0.0);
            prop_assert_eq!(&told, &energies(1e-6));
            let scaled: Vec<f64> = told.iter().map(|energy| energy.scaled(&params)).collect();
            prop_assert!(scaled.iter().all(|energy| (0.0..=1.0).contains(energy)));
            if told[0] < told[1] {
                prop_assert!(scaled[0] <= scaled[1]);
            }
        }
    }
}
