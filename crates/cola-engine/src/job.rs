//! Jobs: evaluations on their way through the scheduler.

use std::sync::Arc;

use crossbeam_channel::Sender;

use super::{
    Cost, DecodePlan, EngineError, Finish, Generated, Ledger, Row,
    decode::Decoding,
    state::State,
    table::{Key, Promise},
    tree::Tree,
};
use cola_model::{Model, Reading};
use cola_search::chain::{Chain, Layer};

/// One evaluation asked of the engine.
#[derive(Debug, Clone)]
pub struct Request {
    /// A registered row.
    pub row: Arc<Row>,
    /// The layers to run.
    pub chain: Chain,
    /// How to continue the prompt; `None` only reads the row.
    pub decode: Option<DecodePlan>,
    /// Run in batches of its own and without the state table: the reference every other way of
    /// running is compared with.
    pub isolated: bool,
    /// Given back with the result.
    pub tag: u64,
}

/// What a chain made of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// One reading for each of [`Row::reads`].
    pub readings: Vec<Reading>,
    /// The greedy continuation, where one was asked for.
    pub generated: Option<Generated>,
    /// The least lead, nats, of a token of the continuation over the runner-up; infinite without a
    /// continuation. Below what the other rows of a batch can change, the continuation is a near-tie.
    pub lead: f64,
    /// What it cost.
    pub cost: Cost,
}

impl Outcome {
    /// Whether every state that was read was finite.
    pub fn is_finite(&self) -> bool {
        let decoded = self
            .generated
            .as_ref()
            .is_none_or(|g| g.finish != Finish::NotFinite);
        decoded && self.readings.iter().all(Reading::is_finite)
    }
}

/// A finished evaluation.
#[derive(Debug)]
pub struct Completion {
    /// Of the request.
    pub tag: u64,
    /// What came of it.
    pub result: Result<Outcome, EngineError>,
}

/// Where a job stands. Owned by the queue, or by the worker that runs its next step.
#[derive(Debug)]
pub struct Job {
    pub request: Request,
    pub reply: Sender<Completion>,
    /// Node in the row's prefix trie of each prefix, shortest first.
    pub path: Vec<u32>,
    /// The row's tree, with the drafts there were when the job began.
    pub tree: Arc<Tree>,
    /// The part that runs through the chain now.
    pub stage: Stage,
    /// The row's states after each layer of the chain so far, where [`keeps`](Self::keeps) says so.
    pub kept: Vec<Arc<State>>,
    /// Whether it needs the keys and values of every layer the row has passed.
    pub keeps: bool,
    /// Readings of the row; empty until the row has passed the chain.
    pub readings: Vec<Reading>,
    /// See [`Outcome::lead`].
    pub lead: f64,
    pub cost: Cost,
    /// Its part of the budget, once it has begun.
    pub promise: Option<Promise>,
}

/// The part of a job that runs through the chain: first its row, then each token it decodes, one by one.
#[derive(Debug)]
pub enum Stage {
    /// The row.
    Row(Walk),
    /// The newest token.
    Token(Decoding),
}

/// A row on its way through the chain.
#[derive(Debug)]
pub struct Walk {
    /// Layers it has passed.
    pub done: usize,
    /// The row after those layers.
    pub state: Arc<State>,
    /// The state after the next layer, where there is one of a smaller tree: only the nodes that it lacks are run.
    pub base: Option<Arc<State>>,
    /// Steps run since the last state taken from the table.
    pub since_shared: u32,
}

impl Walk {
    /// At the beginning of the chain, where `root` is the embedded row.
    pub fn from(root: Arc<State>) -> Self {
        Self {
            done: 0,
            state: root,
            base: None,
            since_shared: 0,
        }
    }

    /// Nodes that need not be run for the next layer: its state has them.
    pub fn covered(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.nodes())
    }
}

/// Bytes of one node of a row after one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeBytes {
    /// Of its residual stream.
    pub residual: usize,
    /// Of its keys and values.
    pub key_value: usize,
}

impl NodeBytes {
    /// In a model: of the layer with most.
    pub fn of(model: &Model) -> Self {
        let bytes = |numbers: i64| numbers as usize * model.compute().kind.elt_size_in_bytes();
        let spec = model.spec();
        let widths = spec.layers.iter().map(|l| l.attention.key_value_width());
        Self {
            residual: bytes(spec.hidden),
            key_value: 2 * bytes(widths.max().unwrap_or(0)),
        }
    }
}

/// What a job needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// This layer, on the row or on the newest decoded token.
    Layer(Layer),
    /// Norm and head.
    Head,
}

impl Job {
    /// Place in the chain of the layer to run next.
    fn place(&self) -> usize {
        match &self.stage {
            Stage::Row(walk) => walk.done,
            Stage::Token(decoding) => decoding.done,
        }
    }

    /// Damping of the layer to run next.
    pub fn alpha(&self) -> f64 {
        let step = self.request.chain.step(self.place());
        step.map_or(1.0, |step| step.alpha.value())
    }

    /// The next thing to run.
    pub fn work(&self) -> Work {
        match self.request.chain.layers().get(self.place()) {
            Some(&layer) => Work::Layer(layer),
            None => Work::Head,
        }
    }

    /// Tokens the next thing runs on.
    pub fn tokens(&self) -> usize {
        match (&self.stage, self.work()) {
            (Stage::Token(_), _) => 1,
            (Stage::Row(walk), Work::Layer(_)) => self.tree.len() - walk.covered(),
            (Stage::Row(_), Work::Head) => self.request.row.reads().len() + self.drafted(),
        }
    }

    /// The walk of its row, where its steps are shared with other chains: not of an isolated job.
    pub fn shared_walk(&mut self) -> Option<&mut Walk> {
        match &mut self.stage {
            Stage::Row(walk) if !self.request.isolated => Some(walk),
            _ => None,
        }
    }

    /// The step of its row that is next, by which other chains know it; `None` where it is not shared, and at the end of
    /// the chain.
    pub fn next_key(&self) -> Option<Key> {
        match &self.stage {
            Stage::Row(walk) if !self.request.isolated => {
                let node = self.path.get(walk.done)?;
                Some((self.request.row.id(), *node))
            }
            _ => None,
        }
    }

    /// Draft nodes of its tree.
    pub fn drafted(&self) -> usize {
        self.tree.len() - self.request.row.tokens().len()
    }

    /// Most bytes of states it will hold at once, where a node's residual and keys and values take
    /// `node` bytes: all it passes and the tokens it decodes, or else what a step takes and what it
    /// makes.
    pub fn need(&self, node: NodeBytes) -> usize {
        let layers = self.request.chain.len();
        if !self.keeps {
            return 2 * self.tree.len() * node.residual;
        }
        let plan = self.request.decode.as_ref();
        let tail = plan.map_or(0, |plan| plan.max_tokens);
        let states = self.tree.len() * (node.residual + node.key_value);
        layers * (states + tail * node.key_value)
    }

    /// Takes over the row's state after `done` layers. `since_shared`: see [`Walk::since_shared`].
    pub fn arrive(&mut self, done: usize, state: Arc<State>, since_shared: u32) {
        if self.keeps {
            self.kept.push(Arc::clone(&state));
        }
        self.stage = Stage::Row(Walk {
            done,
            state,
            base: None,
            since_shared,
        });
    }

    /// Closes the account and sends the result.
    pub fn finish(mut self, generated: Option<Generated>, ledger: &Ledger) {
        let run = self.cost.steps_run + self.cost.steps_grown;
        self.cost.steps_saved = (self.request.chain.len() as u64).saturating_sub(run);
        ledger.finished(&self.cost);
        let outcome = Outcome {
            readings: std::mem::take(&mut self.readings),
            generated,
            lead: self.lead,
            cost: self.cost,
        };
        self.send(Ok(outcome));
    }

    /// Gives up.
    pub fn fail(self, error: EngineError) {
        self.send(Err(error));
    }

    fn send(self, result: Result<Outcome, EngineError>) {
        let (tag, reply) = (self.request.tag, self.reply.clone());
        // Its states go first: who gets the result may release the row and find nothing left.
        drop(self);
        // The receiver may be gone: a run that is being stopped no longer listens.
        let _ = reply.send(Completion { tag, result });
    }
}
