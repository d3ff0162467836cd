//! Mixtral: Mistral with a mixture of experts, of which each token uses two.

use super::{
    super::{Config, MlpSpec, ModelError, NormKind},
    Resolved, Role,
    decoder::{self, HeadDefaults},
    rope::Rope,
};

/// Reads the configuration, with the defaults transformers gives absent fields.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    const POSITIONS: i64 = 4096 * 32;
    let norm = decoder::rms_norm(config, NormKind::Rms, 1e-5)?;
    let defaults = HeadDefaults {
        key_value: Some(8),
        dim: None,
    };
    let heads = decoder::heads(config, defaults)?;
    let positions = config
        .size_opt("max_position_embeddings")?
        .unwrap_or(POSITIONS);
    let rope = Rope::whole(config, heads.dim, 1e6, positions).read()?;
    let mut attention = decoder::attention(heads, Some(rope));
    attention.window = decoder::window(config, None)?;
    let mixture = decoder::mixture(config, (8, 2), "intermediate_size", true)?;
    let layer = decoder::pre_norm(norm, attention, MlpSpec::Mixture(mixture));
    let layers = vec![layer; decoder::depth(config, "num_hidden_layers")?];
    let spec = decoder::model(
        config,
        "MixtralForCausalLM",
        layers,
        norm,
        (POSITIONS, false),
    )?;
    Ok(decoder::resolved(spec, name))
}

fn name(role: Role) -> String {
    match role {
        Role::Router(l) => format!("model.layers.{l}.block_sparse_moe.gate"),
        Role::ExpertGate(l, e) => format!("model.layers.{l}.block_sparse_moe.experts.{e}.w1"),
        Role::ExpertUp(l, e) => format!("model.layers.{l}.block_sparse_moe.experts.{e}.w3"),
        Role::ExpertDown(l, e) => format!("model.layers.{l}.block_sparse_moe.experts.{e}.w2"),
        other => decoder::name(other),
    }
}
