//! GPT-2: learned positions, LayerNorms, biases everywhere, an MLP without a gate.

use super::{
    super::{Activation, Config, DenseSpec, MlpSpec, ModelError, ModelSpec, NormKind, NormSpec},
    QueryKeyValueLayout, Resolved, Role, Stored,
    decoder::{self, Heads},
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    if config.flag("add_cross_attention", false)? {
        return Err(config.refuse("add_cross_attention", "is not supported"));
    }
    let (hidden, heads) = (config.size("n_embd")?, config.size("n_head")?);
    if hidden % heads != 0 {
        return Err(config.refuse(
            "n_head",
            format!("{heads} does not divide n_embd = {hidden}"),
        ));
    }
    let norm = NormSpec {
        kind: NormKind::Layer,
        epsilon: config.positive_opt("layer_norm_epsilon")?.unwrap_or(1e-5),
    };
    let mut attention = decoder::attention(
        Heads {
            query: heads,
            key_value: heads,
            dim: hidden / heads,
        },
        None,
    );
    attention.input_bias = true;
    attention.output_bias = true;
    if !config.flag("scale_attn_weights", true)? {
        attention.scale = 1.0;
    }
    let mlp = DenseSpec {
        intermediate: config.size_opt("n_inner")?.unwrap_or(4 * hidden),
        activation: decoder::activation(config, "activation_function", Activation::GeluTanh)?,
        gated: false,
        bias: true,
    };
    let layer = decoder::pre_norm(norm, attention, MlpSpec::Dense(mlp));
    let mut layers = vec![layer; decoder::depth(config, "n_layer")?];
    if config.flag("scale_attn_by_inverse_layer_idx", false)? {
        for (index, layer) in layers.iter_mut().enumerate() {
            layer.attention.scale /= (index + 1) as f64;
        }
    }
    let spec = ModelSpec {
        architecture: "GPT2LMHeadModel".into(),
        hidden,
        vocabulary: config.size("vocab_size")?,
        max_positions: config.size_opt("n_positions")?.unwrap_or(1024),
        learned_positions: true,
        embedding_scale: None,
        tied_head: config.flag("tie_word_embeddings", true)?,
        logit_softcap: None,
        layers,
        final_norm: norm,
    };
    Ok(Resolved {
        spec,
        name,
        stored: Stored {
            query_key_value: QueryKeyValueLayout::Together,
            transposed: true,
            ..decoder::APART
        },
        prefix: "transformer.",
        // Causal masks, which old versions saved as buffers.
        ignored: |tensor| tensor.ends_with(".attn.bias") || tensor.ends_with(".attn.masked_bias"),
    })
}

fn name(role: Role) -> String {
    match role {
        Role::Embedding => "transformer.wte".into(),
        Role::Positions => "transformer.wpe".into(),
        Role::FinalNorm => "transformer.ln_f".into(),
        Role::AttentionNorm(l) => format!("transformer.h.{l}.ln_1"),
        Role::QueryKeyValue(l) => format!("transformer.h.{l}.attn.c_attn"),
        Role::AttentionOutput(l) => format!("transformer.h.{l}.attn.c_proj"),
        Role::MlpNorm(l) => format!("transformer.h.{l}.ln_2"),
        Role::Up(l) => format!("transformer.h.{l}.mlp.c_fc"),
        Role::Down(l) => format!("transformer.h.{l}.mlp.c_proj"),
        other => decoder::name(other),
    }
}
