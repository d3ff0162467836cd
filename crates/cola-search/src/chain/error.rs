//! Errors of chains.

use thiserror::Error;

/// Why a chain was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChainError {
    /// The text is not in any chain notation.
    #[error("chain {text:?}: {reason}")]
    Syntax {
        /// The chain as the user wrote it.
        text: String,
        /// What is wrong, and where.
        reason: String,
    },
    /// A layer the model does not have.
    #[error("chain {chain:?}: layer {layer} does not exist; the model has layers 0 to {last}", last = .layers.saturating_sub(1))]
    OutOfRange {
        /// The chain in canonical form.
        chain: String,
        /// The offending index.
        layer: usize,
        /// Number of layers of the model.
        layers: usize,
    },
}
