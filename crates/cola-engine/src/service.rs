//! The engine's interface: register rows, submit evaluations, receive outcomes.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    thread::JoinHandle,
};

use crossbeam_channel::{Sender, bounded};

use super::{
    Completion, Cost, Decode, EngineError, Outcome, Request, Row, StateTable, Totals,
    continuation::learn_draft,
    job::{Job, Stage, Walk},
    queue::Beginning,
    shared::Shared,
    state::State,
    worker::work,
};
use cola_model::{Applied, Frozen, Model, Repeat};

/// Settings of an engine. Only `repeat` changes the results of evaluations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Worker threads; each runs one batch at a time.
    pub workers: usize,
    /// libtorch threads inside each worker.
    pub threads: usize,
    /// Bytes of states in the table and in jobs together. Jobs may hold half of them, or 256 MiB if
    /// that is more.
    pub state_budget: usize,
    /// Most tokens packed into one batch.
    pub batch_tokens: usize,
    /// The keys and values that a layer attends to when a chain visits it again.
    pub repeat: Repeat,
    /// The way to compute greedy continuations.
    pub decode: Decode,
}

impl EngineOptions {
    /// One single-threaded worker per core. On a CPU several small workers are usually faster than
    /// one with all cores, because most operations of a step are too small to be split;
    /// [`workers_and_threads`](super::workers_and_threads) measures which is.
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

    /// One worker with large batches, which keep one stream of the GPU busy.
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
    /// Data shared by the workers of a device, one for each device.
    devices: Vec<Arc<Shared>>,
    /// Rows on each device.
    rows: Mutex<Vec<usize>>,
    workers: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the workers.
    pub fn start(model: Arc<Model>, options: EngineOptions) -> Self {
        Self::start_on([(model, options)])
    }

    /// Starts workers on several devices, each with its own copy of one model. `repeat` must be the
    /// same on all of them. A row and its states stay on one device: the one with the fewest rows
    /// when the row was registered.
    ///
    /// # Panics
    ///
    /// Panics if `devices` is empty.
    pub fn start_on(devices: impl IntoIterator<Item = (Arc<Model>, EngineOptions)>) -> Self {
        let mut workers = Vec::new();
        let devices: Vec<Arc<Shared>> = devices
            .into_iter()
            .map(|(model, options)| {
                let shared = Arc::new(Shared::new(model, &options));
                workers.extend((0..options.workers.max(1)).map(|_| {
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || work(&shared, options.threads.max(1)))
                }));
                shared
            })
            .collect();
        assert!(!devices.is_empty(), "an engine needs a device");
        Self {
            rows: Mutex::new(vec![0; devices.len()]),
            devices,
            workers,
        }
    }

    /// The model it runs.
    pub fn model(&self) -> &Arc<Model> {
        &self.devices[0].model
    }

    /// Number of devices it runs on.
    pub fn devices(&self) -> usize {
        self.devices.len()
    }

    /// Number of rows on each device. A poisoned lock is ignored: no update leaves a number half
    /// written.
    fn rows(&self) -> MutexGuard<'_, Vec<usize>> {
        self.rows.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Registers a row and embeds its tokens. Requests may use the row until it is released.
    pub fn register(&self, mut row: Row) -> Result<Arc<Row>, EngineError> {
        if row.tokens().is_empty() {
            return Err(EngineError::EmptyRow);
        }
        let vocabulary = self.model().spec().vocabulary;
        let reads = row.reads().iter().flat_map(|(_, reads)| &reads.tokens);
        let mut tokens = row.tokens().iter().chain(reads);
        if let Some(&token) = tokens.find(|&&t| i64::from(t) >= vocabulary) {
            return Err(EngineError::Token { token, vocabulary });
        }
        let home = self
            .rows()
            .iter()
            .copied()
            .enumerate()
            .min_by_key(|&(_, n)| n);
        let (home, _) = home.unwrap_or_default();
        let shared = &self.devices[home];
        let _guard = tch::no_grad_guard();
        let embedded = Applied {
            residual: Frozen::new(shared.model.embed(row.tokens(), row.positions())?),
            key_value: None,
        };
        let root = Arc::new(State::new(embedded, &shared.meter));
        row.home = home;
        let row = Arc::new(row);
        self.rows()[home] += 1;
        shared.queue().register(Arc::clone(&row), root);
        Ok(row)
    }

    /// Registers all of these rows, or none of them if one cannot be registered.
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

    /// Unregisters a finished row and drops its states.
    pub fn release(&self, row: &Row) {
        let shared = &self.devices[row.home];
        let nodes = shared.queue().release(row.id());
        shared.table.drop_row(row.id(), nodes);
        let rows = &mut self.rows()[row.home];
        *rows = rows.saturating_sub(1);
    }

    /// Offers a continuation of a row as a draft to later chains of that row; see [`Generated::draft`](super::Generated::draft).
    pub fn learn_draft(&self, row: &Row, continuation: &[u32]) {
        let _guard = tch::no_grad_guard();
        learn_draft(&self.devices[row.home], row, continuation);
    }

    /// Queues an evaluation; its completion goes to `reply`.
    pub fn submit(&self, request: Request, reply: &Sender<Completion>) {
        let tag = request.tag;
        if let Err(error) = self.accept(request, reply) {
            // Sending fails if the receiver is gone, as in a run that is being stopped.
            let _ = reply.send(Completion {
                tag,
                result: Err(error),
            });
        }
    }

    fn accept(&self, request: Request, reply: &Sender<Completion>) -> Result<(), EngineError> {
        let shared = &self.devices[request.row.home];
        request.chain.check(shared.model.depth())?;
        if request.decode.is_some() && !request.row.for_decoding() {
            return Err(EngineError::NotForDecoding);
        }
        let beginning = shared.queue().begin(request.row.id(), &request.chain);
        let Some(Beginning { root, tree, path }) = beginning else {
            return Err(EngineError::Released);
        };
        // Drafts serve decoding only, and an isolated run must not depend on other chains.
        let tree = match request.decode.is_some() && !request.isolated {
            true => tree,
            false => Arc::clone(request.row.tree()),
        };
        shared.begin(Job {
            path,
            tree,
            stage: Stage::Row(Walk::from(root)),
            kept: Vec::new(),
            keeps: request.decode.is_some() || shared.repeat == Repeat::SharedSlot,
            readings: Vec::new(),
            prompt_loss: None,
            influence: Vec::new(),
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

    /// Total cost of all evaluations so far.
    pub fn totals(&self) -> Totals {
        let totals = self.devices.iter().map(|shared| {
            let peak = shared.meter.peak();
            shared.ledger.totals(peak)
        });
        totals.reduce(Totals::with).unwrap_or_default()
    }

    /// The keys and values that a layer attends to when a chain visits it again.
    pub fn repeat(&self) -> Repeat {
        self.devices[0].repeat
    }

    /// The state table of the first device, for inspection.
    pub fn table(&self) -> &StateTable {
        &self.devices[0].table
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for shared in &self.devices {
            shared.queue().stop();
            shared.pending.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker's panic is ignored: the engine is going away.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{model, plan, row};
    use cola_search::chain::Chain;

    fn evaluate(engine: &Engine, row: &Arc<Row>, decode: bool) {
        let request = Request {
            row: Arc::clone(row),
            chain: Chain::identity(5),
            decode: decode.then(|| plan(4)),
            isolated: false,
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
        let meter = Arc::clone(&engine.devices[0].meter);
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
    fn rows_are_spread_over_devices_and_answer_as_on_one() {
        let options = EngineOptions::for_cpu();
        let several = Engine::start_on((0..3).map(|_| (model(), options)));
        let one = Engine::start(model(), options);
        let rows: Vec<Arc<Row>> = (5..12).map(|n| several.register(row(n)).unwrap()).collect();
        assert_eq!(*several.rows(), [3, 2, 2]);
        let outcome = |engine: &Engine, row: &Arc<Row>| {
            let request = Request {
                row: Arc::clone(row),
                chain: Chain::parse("0,1,1,3,4", 5).unwrap(),
                decode: Some(plan(4)),
                isolated: false,
                tag: 0,
            };
            engine.evaluate(request).unwrap()
        };
        for (n, there) in (5..12).zip(&rows) {
            let here = one.register(row(n)).unwrap();
            let (a, b) = (outcome(&several, there), outcome(&one, &here));
            assert_eq!(a.readings, b.readings);
            assert_eq!(a.generated, b.generated);
        }
        assert_eq!(several.totals().evaluations, 7);
        assert_eq!(several.totals().cost.steps_run, one.totals().cost.steps_run);
        several.release(&rows[0]);
        several.release(&rows[1]);
        assert_eq!(*several.rows(), [2, 1, 2]);
        assert_eq!(several.register(row(5)).unwrap().home, 1);
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
        assert_eq!(engine.devices[0].meter.now(), 9 * 32 * 4);
    }
}
