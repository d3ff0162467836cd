//! The cost ledger: the cost of each evaluation, and the totals.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Cost of one evaluation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Layer steps run for this evaluation.
    pub steps_run: u64,
    /// Layer steps of its chain that were not run for it, because the state table had the result or
    /// another chain in flight was computing it. With `steps_run` and `steps_grown` these are all
    /// steps of the chain.
    pub steps_saved: u64,
    /// Tokens generated.
    pub tokens_decoded: u64,
    /// Generated tokens that were in the draft tree, so that they ran in the row's own pass.
    pub tokens_drafted: u64,
    /// Layer steps run only for draft nodes that joined a row after its state had been computed.
    pub steps_grown: u64,
    /// Layer applications to single decoded tokens.
    pub decode_steps: u64,
    /// Passes through the chain: one for the row, and one for each token that was decoded by
    /// itself.
    pub passes: u64,
    /// Positions that passed norm and head.
    pub head_positions: u64,
    /// Positions that passed norm and head only for the loss of the prompt.
    pub loss_positions: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.steps_run += other.steps_run;
        self.steps_saved += other.steps_saved;
        self.tokens_decoded += other.tokens_decoded;
        self.tokens_drafted += other.tokens_drafted;
        self.steps_grown += other.steps_grown;
        self.decode_steps += other.decode_steps;
        self.passes += other.passes;
        self.head_positions += other.head_positions;
        self.loss_positions += other.loss_positions;
    }
}

/// Running totals of an engine, updated by its workers.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) steps_run: AtomicU64,
    pub(super) steps_saved: AtomicU64,
    pub(super) tokens_decoded: AtomicU64,
    pub(super) tokens_drafted: AtomicU64,
    pub(super) steps_grown: AtomicU64,
    pub(super) decode_steps: AtomicU64,
    passes: AtomicU64,
    head_positions: AtomicU64,
    loss_positions: AtomicU64,
    pub(super) evaluations: AtomicU64,
    pub(super) failures: AtomicU64,
    batches: Mutex<BTreeMap<usize, u64>>,
    heads: Mutex<BTreeMap<usize, u64>>,
    busy_nanoseconds: AtomicU64,
    head_nanoseconds: AtomicU64,
}

/// Totals of an engine at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Sum of the evaluations' costs.
    pub cost: Cost,
    /// Evaluations finished.
    pub evaluations: u64,
    /// Evaluations that failed.
    pub failures: u64,
    /// Number of batches in which a layer was run, by the number of tokens in the batch.
    pub batches: BTreeMap<usize, u64>,
    /// Number of batches in which the head was run, by the number of nodes read.
    pub heads: BTreeMap<usize, u64>,
    /// Seconds workers spent computing, summed over workers.
    pub busy_seconds: f64,
    /// Seconds of `busy_seconds` that were spent in norm and head.
    pub head_seconds: f64,
    /// Most bytes of states alive at once; for several devices the sum of their peaks.
    pub peak_state_bytes: usize,
}

impl Totals {
    /// Sum of the totals of two devices.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.cost += other.cost;
        self.evaluations += other.evaluations;
        self.failures += other.failures;
        for (tokens, batches) in other.batches {
            *self.batches.entry(tokens).or_default() += batches;
        }
        for (nodes, batches) in other.heads {
            *self.heads.entry(nodes).or_default() += batches;
        }
        self.busy_seconds += other.busy_seconds;
        self.head_seconds += other.head_seconds;
        self.peak_state_bytes += other.peak_state_bytes;
        self
    }
}

fn count(sizes: &Mutex<BTreeMap<usize, u64>>, size: usize) {
    // A poisoned lock is ignored: no update leaves the map half written.
    let mut sizes = sizes.lock().unwrap_or_else(|e| e.into_inner());
    *sizes.entry(size).or_default() += 1;
}

fn counted(sizes: &Mutex<BTreeMap<usize, u64>>) -> BTreeMap<usize, u64> {
    sizes.lock().unwrap_or_else(|e| e.into_inner()).clone()
}

impl Ledger {
    pub(super) fn finished(&self, cost: &Cost) {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        self.steps_saved
            .fetch_add(cost.steps_saved, Ordering::Relaxed);
        self.passes.fetch_add(cost.passes, Ordering::Relaxed);
        self.head_positions
            .fetch_add(cost.head_positions, Ordering::Relaxed);
        self.loss_positions
            .fetch_add(cost.loss_positions, Ordering::Relaxed);
    }

    /// Counts a batch in which a layer ran on `tokens` tokens.
    pub(super) fn batch(&self, tokens: usize) {
        count(&self.batches, tokens);
    }

    /// Counts a batch in which `nodes` nodes were read.
    pub(super) fn head(&self, nodes: usize) {
        count(&self.heads, nodes);
    }

    /// Counts the time of a batch; `in_head` if the batch ran norm and head.
    pub(super) fn busy(&self, time: Duration, in_head: bool) {
        let nanoseconds = time.as_nanos() as u64;
        self.busy_nanoseconds
            .fetch_add(nanoseconds, Ordering::Relaxed);
        if in_head {
            self.head_nanoseconds
                .fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }

    pub(super) fn totals(&self, peak_state_bytes: usize) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            cost: Cost {
                steps_run: read(&self.steps_run),
                steps_saved: read(&self.steps_saved),
                tokens_decoded: read(&self.tokens_decoded),
                tokens_drafted: read(&self.tokens_drafted),
                steps_grown: read(&self.steps_grown),
                decode_steps: read(&self.decode_steps),
                passes: read(&self.passes),
                head_positions: read(&self.head_positions),
                loss_positions: read(&self.loss_positions),
            },
            evaluations: read(&self.evaluations),
            failures: read(&self.failures),
            batches: counted(&self.batches),
            heads: counted(&self.heads),
            busy_seconds: read(&self.busy_nanoseconds) as f64 * 1e-9,
            head_seconds: read(&self.head_nanoseconds) as f64 * 1e-9,
            peak_state_bytes,
        }
    }
}
