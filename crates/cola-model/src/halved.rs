//! An embedding in half its memory, where that loses nothing.

use tch::{Kind, Tensor};

use super::{Frozen, ModelError};

/// The same numbers `[N, D]` in 16 bits, if that loses none of them: those of a checkpoint in 16
/// bits.
pub fn halved(numbers: Frozen) -> Result<Frozen, ModelError> {
    for kind in [Kind::BFloat16, Kind::Half] {
        if let Some(half) = rounded(&numbers, kind)? {
            return Ok(Frozen::new(half));
        }
    }
    Ok(numbers)
}

/// The numbers in another dtype; `None` if one of them changes.
fn rounded(numbers: &Tensor, kind: Kind) -> Result<Option<Tensor>, ModelError> {
    /// Rows that are compared at once: a copy of all would double the memory.
    const ROWS: i64 = 1024;
    let shape = numbers.size();
    let rounded = Tensor::f_empty(&shape, (kind, numbers.device()))?;
    for start in (0..shape[0]).step_by(ROWS as usize) {
        let rows = ROWS.min(shape[0] - start);
        let exact = numbers.f_narrow(0, start, rows)?;
        let mut part = rounded.f_narrow(0, start, rows)?;
        part.f_copy_(&exact)?;
        if !part.f_to_kind(numbers.kind())?.f_equal(&exact)? {
            return Ok(None);
        }
    }
    Ok(Some(rounded))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn numbers_of_a_16_bit_checkpoint_are_halved_and_others_are_left() {
        let wide = crate::test_numbers::random(&[1500, 3]);
        for kind in [Kind::BFloat16, Kind::Half] {
            let numbers = wide.to_kind(kind).to_kind(Kind::Float);
            let half = halved(Frozen::new(numbers.shallow_clone())).unwrap();
            assert_eq!(half.kind(), kind);
            assert!(half.to_kind(Kind::Float).equal(&numbers));
        }
        assert_eq!(halved(Frozen::new(wide)).unwrap().kind(), Kind::Float);
        // One number of the last rows is enough.
        let numbers = Tensor::ones([1500, 3], (Kind::Float, Device::Cpu));
        let _ = numbers.narrow(0, 1499, 1).fill_(0.1);
        assert_eq!(halved(Frozen::new(numbers)).unwrap().kind(), Kind::Float);
    }
}
