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
//! # The house
//!
//! What needs no torch, or is a product of its own, is a crate below `crates/`; cargo sees to it that a crate uses only
//! those it names. This one puts them together.
//!
//! | crate, as a module here | is about | uses |
//! | --- | --- | --- |
//! | `math-answer` | reading answers out of texts, and whether two are the same | |
//! | `pyjinja` | Jinja2, `str`, `re`, `random`, PyYAML as Python has them | |
//! | `cola-synth` | seeded questions that a solver has checked | |
//! | `cola-search`: [`search`], [`chain`] | chains, and the strategies that ask for them | |
//! | `cola-files` | files that may be anything: regular ones only, of bounded size | |
//! | `cola-hub`: [`hub`] | models and datasets of the hub | `cola-files` |
//! | `lm-tasks`: [`task`] | lm-evaluation-harness: task files, rows, prompts, grading | `math-answer`, `pyjinja`, `cola-hub`, `cola-files` |
//! | `cola-model`: [`model`] | the frozen LLM on libtorch: layers as pure functions, tokenizer | `cola-search` (chains), `pyjinja` (chat templates), `cola-files` |
//! | `cola-engine`: [`engine`] | running chains: token trees, state table, scheduler, decoding | `cola-model` |
//!
//! | module | is about |
//! | --- | --- |
//! | [`prepare`] | a sample as rows of the engine, and what an outcome says of it |
//! | [`run`] | one batch run: driver, journal, resume, progress, menus, certificates |
//! | [`analysis`] | summary, depth usage, statistics, report |
//! | [`export`] | chains for other tools, one file a format |
//! | [`fit`] | one chain for a whole task, with held-out numbers |
//! | [`trials`] | remembers how many workers are fastest |
//! | [`cli`] | the command line |
//!
//! # One search, from question to record
//!
//! ```text
//! task ── Sample ──▶ PreparedSample + Row ──▶ engine.register
//!                                        │
//! search ── ask: Chain ──▶ run::Course ──▶ engine.submit ── steps, batched over samples ──▶ Outcome
//!    ▲                        │                                                              │
//!    └── tell: verdict ◀──────┴──────────────── PreparedSample::verdict ◀─────────────────────────────┘
//!                             │
//!                             └──▶ SampleRecord ──▶ journal ──▶ analysis, export
//! ```
//!
//! # What stays true
//!
//! A layer is a pure function; keys and values belong to a position of the chain. A state depends
//! on (row, prefix) alone, so verdicts do not depend on batching, caching or threads. A strategy is
//! blind and replayable by seed. The journal is the only truth. What is unknown is refused.

pub use cola_engine as engine;
pub use cola_hub as hub;
pub use cola_model as model;
pub use cola_search as search;
pub use cola_search::chain;
pub use cola_synth as synth;
pub use lm_tasks as task;

pub mod analysis;
pub mod cli;
mod disk;
pub mod export;
pub mod fit;
pub mod prepare;
pub mod problem;
pub mod run;
pub mod session;
pub mod terminal;
pub mod trials;

/// What most programs that use this library name.
pub mod prelude {
    pub use crate::{
        chain::Chain,
        prepare::{PromptLayout, SampleProblem},
        problem::{Judge, Judged, Prepared, Problem, Rotations, Scores, Target, Verdict},
        run::{Journal, Pair, Progress, RunOutcome, SampleRecord, Searches},
        search::{Ask, Feedback, Strategy, StrategyFactory},
        session::{Interrupt, Session},
    };
}
