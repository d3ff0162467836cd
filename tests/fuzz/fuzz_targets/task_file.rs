//! Any text as a task file, with a row of its columns: prompts, or an error that names the file or the row.

#![no_main]

use std::{fs, path::PathBuf, process, sync::{Arc, LazyLock}};

use cola::task::{LoadOptions, load_samples, resolve};
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-task-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let row = "{\"question\": \"What is 2 + 2?\", \"answer\": \"4\", \"choices\": [\"3\", \"4\"], \"n\": 1.5, \"none\": null}\n";
    fs::write(directory.join("rows.jsonl"), row).unwrap();
    directory
});

fuzz_target!(|text: &[u8]| {
    let file = DIRECTORY.join("task.yaml");
    fs::write(&file, text).unwrap();
    let options = LoadOptions {
        data: vec![DIRECTORY.join("rows.jsonl")],
        ..LoadOptions::default()
    };
    let loaded = resolve(file.to_str().unwrap()).and_then(|task| load_samples(&Arc::new(task), &options));
    if let Err(error) = loaded {
        assert!(error.to_string().len() < 20_000, "{error}");
    }
});
