//! Model directories: configurations, weights, tokenizers.

use serde_json::{Value, json};

use super::{Case, linked_model, replace};
use crate::support_cli::{Place, demo_model};

pub fn cases(place: &Place) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut number = 0;
    let mut add = |what: String, file: &str, content: Option<Vec<u8>>, command: &str| {
        number += 1;
        let name = format!("m{number}");
        linked_model(place, &name);
        match content {
            Some(content) => replace(place, &format!("{name}/{file}"), content),
            None => std::fs::remove_file(place.join(&format!("{name}/{file}"))).unwrap(),
        }
        let line = match command {
            "generate" => format!("generate --model {name} --prompt Dial --max-new-tokens 1"),
            command => format!("{command} --model {name}"),
        };
        cases.push(Case::new(what, line));
    };
    let config: Value = json_of("config.json");
    let values = [
        Value::Null,
        json!("text"),
        json!(-1),
        json!(0),
        json!(1e300),
        json!([1]),
        json!(0.5),
    ];
    for field in [
        "architectures",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "rms_norm_eps",
        "hidden_act",
        "tie_word_embeddings",
        "rope_parameters",
        "attention_bias",
    ] {
        for value in &values {
            let mut changed = config.clone();
            changed[field] = value.clone();
            add(
                format!("config.json: {field} {value}"),
                "config.json",
                Some(bytes(&changed)),
                "generate",
            );
        }
    }
    for (field, value) in [
        ("architectures", json!(["MambaForCausalLM"])),
        ("architectures", json!([])),
        ("model_type", json!("mamba")),
        (
            "rope_parameters",
            json!({"rope_type": "spiral", "rope_theta": 1e4}),
        ),
        (
            "rope_parameters",
            json!({"rope_type": "yarn", "rope_theta": 1e4}),
        ),
        (
            "rope_parameters",
            json!({"rope_type": "default", "rope_theta": -1}),
        ),
        ("rms_norm_eps", json!("-1")),
        ("quantization_config", json!({"quant_method": "gptq"})),
        ("sliding_window", json!(-1)),
        ("num_hidden_layers", json!(13)),
        ("vocab_size", json!(5)),
    ] {
        let mut changed = config.clone();
        changed[field] = value.clone();
        add(
            format!("config.json: {field} {value}"),
            "config.json",
            Some(bytes(&changed)),
            "generate",
        );
    }
    for text in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{} {}",
        "\u{feff}{}",
        "{\"a\": NaN}",
        "\u{0}",
    ] {
        for file in [
            "config.json",
            "tokenizer.json",
            "generation_config.json",
            "tokenizer_config.json",
        ] {
            add(
                format!("{file}: {text:?}"),
                file,
                Some(text.into()),
                "generate",
            );
        }
    }
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        add(format!("no {file}"), file, None, "generate");
    }
    let weights = std::fs::read(demo_model().join("model.safetensors")).unwrap();
    let mut huge = weights.clone();
    huge[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut garbled = weights.clone();
    garbled[20..40].fill(b'#');
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    for (what, content) in [
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("half", weights[..weights.len() / 2].to_vec()),
        ("a byte less", weights[..weights.len() - 1].to_vec()),
        ("a byte more", [&weights[..], b"x"].concat()),
        ("a header that is too long", huge),
        ("a header that is no JSON", garbled),
        ("text", b"weights".to_vec()),
        ("a Git LFS pointer", pointer.into()),
        ("zeros", vec![0; 100_000]),
    ] {
        add(
            format!("model.safetensors: {what}"),
            "model.safetensors",
            Some(content),
            "inspect",
        );
    }
    let tokenizer: Value = json_of("tokenizer.json");
    for (field, value) in [
        ("model", Value::Null),
        ("model", json!({"type": "Magic"})),
        ("model", json!({})),
        (
            "pre_tokenizer",
            json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false}),
        ),
        (
            "normalizer",
            json!({"type": "Replace", "pattern": {"Regex": "["}, "content": ""}),
        ),
        ("normalizer", json!({"type": "Magic"})),
        ("decoder", json!(7)),
        ("added_tokens", json!([{"id": -1}])),
        ("added_tokens", json!({})),
        ("post_processor", json!({"type": "Magic"})),
    ] {
        let mut changed = tokenizer.clone();
        changed[field] = value.clone();
        add(
            format!("tokenizer.json: {field} {value}"),
            "tokenizer.json",
            Some(bytes(&changed)),
            "generate",
        );
    }
    for (what, content) in [
        ("nothing", Vec::new()),
        ("text", b"GGUF".to_vec()),
        (
            "another version",
            [&b"GGUF"[..], &9u32.to_le_bytes()].concat(),
        ),
        (
            "a header that ends",
            [&b"GGUF"[..], &3u32.to_le_bytes(), &5u64.to_le_bytes()].concat(),
        ),
        (
            "more tensors than bytes",
            [&b"GGUF"[..], &3u32.to_le_bytes(), &[0xff; 16]].concat(),
        ),
        (
            "no tensors",
            [&b"GGUF"[..], &3u32.to_le_bytes(), &[0; 16]].concat(),
        ),
        ("zeros", vec![0; 4096]),
    ] {
        let name = format!("g{}.gguf", cases.len());
        place.write(&name, content);
        cases.push(Case::new(
            format!("GGUF: {what}"),
            format!("inspect --model {name}"),
        ));
    }
    cases
}

fn json_of(file: &str) -> Value {
    let text = std::fs::read_to_string(demo_model().join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}
