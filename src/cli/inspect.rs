//! `cola inspect`.

use serde_json::json;

use super::{CliError, Ending, args::InspectArgs, generation, output, setup};
use crate::session::dtype_name;
use cola_model::{
    AttentionSpec, Inspection, LayerSpec, MlpSpec, Model, NormKind, NormSpec, QueryKeyNorm,
    RopeScaling, RopeSpec, StoredAs, Unapplied, unapplied_settings,
};

pub fn run(args: &InspectArgs) -> Result<Ending, CliError> {
    let path = setup::locate_model(&args.model, None)?.path;
    let found = Model::inspect(&path)?;
    let stored = match (found.stored, found.encodings.first()) {
        (Some(kind), _) => dtype_name(kind),
        (None, Some(blocks)) => blocks.encoding.as_str(),
        (None, None) => "none",
    };
    let parameters = found.spec.parameters();
    let unapplied = unapplied_settings(&path)?;
    if args.json {
        output::json(&json!({
            "architecture": found.spec.architecture,
            "layers": found.spec.layers.len(),
            "parameters": parameters,
            "stored_dtype": stored,
            "weights_bytes": found.bytes,
            "stored": found.encodings.iter().map(stored_json).collect::<Vec<_>>(),
            "memory_bytes": { "f32": 4 * parameters, "bf16": 2 * parameters, "f16": 2 * parameters },
            "state_bytes_per_token": { "f32": 4 * found.spec.hidden, "bf16": 2 * found.spec.hidden },
            "spec": found.spec,
            "generation_not_applied": generation::as_json(&unapplied),
            "refused": found.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }))?;
    } else {
        output::print(&describe(&found, stored, &unapplied))?;
    }
    Ok(match found.problems.is_empty() {
        true => Ending::Done,
        false => Ending::Failures,
    })
}

fn describe(found: &Inspection, stored: &str, unapplied: &[Unapplied]) -> String {
    let spec = &found.spec;
    let parameters = spec.parameters();
    let head = if spec.tied_head {
        "tied to the embedding"
    } else {
        "separate"
    };
    let mut text = format!(
        "architecture   {}\n\
         layers         {}\n\
         parameters     {}\n\
         hidden size    {}\n\
         vocabulary     {}, head {head}\n\
         positions      {}\n\
         weights        {stored}, {} in {} file(s)\n\
         memory         {} as f32, {} as bf16 or f16\n\
         a state        {} bytes a token as f32\n",
        spec.architecture,
        spec.layers.len(),
        grouped(parameters),
        spec.hidden,
        spec.vocabulary,
        spec.max_positions,
        bytes(found.bytes as i64),
        found.files.len(),
        bytes(4 * parameters),
        bytes(2 * parameters),
        4 * spec.hidden,
    );
    if found.encodings.len() > 1 {
        text += "\n";
        for stored in &found.encodings {
            text += &stored_as(stored);
        }
    }
    for (first, last, layer) in runs(&spec.layers) {
        let name = if first == last {
            format!("layer {first}")
        } else {
            format!("layers {first}-{last}")
        };
        let parameters = grouped(layer.parameters(spec.hidden));
        text += &format!(
            "\n{name:<14} {parameters} parameters each\n{}",
            parts(layer)
        );
    }
    if !unapplied.is_empty() {
        text += &format!(
            "\nof its generation config not applied:\n  {}\n",
            generation::listed(unapplied)
        );
    }
    if !found.problems.is_empty() {
        text += "\nwould be refused:\n";
        for problem in &found.problems {
            text += &format!("  {problem}\n");
        }
    }
    text
}

/// `Q4_1           211 tensors, 84.1 MB, 538.0 MB as f32`
fn stored_as(stored: &StoredAs) -> String {
    format!(
        "{:<14} {} tensors, {}, {} as f32\n",
        stored.encoding,
        stored.tensors.len(),
        bytes(stored.bytes as i64),
        bytes(4 * stored.values as i64),
    )
}

fn stored_json(stored: &StoredAs) -> serde_json::Value {
    json!({
        "encoding": stored.encoding,
        "tensors": stored.tensors,
        "bytes": stored.bytes,
        "f32_bytes": 4 * stored.values,
    })
}

/// A layer's parts, a line each.
fn parts(layer: &LayerSpec) -> String {
    let norm = |norm: Option<NormSpec>| match norm {
        None => "none".to_owned(),
        Some(norm) => format!("{} (epsilon {})", norm_name(norm.kind), norm.epsilon),
    };
    let mut lines = vec![
        ("norms", {
            let before = norm(layer.attention_norm.or(layer.mlp_norm));
            let after = norm(layer.attention_output_norm.or(layer.mlp_output_norm));
            format!("before each half {before}, after {after}")
        }),
        ("attention", attention(&layer.attention)),
        ("rope", rope(layer.attention.rope.as_ref())),
        ("mlp", mlp(&layer.mlp)),
    ];
    if layer.parallel {
        lines.push(("order", "attention and MLP side by side".to_owned()));
    }
    lines
        .into_iter()
        .map(|(name, what)| format!("  {name:<12} {what}\n"))
        .collect()
}

fn norm_name(kind: NormKind) -> &'static str {
    match kind {
        NormKind::Rms | NormKind::RmsWide => "RMS",
        NormKind::RmsPlusOne => "RMS with 1 + w",
        NormKind::Layer => "LayerNorm",
    }
}

fn attention(spec: &AttentionSpec) -> String {
    let mut text = format!(
        "{} heads of {}, {} key-value heads, scale {:.6}",
        spec.heads, spec.head_dim, spec.key_value_heads, spec.scale
    );
    let biases = match (spec.input_bias, spec.output_bias) {
        (true, true) => ", biases",
        (true, false) => ", biases on queries, keys and values",
        (false, true) => ", bias on the output",
        (false, false) => "",
    };
    text += biases;
    match spec.query_key_norm {
        Some(QueryKeyNorm::PerHead(_)) => text += ", norm of each query and key head",
        Some(QueryKeyNorm::AllHeads(_)) => text += ", norm of all query and all key heads",
        None => {}
    }
    if let Some(clip) = spec.clip {
        text += &format!(", values cut at {clip}");
    }
    if let Some(cap) = spec.softcap {
        text += &format!(", scores capped at {cap}");
    }
    match spec.window {
        Some(window) => text + &format!(", sliding window of {window}"),
        None => text + ", sees all",
    }
}

fn rope(spec: Option<&RopeSpec>) -> String {
    let Some(rope) = spec else {
        return "none".to_owned();
    };
    let scaling = match &rope.scaling {
        RopeScaling::Default => "no scaling".to_owned(),
        RopeScaling::Linear { factor } => format!("linear scaling by {factor}"),
        RopeScaling::Dynamic {
            factor,
            max_positions,
        } => format!("dynamic scaling by {factor} past {max_positions} tokens"),
        RopeScaling::Yarn {
            factor,
            original_max_positions,
            ..
        } => format!("yarn by {factor} from {original_max_positions} tokens"),
        RopeScaling::LongRope {
            original_max_positions,
            ..
        } => format!("longrope, other divisors past {original_max_positions} tokens"),
        RopeScaling::Divided { .. } => "a divisor for each pair".to_owned(),
        RopeScaling::Llama3 {
            factor,
            original_max_positions,
            ..
        } => format!("llama3 scaling by {factor} from {original_max_positions} tokens"),
    };
    let (theta, dim) = (rope.theta, rope.rotary_dim);
    format!("theta {theta}, {dim} of each head, {scaling}")
}

fn mlp(spec: &MlpSpec) -> String {
    match spec {
        MlpSpec::Dense(dense) => format!(
            "{} wide, {:?}{}{}",
            dense.intermediate,
            dense.activation,
            if dense.gated { ", gated" } else { "" },
            if dense.bias { ", biases" } else { "" },
        ),
        MlpSpec::Mixture(mixture) => {
            let shared = mixture.shared.map_or_else(String::new, |width| {
                format!(", a shared expert {width} wide")
            });
            format!(
                "{} experts {} wide, {} a token{}, {:?}{shared}",
                mixture.experts,
                mixture.intermediate,
                mixture.active,
                if mixture.normalize {
                    ", normalised"
                } else {
                    ""
                },
                mixture.activation,
            )
        }
    }
}

/// Runs of equal layers: (first, last, what they are).
fn runs(layers: &[LayerSpec]) -> Vec<(usize, usize, &LayerSpec)> {
    let mut runs: Vec<(usize, usize, &LayerSpec)> = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        match runs.last_mut() {
            Some((_, last, same)) if *same == layer => *last = at,
            _ => runs.push((at, at, layer)),
        }
    }
    runs
}

/// `1234567` as `1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: i64) -> String {
    indicatif::HumanBytes(number as u64).to_string()
}
