//! Qwen1.5, Qwen2 and Qwen2.5: Llama with biases on queries, keys and values, and a sliding window
//! from some layer on.

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
    let heads = decoder::heads(config, HeadDefaults::default())?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.input_bias = true;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let mlp = MlpSpec::Dense(decoder::gated_mlp(config, activation)?);
    let depth = decoder::depth(config, "num_hidden_layers")?;
    let layer = decoder::pre_norm(norm, attention, mlp);
    let mut layers = vec![layer; depth];
    for (layer, window) in layers.iter_mut().zip(windows(config, depth)?) {
        layer.attention.window = window;
    }
    let spec = decoder::model(config, "Qwen2ForCausalLM", layers, norm, (POSITIONS, false))?;
    Ok(decoder::resolved(spec, decoder::name))
}

/// The window of each layer. By default the layers from `max_window_layers` on have one.
pub fn windows(config: &Config, depth: usize) -> Result<Vec<Option<i64>>, ModelError> {
    let first = config.count_opt("max_window_layers")?.unwrap_or(28);
    decoder::switched_windows(config, depth, Some(4096), |layer| layer as i64 >= first)
}
