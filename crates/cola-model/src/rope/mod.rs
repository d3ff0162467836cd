//! Rotary position embedding, rotate-half form (RoFormer, arXiv 2104.09864).

mod scaling;

use std::sync::{Arc, RwLock};

use tch::{Device, Kind, Tensor};

use self::scaling::frequencies;
pub use self::scaling::{RopeScaling, RopeSpec};
use super::{Frozen, ModelError, batch::Batch};

/// Cosines and sines by position, in a table that grows to the largest position used so far.
#[derive(Debug)]
pub struct Rope {
    spec: RopeSpec,
    /// Angle per position, `[rotary_dim / 2]`, f32 as transformers computes it.
    frequencies: Frozen,
    kind: Kind,
    table: RwLock<Arc<Table>>,
}

#[derive(Debug)]
struct Table {
    positions: i64,
    rows: Rows,
}

/// Cosines and sines of some positions.
#[derive(Debug)]
struct Rows {
    /// `[P, rotary_dim]`.
    cos: Frozen,
    /// `[P, rotary_dim]`, the first half negated: `rotate_half` then is a plain swap of halves.
    sin: Frozen,
}

impl Rope {
    /// Tables in the compute dtype.
    pub fn new(spec: &RopeSpec, kind: Kind, device: Device) -> Result<Self, ModelError> {
        let frequencies = frequencies(spec, 0)?.f_to_device(device)?;
        let factor = spec.scaling.attention_factor();
        let table = Table::new(&frequencies, 512, factor, kind)?;
        Ok(Self {
            spec: spec.clone(),
            frequencies: Frozen::new(frequencies),
            kind,
            table: RwLock::new(Arc::new(table)),
        })
    }

    /// Cosines and sines for the batch's nodes: two `[N, 1, rotary_dim]`, for [`rotate`].
    pub fn turns(&self, batch: &Batch<'_>) -> Result<(Tensor, Tensor), ModelError> {
        let limit = self.spec.scaling.longest_usual().unwrap_or(i64::MAX);
        if batch.last_position < limit {
            let table = self.table_for(batch.last_position)?;
            return table.rows.select(&batch.positions);
        }
        // At least one sequence is past the length where dynamic or longrope scaling switches
        // tables. The switch applies to all positions of that sequence, so tables are chosen per
        // segment.
        let mut rows = Vec::with_capacity(batch.lengths().len());
        let mut start = 0;
        for (&nodes, &last) in batch.lengths().iter().zip(batch.last_positions()) {
            let positions = batch.positions.f_narrow(0, start, nodes)?;
            start += nodes;
            rows.push(match last < limit {
                true => self.table_for(last)?.rows.select(&positions)?,
                false => {
                    let frequencies =
                        frequencies(&self.spec, last + 1)?.f_to_device(positions.device())?;
                    let factor = self.spec.scaling.attention_factor();
                    let rows = Rows::new(&positions, &frequencies, factor, self.kind)?;
                    (rows.cos.f_unsqueeze(1)?, rows.sin.f_unsqueeze(1)?)
                }
            });
        }
        let padding = batch.positions.size()[0] - start;
        let positions = batch.positions.f_narrow(0, start, padding)?;
        rows.push(self.table_for(0)?.rows.select(&positions)?);
        let (cos, sin): (Vec<Tensor>, Vec<Tensor>) = rows.into_iter().unzip();
        Ok((Tensor::f_cat(&cos, 0)?, Tensor::f_cat(&sin, 0)?))
    }

    fn table_for(&self, last: i64) -> Result<Arc<Table>, ModelError> {
        // A poisoned lock only means that another thread panicked: the table it guards is whole.
        let current = Arc::clone(&self.table.read().unwrap_or_else(|e| e.into_inner()));
        if last < current.positions {
            return Ok(current);
        }
        let positions = (last + 1).max(2 * current.positions);
        let factor = self.spec.scaling.attention_factor();
        let grown = Arc::new(Table::new(&self.frequencies, positions, factor, self.kind)?);
        *self.table.write().unwrap_or_else(|e| e.into_inner()) = Arc::clone(&grown);
        Ok(grown)
    }
}

impl Table {
    fn new(
        frequencies: &Tensor,
        positions: i64,
        factor: f64,
        kind: Kind,
    ) -> Result<Self, ModelError> {
        let all = Tensor::f_arange(positions, (Kind::Int64, frequencies.device()))?;
        Ok(Self {
            positions,
            rows: Rows::new(&all, frequencies, factor, kind)?,
        })
    }
}

impl Rows {
    /// Rows for `positions` `[P]`.
    fn new(
        positions: &Tensor,
        frequencies: &Tensor,
        factor: f64,
        kind: Kind,
    ) -> Result<Self, ModelError> {
        let angles = positions
            .f_to_kind(Kind::Float)?
            .f_unsqueeze(1)?
            .f_mul(&frequencies.f_unsqueeze(0)?)?;
        let scaled = |t: Tensor| match factor {
            1.0 => Ok(t),
            _ => t.f_mul_scalar(factor),
        };
        let (cos, sin) = (scaled(angles.f_cos()?)?, scaled(angles.f_sin()?)?);
        let halves = |a: &Tensor, b: &Tensor| -> Result<Frozen, ModelError> {
            Ok(Frozen::new(Tensor::f_cat(&[a, b], 1)?.f_to_kind(kind)?))
        };
        Ok(Self {
            cos: halves(&cos, &cos)?,
            sin: halves(&sin.f_neg()?, &sin)?,
        })
    }

    /// The rows at `index` `[N]`: two `[N, 1, rotary_dim]`.
    fn select(&self, index: &Tensor) -> Result<(Tensor, Tensor), ModelError> {
        let rows = |t: &Tensor| t.f_index_select(0, index)?.f_unsqueeze(1);
        Ok((rows(&self.cos)?, rows(&self.sin)?))
    }
}

/// Rotates the first `rotary_dim` of each head of `x` `[N, H, head_dim]` by cosines and sines
/// `[N, 1, rotary_dim]`.
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor, ModelError> {
    let (width, rotary) = (x.size()[2], cos.size()[2]);
    let part = x.f_narrow(2, 0, rotary)?;
    let swapped = part.f_roll([rotary / 2], [2])?;
    let rotated = part.f_mul(cos)?.f_add(&swapped.f_mul(sin)?)?;
    if rotary == width {
        return Ok(rotated);
    }
    let rest = x.f_narrow(2, rotary, width - rotary)?;
    Ok(Tensor::f_cat(&[rotated, rest], 2)?)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Segment, Visibility, kernels},
        *,
    };

    fn rope(rotary_dim: i64) -> Rope {
        let spec = RopeSpec {
            theta: 10_000.0,
            rotary_dim,
            scaling: RopeScaling::Default,
        };
        Rope::new(&spec, Kind::Float, Device::Cpu).unwrap()
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
        let residual = Tensor::zeros([1, 4], (Kind::Float, Device::Cpu));
        let segment = Segment {
            residual: &residual,
            positions: &[position],
            context: Vec::new(),
            visible: Visibility::All,
        };
        let segments = [segment];
        let batch = Batch::pack(&segments, None).unwrap();
        let (cos, sin) = rope.turns(&batch).unwrap();
        let (cos, sin) = (cos.narrow(0, 0, 1), sin.narrow(0, 0, 1));
        let x = Tensor::from_slice(x).view([1, 1, -1]);
        let rotated: Vec<f32> =
            Vec::try_from(rotate(&x, &cos, &sin).unwrap().flatten(0, 2)).unwrap();
        let no_values = Tensor::zeros([1, 0, x.size()[2]], (Kind::Float, Device::Cpu));
        let (parted, _) = kernels::rotate_and_part(&x, &no_values, Some((&cos, &sin)), 1)
            .unwrap()
            .unwrap();
        assert!(parted.allclose(&rotate(&x, &cos, &sin).unwrap(), 1e-6, 1e-6, false));
        rotated
    }

    #[test]
    fn a_pair_of_one_and_the_same_half_is_turned_by_position_times_frequency() {
        let rope = rope(4);
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
        let rope = rope(6);
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
        let rope = rope(4);
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

    #[test]
    fn what_is_not_rotary_stays() {
        let ours = rotated(&rope(2), &[1.0, 2.0, 3.0, 4.0], 7);
        let angle: f64 = 7.0;
        let turned = [
            angle.cos() - 2.0 * angle.sin(),
            2.0 * angle.cos() + angle.sin(),
        ];
        assert_close(&ours, &[turned[0], turned[1], 3.0, 4.0]);
    }
}
