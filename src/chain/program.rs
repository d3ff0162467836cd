//! The chain itself.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ChainError;

/// Index of a decoder block in the frozen model, `0..L`.
pub type Layer = u16;

/// The layers to execute, in order. Immutable and cheap to clone.
///
/// Ordered lexicographically by layer, so that sorted collections of chains group shared prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Chain(Arc<[Layer]>);

impl Chain {
    /// Builds a chain from its layers.
    pub fn new(layers: impl Into<Arc<[Layer]>>) -> Self {
        Self(layers.into())
    }

    /// The unmodified model: `0, 1, .., layers - 1`.
    pub fn identity(layers: usize) -> Self {
        Self((0..layers as Layer).collect())
    }

    /// The layers, in execution order.
    pub fn layers(&self) -> &[Layer] {
        &self.0
    }

    /// Number of layer applications (the *depth* of the chain).
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no layer runs at all: embedding, norm and head only.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is the unmodified model of `layers` layers.
    pub fn is_identity(&self, layers: usize) -> bool {
        self.len() == layers && self.0.iter().enumerate().all(|(i, &l)| i == l as usize)
    }

    /// Whether layers were only left out: strictly ascending, hence a subsequence of the identity.
    pub fn only_skips(&self) -> bool {
        self.0.windows(2).all(|w| w[0] < w[1])
    }

    /// Whether layers were only repeated: every layer of the model is there, its first visits are
    /// in order, and nothing appears before its turn (`0-6,(7-9)x3,10-27`).
    pub fn only_repeats(&self, layers: usize) -> bool {
        let mut next = 0;
        for &layer in self.0.iter() {
            match (layer as usize).cmp(&next) {
                std::cmp::Ordering::Equal => next += 1,
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Greater => return false,
            }
        }
        next == layers
    }

    /// How often each of the model's `layers` layers runs.
    pub fn uses(&self, layers: usize) -> Vec<u32> {
        let mut uses = vec![0; layers];
        for &layer in self.0.iter() {
            uses[layer as usize] += 1;
        }
        uses
    }

    /// Number of different layers that run at least once.
    pub fn unique_layers(&self) -> usize {
        let mut seen = self.0.to_vec();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }

    /// Refuses a chain that names a layer a model of `layers` layers does not have.
    pub fn check(&self, layers: usize) -> Result<(), ChainError> {
        match self.0.iter().find(|&&layer| layer as usize >= layers) {
            None => Ok(()),
            Some(&layer) => Err(ChainError::OutOfRange {
                chain: self.to_string(),
                layer: layer as usize,
                layers,
            }),
        }
    }
}

impl FromIterator<Layer> for Chain {
    fn from_iter<I: IntoIterator<Item = Layer>>(layers: I) -> Self {
        Self(layers.into_iter().collect())
    }
}

/// A chain is stored as its canonical text.
impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Read back from canonical text; notations that need the model's depth are for the command line.
impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(text: &str) -> Chain {
        text.parse().unwrap()
    }

    #[test]
    fn kinds_of_change_are_told_apart() {
        assert!(chain("0-2,5-7").only_skips());
        assert!(!chain("0-2,2-7").only_skips());
        assert!(chain("0-3,(2-3)x2,4-7").only_repeats(8));
        assert!(!chain("0-3,5-7").only_repeats(8));
        assert!(!chain("0-2,4,3,5-7").only_repeats(8));
        assert!(chain("0-7").only_repeats(8) && chain("0-7").only_skips());
        assert!(chain("0-7").is_identity(8) && !chain("0-6").is_identity(8));
    }

    #[test]
    fn uses_count_every_visit() {
        assert_eq!(chain("0,(1)x3,3").uses(4), [1, 3, 0, 1]);
        assert_eq!(chain("0,(1)x3,3").unique_layers(), 3);
    }

    #[test]
    fn a_layer_past_the_end_is_refused_by_index() {
        let error = chain("0-3,9").check(8).unwrap_err();
        assert_eq!(
            error.to_string(),
            "chain \"0-3,9\": layer 9 does not exist; the model has layers 0..7"
        );
    }
}
