//! CSV and TSV: the first line names the columns. Cells are text, but a column whose cells are all
//! whole numbers holds numbers, so that a label can be an index, as in the other formats.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use serde_json::Value;

use super::super::error::TaskError;
use super::stream::{Compression, open};
use super::{LocatedRow, Rows, read_error, too_long, until_broken};
use cola_files::ROW;

/// The rows of a file. The file is read twice, because whether a column holds numbers is not known
/// before its end.
pub(super) fn rows(
    path: &Path,
    compression: Compression,
    separator: u8,
) -> Result<Rows, TaskError> {
    let (names, numeric) = columns(path, Cells::open(path, compression, separator)?)?;
    let mut reader = Cells::open(path, compression, separator)?;
    reader.inner.headers().map_err(|error| at(path, 1, error))?;
    Ok(until_broken(Table {
        path: path.to_owned(),
        reader,
        names,
        numeric,
    }))
}

/// The records of a file, none of them longer than [`ROW`].
struct Cells {
    inner: Reader<Bounded>,
    /// Bytes that were read for the current record.
    read: Rc<Cell<u64>>,
}

/// Ends in an error when more than [`ROW`] bytes are read for one record.
struct Bounded {
    bytes: Box<dyn BufRead>,
    read: Rc<Cell<u64>>,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.read.get() > ROW {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let read = self.bytes.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

impl Cells {
    fn open(path: &Path, compression: Compression, separator: u8) -> Result<Self, TaskError> {
        let bytes = open(path, compression)?;
        let read = Rc::new(Cell::new(0));
        let bounded = Bounded {
            bytes,
            read: Rc::clone(&read),
        };
        let mut builder = ReaderBuilder::new();
        let inner = builder.delimiter(separator).from_reader(bounded);
        Ok(Self { inner, read })
    }

    /// Reads the next record; false at the end.
    fn next(&mut self, record: &mut StringRecord) -> Result<bool, csv::Error> {
        self.read.set(0);
        self.inner.read_record(record)
    }

    /// The line of the next record.
    fn line(&self) -> u64 {
        self.inner.position().line()
    }
}

struct Table {
    path: PathBuf,
    reader: Cells,
    names: Vec<String>,
    numeric: Vec<bool>,
}

/// The names of the columns, and for each whether it holds only whole numbers.
fn columns(path: &Path, mut reader: Cells) -> Result<(Vec<String>, Vec<bool>), TaskError> {
    let header = reader.inner.headers().map_err(|error| at(path, 1, error))?;
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    let mut seen = HashSet::with_capacity(header.len());
    for (place, name) in header.iter().enumerate() {
        // Tables saved with their index have a first column without a name.
        let name = match name.trim() {
            "" => format!("Unnamed: {place}"),
            name => name.to_owned(),
        };
        if !seen.insert(name.clone()) {
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
        let line = reader.line();
        match reader.next(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                empty = false;
                for (numeric, cell) in numeric.iter_mut().zip(&record) {
                    *numeric = *numeric && whole(cell).is_some();
                }
            }
            // A malformed row is reported when it is read as a row.
            Err(error) if error.is_io_error() => return Err(at(path, line, error)),
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
        let line = self.reader.line();
        match self.reader.next(&mut record) {
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
        ErrorKind::Io(source) if source.kind() == std::io::ErrorKind::FileTooLarge => {
            too_long(place)
        }
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
