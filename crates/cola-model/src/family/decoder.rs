//! Parts of configurations and files that most families have in common.

use serde_json::Value;

use super::{
    super::{
        Activation, AttentionSpec, Config, DenseSpec, LayerSpec, MixtureSpec, MlpSpec, ModelError,
        ModelSpec, NormKind, NormSpec, RopeSpec,
    },
    QueryKeyValueLayout, Resolved, Role, Stored,
};

/// Each projection is a tensor of its own, `[out, in]`.
pub const APART: Stored = Stored {
    query_key_value: QueryKeyValueLayout::Apart,
    gate_up_together: false,
    transposed: false,
    interleaved: false,
    norms_hold_one: false,
    experts_together: false,
};

/// Query, key and value heads.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    pub query: i64,
    pub key_value: i64,
    pub dim: i64,
}

/// A family's defaults for absent fields of attention.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeadDefaults {
    /// Number of key and value heads; `None` for as many as there are query heads.
    pub key_value: Option<i64>,
    /// Width of a head; `None` for `hidden / heads`.
    pub dim: Option<i64>,
}

/// `num_attention_heads`, `num_key_value_heads` and `head_dim`.
pub fn heads(config: &Config, defaults: HeadDefaults) -> Result<Heads, ModelError> {
    let hidden = config.size("hidden_size")?;
    let query = config.size("num_attention_heads")?;
    let key_value = match config.size_opt("num_key_value_heads")? {
        Some(heads) => heads,
        None if config.says_null("num_key_value_heads") => query,
        None => defaults.key_value.unwrap_or(query),
    };
    if query % key_value != 0 {
        return Err(config.refuse(
            "num_key_value_heads",
            format!("{key_value} does not divide num_attention_heads = {query}"),
        ));
    }
    let dim = match config.size_opt("head_dim")?.or(defaults.dim) {
        Some(dim) => dim,
        None if hidden % query == 0 => hidden / query,
        None => {
            return Err(config.refuse(
                "num_attention_heads",
                format!("{query} does not divide hidden_size = {hidden}, and there is no head_dim"),
            ));
        }
    };
    Ok(Heads {
        query,
        key_value,
        dim,
    })
}

/// Attention with the settings of most families: no biases, no norm of queries and keys, no window.
pub fn attention(heads: Heads, rope: Option<RopeSpec>) -> AttentionSpec {
    AttentionSpec {
        heads: heads.query,
        key_value_heads: heads.key_value,
        head_dim: heads.dim,
        scale: (heads.dim as f64).powf(-0.5),
        input_bias: false,
        output_bias: false,
        query_key_norm: None,
        clip: None,
        rope,
        window: None,
        softcap: None,
    }
}

/// A layer with a norm before attention and one before the MLP, as in most families.
pub fn pre_norm(norm: NormSpec, attention: AttentionSpec, mlp: MlpSpec) -> LayerSpec {
    LayerSpec {
        parallel: false,
        attention_norm: Some(norm),
        attention,
        attention_output_norm: None,
        mlp_norm: Some(norm),
        mlp,
        mlp_output_norm: None,
    }
}

/// `rms_norm_eps`, for a norm of this kind.
pub fn rms_norm(config: &Config, kind: NormKind, default: f64) -> Result<NormSpec, ModelError> {
    let epsilon = config.positive_opt("rms_norm_eps")?.unwrap_or(default);
    Ok(NormSpec { kind, epsilon })
}

/// The number of layers, in `field`.
pub fn depth(config: &Config, field: &str) -> Result<usize, ModelError> {
    const MOST: i64 = 4096;
    match config.size(field)? {
        depth if depth > MOST => Err(config.refuse(
            field,
            format!("{depth} layers are more than the {MOST} that are supported"),
        )),
        depth => Ok(depth as usize),
    }
}

/// A gated MLP of `intermediate_size`.
pub fn gated_mlp(config: &Config, activation: Activation) -> Result<DenseSpec, ModelError> {
    Ok(DenseSpec {
        intermediate: config.size("intermediate_size")?,
        activation,
        gated: true,
        bias: false,
    })
}

/// A mixture of experts. `intermediate` names the field of an expert's width.
pub fn mixture(
    config: &Config,
    (default_experts, default_active): (i64, i64),
    intermediate: &str,
    normalize: bool,
) -> Result<MixtureSpec, ModelError> {
    // Families, and versions of transformers, use one name or the other.
    let (experts, count) = match config.size_opt("num_experts")? {
        Some(count) => ("num_experts", count),
        None => {
            let local = "num_local_experts";
            (local, config.size_opt(local)?.unwrap_or(default_experts))
        }
    };
    let active = config
        .size_opt("num_experts_per_tok")?
        .unwrap_or(default_active);
    if active > count {
        return Err(config.refuse(
            "num_experts_per_tok",
            format!("{active} is more than {experts} = {count}"),
        ));
    }
    Ok(MixtureSpec {
        experts: count,
        active,
        intermediate: config.size(intermediate)?,
        activation: activation(config, "hidden_act", Activation::Silu)?,
        normalize,
        shared: None,
    })
}

/// The nonlinearity in `field`, by transformers' names.
pub fn activation(
    config: &Config,
    field: &str,
    default: Activation,
) -> Result<Activation, ModelError> {
    Ok(match config.text_opt(field)?.as_deref() {
        None => default,
        Some("silu" | "swish") => Activation::Silu,
        Some("gelu") => Activation::Gelu,
        Some("gelu_pytorch_tanh" | "gelu_new" | "gelu_fast") => Activation::GeluTanh,
        Some("relu") => Activation::Relu,
        Some(other) => {
            return Err(config.refuse(
                field,
                format!(
                    "{other:?} is not supported; supported: silu, gelu, gelu_pytorch_tanh, gelu_new, relu"
                ),
            ));
        }
    })
}

/// The value of `sliding_window`: absent means `default`, null means no window.
pub fn window(config: &Config, default: Option<i64>) -> Result<Option<i64>, ModelError> {
    Ok(match config.size_opt("sliding_window")? {
        Some(window) => Some(window),
        None if config.says_null("sliding_window") => None,
        None => default,
    })
}

/// For each layer, whether it has a sliding window: by `layer_types`, or by `default` if that field
/// is absent.
pub fn sliding_layers(
    config: &Config,
    depth: usize,
    default: impl Fn(usize) -> bool,
) -> Result<Vec<bool>, ModelError> {
    let field = "layer_types";
    let Some(types) =
        config.list::<String>(field, "a list of names", |v| v.as_str().map(str::to_owned))?
    else {
        return Ok((0..depth).map(default).collect());
    };
    if types.len() != depth {
        let listed = types.len();
        return Err(config.refuse(field, format!("{listed} entries for {depth} layers")));
    }
    let sliding = types.iter().map(|kind| match kind.as_str() {
        "full_attention" => Ok(false),
        "sliding_attention" => Ok(true),
        other => Err(config.refuse(
            field,
            format!("{other:?} is not supported; supported: full_attention, sliding_attention"),
        )),
    });
    sliding.collect()
}

/// The window of each layer for families with `use_sliding_window`.
pub fn switched_windows(
    config: &Config,
    depth: usize,
    default_window: Option<i64>,
    default: impl Fn(usize) -> bool,
) -> Result<Vec<Option<i64>>, ModelError> {
    let window = match config.flag("use_sliding_window", false)? {
        true => window(config, default_window)?,
        false => None,
    };
    let sliding = sliding_layers(config, depth, |layer| window.is_some() && default(layer))?;
    if window.is_none() && sliding.contains(&true) {
        return Err(config.refuse(
            "layer_types",
            "has sliding_attention, but use_sliding_window and sliding_window give no window",
        ));
    }
    Ok(sliding
        .into_iter()
        .map(|slides| window.filter(|_| slides))
        .collect())
}

/// A model with these layers, whose other fields are those of most families.
pub fn model(
    config: &Config,
    architecture: &str,
    layers: Vec<LayerSpec>,
    final_norm: NormSpec,
    (default_positions, default_tied): (i64, bool),
) -> Result<ModelSpec, ModelError> {
    Ok(ModelSpec {
        architecture: architecture.to_owned(),
        hidden: config.size("hidden_size")?,
        vocabulary: config.size("vocab_size")?,
        max_positions: config
            .size_opt("max_position_embeddings")?
            .unwrap_or(default_positions),
        learned_positions: false,
        embedding_scale: None,
        tied_head: config.flag("tie_word_embeddings", default_tied)?,
        logit_softcap: None,
        layers,
        final_norm,
    })
}

/// A model whose tensors have the names that `name` gives, and are otherwise stored as in most
/// families.
pub fn resolved(spec: ModelSpec, name: fn(Role) -> String) -> Resolved {
    Resolved {
        spec,
        name,
        stored: APART,
        prefix: "model.",
        ignored: |tensor| tensor.ends_with(".rotary_emb.inv_freq"),
    }
}

/// A list of whole numbers such as `mlp_only_layers`.
pub fn layer_list(config: &Config, field: &str) -> Result<Option<Vec<i64>>, ModelError> {
    config.list(field, "a list of whole numbers", Value::as_i64)
}

/// Llama's names, which most families use.
pub fn name(role: Role) -> String {
    let (layer, part) = match role {
        Role::Embedding => return "model.embed_tokens".into(),
        Role::Positions => return "model.embed_positions".into(),
        Role::Head => return "lm_head".into(),
        Role::FinalNorm => return "model.norm".into(),
        Role::ExpertGate(l, e) => (l, format!("mlp.experts.{e}.gate_proj")),
        Role::ExpertUp(l, e) => (l, format!("mlp.experts.{e}.up_proj")),
        Role::ExpertDown(l, e) => (l, format!("mlp.experts.{e}.down_proj")),
        Role::AttentionNorm(l) => (l, "input_layernorm".into()),
        Role::Query(l) => (l, "self_attn.q_proj".into()),
        Role::Key(l) => (l, "self_attn.k_proj".into()),
        Role::Value(l) => (l, "self_attn.v_proj".into()),
        Role::QueryKeyValue(l) => (l, "self_attn.qkv_proj".into()),
        Role::QueryNorm(l) => (l, "self_attn.q_norm".into()),
        Role::KeyNorm(l) => (l, "self_attn.k_norm".into()),
        Role::AttentionOutput(l) => (l, "self_attn.o_proj".into()),
        Role::AttentionOutputNorm(l) => (l, "post_self_attn_layernorm".into()),
        Role::MlpNorm(l) => (l, "post_attention_layernorm".into()),
        Role::Gate(l) => (l, "mlp.gate_proj".into()),
        Role::Up(l) => (l, "mlp.up_proj".into()),
        Role::GateUp(l) => (l, "mlp.gate_up_proj".into()),
        Role::Down(l) => (l, "mlp.down_proj".into()),
        Role::MlpOutputNorm(l) => (l, "post_feedforward_layernorm".into()),
        Role::Router(l) => (l, "mlp.gate".into()),
        Role::SharedGate(l) => (l, "mlp.shared_expert.gate_proj".into()),
        Role::SharedUp(l) => (l, "mlp.shared_expert.up_proj".into()),
        Role::SharedDown(l) => (l, "mlp.shared_expert.down_proj".into()),
        Role::SharedRouter(l) => (l, "mlp.shared_expert_gate".into()),
    };
    format!("model.layers.{layer}.{part}")
}
