//! The type [`Chain`].

use std::{cmp::Ordering, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Alpha, ChainError};

/// Index of a decoder block in the frozen model, `0..L`.
pub type Layer = u16;

/// One place of a chain: a layer, and the alpha of its application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// The layer `F` that is applied.
    pub layer: Layer,
    /// The application turns the residual `x` into `x + alpha (F(x) - x)`.
    pub alpha: Alpha,
}

/// The layers to execute, in order. Immutable and cheap to clone.
///
/// Ordered lexicographically by [`Step`], so that sorted collections of chains group shared
/// prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chain {
    layers: Arc<[Layer]>,
    /// The alpha of each layer. `None` if and only if all are plain, so that equal chains compare equal.
    alphas: Option<Arc<[Alpha]>>,
}

impl Chain {
    /// Builds a chain without damping from its layers.
    pub fn new(layers: impl Into<Arc<[Layer]>>) -> Self {
        Self {
            layers: layers.into(),
            alphas: None,
        }
    }

    /// Builds a chain from its steps.
    pub fn from_steps(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps: Vec<Step> = steps.into_iter().collect();
        let damped = steps.iter().any(|step| !step.alpha.is_plain());
        Self {
            layers: steps.iter().map(|step| step.layer).collect(),
            alphas: damped.then(|| steps.iter().map(|step| step.alpha).collect()),
        }
    }

    /// The unmodified model: `0, 1, .., layers - 1`.
    pub fn identity(layers: usize) -> Self {
        (0..layers as Layer).collect()
    }

    /// The layers, in execution order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The alphas, one for each layer, in execution order; `None` if nothing is damped.
    pub fn alphas(&self) -> Option<&[Alpha]> {
        self.alphas.as_deref()
    }

    /// The step at a place; `None` past the end.
    pub fn step(&self, place: usize) -> Option<Step> {
        let layer = *self.layers.get(place)?;
        let alpha = self.alpha(place);
        Some(Step { layer, alpha })
    }

    /// The steps, in execution order.
    pub fn steps(&self) -> impl ExactSizeIterator<Item = Step> {
        let places = self.layers.iter().enumerate();
        places.map(|(place, &layer)| Step {
            layer,
            alpha: self.alpha(place),
        })
    }

    fn alpha(&self, place: usize) -> Alpha {
        self.alphas().map_or(Alpha::PLAIN, |alphas| alphas[place])
    }

    /// Whether any application is damped.
    pub fn is_damped(&self) -> bool {
        self.alphas.is_some()
    }

    /// Number of layer applications (the *depth* of the chain).
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether no layer runs at all: embedding, norm and head only.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Whether this is the unmodified model of `layers` layers.
    pub fn is_identity(&self, layers: usize) -> bool {
        let in_order = || {
            self.layers
                .iter()
                .enumerate()
                .all(|(i, &l)| i == l as usize)
        };
        self.len() == layers && !self.is_damped() && in_order()
    }

    /// Whether the chain is the identity with layers left out: strictly ascending and not damped.
    pub fn only_skips(&self) -> bool {
        !self.is_damped() && self.layers.windows(2).all(|w| w[0] < w[1])
    }

    /// Whether the chain is the identity with layers repeated: every layer of the model occurs, and the
    /// first occurrences are in order and plain (`0-6,(7-9)x3,10-27`). Later occurrences may be damped.
    pub fn only_repeats(&self, layers: usize) -> bool {
        let mut next = 0;
        for Step { layer, alpha } in self.steps() {
            match (layer as usize).cmp(&next) {
                Ordering::Equal if alpha.is_plain() => next += 1,
                Ordering::Less => {}
                Ordering::Equal | Ordering::Greater => return false,
            }
        }
        next == layers
    }

    /// How often each of the model's `layers` layers runs.
    pub fn uses(&self, layers: usize) -> Vec<u32> {
        let mut uses = vec![0; layers];
        for &layer in self.layers.iter() {
            uses[layer as usize] += 1;
        }
        uses
    }

    /// Number of different layers that run at least once.
    pub fn unique_layers(&self) -> usize {
        let mut seen = self.layers.to_vec();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }

    /// Refuses a chain with a layer that a model of `layers` layers does not have.
    pub fn check(&self, layers: usize) -> Result<(), ChainError> {
        match self.layers.iter().find(|&&layer| layer as usize >= layers) {
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
        Self::new(layers.into_iter().collect::<Arc<[Layer]>>())
    }
}

impl Ord for Chain {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.alphas, &other.alphas) {
            (None, None) => self.layers.cmp(&other.layers),
            _ => self.steps().cmp(other.steps()),
        }
    }
}

impl PartialOrd for Chain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A chain is stored as its canonical text.
impl Serialize for Chain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A chain is parsed from its canonical text. Notations that need the number of layers (`blocks:`) are only
/// for the command line.
impl<'de> Deserialize<'de> for Chain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use proptest::prelude::*;

    use super::*;

    /// Steps of a model of `layers` layers, most of them plain.
    pub fn steps(layers: Layer, count: Range<usize>) -> impl Strategy<Value = Vec<Step>> {
        let alpha = prop_oneof![6 => Just(1000), 3 => Just(500), 1 => 1u16..1000];
        let step = (0..layers, alpha).prop_map(|(layer, thousandths)| Step {
            layer,
            alpha: Alpha::from_thousandths(thousandths).unwrap(),
        });
        prop::collection::vec(step, count)
    }

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
    fn a_damped_repeat_is_a_repeat_and_damping_alone_is_neither() {
        let repeat = chain("0-3,(2-3)x2@0.5,4-7");
        assert!(repeat.is_damped() && repeat.only_repeats(8) && !repeat.only_skips());
        assert!(chain("0-3,2-3@0.5,4-7").only_repeats(8));
        let damped = chain("0-3,4@0.5,5-7");
        assert!(!damped.only_repeats(8) && !damped.only_skips() && !damped.is_identity(8));
        assert!(!chain("0-3,5@0.5,6").only_skips());
    }

    #[test]
    fn steps_give_back_the_chain_and_plain_ones_are_no_damping() {
        let damped = chain("3,(1)x2@0.25");
        assert_eq!(Chain::from_steps(damped.steps()), damped);
        assert_eq!(damped.layers(), [3, 1, 1]);
        assert_eq!(damped.step(2).unwrap().alpha.value(), 0.25);
        assert_eq!(damped.step(3), None);
        let plain = Chain::new([3, 1, 1]);
        assert_eq!(Chain::from_steps(plain.steps()), plain);
        assert_eq!(plain.alphas(), None);
        assert_ne!(plain, damped);
    }

    #[test]
    fn chains_sort_by_steps_so_that_shared_prefixes_are_neighbours() {
        let mut sorted = ["0,2", "0,1,2", "0,1@0.5,0", "0,1@0.5", "0,1", "0,1@0.7,2"].map(chain);
        sorted.sort();
        let expected = ["0,1@0.5", "0,1@0.5,0", "0,1@0.7,2", "0,1", "0-2", "0,2"].map(chain);
        assert_eq!(sorted, expected);
    }

    #[test]
    fn uses_count_every_visit() {
        assert_eq!(chain("0,(1)x3,3").uses(4), [1, 3, 0, 1]);
        assert_eq!(chain("0,(1)x3,3").unique_layers(), 3);
        assert_eq!(chain("0,(1)x3@0.5,3").uses(4), [1, 3, 0, 1]);
    }

    #[test]
    fn a_layer_past_the_end_is_refused_by_index() {
        let error = chain("0-3,9").check(8).unwrap_err();
        assert_eq!(
            error.to_string(),
            "chain \"0-3,9\": layer 9 does not exist; the model has layers 0 to 7"
        );
    }
}
