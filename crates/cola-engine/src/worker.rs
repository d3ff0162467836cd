//! Workers: take a batch of steps, run it, hand the results on.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use tch::Tensor;

use super::{
    EngineError,
    continuation::{continue_decoding, embed_newest, walk_drafts},
    influence::influence,
    job::{Job, Stage, Work},
    queue::Taken,
    segments::apply,
    shared::Shared,
    state::State,
};
use cola_model::{Applied, Draw, Frozen, Model, ModelError, ReadAt, Reading, upload};
use cola_search::chain::Layer;

/// A worker thread: runs batches until the engine stops.
pub fn work(shared: &Shared, threads: usize) {
    tch::set_num_threads(threads as i32);
    let _guard = tch::no_grad_guard();
    let mut last = None;
    while let Some(taken) = wait_for_batch(shared, last) {
        let start = Instant::now();
        last = Some(taken.work);
        let next = match taken.work {
            Work::Layer(layer) => run_layer(shared, layer, taken.jobs),
            Work::Head => run_head(shared, taken.jobs),
        };
        shared.go_on(taken.tokens, next);
        let in_head = taken.work == Work::Head;
        shared.ledger.busy(start.elapsed(), in_head);
    }
}

fn wait_for_batch(shared: &Shared, last: Option<Work>) -> Option<Taken> {
    let mut queue = shared.queue();
    loop {
        if queue.stopped {
            return None;
        }
        if let Some(taken) = queue.next_batch(shared.limit, last) {
            return Some(taken);
        }
        queue = shared
            .pending
            .wait(queue)
            .unwrap_or_else(|e| e.into_inner());
    }
}

/// Runs a layer on a batch; returns the jobs that go on.
fn run_layer(shared: &Shared, layer: Layer, jobs: Vec<Job>) -> Vec<Job> {
    let tokens: usize = jobs.iter().map(Job::tokens).sum();
    shared.ledger.batch(tokens);
    let results = shared.isolate(&jobs, &|jobs: &[Job]| apply(shared, layer, jobs));
    let mut next = Vec::with_capacity(jobs.len());
    for (job, result) in jobs.into_iter().zip(results) {
        match result {
            Ok(applied) => next.extend(pass(shared, job, applied)),
            Err(error) => next.extend(give_up(shared, job, error)),
        }
    }
    next
}

/// Takes over the results of a layer for one job. Returns the jobs that go on: this one, and those
/// that waited for its step.
fn pass(shared: &Shared, mut job: Job, applied: Applied) -> Vec<Job> {
    let passed = match &mut job.stage {
        Stage::Token(decoding) => {
            shared.ledger.decode_steps.fetch_add(1, Ordering::Relaxed);
            job.cost.decode_steps += 1;
            return match decoding.pass(applied) {
                Ok(()) => vec![job],
                Err(error) => give_up(shared, job, error.into()),
            };
        }
        Stage::Row(walk) => match walk.base.take() {
            None => {
                shared.ledger.steps_run.fetch_add(1, Ordering::Relaxed);
                job.cost.steps_run += 1;
                Ok((walk, applied))
            }
            Some(base) => {
                shared.ledger.steps_grown.fetch_add(1, Ordering::Relaxed);
                job.cost.steps_grown += 1;
                appended(&base, &applied).map(|applied| (walk, applied))
            }
        },
    };
    let (walk, applied) = match passed {
        Ok(passed) => passed,
        Err(error) => return give_up(shared, job, error.into()),
    };
    let (done, since_shared) = (walk.done + 1, walk.since_shared + 1);
    let row = &job.request.row;
    if !row.influence_nodes.is_empty() && job.request.chain.is_identity(shared.model.depth()) {
        match influence(
            &walk.state.residual,
            &applied.residual,
            &row.influence_nodes,
        ) {
            Ok(value) => job.influence.push(value),
            Err(error) => return give_up(shared, job, error.into()),
        }
    }
    // The row's new state. The jobs that wait for it go on too.
    let state = Arc::new(State::new(applied, &shared.meter));
    let mut next = Vec::new();
    if let Some(key) = job.next_key() {
        shared.table.insert(key, &state, since_shared);
        next = shared.queue().settle(key, Some(&state));
    }
    job.arrive(done, state, since_shared);
    next.push(job);
    next
}

/// The state of a smaller tree, with the results for the nodes it lacked appended.
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

/// Fails a job. Returns the jobs that waited for its step; they run it themselves.
fn give_up(shared: &Shared, job: Job, error: EngineError) -> Vec<Job> {
    let waiters = job.next_key().map(|key| shared.queue().settle(key, None));
    shared.fail(job, error);
    waiters.unwrap_or_default()
}

/// Runs the head on a batch; returns the jobs that go on decoding.
fn run_head(shared: &Shared, jobs: Vec<Job>) -> Vec<Job> {
    shared.ledger.head(jobs.iter().map(Job::tokens).sum());
    let results = shared.isolate(&jobs, &|jobs: &[Job]| read(&shared.model, jobs));
    let mut newest = Vec::new();
    for (mut job, result) in jobs.into_iter().zip(results) {
        let mut readings = match result {
            Ok(readings) => readings,
            Err(error) => {
                shared.fail(job, error);
                continue;
            }
        };
        job.cost.head_positions += readings.len() as u64;
        match &mut job.stage {
            Stage::Row(_) => {
                let row = &job.request.row;
                let (reads, loss_reads) = (row.reads().len(), row.loss_reads().len());
                let drafted = readings.split_off(reads + loss_reads);
                job.prompt_loss = mean_loss(&readings[reads..]);
                readings.truncate(reads);
                job.readings = readings;
                job.cost.loss_positions += loss_reads as u64;
                newest.extend(walk_drafts(shared, job, &drafted));
            }
            Stage::Token(decoding) => {
                let written = decoding.take_written();
                newest.extend(continue_decoding(shared, job, written, &readings));
            }
        }
    }
    embed_newest(shared, newest)
}

/// Mean negative log-probability of the tokens that were read. See
/// [`Outcome::prompt_loss`](super::Outcome::prompt_loss).
fn mean_loss(readings: &[Reading]) -> Option<f64> {
    if readings.is_empty() {
        return None;
    }
    let total: f64 = readings.iter().flat_map(|reading| &reading.log_probs).sum();
    let mean = -total / readings.len() as f64;
    Some(if mean.is_finite() {
        mean
    } else {
        f64::INFINITY
    })
}

/// Readings of every job: for a row at its nodes to read, then at those for the loss, then at its
/// draft nodes; otherwise at the newest token.
fn read(model: &Model, jobs: &[Job]) -> Result<Vec<Vec<Reading>>, ModelError> {
    let mut residuals: Vec<&Tensor> = Vec::with_capacity(jobs.len());
    let mut nodes: Vec<i64> = Vec::new();
    let mut reads: Vec<Cow<ReadAt>> = Vec::new();
    let mut start = 0;
    for job in jobs {
        match &job.stage {
            Stage::Token(decoding) => {
                residuals.push(&decoding.residual);
                nodes.push(start);
                reads.push(Cow::Owned(next_token(job.draw(None))));
                start += 1;
            }
            Stage::Row(walk) => {
                let row = &job.request.row;
                residuals.push(&walk.state.residual);
                for (node, wanted) in row.reads() {
                    nodes.push(start + *node as i64);
                    reads.push(match job.draw(Some(*node)) {
                        None => Cow::Borrowed(wanted),
                        draw => Cow::Owned(ReadAt {
                            draw,
                            ..wanted.clone()
                        }),
                    });
                }
                for (node, wanted) in row.loss_reads() {
                    nodes.push(start + *node as i64);
                    reads.push(Cow::Borrowed(wanted));
                }
                for node in row.tokens().len()..job.tree.len() {
                    nodes.push(start + node as i64);
                    reads.push(Cow::Owned(next_token(job.draw(Some(node)))));
                }
                start += walk.state.nodes() as i64;
            }
        }
    }
    let nodes = upload(&nodes, model.compute().device)?;
    let read = Tensor::f_cat(&residuals, 0)?.f_index_select(0, &nodes)?;
    let reads: Vec<&ReadAt> = reads.iter().map(Cow::as_ref).collect();
    let mut readings = model.head().read(&read, &reads)?.into_iter();
    Ok(jobs
        .iter()
        .map(|job| readings.by_ref().take(job.tokens()).collect())
        .collect())
}

/// Reads the next token alone.
fn next_token(draw: Option<Draw>) -> ReadAt {
    ReadAt {
        draw,
        ..ReadAt::default()
    }
}
