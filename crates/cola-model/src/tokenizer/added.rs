//! Tokens that stand beside the vocabulary, in `tokenizer_config.json` or `added_tokens.json`: they are added to those of
//! `tokenizer.json` as transformers does, and a token with other flags there replaces the one of `tokenizer.json`.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    path::Path,
};

use serde_json::Value;
use tokenizers::AddedToken;

use super::{
    super::{Config, ModelError},
    bounded::Inner,
    library::run,
};

const DECODER: &str = "added_tokens_decoder";
pub const FILE: &str = "added_tokens.json";

/// The names of special tokens, and the lists of further ones.
const NAMES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];
const LISTS: [&str; 2] = ["additional_special_tokens", "extra_special_tokens"];

/// Adds the tokens of a model directory. `map` is `special_tokens_map.json`.
pub fn add(
    inner: &mut Inner,
    path: &Path,
    directory: &Path,
    config: Option<&Config>,
    map: Option<&Config>,
) -> Result<(), ModelError> {
    let special = special(config, map)?;
    let names: BTreeSet<&str> = special.iter().map(|token| token.content.as_str()).collect();
    let mut listed = match config.filter(|config| config.get(DECODER).is_some()) {
        Some(config) => of_config(config)?,
        None => of_file(directory, &names)?,
    };
    for token in listed.values_mut() {
        token.special |= names.contains(token.content.as_str());
    }
    let known = inner.get_added_tokens_decoder();
    let text = |token: &AddedToken| token.content.clone();
    let by_text: HashMap<String, &AddedToken> =
        known.values().map(|token| (text(token), token)).collect();
    let is_new = |token: &&AddedToken| by_text.get(&token.content) != Some(token);
    let mut tokens: Vec<AddedToken> = listed.values().filter(is_new).cloned().collect();
    let mut seen: HashSet<String> = by_text.into_keys().collect();
    seen.extend(listed.values().map(text));
    let special = special.iter().filter(|token| seen.insert(text(token)));
    tokens.extend(special.cloned());
    run(path, || inner.add_tokens(tokens).map(|_| ()))
}

/// The tokens of `added_tokens_decoder`, by id.
fn of_config(config: &Config) -> Result<BTreeMap<u64, AddedToken>, ModelError> {
    let Some(Value::Object(entries)) = config.get(DECODER) else {
        return Err(config.refuse(DECODER, "expected an object of ids"));
    };
    let entries = entries.iter().map(|(id, value)| {
        let refuse = |reason: &str| config.refuse(&format!("{DECODER}.{id}"), reason);
        let number = id.parse().map_err(|_| refuse("is not an id"))?;
        let token = token(value, false).ok_or_else(|| refuse("is not a token with a content"))?;
        Ok((number, token))
    });
    entries.collect()
}

/// The tokens of `added_tokens.json`, by id.
fn of_file(
    directory: &Path,
    special: &BTreeSet<&str>,
) -> Result<BTreeMap<u64, AddedToken>, ModelError> {
    let Some(file) = Config::read_optional(directory, FILE)? else {
        return Ok(BTreeMap::new());
    };
    let entries = file.fields().iter().map(|(text, id)| {
        let id = id
            .as_u64()
            .ok_or_else(|| file.refuse(text, "is not an id"))?;
        Ok((id, AddedToken::from(text, special.contains(text.as_str()))))
    });
    entries.collect()
}

/// The special tokens: of `special_tokens_map.json` first, unless there is a [`DECODER`], beside which that file is not read.
fn special(config: Option<&Config>, map: Option<&Config>) -> Result<Vec<AddedToken>, ModelError> {
    let has_decoder = config.is_some_and(|config| config.get(DECODER).is_some());
    let sources = match has_decoder {
        true => [config, None],
        false => [map, config],
    };
    let value = |name| {
        let sources = sources.iter().flatten();
        sources
            .filter_map(|source| Some((*source, source.get(name)?)))
            .next()
    };
    let mut tokens = Vec::new();
    for name in NAMES {
        tokens.extend(value(name).and_then(|(_, value)| token(value, true)));
    }
    for name in LISTS {
        let Some((source, value)) = value(name) else {
            continue;
        };
        let items: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(named) => named.values().collect(),
            _ => return Err(source.refuse(name, "expected a list of tokens")),
        };
        // Of these, an object says itself whether it is special.
        let items = items.into_iter();
        tokens.extend(items.filter_map(|item| token(item, item.is_string())));
    }
    Ok(tokens)
}

/// A token as it is written: its text, or an object with flags.
fn token(value: &Value, special: bool) -> Option<AddedToken> {
    let fields = match value {
        Value::String(text) => return Some(AddedToken::from(text, special)),
        Value::Object(fields) => fields,
        _ => return None,
    };
    let flag = |name: &str| fields.get(name).and_then(Value::as_bool);
    let special = special || flag("special").unwrap_or(false);
    let token = AddedToken::from(fields.get("content")?.as_str()?, special);
    let normalized = flag("normalized").unwrap_or(token.normalized);
    Some(
        token
            .normalized(normalized)
            .lstrip(flag("lstrip").unwrap_or(false))
            .rstrip(flag("rstrip").unwrap_or(false))
            .single_word(flag("single_word").unwrap_or(false)),
    )
}
