//! Families: one file each, from `config.json` to a [`ModelSpec`] and from a weight's role to its
//! name in the file.

mod llama;

use serde_json::Value;

use super::{Config, ModelError, ModelSpec};

/// A weight by what it does. `Input` weights read the residual stream; a gate and its up
/// projection, or query, key and value, may be stored apart and are fused at load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Embedding,
    Head,
    FinalNorm,
    AttentionNorm(usize),
    Query(usize),
    Key(usize),
    Value(usize),
    AttentionOutput(usize),
    MlpNorm(usize),
    Gate(usize),
    Up(usize),
    Down(usize),
}

/// A resolved model and the names of its tensors, without `.weight` or `.bias`.
pub struct Resolved {
    pub spec: ModelSpec,
    pub name: fn(Role) -> String,
    /// Tensors that may be in the file and mean nothing (buffers old versions saved).
    pub ignored: fn(&str) -> bool,
}

/// Finds the family of `config.json` and resolves it.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    refuse_what_changes_weights(config)?;
    match architecture(config)?.as_str() {
        "LlamaForCausalLM" => llama::resolve(config),
        other => Err(config.refuse(
            "architectures",
            format!("{other} is not supported; supported: LlamaForCausalLM"),
        )),
    }
}

fn architecture(config: &Config) -> Result<String, ModelError> {
    match config.get("architectures") {
        Some(Value::Array(names)) => match names.as_slice() {
            [Value::String(name)] => Ok(name.clone()),
            _ => Err(config.refuse("architectures", "expected a list of one name")),
        },
        Some(other) => {
            Err(config.refuse("architectures", format!("expected a list, found {other}")))
        }
        None => Err(config.refuse("architectures", "is missing")),
    }
}

/// Fields that mean the weights on disk are not the weights to run, whatever the family.
fn refuse_what_changes_weights(config: &Config) -> Result<(), ModelError> {
    for (field, reason) in [
        ("quantization_config", "quantised weights are not supported"),
        (
            "auto_map",
            "models with their own Python code are not supported",
        ),
        (
            "vision_config",
            "models with a vision tower are not supported",
        ),
    ] {
        if config.get(field).is_some() {
            return Err(config.refuse(field, reason));
        }
    }
    Ok(())
}
