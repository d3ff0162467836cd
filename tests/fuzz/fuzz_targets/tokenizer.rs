//! Any bytes as `tokenizer.json`: refused by name, or a tokenizer that encodes and decodes in bounded work.

#![no_main]

use std::{fs, path::PathBuf, process, sync::LazyLock};

use cola::model::Tokenizer;
use libfuzzer_sys::fuzz_target;

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-tokenizer-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("config.json"), include_str!("../config.json")).unwrap();
    directory
});

fuzz_target!(|file: &[u8]| {
    fs::write(DIRECTORY.join("tokenizer.json"), file).unwrap();
    match Tokenizer::load(&DIRECTORY) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("tokenizer.json") && text.len() < 20_000, "{text}");
        }
        Ok(tokenizer) => {
            if let Ok(tokens) = tokenizer.encode("Dial 29 up 15.\nAnswer: ü 漢字") {
                assert!(tokens.len() < 100_000);
                let _ = tokenizer.decode(&tokens);
            }
        }
    }
});
