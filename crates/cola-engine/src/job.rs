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
use cola_model::{Draw, Model, Reading};
use cola_search::chain::{Chain, Layer};

/// A request to evaluate one chain on one row.
#[derive(Debug, Clone)]
pub struct Request {
    /// A registered row.
    pub row: Arc<Row>,
    /// The layers to run.
    pub chain: Chain,
    /// How to continue the prompt; `None` only reads the row.
    pub decode: Option<DecodePlan>,
    /// Whether to run in batches of its own and without the state table. The result is the
    /// reference that every other way of running is compared with.
    pub isolated: bool,
    /// Returned with the result, so that the caller can tell its requests apart.
    pub tag: u64,
}

/// Result of running one chain on one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// One reading for each of [`Row::reads`].
    pub readings: Vec<Reading>,
    /// Mean negative log-probability (nats per token) of the prompt's own tokens at the row's [loss
    /// positions](Row::loss_reads). Infinite if a state there is not finite; `None` if the row
    /// reads no loss.
    pub prompt_loss: Option<f64>,
    /// How much each layer changes the prompt, layers in order: 1 less the cosine similarity of the
    /// residual stream before and after the layer, mean over the prompt's tokens (Block Influence,
    /// arXiv 2403.03853). `None` if the row [measures](super::RowBuilder::measure_influence) none,
    /// if the chain is not the unmodified model, or if the state table had a part of it.
    pub influence: Option<Vec<f64>>,
    /// The continuation, if [`Request::decode`] requested one.
    pub generated: Option<Generated>,
    /// Smallest [lead](Reading::lead) over all tokens of the continuation, nats. Infinite without a continuation. If the
    /// lead is smaller than the numerical effect that the other rows of a batch can have, the
    /// continuation is a near-tie: another batch may produce another one.
    pub lead: f64,
    /// Cost of the evaluation.
    pub cost: Cost,
}

impl Outcome {
    /// Whether every log-probability that was read is finite.
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
    /// [`Request::tag`] of its request.
    pub tag: u64,
    /// The outcome, or why the evaluation failed.
    pub result: Result<Outcome, EngineError>,
}

/// An evaluation in progress. Owned by the queue, or by the worker that runs its next step.
#[derive(Debug)]
pub struct Job {
    pub request: Request,
    pub reply: Sender<Completion>,
    /// For each prefix of the chain, shortest first, its node in the row's prefix trie.
    pub path: Vec<u32>,
    /// The row's tree, with the drafts there were when the job began.
    pub tree: Arc<Tree>,
    /// The part of the job that runs through the chain now: the row, or a decoded token.
    pub stage: Stage,
    /// The row's state after each layer that it has passed, if [`keeps`](Self::keeps) is set.
    pub kept: Vec<Arc<State>>,
    /// Whether the job needs the keys and values of every layer that the row has passed.
    pub keeps: bool,
    /// Readings of the row; empty until the row has passed the chain.
    pub readings: Vec<Reading>,
    /// See [`Outcome::prompt_loss`].
    pub prompt_loss: Option<f64>,
    /// See [`Outcome::influence`]: of the layers that the job has run.
    pub influence: Vec<f64>,
    /// See [`Outcome::lead`].
    pub lead: f64,
    pub cost: Cost,
    /// The job's part of the state budget; `None` until the job begins.
    pub promise: Option<Promise>,
}

/// The part of a job that runs through the chain: first its row, then each token it decodes, one by one.
#[derive(Debug)]
pub enum Stage {
    /// The row: prompt, branches and drafts.
    Row(Walk),
    /// The newest decoded token.
    Token(Decoding),
}

/// Progress of a row through the chain.
#[derive(Debug)]
pub struct Walk {
    /// Layers that the row has passed.
    pub done: usize,
    /// The row's state after those layers.
    pub state: Arc<State>,
    /// A state after the next layer that was computed for a smaller tree, if there is one: then
    /// only the nodes that it lacks are run.
    pub base: Option<Arc<State>>,
    /// Steps run since the row last took a state from the table or from another job. This is the
    /// cost of computing the current state again.
    pub since_shared: u32,
}

impl Walk {
    /// A walk at the beginning of the chain. `root` is the embedded row.
    pub fn from(root: Arc<State>) -> Self {
        Self {
            done: 0,
            state: root,
            base: None,
            since_shared: 0,
        }
    }

    /// Number of nodes that the next layer need not run, because [`base`](Self::base) has them.
    pub fn covered(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.nodes())
    }
}

/// Bytes that one node of a row takes after one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeBytes {
    /// Bytes of its residual stream.
    pub residual: usize,
    /// Bytes of its keys and values.
    pub key_value: usize,
}

impl NodeBytes {
    /// Sizes for `model`; those of keys and values for its widest layer.
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

/// The operation that a job needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// This layer, on the row or on the newest decoded token.
    Layer(Layer),
    /// Final norm and head.
    Head,
}

impl Job {
    /// Position in the chain of the layer to run next.
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

    /// The operation to run next.
    pub fn work(&self) -> Work {
        match self.request.chain.layers().get(self.place()) {
            Some(&layer) => Work::Layer(layer),
            None => Work::Head,
        }
    }

    /// Number of tokens that the next operation runs on.
    pub fn tokens(&self) -> usize {
        match (&self.stage, self.work()) {
            (Stage::Token(_), _) => 1,
            (Stage::Row(walk), Work::Layer(_)) => self.tree.len() - walk.covered(),
            (Stage::Row(_), Work::Head) => {
                let row = &self.request.row;
                row.reads().len() + row.loss_reads().len() + self.drafted()
            }
        }
    }

    /// The walk of the job's row, if its steps are shared with other chains. `None` for an isolated
    /// job, and for a decoded token.
    pub fn shared_walk(&mut self) -> Option<&mut Walk> {
        match &mut self.stage {
            Stage::Row(walk) if !self.request.isolated => Some(walk),
            _ => None,
        }
    }

    /// The key under which other chains find the result of the row's next step. `None` if the step
    /// is not shared, and at the end of the chain.
    pub fn next_key(&self) -> Option<Key> {
        match &self.stage {
            Stage::Row(walk) if !self.request.isolated => {
                let node = self.path.get(walk.done)?;
                Some((self.request.row.id(), *node))
            }
            _ => None,
        }
    }

    /// How to draw the token after a node of the job's tree, or after the newest decoded token;
    /// `None` if no token is drawn there.
    pub fn draw(&self, node: Option<usize>) -> Option<Draw> {
        let sampling = self.request.decode.as_ref()?.sampling?;
        let position = match (&self.stage, node) {
            (Stage::Token(decoding), _) => decoding.tokens.len(),
            (Stage::Row(_), None) => return None,
            // Branches and drafts follow the prompt's last node, whose depth this is.
            (Stage::Row(_), Some(node)) => {
                let depth = *self.tree.positions().get(node)? as usize;
                (depth + 1).checked_sub(self.request.row.trunk())?
            }
        };
        Some(sampling.draw(position))
    }

    /// Number of draft nodes in the job's tree.
    pub fn drafted(&self) -> usize {
        self.tree.len() - self.request.row.tokens().len()
    }

    /// Most bytes of states that the job holds at once, where `node` gives the bytes of one node.
    /// If the job keeps its states, they are those of all layers of the chain, with the keys and
    /// values of the tokens it decodes; otherwise, the residuals that one step reads and writes.
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

    /// Moves the row on to its state after `done` layers. `since_shared`: see
    /// [`Walk::since_shared`].
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

    /// Completes the cost and sends the outcome.
    pub fn finish(mut self, generated: Option<Generated>, ledger: &Ledger) {
        let run = self.cost.steps_run + self.cost.steps_grown;
        self.cost.steps_saved = (self.request.chain.len() as u64).saturating_sub(run);
        ledger.finished(&self.cost);
        let outcome = Outcome {
            readings: std::mem::take(&mut self.readings),
            prompt_loss: self.prompt_loss,
            influence: (!self.influence.is_empty()
                && self.influence.len() == self.request.chain.len())
            .then_some(std::mem::take(&mut self.influence)),
            generated,
            lead: self.lead,
            cost: self.cost,
        };
        self.send(Ok(outcome));
    }

    /// Sends the error as the result.
    pub fn fail(self, error: EngineError) {
        self.send(Err(error));
    }

    fn send(self, result: Result<Outcome, EngineError>) {
        let (tag, reply) = (self.request.tag, self.reply.clone());
        // The job's states are dropped before the result is sent: the receiver may release the row
        // and expect that no state of it is left.
        drop(self);
        // Sending fails if the receiver is gone, as in a run that is being stopped.
        let _ = reply.send(Completion { tag, result });
    }
}
