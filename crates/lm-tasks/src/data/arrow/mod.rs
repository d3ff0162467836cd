//! Arrow IPC files and streams, which the Python library `datasets` writes to disk and to its
//! cache. Values are those of the same column in Parquet.
//!
//! ```text
//! stream   schema, then dictionaries and batches in any order, then the mark of the end
//! file     ARROW1, padding, a stream, a footer that says where its batches are, ARROW1
//! ```
//!
//! A file is read as the stream inside it, and its footer only has to agree. So both formats share
//! one implementation, with one batch in memory at a time. The lengths that a file claims are
//! checked against its size (`message`, `limits`) before the arrow crates see them. These check the
//! rest (offsets, UTF-8, keys) and decode (`batches`, `guard`). `column` converts the values to
//! JSON.

mod batches;
mod column;
mod guard;
mod limits;
mod message;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use serde_json::Value;

use super::super::error::TaskError;
use super::{LocatedRow, Rows, read_error, until_broken};
use batches::Batches;

/// The reason why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Read(#[from] std::io::Error),
    #[error("cannot be read as Arrow: {0}")]
    Damaged(String),
}

impl Fault {
    fn damaged(message: impl Into<String>) -> Self {
        Fault::Damaged(message.into())
    }

    fn of(self, path: &Path) -> TaskError {
        match self {
            Fault::Read(error) => read_error(path, error),
            damaged => TaskError::format(path, damaged.to_string()),
        }
    }
}

/// The rows of a file, a batch in memory at a time.
pub(super) fn rows(path: &Path) -> Result<Rows, TaskError> {
    let batches = Batches::open(path).map_err(|fault| fault.of(path))?;
    Ok(until_broken(Reading {
        path: path.to_owned(),
        batches,
        batch: None,
        number: 0,
    }))
}

struct Reading {
    path: PathBuf,
    batches: Batches,
    /// The current batch, and how many of its rows are done.
    batch: Option<(RecordBatch, usize)>,
    /// Number of the last row in the file.
    number: usize,
}

impl Iterator for Reading {
    type Item = Result<LocatedRow, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((batch, done)) = &mut self.batch
                && *done < batch.num_rows()
            {
                let row = row(batch, *done);
                *done += 1;
                self.number += 1;
                return Some(Ok(LocatedRow {
                    row,
                    number: self.number,
                    place: format!("{}: row {}", self.path.display(), self.number),
                }));
            }
            // Dropped before the next batch is read, so that only one is in memory.
            self.batch = None;
            match self.batches.next() {
                Ok(Some(batch)) => self.batch = Some((batch, 0)),
                Ok(None) => return None,
                Err(fault) => return Some(Err(fault.of(&self.path))),
            }
        }
    }
}

fn row(batch: &RecordBatch, at: usize) -> serde_json::Map<String, Value> {
    let schema = batch.schema_ref();
    let columns = schema.fields().iter().zip(batch.columns());
    columns
        .map(|(field, column)| (field.name().clone(), column::value(column, at)))
        .collect()
}
