//! The angles of a rotary embedding, and how they are stretched for long contexts.

use std::f64::consts::PI;

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use super::ModelError;

/// Rotary position embedding (Su et al., RoFormer), rotate-half form.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RopeSpec {
    /// Base of the wavelengths.
    pub theta: f64,
    /// Number of rotated elements of each head, from its beginning; even.
    pub rotary_dim: i64,
    /// Change of the wavelengths for longer contexts.
    pub scaling: RopeScaling,
}

/// Change of the rotary frequencies for long contexts. Lengths are in tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "rope_type", rename_all = "lowercase")]
pub enum RopeScaling {
    /// Unchanged frequencies.
    Default,
    /// All frequencies divided by `factor` (position interpolation, arXiv 2306.15595).
    Linear {
        /// Divisor of the frequencies.
        factor: f64,
    },
    /// A sequence longer than the context gets a larger base, so that the lowest frequency still
    /// spans it (NTK-aware scaling). The base follows the length of the pass: keys that were
    /// rotated earlier stay as they were.
    Dynamic {
        /// Speed with which the base grows with the length.
        factor: f64,
        /// Longest sequence with the unchanged base.
        max_positions: f64,
    },
    /// YaRN (arXiv 2309.00071): low frequencies divided by `factor`, high ones kept, a ramp over
    /// the pairs between, and scores sharpened.
    Yarn {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Pairs that make more turns than this in the original context are kept.
        beta_fast: f64,
        /// Pairs that make fewer turns than this are divided.
        beta_slow: f64,
        /// Factor on cosines and sines.
        attention_factor: f64,
        /// Context length of the original training.
        original_max_positions: f64,
        /// Whether the ends of the ramp are rounded to whole pairs.
        truncate: bool,
    },
    /// LongRoPE (arXiv 2402.13753): a divisor for each pair, one set for sequences within the
    /// original context and one for longer ones.
    LongRope {
        /// Divisors within the original context, `[rotary_dim / 2]`.
        short: Vec<f64>,
        /// Divisors for longer sequences.
        long: Vec<f64>,
        /// Factor on cosines and sines.
        attention_factor: f64,
        /// Context length of the original training.
        original_max_positions: f64,
    },
    /// A divisor for each pair, whatever the length: how GGUF files store Llama 3.1's scaling.
    Divided {
        /// Divisors, `[rotary_dim / 2]`.
        divisors: Vec<f64>,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        /// Divisor of the low frequencies.
        factor: f64,
        /// Wavelengths above `original_max_positions / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_positions / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Context length of the original training.
        original_max_positions: f64,
    },
}

impl RopeScaling {
    /// Factor on cosines and sines.
    pub(super) fn attention_factor(&self) -> f64 {
        match *self {
            Self::Yarn {
                attention_factor, ..
            }
            | Self::LongRope {
                attention_factor, ..
            } => attention_factor,
            _ => 1.0,
        }
    }

    /// Longest sequence with the usual frequencies; `None` if they do not depend on the length.
    pub fn longest_usual(&self) -> Option<i64> {
        match *self {
            Self::Dynamic { max_positions, .. } => Some(max_positions as i64),
            Self::LongRope {
                original_max_positions,
                ..
            } => Some(original_max_positions as i64),
            _ => None,
        }
    }
}

/// Angle per position of every pair in a sequence of `length`: `[rotary_dim / 2]`, f32.
pub(super) fn frequencies(spec: &RopeSpec, length: i64) -> Result<Tensor, ModelError> {
    let dim = spec.rotary_dim as f64;
    match &spec.scaling {
        RopeScaling::Default => plain(spec.theta, spec.rotary_dim),
        RopeScaling::Linear { factor } => {
            Ok(plain(spec.theta, spec.rotary_dim)?.f_div_scalar(*factor)?)
        }
        RopeScaling::Dynamic {
            factor,
            max_positions,
        } => {
            let over = (length as f64).max(*max_positions) / max_positions;
            let growth = (factor * over - (factor - 1.0)).powf(dim / (dim - 2.0));
            plain(spec.theta * growth, spec.rotary_dim)
        }
        RopeScaling::Yarn {
            factor,
            beta_fast,
            beta_slow,
            original_max_positions,
            truncate,
            ..
        } => {
            // The pair that makes so many turns in the original context.
            let pair = |turns: f64| {
                dim * (original_max_positions / (turns * 2.0 * PI)).ln() / (2.0 * spec.theta.ln())
            };
            let (mut low, mut high) = (pair(*beta_fast), pair(*beta_slow));
            if *truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            let (low, mut high) = (low.max(0.0), high.min(dim - 1.0));
            if low == high {
                high += 0.001;
            }
            let divided = |i: usize| ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
            blended(spec, *factor, |i, _| divided(i))
        }
        RopeScaling::LongRope {
            short,
            long,
            original_max_positions,
            ..
        } => {
            let divisors = match length as f64 > *original_max_positions {
                true => long,
                false => short,
            };
            divided(spec, divisors)
        }
        RopeScaling::Divided { divisors } => divided(spec, divisors),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_positions,
        } => blended(spec, *factor, |_, frequency| {
            let turns = original_max_positions * frequency / (2.0 * PI);
            // 0 above the high threshold (keep), 1 below the low one (divide).
            ((high_freq_factor - turns) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0)
        }),
    }
}

/// `theta^(-2i / rotary_dim)` for every pair `i`.
fn plain(theta: f64, rotary_dim: i64) -> Result<Tensor, ModelError> {
    let exponent = Tensor::f_arange_start_step(0, rotary_dim, 2, (Kind::Int64, Device::Cpu))?
        .f_to_kind(Kind::Float)?
        .f_div_scalar(rotary_dim as f64)?;
    Ok(Tensor::f_pow_scalar(theta, &exponent)?.f_reciprocal()?)
}

/// The plain frequencies, each divided by its own divisor.
fn divided(spec: &RopeSpec, divisors: &[f64]) -> Result<Tensor, ModelError> {
    let divisors: Vec<f32> = divisors.iter().map(|&d| d as f32).collect();
    Ok(plain(spec.theta, spec.rotary_dim)?.f_div(&Tensor::f_from_slice(&divisors)?)?)
}

/// The plain frequencies, partly divided by `factor`: `divided(pair, frequency)` is the share of
/// the divided frequency, from 0 to 1.
fn blended(
    spec: &RopeSpec,
    factor: f64,
    divided: impl Fn(usize, f64) -> f64,
) -> Result<Tensor, ModelError> {
    let plain: Vec<f32> = Vec::try_from(&plain(spec.theta, spec.rotary_dim)?)?;
    let blended: Vec<f32> = plain
        .iter()
        .enumerate()
        .map(|(pair, &frequency)| {
            let frequency = f64::from(frequency);
            let divided = divided(pair, frequency);
            ((1.0 - divided) * frequency + divided * frequency / factor) as f32
        })
        .collect();
    Ok(Tensor::f_from_slice(&blended)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(scaling: RopeScaling) -> RopeSpec {
        RopeSpec {
            theta: 10_000.0,
            rotary_dim: 8,
            scaling,
        }
    }

    fn assert_close(ours: &[f32], expected: &[f64]) {
        assert_eq!(ours.len(), expected.len());
        for (ours, expected) in ours.iter().zip(expected) {
            let difference = (f64::from(*ours) - expected).abs();
            assert!(difference < 2e-6 * expected.abs(), "{ours} {expected}");
        }
    }

    #[test]
    fn llama3_keeps_high_frequencies_divides_low_ones_and_ramps_between() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_positions: 64.0,
        };
        let frequencies = frequencies(&spec(scaling), 0).unwrap();
        let ours: Vec<f32> = Vec::try_from(frequencies).unwrap();
        // Plain: 1, 0.1, 0.01, 0.001. In 64 positions they make 10.186, 1.018592, 0.10 and 0.01
        // turns: above 4, between 1 and 4, below 1, below 1.
        // Ramp: (1.018592 - 1) / (4 - 1) = 0.00619721 of 0.1, the rest of 0.1 / 8.
        assert_close(&ours, &[1.0, 0.013_042_256, 0.001_25, 0.000_125]);
    }

    #[test]
    fn linear_scaling_divides_all_frequencies() {
        let frequencies = frequencies(&spec(RopeScaling::Linear { factor: 4.0 }), 0).unwrap();
        let ours: Vec<f32> = Vec::try_from(frequencies).unwrap();
        assert_close(&ours, &[0.25, 0.025, 0.0025, 0.000_25]);
    }

    #[test]
    fn dynamic_scaling_leaves_the_context_alone_and_spans_what_is_longer() {
        let scaling = RopeScaling::Dynamic {
            factor: 2.0,
            max_positions: 64.0,
        };
        let at = |length| -> Vec<f32> {
            Vec::try_from(frequencies(&spec(scaling.clone()), length).unwrap()).unwrap()
        };
        assert_close(&at(64), &[1.0, 0.1, 0.01, 0.001]);
        // Twice the context: the base grows by (2 * 2 - 1)^(8 / 6), its last power by 3 exactly.
        let ours = at(128);
        assert_close(&ours[3..], &[0.001 / 3.0]);
        assert_close(&ours[1..2], &[0.1 / 3f64.powf(1.0 / 3.0)]);
    }

    #[test]
    fn longrope_divides_each_pair_by_the_set_for_the_length() {
        let scaling = RopeScaling::LongRope {
            short: vec![1.0, 1.0, 2.0, 4.0],
            long: vec![1.0, 2.0, 8.0, 10.0],
            attention_factor: 1.2,
            original_max_positions: 64.0,
        };
        let at = |length| -> Vec<f32> {
            Vec::try_from(frequencies(&spec(scaling.clone()), length).unwrap()).unwrap()
        };
        assert_close(&at(64), &[1.0, 0.1, 0.005, 0.000_25]);
        assert_close(&at(65), &[1.0, 0.05, 0.001_25, 0.000_1]);
        assert_eq!(scaling.longest_usual(), Some(64));
    }

    #[test]
    fn yarn_keeps_fast_pairs_divides_slow_ones_and_ramps_between() {
        let scaling = RopeScaling::Yarn {
            factor: 4.0,
            beta_fast: 4.0,
            beta_slow: 1.0,
            attention_factor: 1.0,
            original_max_positions: 64.0,
            truncate: false,
        };
        let ours = frequencies(&spec(scaling), 0).unwrap();
        let ours: Vec<f32> = Vec::try_from(ours).unwrap();
        // 4 turns are made at pair 8 ln(64 / 8 pi) / (2 ln 10000) = 0.405940, 1 turn at 1.008000:
        // pair 1 is (1 - 0.405940) / 0.602060 = 0.986712 divided.
        let ramped = 0.1 * (1.0 - 0.986_712) + 0.1 / 4.0 * 0.986_712;
        assert_close(&ours[..1], &[1.0]);
        assert!((f64::from(ours[1]) - ramped).abs() < 1e-6, "{ours:?}");
        assert_close(&ours[2..], &[0.0025, 0.000_25]);
    }
}
