//! The journal, `samples.jsonl`: append-only, one complete record a line.
//!
//! What stages after the search find is in files of their own, [menus](super::menu) and [certificates](super::certify): it is known
//! later, and no line of the journal is written twice. Whoever reads records gets them with both.

use std::path::Path;

use super::{RunError, SampleRecord, certify, json_lines::JsonLines, menu};

/// Name of the journal in a run directory.
pub const NAME: &str = "samples.jsonl";

/// An open journal; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct Journal(JsonLines<SampleRecord>);

impl Journal {
    /// Opens or creates the journal of `directory` and reads its records.
    pub fn open(directory: &Path) -> Result<(Self, Vec<SampleRecord>), RunError> {
        let (lines, mut records) = JsonLines::open(directory, NAME)?;
        attach(directory, &mut records)?;
        Ok((Self(lines), records))
    }

    /// Reads the records of a run that is not being continued.
    pub fn read(directory: &Path) -> Result<Vec<SampleRecord>, RunError> {
        let mut records = JsonLines::read(directory, NAME)?;
        attach(directory, &mut records)?;
        Ok(records)
    }

    /// Appends a record.
    pub fn append(&mut self, record: &SampleRecord) -> Result<(), RunError> {
        self.0.append(record)
    }

    /// Makes sure everything is on the disk.
    pub fn sync(&self) -> Result<(), RunError> {
        self.0.sync()
    }
}

/// Gives records what stages after the search found.
fn attach(directory: &Path, records: &mut [SampleRecord]) -> Result<(), RunError> {
    menu::attach(directory, records)?;
    certify::attach(directory, records)
}
