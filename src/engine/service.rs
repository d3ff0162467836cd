//! The engine as its users see it: register rows, submit evaluations, receive outcomes.

use std::{
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
};

use crossbeam_channel::{Sender, bounded};

use super::{
    Completion, Cost, Decode, EngineError, Ledger, Outcome, Request, Row, StateTable, Totals,
    job::{Job, NodeBytes},
    queue::{BatchLimit, Beginning, Queue},
    state::{Meter, State},
    worker::{Shared, work},
};
use crate::model::{Applied, Frozen, Model, Repeat, RopeSpec};

/// How an engine runs. Nothing but `repeat` changes a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Worker threads; each runs one batch at a time.
    pub workers: usize,
    /// libtorch threads inside each worker.
    pub threads: usize,
    /// Bytes of states: of those in the table and those jobs hold, jobs having half of it, and
    /// always some.
    pub state_budget: usize,
    /// Most tokens packed into one batch.
    pub batch_tokens: usize,
    /// What a layer sees when a chain visits it again. The only option verdicts depend on.
    pub repeat: Repeat,
    /// How continuations are computed.
    pub decode: Decode,
}

impl EngineOptions {
    /// One single-threaded worker a core: on a CPU several small workers usually beat one with all
    /// cores, because most of a step is too small to be split;
    /// [`workers_and_threads`](super::workers_and_threads) measures.
    pub fn for_cpu() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            threads: 1,
            state_budget: 2 << 30,
            batch_tokens: 1024,
            repeat: Repeat::Clean,
            decode: Decode::Draft,
        }
    }

    /// One worker and large batches: one stream kept full.
    pub fn for_cuda() -> Self {
        Self {
            workers: 1,
            threads: 1,
            state_budget: 8 << 30,
            batch_tokens: 16 * 1024,
            repeat: Repeat::Clean,
            decode: Decode::Draft,
        }
    }
}

/// Runs chains on rows. Dropping it stops the workers; evaluations in flight fail.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the workers.
    pub fn start(model: Arc<Model>, options: EngineOptions) -> Self {
        let shared = Arc::new(Shared {
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
            draft_limit: draft_limit(&model, &options),
            model,
        });
        let workers = (0..options.workers.max(1))
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || work(&shared, options.threads.max(1)))
            })
            .collect();
        Self { shared, workers }
    }

    /// The model it runs.
    pub fn model(&self) -> &Arc<Model> {
        &self.shared.model
    }

    /// Takes in a row: embeds its tokens. Evaluations refer to it until it is released.
    pub fn register(&self, row: Row) -> Result<Arc<Row>, EngineError> {
        if row.tokens().is_empty() {
            return Err(EngineError::EmptyRow);
        }
        let model = &self.shared.model;
        let vocabulary = model.spec().vocabulary;
        let asked = row.asked().iter().flat_map(|(_, asked)| &asked.tokens);
        let mut tokens = row.tokens().iter().chain(asked);
        if let Some(&token) = tokens.find(|&&t| i64::from(t) >= vocabulary) {
            return Err(EngineError::Token { token, vocabulary });
        }
        let _guard = tch::no_grad_guard();
        let embedded = Applied {
            residual: Frozen::new(model.embed(row.tokens(), row.positions())?),
            key_value: None,
        };
        let root = Arc::new(State::new(embedded, &self.shared.meter));
        let row = Arc::new(row);
        self.shared.queue().register(Arc::clone(&row), root);
        Ok(row)
    }

    /// Takes in all of these rows, or none.
    pub fn register_all(&self, rows: Vec<Row>) -> Result<Vec<Arc<Row>>, EngineError> {
        let mut registered = Vec::with_capacity(rows.len());
        for row in rows {
            match self.register(row) {
                Ok(row) => registered.push(row),
                Err(error) => {
                    registered
                        .iter()
                        .for_each(|row: &Arc<Row>| self.release(row));
                    return Err(error);
                }
            }
        }
        Ok(registered)
    }

    /// Forgets a finished row and drops its states.
    pub fn release(&self, row: &Row) {
        let nodes = self.shared.queue().release(row.id());
        self.shared.table.drop_row(row.id(), nodes);
    }

    /// Queues an evaluation; its completion goes to `reply`.
    pub fn submit(&self, request: Request, reply: &Sender<Completion>) {
        let tag = request.tag;
        if let Err(error) = self.accept(request, reply) {
            // As in Job::finish: nobody listens to a run that is being stopped.
            let _ = reply.send(Completion {
                tag,
                result: Err(error),
            });
        }
    }

    fn accept(&self, request: Request, reply: &Sender<Completion>) -> Result<(), EngineError> {
        request.chain.check(self.shared.model.depth())?;
        if request.decode.is_some() && !request.row.for_decoding() {
            return Err(EngineError::NotForDecoding);
        }
        let beginning = self.shared.queue().begin(request.row.id(), &request.chain);
        let Some(Beginning { root, tree, path }) = beginning else {
            return Err(EngineError::Released);
        };
        // What only reads the row, and what runs alone, leaves drafts aside.
        let tree = match request.decode.is_some() && !request.alone {
            true => tree,
            false => Arc::clone(request.row.tree()),
        };
        self.shared.begin(Job {
            path,
            tree,
            base: None,
            done: 0,
            state: root,
            kept: Vec::new(),
            keeps: request.decode.is_some() || self.shared.repeat == Repeat::SharedSlot,
            since_shared: 0,
            decoding: None,
            readings: Vec::new(),
            lead: f64::INFINITY,
            cost: Cost::default(),
            reply: reply.clone(),
            promise: None,
            request,
        });
        Ok(())
    }

    /// Runs one evaluation and waits for it.
    pub fn evaluate(&self, request: Request) -> Result<Outcome, EngineError> {
        let (reply, done) = bounded(1);
        self.submit(request, &reply);
        drop(reply);
        done.recv()
            .map_or(Err(EngineError::Stopped), |completion| completion.result)
    }

    /// What all evaluations cost so far.
    pub fn totals(&self) -> Totals {
        self.shared.ledger.totals(self.shared.meter.peak())
    }

    /// What a layer sees when a chain visits it again.
    pub fn repeat(&self) -> Repeat {
        self.shared.repeat
    }

    /// The state table, to look at.
    pub fn table(&self) -> &StateTable {
        &self.shared.table
    }
}

/// Depth from which on nothing is drafted: where a longer sequence is rotated by other frequencies,
/// or has no positions, a draft would change what the row itself computes.
fn draft_limit(model: &Model, options: &EngineOptions) -> i64 {
    // With a shared slot, a token that is decoded sees what a token in a pass does not.
    if options.decode == Decode::Plain || options.repeat == Repeat::SharedSlot {
        return 0;
    }
    let spec = model.spec();
    let ropes = spec.layers.iter().filter_map(|l| l.attention.rope.as_ref());
    let changes = ropes.filter_map(|rope: &RopeSpec| rope.scaling.longest_usual());
    let learned = spec.learned_positions.then_some(spec.max_positions);
    changes.chain(learned).min().unwrap_or(i64::MAX)
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shared.queue().stop();
        self.shared.pending.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked outside a step has nothing left to tell.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chain::Chain,
        engine::fixtures::{model, plan, row},
    };

    fn evaluate(engine: &Engine, row: &Arc<Row>, decode: bool) {
        let request = Request {
            row: Arc::clone(row),
            chain: Chain::identity(5),
            decode: decode.then(|| plan(4)),
            alone: false,
            tag: 0,
        };
        engine.evaluate(request).unwrap();
    }

    #[test]
    fn a_released_row_leaves_no_byte_of_state_alive() {
        let options = EngineOptions {
            decode: Decode::Plain,
            ..EngineOptions::for_cpu()
        };
        let engine = Engine::start(model(), options);
        let meter = Arc::clone(&engine.shared.meter);
        for decode in [false, true] {
            let row = engine.register(row(9)).unwrap();
            assert!(meter.now() > 0, "the embedded row");
            evaluate(&engine, &row, decode);
            // The root, and five states of 9 nodes: residuals and keys and values, 32 wide.
            let node = 32 * 4;
            assert_eq!(meter.now(), 9 * node + 5 * 9 * 3 * node);
            assert_eq!(engine.table().bytes(), 5 * 9 * 3 * node);
            engine.release(&row);
            assert_eq!((engine.table().bytes(), meter.now()), (0, 0));
        }
    }

    #[test]
    fn the_peak_counts_states_no_table_keeps() {
        let options = EngineOptions {
            state_budget: 0,
            decode: Decode::Plain,
            ..EngineOptions::for_cpu()
        };
        let engine = Engine::start(model(), options);
        let row = engine.register(row(9)).unwrap();
        evaluate(&engine, &row, true);
        let six_states = 9 * 32 * 4 * (1 + 5 * 3);
        assert_eq!(engine.totals().peak_state_bytes, six_states);
        assert_eq!(engine.shared.meter.now(), 9 * 32 * 4);
    }
}
