//! The tokenizer of a model directory in Hugging Face layout.

use std::path::Path;

use serde_json::Value;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

use super::{
    super::{ChatTemplate, Config, ModelError},
    Tokenizer, added,
    bounded::{Inner, Steps},
    library,
    pieces::Spaces,
    settled::Unsettled,
};

const FILE: &str = "tokenizer.json";

/// Reads `tokenizer.json`, `tokenizer_config.json` and the chat template.
pub fn load(directory: &Path) -> Result<Tokenizer, ModelError> {
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
    let mut inner = library::load(&path)?;
    let config = Config::read_optional(directory, "tokenizer_config.json")?;
    let map = Config::read_optional(directory, "special_tokens_map.json")?;
    let special = SpecialTokens::read(config.as_ref(), map.as_ref());
    if let Some(config) = &config {
        as_llama_tokenizer(&mut inner, config).map_err(fail)?;
    }
    added::add(&mut inner, &path, directory, config.as_ref(), map.as_ref())?;
    let chat = ChatTemplate::load(directory, config.as_ref(), &special.named)?;
    Ok(Tokenizer {
        unsettled: Unsettled::of(&inner),
        inner,
        hash: hash(directory),
        beginning: special.text("bos_token"),
        special: special.named,
        chat,
        path,
    })
}

/// BLAKE3 of the tokenizer's files that exist, 32 hex digits.
fn hash(directory: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for name in [
        FILE,
        "tokenizer_config.json",
        "special_tokens_map.json",
        added::FILE,
        "chat_template.jinja",
    ] {
        // Unreadable files were refused earlier, where their content is needed.
        if let Ok(bytes) = cola_files::read(&directory.join(name), cola_files::TOKENIZER) {
            hasher.update(name.as_bytes());
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(&bytes);
        }
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The named special tokens (`bos_token`, `eos_token`, ...) and their texts.
struct SpecialTokens {
    named: Vec<(String, String)>,
}

impl SpecialTokens {
    /// Reads them from `tokenizer_config.json`, else from `special_tokens_map.json`.
    fn read(config: Option<&Config>, map: Option<&Config>) -> Self {
        let mut named = Vec::new();
        for name in ["bos_token", "eos_token", "unk_token", "pad_token"] {
            let text =
                [config, map]
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
        Self { named }
    }

    fn text(&self, name: &str) -> Option<String> {
        let (_, text) = self.named.iter().find(|(known, _)| known == name)?;
        Some(text.clone())
    }
}

/// Changes a tokenizer whose class is `LlamaTokenizer` as transformers does, which rebuilds it
/// around its vocabulary: no normaliser, and a space before the first word only. A byte-level
/// tokenizer (Llama 3) is left as it is.
fn as_llama_tokenizer(inner: &mut Inner, config: &Config) -> Result<(), String> {
    let class = config.get("tokenizer_class").and_then(Value::as_str);
    if !matches!(class, Some("LlamaTokenizer" | "LlamaTokenizerFast")) || is_byte_level(inner) {
        return Ok(());
    }
    let flag =
        |name: &str, default: bool| config.get(name).and_then(Value::as_bool).unwrap_or(default);
    let prefix = flag("add_prefix_space", true);
    let spaces = match (prefix, flag("legacy", false)) {
        (false, _) => Spaces::Never,
        (true, true) => Spaces::Always,
        (true, false) => Spaces::First,
    };
    inner
        .with_normalizer(None::<Steps<_>>)
        .map_err(|error| error.to_string())?;
    spaces.set(inner).map_err(|error| error.to_string())
}

fn is_byte_level(inner: &Inner) -> bool {
    let byte_level = |p: &PreTokenizerWrapper| matches!(p, PreTokenizerWrapper::ByteLevel(_));
    let steps = inner.get_pre_tokenizer();
    steps.is_some_and(|steps| steps.list().iter().any(byte_level))
}
