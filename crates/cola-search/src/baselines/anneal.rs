//! `anneal`: simulated annealing.

use rand::RngExt;

use super::{Id, Ledger, Next, Proposer};

/// Temperature at the start and at the end of the budget, on the scale of the energies from 0 to 1. At the
/// start a loss of six steps of reward is taken with probability 0.4, at the end one of a single step with
/// less than 0.001.
const FIRST: f64 = 0.1;
const LAST: f64 = 0.002;

/// Asks for random new edits of the current chain, and moves by Metropolis' rule: always to a chain that is
/// not worse, else with probability `exp(-rise / temperature)`. The temperature falls geometrically with the
/// budget used. Energies are 1 minus the shaped reward, without ties broken: among wrong chains without
/// margins every move is taken.
///
/// While verdicts are outstanding, further edits of the current chain are asked for, and each verdict is
/// compared with the chain that is current when it comes. If no edit of the current chain is new, a random
/// chain is asked for.
#[derive(Default)]
pub struct Anneal {
    /// The identity at first.
    current: Id,
}

impl Anneal {
    fn energy(ledger: &Ledger, id: Id) -> f64 {
        let energy = ledger.energy(id);
        energy.map_or(1.0, |energy| energy.scaled(&ledger.params))
    }
}

impl Proposer for Anneal {
    fn next(&mut self, ledger: &mut Ledger) -> Next {
        let edited = ledger.new_edit(self.current);
        edited.or_else(|| ledger.new_chain()).into()
    }

    fn learn(&mut self, ledger: &mut Ledger, id: Id) {
        let rise = Self::energy(ledger, id) - Self::energy(ledger, self.current);
        if rise <= 0.0 || ledger.rng.random::<f64>() < probability(rise, ledger.progress()) {
            self.current = id;
        }
    }
}

/// Probability of a move to a chain whose energy is higher by `rise`.
fn probability(rise: f64, progress: f64) -> f64 {
    let temperature = FIRST * (LAST / FIRST).powf(progress);
    (-rise / temperature).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_taken_the_less_the_larger_and_the_later() {
        let step = 1.0 / 64.0;
        assert!((probability(6.0 * step, 0.0) - 0.39).abs() < 0.01);
        assert!(probability(step, 1.0) < 0.001);
        for progress in [0.0, 0.3, 0.7] {
            assert!(probability(step, progress) > probability(2.0 * step, progress));
            assert!(probability(step, progress) > probability(step, progress + 0.3));
        }
    }
}
