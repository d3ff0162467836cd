//! Stop tokens of a model in a GGUF file.

use std::{collections::BTreeSet, path::Path};

use super::{
    super::ModelError,
    gguf::read,
    keys::{EOM, EOS, EOT, id},
    vocabulary::{CONTROL, TOKENS, TYPES},
};

/// The tokens that end a generation: the ends of sequence, turn and message that the file's keys
/// name, and the control tokens whose texts are well-known ends.
///
/// Most files name one end, even if the model has several (Llama 3, Phi-3 and Gemma end a turn with
/// another token than a text), so llama.cpp recognizes well-known ends by their texts. transformers
/// stops only at the named end of sequence.
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
