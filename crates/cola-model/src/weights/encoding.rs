//! Encodings of the values of tensors in files.

use std::ops::Range;

use anamnesis::GgufType;
use safetensors::Dtype;
use tch::Kind;

use super::gguf::Described;

/// Encoding of a tensor's values in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// One float after the other.
    Plain(Kind),
    /// Blocks of quantised values with their scales (GGUF).
    Blocks(GgufType),
    /// Any other encoding, by its name. It cannot be read.
    Other(String),
}

impl Encoding {
    /// Encoding of a dtype of a safetensors file.
    pub fn of(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Self::Plain(Kind::Float),
            Dtype::F16 => Self::Plain(Kind::Half),
            Dtype::BF16 => Self::Plain(Kind::BFloat16),
            other => Self::Other(other.to_string()),
        }
    }

    fn of_gguf(kind: GgufType) -> Self {
        match kind {
            GgufType::F32 => Self::Plain(Kind::Float),
            GgufType::F16 => Self::Plain(Kind::Half),
            GgufType::BF16 => Self::Plain(Kind::BFloat16),
            GgufType::Q4_0
            | GgufType::Q4_1
            | GgufType::Q5_0
            | GgufType::Q5_1
            | GgufType::Q8_0
            | GgufType::Q2_K
            | GgufType::Q3_K
            | GgufType::Q4_K
            | GgufType::Q5_K
            | GgufType::Q6_K => Self::Blocks(kind),
            other => Self::Other(format!(
                "{other}; supported: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K"
            )),
        }
    }

    /// The name of the dtype or quantisation type, as the formats write it.
    pub fn name(&self) -> String {
        match self {
            Self::Plain(Kind::Float) => "F32".to_owned(),
            Self::Plain(Kind::Half) => "F16".to_owned(),
            Self::Plain(_) => "BF16".to_owned(),
            Self::Blocks(kind) => kind.to_string(),
            Self::Other(name) => name.split(';').next().unwrap_or_default().to_owned(),
        }
    }
}

/// A tensor of a file.
#[derive(Debug)]
pub struct Entry {
    pub encoding: Encoding,
    pub shape: Vec<i64>,
    /// Its bytes in the file. Encoding and shape give their number; the range lies inside the file.
    pub range: Range<usize>,
}

impl Entry {
    /// A tensor of a GGUF file, with its name.
    pub fn of_gguf(described: Described) -> (String, Self) {
        let entry = Self {
            encoding: Encoding::of_gguf(described.kind),
            shape: described.shape,
            range: described.range,
        };
        (described.name, entry)
    }

    /// The bytes of one index of the first dimension: the same number for each, since rows are
    /// whole blocks.
    ///
    /// # Panics
    /// If the tensor has no dimension, or `index` is past its first.
    pub fn slice(&self, index: i64) -> Range<usize> {
        let parts = self.shape[0];
        assert!((0..parts).contains(&index));
        let bytes = self.range.len() / parts as usize;
        let start = self.range.start + index as usize * bytes;
        start..start + bytes
    }

    /// Number of its values.
    pub fn values(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }
}
