//! What a layer sees when a chain visits it again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ModelError, ModelSpec};

/// Which keys and values the second and later visits of a layer attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Their own: what a model computes whose layers were copied.
    #[default]
    Clean,
    /// What a transformers cache with one slot a layer makes of it, for comparison with published
    /// numbers: over the prompt, later visits attend to the keys and values of the first visit;
    /// when a token is decoded (or is all of the prompt), every visit attends to all the slot
    /// holds, which is the prompt and each earlier token once a visit.
    SharedSlot,
}

impl Repeat {
    /// Refuses a model for which it is not known what the shared slot computes: with a sliding
    /// window, the cache forgets by count of entries.
    pub fn check(self, spec: &ModelSpec) -> Result<(), ModelError> {
        match self {
            Self::SharedSlot if spec.has_windows() => Err(ModelError::Repeat {
                repeat: self,
                reason: format!(
                    "{} has layers with a sliding window here; only models without are supported",
                    spec.architecture
                ),
            }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::SharedSlot => "shared-slot",
        })
    }
}

/// What a later visit of a layer sees under [`Repeat::SharedSlot`] when `nodes` nodes pass it at
/// once: of the `earlier` visits those it sees, and the visibility over theirs and its own nodes.
/// `None` for a first visit. `seen` is the visibility of the nodes among each other.
///
/// Several nodes see those of the first visit as they saw each other then, and nothing of their
/// own; a single node, as in decoding, sees every visit and itself.
pub fn seen_in_slot<V>(
    mut earlier: Vec<V>,
    seen: &[bool],
    nodes: usize,
) -> Option<(Vec<V>, Vec<bool>)> {
    if earlier.is_empty() {
        return None;
    }
    if nodes == 1 {
        let all = vec![true; earlier.len() + 1];
        return Some((earlier, all));
    }
    earlier.truncate(1);
    let hidden = vec![false; nodes];
    let seen = seen
        .chunks(nodes)
        .flat_map(|row| row.iter().chain(&hidden))
        .copied()
        .collect();
    Some((earlier, seen))
}
