//! Copies a tensor out of a mapped file piece by piece, so that little of the file is in memory at
//! any time.

use std::ops::Range;

use tch::Tensor;

use super::ModelError;

/// Bytes copied, checked and given back at a time.
const PIECE: usize = 16 << 20;

/// `target.copy_(source)` for tensors of one shape, with any strides, dtypes and devices. Calls
/// `release` with the addresses of every piece of `source` that has been read. Returns whether all
/// values in `target` are finite; stops at the first piece in which one is not.
pub fn copy_finite(
    target: &mut Tensor,
    source: &Tensor,
    release: &dyn Fn(Range<usize>),
) -> Result<bool, ModelError> {
    let bytes = source.numel() * source.kind().elt_size_in_bytes();
    if bytes <= PIECE {
        target.f_copy_(source)?;
        release(addresses(source));
        return all_finite(target);
    }
    // Halving the dimension of the largest stride gives two pieces that occupy separate ranges of
    // the file, whatever view of it the source is.
    let sizes = source.size();
    let (dimension, _) = (source.stride().into_iter().enumerate())
        .filter(|&(dimension, _)| sizes[dimension] > 1)
        .max_by_key(|&(_, stride)| stride)
        .expect("more than a piece has a dimension of more than one");
    let half = sizes[dimension] / 2;
    for (start, length) in [(0, half), (half, sizes[dimension] - half)] {
        let mut place = target.f_narrow(dimension as i64, start, length)?;
        let piece = source.f_narrow(dimension as i64, start, length)?;
        if !copy_finite(&mut place, &piece, release)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The addresses from the first to the last byte of a tensor.
fn addresses(tensor: &Tensor) -> Range<usize> {
    if tensor.numel() == 0 {
        return 0..0;
    }
    let last: i64 = (tensor.size().iter().zip(tensor.stride()))
        .map(|(size, stride)| (size - 1) * stride)
        .sum();
    let start = tensor.data_ptr().addr();
    start..start + (last as usize + 1) * tensor.kind().elt_size_in_bytes()
}

/// Whether all values are finite. The minimum and the maximum tell, because both are NaN if any
/// value is; no other tensor of this size is made.
fn all_finite(tensor: &Tensor) -> Result<bool, ModelError> {
    if tensor.numel() == 0 {
        return Ok(true);
    }
    let (least, greatest) = tensor.f_aminmax(None, false)?;
    Ok(f64::try_from(least)?.is_finite() && f64::try_from(greatest)?.is_finite())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tch::{Device, Kind};

    use super::*;

    /// A tensor of more than two pieces.
    fn large() -> Tensor {
        Tensor::arange(3 * PIECE as i64 / 4, (Kind::Float, Device::Cpu)).view([768, -1])
    }

    #[test]
    fn a_tensor_of_many_pieces_arrives_whole_through_any_view() {
        let source = large();
        let columns = source.size()[1];
        for view in [
            source.shallow_clone(),
            source.tr(),
            source.view([3, 256, columns]).permute([1, 2, 0]),
            source.narrow(1, 5, columns - 5),
        ] {
            let released = RefCell::new(Vec::new());
            let mut target = Tensor::zeros(view.size(), (Kind::Float, Device::Cpu));
            let release = |range| released.borrow_mut().push(range);
            assert!(copy_finite(&mut target, &view, &release).unwrap());
            assert!(target.equal(&view));
            let released = released.into_inner();
            assert!(released.len() > 2, "{}", released.len());
            assert!(released.iter().all(|range| range.len() <= PIECE));
            assert!(released.is_sorted_by_key(|range| range.start));
        }
    }

    #[test]
    fn a_place_between_others_changes_alone() {
        let mut fused = Tensor::zeros([6, 4], (Kind::BFloat16, Device::Cpu));
        let source = Tensor::ones([2, 4], (Kind::Float, Device::Cpu));
        let copied = copy_finite(&mut fused.narrow(0, 2, 2), &source, &|_| ());
        assert!(copied.unwrap());
        let sums = fused.sum_dim_intlist(1, false, Kind::Float);
        assert_eq!(
            Vec::<f32>::try_from(sums).unwrap(),
            [0., 0., 4., 4., 0., 0.]
        );
        let _ = fused.fill_(0.0);
    }

    #[test]
    fn one_value_that_is_not_finite_is_found_in_any_piece() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for row in [0, 400, 767] {
                let source = large();
                let _ = source.get(row).get(1).fill_(value);
                let mut target = Tensor::zeros_like(&source);
                assert!(!copy_finite(&mut target, &source, &|_| ()).unwrap());
            }
        }
    }
}
