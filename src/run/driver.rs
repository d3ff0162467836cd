//! Drives a run: many samples in flight, and of each a few evaluations.

use std::{
    collections::{BTreeSet, VecDeque},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::{
    ControlSamples, Finished, Journal, Manifest, Progress, RunError, SampleCost, SampleRecord,
    course::{Course, LANES, Label, Next, Received},
    evaluation_log::{EvaluationLog, Kept, Logged},
    in_flight::asker_of,
    progress::TaskCount,
    searches::Searches,
    workload::Workload,
};
use crate::problem::{Prepared, Problem};
use cola_engine::{Backend, Completion, EngineError};
use cola_search::seed_for;

/// What to run.
pub struct RunPlan<P> {
    /// Everything the records depend on.
    pub manifest: Manifest,
    /// The samples, task by task.
    pub problems: Vec<P>,
    /// The searches.
    pub searches: Searches,
    /// Most samples in flight.
    pub in_flight: usize,
}

impl<P: Problem> RunPlan<P> {
    /// With controls on at most so many samples a task, or on all: random chains, and on samples the unmodified model gets
    /// wrong searches for wrong answers.
    #[must_use]
    pub fn with_controls(mut self, samples: impl Into<ControlSamples>) -> Self {
        self.manifest.controls.samples = samples.into();
        self
    }
}

/// How a run ended. Its records are in the run directory: [`Journal::read`] reads them, [`Journal::records`] one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOutcome {
    /// Samples that the run directory has a record of, those of earlier sessions included.
    pub recorded: usize,
    /// Of those, samples that failed.
    pub failed: usize,
    /// Whether it was interrupted: the same command continues it.
    pub interrupted: bool,
}

/// A run in progress.
pub struct Driver<'a, P: Problem> {
    backend: &'a dyn Backend,
    plan: &'a RunPlan<P>,
    controlled: BTreeSet<(String, String)>,
    /// The samples in flight; a completion's tag says whose it is.
    courses: Vec<Option<Course<P::Judge>>>,
    journal: Journal,
    log: EvaluationLog,
    /// What earlier sessions evaluated of samples that are not finished.
    kept: Kept,
    finished: Finished,
    session: u32,
    workload: Workload,
    started: Instant,
    reply: Sender<Completion>,
    completions: Receiver<Completion>,
}

impl<'a, P: Problem> Driver<'a, P> {
    /// Establishes the run directory and reads what is already there.
    ///
    /// # Errors
    /// A directory that cannot be written, holds something else, or a run of something else.
    pub fn new(
        backend: &'a dyn Backend,
        plan: &'a RunPlan<P>,
        directory: &Path,
    ) -> Result<Self, RunError> {
        plan.manifest.establish(directory)?;
        let (journal, finished) = Journal::open(directory)?;
        let (log, kept) = EvaluationLog::open(
            directory,
            &plan.manifest,
            &finished.samples,
            &finished.session_seconds,
        )?;
        let (reply, completions) = unbounded();
        let names = plan.problems.iter().map(|p| (p.task(), p.id()));
        Ok(Self {
            backend,
            plan,
            controlled: plan.manifest.controls.choose(names, plan.manifest.seed),
            courses: (0..plan.in_flight.max(1)).map(|_| None).collect(),
            journal,
            session: kept.next_session,
            workload: Workload::new(plan.searches.tries, [0, 0]),
            log,
            kept,
            finished,
            started: Instant::now(),
            reply,
            completions,
        })
    }

    /// Runs what is left, until done or `interrupt` is set.
    ///
    /// # Errors
    /// The journal cannot be written, or the device is lost.
    pub fn run(
        mut self,
        interrupt: &AtomicBool,
        progress: &mut Progress,
    ) -> Result<RunOutcome, RunError> {
        let done: BTreeSet<(&str, &str)> = self
            .finished
            .samples
            .iter()
            .map(|(task, id)| (task.as_str(), id.as_str()))
            .collect();
        let problems = self.plan.problems.iter();
        let mut waiting: VecDeque<&P> = problems
            .filter(|problem| !done.contains(&(problem.task(), problem.id())))
            .collect();
        progress.start_tasks(task_counts(&self.plan.problems, &waiting));
        progress.kept(self.kept.len());
        let is_controlled = |problem: &&&P| {
            let name = (problem.task().to_owned(), problem.id().to_owned());
            self.controlled.contains(&name)
        };
        let controlled = waiting.iter().filter(is_controlled).count();
        let samples = [waiting.len() - controlled, controlled];
        self.workload = Workload::new(self.plan.searches.tries, samples);
        progress.expect(self.left());
        progress.found(self.finished.luck);
        self.refill(&mut waiting, progress)?;
        while !self.is_idle() {
            if interrupt.load(Ordering::Relaxed) {
                break;
            }
            match self.completions.recv_timeout(Duration::from_millis(100)) {
                Ok(completion) => self.deliver(completion, progress)?,
                Err(RecvTimeoutError::Timeout) => progress.tick(),
                // `self.reply` is alive, so the channel cannot be disconnected.
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.refill(&mut waiting, progress)?;
            if self.log.is_sync_due() {
                self.sync()?;
            }
        }
        self.sync()?;
        let interrupted = !waiting.is_empty() || !self.is_idle();
        progress.finish(interrupted);
        if !interrupted {
            // The journal has all that it knew.
            self.log.remove()?;
        }
        Ok(RunOutcome {
            recorded: self.finished.samples.len(),
            failed: self.finished.failed,
            interrupted,
        })
    }

    fn sync(&mut self) -> Result<(), RunError> {
        self.log.sync()?;
        self.journal.sync()
    }

    /// Seconds of this session, and of what earlier ones worked after their last record.
    fn elapsed(&self) -> f64 {
        self.kept.unrecorded_seconds + self.started.elapsed().as_secs_f64()
    }

    /// Evaluations to come, as far as is known.
    fn left(&self) -> f64 {
        let in_flight = self.courses.iter().flatten();
        let known = in_flight.map(|course| (course.has_controls(), course.evaluations()));
        self.workload.left(known)
    }

    fn is_idle(&self) -> bool {
        self.courses.iter().all(Option::is_none)
    }

    /// Starts samples while there are free places.
    fn refill(
        &mut self,
        waiting: &mut VecDeque<&P>,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        for place in 0..self.courses.len() {
            while self.courses[place].is_none() {
                let Some(problem) = waiting.pop_front() else {
                    return Ok(());
                };
                self.start(place, problem, progress)?;
            }
        }
        Ok(())
    }

    /// Begins a sample; one that cannot be asked becomes a failed record at once.
    fn start(
        &mut self,
        place: usize,
        problem: &P,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let manifest = &self.plan.manifest;
        let (task, id) = (problem.task().to_owned(), problem.id().to_owned());
        let label = Label {
            seed: seed_for(manifest.seed, &task, &id),
            index: problem.index(),
            gold: problem.gold(),
            task,
            id,
        };
        let ready = problem.prepare().and_then(|prepared| {
            let Prepared {
                rows,
                decode,
                judge,
            } = prepared;
            let rows = self.backend.register_all(rows);
            Ok((rows.map_err(|error| error.to_string())?, decode, judge))
        });
        match ready {
            Ok((rows, decode, judge)) => {
                let controlled = (label.task.clone(), label.id.clone());
                self.courses[place] = Some(Course::new(
                    label,
                    judge,
                    (rows, decode),
                    manifest.layers,
                    self.plan.searches.clone(),
                    self.controlled.contains(&controlled),
                ));
                self.replay(place)?;
                self.proceed(place, progress)
            }
            Err(error) => {
                tracing::warn!(task = %label.task, id = %label.id, %error, "sample failed");
                let controlled = (label.task.clone(), label.id.clone());
                self.workload.skip(self.controlled.contains(&controlled));
                let record = self.unasked(label, error);
                self.write(record, progress)
            }
        }
    }

    /// Takes a sample to where earlier sessions left it.
    fn replay(&mut self, place: usize) -> Result<(), RunError> {
        let Some(course) = self.courses[place].as_mut() else {
            return Ok(());
        };
        let Label { task, id, .. } = course.label().clone();
        for logged in self.kept.take(&task, &id) {
            let ended = course.advance() == Next::Record;
            let replayed = match ended {
                true => Err(format!(
                    "chain {} beyond the end of the search",
                    logged.chain
                )),
                false => course.replay(logged, self.backend),
            };
            replayed.map_err(|reason| self.log.diverged((&task, &id), reason))?;
        }
        Ok(())
    }

    fn deliver(&mut self, completion: Completion, progress: &mut Progress) -> Result<(), RunError> {
        let (asker, row) = asker_of(completion.tag);
        let (place, lane) = (asker / LANES, asker % LANES);
        let Some(course) = self.courses.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        // Samples in flight are not to blame: they are left for the next session.
        if let Err(error @ (EngineError::Device(_) | EngineError::Stopped)) = completion.result {
            self.sync()?;
            return Err(error.into());
        }
        match course.receive(lane, row, completion.result) {
            Received::Waiting => return Ok(()),
            Received::Again | Received::Nothing => {}
            Received::Known(logged) => {
                let elapsed = self.elapsed();
                self.log.append(&Logged {
                    session: self.session,
                    elapsed,
                    ..*logged
                })?;
                progress.expect(self.left());
                progress.evaluated();
            }
        }
        self.proceed(place, progress)
    }

    /// Submits a course's next evaluations, or writes its record and frees its place.
    fn proceed(&mut self, place: usize, progress: &mut Progress) -> Result<(), RunError> {
        let Some(course) = self.courses[place].as_mut() else {
            return Ok(());
        };
        if course.advance() == Next::Submit {
            course.submit(self.backend, place * LANES, &self.reply);
            return Ok(());
        }
        let Some(course) = self.courses[place].take() else {
            return Ok(());
        };
        for row in course.rows() {
            self.backend.release(row);
        }
        let elapsed = self.elapsed();
        let (evaluations, controlled) = (course.evaluations(), course.has_controls());
        let record = course.into_record(&self.plan.manifest.model_hash, self.session, elapsed);
        let wrong = !record.baseline_correct();
        self.workload.finish(controlled, wrong, evaluations);
        progress.expect(self.left());
        self.write(record, progress)
    }

    fn write(&mut self, record: SampleRecord, progress: &mut Progress) -> Result<(), RunError> {
        self.journal.append(&record)?;
        if self.log.finish(&record.task, &record.id) {
            self.journal.sync()?;
            self.log.drop_finished()?;
        }
        let matched = record.controls.as_ref();
        if let Some(matched) = matched.and_then(|controls| controls.matched_target.as_ref()) {
            let fixed = record.label().is_some();
            self.finished.luck.add(fixed, matched.found.is_some());
            progress.found(self.finished.luck);
        }
        progress.recorded_in(&record.task, record.error.is_some());
        self.finished.failed += usize::from(record.error.is_some());
        self.finished.samples.insert((record.task, record.id));
        Ok(())
    }

    /// The record of a sample that never reached the model.
    fn unasked(&self, label: Label, error: String) -> SampleRecord {
        SampleRecord {
            task: label.task,
            id: label.id,
            index: label.index,
            layers: self.plan.manifest.layers,
            model_hash: self.plan.manifest.model_hash.clone(),
            prompt_hash: String::new(),
            gold: label.gold,
            seed: label.seed,
            max_degradation: self.plan.searches.max_degradation,
            prompt_loss: None,
            candidates: Vec::new(),
            baseline: None,
            best: None,
            unconfirmed: Vec::new(),
            pareto: Vec::new(),
            evaluations: Vec::new(),
            health: None,
            controls: None,
            sampling: Vec::new(),
            menu: Vec::new(),
            menu_error: None,
            certificate: None,
            cost: SampleCost::default(),
            error: Some(error),
            session: self.session,
            elapsed: self.elapsed(),
        }
    }
}

/// How many samples each task has, in order, and how many of them are not `waiting`.
fn task_counts<P: Problem>(problems: &[P], waiting: &VecDeque<&P>) -> Vec<TaskCount> {
    let mut counts: Vec<TaskCount> = Vec::new();
    let place = |counts: &mut Vec<TaskCount>, task: &str| {
        let known = counts.iter().position(|count| count.task == task);
        known.unwrap_or_else(|| {
            counts.push(TaskCount {
                task: task.to_owned(),
                samples: 0,
                done: 0,
            });
            counts.len() - 1
        })
    };
    for problem in problems {
        let at = place(&mut counts, problem.task());
        counts[at].samples += 1;
        counts[at].done += 1;
    }
    for problem in waiting {
        let at = place(&mut counts, problem.task());
        counts[at].done -= 1;
    }
    counts
}
