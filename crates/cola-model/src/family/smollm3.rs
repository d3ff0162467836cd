//! SmolLM3: Llama in which some layers have no rotary embedding.

use super::{
    super::{Activation, Config, MlpSpec, ModelError, NormKind},
    Resolved,
    decoder::{self, HeadDefaults},
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 32_768;
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-6)?;
    let defaults = HeadDefaults {
        key_value: Some(4),
        dim: None,
    };
    let heads = decoder::heads(config, defaults)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 2e6, positions).read()?;
    let mut attention = decoder::attention(heads, None);
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let mut mlp = decoder::gated_mlp(config, activation)?;
    mlp.bias = config.flag("mlp_bias", false)?;
    let depth = decoder::depth(config, "num_hidden_layers")?;
    let rotated = rotated(config, depth)?;
    let windows = decoder::switched_windows(config, depth, None, |layer| !rotated[layer])?;
    let layer = decoder::pre_norm(norm, attention, MlpSpec::Dense(mlp));
    let mut layers = vec![layer; depth];
    for (index, layer) in layers.iter_mut().enumerate() {
        layer.attention.rope = rotated[index].then(|| rope.clone());
        layer.attention.window = windows[index];
    }
    let spec = decoder::model(
        config,
        "SmolLM3ForCausalLM",
        layers,
        norm,
        (POSITIONS, true),
    )?;
    Ok(decoder::resolved(spec, decoder::name))
}

/// For each layer, whether it has a rotary embedding: those with 1 in `no_rope_layers`, or without
/// that field all but every `no_rope_layer_interval`-th.
fn rotated(config: &Config, depth: usize) -> Result<Vec<bool>, ModelError> {
    let field = "no_rope_layers";
    let Some(listed) = decoder::layer_list(config, field)? else {
        let interval = config.size_opt("no_rope_layer_interval")?.unwrap_or(4) as usize;
        return Ok((1..=depth).map(|layer| layer % interval != 0).collect());
    };
    match listed.len() == depth && listed.iter().all(|flag| matches!(flag, 0 | 1)) {
        true => Ok(listed.into_iter().map(|flag| flag == 1).collect()),
        false => Err(config.refuse(field, format!("expected {depth} entries of 0 or 1"))),
    }
}
