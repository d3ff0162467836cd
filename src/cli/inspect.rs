//! `cola inspect`.

use serde_json::json;

use super::{CliError, Ending, args::InspectArgs, output, setup};
use crate::model::{Inspection, LayerSpec, Model};

pub fn run(args: &InspectArgs) -> Result<Ending, CliError> {
    let directory = setup::model_directory(&args.model)?;
    let found = Model::inspect(&directory)?;
    let stored = found.stored.map_or("none", setup::dtype_name);
    let parameters = found.spec.parameters();
    if args.json {
        output::json(&json!({
            "architecture": found.spec.architecture,
            "layers": found.spec.layers.len(),
            "parameters": parameters,
            "stored_dtype": stored,
            "weights_bytes": found.bytes,
            "memory_bytes": { "f32": 4 * parameters, "bf16": 2 * parameters, "f16": 2 * parameters },
            "state_bytes_per_token": { "f32": 4 * found.spec.hidden, "bf16": 2 * found.spec.hidden },
            "spec": found.spec,
        }))?;
    } else {
        output::print(&describe(&found, stored))?;
    }
    Ok(Ending::Done)
}

fn describe(found: &Inspection, stored: &str) -> String {
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
    for (first, last, layer) in runs(&spec.layers) {
        let name = if first == last {
            format!("layer {first}")
        } else {
            format!("layers {first}-{last}")
        };
        let attention = &layer.attention;
        text += &format!(
            "{name:<14} {} parameters each: attention {} heads, {} key-value heads, head size {}; \
             MLP {} {:?}; rope theta {}, {:?}\n",
            grouped(layer.parameters(spec.hidden)),
            attention.heads,
            attention.key_value_heads,
            attention.head_dim,
            layer.mlp.intermediate,
            layer.mlp.activation,
            attention.rope.theta,
            attention.rope.scaling,
        );
    }
    text
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
