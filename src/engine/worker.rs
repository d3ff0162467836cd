//! Workers: take a batch of steps, run it, hand the results on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic::Ordering},
    time::Instant,
};

use tch::Tensor;

use super::{
    EngineError, Generated, Ledger, Row, StateTable,
    decode::Decoding,
    job::{Job, Work},
    queue::{BatchLimit, Queue, next_key},
    state::{Meter, State},
};
use crate::{
    chain::Layer,
    model::{
        Applied, Asked, Asks, Batch, Frozen, Keep, Model, ModelError, Reading, Repeat, Segment,
        Visibility, seen_in_slot,
    },
};

/// What all workers share.
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
    pub repeat: Repeat,
}

impl Shared {
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        // Poisoned only if bookkeeping panicked; going on is better than losing a month's run.
        self.queue.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Whether states of a row keep keys and values: decoding continues from them, and later visits
    /// of a shared slot see those of the first.
    pub fn keeps_all(&self, row: &Row) -> bool {
        row.for_decoding() || self.repeat == Repeat::SharedSlot
    }

    /// Puts jobs back into the queue and wakes workers for them.
    pub fn advance(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut queue = self.queue();
        for job in jobs {
            if queue.stopped {
                job.fail(EngineError::Stopped);
            } else if queue.advance(job, &self.table) {
                self.pending.notify_one();
            }
        }
    }
}

/// A worker thread: runs batches until the engine stops.
pub fn work(shared: &Shared, threads: usize) {
    tch::set_num_threads(threads as i32);
    let _guard = tch::no_grad_guard();
    while let Some((work, jobs)) = wait_for_batch(shared) {
        let start = Instant::now();
        match work {
            Work::Layer(layer) => run_layer(shared, layer, jobs),
            Work::Head => run_head(shared, jobs),
        }
        shared.ledger.busy(start.elapsed());
    }
}

fn wait_for_batch(shared: &Shared) -> Option<(Work, Vec<Job>)> {
    let mut queue = shared.queue();
    loop {
        if queue.stopped {
            return None;
        }
        if let Some(batch) = queue.next_batch(shared.limit) {
            return Some(batch);
        }
        queue = shared
            .pending
            .wait(queue)
            .unwrap_or_else(|e| e.into_inner());
    }
}

/// Runs `f` on all jobs at once; where that fails, on halves, down to the job that fails alone.
/// So a batch too large for the memory gets smaller, and a failure stays with its sample.
fn isolate<T>(
    jobs: &[Job],
    f: &impl Fn(&[Job]) -> Result<Vec<T>, ModelError>,
) -> Vec<Result<T, EngineError>> {
    let error = match catch_unwind(AssertUnwindSafe(|| f(jobs))) {
        Ok(Ok(results)) => return results.into_iter().map(Ok).collect(),
        Ok(Err(error)) => EngineError::Model(error),
        Err(panic) => EngineError::Panic(panic_message(panic.as_ref())),
    };
    if jobs.len() <= 1 {
        return vec![Err(error)];
    }
    tracing::warn!(jobs = jobs.len(), %error, "batch failed, trying halves");
    let (left, right) = jobs.split_at(jobs.len() / 2);
    let mut results = isolate(left, f);
    results.extend(isolate(right, f));
    results
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".into())
}

fn run_layer(shared: &Shared, layer: Layer, jobs: Vec<Job>) {
    let tokens: usize = jobs.iter().map(Job::tokens).sum();
    shared.ledger.batches.fetch_add(1, Ordering::Relaxed);
    shared
        .ledger
        .packed_tokens
        .fetch_add(tokens as u64, Ordering::Relaxed);
    let results = isolate(&jobs, &|jobs| apply(shared, layer, jobs));
    let mut next = Vec::with_capacity(jobs.len());
    for (job, result) in jobs.into_iter().zip(results) {
        match result {
            Ok(applied) if job.decoding.is_some() => next.extend(step_token(shared, job, applied)),
            Ok(applied) => next.extend(step_row(shared, job, applied)),
            Err(error) => next.extend(give_up(shared, job, error)),
        }
    }
    shared.advance(next);
}

/// One layer over all jobs' rows and newest tokens.
fn apply(shared: &Shared, layer: Layer, jobs: &[Job]) -> Result<Vec<Applied>, ModelError> {
    let slots: Vec<Option<Slot>> = jobs.iter().map(|job| slot(shared.repeat, job)).collect();
    let segments: Vec<Segment> = jobs
        .iter()
        .zip(&slots)
        .map(|(job, slot)| segment(shared.repeat, job, slot.as_ref()))
        .collect();
    let asks = |job: &Job| Asks {
        keep: match (&job.decoding, shared.keeps_all(&job.request.row)) {
            (Some(_), _) => Keep::Views,
            (None, true) => Keep::Everything,
            (None, false) => Keep::Residual,
        },
        alpha: job.alpha(),
    };
    let asks: Vec<Asks> = jobs.iter().map(asks).collect();
    let layer = shared.model.layer(layer as usize);
    layer.forward(&Batch::pack(&segments, layer.window())?, &asks)
}

/// What the second and later visits of a layer see in the slot they share.
struct Slot {
    /// Places of the earlier visits they see.
    visits: Vec<usize>,
    /// Positions of those visits' nodes.
    positions: Vec<i64>,
    seen: Vec<bool>,
}

fn slot(repeat: Repeat, job: &Job) -> Option<Slot> {
    if repeat == Repeat::Clean || job.decoding.is_some() {
        return None;
    }
    let layers = job.request.chain.layers();
    let this = layers.get(job.done)?;
    let earlier = (0..job.done).filter(|&place| layers[place] == *this);
    let row = &job.request.row;
    let (visits, seen) = seen_in_slot(earlier.collect(), row.visible(), row.tokens().len())?;
    Some(Slot {
        positions: row.positions().repeat(visits.len()),
        visits,
        seen,
    })
}

fn segment<'a>(repeat: Repeat, job: &'a Job, slot: Option<&'a Slot>) -> Segment<'a> {
    let row = &job.request.row;
    let Some(decoding) = &job.decoding else {
        let visits = slot.map_or(&[][..], |slot| &slot.visits);
        let kept = |&place: &usize| {
            let kv = job.kept[place].key_value.as_ref()?;
            Some((kv, kv.size()[0]))
        };
        return Segment {
            residual: &job.state.residual,
            positions: row.positions(),
            context: visits.iter().filter_map(kept).collect(),
            visible: Visibility::Tree {
                context: slot.map_or(&[], |slot| &slot.positions),
                seen: slot.map_or(row.visible(), |slot| &slot.seen),
            },
        };
    };
    let layers = job.request.chain.layers();
    let this = layers[decoding.done];
    let places = 0..layers.len();
    let visits = places.filter(|&place| match repeat {
        Repeat::Clean => place == decoding.done,
        Repeat::SharedSlot => layers[place] == this,
    });
    let mut context = Vec::with_capacity(2);
    for place in visits {
        let prompt = job.kept[place].key_value.as_ref();
        context.extend(prompt.map(|kv| (kv, row.trunk() as i64)));
        let tail = decoding.tails[place].as_ref();
        context.extend(tail.map(|kv| (kv, kv.size()[0])));
    }
    Segment {
        residual: &decoding.residual,
        positions: std::slice::from_ref(&decoding.position),
        context,
        visible: Visibility::All,
    }
}

/// A row has passed a layer: share its new state, go on, and let those who wait for it go on.
fn step_row(shared: &Shared, mut job: Job, applied: Applied) -> Vec<Job> {
    let state = Arc::new(State::new(applied, &shared.meter));
    shared.ledger.steps_run.fetch_add(1, Ordering::Relaxed);
    job.cost.steps_run += 1;
    job.since_shared += 1;
    let mut next = Vec::new();
    if let Some(key) = next_key(&job) {
        shared.table.insert(key, &state, job.since_shared);
        next = shared.queue().settle(key, Some(&state));
    }
    job.arrive(job.done + 1, state);
    next.push(job);
    next
}

/// The newest token has passed a layer of the chain.
fn step_token(shared: &Shared, mut job: Job, applied: Applied) -> Option<Job> {
    shared.ledger.decode_steps.fetch_add(1, Ordering::Relaxed);
    job.cost.decode_steps += 1;
    if let Some(decoding) = &mut job.decoding {
        let tail = &mut decoding.tails[decoding.done];
        let grown = match (tail.take(), applied.key_value) {
            (Some(old), Some(new)) => {
                Tensor::f_cat(&[&*old, &*new], 0).map(|kv| Some(Frozen::new(kv)))
            }
            // Copied: a view would keep the whole batch alive for as long as the job decodes.
            (None, Some(new)) => new.f_narrow_copy(0, 0, 1).map(|kv| Some(Frozen::new(kv))),
            (old, None) => Ok(old),
        };
        match grown {
            Ok(grown) => *tail = grown,
            Err(error) => {
                fail(shared, job, ModelError::from(error).into());
                return None;
            }
        }
        decoding.residual = applied.residual;
        decoding.done += 1;
    }
    Some(job)
}

/// The job failed; those who wait for its step try themselves.
fn give_up(shared: &Shared, job: Job, error: EngineError) -> Vec<Job> {
    let waiters = next_key(&job).map(|key| shared.queue().settle(key, None));
    fail(shared, job, error);
    waiters.unwrap_or_default()
}

fn fail(shared: &Shared, job: Job, error: EngineError) {
    shared.ledger.failures.fetch_add(1, Ordering::Relaxed);
    job.fail(error);
}

fn run_head(shared: &Shared, jobs: Vec<Job>) {
    let results = isolate(&jobs, &|jobs| read(&shared.model, jobs));
    let mut next = Vec::new();
    for (mut job, result) in jobs.into_iter().zip(results) {
        match result {
            Err(error) => fail(shared, job, error),
            Ok(readings) => {
                let decoded = job.decoding.is_some();
                let newest = match decoded {
                    true => readings.into_iter().next(),
                    false => {
                        job.readings = readings;
                        prompt_end(&job).cloned()
                    }
                };
                next.extend(continue_decoding(shared, job, newest));
            }
        }
    }
    shared.advance(next);
}

/// Readings of every job: of the row's asked-for nodes, or of the newest token.
fn read(model: &Model, jobs: &[Job]) -> Result<Vec<Vec<Reading>>, ModelError> {
    let nothing = Asked::default();
    let mut residuals: Vec<&Tensor> = Vec::with_capacity(jobs.len());
    let mut nodes: Vec<i64> = Vec::new();
    let mut asked: Vec<&Asked> = Vec::new();
    let mut start = 0;
    for job in jobs {
        match &job.decoding {
            Some(decoding) => {
                residuals.push(&decoding.residual);
                nodes.push(start);
                asked.push(&nothing);
                start += 1;
            }
            None => {
                let row = &job.request.row;
                residuals.push(&job.state.residual);
                for (node, wanted) in row.asked() {
                    nodes.push(start + *node as i64);
                    asked.push(wanted);
                }
                start += row.tokens().len() as i64;
            }
        }
    }
    let nodes = Tensor::f_from_slice(&nodes)?.f_to_device(model.compute().device)?;
    let read = Tensor::f_cat(&residuals, 0)?.f_index_select(0, &nodes)?;
    let mut readings = model.head().read(&read, &asked)?.into_iter();
    Ok(jobs
        .iter()
        .map(|job| readings.by_ref().take(job.tokens()).collect())
        .collect())
}

/// What the model predicts after the prompt.
fn prompt_end(job: &Job) -> Option<&Reading> {
    let row = &job.request.row;
    let end = row.trunk().checked_sub(1)?;
    let at = row
        .asked()
        .binary_search_by_key(&end, |&(node, _)| node)
        .ok()?;
    job.readings.get(at)
}

/// Takes the next token, or finishes the job.
fn continue_decoding(shared: &Shared, mut job: Job, newest: Option<Reading>) -> Option<Job> {
    let (Some(plan), Some(newest)) = (job.request.decode.clone(), newest) else {
        job.finish(None, &shared.ledger);
        return None;
    };
    let mut tokens = job
        .decoding
        .as_mut()
        .map_or_else(Vec::new, |d| std::mem::take(&mut d.tokens));
    let before = tokens.len();
    let ended = catch_unwind(AssertUnwindSafe(|| plan.take(&newest, &mut tokens)));
    let position = (job.request.row.trunk() + before) as i64;
    let new_tokens = (tokens.len() - before) as u64;
    job.cost.tokens_decoded += new_tokens;
    shared
        .ledger
        .tokens_decoded
        .fetch_add(new_tokens, Ordering::Relaxed);
    match ended {
        Err(panic) => {
            fail(
                shared,
                job,
                EngineError::Panic(panic_message(panic.as_ref())),
            );
            None
        }
        Ok(Some(finish)) => {
            job.finish(Some(Generated { tokens, finish }), &shared.ledger);
            None
        }
        Ok(None) => match shared.model.embed(&tokens[before..], &[position]) {
            Err(error) => {
                fail(shared, job, error.into());
                None
            }
            Ok(residual) => {
                let decoding = job.decoding.take();
                let depth = job.request.chain.len();
                job.decoding = Some(Decoding {
                    position,
                    tokens,
                    residual: Frozen::new(residual),
                    done: 0,
                    tails: decoding.map_or_else(|| vec_of_none(depth), |d| d.tails),
                });
                Some(job)
            }
        },
    }
}

fn vec_of_none(length: usize) -> Vec<Option<Frozen>> {
    std::iter::repeat_with(|| None).take(length).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::engine::fixtures::{Jobs, chain};

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

    fn refusal() -> ModelError {
        ModelError::NotFound("this".into(), "batch".into())
    }

    #[test]
    fn a_batch_too_large_is_halved_until_it_fits() {
        let sizes = RefCell::new(Vec::new());
        let results = isolate(&jobs(7), &|jobs| {
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
        let results = isolate(&jobs(8), &|jobs| match tags(jobs).contains(&5) {
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
        let results = isolate(&jobs(5), &|jobs| match tags(jobs).contains(&0) {
            true => panic!("kernel {} broke", 3),
            false => Ok(tags(jobs)),
        });
        let error = results[0].as_ref().unwrap_err().to_string();
        assert_eq!(error, "a worker panicked: kernel 3 broke");
        assert!(results[1..].iter().all(Result::is_ok));
    }
}
