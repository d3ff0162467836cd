//! Why a run could not start or go on.

use std::path::PathBuf;

use thiserror::Error;

use cola_engine::EngineError;
use lm_tasks::TaskError;

/// Errors of the run room. A sample that fails is not one: it is a record.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file of the run directory cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the run directory is not what this program wrote.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        reason: String,
    },
    /// Chains were to be chosen by a margin that no sample has.
    #[error("--objective margin: no training sample has a margin; use --objective accuracy")]
    NoMargin,
    /// A line in the middle of a log is not what this program wrote.
    #[error(
        "{}: line {line} is damaged, and lines follow it; restore the file from a copy, or delete it: what it knows of unfinished \
         samples then runs again",
        path.display()
    )]
    Damaged {
        /// The log.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line of a file of records is not what this program wrote.
    #[error(
        "{}: line {line}: {reason}; restore the file from a copy, or take the line out: what it says of its sample then runs again",
        path.display()
    )]
    DamagedLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The file that a run writes to is not in its directory any more.
    #[error(
        "{}: was removed or replaced while this run wrote to it; what the run finds is not kept any more, so it stops", .0.display()
    )]
    Vanished(PathBuf),
    /// A log belongs to another version or another run.
    #[error(
        "{}: this log has `{field}` {was}, and this run has {now}; continue with the version of cola that wrote it, or delete the \
         file: what it knows of unfinished samples then runs again",
        path.display()
    )]
    OtherLog {
        /// The log.
        path: PathBuf,
        /// What differs.
        field: String,
        /// What it is in the log.
        was: String,
        /// What it is in the run.
        now: String,
    },
    /// A log does not say what the search asks for.
    #[error(
        "{}: sample {sample}: the log has {reason}: another version of cola wrote it; continue with that version, or delete the \
         file: what it knows of unfinished samples then runs again",
        path.display()
    )]
    Diverged {
        /// The log.
        path: PathBuf,
        /// Task and id.
        sample: String,
        /// What is there, and what is wanted.
        reason: String,
    },
    /// The directory holds a run of something else.
    #[error(
        "{}: `{field}` was {was} when this run began, and is {now} now; continue the run with the same command, or \
         use another option `out`",
        path.display()
    )]
    Changed {
        /// The manifest.
        path: PathBuf,
        /// Dotted name of what changed.
        field: String,
        /// Its value in the manifest.
        was: String,
        /// Its value now.
        now: String,
    },
    /// The directory holds a run of another version of this program.
    #[error(
        "{}: this run has format {was}, and this version of cola writes format {}; continue it with the version that began it, \
         or use another option `out`",
        path.display(), super::FORMAT
    )]
    Format {
        /// The manifest.
        path: PathBuf,
        /// The format of the run.
        was: u32,
    },
    /// See [`StaleLine`].
    #[error(transparent)]
    Stale(Box<StaleLine>),
    /// The directory is in use.
    #[error("{}: another process is writing to this run; wait until it ends, or use another option `out`", .0.display())]
    Locked(PathBuf),
    /// The directory to write to holds other things.
    #[error("{}: this directory is not empty and not a run directory (it has no manifest.json); use another option \
             `out`", .0.display())]
    NotEmpty(PathBuf),
    /// The directory to write to is a file.
    #[error("{}: this is a file; option `out` takes a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The directory to read holds no run.
    #[error("{}: not a run directory (it has no manifest.json)", .0.display())]
    NotARun(PathBuf),
    /// A task or one of its rows is wrong.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The engine stopped working altogether.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A line of a stage after the search is of something else than what the run found.
#[derive(Debug, Error)]
#[error(
    "{}: the {stage} of sample {sample} is for {field} {was}, and the run has {now}; delete this file and run the \
     same search command with option `{option}`",
    path.display()
)]
pub struct StaleLine {
    /// The file of the stage.
    pub path: PathBuf,
    /// What a line is.
    pub stage: &'static str,
    /// The option that runs the stage.
    pub option: &'static str,
    /// Task and id.
    pub sample: String,
    /// What differs.
    pub field: &'static str,
    /// What it is in the line.
    pub was: String,
    /// What it is in the run.
    pub now: String,
}

impl From<StaleLine> for RunError {
    fn from(line: StaleLine) -> Self {
        Self::Stale(Box::new(line))
    }
}

impl RunError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
