//! Selects rows of a dataset: those that meet conditions, and of rows with the same value in a
//! column the first.

use pyjinja::{Columns, python};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// `column=value`: only rows with this value are taken. The column may be a path into nested
/// objects, `query_metadata.level`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    column: String,
    value: String,
}

impl Condition {
    /// The condition that `column` has this `value`.
    pub fn new(column: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            column: column.into(),
            value: value.into(),
        }
    }
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((column, value)) if !column.is_empty() => Ok(Self::new(column, value)),
            _ => Err("expected COLUMN=VALUE, like level=3 or query_metadata.level=3".to_owned()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.value)
    }
}

/// Decides for each row, in the order of the data, whether it is taken.
#[derive(Debug)]
pub(in super::super) struct Selection {
    conditions: Vec<Condition>,
    unique_by: Option<String>,
    /// Hashes of the `unique_by` values seen so far. A hash is no longer for a long text than for a
    /// short one.
    seen: HashSet<[u8; 16]>,
}

impl Selection {
    /// Rows that meet all conditions; of those with the same `unique_by`, the first.
    pub fn new(conditions: Vec<Condition>, unique_by: Option<String>) -> Self {
        Self {
            conditions,
            unique_by,
            seen: HashSet::new(),
        }
    }

    /// The conditions in words.
    pub fn conditions(&self) -> String {
        let conditions: Vec<String> = self.conditions.iter().map(Condition::to_string).collect();
        conditions.join(" and ")
    }

    /// Whether this row is taken. The error says which column it lacks.
    pub fn takes(&mut self, row: &Columns) -> Result<bool, String> {
        for condition in &self.conditions {
            let text = text_at(row, &condition.column)?;
            // JSON's `true` is `True` in Python.
            let truth = ["True", "False"].contains(&text.as_str());
            let same =
                text == condition.value || (truth && text.eq_ignore_ascii_case(&condition.value));
            if !same {
                return Ok(false);
            }
        }
        let Some(column) = &self.unique_by else {
            return Ok(true);
        };
        Ok(self.seen.insert(digest(&text_at(row, column)?)))
    }
}

/// A hash of a text, 16 bytes.
pub(super) fn digest(text: &str) -> [u8; 16] {
    let hash = blake3::hash(text.as_bytes());
    let (hash, _) = hash.as_bytes().split_at(16);
    // Half of 32 bytes are 16.
    hash.try_into().unwrap_or_default()
}

/// The value, as text, of a column or of a field of nested objects.
fn text_at(row: &Columns, path: &str) -> Result<String, String> {
    let nested = || {
        let mut keys = path.split('.');
        let column = row.get(keys.next()?)?;
        keys.try_fold(column, |value, key| value.get(key))
    };
    let value: Option<&Value> = row.get(path).or_else(nested);
    value
        .map(python::to_str)
        .ok_or_else(|| no_column(row, path))
}

/// The message about a column that a row lacks, with the columns that it has.
pub(crate) fn no_column(row: &Columns, name: &str) -> String {
    let known: Vec<&str> = row.keys().map(String::as_str).collect();
    match known.is_empty() {
        true => format!("no column `{name}` (the row is empty)"),
        false => format!("no column `{name}` (the row has {})", known.join(", ")),
    }
}
