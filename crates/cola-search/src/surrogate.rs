//! A linear model of how far a chain is from the border between right and wrong, fitted to what a search has been told.
//!
//! The *slack* of a chain is its margin, or what it has left to the bound on degradation if that is less: above 0 exactly for
//! right chains. Bayesian linear regression (Bishop 2006, section 3.3) predicts it from which layers a chain runs and how often
//! each runs again. The prediction comes with its uncertainty, so that a deletion can be chosen by the layers it is expected
//! to save (expected improvement, Mockus 1978).

use crate::{
    Feedback,
    chain::{Chain, Layer},
};

/// Precision of the prior of a weight, whose mean is 0.
const PRECISION: f64 = 1.0;

/// The same of the constant term, which is all but free.
const FREE: f64 = 1e-3;

/// A slack counts at most this much, in nats: how far from the border a chain is far away says little of the border.
const FAR: f64 = 3.0;

/// A slack is rounded to multiples of 1/`STEPS`, since a margin depends by about 1e-6 on the batch and a search must not.
const STEPS: f64 = 64.0;

/// Repetitions of a layer that are told apart.
const MOST_REPEATS: usize = 2;

/// Least variance of a slack about its prediction, and the number of evaluations that the prior of the variance is worth.
const LEAST_VARIANCE: f64 = 0.01;
const PRIOR_EVALUATIONS: f64 = 2.0;

/// The evaluations so far, as the sums that a fit needs.
#[derive(Debug)]
pub struct Surrogate {
    layers: usize,
    /// `X^T X` of the features, rows one after the other.
    gram: Vec<f64>,
    /// `X^T y`.
    moment: Vec<f64>,
    /// `y^T y`.
    squares: f64,
    evaluations: f64,
}

/// A fitted model.
#[derive(Debug)]
pub struct Fit {
    layers: usize,
    weights: Vec<f64>,
    /// Inverse of the precision of the weights, in units of [`variance`](Self::variance).
    covariance: Vec<f64>,
    variance: f64,
}

/// Features that are not 0, with their values. The first is the constant.
type Features = Vec<(usize, f64)>;

/// The constant, whether each layer runs, and how often it runs again.
fn features(layers: usize, chain: &[Layer]) -> Features {
    let mut uses = vec![0; layers];
    for &layer in chain {
        uses[usize::from(layer)] += 1;
    }
    let mut features = vec![(0, 1.0)];
    for (layer, &uses) in uses.iter().enumerate().filter(|(_, uses)| **uses > 0) {
        features.push((1 + layer, 1.0));
        if uses > 1 {
            features.push((1 + layers + layer, (uses - 1).min(MOST_REPEATS) as f64));
        }
    }
    features
}

/// The slack of a chain: see the head of this file. Without a margin it is one nat to either side.
pub fn slack(feedback: Feedback, max_degradation: Option<f64>) -> f64 {
    let side = if feedback.correct { 1.0 } else { -1.0 };
    let margin = feedback.margin.filter(|margin| !margin.is_nan());
    let mut slack = margin.unwrap_or(side);
    if let Some((bound, nats)) = max_degradation.zip(feedback.degradation)
        && feedback.correct
    {
        slack = slack.min(bound - nats);
    }
    // A wrong chain may have a margin above zero, for example if its answer was cut off.
    let slack = if feedback.correct {
        slack.max(0.0)
    } else {
        slack.min(0.0)
    };
    (slack.clamp(-FAR, FAR) * STEPS).round() / STEPS
}

impl Surrogate {
    /// A model without evaluations, for chains of a model of so many layers.
    pub fn new(layers: usize) -> Self {
        let size = 1 + 2 * layers;
        Self {
            layers,
            gram: vec![0.0; size * size],
            moment: vec![0.0; size],
            squares: 0.0,
            evaluations: 0.0,
        }
    }

    /// Takes in an evaluation.
    pub fn learn(&mut self, chain: &Chain, slack: f64) {
        let size = self.moment.len();
        let features = features(self.layers, chain.layers());
        for &(row, a) in &features {
            for &(column, b) in &features {
                self.gram[row * size + column] += a * b;
            }
            self.moment[row] += a * slack;
        }
        self.squares += slack * slack;
        self.evaluations += 1.0;
    }

    /// Fits the model to the evaluations.
    pub fn fit(&self) -> Fit {
        let size = self.moment.len();
        let mut precision = self.gram.clone();
        for at in 0..size {
            precision[at * size + at] += if at == 0 { FREE } else { PRECISION };
        }
        let covariance = inverse(precision, size);
        let product = |matrix: &[f64], vector: &[f64]| -> Vec<f64> {
            let rows = matrix.chunks_exact(size);
            rows.map(|row| dot(row, vector)).collect()
        };
        let weights = product(&covariance, &self.moment);
        let explained =
            2.0 * dot(&weights, &self.moment) - dot(&weights, &product(&self.gram, &weights));
        let left = (self.squares - explained).max(0.0) + PRIOR_EVALUATIONS * self.mean_square();
        Fit {
            layers: self.layers,
            weights,
            covariance,
            variance: (left / (self.evaluations + PRIOR_EVALUATIONS)).max(LEAST_VARIANCE),
        }
    }

    /// Mean square of the slacks.
    fn mean_square(&self) -> f64 {
        self.squares / self.evaluations.max(1.0)
    }
}

impl Fit {
    /// Probability that a chain is right.
    pub fn chance(&self, chain: &[Layer]) -> f64 {
        let size = self.weights.len();
        let features = features(self.layers, chain);
        let (mut mean, mut spread) = (0.0, 1.0);
        for &(row, a) in &features {
            mean += a * self.weights[row];
            for &(column, b) in &features {
                spread += a * b * self.covariance[row * size + column];
            }
        }
        // The logistic function stands in for the normal distribution's: they differ by less than 0.01.
        1.0 / (1.0 + (-1.702 * mean / (self.variance * spread).sqrt()).exp())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inverse of a symmetric positive definite matrix, by Gauss-Jordan elimination: such a matrix needs no pivoting.
fn inverse(mut matrix: Vec<f64>, size: usize) -> Vec<f64> {
    for pivot in 0..size {
        let scale = 1.0 / matrix[pivot * size + pivot];
        matrix[pivot * size + pivot] = 1.0;
        for value in &mut matrix[pivot * size..(pivot + 1) * size] {
            *value *= scale;
        }
        let row: Vec<f64> = matrix[pivot * size..(pivot + 1) * size].to_vec();
        for (at, other) in matrix.chunks_exact_mut(size).enumerate() {
            let factor = other[pivot];
            if at == pivot || factor == 0.0 {
                continue;
            }
            other[pivot] = 0.0;
            for (value, from) in other.iter_mut().zip(&row) {
                *value -= factor * from;
            }
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const LAYERS: usize = 6;

    fn random_chain(rng: &mut ChaCha8Rng) -> Chain {
        let length = rng.random_range(1..10);
        Chain::new(
            (0..length)
                .map(|_| rng.random_range(0..LAYERS as Layer))
                .collect::<Vec<Layer>>(),
        )
    }

    #[test]
    fn an_inverse_times_its_matrix_is_one() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let size = 7;
        let factor: Vec<f64> = (0..size * size)
            .map(|_| rng.random::<f64>() - 0.5)
            .collect();
        let mut matrix = vec![0.0; size * size];
        for (row, column) in (0..size).flat_map(|row| (0..size).map(move |column| (row, column))) {
            let product = dot(
                &factor[row * size..][..size],
                &factor[column * size..][..size],
            );
            matrix[row * size + column] = product + f64::from(u8::from(row == column));
        }
        let inverse = inverse(matrix.clone(), size);
        for row in 0..size {
            for column in 0..size {
                let product: f64 = (0..size)
                    .map(|k| matrix[row * size + k] * inverse[k * size + column])
                    .sum();
                let expected = f64::from(u8::from(row == column));
                assert!(
                    (product - expected).abs() < 1e-9,
                    "{row} {column} {product}"
                );
            }
        }
    }

    /// The fit minimises the ridge objective: no weight can be changed for the better.
    #[test]
    fn weights_minimise_squares_and_prior_together() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let evaluations: Vec<(Chain, f64)> = (0..30)
            .map(|_| (random_chain(&mut rng), rng.random::<f64>() * 4.0 - 2.0))
            .collect();
        let mut surrogate = Surrogate::new(LAYERS);
        for (chain, slack) in &evaluations {
            surrogate.learn(chain, *slack);
        }
        let fit = surrogate.fit();
        let objective = |weights: &[f64]| {
            let prior: f64 = weights[1..].iter().map(|w| PRECISION * w * w).sum();
            let errors = evaluations.iter().map(|(chain, slack)| {
                let features = features(LAYERS, chain.layers());
                let predicted: f64 = features
                    .iter()
                    .map(|&(at, value)| value * weights[at])
                    .sum();
                (slack - predicted).powi(2)
            });
            prior + FREE * weights[0] * weights[0] + errors.sum::<f64>()
        };
        let best = objective(&fit.weights);
        for at in 0..fit.weights.len() {
            for change in [-1e-3, 1e-3] {
                let mut other = fit.weights.clone();
                other[at] += change;
                assert!(objective(&other) > best);
            }
        }
    }

    #[test]
    fn it_learns_which_layers_a_right_chain_needs() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut surrogate = Surrogate::new(LAYERS);
        let runs = |chain: &Chain, layer| f64::from(u8::from(chain.layers().contains(&layer)));
        for _ in 0..60 {
            let chain = random_chain(&mut rng);
            // Layer 2 is worth two nats, layer 4 costs one.
            surrogate.learn(&chain, 2.0 * runs(&chain, 2) - runs(&chain, 4) - 0.5);
        }
        let fit = surrogate.fit();
        assert!(fit.chance(&[2]) > 0.9 && fit.chance(&[0, 1, 2]) > 0.9);
        assert!(fit.chance(&[4]) < 0.1 && fit.chance(&[0, 1, 3]) < 0.2);
    }

    #[test]
    fn with_nothing_to_go_by_it_is_sure_of_nothing() {
        let mut surrogate = Surrogate::new(LAYERS);
        surrogate.learn(&Chain::identity(LAYERS), 2.0);
        let fit = surrogate.fit();
        let chance = |layers: &[Layer]| fit.chance(layers);
        assert!(chance(&[0, 1, 2, 3, 4, 5]) > chance(&[0, 1, 2, 3]));
        assert!(chance(&[0, 1, 2, 3]) > chance(&[0]) && chance(&[0]) > 0.2);
    }

    #[test]
    fn slack_is_what_is_left_to_the_nearer_border_and_noise_does_not_change_it() {
        let told = |correct, margin, degradation| Feedback {
            correct,
            margin: Some(margin),
            degradation: Some(degradation),
        };
        assert_eq!(slack(told(true, 2.0, 0.1), None), 2.0);
        assert_eq!(slack(told(true, 2.0, 0.25), Some(0.5)), 0.25);
        assert_eq!(slack(told(true, 9.0, -3.0), Some(0.5)), FAR);
        assert_eq!(slack(told(false, -1.0, 0.1), Some(0.5)), -1.0);
        assert_eq!(slack(told(false, f64::NEG_INFINITY, 0.1), None), -FAR);
        assert_eq!(slack(told(false, 0.5, 0.1), None), 0.0);
        assert_eq!(slack(Feedback::new(true, None), None), 1.0);
        assert_eq!(slack(Feedback::new(false, Some(f64::NAN)), None), -1.0);
        assert_eq!(
            slack(told(true, 1.0 + 1e-6, 0.0), None),
            slack(told(true, 1.0, 0.0), None)
        );
    }
}
