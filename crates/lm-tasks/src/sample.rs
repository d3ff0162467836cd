//! Rows of a task, rendered into prompts and questions with their right answers.

use pyjinja::Columns;
use serde::Serialize;
use serde_json::{Value, json};
use std::ops::{Deref, Range};
use std::sync::Arc;

use super::ask::Questions;
use super::letters;
use super::spec::TaskSpec;

/// Must be raised when the data that a verdict depends on is serialised or graded in another way.
const FINGERPRINT_VERSION: u32 = 1;

/// Keys of a task file that determine how answers are read and compared.
const GRADING_KEYS: [&str; 5] = [
    "output_type",
    "filter_list",
    "metric_list",
    "process_docs",
    "process_results",
];

/// A row of a task, rendered.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The task it belongs to.
    pub task: Arc<TaskSpec>,
    /// Unique in the dataset and stable: the row's own id, else its line number.
    pub id: String,
    /// Index in the dataset, from 0.
    pub index: usize,
    /// The row, with the columns that `process_docs` added.
    pub doc: Arc<Columns>,
    /// Prompt and question with the options in the task's own order.
    pub own: Rendered,
    /// Prompts and questions with the options rotated by one place, by two, and so on; empty unless
    /// rotations were requested. A chain is right only if it is right in every order.
    pub rotated: Vec<Rendered>,
    /// The same renderings as questions of their own, which no verdict on the sample depends on; empty
    /// unless they were requested, and where the options cannot be rotated.
    pub other_rotations: Vec<Rendered>,
    /// Whether the row is among the solved examples of its own prompt, answer included.
    pub shows_itself: bool,
}

/// A prompt and the question that follows it.
#[derive(Debug, Clone, Serialize)]
pub struct Rendered {
    /// The prompt, before any continuation. If the options are prompts, the text before them.
    pub context: String,
    /// Parts of the context that become messages of different roles in a chat.
    pub parts: ContextParts,
    /// The question after the prompt.
    pub question: Question,
    /// Other answers that are as right as the gold one.
    pub also_right: AlsoRight,
    /// The value of `doc_to_target` as Python prints it: the index of an option, or a text.
    pub target: String,
}

/// A sample with its options in one order: the task's own, or rotated.
#[derive(Debug, Clone, Copy)]
pub struct Variant<'s> {
    /// The sample.
    pub sample: &'s Sample,
    /// Places by which its options are rotated.
    pub rotation: usize,
    /// Its prompt and question.
    pub rendered: &'s Rendered,
}

impl Deref for Variant<'_> {
    type Target = Rendered;

    fn deref(&self) -> &Rendered {
        self.rendered
    }
}

/// Right answers beside the gold one: options if options are scored, else texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AlsoRight {
    /// Indices of options.
    pub options: Vec<usize>,
    /// Texts, as the task's metrics read them.
    pub texts: Vec<String>,
}

/// The parts of a context, from which the messages of a chat are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ContextParts {
    /// Length in bytes of the task's description, with which the context begins.
    pub description: usize,
    /// The solved examples after the description, as byte ranges of the context.
    pub examples: Vec<ExampleParts>,
    /// `gen_prefix`, with which the context ends.
    pub prefix: Option<String>,
    /// Length in bytes of the delimiter before `prefix`.
    pub delimiter: usize,
}

impl ContextParts {
    /// The part of `context` with the examples and the question, without the description and the
    /// prefix.
    pub fn question_with_examples<'c>(&self, context: &'c str) -> &'c str {
        self.after(context, self.description)
    }

    /// The question alone, without its examples.
    pub fn question<'c>(&self, context: &'c str) -> &'c str {
        let last = self.examples.last();
        self.after(
            context,
            last.map_or(self.description, |example| example.end),
        )
    }

    fn after<'c>(&self, context: &'c str, start: usize) -> &'c str {
        let prefix = self.prefix.as_ref();
        let after = prefix.map_or(0, |prefix| self.delimiter + prefix.len());
        let end = context.len().saturating_sub(after);
        context.get(start..end).unwrap_or(context)
    }
}

/// A solved example in a context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExampleParts {
    /// The question.
    pub question: Range<usize>,
    /// The answer; empty if there is none.
    pub answer: Range<usize>,
    /// End of the example, including the delimiter after it.
    pub end: usize,
}

/// A question to the model, with the gold answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Question {
    /// Choose the most likely of these continuations of the prompt.
    Choice {
        /// The options as `acc_norm` counts their characters.
        options: Vec<String>,
        /// The texts after the context: the target delimiter and the option.
        continuations: Vec<String>,
        /// The index of the right option.
        gold: usize,
    },
    /// Choose the prompt after which the continuation is the most likely (WinoGrande).
    ChoiceOfPrompts {
        /// The options as `acc_norm` counts their characters.
        options: Vec<String>,
        /// The prompt of each option.
        prompts: Vec<String>,
        /// The text after each of these prompts.
        continuation: String,
        /// The index of the right option.
        gold: usize,
    },
    /// Score this text after the prompt, and test whether greedy decoding produces it (LAMBADA).
    Text {
        /// The text, which is the right answer.
        text: String,
    },
    /// Score a whole text, without a prompt, in windows of the model's context (WikiText).
    Rolling {
        /// The text.
        text: String,
    },
    /// Generate text after the prompt.
    Generate {
        /// Texts that end the answer and are not part of it.
        until: Vec<String>,
        /// The most tokens to generate.
        max_tokens: usize,
        /// The right answer, as the task's metrics read it.
        gold: String,
        /// The options, if the prompt lists them by letter and the answer is a letter; else empty.
        options: Vec<String>,
    },
}

impl Question {
    /// The options and the index of the right one; `None` if there are no options.
    pub fn choice(&self) -> Option<(&[String], usize)> {
        match self {
            Question::Choice { options, gold, .. }
            | Question::ChoiceOfPrompts { options, gold, .. } => Some((options, *gold)),
            Question::Generate { options, gold, .. } if !options.is_empty() => {
                Some((options, letters::place(gold)?))
            }
            Question::Generate { .. } | Question::Text { .. } | Question::Rolling { .. } => None,
        }
    }

    /// The options that are scored against each other; empty if there are none.
    pub fn scored_options(&self) -> &[String] {
        match self {
            Question::Choice { options, .. } | Question::ChoiceOfPrompts { options, .. } => options,
            Question::Text { .. } | Question::Rolling { .. } | Question::Generate { .. } => &[],
        }
    }

    /// The right answer as text: the gold option, or the gold answer.
    pub fn gold_text(&self) -> &str {
        match self {
            Question::Choice { options, gold, .. }
            | Question::ChoiceOfPrompts { options, gold, .. } => {
                options.get(*gold).map_or("", String::as_str)
            }
            Question::Text { text } | Question::Rolling { text } => text,
            Question::Generate { gold, .. } => gold,
        }
    }
}

impl Sample {
    /// A sample of a row's questions.
    pub(super) fn of(
        task: &Arc<TaskSpec>,
        id: &str,
        index: usize,
        doc: Arc<Columns>,
        questions: Questions,
    ) -> Sample {
        Sample {
            task: Arc::clone(task),
            id: id.to_owned(),
            index,
            doc,
            own: questions.own,
            rotated: questions.rotated,
            other_rotations: questions.other_rotations,
            shows_itself: questions.shows_itself,
        }
    }

    /// The sample in each of its [other rotations](Self::other_rotations), as samples of one question.
    pub fn in_other_rotations(&self) -> impl Iterator<Item = Sample> {
        self.other_rotations.iter().map(|rendered| Sample {
            task: Arc::clone(&self.task),
            id: self.id.clone(),
            index: self.index,
            doc: Arc::clone(&self.doc),
            own: rendered.clone(),
            rotated: Vec::new(),
            other_rotations: Vec::new(),
            shows_itself: self.shows_itself,
        })
    }

    /// The sample with its options in the task's own order.
    pub fn as_asked(&self) -> Variant<'_> {
        Variant {
            sample: self,
            rotation: 0,
            rendered: &self.own,
        }
    }

    /// All variants: the options in the task's own order, then rotated. A chain has to answer all
    /// of them.
    pub fn variants(&self) -> impl Iterator<Item = Variant<'_>> {
        let rotated = self.rotated.iter().enumerate();
        std::iter::once(self.as_asked()).chain(rotated.map(|(at, rendered)| Variant {
            sample: self,
            rotation: at + 1,
            rendered,
        }))
    }

    /// Hash, 32 hex digits, of everything that a verdict on the sample depends on: prompts,
    /// options, answers, and how the task reads and compares answers. It covers a serialisation of
    /// this crate's own, so that no library's output changes it.
    pub fn fingerprint(&self) -> String {
        let config = |key: &&str| self.task.config.get(*key);
        let grading: Vec<Option<&Value>> = GRADING_KEYS.iter().map(config).collect();
        let all = json!({
            "version": FINGERPRINT_VERSION,
            "own": self.own,
            "rotated": self.rotated,
            "target_delimiter": self.task.target_delimiter,
            "grading": grading,
        });
        blake3::hash(all.to_string().as_bytes()).to_hex()[..32].to_owned()
    }

    /// The right answer as text: the gold option, or the gold answer.
    pub fn gold_text(&self) -> &str {
        self.own.question.gold_text()
    }

    /// All right answers as texts, the gold one first.
    pub fn gold_texts(&self) -> Vec<&str> {
        self.own.gold_texts()
    }
}

impl Rendered {
    /// The prompts that the model reads: one, or one for each option if the options are prompts.
    pub fn prompts(&self) -> Vec<&str> {
        match &self.question {
            Question::ChoiceOfPrompts { prompts, .. } => {
                prompts.iter().map(String::as_str).collect()
            }
            _ => vec![&self.context],
        }
    }

    /// Whether an option is a right one.
    pub(super) fn is_right_option(&self, at: usize) -> bool {
        let gold = self.question.choice().map(|(_, gold)| gold);
        gold == Some(at) || self.also_right.options.contains(&at)
    }

    /// All right answers as texts, the gold one first.
    pub fn gold_texts(&self) -> Vec<&str> {
        let also = self.also_right.texts.iter().map(String::as_str);
        std::iter::once(self.question.gold_text())
            .chain(also)
            .collect()
    }
}
