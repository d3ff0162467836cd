//! Weights on disk: one or several memory-mapped safetensors files, read by tensor name.
//!
//! Files come from anywhere, so everything about them is checked before a tensor is made: what is
//! damaged or malicious is an error that names the file, never a crash.

mod copy;
mod file;
mod header;
mod locate;
#[cfg(test)]
mod tests;

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use safetensors::Dtype;
use tch::{Kind, Tensor};

use self::header::Entry;
pub use self::{
    file::MappedFile,
    locate::{INDEX, SINGLE, shard_files},
};
use super::{Config, ModelError};

/// The mapped files of a model directory. Nothing is copied until a tensor is read.
pub struct Weights {
    directory: PathBuf,
    files: Vec<MappedFile>,
    tensors: BTreeMap<String, Stored>,
    /// Prefixes the files leave out of their names.
    missing_prefixes: Vec<String>,
}

struct Stored {
    /// Index of its file.
    file: usize,
    entry: Entry,
    used: Cell<bool>,
}

impl Weights {
    /// Maps the files of `directory` and validates their headers.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        let mut weights = Self {
            directory: directory.to_owned(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
            missing_prefixes: Vec::new(),
        };
        for (file, promised) in locate::locate(directory)? {
            weights.add(MappedFile::open(directory.join(file))?, &promised)?;
        }
        Ok(weights)
    }

    fn add(&mut self, file: MappedFile, promised: &[String]) -> Result<(), ModelError> {
        let entries = header::parse(file.path(), file.bytes())?;
        if let Some(name) = promised.iter().find(|name| !entries.contains_key(*name)) {
            let reason = "is not in this file, where the index says it is";
            return Err(file.refuse(name, reason));
        }
        for (name, entry) in entries {
            let stored = Stored {
                file: self.files.len(),
                entry,
                used: Cell::new(false),
            };
            if let Some(known) = self.tensors.insert(name.clone(), stored) {
                let other = self.files[known.file].path().display();
                return Err(file.refuse(&name, format!("is also in {other}")));
            }
        }
        self.files.push(file);
        Ok(())
    }

    /// Paths of the files, in order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(MappedFile::path)
    }

    /// Size of the files.
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.bytes().len()).sum()
    }

    /// Feeds the files to a hash, in order.
    pub fn hash_into(&self, hasher: &mut blake3::Hasher) {
        for file in &self.files {
            file.hash_into(hasher);
        }
    }

    /// All tensor names as the files have them, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// From now on, a name that begins with `prefix` is also found without it (checkpoints of the
    /// bare model), if no tensor in the files begins with `prefix`.
    pub fn allow_missing_prefix(&mut self, prefix: &str) {
        if !self.names().any(|name| name.starts_with(prefix)) {
            self.missing_prefixes.push(prefix.to_owned());
        }
    }

    /// Whether both tensors are there, with different contents.
    pub fn differ(&self, one: &str, other: &str) -> bool {
        let (Some(one), Some(other)) = (self.find(one), self.find(other)) else {
            return false;
        };
        let bytes = |stored: &Stored| &self.files[stored.file].bytes()[stored.entry.range.clone()];
        let kind = |stored: &Stored| (stored.entry.dtype, stored.entry.shape.clone());
        kind(one) != kind(other) || bytes(one) != bytes(other)
    }

    /// Presence, exact shape and a supported dtype, from the header alone. Marks the tensor as
    /// used.
    pub fn check(&self, name: &str, shape: &[i64]) -> Result<(), ModelError> {
        self.expect(name, shape).map(|_| ())
    }

    /// Copies a tensor of exactly this shape into `target`: `target.copy_(arrange(source))`.
    /// `target` may have any strides, float dtype and device, and usually is a view of a larger
    /// fused tensor. Values that are not finite in it are refused.
    ///
    /// `source` is borrowed from the file: `arrange` must return a view of it (itself, a transpose,
    /// a reordering), write nothing to it and keep no other view of it. Beside `target`, no more
    /// than some 16 MiB are used, unless the tensor is not aligned in its file.
    pub fn copy_into(
        &self,
        name: &str,
        shape: &[i64],
        target: &mut Tensor,
        arrange: impl FnOnce(&Tensor) -> Result<Tensor, ModelError>,
    ) -> Result<(), ModelError> {
        let (stored, kind) = self.expect(name, shape)?;
        let file = &self.files[stored.file];
        let borrowed = file.tensor(stored.entry.range.clone(), shape, kind)?;
        let source = arrange(&borrowed)?;
        if source.size() != target.size() {
            return Err(file.refuse(
                name,
                format!(
                    "is arranged to shape {:?} for a place of shape {:?}",
                    source.size(),
                    target.size()
                ),
            ));
        }
        let finite = copy::copy_finite(target, &source, &|addresses| file.release(addresses))?;
        // What was not read through the borrowed tensor.
        file.release(file.addresses(stored.entry.range.clone()));
        if !finite {
            return Err(file.refuse(name, "holds values that are not finite"));
        }
        Ok(())
    }

    /// Refuses tensors that nothing read or checked: a model that holds more than the spec is
    /// another model. `ignored` is asked about a name with and without a prefix the files leave
    /// out.
    pub fn refuse_unread(&self, ignored: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        for (name, stored) in &self.tensors {
            let full = |prefix: &String| ignored(&format!("{prefix}{name}"));
            if !stored.used.get() && !ignored(name) && !self.missing_prefixes.iter().any(full) {
                return Err(self.files[stored.file].refuse(
                    name,
                    "is not part of this architecture as config.json describes it",
                ));
            }
        }
        Ok(())
    }

    /// The dtype most of the weights are stored in.
    pub fn main_kind(&self) -> Result<Option<Kind>, ModelError> {
        let mut bytes: BTreeMap<i32, (usize, Kind)> = BTreeMap::new();
        for stored in self.tensors.values() {
            if let Some(kind) = float_kind(stored.entry.dtype) {
                bytes.entry(kind as i32).or_insert((0, kind)).0 += stored.entry.range.len();
            }
        }
        Ok(bytes
            .into_values()
            .max_by_key(|&(n, _)| n)
            .map(|(_, kind)| kind))
    }

    fn find(&self, name: &str) -> Option<&Stored> {
        let bare = |prefix: &String| self.tensors.get(name.strip_prefix(prefix.as_str())?);
        let stored = self.tensors.get(name);
        stored.or_else(|| self.missing_prefixes.iter().find_map(bare))
    }

    /// A tensor that is there as the configuration says, now used, and its dtype.
    fn expect(&self, name: &str, shape: &[i64]) -> Result<(&Stored, Kind), ModelError> {
        let Some(stored) = self.find(name) else {
            return Err(ModelError::Tensor {
                path: self.directory.clone(),
                tensor: name.to_owned(),
                reason: "is missing from the weights".into(),
            });
        };
        let file = &self.files[stored.file];
        let found = &stored.entry.shape;
        if found != shape {
            let reason = format!("has shape {found:?}; config.json says {shape:?}");
            return Err(file.refuse(name, reason));
        }
        let Some(kind) = float_kind(stored.entry.dtype) else {
            let reason = format!("has unsupported dtype {}", stored.entry.dtype);
            return Err(file.refuse(name, reason));
        };
        stored.used.set(true);
        Ok((stored, kind))
    }
}

fn float_kind(dtype: Dtype) -> Option<Kind> {
    match dtype {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    }
}
