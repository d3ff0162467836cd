//! The architectures of llama.cpp that are supported, and the translation of their metadata into a
//! `config.json`.

use super::{
    super::super::{Config, ModelError, gguf::Metadata, weights::Weights},
    keys::{Fields, Keys},
    rope,
};

/// An architecture, by llama.cpp's name.
pub struct Architecture {
    pub name: &'static str,
    /// transformers' name of the architecture.
    class: &'static str,
    /// Reads the keys that not all architectures have.
    read: Read,
    /// Whether rows of queries and keys are interleaved. In some architectures llama.cpp rotates
    /// adjacent numbers of a head. For these its converter places the two numbers of a pair, which
    /// transformers keeps half a head apart, side by side.
    pub interleaved: bool,
    /// Whether norms are stored as 1 + w.
    pub norms_hold_one: bool,
    /// Whether it is the tensors in the file, and no key, that tell which projections have biases.
    pub optional_biases: bool,
}

type Read = fn(&Keys<'_>, &mut Fields<'_>, &Weights) -> Result<(), ModelError>;

const PLAIN: Architecture = Architecture {
    name: "",
    class: "",
    read: full_rotation,
    interleaved: false,
    norms_hold_one: false,
    optional_biases: false,
};

/// Every supported architecture, sorted by name but for the last.
const ARCHITECTURES: [Architecture; 16] = [
    Architecture {
        name: "gemma",
        class: "GemmaForCausalLM",
        norms_hold_one: true,
        ..PLAIN
    },
    Architecture {
        name: "gemma2",
        class: "Gemma2ForCausalLM",
        read: gemma_2,
        norms_hold_one: true,
        ..PLAIN
    },
    Architecture {
        name: "gemma3",
        class: "Gemma3ForCausalLM",
        read: gemma_3,
        norms_hold_one: true,
        ..PLAIN
    },
    Architecture {
        name: "gpt2",
        class: "GPT2LMHeadModel",
        read: gpt_2,
        ..PLAIN
    },
    Architecture {
        name: "gptneox",
        class: "GPTNeoXForCausalLM",
        read: gpt_neox,
        ..PLAIN
    },
    Architecture {
        name: "llama",
        class: "LlamaForCausalLM",
        read: llama,
        interleaved: true,
        optional_biases: true,
        ..PLAIN
    },
    Architecture {
        name: "mistral",
        class: "MistralForCausalLM",
        read: llama,
        interleaved: true,
        ..PLAIN
    },
    Architecture {
        name: "olmo2",
        class: "Olmo2ForCausalLM",
        optional_biases: true,
        ..PLAIN
    },
    Architecture {
        name: "olmoe",
        class: "OlmoeForCausalLM",
        read: olmoe,
        optional_biases: true,
        ..PLAIN
    },
    Architecture {
        name: "phi3",
        class: "Phi3ForCausalLM",
        read: phi_3,
        ..PLAIN
    },
    Architecture {
        name: "qwen2",
        class: "Qwen2ForCausalLM",
        ..PLAIN
    },
    Architecture {
        name: "qwen2moe",
        class: "Qwen2MoeForCausalLM",
        read: qwen_2_moe,
        ..PLAIN
    },
    Architecture {
        name: "qwen3",
        class: "Qwen3ForCausalLM",
        optional_biases: true,
        ..PLAIN
    },
    Architecture {
        name: "qwen3moe",
        class: "Qwen3MoeForCausalLM",
        read: qwen_3_moe,
        optional_biases: true,
        ..PLAIN
    },
    Architecture {
        name: "smollm3",
        class: "SmolLM3ForCausalLM",
        read: smollm_3,
        interleaved: true,
        optional_biases: true,
        ..PLAIN
    },
    // llama.cpp treats Mixtral as a Llama with experts.
    Architecture {
        name: "llama",
        class: "MixtralForCausalLM",
        read: mixtral,
        interleaved: true,
        ..PLAIN
    },
];

impl Architecture {
    /// The architecture that the metadata names.
    pub fn of(metadata: &Metadata) -> Result<&'static Self, ModelError> {
        let config = metadata.config();
        let field = "general.architecture";
        if let Some(kind) = config.text_opt("general.type")?
            && kind != "model"
        {
            let reason = format!("{kind:?} is not a language model");
            return Err(config.refuse("general.type", reason));
        }
        let Some(name) = config.text_opt(field)? else {
            return Err(config.refuse(field, "is missing"));
        };
        let experts = config.count_opt("llama.expert_count")?.unwrap_or(0) > 0;
        let class = |known: &&Self| known.class != "MixtralForCausalLM" || experts;
        let mut found = ARCHITECTURES.iter().rev().filter(class);
        found.find(|known| known.name == name).ok_or_else(|| {
            let mut names: Vec<&str> = ARCHITECTURES.iter().map(|known| known.name).collect();
            names.dedup();
            names.sort_unstable();
            names.dedup();
            let names = names.join(", ");
            config.refuse(
                field,
                format!("{name:?} is not supported; supported: {names}"),
            )
        })
    }

    /// The metadata as a `config.json`.
    pub fn config(&self, keys: &Keys<'_>, weights: &Weights) -> Result<Config, ModelError> {
        let mut fields = Fields::new(keys);
        fields.set("architectures", vec![self.class]);
        fields.need("block_count", "num_hidden_layers")?;
        fields.need("context_length", "max_position_embeddings")?;
        fields.need("embedding_length", "hidden_size")?;
        fields.need("attention.head_count", "num_attention_heads")?;
        fields.copy("attention.head_count_kv", "num_key_value_heads")?;
        // This key says that a Llama's rows are interleaved, as the architecture implies.
        keys.key("tensor_data_layout");
        keys.only("attention.causal", true)?;
        vocabulary(keys, &mut fields, weights)?;
        // llama.cpp's rule: if the file has no head, the embedding is the head.
        let tied = weights.shape("output.weight").is_none();
        fields.set("tie_word_embeddings", tied);
        (self.read)(keys, &mut fields, weights)?;
        Ok(fields.config())
    }
}

/// Sets `vocab_size` to the number of rows of the embedding.
fn vocabulary(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
) -> Result<(), ModelError> {
    let told = keys.size_opt("vocab_size")?;
    let rows = match weights.shape("token_embd.weight") {
        Some(&[rows, _]) => Some(rows),
        _ => None,
    };
    if let (Some(told), Some(rows)) = (told, rows)
        && told != rows
    {
        let reason = format!("{told}, but token_embd.weight has {rows} rows");
        return Err(keys.refuse("vocab_size", reason));
    }
    // If both are missing, loading the embedding fails and names it.
    fields.set_from("vocab_size", "vocab_size", rows.or(told).unwrap_or(1));
    Ok(())
}

/// Width of a head: the value of its key, or else the rows of the query projection (or the width of
/// the model) divided by the number of heads.
fn head_dim(keys: &Keys<'_>, weights: &Weights) -> Result<i64, ModelError> {
    let (hidden, heads) = (
        keys.size("embedding_length")?,
        keys.size("attention.head_count")?,
    );
    let rows = match weights.shape("blk.0.attn_q.weight") {
        Some(&[rows, _]) => rows,
        _ => hidden,
    };
    let told = keys.size_opt("attention.key_length")?;
    if told.is_none() && rows % heads != 0 {
        let reason =
            format!("{heads} does not divide {rows}, and there is no attention.key_length");
        return Err(keys.refuse("attention.head_count", reason));
    }
    let dim = told.unwrap_or(rows / heads);
    match keys.size_opt("attention.value_length")? {
        Some(value) if value != dim => {
            let reason = format!("{value} differs from the length of the keys, which is {dim}");
            Err(keys.refuse("attention.value_length", reason))
        }
        _ => Ok(dim),
    }
}

/// Reads the keys of most architectures: RMS norms, a gated MLP, heads that are rotated whole.
fn full_rotation(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
) -> Result<(), ModelError> {
    rotated(keys, fields, weights)?;
    let (dim, rotary) = (
        head_dim(keys, weights)?,
        keys.size_opt("rope.dimension_count")?,
    );
    if let Some(rotary) = rotary.filter(|&rotary| rotary != dim) {
        let reason = format!(
            "rotates {rotary} of the {dim} values of a head; only all of them are supported here"
        );
        return Err(keys.refuse("rope.dimension_count", reason));
    }
    rope::scaling(keys, fields)
}

/// Reads the keys of all architectures but GPT-2 and GPT-NeoX, without those of the rotation's
/// extent and scaling.
fn rotated(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    let dim = head_dim(keys, weights)?;
    fields.set_from("attention.key_length", "head_dim", dim);
    fields.copy("feed_forward_length", "intermediate_size")?;
    fields.need("attention.layer_norm_rms_epsilon", "rms_norm_eps")?;
    base(keys, fields, "rope_theta")
}

/// Reads the base of the rotary wavelengths. llama.cpp's default is that of the first models.
fn base(keys: &Keys<'_>, fields: &mut Fields<'_>, field: &str) -> Result<(), ModelError> {
    let base = keys.number_opt("rope.freq_base")?.unwrap_or(10_000.0);
    fields.set_from("rope.freq_base", field, base);
    Ok(())
}

fn llama(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    keys.only("expert_count", 0)?;
    keys.only("expert_used_count", 0)?;
    // The family's own default is a window of 4096.
    fields.set("sliding_window", serde_json::Value::Null);
    if fields.is_class("MistralForCausalLM") {
        fields.copy("attention.sliding_window", "sliding_window")?;
    }
    Ok(())
}

fn mixtral(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    experts(fields)
}

/// Reads the number of experts, and how many of them a token uses.
fn experts(fields: &mut Fields<'_>) -> Result<(), ModelError> {
    fields.need("expert_count", "num_experts")?;
    fields.need("expert_used_count", "num_experts_per_tok")
}

/// Reads experts in every layer whose width, `moe_intermediate_size`, differs from the MLP's.
fn wide_experts(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
) -> Result<(), ModelError> {
    experts(fields)?;
    // Files older than the key: the width follows from the tensors.
    let stored = match weights.shape("blk.0.ffn_gate_exps.weight") {
        Some(&[_, rows, _]) => Some(rows),
        _ => None,
    };
    let name = "expert_feed_forward_length";
    let Some(width) = keys.size_opt(name)?.or(stored) else {
        return Err(keys.refuse(name, "is missing"));
    };
    fields.set_from(name, "moe_intermediate_size", width);
    fields.set("decoder_sparse_step", 1);
    // 1 is llama.cpp's value for a softmax of the scores.
    keys.only("expert_gating_func", 1)?;
    keys.only("expert_weights_scale", 1.0)
}

fn qwen_2_moe(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    wide_experts(keys, fields, weights)?;
    let stored = match weights.shape("blk.0.ffn_gate_shexp.weight") {
        Some(&[rows, _]) => Some(rows),
        _ => None,
    };
    let name = "expert_shared_feed_forward_length";
    let Some(width) = keys.size_opt(name)?.or(stored) else {
        return Err(keys.refuse(name, "is missing"));
    };
    fields.set_from(name, "shared_expert_intermediate_size", width);
    fields.set("norm_topk_prob", false);
    fields.copy("expert_weights_norm", "norm_topk_prob")
}

fn qwen_3_moe(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    wide_experts(keys, fields, weights)?;
    // llama.cpp normalizes for every file of this architecture.
    fields.set("norm_topk_prob", true);
    fields.copy("expert_weights_norm", "norm_topk_prob")
}

fn olmoe(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    experts(fields)?;
    // An expert's width. The converter usually writes it under the MLP's key, which `full_rotation`
    // reads.
    if let Some(width) = keys.size_opt("expert_feed_forward_length")? {
        fields.set_from("expert_feed_forward_length", "intermediate_size", width);
    }
    fields.copy("attention.clamp_kqv", "clip_qkv")
}

fn gemma_2(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    fields.copy("attention.sliding_window", "sliding_window")?;
    fields.copy("attn_logit_softcapping", "attn_logit_softcapping")?;
    fields.copy("final_logit_softcapping", "final_logit_softcapping")?;
    // llama.cpp recognizes Gemma 2 27B by its 46 layers.
    query_scalar(keys, fields, 46)
}

fn gemma_3(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    fields.copy("attention.sliding_window", "sliding_window")?;
    fields.copy("final_logit_softcapping", "final_logit_softcapping")?;
    fields.set("sliding_window_pattern", 6);
    fields.copy("attention.sliding_window_pattern", "sliding_window_pattern")?;
    fields.copy("rope.freq_base_swa", "rope_local_base_freq")?;
    // llama.cpp recognizes Gemma 3 27B by its 62 layers.
    query_scalar(keys, fields, 62)
}

/// Sets `query_pre_attn_scalar`, for which there is no key. It is 256 in all published models but
/// the largest of a generation; transformers assumes 256 for every GGUF file.
fn query_scalar(keys: &Keys<'_>, fields: &mut Fields<'_>, largest: i64) -> Result<(), ModelError> {
    let scalar = match keys.size("block_count")? == largest {
        true => keys.size("embedding_length")? / keys.size("attention.head_count")?,
        false => 256,
    };
    fields.set("query_pre_attn_scalar", scalar);
    Ok(())
}

fn smollm_3(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    full_rotation(keys, fields, weights)?;
    // llama.cpp leaves every fourth layer without rope whatever the file says, and the converter
    // writes no key.
    fields.set("no_rope_layer_interval", 4);
    Ok(())
}

fn phi_3(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    rotated(keys, fields, weights)?;
    partial(keys, fields, weights, "partial_rotary_factor")?;
    fields.copy("attention.sliding_window", "sliding_window")?;
    rope::longrope(keys, fields, weights)
}

fn gpt_2(_: &Keys<'_>, fields: &mut Fields<'_>, _: &Weights) -> Result<(), ModelError> {
    for (name, field) in [
        ("block_count", "n_layer"),
        ("context_length", "n_positions"),
        ("embedding_length", "n_embd"),
        ("attention.head_count", "n_head"),
        ("feed_forward_length", "n_inner"),
        ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    ] {
        fields.need(name, field)?;
    }
    Ok(())
}

fn gpt_neox(keys: &Keys<'_>, fields: &mut Fields<'_>, weights: &Weights) -> Result<(), ModelError> {
    fields.need("feed_forward_length", "intermediate_size")?;
    fields.need("attention.layer_norm_epsilon", "layer_norm_eps")?;
    fields.copy("use_parallel_residual", "use_parallel_residual")?;
    base(keys, fields, "rotary_emb_base")?;
    partial(keys, fields, weights, "rotary_pct")?;
    rope::scaling(keys, fields)
}

/// Sets the share of each head that is rotated. transformers rounds `share * head_dim` down, so the
/// share is the least one for which that gives the number of rotated elements.
fn partial(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
    field: &str,
) -> Result<(), ModelError> {
    let dim = head_dim(keys, weights)?;
    let name = "rope.dimension_count";
    let rotary = keys.size_opt(name)?.unwrap_or(dim);
    if rotary > dim {
        return Err(keys.refuse(
            name,
            format!("rotates {rotary} values, but a head has only {dim}"),
        ));
    }
    let mut share = rotary as f64 / dim as f64;
    if ((dim as f64 * share) as i64) < rotary {
        share = share.next_up();
    }
    fields.set_from(name, field, share);
    Ok(())
}
