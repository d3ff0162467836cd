//! `cola eval`: its numbers follow from the samples it writes, and its verdicts are the search's.

use crate::support_cli::{
    FLOAT, Place, count, json_lines, list, number, text, to_json_lines, truth,
};
use serde_json::{Value, json};

const BOTH: &str = "eval --model @demo --task arith commonsense --data arith.jsonl facts.jsonl";

fn place() -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, 12);
    place.synth("facts.jsonl", "commonsense", 2, 12);
    place
}

/// Index of the largest; the first of equals.
fn arg_max(values: &[f64]) -> usize {
    let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter().position(|&value| value == best).unwrap()
}

/// Mean, and standard error of the mean, of right and wrong.
fn mean(right: &[bool]) -> (f64, f64) {
    let n = right.len() as f64;
    let p = right.iter().filter(|&&right| right).count() as f64 / n;
    (p, (p * (1.0 - p) / (n - 1.0)).sqrt())
}

#[track_caller]
fn assert_close(value: &Value, expected: f64) {
    assert!(
        (number(value) - expected).abs() < 1e-9 * expected.abs().max(1.0),
        "{value} and {expected}"
    );
}

#[test]
fn accuracies_follow_from_the_samples_that_are_written() {
    let place = place();
    let ended = place.ok(&format!("{BOTH} --out out --json"));
    let results = ended.json();
    let written = place.results("out");
    for (key, value) in results.as_object().unwrap() {
        assert_eq!(written[key], *value, "{key}");
    }
    assert_eq!(
        (&results["chain"], &results["failed"]),
        (&json!("0-11"), &json!(0))
    );
    assert_eq!(place.files("out").len(), 3);

    let rows = json_lines(&place.read("arith.jsonl"));
    let lines = place.samples("out", "arith");
    assert_eq!(lines.len(), rows.len());
    let mut right = Vec::new();
    for (at, (row, line)) in rows.iter().zip(&lines).enumerate() {
        assert_eq!(
            (&line["id"], count(&line["doc_id"])),
            (&row["id"], at as u64)
        );
        let prompt = format!("{}\nAnswer:", text(&row["question"]));
        assert_eq!(
            (text(&line["prompt"]), &line["target"]),
            (prompt.as_str(), &row["answer"])
        );
        let generated = text(&line["resps"][0][0]).split('\n').next().unwrap();
        right.push(generated.trim_start() == text(&row["answer"]));
        assert_eq!(truth(&line["correct"]), right[at]);
        assert_close(&line["exact_match"], f64::from(u8::from(right[at])));
    }
    let (value, error) = mean(&right);
    assert_close(&results["results"]["arith"]["exact_match,none"], value);
    assert_close(
        &results["results"]["arith"]["exact_match_stderr,none"],
        error,
    );

    let rows = json_lines(&place.read("facts.jsonl"));
    let lines = place.samples("out", "commonsense");
    assert_eq!(lines.len(), rows.len());
    let (mut acc, mut norm) = (Vec::new(), Vec::new());
    for (row, line) in rows.iter().zip(&lines) {
        let options: Vec<&str> = list(&row["choices"]["text"]).iter().map(text).collect();
        let labels = list(&row["choices"]["label"]);
        let gold = labels
            .iter()
            .position(|label| *label == row["answerKey"])
            .unwrap();
        // lm-evaluation-harness writes numbers and truth values as Python prints them.
        let responses = list(&line["filtered_resps"]).iter();
        let (sums, greedy): (Vec<f64>, Vec<bool>) = responses
            .map(|r| (text(&r[0]).parse::<f64>().unwrap(), text(&r[1]) == "True"))
            .unzip();
        assert!(sums.iter().all(|&sum| sum < 0.0) && greedy.iter().filter(|&&g| g).count() <= 1);
        let lengths = options.iter().map(|option| option.chars().count() as f64);
        let normed: Vec<f64> = sums.iter().zip(lengths).map(|(sum, n)| sum / n).collect();
        acc.push(arg_max(&sums) == gold);
        norm.push(arg_max(&normed) == gold);
        assert_eq!(text(&line["answer"]), options[arg_max(&sums)]);
        assert_eq!(truth(&line["correct"]), *acc.last().unwrap(), "acc decides");
        let others = sums
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != gold)
            .map(|(_, sum)| *sum);
        let margin = sums[gold] - others.fold(f64::NEG_INFINITY, f64::max);
        assert_close(&line["margin"], margin);
        for (at, option) in options.iter().enumerate() {
            let asked = &line["arguments"][format!("gen_args_{at}")];
            let expected = json!({"arg_0": line["prompt"], "arg_1": format!(" {option}")});
            assert_eq!(*asked, expected);
        }
    }
    for (key, right) in [("acc", acc), ("acc_norm", norm)] {
        let (value, error) = mean(&right);
        assert_close(
            &results["results"]["commonsense"][format!("{key},none")],
            value,
        );
        assert_close(
            &results["results"]["commonsense"][format!("{key}_stderr,none")],
            error,
        );
    }
    assert_eq!(
        results["n-samples"]["commonsense"],
        json!({"original": 12, "effective": 12})
    );

    // The table says the same.
    let table = place.ok(BOTH).stdout;
    assert_eq!(table.lines().count(), 3, "{table}");
    let value = format!(
        "{:.4}",
        number(&results["results"]["arith"]["exact_match,none"])
    );
    let line = table
        .lines()
        .find(|line| line.starts_with("arith"))
        .unwrap();
    assert!(line.contains(&value) && line.contains("n = 12"), "{table}");
}

#[test]
fn every_evaluation_of_a_search_has_the_same_verdict_alone() {
    let place = place();
    let data = "--model @demo --task arith commonsense --data arith.jsonl facts.jsonl --limit 4";
    place.ok(&format!(
        "search {data} --simulations 25 --controls 0 --out run"
    ));
    let evaluations: Vec<(Value, Value)> = place
        .journal("run")
        .iter()
        .flat_map(|record| {
            let of = |e: &Value| (record["id"].clone(), e.clone());
            list(&record["evaluations"])
                .iter()
                .map(of)
                .collect::<Vec<_>>()
        })
        .collect();
    let pairs: Vec<Value> = evaluations
        .iter()
        .map(|(id, e)| json!({"id": id, "chain": e["chain"]}))
        .collect();
    assert!(pairs.len() >= 8 * 20, "{}", pairs.len());
    place.write("pairs.jsonl", to_json_lines(&pairs));
    let ended = place.ok(&format!("eval {data} --pairs pairs.jsonl --out out --json"));

    let lines = json_lines(&place.read("out/pairs.jsonl"));
    assert_eq!(lines.len(), pairs.len());
    for (line, (id, told)) in lines.iter().zip(&evaluations) {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "id",
                "chain",
                "correct",
                "margin",
                "degradation",
                "answer",
                "steps"
            ]
        );
        assert_eq!((&line["id"], &line["chain"]), (id, &told["chain"]));
        assert_eq!(line["correct"], told["correct"], "{line} {told}");
        assert_eq!(line["answer"], told["answer"], "{line} {told}");
        match told["margin"].as_f64() {
            Some(margin) => {
                let difference = (number(&line["margin"]) - margin).abs();
                assert!(difference <= FLOAT * (1.0 + margin.abs()), "{line} {told}");
            }
            None => assert!(line["margin"].is_null(), "{line} {told}"),
        }
        assert!(line["steps"].is_u64(), "{line}");
    }
    let summary = ended.json();
    let right = lines.iter().filter(|line| truth(&line["correct"])).count();
    assert_eq!(count(&summary["pairs"]), pairs.len() as u64);
    assert_eq!(count(&summary["correct"]), right as u64);
    assert_eq!(count(&summary["failed"]), 0);

    // The order is the file's, whatever it is; nothing is cached or batched alike.
    let mut reversed = pairs.clone();
    reversed.reverse();
    reversed.truncate(40);
    place.write("reversed.jsonl", to_json_lines(&reversed));
    let alone = "--in-flight 1 --workers 1 --state-budget 0";
    let ended = place.ok(&format!(
        "eval {data} --pairs reversed.jsonl --out back {alone}"
    ));
    assert!(
        ended.stdout.contains("of 40 pairs correct"),
        "{}",
        ended.stdout
    );
    let back = json_lines(&place.read("back/pairs.jsonl"));
    for (back, line) in back.iter().zip(lines.iter().rev()) {
        for field in ["id", "chain", "correct", "answer"] {
            assert_eq!(back[field], line[field]);
        }
    }
}

#[test]
fn every_notation_of_a_chain_is_that_chain() {
    let place = place();
    let eval = "eval --model @demo --task commonsense --data facts.jsonl --limit 4 --json --chain";
    let canonical = place.ok(&format!("{eval} 0-3,(4-5)x2,6-11")).json();
    assert_eq!(canonical["chain"], "0-3,(4-5)x2,6-11");
    for same in [
        "0..5,4..11",
        "blocks:4,6",
        "layers:0,1,2,3,4,5,4,5,6,7,8,9,10,11",
        "0-3,4,5,4,5,6-11",
        "~0-5,~4-11~",
    ] {
        assert_eq!(
            place.ok(&format!("{eval} {same}")).json(),
            canonical,
            "{same}"
        );
    }
    // No layer at all, and very many.
    for (chain, name) in [("empty", "empty"), ("(0-11)x20", "(0-11)x20")] {
        assert_eq!(place.ok(&format!("{eval} {chain}")).json()["chain"], name);
    }
    let default = place.ok(&eval.replace(" --chain", "")).json();
    assert_eq!(default, place.ok(&format!("{eval} 0-11")).json());
}

#[test]
fn a_sample_that_fails_counts_as_wrong() {
    let place = place();
    place.model_copy("m").with_unknown_token("<image>");
    let mut rows = json_lines(&place.read("arith.jsonl"));
    rows[5]["question"] = "Dial <image> up 3.".into();
    place.write("arith.jsonl", to_json_lines(&rows));
    let eval = "eval --model m --task arith --data arith.jsonl --out out";
    let ended = place.run(&format!("{eval} --json")).with_status(1);
    assert!(
        ended.stderr.contains(text(&rows[5]["id"])),
        "{}",
        ended.stderr
    );
    let results = ended.json();
    assert_eq!(count(&results["failed"]), 1);
    assert_eq!(count(&results["n-samples"]["arith"]["original"]), 12);
    let lines = place.samples("out", "arith");
    assert_eq!(lines.len(), 12);
    assert_eq!(
        (&lines[5]["correct"], &lines[5]["answer"]),
        (&json!(false), &Value::Null)
    );
    let right = lines.iter().filter(|line| truth(&line["correct"])).count();
    assert_close(
        &results["results"]["arith"]["exact_match,none"],
        right as f64 / 12.0,
    );

    let pairs: Vec<Value> = rows[4..7]
        .iter()
        .map(|row| json!({"id": row["id"], "chain": "0-11"}))
        .collect();
    place.write("pairs", to_json_lines(&pairs));
    let ended = place
        .run(&format!("{eval} --pairs pairs --json"))
        .with_status(1);
    assert_eq!(
        (&ended.json()["pairs"], &ended.json()["failed"]),
        (&json!(3), &json!(1))
    );
    let lines = json_lines(&place.read("out/pairs.jsonl"));
    let errors: Vec<bool> = lines.iter().map(|line| line["error"].is_string()).collect();
    assert_eq!(errors, [false, true, false]);
    assert_eq!(lines[1]["correct"], false);
}

#[test]
fn one_sample_has_an_accuracy_but_no_standard_error() {
    let place = place();
    let results = place.ok(&format!("{BOTH} --limit 1 --json")).json();
    let arith = &results["results"]["arith"];
    assert!(arith["exact_match,none"].is_number());
    assert_eq!(arith["exact_match_stderr,none"], "N/A");
    let table = place.ok(&format!("{BOTH} --limit 1")).stdout;
    assert!(!table.contains("NaN"), "{table}");
}

#[test]
fn a_task_named_like_a_path_stays_in_its_directory() {
    let place = place();
    let yaml = include_str!("../../datasets/arith.yaml");
    place.write(
        "t.yaml",
        yaml.replacen("task: arith", "task: ../up/arith", 1),
    );
    let flags = "--model @demo --task t.yaml --data arith.jsonl --limit 2";
    place.ok(&format!("eval {flags} --out out"));
    assert_eq!(place.samples("out", ".._up_arith").len(), 2);
    place.ok(&format!("search {flags} --simulations 3 --out run"));
    place.ok("analyze run");
    assert!(!place.has("up"));
}

#[test]
fn few_shot_examples_come_from_the_rows_that_are_given() {
    let place = place();
    place.synth("shots.jsonl", "arith", 1, 5);
    let yaml = include_str!("../../datasets/arith.yaml").replacen("task: arith", "task: shots", 1);
    place.write("shots.yaml", format!("{yaml}num_fewshot: 2\n"));
    let eval = "eval --model @demo --task shots.yaml --data arith.jsonl --limit 3 --out out";
    let reason = place.refused(eval);
    for name in ["shots", "num_fewshot", "--fewshot-data"] {
        assert!(reason.contains(name), "{reason}");
    }
    assert!(!place.has("out"));
    place.ok(&format!("{eval} --fewshot-data shots.jsonl"));
    let shots = json_lines(&place.read("shots.jsonl"));
    for line in place.samples("out", "shots") {
        let parts: Vec<&str> = text(&line["prompt"]).split("\n\n").collect();
        assert_eq!(parts.len(), 3, "{line}");
        for part in &parts[..2] {
            let solved = |shot: &Value| {
                format!(
                    "{}\nAnswer: {}",
                    text(&shot["question"]),
                    text(&shot["answer"])
                ) == *part
            };
            assert!(shots.iter().any(solved), "{part}");
        }
    }
}

#[test]
fn no_verdict_depends_on_batches_caches_workers_or_drafts() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 4, 8);
    place.synth("facts.jsonl", "commonsense", 2, 8);
    let data = "--model @demo --task arith commonsense --data arith.jsonl facts.jsonl";
    place.ok(&format!(
        "search {data} --simulations 40 --controls 0 --out run"
    ));
    let mut pairs: Vec<Value> = Vec::new();
    for record in place.journal("run") {
        for told in list(&record["evaluations"]) {
            pairs.push(json!({"id": record["id"], "chain": told["chain"], "told": told}));
        }
    }
    assert!(pairs.len() > 400, "{}", pairs.len());
    let told = |pair: &Value| {
        let told = &pair["told"];
        json!([pair["id"], pair["chain"], told["correct"], told["answer"]])
    };
    let mut expected: Vec<String> = pairs.iter().map(|pair| told(pair).to_string()).collect();
    expected.sort();
    for (round, settings) in [
        "--state-budget 0",
        "--state-budget 200k --workers 4",
        "--workers 1 --in-flight 1",
        "--workers 2 --in-flight 64 --decode plain",
        "--in-flight 512",
        "--in-flight 512 --decode plain --state-budget 0",
    ]
    .iter()
    .enumerate()
    {
        // Another order each time.
        pairs.sort_by_key(|pair| blake3::hash(format!("{round} {pair}").as_bytes()).to_string());
        let asked = pairs.iter();
        let asked = asked.map(|pair| json!({"id": pair["id"], "chain": pair["chain"]}));
        place.write("pairs.jsonl", to_json_lines(&asked.collect::<Vec<_>>()));
        place.ok(&format!(
            "eval {data} --pairs pairs.jsonl --out out {settings}"
        ));
        let ours = json_lines(&place.read("out/pairs.jsonl"));
        let ours = ours
            .iter()
            .map(|line| json!([line["id"], line["chain"], line["correct"], line["answer"]]));
        let mut ours: Vec<String> = ours.map(|line| line.to_string()).collect();
        ours.sort();
        assert_eq!(ours, expected, "{settings}");
    }
}

#[test]
fn a_target_alone_is_scored_by_its_log_probability() {
    let place = place();
    place.write(
        "t.yaml",
        "task: t\noutput_type: loglikelihood\ndoc_to_text: question\ndoc_to_target: \"{{' ' + answer}}\"\n",
    );
    let ended = place.ok("eval --model @demo --task t.yaml --data arith.jsonl --out out --json");
    let results = &ended.json()["results"]["t"];
    let lines = place.samples("out", "t");
    let (mut sum, mut greedy) = (0.0, Vec::new());
    for line in &lines {
        let response = &line["resps"][0][0];
        let log_prob: f64 = text(&response[0]).parse().unwrap();
        assert_close(&line["perplexity"], log_prob);
        sum += log_prob;
        greedy.push(text(&response[1]) == "True");
        let right = *greedy.last().unwrap();
        assert_eq!(truth(&line["correct"]), right);
        assert_eq!(number(&line["acc"]) == 1.0, right);
        assert_eq!(number(&line["margin"]) > 0.0, right);
        assert_eq!(list(&line["filtered_resps"])[0], *response);
    }
    assert_close(&results["acc,none"], mean(&greedy).0);
    assert_close(
        &results["perplexity,none"],
        (-sum / lines.len() as f64).exp(),
    );
    assert!(number(&results["perplexity_stderr,none"]) > 0.0);
    let refused = place.refused("eval --model @demo --task t.yaml --data arith.jsonl --letters");
    assert!(refused.contains("--letters"), "{refused}");
}

#[test]
fn whole_texts_are_scored_in_windows_of_the_context() {
    let place = Place::new();
    let sentence = "Dial 47 up 12 down 5. Answer: 54\n";
    // The last is some times as long as the model's context of 256 tokens.
    let rows = [1, 2, 60].map(|times| json!({ "text": sentence.repeat(times) }));
    place.write("texts.jsonl", to_json_lines(&rows));
    let task = |name: &str, output: &str| {
        let yaml =
            format!("task: {name}\noutput_type: {output}\ndoc_to_text: ''\ndoc_to_target: text\n");
        place.write(&format!("{name}.yaml"), yaml);
        format!("eval --model @demo --task {name}.yaml --data texts.jsonl --out {name} --no-bos")
    };
    let rolled = place
        .ok(&format!(
            "{} --json",
            task("rolled", "loglikelihood_rolling")
        ))
        .json();
    let lines = place.samples("rolled", "rolled");
    place.ok(&format!("{} --limit 2", task("at_once", "loglikelihood")));
    // What fits into the context is one window: the text after the token that begins texts.
    for (window, whole) in lines.iter().zip(place.samples("at_once", "at_once")) {
        let log_prob: f64 = text(&window["resps"][0][0]).parse().unwrap();
        assert_close(&whole["perplexity"], log_prob);
        assert_eq!(
            window["arguments"],
            json!({ "gen_args_0": { "arg_0": window["doc"]["text"] } })
        );
    }
    let (mut sum, mut words, mut bytes) = (0.0, 0.0, 0.0);
    for (line, row) in lines.iter().zip(&rows) {
        let text = text(&row["text"]);
        // White space at the end parts off an empty word.
        let count = text.split_whitespace().count() + 1;
        let value = &line["word_perplexity"][0];
        assert_eq!(line["word_perplexity"], json!([value, count]));
        assert_eq!(line["bits_per_byte"], json!([value, text.len()]));
        sum += number(value);
        words += count as f64;
        bytes += text.len() as f64;
    }
    let results = &rolled["results"]["rolled"];
    assert_close(&results["word_perplexity,none"], f64::exp(-sum / words));
    assert_close(&results["byte_perplexity,none"], f64::exp(-sum / bytes));
    assert_close(
        &results["bits_per_byte,none"],
        -sum / bytes / std::f64::consts::LN_2,
    );
    assert_eq!(results["bits_per_byte_stderr,none"], "N/A");
    assert_eq!(
        place.results("rolled")["higher_is_better"]["rolled"]["word_perplexity"],
        false
    );
    let reason =
        place.refused("search --model @demo --task rolled.yaml --data texts.jsonl --out run");
    assert!(
        reason.contains("rolled") && reason.contains("nothing to search for"),
        "{reason}"
    );
}
