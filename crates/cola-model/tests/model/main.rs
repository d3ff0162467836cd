//! Compares tokenizers of all kinds with transformers on the same texts.

mod added_tokens;
mod gguf_tokenizer;
mod hostile_tokenizer;
mod settled_text;
mod tokenizer;

use std::path::{Path, PathBuf};

/// Fixtures recorded by other programs, at the root of the repository.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}
