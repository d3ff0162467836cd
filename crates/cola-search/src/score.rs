//! The scores that selection compares. They are pure functions, so that published rules can be checked by
//! hand.

/// The published rule of CoLa and its successors (arXiv 2507.07996, section 3):
/// `Q/v + c sqrt(ln V / v) - lambda |P| / L`.
#[derive(Debug, Clone, Copy)]
pub struct PathUcb {
    /// Exploration constant `c`.
    pub exploration: f64,
    /// Length penalty `lambda`.
    pub length_penalty: f64,
    /// Layers `L` of the model.
    pub layers: usize,
}

impl PathUcb {
    /// Score of a visited chain of `len` layers with summed reward `total` over `visits`;
    /// `visit_total` is the `V` inside the logarithm.
    pub fn score(&self, total: f64, visits: f64, visit_total: f64, len: usize) -> f64 {
        let spread = (visit_total.max(1.0).ln() / visits).sqrt();
        total / visits + self.exploration * spread
            - self.length_penalty * len as f64 / self.layers as f64
    }
}

/// Predictor + UCB (Rosin 2011, in the form of AlphaZero): a chain's mean reward plus an exploration term
/// that is proportional to its prior and decreases with its visits.
pub fn puct(mean: f64, prior: f64, exploration: f64, parent_visits: f64, visits: f64) -> f64 {
    mean + exploration * prior * parent_visits.sqrt() / (1.0 + visits)
}

/// Most children of a node after `visits` visits: `ceil(factor * visits^exponent)` (progressive widening,
/// Coulom 2007).
pub fn widening_limit(factor: f64, exponent: f64, visits: f64) -> usize {
    (factor * visits.powf(exponent)).ceil() as usize
}
