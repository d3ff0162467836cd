//! What the engine promises: each step once, the same verdicts however it runs, failures that stay
//! with their sample.

#[path = "../support/mod.rs"]
mod support;

mod branches;
mod company;
mod decoding;
mod drafts;
mod failures;
mod sharing;
mod shutdown;
mod verdicts;
