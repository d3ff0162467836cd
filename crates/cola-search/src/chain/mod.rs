//! Chains of layers: how they are written, and how they may be edited.
//!
//! A [`Chain`] is the list of layer indices a sample runs through. `0-27` is the *identity* of a 28-layer
//! model; any layer may be absent, repeated or out of order, and each of its places may be damped
//! ([`Alpha`]). The module holds no tensors and no randomness, so that search and engine can be tested
//! against it alone.

mod alpha;
mod edit;
mod error;
mod program;
mod space;
mod syntax;

pub use alpha::{Alpha, AlphaError};
pub use edit::Edit;
pub use error::ChainError;
pub use program::{Chain, Layer, Step};
pub use space::{EditSpace, LengthBounds};
pub use syntax::MAX_CHAIN_LENGTH;
