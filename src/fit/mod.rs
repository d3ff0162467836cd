//! One chain for a whole task, without the right answer at inference: a static re-layering, chosen on a training half of the
//! samples and reported on the other.
//!
//! ```text
//! samples ── split ──▶ training ──▶ for each depth: candidates ── race ──▶ the best chain ─┐
//!                  └─▶ held out ──────────────────── the best chain and the baselines ◀────┘──▶ front
//! ```
//!
//! Candidates of a depth (`candidates.rs`) are every block skipped or run twice (as RYS does), the best chains of the last depth
//! with further layers skipped or doubled, the finalists with one layer exchanged, and what people use without a search: the
//! baselines. A race (`race.rs`) is successive halving (Jamieson and Talwalkar, arXiv 1502.07943) on the same samples for all: it
//! drops the worse half of the chains after a few, doubles the samples, and runs the last few on all of them. What is known of a
//! chain on a sample is never run again (`table.rs`), in a later run neither.
//!
//! The training half has chosen, so that its numbers flatter the chain. Those of the held-out half are those of one chain that
//! was fixed before: they are what a user gets, and their intervals need no correction for how many chains were tried.

mod candidates;
mod files;
mod fitter;
mod front;
mod moves;
mod race;
mod split;
mod table;

pub use candidates::Origin;
pub use files::FitFiles;
pub use fitter::{FitPlan, Fitter};
pub use front::{Baseline, Block, Fit, Fitted, Objective, Scores};
pub use split::{Split, by_turns, split};
pub use table::{Evaluate, Point};
