//! Qwen1.5-MoE, Qwen2-MoE and Qwen3-MoE: some layers have a mixture of experts instead of one MLP.

use super::{
    super::{
        Activation, AttentionSpec, Config, LayerSpec, MixtureSpec, MlpSpec, ModelError, NormKind,
        NormSpec, QueryKeyNorm,
    },
    Resolved,
    decoder::{self, HeadDefaults},
    rope::Rope,
};

const POSITIONS: i64 = 32_768;

/// Reads a Qwen2-MoE, with the defaults transformers gives absent fields.
pub fn resolve_2(config: &Config) -> Result<Resolved, ModelError> {
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-6)?;
    let mut attention = attention(config, Some(16))?;
    attention.input_bias = config.flag("qkv_bias", true)?;
    let normalize = config.flag("norm_topk_prob", false)?;
    let mut mixture = decoder::mixture(config, (60, 4), "moe_intermediate_size", normalize)?;
    mixture.shared = Some(config.size("shared_expert_intermediate_size")?);
    let mut layers = layers(config, norm, attention, mixture)?;
    // By default every other layer below `max_window_layers` has a sliding window.
    let last = config.count_opt("max_window_layers")?.unwrap_or(28);
    let slides = |layer: usize| layer.is_multiple_of(2) && (layer as i64) < last;
    let windows = decoder::switched_windows(config, layers.len(), Some(4096), slides)?;
    for (layer, window) in layers.iter_mut().zip(windows) {
        layer.attention.window = window;
    }
    let spec = decoder::model(
        config,
        "Qwen2MoeForCausalLM",
        layers,
        norm,
        (POSITIONS, false),
    )?;
    Ok(decoder::resolved(spec, decoder::name))
}

/// Reads a Qwen3-MoE: no shared expert, a norm of every query and key head.
pub fn resolve_3(config: &Config) -> Result<Resolved, ModelError> {
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-6)?;
    let mut attention = attention(config, Some(4))?;
    attention.query_key_norm = Some(QueryKeyNorm::PerHead(norm));
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    if config.flag("use_sliding_window", false)? {
        attention.window = decoder::window(config, Some(4096))?;
    }
    let normalize = config.flag("norm_topk_prob", false)?;
    let mixture = decoder::mixture(config, (128, 8), "moe_intermediate_size", normalize)?;
    let layers = layers(config, norm, attention, mixture)?;
    let spec = decoder::model(
        config,
        "Qwen3MoeForCausalLM",
        layers,
        norm,
        (POSITIONS, false),
    )?;
    Ok(decoder::resolved(spec, decoder::name))
}

fn attention(config: &Config, key_value: Option<i64>) -> Result<AttentionSpec, ModelError> {
    let defaults = HeadDefaults {
        key_value,
        dim: None,
    };
    let heads = decoder::heads(config, defaults)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    Ok(decoder::attention(heads, Some(rope)))
}

/// The layers. Every `decoder_sparse_step`-th has a mixture, except those in `mlp_only_layers`.
fn layers(
    config: &Config,
    norm: NormSpec,
    attention: AttentionSpec,
    mixture: MixtureSpec,
) -> Result<Vec<LayerSpec>, ModelError> {
    let step = config.size_opt("decoder_sparse_step")?.unwrap_or(1);
    let dense_only = decoder::layer_list(config, "mlp_only_layers")?.unwrap_or_default();
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let depth = decoder::depth(config, "num_hidden_layers")?;
    let layer = |index: i64| {
        let sparse = (index + 1) % step == 0 && !dense_only.contains(&index);
        let mlp = match sparse {
            true => MlpSpec::Mixture(mixture),
            false => MlpSpec::Dense(decoder::gated_mlp(config, activation)?),
        };
        Ok(decoder::pre_norm(norm, attention.clone(), mlp))
    };
    (0..depth as i64).map(layer).collect()
}
