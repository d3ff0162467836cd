//! What `generation_config.json` asks of a generation, and which of it is not done here.
//!
//! Decoding is greedy and ends at the end tokens. transformers, and lm-evaluation-harness with it, also applies what the file
//! says of penalties, suppressed tokens, lengths and beams, which makes other texts of the same logits.

use std::path::Path;

use serde_json::Value;

use super::{Config, ModelError};

const FILE: &str = "generation_config.json";

/// Keys that are read, or do not change what greedy decoding writes: names, sampling, lengths that a run sets itself, caches,
/// and what is returned beside the text.
const WITHOUT_EFFECT: [&str; 52] = [
    "eos_token_id",
    "bos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "top_h",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "watermarking_config",
    "max_length",
    "max_new_tokens",
    "num_return_sequences",
    "renormalize_logits",
    "remove_invalid_values",
    "use_cache",
    "cache_implementation",
    "cache_config",
    "return_legacy_cache",
    "prefill_chunk_size",
    "low_memory",
    "output_attentions",
    "output_hidden_states",
    "output_scores",
    "output_logits",
    "return_dict_in_generate",
    "is_assistant",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "prompt_lookup_num_tokens",
    "max_matching_ngram_size",
    "assistant_early_exit",
    "assistant_lookbehind",
    "target_lookbehind",
    "speculation_type",
    "compile_config",
    "disable_compile",
    "continuous_batching_config",
    "generation_kwargs",
    "transformers_version",
    "trust_remote_code",
    "_from_model_config",
    "_commit_hash",
    "_original_object_hash",
    "_name_or_path",
    "architectures",
    "model_type",
];

/// Keys that change the text, with the value that does not; null and an empty list or mapping do not either.
const WITH_EFFECT: [(&str, Neutral); 25] = [
    ("repetition_penalty", Neutral::Number(1.0)),
    ("encoder_repetition_penalty", Neutral::Number(1.0)),
    ("no_repeat_ngram_size", Neutral::Number(0.0)),
    ("encoder_no_repeat_ngram_size", Neutral::Number(0.0)),
    ("suppress_tokens", Neutral::Nothing),
    ("begin_suppress_tokens", Neutral::Nothing),
    ("bad_words_ids", Neutral::Nothing),
    ("sequence_bias", Neutral::Nothing),
    ("min_length", Neutral::Number(0.0)),
    ("min_new_tokens", Neutral::Number(0.0)),
    ("forced_bos_token_id", Neutral::Nothing),
    ("forced_eos_token_id", Neutral::Nothing),
    ("forced_decoder_ids", Neutral::Nothing),
    ("force_words_ids", Neutral::Nothing),
    ("constraints", Neutral::Nothing),
    ("exponential_decay_length_penalty", Neutral::Nothing),
    ("guidance_scale", Neutral::Number(1.0)),
    ("penalty_alpha", Neutral::Number(0.0)),
    ("dola_layers", Neutral::Nothing),
    ("num_beams", Neutral::Number(1.0)),
    ("num_beam_groups", Neutral::Number(1.0)),
    ("stop_strings", Neutral::Nothing),
    ("token_healing", Neutral::False),
    ("max_time", Neutral::Nothing),
    ("custom_generate", Neutral::Nothing),
];

/// Keys that matter only beside beams.
const OF_BEAMS: [&str; 3] = ["length_penalty", "diversity_penalty", "early_stopping"];

/// The value of a key that changes nothing.
#[derive(Debug, Clone, Copy)]
enum Neutral {
    Number(f64),
    False,
    Nothing,
}

impl Neutral {
    fn is(self, value: &Value) -> bool {
        match (value, self) {
            (Value::Null, _) => true,
            (Value::Array(items), _) => items.is_empty(),
            (Value::Object(entries), _) => entries.is_empty(),
            (Value::Number(number), Neutral::Number(neutral)) => number.as_f64() == Some(neutral),
            (Value::Bool(flag), Neutral::False) => !flag,
            _ => false,
        }
    }
}

/// A setting of a model's generation that is not applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Unapplied {
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Whether the key is unknown, so that it may have an effect or none.
    pub unknown: bool,
}

/// The settings of a model directory that transformers would apply to a greedy generation, and that are not applied here, by
/// key; without `generation_config.json` those of `config.json`. A GGUF file has none.
///
/// # Errors
/// The file cannot be read.
pub fn unapplied_settings(model: &Path) -> Result<Vec<Unapplied>, ModelError> {
    if model.is_file() {
        return Ok(Vec::new());
    }
    let (config, whole) = match Config::read_optional(model, FILE)? {
        Some(config) => (config, true),
        None => match Config::read_optional(model, "config.json")? {
            Some(config) => (config, false),
            None => return Ok(Vec::new()),
        },
    };
    let mut found = Vec::new();
    for (key, value) in config.entries() {
        let known = WITH_EFFECT.iter().find(|(known, _)| *known == key);
        let unknown = match known {
            Some((_, neutral)) if neutral.is(value) => continue,
            Some(_) => false,
            // The model's own configuration has many other keys.
            None if !whole || WITHOUT_EFFECT.contains(&key) || OF_BEAMS.contains(&key) => continue,
            None if value.is_null() => continue,
            None => true,
        };
        found.push(Unapplied {
            key: key.to_owned(),
            value: value.clone(),
            unknown,
        });
    }
    found.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unapplied(files: &[(&str, Value)]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        for (name, value) in files {
            std::fs::write(directory.path().join(name), value.to_string()).unwrap();
        }
        let found = unapplied_settings(directory.path()).unwrap().into_iter();
        let mark = |unknown| if unknown { "?" } else { "" };
        found
            .map(|setting| format!("{}{}={}", setting.key, mark(setting.unknown), setting.value))
            .collect()
    }

    #[test]
    fn what_would_change_a_greedy_text_is_found_and_nothing_else() {
        let sampled = json!({"do_sample": true, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "eos_token_id": [1, 2],
            "bos_token_id": 1, "pad_token_id": 0, "max_new_tokens": 2048, "transformers_version": "5.0.0", "_from_model_config": true});
        assert_eq!(unapplied(&[(FILE, sampled)]), [""; 0]);
        let neutral = json!({"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "suppress_tokens": [], "bad_words_ids": null,
            "min_new_tokens": null, "num_beams": 1, "guidance_scale": 1, "sequence_bias": {}, "length_penalty": 2.0, "token_healing": false});
        assert_eq!(unapplied(&[(FILE, neutral)]), [""; 0]);
        let changing = json!({"repetition_penalty": 1.1, "no_repeat_ngram_size": 3, "suppress_tokens": [5], "bad_words_ids": [[1]],
            "begin_suppress_tokens": [220], "min_new_tokens": 4, "min_length": 9, "forced_bos_token_id": 3, "forced_eos_token_id": 2,
            "sequence_bias": [[[1], -10.0]], "encoder_repetition_penalty": 1.2, "encoder_no_repeat_ngram_size": 2, "num_beams": 4,
            "stop_strings": "x", "guidance_scale": 1.5, "token_healing": true, "chat_format": "chatml"});
        let expected: Vec<String> = [
            "bad_words_ids=[[1]]",
            "begin_suppress_tokens=[220]",
            "chat_format?=\"chatml\"",
            "encoder_no_repeat_ngram_size=2",
            "encoder_repetition_penalty=1.2",
            "forced_bos_token_id=3",
            "forced_eos_token_id=2",
            "guidance_scale=1.5",
            "min_length=9",
            "min_new_tokens=4",
            "no_repeat_ngram_size=3",
            "num_beams=4",
            "repetition_penalty=1.1",
            "sequence_bias=[[[1],-10.0]]",
            "stop_strings=\"x\"",
            "suppress_tokens=[5]",
            "token_healing=true",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(unapplied(&[(FILE, changing)]), expected);
    }

    #[test]
    fn without_the_file_those_of_the_model_count() {
        let model = json!({"hidden_size": 8, "repetition_penalty": 1.3, "min_length": 0});
        assert_eq!(
            unapplied(&[("config.json", model.clone())]),
            ["repetition_penalty=1.3"]
        );
        assert_eq!(
            unapplied(&[("config.json", model), (FILE, json!({}))]),
            [""; 0]
        );
        assert_eq!(unapplied(&[]), [""; 0]);
    }
}
