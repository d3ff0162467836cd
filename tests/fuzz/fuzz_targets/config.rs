//! Any bytes as `config.json` beside fixed weights: refused by the file, or a model.

#![no_main]

use std::{fs, path::PathBuf, process, sync::LazyLock};

use cola::model::Model;
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-config-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model.safetensors");
    fs::copy(weights, directory.join("model.safetensors")).unwrap();
    directory
});

fuzz_target!(|file: &[u8]| {
    fs::write(DIRECTORY.join("config.json"), file).unwrap();
    if let Err(error) = Model::inspect(&DIRECTORY) {
        let text = error.to_string();
        assert!(text.contains(DIRECTORY.to_str().unwrap()) && text.len() < 20_000, "{text}");
    }
});
