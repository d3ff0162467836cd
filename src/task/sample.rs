//! One question as it is put to the model.

use std::ops::Range;
use std::sync::Arc;

use super::ask::Asked;
use super::letters;
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
    /// Parts of the context that a chat gives to other speakers.
    pub parts: ContextParts,
    /// What is asked after it.
    pub question: Question,
    /// Other answers that are as right as the gold one.
    pub also_right: AlsoRight,
    /// The same with the options rotated by one place, two, ...; empty unless that was asked for. A chain answers right
    /// only if it does in every order.
    pub rotations: Vec<Sample>,
}

/// Right answers beside the gold one: options where options are scored, else texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlsoRight {
    /// Their indices.
    pub options: Vec<usize>,
    /// As the task's metrics read them.
    pub texts: Vec<String>,
}

/// Whose words the parts of a context are in a chat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextParts {
    /// Bytes at its beginning that describe the task.
    pub description: usize,
    /// The solved examples after them, in bytes of the context.
    pub examples: Vec<ExampleParts>,
    /// `gen_prefix`, with which it ends.
    pub prefix: Option<String>,
    /// Bytes of what stands before that.
    pub delimiter: usize,
}

/// A solved example in a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleParts {
    /// What is asked.
    pub question: Range<usize>,
    /// What is answered; empty where nothing is.
    pub answer: Range<usize>,
    /// Where it ends, delimiters and all.
    pub end: usize,
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
        /// The options, where the prompt lists them by letter and the answer is a letter; else empty.
        options: Vec<String>,
    },
}

impl Question {
    /// The options and the index of the right one; None where the answer is free text.
    pub fn choice(&self) -> Option<(&[String], usize)> {
        match self {
            Question::MultipleChoice { options, gold, .. } => Some((options, *gold)),
            Question::Generate { options, .. } if options.is_empty() => None,
            Question::Generate { options, gold, .. } => Some((options, letters::place(gold)?)),
        }
    }
}

impl Sample {
    /// The first of a row's questions, with the others as its rotations; None of none.
    pub(super) fn of(
        task: &Arc<TaskSpec>,
        id: &str,
        index: usize,
        doc: Arc<Columns>,
        asked: Vec<Asked>,
    ) -> Option<Sample> {
        let sample = |asked: Asked| Sample {
            task: Arc::clone(task),
            id: id.to_owned(),
            index,
            doc: Arc::clone(&doc),
            target: asked.target,
            context: asked.context,
            parts: asked.parts,
            question: asked.question,
            also_right: asked.also_right,
            rotations: Vec::new(),
        };
        let mut samples = asked.into_iter().map(sample);
        let mut first = samples.next()?;
        first.rotations = samples.collect();
        Some(first)
    }

    /// Every way the question is asked: as it is, then rotated. A chain is asked all of them.
    pub fn ways(&self) -> impl Iterator<Item = &Sample> {
        std::iter::once(self).chain(&self.rotations)
    }

    /// The question in parts that each have one prompt: where the options are prompts, each of them by itself, with 0
    /// as the index of a right one; else the question as it is.
    pub(super) fn by_prompt(&self) -> Vec<Sample> {
        let alone = Sample {
            rotations: Vec::new(),
            ..self.clone()
        };
        let Question::MultipleChoice {
            options,
            continuations,
            contexts,
            gold,
        } = &self.question
        else {
            return vec![alone];
        };
        if contexts.is_empty() {
            return vec![alone];
        }
        let parts = options.iter().zip(continuations).zip(contexts).enumerate();
        parts
            .map(|(at, ((option, continuation), context))| Sample {
                context: context.clone(),
                question: Question::MultipleChoice {
                    options: vec![option.clone()],
                    continuations: vec![continuation.clone()],
                    contexts: Vec::new(),
                    gold: usize::from(at != *gold),
                },
                ..alone.clone()
            })
            .collect()
    }

    /// The part of the context that is the question with its examples: without description and beginning of the answer.
    pub fn asked(&self) -> &str {
        self.after(self.parts.description)
    }

    /// The question alone, without its examples.
    pub fn question_alone(&self) -> &str {
        let last = self.parts.examples.last();
        self.after(last.map_or(self.parts.description, |example| example.end))
    }

    fn after(&self, start: usize) -> &str {
        let prefix = self.parts.prefix.as_ref();
        let after = prefix.map_or(0, |prefix| self.parts.delimiter + prefix.len());
        let end = self.context.len().saturating_sub(after);
        self.context.get(start..end).unwrap_or(&self.context)
    }

    /// Whether an option is a right one.
    pub(super) fn is_right_option(&self, at: usize) -> bool {
        let gold = self.question.choice().map(|(_, gold)| gold);
        gold == Some(at) || self.also_right.options.contains(&at)
    }

    /// All right answers as texts, the gold one first.
    pub(super) fn gold_texts(&self) -> Vec<&str> {
        let also = self.also_right.texts.iter().map(String::as_str);
        std::iter::once(self.gold_text()).chain(also).collect()
    }

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
