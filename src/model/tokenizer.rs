//! Text to tokens and back, with the special tokens transformers would add.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::{
    decoders::{
        DecoderWrapper, byte_fallback::ByteFallback, fuse::Fuse, sequence::Sequence, strip::Strip,
    },
    normalizers::{NormalizerWrapper, replace::Replace},
    pre_tokenizers::{
        PreTokenizerWrapper,
        metaspace::{Metaspace, PrependScheme},
    },
};

use super::{ChatTemplate, Config, ModelError};

const FILE: &str = "tokenizer.json";

/// The tokenizer of a model directory.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    path: PathBuf,
    hash: String,
    beginning: Option<String>,
    special: Vec<(String, String)>,
    chat: Option<ChatTemplate>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, `tokenizer_config.json` and the chat template.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join(FILE);
        let fail = |reason: String| ModelError::Tokenizer {
            path: path.clone(),
            reason,
        };
        if !path.exists() {
            return Err(fail(
                "no such file; only tokenizer.json is read (save the tokenizer with transformers to get one)".into(),
            ));
        }
        let mut inner =
            tokenizers::Tokenizer::from_file(&path).map_err(|error| fail(error.to_string()))?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|e| fail(e.to_string()))?;
        let config = Config::read_optional(directory, "tokenizer_config.json")?;
        let special = SpecialTokens::read(directory, config.as_ref())?;
        if let Some(config) = &config {
            as_llama_tokenizer(&mut inner, config).map_err(fail)?;
        }
        let chat = ChatTemplate::load(directory, config.as_ref(), &special.named)?;
        Ok(Self {
            inner,
            hash: hash(directory),
            beginning: special.text("bos_token"),
            special: special.named,
            chat,
            path,
        })
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
        match self.inner.encode_fast(text, special) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Text of tokens, special tokens left out.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, ModelError> {
        self.inner
            .decode(tokens, true)
            .map_err(|error| self.fail(error))
    }

    /// Text of tokens, special tokens visible.
    pub fn decode_special(&self, tokens: &[u32]) -> Result<String, ModelError> {
        self.inner
            .decode(tokens, false)
            .map_err(|error| self.fail(error))
    }

    /// The beginning-of-sequence token, if the model has one.
    pub fn beginning(&self) -> Option<u32> {
        self.inner.token_to_id(self.beginning.as_deref()?)
    }

    /// The token that ends a text, where the tokenizer names one.
    pub fn end(&self) -> Option<u32> {
        self.special("eos_token").and_then(|(_, id)| id)
    }

    /// The error that an empty prompt is where the tokenizer names neither.
    pub fn nameless_beginning(&self) -> ModelError {
        self.fail(
            "the prompt is empty, and neither bos_token nor eos_token is named to stand for it"
                .into(),
        )
    }

    /// Text and id of a named special token: `bos_token`, `eos_token`, `unk_token`, `pad_token`.
    pub fn special(&self, name: &str) -> Option<(&str, Option<u32>)> {
        let (_, text) = self.special.iter().find(|(known, _)| known == name)?;
        Some((text, self.inner.token_to_id(text)))
    }

    /// BLAKE3 of the files that decide what a text's tokens are.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Number of token ids, added ones included.
    pub fn vocabulary(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The chat template, if the model has one.
    pub fn chat(&self) -> Result<&ChatTemplate, ModelError> {
        self.chat.as_ref().ok_or_else(|| ModelError::Tokenizer {
            path: self.path.clone(),
            reason: "the model has no chat template; run without --chat".into(),
        })
    }

    fn fail(&self, error: tokenizers::Error) -> ModelError {
        ModelError::Tokenizer {
            path: self.path.clone(),
            reason: error.to_string(),
        }
    }
}

/// BLAKE3 of those of the files that are there, 32 hex digits.
fn hash(directory: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in [
        FILE,
        "tokenizer_config.json",
        "special_tokens_map.json",
        "chat_template.jinja",
    ] {
        // What cannot be read has been refused, where it is needed.
        if let Ok(bytes) = std::fs::read(directory.join(name)) {
            hasher.update(name.as_bytes());
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The named special tokens (`bos_token`, `eos_token`, ...) and their texts.
pub(super) struct SpecialTokens {
    pub named: Vec<(String, String)>,
}

impl SpecialTokens {
    /// From `tokenizer_config.json`, else `special_tokens_map.json`.
    fn read(directory: &Path, config: Option<&Config>) -> Result<Self, ModelError> {
        let map = Config::read_optional(directory, "special_tokens_map.json")?;
        let mut named = Vec::new();
        for name in ["bos_token", "eos_token", "unk_token", "pad_token"] {
            let text = [config, map.as_ref()]
                .into_iter()
                .flatten()
                .find_map(|source| match source.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Object(token) => Some(token.get("content")?.as_str()?.to_owned()),
                    _ => None,
                });
            if let Some(text) = text {
                named.push((name.to_owned(), text));
            }
        }
        Ok(Self { named })
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, text) = self.named.iter().find(|(known, _)| known == name)?;
        Some(text.clone())
    }
}

/// transformers rebuilds a tokenizer that says `LlamaTokenizer` around its vocabulary: no
/// normaliser, and a space before the first word only. A byte-level file (Llama 3) keeps its own.
fn as_llama_tokenizer(inner: &mut tokenizers::Tokenizer, config: &Config) -> Result<(), String> {
    let class = config.get("tokenizer_class").and_then(Value::as_str);
    if !matches!(class, Some("LlamaTokenizer" | "LlamaTokenizerFast")) || is_byte_level(inner) {
        return Ok(());
    }
    let flag =
        |name: &str, default: bool| config.get(name).and_then(Value::as_bool).unwrap_or(default);
    let prefix = flag("add_prefix_space", true);
    let scheme = match (prefix, flag("legacy", false)) {
        (false, _) => PrependScheme::Never,
        (true, true) => PrependScheme::Always,
        (true, false) => PrependScheme::First,
    };
    let mut decoders: Vec<DecoderWrapper> = vec![
        Replace::new("▁", " ")
            .map_err(|error| error.to_string())?
            .into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
    ];
    if prefix {
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    inner
        .with_normalizer(None::<NormalizerWrapper>)
        .map_err(|error| error.to_string())?;
    inner.with_pre_tokenizer(Some(Metaspace::new('▁', scheme, false)));
    inner.with_decoder(Some(Sequence::new(decoders)));
    Ok(())
}

fn is_byte_level(inner: &tokenizers::Tokenizer) -> bool {
    let byte_level = |p: &PreTokenizerWrapper| matches!(p, PreTokenizerWrapper::ByteLevel(_));
    match inner.get_pre_tokenizer() {
        Some(PreTokenizerWrapper::Sequence(sequence)) => sequence.as_ref().iter().any(byte_level),
        Some(single) => byte_level(single),
        None => false,
    }
}
