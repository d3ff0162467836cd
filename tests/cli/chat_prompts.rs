//! Prompts through a chat template are those of lm-evaluation-harness, to the token.

use std::{fs, sync::Arc};

use crate::support_cli::fixtures;
use cola::{
    model::Tokenizer,
    prepare::{Prompt, PromptLayout},
    task::{LoadOptions, PromptOptions, load_samples, resolve},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct References {
    rows: Vec<serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    model: String,
    task: String,
    system: Option<String>,
    multiturn: bool,
    prompts: Vec<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    contexts: Vec<String>,
    context_ids: Vec<Vec<u32>>,
    #[serde(default)]
    continuations: Option<Vec<String>>,
    #[serde(default)]
    continuation_ids: Vec<Vec<u32>>,
}

#[test]
fn chats_are_lm_evals_with_a_system_message_or_none_and_examples_in_turns_or_one() {
    let file = fs::read_to_string(fixtures().join("chat_prompts.json")).unwrap();
    let references: References = serde_json::from_str(&file).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (data, yaml) = (
        directory.path().join("rows.jsonl"),
        directory.path().join("t.yaml"),
    );
    let rows: String = references.rows.iter().map(|r| format!("{r}\n")).collect();
    fs::write(&data, rows).unwrap();
    assert!(references.cases.len() >= 60);
    for case in &references.cases {
        fs::write(&yaml, &case.task).unwrap();
        let tokenizer = Tokenizer::load(&fixtures().join(&case.model)).unwrap();
        let asking = PromptLayout {
            tokenizer: Arc::new(tokenizer),
            stop_tokens: [].into(),
            max_positions: 4096,
            chat: true,
            examples_as_turns: case.multiturn,
            system: case.system.clone(),
            no_bos: false,
            near_tie_nats: 0.0,
            wrong_targets: None,
            wrong_texts: 2,
            warnings: Arc::default(),
            boxes: Arc::default(),
        };
        let options = LoadOptions {
            data: vec![data.clone()],
            manner: PromptOptions {
                chat: true,
                ..PromptOptions::default()
            },
            ..LoadOptions::default()
        };
        let task = Arc::new(resolve(yaml.to_str().unwrap()).unwrap());
        let samples = load_samples(&task, &options).unwrap().samples;
        assert_eq!(samples.len(), case.prompts.len());
        for (sample, reference) in samples.iter().zip(&case.prompts) {
            let prompts = asking.prompts(sample).unwrap();
            assert_same(&prompts, reference, case);
            assert_eq!(asking.texts(sample).unwrap(), reference.contexts);
        }
    }
}

#[track_caller]
fn assert_same(prompts: &[Prompt], reference: &Reference, case: &Case) {
    let place = format!(
        "{} {:?} {}\n{}",
        case.model, case.system, case.multiturn, case.task
    );
    let ids: Vec<&Vec<u32>> = prompts.iter().map(|prompt| &prompt.tokens).collect();
    let expected: Vec<&Vec<u32>> = reference.context_ids.iter().collect();
    assert_eq!(ids, expected, "{place}\n{:?}", reference.contexts);
    let Some(continuations) = &reference.continuations else {
        return;
    };
    let read = || prompts.iter().flat_map(|prompt| &prompt.continuations);
    let texts: Vec<&String> = read().map(|continuation| &continuation.text).collect();
    assert_eq!(texts, continuations.iter().collect::<Vec<_>>(), "{place}");
    let ids: Vec<&Vec<u32>> = read().map(|continuation| &continuation.tokens).collect();
    let expected: Vec<&Vec<u32>> = reference.continuation_ids.iter().collect();
    assert_eq!(ids, expected, "{place}");
}
