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

pub(super) const SINGLE: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The mapped files of a model directory. Nothing is copied until a tensor is read.
pub struct Weights {
    directory: PathBuf,
    shards: Vec<Shard>,
    /// Tensor name -> shard.
    location: BTreeMap<String, usize>,
    /// Names read so far.
    used: RefCell<BTreeSet<String>>,
    prefix: String,
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
            prefix: String::new(),
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
            .tensor(name.strip_prefix(&self.prefix).unwrap_or(name))
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

    pub fn allow_missing_prefix(&mut self, prefix: &str) {
        if !self.location.keys().any(|n| n.starts_with(prefix)) {
            let old = std::mem::take(&mut self.location);
            for (n, s) in old {
                self.location.insert(
                    if n.starts_with("lm_head") {
                        n
                    } else {
                        format!("{prefix}{n}")
                    },
                    s,
                );
            }
            self.prefix = prefix.to_owned();
        }
    }

    pub fn check(&self, name: &str, shape: &[i64]) -> Result<(), ModelError> {
        self.read(name, shape, Kind::Float, Device::Cpu).map(|_| ())
    }

    pub fn copy_into(
        &self,
        name: &str,
        shape: &[i64],
        target: &mut Tensor,
        arrange: impl FnOnce(&Tensor) -> Result<Tensor, ModelError>,
    ) -> Result<(), ModelError> {
        let source = self.read(name, shape, target.kind(), Device::Cpu)?;
        target.copy_(&arrange(&source)?);
        Ok(())
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
pub(super) fn shard_files(directory: &Path) -> Result<BTreeSet<String>, ModelError> {
    let index = Config::read(directory, INDEX)?;
    let Some(Value::Object(map)) = index.get("weight_map") else {
        return Err(index.refuse("weight_map", "is missing or not an object"));
    };
    map.values()
        .map(|file| match file.as_str() {
            Some(file) if is_file_name(file) => Ok(file.to_owned()),
            _ => Err(index.refuse("weight_map", format!("{file} is not a file name"))),
        })
        .collect()
}

fn is_file_name(text: &str) -> bool {
    let within = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | ':');
    text.chars().all(within) && !matches!(text, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use safetensors::serialize_to_file;
    use tempfile::TempDir;

    use super::*;

    type Stored = (&'static str, Dtype, Vec<usize>, Vec<u8>);

    fn floats(name: &'static str, values: &[f32]) -> Stored {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        (name, Dtype::F32, vec![values.len()], bytes.collect())
    }

    fn write(directory: &Path, file: &str, tensors: &[Stored]) {
        let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
            (*name, view)
        });
        serialize_to_file(views, None, &directory.join(file)).unwrap();
    }

    fn single(tensors: &[Stored]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), SINGLE, tensors);
        directory
    }

    /// Two shards, and an index that names what `index` says.
    fn sharded(first: &[Stored], second: &[Stored], index: &str) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "a.safetensors", first);
        write(directory.path(), "b.safetensors", second);
        std::fs::write(directory.path().join(INDEX), index).unwrap();
        directory
    }

    const BOTH: &str = r#"{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}"#;

    fn read(directory: &TempDir, name: &str, shape: &[i64]) -> Result<Vec<f32>, ModelError> {
        let weights = Weights::open(directory.path())?;
        let tensor = weights.read(name, shape, Kind::Float, Device::Cpu)?;
        Ok(Vec::try_from(tensor.flatten(0, -1)).unwrap())
    }

    /// What is wrong with a tensor, after checking that it and its file are named.
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

    #[test]
    fn every_float_dtype_is_read_to_the_value_it_stores() {
        let directory = single(&[
            floats("wide", &[1.5, -0.1]),
            ("half", Dtype::F16, vec![1, 2], vec![0x00, 0x3e, 0x00, 0xc1]),
            ("brain", Dtype::BF16, vec![2], vec![0xc0, 0x3f, 0x20, 0xc0]),
        ]);
        assert_eq!(read(&directory, "wide", &[2]).unwrap(), [1.5, -0.1]);
        assert_eq!(read(&directory, "half", &[1, 2]).unwrap(), [1.5, -2.5]);
        assert_eq!(read(&directory, "brain", &[2]).unwrap(), [1.5, -2.5]);
        let weights = Weights::open(directory.path()).unwrap();
        assert_eq!(weights.main_kind().unwrap(), Some(Kind::Float));
    }

    #[test]
    fn shards_are_found_through_their_index() {
        let directory = sharded(&[floats("x", &[1.0])], &[floats("y", &[2.0])], BOTH);
        assert_eq!(read(&directory, "x", &[1]).unwrap(), [1.0]);
        assert_eq!(read(&directory, "y", &[1]).unwrap(), [2.0]);
        let weights = Weights::open(directory.path()).unwrap();
        assert_eq!(weights.files().count(), 2);
    }

    #[test]
    fn a_truncated_file_is_named() {
        let directory = single(&[floats("x", &[1.0; 64])]);
        let file = directory.path().join(SINGLE);
        let bytes = std::fs::read(&file).unwrap();
        for kept in [0, 7, 20, bytes.len() - 1] {
            std::fs::write(&file, &bytes[..kept]).unwrap();
            match Weights::open(directory.path()).err() {
                Some(ModelError::Malformed { path, reason }) => {
                    assert_eq!(path, file);
                    assert!(
                        reason.contains("not a complete safetensors file"),
                        "{reason}"
                    );
                }
                other => panic!("{kept} bytes: {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_tensor_is_named_with_the_directory() {
        let directory = single(&[floats("x", &[1.0])]);
        let found = read(&directory, "y", &[1]);
        let reason = reason(found, directory.path(), "y");
        assert_eq!(reason, "is missing from the weights");
    }

    #[test]
    fn a_wrong_shape_is_named_with_both_shapes() {
        let directory = single(&[floats("x", &[1.0, 2.0])]);
        let found = read(&directory, "x", &[2, 1]);
        let reason = reason(found, &directory.path().join(SINGLE), "x");
        assert_eq!(reason, "has shape [2]; config.json says [2, 1]");
    }

    #[test]
    fn a_weight_that_is_not_finite_is_refused() {
        for value in [f32::NAN, f32::INFINITY] {
            let directory = single(&[floats("x", &[1.0, value])]);
            let found = read(&directory, "x", &[2]);
            let reason = reason(found, &directory.path().join(SINGLE), "x");
            assert_eq!(reason, "holds values that are not finite");
        }
    }

    #[test]
    fn a_weight_too_large_for_the_compute_dtype_is_refused() {
        let directory = single(&[floats("x", &[1e6])]);
        let weights = Weights::open(directory.path()).unwrap();
        let found = weights.read("x", &[1], Kind::Half, Device::Cpu);
        reason(found, &directory.path().join(SINGLE), "x");
    }

    #[test]
    fn a_dtype_that_is_no_weight_is_named() {
        let directory = single(&[("x", Dtype::I64, vec![1], vec![0; 8])]);
        let found = read(&directory, "x", &[1]);
        let reason = reason(found, &directory.path().join(SINGLE), "x");
        assert_eq!(reason, "has unsupported dtype I64");
    }

    #[test]
    fn a_tensor_in_two_shards_is_refused() {
        let directory = sharded(&[floats("x", &[1.0])], &[floats("x", &[2.0])], BOTH);
        let file = directory.path().join("b.safetensors");
        let reason = reason(Weights::open(directory.path()), &file, "x");
        assert_eq!(reason, "is in two files");
    }

    #[test]
    fn a_tensor_nothing_reads_is_refused_unless_it_is_ignored() {
        let directory = single(&[floats("x", &[1.0]), floats("extra", &[1.0])]);
        let weights = Weights::open(directory.path()).unwrap();
        assert!(weights.read("x", &[1], Kind::Float, Device::Cpu).is_ok());
        assert!(weights.refuse_unread(|name| name == "extra").is_ok());
        let found = weights.refuse_unread(|_| false);
        let reason = reason(found, &directory.path().join(SINGLE), "extra");
        assert!(reason.contains("not part of this architecture"), "{reason}");
    }

    #[test]
    fn an_index_that_names_a_file_elsewhere_is_refused() {
        for file in [
            "../b.safetensors",
            "/etc/passwd",
            "..",
            "sub/b.safetensors",
            "c:\\\\b",
            "c:b.safetensors",
            "b\\u0000.safetensors",
            ".",
            "",
        ] {
            let index = format!(r#"{{"weight_map": {{"x": "a.safetensors", "y": "{file}"}}}}"#);
            let directory = sharded(&[floats("x", &[1.0])], &[floats("y", &[1.0])], &index);
            match Weights::open(directory.path()).err() {
                Some(ModelError::Field { path, field, .. }) => {
                    assert_eq!(path, directory.path().join(INDEX));
                    assert_eq!(field, "weight_map");
                }
                other => panic!("{file}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_index_without_its_map_or_one_of_its_files_is_named() {
        let directory = sharded(&[floats("x", &[1.0])], &[], "{}");
        let error = Weights::open(directory.path()).err().unwrap().to_string();
        assert!(
            error.contains("model.safetensors.index.json: `weight_map`"),
            "{error}"
        );
        let directory = sharded(&[floats("x", &[1.0])], &[], BOTH);
        std::fs::remove_file(directory.path().join("b.safetensors")).unwrap();
        let error = Weights::open(directory.path()).err().unwrap();
        assert!(matches!(&error, ModelError::Io { path, .. } if path.ends_with("b.safetensors")));
    }

    #[test]
    fn a_directory_without_weights_says_which_files_it_looked_for() {
        let directory = tempfile::tempdir().unwrap();
        let error = Weights::open(directory.path()).err().unwrap().to_string();
        assert!(error.contains("no model.safetensors and no model.safetensors.index.json"));
        assert!(error.contains(&directory.path().display().to_string()));
    }
}
