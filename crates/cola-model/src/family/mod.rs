//! Families of models, one module each. A family's module turns `config.json` into a [`ModelSpec`]
//! and gives each weight's name in the file.

mod decoder;
mod from_gguf;
mod gemma;
mod gpt2;
mod gpt_neox;
mod llama;
mod mistral;
mod mixtral;
mod olmo;
mod phi3;
mod qwen2;
mod qwen2_moe;
mod qwen3;
mod rope;
mod smollm3;

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::{Config, ModelError, ModelSpec};
pub use from_gguf::resolve_gguf;

/// A weight, identified by its function, its layer and its expert. Weights that some family stores
/// as one tensor have a role of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Embedding,
    Positions,
    Head,
    FinalNorm,
    AttentionNorm(usize),
    Query(usize),
    Key(usize),
    Value(usize),
    QueryKeyValue(usize),
    QueryNorm(usize),
    KeyNorm(usize),
    AttentionOutput(usize),
    AttentionOutputNorm(usize),
    MlpNorm(usize),
    Gate(usize),
    Up(usize),
    GateUp(usize),
    Down(usize),
    MlpOutputNorm(usize),
    Router(usize),
    ExpertGate(usize, i64),
    ExpertUp(usize, i64),
    ExpertDown(usize, i64),
    SharedGate(usize),
    SharedUp(usize),
    SharedDown(usize),
    SharedRouter(usize),
}

/// Layout of the query, key and value projections in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKeyValueLayout {
    /// Three tensors.
    Apart,
    /// One: all queries, then all keys, then all values.
    Together,
    /// One: query, key and value of the first head, then of the second, and so on.
    ByHead,
}

/// Layout of a family's weights in its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub query_key_value: QueryKeyValueLayout,
    /// Whether gate and up projection are one tensor, the gate first.
    pub gate_up_together: bool,
    /// Whether matrices of layers are stored as `[in, out]`.
    pub transposed: bool,
    /// Whether the rows of queries and keys are in the order of Meta's Llama: the two numbers of a
    /// rotated pair side by side.
    pub interleaved: bool,
    /// Whether norms are stored as the `1 + w` they multiply by; the family's own files store `w`.
    pub norms_hold_one: bool,
    /// Whether all experts of a layer are one tensor `[experts, rows, width]`, and the gate of the
    /// shared expert is `[D]`.
    pub experts_together: bool,
}

impl Role {
    /// Whether it is the weight or bias of a norm.
    pub fn is_norm(self) -> bool {
        matches!(
            self,
            Self::FinalNorm
                | Self::AttentionNorm(_)
                | Self::QueryNorm(_)
                | Self::KeyNorm(_)
                | Self::AttentionOutputNorm(_)
                | Self::MlpNorm(_)
                | Self::MlpOutputNorm(_)
        )
    }
}

/// A resolved model and how its tensors are stored.
pub struct Resolved {
    pub spec: ModelSpec,
    /// The tensor's name for a role, without `.weight` or `.bias`.
    pub name: fn(Role) -> String,
    pub stored: Stored,
    /// Prefix of the names of all tensors but the head's; checkpoints of the bare model lack it.
    pub prefix: &'static str,
    /// Whether a tensor in the file has no meaning (buffers that old versions saved).
    pub ignored: fn(&str) -> bool,
}

type Resolve = fn(&Config) -> Result<Resolved, ModelError>;

/// Every supported architecture and the function that reads its configuration. Sorted by name.
const FAMILIES: [(&str, Resolve); 16] = [
    ("GPT2LMHeadModel", gpt2::resolve),
    ("GPTNeoXForCausalLM", gpt_neox::resolve),
    ("Gemma2ForCausalLM", gemma::resolve_2),
    ("Gemma3ForCausalLM", gemma::resolve_3),
    ("GemmaForCausalLM", gemma::resolve_1),
    ("LlamaForCausalLM", llama::resolve),
    ("MistralForCausalLM", mistral::resolve),
    ("MixtralForCausalLM", mixtral::resolve),
    ("Olmo2ForCausalLM", olmo::resolve_2),
    ("OlmoeForCausalLM", olmo::resolve_moe),
    ("Phi3ForCausalLM", phi3::resolve),
    ("Qwen2ForCausalLM", qwen2::resolve),
    ("Qwen2MoeForCausalLM", qwen2_moe::resolve_2),
    ("Qwen3ForCausalLM", qwen3::resolve),
    ("Qwen3MoeForCausalLM", qwen2_moe::resolve_3),
    ("SmolLM3ForCausalLM", smollm3::resolve),
];

/// Finds the family of `config.json` and resolves it.
pub fn resolve(config: &Config) -> Result<Resolved, ModelError> {
    refuse_what_changes_weights(config)?;
    let architecture = architecture(config)?;
    let Some((_, resolve)) = FAMILIES.iter().find(|(name, _)| *name == architecture) else {
        let names: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(config.refuse(
            "architectures",
            format!("{architecture} is not supported; supported: {names}"),
        ));
    };
    let resolved = resolve(config)?;
    refuse_sizes_that_overflow(config, &resolved.spec)?;
    Ok(resolved)
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
        None => named_by_type(config),
    }
}

/// The causal language model of `model_type`, for configurations of a bare model or written by other tools.
fn named_by_type(config: &Config) -> Result<String, ModelError> {
    let Some(kind) = config.text_opt("model_type")? else {
        return Err(config.refuse("architectures", "is missing, and so is `model_type`"));
    };
    // The text model of Gemma 3 has a type of its own. All others have the type's words as their name.
    let words = kind.strip_suffix("_text").unwrap_or(&kind).replace('_', "");
    let of_type = |(name, _): &&(&str, Resolve)| {
        let class = name.strip_suffix("ForCausalLM");
        let class = class.or_else(|| name.strip_suffix("LMHeadModel"));
        class.is_some_and(|class| class.eq_ignore_ascii_case(&words))
    };
    let mut found = FAMILIES.iter().filter(of_type);
    match found.next() {
        Some((name, _)) => Ok((*name).to_owned()),
        None => Err(config.refuse(
            "model_type",
            format!("{kind:?} is not supported, and `architectures` is missing"),
        )),
    }
}

/// Refuses the fields, of any family, that mean that the weights on disk are not the weights to
/// run.
fn refuse_what_changes_weights(config: &Config) -> Result<(), ModelError> {
    for (field, reason) in [
        ("quantization_config", "quantised weights are not supported"),
        (
            "vision_config",
            "models with a vision tower are not supported",
        ),
        (
            "audio_config",
            "models with an audio tower are not supported",
        ),
    ] {
        if config.get(field).is_some() {
            return Err(config.refuse(field, reason));
        }
    }
    match config.get("auto_map") {
        Some(code) if !phi3::is_published_code(code) => Err(config.refuse(
            "auto_map",
            "models with their own Python code are not supported",
        )),
        _ => Ok(()),
    }
}

/// Refuses fields so large that tensor sizes, which are their products, could overflow. No real
/// model comes near.
fn refuse_sizes_that_overflow(config: &Config, spec: &ModelSpec) -> Result<(), ModelError> {
    const MOST: i64 = 1 << 26;
    let mut sizes = vec![
        ("hidden_size", spec.hidden),
        ("vocab_size", spec.vocabulary),
    ];
    for layer in &spec.layers {
        sizes.push(("head_dim", layer.attention.query_width()));
        sizes.push(match &layer.mlp {
            super::MlpSpec::Dense(dense) => ("intermediate_size", dense.intermediate),
            super::MlpSpec::Mixture(mixture) => {
                if mixture.experts > 1 << 16 {
                    return Err(config.refuse("num_experts", "is more than 65536"));
                }
                ("moe_intermediate_size", mixture.intermediate)
            }
        });
    }
    match sizes.into_iter().find(|&(_, size)| size > MOST) {
        None => Ok(()),
        Some((field, size)) => Err(config.refuse(field, format!("{size} is more than {MOST}"))),
    }
}
