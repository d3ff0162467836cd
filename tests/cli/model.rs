//! `cola generate`, `verify` and `inspect`: one model, no task.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use crate::support_cli::{
    Place, count, demo_model, fixture_model, fixture_reference, list, number, text,
};
use safetensors::{SafeTensors, tensor::TensorView};
use serde_json::{Value, json};

const MODELS: [&str; 6] = [
    "biases-f32",
    "head-dim-f32",
    "llama2-mha-f32",
    "llama31-gqa-tied-bf16",
    "rope-parameters-f32",
    "sharded-f16",
];

const DIAL: &str = "generate --model @demo --prompt Dial~43~up~8.";

fn generate(place: &Place, flags: &[&str]) -> Value {
    let mut words = crate::support_cli::words("generate --json --model");
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    place.run_with(&words).with_status(0).json()
}

#[test]
fn generate_prints_the_new_text_and_nothing_else() {
    let place = Place::new();
    let demo = demo_model();
    let demo = demo.to_str().unwrap();
    let prompt = "Dial 43 up 8.\nAnswer:";
    let flags = [demo, "--prompt", prompt, "--max-new-tokens", "6"];
    let object = generate(&place, &flags);
    let keys: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["chain", "prompt_tokens", "tokens", "text", "finish"]);
    assert_eq!(object["chain"], "0-11");
    let mut words = crate::support_cli::words("generate --model");
    words.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let plain = place.run_with(&words).with_status(0);
    assert_eq!(
        (plain.stdout.as_str(), plain.stderr.as_str()),
        (text(&object["text"]), "")
    );
    assert!(!plain.stdout.contains("Dial"));
    assert!(
        plain.stdout.starts_with(' '),
        "the space before the answer: {:?}",
        plain.stdout
    );

    // What is generated in two goes is what is generated in one.
    let first = generate(&place, &[demo, "--prompt", prompt, "--max-new-tokens", "1"]);
    assert_eq!(list(&first["tokens"]).len(), 1);
    assert_eq!(first["tokens"][0], object["tokens"][0]);
    let longer = format!("{prompt}{}", text(&first["text"]));
    let rest = generate(
        &place,
        &[demo, "--prompt", &longer, "--max-new-tokens", "5"],
    );
    assert_eq!(list(&rest["tokens"]), &list(&object["tokens"])[1..]);
}

#[test]
fn sampled_text_belongs_to_its_seed_and_a_temperature_of_nothing_is_greedy() {
    let place = Place::new();
    let demo = demo_model();
    let prompt = "Dial 43 up 8 up 17 down 3 up 11 down 9 up 2.\nAnswer:";
    let tokens = |flags: &str| {
        let mut all = vec![demo.to_str().unwrap(), "--prompt", prompt];
        all.extend(["--max-new-tokens", "2"]);
        all.extend(flags.split_whitespace());
        generate(&place, &all)["tokens"].clone()
    };
    let greedy = tokens("");
    assert_eq!(tokens("--temperature 0 --seed 4"), greedy);
    assert_eq!(tokens("--temperature 0.001 --seed 4"), greedy);
    assert_eq!(tokens("--temperature 3 --top-p 0.0001"), greedy);
    let drawn: Vec<Value> = (0..8)
        .map(|seed| tokens(&format!("--temperature 3 --seed {seed}")))
        .collect();
    assert_eq!(tokens("--temperature 3 --seed 5"), drawn[5]);
    assert!(drawn.iter().any(|other| *other != drawn[0]));
    for (flags, said) in [
        ("--top-p 0.5", "--top-p 0.5: the most likely token is taken"),
        ("--temperature -1", "expected a number, 0 or more"),
        ("--temperature nan", "expected a number, 0 or more"),
        (
            "--temperature 1 --top-p 0",
            "expected a number above 0, at most 1",
        ),
        (
            "--temperature 1 --top-p 1.5",
            "expected a number above 0, at most 1",
        ),
    ] {
        let refused = place.run(&format!("{DIAL} {flags}")).with_status(2);
        assert!(refused.stderr.contains(said), "{}", refused.stderr);
    }
}

#[test]
fn generation_ends_at_its_length_and_at_end_tokens() {
    let place = Place::new();
    let demo = demo_model();
    let free = [
        "--prompt",
        "Dial 43 up 8.\nAnswer:",
        "--max-new-tokens",
        "5",
    ];
    let with =
        |model: &str, more: &[&str]| generate(&place, &[&[model][..], &free[..], more].concat());
    let endless = with(demo.to_str().unwrap(), &["--ignore-eos"]);
    let tokens = list(&endless["tokens"]);
    assert_eq!((tokens.len(), &endless["finish"]), (5, &json!("length")));

    // Whichever token comes third becomes an end token; a list may hold several.
    let stop = tokens[2].clone();
    let before = tokens.iter().position(|token| *token == stop).unwrap();
    let model = place.model_copy("m");
    for end in [stop.clone(), json!([814, stop])] {
        model.edit("generation_config.json", |config| {
            config["eos_token_id"] = end
        });
        let object = with("m", &[]);
        assert_eq!(object["finish"], "stop");
        assert_eq!(list(&object["tokens"]), &tokens[..before]);
        assert_eq!(with("m", &["--ignore-eos"])["tokens"], endless["tokens"]);
    }
    // Without generation_config.json, config.json says it.
    model.remove("generation_config.json");
    model.edit("config.json", |config| {
        config["eos_token_id"] = stop.clone()
    });
    assert_eq!(list(&with("m", &[])["tokens"]), &tokens[..before]);
    model.edit("config.json", |config| {
        config["eos_token_id"] = json!("</s>")
    });
    let refused = place.refused("generate --model m --prompt x");
    assert!(
        refused.contains("m/config.json") && refused.contains("eos_token_id"),
        "{refused}"
    );
}

#[test]
fn an_empty_prompt_starts_from_the_beginning_of_a_text() {
    let place = Place::new();
    let demo = demo_model();
    let object = generate(&place, &[demo.to_str().unwrap(), "--prompt", ""]);
    assert_eq!(list(&object["prompt_tokens"]).len(), 1);
    // A model without such a token has nothing to start from.
    let model = place.model_copy("m");
    model.edit("tokenizer.json", |t| t["post_processor"] = Value::Null);
    let mut words = crate::support_cli::words("generate --model m --prompt");
    words.push(String::new());
    let reason = crate::support_cli::refusal(place.run_with(&words));
    assert!(reason.contains("prompt is empty"), "{reason}");
}

#[test]
fn a_chain_is_executed_as_it_is_written() {
    let place = Place::new();
    let demo = demo_model();
    let demo = demo.to_str().unwrap();
    let prompt = [
        "--prompt",
        "Dial 5",
        "--max-new-tokens",
        "4",
        "--ignore-eos",
        "--chain",
    ];
    let of = |chain: &str| generate(&place, &[&[demo][..], &prompt, &[chain]].concat());
    assert_eq!(of("0-3,(4-5)x3,6-11"), of("0-5,4-5,4,5,6,7,8..11"));
    assert_eq!(of("empty")["chain"], "empty");
    assert_eq!(list(&of("11-0")["tokens"]).len(), 4);
}

#[test]
fn chat_puts_the_prompt_through_the_models_template() {
    let place = Place::new();
    let model = place.model_copy("m");
    model.with_chat_template(
        "{% for m in messages %}{{ bos_token }}{{ m.role }}: {{ m.content }}\n{% endfor %}\
         {% if add_generation_prompt %}Answer:{% endif %}",
    );
    let chat = generate(&place, &["m", "--prompt", "Dial 5 up 3.", "--chat"]);
    let plain = generate(&place, &["m", "--prompt", "user: Dial 5 up 3.\nAnswer:"]);
    assert_eq!(
        chat["prompt_tokens"], plain["prompt_tokens"],
        "one beginning token, not two"
    );
    assert_eq!(chat["text"], plain["text"]);
}

#[test]
fn every_fixture_is_verified_within_tolerance() {
    let place = Place::new();
    for name in MODELS {
        let files = format!(
            "--model {} --reference {}",
            fixture_model(name).display(),
            fixture_reference(name).display()
        );
        let ended = place.ok(&format!("verify {files} --json"));
        let object = ended.json();
        assert_eq!(count(&object["failed"]), 0, "{name}");
        let cases = list(&object["cases"]);
        assert_eq!(cases.len(), 10, "{name}");
        for case in cases {
            assert!(number(&case["max_difference"]) <= 2e-4, "{name}: {case}");
            assert_eq!(
                case["argmax_agree"][0], case["argmax_agree"][1],
                "{name}: {case}"
            );
            assert_eq!(case["passes"], true);
        }
    }
}

#[test]
fn a_difference_past_the_tolerance_is_status_1() {
    let place = Place::new();
    let model = fixture_model("biases-f32");
    let reference = fixture_reference("biases-f32");
    let verify = |file: &Path, more: &str| {
        let line = format!(
            "verify --model {} --reference {}",
            model.display(),
            file.display()
        );
        place.run(&format!("{line} {more}"))
    };
    // Rounding alone is past a tolerance of nothing.
    let strict = verify(&reference, "--tolerance 0").with_status(1);
    assert!(strict.stdout.contains("DIFFERS"), "{}", strict.stdout);
    let lines: Vec<&str> = strict.stdout.lines().collect();
    assert_eq!(
        lines.len(),
        11,
        "a line a case and one for all: {}",
        strict.stdout
    );
    assert!(
        lines[..10]
            .iter()
            .enumerate()
            .all(|(k, line)| line.starts_with(&format!("case {k}:")))
    );

    // One logit of one case moved by 0.01.
    let mut bytes = std::fs::read(&reference).unwrap();
    let at = {
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let logits = file.tensor("case3.logits").unwrap();
        logits.data().as_ptr() as usize - bytes.as_ptr() as usize
    };
    let logit = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    bytes[at..at + 4].copy_from_slice(&(logit - 0.01).to_le_bytes());
    let moved = place.write("moved.safetensors", &bytes);
    let ended = verify(&moved, "").with_status(1);
    let differing: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|l| l.contains("DIFFERS"))
        .collect();
    assert_eq!(differing.len(), 1, "{}", ended.stdout);
    assert!(differing[0].starts_with("case 3:"), "{}", ended.stdout);
    assert!(
        ended.stdout.ends_with("9 of 10 cases within 2e-4\n"),
        "{}",
        ended.stdout
    );
    verify(&moved, "--tolerance 0.1").with_status(0);

    // Not a number is never within.
    bytes[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let nan = place.write("nan.safetensors", &bytes);
    let ended = verify(&nan, "--tolerance 1e9 --json").with_status(1);
    assert_eq!(ended.json()["cases"][3]["passes"], false);
}

#[test]
fn a_reference_file_in_part_is_refused() {
    let place = Place::new();
    let bytes = std::fs::read(fixture_reference("biases-f32")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap();
    let write = |name: &str, keep: &dyn Fn(&str) -> bool, metadata: HashMap<String, String>| {
        let kept: Vec<(String, TensorView<'_>)> = file
            .tensors()
            .into_iter()
            .filter(|(name, _)| keep(name))
            .collect();
        place.write(name, safetensors::serialize(kept, Some(metadata)).unwrap())
    };
    let refused = |path: &Path, names: &[&str]| {
        let model = fixture_model("biases-f32");
        let line = format!(
            "verify --model {} --reference {}",
            model.display(),
            path.display()
        );
        let reason = place.refused(&line);
        for name in names {
            assert!(reason.contains(name), "{reason}\nlacks {name}");
        }
    };
    let no_logits = write("a", &|name| name != "case2.logits", metadata.clone());
    refused(&no_logits, &["case2.logits"]);
    let no_tokens = write("b", &|name| name != "case0.input_ids", metadata.clone());
    refused(&no_tokens, &["case0.input_ids"]);
    let mut chain = metadata.clone();
    chain.insert("case1.chain".into(), "0-99".into());
    refused(&write("c", &|_| true, chain), &["0-99"]);
    // Cases are numbered without gaps: those after one would be passed over in silence.
    let mut gap = metadata.clone();
    gap.remove("case4.chain");
    refused(&write("d", &|_| true, gap), &["case4"]);
}

#[test]
fn inspect_counts_what_the_files_hold() {
    let place = Place::new();
    for name in MODELS {
        let model = fixture_model(name);
        let (mut parameters, mut bytes) = (0, 0);
        for entry in std::fs::read_dir(&model).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "safetensors") {
                let content = std::fs::read(&path).unwrap();
                bytes += content.len() as u64;
                let file = SafeTensors::deserialize(&content).unwrap();
                let sizes = file
                    .tensors()
                    .into_iter()
                    .map(|(_, t)| t.shape().iter().product::<usize>());
                parameters += sizes.sum::<usize>() as u64;
            }
        }
        let config: Value =
            serde_json::from_str(&std::fs::read_to_string(model.join("config.json")).unwrap())
                .unwrap();
        let line = format!("inspect --model {}", model.display());
        let object = place.ok(&format!("{line} --json")).json();
        assert_eq!(object["architecture"], "LlamaForCausalLM", "{name}");
        assert_eq!(object["layers"], config["num_hidden_layers"], "{name}");
        assert_eq!(count(&object["parameters"]), parameters, "{name}");
        assert_eq!(count(&object["weights_bytes"]), bytes, "{name}");
        assert_eq!(
            count(&object["memory_bytes"]["f32"]),
            4 * parameters,
            "{name}"
        );
        assert_eq!(
            count(&object["memory_bytes"]["bf16"]),
            2 * parameters,
            "{name}"
        );
        let dtype = name.rsplit('-').next().unwrap();
        assert_eq!(object["stored_dtype"], dtype, "{name}");

        if name != "sharded-f16" {
            continue;
        }
        let table = place.ok(&line).stdout;
        let of = |label: &str| {
            let line = table.lines().find(|line| line.starts_with(label)).unwrap();
            line[label.len()..].trim().to_owned()
        };
        assert_eq!(
            of("parameters").replace(',', ""),
            parameters.to_string(),
            "{name}"
        );
        assert_eq!(
            of("layers  "),
            config["num_hidden_layers"].to_string(),
            "{name}"
        );
        assert!(of("weights").starts_with(dtype), "{table}");
        assert!(
            table.contains("rope         theta 500000, 8 of each head"),
            "{table}"
        );
        assert!(!table.contains("refused"), "{table}");
    }
}

#[test]
fn half_precision_runs_on_the_cpu_too() {
    let place = Place::new();
    for dtype in ["f32", "bf16", "f16"] {
        let ended = place.run(&format!("{DIAL} --dtype {dtype} --max-new-tokens 2"));
        assert!(!ended.with_status(0).stdout.is_empty(), "{dtype}");
    }
}

#[test]
fn inspect_describes_every_layer_of_every_family_and_finds_nothing_to_refuse() {
    let place = Place::new();
    let models = fixture_model("");
    let mut seen = String::new();
    for entry in std::fs::read_dir(models).unwrap() {
        let model = entry.unwrap().path();
        seen += &place
            .ok(&format!("inspect --model {}", model.display()))
            .stdout;
    }
    assert!(!seen.contains("would be refused"), "{seen}");
    for part in [
        "sliding window of 8",
        "scores capped at",
        "values cut at",
        "norm of each query and key head",
        "norm of all query and all key heads",
        "a shared expert",
        "yarn by",
        "longrope, other divisors past",
        "dynamic scaling by",
        "attention and MLP side by side",
        "RMS with 1 + w",
        "LayerNorm",
        "rope         none",
    ] {
        assert!(seen.contains(part), "{part}");
    }
}

#[test]
fn inspect_lists_every_tensor_that_loading_would_refuse() {
    let place = Place::new();
    let copy = place.model_copy("wider");
    copy.edit("config.json", |config| {
        let width = config["intermediate_size"].as_i64().unwrap();
        config["intermediate_size"] = json!(width + 8);
    });
    let ended = place.run("inspect --model wider");
    let table = ended.with_status(1).stdout;
    assert_eq!(table.matches("has shape").count(), 3 * 12, "{table}");
    assert!(
        table.contains("model.layers.11.mlp.down_proj.weight"),
        "{table}"
    );
}

#[test]
fn a_shared_slot_is_verified_for_models_that_see_all_and_refused_for_windows() {
    let place = Place::new();
    let model = fixture_model("qwen3-head-dim-bf16");
    let reference = fixture_reference("qwen3-head-dim-bf16.shared-slot");
    let (model, reference) = (model.display(), reference.display());
    let verify = format!("verify --model {model} --reference {reference}");
    place.ok(&format!("{verify} --repeat shared-slot --tolerance 1e-4"));
    place.run(&verify).with_status(1);
    let window = fixture_model("mistral-window-bf16");
    let line = format!(
        "verify --model {} --reference {reference}",
        window.display()
    );
    let said = place.refused(&format!("{line} --repeat shared-slot"));
    assert!(said.contains("--repeat shared-slot"), "{said}");
    assert!(said.contains("sliding window"), "{said}");
}

#[test]
fn a_gguf_file_is_verified_and_inspected_and_takes_a_tokenizer() {
    let place = Place::new();
    let gguf = crate::support_cli::repository().join("tests/fixtures/gguf");
    let file = |name: &str| gguf.join(name).display().to_string();
    let verified = place.ok(&format!(
        "verify --model {} --reference {}",
        file("qwen2-q4_1.gguf"),
        file("qwen2-q4_1.safetensors")
    ));
    assert!(
        verified.stdout.contains("5 of 5 cases within"),
        "{verified:#?}"
    );
    let found = place.ok(&format!(
        "inspect --json --model {}",
        file("qwen2-q4_1.gguf")
    ));
    let stored = found.json()["stored"].clone();
    assert_eq!(stored[0]["encoding"], "Q4_1");
    let tensors = stored[0]["tensors"].as_array().unwrap();
    assert!(tensors.contains(&"blk.0.attn_q.weight".into()), "{stored}");
    // Five bits a weight against 32.
    let (bytes, f32_bytes) = (&stored[0]["bytes"], &stored[0]["f32_bytes"]);
    assert_eq!(
        32 * bytes.as_u64().unwrap(),
        5 * f32_bytes.as_u64().unwrap()
    );

    let generate = format!(
        "generate --prompt the --max-new-tokens 3 --model {}",
        file("llama-f32.gguf")
    );
    let refused = place.run(&generate).with_status(2);
    for name in ["llama-f32.gguf", "tokenizer.ggml.model", "--tokenizer DIR"] {
        assert!(refused.stderr.contains(name), "{refused:#?}");
    }
    let refused = place
        .run(&format!("{generate} --tokenizer none"))
        .with_status(2);
    assert!(
        refused
            .stderr
            .contains("--tokenizer none: no such directory"),
        "{refused:#?}"
    );
    let llama3 = place.ok(&format!(
        "inspect --json --model {}",
        file("llama3-tied-bf16.gguf")
    ));
    assert_eq!(
        llama3.json()["spec"]["layers"][0]["attention"]["rope"]["scaling"]["rope_type"],
        "divided"
    );
}

/// The files of trials that are remembered, with their contents.
fn trials(place: &Place) -> Vec<(PathBuf, String)> {
    let directory = place.join("cache/cola/trials");
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[test]
fn the_outcome_of_the_trial_is_kept_in_the_users_cache_and_found_there() {
    let place = Place::new();
    let run = |caches: &str, flags: &str| {
        let mut command = crate::support_cli::cola(place.path());
        command.env_remove("OMP_NUM_THREADS");
        command.env("XDG_CACHE_HOME", place.join(caches));
        let line = format!("{DIAL} --max-new-tokens 1 {flags}");
        let output = command.args(crate::support_cli::words(&line)).output();
        let ended = crate::support_cli::Ended::of(output.unwrap()).with_status(0);
        assert_eq!(ended.stderr, "");
        ended.stdout
    };
    let text = run("cache", "--workers 1");
    assert_eq!(trials(&place), [], "there was nothing to try");
    assert_eq!(run("cache", ""), text);
    let [(path, outcome)] = trials(&place).try_into().unwrap();
    // Another outcome stays: it was read, and no trial was made.
    let mut other: Value = serde_json::from_str(&outcome).unwrap();
    other["workers"] = json!(1);
    other["threads"] = json!(1);
    other["note"] = json!("by hand");
    std::fs::write(&path, other.to_string()).unwrap();
    assert_eq!(run("cache", ""), text);
    assert_eq!(trials(&place), [(path.clone(), other.to_string())]);
    std::fs::write(&path, "{").unwrap();
    assert_eq!(run("cache", ""), text);
    let [(again, outcome)] = trials(&place).try_into().unwrap();
    assert_eq!(again, path);
    let outcome: Value = serde_json::from_str(&outcome).unwrap();
    assert_eq!(outcome["subject"], other["subject"]);
    // Where there can be no directory.
    place.write("file", "");
    assert_eq!(run("file", ""), text);
}
