//! From a split to the best chain of every depth.

use std::collections::BTreeMap;

use super::{
    Baseline, Block, Fit, Fitted, Objective, Origin, Scores, Split,
    candidates::Candidates,
    front::differences,
    moves::{Way, moved_of},
    race::{FINALISTS, Race, Raced, evaluations},
    table::{Evaluate, Table},
};
use crate::{analysis::Mean, run::RunError};
use cola_search::chain::{Alpha, Chain};

/// What to fit.
#[derive(Debug, Clone)]
pub struct FitPlan {
    /// Layers of the model.
    pub layers: usize,
    /// Depths of the chains; the model's own is none of them.
    pub depths: Vec<usize>,
    /// Samples to choose on, and others to report on.
    pub split: Split,
    /// What chains are chosen by.
    pub objective: Objective,
    /// Most accuracy that the shortest chain may lose, by [`Objective::Depth`].
    pub max_drop: f64,
    /// Layer steps to spend on training samples; `None` for no bound.
    pub budget_steps: Option<u64>,
    /// The alpha of damped repeats; `None` to try none.
    pub damping: Option<Alpha>,
    /// Seed of the random baseline.
    pub seed: u64,
}

/// A fit in progress.
pub struct Fitter<'a> {
    plan: &'a FitPlan,
    table: Table<'a>,
    unmodified: Chain,
    influence: Vec<f64>,
    /// By how much each layer, skipped or doubled alone, is better than none.
    worth: BTreeMap<Way, BTreeMap<usize, f64>>,
    blocks: Vec<Block>,
    /// Depths whose training is to come, and those whose held-out samples are.
    left: (usize, usize),
    /// Told of the evaluations that are still to come, and when a depth is done.
    tell: Box<dyn FnMut(f64, bool) + 'a>,
}

/// The best chain of a depth before it is reported on.
struct Best {
    depth: usize,
    chain: Chain,
    origin: Origin,
    tried: usize,
}

impl<'a> Fitter<'a> {
    /// Knows nothing yet. `tell` is told now and then how many evaluations are still to come, and whether a depth is done.
    pub fn new(
        plan: &'a FitPlan,
        evaluate: &'a mut dyn Evaluate,
        tell: impl FnMut(f64, bool) + 'a,
    ) -> Self {
        Self {
            plan,
            table: Table::new(evaluate),
            unmodified: Chain::identity(plan.layers),
            influence: Vec::new(),
            worth: BTreeMap::new(),
            blocks: Vec::new(),
            left: (plan.depths.len(), plan.depths.len()),
            tell: Box::new(tell),
        }
    }

    /// Fits. `None` where it was interrupted.
    ///
    /// # Errors
    /// As [`Evaluate::evaluate`], and a margin to choose by that no training sample has.
    pub fn run(mut self) -> Result<Option<Fit>, RunError> {
        let training = &self.plan.split.training;
        self.tell(false);
        if self
            .table
            .require(std::slice::from_ref(&self.unmodified), training)?
        {
            return Ok(None);
        }
        let points = self.table.of(&self.unmodified, training);
        let has_margin = points.iter().any(|point| point.margin.is_some());
        if self.plan.objective == Objective::Margin && !has_margin {
            return Err(RunError::NoMargin);
        }
        self.influence = self.mean_influence();
        let (below, above): (Vec<usize>, Vec<usize>) =
            (self.plan.depths.iter()).partition(|&&depth| depth < self.plan.layers);
        let mut best = Vec::new();
        for depths in [below.into_iter().rev().collect(), above] {
            let mut parents = vec![self.unmodified.clone()];
            for depth in depths {
                let Some((found, ranking)) = self.fit(depth, &parents)? else {
                    return Ok(None);
                };
                best.push(found);
                parents = ranking;
            }
        }
        best.sort_by_key(|best| best.depth);
        let chosen = self.choose(&best);
        let (tried, steps) = (self.table.chains(), self.table.steps());
        let budget_spent = steps >= self.budget();
        let mut front = Vec::new();
        for best in best {
            let Some(fitted) = self.report(best)? else {
                return Ok(None);
            };
            front.push(fitted);
        }
        let held_out = &self.plan.split.held_out;
        let unmodified = self.table.of(&self.unmodified, held_out);
        Ok(Some(Fit {
            layers: self.plan.layers,
            objective: self.plan.objective,
            training: training.len(),
            held_out: held_out.len(),
            tried,
            steps,
            budget_spent,
            unmodified: Scores::of(&unmodified, &unmodified),
            front,
            chosen,
            blocks: self.blocks,
            influence: self.influence,
        }))
    }

    fn budget(&self) -> u64 {
        self.plan.budget_steps.unwrap_or(u64::MAX)
    }

    fn mean_influence(&self) -> Vec<f64> {
        let training = &self.plan.split.training;
        let points = self.table.of(&self.unmodified, training);
        let known: Vec<&Vec<f64>> = points.iter().filter_map(|p| p.influence.as_ref()).collect();
        let mean = |layer: usize| {
            let all = known.iter().filter_map(|influence| influence.get(layer));
            all.sum::<f64>() / known.len() as f64
        };
        match known.is_empty() {
            true => Vec::new(),
            false => (0..self.plan.layers).map(mean).collect(),
        }
    }

    /// The best chain of a depth, and the ranking that it leads.
    fn fit(
        &mut self,
        depth: usize,
        parents: &[Chain],
    ) -> Result<Option<(Best, Vec<Chain>)>, RunError> {
        self.tell(false);
        let plan = self.plan;
        let influence = self.influence.clone();
        let candidates = Candidates {
            layers: plan.layers,
            depth,
            influence: &influence,
            damping: plan.damping,
            seed: plan.seed,
        };
        let race = Race {
            samples: &plan.split.training,
            objective: plan.objective,
            budget: self.budget(),
        };
        let way = candidates.way();
        let worth = self.worth.entry(way).or_default().clone();
        let first = candidates.first(parents, &worth);
        let chains: Vec<Chain> = first.keys().cloned().collect();
        let mut tried = chains.len();
        let Some(raced) = race.run(&mut self.table, chains)? else {
            return Ok(None);
        };
        self.learn(&candidates, &raced);
        let mut ranking = raced.ranking;
        if self.table.steps() < self.budget() {
            let worth = self.worth.entry(way).or_default().clone();
            let second = candidates.second(&ranking, &worth);
            tried += second
                .iter()
                .filter(|chain| !first.contains_key(chain))
                .count();
            let Some(again) = race.run(&mut self.table, second)? else {
                return Ok(None);
            };
            // The finalists ran on all samples: none of them is lost to a race that began with few.
            ranking.extend(again.ranking);
            ranking.sort();
            ranking.dedup();
            let mean = |chain: &Chain| self.table.mean(chain, &plan.split.training, plan.objective);
            ranking.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
            ranking.truncate(FINALISTS);
        }
        self.left.0 -= 1;
        let chain = ranking[0].clone();
        let origin = match first.get(&chain) {
            Some(&origin) => origin,
            None if chain.is_damped() => Origin::Damped,
            None => Origin::Exchanged,
        };
        let best = Best {
            depth,
            chain,
            origin,
            tried,
        };
        Ok(Some((best, ranking)))
    }

    /// Keeps what blocks are worth, and from single layers what to grow chains by.
    fn learn(&mut self, candidates: &Candidates<'_>, raced: &Raced) {
        let plan = self.plan;
        let (way, size) = (candidates.way(), candidates.depth.abs_diff(plan.layers));
        for (first, chain) in candidates.blocks() {
            let Some(&(mean, samples)) = raced.means.get(&chain) else {
                continue;
            };
            let same = &plan.split.training[..samples];
            let gain = mean - self.table.mean(&self.unmodified, same, plan.objective);
            self.blocks.push(Block {
                first,
                last: first + size - 1,
                twice: way == Way::Double,
                samples,
                gain,
            });
        }
        // From chains of several layers more each gets an even share.
        let worth = self.worth.entry(way).or_default();
        for (chain, &(mean, samples)) in &raced.means {
            let Some(moved) = moved_of(plan.layers, way, chain).filter(|moved| moved.len() == size)
            else {
                continue;
            };
            let same = &plan.split.training[..samples];
            let gain = mean - self.table.mean(&self.unmodified, same, plan.objective);
            for &layer in &moved {
                let known = worth.entry(layer).or_insert(f64::NEG_INFINITY);
                *known = known.max(gain / size as f64);
            }
        }
    }

    /// The chain that the objective chooses on the training samples.
    fn choose(&self, best: &[Best]) -> Chain {
        let training = &self.plan.split.training;
        let objective = self.plan.objective;
        let mean = |chain: &Chain| self.table.mean(chain, training, objective);
        let unmodified = mean(&self.unmodified);
        if objective == Objective::Depth {
            let holds = |best: &&Best| unmodified - mean(&best.chain) <= self.plan.max_drop;
            let shortest = best.iter().filter(holds).min_by_key(|best| best.depth);
            let shorter = shortest.filter(|best| best.depth < self.plan.layers);
            return shorter.map_or(&self.unmodified, |best| &best.chain).clone();
        }
        let mut chosen = (unmodified, &self.unmodified);
        for best in best {
            let mean = mean(&best.chain);
            if mean > chosen.0 {
                chosen = (mean, &best.chain);
            }
        }
        chosen.1.clone()
    }

    /// Runs the best chain of a depth and the baselines on the held-out samples.
    fn report(&mut self, best: Best) -> Result<Option<Fitted>, RunError> {
        self.tell(false);
        let plan = self.plan;
        let candidates = Candidates {
            layers: plan.layers,
            depth: best.depth,
            influence: &self.influence,
            damping: None,
            seed: plan.seed,
        };
        let baselines = candidates.baselines();
        let mut chains = vec![self.unmodified.clone(), best.chain.clone()];
        for (_, chain) in &baselines {
            if !chains.contains(chain) {
                chains.push(chain.clone());
            }
        }
        let (training, held_out) = (&plan.split.training, &plan.split.held_out);
        let only = std::slice::from_ref(&best.chain);
        if self.table.require(&chains, held_out)? || self.table.require(only, training)? {
            return Ok(None);
        }
        let unmodified = self.table.of(&self.unmodified, held_out);
        let points = self.table.of(&best.chain, held_out);
        let baselines = baselines.into_iter().map(|(origin, chain)| {
            let other = self.table.of(&chain, held_out);
            let pairs = || points.iter().zip(&other);
            let ahead = |right: bool| f64::from(u8::from(right));
            let accuracy: Vec<f64> = pairs()
                .map(|(a, b)| ahead(a.correct) - ahead(b.correct))
                .collect();
            Baseline {
                origin,
                held_out: Scores::of(&other, &unmodified),
                fitted_ahead: Mean::of(&differences(pairs(), |point| point.margin)),
                fitted_ahead_accuracy: Mean::of_differences(&accuracy),
                chain,
            }
        });
        let fitted = Fitted {
            depth: best.depth,
            origin: best.origin,
            tried: best.tried,
            training: Scores::of(
                &self.table.of(&best.chain, training),
                &self.table.of(&self.unmodified, training),
            ),
            held_out: Scores::of(&points, &unmodified),
            baselines: baselines.collect(),
            chain: best.chain,
        };
        self.left.1 -= 1;
        self.tell(true);
        Ok(Some(fitted))
    }

    /// Tells how much is to come, as if no race were cut short.
    fn tell(&mut self, depth_done: bool) {
        let (training, held_out) = (
            self.plan.split.training.len(),
            self.plan.split.held_out.len(),
        );
        // About as many candidates as there are blocks and grown chains, and the exchanged ones.
        let race =
            evaluations(2 * self.plan.layers, training) + evaluations(self.plan.layers, training);
        let races = self.left.0 * race;
        let reports = self.left.1 * 6 * held_out;
        (self.tell)((races + reports) as f64, depth_done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fit::Point, run::Pair};

    const LAYERS: usize = 8;

    /// Every layer that is skipped or doubled changes the margin by its own amount, two neighbours by more, and every sample by
    /// noise of its own.
    struct World {
        run: usize,
        stop_after: usize,
    }

    fn margin(chain: &Chain, sample: usize) -> f64 {
        let skipped = [-3.0, -0.4, -1.0, 0.3, -0.2, -0.6, -0.5, -4.0];
        let doubled = [-2.0, -0.1, 0.2, 0.4, -0.3, 0.1, -0.6, -1.0];
        let uses = chain.uses(LAYERS);
        let mut margin = (sample * 7919 % 101) as f64 / 50.0;
        for layer in 0..LAYERS {
            let noise = ((sample * 31 + layer * 17) % 23) as f64 / 230.0;
            margin += match uses[layer] {
                0 => skipped[layer] + noise,
                1 => 0.0,
                more => f64::from(more - 1) * (doubled[layer] - noise),
            };
            if layer > 0 && uses[layer] == 0 && uses[layer - 1] == 0 {
                margin -= 0.7;
            }
        }
        margin
    }

    impl Evaluate for World {
        fn evaluate(
            &mut self,
            pairs: &[Pair],
            done: &mut dyn FnMut(usize, Point),
        ) -> Result<bool, RunError> {
            for (at, pair) in pairs.iter().enumerate() {
                if self.run == self.stop_after {
                    return Ok(true);
                }
                self.run += 1;
                let margin = margin(&pair.chain, pair.problem);
                done(
                    at,
                    Point {
                        correct: margin > 0.0,
                        margin: Some(margin),
                        loss: Some(2.0 - margin / 10.0),
                        influence: Some((0..LAYERS).map(|layer| layer as f64).collect()),
                        error: None,
                    },
                );
            }
            Ok(false)
        }
    }

    fn plan(objective: Objective) -> FitPlan {
        FitPlan {
            layers: LAYERS,
            depths: vec![5, 6, 7, 9, 10],
            split: Split {
                training: (0..100).collect(),
                held_out: (100..160).collect(),
            },
            objective,
            max_drop: 0.1,
            budget_steps: None,
            damping: None,
            seed: 0,
        }
    }

    fn fitted(plan: &FitPlan) -> Fit {
        let mut world = World {
            run: 0,
            stop_after: usize::MAX,
        };
        let fit = Fitter::new(plan, &mut world, |_, _| {}).run();
        fit.unwrap().unwrap()
    }

    /// The best of all chains that skip, or double, so many layers, on the training samples.
    fn best_of_all(way: Way, count: usize) -> Chain {
        let mut all: Vec<Vec<usize>> = vec![Vec::new()];
        for _ in 0..count {
            let longer = all.iter().flat_map(|moved| {
                let least = moved
                    .last()
                    .map_or(0, |&last| last + usize::from(way == Way::Skip));
                (least..LAYERS).map(move |layer| [&moved[..], &[layer]].concat())
            });
            all = longer.collect();
        }
        let chains = all
            .iter()
            .map(|moved| super::super::moves::chain_of(LAYERS, way, moved));
        let mean = |chain: &Chain| (0..100).map(|sample| margin(chain, sample)).sum::<f64>();
        chains.max_by(|a, b| mean(a).total_cmp(&mean(b))).unwrap()
    }

    #[test]
    fn the_front_is_the_best_of_all_chains_of_every_depth() {
        let fit = fitted(&plan(Objective::Margin));
        let depths: Vec<usize> = fit.front.iter().map(|fitted| fitted.depth).collect();
        assert_eq!(depths, [5, 6, 7, 9, 10]);
        for fitted in &fit.front {
            let (way, count) = match fitted.depth < LAYERS {
                true => (Way::Skip, LAYERS - fitted.depth),
                false => (Way::Double, fitted.depth - LAYERS),
            };
            assert_eq!(
                fitted.chain,
                best_of_all(way, count),
                "depth {}",
                fitted.depth
            );
            assert_eq!(
                (fitted.training.samples, fitted.held_out.samples),
                (100, 60)
            );
            for baseline in &fitted.baselines {
                let ahead = baseline.fitted_ahead.unwrap();
                let means = [&fitted.held_out, &baseline.held_out].map(|s| s.margin.unwrap().value);
                assert!((ahead.value - (means[0] - means[1])).abs() < 1e-9);
                assert_eq!(baseline.chain.len(), fitted.depth);
            }
        }
        assert_eq!(
            fit.influence,
            (0..LAYERS).map(|layer| layer as f64).collect::<Vec<_>>()
        );
        assert_eq!(fit.unmodified.margin_gain.unwrap().value, 0.0);
        // Running layer 3 three times gains more than anything else.
        assert_eq!(fit.chosen, fit.front[4].chain);
        // Every block of the depths below and above: 8 + 7 + 6 skipped, 8 + 7 twice.
        assert_eq!(fit.blocks.len(), 36);
    }

    #[test]
    fn the_shortest_chain_is_chosen_that_loses_little_enough() {
        let mut plan = plan(Objective::Depth);
        let unmodified = fitted(&plan).chosen;
        plan.max_drop = 1.0;
        assert_eq!(fitted(&plan).chosen.len(), 5);
        plan.max_drop = 0.0;
        assert!(fitted(&plan).chosen.len() >= unmodified.len());
    }

    #[test]
    fn a_budget_ends_the_races_and_is_said() {
        let mut plan = plan(Objective::Margin);
        let whole = fitted(&plan);
        assert!(!whole.budget_spent);
        plan.budget_steps = Some(whole.steps / 4);
        let part = fitted(&plan);
        assert!(part.budget_spent && part.steps < whole.steps && part.tried < whole.tried);
        assert_eq!(part.front.len(), 5);
        assert!(
            part.front
                .iter()
                .all(|fitted| fitted.training.samples == 100)
        );
    }

    #[test]
    fn an_interrupted_fit_is_none() {
        let plan = plan(Objective::Margin);
        for stop_after in [0, 150, 1000] {
            let mut world = World { run: 0, stop_after };
            assert!(
                Fitter::new(&plan, &mut world, |_, _| {})
                    .run()
                    .unwrap()
                    .is_none()
            );
        }
    }
}
