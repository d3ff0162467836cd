//! Any bytes as `model.gguf`: they are refused by name, or are a model that runs; its tokenizer is refused or encodes.

#![no_main]

use std::{fs, path::PathBuf, process, sync::LazyLock};

use cola::{
    chain::Chain,
    model::{Compute, Model, Repeat, Tokenizer, stop_tokens},
};
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("cola-fuzz-gguf-{}", process::id()));
    fs::create_dir_all(&directory).unwrap();
    directory.join("model.gguf")
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(&*FILE, bytes).unwrap();
    let inspected = Model::inspect(&FILE);
    let loaded = Model::load(&FILE, Compute::cpu());
    let tokenizer = Tokenizer::load(&FILE);
    let stops = stop_tokens(&FILE);
    let errors = [
        inspected.as_ref().err(),
        loaded.as_ref().err(),
        tokenizer.as_ref().err(),
        stops.as_ref().err(),
    ];
    for error in errors.into_iter().flatten() {
        let text = error.to_string();
        assert!(text.contains("model.gguf"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    if let Ok(tokenizer) = tokenizer {
        // Either is fine; neither may panic.
        drop(tokenizer.encode("one 2\n\u{1F642}"));
    }
    if let Ok(model) = loaded {
        assert!(inspected.is_ok());
        let tokens = [0; 3];
        let logits = model.logits(&tokens, &Chain::identity(model.depth()), Repeat::Clean);
        assert_eq!(logits.unwrap().size()[0], 3);
    }
});
