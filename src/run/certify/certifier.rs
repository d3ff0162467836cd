//! Runs what the certificates of a run ask for.

use std::{collections::BTreeSet, path::Path, sync::atomic::AtomicBool};

use super::{
    file::{CertificateLine, NAME, attach_lines},
    group::{Group, Question, Searched},
    pending::{Answer, Pending},
};
use crate::{
    problem::{Judge, Problem},
    run::{
        Batching, Evaluated, Evaluator, Pair, Progress, RunError, RunOutcome, SampleRecord,
        fluency::Fluency, json_lines::JsonLines,
    },
};
use cola_engine::Backend;

/// How much runs at once.
#[derive(Debug, Clone, Copy)]
pub struct AtOnce {
    /// Samples of a group.
    pub samples: usize,
    /// Evaluations in flight.
    pub evaluations: usize,
}

/// Certifies the best chains of a run.
pub struct Certifier<'a, P: Problem> {
    backend: &'a dyn Backend,
    searched: &'a Searched<'a, P>,
    file: JsonLines<CertificateLine>,
    lines: Vec<CertificateLine>,
    evaluations: usize,
    interrupt: &'a AtomicBool,
}

/// A question whose degradation another batch could put on the other side of the bound.
struct NearBound {
    question: usize,
    /// What the chains of its problem are measured by.
    fluency: Fluency,
}

/// Whether a chain was right, and its loss on the prompt; or why that is not known.
type Measured = Result<(bool, Option<f64>), String>;

impl<'a, P: Problem> Certifier<'a, P> {
    /// Certifies what `directory` does not certify yet, until done or interrupted. `records` are those of a search of
    /// `problems` that is finished; they are returned with their certificates.
    ///
    /// # Errors
    /// The directory cannot be written or certifies something else, or the device is lost.
    pub fn run(
        backend: &dyn Backend,
        problems: &[P],
        mut records: Vec<SampleRecord>,
        directory: &Path,
        at_once: AtOnce,
        (interrupt, progress): (&AtomicBool, &mut Progress),
    ) -> Result<RunOutcome, RunError> {
        let (file, done) = JsonLines::<CertificateLine>::open(directory, NAME)?;
        attach_lines(directory, &done, &mut records)?;
        let searched = Searched::new(problems, &records);
        let labels: Vec<usize> = searched.labels().collect();
        let done: BTreeSet<(&str, &str)> = done.iter().map(|l| (&*l.task, &*l.id)).collect();
        let is_left = |at: &usize| !done.contains(&(problems[*at].task(), problems[*at].id()));
        let left: Vec<usize> = labels.iter().copied().filter(is_left).collect();
        progress.start(labels.len(), labels.len() - left.len());
        let mut run = Certifier {
            backend,
            searched: &searched,
            file,
            lines: Vec::new(),
            evaluations: at_once.evaluations,
            interrupt,
        };
        let mut interrupted = false;
        for group in left.chunks(at_once.samples.max(1)) {
            interrupted = run.certify(searched.group(group), progress)?;
            if interrupted {
                break;
            }
        }
        run.file.sync()?;
        progress.finish(interrupted);
        let lines = run.lines;
        attach_lines(directory, &lines, &mut records)?;
        Ok(RunOutcome {
            records,
            interrupted,
        })
    }

    /// Certifies a group of samples. Returns whether it was interrupted.
    fn certify(&mut self, group: Group<P>, progress: &mut Progress) -> Result<bool, RunError> {
        let Group {
            mut pending,
            rotated,
            questions,
        } = group;
        for sample in &pending {
            self.write_if_known(sample, progress)?;
        }
        let problems: Vec<&P> = self.searched.problems.iter().chain(&rotated).collect();
        let pairs: Vec<Pair> = questions.iter().map(|q| q.pair.clone()).collect();
        let mut near = Vec::new();
        let interrupted = self.evaluate(&problems, &pairs, false, |run, at, evaluated| {
            let Question { pair, sample, part } = &questions[at];
            progress.evaluated();
            match evaluated {
                Err(error) => pending[*sample].fail(error),
                Ok(evaluated) => {
                    let near_tie_nats = evaluated.judge.near_tie_nats();
                    let fluency = run.searched.fluency(pair.problem, near_tie_nats);
                    if fluency.is_near_bound(evaluated.prompt_loss) {
                        let question = at;
                        near.push(NearBound { question, fluency });
                        return Ok(());
                    }
                    let measured = (evaluated.verdict.correct, evaluated.prompt_loss);
                    pending[*sample].learn(*part, Answer::measured(&fluency, measured));
                }
            }
            run.write_if_known(&pending[*sample], progress)
        })?;
        if interrupted || near.is_empty() {
            return Ok(interrupted);
        }
        let near_pairs: Vec<Pair> = near.iter().map(|n| pairs[n.question].clone()).collect();
        let Some(measured) = self.measure_isolated(&problems, near_pairs, progress)? else {
            return Ok(true);
        };
        for (NearBound { question, fluency }, (unmodified, chain)) in near.into_iter().zip(measured)
        {
            let Question { sample, part, .. } = &questions[question];
            match (unmodified, chain) {
                (Ok((_, loss)), Ok(measured)) => {
                    let unmodified_isolated = loss;
                    let fluency = Fluency {
                        unmodified_isolated,
                        ..fluency
                    };
                    pending[*sample].learn(*part, Answer::measured(&fluency, measured));
                }
                (Err(error), _) | (_, Err(error)) => pending[*sample].fail(error),
            }
            self.write_if_known(&pending[*sample], progress)?;
        }
        Ok(false)
    }

    /// Runs pairs isolated, and the unmodified model on their problems too: as in the search, a chain near the bound is compared
    /// with that. Returns both of each pair; `None` where it was interrupted.
    fn measure_isolated(
        &mut self,
        problems: &[&P],
        pairs: Vec<Pair>,
        progress: &mut Progress,
    ) -> Result<Option<Vec<(Measured, Measured)>>, RunError> {
        let unmodified: BTreeSet<usize> = pairs.iter().map(|pair| pair.problem).collect();
        let unmodified: Vec<usize> = unmodified.into_iter().collect();
        let place = |pair: &Pair| unmodified.partition_point(|&problem| problem < pair.problem);
        let places: Vec<usize> = pairs.iter().map(place).collect();
        let models = unmodified.iter().map(|&at| self.searched.unmodified(at));
        let all: Vec<Pair> = models.chain(pairs).collect();
        // What is not run after all is not read: then it was interrupted.
        let mut measured: Vec<Measured> = vec![Err("not run".to_owned()); all.len()];
        let interrupted = self.evaluate(problems, &all, true, |_, at, evaluated| {
            progress.evaluated();
            measured[at] = evaluated.map(|found| (found.verdict.correct, found.prompt_loss));
            Ok(())
        })?;
        let chains = measured.split_off(unmodified.len());
        let models = places.into_iter().map(|at| measured[at].clone());
        Ok((!interrupted).then(|| models.zip(chains).collect()))
    }

    /// Evaluates pairs in the order of their problems, so that the chains of one problem share states, and its rows are there for
    /// as short as can be.
    fn evaluate(
        &mut self,
        problems: &[&P],
        pairs: &[Pair],
        isolated: bool,
        mut done: impl FnMut(
            &mut Self,
            usize,
            Result<Evaluated<'_, P::Judge>, String>,
        ) -> Result<(), RunError>,
    ) -> Result<bool, RunError> {
        let mut order: Vec<usize> = (0..pairs.len()).collect();
        order.sort_by_key(|&at| pairs[at].problem);
        let sorted: Vec<Pair> = order.iter().map(|&at| pairs[at].clone()).collect();
        let batching = Batching {
            most: self.evaluations,
            isolated,
        };
        let (backend, interrupt) = (self.backend, self.interrupt);
        // What is shown are samples, not pairs.
        let mut unseen = Progress::quiet();
        let watched = (interrupt, &mut unseen);
        Evaluator::run(
            backend,
            problems,
            &sorted,
            batching,
            watched,
            |at, found| done(self, order[at], found),
        )
    }

    /// Writes the line of a sample of which everything is known.
    fn write_if_known(
        &mut self,
        pending: &Pending,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let Some(line) = pending.line() else {
            return Ok(());
        };
        if let Some(error) = &line.error {
            tracing::warn!(task = %line.task, id = %line.id, %error, "not certified");
        }
        self.file.append(&line)?;
        progress.recorded(line.error.is_some());
        self.lines.push(line);
        Ok(())
    }
}
