//! GPT-NeoX and Pythia: attention and MLP in parallel, heads rotated in part, LayerNorms.

use super::{
    super::{Activation, Config, DenseSpec, MlpSpec, ModelError, NormKind, NormSpec},
    QueryKeyValueLayout, Resolved, Role, Stored,
    decoder::{self, Heads},
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    let norm = NormSpec {
        kind: NormKind::Layer,
        epsilon: config.positive_opt("layer_norm_eps")?.unwrap_or(1e-5),
    };
    let (hidden, heads) = (
        config.size("hidden_size")?,
        config.size("num_attention_heads")?,
    );
    if hidden % heads != 0 {
        return Err(config.refuse(
            "num_attention_heads",
            format!("{heads} does not divide hidden_size = {hidden}"),
        ));
    }
    let heads = Heads {
        query: heads,
        key_value: heads,
        dim: hidden / heads,
    };
    let rope = Rope {
        theta_field: "rotary_emb_base",
        partial: Some(("rotary_pct", 0.25)),
        ..Rope::whole(
            config,
            heads.dim,
            10_000.0,
            config.size_opt("max_position_embeddings")?.unwrap_or(2048),
        )
    };
    let mut attention = decoder::attention(heads, Some(rope.read()?));
    attention.input_bias = config.flag("attention_bias", true)?;
    attention.output_bias = attention.input_bias;
    let mlp = DenseSpec {
        intermediate: config.size("intermediate_size")?,
        activation: decoder::activation(config, "hidden_act", Activation::Gelu)?,
        gated: false,
        bias: true,
    };
    let mut layer = decoder::pre_norm(norm, attention, MlpSpec::Dense(mlp));
    layer.parallel = config.flag("use_parallel_residual", true)?;
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let spec = decoder::model(config, "GPTNeoXForCausalLM", layers, norm, (2048, false))?;
    Ok(Resolved {
        spec,
        name,
        stored: Stored {
            query_key_value: QueryKeyValueLayout::ByHead,
            ..decoder::APART
        },
        prefix: "gpt_neox.",
        // Buffers that old versions saved.
        ignored: |tensor| {
            let buffers = ["bias", "masked_bias", "rotary_emb.inv_freq"];
            let (_, buffer) = tensor.rsplit_once(".attention.").unwrap_or_default();
            buffers.contains(&buffer)
        },
    })
}

fn name(role: Role) -> String {
    match role {
        Role::Embedding => "gpt_neox.embed_in".into(),
        Role::Head => "embed_out".into(),
        Role::FinalNorm => "gpt_neox.final_layer_norm".into(),
        Role::AttentionNorm(l) => format!("gpt_neox.layers.{l}.input_layernorm"),
        Role::QueryKeyValue(l) => format!("gpt_neox.layers.{l}.attention.query_key_value"),
        Role::AttentionOutput(l) => format!("gpt_neox.layers.{l}.attention.dense"),
        Role::MlpNorm(l) => format!("gpt_neox.layers.{l}.post_attention_layernorm"),
        Role::Up(l) => format!("gpt_neox.layers.{l}.mlp.dense_h_to_4h"),
        Role::Down(l) => format!("gpt_neox.layers.{l}.mlp.dense_4h_to_h"),
        other => decoder::name(other),
    }
}
