//! Mistral and Ministral: Llama with a sliding window in every layer and a head size of its own.

use super::{
    super::{Activation, Config, MlpSpec, ModelError, NormKind},
    Resolved,
    decoder::{self, HeadDefaults},
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 4096 * 32;
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-6)?;
    let defaults = HeadDefaults {
        key_value: Some(8),
        dim: None,
    };
    let heads = decoder::heads(config, defaults)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.window = decoder::window(config, Some(4096))?;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let mlp = MlpSpec::Dense(decoder::gated_mlp(config, activation)?);
    let layer = decoder::pre_norm(norm, attention, mlp);
    let depth = decoder::depth(config, "num_hidden_layers")?;
    if config.get("layer_types").is_some() {
        return Err(config.refuse(
            "layer_types",
            "transformers ignores it for Mistral: every layer has the sliding window",
        ));
    }
    let layers = vec![layer; depth];
    let spec = decoder::model(
        config,
        "MistralForCausalLM",
        layers,
        norm,
        (POSITIONS, false),
    )?;
    Ok(decoder::resolved(spec, decoder::name))
}
