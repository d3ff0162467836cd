//! Runs the tokenizers library on files that may be anything: its panics become errors, its work is bounded.

use std::{path::Path, sync::Once};

use cola_files::caught;
use serde_json::Value;

use super::{super::ModelError, bounded, bounded::Inner};

/// Most steps back that the search for one match of a pattern may take.
const STEPS_BACK: std::ffi::c_ulong = 10_000_000;

/// Most parts of a template.
const PARTS: usize = 1000;

/// What the library makes of a file, or an error that names it.
pub fn run<T>(path: &Path, work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, ModelError> {
    static LIMIT: Once = Once::new();
    LIMIT.call_once(|| {
        // SAFETY: sets a number that later searches of the library read. Once, so no two threads write it.
        unsafe { onig_sys::onig_set_retry_limit_in_search(STEPS_BACK) };
    });
    let reason = match caught(work) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("the tokenizers library failed: {panic}"),
    };
    Err(ModelError::Tokenizer {
        path: path.to_owned(),
        reason,
    })
}

/// Reads a `tokenizer.json`, and tries it on a text.
pub fn load(path: &Path) -> Result<Inner, ModelError> {
    let bytes = cola_files::read(path, cola_files::TOKENIZER).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    run(path, || {
        let mut inner = bounded::encoding(bytes.len(), || Inner::from_bytes(&bytes))?;
        inner.with_padding(None).with_truncation(None)?;
        if let Some(processor) = inner.get_post_processor() {
            check_template(&serde_json::to_value(processor)?)?;
        }
        bounded::encoding(1, || inner.encode_fast("a", true))?;
        Ok(inner)
    })
}

/// Refuses templates that repeat the text, which in a sequence of templates multiplies it, or that are long.
fn check_template(processor: &Value) -> tokenizers::Result<()> {
    if let Some(processors) = processor["processors"].as_array() {
        if processors.len() > PARTS {
            return Err(format!("post_processor: more than {PARTS} processors").into());
        }
        return processors.iter().try_for_each(check_template);
    }
    let Some(single) = processor["single"].as_array() else {
        return Ok(());
    };
    let texts = single.iter().filter(|part| part.get("Sequence").is_some());
    if texts.count() > 1 {
        return Err("post_processor: single: names the text more than once".into());
    }
    match single.len() {
        parts if parts > PARTS => {
            Err(format!("post_processor: single: more than {PARTS} parts").into())
        }
        _ => Ok(()),
    }
}
