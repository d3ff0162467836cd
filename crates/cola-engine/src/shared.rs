//! Data that all workers of a device share, and the handling of failures.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic::Ordering},
};

use super::{
    Decode, EngineError, EngineOptions, Ledger, Row, StateTable,
    job::{Job, NodeBytes},
    queue::{BatchLimit, Queue},
    state::Meter,
};
use cola_model::{Model, ModelError, Repeat, RopeSpec};

/// Data that all workers of a device share.
#[derive(Debug)]
pub struct Shared {
    pub model: Arc<Model>,
    pub table: StateTable,
    pub queue: Mutex<Queue>,
    /// Signalled when steps become pending and when the engine stops.
    pub pending: Condvar,
    pub ledger: Ledger,
    pub meter: Arc<Meter>,
    pub limit: BatchLimit,
    pub node_bytes: NodeBytes,
    pub repeat: Repeat,
    /// Depth in the tree from which on there are no draft nodes.
    pub draft_limit: i64,
}

impl Shared {
    /// The shared data of one device.
    pub fn new(model: Arc<Model>, options: &EngineOptions) -> Self {
        Self {
            table: StateTable::new(options.state_budget),
            queue: Mutex::new(Queue::default()),
            pending: Condvar::new(),
            ledger: Ledger::default(),
            meter: Arc::new(Meter::default()),
            limit: BatchLimit {
                tokens: options.batch_tokens.max(1),
                workers: options.workers,
            },
            node_bytes: NodeBytes::of(&model),
            repeat: options.repeat,
            draft_limit: draft_limit(&model, options),
            model,
        }
    }

    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        // A poisoned lock means that bookkeeping panicked; going on is better than losing a long
        // run.
        self.queue.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether states of a row keep keys and values. Decoding needs them, and with
    /// [`Repeat::SharedSlot`] later visits of a layer attend to those of the first visit.
    pub fn keeps_all(&self, row: &Row) -> bool {
        row.for_decoding() || self.repeat == Repeat::SharedSlot
    }

    /// Whether the results of a tree node may be used in place of decoding its token by itself.
    pub fn may_accept(&self, job: &Job, node: usize) -> bool {
        !job.request.isolated && job.tree.positions()[node] < self.draft_limit
    }

    /// Puts a new job into the queue.
    pub fn begin(&self, job: Job) {
        let mut queue = self.queue();
        if queue.stopped {
            return job.fail(EngineError::Stopped);
        }
        queue.wait(job);
        self.admit(&mut queue);
    }

    /// Begins waiting jobs for as long as the state budget has room.
    fn admit(&self, queue: &mut Queue) {
        while let Some(job) = queue.admit(&self.table, self.node_bytes) {
            self.put(queue, [job]);
        }
    }

    /// Puts the jobs of a batch of `ran` tokens back into the queue, after the batch has run.
    pub fn go_on(&self, ran: usize, jobs: impl IntoIterator<Item = Job>) {
        let mut queue = self.queue();
        queue.ran(ran);
        self.put(&mut queue, jobs);
        self.admit(&mut queue);
    }

    /// Puts jobs into the queue and wakes workers for them.
    fn put(&self, queue: &mut Queue, jobs: impl IntoIterator<Item = Job>) {
        for job in jobs {
            if queue.stopped {
                job.fail(EngineError::Stopped);
            } else if queue.advance(job, &self.table) {
                self.pending.notify_one();
            }
        }
    }
}

/// Depth from which on there are no draft nodes. RoPE scaling may rotate a longer sequence by other
/// frequencies at all positions, so that a draft beyond this depth would change the results of the
/// row itself. Learned positions end at a maximum.
fn draft_limit(model: &Model, options: &EngineOptions) -> i64 {
    // With a shared slot, a single decoded token attends to all earlier visits of a layer, but
    // several tokens in one pass attend to the first visit only: a draft node would give other
    // results.
    if options.decode == Decode::Plain || options.repeat == Repeat::SharedSlot {
        return 0;
    }
    let spec = model.spec();
    let ropes = spec.layers.iter().filter_map(|l| l.attention.rope.as_ref());
    let changes = ropes.filter_map(|rope: &RopeSpec| rope.scaling.longest_usual());
    let learned = spec.learned_positions.then_some(spec.max_positions);
    changes.chain(learned).min().unwrap_or(i64::MAX)
}

impl Shared {
    /// Fails a job and counts the failure.
    pub fn fail(&self, job: Job, error: EngineError) {
        self.ledger.failures.fetch_add(1, Ordering::Relaxed);
        job.fail(error);
    }

    /// Runs `f` on all jobs at once. If that fails, runs it on each half, down to single jobs. So a
    /// batch too large for the memory is split, and a failure affects only the job that causes it.
    pub fn isolate<J, T>(
        &self,
        jobs: &[J],
        f: &impl Fn(&[J]) -> Result<Vec<T>, ModelError>,
    ) -> Vec<Result<T, EngineError>> {
        let error = match attempt(jobs, f) {
            Ok(results) => return results.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if let Some(lost) = lost_device(&error) {
            // No operation on this device can succeed any more. A later run repeats the evaluations
            // in flight.
            self.queue().stop();
            self.pending.notify_all();
            let lose = |_: &J| Err(EngineError::Device(lost.clone()));
            return jobs.iter().map(lose).collect();
        }
        if jobs.len() <= 1 {
            // Cached states may fill the memory: before the job fails, the states that no job holds
            // are evicted.
            return match error.is_out_of_memory() && self.table.evict_idle() > 0 {
                true => attempt(jobs, f).map_or_else(
                    |error| vec![Err(error)],
                    |results| results.into_iter().map(Ok).collect(),
                ),
                false => vec![Err(error)],
            };
        }
        tracing::warn!(jobs = jobs.len(), %error, "batch failed, trying halves");
        let (left, right) = jobs.split_at(jobs.len() / 2);
        let mut results = self.isolate(left, f);
        results.extend(self.isolate(right, f));
        results
    }
}

fn attempt<J, T>(
    jobs: &[J],
    f: &impl Fn(&[J]) -> Result<Vec<T>, ModelError>,
) -> Result<Vec<T>, EngineError> {
    match catch_unwind(AssertUnwindSafe(|| f(jobs))) {
        Ok(results) => Ok(results?),
        Err(panic) => Err(EngineError::Panic(panic_message(panic.as_ref()))),
    }
}

/// The first line of the error, if the GPU can no longer be used by this process. After an illegal
/// memory access, for example, every further operation fails.
fn lost_device(error: &EngineError) -> Option<String> {
    let text = error.to_string();
    let lost = text.contains("CUDA error") && !error.is_out_of_memory();
    lost.then(|| text.lines().next().unwrap_or_default().to_owned())
}

/// The message of a panic.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use cola_model::{Applied, Frozen};
    use tch::Tensor;

    use super::*;
    use crate::{
        fixtures::{Jobs, chain, model},
        state::State,
    };

    fn jobs(count: u64) -> Vec<Job> {
        let (jobs, mut queue) = (Jobs::new(), Queue::default());
        let row = jobs.row(&mut queue, 1);
        (0..count)
            .map(|tag| jobs.job(&mut queue, &row, &chain("0"), tag))
            .collect()
    }

    fn tags(jobs: &[Job]) -> Vec<u64> {
        jobs.iter().map(|job| job.request.tag).collect()
    }

    fn shared() -> Shared {
        Shared::new(model(), &EngineOptions::for_cpu())
    }

    fn torch(says: &str) -> ModelError {
        tch::TchError::Torch(says.into()).into()
    }

    #[test]
    fn where_memory_is_out_idle_states_make_room_for_one_job() {
        for says in [
            "CUDA out of memory. Tried to allocate 2 GiB",
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to \
             allocate 8796093022208 bytes. Error code 12 (Cannot allocate memory)",
        ] {
            idle_states_make_room(says);
        }
    }

    fn idle_states_make_room(says: &str) {
        let shared = shared();
        let jobs = jobs(1);
        let key = (jobs[0].request.row.id(), 1);
        let calls = RefCell::new(0);
        let run = |jobs: &[Job]| {
            *calls.borrow_mut() += 1;
            match shared.table.bytes() {
                0 => Ok(tags(jobs)),
                _ => Err(torch(says)),
            }
        };
        let state = Arc::new(State::new(
            Applied {
                residual: Frozen::new(Tensor::from_slice(&[1f32])),
                key_value: None,
            },
            &shared.meter,
        ));
        shared.table.insert(key, &state, 1);
        drop(state);
        let results = shared.isolate(&jobs, &run);
        assert_eq!(results[0].as_ref().unwrap(), &0);
        assert_eq!(*calls.borrow(), 2);
        assert!(!shared.queue().stopped);
    }

    #[test]
    fn a_gpu_that_is_lost_stops_the_engine_and_blames_no_sample() {
        let shared = shared();
        let says = "CUDA error: an illegal memory access was encountered\nCompile with ...";
        let calls = RefCell::new(0);
        let results: Vec<Result<u64, EngineError>> = shared.isolate(&jobs(4), &|_: &[Job]| {
            *calls.borrow_mut() += 1;
            Err(torch(says))
        });
        assert_eq!(*calls.borrow(), 1);
        assert!(shared.queue().stopped);
        let lost = |result: &Result<u64, EngineError>| match result {
            Err(EngineError::Device(says)) => !says.contains("Compile"),
            _ => false,
        };
        assert!(results.len() == 4 && results.iter().all(lost));
    }

    fn refusal() -> ModelError {
        ModelError::NotFound("this".into(), "batch".into())
    }

    #[test]
    fn a_batch_too_large_is_halved_until_it_fits() {
        let sizes = RefCell::new(Vec::new());
        let results = shared().isolate(&jobs(7), &|jobs: &[Job]| {
            sizes.borrow_mut().push(jobs.len());
            match jobs.len() {
                0..=2 => Ok(tags(jobs)),
                _ => Err(refusal()),
            }
        });
        let tags: Vec<u64> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(tags, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(sizes.into_inner(), [7, 3, 1, 2, 4, 2, 2]);
    }

    #[test]
    fn one_job_that_always_fails_fails_alone() {
        let results = shared().isolate(&jobs(8), &|jobs: &[Job]| match tags(jobs).contains(&5) {
            true => Err(refusal()),
            false => Ok(tags(jobs)),
        });
        for (tag, result) in (0..).zip(results) {
            match result {
                Ok(own) => assert_eq!(own, tag),
                Err(error) => {
                    assert_eq!(tag, 5);
                    assert!(matches!(error, EngineError::Model(_)));
                }
            }
        }
    }

    #[test]
    fn a_job_that_panics_fails_alone_with_what_it_said() {
        let results = shared().isolate(&jobs(5), &|jobs: &[Job]| match tags(jobs).contains(&0) {
            true => panic!("kernel {} broke", 3),
            false => Ok(tags(jobs)),
        });
        let error = results[0].as_ref().unwrap_err().to_string();
        assert_eq!(error, "a worker panicked: kernel 3 broke");
        assert!(results[1..].iter().all(Result::is_ok));
    }
}
