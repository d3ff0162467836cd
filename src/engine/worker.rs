//! Workers: take a batch of steps, run it, hand the results on.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, atomic::Ordering},
    time::Instant,
};

use tch::Tensor;

use super::{
    EngineError, Finish, Generated, Ledger, Row, StateTable,
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
    /// Depth from which on nothing is drafted.
    pub draft_limit: i64,
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

    /// Whether a node of the tree stands for the same token decoded by itself.
    fn may_accept(&self, job: &Job, node: usize) -> bool {
        !job.request.alone && job.tree.positions()[node] < self.draft_limit
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
    let prepared = jobs
        .iter()
        .map(|job| Prepared::new(shared.repeat, job))
        .collect::<Result<Vec<_>, _>>()?;
    let segments: Vec<Segment> = jobs
        .iter()
        .zip(&prepared)
        .map(|(job, prepared)| segment(shared.repeat, job, prepared))
        .collect();
    let asks = |job: &Job| Asks {
        keep: match (&job.decoding, shared.keeps_all(&job.request.row)) {
            (Some(_), _) => Keep::Views,
            // What is appended to a smaller state is copied then.
            (None, _) if job.base.is_some() => Keep::Views,
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

/// What a segment borrows besides its job.
struct Prepared {
    /// Residual of the nodes to run, where they are not all of the job's state.
    residual: Option<Frozen>,
    slot: Option<Slot>,
}

impl Prepared {
    fn new(repeat: Repeat, job: &Job) -> Result<Self, ModelError> {
        let (covered, nodes) = (job.covered(), job.tree.len());
        let part = job.decoding.is_none() && (covered > 0 || job.state.nodes() != nodes);
        let residual = match part {
            true => {
                let count = (nodes - covered) as i64;
                let part = job.state.residual.f_narrow(0, covered as i64, count)?;
                Some(Frozen::new(part))
            }
            false => None,
        };
        Ok(Self {
            residual,
            slot: slot(repeat, job),
        })
    }
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

fn segment<'a>(repeat: Repeat, job: &'a Job, prepared: &'a Prepared) -> Segment<'a> {
    let row = &job.request.row;
    let Some(decoding) = &job.decoding else {
        return row_segment(job, prepared);
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

/// The nodes of a row's tree that its next state lacks.
fn row_segment<'a>(job: &'a Job, prepared: &'a Prepared) -> Segment<'a> {
    let residual = prepared.residual.as_ref().unwrap_or(&job.state.residual);
    let (positions, seen) = (job.tree.positions(), job.tree.visible());
    if let Some(slot) = &prepared.slot {
        let kept = |&place: &usize| {
            let kv = job.kept[place].key_value.as_ref()?;
            Some((kv, kv.size()[0]))
        };
        return Segment {
            residual,
            positions,
            context: slot.visits.iter().filter_map(kept).collect(),
            visible: Visibility::Tree {
                context: &slot.positions,
                seen: &slot.seen,
            },
        };
    }
    let covered = job.covered();
    let base = job.base.as_ref().and_then(|base| base.key_value.as_ref());
    Segment {
        residual,
        positions: &positions[covered..],
        context: base.map(|kv| (kv, covered as i64)).into_iter().collect(),
        visible: Visibility::Tree {
            context: &positions[..covered],
            seen: &seen[covered * job.tree.len()..],
        },
    }
}

/// A row has passed a layer: share its new state, go on, and let those who wait for it go on.
fn step_row(shared: &Shared, mut job: Job, applied: Applied) -> Vec<Job> {
    let applied = match job.base.take() {
        None => {
            shared.ledger.steps_run.fetch_add(1, Ordering::Relaxed);
            job.cost.steps_run += 1;
            applied
        }
        Some(base) => {
            shared.ledger.steps_grown.fetch_add(1, Ordering::Relaxed);
            job.cost.steps_grown += 1;
            match appended(&base, &applied) {
                Ok(applied) => applied,
                Err(error) => return give_up(shared, job, error.into()),
            }
        }
    };
    let state = Arc::new(State::new(applied, &shared.meter));
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

/// A state and what was run of the nodes it lacked.
fn appended(base: &State, new: &Applied) -> Result<Applied, ModelError> {
    let join = |a: &Tensor, b: &Tensor| Tensor::f_cat(&[a, b], 0).map(Frozen::new);
    Ok(Applied {
        residual: join(&base.residual, &new.residual)?,
        key_value: match (&base.key_value, &new.key_value) {
            (Some(old), Some(new)) => Some(join(old, new)?),
            _ => None,
        },
    })
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
            Ok(mut readings) if job.decoding.is_none() => {
                let drafted = readings.split_off(job.request.row.asked().len());
                job.readings = readings;
                next.extend(walk_drafts(shared, job, &drafted));
            }
            Ok(readings) => next.extend(continue_decoding(shared, job, &readings)),
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
                for node in row.tokens().len()..job.tree.len() {
                    nodes.push(start + node as i64);
                    asked.push(&nothing);
                }
                start += job.state.nodes() as i64;
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

/// The chain has passed the row: takes the most likely token after the prompt, and after every
/// token of it that the tree has. What the tree has not is decoded token by token.
fn walk_drafts(shared: &Shared, mut job: Job, drafted: &[Reading]) -> Option<Job> {
    let end = job.request.row.trunk().checked_sub(1);
    let (Some(plan), Some(end)) = (job.request.decode.clone(), end) else {
        job.finish(None, &shared.ledger);
        return None;
    };
    let (mut tokens, mut accepted) = (Vec::new(), Vec::new());
    let mut node = end;
    while let Some(reading) = reading_at(&job, drafted, node) {
        match catch_unwind(AssertUnwindSafe(|| plan.take(reading, &mut tokens))) {
            Err(panic) => {
                let panic = EngineError::Panic(panic_message(panic.as_ref()));
                fail(shared, job, panic);
                return None;
            }
            Ok(Some(finish)) => {
                count_tokens(shared, &mut job, tokens.len(), accepted.len());
                finish_decoding(shared, job, Generated { tokens, finish });
                return None;
            }
            Ok(None) => {}
        }
        let next = tokens.last().and_then(|&t| job.tree.child(Some(node), t));
        match next.filter(|&child| shared.may_accept(&job, child)) {
            Some(child) => {
                accepted.push(child as i64);
                node = child;
            }
            None => break,
        }
    }
    count_tokens(shared, &mut job, tokens.len(), accepted.len());
    match tails(&job, &accepted) {
        Ok(tails) => decode_next(shared, job, tokens, tails),
        Err(error) => {
            fail(shared, job, error.into());
            None
        }
    }
}

/// What the model predicts at a node of the job's tree.
fn reading_at<'a>(job: &'a Job, drafted: &'a [Reading], node: usize) -> Option<&'a Reading> {
    let row = &job.request.row;
    if let Some(draft) = node.checked_sub(row.tokens().len()) {
        return drafted.get(draft);
    }
    let asked = row.asked();
    let at = asked.binary_search_by_key(&node, |&(node, _)| node).ok()?;
    job.readings.get(at)
}

/// Keys and values of accepted tree nodes, for each place of the chain.
fn tails(job: &Job, accepted: &[i64]) -> Result<Vec<Option<Frozen>>, ModelError> {
    if accepted.is_empty() {
        return Ok(vec_of_none(job.request.chain.len()));
    }
    let index = Tensor::f_from_slice(accepted)?.f_to_device(job.state.residual.device())?;
    let tail = |state: &Arc<State>| -> Result<Option<Frozen>, ModelError> {
        let Some(kv) = &state.key_value else {
            return Ok(None);
        };
        Ok(Some(Frozen::new(kv.f_index_select(0, &index)?)))
    };
    job.kept.iter().map(tail).collect()
}

/// The newest token has passed the chain: takes the next one, or finishes the job.
fn continue_decoding(shared: &Shared, mut job: Job, readings: &[Reading]) -> Option<Job> {
    let (Some(plan), Some(decoding), [newest]) =
        (job.request.decode.clone(), job.decoding.take(), readings)
    else {
        fail(
            shared,
            job,
            EngineError::Panic("a decoding job without its token".into()),
        );
        return None;
    };
    let Decoding {
        mut tokens, tails, ..
    } = decoding;
    let before = tokens.len();
    match catch_unwind(AssertUnwindSafe(|| plan.take(newest, &mut tokens))) {
        Err(panic) => {
            let panic = EngineError::Panic(panic_message(panic.as_ref()));
            fail(shared, job, panic);
            None
        }
        Ok(ended) => {
            count_tokens(shared, &mut job, tokens.len() - before, 0);
            match ended {
                None => decode_next(shared, job, tokens, tails),
                Some(finish) => {
                    finish_decoding(shared, job, Generated { tokens, finish });
                    None
                }
            }
        }
    }
}

/// Sends the last of `tokens` through the chain.
fn decode_next(
    shared: &Shared,
    mut job: Job,
    tokens: Vec<u32>,
    tails: Vec<Option<Frozen>>,
) -> Option<Job> {
    let last = tokens.len().saturating_sub(1);
    let position = (job.request.row.trunk() + last) as i64;
    match shared.model.embed(&tokens[last..], &[position]) {
        Err(error) => {
            fail(shared, job, error.into());
            None
        }
        Ok(residual) => {
            job.decoding = Some(Decoding {
                position,
                tokens,
                residual: Frozen::new(residual),
                done: 0,
                tails,
            });
            Some(job)
        }
    }
}

fn count_tokens(shared: &Shared, job: &mut Job, new: usize, accepted: usize) {
    // The last token of a continuation needs no pass: it may be in the tree and not accepted.
    let (new, accepted) = (new as u64, accepted as u64);
    job.cost.tokens_decoded += new;
    job.cost.tokens_drafted += accepted;
    let ledger = &shared.ledger;
    ledger.tokens_decoded.fetch_add(new, Ordering::Relaxed);
    ledger.tokens_drafted.fetch_add(accepted, Ordering::Relaxed);
}

/// The continuation is complete: other chains of the row may want it as a draft.
fn finish_decoding(shared: &Shared, job: Job, generated: Generated) {
    let drafted = match generated.finish {
        Finish::StopToken(_) => generated.tokens.as_slice(),
        // Nothing is predicted from its last token.
        Finish::Complete | Finish::Length => {
            &generated.tokens[..generated.tokens.len().saturating_sub(1)]
        }
        Finish::NotFinite => &[],
    };
    if shared.draft_limit > 0 && !job.request.alone && !drafted.is_empty() {
        draft(shared, &job.request.row, drafted);
    }
    job.finish(Some(generated), &shared.ledger);
}

fn draft(shared: &Shared, row: &Row, continuation: &[u32]) {
    let grown = shared
        .queue()
        .learn(row.id(), continuation, shared.draft_limit);
    let Some(tree) = grown else {
        return;
    };
    match shared.model.embed(tree.tokens(), tree.positions()) {
        Ok(residual) => {
            let embedded = Applied {
                residual: Frozen::new(residual),
                key_value: None,
            };
            let root = Arc::new(State::new(embedded, &shared.meter));
            shared.queue().adopt(row.id(), tree, root);
        }
        // Without the draft, decoding is slower and writes the same.
        Err(error) => tracing::warn!(%error, "a draft could not be embedded"),
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
