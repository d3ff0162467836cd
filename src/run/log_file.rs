//! A log: lines of JSON with a checksum each, append-only, and a first line that says what it is a log of.
//!
//! ```text
//! 4a17b1d2 {"cola":"0.1.0","manifest":"8c5f..."}      header
//! 90aa03fe {"task":"arc_easy","id":"Mercury_1", ..}   CRC-32 of the rest of the line, a space, JSON
//! ```
//!
//! A line is written with one call, so a process that is killed leaves at most one incomplete line, at the end. It is cut off when
//! the log is continued. A damaged line with others after it is no trace of a killed process, and refused.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunError;
use crate::disk::{self, AppendFile};

/// How long a line may be in the system's memory before it is forced to the disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// An open log; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: AppendFile,
    header: Vec<u8>,
    length: u64,
    /// When the oldest line was written that may not be on the disk.
    unsynced: Option<Instant>,
}

impl LogFile {
    /// Opens or creates the log `name` of `directory`, and calls `line` with the JSON of each of its lines.
    ///
    /// # Errors
    /// A file that cannot be read or written, a log with another header, and a damaged line that is not the last.
    pub fn open(
        directory: &Path,
        name: &str,
        origin: &Origin,
        mut line: impl FnMut(&[u8], u64) -> Result<(), String>,
    ) -> Result<Self, RunError> {
        let path = directory.join(name);
        let mut file = AppendFile::open(&path).map_err(RunError::io(&path))?;
        if !file.try_lock().map_err(RunError::io(&path))? {
            return Err(RunError::Locked(directory.to_owned()));
        }
        let header = checked(&to_json(&path, origin)?);
        let mut header_seen = false;
        let complete = read_lines(&path, &mut file, |json, length| {
            if header_seen {
                return line(json, length).map_err(LineError::Malformed);
            }
            header_seen = true;
            let was: Origin = serde_json::from_slice(json)
                .map_err(|error| LineError::Malformed(error.to_string()))?;
            match origin.difference(&was) {
                None => Ok(()),
                Some((field, was, now)) => Err(LineError::Other { field, was, now }),
            }
        })?;
        file.set_len(complete).map_err(RunError::io(&path))?;
        let mut log = Self {
            path,
            file,
            header,
            length: complete,
            unsynced: None,
        };
        if !header_seen {
            log.write(&log.header.clone())?;
        }
        Ok(log)
    }

    /// Appends a line; returns its length in bytes.
    pub fn append(&mut self, value: &impl Serialize) -> Result<u64, RunError> {
        let line = checked(&to_json(&self.path, value)?);
        self.write(&line)?;
        Ok(line.len() as u64)
    }

    fn write(&mut self, line: &[u8]) -> Result<(), RunError> {
        let written = self.file.write_all(line);
        written.map_err(RunError::io(&self.path))?;
        self.length += line.len() as u64;
        self.unsynced.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Whether something was written a second ago, or longer, and may not be on the disk.
    pub fn is_sync_due(&self) -> bool {
        self.unsynced
            .is_some_and(|since| since.elapsed() >= SYNC_INTERVAL)
    }

    /// Forces everything to the disk.
    ///
    /// # Errors
    /// It fails, or the file is gone: what is written to it could not be found again.
    pub fn sync(&mut self) -> Result<(), RunError> {
        self.unsynced = None;
        if !self
            .file
            .is_at(&self.path)
            .map_err(RunError::io(&self.path))?
        {
            return Err(RunError::Vanished(self.path.clone()));
        }
        self.file.sync().map_err(RunError::io(&self.path))
    }

    /// Removes it.
    pub fn remove(self) -> Result<(), RunError> {
        disk::remove(&self.path).map_err(RunError::io(&self.path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Keeps only the lines that `keep` accepts by their JSON. The log is replaced whole, or not at all.
    pub fn retain(&mut self, mut keep: impl FnMut(&[u8]) -> bool) -> Result<(), RunError> {
        let mut kept = self.header.clone();
        let mut is_header = true;
        read_lines(&self.path, &mut self.file, |json, _| {
            if !std::mem::take(&mut is_header) && keep(json) {
                kept.extend_from_slice(&checked(json));
            }
            Ok(())
        })?;
        let draft = self.path.with_extension("log.new");
        disk::replace(&self.path, &draft, &kept).map_err(RunError::io(&self.path))?;
        // The old file, which is open, is not the one of that name any more.
        let file = AppendFile::open(&self.path).map_err(RunError::io(&self.path))?;
        if !file.try_lock().map_err(RunError::io(&self.path))? {
            let directory = self.path.parent().unwrap_or(&self.path);
            return Err(RunError::Locked(directory.to_owned()));
        }
        self.file = file;
        self.length = kept.len() as u64;
        Ok(())
    }
}

/// What a log is a log of: names and values, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Origin(serde_json::Map<String, Value>);

impl Origin {
    /// Of this version of the program.
    pub fn new<const N: usize>(fields: [(&str, String); N]) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let all = std::iter::once(("cola", version)).chain(fields);
        Self(
            all.map(|(name, value)| (name.to_owned(), value.into()))
                .collect(),
        )
    }

    /// With a field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The first field in which another differs: its name, its value there, and its value here.
    fn difference(&self, was: &Self) -> Option<(String, String, String)> {
        let added = was.0.keys().filter(|name| !self.0.contains_key(*name));
        let mut names = self.0.keys().chain(added);
        let name = names.find(|name| self.0.get(*name) != was.0.get(*name))?;
        let value = |origin: &Self| match origin.0.get(name) {
            Some(Value::String(text)) => text.clone(),
            _ => "nothing".to_owned(),
        };
        Some((name.clone(), value(was), value(self)))
    }
}

/// What is wrong with a line.
enum LineError {
    Malformed(String),
    Other {
        field: String,
        was: String,
        now: String,
    },
}

/// Calls `line` with the JSON of each complete line of a log that is not being continued, but for the header; there may be no such
/// file.
pub fn read_log(
    directory: &Path,
    name: &str,
    mut line: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), RunError> {
    let path = directory.join(name);
    let mut file = match cola_files::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(RunError::io(&path)(error)),
    };
    let mut is_header = true;
    let read = read_lines(&path, &mut file, |json, _| {
        match std::mem::take(&mut is_header) {
            true => Ok(()),
            false => line(json).map_err(LineError::Malformed),
        }
    });
    read.map(|_| ())
}

/// Calls `line` with the JSON and the length of each complete line; returns how many bytes these take.
fn read_lines(
    path: &Path,
    file: &mut (impl Read + Seek),
    mut line: impl FnMut(&[u8], u64) -> Result<(), LineError>,
) -> Result<u64, RunError> {
    file.seek(SeekFrom::Start(0)).map_err(RunError::io(path))?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut complete, mut number, mut bytes) = (0, 0, Vec::new());
    let mut damaged: Option<usize> = None;
    loop {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes);
        let read = read.map_err(RunError::io(path))? as u64;
        if let Some(number) = damaged
            && read > 0
        {
            return Err(RunError::Damaged {
                path: path.to_owned(),
                line: number,
            });
        }
        // What has no end may be a line that is being written now.
        if !bytes.ends_with(b"\n") {
            return Ok(complete);
        }
        number += 1;
        let Some(json) = json_of(&bytes) else {
            damaged = Some(number);
            continue;
        };
        line(json, read).map_err(|error| match error {
            LineError::Malformed(reason) => RunError::Malformed {
                path: path.to_owned(),
                reason: format!("line {number}: {reason}"),
            },
            LineError::Other { field, was, now } => RunError::OtherLog {
                path: path.to_owned(),
                field,
                was,
                now,
            },
        })?;
        complete += read;
    }
}

/// The JSON of a complete line whose checksum is right.
fn json_of(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    let (checksum, json) = line.split_at_checked(CHECKSUM)?;
    let json = json.strip_prefix(b" ")?;
    let checksum = u32::from_str_radix(std::str::from_utf8(checksum).ok()?, 16).ok()?;
    (crc32fast::hash(json) == checksum).then_some(json)
}

/// Hex digits of a checksum.
const CHECKSUM: usize = 8;

/// A line: checksum, JSON, end.
fn checked(json: &[u8]) -> Vec<u8> {
    let mut line = format!("{:08x} ", crc32fast::hash(json)).into_bytes();
    line.extend_from_slice(json);
    line.push(b'\n');
    line
}

fn to_json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, RunError> {
    serde_json::to_vec(value).map_err(|error| RunError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path, of: &str) -> Result<(LogFile, Vec<u32>), RunError> {
        let mut seen = Vec::new();
        let log = LogFile::open(
            directory,
            "test.log",
            &Origin::new([("of", of.to_owned())]),
            |json, length| {
                assert_eq!(length as usize, json.len() + CHECKSUM + 2);
                seen.push(serde_json::from_slice(json).map_err(|error| error.to_string())?);
                Ok(())
            },
        )?;
        Ok((log, seen))
    }

    /// A log of the numbers up to `count`, and its text.
    fn numbers(directory: &Path, count: u32) -> Vec<u8> {
        let (mut log, _) = open(directory, "x").unwrap();
        for number in 0..count {
            log.append(&number).unwrap();
        }
        drop(log);
        std::fs::read(directory.join("test.log")).unwrap()
    }

    #[test]
    fn a_log_cut_off_anywhere_keeps_its_complete_lines() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.log");
        let whole = numbers(directory.path(), 12);
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let lines = whole[..length].iter().filter(|&&b| b == b'\n').count() as u32;
            let (mut log, seen) = open(directory.path(), "x").unwrap();
            assert_eq!(seen, (0..lines.saturating_sub(1)).collect::<Vec<u32>>());
            log.append(&99).unwrap();
            drop(log);
            let (_, seen) = open(directory.path(), "x").unwrap();
            assert_eq!(seen.last(), Some(&99), "cut at {length}");
        }
    }

    #[test]
    fn a_damaged_line_is_named_unless_it_is_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.log");
        let whole = numbers(directory.path(), 12);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            let line = whole[..at].iter().filter(|&&b| b == b'\n').count() + 1;
            match open(directory.path(), "x") {
                Err(RunError::Damaged { line: named, .. }) => assert_eq!(named, line, "byte {at}"),
                Err(error) => panic!("byte {at}: {error}"),
                // The last line, or the end of the one before it.
                Ok((_, seen)) => assert!(line >= 12 && seen.len() as u32 >= 10, "byte {at}"),
            }
        }
    }

    #[test]
    fn a_log_of_something_else_is_refused_by_the_field() {
        let directory = tempfile::tempdir().unwrap();
        numbers(directory.path(), 2);
        let error = open(directory.path(), "y").unwrap_err();
        assert!(error.to_string().contains("`of` x, and this run has y"));
    }

    #[test]
    fn a_log_is_open_once() {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, _) = open(directory.path(), "x").unwrap();
        let second = open(directory.path(), "x");
        assert!(matches!(second, Err(RunError::Locked(_))));
        // What replaces it is locked too.
        log.retain(|_| true).unwrap();
        let second = open(directory.path(), "x");
        assert!(matches!(second, Err(RunError::Locked(_))));
    }

    #[test]
    fn a_log_that_was_removed_while_it_was_open_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, _) = open(directory.path(), "x").unwrap();
        log.append(&1).unwrap();
        log.sync().unwrap();
        std::fs::remove_file(log.path()).unwrap();
        let error = log.sync().unwrap_err().to_string();
        assert!(error.contains("test.log: was removed"), "{error}");
        // Another one of the same name is not it.
        std::fs::write(log.path(), "x").unwrap();
        assert!(matches!(log.sync(), Err(RunError::Vanished(_))));
    }

    #[test]
    fn what_is_not_kept_is_gone_and_the_log_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        numbers(directory.path(), 9);
        let (mut log, _) = open(directory.path(), "x").unwrap();
        log.retain(|json| json != b"4" && json != b"8").unwrap();
        log.append(&9).unwrap();
        let length = std::fs::metadata(log.path()).unwrap().len();
        assert_eq!(log.length(), length);
        drop(log);
        let (_, seen) = open(directory.path(), "x").unwrap();
        assert_eq!(seen, [0, 1, 2, 3, 5, 6, 7, 9]);
    }
}
