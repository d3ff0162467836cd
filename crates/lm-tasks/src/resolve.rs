//! From what was typed to a task: a built-in name, or the path of a task file.

use std::path::Path;

use super::error::TaskError;
use super::parse;
use super::spec::TaskSpec;
use super::yaml::{Keys, Source};

macro_rules! built_in_tasks {
    ($($name:literal),+ $(,)?) => {
        /// The task files in `datasets/`, compiled in so that the program runs from anywhere.
        const BUILT_IN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../datasets/", $name, ".yaml")))),+];
    };
}

built_in_tasks!(
    "arith",
    "commonsense",
    "countdown",
    "boolean",
    "list-ops",
    "hops",
    "counting",
    "arc_easy",
    "arc_challenge",
    "openbookqa",
    "commonsense_qa",
    "piqa",
    "hellaswag",
    "winogrande",
    "boolq",
    "social_iqa",
    "sciq",
    "copa",
    "medmcqa",
    "basic_arithmetic",
    "basic_arithmetic_generate",
    "lambada",
    "mmlu",
    "mmlu_pro",
    "gsm8k",
    "gsm8k_polar",
    "svamp",
    "dart_math",
    "math",
    "hendrycks_math",
    "minerva_math",
);

/// The names of the built-in tasks.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The built-in task file of this name, with or without `.yaml`.
pub(super) fn built_in(name: &str) -> Option<Source> {
    let name = name.strip_suffix(".yaml").unwrap_or(name);
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(name, text)| Source::BuiltIn(name, text))
}

/// The task of a built-in name or of a YAML file.
///
/// # Errors
/// An unknown name lists the known ones; a task file that asks for what is not supported is refused by file and key.
pub fn resolve(name_or_path: &str) -> Result<TaskSpec, TaskError> {
    let path = Path::new(name_or_path);
    let looks_like_path = path.extension().is_some() || name_or_path.contains(['/', '\\']);
    let source = match built_in(name_or_path) {
        Some(source) if !looks_like_path => source,
        _ if looks_like_path || path.is_file() => Source::File(path.to_owned()),
        _ => {
            return Err(TaskError::UnknownTask {
                name: name_or_path.to_owned(),
                known: built_in_names().collect::<Vec<_>>().join(", "),
            });
        }
    };
    parse::task(Keys::read(&source)?, source.directory())
}
