//! Says which settings of a model's `generation_config.json` are not applied.

use std::path::Path;

use serde_json::{Map, Value};

use super::CliError;
use crate::terminal::note;
use cola_model::{Unapplied, unapplied_settings};

/// Warns, once, before texts are generated.
pub fn tell_unapplied(command: &str, model: &Path) -> Result<(), CliError> {
    let (unknown, known): (Vec<Unapplied>, Vec<Unapplied>) = unapplied_settings(model)?
        .into_iter()
        .partition(|setting| setting.unknown);
    if !known.is_empty() {
        note(format_args!(
            "{command}: warning: the model's generation config sets {}, which cola does not apply: transformers, and \
             lm-evaluation-harness with it, may write other texts",
            listed(&known)
        ));
    }
    if !unknown.is_empty() {
        note(format_args!(
            "{command}: warning: the model's generation config sets {}, which cola does not know",
            listed(&unknown)
        ));
    }
    Ok(())
}

/// The settings as JSON.
pub fn as_json(settings: &[Unapplied]) -> Map<String, Value> {
    let entry = |setting: &Unapplied| (setting.key.clone(), setting.value.clone());
    settings.iter().map(entry).collect()
}

/// `min_length 5, suppress_tokens [1,2]`
pub fn listed(settings: &[Unapplied]) -> String {
    /// Characters of a value that are told.
    const TOLD: usize = 60;
    let told = |setting: &Unapplied| {
        let value = setting.value.to_string();
        match value.char_indices().nth(TOLD) {
            Some((end, _)) => format!("{} {}...", setting.key, &value[..end]),
            None => format!("{} {value}", setting.key),
        }
    };
    settings.iter().map(told).collect::<Vec<_>>().join(", ")
}
