//! What can keep a run from being analysed.

use std::{io, path::PathBuf};

use thiserror::Error;

use crate::run::RunError;
use cola_search::chain::ChainError;

/// Why there are no statistics.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// See [`RunError`].
    #[error(transparent)]
    Run(#[from] RunError),
    /// The journal is empty: every rate would be 0/0.
    #[error("run of {model:?}: no sample records, so there is nothing to analyse")]
    NoRecords {
        /// Name of the run's model.
        model: String,
    },
    /// The report could not be written from its template.
    #[error("report.html: {0}")]
    Page(#[from] minijinja::Error),
    /// No run was given at all.
    #[error("no runs to analyse")]
    NoRuns,
    /// Records of different models in one run.
    #[error(
        "sample {task}/{id}: its model has {layers} layers, the run's first record has {expected}"
    )]
    MixedLayers {
        /// Task of the record.
        task: String,
        /// Identifier of the record.
        id: String,
        /// Layers it names.
        layers: usize,
        /// Layers of the first record.
        expected: usize,
    },
    /// A record with a layer its model does not have.
    #[error("sample {task}/{id}: {source}")]
    Chain {
        /// Task of the record.
        task: String,
        /// Identifier of the record.
        id: String,
        /// The chain and the layer.
        source: ChainError,
    },
    /// A duration that is not one.
    #[error("run of {model:?}: {seconds} is not a number of seconds")]
    Seconds {
        /// Name of the run's model.
        model: String,
        /// What was given.
        seconds: f64,
    },
    /// A figure could not be drawn: a bug, since figures are drawn in memory.
    #[error("figure {name}: {reason}")]
    Figure {
        /// Name of the figure.
        name: String,
        /// What the drawing library said.
        reason: String,
    },
    /// A file or directory that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
