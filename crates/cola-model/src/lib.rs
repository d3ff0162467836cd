//! The frozen LLM on libtorch: from a Hugging Face directory or a GGUF file to layers that are pure
//! functions.
//!
//! # Words
//!
//! | word | meaning |
//! | --- | --- |
//! | layer | one decoder block, `0..L` ([`Layer`]) |
//! | node | one token of a row's token tree; a plain sequence is a tree without branches |
//! | residual | the residual stream of some nodes, `[N, D]` |
//! | segment | the new nodes of one row in a batch, with the keys and values they attend to ([`Segment`]) |
//! | batch | segments packed one after the other ([`Batch`]) |
//! | head | final norm and output matrix: from residuals to log-probabilities ([`Reading`]) |
//! | family | architectures whose `config.json` one module reads into a [`ModelSpec`] |
//!
//! ```text
//! config.json ──family──▶ ModelSpec ─┐
//! *.safetensors ──mmap──▶ Weights ───┴▶ Model { embedding, layers[0..L], head }
//! ```
//!
//! The module of a family reads `config.json` into a [`ModelSpec`] and names the family's tensors;
//! everything after that is driven by the spec. A [`Layer`] takes a packed batch of residuals
//! `[N, D]` and returns residuals, with the keys and values of that application. Keys and values
//! belong to a position of the chain, so a layer visited twice has two independent sets.
//!
//! # Example
//!
//! ```
//! use cola_model::{Compute, Model, Repeat, Tokenizer};
//! use cola_search::chain::Chain;
//!
//! let path = "../../models/demo".as_ref();
//! let (model, tokenizer) = (Model::load(path, Compute::cpu())?, Tokenizer::load(path)?);
//! let tokens = tokenizer.encode("Dial 29 up 15.\nAnswer:")?;
//! // Layers 3 and 4 are left out.
//! let chain: Chain = "0-2,5-11".parse()?;
//! let logits = model.logits(&tokens, &chain, Repeat::Clean)?;
//! assert_eq!(logits.size(), [tokens.len() as i64, model.spec().vocabulary]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ancestors;
mod arrange;
mod attention;
mod batch;
mod batch_invariance;
mod buckets;
mod chat;
mod config;
mod device;
mod draw;
mod error;
mod family;
mod frozen;
mod generation;
mod gguf;
mod halved;
mod head;
mod kernels;
mod layer;
mod linear;
mod load;
mod machine;
mod mlp;
mod network;
mod norm;
mod onednn;
mod repeat;
mod restack;
mod rope;
mod source;
mod spec;
#[cfg(test)]
mod test_numbers;
mod threads;
mod tokenizer;
mod transfer;
mod weights;

pub use ancestors::Ancestors;
pub use batch::{Batch, KeyValue, Segment, Visibility};
pub use chat::{ChatTemplate, Message};
pub use config::{Config, stop_tokens};
pub use device::{Compute, free_memory, parse_devices};
pub use draw::{Draw, Drawn, Sampling};
pub use error::{ModelError, says_out_of_memory};
pub use frozen::Frozen;
pub use generation::{Unapplied, unapplied_settings};
pub use gguf::part_files;
pub use head::{ReadAt, Reading};
pub use layer::{Applied, Keep, Layer, StepOptions};
pub use machine::{libtorch_version, processor};
pub use network::{Inspection, Model, StoredAs};
pub use repeat::{Repeat, seen_in_slot};
pub use restack::{Restacked, restack};
pub use rope::{RopeScaling, RopeSpec};
pub use spec::{
    Activation, AttentionSpec, DenseSpec, LayerSpec, MixtureSpec, MlpSpec, ModelSpec, NormKind,
    NormSpec, QueryKeyNorm,
};
pub use tokenizer::{Decoded, Tokenizer};
pub use transfer::upload;
pub use weights::shard_files;
