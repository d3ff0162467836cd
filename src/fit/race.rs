//! Successive halving: most chains are dropped after few samples.

use std::collections::BTreeMap;

use super::{Objective, table::Table};
use crate::run::RunError;
use cola_search::chain::Chain;

/// How a race is run.
#[derive(Debug, Clone, Copy)]
pub struct Race<'a> {
    /// The samples, in the order in which they are taken.
    pub samples: &'a [usize],
    pub objective: Objective,
    /// Layer steps after which it is not gone on with.
    pub budget: u64,
}

/// Samples of the first round.
const FIRST: usize = 16;
/// Chains that run on all samples.
pub const FINALISTS: usize = 4;

/// How a race ended.
#[derive(Debug, PartialEq)]
pub struct Raced {
    /// The chains of the last round, best first.
    pub ranking: Vec<Chain>,
    /// Each chain's mean of the objective on as many samples as it ran on.
    pub means: BTreeMap<Chain, (f64, usize)>,
}

impl Race<'_> {
    /// Runs chains against each other; each is to occur once. `None` where it was interrupted.
    pub fn run(
        &self,
        table: &mut Table<'_>,
        mut chains: Vec<Chain>,
    ) -> Result<Option<Raced>, RunError> {
        let all = self.samples.len();
        let mut means = BTreeMap::new();
        let mut count = FIRST.min(all);
        loop {
            if chains.len() <= FINALISTS {
                count = all;
            }
            let samples = &self.samples[..count];
            if table.require(&chains, samples)? {
                return Ok(None);
            }
            let mut ranked: Vec<(f64, Chain)> = chains
                .into_iter()
                .map(|chain| (table.mean(&chain, samples, self.objective), chain))
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            for (mean, chain) in &ranked {
                means.insert(chain.clone(), (*mean, count));
            }
            chains = ranked.into_iter().map(|(_, chain)| chain).collect();
            if count == all || table.steps() >= self.budget {
                chains.truncate(FINALISTS);
                let ranking = chains;
                return Ok(Some(Raced { ranking, means }));
            }
            chains.truncate(chains.len().div_ceil(2).max(FINALISTS));
            count = (2 * count).min(all);
        }
    }
}

/// Evaluations of a race of so many chains on so many samples, if nothing is known.
pub fn evaluations(mut chains: usize, samples: usize) -> usize {
    let (mut total, mut count, mut before) = (0, FIRST.min(samples), 0);
    loop {
        if chains <= FINALISTS {
            count = samples;
        }
        total += chains * (count - before);
        if count == samples {
            return total;
        }
        chains = chains.div_ceil(2).max(FINALISTS);
        before = count;
        count = (2 * count).min(samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fit::table::{Evaluate, Point},
        run::Pair,
    };

    /// A chain of length n is ahead by -n nats, and by noise that halves with nothing.
    struct World {
        run: usize,
    }

    impl Evaluate for World {
        fn evaluate(
            &mut self,
            pairs: &[Pair],
            done: &mut dyn FnMut(usize, Point),
        ) -> Result<bool, RunError> {
            self.run += pairs.len();
            for (at, pair) in pairs.iter().enumerate() {
                let noise = (pair.problem * 7919 % 31) as f64 / 31.0;
                let margin = Some(noise - pair.chain.len() as f64);
                done(
                    at,
                    Point {
                        margin,
                        ..Point::default()
                    },
                );
            }
            Ok(false)
        }
    }

    #[test]
    fn the_best_wins_and_the_others_cost_little() {
        let samples: Vec<usize> = (0..200).collect();
        let chains: Vec<Chain> = (1..=40).map(Chain::identity).collect();
        let mut world = World { run: 0 };
        let mut table = Table::new(&mut world);
        let race = Race {
            samples: &samples,
            objective: Objective::Margin,
            budget: u64::MAX,
        };
        let raced = race.run(&mut table, chains.clone()).unwrap().unwrap();
        assert_eq!(raced.ranking, chains[..FINALISTS]);
        assert_eq!(raced.means[&chains[0]].1, 200);
        assert_eq!(raced.means[&chains[39]].1, FIRST);
        assert_eq!(table.chains(), 40);
        // The chains of a sample are each other's prefixes: the longest is all there is to run.
        assert!(table.steps() < 40 * 200);
        assert_eq!(world.run, evaluations(40, 200));
        assert!(world.run < 40 * 200 / 3);
    }

    #[test]
    fn a_race_beyond_its_budget_ends_after_a_round() {
        let samples: Vec<usize> = (0..200).collect();
        let mut world = World { run: 0 };
        let mut table = Table::new(&mut world);
        let race = Race {
            samples: &samples,
            objective: Objective::Margin,
            budget: 1,
        };
        let chains: Vec<Chain> = (1..=40).map(Chain::identity).collect();
        let raced = race.run(&mut table, chains).unwrap().unwrap();
        assert_eq!(raced.ranking.len(), FINALISTS);
        assert_eq!(world.run, 40 * FIRST);
    }
}
