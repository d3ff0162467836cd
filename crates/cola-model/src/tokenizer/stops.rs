//! Where a model of a GGUF file ends what it writes.

use std::{collections::BTreeSet, path::Path};

use super::{
    super::ModelError,
    gguf::read,
    keys::{EOM, EOS, EOT, id},
    vocabulary::{CONTROL, TOKENS, TYPES},
};

/// The tokens that end a generation: the end of sequence, of turn and of message that the file names, and the control
/// tokens that are called like one.
///
/// Files name one end mostly, also where a model has several (Llama 3, Phi-3 and Gemma end a turn with another token than
/// a text), so llama.cpp takes the well-known ones by their texts. transformers takes the named end of sequence only, and
/// goes on past the others.
pub fn stop_tokens(path: &Path) -> Result<Vec<u32>, ModelError> {
    const ENDS: [&str; 7] = [
        "<|eot_id|>",
        "<|eom_id|>",
        "<|end_of_text|>",
        "<|im_end|>",
        "<|endoftext|>",
        "<|end|>",
        "<end_of_turn>",
    ];
    let metadata = read(path)?;
    let tokens = metadata.strings(TOKENS)?.unwrap_or_default();
    let types = metadata.integers(TYPES)?.unwrap_or_default();
    let mut ends = BTreeSet::new();
    for key in [EOS, EOT, EOM] {
        ends.extend(id(&metadata, key, tokens.len())?);
    }
    let called = (0..).zip(tokens.iter().zip(types));
    ends.extend(called.filter_map(|(id, (token, kind))| {
        (kind == CONTROL && ENDS.contains(&token.as_str())).then_some(id)
    }));
    Ok(ends.into_iter().collect())
}
