//! A model described by the metadata of a GGUF file.
//!
//! The metadata is translated into a `config.json`, which the family's own module then reads, so
//! that each field is interpreted in one place. llama.cpp's converter renames tensors, stacks
//! experts, reorders rows and adds 1 to norms; this is undone by the tensors' names and by
//! [`Stored`].

mod architectures;
mod keys;
mod names;
mod rope;

use super::{
    super::{MlpSpec, ModelError, RopeScaling, gguf::Metadata, weights::Weights},
    QueryKeyValueLayout, Resolved, Stored, resolve,
};
use architectures::Architecture;
use keys::Keys;

/// Reads the metadata, with llama.cpp's defaults for absent keys.
///
/// # Errors
///
/// Returns an error for an architecture that is not supported, and for a key of the architecture
/// that is missing, is not what it should be, or is there and not read.
pub fn resolve_gguf(metadata: &Metadata, weights: &Weights) -> Result<Resolved, ModelError> {
    let architecture = Architecture::of(metadata)?;
    let keys = Keys::new(metadata, architecture.name);
    let config = architecture.config(&keys, weights)?;
    let divisors = rope::divisors(weights)?;
    keys.refuse_unread()?;
    let mut resolved = resolve(&config)?;
    let spec = &mut resolved.spec;
    for (index, layer) in spec.layers.iter_mut().enumerate() {
        let has = |part: &str| weights.shape(&format!("blk.{index}.{part}.bias")).is_some();
        if architecture.optional_biases {
            layer.attention.input_bias = has("attn_q") || has("attn_qkv");
            layer.attention.output_bias = has("attn_output");
            if let MlpSpec::Dense(dense) = &mut layer.mlp {
                dense.bias = has("ffn_down");
            }
        }
        if let (Some(divisors), Some(rope)) = (&divisors, &mut layer.attention.rope) {
            rope.scaling = RopeScaling::Divided {
                divisors: rope::fitting(metadata, divisors, rope.rotary_dim)?,
            };
        }
    }
    let layout = resolved.stored.query_key_value;
    resolved.stored = Stored {
        query_key_value: match layout {
            QueryKeyValueLayout::ByHead => QueryKeyValueLayout::Together,
            other => other,
        },
        gate_up_together: resolved.stored.gate_up_together,
        transposed: false,
        interleaved: architecture.interleaved,
        norms_hold_one: architecture.norms_hold_one,
        experts_together: true,
    };
    resolved.name = names::name;
    resolved.prefix = "";
    resolved.ignored = |_| false;
    Ok(resolved)
}
