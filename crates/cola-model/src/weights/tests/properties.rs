//! Compares random files, whole and damaged, with a simple reader of the format.

use half::{bf16, f16};
use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::Value;

use super::*;

/// One way to damage a file.
#[derive(Debug, Clone)]
enum Damage {
    FlipBit(Index, u8),
    Truncate(Index),
    Append(Vec<u8>),
    /// Another header length, near the true one or anywhere.
    Length(i8),
    AnyLength(u64),
    /// A digit of the header, most of which are shapes and offsets.
    Digit(Index, u8),
    /// A span of bytes repeated elsewhere: duplicate names and ranges.
    Repeat(Index, Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        any::<Index>().prop_map(Damage::Truncate),
        vec(any::<u8>(), 1..9).prop_map(Damage::Append),
        any::<i8>().prop_map(Damage::Length),
        any::<u64>().prop_map(Damage::AnyLength),
        (any::<Index>(), b'0'..=b'9').prop_map(|(at, digit)| Damage::Digit(at, digit)),
        (any::<Index>(), any::<Index>(), 1..64u8).prop_map(|(a, b, n)| Damage::Repeat(a, b, n)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.first_chunk().map(|&chunk| u64::from_le_bytes(chunk));
        match self {
            _ if bytes.len() < 8 => {}
            Self::FlipBit(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Truncate(at) => bytes.truncate(at.index(bytes.len())),
            Self::Append(more) => bytes.extend(more),
            Self::Length(change) => {
                let length = length.unwrap().wrapping_add_signed((*change).into());
                bytes[..8].copy_from_slice(&length.to_le_bytes());
            }
            Self::AnyLength(length) => bytes[..8].copy_from_slice(&length.to_le_bytes()),
            Self::Digit(at, digit) => {
                let header = 8..bytes.len().min(length.unwrap().saturating_add(8) as usize);
                let digits: Vec<usize> = header.filter(|&i| bytes[i].is_ascii_digit()).collect();
                if !digits.is_empty() {
                    bytes[digits[at.index(digits.len())]] = *digit;
                }
            }
            Self::Repeat(from, to, span) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                let end = bytes.len().min(from + usize::from(*span));
                let copied = bytes[from..end].to_vec();
                bytes.splice(to..to, copied);
            }
        }
    }
}

fn tensors() -> impl Strategy<Value = Tensors> {
    let tensor = (0..3, vec(0..4usize, 0..4), any::<u64>()).prop_map(|(dtype, shape, seed)| {
        let (dtype, size) = [(Dtype::F32, 4), (Dtype::F16, 2), (Dtype::BF16, 2)][dtype as usize];
        let bytes = size * shape.iter().product::<usize>();
        // Bit patterns of every kind, most of them finite numbers.
        let hash = blake3::Hasher::new().update(&seed.to_le_bytes()).clone();
        let mut data = vec![0; bytes];
        hash.finalize_xof().fill(&mut data);
        (dtype, shape, data)
    });
    vec(tensor, 0..6).prop_map(|tensors| {
        let named = tensors.into_iter().enumerate();
        named
            .map(|(n, (dtype, shape, data))| (format!("model.{n}.weight"), dtype, shape, data))
            .collect()
    })
}

/// Shapes, and values as f32, of all tensors of a float dtype in a valid file.
fn plainly(file: &[u8]) -> BTreeMap<String, (Vec<i64>, Vec<f32>)> {
    let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    let data = &file[8 + length..];
    let mut tensors = BTreeMap::new();
    for (name, entry) in header.as_object().unwrap() {
        if name == "__metadata__" {
            continue;
        }
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        let shape = entry["shape"].as_array().unwrap();
        let shape = shape.iter().map(|size| number(size) as i64).collect();
        let offsets = &entry["data_offsets"];
        let bytes = &data[number(&offsets[0])..number(&offsets[1])];
        let pairs = || bytes.chunks(2).map(|pair| [pair[0], pair[1]]);
        let values = match entry["dtype"].as_str().unwrap() {
            "F32" => bytes
                .chunks(4)
                .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
                .collect(),
            "F16" => pairs()
                .map(|pair| f16::from_le_bytes(pair).to_f32())
                .collect(),
            "BF16" => pairs()
                .map(|pair| bf16::from_le_bytes(pair).to_f32())
                .collect(),
            _ => continue,
        };
        tensors.insert(name.clone(), (shape, values));
    }
    tensors
}

/// Checks that every tensor has the values that the simple reader finds, or is refused because one
/// of these is not finite or because it has another dtype.
fn agrees_with_a_plain_reading(weights: &Weights, file: &[u8]) -> Result<(), TestCaseError> {
    let expected = plainly(file);
    for (name, (shape, values)) in &expected {
        match read(weights, name, shape) {
            Ok(found) => prop_assert_eq!(&found, values),
            Err(_) => prop_assert!(values.iter().any(|value| !value.is_finite())),
        }
    }
    let unsupported = weights.names().filter(|name| !expected.contains_key(*name));
    for name in unsupported {
        let shape = &weights.tensors[name].entry.shape;
        prop_assert!(read(weights, name, shape).is_err());
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_valid_file_is_read_to_what_was_written(tensors in tensors()) {
        let file = file_of(&tensors);
        let directory = single(&file);
        let weights = Weights::open(directory.path()).unwrap();
        let mut names: Vec<_> = tensors.iter().map(|(name, ..)| name.as_str()).collect();
        names.sort();
        prop_assert_eq!(weights.names().collect::<Vec<_>>(), names);
        agrees_with_a_plain_reading(&weights, &file)?;
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_to_what_it_says(
        tensors in tensors(),
        damages in vec(damage(), 1..4),
    ) {
        let mut file = file_of(&tensors);
        for damage in &damages {
            damage.apply(&mut file);
        }
        let directory = single(&file);
        match Weights::open(directory.path()) {
            Ok(weights) => {
                // The reference implementation is no stricter.
                prop_assert!(safetensors::SafeTensors::deserialize(&file).is_ok());
                agrees_with_a_plain_reading(&weights, &file)?;
            }
            Err(error) => prop_assert!(error.to_string().contains(SINGLE), "{}", error),
        }
    }
}
