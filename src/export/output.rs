//! A file that is either the whole export or what it was before.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempPath};

use super::ExportError;
use crate::disk::{self, NewFile};

/// An output file, open and known to be writable, whose old content stands until
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    writer: BufWriter<NewFile>,
    /// The file beside the output that takes its place; `None` where the output is a device or
    /// pipe, which is written as it is.
    temporary: Option<(TempPath, PathBuf)>,
}

impl Output {
    /// Opens `path` for writing.
    ///
    /// # Errors
    /// The path is a directory, or its directory is missing or not writable.
    pub fn create(path: &Path) -> Result<Self, ExportError> {
        let opened = open(path).and_then(|(file, temporary)| Ok((NewFile::new(file)?, temporary)));
        let (file, temporary) = opened.map_err(|source| write_error(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            writer: BufWriter::new(file),
            temporary,
        })
    }

    /// Writes what is left and puts the file in its place.
    pub fn finish(mut self) -> Result<(), ExportError> {
        let flushed = self.writer.flush();
        let placed = flushed.and_then(|()| match self.temporary {
            None => Ok(()),
            Some((temporary, target)) => {
                disk::renamed(|| temporary.persist(target).map_err(|error| error.error))
            }
        });
        placed.map_err(|source| write_error(&self.path, source))
    }

    /// The error of a write to this file.
    pub fn error(&self, source: io::Error) -> ExportError {
        write_error(&self.path, source)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

fn open(path: &Path) -> io::Result<(File, Option<(TempPath, PathBuf)>)> {
    let target = match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => {
            // Renaming over /dev/stdout would replace the device.
            return Ok((OpenOptions::new().write(true).open(path)?, None));
        }
        // Through a link: the file it names is replaced, not the link.
        Ok(_) => fs::canonicalize(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !fs::metadata(directory)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    // The kind alone: the message would name the temporary file, which nobody asked for.
    let (file, temporary) = beside(directory).map_err(|e| e.kind())?.into_parts();
    Ok((file, Some((temporary, target))))
}

/// A temporary file with the rights a new file gets, not the private ones of temporary files.
fn beside(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".cola-export-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666)); // less the umask
        builder.tempfile_in(directory)
    }
    #[cfg(not(unix))]
    builder.tempfile_in(directory)
}

fn write_error(path: &Path, source: io::Error) -> ExportError {
    ExportError::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{FaultKind, with_fault};

    fn files(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn an_output_that_is_not_finished_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chains.csv");
        fs::write(&path, "old").unwrap();
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"half").unwrap();
        drop(output);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(files(directory.path()), 1);
    }

    #[test]
    fn a_finished_output_takes_the_place_of_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chains.csv");
        fs::write(&path, "old").unwrap();
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"new").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(files(directory.path()), 1);
    }

    #[test]
    fn whatever_operation_fails_there_is_the_old_file_or_the_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chains.csv");
        let new = "new ".repeat(5000);
        let write = || -> Result<(), ExportError> {
            let mut output = Output::create(&path)?;
            let written = output.write_all(new.as_bytes());
            written.map_err(|source| output.error(source))?;
            output.finish()
        };
        let (done, operations) = with_fault(usize::MAX, FaultKind::Broken, write);
        done.unwrap();
        assert!(operations >= 3, "{operations}");
        for kind in [
            FaultKind::NoSpace,
            FaultKind::Broken,
            FaultKind::Interrupted,
            FaultKind::Short,
        ] {
            for nth in 0..operations {
                fs::write(&path, "old").unwrap();
                let (done, _) = with_fault(nth, kind, write);
                let harmless = matches!(kind, FaultKind::Interrupted | FaultKind::Short);
                assert_eq!(done.is_ok(), harmless, "operation {nth}, {kind:?}");
                let expected = if harmless { new.as_str() } else { "old" };
                assert_eq!(fs::read_to_string(&path).unwrap(), expected);
                assert_eq!(files(directory.path()), 1);
                if let Err(error) = done {
                    let error = error.to_string();
                    assert!(
                        error.starts_with("cannot write") && error.contains("os error"),
                        "{error}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_named_before_any_work() {
        let directory = tempfile::tempdir().unwrap();
        for path in [
            directory.path().to_owned(),
            directory.path().join("none/chains.csv"),
        ] {
            let error = Output::create(&path).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("cannot write {}", path.display())),
                "{error}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_written_not_replaced_and_links_are_followed() {
        let mut output = Output::create(Path::new("/dev/null")).unwrap();
        output.write_all(b"gone").unwrap();
        output.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());

        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut output = Output::create(&link).unwrap();
        output.write_all(b"new").unwrap();
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
