//! One batch run: what to run, driving it, keeping its records.
//!
//! ```text
//! manifest.json   what everything depends on; the same command with other values is refused
//! samples.jsonl   the journal: one complete record a finished sample, append-only
//!
//! driver ── starts samples, many at a time ──▶ course ── asks strategy, controls, re-check ──┐
//!    ▲                                                                                       │
//!    └────────────── completion ◀── engine ◀── one outstanding evaluation a sample ◀─────────┘
//! ```
//!
//! A [`Course`] is one sample's way from its first evaluation to its record. It never waits: the
//! driver feeds it completions and submits what it asks for, so a few threads keep hundreds of
//! samples in flight.

mod controls;
mod course;
mod driver;
mod error;
mod evaluate;
mod gather;
mod journal;
mod manifest;
mod progress;
mod record;

pub use controls::ControlPlan;
pub use course::{Course, Searches};
pub use driver::{Driver, RunOutcome, RunPlan};
pub use error::RunError;
pub use evaluate::{Evaluated, Evaluator, Pair};
pub use journal::Journal;
pub use manifest::{FORMAT, Manifest, TaskManifest};
pub use progress::{Progress, note};
pub use record::{ControlOutcome, Controls, Evaluation, SampleCost, SampleRecord, wall_seconds};
