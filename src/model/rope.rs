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
