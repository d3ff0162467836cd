//! Reads a task file into keys. Its `include`s are merged under it, and every key knows the file it
//! came from.

use cola_files::caught;
use pyjinja::yaml;
use std::path::{Path, PathBuf};

use serde_yaml_ng::Value;

use super::built_in;
use super::error::TaskError;
use super::process::{Comparison, RowProcess};

/// Includes that are nested deeper than this are taken for a cycle.
const MAX_INCLUDES: usize = 16;

/// The source of a task file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Compiled into the program: its name and text.
    BuiltIn(&'static str, &'static str),
    /// A file on disk.
    File(PathBuf),
}

impl Source {
    /// The name of the file in messages.
    fn label(&self) -> String {
        match self {
            Source::BuiltIn(name, _) => format!("{name}.yaml (built in)"),
            Source::File(path) => path.display().to_string(),
        }
    }

    /// The directory that relative paths in the file start from; `None` for a built-in file.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        match self {
            Source::BuiltIn(..) => None,
            Source::File(path) => Some(path.parent().unwrap_or(Path::new("")).to_owned()),
        }
    }

    fn text(&self) -> Result<String, TaskError> {
        match self {
            Source::BuiltIn(_, text) => Ok((*text).to_owned()),
            Source::File(path) => {
                cola_files::read_text(path, cola_files::WRITTEN).map_err(|source| TaskError::Read {
                    path: path.clone(),
                    source,
                })
            }
        }
    }

    /// The file that an `include` of this one names: beside it, or built in.
    fn included(&self, name: &str) -> Source {
        let path = self.directory().map(|directory| directory.join(name));
        match (path, built_in::find(name)) {
            (Some(path), _) if path.exists() => Source::File(path),
            (_, Some((name, text))) => Source::BuiltIn(name, text),
            (path, None) => Source::File(path.unwrap_or_else(|| name.into())),
        }
    }
}

/// The value of a key, and the file it is from.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub file: String,
    pub key: String,
    pub value: Value,
}

impl Entry {
    /// An error about this key.
    pub fn error(&self, message: impl Into<String>) -> TaskError {
        self.error_at("", message)
    }

    /// An error about something inside this key; `inside` continues its name (`[0].regex_pattern`).
    pub fn error_at(&self, inside: &str, message: impl Into<String>) -> TaskError {
        TaskError::Key {
            file: self.file.clone(),
            key: format!("{}{inside}", self.key),
            message: message.into(),
        }
    }

    /// A value inside this key as an entry of its own.
    pub fn inside(&self, key: &str, value: &Value) -> Entry {
        Entry {
            file: self.file.clone(),
            key: format!("{}.{key}", self.key),
            value: value.clone(),
        }
    }

    /// A string; a number or truth value is taken as Python prints it.
    pub fn text(&self) -> Result<String, TaskError> {
        scalar(&self.value).ok_or_else(|| self.error("expected a text"))
    }

    /// A list of strings; one string is a list of one.
    pub fn texts(&self) -> Result<Vec<String>, TaskError> {
        self.texts_in("", &self.value)
    }

    /// Like [`texts`](Self::texts), for a value inside this key.
    pub fn texts_in(&self, inside: &str, value: &Value) -> Result<Vec<String>, TaskError> {
        let texts = match value {
            Value::Sequence(items) => items.iter().map(scalar).collect(),
            one => scalar(one).map(|text| vec![text]),
        };
        texts.ok_or_else(|| self.error_at(inside, "expected a text or a list of texts"))
    }

    /// A whole number from 0.
    pub fn count(&self) -> Result<usize, TaskError> {
        let count = self.value.as_u64().and_then(|n| usize::try_from(n).ok());
        count.ok_or_else(|| self.error("expected a whole number from 0"))
    }
}

/// The text of a scalar, as Python prints it.
pub(super) fn scalar(value: &Value) -> Option<String> {
    yaml::scalar_text(value)
}

/// The merged keys of a task file. Taking a key removes it, so that keys that are left are unknown.
#[derive(Debug)]
pub(super) struct Keys {
    /// The label of the outermost file.
    pub file: String,
    entries: Vec<Entry>,
}

impl Keys {
    /// Reads a file and all it includes. Refuses Python functions and wrong YAML.
    pub fn read(source: &Source) -> Result<Keys, TaskError> {
        let keys = Keys {
            file: source.label(),
            entries: read_merged(source, 0)?,
        };
        for entry in &keys.entries {
            if let Some(function) = tagged(&entry.value) {
                return Err(entry.error(format!(
                    "`{function}` names a Python function, which cola cannot run; write a Jinja2 template instead, \
                     or prepare the column in the data{}",
                    compiled_in(&entry.key)
                )));
            }
        }
        Ok(keys)
    }

    /// All keys that are not null, as JSON.
    pub fn config(&self) -> serde_json::Map<String, serde_json::Value> {
        let said = self.entries.iter().filter(|entry| !entry.value.is_null());
        let as_json = |entry: &Entry| {
            // What has a tag is refused.
            Some((entry.key.clone(), yaml::to_json(&entry.value)?))
        };
        said.filter_map(as_json).collect()
    }

    /// Takes a key out. A null counts as no key.
    pub fn take(&mut self, key: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.key == key)?;
        let entry = self.entries.remove(at);
        (!entry.value.is_null()).then_some(entry)
    }

    /// An error about a key that is not there.
    pub fn missing(&self, key: &str, message: &str) -> TaskError {
        TaskError::Key {
            file: self.file.clone(),
            key: key.to_owned(),
            message: message.to_owned(),
        }
    }

    /// Refuses keys that were not taken.
    pub fn finish(self) -> Result<(), TaskError> {
        match self
            .entries
            .into_iter()
            .find(|entry| !entry.value.is_null())
        {
            Some(entry) => Err(entry.error(
                "unknown or unsupported key; remove it, or see datasets/README.md for the \
                                            keys that are supported",
            )),
            None => Ok(()),
        }
    }
}

/// The end of a message: the built-in functions that a key may name instead.
fn compiled_in(key: &str) -> String {
    let names = match key {
        "process_docs" => RowProcess::NAMES,
        "process_results" => Comparison::NAMES,
        _ => return String::new(),
    };
    format!("; the functions of the built-in tasks can be given by name ({names})")
}

/// A file's own keys over those it includes; of several includes the last wins, as in lm-evaluation-harness.
fn read_merged(source: &Source, depth: usize) -> Result<Vec<Entry>, TaskError> {
    let file = source.label();
    let yaml_error = |message: String| TaskError::Yaml {
        file: file.clone(),
        message,
    };
    let text = source.text()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let not_yaml = |error: String| yaml_error(format!("not YAML: {error}"));
    let parsed = caught(|| yaml::load(text));
    let parsed = parsed.map_err(|panic| yaml_error(format!("the YAML library failed: {panic}")))?;
    let mut value = parsed.map_err(not_yaml)?;
    // Resolves merge keys such as `<<: *anchor`.
    value
        .apply_merge()
        .map_err(|error| not_yaml(error.to_string()))?;
    let Value::Mapping(mapping) = value else {
        return Err(yaml_error(
            "not a task file: expected `key: value` lines".to_owned(),
        ));
    };
    let mut own = Vec::new();
    for (key, value) in mapping {
        let key = scalar(&key).ok_or_else(|| yaml_error("a key is not a text".to_owned()))?;
        own.push(Entry {
            file: file.clone(),
            key,
            value,
        });
    }
    let Some(at) = own.iter().position(|entry| entry.key == "include") else {
        return Ok(own);
    };
    let include = own.remove(at);
    if depth >= MAX_INCLUDES {
        return Err(include.error("more than 16 files deep; check that no file includes itself"));
    }
    for name in include.texts()?.into_iter().rev() {
        for entry in read_merged(&source.included(&name), depth + 1)? {
            if !own.iter().any(|known| known.key == entry.key) {
                own.push(entry);
            }
        }
    }
    Ok(own)
}

/// The first YAML tag (`!function utils.process_docs`) in a value.
fn tagged(value: &Value) -> Option<String> {
    match value {
        Value::Tagged(tagged) => {
            let inner = scalar(&tagged.value).unwrap_or_default();
            Some(format!("{} {inner}", tagged.tag).trim_end().to_owned())
        }
        Value::Sequence(items) => items.iter().find_map(tagged),
        Value::Mapping(entries) => entries
            .iter()
            .find_map(|(key, value)| tagged(key).or_else(|| tagged(value))),
        _ => None,
    }
}
