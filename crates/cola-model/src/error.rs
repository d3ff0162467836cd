//! Why a model could not be loaded or run.

use std::path::PathBuf;

use thiserror::Error;

use super::Repeat;

/// Errors of the model room. Each names the file, and the field or tensor in it.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The model argument names nothing usable.
    #[error("model {0}: {1}")]
    NotFound(String, String),
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is there, but is not what it should be.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A configuration field is missing, has the wrong type, or asks for what is not supported.
    #[error("{}: `{field}`: {reason}", path.display())]
    Field {
        /// The configuration file.
        path: PathBuf,
        /// Dotted name of the field.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// A tensor is missing or is not what the configuration says.
    #[error("{}: tensor `{tensor}`: {reason}", path.display())]
    Tensor {
        /// The weights file, or the model directory.
        path: PathBuf,
        /// Name of the tensor in the file.
        tensor: String,
        /// What is wrong.
        reason: String,
    },
    /// The device cannot be used.
    #[error("option `device` {device}: {reason}")]
    Device {
        /// As the user wrote it.
        device: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The text cannot be turned into tokens, or back.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A sequence is longer than the model's learned positions.
    #[error("position {position} is past the {most} positions the model learned")]
    Position {
        /// The position.
        position: i64,
        /// How many there are.
        most: i64,
    },
    /// A repeat semantics this model cannot run.
    #[error("option `repeat` {repeat}: {reason}")]
    Repeat {
        /// As the user wrote it.
        repeat: Repeat,
        /// Why not.
        reason: String,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {}", first_line(.0))]
    Torch(#[from] tch::TchError),
}

/// libtorch appends a C++ stack trace to its messages; the first line says what happened.
fn first_line(error: &tch::TchError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

impl ModelError {
    /// Whether the device ran out of memory: the caller may try again with less at once.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Torch(error) if says_out_of_memory(&error.to_string()))
    }
}

/// Whether a message of libtorch says that memory ran out, which it says in words only: of a GPU "out of memory", of the CPU
/// "can't allocate memory".
pub fn says_out_of_memory(text: &str) -> bool {
    text.contains("out of memory") || text.contains("can't allocate memory")
}
