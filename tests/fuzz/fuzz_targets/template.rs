//! Any text as a template of a task, or of a chat: a text of bounded size in bounded work, or an error.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pyjinja::{Columns, Row, Templates};

static COLUMNS: LazyLock<Columns> = LazyLock::new(|| {
    let row = "{\"question\": \"What?\", \"choices\": [\"a\", \"b\", 3], \"n\": 2.5, \"none\": null, \"m\": {\"k\": [1, [2]]}, \
               \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}], \"add_generation_prompt\": true}";
    serde_json::from_str(row).unwrap()
});

fuzz_target!(|source: &str| {
    let templates = if source.len() % 2 == 0 { Templates::new() } else { Templates::of_chats() };
    match templates.render(source, &Row::new(&COLUMNS)) {
        Ok(text) => assert!(text.len() <= 17 << 20),
        Err(error) => assert!(error.len() < 20_000, "{error}"),
    }
});
