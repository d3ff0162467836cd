//! Arrow IPC, files and streams: what `datasets` writes to disk and keeps in its cache. Values are those of the same
//! column in Parquet.
//!
//! ```text
//! stream   schema, then dictionaries and batches in any order, then the mark of the end
//! file     ARROW1, padding, a stream, a footer that says where its batches are, ARROW1
//! ```
//!
//! A file is read as the stream that is in it; the footer only has to agree. So there is one road for both, and one batch
//! in memory at a time. What a file claims of itself is held against its size (`message`, `limits`) before the arrow crates
//! see it; they check what is left (offsets, UTF-8, keys) and decode (`batches`, `guard`). `column` makes values of it.

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

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Read(#[from] std::io::Error),
    #[error("not Arrow that can be read: {0}")]
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
    /// Of the last row, in the file.
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
            // Before the next batch is read, so that there is only one.
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
