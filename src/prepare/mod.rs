//! A sample made ready for the engine: its prompts in tokens, as rows to run chains on, and what an outcome says of it.
//!
//! ```text
//! Sample ── PromptLayout (conversation, tokens, prompt, rolling, ending) ──▶ PreparedSample + rows of the engine
//! outcomes of the rows ── PreparedSample::answers ──▶ Answer ── PreparedSample::verdict ──▶ Verdict
//! ```

mod conversation;
mod ending;
mod layout;
mod prepared;
mod prompt;
mod rolling;
mod sample_problem;

pub use ending::BoxTokens;
pub use layout::PromptLayout;
pub use prepared::{Answer, PreparedSample};
pub use prompt::{Prompt, PromptContinuation, PromptWarning, PromptWarnings};
pub use sample_problem::SampleProblem;

use lm_tasks::{Sample, TaskError};

/// A sample that cannot be put to the model, and why.
fn cannot_ask(sample: &Sample, message: &str) -> TaskError {
    TaskError::Row {
        place: format!("task {}, sample {}", sample.task.name, sample.id),
        message: message.to_owned(),
    }
}
