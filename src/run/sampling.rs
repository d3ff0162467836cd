//! Answers drawn from the unmodified model: what a user gets by asking it again at a temperature, without changing a layer.
//!
//! A generated answer is drawn token by token, a fixed number of times at each temperature. Of options nothing need be run: the
//! right one is drawn with the probability `softmax(score / temperature)`, where the scores are those that the verdict compares.

use serde::{Deserialize, Serialize};

use super::Candidate;
use cola_engine::DecodePlan;
use cola_model::Sampling;

/// How answers are drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplingPlan {
    /// Divides the logits, or the scores of options.
    pub temperatures: Vec<f64>,
    /// Generated answers drawn at each temperature.
    pub draws: usize,
}

impl SamplingPlan {
    /// The temperatures at which published comparisons sample: 0.3, 0.7 and 1.
    pub const TEMPERATURES: [f64; 3] = [0.3, 0.7, 1.0];

    /// `draws` answers at each of [`TEMPERATURES`](Self::TEMPERATURES).
    pub fn usual(draws: usize) -> Self {
        Self {
            temperatures: Self::TEMPERATURES.to_vec(),
            draws,
        }
    }
}

/// What was drawn at one temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampled {
    /// The temperature.
    pub temperature: f64,
    /// Probability of the right option; `None` of generated answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Generated answers drawn.
    pub draws: usize,
    /// Of those, right ones.
    pub right: usize,
}

impl Sampled {
    /// The probability of the right option at each temperature; nothing where there are no scores.
    pub fn of_options(plan: &SamplingPlan, candidates: &[Candidate]) -> Vec<Self> {
        let most = (candidates.iter()).fold(f64::NEG_INFINITY, |most, c| most.max(c.score));
        let of = |&temperature: &f64| {
            let weight = |c: &Candidate| ((c.score - most) / temperature).exp();
            let total: f64 = candidates.iter().map(weight).sum();
            let right: f64 = candidates.iter().filter(|c| c.gold).map(weight).sum();
            Self {
                temperature,
                probability: Some(right / total),
                draws: 0,
                right: 0,
            }
        };
        match candidates {
            [] => Vec::new(),
            _ => plan.temperatures.iter().map(of).collect(),
        }
    }

    /// Chance that at least one of `tries` draws is right: `1 - (1 - p)^k` of options; of generated answers the unbiased
    /// estimator `1 - C(n - c, k) / C(n, k)` (Chen et al., arXiv 2107.03374), `None` if fewer than `tries` were drawn.
    pub fn pass_at(&self, tries: usize) -> Option<f64> {
        if let Some(probability) = self.probability {
            return Some(1.0 - (1.0 - probability).powi(tries as i32));
        }
        if tries > self.draws {
            return None;
        }
        let wrong = self.draws - self.right;
        if tries > wrong {
            return Some(1.0);
        }
        let missed = (0..tries).map(|at| (wrong - at) as f64 / (self.draws - at) as f64);
        Some(1.0 - missed.product::<f64>())
    }
}

impl Sampled {
    /// Largest number of tries that [`pass_at`](Self::pass_at) knows.
    pub fn most_tries(&self) -> usize {
        match self.probability {
            Some(_) => usize::MAX,
            None => self.draws,
        }
    }
}

/// The draws of one sample, one after the other.
#[derive(Debug)]
pub struct Draws {
    plan: SamplingPlan,
    drawn: Vec<Sampled>,
}

impl Draws {
    /// Begins.
    pub fn new(plan: SamplingPlan) -> Self {
        let none = |&temperature: &f64| Sampled {
            temperature,
            probability: None,
            draws: 0,
            right: 0,
        };
        let drawn = plan.temperatures.iter().map(none).collect();
        Self { plan, drawn }
    }

    /// How to draw the next answer; `None` after the last. The seed of a draw follows from the sample's and from its number.
    pub fn next(&self, decode: Option<&DecodePlan>, seed: u64) -> Option<DecodePlan> {
        let due = self.drawn.iter().position(|s| s.draws < self.plan.draws)?;
        let Sampled {
            temperature, draws, ..
        } = self.drawn[due];
        let number = (due as u64) << 32 | draws as u64;
        Some(DecodePlan {
            sampling: Some(Sampling {
                temperature,
                top_p: 1.0,
                seed: seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            }),
            ..decode?.clone()
        })
    }

    /// Counts the answer that was to be drawn next.
    pub fn learn(&mut self, right: bool) {
        let due = self.drawn.iter_mut().find(|s| s.draws < self.plan.draws);
        if let Some(sampled) = due {
            sampled.draws += 1;
            sampled.right += usize::from(right);
        }
    }

    /// What was drawn.
    pub fn into_outcomes(self) -> Vec<Sampled> {
        self.drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates() -> Vec<Candidate> {
        let candidate = |score, gold| Candidate {
            answer: String::new(),
            score,
            gold,
        };
        vec![
            candidate(-2.0, true),
            candidate(-1.0, false),
            candidate(-4.0, false),
        ]
    }

    #[test]
    fn an_option_is_drawn_by_its_probability() {
        let plan = SamplingPlan::usual(7);
        let sampled = Sampled::of_options(&plan, &candidates());
        assert_eq!(sampled.len(), 3);
        for s in sampled {
            let weight = |score: f64| (score / s.temperature).exp();
            let expected = weight(-2.0) / (weight(-2.0) + weight(-1.0) + weight(-4.0));
            assert!((s.probability.unwrap() - expected).abs() < 1e-12);
            assert!((s.pass_at(2).unwrap() - (2.0 * expected - expected * expected)).abs() < 1e-12);
        }
        assert_eq!(Sampled::of_options(&plan, &[]), []);
    }

    #[test]
    fn pass_at_k_is_the_share_of_k_draws_that_hold_a_right_one() {
        // By enumeration of all subsets of 7 draws.
        for right in 0..=7usize {
            let sampled = Sampled {
                temperature: 1.0,
                probability: None,
                draws: 7,
                right,
            };
            for tries in 0..=7u32 {
                let subsets = (0u32..1 << 7).filter(|subset| subset.count_ones() == tries);
                let (mut all, mut hit) = (0.0, 0.0);
                for subset in subsets {
                    all += 1.0;
                    hit += f64::from(u8::from(subset & ((1 << right) - 1) != 0));
                }
                let pass = sampled.pass_at(tries as usize).unwrap();
                assert!((pass - hit / all).abs() < 1e-12, "{right} {tries}");
            }
            assert_eq!(sampled.pass_at(8), None);
        }
    }

    #[test]
    fn every_draw_has_a_seed_of_its_own() {
        let decode = DecodePlan {
            max_tokens: 4,
            stop_tokens: [].into(),
            finished: None,
            sampling: None,
        };
        let mut draws = Draws::new(SamplingPlan::usual(3));
        let mut seeds = std::collections::BTreeSet::new();
        while let Some(plan) = draws.next(Some(&decode), 5) {
            seeds.insert(plan.sampling.unwrap().seed);
            draws.learn(seeds.len() == 2);
        }
        assert_eq!(seeds.len(), 9);
        let outcomes = draws.into_outcomes();
        let counts: Vec<_> = outcomes.iter().map(|s| (s.draws, s.right)).collect();
        assert_eq!(counts, [(3, 1), (3, 0), (3, 0)]);
    }
}
