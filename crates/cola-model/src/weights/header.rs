//! Reads the header of a safetensors file, which says where each tensor is. Everything in it is
//! checked.
//!
//! ```text
//! 8 bytes, little-endian: n | n bytes of JSON | data
//! JSON: {"name": {"dtype": "BF16", "shape": [4, 2], "data_offsets": [0, 16]}, ...}
//! ```
//!
//! The `safetensors` crate reads the same format, but keeps the last of two entries of one name and
//! does not say which tensor is wrong.

use std::{collections::BTreeMap, fmt, ops::Range, path::Path};

use safetensors::Dtype;
use serde::{
    Deserialize, Deserializer,
    de::{
        Error, MapAccess, Visitor,
        value::{Error as DtypeError, StrDeserializer},
    },
};

use super::{Encoding, Entry, ModelError};

/// Longest header that the reference implementation accepts. The header of a large shard has some
/// 100 kB.
const LONGEST_HEADER: u64 = 100_000_000;
const LENGTH: usize = size_of::<u64>();

/// The tensors of a file. Their ranges cover everything after the header, without overlap.
pub fn parse(path: &Path, file: &[u8]) -> Result<BTreeMap<String, Entry>, ModelError> {
    let malformed = |reason: String| ModelError::Malformed {
        path: path.to_owned(),
        reason,
    };
    let incomplete = |why: String| malformed(format!("not a complete safetensors file: {why}"));
    let Some((length, rest)) = file.split_first_chunk::<LENGTH>() else {
        return Err(incomplete(format!("it has {} bytes", file.len())));
    };
    let length = u64::from_le_bytes(*length);
    if length > LONGEST_HEADER {
        return Err(malformed(format!(
            "not a safetensors file: its header would have {length} bytes"
        )));
    }
    let Some((header, data)) = rest.split_at_checked(length as usize) else {
        return Err(incomplete(format!(
            "its header should have {length} bytes, but there are only {}",
            rest.len()
        )));
    };
    let broken =
        |error: &dyn fmt::Display| malformed(format!("broken safetensors header: {error}"));
    let text = str::from_utf8(header).map_err(|error| broken(&error))?;
    let Header(described) = serde_json::from_str(text).map_err(|error| broken(&error))?;
    if let Some((name, end)) = described
        .iter()
        .map(|(name, tensor)| (name, tensor.offsets.1))
        .max_by_key(|&(_, end)| end)
        && end > data.len() as u64
    {
        return Err(incomplete(format!(
            "tensor `{name}` ends at byte {end} of the data, but there are only {} bytes",
            data.len()
        )));
    }
    place(path, described, file.len() - data.len()..file.len())
}

/// Checks that the tensors, each of which ends inside `data`, follow one another without gaps, and
/// that their sizes are those of their shapes.
fn place(
    path: &Path,
    mut described: Vec<(String, Described)>,
    data: Range<usize>,
) -> Result<BTreeMap<String, Entry>, ModelError> {
    described.sort_by_key(|(_, tensor)| tensor.offsets);
    let mut placed = BTreeMap::new();
    let mut next = 0;
    for (name, tensor) in described {
        let refuse = |reason: String| ModelError::Tensor {
            path: path.to_owned(),
            tensor: name.clone(),
            reason,
        };
        let (begin, end) = tensor.offsets;
        if begin != next || end < begin {
            return Err(refuse(format!(
                "lies at bytes {begin}..{end} of the data, expected to begin at {next}: \
                 tensors must follow one another without holes or overlap"
            )));
        }
        next = end;
        let dtype = dtype(&tensor.dtype)
            .ok_or_else(|| refuse(format!("has unknown dtype {:?}", tensor.dtype)))?;
        if byte_length(dtype, &tensor.shape) != Some(end - begin) {
            return Err(refuse(format!(
                "has {} bytes, which does not fit {dtype} and shape {:?}",
                end - begin,
                tensor.shape
            )));
        }
        let entry = Entry {
            encoding: Encoding::of(dtype),
            // No dimension is past i64, or `byte_length` would have refused it.
            shape: tensor.shape.iter().map(|&size| size as i64).collect(),
            range: data.start + begin as usize..data.start + end as usize,
        };
        if placed.insert(name.clone(), entry).is_some() {
            return Err(refuse("is described twice".into()));
        }
    }
    if next as usize != data.len() {
        return Err(ModelError::Malformed {
            path: path.to_owned(),
            reason: format!(
                "has {} bytes after its last tensor",
                data.len() - next as usize
            ),
        });
    }
    Ok(placed)
}

fn dtype(name: &str) -> Option<Dtype> {
    Dtype::deserialize(StrDeserializer::<DtypeError>::new(name)).ok()
}

/// Bytes of a tensor; `None` if they or a dimension are too many to count, or if they are not a
/// whole number.
fn byte_length(dtype: Dtype, shape: &[u64]) -> Option<u64> {
    if shape.iter().any(|&size| i64::try_from(size).is_err()) {
        return None;
    }
    let elements = shape
        .iter()
        .try_fold(1, |n: u64, &size| n.checked_mul(size))?;
    let bits = elements.checked_mul(dtype.bitsize() as u64)?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

/// All entries in the order of the file. This is no map, which would lose one of two entries with
/// the same name.
struct Header(Vec<(String, Described)>);

struct Described {
    dtype: String,
    shape: Vec<u64>,
    offsets: (u64, u64),
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    let named = |error| A::Error::custom(format_args!("tensor {name:?}: {error}"));
                    if name == "__metadata__" {
                        map.next_value::<BTreeMap<String, String>>()
                            .map_err(named)?;
                    } else if name.contains(char::is_control) {
                        // Such a name would garble every message that contains it.
                        return Err(A::Error::custom(format_args!(
                            "control characters in the tensor name {name:?}"
                        )));
                    } else {
                        let tensor = map.next_value().map_err(named)?;
                        entries.push((name, tensor));
                    }
                }
                Ok(Header(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

// Implemented by hand, because a derived implementation would also accept an array of three values.
impl<'de> Deserialize<'de> for Described {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Described;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with dtype, shape and data_offsets")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Described, A::Error> {
                let (mut dtype, mut shape, mut offsets) = (None, None, None);
                while let Some(field) = map.next_key::<String>()? {
                    let twice = match field.as_str() {
                        "dtype" => dtype.replace(map.next_value()?).is_some(),
                        "shape" => shape.replace(map.next_value()?).is_some(),
                        "data_offsets" => offsets.replace(map.next_value()?).is_some(),
                        _ => {
                            // The field is quoted with escapes, because it may hold any character.
                            return Err(A::Error::custom(format_args!("unknown field {field:?}")));
                        }
                    };
                    if twice {
                        return Err(A::Error::custom(format_args!("duplicate field `{field}`")));
                    }
                }
                Ok(Described {
                    dtype: dtype.ok_or_else(|| A::Error::missing_field("dtype"))?,
                    shape: shape.ok_or_else(|| A::Error::missing_field("shape"))?,
                    offsets: offsets.ok_or_else(|| A::Error::missing_field("data_offsets"))?,
                })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}
