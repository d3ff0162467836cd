//! Text to tokens and back, with the special tokens transformers would add.
//!
//! ```text
//! tokenizer.json ───────────directory──┐
//! GGUF metadata ──vocabulary──┐        ├──▶ Tokenizer
//!                 pre, merges ┴──gguf──┘
//! ```

mod added;
mod bounded;
mod directory;
mod gguf;
mod keys;
mod library;
mod merges;
mod pieces;
mod post_processor;
mod pre_tokenizer;
mod settled;
mod stops;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::path::{Path, PathBuf};

use bounded::Inner;
pub use settled::Decoded;
use settled::Unsettled;
pub use stops::stop_tokens as gguf_stop_tokens;

use super::{ChatTemplate, ModelError};

/// The tokenizer of a model.
#[derive(Debug)]
pub struct Tokenizer {
    inner: Inner,
    unsettled: Unsettled,
    path: PathBuf,
    hash: String,
    beginning: Option<String>,
    special: Vec<(String, String)>,
    chat: Option<ChatTemplate>,
}

impl Tokenizer {
    /// Reads the tokenizer of a model directory (`tokenizer.json`, `tokenizer_config.json` and the
    /// chat template), or that in the metadata of a GGUF file.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        match path.is_file() {
            true => gguf::load(path),
            false => directory::load(path),
        }
    }

    /// Tokens of a text, special tokens added as transformers adds them. A text that already
    /// starts with the beginning-of-sequence token gets no second one (as lm-eval does).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let begun = self
            .beginning
            .as_ref()
            .is_some_and(|token| text.starts_with(token.as_str()));
        self.encode_with(text, !begun)
    }

    /// Tokens of a text, with or without the added special tokens.
    pub fn encode_with(&self, text: &str, special: bool) -> Result<Vec<u32>, ModelError> {
        let encode = || bounded::encoding(text.len(), || self.inner.encode_fast(text, special));
        Ok(library::run(&self.path, encode)?.get_ids().to_vec())
    }

    /// Text of tokens, special tokens left out.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        library::run(&self.path, || self.inner.decode(tokens, true))
    }

    /// Text of tokens, special tokens visible.
    pub fn decode_special(&self, tokens: &[u32]) -> Result<String, ModelError> {
        library::run(&self.path, || self.inner.decode(tokens, false))
    }

    /// The beginning-of-sequence token, if the model has one.
    pub fn beginning(&self) -> Option<u32> {
        self.inner.token_to_id(self.beginning.as_deref()?)
    }

    /// The end-of-sequence token, if the tokenizer names one.
    pub fn end(&self) -> Option<u32> {
        self.special("eos_token").and_then(|(_, id)| id)
    }

    /// The error for an empty prompt if the tokenizer names neither a beginning nor an end of a
    /// sequence.
    pub fn nameless_beginning(&self) -> ModelError {
        ModelError::Tokenizer {
            path: self.path.clone(),
            reason: "the prompt is empty, and the tokenizer has neither a bos_token nor an eos_token to start from"
                .into(),
        }
    }

    /// Text and id of a named special token: `bos_token`, `eos_token`, `unk_token`, `pad_token`.
    pub fn special(&self, name: &str) -> Option<(&str, Option<u32>)> {
        let (_, text) = self.special.iter().find(|(known, _)| known == name)?;
        Some((text, self.inner.token_to_id(text)))
    }

    /// BLAKE3 of the files, or of the keys of a GGUF file, that determine the tokens of a text.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Number of token ids, added ones included.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The number of rows that an embedding needs for all token ids: one more than the largest.
    pub fn ids(&self) -> i64 {
        let ids = self.inner.get_vocab(true).into_values();
        ids.max().map_or(0, |largest| i64::from(largest) + 1)
    }

    /// The chat template, if the model has one.
    pub fn chat(&self) -> Result<&ChatTemplate, ModelError> {
        self.chat.as_ref().ok_or_else(|| ModelError::Tokenizer {
            path: self.path.clone(),
            reason: "the model has no chat template; run without option `chat`".into(),
        })
    }
}
