//! Texts get the tokens that transformers gives them.

use std::collections::HashMap;

use super::fixtures;
use cola_model::{Message, Tokenizer};
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    texts: Vec<TextReference>,
    chats: Vec<ChatReference>,
}

#[derive(Deserialize)]
struct TextReference {
    model: String,
    text: String,
    add_special_tokens: bool,
    ids: Vec<u32>,
    decoded: String,
}

#[derive(Deserialize)]
struct ChatReference {
    model: String,
    messages: Vec<Message>,
    add_generation_prompt: bool,
    rendered: String,
    ids: Vec<u32>,
}

fn references() -> References {
    let file = fixtures().join("tokenizer_references.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Loads each tokenizer once.
#[derive(Default)]
struct Tokenizers(HashMap<String, Tokenizer>);

impl Tokenizers {
    fn of(&mut self, model: &str) -> &Tokenizer {
        let load = || Tokenizer::load(&fixtures().join(model)).unwrap();
        self.0.entry(model.to_owned()).or_insert_with(load)
    }
}

/// Fails with every difference, not only the first.
fn assert_none(differences: &[String], of: usize) {
    assert!(of > 0, "nothing was compared");
    let list = differences.join("\n");
    assert!(
        differences.is_empty(),
        "{} of {of} differ:\n{list}",
        differences.len()
    );
}

#[test]
fn texts_have_the_tokens_of_transformers_with_and_without_special_tokens() {
    let mut tokenizers = Tokenizers::default();
    let references = references().texts;
    let mut differences = Vec::new();
    for reference in &references {
        let TextReference { model, text, .. } = reference;
        let special = reference.add_special_tokens;
        let ids = tokenizers.of(model).encode_with(text, special).unwrap();
        if ids != reference.ids {
            let expected = &reference.ids;
            differences.push(format!(
                "{model} {text:?} {special}: {ids:?}, not {expected:?}"
            ));
        }
    }
    assert_none(&differences, references.len());
}

#[test]
fn tokens_have_the_text_of_transformers() {
    let mut tokenizers = Tokenizers::default();
    let references = references().texts;
    let mut differences = Vec::new();
    for TextReference {
        model,
        ids,
        decoded,
        ..
    } in &references
    {
        let text = tokenizers.of(model).decode(ids).unwrap();
        if text != *decoded {
            differences.push(format!("{model} {ids:?}: {text:?}, not {decoded:?}"));
        }
    }
    assert_none(&differences, references.len());
}

#[test]
fn chats_are_rendered_and_encoded_as_transformers_does() {
    let mut tokenizers = Tokenizers::default();
    // Only prompts for the assistant's next message are rendered here.
    let mut references = references().chats;
    references.retain(|chat| chat.add_generation_prompt);
    let mut differences = Vec::new();
    for chat in &references {
        let model = &chat.model;
        let tokenizer = tokenizers.of(model);
        let rendered = tokenizer.chat().unwrap().render(&chat.messages).unwrap();
        if rendered != chat.rendered {
            differences.push(format!("{model}: {rendered:?}, not {:?}", chat.rendered));
        }
        // transformers adds no special tokens to the text that a template renders.
        let ids = tokenizer.encode_with(&rendered, false).unwrap();
        if ids != chat.ids {
            differences.push(format!("{model} {rendered:?}: {ids:?}, not {:?}", chat.ids));
        }
    }
    assert_none(&differences, references.len());
}

#[test]
fn a_text_that_begins_with_bos_gets_no_second_one() {
    let mut tokenizers = Tokenizers::default();
    let mut checked = 0;
    for chat in references().chats {
        let tokenizer = tokenizers.of(&chat.model);
        let begins = chat.ids.first().copied() == tokenizer.beginning();
        if begins {
            let ids = tokenizer.encode(&chat.rendered).unwrap();
            assert_eq!(ids[..2], chat.ids[..2], "{}", chat.model);
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn a_model_without_a_template_says_so() {
    let tokenizer = Tokenizer::load(&fixtures().join("tokenizers/add-bos-true")).unwrap();
    let error = tokenizer.chat().unwrap_err().to_string();
    assert!(error.contains("no chat template"), "{error}");
}

#[test]
fn an_error_raised_by_a_template_is_reported_with_its_file() {
    let tokenizer = Tokenizer::load(&fixtures().join("tokenizers/llama2-metaspace")).unwrap();
    let twice = [("user", "a"), ("user", "b")].map(|(role, content)| Message {
        role: role.into(),
        content: content.into(),
    });
    let error = tokenizer.chat().unwrap().render(&twice).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("chat_template.jinja"), "{text}");
    assert!(text.contains("must alternate"), "{text}");
}

/// The error of loading a directory with this `tokenizer.json`, or without one.
fn refusal(contents: Option<&str>) -> String {
    let directory = tempfile::tempdir().unwrap();
    if let Some(contents) = contents {
        std::fs::write(directory.path().join("tokenizer.json"), contents).unwrap();
    }
    Tokenizer::load(directory.path()).unwrap_err().to_string()
}

#[test]
fn a_missing_or_broken_tokenizer_file_is_named() {
    let missing = refusal(None);
    assert!(
        missing.contains("tokenizer.json: no such file"),
        "{missing}"
    );
    let broken = refusal(Some("{\"version\":"));
    assert!(broken.contains("tokenizer.json: "), "{broken}");
    assert!(!broken.contains("no such file"), "{broken}");
}
