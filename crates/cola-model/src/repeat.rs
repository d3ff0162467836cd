//! Attention of a layer that a chain visits again.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Ancestors, ModelError, ModelSpec, Visibility};

/// The keys and values that the second and later visits of a layer attend to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Their own, as in a model whose layers were physically copied.
    #[default]
    Clean,
    /// Those in a transformers cache with one slot per layer, for comparison with published
    /// numbers. In a pass over a prompt of several tokens, later visits attend to the keys and
    /// values of the first visit. In a pass of a single token (a decoded one, or the whole prompt),
    /// every visit attends to all that the slot holds: the prompt, and each earlier token once for
    /// each visit.
    SharedSlot,
}

impl Repeat {
    /// Refuses a shared slot for a model with a sliding window: transformers' cache then drops
    /// entries by their count, and the result of that with repeated layers is not known.
    pub fn check(self, spec: &ModelSpec) -> Result<(), ModelError> {
        match self {
            Self::SharedSlot if spec.has_windows() => Err(ModelError::Repeat {
                repeat: self,
                reason: format!(
                    "{} has layers with a sliding window here; only models without a sliding window are supported",
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

/// What a later visit of a layer under [`Repeat::SharedSlot`] attends to, when all nodes of `tree` pass the layer at once: the
/// visits out of `earlier`, and how; `None` for a first visit.
///
/// Several nodes attend to the nodes of the first visit as they did then, and not to their own new
/// keys. A single node, as in decoding, attends to every visit and to itself.
pub fn seen_in_slot<V>(mut earlier: Vec<V>, tree: &Ancestors) -> Option<(Vec<V>, Visibility<'_>)> {
    if earlier.is_empty() {
        return None;
    }
    if tree.len() == 1 {
        return Some((earlier, Visibility::All));
    }
    earlier.truncate(1);
    Some((earlier, Visibility::Earlier(tree)))
}
