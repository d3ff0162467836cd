//! What can keep an export from being written.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why there is no export.
#[derive(Debug, Error)]
pub enum ExportError {
    /// No such format.
    #[error("option `format` {name:?} is unknown; known: {known}")]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// Names of all formats.
        known: String,
    },
    /// The run has no finished samples.
    #[error("no sample records to export")]
    NoRecords,
    /// The output cannot be written; what was there before is untouched.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
