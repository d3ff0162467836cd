//! Finds the weights files of a model directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use super::{Config, ModelError};

pub const SINGLE: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";

/// The weights files by name, each with the tensors that it must hold according to the index (none
/// without an index).
///
/// As in transformers, the index determines which files are read, and the files determine which
/// tensors there are: a tensor that the index does not name is treated like any other.
pub fn locate(directory: &Path) -> Result<BTreeMap<String, Vec<String>>, ModelError> {
    if directory.join(SINGLE).exists() {
        return Ok(BTreeMap::from([(SINGLE.to_owned(), Vec::new())]));
    }
    if directory.join(INDEX).exists() {
        return indexed(directory);
    }
    if let Some(pickle) = pickle(directory) {
        return Err(ModelError::Malformed {
            path: directory.join(pickle),
            reason: "pickled weights are not read, because reading them runs the code they \
                     carry; convert them to safetensors (transformers' save_pretrained does)"
                .into(),
        });
    }
    Err(ModelError::NotFound(
        directory.display().to_string(),
        format!("no {SINGLE} and no {INDEX}; only safetensors weights are read"),
    ))
}

/// The files that an index names. All names stay inside the directory.
pub fn shard_files(directory: &Path) -> Result<BTreeSet<String>, ModelError> {
    Ok(indexed(directory)?.into_keys().collect())
}

fn indexed(directory: &Path) -> Result<BTreeMap<String, Vec<String>>, ModelError> {
    let index = Config::read(directory, INDEX)?;
    let Some(Value::Object(map)) = index.get("weight_map") else {
        return Err(index.refuse("weight_map", "is missing or not an object"));
    };
    let mut files = BTreeMap::<_, Vec<_>>::new();
    for (tensor, file) in map {
        match file.as_str() {
            Some(file) if is_file_name(file) => {
                files
                    .entry(file.to_owned())
                    .or_default()
                    .push(tensor.clone());
            }
            _ => return Err(index.refuse("weight_map", format!("{file} is not a file name"))),
        }
    }
    if files.is_empty() {
        return Err(index.refuse("weight_map", "names no file"));
    }
    Ok(files)
}

/// Whether a name stays inside the directory.
fn is_file_name(name: &str) -> bool {
    let within = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | ':');
    name.chars().all(within) && !matches!(name, "" | "." | "..")
}

/// A file in PyTorch's own format that holds a model, if there is one.
fn pickle(directory: &Path) -> Option<String> {
    let names = fs::read_dir(directory).ok()?.flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| match name.rsplit_once('.') {
            Some((stem, "bin")) => stem.starts_with("pytorch_model"),
            Some((_, extension)) => matches!(extension, "pt" | "pth" | "ckpt"),
            None => false,
        })
        .min_by_key(|name| (!name.starts_with("pytorch_model"), name.clone()))
}
