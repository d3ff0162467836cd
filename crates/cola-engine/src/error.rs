//! Errors of evaluations.

use thiserror::Error;

use cola_model::{ModelError, says_out_of_memory};
use cola_search::chain::ChainError;

/// The reason why an evaluation failed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The chain names a layer the model does not have.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The model could not run the step.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A row without a single token.
    #[error("the prompt is empty: the model needs at least one token (a BOS token or some text)")]
    EmptyRow,
    /// A token id the model does not have.
    #[error(
        "token {token} is outside the model's vocabulary of {vocabulary} tokens; check that the tokenizer belongs to \
         the model"
    )]
    Token {
        /// The offending id.
        token: u32,
        /// Rows of the embedding.
        vocabulary: i64,
    },
    /// A continuation was requested for a row that was not built with
    /// [`keep_decodable`](super::RowBuilder::keep_decodable), so that its keys and values are not
    /// kept.
    #[error("the row was not built for decoding")]
    NotForDecoding,
    /// A bug in a kernel or in this crate: the evaluation is lost, the run goes on.
    #[error("a worker panicked: {0}")]
    Panic(String),
    /// A row that was never registered, or was released already.
    #[error("the row is not registered with this engine")]
    Released,
    /// The device can no longer be used by this process. Evaluations that it was running can be
    /// repeated in a new process.
    #[error("the device failed: {0}")]
    Device(String),
    /// The engine was stopped while the evaluation was in flight.
    #[error("the engine was stopped")]
    Stopped,
}

impl EngineError {
    /// Whether memory ran out. If so, the same work may succeed in smaller batches.
    pub(super) fn is_out_of_memory(&self) -> bool {
        match self {
            Self::Model(error) => error.is_out_of_memory(),
            // An operation that cannot return an error panics with libtorch's message.
            Self::Panic(text) => says_out_of_memory(text),
            _ => false,
        }
    }
}
