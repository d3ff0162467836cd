//! Errors of task files and their data.

use std::path::{Path, PathBuf};

/// An error in a task file or in its data. Every message names the file, the key or row in it, and
/// what to do.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Neither a built-in task nor a file.
    #[error("no built-in task is named `{name}`; known: {known}; or give the path of a YAML file")]
    UnknownTask {
        /// The name as the user wrote it.
        name: String,
        /// The names of the built-in tasks.
        known: String,
    },

    /// A task file or a data file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },

    /// Not YAML, or not a mapping of keys.
    #[error("{file}: {message}")]
    Yaml {
        /// The task file.
        file: String,
        /// The problem, and where it is.
        message: String,
    },

    /// A key of a task file that is unknown, has a wrong value, or asks for something that is not
    /// supported.
    #[error("{file}: {key}: {message}")]
    Key {
        /// The task file.
        file: String,
        /// Dotted name of the key.
        key: String,
        /// The problem with its value.
        message: String,
    },

    /// The task names no data file, or none for the split it evaluates.
    #[error(
        "task `{task}`: {message}; give the rows with option `data`{}",
        hint(other)
    )]
    NoData {
        /// The task.
        task: String,
        /// The reason, for example the split that is missing.
        message: String,
        /// Another way to get rows: fetch the hub's dataset that the task names, or generate rows.
        other: Option<String>,
    },

    /// The task names no data file to draw few-shot examples from.
    #[error(
        "task `{task}`: num_fewshot: {message}; give rows for the solved examples with option `fewshot_data`, or use \
         option `num_fewshot` 0 for no examples"
    )]
    NoExamples {
        /// The task.
        task: String,
        /// The reason, for example the split that is missing.
        message: String,
    },

    /// An option that needs something the task does not have.
    #[error("task `{task}`: option `{option}`: {message}; leave it out, or give another task")]
    Option {
        /// The task.
        task: String,
        /// The option's name.
        option: &'static str,
        /// The reason why it cannot be used.
        message: String,
    },

    /// A data file without rows.
    #[error("{}: no rows", path.display())]
    Empty {
        /// The data file.
        path: PathBuf,
    },

    /// A data file of a kind that is not read.
    #[error("{}: {message}", path.display())]
    Format {
        /// The data file.
        path: PathBuf,
        /// The problem.
        message: String,
    },

    /// A data file that cannot be read beyond some place.
    #[error("{place}: {message}")]
    Broken {
        /// `file:line`.
        place: String,
        /// The problem.
        message: String,
    },

    /// More bad rows than [`LoadOptions::skip_bad_rows`](super::LoadOptions::skip_bad_rows) allows.
    #[error(
        "{place}: {message}; bad rows skipped before this one: {skipped}; option `skip_bad_rows` allows no more"
    )]
    TooManyBadRows {
        /// The place of the first bad row that is not allowed.
        place: String,
        /// The problem with that row.
        message: String,
        /// Number of bad rows skipped before it.
        skipped: usize,
    },

    /// One row that is malformed or does not fit the task. `place` is `file:line`, or `file: row n`
    /// in a JSON list.
    #[error("{place}: {message}")]
    Row {
        /// `file:line`, or task and sample.
        place: String,
        /// The problem.
        message: String,
    },
}

/// The end of the message of [`TaskError::NoData`]: another way to get rows.
fn hint(other: &Option<String>) -> String {
    match other {
        Some(other) => format!(", or {other}"),
        None => String::new(),
    }
}

impl TaskError {
    pub(super) fn format(path: &Path, message: impl Into<String>) -> Self {
        TaskError::Format {
            path: path.to_owned(),
            message: message.into(),
        }
    }

    pub(super) fn row(place: impl Into<String>, message: impl Into<String>) -> Self {
        TaskError::Row {
            place: place.into(),
            message: message.into(),
        }
    }
}
