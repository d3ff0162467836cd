//! Tokenizers of real kinds, against what transformers makes of the same texts.

mod gguf_tokenizer;
mod tokenizer;

use std::path::{Path, PathBuf};

/// What other programs have recorded, at the root of the repository.
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}
