//! Whole files.

use std::{
    fs::{self, File, FileType},
    io::{Error, ErrorKind, Read, Result, Seek},
    path::Path,
};

/// Beginning of a Git LFS pointer: the small file that a repository has in place of a large one.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Opens a regular file, or a link to one, that is not a Git LFS pointer.
///
/// # Errors
/// The error of the system, or that the file is of another kind.
pub fn open(path: &Path) -> Result<File> {
    // Checked before the file is opened: opening a pipe would wait for its writer.
    check(path)?;
    let mut file = File::open(path)?;
    let mut start = Vec::with_capacity(LFS_POINTER.len());
    (&mut file)
        .take(LFS_POINTER.len() as u64)
        .read_to_end(&mut start)?;
    if start == LFS_POINTER {
        return Err(Error::new(
            ErrorKind::InvalidData,
            "this is a Git LFS pointer, not the file itself; run `git lfs pull` to fetch the file",
        ));
    }
    file.rewind()?;
    Ok(file)
}

/// Refuses what is not a regular file, nor a link to one.
///
/// # Errors
/// The error of the system, or that the file is of another kind.
pub fn check(path: &Path) -> Result<()> {
    let kind = fs::metadata(path)?.file_type();
    match kind.is_file() {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("this is {}, not a regular file", named(kind)),
        )),
    }
}

fn named(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "something else"
}

/// The bytes of a regular file of at most `most` bytes.
///
/// # Errors
/// The error of the system, or that the file is of another kind or longer.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        return Err(too_long(size, most));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    // The size that the system tells is no bound: files of /proc have none.
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        size if size > most => Err(too_long(size, most)),
        _ => Ok(bytes),
    }
}

/// The text of a regular file of at most `most` bytes.
///
/// # Errors
/// As [`read`], or that the file is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read(path, most)?).map_err(|error| {
        Error::new(
            ErrorKind::InvalidData,
            format!("not UTF-8: {}", error.utf8_error()),
        )
    })
}

fn too_long(size: u64, most: u64) -> Error {
    Error::new(
        ErrorKind::FileTooLarge,
        format!("its {size} bytes are more than the {most} that are read of such a file"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_refused_beyond() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, "äb").unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "äb");
        let error = read(&path, 2).unwrap_err().to_string();
        assert_eq!(
            error,
            "its 3 bytes are more than the 2 that are read of such a file"
        );
        fs::write(&path, b"\xff").unwrap();
        let error = read_text(&path, 3).unwrap_err().to_string();
        assert!(error.starts_with("not UTF-8: "), "{error}");
        // A sparse file of 1 TB takes no room, neither on the disk nor in memory.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path, 1 << 20).is_err());
    }

    #[test]
    fn a_pointer_of_git_lfs_is_told_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(
            &path,
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
        )
        .unwrap();
        for error in [open(&path).unwrap_err(), read(&path, 1 << 10).unwrap_err()] {
            let error = error.to_string();
            assert!(error.starts_with("this is a Git LFS pointer"), "{error}");
        }
        fs::write(&path, "version https://git-lfs").unwrap();
        assert_eq!(read_text(&path, 99).unwrap(), "version https://git-lfs");
    }

    #[test]
    #[cfg(unix)]
    fn what_is_no_regular_file_is_refused_without_opening_it() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |path: &Path| read(path, 10).unwrap_err().to_string();
        assert_eq!(
            refused(directory.path()),
            "this is a directory, not a regular file"
        );
        let link = directory.path().join("zero");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(refused(&link), "this is a device, not a regular file");
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        assert_eq!(refused(&pipe), "this is a pipe, not a regular file");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_without_a_size_is_read_up_to_the_bound() {
        let path = Path::new("/proc/self/status");
        assert!(read(path, 1 << 20).is_ok_and(|bytes| !bytes.is_empty()));
        assert!(read(path, 10).is_err());
    }
}
