//! Typed access to the fields of `config.json` and similar files, with errors that name file and
//! field.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{ModelError, tokenizer::gguf_stop_tokens};

/// A JSON object of a model directory. A field that is `null` counts as absent.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    prefix: String,
    fields: Map<String, Value>,
    /// Names of fields in the file, for those that have another name there.
    origins: BTreeMap<String, String>,
}

impl Config {
    /// Reads `name` in the model directory.
    pub fn read(directory: &Path, name: &str) -> Result<Self, ModelError> {
        let path = directory.join(name);
        let text = cola_files::read_text(&path, cola_files::DESCRIPTION).map_err(|source| {
            ModelError::Io {
                path: path.clone(),
                source,
            }
        })?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => Ok(Self::of(path, fields)),
            Ok(_) => Err(ModelError::Malformed {
                path,
                reason: "expected a JSON object".into(),
            }),
            Err(error) => Err(ModelError::Malformed {
                path,
                reason: error.to_string(),
            }),
        }
    }

    /// A configuration of these fields, whose errors name `path`.
    pub(super) fn of(path: PathBuf, fields: Map<String, Value>) -> Self {
        Self {
            path,
            prefix: String::new(),
            fields,
            origins: BTreeMap::new(),
        }
    }

    /// The same configuration, whose errors use these names for fields.
    pub(super) fn naming(self, origins: BTreeMap<String, String>) -> Self {
        Self { origins, ..self }
    }

    /// The fields and their values, in the order of the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All fields of the file.
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// Reads `name` if the directory has it.
    pub fn read_optional(directory: &Path, name: &str) -> Result<Option<Self>, ModelError> {
        if directory.join(name).exists() {
            Self::read(directory, name).map(Some)
        } else {
            Ok(None)
        }
    }

    /// An error about one of the fields.
    pub fn refuse(&self, field: &str, reason: impl Into<String>) -> ModelError {
        let field = match self.origins.get(field) {
            Some(origin) => origin.clone(),
            None => format!("{}{field}", self.prefix),
        };
        ModelError::Field {
            path: self.path.clone(),
            field,
            reason: reason.into(),
        }
    }

    /// The raw value of a field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// The object in a field, if it is there.
    pub fn object(&self, field: &str) -> Result<Option<Self>, ModelError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self {
                path: self.path.clone(),
                prefix: format!("{}{field}.", self.prefix),
                fields: fields.clone(),
                origins: BTreeMap::new(),
            })),
            Some(other) => Err(self.refuse(field, format!("expected an object, found {other}"))),
        }
    }

    /// A whole number of at least 1.
    pub fn size(&self, field: &str) -> Result<i64, ModelError> {
        self.size_opt(field)?
            .ok_or_else(|| self.refuse(field, "is missing"))
    }

    /// A whole number of at least 1, if the field is there.
    pub fn size_opt(&self, field: &str) -> Result<Option<i64>, ModelError> {
        self.typed(field, "a whole number from 1 to 2^31", |v| {
            v.as_i64().filter(|n| (1..=i32::MAX as i64).contains(n))
        })
    }

    /// A whole number of at least 0, if the field is there.
    pub fn count_opt(&self, field: &str) -> Result<Option<i64>, ModelError> {
        self.typed(field, "a whole number from 0 to 2^31", |v| {
            v.as_i64().filter(|n| (0..=i32::MAX as i64).contains(n))
        })
    }

    /// A finite number, if the field is there.
    pub fn number_opt(&self, field: &str) -> Result<Option<f64>, ModelError> {
        self.typed(field, "a number", |v| v.as_f64().filter(|x| x.is_finite()))
    }

    /// A finite number above 0, if the field is there.
    pub fn positive_opt(&self, field: &str) -> Result<Option<f64>, ModelError> {
        self.typed(field, "a number above 0", |v| {
            v.as_f64().filter(|x| x.is_finite() && *x > 0.0)
        })
    }

    /// A finite number.
    pub fn number(&self, field: &str) -> Result<f64, ModelError> {
        self.number_opt(field)?
            .ok_or_else(|| self.refuse(field, "is missing"))
    }

    /// True or false; `default` if the field is absent.
    pub fn flag(&self, field: &str, default: bool) -> Result<bool, ModelError> {
        Ok(self
            .typed(field, "true or false", Value::as_bool)?
            .unwrap_or(default))
    }

    /// A string, if the field is there.
    pub fn text_opt(&self, field: &str) -> Result<Option<String>, ModelError> {
        self.typed(field, "a string", |v| v.as_str().map(str::to_owned))
    }

    /// A list, if the field is there; every item must be what `read` expects.
    pub fn list<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ModelError> {
        self.typed(field, expected, |value| {
            value.as_array()?.iter().map(&read).collect()
        })
    }

    /// Whether the field is there and `null`, which for some families means something else than an
    /// absent field.
    pub fn says_null(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(Value::is_null)
    }

    /// The same object with another value in a field.
    pub(super) fn with(&self, field: &str, value: Value) -> Self {
        let mut config = self.clone();
        config.fields.insert(field.to_owned(), value);
        config
    }

    /// The same object without a field.
    pub fn without(&self, field: &str) -> Self {
        let mut config = self.clone();
        config.fields.remove(field);
        config
    }

    fn typed<T>(
        &self,
        field: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, ModelError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(self.refuse(
                    field,
                    format!("expected {expected}, found {}", brief(value)),
                )),
            },
        }
    }
}

/// A value as an error quotes it: not longer than a line.
fn brief(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The tokens that end a generation: `eos_token_id` of `generation_config.json`, else of
/// `config.json`; one number or a list. For a GGUF file, the tokens that its metadata names, and
/// control tokens that are known by name to end a text or a turn.
pub fn stop_tokens(model: &Path) -> Result<Vec<u32>, ModelError> {
    match model.is_file() {
        true => gguf_stop_tokens(model),
        false => directory_stop_tokens(model),
    }
}

fn directory_stop_tokens(directory: &Path) -> Result<Vec<u32>, ModelError> {
    for name in ["generation_config.json", "config.json"] {
        let Some(config) = Config::read_optional(directory, name)? else {
            continue;
        };
        let Some(value) = config.get("eos_token_id") else {
            continue;
        };
        let listed = match value {
            Value::Array(items) => items.iter().map(Value::as_u64).collect(),
            single => single.as_u64().map(|token| vec![token]),
        };
        let tokens: Option<BTreeSet<u32>> = listed.and_then(|tokens| {
            tokens
                .into_iter()
                .map(|token| u32::try_from(token).ok())
                .collect()
        });
        return match tokens {
            Some(tokens) => Ok(tokens.into_iter().collect()),
            None => Err(config.refuse(
                "eos_token_id",
                format!("expected a token id or a list, found {value}"),
            )),
        };
    }
    Ok(Vec::new())
}
