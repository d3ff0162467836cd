//! Runs chains of layers on token trees. This crate knows nothing of tasks or of the search.
//!
//! A [`Row`] is a token tree: the prompt is its trunk, options and other continuations are its
//! branches, and one pass over it scores them all. The *state* of (row, prefix) is the residual
//! stream of all its nodes after the first `p` layers of a chain. It depends on nothing else, so
//! chains that begin alike share it:
//!
//! ```text
//! chain 0,1,2,3    (row)──0──▶s0──1──▶s01──2──▶s012──3──▶s0123 ──▶ norm, head, readings
//! chain 0,1,3                          └───3──▶s013  ──▶ norm, head, readings
//! chain 0,1,3,3                                 └──3──▶s0133 ──▶ ...
//! ```
//!
//! An arrow is a *step*: one layer applied to one state, the unit of work and of cost. The
//! scheduler groups the pending steps of all rows and chains in flight by the layer they need next.
//! A worker sweeps over the layers in the order in which most chains use them: at each layer it
//! takes the steps that have gathered there, or its share of them, packs them into a batch and runs
//! it. Two chains that want the same step wait for one result. The state table keeps computed
//! states for as long as its budget allows. A job carries the states it needs itself, so an
//! eviction costs a recomputation, never a failure. States that jobs carry count against the same
//! budget: a job begins when there is room for it.
//!
//! Greedy decoding continues a chain token by token, with keys and values per *position of the
//! chain*: those of the prompt come from the shared states, those of the generated tokens are the
//! job's own. Decoded tokens of all jobs are packed with each other and with the rest.
//!
//! Continuations that many chains of a row have generated become part of its tree, as *drafts*. One
//! pass over the tree then predicts the token after every draft node at once, and only tokens that
//! no draft has are decoded one by one. The tree may grow while states of the smaller tree are
//! cached: a state covers the first nodes of the tree, and a step over it runs the nodes it lacks.
//! The generated tokens do not depend on the drafts.
//!
//! # Example
//!
//! Two chains of one prompt share the step of layer 0:
//!
//! ```
//! use std::sync::Arc;
//! use cola_engine::{Engine, EngineOptions, Request, Row};
//! use cola_model::{Compute, Model};
//!
//! let model = Arc::new(Model::load("../../models/demo".as_ref(), Compute::cpu())?);
//! let engine = Engine::start(model, EngineOptions::for_cpu());
//! let mut row = Row::builder(&[5, 9, 12]);
//! let answer = row.read_continuation(&[7]);
//! let row = engine.register(row.build())?;
//! let run = |chain: &str| {
//!     let chain = chain.parse().expect("a chain");
//!     engine.evaluate(Request { row: Arc::clone(&row), chain, decode: None, isolated: false, tag: 0 })
//! };
//! let (first, second) = (run("0-11")?, run("0,2-11")?);
//! assert_eq!((first.cost.steps_run, second.cost.steps_saved), (12, 1));
//! assert!(answer.log_prob(&row, &first.readings) < 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backend;
mod continuation;
mod decode;
mod draft;
mod error;
#[cfg(any(test, feature = "internals"))]
mod fixtures;
mod influence;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod job;
mod ledger;
mod queue;
mod row;
mod segments;
mod service;
mod shared;
mod state;
mod table;
mod tail;
mod tree;
mod tune;
mod verify;
mod worker;

pub use backend::Backend;
pub use decode::{Decode, DecodePlan, Finish, Finished, Generated};
pub use error::EngineError;
pub use job::{Completion, Outcome, Request};
pub use ledger::{Cost, Ledger, Totals};
pub use row::{Continuation, LOSS_POSITIONS, Row, RowBuilder, RowId};
pub use service::{Engine, EngineOptions};
pub use table::StateTable;
pub use tune::workers_and_threads;
pub use verify::{CaseReport, VerifyError, verify};
