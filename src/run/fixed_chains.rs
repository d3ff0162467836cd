//! Fixed chains on the problems of a finished search, measured as the search measures: a degradation near the bound is measured
//! again, isolated, and compared with that of the unmodified model, isolated too.

use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use super::{
    Batching, Evaluated, Evaluator, Pair, Progress, RunError, fluency::Fluency, searched::Searched,
};
use crate::problem::{Judge, Problem, Verdict};
use cola_engine::Backend;

/// How much runs at once in a stage after the search.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce {
    /// Samples of a group: what a killed process loses.
    pub samples: usize,
    /// Evaluations in flight.
    pub evaluations: usize,
}

/// What came of a chain on a problem.
pub struct Measured {
    pub verdict: Verdict,
    /// Loss on the prompt, nats a token.
    pub loss: Option<f64>,
    /// What that loss is compared with.
    pub fluency: Fluency,
}

/// A verdict and its loss on the prompt, or why they are not known.
type Outcome = Result<(Verdict, Option<f64>), String>;

/// What came of a chain that ran isolated, and of the unmodified model on the same problem.
struct Isolated {
    /// Loss of the unmodified model.
    unmodified: Result<Option<f64>, String>,
    chain: Outcome,
}

/// Runs pairs of a problem and a chain.
pub struct FixedChains<'a, P: Problem> {
    pub backend: &'a dyn Backend,
    pub searched: &'a Searched<'a, P>,
    /// Most in flight.
    pub evaluations: usize,
    pub interrupt: &'a AtomicBool,
}

impl<P: Problem> FixedChains<'_, P> {
    /// Runs `pairs`, and calls `done` with the index of each and what came of it, in whatever order that becomes known. Pairs count
    /// `others`, problems that were not searched, on from those of the search. Returns whether it was interrupted: then some
    /// were not run.
    pub fn run(
        &self,
        others: &[P],
        pairs: &[Pair],
        progress: &mut Progress,
        mut done: impl FnMut(usize, Result<Measured, String>, &mut Progress) -> Result<(), RunError>,
    ) -> Result<bool, RunError> {
        let problems: Vec<&P> = self.searched.problems.iter().chain(others).collect();
        let mut near: Vec<(usize, Fluency)> = Vec::new();
        let interrupted = self.evaluate(&problems, pairs, false, |at, evaluated| {
            progress.evaluated();
            let measured = match evaluated {
                Err(error) => Err(error),
                Ok(evaluated) => {
                    let near_tie_nats = evaluated.judge.near_tie_nats();
                    let fluency = self.searched.fluency(pairs[at].problem, near_tie_nats);
                    if fluency.is_near_bound(evaluated.prompt_loss) {
                        near.push((at, fluency));
                        return Ok(());
                    }
                    Ok(Measured {
                        verdict: evaluated.verdict,
                        loss: evaluated.prompt_loss,
                        fluency,
                    })
                }
            };
            done(at, measured, progress)
        })?;
        if interrupted || near.is_empty() {
            return Ok(interrupted);
        }
        let near_pairs: Vec<Pair> = near.iter().map(|&(at, _)| pairs[at].clone()).collect();
        let Some(measured) = self.run_isolated(&problems, near_pairs, progress)? else {
            return Ok(true);
        };
        for ((at, fluency), Isolated { unmodified, chain }) in near.into_iter().zip(measured) {
            let measured = match (unmodified, chain) {
                (Ok(unmodified_isolated), Ok((verdict, loss))) => Ok(Measured {
                    verdict,
                    loss,
                    fluency: Fluency {
                        unmodified_isolated,
                        ..fluency
                    },
                }),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            done(at, measured, progress)?;
        }
        Ok(false)
    }

    /// Runs pairs isolated, and the unmodified model on their problems too. `None` where it was interrupted.
    fn run_isolated(
        &self,
        problems: &[&P],
        pairs: Vec<Pair>,
        progress: &mut Progress,
    ) -> Result<Option<Vec<Isolated>>, RunError> {
        let unmodified: BTreeSet<usize> = pairs.iter().map(|pair| pair.problem).collect();
        let unmodified: Vec<usize> = unmodified.into_iter().collect();
        let place = |pair: &Pair| unmodified.partition_point(|&problem| problem < pair.problem);
        let places: Vec<usize> = pairs.iter().map(place).collect();
        let models = unmodified.iter().map(|&at| self.searched.unmodified(at));
        let all: Vec<Pair> = models.chain(pairs).collect();
        // What is not run after all is not read: then it was interrupted.
        let mut outcomes: Vec<Outcome> = vec![Err("not run".to_owned()); all.len()];
        let interrupted = self.evaluate(problems, &all, true, |at, evaluated| {
            progress.evaluated();
            outcomes[at] = evaluated.map(|found| (found.verdict, found.prompt_loss));
            Ok(())
        })?;
        let chains = outcomes.split_off(unmodified.len());
        let loss = |at: usize| outcomes[at].clone().map(|(_, loss)| loss);
        let isolated = places.into_iter().zip(chains).map(|(at, chain)| Isolated {
            unmodified: loss(at),
            chain,
        });
        Ok((!interrupted).then(|| isolated.collect()))
    }

    /// Evaluates pairs in the order of their problems, so that the chains of one problem share states, and its rows are there for
    /// as short as can be.
    fn evaluate(
        &self,
        problems: &[&P],
        pairs: &[Pair],
        isolated: bool,
        mut done: impl FnMut(usize, Result<Evaluated<'_, P::Judge>, String>) -> Result<(), RunError>,
    ) -> Result<bool, RunError> {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|&at| pairs[at].problem);
        let sorted: Vec<Pair> = order.iter().map(|&at| pairs[at].clone()).collect();
        let batching = Batching {
            most: self.evaluations,
            isolated,
        };
        // What is shown are samples, not pairs.
        let mut unseen = Progress::quiet();
        let watched = (self.interrupt, &mut unseen);
        Evaluator::run(
            self.backend,
            problems,
            &sorted,
            batching,
            watched,
            |at, found| done(order[at], found),
        )
    }
}

/// Notes why a sample failed. Of several reasons one is kept that does not depend on their order.
pub fn keep_least(known: &mut Option<String>, error: String) {
    if known.as_ref().is_none_or(|known| error < *known) {
        *known = Some(error);
    }
}
