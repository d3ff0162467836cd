//! JSON: a list of rows, or an object that holds one.

use pyjinja::{Columns, python};
use std::io::{Cursor, Read};
use std::path::Path;

use super::super::error::TaskError;
use super::stream::{Compression, open};
use super::{LocatedRow, Rows, lines, not_json, read_error};
use serde_json::Value;

/// Most bytes of a file, unpacked: it is read as a whole.
const LARGEST: u64 = 256 << 20;

/// The rows of a JSON file. A file that is not JSON as a whole may still be JSONL.
pub(super) fn rows(path: &Path, compression: Compression) -> Result<Rows, TaskError> {
    let mut bytes = Vec::new();
    open(path, compression)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| read_error(path, error))?;
    if bytes.len() as u64 > LARGEST {
        let message = format!(
            "more than {LARGEST} bytes, which are too many to read at once; write one row on each line of a .jsonl file"
        );
        return Err(TaskError::format(path, message));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let value = match python::loads(text) {
        Ok(value) => value,
        // Only a file whose first line is complete is tried as JSONL, so that an error is about the
        // format that was meant.
        Err(_) if first_line_is_a_row(text) => {
            return Ok(lines::rows_of(path, Cursor::new(bytes)));
        }
        Err(_) if text.trim_ascii().is_empty() => return Ok(Box::new(std::iter::empty())),
        Err(error) => {
            return Err(TaskError::Broken {
                place: match error.line() {
                    0 => path.display().to_string(),
                    line => format!("{}:{line}", path.display()),
                },
                message: not_json(text, &error),
            });
        }
    };
    drop(bytes);
    let items = match value {
        Value::Array(items) => items,
        Value::Object(object) => the_list_in(path, object)?,
        _ => {
            let message = "expected a list of rows, or an object that holds one";
            return Err(TaskError::format(path, message));
        }
    };
    let path = path.to_owned();
    Ok(Box::new(items.into_iter().enumerate().map(
        move |(at, item)| {
            let (number, place) = (at + 1, format!("{}: row {}", path.display(), at + 1));
            match item {
                Value::Object(row) => Ok(LocatedRow { row, number, place }),
                _ => Err(TaskError::row(place, "expected a JSON object")),
            }
        },
    )))
}

fn first_line_is_a_row(text: &[u8]) -> bool {
    let line = text
        .split(|&b| b == b'\n')
        .find(|line| !line.trim_ascii().is_empty());
    line.is_some_and(|line| python::loads(line).is_ok_and(|row| row.is_object()))
}

/// `{"samples": [...]}` -> its list. An object without a list of objects is itself the only row.
fn the_list_in(path: &Path, object: Columns) -> Result<Vec<Value>, TaskError> {
    let is_rows = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().any(Value::is_object))
    };
    let (mut lists, others): (Vec<_>, Vec<_>) =
        object.into_iter().partition(|(_, value)| is_rows(value));
    match (lists.pop(), lists.as_slice()) {
        (None, _) => Ok(vec![Value::Object(others.into_iter().collect())]),
        (Some((_, Value::Array(items))), []) => Ok(items),
        (Some(last), before) => {
            let names: Vec<&str> = before
                .iter()
                .chain([&last])
                .map(|(key, _)| key.as_str())
                .collect();
            let message = format!(
                "holds several lists ({}); keep only one of them",
                names.join(", ")
            );
            Err(TaskError::format(path, message))
        }
    }
}
