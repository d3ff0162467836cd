//! The bytes of a text file, decompressed as they are read.

use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::super::error::TaskError;
use super::read_error;

/// The compression of a file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstandard,
}

/// Opens a file, to be decompressed as it is read.
pub(super) fn open(path: &Path, compression: Compression) -> Result<Box<dyn BufRead>, TaskError> {
    let failed = |error| read_error(path, error);
    let file = BufReader::new(cola_files::open(path).map_err(failed)?);
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        Compression::Zstandard => {
            let decoder = zstd::Decoder::with_buffer(file).map_err(failed)?;
            Box::new(BufReader::new(decoder))
        }
    })
}
