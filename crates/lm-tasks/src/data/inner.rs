//! Rows inside a column of other rows: `row: doc` in a task file.
//!
//! The request files of OLMES have a line for every option of a question, and one more for every
//! option without its question. The question itself is in the column `doc` of each line, so a row
//! that was seen before is skipped.

use pyjinja::python;
use std::collections::HashSet;

use serde_json::Value;

use super::super::error::TaskError;
use super::LocatedRow;
use super::select::{digest, no_column};

/// Takes rows out of a column of other rows, each of them once.
#[derive(Debug)]
pub(in super::super) struct InnerRows {
    column: String,
    /// Digests of the rows so far.
    seen: HashSet<[u8; 16]>,
}

impl InnerRows {
    /// Takes rows out of the column of this name.
    pub fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            seen: HashSet::new(),
        }
    }

    /// The row inside `outer`, or `None` if it was seen before.
    ///
    /// # Errors
    /// Returns an error if there is no such column, or if it holds no object.
    pub fn take(&mut self, mut outer: LocatedRow) -> Result<Option<LocatedRow>, TaskError> {
        let message = match outer.row.remove(&self.column) {
            Some(inner @ Value::Object(_)) => {
                let new = self.seen.insert(digest(&python::to_str(&inner)));
                if let Value::Object(row) = inner {
                    outer.row = row;
                }
                return Ok(new.then_some(outer));
            }
            Some(_) => format!(
                "column `{}` is not an object, so it cannot be the row",
                self.column
            ),
            None => no_column(&outer.row, &self.column),
        };
        Err(TaskError::row(outer.place, format!("row: {message}")))
    }
}
