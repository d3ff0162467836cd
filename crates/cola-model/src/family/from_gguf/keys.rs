//! Reads the keys of one architecture and makes a `config.json` of them.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value};

use super::super::super::{Config, ModelError, gguf::Metadata};

/// Reads `ARCHITECTURE.*` keys and remembers which were read.
pub struct Keys<'a> {
    config: &'a Config,
    all: Vec<&'a str>,
    architecture: &'a str,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Keys<'a> {
    pub fn new(metadata: &'a Metadata, architecture: &'a str) -> Self {
        Self {
            config: metadata.config(),
            all: metadata.keys().collect(),
            architecture,
            read: RefCell::default(),
        }
    }

    /// The full key for `name`. The key counts as read from now on.
    pub fn key(&self, name: &str) -> String {
        let key = format!("{}.{name}", self.architecture);
        self.read.borrow_mut().insert(key.clone());
        key
    }

    /// The value of a key. A list of one value for each layer counts as that value, if they are all the same.
    pub fn value(&self, name: &str) -> Result<Option<Value>, ModelError> {
        let key = self.key(name);
        let all = self.all.binary_search(&key.as_str()).is_ok();
        Ok(match self.config.get(&key) {
            Some(Value::Array(items)) => match items.split_first() {
                Some((first, rest)) if rest.iter().all(|item| item == first) => Some(first.clone()),
                _ => {
                    return Err(self.refuse(
                        name,
                        "different values for different layers are not supported",
                    ));
                }
            },
            Some(value) => Some(value.clone()),
            None if all => return Err(self.refuse(name, "expected a number, a text or a flag")),
            None => None,
        })
    }

    pub fn size(&self, name: &str) -> Result<i64, ModelError> {
        self.size_opt(name)?
            .ok_or_else(|| self.refuse(name, "is missing"))
    }

    pub fn size_opt(&self, name: &str) -> Result<Option<i64>, ModelError> {
        let key = self.key(name);
        match self.value(name)? {
            None => Ok(None),
            Some(value) => self.config.with(&key, value).size_opt(&key),
        }
    }

    pub fn number_opt(&self, name: &str) -> Result<Option<f64>, ModelError> {
        self.config.number_opt(&self.key(name))
    }

    pub fn text_opt(&self, name: &str) -> Result<Option<String>, ModelError> {
        self.config.text_opt(&self.key(name))
    }

    /// Refuses a key whose value is not `neutral`, the value that has no effect. An absent key is
    /// accepted.
    pub fn only(&self, name: &str, neutral: impl Into<Value>) -> Result<(), ModelError> {
        let neutral = neutral.into();
        match self.value(name)? {
            None => Ok(()),
            Some(value) if value == neutral => Ok(()),
            Some(value) => {
                Err(self.refuse(name, format!("{value} is not supported; only {neutral} is")))
            }
        }
    }

    /// An error about a key.
    pub fn refuse(&self, name: &str, reason: impl Into<String>) -> ModelError {
        self.config.refuse(&self.key(name), reason)
    }

    /// Refuses the first key of the architecture that nothing has read: it may change what the
    /// model computes.
    pub fn refuse_unread(&self) -> Result<(), ModelError> {
        let read = self.read.borrow();
        let prefix = format!("{}.", self.architecture);
        let unread = |key: &&&str| key.starts_with(&prefix) && !read.contains(**key);
        match self.all.iter().find(unread) {
            None => Ok(()),
            Some(key) => Err(self.config.refuse(key, "is not supported")),
        }
    }
}

/// A `config.json` under construction. Errors about its fields name the keys that they come from.
pub struct Fields<'a> {
    keys: &'a Keys<'a>,
    fields: Map<String, Value>,
    origins: BTreeMap<String, String>,
}

impl<'a> Fields<'a> {
    pub fn new(keys: &'a Keys<'a>) -> Self {
        Self {
            keys,
            fields: Map::new(),
            origins: BTreeMap::new(),
        }
    }

    /// Sets a field that does not come from a key.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    /// Sets a field that follows from a key.
    pub fn set_from(&mut self, name: &str, field: &str, value: impl Into<Value>) {
        self.origins.insert(field.to_owned(), self.keys.key(name));
        self.set(field, value);
    }

    /// Sets a field to the value of a key, if that is there.
    pub fn copy(&mut self, name: &str, field: &str) -> Result<(), ModelError> {
        self.origins.insert(field.to_owned(), self.keys.key(name));
        if let Some(value) = self.keys.value(name)? {
            self.set(field, value);
        }
        Ok(())
    }

    /// Sets a field to the value of a key, which must be there.
    pub fn need(&mut self, name: &str, field: &str) -> Result<(), ModelError> {
        self.copy(name, field)?;
        match self.fields.contains_key(field) {
            true => Ok(()),
            false => Err(self.keys.refuse(name, "is missing")),
        }
    }

    /// Whether the model's architecture is `class`.
    pub fn is_class(&self, class: &str) -> bool {
        self.fields.get("architectures") == Some(&Value::from(vec![class]))
    }

    pub fn config(self) -> Config {
        let path = self.keys.config.path().to_owned();
        Config::of(path, self.fields).naming(self.origins)
    }
}
