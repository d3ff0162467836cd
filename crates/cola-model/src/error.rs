//! Errors of loading and running a model.

use std::path::PathBuf;

use thiserror::Error;

use super::Repeat;

/// The reason why a model could not be loaded or run. Each error names the file, and the field or
/// tensor in it.
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
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A file is there, but is not what it should be.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// A configuration field is missing, has the wrong type, or asks for something that is not
    /// supported.
    #[error("{}: `{field}`: {reason}", path.display())]
    Field {
        /// The configuration file.
        path: PathBuf,
        /// Dotted name of the field.
        field: String,
        /// The problem.
        reason: String,
    },
    /// A tensor is missing or is not what the configuration says.
    #[error("{}: tensor `{tensor}`: {reason}", path.display())]
    Tensor {
        /// The weights file, or the model directory.
        path: PathBuf,
        /// Name of the tensor in the file.
        tensor: String,
        /// The problem.
        reason: String,
    },
    /// The device cannot be used.
    #[error("option `device` {device}: {reason}")]
    Device {
        /// The device as the user wrote it.
        device: String,
        /// The problem, and what to do about it.
        reason: String,
    },
    /// The text cannot be converted into tokens, or the tokens into text.
    #[error("{}: {reason}", path.display())]
    Tokenizer {
        /// The tokenizer file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// A sequence is longer than the model's learned positions.
    #[error("position {position} is past the {most} positions that the model has learned")]
    Position {
        /// The position.
        position: i64,
        /// Number of positions the model learned.
        most: i64,
    },
    /// A [`Repeat`] that this model cannot run.
    #[error("option `repeat` {repeat}: {reason}")]
    Repeat {
        /// The option's value.
        repeat: Repeat,
        /// The reason why it cannot.
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
    /// Whether the device ran out of memory. If so, the caller may try again with smaller batches.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Torch(error) if says_out_of_memory(&error.to_string()))
    }
}

/// Whether a message of libtorch says that memory ran out. There is no error code for this, only
/// the text: "out of memory" for a GPU, "can't allocate memory" for the CPU.
pub fn says_out_of_memory(text: &str) -> bool {
    text.contains("out of memory") || text.contains("can't allocate memory")
}
