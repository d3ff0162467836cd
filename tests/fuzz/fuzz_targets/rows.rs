//! Any bytes as a file of rows, whose format the first byte says: they are samples, or refused in one line that names the file.

#![no_main]

use std::{fs, path::PathBuf, process, sync::{Arc, LazyLock}};

use cola::task::{LoadOptions, TaskSpec, load_samples, resolve};
use libfuzzer_sys::fuzz_target;

static TASK: LazyLock<(PathBuf, Arc<TaskSpec>)> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-rows-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    (directory, Arc::new(resolve("arith").unwrap()))
});

const KINDS: [&str; 8] = ["jsonl", "json", "csv", "tsv", "parquet", "arrow", "jsonl.gz", "jsonl.zst"];

fuzz_target!(|bytes: &[u8]| {
    let Some((&kind, rows)) = bytes.split_first() else { return };
    let (directory, task) = &*TASK;
    let file = directory.join(format!("rows.{}", KINDS[usize::from(kind) % KINDS.len()]));
    fs::write(&file, rows).unwrap();
    let options = LoadOptions {
        data: vec![file],
        ..LoadOptions::default()
    };
    if let Err(error) = load_samples(task, &options) {
        let text = error.to_string();
        assert!(text.contains("rows."), "{text}");
        assert!(text.len() < 20_000, "{text}");
    }
});
