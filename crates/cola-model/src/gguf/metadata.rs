//! The key-value table of a GGUF file: everything about a model but its tensors.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use anamnesis::{GgufMetadataArray, GgufMetadataValue};
use serde_json::{Map, Value};

use super::super::{Config, ModelError};

/// The metadata of a file, sorted by key.
#[derive(Debug)]
pub struct Metadata {
    values: BTreeMap<String, GgufMetadataValue>,
    config: Config,
}

/// Longest list that [`Metadata::config`] holds: one value for each layer. The vocabulary is not
/// read through it.
const LONGEST_LIST: usize = 1 << 14;

impl Metadata {
    /// Takes the table of the file at `path`.
    pub fn new(path: PathBuf, values: HashMap<String, GgufMetadataValue>) -> Self {
        let values: BTreeMap<_, _> = values.into_iter().collect();
        let fields: Map<String, Value> = values
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), json(value)?)))
            .collect();
        Self {
            config: Config::of(path, fields),
            values,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.config.path()
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Scalars and short lists under their keys, read with the checks of a `config.json`.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A list of strings, if the key is there.
    pub fn strings(&self, key: &str) -> Result<Option<&[String]>, ModelError> {
        self.array(key, "a list of strings", |array| match array {
            GgufMetadataArray::String(strings) => Some(strings.as_slice()),
            _ => None,
        })
    }

    /// A list of f32, if the key is there.
    pub fn floats(&self, key: &str) -> Result<Option<&[f32]>, ModelError> {
        self.array(key, "a list of 32-bit floats", |array| match array {
            GgufMetadataArray::F32(floats) => Some(floats.as_slice()),
            _ => None,
        })
    }

    /// A list of i32 or u32, as llama.cpp writes token types, if the key is there.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, ModelError> {
        self.array(key, "a list of 32-bit integers", |array| match array {
            GgufMetadataArray::I32(items) => Some(items.iter().map(|&n| n.into()).collect()),
            GgufMetadataArray::U32(items) => Some(items.iter().map(|&n| n.into()).collect()),
            _ => None,
        })
    }

    fn array<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a GgufMetadataArray) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        let Some(value) = self.values.get(key) else {
            return Ok(None);
        };
        match value.as_array().and_then(read) {
            Some(items) => Ok(Some(items)),
            None => Err(self.config.refuse(key, format!("expected {expected}"))),
        }
    }
}

/// A value as `config.json` would have it. `None` for lists that are long or hold anything but
/// numbers or flags.
fn json(value: &GgufMetadataValue) -> Option<Value> {
    Some(match value {
        GgufMetadataValue::U8(n) => (*n).into(),
        GgufMetadataValue::I8(n) => (*n).into(),
        GgufMetadataValue::U16(n) => (*n).into(),
        GgufMetadataValue::I16(n) => (*n).into(),
        GgufMetadataValue::U32(n) => (*n).into(),
        GgufMetadataValue::I32(n) => (*n).into(),
        GgufMetadataValue::U64(n) => (*n).into(),
        GgufMetadataValue::I64(n) => (*n).into(),
        GgufMetadataValue::F32(x) => float(shortest(*x)),
        GgufMetadataValue::F64(x) => float(*x),
        GgufMetadataValue::Bool(flag) => (*flag).into(),
        GgufMetadataValue::String(text) => text.as_str().into(),
        GgufMetadataValue::Array(array) if array.len() <= LONGEST_LIST => list(array)?,
        _ => return None,
    })
}

/// A number. JSON has no infinities: they become text, which every reader of a number refuses.
fn float(x: f64) -> Value {
    match serde_json::Number::from_f64(x) {
        Some(number) => number.into(),
        None => x.to_string().into(),
    }
}

/// The f64 with the shortest decimal text that `x` has: 1e-5 and not 0.000009999999747378752, which
/// are the same f32.
fn shortest(x: f32) -> f64 {
    x.to_string().parse().unwrap_or_else(|_| x.into())
}

fn list(array: &GgufMetadataArray) -> Option<Value> {
    Some(match array {
        GgufMetadataArray::I32(items) => items.clone().into(),
        GgufMetadataArray::U32(items) => items.clone().into(),
        GgufMetadataArray::I64(items) => items.clone().into(),
        GgufMetadataArray::U64(items) => items.clone().into(),
        GgufMetadataArray::Bool(items) => items.clone().into(),
        GgufMetadataArray::F32(items) => items.iter().map(|&x| float(shortest(x))).collect(),
        GgufMetadataArray::F64(items) => items.iter().map(|&x| float(x)).collect(),
        _ => return None,
    })
}
