//! Rotary embeddings in GGUF: keys for most scalings, tensors for scalings with one divisor for
//! each pair.

use serde_json::json;

use super::{
    super::super::{ModelError, gguf::Metadata, weights::Weights},
    keys::{Fields, Keys},
};

/// `rope_scaling`, for all scalings but LongRoPE.
pub fn scaling(keys: &Keys<'_>, fields: &mut Fields<'_>) -> Result<(), ModelError> {
    // The converter writes this key; llama.cpp ignores it.
    keys.key("rope.scaling.finetuned");
    let kind = keys.text_opt("rope.scaling.type")?;
    // The factor's name from when linear scaling was the only one.
    let linear = keys.number_opt("rope.scale_linear")?;
    let factor = keys.number_opt("rope.scaling.factor")?.or(linear);
    let original = keys.size_opt("rope.scaling.original_context_length")?;
    let sharpening = keys.number_opt("rope.scaling.attn_factor")?;
    let kind = kind.or_else(|| linear.map(|_| "linear".to_owned()));
    let mut parameters = json!({});
    match kind.as_deref() {
        None | Some("none") => return Ok(()),
        Some("linear") => parameters["rope_type"] = "linear".into(),
        Some("yarn") => {
            parameters["rope_type"] = "yarn".into();
            for (name, field) in [
                ("rope.scaling.yarn_beta_fast", "beta_fast"),
                ("rope.scaling.yarn_beta_slow", "beta_slow"),
            ] {
                if let Some(value) = keys.number_opt(name)? {
                    parameters[field] = value.into();
                }
            }
            keys.only("rope.scaling.yarn_ext_factor", 1.0)?;
            keys.only("rope.scaling.yarn_attn_factor", 1.0)?;
            if let (Some(sharpening), Some(factor)) = (sharpening, factor) {
                let usual = 1.0 + 0.1 * factor.max(1.0).ln();
                parameters["attention_factor"] = (sharpening * usual).into();
            }
        }
        Some(other) => {
            let reason = format!("{other:?} is not supported; supported: none, linear, yarn");
            return Err(keys.refuse("rope.scaling.type", reason));
        }
    }
    if let Some(factor) = factor {
        parameters["factor"] = factor.into();
    }
    if let Some(original) = original {
        parameters["original_max_position_embeddings"] = original.into();
    }
    fields.set_from("rope.scaling", "rope_scaling", parameters);
    Ok(())
}

/// `rope_scaling` of Phi-3: LongRoPE, whose divisors are tensors.
pub fn longrope(
    keys: &Keys<'_>,
    fields: &mut Fields<'_>,
    weights: &Weights,
) -> Result<(), ModelError> {
    keys.key("rope.scaling.finetuned");
    if let Some(kind) = keys.text_opt("rope.scaling.type")?
        && !matches!(kind.as_str(), "longrope" | "none")
    {
        let reason = format!("{kind:?} is not supported; supported: longrope, none");
        return Err(keys.refuse("rope.scaling.type", reason));
    }
    fields.copy(
        "rope.scaling.original_context_length",
        "original_max_position_embeddings",
    )?;
    let sharpening = keys.number_opt("rope.scaling.attn_factor")?;
    keys.only("rope.scaling.factor", 1.0)?;
    let (short, long) = (
        weights.values("rope_factors_short.weight")?,
        weights.values("rope_factors_long.weight")?,
    );
    let (Some(short), Some(long)) = (short, long) else {
        return Ok(());
    };
    let mut parameters =
        json!({"rope_type": "longrope", "short_factor": short, "long_factor": long});
    if let Some(sharpening) = sharpening {
        parameters["attention_factor"] = sharpening.into();
    }
    fields.set_from("rope.scaling", "rope_scaling", parameters);
    Ok(())
}

/// The divisors of the rotary frequencies of all layers, if the file has them. They are how Llama
/// 3.1's scaling is stored.
pub fn divisors(weights: &Weights) -> Result<Option<Vec<f64>>, ModelError> {
    weights.values("rope_freqs.weight")
}

/// Returns `divisors` if there is one above 0 for every pair; refuses them otherwise.
pub fn fitting(
    metadata: &Metadata,
    divisors: &[f64],
    rotary_dim: i64,
) -> Result<Vec<f64>, ModelError> {
    let tensor = |reason: String| ModelError::Tensor {
        path: metadata.path().to_owned(),
        tensor: "rope_freqs.weight".to_owned(),
        reason,
    };
    if divisors.len() as i64 != rotary_dim / 2 {
        let pairs = rotary_dim / 2;
        return Err(tensor(format!(
            "has {} values for {pairs} pairs",
            divisors.len()
        )));
    }
    match divisors.iter().find(|&&divisor| divisor <= 0.0) {
        Some(divisor) => Err(tensor(format!("holds {divisor}; expected values above 0"))),
        None => Ok(divisors.to_vec()),
    }
}
