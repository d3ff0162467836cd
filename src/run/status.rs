//! How far a run is, read from its directory while it runs, or when it has stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, TryLockError},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Manifest, RunError,
    evaluation_log::{self, SampleName},
    journal::NAME,
    json_lines::Lines,
    log_file::read_log,
    progress::TaskCount,
};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunStatus {
    /// The model, as it was named.
    pub model: String,
    /// Whether a process is writing to it now.
    pub running: bool,
    /// Samples of each task, and those that are finished.
    pub tasks: Vec<TaskCount>,
    /// Finished samples that failed.
    pub failed: usize,
    /// Evaluations of finished samples.
    pub evaluations: u64,
    /// Samples that are begun and not finished, and the evaluations that are known of them.
    pub unfinished: usize,
    /// See `unfinished`.
    pub unfinished_evaluations: u64,
    /// Seconds that were worked on it, over all sessions.
    pub seconds: f64,
    /// Seconds to the end at that pace; `None` before the first sample is finished.
    pub seconds_left: Option<f64>,
}

/// What is read of a record.
#[derive(Debug, Deserialize)]
struct Finished {
    task: String,
    id: String,
    error: Option<String>,
    cost: Spent,
    session: u32,
    elapsed: f64,
}

#[derive(Debug, Deserialize)]
struct Spent {
    evaluations: u64,
}

/// What is read of an evaluation.
#[derive(Debug, Deserialize)]
struct Evaluated {
    task: String,
    id: String,
    session: u32,
    elapsed: f64,
}

impl RunStatus {
    /// Reads a run directory.
    ///
    /// # Errors
    /// It holds no run, or something in it cannot be read.
    pub fn read(directory: &Path) -> Result<Self, RunError> {
        let manifest = Manifest::read(directory)?;
        let mut tasks: Vec<TaskCount> = (manifest.tasks.iter())
            .map(|task| TaskCount {
                task: task.name.clone(),
                samples: task.samples,
                done: 0,
            })
            .collect();
        let mut names: BTreeSet<SampleName> = BTreeSet::new();
        let (mut failed, mut evaluations) = (0, 0);
        let mut sessions: BTreeMap<u32, f64> = BTreeMap::new();
        let mut worked = |session: u32, elapsed: f64| {
            let last = sessions.entry(session).or_default();
            *last = last.max(elapsed);
        };
        for record in Lines::<Finished>::of_any(directory, NAME)? {
            let record = record?;
            worked(record.session, record.elapsed);
            failed += usize::from(record.error.is_some());
            evaluations += record.cost.evaluations;
            if let Some(task) = tasks.iter_mut().find(|task| task.task == record.task) {
                task.done += 1;
            }
            names.insert((record.task, record.id));
        }
        let (mut unfinished, mut unfinished_evaluations) = (BTreeSet::new(), 0);
        read_log(directory, evaluation_log::NAME, |json| {
            let line: Evaluated =
                serde_json::from_slice(json).map_err(|error| error.to_string())?;
            worked(line.session, line.elapsed);
            let name = (line.task, line.id);
            if !names.contains(&name) {
                unfinished.insert(name);
                unfinished_evaluations += 1;
            }
            Ok(())
        })?;
        let seconds: f64 = sessions.into_values().sum();
        let samples: usize = tasks.iter().map(|task| task.samples).sum();
        let left = samples.saturating_sub(names.len()) as f64;
        let seconds_left = (!names.is_empty() && evaluations > 0).then(|| {
            let each = evaluations as f64 / names.len() as f64;
            let to_come = (left * each - unfinished_evaluations as f64).max(left);
            to_come * seconds / (evaluations + unfinished_evaluations) as f64
        });
        Ok(Self {
            running: is_locked(&directory.join(NAME)),
            model: manifest.model,
            tasks,
            failed,
            evaluations,
            unfinished: unfinished.len(),
            unfinished_evaluations,
            seconds,
            seconds_left: if left == 0.0 { Some(0.0) } else { seconds_left },
        })
    }

    /// Samples, and those that are finished.
    pub fn samples(&self) -> (usize, usize) {
        let all = self.tasks.iter().map(|task| task.samples).sum();
        (all, self.tasks.iter().map(|task| task.done).sum())
    }
}

/// Whether a process holds the file.
fn is_locked(path: &Path) -> bool {
    let file = File::open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}
