//! A file of one JSON object a line, append-only.
//!
//! A process killed while it writes leaves at most one line without an end; it is cut off when the file is opened to
//! continue, and what it was about runs again. A damaged line elsewhere is an error that names it: a user decides what becomes of it.
//!
//! Lines are read one at a time, so that a file may be larger than memory.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
};

use rayon::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::RunError;
use crate::disk::AppendFile;

/// Bytes read at once: a line of the journal has tens of thousands.
const BUFFER: usize = 1 << 18;

/// Bytes of lines that are looked at together.
const AT_ONCE: usize = 4 << 20;

/// An open file; other processes are kept out until it is dropped.
#[derive(Debug)]
pub struct JsonLines<T> {
    path: PathBuf,
    file: AppendFile,
    lines: PhantomData<T>,
}

/// The complete lines of a file.
#[derive(Debug)]
pub struct Lines<T, R = File> {
    path: PathBuf,
    reader: BufReader<R>,
    /// Lines read so far.
    number: usize,
    /// Bytes they take.
    complete: u64,
    lines: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> JsonLines<T> {
    /// Opens or creates a file of `directory` and reads its lines.
    pub fn open(directory: &Path, name: &str) -> Result<(Self, Vec<T>), RunError> {
        let mut found = Vec::new();
        let file = Self::open_with(directory, name, |line| found.push(line))?;
        Ok((file, found))
    }

    /// Opens or creates a file of `directory` and hands over its lines one by one, each read as far as `L` goes.
    pub fn open_with<L: DeserializeOwned>(
        directory: &Path,
        name: &str,
        mut found: impl FnMut(L),
    ) -> Result<Self, RunError> {
        let path = directory.join(name);
        let mut file = AppendFile::open(&path).map_err(RunError::io(&path))?;
        if !file.try_lock().map_err(RunError::io(&path))? {
            return Err(RunError::Locked(directory.to_owned()));
        }
        let mut lines = Lines::new(path.clone(), &mut file)?;
        for line in &mut lines {
            found(line?);
        }
        let complete = lines.complete;
        file.set_len(complete).map_err(RunError::io(&path))?;
        let lines = PhantomData;
        Ok(Self { path, file, lines })
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

impl<T: DeserializeOwned> Lines<T> {
    /// The complete lines of a file that is not being continued, each read as far as `T` goes.
    pub fn of(directory: &Path, name: &str) -> Result<Self, RunError> {
        let path = directory.join(name);
        let file = cola_files::open(&path).map_err(RunError::io(&path))?;
        Self::new(path, file)
    }

    /// The same; none where there is no file.
    pub fn of_any(
        directory: &Path,
        name: &str,
    ) -> Result<impl Iterator<Item = Result<T, RunError>>, RunError> {
        let lines = match directory.join(name).exists() {
            true => Some(Self::of(directory, name)?),
            false => None,
        };
        Ok(lines.into_iter().flatten())
    }
}

impl<T, R: Read + Seek> Lines<T, R> {
    fn new(path: PathBuf, mut file: R) -> Result<Self, RunError> {
        file.seek(SeekFrom::Start(0)).map_err(RunError::io(&path))?;
        Ok(Self {
            path,
            reader: BufReader::with_capacity(BUFFER, file),
            number: 0,
            complete: 0,
            lines: PhantomData,
        })
    }
}

impl<T, R: Read> Lines<T, R> {
    /// The next complete line, without its end, and its number.
    fn next_text(&mut self) -> Option<Result<(usize, Vec<u8>), RunError>> {
        let mut line = Vec::new();
        match self.reader.read_until(b'\n', &mut line) {
            Err(error) => Some(Err(RunError::io(&self.path)(error))),
            Ok(read) => {
                line.pop().filter(|&last| last == b'\n')?;
                self.number += 1;
                self.complete += read as u64;
                Some(Ok((self.number, line)))
            }
        }
    }
}

impl<T: DeserializeOwned + Send> Lines<T> {
    /// What `each` makes of the lines, in their order. Some lines are read at a time, and looked at on all cores.
    pub fn map_on_all_cores<U: Send>(
        mut self,
        each: impl Fn(T) -> U + Sync,
    ) -> impl Iterator<Item = Result<U, RunError>> {
        let some = move || {
            let (mut texts, mut bytes) = (Vec::new(), 0);
            while bytes < AT_ONCE {
                let Some(text) = self.next_text() else {
                    break;
                };
                bytes += text.as_ref().map_or(AT_ONCE, |(_, text)| text.len());
                texts.push(text);
            }
            let read = |text: Result<(usize, Vec<u8>), RunError>| {
                let (number, text) = text?;
                parse(&self.path, number, &text).map(&each)
            };
            let found: Vec<_> = texts.into_par_iter().map(read).collect();
            (!found.is_empty()).then_some(found)
        };
        std::iter::from_fn(some).flatten()
    }
}

impl<T: DeserializeOwned, R: Read> Iterator for Lines<T, R> {
    type Item = Result<T, RunError>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.next_text()?;
        Some(text.and_then(|(number, text)| parse(&self.path, number, &text)))
    }
}

fn parse<T: DeserializeOwned>(path: &Path, number: usize, text: &[u8]) -> Result<T, RunError> {
    serde_json::from_slice(text).map_err(|error| RunError::DamagedLine {
        path: path.to_owned(),
        line: number,
        // The parser knows of one line only.
        reason: error
            .to_string()
            .replace(" at line 1 column ", " at column "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "lines.jsonl";

    fn place(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(NAME), text).unwrap();
        directory
    }

    #[test]
    fn a_torn_last_line_is_passed_over_and_cut_off_by_the_next_writer() {
        let directory = place("[1]\n[2]\n[3");
        let read: Result<Vec<[u32; 1]>, _> = Lines::of(directory.path(), NAME).unwrap().collect();
        assert_eq!(read.unwrap(), [[1], [2]]);
        let (mut file, found) = JsonLines::<[u32; 1]>::open(directory.path(), NAME).unwrap();
        assert_eq!(found, [[1], [2]]);
        file.append(&[4]).unwrap();
        let text = std::fs::read_to_string(directory.path().join(NAME)).unwrap();
        assert_eq!(text, "[1]\n[2]\n[4]\n");
    }

    #[test]
    fn lines_that_are_read_on_all_cores_stay_in_order() {
        let padding = "x".repeat(AT_ONCE / 10);
        let line = |nth: usize| format!("[{nth},\"{padding}\"]\n");
        let directory = place(&(0..35).map(line).collect::<String>());
        let lines = Lines::<(usize, String)>::of(directory.path(), NAME).unwrap();
        let numbers: Result<Vec<usize>, _> = lines.map_on_all_cores(|(nth, _)| nth).collect();
        assert!(numbers.unwrap().into_iter().eq(0..35));
    }

    #[test]
    fn a_damaged_line_before_the_end_is_named_and_left_alone() {
        for (text, number, reason) in [
            ("[1]\n[2}\n[3]\n", 2, "trailing characters at column 3"),
            ("[1]\n[2]\n\0\0\0\n", 3, "expected value at column 1"),
            ("\n[2]\n", 1, "EOF while parsing a value at column 0"),
            ("[1]\n[\"x\"]\n", 2, "invalid type: string \"x\""),
            ("[1]\n[-1]\n[3", 2, "invalid value: integer `-1`"),
        ] {
            let directory = place(text);
            let path = directory.path().join(NAME);
            let lines = || Lines::<[u32; 1]>::of(directory.path(), NAME).unwrap();
            let read: Result<Vec<_>, _> = lines().collect();
            let mapped: Result<Vec<_>, _> = lines().map_on_all_cores(|line| line).collect();
            let opened = JsonLines::<[u32; 1]>::open(directory.path(), NAME).map(|(_, all)| all);
            for error in [read, mapped, opened].map(Result::unwrap_err) {
                let error = error.to_string();
                for part in [
                    &format!("{}: line {number}: ", path.display()),
                    reason,
                    "restore the file from a copy, or take the line out",
                ] {
                    assert!(error.contains(part), "{error}\nlacks {part}");
                }
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
