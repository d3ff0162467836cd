//! The text of a prompt: as the task has it, or laid out as a conversation by the model's chat template.

use std::collections::BTreeSet;

use super::asking::{Asking, unaskable};
use super::prompt::PromptWarning;
use super::sample::Sample;
use super::{TaskError, target};
use crate::model::{Message, ModelError};

impl Asking {
    /// The texts of a sample's prompts, in the order of its own options, chat template and all.
    pub fn texts(&self, sample: &Sample) -> Result<Vec<String>, TaskError> {
        let alone = Sample {
            rotations: Vec::new(),
            ..sample.clone()
        };
        let parts = alone.by_prompt().into_iter();
        let texts = parts.map(|part| self.context(&part, &mut BTreeSet::new()));
        let texts: Result<_, ModelError> = texts.collect();
        texts.map_err(|error| unaskable(sample, &error))
    }

    /// The text of the prompt.
    pub(super) fn context(
        &self,
        way: &Sample,
        warnings: &mut BTreeSet<PromptWarning>,
    ) -> Result<String, ModelError> {
        if !self.chat {
            return Ok(way.context.clone());
        }
        let template = self.tokenizer.chat()?;
        let message = |role: &str, content: &str| Message {
            role: role.to_owned(),
            content: content.to_owned(),
        };
        // lm-eval's layout: the description speaks as the system, after what the user has it say.
        let description = &way.context[..way.parts.description];
        let told = self.system.as_deref().unwrap_or_default();
        let system = target::joined(told, description, &way.task.fewshot_delimiter);
        let system = Some(system).filter(|system| !system.is_empty());
        let mut messages = Vec::new();
        let question = match self.examples_as_turns {
            false => way.asked(),
            true => {
                for example in &way.parts.examples {
                    messages.push(message("user", &way.context[example.question.clone()]));
                    if !example.answer.is_empty() {
                        let answer = &way.context[example.answer.clone()];
                        messages.push(message("assistant", answer));
                    }
                }
                way.question_alone()
            }
        };
        messages.push(message("user", question));
        if let Some(prefix) = &way.parts.prefix {
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
