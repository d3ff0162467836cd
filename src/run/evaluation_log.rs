//! The evaluation log, `evaluations.log`: every evaluation of the samples in flight, as soon as it is known.
//!
//! The [journal](super::journal) has a line for a finished sample. Until then what is known of a sample is here, and a run that is
//! continued takes it from here, evaluation by evaluation, instead of running it again. The lines of finished samples say nothing
//! that the journal does not; they are dropped when they are most of a large log, and the log is removed when the run is finished.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Manifest, RunError, SampleCost,
    assessed::Assessed,
    log_file::{LogFile, Origin},
};
use cola_search::chain::Chain;

/// Name of the log in a run directory.
pub const NAME: &str = "evaluations.log";

/// Lines of finished samples stay until they take so many bytes, and half of the log.
const LEAST_DROPPED: u64 = 64 << 20;

/// One evaluation of one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logged {
    /// Name of the task.
    pub task: String,
    /// Name of the sample.
    pub id: String,
    /// What the evaluation was for: `baseline`, `search`, `confirm`, `random`, `matched`, `drawn` or `sampling`.
    pub phase: String,
    /// What ran.
    pub chain: Chain,
    /// Whether it ran isolated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub isolated: bool,
    /// What it came to.
    #[serde(flatten)]
    pub assessed: Assessed,
    /// How much worse than the unmodified model the chain reads the prompt, nats a token, as far as was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degradation: Option<f64>,
    /// Of each row the tokens that the engine learned from it as a draft; see [`Backend::learn_draft`](cola_engine::Backend::learn_draft).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<Vec<u32>>,
    /// What it cost.
    pub cost: SampleCost,
    /// Which invocation of the run it was, from 0, and how many seconds into it.
    pub session: u32,
    /// See `session`.
    pub elapsed: f64,
}

/// A sample: its task and its id.
pub type SampleName = (String, String);

/// The name of a sample in a line, which may be of another sample than those that are wanted.
#[derive(Deserialize)]
struct Named {
    task: String,
    id: String,
}

/// Evaluations of samples that are not finished, each sample's in the order in which they came.
#[derive(Debug, Default)]
pub struct Kept {
    samples: BTreeMap<SampleName, VecDeque<Logged>>,
    /// Seconds of earlier sessions after the last record that they wrote.
    pub unrecorded_seconds: f64,
    /// The first session that has written nothing.
    pub next_session: u32,
}

impl Kept {
    /// Takes the evaluations of a sample.
    pub fn take(&mut self, task: &str, id: &str) -> VecDeque<Logged> {
        let name = (task.to_owned(), id.to_owned());
        self.samples.remove(&name).unwrap_or_default()
    }

    /// How many evaluations there are.
    pub fn len(&self) -> usize {
        self.samples.values().map(VecDeque::len).sum()
    }
}

/// An open log.
#[derive(Debug)]
pub struct EvaluationLog {
    file: LogFile,
    /// Bytes of the lines of each sample that is not finished.
    live: BTreeMap<SampleName, u64>,
    /// Bytes of the lines of all others.
    dead: u64,
}

impl EvaluationLog {
    /// Opens or creates the log of a run. `finished`: samples that the journal has. `recorded`: seconds of each session up to its
    /// last record.
    pub fn open(
        directory: &Path,
        manifest: &Manifest,
        finished: &BTreeSet<SampleName>,
        recorded: &BTreeMap<u32, f64>,
    ) -> Result<(Self, Kept), RunError> {
        let origin = Origin::new([("manifest", manifest.hash())]);
        let (mut live, mut dead) = (BTreeMap::new(), 0);
        let mut kept = Kept::default();
        let mut sessions: BTreeMap<u32, f64> = BTreeMap::new();
        let file = LogFile::open(directory, NAME, &origin, |json, length| {
            let Named { task, id } =
                serde_json::from_slice(json).map_err(|error| error.to_string())?;
            let name = (task, id);
            if finished.contains(&name) {
                dead += length;
                return Ok(());
            }
            let logged: Logged = serde_json::from_slice(json).map_err(|error| error.to_string())?;
            let last = sessions.entry(logged.session).or_default();
            *last = last.max(logged.elapsed);
            *live.entry(name.clone()).or_default() += length;
            kept.samples.entry(name).or_default().push_back(logged);
            Ok(())
        })?;
        for (session, last) in &sessions {
            let until = recorded.get(session).copied().unwrap_or(0.0);
            kept.unrecorded_seconds += (last - until).max(0.0);
        }
        let seen = sessions.keys().chain(recorded.keys()).max();
        kept.next_session = seen.map_or(0, |last| last + 1);
        Ok((Self { file, live, dead }, kept))
    }

    /// Appends an evaluation.
    pub fn append(&mut self, logged: &Logged) -> Result<(), RunError> {
        let length = self.file.append(logged)?;
        let name = (logged.task.clone(), logged.id.clone());
        *self.live.entry(name).or_default() += length;
        Ok(())
    }

    /// Notes that the journal has a sample. True when it is time to [drop](Self::drop_finished) the lines of finished ones.
    pub fn finish(&mut self, task: &str, id: &str) -> bool {
        let name = (task.to_owned(), id.to_owned());
        self.dead += self.live.remove(&name).unwrap_or(0);
        self.dead >= LEAST_DROPPED.max(self.file.length() / 2)
    }

    /// Drops the lines of finished samples, whose records must be on the disk.
    pub fn drop_finished(&mut self) -> Result<(), RunError> {
        let live = &self.live;
        self.file.retain(|json| {
            let name = serde_json::from_slice::<Named>(json);
            name.is_ok_and(|Named { task, id }| live.contains_key(&(task, id)))
        })?;
        self.dead = 0;
        Ok(())
    }

    /// That a sample's evaluations are not those that its search asks for.
    pub fn diverged(&self, (task, id): (&str, &str), reason: String) -> RunError {
        RunError::Diverged {
            path: self.file.path().to_owned(),
            sample: format!("{task}/{id}"),
            reason,
        }
    }

    /// Whether something was written a second ago, or longer, and may not be on the disk.
    pub fn is_sync_due(&self) -> bool {
        self.file.is_sync_due()
    }

    /// Removes the log of a run whose samples are all in the journal.
    pub fn remove(self) -> Result<(), RunError> {
        self.file.remove()
    }

    /// Forces everything to the disk.
    pub fn sync(&mut self) -> Result<(), RunError> {
        self.file.sync()
    }
}
