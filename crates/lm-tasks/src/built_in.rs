//! The task files in `datasets/`, compiled in so that the program runs from anywhere.

macro_rules! built_in_tasks {
    ($($name:literal),+ $(,)?) => {
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

/// Name and text of the built-in task file of this name, with or without `.yaml`.
pub(super) fn find(name: &str) -> Option<(&'static str, &'static str)> {
    let name = name.strip_suffix(".yaml").unwrap_or(name);
    BUILT_IN.iter().find(|(known, _)| *known == name).copied()
}
