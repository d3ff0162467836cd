//! JSONL: one object a line; empty lines are skipped.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::error::TaskError;
use super::stream::{Compression, open};
use super::{LocatedRow, Rows, read_error, until_broken};

/// The rows of a file.
pub(super) fn rows(path: &Path, compression: Compression) -> Result<Rows, TaskError> {
    let reader = open(path, compression)?;
    Ok(rows_of(path, reader))
}

/// The rows of a text that was found in a file.
pub(super) fn rows_of(path: &Path, reader: impl BufRead + 'static) -> Rows {
    until_broken(Lines {
        path: path.to_owned(),
        reader,
        line: Vec::new(),
        number: 0,
    })
}

struct Lines<R> {
    path: PathBuf,
    reader: R,
    line: Vec<u8>,
    number: usize,
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<LocatedRow, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.line.clear();
            match self.reader.read_until(b'\n', &mut self.line) {
                Ok(0) => return None,
                Ok(_) => self.number += 1,
                Err(error) => return Some(Err(read_error(&self.path, error))),
            }
            let line = self.line.strip_prefix(b"\xef\xbb\xbf");
            let text = line.unwrap_or(&self.line).trim_ascii();
            if !text.is_empty() {
                return Some(self.row(text));
            }
        }
    }
}

impl<R> Lines<R> {
    fn row(&self, text: &[u8]) -> Result<LocatedRow, TaskError> {
        let number = self.number;
        let place = format!("{}:{number}", self.path.display());
        match serde_json::from_slice(text) {
            Ok(Value::Object(row)) => Ok(LocatedRow { row, number, place }),
            Ok(_) => Err(TaskError::row(
                place,
                "expected a JSON object: one row a line",
            )),
            Err(error) => Err(TaskError::row(place, format!("not JSON: {error}"))),
        }
    }
}
