//! The keys of a GGUF file that describe its tokenizer.

use super::{
    super::{ModelError, gguf::Metadata},
    merges::{MERGES, SCORES},
    pre_tokenizer,
    vocabulary::{TOKENS, TYPES},
};

pub const MODEL: &str = "tokenizer.ggml.model";
pub const BOS: &str = "tokenizer.ggml.bos_token_id";
pub const EOS: &str = "tokenizer.ggml.eos_token_id";
pub const EOT: &str = "tokenizer.ggml.eot_token_id";
pub const EOM: &str = "tokenizer.ggml.eom_token_id";
pub const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
pub const PADDING: &str = "tokenizer.ggml.padding_token_id";
pub const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";
pub const ADD_EOS: &str = "tokenizer.ggml.add_eos_token";
pub const ADD_SPACE: &str = "tokenizer.ggml.add_space_prefix";
pub const CHAT: &str = "tokenizer.chat_template";

/// Keys that determine the tokens of a text. The tokenizer's hash covers them.
pub const READ: [&str; 14] = [
    CHAT,
    ADD_BOS,
    ADD_EOS,
    ADD_SPACE,
    BOS,
    EOS,
    MERGES,
    MODEL,
    PADDING,
    pre_tokenizer::KEY,
    SCORES,
    TYPES,
    TOKENS,
    UNKNOWN,
];

/// Keys that do not change the tokens of a text: special tokens of other uses, the stop tokens of a
/// generation, and the `tokenizer.json` that some writers add, which neither llama.cpp nor
/// transformers reads.
const IGNORED: [&str; 18] = [
    EOT,
    EOM,
    "tokenizer.ggml.cls_token_id",
    "tokenizer.ggml.mask_token_id",
    "tokenizer.ggml.seperator_token_id",
    "tokenizer.ggml.separator_token_id",
    "tokenizer.ggml.token_type_count",
    "tokenizer.ggml.fim_pre_token_id",
    "tokenizer.ggml.fim_suf_token_id",
    "tokenizer.ggml.fim_mid_token_id",
    "tokenizer.ggml.fim_pad_token_id",
    "tokenizer.ggml.fim_rep_token_id",
    "tokenizer.ggml.fim_sep_token_id",
    "tokenizer.ggml.prefix_token_id",
    "tokenizer.ggml.suffix_token_id",
    "tokenizer.ggml.middle_token_id",
    "tokenizer.chat_templates",
    "tokenizer.huggingface.json",
];

/// Steps that are not implemented; the file must switch them off.
const ONLY_FALSE: [&str; 2] = [
    "tokenizer.ggml.add_sep_token",
    "tokenizer.ggml.remove_extra_whitespaces",
];

/// Prefix of named chat templates, which are not read: the one without a name is used.
const NAMED_CHATS: &str = "tokenizer.chat_template.";

/// Names of special tokens, and the keys of their ids.
pub const NAMES: [(&str, &str); 4] = [
    ("bos_token", BOS),
    ("eos_token", EOS),
    ("unk_token", UNKNOWN),
    ("pad_token", PADDING),
];

/// Refuses keys that are not known, because they may change tokens.
pub fn check(metadata: &Metadata) -> Result<(), ModelError> {
    let config = metadata.config();
    for key in metadata.keys().filter(|key| key.starts_with("tokenizer.")) {
        if ONLY_FALSE.contains(&key) {
            if config.flag(key, false)? {
                return Err(config.refuse(key, "is not supported; give option `tokenizer`"));
            }
        } else if !(READ.contains(&key) || IGNORED.contains(&key) || key.starts_with(NAMED_CHATS)) {
            return Err(config.refuse(key, "is not known; give option `tokenizer`"));
        }
    }
    Ok(())
}

/// The token that a key names, if the key is there.
pub fn id(metadata: &Metadata, key: &str, count: usize) -> Result<Option<u32>, ModelError> {
    let config = metadata.config();
    let Some(id) = config.count_opt(key)? else {
        return Ok(None);
    };
    match u32::try_from(id) {
        Ok(token) if (token as usize) < count => Ok(Some(token)),
        _ => Err(config.refuse(
            key,
            format!("{id} is not the id of one of the {count} tokens"),
        )),
    }
}
