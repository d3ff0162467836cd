//! Reads and checks the header of a GGUF file: its metadata and its tensors' descriptions.

use std::{collections::BTreeSet, io::Cursor, ops::Range, path::Path};

use anamnesis::{
    AnamnesisError, GgufTensorInfo, GgufType, ParseLimits,
    parse_gguf_front_matter_from_reader_with_limits,
};

use super::{super::ModelError, Metadata};

/// Most tensors, and most keys, of a file. The largest models have some thousands.
const MOST_ITEMS: u64 = 1 << 17;
/// Most bytes that keys, strings and lists may take together; a large vocabulary takes some ten million.
const MOST_METADATA: u64 = 1 << 30;

/// A tensor as the header describes it.
#[derive(Debug)]
pub struct Described {
    pub name: String,
    /// Row-major, as PyTorch writes it: the file lists dimensions the other way round.
    pub shape: Vec<i64>,
    pub kind: GgufType,
    /// Its bytes in the file. Type and shape give their number; the range lies inside the file and
    /// overlaps no other tensor's.
    pub range: Range<usize>,
}

/// Metadata and tensors of a file.
///
/// # Errors
///
/// [`ModelError::Malformed`] for a damaged or hostile file, [`ModelError::Tensor`] if the problem
/// is in one tensor.
pub fn parse(path: &Path, file: &[u8]) -> Result<(Metadata, Vec<Described>), ModelError> {
    let limits = ParseLimits::default()
        .with_max_item_count(MOST_ITEMS)
        .with_max_total_bytes(MOST_METADATA);
    let front = parse_gguf_front_matter_from_reader_with_limits(Cursor::new(file), &limits)
        .map_err(|error| ModelError::Malformed {
            path: path.to_owned(),
            reason: reason(&error),
        })?;
    if let Some(key) = front.metadata.keys().find(|key| garbles(key)) {
        return Err(ModelError::Malformed {
            path: path.to_owned(),
            reason: format!("control characters in the metadata key {key:?}"),
        });
    }
    let mut names = BTreeSet::new();
    let mut tensors = Vec::with_capacity(front.tensor_infos.len());
    for info in front.tensor_infos {
        if !names.insert(info.name.clone()) {
            return Err(refuse(path, &info.name, "is described twice"));
        }
        tensors.push(described(path, file.len(), info)?);
    }
    Ok((Metadata::new(path.to_owned(), front.metadata), tensors))
}

fn described(path: &Path, file: usize, info: GgufTensorInfo) -> Result<Described, ModelError> {
    if garbles(&info.name) {
        return Err(ModelError::Malformed {
            path: path.to_owned(),
            reason: format!("control characters in the tensor name {:?}", info.name),
        });
    }
    let shape: Option<Vec<i64>> = (info.shape.iter().rev())
        .map(|&size| i64::try_from(size).ok())
        .collect();
    let start = usize::try_from(info.data_offset).ok();
    let length = info
        .byte_len
        .and_then(|length| usize::try_from(length).ok());
    let range = start.zip(length).and_then(|(start, length)| {
        let end = start.checked_add(length)?;
        (end <= file).then_some(start..end)
    });
    let (Some(shape), Some(range)) = (shape, range) else {
        return Err(refuse(path, &info.name, "has a size that is too large"));
    };
    let block = info.dtype.block_size() as i64;
    match shape.last() {
        Some(width) if width % block == 0 => {}
        _ => {
            let reason = format!(
                "has shape {shape:?}, whose rows are not made of whole blocks of {block} values ({})",
                info.dtype
            );
            return Err(refuse(path, &info.name, &reason));
        }
    }
    Ok(Described {
        name: info.name,
        shape,
        kind: info.dtype,
        range,
    })
}

fn refuse(path: &Path, tensor: &str, reason: &str) -> ModelError {
    ModelError::Tensor {
        path: path.to_owned(),
        tensor: tensor.to_owned(),
        reason: reason.to_owned(),
    }
}

/// The message of an error of `anamnesis`, without the prefixes that it adds. That crate escapes
/// and shortens what it quotes from the file.
fn reason(error: &AnamnesisError) -> String {
    match error {
        AnamnesisError::Io(error) => format!("not a complete GGUF file: {error}"),
        error => {
            let text = error.to_string();
            let text = text.strip_prefix("parse error: ").unwrap_or(&text);
            let text = text.strip_prefix("GGUF: ").unwrap_or(text);
            format!("not a valid GGUF file: {text}")
        }
    }
}

/// Whether a text from the file would change how a terminal shows the message that quotes it.
fn garbles(text: &str) -> bool {
    text.contains(char::is_control)
}
