//! What is known of chains on samples.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Objective;
use crate::run::{Pair, RunError};
use cola_search::{Prefixes, chain::Chain};

/// What a chain came to on a sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Whether the answer was right.
    pub correct: bool,
    /// How far the right answer is ahead of the best other one, nats; `None` where that is unknown or not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// Loss on the prompt, nats a token; `None` where that is unknown or not finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Influence of each layer, of the unmodified model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub influence: Option<Vec<f64>>,
    /// Why it could not be run: then it counts as wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A margin beyond this counts as this: one sample must not decide between chains. So does one that is not finite.
const LARGEST_MARGIN: f64 = 50.0;

impl Point {
    /// What an objective makes of it.
    pub fn value(&self, objective: Objective) -> f64 {
        match objective {
            Objective::Margin => {
                let margin = self.margin.unwrap_or(-LARGEST_MARGIN);
                margin.clamp(-LARGEST_MARGIN, LARGEST_MARGIN)
            }
            Objective::Accuracy | Objective::Depth => f64::from(u8::from(self.correct)),
        }
    }
}

/// Runs pairs of a sample and a chain.
pub trait Evaluate {
    /// Runs `pairs`, and calls `done` with the number of each and what came of it, in whatever order. Returns whether it was
    /// interrupted: then some were not run.
    ///
    /// # Errors
    /// The device is lost, or what comes of them cannot be kept.
    fn evaluate(
        &mut self,
        pairs: &[Pair],
        done: &mut dyn FnMut(usize, Point),
    ) -> Result<bool, RunError>;
}

/// What is known so far.
pub struct Table<'a> {
    evaluate: &'a mut dyn Evaluate,
    points: HashMap<Chain, HashMap<usize, Point>>,
    /// Of each sample the chains that were asked for.
    asked: HashMap<usize, Prefixes>,
    /// Layer steps that they take, shared prefixes once.
    steps: u64,
}

impl<'a> Table<'a> {
    /// Knows nothing.
    pub fn new(evaluate: &'a mut dyn Evaluate) -> Self {
        Self {
            evaluate,
            points: HashMap::new(),
            asked: HashMap::new(),
            steps: 0,
        }
    }

    /// Layer steps of all that was asked for, where a prefix that chains of a sample share is run once. Whether they were run or known
    /// from before makes no difference.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Chains that were asked for.
    pub fn chains(&self) -> usize {
        self.points.len()
    }

    /// Finds out what chains come to on samples. Returns whether it was interrupted.
    ///
    /// # Errors
    /// As [`Evaluate::evaluate`].
    pub fn require(&mut self, chains: &[Chain], samples: &[usize]) -> Result<bool, RunError> {
        let mut pairs = Vec::new();
        for &problem in samples {
            for chain in chains {
                let asked = self.asked.entry(problem).or_default();
                self.steps += asked.insert(chain) as u64;
                let known = self.points.entry(chain.clone()).or_default();
                if !known.contains_key(&problem) {
                    let chain = chain.clone();
                    pairs.push(Pair { problem, chain });
                }
            }
        }
        let points = &mut self.points;
        self.evaluate.evaluate(&pairs, &mut |at, point| {
            let Pair { problem, chain } = &pairs[at];
            points
                .entry(chain.clone())
                .or_default()
                .insert(*problem, point);
        })
    }

    /// What a chain came to on samples that were [asked for](Self::require).
    pub fn of<'b>(&'b self, chain: &Chain, samples: &'b [usize]) -> Vec<&'b Point> {
        let known = self.points.get(chain);
        let of = |sample| known.and_then(|known| known.get(sample));
        samples.iter().filter_map(of).collect()
    }

    /// The mean of an objective; the worst there is where nothing is known.
    pub fn mean(&self, chain: &Chain, samples: &[usize], objective: Objective) -> f64 {
        let points = self.of(chain, samples);
        if points.is_empty() {
            return f64::NEG_INFINITY;
        }
        let sum: f64 = points.iter().map(|point| point.value(objective)).sum();
        sum / points.len() as f64
    }
}
