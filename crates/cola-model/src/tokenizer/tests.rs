//! Tokenizers in GGUF files that are refused, and the messages.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anamnesis::{GgufMetadataArray as List, GgufMetadataValue as Value};

use super::{super::gguf::Metadata, Tokenizer, gguf::described};

type Values = HashMap<String, Value>;

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn texts<T: AsRef<str>>(texts: &[T]) -> Value {
    let texts = texts.iter().map(|text| text.as_ref().to_owned());
    Value::Array(Box::new(List::String(texts.collect())))
}

fn integers(items: Vec<i32>) -> Value {
    Value::Array(Box::new(List::I32(items)))
}

fn floats(items: Vec<f32>) -> Value {
    Value::Array(Box::new(List::F32(items)))
}

/// Metadata of a byte-level tokenizer: `a`, `b`, `ab` and an end of text, a control token.
fn bytes() -> Values {
    let ggml = |key: &str| format!("tokenizer.ggml.{key}");
    Values::from([
        ("general.architecture".to_owned(), text("llama")),
        (ggml("model"), text("gpt2")),
        (ggml("pre"), text("gpt-2")),
        (ggml("tokens"), texts(&["a", "b", "ab", "<end>"])),
        (ggml("token_type"), integers(vec![1, 1, 1, 3])),
        (ggml("merges"), texts(&["a b"])),
        (ggml("eos_token_id"), Value::U32(3)),
    ])
}

/// Metadata of a SentencePiece tokenizer: three special tokens, the bytes, and `▁`, `a`, `▁a`.
fn pieces() -> Values {
    let ggml = |key: &str| format!("tokenizer.ggml.{key}");
    let mut tokens = ["<unk>", "<s>", "</s>"].map(str::to_owned).to_vec();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "a", "▁a"].map(str::to_owned));
    let mut types = vec![2, 3, 3];
    types.extend([6; 256]);
    types.extend([1; 3]);
    let scores = vec![0.0; tokens.len()];
    Values::from([
        ("general.architecture".to_owned(), text("llama")),
        (ggml("model"), text("llama")),
        (ggml("tokens"), texts(&tokens)),
        (ggml("token_type"), integers(types)),
        (ggml("scores"), floats(scores)),
        (ggml("bos_token_id"), Value::U32(1)),
        (ggml("eos_token_id"), Value::U32(2)),
    ])
}

fn load(values: Values) -> Result<Tokenizer, String> {
    let metadata = Metadata::new(PathBuf::from("m.gguf"), values);
    described(&metadata).map_err(|error| error.to_string())
}

/// The error for a file with `key` set to a value, or without that key.
fn refusal(mut values: Values, key: &str, value: Option<Value>) -> String {
    match value {
        Some(value) => values.insert(key.to_owned(), value),
        None => values.remove(key),
    };
    let error = load(values).unwrap_err();
    assert!(!error.contains('\n') && error.len() < 500, "{error}");
    assert!(error.starts_with("m.gguf: "), "{error}");
    error
}

#[test]
fn the_values_that_refusals_start_from_are_sound() {
    let tokenizer = load(bytes()).unwrap();
    assert_eq!(tokenizer.encode("abba<end>").unwrap(), [2, 1, 0, 3]);
    assert_eq!(tokenizer.decode(&[2, 3]).unwrap(), "ab");
    let tokenizer = load(pieces()).unwrap();
    assert_eq!(tokenizer.encode("a é").unwrap(), [1, 261, 259, 198, 172]);
    assert_eq!(tokenizer.vocabulary(), 262);
}

#[test]
fn every_refusal_names_file_and_key_and_says_what_is_wrong() {
    let long = "x".repeat(1 << 20);
    let cases: Vec<(Values, &str, Option<Value>, &str)> = vec![
        (
            bytes(),
            "model",
            None,
            "a missing value is not supported; supported: gpt2, llama",
        ),
        (
            bytes(),
            "model",
            Some(text("bert")),
            "\"bert\" is not supported; supported: gpt2, llama; or give option `tokenizer`",
        ),
        (bytes(), "model", Some(Value::U32(1)), "expected a string"),
        (
            bytes(),
            "pre",
            Some(text("kimi-k2")),
            "\"kimi-k2\" is not supported; supported: gpt-2, olmo, smollm,",
        ),
        (
            bytes(),
            "pre",
            None,
            "a missing value does not say where words end in a \"llama\" model",
        ),
        (
            bytes(),
            "pre",
            Some(text("default")),
            "\"default\" does not say where words end",
        ),
        (
            pieces(),
            "pre",
            Some(text("llama-bpe")),
            "\"llama-bpe\" is not supported for llama",
        ),
        (bytes(), "tokens", None, "0 tokens; give option `tokenizer`"),
        (
            bytes(),
            "tokens",
            Some(texts::<&str>(&[])),
            "0 tokens; give option `tokenizer`",
        ),
        (
            bytes(),
            "tokens",
            Some(integers(vec![1])),
            "expected a list of strings",
        ),
        (
            bytes(),
            "tokens",
            Some(texts(&["a", "b", "a", "c"])),
            "tokens 0 and 2 are both \"a\"",
        ),
        (
            bytes(),
            "tokens",
            Some(texts(&["a", &long, &long, "c"])),
            "tokens 1 and 2 are both \"xxxxxxxx",
        ),
        (
            bytes(),
            "token_type",
            Some(integers(vec![1; 3])),
            "3 types for 4 tokens",
        ),
        (
            bytes(),
            "token_type",
            Some(integers(vec![1, 1, 1, 7])),
            "7 is not a type of tokens",
        ),
        (
            bytes(),
            "token_type",
            Some(text("1")),
            "expected a list of 32-bit integers",
        ),
        (bytes(), "merges", None, "is missing"),
        (
            bytes(),
            "merges",
            Some(texts(&["ab"])),
            "merge 0, \"ab\", is not two tokens",
        ),
        (
            bytes(),
            "merges",
            Some(texts(&["a b", "a  b"])),
            "merge 1, \"a  b\", is not two tokens",
        ),
        (
            bytes(),
            "merges",
            Some(texts(&["a b a"])),
            "is not two tokens",
        ),
        (bytes(), "merges", Some(texts(&[" b"])), "is not two tokens"),
        (
            bytes(),
            "merges",
            Some(texts(&["a c"])),
            "merge 0, \"a c\", needs \"c\", which is not a token",
        ),
        (
            bytes(),
            "merges",
            Some(texts(&["ab <end>"])),
            "needs \"ab<end>\", which is not a token",
        ),
        (
            bytes(),
            "merges",
            Some(texts(&[&long])),
            "is not two tokens",
        ),
        (
            bytes(),
            "eos_token_id",
            Some(Value::U32(4)),
            "4 is not the id of one of the 4 tokens",
        ),
        (
            bytes(),
            "eos_token_id",
            Some(Value::I32(-1)),
            "expected a whole number",
        ),
        (
            bytes(),
            "bos_token_id",
            Some(Value::U32(u32::MAX)),
            "expected a whole number",
        ),
        (
            bytes(),
            "add_bos_token",
            Some(Value::Bool(true)),
            "is true, but tokenizer.ggml.bos_token_id is missing",
        ),
        (
            bytes(),
            "add_eos_token",
            Some(text("yes")),
            "expected true or false",
        ),
        (
            bytes(),
            "add_space_prefix",
            Some(Value::Bool(true)),
            "is not supported for gpt2",
        ),
        (
            bytes(),
            "add_sep_token",
            Some(Value::Bool(true)),
            "is not supported",
        ),
        (
            bytes(),
            "precompiled_charsmap",
            Some(text("")),
            "is not known; give option `tokenizer`",
        ),
        (
            pieces(),
            "scores",
            None,
            "is missing, and so is tokenizer.ggml.merges",
        ),
        (
            pieces(),
            "scores",
            Some(floats(vec![0.0; 7])),
            "7 scores for 262 tokens",
        ),
        (
            pieces(),
            "scores",
            Some(floats(vec![f32::NAN; 262])),
            "token 0 has the score NaN",
        ),
    ];
    for (values, name, value, expected) in cases {
        let key = format!("tokenizer.ggml.{name}");
        let error = refusal(values, &key, value);
        assert!(error.starts_with(&format!("m.gguf: `{key}`: ")), "{error}");
        assert!(error.contains(expected), "{error}, not {expected}");
    }
}

#[test]
fn pieces_without_all_bytes_are_refused() {
    let mut values = pieces();
    let key = "tokenizer.ggml.tokens".to_owned();
    let Some(Value::Array(list)) = values.remove(&key) else {
        panic!()
    };
    let List::String(mut tokens) = *list else {
        panic!()
    };
    tokens[3 + 0x41] = "A".to_owned();
    values.insert(key, texts(&tokens));
    let error = load(values).unwrap_err();
    assert!(
        error.contains("`tokenizer.ggml.tokens`: there is no token <0x41>"),
        "{error}"
    );
}

#[test]
fn tokens_too_long_to_cut_are_refused_before_they_are_cut() {
    let mut values = pieces();
    let key = "tokenizer.ggml.tokens".to_owned();
    let Some(Value::Array(list)) = values.remove(&key) else {
        panic!()
    };
    let List::String(mut tokens) = *list else {
        panic!()
    };
    tokens[261] = "a".repeat(1 << 16);
    values.insert(key, texts(&tokens));
    let error = load(values).unwrap_err();
    assert!(
        error.contains("`tokenizer.ggml.merges`: is missing, and the tokens are too long"),
        "{error}"
    );
}

#[test]
fn a_broken_chat_template_is_named_by_its_key() {
    let key = "tokenizer.chat_template";
    let error = refusal(bytes(), key, Some(text("{% for %}")));
    assert!(
        error.starts_with("m.gguf: tokenizer.chat_template: "),
        "{error}"
    );
    let mut values = bytes();
    values.insert(key.to_owned(), text("{{ raise_exception('no') }}"));
    let tokenizer = load(values).unwrap();
    let error = tokenizer
        .chat()
        .unwrap()
        .render(&[])
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("m.gguf: tokenizer.chat_template: "),
        "{error}"
    );
    let error = load(bytes()).unwrap().chat().unwrap_err().to_string();
    assert!(error.contains("no chat template"), "{error}");
}

#[test]
fn the_chat_template_without_a_name_is_used() {
    let mut values = bytes();
    values.insert("tokenizer.chat_templates".to_owned(), texts(&["tool_use"]));
    values.insert("tokenizer.chat_template.tool_use".to_owned(), text("tools"));
    assert!(load(values.clone()).unwrap().chat().is_err());
    values.insert("tokenizer.chat_template".to_owned(), text("default"));
    let tokenizer = load(values).unwrap();
    assert_eq!(tokenizer.chat().unwrap().render(&[]).unwrap(), "default");
}

#[test]
fn what_makes_no_difference_to_tokens_makes_none_to_the_hash() {
    let hash = |values: &Values| load(values.clone()).unwrap().hash().to_owned();
    let mut values = bytes();
    let before = hash(&values);
    for (key, value) in [
        ("general.name", text("other")),
        ("llama.block_count", Value::U32(7)),
        ("tokenizer.ggml.fim_pre_token_id", Value::U32(1)),
        ("tokenizer.huggingface.json", text("{}")),
    ] {
        values.insert(key.to_owned(), value);
        assert_eq!(hash(&values), before, "{key}");
    }
    for (key, value) in [
        ("tokenizer.ggml.tokens", texts(&["b", "a", "ab", "<end>"])),
        ("tokenizer.ggml.token_type", integers(vec![1, 1, 1, 4])),
        ("tokenizer.ggml.merges", texts::<&str>(&[])),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.chat_template", text("x")),
    ] {
        let mut values = bytes();
        values.insert(key.to_owned(), value);
        assert_ne!(hash(&values), before, "{key}");
    }
}

#[test]
fn a_space_goes_before_the_first_word_unless_the_file_says_not() {
    let mut values = pieces();
    let tokens = |values: &Values| {
        load(values.clone())
            .unwrap()
            .encode_with("a a", false)
            .unwrap()
    };
    assert_eq!(tokens(&values), [261, 261]);
    values.insert(
        "tokenizer.ggml.add_space_prefix".to_owned(),
        Value::Bool(false),
    );
    assert_eq!(tokens(&values), [260, 261]);
    values.insert("general.architecture".to_owned(), text("gemma"));
    assert_eq!(tokens(&values), [260, 261]);
    let error = refusal(
        values,
        "tokenizer.ggml.add_space_prefix",
        Some(Value::Bool(true)),
    );
    assert!(error.contains("is not supported for gemma"), "{error}");
}

#[test]
fn texts_that_look_like_layouts_of_special_tokens_are_tokens() {
    let mut values = bytes();
    values.insert(
        "tokenizer.ggml.tokens".to_owned(),
        texts(&["$A:0 $", "b", "", "a"]),
    );
    values.insert("tokenizer.ggml.merges".to_owned(), texts::<&str>(&[]));
    values.insert("tokenizer.ggml.bos_token_id".to_owned(), Value::U32(0));
    values.insert("tokenizer.ggml.add_bos_token".to_owned(), Value::Bool(true));
    values.insert("tokenizer.ggml.add_eos_token".to_owned(), Value::Bool(true));
    let tokenizer = load(values).unwrap();
    assert_eq!(tokenizer.encode("b").unwrap(), [0, 1, 3]);
    assert_eq!(tokenizer.special("bos_token"), Some(("$A:0 $", Some(0))));
}

#[test]
fn control_tokens_that_the_alphabet_does_not_spell_keep_their_ids() {
    let mut values = bytes();
    values.insert(
        "tokenizer.ggml.tokens".to_owned(),
        texts(&["a", " b", "Ġb", "<｜end｜>"]),
    );
    values.insert(
        "tokenizer.ggml.token_type".to_owned(),
        integers(vec![1, 4, 1, 3]),
    );
    values.insert("tokenizer.ggml.merges".to_owned(), texts::<&str>(&[]));
    let tokenizer = load(values).unwrap();
    assert_eq!(tokenizer.encode("a b<｜end｜>").unwrap(), [0, 1, 3]);
    assert_eq!(tokenizer.decode(&[0, 2, 3]).unwrap(), "a b");
    assert_eq!(tokenizer.vocabulary(), 4);
}

#[test]
fn a_path_that_is_not_there_is_no_file() {
    let error = Tokenizer::load(Path::new("nowhere.gguf"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no such file"), "{error}");
}
