//! What a fit found, as its files say it.

use serde::{Deserialize, Serialize};

use super::{Origin, table::Point};
use crate::analysis::Mean;
use cola_search::chain::Chain;

/// What chains are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The share of right answers.
    Accuracy,
    /// The mean margin, nats: less noisy than accuracy.
    Margin,
    /// The fewest layers whose accuracy falls by no more than is allowed. At a given depth chains are chosen by accuracy.
    Depth,
}

/// What a chain came to on some samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Samples, failed ones among them, which count as wrong.
    pub samples: usize,
    /// Share of right answers.
    pub accuracy: Option<Mean>,
    /// Mean margin, nats, of samples that have one.
    pub margin: Option<Mean>,
    /// Mean degradation, nats a token.
    pub degradation: Option<Mean>,
    /// Accuracy less that of the unmodified model on the same samples.
    pub accuracy_gain: Option<Mean>,
    /// Margin less that of the unmodified model on the same samples, nats.
    pub margin_gain: Option<Mean>,
}

impl Scores {
    /// Those of a chain that came to `points`, where the unmodified model came to `unmodified` on the same samples.
    pub fn of(points: &[&Point], unmodified: &[&Point]) -> Self {
        let right: Vec<f64> = points.iter().map(|point| one_if(point.correct)).collect();
        let margins: Vec<f64> = points.iter().filter_map(|point| point.margin).collect();
        let pairs = || points.iter().zip(unmodified);
        let gains: Vec<f64> = pairs()
            .map(|(point, before)| one_if(point.correct) - one_if(before.correct))
            .collect();
        Self {
            samples: points.len(),
            accuracy: Mean::of_shares(&right),
            margin: Mean::of(&margins),
            degradation: Mean::of(&differences(pairs(), |point| point.loss)),
            accuracy_gain: Mean::of_differences(&gains),
            margin_gain: Mean::of(&differences(pairs(), |point| point.margin)),
        }
    }
}

/// Differences of what both points of a pair have.
pub fn differences<'a>(
    pairs: impl Iterator<Item = (&'a &'a Point, &'a &'a Point)>,
    of: impl Fn(&Point) -> Option<f64>,
) -> Vec<f64> {
    pairs.filter_map(|(a, b)| Some(of(a)? - of(b)?)).collect()
}

fn one_if(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// A chain that people use without a search, beside the one that was fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Which one.
    pub origin: Origin,
    /// Its chain.
    pub chain: Chain,
    /// On the samples that chose nothing.
    pub held_out: Scores,
    /// By how much the fitted chain's margin is larger on the same held-out samples, nats.
    pub fitted_ahead: Option<Mean>,
    /// By how much its accuracy is.
    pub fitted_ahead_accuracy: Option<Mean>,
}

/// The best chain of a depth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// Its layers, repeated ones included.
    pub depth: usize,
    /// The chain.
    pub chain: Chain,
    /// Where it came from.
    pub origin: Origin,
    /// Different chains of this depth that were tried.
    pub tried: usize,
    /// On the samples that it was chosen on: these numbers flatter it.
    pub training: Scores,
    /// On the others.
    pub held_out: Scores,
    /// Others of this depth.
    pub baselines: Vec<Baseline>,
}

/// A block of layers that was skipped or run twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Its first layer.
    pub first: usize,
    /// Its last layer.
    pub last: usize,
    /// Whether it was run twice; else it was skipped.
    pub twice: bool,
    /// Training samples that it ran on: few, if it was dropped early.
    pub samples: usize,
    /// By how much the objective is larger there than the unmodified model's.
    pub gain: f64,
}

/// What a fit found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Layers of the model.
    pub layers: usize,
    /// What chains were chosen by.
    pub objective: Objective,
    /// Samples that chose.
    pub training: usize,
    /// Samples that it is reported on.
    pub held_out: usize,
    /// Different chains that were tried on training samples.
    pub tried: usize,
    /// Layer steps of the training, shared prefixes once.
    pub steps: u64,
    /// Whether the budget ended it: then some races were not run to their ends.
    pub budget_spent: bool,
    /// The unmodified model on the held-out samples.
    pub unmodified: Scores,
    /// The best chain of every depth, ascending.
    pub front: Vec<Fitted>,
    /// The chain that the objective chooses on the training samples; the unmodified model, if none is better.
    pub chosen: Chain,
    /// Every block that was skipped or run twice.
    pub blocks: Vec<Block>,
    /// Influence of each layer in the unmodified model, mean over the training samples.
    pub influence: Vec<f64>,
}
