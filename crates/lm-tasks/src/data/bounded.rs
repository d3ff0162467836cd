//! Bounds what the rows of a file take in memory. A few bytes of a packed file may unpack to any number of rows, and one text of a
//! dictionary may stand in every row.

use std::path::Path;

use pyjinja::Columns;
use serde_json::Value;

use super::super::error::TaskError;
use super::Rows;

/// Rows may take this many bytes, or [`MANIFOLD`] times the size of their file if that is more.
const LEAST: u64 = 1 << 30;
const MANIFOLD: u64 = 100;

/// Bytes that a value takes, beside its text.
const VALUE: u64 = 64;

/// The rows of the file at `path`, up to the bound. Beyond it is an error.
pub(super) fn rows(path: &Path, rows: Rows) -> Rows {
    // The file was just opened. Without a size the lower bound holds.
    let size = std::fs::metadata(path).map_or(0, |about| about.len());
    within(path, rows, LEAST.max(size.saturating_mul(MANIFOLD)))
}

fn within(path: &Path, mut rows: Rows, most: u64) -> Rows {
    let path = path.to_owned();
    let (mut taken, mut over) = (0_u64, false);
    Box::new(std::iter::from_fn(move || {
        if over {
            return None;
        }
        let row = rows.next()?;
        if let Ok(row) = &row {
            taken = taken.saturating_add(columns(&row.row));
        }
        over = taken > most;
        match over {
            true => Some(Err(TaskError::format(
                &path,
                format!("its rows take more than {most} bytes; use option `limit` to read fewer"),
            ))),
            false => Some(row),
        }
    }))
}

fn columns(row: &Columns) -> u64 {
    let entries = row.iter();
    let entries = entries.map(|(name, value)| name.len() as u64 + weight(value));
    VALUE + entries.sum::<u64>()
}

/// About the bytes that a value takes.
fn weight(value: &Value) -> u64 {
    match value {
        Value::String(text) => VALUE + text.len() as u64,
        Value::Array(items) => VALUE + items.iter().map(weight).sum::<u64>(),
        Value::Object(entries) => columns(entries),
        _ => VALUE,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::LocatedRow;
    use super::*;

    #[test]
    fn rows_beyond_the_bound_are_an_error_and_the_end() {
        let row = |number| LocatedRow {
            row: Columns::from_iter([("q".to_owned(), json!("x".repeat(100)))]),
            number,
            place: String::new(),
        };
        let endless: Rows = Box::new((1..).map(move |number| Ok(row(number))));
        let found: Vec<_> = within(Path::new("rows.parquet"), endless, 1000).collect();
        // Each takes 64 bytes, those of its one column and its text.
        assert_eq!(found.len(), 5);
        let error = found.last().unwrap().as_ref().unwrap_err().to_string();
        assert_eq!(
            error,
            "rows.parquet: its rows take more than 1000 bytes; use option `limit` to read fewer"
        );
        assert!(found[..4].iter().all(Result::is_ok));
    }
}
