//! OLMo 2 (norms after attention and MLP instead of before) and OLMoE (a mixture of experts). Both
//! have one norm over all query heads together, and one over all key heads.

use super::{
    super::{
        Activation, AttentionSpec, Config, LayerSpec, MlpSpec, ModelError, NormKind, NormSpec,
        QueryKeyNorm,
    },
    Resolved, Role,
    decoder::{self, HeadDefaults},
    rope::Rope,
};

/// Reads an OLMo 2, with the defaults transformers gives absent fields.
pub fn resolve_2(config: &Config) -> Result<Resolved, ModelError> {
    let norm = decoder::rms_norm(config, NormKind::RmsWide, 1e-5)?;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let layer = LayerSpec {
        parallel: false,
        attention_norm: None,
        attention: attention(config, norm, 2048)?,
        attention_output_norm: Some(norm),
        mlp_norm: None,
        mlp: MlpSpec::Dense(decoder::gated_mlp(config, activation)?),
        mlp_output_norm: Some(norm),
    };
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let spec = decoder::model(config, "Olmo2ForCausalLM", layers, norm, (2048, false))?;
    Ok(decoder::resolved(spec, |role| match role {
        Role::AttentionOutputNorm(l) => format!("model.layers.{l}.post_attention_layernorm"),
        other => decoder::name(other),
    }))
}

/// Reads an OLMoE, with the defaults transformers gives absent fields.
pub fn resolve_moe(config: &Config) -> Result<Resolved, ModelError> {
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-5)?;
    let mut attention = attention(config, norm, 4096)?;
    attention.clip = match config.number_opt("clip_qkv")? {
        Some(clip) if clip <= 0.0 => return Err(config.refuse("clip_qkv", "must be above 0")),
        clip => clip,
    };
    let normalize = config.flag("norm_topk_prob", false)?;
    let mixture = decoder::mixture(config, (64, 8), "intermediate_size", normalize)?;
    let layer = decoder::pre_norm(norm, attention, MlpSpec::Mixture(mixture));
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let spec = decoder::model(config, "OlmoeForCausalLM", layers, norm, (4096, false))?;
    Ok(decoder::resolved(spec, decoder::name))
}

fn attention(config: &Config, norm: NormSpec, context: i64) -> Result<AttentionSpec, ModelError> {
    let heads = decoder::heads(config, HeadDefaults::default())?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(context);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.query_key_norm = Some(QueryKeyNorm::AllHeads(norm));
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    Ok(attention)
}
