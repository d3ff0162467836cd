//! Weights on disk: one or several memory-mapped safetensors or GGUF files, read by tensor name.
//!
//! Files may come from anywhere, so everything in them is checked before a tensor is made. A
//! damaged or malicious file gives an error that names the file, never a crash.

mod blocks;
mod copy;
mod encoding;
mod file;
mod header;
pub(super) mod locate;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use tch::{Device, Kind, Tensor};

pub use self::{
    encoding::{Encoding, Entry},
    file::MappedFile,
    locate::{INDEX, SINGLE, shard_files},
};
use super::{
    Config, ModelError,
    gguf::{self, Metadata},
};

/// The mapped files of a model. Nothing is copied until a tensor is read.
pub struct Weights {
    /// The directory, or the GGUF file.
    place: PathBuf,
    /// The source of the tensors' expected shapes, as errors name it.
    described_by: &'static str,
    files: Vec<MappedFile>,
    tensors: BTreeMap<String, Stored>,
    /// Prefixes that names of tensors lack in the files.
    missing_prefixes: Vec<String>,
    /// A name that is not in the files, and the one under which its tensor is there.
    other_name: Option<(String, String)>,
}

struct Stored {
    /// Index of its file.
    file: usize,
    entry: Entry,
    used: AtomicBool,
}

impl Weights {
    /// Maps the files of `directory` and validates their headers.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        let mut weights = Self::empty(directory, "config.json");
        for (name, promised) in locate::locate(directory)? {
            let file = MappedFile::open(directory.join(name))?;
            let entries = header::parse(file.path(), file.bytes())?;
            if let Some(name) = promised.iter().find(|name| !entries.contains_key(*name)) {
                let reason = "is not in this file, where the index says it is";
                return Err(file.refuse(name, reason));
            }
            weights.add(file, entries)?;
        }
        Ok(weights)
    }

    /// Maps a GGUF file, or all parts of the model it is a part of, and validates their headers.
    /// The metadata is that of the first part.
    pub fn open_gguf(path: &Path) -> Result<(Metadata, Self), ModelError> {
        let mut weights = Self::empty(path, "the metadata");
        let mut parts = Vec::new();
        for part in gguf::part_files(path) {
            let file = MappedFile::open(part)?;
            let (metadata, tensors) = gguf::parse(file.path(), file.bytes())?;
            parts.push((metadata, tensors.len()));
            let entries = tensors.into_iter().map(Entry::of_gguf);
            weights.add(file, entries)?;
        }
        gguf::check_parts(&parts)?;
        // `part_files` returns at least one file.
        let (metadata, _) = parts.swap_remove(0);
        Ok((metadata, weights))
    }

    fn empty(place: &Path, described_by: &'static str) -> Self {
        Self {
            place: place.to_owned(),
            described_by,
            files: Vec::new(),
            tensors: BTreeMap::new(),
            missing_prefixes: Vec::new(),
            other_name: None,
        }
    }

    fn add(
        &mut self,
        file: MappedFile,
        entries: impl IntoIterator<Item = (String, Entry)>,
    ) -> Result<(), ModelError> {
        for (name, entry) in entries {
            let stored = Stored {
                file: self.files.len(),
                entry,
                used: AtomicBool::new(false),
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

    /// All tensors as the files have them, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        (self.tensors.iter()).map(|(name, stored)| (name.as_str(), &stored.entry))
    }

    /// From now on, a name that begins with `prefix` is also found without it (checkpoints of the
    /// bare model), if no tensor in the files begins with `prefix`.
    pub fn allow_missing_prefix(&mut self, prefix: &str) {
        if !self.tensors.keys().any(|name| name.starts_with(prefix)) {
            self.missing_prefixes.push(prefix.to_owned());
        }
    }

    /// From now on, `name` is also found as `other`, if only `other` is there: of tensors that share memory,
    /// `safetensors.torch.save_model` writes one.
    pub fn allow_other_name(&mut self, name: String, other: String) {
        if self.find(&name).is_none() && self.find(&other).is_some() {
            self.other_name = Some((name, other));
        }
    }

    /// Whether both tensors are there, with different contents.
    pub fn differ(&self, one: &str, other: &str) -> bool {
        let (Some(one), Some(other)) = (self.find(one), self.find(other)) else {
            return false;
        };
        let bytes = |stored: &Stored| &self.files[stored.file].bytes()[stored.entry.range.clone()];
        let (a, b) = (&one.entry, &other.entry);
        a.encoding != b.encoding || a.shape != b.shape || bytes(one) != bytes(other)
    }

    /// Checks, from the header alone, that a tensor is there, with this shape and a supported
    /// dtype. Marks the tensor as used.
    pub fn check(&self, name: &str, shape: &[i64]) -> Result<(), ModelError> {
        self.expect(name, shape).map(|_| ())
    }

    /// Copies a tensor of exactly this shape, or the `slice`-th part along its first dimension,
    /// into `target`: `target.copy_(arrange(source, target's sizes))`. `target` may have any
    /// strides, float dtype and device, and usually is a view of a larger fused tensor. Values that
    /// are not finite in `target` are refused.
    ///
    /// `source` is borrowed from the file: `arrange` must return a view of it (itself, a transpose,
    /// a reordering) or a new tensor, write nothing to it and keep no other view of it. A tensor in
    /// blocks is passed to `arrange` a few rows at a time, on the CPU by several threads, with the
    /// sizes of the part of `target` that these rows fill. Beside `target`, no more than some 16 MiB are used, unless the tensor
    /// is not aligned in its file.
    pub fn copy_into(
        &self,
        name: &str,
        shape: &[i64],
        slice: Option<i64>,
        target: &mut Tensor,
        arrange: impl Fn(&Tensor, &[i64]) -> Result<Tensor, ModelError> + Sync,
    ) -> Result<(), ModelError> {
        let stored = self.expect(name, shape)?;
        let file = &self.files[stored.file];
        let (shape, range) = match (slice, shape) {
            (Some(index), [_, part @ ..]) => (part, stored.entry.slice(index)),
            _ => (shape, stored.entry.range.clone()),
        };
        let release = |addresses| file.release(addresses);
        let copy = |target: &mut Tensor, source: &Tensor| {
            let place = target.size();
            let source = arrange(source, &place)?;
            if source.size() != place {
                let reason = format!(
                    "is arranged to shape {:?} for a place of shape {place:?}",
                    source.size()
                );
                return Err(file.refuse(name, reason));
            }
            copy::copy_finite(target, &source, &release)
        };
        let finite = match stored.entry.encoding {
            Encoding::Blocks(kind) => {
                let bytes = &file.bytes()[range.clone()];
                blocks::copy(bytes, kind, shape, target, copy)
                    .map_err(|error| error.named(|reason| file.refuse(name, reason)))?
            }
            Encoding::Plain(kind) => copy(target, &file.tensor(range.clone(), shape, kind)?)?,
            // `expect` has refused it.
            Encoding::Other(_) => false,
        };
        // Also releases the bytes that were not read through a borrowed tensor.
        file.release(file.addresses(range));
        if !finite {
            return Err(file.refuse(name, "holds values that are not finite"));
        }
        Ok(())
    }

    /// The values of a small tensor `[n]`, if it is there. Marks it as used.
    pub fn values(&self, name: &str) -> Result<Option<Vec<f64>>, ModelError> {
        const MOST: i64 = 1 << 16;
        let Some(stored) = self.find(name) else {
            return Ok(None);
        };
        let shape = stored.entry.shape.clone();
        let &[count @ 0..=MOST] = shape.as_slice() else {
            let reason = format!("has shape {shape:?}; expected a short list");
            return Err(self.files[stored.file].refuse(name, reason));
        };
        let mut values = Tensor::f_empty([count], (Kind::Double, Device::Cpu))?;
        self.copy_into(name, &shape, None, &mut values, |source, _| {
            Ok(source.shallow_clone())
        })?;
        Ok(Some(Vec::try_from(values)?))
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[i64]> {
        self.find(name).map(|stored| stored.entry.shape.as_slice())
    }

    /// Refuses tensors that were neither read nor checked, because a model with more tensors than
    /// the spec names is another model. `ignored` is called with a tensor's name as it is, and with
    /// each missing prefix before it.
    pub fn refuse_unread(&self, ignored: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        for (name, stored) in &self.tensors {
            let full = |prefix: &String| ignored(&format!("{prefix}{name}"));
            if !stored.used.load(Ordering::Relaxed)
                && !ignored(name)
                && !self.missing_prefixes.iter().any(full)
            {
                let by = self.described_by;
                let reason = format!("is not part of this architecture as {by} describes it");
                return Err(self.files[stored.file].refuse(name, reason));
            }
        }
        Ok(())
    }

    /// The dtype in which most of the weights are stored; `None` if most are stored in blocks.
    pub fn main_kind(&self) -> Option<Kind> {
        let mut bytes: BTreeMap<Option<i32>, (usize, Option<Kind>)> = BTreeMap::new();
        for stored in self.tensors.values() {
            let kind = match stored.entry.encoding {
                Encoding::Plain(kind) => Some(kind),
                Encoding::Blocks(_) => None,
                Encoding::Other(_) => continue,
            };
            let known = bytes.entry(kind.map(|kind| kind as i32));
            known.or_insert((0, kind)).0 += stored.entry.range.len();
        }
        let most = bytes.into_values().max_by_key(|&(n, _)| n);
        most.and_then(|(_, kind)| kind)
    }

    fn find(&self, name: &str) -> Option<&Stored> {
        let name = match &self.other_name {
            Some((known, other)) if known == name => other,
            _ => name,
        };
        let bare = |prefix: &String| self.tensors.get(name.strip_prefix(prefix.as_str())?);
        let stored = self.tensors.get(name);
        stored.or_else(|| self.missing_prefixes.iter().find_map(bare))
    }

    /// Finds a tensor of this shape in an encoding that can be read, and marks it as used.
    fn expect(&self, name: &str, shape: &[i64]) -> Result<&Stored, ModelError> {
        let Some(stored) = self.find(name) else {
            return Err(ModelError::Tensor {
                path: self.place.clone(),
                tensor: name.to_owned(),
                reason: "is missing from the weights".into(),
            });
        };
        let file = &self.files[stored.file];
        let found = &stored.entry.shape;
        if found != shape {
            let by = self.described_by;
            let reason = format!("has shape {found:?}; {by} says {shape:?}");
            return Err(file.refuse(name, reason));
        }
        stored.used.store(true, Ordering::Relaxed);
        if let Encoding::Other(encoding) = &stored.entry.encoding {
            return Err(file.refuse(name, format!("has unsupported dtype {encoding}")));
        }
        Ok(stored)
    }
}
