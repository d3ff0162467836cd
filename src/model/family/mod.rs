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

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::{
        super::{Activation, RopeScaling},
        *,
    };

    /// The least a Llama's configuration must say.
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

    /// The least, with some fields changed; `null` takes one away.
    fn changed(changes: Value) -> Result<ModelSpec, ModelError> {
        let (Value::Object(mut fields), Value::Object(changes)) = (least(), changes) else {
            panic!("both are objects");
        };
        fields.extend(changes);
        resolved(&fields)
    }

    fn resolved(fields: &Map<String, Value>) -> Result<ModelSpec, ModelError> {
        let directory = tempfile::tempdir().unwrap();
        let text = serde_json::to_string(fields).unwrap();
        std::fs::write(directory.path().join("config.json"), text).unwrap();
        let config = Config::read(directory.path(), "config.json")?;
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
        assert!(!layer.attention.input_bias && !layer.attention.output_bias && !layer.mlp.bias);
        assert_eq!(layer.attention.rope.theta, 10_000.0);
        assert_eq!(layer.attention.rope.scaling, RopeScaling::Default);
        assert_eq!(layer.mlp.activation, Activation::Silu);
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
        let yarn = json!({"rope_type": "yarn", "factor": 4.0});
        refused(
            json!({"rope_parameters": yarn}),
            "rope_parameters.rope_type",
            "yarn",
        );
        refused(
            json!({"rope_scaling": yarn}),
            "rope_scaling.rope_type",
            "yarn",
        );
        let old = json!({"type": "dynamic", "factor": 4.0});
        refused(json!({"rope_scaling": old}), "rope_scaling.type", "dynamic");
    }

    #[test]
    fn a_rope_that_lacks_a_number_is_refused_by_its_dotted_name() {
        let linear = json!({"rope_type": "linear"});
        refused(
            json!({"rope_scaling": linear}),
            "rope_scaling.factor",
            "is missing",
        );
        let llama3 = json!({
            "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
        });
        refused(
            json!({"rope_parameters": llama3}),
            "rope_parameters.original_max_position_embeddings",
            "is missing",
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
        assert_eq!(old.layers[2].attention.rope.theta, 5e5);
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
        refused(json!({"auto_map": {}}), "auto_map", "Python");
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
}
