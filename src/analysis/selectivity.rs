//! Whether chains prefer the right answer to wrong ones that the unmodified model finds as likely.
//!
//! A chain that gives up the model's own wrong answer picks another one, and the runner-up is reached most easily, whatever it
//! is. So the right answer is compared with wrong ones *of the same rank* in the unmodified model's own ordering: a conditional
//! logistic model (McFadden 1974) of which answer a chain picks among those that are not the model's own,
//!
//! ```text
//! P(chain picks o) = exp(b [o is right] + g[rank of o]) / (sum of the same over the sample's answers)
//! ```
//!
//! stratified by sample and chain. `exp(b)` is the *selectivity*: the odds of the right answer against a wrong one of its rank.
//! 1 is luck. Chains of one sample are alike, so the interval is a bootstrap over samples.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    answers::{Answer, Source, Within, other_answers},
    digest::Digest,
    statistics::Interval,
};

/// Ranks with a parameter of their own; those after them share the last.
const MOST_RANKS: usize = 6;

/// Resamples of the bootstrap: as many as read [`READ`] samples in all, within these bounds. Of tens of thousands of samples a few
/// hundred resamples take as long as a thousand of a few hundred samples, and say as much.
const RESAMPLES: (usize, usize) = (200, 1000);
const READ: usize = 500_000;
/// Of more samples than this the resampled ones are added up before they are fitted. It changes the last digits only, and those of
/// fewer samples stay what they were.
const MERGED: usize = READ / RESAMPLES.0;
/// Seed of the bootstrap.
const SEED: u64 = 0x7365_6c65_6374;

/// Fewest samples that a bootstrap over samples says something about.
const ENOUGH: usize = 10;

/// Weight of the penalty `|parameters|^2 / 2`: it keeps the odds finite where the right answer was never picked, or always.
const RIDGE: f64 = 0.05;

/// Newton steps: the likelihood is concave, and a handful is enough.
const STEPS: usize = 30;

/// The odds of the right answer against a wrong one of its rank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Selectivity {
    /// Above 1 chains prefer the right answer.
    pub odds: f64,
    /// 95 %, from resampling samples; `None` of fewer than ten.
    pub interval: Option<Interval>,
    /// Samples that the unmodified model gets wrong and that some chain answers otherwise than it.
    pub samples: usize,
    /// Chains that gave the right answer.
    pub right: usize,
    /// Chains that gave one of the wrong ones that are not the model's own.
    pub wrong: usize,
}

/// What the chains of one sample picked, of the answers that are not the model's own, best first in its ordering; or those of several
/// samples of which the right answer has the same rank, added up.
#[derive(Debug, Clone, PartialEq)]
struct Picks {
    gold: usize,
    counts: Vec<f64>,
}

impl Selectivity {
    /// Over the chains of `source` that are `within`. `None` where no sample says anything: it takes one that the unmodified model
    /// gets wrong, with two answers beside its own.
    pub fn of(records: &[Digest], source: Source, within: Within) -> Option<Self> {
        let picks: Vec<Picks> = records
            .iter()
            .filter_map(|record| picks(record, source, within))
            .collect();
        let parameters = fit(picks.iter().map(|picks| (picks, 1.0)), None)?;
        let right = |picks: &Picks| picks.counts[picks.gold];
        let all = |picks: &Picks| picks.counts.iter().sum::<f64>();
        Some(Self {
            odds: parameters[0].exp(),
            interval: bootstrap(&picks, &parameters),
            samples: picks.len(),
            right: picks.iter().map(right).sum::<f64>() as usize,
            wrong: picks
                .iter()
                .map(|picks| all(picks) - right(picks))
                .sum::<f64>() as usize,
        })
    }
}

fn picks(record: &Digest, source: Source, within: Within) -> Option<Picks> {
    let others = other_answers(record).filter(|others| others.len() > 1)?;
    let mut counts = vec![0.0; others.len()];
    for count in record.facts.answers(source) {
        if let (Answer::Other(at), true) = (count.answer, count.is_within(within)) {
            counts[at as usize] += f64::from(count.chains);
        }
    }
    let gold = others.iter().position(|other| other.gold)?;
    (counts.iter().any(|&n| n > 0.0)).then_some(Picks { gold, counts })
}

/// The parameters that make the picks of weighted samples likeliest, of being right (the logarithm of the odds) and of each rank
/// but the first; `None` of no samples. `start`: where to begin, which changes only how soon it is done.
fn fit<'a>(
    picks: impl Iterator<Item = (&'a Picks, f64)> + Clone,
    start: Option<&[f64]>,
) -> Option<Vec<f64>> {
    let ranks = picks.clone().map(|(picks, _)| picks.counts.len()).max()?;
    let size = ranks.min(MOST_RANKS);
    let mut parameters = start.map_or_else(|| vec![0.0; size], <[f64]>::to_vec);
    let size = parameters.len();
    for _ in 0..STEPS {
        let mut gradient: Vec<f64> = parameters.iter().map(|p| -RIDGE * p).collect();
        let mut curvature = vec![vec![0.0; size]; size];
        for (at, row) in curvature.iter_mut().enumerate() {
            row[at] = RIDGE;
        }
        for (picks, weight) in picks.clone() {
            add_sample(picks, weight, &parameters, &mut gradient, &mut curvature);
        }
        let step = solve(curvature, gradient);
        // Far steps come only from the flat side of a separable sample: shortened, they still climb.
        let longest = step.iter().fold(1.0f64, |most, s| most.max(s.abs()));
        for (parameter, step) in parameters.iter_mut().zip(&step) {
            *parameter += step / longest;
        }
        if step.iter().all(|s| s.abs() < 1e-7) {
            break;
        }
    }
    Some(parameters)
}

/// Adds what one sample says to the gradient and to the negated second derivatives of the log-likelihood.
fn add_sample(
    picks: &Picks,
    weight: f64,
    parameters: &[f64],
    gradient: &mut [f64],
    curvature: &mut [Vec<f64>],
) {
    let size = parameters.len();
    // The one or two parameters an answer has: of its rank, and of being right.
    let features = |at: usize| {
        let rank = at.min(size - 1);
        [(rank > 0).then_some(rank), (at == picks.gold).then_some(0)]
    };
    let utility = |at: usize| {
        features(at)
            .iter()
            .flatten()
            .map(|&p| parameters[p])
            .sum::<f64>()
    };
    let weights: Vec<f64> = (0..picks.counts.len())
        .map(|at| utility(at).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let chains: f64 = weight * picks.counts.iter().sum::<f64>();
    let mut mean = vec![0.0; size];
    for (at, answer) in weights.iter().enumerate() {
        let share = answer / total;
        let excess = weight * picks.counts[at] - chains * share;
        for &p in features(at).iter().flatten() {
            gradient[p] += excess;
            mean[p] += share;
            for &q in features(at).iter().flatten() {
                curvature[p][q] += chains * share;
            }
        }
    }
    for (row, &p) in curvature.iter_mut().zip(&mean) {
        for (cell, &q) in row.iter_mut().zip(&mean) {
            *cell -= chains * p * q;
        }
    }
}

/// Solves a small positive definite system by elimination.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Vec<f64> {
    let size = right.len();
    for pivot in 0..size {
        let (above, below) = matrix.split_at_mut(pivot + 1);
        for (nth, row) in below.iter_mut().enumerate() {
            let factor = row[pivot] / above[pivot][pivot];
            for (cell, over) in row.iter_mut().zip(&above[pivot]).skip(pivot) {
                *cell -= factor * over;
            }
            right[pivot + 1 + nth] -= factor * right[pivot];
        }
    }
    for row in (0..size).rev() {
        let known: f64 = (row + 1..size).map(|c| matrix[row][c] * right[c]).sum();
        right[row] = (right[row] - known) / matrix[row][row];
    }
    right
}

/// Adds up the picks of samples that have as many answers, the right one in the same place: the likelihood depends on their sum alone.
/// Tens of thousands of samples so become a few dozen terms.
fn merged<'a>(picks: impl Iterator<Item = (&'a Picks, f64)>) -> Vec<Picks> {
    let mut strata: BTreeMap<(usize, usize), Picks> = BTreeMap::new();
    for (picks, weight) in picks {
        let answers = picks.counts.len();
        let sum = strata
            .entry((picks.gold, answers))
            .or_insert_with(|| Picks {
                gold: picks.gold,
                counts: vec![0.0; answers],
            });
        for (sum, count) in sum.counts.iter_mut().zip(&picks.counts) {
            *sum += weight * count;
        }
    }
    strata.into_values().collect()
}

/// Percentiles of the odds over resampled samples. `fitted`: the parameters of all of them.
fn bootstrap(picks: &[Picks], fitted: &[f64]) -> Option<Interval> {
    if picks.len() < ENOUGH {
        return None;
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let (least, most) = RESAMPLES;
    let mut odds: Vec<f64> = (0..(READ / picks.len()).clamp(least, most))
        .filter_map(|_| {
            let mut weights = vec![0.0; picks.len()];
            for _ in 0..picks.len() {
                weights[random.random_range(0..picks.len())] += 1.0;
            }
            let drawn = picks.iter().zip(weights);
            let drawn = drawn.filter(|(_, weight)| *weight > 0.0);
            let fitted = match picks.len() > MERGED {
                false => fit(drawn.collect::<Vec<_>>().into_iter(), Some(fitted)),
                true => {
                    let merged = merged(drawn);
                    fit(merged.iter().map(|picks| (picks, 1.0)), Some(fitted))
                }
            };
            Some(fitted?[0].exp())
        })
        .collect();
    odds.sort_by(f64::total_cmp);
    Some(Interval {
        low: super::statistics::percentile(&odds, 2.5)?,
        high: super::statistics::percentile(&odds, 97.5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::fixtures::sample, run::Candidate};

    fn picks(gold: usize, counts: &[u32]) -> Picks {
        Picks {
            gold,
            counts: counts.iter().map(|&n| f64::from(n)).collect(),
        }
    }

    fn odds(all: &[Picks]) -> f64 {
        fit(all.iter().map(|picks| (picks, 1.0)), None).unwrap()[0].exp()
    }

    #[test]
    fn two_answers_at_swapped_ranks_have_the_odds_of_a_paired_table() {
        // Gold first: right 30, wrong 10. Gold second: right 15, wrong 20. With ranks as strata the likelihood equations are
        // b + 0 = log(30/10) and b - 0 = ... solved by hand: b = (log 3 + log 0.75) / 2.
        let all = [picks(0, &[3000, 1000]), picks(1, &[2000, 1500])];
        let by_hand = f64::midpoint(3.0f64.ln(), 0.75f64.ln()).exp();
        assert!(
            (odds(&all) - by_hand).abs() < 1e-3,
            "{} {by_hand}",
            odds(&all)
        );
    }

    #[test]
    fn what_only_follows_the_rank_has_odds_of_one() {
        let all = [
            picks(0, &[600, 300, 100]),
            picks(1, &[600, 300, 100]),
            picks(2, &[600, 300, 100]),
        ];
        assert!((odds(&all) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn chains_that_draw_with_known_odds_give_them_back() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let (truth, ranks) = (2.5f64, [1.0, 0.5, 0.2]);
        let mut all = Vec::new();
        for nth in 0..300 {
            let gold = nth % 3;
            let mut weights = ranks;
            weights[gold] *= truth;
            let total: f64 = weights.iter().sum();
            let mut counts = vec![0; 3];
            for _ in 0..40 {
                let mut left = random.random::<f64>() * total;
                let picked = weights.iter().position(|w| {
                    left -= w;
                    left < 0.0
                });
                counts[picked.unwrap_or(2)] += 1;
            }
            all.push(picks(gold, &counts));
        }
        assert!((odds(&all) - truth).abs() < 0.15, "{}", odds(&all));
        let fitted = fit(all.iter().map(|picks| (picks, 1.0)), None).unwrap();
        let interval = bootstrap(&all, &fitted).unwrap();
        assert!(
            interval.low < truth && truth < interval.high,
            "{interval:?}"
        );
    }

    #[test]
    fn samples_whose_right_answer_has_the_same_rank_can_be_added_up() {
        let all = [
            picks(0, &[5, 2, 1]),
            picks(0, &[0, 4, 1]),
            picks(1, &[3, 3, 0]),
            picks(1, &[2, 7]),
            picks(0, &[1, 0, 0]),
        ];
        let weights = [1.0, 3.0, 2.0, 1.0, 2.0];
        let sums = merged(all.iter().zip(weights));
        assert_eq!(
            sums,
            [
                picks(0, &[5 + 2, 2 + 3 * 4, 1 + 3]),
                picks(1, &[2, 7]),
                picks(1, &[6, 6, 0])
            ]
        );
        let whole = fit(all.iter().zip(weights), None).unwrap();
        let added = fit(sums.iter().map(|picks| (picks, 1.0)), None).unwrap();
        for (whole, added) in whole.iter().zip(added) {
            assert!((whole - added).abs() < 1e-9, "{whole} {added}");
        }
    }

    #[test]
    fn one_sided_picks_have_finite_odds() {
        assert!(odds(&[picks(0, &[5, 0]), picks(1, &[0, 4])]).is_finite());
        let never = odds(&[picks(0, &[0, 9, 3])]);
        assert!(never.is_finite() && never < 0.1, "{never}");
    }

    #[test]
    fn only_wrong_samples_with_two_other_answers_say_something() {
        let candidates = |answers: &[(&str, f64, bool)]| -> Vec<Candidate> {
            let candidate = |&(answer, score, gold): &(&str, f64, bool)| Candidate {
                answer: answer.to_owned(),
                score,
                gold,
            };
            answers.iter().map(candidate).collect()
        };
        // The fixture's unmodified model answers 17; a right chain answers 42.
        let three = [("42", -2.0, true), ("17", -1.0, false), ("5", -3.0, false)];
        let wrong = sample("t", 0)
            .tried("0-1", true)
            .with(|record| record.candidates = candidates(&three))
            .build();
        let right = sample("t", 1)
            .baseline(true)
            .tried("0-1", true)
            .with(|record| record.candidates = candidates(&three))
            .build();
        let two = sample("t", 2)
            .tried("0-1", true)
            .with(|record| record.candidates = candidates(&three[..2]))
            .build();
        let records = [wrong, right, two].map(Digest::from);
        for within in [Within::Any, Within::Bound, Within::Bin(0)] {
            let all = Selectivity::of(&records, Source::Search, within).unwrap();
            assert_eq!((all.samples, all.right, all.wrong), (1, 1, 0));
        }
        let none = |source, within| assert_eq!(Selectivity::of(&records, source, within), None);
        none(Source::Random, Within::Any);
        none(Source::Search, Within::Bin(1));
    }
}
