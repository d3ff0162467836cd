//! Jinja2 templates, `str`, `re` and `random.sample` as Python has them, over JSON rows.
//!
//! lm-evaluation-harness is Python: a prompt passes through Jinja2 and `str`, an answer through `re`, and few-shot examples are drawn
//! with `random.Random(seed).sample`. Numbers that equal its numbers need the same text to the byte, and the same draws.
//! What differs between Jinja2 or Python and the Rust libraries underneath (minijinja, fancy-regex) is done here as Python does
//! it, or refused in words: `%` with a text on its left, `~` of anything but texts and integers, and a change of a list that
//! the template itself writes out.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | row | one row of a dataset: a JSON object whose keys are its [`Columns`] |
//! | template | a Jinja2 source that is rendered over a row ([`Templates`]) |
//! | special | a Python value that JSON has no form for: `nan`, `inf`, integers beyond 64 bits, bytes |
//!
//! # What is used for what
//!
//! ```text
//! row (JSON) ──▶ Row ──▶ Templates::render ──▶ text        prompts, targets
//!                    └─▶ Templates::evaluate ─▶ JSON       lists of options, the index of the right one
//! text  ──▶ PythonRegex ──▶ text                           filters, metrics
//! JSON  ──▶ python::{to_str, repr, dumps, loads} ──▶ text  columns in prompts, output files
//! seed  ──▶ PythonRandom ──▶ indices                       few-shot examples
//! YAML  ──▶ LastWins ──▶ value                             task files in which a key is written twice
//! ```
//!
//! # Example
//!
//! ```
//! use pyjinja::{Row, Templates};
//!
//! let columns = serde_json::json!({"question": "Which?", "choices": ["red", "it's blue"]});
//! let columns = columns.as_object().unwrap();
//! let templates = Templates::new();
//! let text = templates.render("Q: {{question}} {{choices}}", &Row::new(columns));
//! assert_eq!(text.unwrap(), r#"Q: Which? ['red', "it's blue"]"#);
//! let missing = templates.render("{{answer}}", &Row::new(columns));
//! assert_eq!(missing.unwrap_err(), "no column `answer` (the row has question, choices)");
//! ```

mod punctuation;
pub mod python;
mod random;
mod regex;
mod template;
mod yaml;

pub use punctuation::is_punctuation;
pub use random::PythonRandom;
pub use regex::PythonRegex;
pub use template::{Columns, Row, Templates, no_column};
pub use yaml::LastWins;
