//! Drives a run: many samples in flight, one evaluation of each outstanding.

use std::{
    collections::{BTreeSet, VecDeque},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use super::{
    ControlPlan, Course, Journal, Manifest, Progress, RunError, SampleCost, SampleRecord,
    course::{Next, Searches},
    gather::{tag, untag},
};
use crate::prepare::PromptLayout;
use cola_engine::{Completion, Engine, EngineError};
use cola_search::seed_for;
use lm_tasks::Sample;

/// What to run.
#[derive(Debug)]
pub struct RunPlan {
    /// Everything the records depend on.
    pub manifest: Manifest,
    /// The samples, task by task.
    pub samples: Vec<Sample>,
    /// How they are put to the model.
    pub asking: PromptLayout,
    /// The searches.
    pub searches: Searches,
    /// Most samples in flight.
    pub in_flight: usize,
}

/// How a run ended.
#[derive(Debug)]
pub struct RunOutcome {
    /// All records of the run directory, this session's last.
    pub records: Vec<SampleRecord>,
    /// Whether it was interrupted: the same command continues it.
    pub interrupted: bool,
}

/// A run in progress.
pub struct Driver<'a> {
    engine: &'a Engine,
    plan: &'a RunPlan,
    controlled: BTreeSet<(String, String)>,
    courses: Vec<Option<Course>>,
    journal: Journal,
    records: Vec<SampleRecord>,
    session: u32,
    started: Instant,
    reply: Sender<Completion>,
    completions: Receiver<Completion>,
}

impl<'a> Driver<'a> {
    /// Establishes the run directory and reads what is already there.
    pub fn new(engine: &'a Engine, plan: &'a RunPlan, directory: &Path) -> Result<Self, RunError> {
        plan.manifest.establish(directory)?;
        let (journal, records) = Journal::open(directory)?;
        let (reply, completions) = unbounded();
        let controls: ControlPlan = plan.manifest.controls;
        Ok(Self {
            engine,
            plan,
            controlled: controls.choose(plan.samples.iter(), plan.manifest.seed),
            courses: (0..plan.in_flight.max(1)).map(|_| None).collect(),
            journal,
            session: records.iter().map(|r| r.session + 1).max().unwrap_or(0),
            records,
            started: Instant::now(),
            reply,
            completions,
        })
    }

    /// Runs what is left, until done or `interrupt` is set.
    pub fn run(
        mut self,
        interrupt: &AtomicBool,
        progress: &mut Progress,
    ) -> Result<RunOutcome, RunError> {
        let done: BTreeSet<(&str, &str)> = self
            .records
            .iter()
            .map(|r| (r.task.as_str(), r.id.as_str()))
            .collect();
        let is_left = |s: &&Sample| !done.contains(&(s.task.name.as_str(), s.id.as_str()));
        let mut waiting: VecDeque<Sample> =
            self.plan.samples.iter().filter(is_left).cloned().collect();
        progress.start(
            self.plan.samples.len(),
            self.plan.samples.len() - waiting.len(),
        );
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
        }
        self.journal.sync()?;
        let interrupted = !waiting.is_empty() || !self.is_idle();
        progress.finish(interrupted);
        Ok(RunOutcome {
            records: self.records,
            interrupted,
        })
    }

    fn is_idle(&self) -> bool {
        self.courses.iter().all(Option::is_none)
    }

    /// Starts samples while there are free places.
    fn refill(
        &mut self,
        waiting: &mut VecDeque<Sample>,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        for place in 0..self.courses.len() {
            while self.courses[place].is_none() {
                let Some(sample) = waiting.pop_front() else {
                    return Ok(());
                };
                self.start(place, sample, progress)?;
            }
        }
        Ok(())
    }

    /// Begins a sample; one that cannot be asked becomes a failed record at once.
    fn start(
        &mut self,
        place: usize,
        sample: Sample,
        progress: &mut Progress,
    ) -> Result<(), RunError> {
        let manifest = &self.plan.manifest;
        let seed = seed_for(manifest.seed, &sample.task.name, &sample.id);
        let key = (sample.task.name.clone(), sample.id.clone());
        let failed = sample.clone();
        let ready = match self.plan.asking.prepare(sample) {
            Err(error) => Err(error.to_string()),
            Ok((probe, rows)) => match self.engine.register_all(rows) {
                Err(error) => Err(error.to_string()),
                Ok(rows) => Ok((probe, rows)),
            },
        };
        match ready {
            Ok((probe, rows)) => {
                let searches = self.plan.searches.clone();
                let controlled = self.controlled.contains(&key);
                self.courses[place] = Some(Course::new(
                    probe,
                    rows,
                    manifest.layers,
                    seed,
                    searches,
                    controlled,
                ));
                self.proceed(place, progress)
            }
            Err(error) => {
                tracing::warn!(task = %key.0, id = %key.1, %error, "sample failed");
                let record = self.unasked(&failed, seed, error);
                self.write(record, progress)
            }
        }
    }

    fn deliver(&mut self, completion: Completion, progress: &mut Progress) -> Result<(), RunError> {
        let (place, row) = untag(completion.tag);
        let Some(course) = self.courses.get_mut(place).and_then(Option::as_mut) else {
            return Ok(());
        };
        // Samples in flight are not to blame: they are left for the next session.
        if let Err(error @ (EngineError::Device(_) | EngineError::Stopped)) = completion.result {
            self.journal.sync()?;
            return Err(error.into());
        }
        if !course.receive(row, completion.result) {
            return Ok(());
        }
        progress.evaluated();
        self.proceed(place, progress)
    }

    /// Submits a course's next evaluation, or writes its record and frees its place.
    fn proceed(&mut self, place: usize, progress: &mut Progress) -> Result<(), RunError> {
        let Some(course) = self.courses[place].as_mut() else {
            return Ok(());
        };
        if let Next::Evaluate { chain, isolated } = course.advance() {
            for (at, row) in course.rows().iter().enumerate() {
                let tag = tag(place, at);
                let request = course.probe().request(row, chain.clone(), isolated, tag);
                self.engine.submit(request, &self.reply);
            }
            return Ok(());
        }
        let Some(course) = self.courses[place].take() else {
            return Ok(());
        };
        for row in course.rows() {
            self.engine.release(row);
        }
        let elapsed = self.started.elapsed().as_secs_f64();
        let record = course.into_record(&self.plan.manifest.model_hash, self.session, elapsed);
        self.write(record, progress)
    }

    fn write(&mut self, record: SampleRecord, progress: &mut Progress) -> Result<(), RunError> {
        self.journal.append(&record)?;
        progress.recorded(record.error.is_some());
        self.records.push(record);
        Ok(())
    }

    /// The record of a sample that never reached the model.
    fn unasked(&self, sample: &Sample, seed: u64, error: String) -> SampleRecord {
        SampleRecord {
            task: sample.task.name.clone(),
            id: sample.id.clone(),
            index: sample.index,
            layers: self.plan.manifest.layers,
            model_hash: self.plan.manifest.model_hash.clone(),
            prompt_hash: String::new(),
            gold: sample.gold_text().to_owned(),
            seed,
            baseline: None,
            best: None,
            unconfirmed: Vec::new(),
            pareto: Vec::new(),
            evaluations: Vec::new(),
            health: None,
            controls: None,
            cost: SampleCost::default(),
            error: Some(error),
            session: self.session,
            elapsed: self.started.elapsed().as_secs_f64(),
        }
    }
}
