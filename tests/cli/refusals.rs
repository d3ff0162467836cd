//! What cannot run is refused: one line on standard error that names the file, field or flag,
//! status 2, and nothing written.

use crate::support_cli::{Place, fixture_reference, json_lines, list, to_json_lines};
use serde_json::{Value, json};

/// A place with questions of both kinds.
fn place() -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 1, 4);
    place.synth("facts.jsonl", "commonsense", 1, 4);
    place
}

/// Asserts that the command line is refused in words that contain all of `names`.
#[track_caller]
fn refused(place: &Place, line: &str, names: &[&str]) {
    let reason = place.refused(line);
    for name in names {
        assert!(reason.contains(name), "{line}\n{reason}\nlacks {name:?}");
    }
}

/// The same of a search, which must not have made its run directory.
#[track_caller]
fn search_refused(place: &Place, flags: &str, names: &[&str]) {
    refused(place, &format!("search {flags} --out run"), names);
    assert!(!place.has("run"), "{flags}: wrote a run directory");
}

/// clap's own errors: its format, status 2, nothing on standard output.
#[track_caller]
fn misused(place: &Place, line: &str, names: &[&str]) {
    let ended = place.run(line).with_status(2);
    assert_eq!(ended.stdout, "", "{line}");
    for name in names {
        assert!(
            ended.stderr.contains(name),
            "{line}\n{}\nlacks {name:?}",
            ended.stderr
        );
    }
}

#[test]
fn a_model_that_is_no_directory_is_refused_by_its_flag() {
    let place = place();
    let task = "--task arith --data arith.jsonl";
    refused(
        &place,
        "inspect --model ./none",
        &["--model ./none", "no such directory", "org/name"],
    );
    // It could be a model of the hub, which nothing is asked of here.
    refused(
        &place,
        "inspect --model none",
        &["--model none", "no such directory", "HF_HUB_OFFLINE"],
    );
    let file = ["--model", "demo/config.json", "is a file"];
    refused(
        &place,
        "verify --model @demo/config.json --reference arith.jsonl",
        &file,
    );
    let id = ["--model meta-llama/Llama-3.2-1B", "no such directory"];
    search_refused(
        &place,
        &format!("--model meta-llama/Llama-3.2-1B {task}"),
        &id,
    );
    refused(
        &place,
        &format!("eval --model none {task}"),
        &["--model none"],
    );
    refused(
        &place,
        "generate --model none --prompt x",
        &["--model none"],
    );
}

#[test]
fn broken_weights_are_refused_by_file_and_tensor() {
    let place = place();
    let search = "--model m --task arith --data arith.jsonl";
    let model = place.model_copy("m");
    model.cut("model.safetensors", 1_000_000);
    search_refused(
        &place,
        search,
        &["m/model.safetensors", "not a complete safetensors"],
    );
    for length in [1000, 0] {
        model.cut("model.safetensors", length);
        refused(&place, "inspect --model m", &["m/model.safetensors"]);
    }
    model.remove("model.safetensors");
    search_refused(&place, search, &["m", "model.safetensors"]);

    let deeper = place.model_copy("deeper");
    let layers = deeper.json("config.json")["num_hidden_layers"]
        .as_u64()
        .unwrap();
    deeper.edit("config.json", |c| {
        c["num_hidden_layers"] = (layers + 1).into()
    });
    let missing = format!("model.layers.{layers}.");
    let search = "--model deeper --task arith --data arith.jsonl";
    search_refused(&place, search, &["deeper", &missing, "missing"]);

    // A tensor more than the configuration has is another model.
    deeper.edit("config.json", |c| {
        c["num_hidden_layers"] = (layers - 1).into()
    });
    let surplus = format!("model.layers.{}.", layers - 1);
    search_refused(
        &place,
        search,
        &["model.safetensors", &surplus, "config.json"],
    );

    deeper.edit("config.json", |c| {
        c["num_hidden_layers"] = layers.into();
        c["intermediate_size"] = 128.into();
    });
    let shape = [
        "model.safetensors",
        "mlp.gate_proj.weight",
        "shape",
        "[128, 128]",
    ];
    search_refused(&place, search, &shape);
}

#[test]
fn a_broken_configuration_is_refused_by_file_and_field() {
    let place = place();
    let model = place.model_copy("m");
    let whole = model.json("config.json");
    let with = |field: &str, value: Value| {
        let mut config = whole.clone();
        config[field] = value;
        config.to_string()
    };
    for (text, names) in [
        ("{\"a\":".to_owned(), vec!["m/config.json"]),
        (
            with("architectures", json!(["MambaForCausalLM"])),
            vec![
                "m/config.json",
                "architectures",
                "MambaForCausalLM",
                "LlamaForCausalLM",
            ],
        ),
        (
            with("hidden_size", json!("wide")),
            vec!["m/config.json", "hidden_size", "wide"],
        ),
        (
            with("num_attention_heads", Value::Null),
            vec!["m/config.json", "num_attention_heads", "missing"],
        ),
        (
            with(
                "rope_parameters",
                json!({"rope_type": "twisted", "factor": 2.0}),
            ),
            vec!["m/config.json", "rope", "twisted"],
        ),
        (
            with("hidden_act", json!("relu9")),
            vec!["m/config.json", "hidden_act", "relu9"],
        ),
    ] {
        model.write("config.json", text);
        refused(&place, "inspect --model m", &names);
    }
    model.remove("config.json");
    let search = "--model m --task arith --data arith.jsonl";
    search_refused(&place, search, &["m/config.json"]);
}

#[test]
fn a_broken_tokenizer_is_refused_by_file() {
    let place = place();
    let model = place.model_copy("m");
    let search = "--model m --task arith --data arith.jsonl";
    model.write("tokenizer.json", "{\"x\"");
    search_refused(&place, search, &["m/tokenizer.json"]);
    model.remove("tokenizer.json");
    search_refused(&place, search, &["m/tokenizer.json", "no such file"]);
    refused(
        &place,
        "generate --model m --prompt x",
        &["m/tokenizer.json"],
    );
}

#[test]
fn a_missing_chat_template_is_refused() {
    let place = place();
    let names = ["tokenizer.json", "no chat template", "--chat"];
    refused(&place, "generate --model @demo --prompt x --chat", &names);
    search_refused(
        &place,
        "--model @demo --task arith --data arith.jsonl --chat",
        &names,
    );
    refused(
        &place,
        "eval --model @demo --task arith --data arith.jsonl --chat --out out",
        &names,
    );
    assert!(!place.has("out"));
}

#[test]
fn what_a_chat_template_raises_is_one_line() {
    let place = place();
    let model = place.model_copy("m");
    model.with_chat_template("{{ raise_exception('no\nsuch\n\ntalk') }}");
    let names = ["tokenizer_config.json", "chat template", "no such talk"];
    refused(&place, "generate --model m --prompt x --chat", &names);
    model.with_chat_template("{% if %}");
    refused(
        &place,
        "generate --model m --prompt x",
        &["tokenizer_config.json", "chat template"],
    );
}

#[test]
fn broken_data_is_refused_by_file_and_line() {
    let place = place();
    let good = place.read("arith.jsonl");
    place.write("malformed.jsonl", format!("{good}\n{{\"id\": 3, oops\n"));
    place.write("list.jsonl", format!("{good}[1, 2]\n"));
    place.write("empty.jsonl", "");
    place.write(
        "column.jsonl",
        format!("{good}{{\"id\": 9, \"question\": \"x\"}}\n"),
    );
    place.write("rows.csv", "id,question\n");
    place.write("rows.json", "{\"samples\": [");
    for (data, names) in [
        ("malformed.jsonl", vec!["malformed.jsonl:6", "not JSON"]),
        ("list.jsonl", vec!["list.jsonl:5", "JSON object"]),
        ("empty.jsonl", vec!["empty.jsonl", "no rows"]),
        ("column.jsonl", vec!["column.jsonl:5", "`answer`", "arith"]),
        ("rows.csv", vec!["rows.csv", "no rows"]),
        ("rows.json", vec!["rows.json:1", "not JSON"]),
        ("none.jsonl", vec!["none.jsonl"]),
    ] {
        search_refused(
            &place,
            &format!("--model @demo --task arith --data {data}"),
            &names,
        );
    }
    let eval = "eval --model @demo --task arith --data malformed.jsonl --out run";
    refused(&place, eval, &["malformed.jsonl:6"]);
    assert!(!place.has("run"));
    // A task without data of its own says how to give it some.
    search_refused(
        &place,
        "--model @demo --task arc_easy",
        &["arc_easy", "--data"],
    );
    search_refused(&place, "--model @demo --task arith", &["arith", "--data"]);
}

#[test]
fn a_gold_label_that_is_not_among_the_choices_is_refused_by_line() {
    let place = place();
    let mut rows = json_lines(&place.read("facts.jsonl"));
    rows[2]["answerKey"] = "Z".into();
    place.write("gold.jsonl", to_json_lines(&rows));
    let names = ["gold.jsonl:3", "commonsense", "`Z`"];
    search_refused(
        &place,
        "--model @demo --task commonsense --data gold.jsonl",
        &names,
    );
}

#[test]
fn a_broken_task_is_refused_by_file_and_key() {
    let place = place();
    let arith = include_str!("../../datasets/arith.yaml");
    let with = |from: &str, to: &str| {
        assert!(arith.contains(from), "{from}");
        arith.replacen(from, to, 1)
    };
    let target = "doc_to_target: answer";
    place.write("key.yaml", format!("{arith}shuffle_it: true\n"));
    place.write(
        "python.yaml",
        with(target, "doc_to_target: !function utils.gold"),
    );
    place.write("jinja.yaml", with("{{question}}", "{{question"));
    place.write("yaml.yaml", "task: [");
    place.write("type.yaml", with("generate_until", "ranking"));
    place.write("metric.yaml", with("metric: exact_match", "metric: bleu"));
    place.write(
        "filter.yaml",
        with("function: take_first", "function: take_all"),
    );
    place.write("sampling.yaml", with("do_sample: false", "do_sample: true"));
    for (task, names) in [
        ("nosuch", vec!["`nosuch`", "arith", "arc_challenge", "YAML"]),
        ("nosuch.yaml", vec!["nosuch.yaml"]),
        ("key.yaml", vec!["key.yaml", "shuffle_it"]),
        (
            "python.yaml",
            vec!["python.yaml", "doc_to_target", "!function", "utils.gold"],
        ),
        ("jinja.yaml", vec!["jinja.yaml", "doc_to_text"]),
        ("yaml.yaml", vec!["yaml.yaml", "line 2"]),
        (
            "type.yaml",
            vec!["type.yaml", "output_type", "loglikelihood"],
        ),
        ("metric.yaml", vec!["metric.yaml", "metric_list", "bleu"]),
        (
            "filter.yaml",
            vec!["filter.yaml", "filter_list", "take_all"],
        ),
        ("sampling.yaml", vec!["sampling.yaml", "do_sample"]),
    ] {
        let flags = format!("--model @demo --task {task} --data arith.jsonl");
        search_refused(&place, &flags, &names);
    }
}

#[test]
fn tasks_and_data_must_come_in_pairs() {
    let place = place();
    let model = "--model @demo";
    let two = format!("{model} --task arith --data arith.jsonl facts.jsonl");
    search_refused(&place, &two, &["--data", "2 files for 1 task"]);
    let one = format!("{model} --task arith commonsense --data arith.jsonl");
    search_refused(&place, &one, &["--data", "1 file"]);
    let twice = format!("{model} --task arith arith --data arith.jsonl facts.jsonl");
    search_refused(&place, &twice, &["--task", "arith", "twice"]);
}

#[test]
fn a_generation_that_leaves_no_room_for_a_prompt_is_refused() {
    let place = place();
    place.write(
        "gsm.jsonl",
        "{\"question\": \"1+1?\", \"answer\": \"#### 2\"}\n",
    );
    // The bundled model's context is 256 tokens, as many as gsm8k generates.
    let gsm8k = "--model @demo --task gsm8k --data gsm.jsonl --num-fewshot 0";
    let names = ["--task gsm8k", "256 tokens", "--max-gen-toks"];
    for command in ["eval", "eval --show-prompts 1"] {
        refused(&place, &format!("{command} {gsm8k}"), &names);
    }
    search_refused(&place, gsm8k, &names);
    let ended = place.ok(&format!("eval {gsm8k} --max-gen-toks 6 --json --out out"));
    assert_eq!(ended.json()["failed"], 0);
    let results = place.results("out");
    assert_eq!(
        results["configs"]["gsm8k"]["generation_kwargs"]["max_gen_toks"],
        6
    );
    refused(
        &place,
        "eval --model @demo --task commonsense --data facts.jsonl --max-gen-toks 6",
        &["commonsense", "--max-gen-toks", "generates no text"],
    );
    // Among several tasks it is for those that generate.
    let both = "--task commonsense gsm8k --data facts.jsonl gsm.jsonl --num-fewshot 0";
    place.ok(&format!(
        "eval --model @demo {both} --max-gen-toks 6 --out both"
    ));
    let results = place.results("both");
    assert_eq!(
        results["configs"]["gsm8k"]["generation_kwargs"]["max_gen_toks"],
        6
    );
    assert!(results["configs"]["commonsense"]["generation_kwargs"].is_null());
}

#[test]
fn a_chain_the_model_has_not_is_refused() {
    let place = place();
    let eval = "eval --model @demo --task arith --data arith.jsonl --chain 12 --out out";
    refused(&place, eval, &["layer 12"]);
    assert!(!place.has("out"));
    for (chain, names) in [
        ("0-12", vec!["0-12", "layer 12", "0 to 11"]),
        ("0-3,,", vec!["0-3,,", "empty item"]),
        ("foo", vec!["foo"]),
        ("(0-3", vec!["(0-3", "`)`"]),
        ("(0-3)x0", vec!["(0-3)x0"]),
        ("(0-11)x99999", vec!["4096"]),
        ("blocks:3,99", vec!["blocks:3,99"]),
    ] {
        refused(
            &place,
            &format!("generate --model @demo --prompt x --chain {chain}"),
            &names,
        );
    }
}

#[test]
fn a_search_that_cannot_be_is_refused_by_flag() {
    let place = place();
    let flags = "--model @demo --task arith --data arith.jsonl";
    for (flag, names) in [
        ("--simulations 0", vec!["--simulations 0"]),
        (
            "--strategy dfs",
            vec!["strategy", "dfs", "mcts", "random", "exhaustive"],
        ),
        (
            "--preset polar",
            vec!["preset", "polar", "polar-release", "dr-llm"],
        ),
        (
            "--strategy exhaustive",
            vec!["--strategy exhaustive", "--simulations"],
        ),
        ("--device gpu", vec!["--device gpu", "cuda:N"]),
    ] {
        search_refused(&place, &format!("{flags} {flag}"), &names);
    }
    for (flag, names) in [
        ("--dtype f8", vec!["--dtype", "bf16"]),
        ("--limit 0", vec!["--limit"]),
        ("--in-flight 0", vec!["--in-flight"]),
        ("--state-budget much", vec!["--state-budget", "512M"]),
        ("--nonsense", vec!["--nonsense"]),
    ] {
        misused(&place, &format!("search {flags} {flag} --out run"), &names);
        assert!(!place.has("run"));
    }
    misused(&place, &format!("search {flags}"), &["--out"]);
    misused(&place, "search --model @demo --out run", &["--task"]);
    misused(&place, "", &["Usage"]);
    misused(&place, "serch", &["serch", "search"]);
}

#[test]
fn cuda_without_cuda_is_one_clear_error() {
    let place = place();
    // A machine with a GPU and a CUDA libtorch runs it; none of the rest may be anything but the
    // refusal.
    let ended = place.run("generate --model @demo --prompt x --device cuda:0 --max-new-tokens 1");
    if ended.status != Some(0) {
        let reason = crate::support_cli::refusal(ended);
        assert!(reason.starts_with("--device cuda:0: "), "{reason}");
    }
    refused(
        &place,
        "generate --model @demo --prompt x --device cuda:99",
        &["--device cuda:99"],
    );
}

#[test]
fn an_output_that_cannot_be_written_is_refused_by_its_path() {
    let place = place();
    let task = "--model @demo --task arith --data arith.jsonl";
    for (out, why) in [
        ("arith.jsonl", "is a file"),
        ("arith.jsonl/run", "arith.jsonl/run"),
        (".", "not empty and not a run directory"),
    ] {
        refused(
            &place,
            &format!("search {task} --simulations 2 --out {out}"),
            &[out, why],
        );
    }
    refused(
        &place,
        &format!("eval {task} --out arith.jsonl"),
        &["arith.jsonl", "is a file"],
    );
    refused(
        &place,
        &format!("eval {task} --out arith.jsonl/x"),
        &["arith.jsonl/x"],
    );
    let synth = "synth --kind arith --level 1 --count 1 --out";
    for out in ["arith.jsonl/x", "none/x", "."] {
        let reason = place.refused(&format!("{synth} {out}"));
        assert!(reason.contains(out) && !reason.contains(".tmp"), "{reason}");
    }
    // Nothing was harmed.
    assert_eq!(json_lines(&place.read("arith.jsonl")).len(), 4);
}

#[test]
fn reference_files_that_are_none_are_refused_by_name() {
    let place = place();
    place.write("empty", "");
    let other = fixture_reference("biases-f32");
    let whole = std::fs::read(&other).unwrap();
    place.write("cut", &whole[..whole.len() - 8]);
    for (file, names) in [
        ("none", vec!["none"]),
        ("empty", vec!["empty"]),
        ("arith.jsonl", vec!["arith.jsonl"]),
        ("cut", vec!["cut"]),
        (
            "@demo/model.safetensors",
            vec!["model.safetensors", "not a reference file"],
        ),
        (
            other.to_str().unwrap(),
            vec!["biases-f32.safetensors", "case0.logits"],
        ),
    ] {
        refused(
            &place,
            &format!("verify --model @demo --reference {file}"),
            &names,
        );
    }
    for tolerance in ["-1", "nan"] {
        let line = format!("verify --model @demo --reference none --tolerance {tolerance}");
        refused(&place, &line, &["--tolerance"]);
    }
}

#[test]
fn pairs_that_cannot_be_run_are_refused_by_file_and_line() {
    let place = place();
    let id = json_lines(&place.read("arith.jsonl"))[0]["id"].clone();
    let good = json!({"id": id, "chain": "0-11"});
    for (second, names) in [
        ("{\"id\":".to_owned(), vec!["pairs:2"]),
        (
            json!({"id": "zzz", "chain": "0"}).to_string(),
            vec!["pairs:2", "zzz"],
        ),
        (
            json!({"id": id, "chain": "0-12"}).to_string(),
            vec!["pairs:2", "layer 12"],
        ),
        (
            json!({"id": id, "chain": "x"}).to_string(),
            vec!["pairs:2", "x"],
        ),
        (json!({"id": id}).to_string(), vec!["pairs:2", "chain"]),
        (
            json!({"id": id, "chain": [0]}).to_string(),
            vec!["pairs:2", "chain"],
        ),
        (
            json!({"id": id, "chain": "0", "depth": 3}).to_string(),
            vec!["pairs:2", "depth"],
        ),
        (
            json!({"id": id, "chain": "0", "task": "arc_easy"}).to_string(),
            vec!["pairs:2"],
        ),
    ] {
        place.write("pairs", format!("{good}\n{second}\n"));
        let eval = "eval --model @demo --task arith --data arith.jsonl --pairs pairs --out out";
        refused(&place, eval, &names);
        assert!(!place.has("out"));
    }
    place.write("pairs", "\n");
    let eval = "eval --model @demo --task arith --data arith.jsonl --pairs";
    refused(
        &place,
        &format!("{eval} pairs --out out"),
        &["pairs", "no pairs"],
    );
    refused(&place, &format!("{eval} none --out out"), &["none"]);
    misused(&place, &format!("{eval} pairs"), &["--out"]);
    misused(
        &place,
        &format!("{eval} pairs --out out --chain 0"),
        &["--chain"],
    );
}

#[test]
fn an_id_that_two_tasks_have_needs_its_task() {
    let place = place();
    for file in ["arith.jsonl", "facts.jsonl"] {
        let mut rows = json_lines(&place.read(file));
        rows[0]["id"] = "same".into();
        place.write(file, to_json_lines(&rows));
    }
    let eval = "eval --model @demo --task arith commonsense --data arith.jsonl facts.jsonl \
                --out out --pairs pairs";
    place.write("pairs", "{\"id\": \"same\", \"chain\": \"0-11\"}\n");
    refused(&place, eval, &["pairs:1", "same", "\"task\""]);
    place.write(
        "pairs",
        "{\"id\": \"same\", \"chain\": \"0-11\", \"task\": \"commonsense\"}\n",
    );
    place.ok(eval);
    let answer = &json_lines(&place.read("out/pairs.jsonl"))[0]["answer"];
    let row = &json_lines(&place.read("facts.jsonl"))[0];
    assert!(list(&row["choices"]["text"]).contains(answer), "{answer}");
}

#[test]
fn directories_that_hold_no_finished_run_are_refused_by_name() {
    let place = place();
    place.write("other/notes.txt", "x");
    for line in [
        "analyze other",
        "analyze none",
        "export other --format csv --out out.csv",
        "export arith.jsonl --format csv --out out.csv",
    ] {
        let directory = line.split(' ').nth(1).unwrap();
        refused(&place, line, &[directory, "not a run directory"]);
    }
    assert_eq!(place.files("other").len(), 1);
    assert!(!place.has("out.csv") && !place.has("none"));
}

#[test]
fn broken_runs_are_refused_by_file_and_line() {
    let place = place();
    let search = "search --model @demo --task arith --data arith.jsonl --simulations 2 --out run";
    place.ok(search);
    let manifest = place.read("run/manifest.json");
    let journal = place.read("run/samples.jsonl");
    let lines: Vec<&str> = journal.lines().collect();
    let analyze = "analyze run";
    let export = "export run --format jsonl --out out";

    for garbage in ["garbage", ""] {
        let text = format!("{}\n{garbage}\n{}\n", lines[0], lines[1]);
        place.write("run/samples.jsonl", &text);
        refused(&place, search, &["run/samples.jsonl", "line 2"]);
        assert_eq!(place.read("run/samples.jsonl"), text, "left as it was");
    }
    refused(&place, analyze, &["run/samples.jsonl", "line 2"]);
    refused(&place, export, &["run/samples.jsonl", "line 2"]);
    let layer = lines[0].replace("\"chain\":\"0-11\"", "\"chain\":\"0-10,77\"");
    place.write("run/samples.jsonl", format!("{layer}\n"));
    refused(&place, analyze, &["layer 77"]);

    place.write("run/samples.jsonl", "");
    refused(&place, analyze, &["run", "no sample"]);
    refused(&place, export, &["run", "no sample"]);
    std::fs::remove_file(place.join("run/samples.jsonl")).unwrap();
    refused(&place, analyze, &["run/samples.jsonl"]);
    place.write("run/samples.jsonl", &journal);
    place.write("run/manifest.json", "{");
    refused(&place, export, &["run/manifest.json"]);
    refused(&place, search, &["run/manifest.json"]);
    place.write("run/manifest.json", &manifest);
    refused(
        &place,
        "export run --format orc --out out",
        &["orc", "csv", "jsonl", "parquet"],
    );
    refused(&place, "export run --format csv --out run", &["run"]);
    refused(
        &place,
        "export run --format csv --out arith.jsonl/x",
        &["arith.jsonl/x"],
    );
    refused(&place, "analyze run --out arith.jsonl", &["arith.jsonl"]);
    refused(&place, "analyze run run", &["--out"]);
    assert!(!place.has("out") && !place.has("run/analysis"));
    place.ok(analyze);
}

#[test]
fn questions_that_cannot_be_made_are_refused() {
    let place = Place::new();
    for (line, names) in [
        (
            "--kind poems --level 1 --count 1",
            vec!["poems", "arith", "commonsense"],
        ),
        (
            "--kind arith --level 9 --count 1",
            vec!["arith", "1 to 8", "9"],
        ),
        (
            "--kind commonsense --level 0 --count 1",
            vec!["commonsense", "0"],
        ),
        (
            "--kind arith --level 1 --count 1 --split dev",
            vec!["dev", "train"],
        ),
        (
            "--kind arith --level 1 --count 9999",
            vec!["9999", "arith level 1"],
        ),
    ] {
        refused(&place, &format!("synth {line} --out made.jsonl"), &names);
        assert!(!place.has("made.jsonl"));
    }
    misused(
        &place,
        "synth --kind arith --level 1 --count 0",
        &["--count"],
    );
}
