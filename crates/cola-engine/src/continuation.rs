//! Decoding of a row's continuation: first the tokens that are in the draft tree, then token
//! by token.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
};

use super::{
    EngineError, Generated, Row,
    decode::{Decoding, Written},
    job::{Job, Stage},
    shared::{Shared, panic_message},
    state::State,
    tail::Tail,
};
use tch::Device;

use cola_model::{Applied, Frozen, ModelError, Reading, upload};

/// Called when the row has passed the whole chain. Starting at the end of the prompt, takes the
/// next token for as long as that token is a node of the job's tree. Returns the job if
/// the next token must be decoded by itself, `None` if the job is finished or has failed. `drafted`
/// holds the readings of the draft nodes.
pub fn walk_drafts(shared: &Shared, mut job: Job, drafted: &[Reading]) -> Option<Newest> {
    job.cost.passes += 1;
    let end = job.request.row.trunk().checked_sub(1);
    let (Some(plan), Some(end)) = (job.request.decode.clone(), end) else {
        job.finish(None, &shared.ledger);
        return None;
    };
    let (mut tokens, mut accepted) = (Vec::new(), Vec::new());
    let mut node = end;
    while let Some(reading) = reading_at(&job, drafted, node) {
        let lead = reading.lead();
        match catch_unwind(AssertUnwindSafe(|| plan.take(reading, &mut tokens))) {
            Err(panic) => {
                let panic = EngineError::Panic(panic_message(panic.as_ref()));
                shared.fail(job, panic);
                return None;
            }
            Ok(Some(finish)) => {
                job.lead = job.lead.min(lead);
                count_tokens(shared, &mut job, tokens.len(), accepted.len());
                finish_decoding(shared, job, Generated { tokens, finish });
                return None;
            }
            Ok(None) => {}
        }
        job.lead = job.lead.min(lead);
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
    let device = shared.model.compute().device;
    match tails(&job, &accepted, plan.max_tokens, device) {
        Ok(tails) => Some(Newest {
            job,
            written: Written {
                plan,
                tokens,
                tails,
            },
        }),
        Err(error) => {
            shared.fail(job, error.into());
            None
        }
    }
}

/// The reading at a node of the job's tree: from `drafted` for a draft node, otherwise from the
/// row's own readings. `None` if the node was not read.
fn reading_at<'a>(job: &'a Job, drafted: &'a [Reading], node: usize) -> Option<&'a Reading> {
    let row = &job.request.row;
    if let Some(draft) = node.checked_sub(row.tokens().len()) {
        return drafted.get(draft);
    }
    let reads = row.reads();
    let at = reads.binary_search_by_key(&node, |&(node, _)| node).ok()?;
    job.readings.get(at)
}

/// Keys and values of the accepted tree nodes: one [`Tail`] for each position in the chain.
fn tails(
    job: &Job,
    accepted: &[i64],
    most: usize,
    device: Device,
) -> Result<Vec<Tail>, ModelError> {
    if accepted.is_empty() {
        let none = std::iter::repeat_with(|| Tail::new(most));
        return Ok(none.take(job.request.chain.len()).collect());
    }
    let index = upload(accepted, device)?;
    let tail = |state: &Arc<State>| -> Result<Tail, ModelError> {
        Ok(match &state.key_value {
            Some(kv) => Tail::beginning(Frozen::new(kv.f_index_select(0, &index)?), most),
            None => Tail::new(most),
        })
    };
    job.kept.iter().map(tail).collect()
}

/// Called when the newest token has passed the whole chain: takes the next token from its reading,
/// or finishes the job.
pub fn continue_decoding(
    shared: &Shared,
    mut job: Job,
    mut written: Written,
    readings: &[Reading],
) -> Option<Newest> {
    let before = written.tokens.len();
    let mut ended = None;
    // `readings` holds one reading, that of the newest token.
    for newest in readings {
        let take = || written.plan.take(newest, &mut written.tokens);
        match catch_unwind(AssertUnwindSafe(take)) {
            Err(panic) => {
                let panic = EngineError::Panic(panic_message(panic.as_ref()));
                shared.fail(job, panic);
                return None;
            }
            Ok(finish) => ended = finish,
        }
        job.lead = job.lead.min(newest.lead());
    }
    count_tokens(shared, &mut job, written.tokens.len() - before, 0);
    match ended {
        None => Some(Newest { job, written }),
        Some(finish) => {
            let tokens = written.tokens;
            finish_decoding(shared, job, Generated { tokens, finish });
            None
        }
    }
}

/// A job whose newest token has yet to be embedded and run through the chain.
pub struct Newest {
    job: Job,
    written: Written,
}

impl Newest {
    fn token(&self) -> &[u32] {
        let tokens = &self.written.tokens;
        &tokens[tokens.len().saturating_sub(1)..]
    }

    fn position(&self) -> i64 {
        let before = self.written.tokens.len().saturating_sub(1);
        (self.job.request.row.trunk() + before) as i64
    }
}

/// Embeds the newest tokens of all jobs in one call. Returns the jobs that go on decoding.
pub fn embed_newest(shared: &Shared, newest: Vec<Newest>) -> Vec<Job> {
    let embed = |newest: &[Newest]| -> Result<Vec<Frozen>, ModelError> {
        let tokens: Vec<u32> = newest.iter().flat_map(Newest::token).copied().collect();
        let positions: Vec<i64> = newest.iter().map(Newest::position).collect();
        let embedded = shared.model.embed(&tokens, &positions)?;
        let each = (0..tokens.len() as i64).map(|row| embedded.f_narrow(0, row, 1));
        Ok(each
            .map(|row| row.map(Frozen::new))
            .collect::<Result<_, _>>()?)
    };
    let embedded = shared.isolate(&newest, &embed);
    let mut next = Vec::with_capacity(newest.len());
    for (newest, embedded) in newest.into_iter().zip(embedded) {
        let position = newest.position();
        let Newest { mut job, written } = newest;
        match embedded {
            Err(error) => shared.fail(job, error),
            Ok(residual) => {
                job.cost.passes += 1;
                job.stage = Stage::Token(Decoding {
                    plan: written.plan,
                    position,
                    tokens: written.tokens,
                    residual,
                    done: 0,
                    tails: written.tails,
                });
                next.push(job);
            }
        }
    }
    next
}

fn count_tokens(shared: &Shared, job: &mut Job, new: usize, accepted: usize) {
    // The last token of a continuation never counts as accepted, even if the tree has it: nothing
    // is predicted after it, so its node is not visited.
    let (new, accepted) = (new as u64, accepted as u64);
    job.cost.tokens_decoded += new;
    job.cost.tokens_drafted += accepted;
    let ledger = &shared.ledger;
    ledger.tokens_decoded.fetch_add(new, Ordering::Relaxed);
    ledger.tokens_drafted.fetch_add(accepted, Ordering::Relaxed);
}

/// Finishes a job whose continuation is complete, and offers the continuation as a draft to other
/// chains of the row.
fn finish_decoding(shared: &Shared, job: Job, generated: Generated) {
    if !job.request.isolated {
        learn_draft(shared, &job.request.row, generated.draft());
    }
    job.finish(Some(generated), &shared.ledger);
}

/// Offers a continuation as a draft to later chains of the row, unless the engine decodes without drafts.
pub fn learn_draft(shared: &Shared, row: &Row, continuation: &[u32]) {
    if shared.draft_limit <= 0 || continuation.is_empty() {
        return;
    }
    tracing::trace!(row = ?row.id(), trunk = row.trunk(), tokens = ?continuation, "continuation");
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
        // Without the draft, decoding produces the same tokens, only slower.
        Err(error) => tracing::warn!(%error, "a draft could not be embedded"),
    }
}
