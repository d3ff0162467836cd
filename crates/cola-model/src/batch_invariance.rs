//! Tests whether the results of a row depend on its batch.

use tch::{Device, Kind, Tensor};

use super::{
    Ancestors, Applied, Batch, Frozen, Keep, LayerSpec, Model, ModelError, Segment, StepOptions,
    Visibility,
};

/// Lengths of the rows of the trial batch: one for each number of rows up to 48 that products are padded to. Libraries choose
/// different kernels for some of them, and for all rows together, which are more than are multiplied at once.
const LENGTHS: [usize; 17] = [
    1, 5, 2, 8, 11, 14, 17, 21, 23, 26, 29, 33, 35, 38, 41, 45, 47,
];

/// So many of the rows pass the head, which takes longest.
const HEAD_ROWS: usize = 8;

impl Model {
    /// Whether rows in one batch give the same bits as each row alone, and a token after its
    /// context the same bits as within its sequence. This is tried on every kind of layer of this
    /// model and on its head. It holds on the CPU in f32 on some processors. On other devices and
    /// in other dtypes the answer is no without a trial: there the kernels are chosen by the size
    /// of the batch.
    pub fn is_batch_invariant(&self) -> Result<bool, ModelError> {
        if self.compute().device != Device::Cpu || self.compute().kind != Kind::Float {
            return Ok(false);
        }
        let _guard = tch::no_grad_guard();
        let rows = LENGTHS
            .iter()
            .enumerate()
            .map(|(row, &length)| TrialRow::new(self, row, length))
            .collect::<Result<Vec<_>, _>>()?;
        let mut tried: Vec<&LayerSpec> = Vec::new();
        for (index, spec) in self.spec().layers.iter().enumerate() {
            if tried.contains(&spec) {
                continue;
            }
            tried.push(spec);
            if self.layer_depends(index, &rows)? {
                return Ok(false);
            }
        }
        let rows = &rows[..HEAD_ROWS];
        let residuals: Vec<&Tensor> = rows.iter().map(|row| &*row.residual).collect();
        let together = self.head().logits(&Tensor::f_cat(&residuals, 0)?)?;
        let mut start = 0;
        for row in rows {
            let nodes = row.residual.size()[0];
            let alone = self.head().logits(&row.residual)?;
            if !together.f_narrow(0, start, nodes)?.f_equal(&alone)? {
                return Ok(false);
            }
            start += nodes;
        }
        Ok(true)
    }

    fn layer_depends(&self, index: usize, rows: &[TrialRow]) -> Result<bool, ModelError> {
        let together = self.apply(index, rows.iter().map(TrialRow::segment).collect())?;
        for (row, together) in rows.iter().zip(&together) {
            let alone = self.apply(index, vec![row.segment()])?;
            if !same(together, &alone[0])? {
                return Ok(true);
            }
            // The last token of the row alone, with the others as its context.
            let last = row.positions.len() - 1;
            let Some(context) = together.key_value.as_ref().filter(|_| last > 0) else {
                continue;
            };
            let newest = Frozen::new(row.residual.f_narrow(0, last as i64, 1)?);
            let segment = Segment {
                residual: &newest,
                positions: &row.positions[last..],
                context: vec![(context, last as i64)],
                visible: Visibility::All,
            };
            let decoded = self.apply(index, vec![segment])?;
            let within = together.residual.f_narrow(0, last as i64, 1)?;
            if !decoded[0].residual.f_equal(&within)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn apply(&self, index: usize, segments: Vec<Segment<'_>>) -> Result<Vec<Applied>, ModelError> {
        let layer = self.layer(index);
        let options = StepOptions {
            keep: Keep::Everything,
            alpha: 1.0,
        };
        let batch = Batch::pack(&segments, layer.window())?;
        layer.forward(&batch, &vec![options; segments.len()])
    }
}

fn same(a: &Applied, b: &Applied) -> Result<bool, ModelError> {
    let key_values = match (&a.key_value, &b.key_value) {
        (Some(a), Some(b)) => a.f_equal(b)?,
        _ => false,
    };
    Ok(key_values && a.residual.f_equal(&b.residual)?)
}

struct TrialRow {
    residual: Frozen,
    positions: Vec<i64>,
    causal: Ancestors,
}

impl TrialRow {
    fn new(model: &Model, row: usize, length: usize) -> Result<Self, ModelError> {
        let vocabulary = model.spec().vocabulary;
        let tokens = (0..length).map(|at| ((31 + 7919 * (row + 1) * (at + 1)) as i64) % vocabulary);
        let tokens: Vec<u32> = tokens.map(|token| token as u32).collect();
        // A single token gets the position of a decoded one.
        let first = if length == 1 && !model.spec().learned_positions {
            40
        } else {
            0
        };
        let positions: Vec<i64> = (first..first + length as i64).collect();
        Ok(Self {
            residual: Frozen::new(model.embed(&tokens, &positions)?),
            positions,
            causal: Ancestors::causal(length),
        })
    }

    fn segment(&self) -> Segment<'_> {
        Segment {
            residual: &self.residual,
            positions: &self.positions,
            context: Vec::new(),
            visible: Visibility::Tree {
                context: &[],
                tree: &self.causal,
            },
        }
    }
}
