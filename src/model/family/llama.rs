//! Llama 2, 3, 3.1, 3.2 and everything else that says `LlamaForCausalLM`.

use super::{
    super::{
        Activation, AttentionSpec, Config, LayerSpec, MlpSpec, ModelError, ModelSpec, NormSpec,
        RopeScaling, RopeSpec,
    },
    Resolved, Role,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    let hidden = config.size("hidden_size")?;
    let norm = NormSpec {
        epsilon: config.number_opt("rms_norm_eps")?.unwrap_or(1e-6),
    };
    let layer = LayerSpec {
        attention_norm: norm,
        attention: attention(config, hidden)?,
        mlp_norm: norm,
        mlp: mlp(config)?,
    };
    let depth = config.size("num_hidden_layers")?;
    if depth > 4096 {
        return Err(config.refuse(
            "num_hidden_layers",
            format!("{depth} layers is more than 4096"),
        ));
    }
    let spec = ModelSpec {
        architecture: "LlamaForCausalLM".into(),
        hidden,
        vocabulary: config.size("vocab_size")?,
        max_positions: config.size_opt("max_position_embeddings")?.unwrap_or(2048),
        tied_head: config.flag("tie_word_embeddings", false)?,
        layers: vec![layer; depth as usize],
        final_norm: norm,
    };
    Ok(Resolved {
        spec,
        name,
        ignored: |tensor| tensor.ends_with(".rotary_emb.inv_freq"),
    })
}

fn attention(config: &Config, hidden: i64) -> Result<AttentionSpec, ModelError> {
    let heads = config.size("num_attention_heads")?;
    let key_value_heads = config.size_opt("num_key_value_heads")?.unwrap_or(heads);
    if heads % key_value_heads != 0 {
        return Err(config.refuse(
            "num_key_value_heads",
            format!("{key_value_heads} does not divide num_attention_heads = {heads}"),
        ));
    }
    let head_dim = match config.size_opt("head_dim")? {
        Some(head_dim) => head_dim,
        None if hidden % heads == 0 => hidden / heads,
        None => {
            return Err(config.refuse(
                "num_attention_heads",
                format!("{heads} does not divide hidden_size = {hidden}, and there is no head_dim"),
            ));
        }
    };
    if head_dim % 2 != 0 {
        return Err(config.refuse(
            "head_dim",
            format!("{head_dim} is odd; rotary embedding needs pairs"),
        ));
    }
    let bias = config.flag("attention_bias", false)?;
    Ok(AttentionSpec {
        heads,
        key_value_heads,
        head_dim,
        scale: (head_dim as f64).powf(-0.5),
        input_bias: bias,
        output_bias: bias,
        rope: rope(config)?,
    })
}

fn mlp(config: &Config) -> Result<MlpSpec, ModelError> {
    let activation = match config.text_opt("hidden_act")?.as_deref() {
        None | Some("silu" | "swish") => Activation::Silu,
        Some("gelu") => Activation::Gelu,
        Some("gelu_pytorch_tanh") => Activation::GeluTanh,
        Some("relu") => Activation::Relu,
        Some(other) => {
            return Err(config.refuse(
                "hidden_act",
                format!(
                    "{other:?} is not supported; supported: silu, gelu, gelu_pytorch_tanh, relu"
                ),
            ));
        }
    };
    Ok(MlpSpec {
        intermediate: config.size("intermediate_size")?,
        activation,
        bias: config.flag("mlp_bias", false)?,
    })
}

/// `rope_parameters` (newer) or `rope_theta` with `rope_scaling`; both only where they agree.
fn rope(config: &Config) -> Result<RopeSpec, ModelError> {
    if let (Some(new), Some(old)) = (config.get("rope_parameters"), config.get("rope_scaling"))
        && new != old
    {
        return Err(config.refuse(
            "rope_scaling",
            "differs from `rope_parameters`; keep one of them",
        ));
    }
    let parameters = match config.object("rope_parameters")? {
        Some(parameters) => Some(parameters),
        None => config.object("rope_scaling")?,
    };
    let Some(parameters) = parameters else {
        return Ok(RopeSpec {
            theta: theta(config)?.unwrap_or(10_000.0),
            scaling: RopeScaling::Default,
        });
    };
    let theta = match theta(&parameters)? {
        Some(theta) => theta,
        None => theta(config)?.unwrap_or(10_000.0),
    };
    if let Some(factor) = parameters.number_opt("partial_rotary_factor")?
        && factor != 1.0
    {
        return Err(parameters.refuse("partial_rotary_factor", "only 1 is supported for Llama"));
    }
    Ok(RopeSpec {
        theta,
        scaling: scaling(config, &parameters)?,
    })
}

fn theta(config: &Config) -> Result<Option<f64>, ModelError> {
    match config.number_opt("rope_theta")? {
        Some(theta) if theta <= 0.0 => Err(config.refuse("rope_theta", "must be above 0")),
        other => Ok(other),
    }
}

fn scaling(config: &Config, parameters: &Config) -> Result<RopeScaling, ModelError> {
    // Old files say `type`, newer ones `rope_type`.
    let field = if parameters.get("rope_type").is_some() {
        "rope_type"
    } else {
        "type"
    };
    let kind = parameters
        .text_opt(field)?
        .unwrap_or_else(|| "default".into());
    Ok(match kind.as_str() {
        "default" => RopeScaling::Default,
        "linear" => RopeScaling::Linear {
            factor: positive(parameters, "factor")?,
        },
        "llama3" => {
            let low_freq_factor = positive(parameters, "low_freq_factor")?;
            let high_freq_factor = positive(parameters, "high_freq_factor")?;
            if high_freq_factor <= low_freq_factor {
                return Err(parameters.refuse("high_freq_factor", "must be above low_freq_factor"));
            }
            RopeScaling::Llama3 {
                factor: positive(parameters, "factor")?,
                low_freq_factor,
                high_freq_factor,
                original_max_positions: original_max_positions(config, parameters)?,
            }
        }
        other => {
            return Err(parameters.refuse(
                field,
                format!("{other:?} is not supported; supported: default, linear, llama3"),
            ));
        }
    })
}

fn original_max_positions(config: &Config, parameters: &Config) -> Result<f64, ModelError> {
    let field = "original_max_position_embeddings";
    for source in [parameters, config] {
        if let Some(positions) = source.size_opt(field)? {
            return Ok(positions as f64);
        }
    }
    Err(parameters.refuse(field, "is missing"))
}

fn positive(config: &Config, field: &str) -> Result<f64, ModelError> {
    match config.number(field)? {
        value if value > 0.0 => Ok(value),
        value => Err(config.refuse(field, format!("{value} must be above 0"))),
    }
}

fn name(role: Role) -> String {
    match role {
        Role::Embedding => "model.embed_tokens".into(),
        Role::Head => "lm_head".into(),
        Role::FinalNorm => "model.norm".into(),
        Role::AttentionNorm(l) => format!("model.layers.{l}.input_layernorm"),
        Role::Query(l) => format!("model.layers.{l}.self_attn.q_proj"),
        Role::Key(l) => format!("model.layers.{l}.self_attn.k_proj"),
        Role::Value(l) => format!("model.layers.{l}.self_attn.v_proj"),
        Role::AttentionOutput(l) => format!("model.layers.{l}.self_attn.o_proj"),
        Role::MlpNorm(l) => format!("model.layers.{l}.post_attention_layernorm"),
        Role::Gate(l) => format!("model.layers.{l}.mlp.gate_proj"),
        Role::Up(l) => format!("model.layers.{l}.mlp.up_proj"),
        Role::Down(l) => format!("model.layers.{l}.mlp.down_proj"),
    }
}
