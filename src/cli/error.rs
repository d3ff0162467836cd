//! Every way a command can be unable to run: one line, exit status 2.

use std::path::PathBuf;

use thiserror::Error;

use crate::{
    analysis::AnalysisError,
    export::{EvaluationsError, ExportError},
    run::RunError,
    session::SessionError,
    terminal::one_line,
};
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
    /// See [`EvaluationsError`].
    #[error(transparent)]
    Evaluations(#[from] EvaluationsError),
    /// See [`AnalysisError`].
    #[error(transparent)]
    Analysis(#[from] AnalysisError),
    /// See [`ExportError`].
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl CliError {
    /// The message as one line, in terms of flags: what templates and libraries say may have several lines, and names options.
    pub fn on_one_line(&self) -> String {
        one_line(&in_flags(&self.to_string()))
    }

    /// Whether the reader of our output has left (`cola inspect | head`): not an error.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(source) if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

/// What an option of a library has after its flag on the command line.
const VALUES: [(&str, &str); 4] = [
    ("arms", " menu"),
    ("data", " FILE"),
    ("fewshot_data", " FILE"),
    ("tokenizer", " DIR"),
];

/// A library's message with the flags of the command line for the options that it names: "option `skip_bad_rows`" is
/// `--skip-bad-rows`.
pub fn in_flags(message: &str) -> String {
    const OPTION: &str = "option `";
    let mut text = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(OPTION) {
        text += before;
        let Some((name, after)) = after.split_once('`') else {
            text += OPTION;
            rest = after;
            continue;
        };
        text += &format!("--{}", name.replace('_', "-"));
        let value = VALUES.iter().find(|(option, _)| *option == name);
        text += value.map_or("", |(_, value)| value);
        rest = after;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_libraries_name_are_flags_here() {
        let message = "task `t`: option `max_gen_toks`: no; give the rows with option `data`";
        let expected = "task `t`: --max-gen-toks: no; give the rows with --data FILE";
        assert_eq!(in_flags(message), expected);
        assert_eq!(in_flags("an option `without end"), "an option `without end");
    }
}
