//! Rows from files: JSONL, a JSON list or an object that holds one, CSV, TSV, Parquet, Arrow; text also
//! compressed, as `.gz` or `.zst`.
//!
//! Rows are read one at a time, when they are requested; only a JSON list is read as a whole.

use pyjinja::Columns;
mod arrow;
mod bounded;
mod cell;
mod inner;
mod json;
mod lines;
mod parquet;
mod select;
mod stream;
mod table;

use std::path::{Path, PathBuf};

use super::error::TaskError;
use cola_files::ROW;
pub(super) use inner::InnerRows;
pub use select::Condition;
pub(super) use select::{Selection, no_column};
use stream::Compression;

/// A row and its place, which is used in messages, and as its id if it has no other.
#[derive(Debug)]
pub(super) struct LocatedRow {
    pub row: Columns,
    /// The line of a text file, or the place in a list; counted from 1.
    pub number: usize,
    /// `file:line`, or `file: row n`.
    pub place: String,
}

/// The rows of a file. After a [`TaskError::Row`] there may be further rows; any other error is the
/// end.
pub(super) type Rows = Box<dyn Iterator<Item = Result<LocatedRow, TaskError>>>;

/// The format of a file, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Lines,
    Json,
    /// Cells separated by this byte.
    Table(u8),
    Parquet,
    Arrow,
}

/// Opens a file of rows, whatever its format.
pub(super) fn open_rows(path: &Path) -> Result<Rows, TaskError> {
    let (format, compression) = format_of(path)?;
    let rows = match format {
        Format::Lines => lines::rows(path, compression),
        Format::Json => json::rows(path, compression),
        Format::Table(separator) => table::rows(path, compression, separator),
        Format::Parquet => parquet::rows(path),
        Format::Arrow => arrow::rows(path),
    };
    Ok(bounded::rows(path, rows?))
}

fn format_of(path: &Path) -> Result<(Format, Compression), TaskError> {
    let extension = |path: &Path| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        extension.to_ascii_lowercase()
    };
    let outer = extension(path);
    let compression = match outer.as_str() {
        "gz" => Compression::Gzip,
        "zst" => Compression::Zstandard,
        _ => Compression::None,
    };
    let inner = match compression {
        Compression::None => outer,
        _ => extension(&path.with_extension("")),
    };
    let format = match inner.as_str() {
        "" | "jsonl" | "ndjson" => Format::Lines,
        "json" => Format::Json,
        "csv" => Format::Table(b','),
        "tsv" => Format::Table(b'\t'),
        "parquet" if compression == Compression::None => Format::Parquet,
        "arrow" if compression == Compression::None => Format::Arrow,
        other => {
            let message = format!(
                "files of type .{other} are not supported; give JSONL, JSON, CSV or TSV (also as .gz or .zst), \
                 Parquet or Arrow"
            );
            return Err(TaskError::format(path, message));
        }
    };
    Ok((format, compression))
}

fn read_error(path: &Path, source: std::io::Error) -> TaskError {
    TaskError::Read {
        path: path.to_owned(),
        source,
    }
}

/// The error for a row of a text file that goes on for too long; nothing after it is read.
fn too_long(place: String) -> TaskError {
    TaskError::Broken {
        place,
        message: format!("the row is longer than the {ROW} bytes that a row may have"),
    }
}

/// The message for a text that is not JSON.
fn not_json(text: &[u8], error: &serde_json::Error) -> String {
    match std::str::from_utf8(text) {
        Ok(_) => format!("not JSON: {error}"),
        Err(error) => format!("not UTF-8: {error}"),
    }
}

/// Rows up to and including the first error after which the file cannot be read on.
fn until_broken(rows: impl Iterator<Item = Result<LocatedRow, TaskError>> + 'static) -> Rows {
    let mut over = false;
    Box::new(rows.take_while(move |row| {
        let goes_on = !over;
        over = matches!(row, Err(error) if !matches!(error, TaskError::Row { .. }));
        goes_on
    }))
}

/// The path of a file or directory that a task file names: beside the task file, or in the working
/// directory. For a built-in task, which has no `directory`, also in any directory above the
/// program: this finds the source tree in which the program was built.
pub(super) fn locate(
    directory: Option<&Path>,
    name: &str,
    is: impl Fn(&Path) -> bool,
) -> Option<PathBuf> {
    places(directory, name).into_iter().find(|path| is(path))
}

/// The data files that a task file names: one file, or all that match a pattern (`rows/*.jsonl`),
/// in order.
pub(super) fn locate_files(directory: Option<&Path>, name: &str) -> Vec<PathBuf> {
    if let Some(path) = locate(directory, name, Path::is_file) {
        return vec![path];
    }
    let matching = |path: PathBuf| {
        let paths = glob::glob(path.to_str().unwrap_or_default());
        let files = paths.into_iter().flatten().flatten();
        files.filter(|path| path.is_file()).collect()
    };
    let found = places(directory, name).into_iter().map(matching);
    found
        .into_iter()
        .find(|files: &Vec<PathBuf>| !files.is_empty())
        .unwrap_or_default()
}

fn places(directory: Option<&Path>, name: &str) -> Vec<PathBuf> {
    let program = std::env::current_exe().ok().filter(|_| directory.is_none());
    let above = program
        .iter()
        .flat_map(|program| program.ancestors().skip(1));
    let places = directory.into_iter().chain([Path::new("")]).chain(above);
    places.map(|place| place.join(name)).collect()
}
