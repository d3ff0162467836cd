//! Integration tests of the engine: each step is run once, results do not depend on the settings,
//! and a failure affects only the job that causes it.

mod batch_invariance;
mod branches;
mod decoding;
mod drafts;
mod exactness;
mod failures;
mod gguf;
mod influence;
mod prompt_loss;
mod sampling;
mod sharing;
mod shutdown;
mod support;
mod verdicts;
