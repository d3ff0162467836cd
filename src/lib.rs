//! `cola` runs the layers of a frozen pretrained LLM as programs of its own: skipped, repeated and
//! reordered at inference, without training, into a *chain of layers* for each sample. A search
//! finds, for every sample of a benchmark, the shortest chain that answers it right (CoLa,
//! arXiv 2507.07996; PoLar, arXiv 2606.06574).
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | layer | one decoder block of the frozen model, `0..L` |
//! | [`chain`](chain::Chain) | the layers to execute, in order; `0-27` is the identity of a 28-layer model |
//! | edit | one change of a chain: skip a block, repeat a block (damped or not), swap neighbouring blocks |
//! | [`row`](engine::Row) | what a sample asks: a token tree with the prompt as its trunk |
//! | prefix | the first `p` layers of a chain |
//! | state | a row's residual stream `[T, D]` after a prefix |
//! | step | one layer applied to one state: the unit of work and of cost |
//! | evaluation | one chain's verdict on one sample |
//! | simulation | one iteration of a search; several may share an evaluation |
//! | oracle | a number obtained with the right answer in the loop; all that a search finds is one |
//!
//! # Rooms
//!
//! A room uses only those above it; `tests/rooms.rs` checks that.
//!
//! | room | is about |
//! | --- | --- |
//! | [`chain`] | what a program is: chains, edits, syntax, the prefix trie |
//! | [`model`] | the frozen LLM: configuration, weights, layers as pure functions, tokenizer, hub |
//! | [`engine`] | executing chains: token trees, state table, step scheduler, decoding, costs |
//! | [`task`] | what is asked: task files, rows, prompts, grading, generators |
//! | [`search`] | strategies that ask for chains and are told verdicts; blind to all else |
//! | [`run`] | one batch run: driver, journal, resume, progress |
//! | [`analysis`] | summary, depth usage, statistics, report |
//! | [`export`] | chains for other tools, one file a format |
//! | [`cli`] | the command line |
//!
//! # One search, from question to record
//!
//! ```text
//! task ── Sample ──▶ Probe + Row ──▶ engine.register
//!                                        │
//! search ── ask: Chain ──▶ run::Course ──▶ engine.submit ── steps, batched over samples ──▶ Outcome
//!    ▲                        │                                                              │
//!    └── tell: verdict ◀──────┴──────────────── Probe::verdict ◀─────────────────────────────┘
//!                             │
//!                             └──▶ SampleRecord ──▶ journal ──▶ analysis, export
//! ```
//!
//! # What stays true
//!
//! A layer is a pure function; keys and values belong to a position of the chain. A state depends
//! on (row, prefix) alone, so verdicts do not depend on batching, caching or threads. A strategy is
//! blind and replayable by seed. The journal is the only truth. What is unknown is refused.

#![warn(missing_docs)]

pub mod analysis;
pub mod chain;
pub mod cli;
pub mod engine;
pub mod export;
pub mod model;
pub mod run;
pub mod search;
pub mod task;
