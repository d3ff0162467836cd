//! States, rows and jobs for the tests and benches of this crate, each of which uses some of them.

#![cfg_attr(not(test), allow(dead_code, missing_docs))]

use std::{path::Path, sync::Arc};

use crossbeam_channel::{Receiver, Sender, unbounded};
use tch::{Device, Kind, Tensor};

use super::{
    Completion, Cost, DecodePlan, Request, Row, RowId,
    job::{Job, Stage, Walk},
    queue::{Beginning, Queue},
    state::{Meter, State},
};
use cola_model::{Applied, Compute, Frozen, Model};
use cola_search::chain::Chain;

pub fn meter() -> Arc<Meter> {
    Arc::default()
}

/// A state of `bytes` bytes, which must be a multiple of four.
pub fn state(meter: &Arc<Meter>, bytes: usize) -> Arc<State> {
    state_over(meter, 1, bytes / 4)
}

/// A state of `nodes` nodes whose residuals are `width` wide.
pub fn state_over(meter: &Arc<Meter>, nodes: usize, width: usize) -> Arc<State> {
    let residual = Tensor::zeros([nodes as i64, width as i64], (Kind::Float, Device::Cpu));
    let applied = Applied {
        residual: Frozen::new(residual),
        key_value: None,
    };
    Arc::new(State::new(applied, meter))
}

/// Ids of new rows.
pub fn row_ids<const N: usize>() -> [RowId; N] {
    [(); N].map(|()| row(1).id())
}

/// A row of `tokens` tokens, built for decoding.
pub fn row(tokens: usize) -> Row {
    let mut builder = Row::builder(&vec![1; tokens]);
    builder.keep_decodable();
    builder.build()
}

pub fn chain(text: &str) -> Chain {
    text.parse().unwrap()
}

pub fn plan(max_tokens: usize) -> DecodePlan {
    DecodePlan {
        max_tokens,
        stop_tokens: Arc::from([]),
        finished: None,
        sampling: None,
    }
}

/// A small Llama of 5 layers.
pub fn model() -> Arc<Model> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models");
    Arc::new(Model::load(&fixtures.join("llama2-mha-f32"), Compute::cpu()).unwrap())
}

/// Creates jobs on registered rows and receives their completions.
pub struct Jobs {
    pub meter: Arc<Meter>,
    reply: Sender<Completion>,
    pub done: Receiver<Completion>,
}

impl Jobs {
    pub fn new() -> Self {
        let (reply, done) = unbounded();
        Self {
            meter: meter(),
            reply,
            done,
        }
    }

    /// A registered row of `tokens` tokens.
    pub fn row(&self, queue: &mut Queue, tokens: usize) -> Arc<Row> {
        let row = Arc::new(row(tokens));
        queue.register(Arc::clone(&row), state(&self.meter, 4));
        row
    }

    /// A job at the beginning of its chain.
    pub fn job(&self, queue: &mut Queue, row: &Arc<Row>, chain: &Chain, tag: u64) -> Job {
        let Beginning { root, tree, path } = queue.begin(row.id(), chain).unwrap();
        Job {
            request: Request {
                row: Arc::clone(row),
                chain: chain.clone(),
                decode: None,
                isolated: false,
                tag,
            },
            reply: self.reply.clone(),
            path,
            tree,
            stage: Stage::Row(Walk::from(root)),
            kept: Vec::new(),
            keeps: false,
            readings: Vec::new(),
            prompt_loss: None,
            influence: Vec::new(),
            lead: f64::INFINITY,
            promise: None,
            cost: Cost::default(),
        }
    }
}
