//! JSONL: one object per line; empty lines are skipped.

use cola_files::{Line, ROW, take_line};
use pyjinja::python;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::error::TaskError;
use super::stream::{Compression, open};
use super::{LocatedRow, Rows, not_json, read_error, too_long, until_broken};

/// The rows of a file.
pub(super) fn rows(path: &Path, compression: Compression) -> Result<Rows, TaskError> {
    let reader = open(path, compression)?;
    Ok(rows_of(path, reader))
}

/// The rows of JSONL that was found in the file at `path`.
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
            self.number += 1;
            match take_line(&mut self.reader, &mut self.line, ROW) {
                Ok(Line::Whole) => {}
                Ok(Line::End) => return None,
                Ok(Line::TooLong) => {
                    let place = format!("{}:{}", self.path.display(), self.number);
                    return Some(Err(too_long(place)));
                }
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
        match python::loads(text) {
            Ok(Value::Object(row)) => Ok(LocatedRow { row, number, place }),
            Ok(_) => Err(TaskError::row(
                place,
                "expected one JSON object on each line",
            )),
            // `place` has the number of the line.
            Err(error) => {
                let line = format!(" at line 1 column {}", error.column());
                let message =
                    not_json(text, &error).replace(&line, &format!(", column {}", error.column()));
                Err(TaskError::row(place, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn only(text: &[u8]) -> Result<String, String> {
        let rows = rows_of(Path::new("rows.jsonl"), Cursor::new(text.to_vec()));
        let read = |row: LocatedRow| python::to_str(&Value::Object(row.row));
        let rows: Result<Vec<String>, TaskError> = rows.map(|row| row.map(read)).collect();
        rows.map(|rows| rows.concat())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_line_is_read_as_python_reads_it() {
        assert_eq!(
            only(br#"{"a": [NaN, -Infinity, 1e-5], "b": 123456789012345678901}"#).unwrap(),
            "{'a': [nan, -inf, 1e-05], 'b': 123456789012345678901}"
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told_once_and_by_name() {
        assert_eq!(
            only(b"\n{\"a\": 1 \"b\": 2}").unwrap_err(),
            "rows.jsonl:2: not JSON: expected `,` or `}`, column 9"
        );
        assert_eq!(
            only(b"{\"a\": \"\xff\"}").unwrap_err(),
            "rows.jsonl:1: not UTF-8: invalid utf-8 sequence of 1 bytes from index 7"
        );
    }
}
