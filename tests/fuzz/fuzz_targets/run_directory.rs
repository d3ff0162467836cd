//! Any bytes as a file of a run directory, which the first byte names: read, or refused by its name.

#![no_main]

use std::{fs, path::{Path, PathBuf}, process, sync::LazyLock};

use cola::run::{Journal, RunStatus};
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-run-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory
});

const FILES: [&str; 5] = ["manifest.json", "samples.jsonl", "evaluations.log", "menu.jsonl", "certificates.jsonl"];

const MANIFEST: &str = include_str!("../../../results/demo/manifest.json");

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, content)) = bytes.split_first() else { return };
    let directory: &Path = &DIRECTORY;
    for file in FILES {
        let _ = fs::remove_file(directory.join(file));
    }
    fs::write(directory.join("manifest.json"), MANIFEST).unwrap();
    let file = FILES[usize::from(which) % FILES.len()];
    fs::write(directory.join(file), content).unwrap();
    for error in [RunStatus::read(directory).err(), Journal::read(directory).err()].into_iter().flatten() {
        let text = error.to_string();
        assert!(text.contains(directory.to_str().unwrap()) && text.len() < 20_000, "{text}");
    }
});
