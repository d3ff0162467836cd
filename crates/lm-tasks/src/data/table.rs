//! CSV and TSV: the first line names the columns. Cells are text, but a column whose cells are all
//! whole numbers holds numbers, so that a label can be an index, as in the other formats.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use serde_json::Value;

use super::super::error::TaskError;
use super::stream::{Compression, open};
use super::{LocatedRow, Rows, read_error, until_broken};

/// The rows of a file. The file is read twice, because whether a column holds numbers is not known
/// before its end.
pub(super) fn rows(
    path: &Path,
    compression: Compression,
    separator: u8,
) -> Result<Rows, TaskError> {
    let (names, numeric) = columns(path, reader(path, compression, separator)?)?;
    let mut reader = reader(path, compression, separator)?;
    reader.headers().map_err(|error| at(path, 1, error))?;
    Ok(until_broken(Table {
        path: path.to_owned(),
        reader,
        names,
        numeric,
    }))
}

type Cells = Reader<Box<dyn BufRead>>;

struct Table {
    path: PathBuf,
    reader: Cells,
    names: Vec<String>,
    numeric: Vec<bool>,
}

fn reader(path: &Path, compression: Compression, separator: u8) -> Result<Cells, TaskError> {
    let bytes = open(path, compression)?;
    Ok(ReaderBuilder::new().delimiter(separator).from_reader(bytes))
}

/// The names of the columns, and for each whether it holds only whole numbers.
fn columns(path: &Path, mut reader: Cells) -> Result<(Vec<String>, Vec<bool>), TaskError> {
    let header = reader.headers().map_err(|error| at(path, 1, error))?;
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (place, name) in header.iter().enumerate() {
        // Tables saved with their index have a first column without a name.
        let name = match name.trim() {
            "" => format!("Unnamed: {place}"),
            name => name.to_owned(),
        };
        if names.contains(&name) {
            return Err(TaskError::format(
                path,
                format!("two columns are named `{name}`"),
            ));
        }
        names.push(name);
    }
    let mut numeric = vec![true; names.len()];
    let mut empty = true;
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                empty = false;
                for (numeric, cell) in numeric.iter_mut().zip(&record) {
                    *numeric = *numeric && whole(cell).is_some();
                }
            }
            // A malformed row is reported when it is read as a row.
            Err(error) if error.is_io_error() => return Err(at(path, 1, error)),
            Err(_) => {}
        }
    }
    numeric.iter_mut().for_each(|numeric| *numeric &= !empty);
    Ok((names, numeric))
}

/// A whole number as it is printed: `007` and `+7` are texts.
fn whole(cell: &str) -> Option<i64> {
    cell.parse::<i64>()
        .ok()
        .filter(|number| number.to_string() == cell)
}

impl Iterator for Table {
    type Item = Result<LocatedRow, TaskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = StringRecord::new();
        let line = self.reader.position().line();
        match self.reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => Some(Ok(self.row(&record))),
            Err(error) => Some(Err(at(&self.path, line, error))),
        }
    }
}

impl Table {
    fn row(&self, record: &StringRecord) -> LocatedRow {
        let line = record.position().map_or(0, csv::Position::line);
        let cells = self.names.iter().zip(&self.numeric).zip(record);
        let row = cells.map(|((name, numeric), cell)| {
            let value = match whole(cell) {
                Some(number) if *numeric => Value::from(number),
                _ => Value::from(cell),
            };
            (name.clone(), value)
        });
        LocatedRow {
            row: row.collect(),
            number: usize::try_from(line).unwrap_or(usize::MAX),
            place: format!("{}:{line}", self.path.display()),
        }
    }
}

fn at(path: &Path, line: u64, error: csv::Error) -> TaskError {
    // Most errors know the line where the row begins. Empty lines before it are not part of it.
    let line = error
        .position()
        .map_or(line, |known| line.max(known.line()));
    let place = format!("{}:{line}", path.display());
    match error.into_kind() {
        ErrorKind::Io(source) => read_error(path, source),
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => TaskError::row(
            place,
            format!("the row has {len} cells, but the first line names {expected_len} columns"),
        ),
        ErrorKind::Utf8 { err, .. } => TaskError::row(place, format!("not UTF-8: {err}")),
        other => TaskError::row(place, format!("{other:?}")),
    }
}
