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
    /// when a token is decoded, every visit attends to all the slot holds, which is the prompt and
    /// each earlier token once a visit.
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

/// Visibility of a later visit under [`Repeat::SharedSlot`]: the new nodes see the first visit's as
/// they saw each other then, and nothing of their own.
pub fn first_visit_only(seen: &[bool], nodes: usize) -> Vec<bool> {
    let hidden = vec![false; nodes];
    seen.chunks(nodes)
        .flat_map(|row| row.iter().chain(&hidden))
        .copied()
        .collect()
}
