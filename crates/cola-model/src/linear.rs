//! A linear map `y = x W^T + b`.

use tch::{Device, Kind, Tensor};

use super::{Frozen, ModelError, onednn::Packed};

/// Weights `[out, in]` and an optional bias `[out]`. Several projections of the same input are one
/// `Linear`, their outputs side by side.
#[derive(Debug)]
pub struct Linear {
    weight: Weight,
    input: i64,
    like: (Kind, Device),
    bias: Option<Frozen>,
}

#[derive(Debug)]
enum Weight {
    Plain(Frozen),
    Packed(Packed),
}

impl Linear {
    /// Takes over the weights, and packs them if that makes products faster.
    pub fn new(weight: Frozen, bias: Option<Frozen>) -> Result<Self, ModelError> {
        let mut linear = Self::plain(weight);
        linear.bias = bias;
        if let Weight::Plain(weight) = &linear.weight
            && let Some(packed) = Packed::new(weight)?
        {
            linear.weight = Weight::Packed(packed);
        }
        Ok(linear)
    }

    /// Whether the weights are packed, which leaves the tensor they came from unused.
    pub fn is_packed(&self) -> bool {
        matches!(self.weight, Weight::Packed(_))
    }

    /// Uses the weights as they are.
    fn plain(weight: Frozen) -> Self {
        Self {
            input: weight.size().last().copied().unwrap_or(0),
            like: (weight.kind(), weight.device()),
            weight: Weight::Plain(weight),
            bias: None,
        }
    }

    /// The product with `rows` rows of zeros.
    pub fn multiply_only(&self, rows: i64) -> Result<(), ModelError> {
        let x = Tensor::f_zeros([padded_rows(rows, self.like.1), self.input], self.like)?;
        self.forward(&x).map(drop)
    }

    /// `[N, in] -> [N, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let bias = self.bias.as_deref();
        let weight = match &self.weight {
            Weight::Plain(weight) => return Ok(x.f_linear(weight, bias)?),
            Weight::Packed(weight) => weight,
        };
        let rows = x.size()[0];
        let padding = padded_rows(rows, Device::Cpu) - rows;
        if padding == 0 {
            return weight.forward(x, bias);
        }
        let padded = x.f_constant_pad_nd([0, 0, 0, padding])?;
        Ok(weight.forward(&padded, bias)?.f_narrow(0, 0, rows)?)
    }
}

/// The number of rows to which `rows` are padded for a product. On the CPU it is one of a few
/// numbers, because generating code for a new number of rows takes about a millisecond. It is never
/// 1, because a single row is summed in another order than the rows of a batch.
pub fn padded_rows(rows: i64, device: Device) -> i64 {
    if device != Device::Cpu || rows == 0 {
        return rows;
    }
    let step = match rows {
        ..9 => 2,
        9..33 => 4,
        33..65 => 8,
        65..257 => 16,
        257..1025 => 32,
        _ => 128,
    };
    (rows + step - 1) / step * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_numbers::random;

    #[test]
    fn any_number_of_rows_is_multiplied() {
        let _guard = tch::no_grad_guard();
        let (weight, x) = (random(&[176, 64]), random(&[300, 64]));
        let expected = x.matmul(&weight.tr());
        let linear = Linear::new(Frozen::new(weight), None).unwrap();
        for rows in [0, 1, 2, 9, 31, 64, 257, 300] {
            let ours = linear.forward(&x.narrow(0, 0, rows)).unwrap();
            assert_eq!(ours.size(), [rows, 176]);
            assert!(ours.allclose(&expected.narrow(0, 0, rows), 1e-4, 1e-4, false));
        }
    }

    #[test]
    fn padding_is_little_and_takes_few_sizes() {
        let sizes: std::collections::BTreeSet<i64> = (1..=1024)
            .map(|rows| padded_rows(rows, Device::Cpu))
            .collect();
        assert!(sizes.len() < 60 && !sizes.contains(&1));
        for rows in 9..4000 {
            let padded = padded_rows(rows, Device::Cpu);
            assert!(padded >= rows && padded <= rows + rows / 3);
        }
        assert_eq!(padded_rows(9, Device::Cuda(0)), 9);
    }
}
