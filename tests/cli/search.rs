//! `cola search` end to end on small data: what is written, what is printed, and that neither
//! depends on anything but the command.

use std::{collections::BTreeSet, fs};

use crate::support_cli::{
    Place, assert_same_records, count, fixture_model, json_lines, layers_of, list, number, text,
    to_json_lines, truth,
};
use serde_json::{Value, json};

const LAYERS: usize = 12;

const BOTH: &str = "search --model @demo --task arith commonsense --data arith.jsonl facts.jsonl";

fn place() -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 3, 6);
    place.synth("facts.jsonl", "commonsense", 2, 6);
    place
}

fn baseline_correct(record: &Value) -> bool {
    record["baseline"]["correct"] == true
}

fn found(record: &Value) -> bool {
    !record["best"].is_null()
}

/// Whether the search told a right chain of this kind, or the unmodified model is right.
fn right_by(record: &Value, kind: impl Fn(&[usize]) -> bool) -> bool {
    let right = list(&record["evaluations"]).iter().filter(|e| {
        let refuted = list(&record["unconfirmed"]).contains(&e["chain"]);
        e["correct"] == true && !refuted
    });
    let mut chains = right.map(|e| layers_of(&e["chain"]));
    baseline_correct(record) || found(record) && chains.any(|chain| kind(&chain))
}

fn only_skips(chain: &[usize]) -> bool {
    chain.windows(2).all(|pair| pair[0] < pair[1])
}

/// Every layer, each for the first time after all before it.
fn only_repeats(chain: &[usize]) -> bool {
    let mut first_visits = Vec::new();
    for layer in chain {
        if !first_visits.contains(layer) {
            first_visits.push(*layer);
        }
    }
    first_visits == (0..LAYERS).collect::<Vec<_>>()
}

/// The contract's counts of one dataset, from its journal records.
fn recount(task: &str, records: &[&Value]) -> Value {
    let how_many = |holds: &dyn Fn(&Value) -> bool| records.iter().filter(|r| holds(r)).count();
    let controlled = |r: &Value| !r["controls"].is_null() && !baseline_correct(r);
    let mean = |values: Vec<f64>| match values.len() {
        0 => Value::Null,
        n => json!(values.iter().sum::<f64>() / n as f64),
    };
    let depth = |r: &&&Value| layers_of(&r["best"]["chain"]).len() as f64;
    let shorter = |r: &Value| found(r) && layers_of(&r["best"]["chain"]).len() < LAYERS;
    json!({
        "task": task,
        "samples": records.len(),
        "baseline_correct": how_many(&baseline_correct),
        "found_correct": how_many(&found),
        "skip_only_correct": how_many(&|r| right_by(r, only_skips)),
        "repeat_only_correct": how_many(&|r| right_by(r, only_repeats)),
        "correct_with_shorter": how_many(&|r| baseline_correct(r) && shorter(r)),
        "fixed": how_many(&|r| !baseline_correct(r) && found(r)),
        "mean_depth_found": mean(records.iter().filter(|r| found(r)).map(|r| depth(&r)).collect()),
        "mean_simulations": mean(
            records
                .iter()
                .filter(|r| !r["health"].is_null())
                .map(|r| number(&r["health"]["simulations"]))
                .collect(),
        ),
        "controls": {
            "control_samples": how_many(&controlled),
            "search_fixed": how_many(&|r| controlled(r) && found(r)),
            "random_fixed": how_many(&|r| {
                controlled(r) && !r["controls"]["random"]["found"].is_null()
            }),
            "wrong_target_hit": how_many(&|r| {
                controlled(r) && !r["controls"]["wrong_target"]["found"].is_null()
            }),
        },
    })
}

/// Asserts that `value` has what `expected` has: the same keys in the same order first.
#[track_caller]
fn assert_contains(value: &Value, expected: &Value) {
    let (fields, wanted) = (value.as_object().unwrap(), expected.as_object().unwrap());
    let keys: Vec<&String> = fields.keys().take(wanted.len()).collect();
    assert_eq!(keys, wanted.keys().collect::<Vec<_>>());
    for (key, expected) in wanted {
        match (&fields[key], expected) {
            (value @ Value::Object(_), Value::Object(_)) => assert_contains(value, expected),
            (Value::Number(a), Value::Number(b)) if b.is_f64() => {
                let difference = a.as_f64().unwrap() - b.as_f64().unwrap();
                assert!(difference.abs() < 1e-9, "{key}: {a} and {b}");
            }
            (value, expected) => assert_eq!(value, expected, "{key}"),
        }
    }
}

#[track_caller]
fn assert_is_search_of(record: &Value, row: &Value, index: u64, simulations: u64) {
    let id = &record["id"];
    assert_eq!((id, count(&record["index"])), (&row["id"], index));
    assert_eq!(count(&record["layers"]), LAYERS as u64);
    for hash in ["model_hash", "prompt_hash"] {
        let hash = text(&record[hash]);
        assert!(
            hash.len() == 32 && hash.bytes().all(|b| b.is_ascii_hexdigit()),
            "{hash}"
        );
    }
    assert!(record["error"].is_null(), "{record}");
    let gold = match &row["answer"] {
        Value::String(answer) => answer.clone(),
        _ => {
            let labels = list(&row["choices"]["label"]);
            let at = labels
                .iter()
                .position(|label| *label == row["answerKey"])
                .unwrap();
            text(&row["choices"]["text"][at]).to_owned()
        }
    };
    assert_eq!(text(&record["gold"]), gold);

    let evaluations = list(&record["evaluations"]);
    let chains: Vec<Vec<usize>> = evaluations.iter().map(|e| layers_of(&e["chain"])).collect();
    let distinct: BTreeSet<&Vec<usize>> = chains.iter().collect();
    assert_eq!(
        distinct.len(),
        chains.len(),
        "{id}: a chain was evaluated twice"
    );
    assert!(chains.iter().flatten().all(|&layer| layer < LAYERS), "{id}");
    assert_eq!(
        evaluations[0]["chain"], "0-11",
        "{id}: the unmodified model comes first"
    );
    assert_eq!(evaluations[0], record["baseline"], "{id}");
    for evaluation in evaluations {
        let correct = truth(&evaluation["correct"]);
        assert_eq!(
            correct,
            text(&evaluation["answer"]) == gold,
            "{id}: {evaluation}"
        );
        if row["kind"] == "commonsense" {
            assert_eq!(
                correct,
                number(&evaluation["margin"]) > 0.0,
                "{id}: {evaluation}"
            );
        }
    }

    let refuted = list(&record["unconfirmed"]);
    assert_eq!(record["max_degradation"], 0.5, "{id}");
    assert!(number(&record["prompt_loss"]) > 0.0, "{id}");
    assert_eq!(record["baseline"]["degradation"], 0.0, "{id}");
    let fluent = |e: &Value| number(&e["degradation"]) <= 0.5;
    let right = evaluations
        .iter()
        .zip(&chains)
        .filter(|(e, _)| truth(&e["correct"]) && fluent(e));
    let confirmed = right.filter(|(e, _)| !refuted.contains(&e["chain"]));
    match confirmed.map(|(_, chain)| chain.len()).min() {
        None => assert!(record["best"].is_null(), "{id}"),
        Some(shortest) => {
            assert_eq!(record["best"]["correct"], true, "{id}");
            assert_eq!(layers_of(&record["best"]["chain"]).len(), shortest, "{id}");
            assert_eq!(text(&record["best"]["answer"]), gold, "{id}");
            assert!(fluent(&record["best"]), "{id}");
            // The front holds chains beyond the bound too.
            let front = list(&record["pareto"]).iter().filter(|e| fluent(e));
            let lengths = front.map(|e| layers_of(&e["chain"]).len());
            assert_eq!(lengths.min(), Some(shortest), "{id}");
        }
    }
    let front = list(&record["pareto"]);
    let beats = |a: &Value, b: &Value| {
        layers_of(&a["chain"]).len() <= layers_of(&b["chain"]).len()
            && number(&a["margin"]) >= number(&b["margin"])
            && number(&a["degradation"]) <= number(&b["degradation"])
    };
    for (at, one) in front.iter().enumerate() {
        let others = front.iter().enumerate().filter(|(other, _)| *other != at);
        for (_, other) in others {
            assert!(!beats(other, one), "{id}: {other} beats {one}");
        }
    }

    let health = &record["health"];
    assert_eq!(
        count(&health["distinct_chains"]),
        chains.len() as u64,
        "{id}"
    );
    let told = chains.len() as u64 + count(&health["re_asked"]);
    assert_eq!(count(&health["simulations"]), told, "{id}");
    assert!(told <= simulations, "{id}");
    assert!(told == simulations || truth(&health["exhausted"]), "{id}");
    assert!(
        count(&record["cost"]["evaluations"]) >= chains.len() as u64,
        "{id}"
    );

    let random = &record["controls"]["random"];
    assert_eq!(text(&random["target"]), gold, "{id}");
    assert!(count(&random["chains"]) <= simulations, "{id}");
    assert_eq!(
        list(&random["evaluations"]).len() as u64,
        count(&random["chains"]),
        "{id}"
    );
    for name in ["matched_target", "wrong_target"] {
        let wrong = &record["controls"][name];
        assert_eq!(wrong.is_null(), baseline_correct(record), "{id} {name}");
        if wrong.is_null() {
            continue;
        }
        let target = text(&wrong["target"]);
        assert_ne!(target, gold, "{id}");
        assert_ne!(target, text(&record["baseline"]["answer"]), "{id}");
        assert!(count(&wrong["chains"]) <= simulations, "{id}");
    }
}

#[test]
fn a_search_records_every_sample_once_and_its_summary_is_the_journals() {
    let place = place();
    let ended = place.ok(&format!("{BOTH} --simulations 25 --out run --json"));
    let records = place.records("run");
    assert_eq!(records.len(), 12);
    for (task, file) in [("arith", "arith.jsonl"), ("commonsense", "facts.jsonl")] {
        for (index, row) in json_lines(&place.read(file)).iter().enumerate() {
            let key = format!("{task}/{}", text(&row["id"]));
            let (_, record) = records.iter().find(|(id, _)| *id == key).unwrap();
            assert_is_search_of(record, row, index as u64, 25);
        }
    }

    let summary = ended.json();
    let all: Vec<&Value> = records.iter().map(|(_, record)| record).collect();
    let total = |field: &str| all.iter().map(|r| count(&r["cost"][field])).sum::<u64>();
    let of =
        |task: &str| -> Vec<&Value> { all.iter().copied().filter(|r| r["task"] == task).collect() };
    let expected = json!({
        "model": crate::support_cli::demo_model(),
        "seconds": summary["seconds"],
        "chains": total("evaluations"),
        "chains_per_second": total("evaluations") as f64 / number(&summary["seconds"]),
        "steps_run": total("steps_run"),
        "steps_saved": total("steps_saved"),
        "tokens_decoded": total("tokens_decoded"),
        "failed": 0,
        "datasets": summary["datasets"],
    });
    assert!(number(&summary["seconds"]) > 0.0);
    assert_contains(&summary, &expected);
    let datasets = list(&summary["datasets"]);
    assert_eq!(datasets.len(), 2);
    for dataset in datasets {
        let task = text(&dataset["task"]);
        assert_contains(dataset, &recount(task, &of(task)));
    }
    assert!(count(&summary["tokens_decoded"]) > 0 && count(&summary["steps_saved"]) > 0);

    let written: Value = serde_json::from_str(&place.read("run/summary.json")).unwrap();
    assert_eq!(written, summary);
    let manifest: Value = serde_json::from_str(&place.read("run/manifest.json")).unwrap();
    assert_eq!(manifest["model_hash"], all[0]["model_hash"]);
    assert_eq!(manifest["tasks"][1]["name"], "commonsense");
    assert_eq!(manifest["search"]["params"]["simulations"], 25);
    assert_eq!(place.files("run").len(), 4, "nothing else is left behind");

    // Progress is on standard error, what was found on standard output.
    assert!(ended.stderr.contains("12/12 samples"), "{}", ended.stderr);
    let table = place.ok(&format!("{BOTH} --simulations 25 --out run"));
    assert_eq!(table.stdout, place.read("run/summary.txt"));
    for word in [
        "arith",
        "commonsense",
        "baseline",
        "oracle",
        "Beyond luck",
        "matched",
        "excess",
        "selectivity",
        "Depth against degradation",
    ] {
        assert!(table.stdout.contains(word), "{word}: {}", table.stdout);
    }
    assert!(
        !table.stdout.contains("samples are done"),
        "{}",
        table.stdout
    );
}

#[test]
fn the_same_seed_finds_the_same_however_it_is_run() {
    let place = place();
    let search = format!("{BOTH} --simulations 10 --seed 3 --limit 4");
    place.ok(&format!("{search} --out one"));
    let one = place.records("one");
    for (out, how) in [
        ("again", ""),
        ("alone", "--workers 1 --in-flight 1"),
        ("crowd", "--workers 3 --in-flight 12 --threads 2"),
        ("uncached", "--state-budget 0 --in-flight 5"),
        ("cramped", "--state-budget 300k"),
    ] {
        place.ok(&format!("{search} {how} --out {out}"));
        assert_same_records(&one, &place.records(out));
    }
    let steps = |run: &str| {
        let cost = |field: &str| -> u64 {
            place
                .journal(run)
                .iter()
                .map(|r| count(&r["cost"][field]))
                .sum()
        };
        let grown = cost("steps_grown");
        (cost("steps_run") + grown, cost("steps_saved"))
    };
    let ((ran, saved), (ran_uncached, saved_uncached)) = (steps("one"), steps("uncached"));
    assert!(
        saved > saved_uncached && ran < ran_uncached,
        "states are kept and used"
    );
    assert_eq!(
        ran + saved,
        ran_uncached + saved_uncached,
        "every step is run or saved"
    );

    place.ok(&format!(
        "{BOTH} --simulations 10 --seed 4 --limit 4 --out other"
    ));
    let chains = |records: &[(String, Value)]| -> Vec<Value> {
        records
            .iter()
            .map(|(_, r)| r["evaluations"].clone())
            .collect()
    };
    assert_ne!(
        chains(&one),
        chains(&place.records("other")),
        "another seed, another search"
    );
}

#[test]
fn a_samples_record_does_not_depend_on_the_other_samples() {
    let place = place();
    let search = format!("{BOTH} --simulations 10");
    place.ok(&format!("{search} --limit 3 --out few"));
    place.ok(&format!("{search} --out all"));
    let mut rows = json_lines(&place.read("arith.jsonl"));
    rows.reverse();
    place.write("arith.jsonl", to_json_lines(&rows));
    place.ok(&format!("{search} --out reversed"));

    let few = place.records("few");
    let mut common = place.records("all");
    common.retain(|(id, _)| few.iter().any(|(known, _)| known == id));
    assert_eq!(few.len(), 6);
    assert_same_records(&few, &common);

    let forget_place = |mut records: Vec<(String, Value)>| {
        records
            .iter_mut()
            .for_each(|(_, r)| r["index"] = Value::Null);
        records
    };
    assert_same_records(
        &forget_place(place.records("all")),
        &forget_place(place.records("reversed")),
    );
}

#[test]
fn every_preset_and_strategy_searches() {
    let place = place();
    let search =
        "search --model @demo --task commonsense --data facts.jsonl --limit 1 --controls 0";
    for how in [
        "--preset cola-paper --simulations 12",
        "--preset polar-release --simulations 12",
        "--preset dr-llm --simulations 12",
        "--preset re-polar --simulations 12",
        "--strategy random --simulations 12",
        "--strategy exhaustive --simulations 430",
    ] {
        let out = how.replace("--", "").replace(' ', "-");
        let summary = place
            .ok(&format!("{search} {how} --out {out} --json"))
            .json();
        let records = place.records(&out);
        assert_eq!(records.len(), 1, "{how}");
        for (_, record) in &records {
            let evaluations = list(&record["evaluations"]);
            let chains: BTreeSet<Vec<usize>> =
                evaluations.iter().map(|e| layers_of(&e["chain"])).collect();
            assert_eq!(chains.len(), evaluations.len(), "{how}");
            assert!(chains.len() > 1, "{how}");
            assert!(record["controls"].is_null(), "{how}");
        }
        let controls = &summary["datasets"][0]["controls"];
        assert_eq!(count(&controls["control_samples"]), 0, "{how}");
    }
}

#[test]
fn a_sample_that_fails_fails_alone() {
    let place = place();
    place.model_copy("m").with_unknown_token("<image>");
    let mut rows = json_lines(&place.read("arith.jsonl"));
    rows[2]["question"] = "Dial <image> up 3.".into();
    place.write("arith.jsonl", to_json_lines(&rows));
    let search = "search --model m --task arith --data arith.jsonl --simulations 8 --out run";
    let ended = place.run(&format!("{search} --json")).with_status(1);
    let summary = ended.json();
    assert_eq!(count(&summary["failed"]), 1);
    assert_eq!(
        count(&summary["datasets"][0]["samples"]),
        6,
        "it stays in the denominator"
    );
    assert!(
        ended.stderr.contains(text(&rows[2]["id"])),
        "{}",
        ended.stderr
    );
    assert!(
        !ended.stderr.contains('\u{1b}'),
        "no colours in a file: {}",
        ended.stderr
    );

    let records = place.journal("run");
    assert_eq!(records.len(), 6);
    for record in &records {
        let failed = record["id"] == rows[2]["id"];
        assert_eq!(failed, record["error"].is_string(), "{record}");
        assert_eq!(failed, record["baseline"].is_null());
        assert_eq!(failed, list(&record["evaluations"]).is_empty());
        if failed {
            assert!(text(&record["error"]).contains("vocabulary"), "{record}");
            assert!(record["best"].is_null());
        }
    }
    let journal = place.read("run/samples.jsonl");
    let again = place.run(search).with_status(1);
    assert!(
        again
            .stdout
            .contains("1 of them failed and counted as wrong"),
        "{}",
        again.stdout
    );
    assert_eq!(
        place.read("run/samples.jsonl"),
        journal,
        "it is not run again"
    );

    // The others are what they are without it.
    rows.remove(2);
    place.write("arith.jsonl", to_json_lines(&rows));
    place.ok(&search.replace("run", "without"));
    let mut with: Vec<Value> = records
        .into_iter()
        .filter(|r| r["error"].is_null())
        .collect();
    let mut without = place.journal("without");
    for records in [&mut with, &mut without] {
        records.sort_by_key(|r| text(&r["id"]).to_owned());
        records.iter_mut().for_each(|r| r["index"] = Value::Null);
    }
    for (with, without) in with.iter().zip(&without) {
        crate::support_cli::assert_same_record(with, without);
    }
    place.ok("analyze run");
    place.ok("export run --format csv --out run.csv");
    assert_eq!(place.read("run.csv").matches("vocabulary").count(), 1);
}

#[test]
fn what_a_chat_template_refuses_fails_alone() {
    let place = place();
    place.model_copy("m").with_chat_template(
        "{% if 'Dial' not in messages[0].content %}{{ raise_exception('no dial') }}{% endif %}\
         {{ messages[0].content }}",
    );
    let mut rows = json_lines(&place.read("arith.jsonl"));
    rows[0]["question"] = "Hello".into();
    place.write("arith.jsonl", to_json_lines(&rows));
    let task = "--model m --task arith --data arith.jsonl --chat";
    place
        .run(&format!(
            "search {task} --simulations 3 --limit 2 --out run"
        ))
        .with_status(1);
    let errors: Vec<Value> = place
        .journal("run")
        .iter()
        .map(|r| r["error"].clone())
        .collect();
    assert_eq!(errors.iter().filter(|e| e.is_null()).count(), 1);
    assert!(
        errors
            .iter()
            .any(|e| e.as_str().is_some_and(|e| e.contains("no dial")))
    );
    place.run(&format!("eval {task}")).with_status(1);
}

#[test]
fn an_option_without_a_token_cannot_be_scored() {
    let place = Place::new();
    place.write(
        "blank.yaml",
        "task: blank\noutput_type: multiple_choice\ntarget_delimiter: ''\n\
         doc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\ndoc_to_choice: '{{c}}'\n\
         metric_list:\n  - metric: acc\n",
    );
    let rows = [
        json!({"id": "blank", "q": "Dial 3", "a": 1, "c": ["", " up"]}),
        json!({"id": "whole", "q": "Dial 3", "a": 1, "c": [" down", " up"]}),
        json!({"id": "no prompt", "q": "", "a": 0, "c": ["Dial", "Where"]}),
    ];
    place.write("rows.jsonl", to_json_lines(&rows));
    let eval = "eval --model @demo --task blank.yaml --data rows.jsonl --out out";
    let ended = place.run(eval).with_status(1);
    assert!(ended.stderr.contains("sample blank"), "{}", ended.stderr);
    let answers: Vec<bool> = place
        .samples("out", "blank")
        .iter()
        .map(|line| line["answer"].is_null())
        .collect();
    assert_eq!(answers, [true, false, false]);
}

#[test]
fn a_prompt_without_a_token_fails_alone() {
    // Neither a beginning nor an end of text: nothing to stand in for an empty prompt.
    let place = place();
    let model = place.model_copy("m");
    model.edit("tokenizer.json", |t| t["post_processor"] = Value::Null);
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        model.edit(file, |config| {
            config
                .as_object_mut()
                .unwrap()
                .retain(|key, _| !key.ends_with("_token"));
        });
    }
    for file in ["config.json", "generation_config.json"] {
        model.edit(file, |config| {
            config.as_object_mut().unwrap().remove("eos_token_id");
        });
    }
    let yaml = include_str!("../../datasets/arith.yaml");
    let yaml = yaml.replace("\"{{question}}\\nAnswer:\"", "\"{{question}}\"");
    place.write("bare.yaml", yaml.replacen("task: arith", "task: bare", 1));
    let mut rows = json_lines(&place.read("arith.jsonl"));
    rows[1]["question"] = "".into();
    place.write("arith.jsonl", to_json_lines(&rows));
    let search = "search --model m --task bare.yaml --data arith.jsonl --limit 3 --simulations 3";
    place.run(&format!("{search} --out run")).with_status(1);
    let failed: Vec<Value> = place
        .journal("run")
        .into_iter()
        .filter(|r| !r["error"].is_null())
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["id"], rows[1]["id"]);
    assert!(
        text(&failed[0]["error"]).contains("prompt is empty"),
        "{}",
        failed[0]
    );
}

#[test]
fn another_model_of_the_family_is_searched() {
    // Tied head, grouped heads, bf16 on disk, its own tokenizer: nothing is the bundled model's.
    let place = place();
    let model = fixture_model("llama31-gqa-tied-bf16");
    let search = format!(
        "search --model {} --task commonsense arith --data facts.jsonl arith.jsonl --limit 2 \
         --simulations 6 --out run",
        model.display()
    );
    let summary = place.ok(&format!("{search} --json")).json();
    assert_eq!(list(&summary["datasets"]).len(), 2);
    assert_eq!(place.records("run").len(), 4);
    let f16 = place.run(&format!("{search} --dtype bf16"));
    let reason = crate::support_cli::refusal(f16);
    assert!(reason.contains("`dtype`"), "{reason}");
}

#[test]
fn the_demo_needs_no_arguments_but_takes_some() {
    let place = Place::new();
    let demo = "demo --limit 2 --simulations 20 --out run";
    let summary = place.ok(&format!("{demo} --json")).json();
    let datasets = list(&summary["datasets"]);
    let tasks: Vec<&str> = datasets.iter().map(|d| text(&d["task"])).collect();
    let expected = [
        "arith-1",
        "arith-2",
        "arith-3",
        "arith-4",
        "arith-5",
        "commonsense-1",
        "commonsense-2",
    ];
    assert_eq!(tasks, expected);
    assert!(datasets.iter().all(|d| count(&d["samples"]) == 2));
    assert_eq!(place.records("run").len(), 14);
    assert!(place.has("run/analysis/report.html"));
    let again = place.ok(demo);
    assert!(
        again.stdout.contains("run/analysis/report.html"),
        "{}",
        again.stdout
    );
    assert!(again.stdout.contains("commonsense-2"), "{}", again.stdout);
    assert_eq!(place.records("run").len(), 14);
    assert!(
        fs::read_dir(place.path()).unwrap().count() == 1,
        "it writes only where it is told"
    );
}
