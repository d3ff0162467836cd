//! Task files, rows, prompts and grading of lm-evaluation-harness, without Python.
//!
//! A task file is YAML in lm-evaluation-harness's dialect; [`resolve`] turns a built-in name or a
//! path into a [`TaskSpec`], [`load_samples`] renders its rows into [`Sample`]s, and a sample
//! grades the output of a model: log-probabilities of options ([`Variant::grade_choice`]) or a
//! generated text ([`Variant::grade_text`]). Grading is pure, so the same output has the same
//! verdict however it was computed.
//!
//! Numbers must equal those of lm-evaluation-harness 0.4.13 on the same model and rows. Its
//! incidental choices (Python's spelling of a list, the order of filters, a label that is a string
//! of digits) are the same here. Anything in a task file that is not understood is refused by file
//! and key, never ignored.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | task | a YAML file: source of the rows, templates of the prompts, grading of answers ([`TaskSpec`]) |
//! | row, doc | one JSON object of a dataset |
//! | sample | a row, rendered ([`Sample`]); its variants have the options in other orders ([`Variant`]) |
//! | question | the task after the prompt: options or a text to score, or a text to generate ([`Question`]) |
//! | gold | the right answer, or the index of the right option |
//! | filter | a function that cuts the answer out of a generated text ([`Pipeline`]) |
//! | metric | a function that says whether an answer is right, or how likely a text is ([`Metric`]) |
//!
//! # From task file to verdict
//!
//! ```text
//! resolve ── yaml (keys, includes) ── parse, parse_scoring ──> TaskSpec
//! load_samples ── data (rows, which are taken) ── process, template, target, fewshot ──> Sample
//!    ask (a row's questions), letters (options by letter), rotate (options in other orders)
//! Variant ── grade (filter, metric, math-answer) ──> ChoiceVerdict | TextVerdict;   wrong ──> WrongTarget
//!    complete (when a generation may end)
//! ```
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use lm_tasks::{LoadOptions, load_samples, resolve};
//!
//! let directory = tempfile::tempdir()?;
//! let rows = directory.path().join("rows.jsonl");
//! std::fs::write(&rows, r#"{"question": "Dial 29 up 15.", "answer": "44"}"#)?;
//!
//! let task = Arc::new(resolve("arith")?);
//! let options = LoadOptions { data: vec![rows], ..LoadOptions::default() };
//! let sample = &load_samples(&task, &options)?.samples[0];
//! assert_eq!(sample.own.context, "Dial 29 up 15.\nAnswer:");
//! assert!(sample.as_asked().grade_text(" 44", sample.gold_text()).correct);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod built_in;
mod complete;
mod data;
mod error;
mod fewshot;
mod filter;
mod grade;
mod letters;
mod listed_choice;
mod load;
mod metric;
pub mod output;
mod parse;
mod parse_scoring;
mod process;
mod resolve;
mod rotate;
mod sample;
mod spec;
mod target;
mod words;
mod wrong;
mod yaml;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use pyjinja::Templates;

pub use ask::PromptOptions;
pub use built_in::built_in_names;
pub use complete::{BoxReach, truncate_at_stop};
pub use data::Condition;
pub use error::TaskError;
pub use filter::Pipeline;
pub use grade::{ChoiceVerdict, MARGIN_LIMIT, TextVerdict};
pub use letters::{letter, place as letter_place};
pub use load::{LoadOptions, LoadedTask, load_samples};
pub use metric::{ExactMatch, Mean, Metric, standard_error_key};
pub use parse::DEFAULT_MAX_TOKENS;
pub use process::Comparison;
pub use resolve::resolve;
pub use sample::{AlsoRight, ContextParts, ExampleParts, Question, Rendered, Sample, Variant};
pub use spec::{DataSource, Output, TaskSpec};
pub use target::joined as join_system;
pub use wrong::WrongTarget;

/// The template engine of task files: lm-evaluation-harness's, with a filter `last_boxed` for worked
/// solutions.
static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
    Templates::new().with_filter("last_boxed", |text| match math_answer::last_boxed(text) {
        Some(content) => Ok(content.trim().to_owned()),
        None => Err("last_boxed: no complete \\boxed{} in it".to_owned()),
    })
});
