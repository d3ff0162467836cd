//! The text of a prompt: as the task has it, or laid out as a conversation by the model's chat template.

use std::collections::BTreeSet;

use super::prompt::PromptWarning;
use super::{PromptLayout, cannot_ask};
use cola_model::{Message, ModelError};
use lm_tasks::{Sample, TaskError, Variant, join_system};

impl PromptLayout {
    /// The texts of a sample's prompts, in the order of its own options, chat template and all.
    ///
    /// # Errors
    /// A prompt the chat template refuses.
    pub fn texts(&self, sample: &Sample) -> Result<Vec<String>, TaskError> {
        let own = sample.as_asked();
        let contexts = own.prompts().into_iter();
        contexts
            .map(|context| self.context(own, context, &mut BTreeSet::new()))
            .collect::<Result<_, ModelError>>()
            .map_err(|error| cannot_ask(sample, &error.to_string()))
    }

    /// The text of a prompt, of which `context` is what the task makes.
    pub(super) fn context(
        &self,
        variant: Variant<'_>,
        context: &str,
        warnings: &mut BTreeSet<PromptWarning>,
    ) -> Result<String, ModelError> {
        if !self.chat {
            return Ok(context.to_owned());
        }
        let template = self.tokenizer.chat()?;
        let message = |role: &str, content: &str| Message {
            role: role.to_owned(),
            content: content.to_owned(),
        };
        // lm-eval's layout: the description speaks as the system, after what the user has it say.
        let description = &context[..variant.parts.description];
        let given = self.system.as_deref().unwrap_or_default();
        let system = join_system(given, description, &variant.sample.task.fewshot_delimiter);
        let system = Some(system).filter(|system| !system.is_empty());
        let mut messages = Vec::new();
        let question = match self.examples_as_turns {
            false => variant.parts.question_with_examples(context),
            true => {
                for example in &variant.parts.examples {
                    messages.push(message("user", &context[example.question.clone()]));
                    if !example.answer.is_empty() {
                        let answer = &context[example.answer.clone()];
                        messages.push(message("assistant", answer));
                    }
                }
                variant.parts.question(context)
            }
        };
        messages.push(message("user", question));
        if let Some(prefix) = &variant.parts.prefix {
            messages.push(message("assistant", prefix));
        }
        let Some(system) = system else {
            return template.render(&messages);
        };
        let with_system = [&[message("system", &system)], &messages[..]].concat();
        let rendered = template.render(&with_system);
        // As lm-eval does. A system message that was asked for is not dropped.
        if self.system.is_none() {
            match &rendered {
                Ok(text) if text.contains(system.trim()) => {}
                Ok(_) => drop(warnings.insert(PromptWarning::NoSystem)),
                Err(_) => {
                    let rendered = template.render(&messages)?;
                    warnings.insert(PromptWarning::NoSystem);
                    return Ok(rendered);
                }
            }
        }
        rendered
    }
}
