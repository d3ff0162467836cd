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
        let weight = match &self.weight {
            Weight::Plain(_) => return self.forward(&x).map(drop),
            Weight::Packed(weight) => weight,
        };
        for (start, rows) in row_chunks(x.size()[0]) {
            let product = weight.forward(&x.f_narrow(0, start, rows)?, self.bias.as_deref())?;
            drop(product);
        }
        Ok(())
    }

    /// `[N, in] -> [N, out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor, ModelError> {
        let bias = self.bias.as_deref();
        let weight = match &self.weight {
            Weight::Plain(weight) => return Ok(x.f_linear(weight, bias)?),
            Weight::Packed(weight) => weight,
        };
        let products = row_chunks(x.size()[0]).map(|(start, rows)| -> Result<Tensor, ModelError> {
            let x = x.f_narrow(0, start, rows)?;
            let padding = padded_rows(rows, Device::Cpu) - rows;
            if padding == 0 {
                return weight.forward(&x, bias);
            }
            let padded = x.f_constant_pad_nd([0, 0, 0, padding])?;
            Ok(weight.forward(&padded, bias)?.f_narrow(0, 0, rows)?)
        });
        join(products.collect::<Result<_, _>>()?)
    }
}

/// Most rows of one product on the CPU. oneDNN sums a row in another order where there are many more.
pub const ROWS_AT_ONCE: i64 = 144;

/// The number of rows to which `rows` are padded for products. On the CPU a row has the same bits in all of these numbers, on
/// processors with AVX2 and with AVX-512 (`is_batch_invariant` tries it): with AVX2 oneDNN takes 6 rows at a time, and sums 1, 2 or 3
/// that remain in another order, and so it does with a single row everywhere. They are few, because generating code for a new
/// number of rows takes about a millisecond.
pub fn padded_rows(rows: i64, device: Device) -> i64 {
    if device != Device::Cpu {
        return rows;
    }
    let full = rows / ROWS_AT_ONCE * ROWS_AT_ONCE;
    let rest = rows - full;
    full + match (rest, rest % 6) {
        (49.., _) => (rest + 11) / 12 * 12,
        (_, 1..=4) => rest / 6 * 6 + 4,
        (_, 5) => rest + 1,
        _ => rest,
    }
}

/// The parts of `rows` rows that are multiplied at once, as `(start, rows)`: one if there are no rows.
pub fn row_chunks(rows: i64) -> impl Iterator<Item = (i64, i64)> {
    let starts = (0..rows.max(1)).step_by(ROWS_AT_ONCE as usize);
    starts.map(move |start| (start, ROWS_AT_ONCE.min(rows - start)))
}

/// Parts of a tensor, one below the other.
pub fn join(mut parts: Vec<Tensor>) -> Result<Tensor, ModelError> {
    match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Ok(Tensor::f_cat(&parts, 0)?),
    }
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

    fn has_avx2_alone() -> bool {
        #[cfg(target_arch = "x86_64")]
        return is_x86_feature_detected!("avx2") && !is_x86_feature_detected!("avx512f");
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    #[test]
    fn a_row_has_the_same_bits_in_any_number_of_rows() {
        let _guard = tch::no_grad_guard();
        let x = random(&[700, 72]);
        let linear = Linear::new(Frozen::new(random(&[176, 72])), None).unwrap();
        let all = linear.forward(&x).unwrap();
        for rows in (1..160).chain([287, 288, 289, 431, 700]) {
            let ours = linear.forward(&x.narrow(0, 0, rows)).unwrap();
            let difference = (ours - all.narrow(0, 0, rows)).abs().max();
            // Whether it holds on other processors `is_batch_invariant` finds out.
            let most = if has_avx2_alone() { 0.0 } else { 1e-4 };
            assert!(difference.double_value(&[]) <= most, "{rows} rows");
        }
    }

    #[test]
    fn padding_is_little_and_takes_few_sizes() {
        let sizes: std::collections::BTreeSet<i64> = (1..=ROWS_AT_ONCE)
            .map(|rows| padded_rows(rows, Device::Cpu))
            .collect();
        assert_eq!(sizes.len(), 24);
        assert!(sizes.iter().all(|rows| [0, 4].contains(&(rows % 6))));
        for rows in 9..4000 {
            let padded = padded_rows(rows, Device::Cpu);
            assert!(padded >= rows && padded <= rows + rows / 3);
            assert_eq!(padded_rows(padded, Device::Cpu), padded);
        }
        assert_eq!(padded_rows(0, Device::Cpu), 0);
        assert_eq!(padded_rows(9, Device::Cuda(0)), 9);
    }
}
