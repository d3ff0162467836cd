//! The step scheduler's books: which jobs wait for what. Pure bookkeeping, under one lock.
//!
//! A job is in exactly one place: in a group (its next step is pending), among the waiters of a
//! step another job is running, or with the worker that runs it.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use super::{
    EngineError, Row, RowId, StateTable,
    job::{Job, Work},
    state::State,
    table::Key,
};
use crate::chain::{Chain, Layer};

/// Pending steps by what they need, and who waits for whom.
#[derive(Debug, Default)]
pub struct Queue {
    groups: BTreeMap<Work, Group>,
    /// Steps pending or running -> jobs that want the same state.
    in_flight: HashMap<Key, Vec<Job>>,
    rows: HashMap<RowId, Registered>,
    /// Batches handed out so far: the scheduler's clock.
    clock: u64,
    /// Set when the engine stops: workers leave.
    pub stopped: bool,
}

/// Steps that need the same layer.
#[derive(Debug, Default)]
struct Group {
    pending: VecDeque<Pending>,
    tokens: usize,
}

#[derive(Debug)]
struct Pending {
    job: Job,
    since: u64,
}

/// A row in flight, and the trie of prefixes asked of it.
#[derive(Debug)]
struct Registered {
    row: Arc<Row>,
    /// The embedded row: the state of the empty prefix.
    root: Arc<State>,
    children: HashMap<(u32, Layer), u32>,
}

/// Rare layers and long rows are not starved: a group whose oldest step has waited for this many
/// batches goes first.
const PATIENCE: u64 = 64;

/// How much one batch may hold.
#[derive(Debug, Clone, Copy)]
pub struct BatchLimit {
    /// Tokens; at least one step runs whatever its size.
    pub tokens: usize,
}

impl Queue {
    /// Makes a row known, with its embedded state.
    pub fn register(&mut self, row: Arc<Row>, root: Arc<State>) {
        let registered = Registered {
            row: Arc::clone(&row),
            root,
            children: HashMap::new(),
        };
        self.rows.insert(row.id(), registered);
    }

    /// Forgets a row; returns the number of trie nodes it had.
    pub fn release(&mut self, row: RowId) -> u32 {
        self.rows
            .remove(&row)
            .map_or(0, |registered| registered.children.len() as u32 + 1)
    }

    /// The embedded row and the trie path of a chain. `None` for a row that is not registered.
    pub fn path(&mut self, row: RowId, chain: &Chain) -> Option<(Arc<State>, Vec<u32>)> {
        let registered = self.rows.get_mut(&row)?;
        debug_assert_eq!(registered.row.id(), row);
        let mut node = 0;
        let path = chain
            .layers()
            .iter()
            .map(|&layer| {
                let fresh = registered.children.len() as u32 + 1;
                node = *registered.children.entry((node, layer)).or_insert(fresh);
                node
            })
            .collect();
        Some((Arc::clone(&registered.root), path))
    }

    /// Puts a job where it belongs: as far along its chain as the table reaches, then waiting for
    /// a step in flight, or pending. Returns whether a new step became pending.
    pub fn advance(&mut self, mut job: Job, table: &StateTable) -> bool {
        if job.decoding.is_none() && !job.request.alone {
            take_from_table(&mut job, table);
            if let Some(key) = next_key(&job) {
                if let Some(waiters) = self.in_flight.get_mut(&key) {
                    waiters.push(job);
                    return false;
                }
                self.in_flight.insert(key, Vec::new());
            }
        }
        let group = self.groups.entry(job.work()).or_default();
        group.tokens += job.tokens();
        group.pending.push_back(Pending {
            job,
            since: self.clock,
        });
        true
    }

    /// Takes the next batch: the group with most tokens, or one that has waited too long.
    pub fn next_batch(&mut self, limit: BatchLimit) -> Option<(Work, Vec<Job>)> {
        let clock = self.clock;
        let (&work, _) = self.groups.iter().max_by_key(|(_, group)| {
            let waited = group
                .pending
                .front()
                .map_or(0, |oldest| clock - oldest.since);
            (waited.saturating_sub(PATIENCE), group.tokens)
        })?;
        let group = self.groups.get_mut(&work)?;
        let mut jobs: Vec<Job> = Vec::new();
        let mut tokens = 0;
        while let Some(next) = group.pending.front() {
            let adds = next.job.tokens();
            let alone = next.job.request.alone || jobs.last().is_some_and(|job| job.request.alone);
            if !jobs.is_empty() && (alone || tokens + adds > limit.tokens) {
                break;
            }
            tokens += adds;
            // The front was just looked at.
            jobs.extend(group.pending.pop_front().map(|pending| pending.job));
        }
        group.tokens -= tokens;
        if group.pending.is_empty() {
            self.groups.remove(&work);
        }
        self.clock += 1;
        Some((work, jobs))
    }

    /// The step to `key` is done: its waiters may go on, or try themselves if it failed.
    pub fn settle(&mut self, key: Key, state: Option<&Arc<State>>) -> Vec<Job> {
        let mut waiters = self.in_flight.remove(&key).unwrap_or_default();
        if let Some(state) = state {
            for job in &mut waiters {
                job.since_shared = 0;
                job.arrive(job.done + 1, Arc::clone(state));
            }
        }
        waiters
    }

    /// Fails every job that is not with a worker.
    pub fn stop(&mut self) {
        self.stopped = true;
        let pending = std::mem::take(&mut self.groups).into_values();
        let pending = pending
            .flat_map(|group| group.pending)
            .map(|pending| pending.job);
        let waiting = std::mem::take(&mut self.in_flight).into_values().flatten();
        for job in pending.chain(waiting) {
            job.fail(EngineError::Stopped);
        }
    }
}

/// The step a job that walks its chain needs next; `None` at its end.
pub fn next_key(job: &Job) -> Option<Key> {
    let shared = job.decoding.is_none() && !job.request.alone;
    let node = job.path.get(job.done).filter(|_| shared)?;
    Some((job.request.row.id(), *node))
}

/// Moves a job to the longest prefix the table can give. A job that decodes needs every prefix's
/// keys and values, so it takes them one after the other; any other takes the last.
fn take_from_table(job: &mut Job, table: &StateTable) {
    let row = job.request.row.id();
    if job.request.decode.is_some() {
        while let Some(state) = job
            .path
            .get(job.done)
            .and_then(|&node| table.get((row, node)))
        {
            job.since_shared = 0;
            job.arrive(job.done + 1, state);
        }
        return;
    }
    for done in (job.done..job.path.len()).rev() {
        if let Some(state) = table.get((row, job.path[done])) {
            job.since_shared = 0;
            job.arrive(done + 1, state);
            return;
        }
    }
}
