//! What is asked: task files, rows, prompts, scoring and grading.
//!
//! A task file is YAML in lm-evaluation-harness's dialect; [`resolve`] turns a built-in name or a path into a
//! [`TaskSpec`], [`load_samples`] renders its rows into [`Sample`]s, and a sample grades what a model made of it:
//! log-probabilities of options ([`Sample::grade_choice`]) or a generated text ([`Sample::grade_text`]). Grading is pure,
//! so the same output has the same verdict however it was computed.
//!
//! Numbers must equal those of lm-evaluation-harness 0.4.13 on the same model and rows; what it decides in passing (Python's
//! spelling of a list, the order of filters, a label that is a string of digits) is decided the same way here. What is not
//! understood is refused by file and key, never ignored.
//!
//! ```text
//! resolve ── yaml (keys, includes) ── parse, parse_scoring ──> TaskSpec
//! load_samples ── data (rows, which are taken) ── process, template, target, fewshot ──> Sample
//!    ask (a row's questions), letters (options by letter), rotate (options in other orders)
//! Sample ── asking (conversation, tokens, prompt) ──> Probe and rows of the engine
//! Sample ── grade (filter, metric, answer) ──> ChoiceVerdict | TextVerdict;   wrong ──> WrongTarget
//! ```

mod answer;
mod ask;
mod asking;
mod conversation;
mod data;
mod error;
mod fewshot;
mod filter;
mod grade;
mod last_wins;
mod letters;
mod listed_choice;
mod load;
mod mersenne;
mod metric;
mod parse;
mod parse_scoring;
mod probe;
mod process;
mod prompt;
mod punctuation;
mod python;
mod regex;
mod resolve;
mod rolling;
mod rotate;
mod sample;
mod spec;
pub mod synth;
mod target;
mod template;
mod wrong;
mod yaml;

#[cfg(test)]
mod tests;

pub use answer::{
    MathVerdict, Number, Unsure, after_answer_is, after_hashes, extract_answer, first_boxed,
    last_boxed, last_number, math_equal, math_verdict, parse_number,
};
pub use ask::Manner;
pub use asking::Asking;
pub use data::Condition;
pub use error::TaskError;
pub use filter::Pipeline;
pub use grade::{ChoiceVerdict, MARGIN_LIMIT, TextVerdict, truncate_at_stop};
pub use load::{LoadOptions, LoadedTask, load_samples};
pub use metric::{ExactMatch, Mean, Metric, standard_error_key};
pub use parse::DEFAULT_MAX_TOKENS;
pub use probe::{Answer, Probe, Target, Verdict};
pub use process::Comparison;
pub use prompt::{Prompt, PromptContinuation, PromptWarning, PromptWarnings};
pub use python::{float as python_float, line_json, row_json};
pub use resolve::{built_in_names, resolve};
pub use sample::{AlsoRight, ContextParts, ExampleParts, Question, Sample};
pub use spec::{DataSource, Output, TaskSpec};
pub use wrong::WrongTarget;
