//! Phi-3, Phi-3.5 (text) and Phi-4: Llama with fused projections, LongRoPE and, in some models,
//! heads that are rotated in part.

use serde_json::Value;

use super::{
    super::{Activation, Config, MlpSpec, ModelError, NormKind, RopeScaling, RopeSpec},
    QueryKeyValueLayout, Resolved, Stored,
    decoder::{self, HeadDefaults, Heads},
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-5)?;
    let heads = decoder::heads(config, HeadDefaults::default())?;
    let mut attention = decoder::attention(heads, Some(rope(config, heads)?));
    attention.window = decoder::window(config, None)?;
    let activation = decoder::activation(config, "hidden_act", Activation::Silu)?;
    let mlp = MlpSpec::Dense(decoder::gated_mlp(config, activation)?);
    let layer = decoder::pre_norm(norm, attention, mlp);
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let spec = decoder::model(config, "Phi3ForCausalLM", layers, norm, (4096, false))?;
    Ok(Resolved {
        stored: Stored {
            query_key_value: QueryKeyValueLayout::Together,
            gate_up_together: true,
            ..decoder::APART
        },
        ..decoder::resolved(spec, decoder::name)
    })
}

fn rope(config: &Config, heads: Heads) -> Result<RopeSpec, ModelError> {
    let rope = Rope {
        partial: Some(("partial_rotary_factor", 1.0)),
        original_max_positions: Some(4096),
        ..Rope::whole(
            config,
            heads.dim,
            10_000.0,
            config.size_opt("max_position_embeddings")?.unwrap_or(4096),
        )
    };
    // Early files call LongRoPE "su" or "yarn".
    for field in ["rope_parameters", "rope_scaling"] {
        let Some(parameters) = config.object(field)? else {
            continue;
        };
        for name in ["rope_type", "type"] {
            if matches!(parameters.text_opt(name)?.as_deref(), Some("su" | "yarn")) {
                let plain = Rope { config, ..rope };
                let mut spec = plain.read_from(Some(&parameters.without(name)))?;
                spec.scaling = rope.longrope(&parameters, spec.rotary_dim)?;
                return Ok(spec);
            }
        }
    }
    let spec = rope.read()?;
    match spec.scaling {
        RopeScaling::Default | RopeScaling::LongRope { .. } => Ok(spec),
        other => Err(config.refuse(
            "rope_scaling",
            format!("{other:?} is not supported for Phi-3; supported: default, longrope"),
        )),
    }
}

/// Whether `auto_map` names the code that came with Phi-3 before transformers knew the family.
/// transformers runs its own instead, as this engine does, so that these directories load as they
/// are; any other code may compute something else.
pub fn is_published_code(auto_map: &Value) -> bool {
    let published = [
        ("AutoConfig", "configuration_phi3.Phi3Config"),
        ("AutoModelForCausalLM", "modeling_phi3.Phi3ForCausalLM"),
        ("AutoTokenizer", "Xenova/gpt-4o"),
    ];
    auto_map.as_object().is_some_and(|classes| {
        !classes.is_empty()
            && classes
                .iter()
                .all(|(class, code)| published.iter().any(|&(c, p)| c == class && code == p))
    })
}
