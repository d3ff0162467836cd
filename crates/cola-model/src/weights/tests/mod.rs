//! Tests on directories of weights that the tests write.

mod damage;
mod directories;
mod properties;
mod reading;

use std::{collections::BTreeMap, fs, path::Path};

use safetensors::{Dtype, serialize, tensor::TensorView};
use serde_json::json;
use tch::Device;
use tempfile::TempDir;

use super::locate::{INDEX, SINGLE};
use super::*;

impl Weights {
    /// A new tensor of exactly this shape, converted to `kind` on `device`.
    pub fn read(
        &self,
        name: &str,
        shape: &[i64],
        kind: Kind,
        device: Device,
    ) -> Result<Tensor, ModelError> {
        // Checked before memory is allocated.
        self.check(name, shape)?;
        let mut target = Tensor::f_empty(shape, (kind, device))?;
        self.copy_into(name, shape, None, &mut target, |source, _| {
            Ok(source.shallow_clone())
        })?;
        Ok(target)
    }

    /// All names, sorted.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().map(|(name, _)| name)
    }
}

type Tensors = Vec<(String, Dtype, Vec<usize>, Vec<u8>)>;

fn floats(name: &str, values: &[f32]) -> (String, Dtype, Vec<usize>, Vec<u8>) {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    (name.into(), Dtype::F32, vec![values.len()], bytes.collect())
}

/// A valid file, written by the reference implementation.
fn file_of(tensors: &[(String, Dtype, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    serialize(views, None).unwrap()
}

/// A file with any header, right or wrong.
fn file_with(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

fn single(bytes: &[u8]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(SINGLE), bytes).unwrap();
    directory
}

/// A directory with two shards and this index.
fn sharded(first: &[f32], second: &[f32], index: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, bytes: &[u8]| fs::write(directory.path().join(file), bytes).unwrap();
    write("a.safetensors", &file_of(&[floats("x", first)]));
    write("b.safetensors", &file_of(&[floats("y", second)]));
    write(INDEX, index.as_bytes());
    directory
}

fn read(weights: &Weights, name: &str, shape: &[i64]) -> Result<Vec<f32>, ModelError> {
    let tensor = weights.read(name, shape, Kind::Float, Device::Cpu)?;
    Ok(Vec::try_from(tensor.flatten(0, -1)).unwrap())
}

fn open_error(directory: &Path) -> String {
    let error = Weights::open(directory).err().expect("an error");
    let text = error.to_string();
    assert!(text.contains(&directory.display().to_string()), "{text}");
    assert!(!text.contains(char::is_control), "{text:?}");
    text
}

/// The reason in an error about a tensor. Asserts that the error names the tensor and its file.
fn reason<T>(result: Result<T, ModelError>, file: &Path, name: &str) -> String {
    match result.err() {
        Some(ModelError::Tensor {
            path,
            tensor,
            reason,
        }) => {
            assert_eq!((path.as_path(), tensor.as_str()), (file, name));
            reason
        }
        other => panic!("expected an error about `{name}`, found {other:?}"),
    }
}
