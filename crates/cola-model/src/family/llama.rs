//! Llama 2, 3, 3.1, 3.2, SmolLM2 and every other model whose `config.json` names
//! `LlamaForCausalLM`.

use super::{
    super::{Activation, Config, MlpSpec, ModelError, NormKind},
    Resolved,
    decoder::{self, HeadDefaults},
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-6)?;
    let heads = decoder::heads(config, HeadDefaults::default())?;
    let positions = config.size_opt("max_position_embeddings")?.unwrap_or(2048);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let mut mlp = decoder::gated_mlp(config, activation)?;
    mlp.bias = config.flag("mlp_bias", false)?;
    let layer = decoder::pre_norm(norm, attention, MlpSpec::Dense(mlp));
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let spec = decoder::model(config, "LlamaForCausalLM", layers, norm, (2048, false))?;
    Ok(decoder::resolved(spec, decoder::name))
}
