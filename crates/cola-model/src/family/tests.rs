//! Tests of the specs that configurations give, and of the configurations that are refused.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Map, json};

use super::{
    super::{Activation, DenseSpec, MlpSpec, RopeScaling},
    *,
};

/// The smallest configuration of a Llama.
fn least() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "vocab_size": 96,
    })
}

/// The spec of the smallest configuration with some fields changed; `null` counts as absent.
fn changed(changes: Value) -> Result<ModelSpec, ModelError> {
    let (Value::Object(mut fields), Value::Object(changes)) = (least(), changes) else {
        panic!("both are objects");
    };
    fields.extend(changes);
    resolved(&fields)
}

fn resolved(fields: &Map<String, Value>) -> Result<ModelSpec, ModelError> {
    let config = Config::of("config.json".into(), fields.clone());
    resolve(&config).map(|resolved| resolved.spec)
}

/// Asserts that the change is refused, and that file, field and reason are named.
fn refused(changes: Value, named: &str, because: &str) {
    match changed(changes.clone()) {
        Err(ModelError::Field {
            path,
            field,
            reason,
        }) => {
            assert!(path.ends_with("config.json"));
            assert_eq!(field, named, "{changes}");
            assert!(reason.contains(because), "{changes}: {reason}");
        }
        other => panic!("{changes}: {other:?}"),
    }
}

#[test]
fn absent_fields_have_the_defaults_of_transformers() {
    let spec = changed(json!({})).unwrap();
    let layer = &spec.layers[0];
    assert_eq!((spec.layers.len(), spec.tied_head), (3, false));
    assert_eq!(layer.attention.key_value_heads, 4);
    assert_eq!(layer.attention.head_dim, 8);
    assert!(!layer.attention.input_bias && !layer.attention.output_bias);
    let rope = layer.attention.rope.as_ref().unwrap();
    assert_eq!((rope.theta, rope.rotary_dim), (10_000.0, 8));
    assert_eq!(rope.scaling, RopeScaling::Default);
    let dense = DenseSpec {
        intermediate: 48,
        activation: Activation::Silu,
        gated: true,
        bias: false,
    };
    assert_eq!(layer.mlp, MlpSpec::Dense(dense));
    assert_eq!(spec.final_norm.epsilon, 1e-6);
}

#[test]
fn a_missing_field_is_named() {
    for field in [
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "vocab_size",
        "architectures",
    ] {
        refused(json!({ field: null }), field, "is missing");
    }
}

#[test]
fn a_field_of_the_wrong_type_is_named_with_what_was_found() {
    refused(json!({"hidden_size": "32"}), "hidden_size", "found \"32\"");
    refused(json!({"vocab_size": 0}), "vocab_size", "from 1");
    refused(json!({"vocab_size": 1.5}), "vocab_size", "found 1.5");
    refused(
        json!({"num_hidden_layers": -1}),
        "num_hidden_layers",
        "from 1",
    );
    refused(
        json!({"num_hidden_layers": 5000}),
        "num_hidden_layers",
        "4096",
    );
    refused(
        json!({"attention_bias": "no"}),
        "attention_bias",
        "true or false",
    );
    refused(json!({"rms_norm_eps": [1]}), "rms_norm_eps", "a number");
    refused(json!({"rope_scaling": 8}), "rope_scaling", "an object");
}

#[test]
fn sizes_that_do_not_fit_each_other_are_refused() {
    refused(
        json!({"num_key_value_heads": 3}),
        "num_key_value_heads",
        "divide",
    );
    refused(
        json!({"num_attention_heads": 5}),
        "num_attention_heads",
        "divide",
    );
    refused(json!({"head_dim": 7}), "head_dim", "odd");
}

#[test]
fn an_unknown_rope_is_refused_by_its_dotted_name() {
    let sections = json!({"rope_type": "mrope", "factor": 4.0});
    refused(
        json!({"rope_parameters": sections}),
        "rope_parameters.rope_type",
        "mrope",
    );
    refused(
        json!({"rope_scaling": sections}),
        "rope_scaling.rope_type",
        "mrope",
    );
    let old = json!({"type": "su", "factor": 4.0});
    refused(json!({"rope_scaling": old}), "rope_scaling.type", "su");
    let partial = json!({"rope_type": "default", "partial_rotary_factor": 0.5});
    refused(
        json!({"rope_parameters": partial}),
        "rope_parameters.partial_rotary_factor",
        "only 1",
    );
}

#[test]
fn a_rope_that_lacks_a_number_is_refused_by_its_dotted_name() {
    for kind in ["linear", "dynamic", "llama3"] {
        let rope = json!({"rope_type": kind, "low_freq_factor": 1, "high_freq_factor": 4});
        refused(
            json!({"rope_scaling": rope}),
            "rope_scaling.factor",
            "is missing",
        );
    }
    let longrope = |long: &[f64]| {
        json!({"rope_scaling": {
            "rope_type": "longrope", "short_factor": [1, 1, 1, 1], "long_factor": long,
        }})
    };
    assert!(changed(longrope(&[2.0; 4])).is_ok());
    refused(
        longrope(&[2.0; 3]),
        "rope_scaling.long_factor",
        "3 numbers for 4 pairs",
    );
    refused(
        longrope(&[2.0, 2.0, 2.0, 0.0]),
        "rope_scaling.long_factor",
        "above 0",
    );
    refused(json!({"rope_theta": 0}), "rope_theta", "above 0");
}

#[test]
fn two_ropes_that_differ_are_refused() {
    let linear = |factor: f64| json!({"rope_type": "linear", "factor": factor});
    let both = |old: f64| json!({"rope_parameters": linear(2.0), "rope_scaling": linear(old)});
    refused(both(4.0), "rope_scaling", "differs from `rope_parameters`");
    assert!(changed(both(2.0)).is_ok());
}

#[test]
fn old_and_new_keys_say_the_same_rope() {
    let numbers = json!({
        "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
        "original_max_position_embeddings": 64,
    });
    let old = json!({"rope_theta": 5e5, "rope_scaling": numbers});
    let mut new = numbers;
    new["rope_theta"] = json!(5e5);
    let [old, new] = [old, json!({"rope_parameters": new})].map(|c| changed(c).unwrap());
    assert_eq!(old, new);
    assert_eq!(old.layers[2].attention.rope.as_ref().unwrap().theta, 5e5);
}

#[test]
fn an_unknown_activation_is_named() {
    refused(json!({"hidden_act": "swiglu"}), "hidden_act", "swiglu");
}

#[test]
fn an_unknown_architecture_is_named() {
    let other = json!({"architectures": ["MambaForCausalLM"]});
    refused(other, "architectures", "MambaForCausalLM is not supported");
    refused(json!({"architectures": []}), "architectures", "one name");
    refused(json!({"architectures": "Llama"}), "architectures", "a list");
}

#[test]
fn weights_that_are_not_the_weights_to_run_are_refused() {
    let quantised = json!({"quantization_config": {"bits": 4}});
    refused(quantised, "quantization_config", "quantised");
    refused(json!({"vision_config": {}}), "vision_config", "vision");
    refused(json!({"auto_map": {}}), "auto_map", "Python");
    // Published Phi-3 files name the code transformers no longer runs; no other code passes.
    let code = |model: &str| {
        json!({"auto_map": {
            "AutoConfig": "configuration_phi3.Phi3Config", "AutoModelForCausalLM": model,
        }})
    };
    assert!(changed(code("modeling_phi3.Phi3ForCausalLM")).is_ok());
    refused(code("modeling_mine.Phi3ForCausalLM"), "auto_map", "Python");
}

/// Configurations of all families.
fn fixture_configs() -> Vec<Map<String, Value>> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/models");
    let configs = std::fs::read_dir(models).unwrap().map(|entry| {
        let text = std::fs::read_to_string(entry.unwrap().path().join("config.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    });
    configs.collect()
}

#[test]
fn without_architectures_the_type_says_which_family_it_is() {
    for mut config in fixture_configs() {
        let spec = resolved(&config).unwrap();
        config.remove("architectures");
        assert_eq!(resolved(&config).unwrap(), spec);
        config["model_type"] = json!("other");
        let error = resolved(&config).unwrap_err().to_string();
        assert!(
            error.contains("`model_type`: \"other\" is not supported"),
            "{error}"
        );
        config.remove("model_type");
        let error = resolved(&config).unwrap_err().to_string();
        assert!(error.contains("`architectures`: is missing"), "{error}");
    }
}

#[test]
fn every_family_has_a_fixture() {
    let named: BTreeSet<String> = fixture_configs()
        .iter()
        .map(|config| config["architectures"][0].as_str().unwrap().to_owned())
        .collect();
    let known: BTreeSet<String> = FAMILIES
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(named, known);
}

/// Paths of the fields that hold a fraction, or may hold one.
fn fractions(value: &Value, path: &str, found: &mut Vec<String>) {
    const MAY: [&str; 9] = [
        "factor",
        "rope_theta",
        "low_freq_factor",
        "high_freq_factor",
        "beta_fast",
        "beta_slow",
        "query_pre_attn_scalar",
        "rotary_emb_base",
        "rope_local_base_freq",
    ];
    let Value::Object(fields) = value else {
        return;
    };
    for (name, value) in fields {
        let path = format!("{path}/{name}");
        if value.is_f64() || (value.is_number() && MAY.contains(&name.as_str())) {
            found.push(path.clone());
        }
        fractions(value, &path, found);
    }
}

#[test]
fn a_fraction_that_is_a_text_or_has_the_wrong_sign_is_refused_by_its_field() {
    let mut read = BTreeSet::new();
    for config in fixture_configs() {
        let spec = resolved(&config).unwrap();
        let config = Value::Object(config);
        let mut paths = Vec::new();
        fractions(&config, "", &mut paths);
        for path in paths {
            for value in [
                json!("-1"),
                json!("0.5"),
                json!(-1),
                json!(-1e-6),
                json!([1e-6]),
            ] {
                let mut config = config.clone();
                *config.pointer_mut(&path).unwrap() = value.clone();
                let changed = config.as_object().unwrap();
                match resolved(changed) {
                    // A field that is not read changes nothing.
                    Ok(other) => assert_eq!(other, spec, "{path}: {value}"),
                    Err(ModelError::Field { field, .. }) => {
                        let name = path[1..].replace('/', ".");
                        // Both names of the rope's fields must agree.
                        if field != "rope_scaling" {
                            assert_eq!(field, name, "{value}");
                        }
                        read.insert(name);
                    }
                    Err(other) => panic!("{path}: {value}: {other}"),
                }
            }
        }
    }
    for field in [
        "rms_norm_eps",
        "layer_norm_eps",
        "layer_norm_epsilon",
        "clip_qkv",
        "final_logit_softcapping",
        "attn_logit_softcapping",
        "query_pre_attn_scalar",
        "rope_theta",
        "partial_rotary_factor",
        "rope_parameters.factor",
        "rope_parameters.attention_factor",
        "rope_scaling.beta_fast",
        "rope_parameters.mscale",
    ] {
        assert!(read.contains(field), "{field} is not among {read:?}");
    }
}

#[test]
fn no_value_of_any_field_of_any_family_is_more_than_refused() {
    let odd = [
        json!(null),
        json!(true),
        json!("x"),
        json!(-1),
        json!(0),
        json!(1),
        json!(7),
        json!(0.3),
        json!(1e300),
        json!(i64::MAX),
        json!([]),
        json!([3, "x"]),
        json!({}),
        json!({"rope_type": "yarn", "type": 3}),
        json!({"full_attention": 1}),
    ];
    let mut refused = 0;
    for config in fixture_configs() {
        assert!(resolved(&config).is_ok(), "{config:?}");
        for field in config.keys() {
            for value in &odd {
                let mut changed = config.clone();
                changed.insert(field.clone(), value.clone());
                refused += usize::from(resolved(&changed).is_err());
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn families_refuse_what_only_they_could_mean() {
    let of = |architecture: &str, mut fields: Value| {
        fields["architectures"] = json!([architecture]);
        fields
    };
    for (architecture, fields, field, because) in [
        (
            "MistralForCausalLM",
            json!({"layer_types": ["full_attention"], "num_key_value_heads": 4}),
            "layer_types",
            "ignores",
        ),
        (
            "Qwen2ForCausalLM",
            json!({"layer_types": ["sliding_attention", "full_attention", "full_attention"]}),
            "layer_types",
            "no window",
        ),
        (
            "Qwen2ForCausalLM",
            json!({"layer_types": ["full_attention"]}),
            "layer_types",
            "1 entries for 3 layers",
        ),
        (
            "Gemma2ForCausalLM",
            json!({
                "layer_types": ["full_attention", "linear_attention", "full_attention"],
            }),
            "layer_types",
            "linear_attention",
        ),
        (
            "Gemma3ForCausalLM",
            json!({"use_bidirectional_attention": true}),
            "use_bidirectional_attention",
            "causal",
        ),
        (
            "Gemma3ForCausalLM",
            json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}}),
            "rope_parameters.sliding_attention",
            "is missing",
        ),
        (
            "MixtralForCausalLM",
            json!({"num_local_experts": 2, "num_experts_per_tok": 3, "num_key_value_heads": 4}),
            "num_experts_per_tok",
            "more than num_local_experts = 2",
        ),
        (
            "OlmoeForCausalLM",
            json!({"clip_qkv": 0}),
            "clip_qkv",
            "above 0",
        ),
        (
            "SmolLM3ForCausalLM",
            json!({"no_rope_layers": [1, 0, 2], "num_key_value_heads": 4}),
            "no_rope_layers",
            "0 or 1",
        ),
        (
            "Phi3ForCausalLM",
            json!({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
            "rope_scaling",
            "longrope",
        ),
        (
            "GPT2LMHeadModel",
            json!({"n_embd": 30, "n_head": 4, "n_layer": 3}),
            "n_head",
            "does not divide",
        ),
        (
            "GPTNeoXForCausalLM",
            json!({"rotary_pct": 0.1}),
            "rotary_pct",
            "must be even",
        ),
    ] {
        refused(of(architecture, fields), field, because);
    }
}

#[test]
fn a_configuration_that_is_no_object_or_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let read = || {
        Config::read(directory.path(), "config.json")
            .unwrap_err()
            .to_string()
    };
    assert!(read().contains("config.json: "));
    for broken in ["[1]", "{\"a\":", ""] {
        std::fs::write(directory.path().join("config.json"), broken).unwrap();
        assert!(read().contains("config.json: "), "{broken}");
    }
}

#[test]
fn stop_tokens_are_those_of_the_generation_config_else_of_the_config() {
    use super::super::stop_tokens;
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        std::fs::write(directory.path().join(file), text).unwrap();
    };
    assert!(stop_tokens(directory.path()).unwrap().is_empty());
    write("config.json", r#"{"eos_token_id": 7}"#);
    assert_eq!(stop_tokens(directory.path()).unwrap(), [7]);
    write("generation_config.json", r#"{"eos_token_id": [9, 8, 9]}"#);
    assert_eq!(stop_tokens(directory.path()).unwrap(), [8, 9]);
    write("generation_config.json", r#"{"eos_token_id": null}"#);
    assert_eq!(stop_tokens(directory.path()).unwrap(), [7]);
    write("generation_config.json", r#"{"eos_token_id": ["</s>"]}"#);
    let error = stop_tokens(directory.path()).unwrap_err().to_string();
    assert!(
        error.contains("generation_config.json: `eos_token_id`"),
        "{error}"
    );
}
