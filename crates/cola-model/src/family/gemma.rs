//! Gemma, Gemma 2 and the text models of Gemma 3: norms with `1 + w` and a scaled embedding. Gemma
//! 2 and 3 also have norms after attention and MLP, and a sliding window in some layers. Gemma 2
//! caps scores; Gemma 3 norms the heads of queries and keys.

use super::{
    super::{
        Activation, AttentionSpec, Config, LayerSpec, MlpSpec, ModelError, ModelSpec, NormKind,
        NormSpec, QueryKeyNorm, RopeSpec,
    },
    Resolved, Role,
    decoder::{self, HeadDefaults, Heads},
    rope::Rope,
};

/// Reads a Gemma, with the defaults transformers gives absent fields.
pub fn resolve_1(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 8192;
    let norm = decoder::rms_norm(config, NormKind::RmsPlusOne, 1e-6)?;
    let defaults = HeadDefaults {
        key_value: Some(16),
        dim: Some(256),
    };
    let heads = decoder::heads(config, defaults)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    if config.flag("use_bidirectional_attention", false)? {
        return Err(config.refuse(
            "use_bidirectional_attention",
            "only causal models are supported",
        ));
    }
    let activation = decoder::activation(config, "hidden_act", Activation::GeluTanh)?;
    let mlp = MlpSpec::Dense(decoder::gated_mlp(config, activation)?);
    let layer = decoder::pre_norm(norm, attention, mlp);
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let mut spec = decoder::model(config, "GemmaForCausalLM", layers, norm, (POSITIONS, true))?;
    spec.embedding_scale = Some((spec.hidden as f64).sqrt());
    Ok(decoder::resolved(spec, decoder::name))
}

/// Reads a Gemma 2, with the defaults transformers gives absent fields.
pub fn resolve_2(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 8192;
    let norm = decoder::rms_norm(config, NormKind::RmsPlusOne, 1e-6)?;
    let heads = heads(config)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 10_000.0, positions).read()?;
    let softcap = cap(config, "attn_logit_softcapping", Some(50.0))?;
    let layers = layers(config, norm, 2, |sliding| {
        let mut attention = attention(config, heads, rope.clone(), sliding)?;
        attention.softcap = softcap;
        Ok(attention)
    })?;
    let mut spec = decoder::model(config, "Gemma2ForCausalLM", layers, norm, (POSITIONS, true))?;
    finish(config, &mut spec, Some(30.0))?;
    Ok(decoder::resolved(spec, name))
}

/// Reads the text model of a Gemma 3, with the defaults transformers gives absent fields.
pub fn resolve_3(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 131_072;
    let norm = decoder::rms_norm(config, NormKind::RmsPlusOne, 1e-6)?;
    let heads = heads(config)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let global = Rope {
        by_kind: true,
        ..Rope::whole(config, heads.dim, 1e6, positions)
    };
    let local = Rope {
        theta_field: "rope_local_base_freq",
        theta: 10_000.0,
        ..global
    };
    if cap(config, "attn_logit_softcapping", None)?.is_some() {
        return Err(config.refuse(
            "attn_logit_softcapping",
            "transformers ignores it for Gemma 3; set it to null",
        ));
    }
    let period = config.size_opt("sliding_window_pattern")?.unwrap_or(6);
    let ropes = [
        read_rope(global, "full_attention")?,
        read_rope(local, "sliding_attention")?,
    ];
    let layers = layers(config, norm, period, |sliding| {
        let rope = ropes[usize::from(sliding)].clone();
        let mut attention = attention(config, heads, rope, sliding)?;
        attention.query_key_norm = Some(QueryKeyNorm::PerHead(norm));
        Ok(attention)
    })?;
    let mut spec = decoder::model(config, "Gemma3ForCausalLM", layers, norm, (POSITIONS, true))?;
    finish(config, &mut spec, None)?;
    Ok(decoder::resolved(spec, name))
}

/// The rope of one kind of layer. `rope_parameters` has an entry for each kind; in older files,
/// `rope_scaling` is for the layers without a sliding window.
fn read_rope(rope: Rope<'_>, kind: &str) -> Result<RopeSpec, ModelError> {
    let config = rope.config;
    let old = match kind {
        "full_attention" => config.object("rope_scaling")?,
        _ => None,
    };
    let Some(kinds) = config.object("rope_parameters")? else {
        return rope.read_from(old.as_ref());
    };
    if config.get("rope_scaling").is_some() {
        return Err(config.refuse("rope_scaling", "beside `rope_parameters`; keep one of them"));
    }
    let Some(parameters) = kinds.object(kind)? else {
        return Err(kinds.refuse(kind, "is missing"));
    };
    rope.read_from(Some(&parameters))
}

fn heads(config: &Config) -> Result<Heads, ModelError> {
    let defaults = HeadDefaults {
        key_value: Some(4),
        dim: Some(256),
    };
    decoder::heads(config, defaults)
}

fn attention(
    config: &Config,
    heads: Heads,
    rope: RopeSpec,
    sliding: bool,
) -> Result<AttentionSpec, ModelError> {
    let mut attention = decoder::attention(heads, Some(rope));
    attention.input_bias = config.flag("attention_bias", false)?;
    attention.output_bias = attention.input_bias;
    let scalar = config.number_opt("query_pre_attn_scalar")?.unwrap_or(256.0);
    if scalar <= 0.0 {
        return Err(config.refuse("query_pre_attn_scalar", "must be above 0"));
    }
    attention.scale = scalar.powf(-0.5);
    if sliding {
        attention.window = decoder::window(config, Some(4096))?;
    }
    Ok(attention)
}

/// The layers. Every `period`-th has no sliding window, unless `layer_types` says otherwise.
fn layers(
    config: &Config,
    norm: NormSpec,
    period: i64,
    attention: impl Fn(bool) -> Result<AttentionSpec, ModelError>,
) -> Result<Vec<LayerSpec>, ModelError> {
    if config.flag("use_bidirectional_attention", false)? {
        return Err(config.refuse(
            "use_bidirectional_attention",
            "only causal models are supported",
        ));
    }
    let activation = decoder::activation(config, "hidden_activation", Activation::GeluTanh)?;
    let mlp = decoder::gated_mlp(config, activation)?;
    let depth = decoder::depth(config, "num_hidden_layers")?;
    let sliding = decoder::sliding_layers(config, depth, |layer| (layer as i64 + 1) % period != 0)?;
    let layer = |sliding| {
        Ok(LayerSpec {
            parallel: false,
            attention_norm: Some(norm),
            attention: attention(sliding)?,
            attention_output_norm: Some(norm),
            mlp_norm: Some(norm),
            mlp: MlpSpec::Dense(mlp),
            mlp_output_norm: Some(norm),
        })
    };
    sliding.into_iter().map(layer).collect()
}

fn finish(config: &Config, spec: &mut ModelSpec, softcap: Option<f64>) -> Result<(), ModelError> {
    spec.embedding_scale = Some((spec.hidden as f64).sqrt());
    spec.logit_softcap = cap(config, "final_logit_softcapping", softcap)?;
    Ok(())
}

/// A cap on scores or logits: absent means `default`, null means none.
fn cap(config: &Config, field: &str, default: Option<f64>) -> Result<Option<f64>, ModelError> {
    match config.number_opt(field)? {
        Some(cap) if cap <= 0.0 => Err(config.refuse(field, "must be above 0")),
        Some(cap) => Ok(Some(cap)),
        None if config.says_null(field) => Ok(None),
        None => Ok(default),
    }
}

fn name(role: Role) -> String {
    match role {
        Role::AttentionOutputNorm(l) => format!("model.layers.{l}.post_attention_layernorm"),
        Role::MlpNorm(l) => format!("model.layers.{l}.pre_feedforward_layernorm"),
        other => decoder::name(other),
    }
}
