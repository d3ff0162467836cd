//! One batch run: what to run, driving it, keeping its records.
//!
//! ```text
//! manifest.json   what everything depends on; the same command with other values is refused
//! samples.jsonl   the journal: one complete record a finished sample, append-only
//! evaluations.log every evaluation of an unfinished run as soon as it is known: a continued run does not run it again
//! menu.jsonl      two lines a sample, append-only; only with menus
//! certificates.jsonl   one line a certified best chain, append-only; only with certificates
//!
//! driver ── starts samples, many at a time ──▶ course ── asks the searches in its lanes ──┐
//!    ▲                                                                                    │
//!    └────────────── completion ◀── engine ◀── one outstanding evaluation a lane ◀─────────┘
//! ```
//!
//! A course (`course.rs`) is one sample's way from its first evaluation to its record. It never waits: the
//! driver feeds it completions and submits what it asks for, so a few threads keep hundreds of
//! samples in flight. The search of a sample and its controls run side by side, each in a lane (`lane.rs`) of its own.
//! An evaluation in flight (`in_flight.rs`) is one chain on all rows of a sample, run again by itself
//! where its verdict was a near-tie; searches and fixed chains use the same. Menus (`menu/`) and certificates (`certify/`) are
//! stages after the search: they run fixed chains (`fixed_chains.rs`) on what it recorded (`searched.rs`), and write files of their own.
//! All of it is tested without a model, on made-up outcomes (`fakes.rs`).

mod assessed;
mod certify;
mod controls;
mod course;
mod driver;
mod error;
mod evaluate;
mod evaluation_log;
mod exact;
#[cfg(test)]
mod fakes;
mod findings;
mod fixed_chains;
mod fluency;
mod in_flight;
mod influence;
mod journal;
mod json_lines;
mod lane;
mod log_file;
mod manifest;
mod menu;
mod pair_log;
mod pareto;
mod phase;
mod progress;
mod record;
mod sampling;
mod searched;
mod searches;
mod status;
#[cfg(test)]
mod tests;
mod workload;

pub use certify::{
    Certificate, Certifier, MAX_TRANSFER_LOSS, RotationCount, TRANSFER_SAMPLES, Thresholds,
    Transfer, UndoneEdit,
};
pub use controls::{ControlPlan, ControlSamples};
pub use driver::{Driver, RunOutcome, RunPlan};
pub use error::{RunError, StaleLine};
pub use evaluate::{Batching, Evaluated, Evaluator, Pair};
pub use fixed_chains::AtOnce;
pub use fluency::{degradation, prompt_loss};
pub(crate) use influence::mean_influence;
pub(crate) use journal::attach;
pub use journal::{Finished, Journal};
pub(crate) use log_file::{LogFile, Origin as LogOrigin};
pub use manifest::{FORMAT, Manifest, TaskManifest};
pub use menu::{LEAST_SAMPLES, MenuPlan, MenuStage};
pub use pair_log::PairLog;
pub use progress::{Luck, Progress, Style as ProgressStyle};
pub use record::{
    Candidate, ControlOutcome, Controls, Evaluation, RandomOutcome, SampleCost, SampleRecord,
    wall_seconds,
};
pub use sampling::{Sampled, SamplingPlan};
pub use searches::Searches;
pub use status::RunStatus;
