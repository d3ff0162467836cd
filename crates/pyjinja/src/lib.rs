//! Python's Jinja2 templates, `str`, `re`, `random.sample` and PyYAML, over JSON rows.
//!
//! lm-evaluation-harness is written in Python: it renders prompts with Jinja2 and `str`, filters answers
//! with `re`, and draws few-shot examples with `random.Random(seed).sample`. To reproduce its scores,
//! prompts have to be equal byte for byte, and the same examples have to be drawn. transformers renders chat templates
//! with Jinja2 too ([`Templates::of_chats`]). Where the Rust libraries underneath (minijinja, fancy-regex) differ from
//! Jinja2 or Python, this crate does as Python does, or refuses the template with a message. Refused are `%` with a string
//! on its left, `~` with floats or with lists that the template writes out, and changes of a list literal of the template.
//! Refused are also templates that take too many steps, too much memory, or are nested too deeply.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | row | one row of a dataset: a JSON object whose keys are its [`Columns`] |
//! | template | a Jinja2 source that is rendered over a row ([`Templates`]) |
//! | special | a Python value that JSON cannot represent: `nan`, `inf`, integers beyond 64 bits, bytes |
//!
//! # Data flow
//!
//! ```text
//! row (JSON) ──▶ Row ──▶ Templates::render ──▶ text        prompts
//!                    ├─▶ Templates::give ─────▶ text or list  targets
//!                    └─▶ Templates::evaluate ─▶ JSON       lists of options
//! text  ──▶ PythonRegex ──▶ text                           filters, metrics
//! JSON  ──▶ python::{to_str, repr, dumps, loads} ──▶ text  columns in prompts, output files
//! seed  ──▶ PythonRandom ──▶ indices                       few-shot examples
//! YAML  ──▶ yaml::load ──▶ value                           task files, with PyYAML's `yes`, `010` and `12:30`
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
pub mod yaml;

pub use punctuation::is_punctuation;
pub use random::PythonRandom;
pub use regex::{PythonRegex, Reach};
pub use template::{Columns, Given, Row, Templates, no_column};
