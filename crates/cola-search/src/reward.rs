//! Rewards: the numbers that the tree averages, computed from verdicts.

use super::Feedback;

/// Rewards of wrong chains are multiples of 1/`STEPS`. The margin of a chain differs by about 1e-6 between
/// devices and batches; without rounding, such differences could make two runs of a search diverge.
pub const STEPS: f64 = 64.0;

/// Largest reward of a wrong chain, below the smallest of a right one.
const WRONG_MOST: f64 = 0.4375;

/// The published reward: 1 for a right answer, 0 for a wrong one.
pub fn bare(feedback: Feedback) -> f64 {
    f64::from(u8::from(feedback.correct))
}

/// The reward of `default`, in [0, 1]. A right chain gets at least 1/2, and more the shorter it is. A wrong
/// chain gets less than 1/2: more the closer its margin is to zero, and 0 without a finite margin. So no
/// wrong chain gets more than a right one, whatever their lengths.
pub fn shaped(feedback: Feedback, len: usize, longest: usize) -> f64 {
    if feedback.correct {
        return 1.0 - 0.5 * len as f64 / longest.max(len).max(1) as f64;
    }
    let margin = feedback.margin.filter(|margin| margin.is_finite());
    // A wrong chain may have a margin above zero, for example if its answer was cut off. It counts as zero.
    let closeness = margin.map_or(0.0, |margin| 1.0 / (1.0 - margin.min(0.0)));
    (closeness * WRONG_MOST * STEPS).round() / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(correct: bool, margin: impl Into<Option<f64>>) -> Feedback {
        Feedback::new(correct, margin.into())
    }

    #[test]
    fn the_worst_right_chain_beats_the_best_wrong_one() {
        let worst_right = shaped(told(true, None), 48, 48);
        for margin in [0.0, 3.0, -1e-9, f64::INFINITY, f64::NAN] {
            assert!(shaped(told(false, margin), 1, 48) < worst_right, "{margin}");
        }
    }

    #[test]
    fn among_right_chains_the_shorter_is_better() {
        assert_eq!(shaped(told(true, -2.0), 24, 48), 0.75);
        assert!(shaped(told(true, None), 9, 48) > shaped(told(true, None), 10, 48));
    }

    #[test]
    fn float_noise_in_a_margin_changes_nothing() {
        let reward = |margin| shaped(told(false, margin), 5, 8);
        assert_eq!(reward(-1.0), 14.0 / 64.0);
        assert_eq!(reward(-1.0 + 1e-6), reward(-1.0));
        assert_eq!(shaped(told(false, None), 5, 8), 0.0);
        assert_eq!(reward(f64::NEG_INFINITY), 0.0);
    }
}
