//! What the engine promises: each step once, the same verdicts however it runs, failures that stay
//! with their sample.

mod batch_invariance;
mod branches;
mod decoding;
mod drafts;
mod exactness;
mod failures;
mod gguf;
mod sharing;
mod shutdown;
mod support;
mod verdicts;
