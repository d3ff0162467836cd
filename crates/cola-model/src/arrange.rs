//! Brings the values of a tensor from their order in a file into the order that layers use.

use tch::{Kind, Tensor};

use super::ModelError;

/// Order of a tensor's values in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrange {
    /// The order in memory. A single row is repeated for all rows.
    Same,
    /// `[in, out]`; in memory `[out, in]`.
    Transposed,
    /// The rows of query, key and value of the first head, then those of the second, and so on for
    /// so many heads.
    ByHead(i64),
    /// In each of so many heads, the two numbers of a rotated pair are adjacent, as in Meta's
    /// Llama; in memory all first numbers of a head come before all second ones.
    Interleaved(i64),
    /// The order in memory, but each value is greater by 1.
    LessOne,
}

impl Arrange {
    /// `part` of a tensor in memory, viewed in a shape into which the result of
    /// [`apply`](Self::apply) can be copied.
    pub fn place(self, part: Tensor) -> Result<Tensor, ModelError> {
        let inner = part.size().split_off(1);
        Ok(match self {
            Self::Same | Self::Transposed | Self::LessOne => part,
            Self::ByHead(heads) => {
                part.f_view([&[3, heads, -1][..], &inner].concat().as_slice())?
            }
            Self::Interleaved(heads) => {
                part.f_view([&[heads, 2, -1][..], &inner].concat().as_slice())?
            }
        })
    }

    /// The values of a file (all of them, or those of some heads or rows), rearranged to be copied
    /// into a view of size `place`.
    pub fn apply(self, source: &Tensor, place: &[i64]) -> Result<Tensor, ModelError> {
        let inner = || source.size().split_off(1);
        Ok(match self {
            Self::Same => source.f_expand(place, false)?,
            Self::Transposed => source.f_transpose(0, 1)?,
            Self::ByHead(heads) => {
                let by_head = [&[heads, 3, -1][..], &inner()].concat();
                source.f_view(by_head.as_slice())?.f_transpose(0, 1)?
            }
            Self::Interleaved(_) => {
                let pairs = place.get(2).copied().unwrap_or(1);
                let by_pair = [&[-1, pairs, 2][..], &inner()].concat();
                source.f_view(by_pair.as_slice())?.f_transpose(1, 2)?
            }
            Self::LessOne => source
                .f_to_kind(Kind::Float)?
                .f_sub_scalar(1.0)?
                .f_expand(place, false)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f32]) -> Tensor {
        Tensor::from_slice(values).view([-1, 1])
    }

    fn arranged(arrange: Arrange, values: &[f32]) -> Vec<f32> {
        let target = Tensor::zeros([values.len() as i64, 1], (Kind::Float, tch::Device::Cpu));
        let mut place = arrange.place(target.shallow_clone()).unwrap();
        let source = arrange.apply(&rows(values), &place.size()).unwrap();
        place.copy_(&source);
        Vec::try_from(target.view(-1)).unwrap()
    }

    #[test]
    fn pairs_of_each_head_become_halves() {
        // Two heads of three pairs; a head of two pairs would be its own inverse.
        let stored = [0., 3., 1., 4., 2., 5., 10., 13., 11., 14., 12., 15.];
        assert_eq!(
            arranged(Arrange::Interleaved(2), &stored),
            [0., 1., 2., 3., 4., 5., 10., 11., 12., 13., 14., 15.]
        );
    }

    #[test]
    fn heads_of_three_become_three_of_heads() {
        let stored = [0., 2., 4., 1., 3., 5.];
        assert_eq!(
            arranged(Arrange::ByHead(2), &stored),
            [0., 1., 2., 3., 4., 5.]
        );
    }

    #[test]
    fn one_is_taken_off_in_f32() {
        assert_eq!(arranged(Arrange::LessOne, &[1.0, 0.5]), [0.0, -0.5]);
        let half = Tensor::from_slice(&[1.000_976_6f32]).to_kind(Kind::Half);
        let less = Arrange::LessOne.apply(&half, &[1]).unwrap();
        assert_eq!(Vec::<f32>::try_from(less).unwrap(), [0.000_976_562_5]);
    }
}
