//! The journal, `samples.jsonl`: append-only, one complete record a line.
//!
//! A process killed while it writes leaves at most one line without an end; it is cut off when the
//! run continues, and its sample runs again.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{RunError, SampleRecord};

/// Name of the journal in a run directory.
const NAME: &str = "samples.jsonl";

/// An open journal; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates the journal of `directory` and reads its records.
    pub fn open(directory: &Path) -> Result<(Self, Vec<SampleRecord>), RunError> {
        let path = directory.join(NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .map_err(RunError::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RunError::Locked(directory.to_owned())),
            Err(TryLockError::Error(source)) => return Err(RunError::io(&path)(source)),
        }
        let (records, complete) = read_records(&path, &mut file)?;
        file.set_len(complete).map_err(RunError::io(&path))?;
        Ok((Self { path, file }, records))
    }

    /// Reads the records of a run that is not being continued.
    pub fn read(directory: &Path) -> Result<Vec<SampleRecord>, RunError> {
        let path = directory.join(NAME);
        let mut file = File::open(&path).map_err(RunError::io(&path))?;
        Ok(read_records(&path, &mut file)?.0)
    }

    /// Appends a record. One write: a reader sees the whole line or a torn last one.
    pub fn append(&mut self, record: &SampleRecord) -> Result<(), RunError> {
        let mut line = serde_json::to_vec(record).map_err(|error| RunError::Malformed {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(RunError::io(&self.path))
    }

    /// Makes sure everything is on the disk.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync_data().map_err(RunError::io(&self.path))
    }
}

/// The records, and the number of bytes their complete lines take.
fn read_records(path: &Path, file: &mut File) -> Result<(Vec<SampleRecord>, u64), RunError> {
    file.seek(SeekFrom::Start(0)).map_err(RunError::io(path))?;
    let mut reader = BufReader::new(file);
    let (mut records, mut complete, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(RunError::io(path))?;
        if !line.ends_with(b"\n") {
            return Ok((records, complete));
        }
        let record = serde_json::from_slice(&line).map_err(|error| RunError::Malformed {
            path: path.to_owned(),
            reason: format!("line {}: {error}", records.len() + 1),
        })?;
        records.push(record);
        complete += read as u64;
    }
}
