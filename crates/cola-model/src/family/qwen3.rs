//! Qwen3: Llama with a norm of every query and key head.

use super::{
    super::{Activation, Config, MlpSpec, ModelError, NormKind, QueryKeyNorm},
    Resolved,
    decoder::{self, HeadDefaults},
    qwen2,
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 32_768;
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-6)?;
    let defaults = HeadDefaults {
        key_value: None,
        dim: Some(128),
    };
    let heads = decoder::heads(config, defaults)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.query_key_norm = Some(QueryKeyNorm::PerHead(norm));
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let mlp = MlpSpec::Dense(decoder::gated_mlp(config, activation)?);
    let depth = decoder::depth(config, "num_hidden_layers")?;
    let layer = decoder::pre_norm(norm, attention, mlp);
    let mut layers = vec![layer; depth];
    for (layer, window) in layers.iter_mut().zip(qwen2::windows(config, depth)?) {
        layer.attention.window = window;
    }
    let spec = decoder::model(config, "Qwen3ForCausalLM", layers, norm, (POSITIONS, false))?;
    Ok(decoder::resolved(spec, decoder::name))
}
