//! The excess where neither answer stood nearer in the unmodified model's own order.
//!
//! The matched wrong answer is the one whose score is nearest to the right answer's, but on the questions a model gets wrong the
//! right answer is more often just above its match than just below it, and what stands higher is reached more easily, right or
//! wrong. If only that counted, swapping the two answers would turn both the difference in score `d` and the difference
//! in outcome `D` (1 where only the right answer was reached, -1 where only the matched one was) around: the mean of `D` would
//! be an odd function of `d`. So the constant term of a regression of `D` on an odd function of `d` is what is left of the excess at
//! equal score. The function is `d / (|d| + m)` with `m` the median of `|d|`, which needs no unit.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{
    answers::Source,
    digest::Digest,
    outcome::{failed, found, started_right},
    statistics::{Interval, Mean, percentile},
};
use crate::run::SampleRecord;

/// Fewest samples for an interval.
const FEWEST: usize = 10;

/// Least share of the samples in which the right answer stands higher, and in which it stands lower: with fewer, equal score lies
/// outside of what was seen.
const LEAST_SHARE: f64 = 0.2;

/// The excess of the search or of random chains at equal score, as a share of the samples, with a 95 % interval that allows for
/// unequal variances (White 1980). `None` of fewer than ten samples, or if the right answer stands higher, or lower, in fewer than a fifth.
pub fn excess_at_equal_score(records: &[Digest], source: Source) -> Option<Mean> {
    let pairs: Vec<(f64, f64)> = records
        .iter()
        .filter_map(|record| pair(record, source))
        .collect();
    constant_term(&pairs)
}

/// Difference in score, and in outcome.
fn pair(record: &SampleRecord, source: Source) -> Option<(f64, f64)> {
    if failed(record) || started_right(record) {
        return None;
    }
    let controls = record.controls.as_ref()?;
    let matched = controls.matched_target.as_ref()?;
    let score = |holds: &dyn Fn(&crate::run::Candidate) -> bool| {
        record.candidates.iter().find(|c| holds(c)).map(|c| c.score)
    };
    let gold = score(&|c| c.gold)?;
    let wrong = score(&|c| !c.gold && c.answer == matched.target)?;
    let (right, other) = match source {
        Source::Search => (found(record).is_some(), matched.found.is_some()),
        Source::Random => (
            controls.random.found.is_some(),
            controls.random.found_matched.is_some(),
        ),
    };
    let number = |reached| f64::from(u8::from(reached));
    Some((gold - wrong, number(right) - number(other)))
}

fn constant_term(pairs: &[(f64, f64)]) -> Option<Mean> {
    let n = pairs.len();
    if n < FEWEST {
        return None;
    }
    let share = |holds: &dyn Fn(f64) -> bool| {
        pairs.iter().filter(|(score, _)| holds(*score)).count() as f64 / n as f64
    };
    if share(&|score| score > 0.0) < LEAST_SHARE || share(&|score| score < 0.0) < LEAST_SHARE {
        return None;
    }
    let mut sizes: Vec<f64> = pairs.iter().map(|(score, _)| score.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let unit = percentile(&sizes, 50.0)?;
    let odd = |score: f64| match score.abs() + unit {
        0.0 => 0.0,
        size => score / size,
    };
    let points: Vec<(f64, f64)> = pairs
        .iter()
        .map(|&(score, outcome)| (odd(score), outcome))
        .collect();
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n as f64;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let spread: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / spread;
    let value = y - slope * x;
    let variance: f64 = points
        .iter()
        .map(|p| {
            let weight = 1.0 / n as f64 - x * (p.0 - x) / spread;
            (weight * (p.1 - value - slope * p.0)).powi(2)
        })
        .sum();
    let freedom = (n - 2) as f64;
    let half = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.975)
        * (variance * n as f64 / freedom).sqrt();
    Some(Mean {
        n,
        value,
        interval: Some(Interval {
            low: value - half,
            high: value + half,
        }),
    })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Outcomes that hang on the scores alone, but for `extra`, the chance by which the right answer is reached besides. The right
    /// answer stands higher in most samples, as on real questions.
    fn drawn(samples: usize, extra: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let reached =
            |rng: &mut ChaCha8Rng, score: f64| rng.random::<f64>() < 1.0 / (1.0 + (-score).exp());
        let pair = |rng: &mut ChaCha8Rng| {
            let (gold, wrong) = (
                3.0 * rng.random::<f64>() - 2.0,
                3.0 * rng.random::<f64>() - 2.6,
            );
            let right = reached(rng, gold) || rng.random::<f64>() < extra;
            let other = reached(rng, wrong);
            (
                gold - wrong,
                f64::from(u8::from(right)) - f64::from(u8::from(other)),
            )
        };
        (0..samples).map(|_| pair(&mut rng)).collect()
    }

    #[test]
    fn what_only_the_order_explains_is_no_excess() {
        let pairs = drawn(20_000, 0.0, 1);
        let plain = pairs.iter().map(|p| p.1).sum::<f64>() / pairs.len() as f64;
        assert!(plain > 0.08, "{plain}");
        let left = constant_term(&pairs).unwrap();
        assert!(left.value.abs() < 0.02, "{left:?}");
    }

    #[test]
    fn what_is_beyond_the_order_stays() {
        let left = constant_term(&drawn(20_000, 0.3, 2)).unwrap();
        assert!((0.1..0.3).contains(&left.value), "{left:?}");
    }

    #[test]
    fn the_interval_holds_nothing_as_often_as_it_says() {
        let holds = |seed| {
            let interval = constant_term(&drawn(150, 0.0, seed))
                .unwrap()
                .interval
                .unwrap();
            interval.low <= 0.0 && interval.high >= 0.0
        };
        let held = (0..400).filter(|&seed| holds(100 + seed)).count();
        assert!((366..=394).contains(&held), "{held} of 400");
    }

    #[test]
    fn few_samples_or_equal_scores_give_none() {
        assert_eq!(constant_term(&drawn(9, 0.0, 3)), None);
        assert_eq!(constant_term(&[(1.0, 1.0); 20]), None);
        assert_eq!(constant_term(&[(0.0, 1.0); 20]), None);
    }
}
