//! Rows from files: JSONL, a JSON list, or a JSON object that holds one list.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::TaskError;
use super::template::Columns;

/// A row and where it stands, for messages and as an id of last resort.
#[derive(Debug)]
pub(super) struct LocatedRow {
    pub row: Columns,
    /// The line of a JSONL file, or the place in a list; counted from 1.
    pub number: usize,
    /// `file:line`, or `file: row n`.
    pub place: String,
}

/// Reads at most `limit` rows of a file.
pub(super) fn read_rows(path: &Path, limit: Option<usize>) -> Result<Vec<LocatedRow>, TaskError> {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or("")
        .to_ascii_lowercase();
    let rows = match extension.as_str() {
        "parquet" | "csv" | "tsv" | "gz" | "zst" | "arrow" => {
            let message = format!(".{extension} is not read: convert it to JSONL, one row a line");
            return Err(TaskError::Format {
                path: path.to_owned(),
                message,
            });
        }
        "json" => read_json(path, limit)?,
        _ => read_lines(path, limit)?,
    };
    if rows.is_empty() && limit != Some(0) {
        return Err(TaskError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(rows)
}

fn read_error(path: &Path, source: std::io::Error) -> TaskError {
    TaskError::Read {
        path: path.to_owned(),
        source,
    }
}

/// One object a line; empty lines are skipped.
fn read_lines(path: &Path, limit: Option<usize>) -> Result<Vec<LocatedRow>, TaskError> {
    let mut reader = BufReader::new(File::open(path).map_err(|error| read_error(path, error))?);
    let mut rows = Vec::new();
    let mut line = Vec::new();
    let mut number = 0;
    while limit.is_none_or(|limit| rows.len() < limit) {
        line.clear();
        if reader
            .read_until(b'\n', &mut line)
            .map_err(|error| read_error(path, error))?
            == 0
        {
            break;
        }
        number += 1;
        let text = line
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&line)
            .trim_ascii();
        if text.is_empty() {
            continue;
        }
        let place = format!("{}:{number}", path.display());
        let row = match serde_json::from_slice(text) {
            Ok(Value::Object(row)) => row,
            Ok(_) => {
                return Err(TaskError::row(
                    place,
                    "expected a JSON object: one row a line",
                ));
            }
            Err(error) => return Err(TaskError::row(place, format!("not JSON: {error}"))),
        };
        rows.push(LocatedRow { row, number, place });
    }
    Ok(rows)
}

/// A whole JSON file; one that is not JSON as a whole may still be JSONL.
fn read_json(path: &Path, limit: Option<usize>) -> Result<Vec<LocatedRow>, TaskError> {
    let bytes = std::fs::read(path).map_err(|error| read_error(path, error))?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let value = match serde_json::from_slice(text) {
        Ok(value) => value,
        // Only what is complete on its first line is tried as JSONL, so that the message is about the JSON that is meant.
        Err(_) if first_line_is_a_row(text) => return read_lines(path, limit),
        Err(_) if text.trim_ascii().is_empty() => return Ok(Vec::new()),
        Err(error) => {
            let place = format!("{}:{}", path.display(), error.line());
            return Err(TaskError::row(place, format!("not JSON: {error}")));
        }
    };
    let items = match value {
        Value::Array(items) => items,
        Value::Object(object) => the_list_in(path, object)?,
        _ => {
            let message = "expected a list of rows, or an object that holds one".to_owned();
            return Err(TaskError::Format {
                path: path.to_owned(),
                message,
            });
        }
    };
    let mut rows = Vec::new();
    for (at, item) in items
        .into_iter()
        .enumerate()
        .take(limit.unwrap_or(usize::MAX))
    {
        let (number, place) = (at + 1, format!("{}: row {}", path.display(), at + 1));
        match item {
            Value::Object(row) => rows.push(LocatedRow { row, number, place }),
            _ => return Err(TaskError::row(place, "expected a JSON object")),
        }
    }
    Ok(rows)
}

fn first_line_is_a_row(text: &[u8]) -> bool {
    let line = text
        .split(|&b| b == b'\n')
        .find(|line| !line.trim_ascii().is_empty());
    line.is_some_and(|line| serde_json::from_slice::<Columns>(line).is_ok())
}

/// `{"samples": [...]}` -> its list. An object without a list of objects is itself the only row.
fn the_list_in(path: &Path, object: Columns) -> Result<Vec<Value>, TaskError> {
    let is_rows = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().any(Value::is_object))
    };
    let lists: Vec<&str> = object
        .iter()
        .filter(|(_, value)| is_rows(value))
        .map(|(key, _)| key.as_str())
        .collect();
    match lists.as_slice() {
        [] => Ok(vec![Value::Object(object)]),
        [key] => match object.get(*key) {
            Some(Value::Array(items)) => Ok(items.clone()),
            _ => Ok(Vec::new()),
        },
        several => {
            let message = format!("holds several lists ({}): keep one", several.join(", "));
            Err(TaskError::Format {
                path: path.to_owned(),
                message,
            })
        }
    }
}

/// The path of a data file that a task file names: beside the task file, in the working directory, or for a built-in
/// task in the source tree the program was built from.
pub(super) fn locate(directory: Option<&Path>, name: &str) -> Option<PathBuf> {
    let source_tree = directory
        .is_none()
        .then(|| Path::new(env!("CARGO_MANIFEST_DIR")));
    let places = [directory, Some(Path::new("")), source_tree];
    let mut paths = places.into_iter().flatten().map(|place| place.join(name));
    paths.find(|path| path.is_file())
}
