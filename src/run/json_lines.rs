//! A file of one JSON object a line, append-only.
//!
//! A process killed while it writes leaves at most one line without an end; it is cut off when the file is opened to
//! continue, and what it was about runs again.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::RunError;
use crate::disk::AppendFile;

/// An open file; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct JsonLines<T> {
    path: PathBuf,
    file: AppendFile,
    lines: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> JsonLines<T> {
    /// Opens or creates a file of `directory` and reads its lines.
    pub fn open(directory: &Path, name: &str) -> Result<(Self, Vec<T>), RunError> {
        let path = directory.join(name);
        let mut file = AppendFile::open(&path).map_err(RunError::io(&path))?;
        if !file.try_lock().map_err(RunError::io(&path))? {
            return Err(RunError::Locked(directory.to_owned()));
        }
        let (found, complete) = read_lines(&path, &mut file)?;
        file.set_len(complete).map_err(RunError::io(&path))?;
        let lines = PhantomData;
        Ok((Self { path, file, lines }, found))
    }

    /// Reads the complete lines of a file that is not being continued.
    pub fn read(directory: &Path, name: &str) -> Result<Vec<T>, RunError> {
        let path = directory.join(name);
        let mut file = File::open(&path).map_err(RunError::io(&path))?;
        Ok(read_lines(&path, &mut file)?.0)
    }

    /// Reads the complete lines of a file; none where there is no file.
    pub fn read_if_any(directory: &Path, name: &str) -> Result<Vec<T>, RunError> {
        match directory.join(name).exists() {
            true => Self::read(directory, name),
            false => Ok(Vec::new()),
        }
    }

    /// Appends a line. One write: a reader sees the whole line or a torn last one.
    pub fn append(&mut self, value: &T) -> Result<(), RunError> {
        let mut line = serde_json::to_vec(value).map_err(|error| RunError::Malformed {
            path: self.path.clone(),
            reason: error.to_string(),
        })?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(RunError::io(&self.path))
    }

    /// Makes sure everything is on the disk.
    pub fn sync(&self) -> Result<(), RunError> {
        self.file.sync().map_err(RunError::io(&self.path))
    }
}

/// The lines, and the number of bytes the complete ones take.
fn read_lines<T: DeserializeOwned>(
    path: &Path,
    file: &mut (impl Read + Seek),
) -> Result<(Vec<T>, u64), RunError> {
    file.seek(SeekFrom::Start(0)).map_err(RunError::io(path))?;
    let mut reader = BufReader::new(file);
    let (mut found, mut complete, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(RunError::io(path))?;
        if !line.ends_with(b"\n") {
            return Ok((found, complete));
        }
        let value = serde_json::from_slice(&line).map_err(|error| RunError::Malformed {
            path: path.to_owned(),
            reason: format!("line {}: {error}", found.len() + 1),
        })?;
        found.push(value);
        complete += read as u64;
    }
}
