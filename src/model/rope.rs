//! Rotary position embedding, rotate-half form (RoFormer, arXiv 2104.09864).

use std::{
    f64::consts::PI,
    sync::{Arc, RwLock},
};

use tch::{Device, Kind, Tensor};

use super::{Frozen, ModelError, RopeScaling, RopeSpec};

/// Cosines and sines by position, made for as many positions as were asked for so far.
#[derive(Debug)]
pub struct Rope {
    /// Angle per position, `[head_dim / 2]`, f32 as transformers computes it.
    frequencies: Frozen,
    kind: Kind,
    table: RwLock<Arc<Table>>,
}

#[derive(Debug)]
struct Table {
    positions: i64,
    /// `[P, head_dim]`.
    cos: Frozen,
    /// `[P, head_dim]`, the first half negated: `rotate_half` then is a plain swap of halves.
    sin: Frozen,
}

impl Rope {
    /// Tables for heads of `head_dim`, in the compute dtype.
    pub fn new(
        spec: &RopeSpec,
        head_dim: i64,
        kind: Kind,
        device: Device,
    ) -> Result<Self, ModelError> {
        let frequencies = frequencies(spec, head_dim)?.f_to_device(device)?;
        let table = Table::new(&frequencies, 512, kind)?;
        Ok(Self {
            frequencies: Frozen::new(frequencies),
            kind,
            table: RwLock::new(Arc::new(table)),
        })
    }

    /// Rows of the tables for `positions` `[N]`, the largest being `last`: two `[N, 1, head_dim]`.
    pub fn at(&self, positions: &Tensor, last: i64) -> Result<(Tensor, Tensor), ModelError> {
        let table = self.table_for(last)?;
        let row = |t: &Tensor| t.f_index_select(0, positions)?.f_unsqueeze(1);
        Ok((row(&table.cos)?, row(&table.sin)?))
    }

    fn table_for(&self, last: i64) -> Result<Arc<Table>, ModelError> {
        // A poisoned lock only means that another thread panicked: the table it guards is whole.
        let current = Arc::clone(&self.table.read().unwrap_or_else(|e| e.into_inner()));
        if last < current.positions {
            return Ok(current);
        }
        let positions = (last + 1).max(2 * current.positions);
        let grown = Arc::new(Table::new(&self.frequencies, positions, self.kind)?);
        *self.table.write().unwrap_or_else(|e| e.into_inner()) = Arc::clone(&grown);
        Ok(grown)
    }
}

impl Table {
    fn new(frequencies: &Tensor, positions: i64, kind: Kind) -> Result<Self, ModelError> {
        let position = Tensor::f_arange(positions, (Kind::Float, frequencies.device()))?;
        let angles = position
            .f_unsqueeze(1)?
            .f_mul(&frequencies.f_unsqueeze(0)?)?;
        let (cos, sin) = (angles.f_cos()?, angles.f_sin()?);
        let halves = |a: &Tensor, b: &Tensor| -> Result<Frozen, ModelError> {
            Ok(Frozen::new(Tensor::f_cat(&[a, b], 1)?.f_to_kind(kind)?))
        };
        Ok(Self {
            positions,
            cos: halves(&cos, &cos)?,
            sin: halves(&sin.f_neg()?, &sin)?,
        })
    }
}

/// Rotates heads `x` `[N, H, head_dim]` by the rows [`Rope::at`] gave.
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor, ModelError> {
    let width = x.size()[2];
    let swapped = x.f_roll([width / 2], [2])?;
    Ok(x.f_mul(cos)?.f_add(&swapped.f_mul(sin)?)?)
}

/// Angle per position of every pair, after scaling: `[head_dim / 2]`, f32.
fn frequencies(spec: &RopeSpec, head_dim: i64) -> Result<Tensor, ModelError> {
    let exponent = Tensor::f_arange_start_step(0, head_dim, 2, (Kind::Int64, Device::Cpu))?
        .f_to_kind(Kind::Float)?
        .f_div_scalar(head_dim as f64)?;
    let plain = Tensor::f_pow_scalar(spec.theta, &exponent)?.f_reciprocal()?;
    match spec.scaling {
        RopeScaling::Default => Ok(plain),
        RopeScaling::Linear { factor } => Ok(plain.f_div_scalar(factor)?),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_max_positions,
        } => {
            let plain: Vec<f32> = Vec::try_from(&plain)?;
            let scaled: Vec<f32> = plain
                .iter()
                .map(|&frequency| {
                    let frequency = f64::from(frequency);
                    let turns = original_max_positions * frequency / (2.0 * PI);
                    // 0 below the low threshold (divide), 1 above the high one (keep).
                    let keep = ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor))
                        .clamp(0.0, 1.0);
                    (keep * frequency + (1.0 - keep) * frequency / factor) as f32
                })
                .collect();
            Ok(Tensor::f_from_slice(&scaled)?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(scaling: RopeScaling) -> RopeSpec {
        RopeSpec {
            theta: 10_000.0,
            scaling,
        }
    }

    fn rope(scaling: RopeScaling, head_dim: i64) -> Rope {
        Rope::new(&spec(scaling), head_dim, Kind::Float, Device::Cpu).unwrap()
    }

    fn assert_close(ours: &[f32], expected: &[f64]) {
        assert_eq!(ours.len(), expected.len());
        for (ours, expected) in ours.iter().zip(expected) {
            let difference = (f64::from(*ours) - expected).abs();
            assert!(
                difference < 2e-6 * expected.abs().max(1e-3),
                "{ours} {expected}"
            );
        }
    }

    /// `x`, one head, rotated as the node at `position`.
    fn rotated(rope: &Rope, x: &[f32], position: i64) -> Vec<f32> {
        let (cos, sin) = rope.at(&Tensor::from_slice(&[position]), position).unwrap();
        let x = Tensor::from_slice(x).view([1, 1, -1]);
        Vec::try_from(rotate(&x, &cos, &sin).unwrap().flatten(0, 2)).unwrap()
    }

    #[test]
    fn llama3_keeps_high_frequencies_divides_low_ones_and_ramps_between() {
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_positions: 64.0,
        };
        let frequencies = frequencies(&spec(scaling), 8).unwrap();
        let ours: Vec<f32> = Vec::try_from(frequencies).unwrap();
        // Plain: 1, 0.1, 0.01, 0.001. In 64 positions they make 10.186, 1.018592, 0.10 and 0.01
        // turns: above 4, between 1 and 4, below 1, below 1.
        // Ramp: (1.018592 - 1) / (4 - 1) = 0.00619721 of 0.1, the rest of 0.1 / 8.
        assert_close(&ours, &[1.0, 0.013_042_256, 0.001_25, 0.000_125]);
    }

    #[test]
    fn linear_scaling_divides_all_frequencies() {
        let frequencies = frequencies(&spec(RopeScaling::Linear { factor: 4.0 }), 8).unwrap();
        let ours: Vec<f32> = Vec::try_from(frequencies).unwrap();
        assert_close(&ours, &[0.25, 0.025, 0.0025, 0.000_25]);
    }

    #[test]
    fn a_pair_of_one_and_the_same_half_is_turned_by_position_times_frequency() {
        let rope = rope(RopeScaling::Default, 4);
        let (a, b): (f64, f64) = (7.0, 7.0 * 0.01);
        let ours = rotated(&rope, &[1.0, 2.0, 3.0, 4.0], 7);
        let expected = [
            a.cos() - 3.0 * a.sin(),
            2.0 * b.cos() - 4.0 * b.sin(),
            3.0 * a.cos() + a.sin(),
            4.0 * b.cos() + 2.0 * b.sin(),
        ];
        assert_close(&ours, &expected);
    }

    #[test]
    fn scores_depend_on_the_distance_of_two_nodes_alone() {
        let rope = rope(RopeScaling::Default, 6);
        let (q, k) = (
            [0.3, -1.0, 2.0, 0.5, 1.5, -0.2],
            [1.0, 0.4, -0.6, 2.0, 0.1, 0.9],
        );
        let score = |i: i64, j: i64| -> f32 {
            let (q, k) = (rotated(&rope, &q, i), rotated(&rope, &k, j));
            q.iter().zip(k).map(|(q, k)| q * k).sum()
        };
        assert!((score(9, 4) - score(105, 100)).abs() < 1e-4);
        assert!((score(9, 4) - score(9, 5)).abs() > 1e-2);
    }

    #[test]
    fn tables_grow_with_the_positions_asked_for_and_keep_what_they_held() {
        let rope = rope(RopeScaling::Default, 4);
        let early = rotated(&rope, &[1.0, 2.0, 3.0, 4.0], 300);
        for position in [511, 512, 513, 5000] {
            let ours = rotated(&rope, &[1.0, 0.0, 0.0, 0.0], position);
            let angle = position as f64;
            // cos and sin of a large f32 angle.
            assert!(
                (f64::from(ours[0]) - angle.cos()).abs() < 1e-3,
                "{position}"
            );
            assert!(
                (f64::from(ours[2]) - angle.sin()).abs() < 1e-3,
                "{position}"
            );
        }
        assert_eq!(rotated(&rope, &[1.0, 2.0, 3.0, 4.0], 300), early);
    }
}
