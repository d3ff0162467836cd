//! What a certificate holds.

use serde::{Deserialize, Serialize};

use cola_search::chain::Chain;

/// What is known of a best chain beside its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whether the chain was right when it ran isolated: every best chain was.
    pub confirmed: bool,
    /// How much worse than the unmodified model it reads the prompt, nats a token.
    pub degradation: Option<f64>,
    /// The rotations of the options; `None` where there are no options, or they cannot be rotated.
    pub rotations: Option<RotationCount>,
    /// What makes the chain differ from the unmodified model, each change undone alone; empty for the unmodified model.
    pub edits: Vec<UndoneEdit>,
    /// Of those, edits without which the chain is not right within the bound on degradation.
    pub needed: usize,
    /// The chain on other samples of the task.
    pub transfer: Transfer,
}

/// In how many rotations of the options a chain is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationCount {
    /// Rotations in which it is right.
    pub right: usize,
    /// All rotations, the task's own order among them.
    pub of: usize,
}

/// A chain without one of its edits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndoneEdit {
    /// The edit that was undone: `skip 5-7`, `repeat 3-4`, `insert 9`, `replace 2 by 5`.
    pub undone: String,
    /// What is left.
    pub chain: Chain,
    /// Whether that answers right, whatever its degradation.
    pub correct: bool,
    /// How much worse than the unmodified model it reads the prompt, nats a token.
    pub degradation: Option<f64>,
}

/// A chain on other samples of its task.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Samples that were drawn.
    pub samples: usize,
    /// Those that the chain answers right, within the bound on degradation.
    pub right: usize,
    /// Those that the unmodified model answers right.
    pub unmodified_right: usize,
}
