//! Checks a fetched file against the checksum that the hub announced.

use std::{fs::File, io::Read, path::Path};

use sha1::{Digest, Sha1};
use sha2::Sha256;

/// The checksum that the hub announced, which is the name of the blob that a file of a snapshot links to.
/// `None` if files are copied instead of linked (Windows).
pub(super) fn announced(file: &Path) -> Option<String> {
    let blob = std::fs::read_link(file).ok()?;
    Some(blob.file_name()?.to_str()?.to_owned())
}

/// Whether the file has the announced checksum: SHA-256 of a large file, git's hash of a small one (or, on
/// some mirrors, plain SHA-1). A name of any other form is not checked.
pub(super) fn agrees(file: &Path, announced: &str) -> std::io::Result<bool> {
    if !announced.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(true);
    }
    match announced.len() {
        64 => Ok(announced.eq_ignore_ascii_case(&digest(file, [Sha256::new()])?[0])),
        40 => {
            let mut git = Sha1::new();
            git.update(format!("blob {}\0", std::fs::metadata(file)?.len()));
            let found = digest(file, [git, Sha1::new()])?;
            Ok(found
                .iter()
                .any(|hash| announced.eq_ignore_ascii_case(hash)))
        }
        _ => Ok(true),
    }
}

/// The hash of the file by every hasher, in hexadecimal digits.
fn digest<H: Digest, const N: usize>(
    file: &Path,
    mut hashers: [H; N],
) -> std::io::Result<[String; N]> {
    let mut file = File::open(file)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hashers
                .iter_mut()
                .for_each(|hasher| hasher.update(&buffer[..n])),
        }
    }
    Ok(hashers.map(|hasher| {
        let bytes = hasher.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_compared_with_what_git_and_sha256sum_say() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "hello\n").unwrap();
        for known in [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "f572d396fae9206628714fb2ce00f72e94f2258f",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
            "an-etag-of-another-kind",
        ] {
            assert!(agrees(&file, known).unwrap(), "{known}");
        }
        std::fs::write(&file, "hello").unwrap();
        for known in [
            "ce013625030ba8dba906f756967f9e9ca394464a",
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        ] {
            assert!(!agrees(&file, known).unwrap(), "{known}");
        }
    }
}
