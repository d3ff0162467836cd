//! The operations on files that are written: run directories, and what is derived from them. Tests make any one of them fail.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

/// A file of a run directory, open to read and to append to.
#[derive(Debug)]
pub struct AppendFile(File);

impl AppendFile {
    /// Opens a regular file, or creates it.
    pub fn open(path: &Path) -> io::Result<Self> {
        may_fail(Operation::Open)?;
        if path.exists() {
            // To open a pipe would wait for who writes to it.
            cola_files::open(path)?;
        }
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        options.open(path).map(Self)
    }

    /// Keeps other processes out until the file is closed. False where another one is in.
    pub fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Cuts the file off.
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        may_fail(Operation::Write)?;
        self.0.set_len(length)
    }

    /// Whether `path` is this file: a run directory can be removed, or another put in its place, while the file is open.
    #[cfg(unix)]
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let here = self.0.metadata()?;
        match std::fs::metadata(path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (here.dev(), here.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether `path` is there.
    #[cfg(not(unix))]
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    /// Makes sure that everything written is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        may_fail(Operation::Sync)?;
        self.0.sync_data()
    }
}

impl Write for AppendFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = may_be_short(bytes.len())?;
        self.0.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Read for AppendFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Seek for AppendFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// A file that is written from its beginning.
#[derive(Debug)]
pub struct NewFile(File);

impl NewFile {
    /// Takes a file that is open.
    pub fn new(file: File) -> io::Result<Self> {
        may_fail(Operation::Open)?;
        Ok(Self(file))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let most = may_be_short(bytes.len())?;
        self.0.write(&bytes[..most])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Puts a file in its place by `rename`.
pub fn renamed<T>(rename: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    may_fail(Operation::Rename)?;
    rename()
}

/// Writes a file whole or not at all: beside it under the name `draft`, and renamed when that is on the disk.
pub fn replace(path: &Path, draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = NewFile::new(File::create(draft)?)?;
    file.write_all(bytes)?;
    may_fail(Operation::Sync)?;
    file.0.sync_data()?;
    drop(file);
    renamed(|| std::fs::rename(draft, path))
}

/// Removes a file.
pub fn remove(path: &Path) -> io::Result<()> {
    may_fail(Operation::Rename)?;
    std::fs::remove_file(path)
}

/// Creates a directory and those above it.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    may_fail(Operation::Open)?;
    std::fs::create_dir_all(path)
}

/// What can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Open,
    Write,
    Sync,
    Rename,
}

#[cfg(not(test))]
fn may_fail(_: Operation) -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
fn may_be_short(length: usize) -> io::Result<usize> {
    Ok(length)
}

#[cfg(test)]
pub use faults::{FaultKind, with_fault};
#[cfg(test)]
use faults::{may_be_short, may_fail};

#[cfg(test)]
mod faults {
    use std::{cell::RefCell, io};

    use super::Operation;

    /// What happens instead of an operation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum FaultKind {
        /// No space left on device. Of a write half is written before.
        NoSpace,
        /// Input/output error.
        Broken,
        /// Interrupted system call; the next try works. Only of writes.
        Interrupted,
        /// Half of a write is written, without an error. Only of writes.
        Short,
    }

    /// The `nth` operation of this thread, from 0, fails.
    #[derive(Debug)]
    struct Plan {
        nth: usize,
        kind: FaultKind,
        seen: usize,
        /// The second half of a write that ran out of space.
        full: bool,
    }

    thread_local! {
        static PLAN: RefCell<Option<Plan>> = const { RefCell::new(None) };
    }

    /// Runs `work` while the `nth` file operation of this thread fails. Returns what came of it, and how many operations there
    /// were.
    pub fn with_fault<T>(nth: usize, kind: FaultKind, work: impl FnOnce() -> T) -> (T, usize) {
        let plan = Plan {
            nth,
            kind,
            seen: 0,
            full: false,
        };
        PLAN.with_borrow_mut(|known| *known = Some(plan));
        let result = work();
        let seen = PLAN.with_borrow_mut(|known| known.take().map_or(0, |plan| plan.seen));
        (result, seen)
    }

    /// The fault that is due.
    fn due() -> Option<FaultKind> {
        PLAN.with_borrow_mut(|plan| {
            let plan = plan.as_mut()?;
            plan.seen += 1;
            (plan.seen == plan.nth + 1).then_some(plan.kind)
        })
    }

    fn no_space() -> io::Error {
        io::Error::from_raw_os_error(28)
    }

    pub fn may_fail(operation: Operation) -> io::Result<()> {
        match due() {
            Some(FaultKind::NoSpace) if operation != Operation::Write => Err(no_space()),
            Some(FaultKind::NoSpace | FaultKind::Broken) => Err(io::Error::from_raw_os_error(5)),
            _ => Ok(()),
        }
    }

    pub fn may_be_short(length: usize) -> io::Result<usize> {
        let was_full = PLAN.with_borrow_mut(|plan| {
            plan.as_mut()
                .is_some_and(|plan| std::mem::take(&mut plan.full))
        });
        if was_full {
            return Err(no_space());
        }
        match due() {
            None => Ok(length),
            Some(FaultKind::Broken) => Err(io::Error::from_raw_os_error(5)),
            Some(FaultKind::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Some(FaultKind::Short) => Ok(length.div_ceil(2)),
            Some(FaultKind::NoSpace) if length < 2 => Err(no_space()),
            Some(FaultKind::NoSpace) => {
                PLAN.with_borrow_mut(|plan| {
                    if let Some(plan) = plan {
                        plan.full = true;
                    }
                });
                Ok(length / 2)
            }
        }
    }
}
