//! The tokenizer in a GGUF file gives the tokens that transformers gives for that file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::fixtures;
use cola_model::{Message, Tokenizer, stop_tokens};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    texts: Vec<String>,
    kinds: BTreeMap<String, Reference>,
}

#[derive(Deserialize)]
struct Reference {
    /// Number of special tokens before every text, and after it.
    first: usize,
    last: usize,
    /// `None` if transformers gives tokens that the file does not have.
    ids: Vec<Option<Vec<u32>>>,
    /// `None` if it is the text itself.
    decoded: Vec<Option<String>>,
    #[serde(default)]
    chats: Vec<Chat>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    rendered: String,
}

fn file(kind: &str) -> PathBuf {
    fixtures().join(format!("gguf_tokenizers/{kind}.gguf"))
}

fn references() -> References {
    let path = fixtures().join("gguf_tokenizers/references.json");
    let references: References =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(references.kinds.len() > 10 && references.texts.len() > 60);
    references
}

/// Differences between the results of a tokenizer and those of transformers.
fn differences(tokenizer: &Tokenizer, texts: &[String], reference: &Reference) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, text: &str, ours: String, theirs: String| {
        if ours != theirs {
            differences.push(format!("{what} of {text:?}: {ours}, not {theirs}"));
        }
    };
    assert_eq!(texts.len(), reference.ids.len());
    for ((text, ids), decoded) in texts.iter().zip(&reference.ids).zip(&reference.decoded) {
        let Some(ids) = ids else { continue };
        let special = tokenizer.encode_with(text, true).unwrap();
        compare("tokens", text, format!("{special:?}"), format!("{ids:?}"));
        let plain = tokenizer.encode_with(text, false).unwrap();
        let inner = &ids[reference.first..ids.len() - reference.last];
        let (ours, theirs) = (format!("{plain:?}"), format!("{inner:?}"));
        compare("plain tokens", text, ours, theirs);
        let ours = tokenizer.decode(ids).unwrap();
        let theirs = decoded.clone().unwrap_or_else(|| text.clone());
        compare("decoded", text, format!("{ours:?}"), format!("{theirs:?}"));
    }
    differences
}

#[test]
fn texts_have_the_tokens_and_tokens_the_text_of_transformers_for_every_kind() {
    let References { texts, kinds } = references();
    let mut all = Vec::new();
    for (kind, reference) in &kinds {
        let tokenizer = Tokenizer::load(&file(kind)).unwrap();
        let found = differences(&tokenizer, &texts, reference);
        all.extend(found.into_iter().map(|text| format!("{kind}: {text}")));
    }
    assert!(all.is_empty(), "{} differ:\n{}", all.len(), all.join("\n"));
}

#[test]
fn chats_are_rendered_as_transformers_does() {
    let mut compared = 0;
    for (kind, reference) in references().kinds {
        let tokenizer = Tokenizer::load(&file(&kind)).unwrap();
        for chat in reference.chats {
            let rendered = tokenizer.chat().unwrap().render(&chat.messages).unwrap();
            assert_eq!(rendered, chat.rendered, "{kind}");
            compared += 1;
        }
    }
    assert!(compared > 10);
}

#[test]
fn special_tokens_are_named_by_the_file() {
    let tokenizer = Tokenizer::load(&file("spm-phi3")).unwrap();
    let special = |name| tokenizer.special(name).unwrap();
    assert_eq!(special("bos_token"), ("<s>", Some(1)));
    assert_eq!(special("eos_token"), ("<|endoftext|>", Some(3)));
    assert_eq!(special("unk_token"), ("<unk>", Some(0)));
    assert_eq!(special("pad_token"), ("<|endoftext|>", Some(3)));
    assert_eq!(tokenizer.beginning(), Some(1));
    assert_eq!(tokenizer.end(), Some(3));
    let nameless = Tokenizer::load(&file("qwen2")).unwrap();
    assert!(nameless.special("unk_token").is_none());
}

#[test]
fn generation_stops_at_all_ends_of_text_turn_and_message() {
    let ends = |kind: &str| {
        let tokenizer = Tokenizer::load(&file(kind)).unwrap();
        let stops = stop_tokens(&file(kind)).unwrap();
        let texts = stops.iter().map(|&id| tokenizer.decode_special(&[id]));
        texts.map(Result::unwrap).collect::<Vec<String>>()
    };
    let llama3 = ["<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"];
    assert_eq!(ends("llama-bpe"), llama3);
    assert_eq!(ends("spm-llama"), ["</s>"]);
    assert_eq!(ends("spm-gemma"), ["<eos>", "<end_of_turn>"]);
    assert_eq!(ends("spm-phi3"), ["<|endoftext|>", "<|end|>"]);
    assert_eq!(ends("qwen2"), ["<|endoftext|>", "<|im_end|>"]);
}

#[test]
fn the_hash_is_of_the_tokenizer_and_not_of_the_file() {
    let hash = |path: &Path| Tokenizer::load(path).unwrap().hash().to_owned();
    // Two architectures, one tokenizer.
    assert_eq!(hash(&file("spm-gemma")), hash(&file("spm-gemma3")));
    let mut kinds: Vec<String> = (references().kinds.keys())
        .filter(|kind| *kind != "spm-gemma3")
        .map(|kind| hash(&file(kind)))
        .collect();
    let count = kinds.len();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), count);
}

#[test]
fn the_tokenizer_of_a_split_model_is_in_its_first_part() {
    let directory = tempfile::tempdir().unwrap();
    let part = |n: u32| directory.path().join(format!("m-0000{n}-of-00002.gguf"));
    std::fs::copy(file("spm-llama"), part(1)).unwrap();
    std::fs::write(part(2), "not read").unwrap();
    let tokenizer = Tokenizer::load(&part(2)).unwrap();
    assert_eq!(tokenizer.encode("").unwrap(), [1]);
}

#[test]
fn damaged_files_are_refused_or_read_and_never_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m.gguf");
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut refused = 0;
    for kind in ["llama-bpe", "spm-llama", "spm-gemma", "qwen2"] {
        let sound = std::fs::read(file(kind)).unwrap();
        for _ in 0..100 {
            let mut bytes = sound.clone();
            for _ in 0..random.random_range(1..=8) {
                let at = random.random_range(0..bytes.len());
                bytes[at] = random.random();
            }
            std::fs::write(&path, bytes).unwrap();
            let Ok(tokenizer) = Tokenizer::load(&path) else {
                refused += 1;
                continue;
            };
            // Any tokens are accepted here, as long as nothing panics.
            let ids = tokenizer.encode("Hello 12  <s> é🙂<|im_end|>").unwrap();
            tokenizer.decode(&ids).unwrap();
            drop(stop_tokens(&path));
        }
    }
    assert!(refused > 50, "{refused}");
}

/// `tests/parity/tokens.py` writes the file and says how to run this.
#[test]
#[ignore = "takes a model and what transformers makes of texts with it"]
fn a_given_model_gives_the_tokens_of_transformers() {
    let given = |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name}")));
    let tokenizer = Tokenizer::load(&given("TOKENS_MODEL")).unwrap();
    let text = std::fs::read_to_string(given("TOKENS_REFERENCE")).unwrap();
    let References { texts, kinds } = serde_json::from_str(&text).unwrap();
    let (name, reference) = kinds.first_key_value().unwrap();
    let found = differences(&tokenizer, &texts, reference);
    let list = found.join("\n");
    assert!(found.is_empty(), "{} differ:\n{list}", found.len());
    let ids: usize = reference.ids.iter().flatten().map(Vec::len).sum();
    println!(
        "{name}: {} texts, {ids} tokens, none differ",
        reference.ids.iter().flatten().count()
    );
}
