//! How questions are put to a model: the flags, and what they mean to its tokenizer.

use std::{path::Path, sync::Arc};

use clap::Args;

use super::CliError;
use super::error::in_flags;
use crate::prepare::PromptLayout;
use crate::terminal::note;
use cola_model::{Message, Tokenizer};
use lm_tasks::{PromptOptions, TaskError, TaskSpec};

/// Tokens that a letter is looked for in: as Dr.LLM has it, of models that chat and of others.
const LETTER_TOKENS_CHAT: usize = 10;
const LETTER_TOKENS: usize = 2;

/// How to ask.
#[derive(Debug, Clone, Default, Args)]
pub struct PromptArgs {
    /// Put prompts through the model's chat template. The task's description becomes the system message.
    #[arg(long)]
    pub chat: bool,
    /// true: solved examples are turns of the chat (the default, as in lm-evaluation-harness 0.4.13). false: they
    /// are part of the one user message (as in 0.4.9).
    #[arg(long, value_name = "BOOL", requires = "chat")]
    pub fewshot_as_multiturn: Option<bool>,
    /// System message of the chat, put before the task's description (default: the description alone).
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub system: Option<String>,
    /// Leave out the special tokens that the tokenizer puts around a prompt (`<s>`, `<|begin_of_text|>`), as
    /// lm-evaluation-harness up to 0.4.9 does unless `add_bos_token=True`.
    #[arg(long)]
    pub no_bos: bool,
    /// Instead of scoring each option of a multiple-choice question, list the options by letter in the prompt and
    /// let the model write the letter, in at most 10 tokens with --chat and 2 without (as Dr.LLM does).
    #[arg(long)]
    pub letters: bool,
    /// Ask multiple-choice questions in every rotation of the options' order. A chain is right only if it is
    /// right in all of them. The prompt must list the options, by itself or with --letters.
    #[arg(long)]
    pub rotations: bool,
    /// Leave a question out of its own solved examples. Without the flag, it can be among them, answer included, if
    /// examples and questions come from the same rows (--fewshot-data equal to --data, or a task with a test split
    /// alone), as in lm-evaluation-harness; a warning says for how many.
    #[arg(long)]
    pub exclude_self: bool,
}

impl PromptArgs {
    /// Whether solved examples are turns of a chat.
    pub fn examples_as_turns(&self) -> bool {
        self.chat && self.fewshot_as_multiturn.unwrap_or(true)
    }

    /// How rows become questions, with their other rotations beside them or not.
    pub fn manner(&self, other_rotations: bool) -> PromptOptions {
        PromptOptions {
            chat: self.chat,
            rotations: self.rotations,
            other_rotations,
            exclude_self: self.exclude_self,
        }
    }

    /// The task as it is asked.
    pub fn of_task(&self, spec: TaskSpec) -> Result<TaskSpec, TaskError> {
        match (self.letters, self.chat) {
            (false, _) => Ok(spec),
            (true, true) => spec.by_letters(LETTER_TOKENS_CHAT),
            (true, false) => spec.by_letters(LETTER_TOKENS),
        }
    }

    /// Prompts for a tokenizer; near-ties and wrong answers are left to whoever runs a model.
    pub fn layout(
        &self,
        tokenizer: Arc<Tokenizer>,
        model: &Path,
        max_positions: i64,
    ) -> Result<PromptLayout, CliError> {
        if self.chat {
            tokenizer.chat()?;
        }
        if let Some(system) = &self.system {
            check_system(&tokenizer, system)?;
        }
        Ok(PromptLayout {
            chat: self.chat,
            examples_as_turns: self.examples_as_turns(),
            system: self.system.clone(),
            no_bos: self.no_bos,
            ..PromptLayout::new(tokenizer, model, max_positions)?
        })
    }
}

/// Some templates refuse a system message, and some leave it out without a word.
pub fn check_system(tokenizer: &Tokenizer, system: &str) -> Result<(), CliError> {
    let refuse = |reason: String| {
        CliError::Usage(format!(
            "--system: {reason}; leave the flag out, or write the message into the prompt"
        ))
    };
    let messages = messages(Some(system), "question");
    let rendered = tokenizer.chat()?.render(&messages);
    match rendered.map_err(|error| refuse(error.to_string()))? {
        text if text.contains(system.trim()) => Ok(()),
        _ => Err(refuse(
            "the model's chat template drops system messages".to_owned(),
        )),
    }
}

/// A conversation that waits for its first answer.
pub fn messages(system: Option<&str>, user: &str) -> Vec<Message> {
    let message = |role: &str, content: &str| Message {
        role: role.to_owned(),
        content: content.to_owned(),
    };
    let system = system.map(|system| message("system", system));
    system.into_iter().chain([message("user", user)]).collect()
}

/// Says what looked wrong with the prompts.
pub fn tell_warnings(command: &str, layout: &PromptLayout) {
    for line in layout.warnings.lines() {
        note(format_args!("{command}: warning: {}", in_flags(&line)));
    }
}
