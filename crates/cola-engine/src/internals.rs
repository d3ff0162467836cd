//! Parts of the engine that the benches run separately. They are not part of the library's
//! interface.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::{
    RowId, StateTable,
    decode::Decoding,
    fixtures::{Jobs, chain, plan, row_ids, state},
    job::{Stage, Work},
    queue::{BatchLimit, Queue},
    state::Meter,
    tail::Tail,
};

/// Bytes of a state in [`TableTrial`].
const STATE: usize = 1024;

/// A state table under load.
pub struct TableTrial {
    table: StateTable,
    row: RowId,
    meter: Arc<Meter>,
    kept: u32,
}

impl TableTrial {
    /// A full table with room for `kept` states.
    pub fn new(kept: u32) -> Self {
        let [row] = row_ids();
        let meter = Arc::default();
        let trial = Self {
            table: StateTable::new(kept as usize * STATE),
            row,
            meter,
            kept,
        };
        for node in 0..kept {
            trial.insert(node);
        }
        trial
    }

    /// Looks up `count` states that the table holds; returns how many were found.
    pub fn hits(&self, count: u32) -> u32 {
        let found = (0..count).filter_map(|n| self.table.get((self.row, n % self.kept)));
        found.count() as u32
    }

    /// Looks up `count` states that the table does not hold; returns how many were found.
    pub fn misses(&self, count: u32) -> u32 {
        let found = (0..count).filter_map(|n| self.table.get((self.row, u32::MAX - n)));
        found.count() as u32
    }

    /// Inserts `count` new states from number `first` on: each evicts another.
    pub fn evictions(&self, first: u32, count: u32) {
        for node in first..first + count {
            self.insert(node);
        }
    }

    fn insert(&self, node: u32) {
        self.table
            .insert((self.row, node), &state(&self.meter, STATE), 1);
    }
}

/// The scheduler with decoding jobs that never end.
pub struct SchedulerTrial {
    queue: Queue,
    table: StateTable,
    last: Option<Work>,
}

impl SchedulerTrial {
    /// A queue of `jobs` decoding jobs, each at some layer of a chain of 28 layers.
    pub fn new(jobs: usize) -> Self {
        let (mut queue, table, made) = (Queue::default(), StateTable::new(0), Jobs::new());
        let identity = chain("0-27");
        let residual = Tensor::zeros([1, 1], (Kind::Float, Device::Cpu));
        for tag in 0..jobs {
            let row = made.row(&mut queue, 1);
            let mut job = made.job(&mut queue, &row, &identity, tag as u64);
            job.stage = Stage::Token(Decoding {
                plan: plan(usize::MAX),
                tokens: vec![1],
                residual: cola_model::Frozen::new(residual.shallow_clone()),
                position: 1,
                done: tag * 7 % 28,
                tails: std::iter::repeat_with(|| Tail::new(0)).take(28).collect(),
            });
            queue.advance(job, &table);
        }
        Self {
            queue,
            table,
            last: None,
        }
    }

    /// Takes a batch for one of two workers and puts its jobs back, one layer further. Returns the
    /// number of jobs.
    pub fn step(&mut self) -> usize {
        let limit = BatchLimit {
            tokens: 1024,
            workers: 2,
        };
        let Some(taken) = self.queue.next_batch(limit, self.last) else {
            return 0;
        };
        self.last = Some(taken.work);
        self.queue.ran(taken.tokens);
        let count = taken.jobs.len();
        for mut job in taken.jobs {
            if let Stage::Token(decoding) = &mut job.stage {
                decoding.done = (decoding.done + 1) % 29;
            }
            self.queue.advance(job, &self.table);
        }
        count
    }
}
