//! Weights on disk: one or several memory-mapped safetensors files, read by tensor name.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs::File,
    path::{Path, PathBuf},
};

use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Config, ModelError};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The mapped files of a model directory. Nothing is copied until a tensor is read.
pub struct Weights {
    directory: PathBuf,
    shards: Vec<Shard>,
    /// Tensor name -> shard.
    location: BTreeMap<String, usize>,
    /// Names read so far.
    used: RefCell<BTreeSet<String>>,
}

struct Shard {
    path: PathBuf,
    bytes: Mmap,
}

impl Shard {
    fn map(path: PathBuf) -> Result<Self, ModelError> {
        let io = |source| ModelError::Io {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(io)?;
        // SAFETY: the map is read-only. A file that another process truncates while it is mapped
        // would fault; weights are not rewritten in place by any tool of the ecosystem.
        let bytes = unsafe { Mmap::map(&file) }.map_err(io)?;
        Ok(Self { path, bytes })
    }

    fn parse(&self) -> Result<SafeTensors<'_>, ModelError> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| ModelError::Malformed {
            path: self.path.clone(),
            reason: format!("not a complete safetensors file ({error})"),
        })
    }
}

impl Weights {
    /// Maps the files of `directory` and reads their headers.
    pub fn open(directory: &Path) -> Result<Self, ModelError> {
        let mut weights = Self {
            directory: directory.to_owned(),
            shards: Vec::new(),
            location: BTreeMap::new(),
            used: RefCell::default(),
        };
        if directory.join(SINGLE).exists() {
            weights.add_shard(directory.join(SINGLE))?;
        } else if directory.join(INDEX).exists() {
            for file in shard_files(directory)? {
                weights.add_shard(directory.join(file))?;
            }
        } else {
            return Err(ModelError::NotFound(
                directory.display().to_string(),
                format!("no {SINGLE} and no {INDEX}; only safetensors weights are read"),
            ));
        }
        Ok(weights)
    }

    fn add_shard(&mut self, path: PathBuf) -> Result<(), ModelError> {
        let shard = Shard::map(path)?;
        for name in shard.parse()?.names() {
            let known = self.location.insert(name.to_owned(), self.shards.len());
            if known.is_some() {
                return Err(ModelError::Tensor {
                    path: shard.path.clone(),
                    tensor: name.to_owned(),
                    reason: "is in two files".into(),
                });
            }
        }
        self.shards.push(shard);
        Ok(())
    }

    /// Paths of the files, in order.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|shard| shard.path.as_path())
    }

    /// Size of the files.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.bytes.len()).sum()
    }

    /// Reads a tensor of exactly this shape, converted to `kind` on `device`.
    pub fn read(
        &self,
        name: &str,
        shape: &[i64],
        kind: Kind,
        device: Device,
    ) -> Result<Tensor, ModelError> {
        let refuse = |path: &Path, reason: String| ModelError::Tensor {
            path: path.to_owned(),
            tensor: name.to_owned(),
            reason,
        };
        let Some(&shard) = self.location.get(name) else {
            return Err(refuse(
                &self.directory,
                "is missing from the weights".into(),
            ));
        };
        let shard = &self.shards[shard];
        let parsed = shard.parse()?;
        let view = parsed
            .tensor(name)
            .map_err(|error| refuse(&shard.path, error.to_string()))?;
        let found: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        if found != shape {
            return Err(refuse(
                &shard.path,
                format!("has shape {found:?}; config.json says {shape:?}"),
            ));
        }
        let stored = stored_kind(&view).ok_or_else(|| {
            refuse(
                &shard.path,
                format!("has unsupported dtype {:?}", view.dtype()),
            )
        })?;
        let tensor = Tensor::f_from_data_size(view.data(), shape, stored)?
            .f_to_device(device)?
            .f_to_kind(kind)?;
        if !bool::try_from(tensor.f_isfinite()?.f_all()?)? {
            return Err(refuse(
                &shard.path,
                "holds values that are not finite".into(),
            ));
        }
        self.used.borrow_mut().insert(name.to_owned());
        Ok(tensor)
    }

    /// Refuses tensors that nothing read: a model that holds more than the spec is another model.
    pub fn refuse_unread(&self, ignored: impl Fn(&str) -> bool) -> Result<(), ModelError> {
        let used = self.used.borrow();
        for (name, &shard) in &self.location {
            if !used.contains(name) && !ignored(name) {
                return Err(ModelError::Tensor {
                    path: self.shards[shard].path.clone(),
                    tensor: name.clone(),
                    reason: "is not part of this architecture as config.json describes it".into(),
                });
            }
        }
        Ok(())
    }

    /// The dtype most of the weights are stored in.
    pub fn main_kind(&self) -> Result<Option<Kind>, ModelError> {
        let mut elements: BTreeMap<i32, (usize, Kind)> = BTreeMap::new();
        for shard in &self.shards {
            for (_, view) in shard.parse()?.tensors() {
                if let Some(kind) = stored_kind(&view) {
                    elements.entry(kind as i32).or_insert((0, kind)).0 += view.data().len();
                }
            }
        }
        Ok(elements
            .into_values()
            .max_by_key(|&(n, _)| n)
            .map(|(_, kind)| kind))
    }
}

fn stored_kind(view: &TensorView<'_>) -> Option<Kind> {
    match view.dtype() {
        Dtype::F32 => Some(Kind::Float),
        Dtype::F16 => Some(Kind::Half),
        Dtype::BF16 => Some(Kind::BFloat16),
        _ => None,
    }
}

/// The shard files an index names, each once. Names must stay inside the directory.
fn shard_files(directory: &Path) -> Result<BTreeSet<String>, ModelError> {
    let index = Config::read(directory, INDEX)?;
    let Some(Value::Object(map)) = index.get("weight_map") else {
        return Err(index.refuse("weight_map", "is missing or not an object"));
    };
    map.values()
        .map(|file| match file.as_str() {
            Some(file) if !file.contains(['/', '\\']) && file != ".." => Ok(file.to_owned()),
            _ => Err(index.refuse("weight_map", format!("{file} is not a file name"))),
        })
        .collect()
}
