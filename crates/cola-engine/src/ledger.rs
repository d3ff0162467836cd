//! The cost ledger: what evaluations cost, each and in all.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// What one evaluation cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Layer steps run for it.
    pub steps_run: u64,
    /// Layer steps of its chain it did not need to run at all: the state table had them, or another
    /// chain in flight was computing them. With `steps_run` and `steps_grown` these are the steps of the chain.
    pub steps_saved: u64,
    /// Tokens generated in all.
    pub tokens_decoded: u64,
    /// Of these, tokens that were in the draft tree: their passes were part of the row's.
    pub tokens_drafted: u64,
    /// Layer steps run for the draft nodes alone that joined a row after its state was computed.
    pub steps_grown: u64,
    /// Layer applications to single decoded tokens.
    pub decode_steps: u64,
    /// Passes through the chain: one of the row, and one of each token that was decoded by itself.
    pub passes: u64,
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
    pub(super) evaluations: AtomicU64,
    pub(super) failures: AtomicU64,
    batches: Mutex<BTreeMap<usize, u64>>,
    busy_nanoseconds: AtomicU64,
}

/// The totals at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Sum of the evaluations' costs.
    pub cost: Cost,
    /// Evaluations finished.
    pub evaluations: u64,
    /// Evaluations that failed.
    pub failures: u64,
    /// Batches of layer steps run, by the tokens in them.
    pub batches: BTreeMap<usize, u64>,
    /// Seconds workers spent computing, summed over workers.
    pub busy_seconds: f64,
    /// Most bytes of states alive at once.
    pub peak_state_bytes: usize,
}

impl Totals {
    /// Of two devices.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.cost += other.cost;
        self.evaluations += other.evaluations;
        self.failures += other.failures;
        for (tokens, batches) in other.batches {
            *self.batches.entry(tokens).or_default() += batches;
        }
        self.busy_seconds += other.busy_seconds;
        self.peak_state_bytes += other.peak_state_bytes;
        self
    }
}

impl Ledger {
    pub(super) fn finished(&self, cost: &Cost) {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        self.steps_saved
            .fetch_add(cost.steps_saved, Ordering::Relaxed);
        self.passes.fetch_add(cost.passes, Ordering::Relaxed);
    }

    /// A layer ran on so many tokens.
    pub(super) fn batch(&self, tokens: usize) {
        // As below.
        let mut batches = self.batches.lock().unwrap_or_else(|e| e.into_inner());
        *batches.entry(tokens).or_default() += 1;
    }

    pub(super) fn busy(&self, time: Duration) {
        self.busy_nanoseconds
            .fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
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
            },
            evaluations: read(&self.evaluations),
            failures: read(&self.failures),
            // Poisoned only if another thread panicked between two instructions: it is whole.
            batches: self
                .batches
                .lock()
                .unwrap_or_else(|e| e.into_inner())
                .clone(),
            busy_seconds: read(&self.busy_nanoseconds) as f64 * 1e-9,
            peak_state_bytes,
        }
    }
}
