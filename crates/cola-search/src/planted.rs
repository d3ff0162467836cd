//! Planted cases: small simulated models with known rules for which chains are right, for tests without a
//! model.
//!
//! A case has 5 to 8 layers, 2 to 5 of which are needed, in order. In addition, each with probability one
//! half and independently: one or two other layers are harmful (a chain with one of them is wrong); one
//! needed layer is needed twice; two neighbouring needed layers are needed in reverse order. So the
//! identity is right in one case of eight, and in one of eight it has three faults that must all be
//! repaired before any verdict changes. A damped layer counts as a plain one. The search gets verdicts
//! without margins, unless a test says otherwise.

use rand::{RngExt, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;

use crate::chain::{Chain, Layer};
use crate::{Ask, Feedback, Strategy};

/// A sample with known rules.
#[derive(Debug, Clone)]
pub struct Planted {
    /// Layers of the model.
    pub layers: usize,
    /// Layers that must run in this order; other layers may run between them.
    pub needed: Vec<Layer>,
    /// Layers that must not run.
    pub harmful: Vec<Layer>,
    /// Whether a needed layer that also runs at another position is a fault. This makes the rules harder.
    pub strict: bool,
}

impl Planted {
    /// Draws a random case.
    pub fn draw(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let layers = rng.random_range(5..=8);
        let count = rng.random_range(2..=5.min(layers - 2));
        let shuffled: Vec<Layer> = index::sample(&mut rng, layers, layers)
            .iter()
            .map(|l| l as Layer)
            .collect();
        let mut needed = shuffled[..count].to_vec();
        needed.sort_unstable();
        let mut harmful = Vec::new();
        if rng.random_bool(0.5) {
            let most = 2.min(layers - count);
            harmful = shuffled[count..count + rng.random_range(1..=most)].to_vec();
        }
        if rng.random_bool(0.5) {
            let at = rng.random_range(0..count - 1);
            needed.swap(at, at + 1);
        }
        if rng.random_bool(0.5) {
            let at = rng.random_range(0..count);
            needed.insert(at, needed[at]);
        }
        Self {
            layers,
            needed,
            harmful,
            strict: false,
        }
    }

    /// Whether the chain answers right.
    pub fn right(&self, chain: &[Layer]) -> bool {
        self.faults(chain) == 0
    }

    /// Number of faults: harmful layers that run, needed layers that are missing in their order, and, if
    /// the case is strict, needed layers at other positions.
    pub fn faults(&self, chain: &[Layer]) -> usize {
        let harm = self
            .harmful
            .iter()
            .filter(|layer| chain.contains(layer))
            .count();
        let mut missing = self.needed.iter().peekable();
        let mut misplaced = 0;
        for layer in chain {
            if missing.peek() == Some(&layer) {
                missing.next();
            } else if self.strict && self.needed.contains(layer) {
                misplaced += 1;
            }
        }
        harm + misplaced + missing.count()
    }

    /// Length of the shortest right chain, found by trying all chains, shortest first. Shares no code with
    /// the searches.
    pub fn shortest(&self) -> usize {
        let mut chains: Vec<Vec<Layer>> = vec![Vec::new()];
        loop {
            if let Some(right) = chains.iter().find(|chain| self.right(chain)) {
                return right.len();
            }
            chains = chains
                .iter()
                .flat_map(|chain| {
                    (0..self.layers as Layer).map(move |l| [chain.as_slice(), &[l]].concat())
                })
                .collect();
        }
    }

    /// The verdict for a search. With `margins`, a wrong chain has a margin of minus one nat for every
    /// fault.
    pub fn feedback(&self, chain: &Chain, margins: bool) -> Feedback {
        let faults = self.faults(chain.layers());
        let margin = if faults == 0 { 1.0 } else { -(faults as f64) };
        Feedback::new(faults == 0, margins.then_some(margin))
    }

    /// Runs a search to its end, and returns the length of the shortest right chain that it evaluated.
    pub fn run(&self, search: &mut dyn Strategy, margins: bool) -> Option<usize> {
        let mut shortest = None;
        while let Ask::Evaluate(chain) = search.ask() {
            let feedback = self.feedback(&chain, margins);
            if feedback.correct && shortest.is_none_or(|len| chain.len() < len) {
                shortest = Some(chain.len());
            }
            search.tell(&chain, feedback);
        }
        shortest
    }
}
