//! Rows that stand in a column of others: `row: doc` in a task file.
//!
//! The request files of OLMES have a line for every option of a question, and one more for every option without its
//! question; the question itself is each line's `doc`. So a row that came before is passed over.

use pyjinja::python;
use std::collections::HashSet;

use serde_json::Value;

use super::super::error::TaskError;
use super::LocatedRow;
use super::select::{digest, no_column};

/// Takes the rows out of a column, each once.
#[derive(Debug)]
pub(in super::super) struct InnerRows {
    column: String,
    /// Digests of the rows so far.
    seen: HashSet<[u8; 16]>,
}

impl InnerRows {
    /// Of the column of this name.
    pub fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            seen: HashSet::new(),
        }
    }

    /// The row inside a row, or None where it came before.
    ///
    /// # Errors
    /// No such column, or no object in it.
    pub fn take(&mut self, mut outer: LocatedRow) -> Result<Option<LocatedRow>, TaskError> {
        let message = match outer.row.remove(&self.column) {
            Some(inner @ Value::Object(_)) => {
                let new = self.seen.insert(digest(&python::to_str(&inner)));
                if let Value::Object(row) = inner {
                    outer.row = row;
                }
                return Ok(new.then_some(outer));
            }
            Some(_) => format!("column `{}` is no object, and so no row", self.column),
            None => no_column(&outer.row, &self.column),
        };
        Err(TaskError::row(outer.place, format!("row: {message}")))
    }
}
