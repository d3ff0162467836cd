//! One question as it is put to the model.

use std::sync::Arc;

use super::spec::TaskSpec;
use super::template::Columns;

/// A row of a task, rendered: what the model reads, and what a right answer is.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The task it belongs to.
    pub task: Arc<TaskSpec>,
    /// Unique in the dataset and stable: the row's own id, else its line number.
    pub id: String,
    /// The place in the dataset, from 0.
    pub index: usize,
    /// The row, with the columns `process_docs` made.
    pub doc: Arc<Columns>,
    /// What `doc_to_target` gives, as Python prints it: the index of an option, or a text.
    pub target: String,
    /// The prompt, before any continuation; of options that are prompts what stands before them.
    pub context: String,
    /// What is asked after it.
    pub question: Question,
}

/// What is asked of the model, with the gold answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which of these continuations is the most likely.
    MultipleChoice {
        /// The options as `acc_norm` counts their characters.
        options: Vec<String>,
        /// What follows the context: the target delimiter and the option.
        continuations: Vec<String>,
        /// The prompt of each option, where the options are in the prompt and not after it; else none.
        contexts: Vec<String>,
        /// The index of the right option.
        gold: usize,
    },
    /// What the model writes.
    Generate {
        /// Texts that end the answer and are not part of it.
        until: Vec<String>,
        /// The most tokens to generate.
        max_tokens: usize,
        /// The right answer, as the task's metrics read it.
        gold: String,
    },
}

impl Sample {
    /// The right answer as text: the gold option, or the gold answer.
    pub fn gold_text(&self) -> &str {
        match &self.question {
            Question::MultipleChoice { options, gold, .. } => {
                options.get(*gold).map_or("", String::as_str)
            }
            Question::Generate { gold, .. } => gold,
        }
    }
}
