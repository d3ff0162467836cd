//! Tokens that stand beside `tokenizer.json` are one token each, with their flags, as in transformers.

use std::{collections::BTreeMap, fs, path::Path};

use super::fixtures;
use cola_model::Tokenizer;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct References {
    tokenizer: Value,
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, Value>,
    ids: Vec<Vec<u32>>,
    decoded: Vec<String>,
}

fn references() -> References {
    let file = fixtures().join("added_tokens.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn write(directory: &Path, name: &str, value: &Value) {
    fs::write(directory.join(name), value.to_string()).unwrap();
}

#[test]
fn tokens_of_other_files_are_added_as_transformers_adds_them() {
    let References {
        tokenizer,
        texts,
        cases,
    } = references();
    for case in cases {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "tokenizer.json", &tokenizer);
        for (name, file) in &case.files {
            write(directory.path(), name, file);
        }
        let tokenizer = Tokenizer::load(directory.path()).unwrap();
        for ((text, ids), decoded) in texts.iter().zip(&case.ids).zip(&case.decoded) {
            let name = &case.name;
            assert_eq!(
                tokenizer.encode_with(text, false).unwrap(),
                *ids,
                "{name}: {text}"
            );
            assert_eq!(tokenizer.decode(ids).unwrap(), *decoded, "{name}: {text}");
        }
    }
}

#[test]
fn the_tokens_of_another_file_are_part_of_the_hash() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "tokenizer.json", &references().tokenizer);
    let hash = || Tokenizer::load(directory.path()).unwrap().hash().to_owned();
    let without = hash();
    write(directory.path(), "added_tokens.json", &json!({"<a>": 37}));
    assert_ne!(hash(), without);
}

#[test]
fn what_is_no_token_is_refused_by_its_field() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "tokenizer.json", &references().tokenizer);
    let refused = || {
        let error = Tokenizer::load(directory.path()).unwrap_err().to_string();
        error.replace(directory.path().to_str().unwrap(), "DIR")
    };
    for (config, expected) in [
        (
            json!({"added_tokens_decoder": []}),
            "`added_tokens_decoder`: expected an object of ids",
        ),
        (
            json!({"added_tokens_decoder": {"x": {"content": "a"}}}),
            "`added_tokens_decoder.x`: is not an id",
        ),
        (
            json!({"added_tokens_decoder": {"5": {"text": "a"}}}),
            "`added_tokens_decoder.5`: is not a token with a content",
        ),
        (
            json!({"additional_special_tokens": "<a>"}),
            "`additional_special_tokens`: expected a list of tokens",
        ),
    ] {
        write(directory.path(), "tokenizer_config.json", &config);
        assert_eq!(refused(), format!("DIR/tokenizer_config.json: {expected}"));
    }
    write(directory.path(), "tokenizer_config.json", &json!({}));
    write(directory.path(), "added_tokens.json", &json!({"<a>": "b"}));
    assert_eq!(refused(), "DIR/added_tokens.json: `<a>`: is not an id");
}
