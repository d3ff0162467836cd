//! Every way a command can be unable to run: one line, exit status 2.

use std::path::PathBuf;

use thiserror::Error;

use crate::{analysis::AnalysisError, export::ExportError, run::RunError, session::SessionError};
use cola_engine::{EngineError, VerifyError};
use cola_hub::FetchError;
use cola_model::ModelError;
use cola_search::SearchError;
use cola_search::chain::ChainError;
use cola_synth::SynthError;
use lm_tasks::TaskError;

/// Why a command could not run.
#[derive(Debug, Error)]
pub enum CliError {
    /// Flags that do not go together, or a value that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Standard output is gone.
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
    /// See [`ChainError`].
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// See [`ModelError`].
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A model or a dataset of the hub, as a flag named it.
    #[error("{flag} {source}")]
    Fetch {
        /// The flag.
        flag: &'static str,
        /// What happened.
        source: FetchError,
    },
    /// See [`SessionError`].
    #[error(transparent)]
    Session(#[from] SessionError),
    /// See [`EngineError`].
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// See [`VerifyError`].
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// See [`TaskError`].
    #[error(transparent)]
    Task(#[from] TaskError),
    /// See [`SynthError`].
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// See [`SearchError`].
    #[error(transparent)]
    Search(#[from] SearchError),
    /// See [`RunError`].
    #[error(transparent)]
    Run(#[from] RunError),
    /// See [`AnalysisError`].
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// See [`ExportError`].
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl CliError {
    /// The message as one line: what templates and libraries say may have several.
    pub fn on_one_line(&self) -> String {
        let text = self.to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join(" ")
    }

    /// Whether the reader of our output has left (`cola inspect | head`): not an error.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}
