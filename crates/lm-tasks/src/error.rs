//! What can go wrong between a task's name and its samples.

use std::path::{Path, PathBuf};

/// An error in a task file or in its data. Every message names the file, the key or row in it, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Neither a built-in task nor a file.
    #[error("no task named `{name}`: built in are {known}; or give the path of a YAML file")]
    UnknownTask {
        /// As the user wrote it.
        name: String,
        /// The names there are.
        known: String,
    },

    /// A task file or a data file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// Not YAML, or not a mapping of keys.
    #[error("{file}: {message}")]
    Yaml {
        /// The task file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },

    /// A key of a task file that is unknown, has a wrong value, or asks for what is not supported.
    #[error("{file}: {key}: {message}")]
    Key {
        /// The task file.
        file: String,
        /// Dotted name of the key.
        key: String,
        /// What is wrong with it.
        message: String,
    },

    /// The task names no data file, or not for the split it evaluates.
    #[error(
        "task `{task}`: {message}; give the rows with option `data`{}",
        hint(other)
    )]
    NoData {
        /// The task.
        task: String,
        /// What it names instead.
        message: String,
        /// Another way to rows: to fetch the dataset of the hub that the task names, or to make some.
        other: Option<String>,
    },

    /// The task names no data file to draw few-shot examples from.
    #[error(
        "task `{task}`: num_fewshot: {message}; give the rows of the examples with option `fewshot_data`, or ask without them: option `num_fewshot` 0"
    )]
    NoExamples {
        /// The task.
        task: String,
        /// What it names instead.
        message: String,
    },

    /// An option that asks of a task what it does not have.
    #[error("task `{task}`: option `{option}`: {message}; leave it out, or give another task")]
    Option {
        /// The task.
        task: String,
        /// Its name.
        option: &'static str,
        /// Why it makes no sense.
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
        /// What is wrong.
        message: String,
    },

    /// A data file that cannot be read on from some place.
    #[error("{place}: {message}")]
    Broken {
        /// `file:line`.
        place: String,
        /// What is wrong.
        message: String,
    },

    /// More bad rows than [`LoadOptions::skip_bad_rows`](super::LoadOptions::skip_bad_rows) allows.
    #[error(
        "{place}: {message}; bad rows skipped before it: {skipped}, as many as option `skip_bad_rows` allows"
    )]
    TooManyBadRows {
        /// Where the first is that is too many.
        place: String,
        /// What is wrong with it.
        message: String,
        /// How many were skipped.
        skipped: usize,
    },

    /// One row that is malformed or does not fit the task. `place` is `file:line`, or `file: row n` in a JSON list.
    #[error("{place}: {message}")]
    Row {
        /// `file:line`, or task and sample.
        place: String,
        /// What is wrong.
        message: String,
    },
}

/// The end of a message about rows that are not here.
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
