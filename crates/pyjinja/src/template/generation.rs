//! `{% generation %}`, which transformers adds to Jinja2: it marks an assistant's text for training.

use std::sync::LazyLock;

use fancy_regex::{Captures, Regex};

/// Replaces the blocks by ones that only render their contents.
pub(super) fn transparent(source: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        let tag = r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}";
        Regex::new(tag).expect("the pattern is a constant")
    });
    let tag = |found: &Captures<'_, str>| {
        let word = if found.get(2).is_some() {
            "endif"
        } else {
            "if true"
        };
        format!("{{%{} {word} {}%}}", &found[1], &found[3])
    };
    TAG.replace_all(source, tag).into_owned()
}
