//! Runs what the menus of a run ask for.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::atomic::AtomicBool,
};

use super::{
    MenuPlan,
    file::{Found, MenuLine, NAME, hash},
    halves::LEAST_SAMPLES,
    menus::Menus,
};
use crate::{
    problem::Problem,
    run::{
        AtOnce, Evaluation, Journal, Pair, Progress, RunError, SampleRecord,
        fixed_chains::{FixedChains, Measured, keep_least},
        json_lines::JsonLines,
        searched::Searched,
    },
};
use cola_engine::Backend;
use cola_search::chain::Chain;

/// Chooses the menus of a run and tries them.
pub struct MenuStage<'a, P: Problem> {
    plan: MenuPlan,
    chains: FixedChains<'a, P>,
    records: &'a [SampleRecord],
    /// Of each record the index of its problem.
    problems: Vec<Option<usize>>,
    menus: Menus,
    file: JsonLines<MenuLine>,
}

/// What runs on each sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The pool of its own half.
    Choose,
    /// The menu that was chosen on the other half.
    Try,
}

/// A sample and what is known of the chains that run on it.
struct Pending<'a> {
    /// Index of its record.
    at: usize,
    record: &'a SampleRecord,
    step: Step,
    chains: Vec<Chain>,
    known: HashMap<Chain, Evaluation>,
    /// Evaluations that are not known.
    missing: usize,
    error: Option<String>,
}

impl<'a, P: Problem> MenuStage<'a, P> {
    /// Chooses and tries what `directory` does not hold yet, until done or interrupted. The directory is that of a search of
    /// `problems` that is finished. Returns whether it was interrupted.
    ///
    /// Its journal is read into memory, up to twice the file: what the search evaluated is not run again.
    ///
    /// # Errors
    /// The directory cannot be written or holds menus of something else, or the device is lost.
    pub fn run(
        backend: &dyn Backend,
        problems: &[P],
        plan: MenuPlan,
        directory: &Path,
        at_once: AtOnce,
        (interrupt, progress): (&AtomicBool, &Progress),
    ) -> Result<bool, RunError> {
        let mut records: Vec<SampleRecord> =
            Journal::records(directory)?.collect::<Result<_, _>>()?;
        let (file, lines) = JsonLines::<MenuLine>::open(directory, NAME)?;
        let mut menus = Menus::new(plan, &records);
        for line in &lines {
            menus.resume(directory, line, &mut records)?;
        }
        drop(lines);
        for (task, samples) in &menus.too_small {
            progress.say(format_args!(
                "no menu for {task}, nor over all tasks: a menu takes {LEAST_SAMPLES} samples that did not fail, and {task} \
                 has {samples}"
            ));
        }
        let searched = Searched::new(problems, &records);
        let by_name: BTreeMap<(&str, &str), usize> = (problems.iter().enumerate())
            .map(|(at, problem)| ((problem.task(), problem.id()), at))
            .collect();
        let problem = |record: &SampleRecord| by_name.get(&(&*record.task, &*record.id)).copied();
        let mut stage = MenuStage {
            plan,
            chains: FixedChains {
                backend,
                searched: &searched,
                evaluations: at_once.evaluations,
                interrupt,
            },
            problems: records.iter().map(problem).collect(),
            records: &records,
            menus,
            file,
        };
        let interrupted = stage.step(Step::Choose, at_once.samples, progress)?
            || stage.step(Step::Try, at_once.samples, progress)?;
        stage.file.sync()?;
        Ok(interrupted)
    }

    /// Runs a step on the samples that it is left to run on. Returns whether it was interrupted.
    fn step(&mut self, step: Step, at_once: usize, progress: &Progress) -> Result<bool, RunError> {
        let all: Vec<usize> = self.menus.samples().collect();
        let is_done = |at: &usize| match step {
            Step::Choose => self.menus.is_judged(*at),
            Step::Try => self.menus.is_tried(*at),
        };
        let left: Vec<usize> = all.iter().copied().filter(|at| !is_done(at)).collect();
        // A run that has chosen says only that it has tried.
        if all.is_empty() || (left.is_empty() && step == Step::Choose) {
            return Ok(false);
        }
        let mut progress = progress.part(match step {
            Step::Choose => "choosing",
            Step::Try => "trying",
        });
        progress.start(all.len(), all.len() - left.len());
        let mut interrupted = false;
        for group in left.chunks(at_once.max(1)) {
            interrupted = self.run_group(step, group, &mut progress)?;
            if interrupted {
                break;
            }
        }
        progress.finish(interrupted);
        Ok(interrupted)
    }

    /// Runs a step on a group of samples. Returns whether it was interrupted.
    fn run_group(
        &mut self,
        step: Step,
        group: &[usize],
        progress: &mut Progress,
    ) -> Result<bool, RunError> {
        let (mut pending, mut pairs, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        for &at in group {
            let chains = match step {
                Step::Choose => self.menus.pool(at),
                Step::Try => self.menus.menu(at),
            };
            let (Some(chains), Some(problem)) = (chains, self.problems[at]) else {
                continue;
            };
            let sample = Pending::new(at, &self.records[at], step, chains.to_vec());
            for chain in sample.unknown() {
                let chain = chain.clone();
                pairs.push(Pair { problem, chain });
                asked.push(pending.len());
            }
            pending.push(sample);
        }
        let Self {
            plan,
            chains,
            menus,
            file,
            ..
        } = self;
        let mut write_if_known = |sample: &Pending, progress: &mut Progress| {
            if sample.missing > 0 {
                return Ok(());
            }
            let line = sample.line(*plan);
            if let Some(error) = &line.error {
                tracing::warn!(task = %line.task, id = %line.id, %error, ?step, "menu");
            }
            file.append(&line)?;
            progress.recorded(line.error.is_some());
            menus.learn(sample.at, &line.found);
            Ok(())
        };
        for sample in &pending {
            write_if_known(sample, progress)?;
        }
        chains.run(&[], &pairs, progress, |at, measured, progress| {
            let sample = &mut pending[asked[at]];
            sample.learn(&pairs[at].chain, measured);
            write_if_known(sample, progress)
        })
    }
}

impl<'a> Pending<'a> {
    /// Begins with what the record says of the chains.
    fn new(at: usize, record: &'a SampleRecord, step: Step, chains: Vec<Chain>) -> Self {
        let recorded = |chain: &Chain| match chain.is_identity(record.layers) {
            true => record.baseline.as_ref(),
            false => record.evaluation_of(chain),
        };
        let known: HashMap<Chain, Evaluation> = chains
            .iter()
            .filter_map(|chain| Some((chain.clone(), recorded(chain)?.clone())))
            .collect();
        Self {
            at,
            record,
            step,
            missing: chains.len() - known.len(),
            chains,
            known,
            error: None,
        }
    }

    fn unknown(&self) -> impl Iterator<Item = &Chain> {
        self.chains
            .iter()
            .filter(|&chain| !self.known.contains_key(chain))
    }

    /// Takes in what came of a chain.
    fn learn(&mut self, chain: &Chain, measured: Result<Measured, String>) {
        self.missing = self.missing.saturating_sub(1);
        match measured {
            Err(error) => keep_least(&mut self.error, error),
            Ok(Measured {
                verdict,
                loss,
                fluency,
            }) => {
                let evaluation = Evaluation::new(chain.clone(), verdict, fluency.degradation(loss));
                self.known.insert(chain.clone(), evaluation);
            }
        }
    }

    /// Whether a chain counts as right.
    fn is_right(&self, chain: &Chain) -> bool {
        let evaluation = self.known.get(chain);
        evaluation.is_some_and(|e| e.correct && self.record.is_fluent(e))
            && !self.record.unconfirmed.contains(chain)
    }

    /// The line to write.
    fn line(&self, plan: MenuPlan) -> MenuLine {
        // A sample of which something is not known neither chooses nor has a menu.
        let chains = match self.error {
            None => &*self.chains,
            Some(_) => &[],
        };
        let found = match self.step {
            Step::Choose => Found::Pool {
                pool: hash(&self.chains),
                right: (chains.iter().filter(|chain| self.is_right(chain)).cloned()).collect(),
            },
            Step::Try => Found::Menu {
                menu: hash(&self.chains),
                evaluations: (chains.iter())
                    .filter_map(|chain| self.known.get(chain).cloned())
                    .collect(),
            },
        };
        MenuLine {
            task: self.record.task.clone(),
            id: self.record.id.clone(),
            seed: plan.seed,
            max_degradation: self.record.max_degradation,
            tries: plan.tries,
            found,
            error: self.error.clone(),
        }
    }
}
