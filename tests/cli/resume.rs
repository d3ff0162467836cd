//! A run that is killed, torn, interrupted or asked for twice: the same command continues it to
//! the records an uninterrupted run has, and nothing else does.
#![cfg(unix)]

use std::fs::File;

use crate::support_cli::{
    Place, assert_same_records, assert_same_values, count, json_lines, refusal, text, to_json_lines,
};
use serde_json::Value;

/// Slow enough to be stopped midway: one sample after the other.
const SLOW: &str = "search --model @demo --task arith --data arith.jsonl --simulations 10 \
                    --in-flight 2";

fn place(samples: usize) -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, samples);
    place
}

#[test]
fn a_run_killed_at_any_instant_ends_with_the_records_of_an_uninterrupted_one() {
    let place = place(8);
    place.ok(&format!("{SLOW} --out whole"));
    let whole = place.records("whole");
    assert_eq!(whole.len(), 8);

    let slow = format!("{SLOW} --out run");
    // No manifest yet, no record yet, and some.
    for records in [None, Some(0), Some(2), Some(5)] {
        let mut running = place.start(&slow);
        running.wait_until(|| match records {
            None => place.has("run"),
            Some(0) => place.has("run/samples.jsonl"),
            Some(n) => place.finished("run") >= n,
        });
        running.kill();
    }
    let before = place.finished("run");
    assert!(before >= 5);
    let ended = place.ok(&format!("{slow} --json"));
    assert_same_records(&whole, &place.records("run"));
    if before < 8 {
        let note = format!("continuing, {before} of 8 samples are done");
        assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    }

    // The summaries differ in what it took alone.
    let strip = |run: &str| {
        let mut summary: Value =
            serde_json::from_str(&place.read(&format!("{run}/summary.json"))).unwrap();
        let fields = summary.as_object_mut().unwrap();
        let took = ["second", "steps", "drafted", "passes"];
        fields.retain(|key, _| !took.iter().any(|took| key.contains(took)));
        for means in ["mean_depth_found", "depth_found"] {
            assert!(!fields["total"][means].is_null());
        }
        summary
    };
    assert_eq!(strip("run"), strip("whole"));
}

#[test]
fn a_directory_that_was_being_set_up_when_the_process_died_is_taken_over() {
    let place = place(2);
    place.write("run/.manifest.json.new", "{\"format\"");
    place.ok(&format!("{SLOW} --out run"));
    assert_eq!(place.records("run").len(), 2);
    assert!(!place.has("run/.manifest.json.new"));
    // Empty is as good as new.
    std::fs::create_dir(place.join("empty")).unwrap();
    place.ok(&format!("{SLOW} --out empty"));
}

#[test]
fn a_torn_last_line_is_run_again() {
    let place = place(4);
    let search = format!("{SLOW} --out run");
    place.ok(&search);
    let whole = place.records("run");
    let journal = place.read("run/samples.jsonl");
    let lines: Vec<&str> = journal.lines().collect();
    let first = lines[0].len() as u64 + 1;
    // At the end of the last line, at the end of the second and in the first.
    for length in [
        journal.len() as u64 - 1,
        first + lines[1].len() as u64,
        first / 2,
    ] {
        place.write("run/samples.jsonl", &journal);
        let file = File::options()
            .write(true)
            .open(place.join("run/samples.jsonl"))
            .unwrap();
        file.set_len(length).unwrap();
        let left = place.finished("run");
        // What is derived from a torn journal is derived from its whole lines.
        if left > 0 {
            place.ok("export run --format jsonl --out rows.jsonl");
            assert_eq!(json_lines(&place.read("rows.jsonl")).len(), left);
        }
        place.ok(&search);
        assert_same_records(&whole, &place.records("run"));
        assert!(
            place
                .read("run/samples.jsonl")
                .starts_with(&lines[..left].join("\n"))
        );
    }
}

#[test]
fn a_damaged_line_is_named_and_once_taken_out_its_sample_runs_again() {
    let place = place(4);
    let search = format!("{SLOW} --out run");
    place.ok(&search);
    let whole = place.records("run");
    let journal = place.read("run/samples.jsonl");
    let lines: Vec<&str> = journal.lines().collect();
    let half = lines[1].len() / 2;
    let damaged = journal.replace(&lines[1][half..], &"\0".repeat(lines[1].len() - half));
    place.write("run/samples.jsonl", &damaged);
    for command in [
        &search,
        "analyze run",
        "export run --format csv --out chains.csv",
    ] {
        let refused = place.refused(command);
        for part in [
            "run/samples.jsonl: line 2: ",
            "restore the file from a copy, or take the line out",
        ] {
            assert!(refused.contains(part), "{refused}\nlacks {part}");
        }
    }
    assert_eq!(place.read("run/samples.jsonl"), damaged);
    let without = [lines[0], lines[2], lines[3], ""].join("\n");
    place.write("run/samples.jsonl", without);
    place.ok(&search);
    assert_same_records(&whole, &place.records("run"));
}

#[test]
fn an_interrupted_run_says_so_keeps_out_others_and_continues() {
    let place = place(20);
    let slow = format!("{SLOW} --out run");
    let mut running = place.start(&format!("{slow} --json"));
    assert!(running.wait_until(|| place.finished("run") >= 2));
    // Held where it is, so that it cannot end before the second one begins.
    running.signal("-STOP");
    let locked = place.refused(&slow);
    assert!(locked.contains("run: another process"), "{locked}");
    running.signal("-INT");
    running.signal("-CONT");
    let ended = running.end().with_status(130);
    let done = place.finished("run");
    assert!((2..20).contains(&done));
    for word in [
        "stopping",
        "interrupted",
        &format!("{done}/20 samples"),
        "the same command",
    ] {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
    }
    // What there is, is summarised.
    assert_eq!(count(&ended.json()["datasets"][0]["samples"]), done as u64);

    let mut running = place.start(&slow);
    assert!(running.wait_until(|| place.finished("run") > done));
    running.signal("-TERM");
    running.end().with_status(130);

    place.ok(&slow);
    place.ok(&format!("{SLOW} --out whole"));
    assert_same_records(&place.records("whole"), &place.records("run"));
}

#[test]
fn an_interrupted_evaluation_stops() {
    let place = place(400);
    let eval = "eval --model @demo --task arith --data arith.jsonl --workers 1 --in-flight 8";
    let mut running = place.start(&format!("{eval} --out out --json"));
    // The directory is made when the work begins.
    assert!(running.wait_until(|| place.has("out")));
    running.signal("-INT");
    let ended = running.end().with_status(130);
    assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
    assert!(count(&ended.json()["n-samples"]["arith"]["original"]) < 400);
}

#[test]
fn a_finished_run_runs_nothing_and_says_the_same() {
    let place = place(3);
    let search = format!("{SLOW} --out run");
    let first = place.ok(&search);
    let files = place.files("run");
    let again = place.ok(&search);
    assert_eq!(again.stdout, first.stdout);
    assert!(
        again.stderr.contains("all 3 samples are done already"),
        "{}",
        again.stderr
    );
    assert_eq!(place.files("run"), files);
    let json = place.ok(&format!("{search} --json"));
    assert_eq!(json.stdout, place.read("run/summary.json"));
    // Where it runs is not part of what it is.
    let elsewhere = place.ok(&format!(
        "{search} --workers 3 --state-budget 0 --threads 2"
    ));
    assert_eq!(elsewhere.stdout, first.stdout);
}

#[test]
fn a_changed_command_is_refused_by_what_changed() {
    let place = place(3);
    place.synth("more.jsonl", "arith", 1, 3);
    place.synth("facts.jsonl", "commonsense", 1, 2);
    let model = place.model_copy("m");
    model.with_chat_template("{{ messages[0].content }}");
    let base = "search --model m --task task.yaml --data arith.jsonl --simulations 4 --limit 3 \
                --out run";
    let arith = include_str!("../../datasets/arith.yaml");
    place.write("task.yaml", arith);
    place.ok(base);
    let files = place.files("run");
    let refused = |line: &str, names: &[&str]| {
        let reason = refusal(place.run(line));
        for name in names.iter().chain(&["run/manifest.json", "another --out"]) {
            assert!(reason.contains(name), "{line}\n{reason}\nlacks {name:?}");
        }
    };
    for (flag, name) in [
        ("--seed 1", "`seed` was 0 when this run began, and is 1 now"),
        ("--controls 2", "`controls.samples` was \"all\""),
        ("--max-degradation 0.2", "`max_degradation` was 0.5"),
        ("--max-degradation none", "`max_degradation` was 0.5"),
        ("--strategy random", "`search.strategy`"),
        ("--preset dr-llm", "`search.preset`"),
        (
            "--damping 0.5",
            "`search.params.root_edits.damping` was null",
        ),
        ("--dtype bf16", "`dtype`"),
        ("--chat", "`chat`"),
    ] {
        refused(&format!("{base} {flag}"), &[name]);
    }
    refused(
        &base.replace("--simulations 4", "--simulations 5"),
        &["simulations` was 4"],
    );
    refused(
        &base.replace("--limit 3", "--limit 2"),
        &["`tasks.arith.samples` was 3"],
    );
    refused(
        &base.replace("--data arith.jsonl", "--data more.jsonl"),
        &["`tasks.arith.samples_hash`"],
    );
    let other = base
        .replace("task.yaml", "commonsense")
        .replace("arith.jsonl", "facts.jsonl");
    refused(&other, &["`tasks.0.name`", "arith", "commonsense"]);

    let mut rows = json_lines(&place.read("arith.jsonl"));
    let answer: usize = text(&rows[1]["answer"]).parse().unwrap();
    rows[1]["answer"] = ((answer + 1) % 100).to_string().into();
    let original = place.read("arith.jsonl");
    place.write("arith.jsonl", to_json_lines(&rows));
    refused(base, &["`tasks.arith.samples_hash`"]);
    place.write("arith.jsonl", original);

    place.write("task.yaml", arith.replace("Answer:", "Result:"));
    refused(base, &["`tasks.arith.samples_hash`"]);
    place.write(
        "task.yaml",
        arith.replace("max_gen_toks: 4", "max_gen_toks: 5"),
    );
    refused(base, &["`tasks.arith.samples_hash`"]);
    let judged = "function: remove_whitespace";
    place.write("task.yaml", arith.replace(judged, "function: lowercase"));
    refused(base, &["`tasks.arith.samples_hash`"]);
    place.write("task.yaml", arith);

    let weights = std::fs::read(model.0.join("model.safetensors")).unwrap();
    let mut changed = weights.clone();
    let last = changed.len() - 4;
    changed[last] ^= 1;
    model.write("model.safetensors", changed);
    refused(base, &["`model_hash`"]);
    model.write("model.safetensors", weights);

    let end = model.json("generation_config.json")["eos_token_id"].clone();
    model.edit("generation_config.json", |c| c["eos_token_id"] = 5.into());
    refused(base, &["`stop_tokens`"]);
    model.edit("generation_config.json", |c| c["eos_token_id"] = end);
    model.edit("tokenizer_config.json", |c| c["bos_token"] = "</s>".into());
    refused(base, &["tokenizer_hash`"]);
    model.edit("tokenizer_config.json", |c| c["bos_token"] = "<s>".into());

    assert_eq!(
        place.files("run"),
        files,
        "a refused command touches nothing"
    );
}

#[test]
fn pairs_killed_midway_go_on_where_they_were() {
    let place = place(30);
    let ids = json_lines(&place.read("arith.jsonl"));
    let pair = |row: &Value, chain: &str| serde_json::json!({"id": row["id"], "chain": chain});
    let pairs: Vec<Value> = ["0-11", "0-9", "0-5,7-11", "0-11,3"]
        .iter()
        .flat_map(|chain| ids.iter().map(|row| pair(row, chain)))
        .collect();
    place.write("pairs.jsonl", to_json_lines(&pairs));
    let eval = "eval --model @demo --task arith --data arith.jsonl --pairs pairs.jsonl --workers 1 --in-flight 2";
    place.ok(&format!("{eval} --out whole"));
    assert!(
        !place.has("whole/pairs.log"),
        "what it knew is in pairs.jsonl"
    );
    let logged = || match place.has("out/pairs.log") {
        true => place.read("out/pairs.log").lines().count(),
        false => 0,
    };
    let mut running = place.start(&format!("{eval} --out out"));
    running.wait_until(|| logged() > 20);
    running.kill();
    let known = logged() - 1;
    // Another chain is another evaluation.
    if place.has("out/pairs.log") {
        place.write("other.jsonl", to_json_lines(&pairs[..7]));
        let other = eval.replace("pairs.jsonl", "other.jsonl");
        let refused = place.refused(&format!("{other} --out out"));
        assert!(
            refused.contains("out/pairs.log: this log has `pairs`"),
            "{refused}"
        );
        let ended = place.ok(&format!("{eval} --out out"));
        let note = format!("{known} evaluations are known from before");
        assert!(
            known == 0 || ended.stderr.contains(&note),
            "{}",
            ended.stderr
        );
    }
    let lines = |out: &str| {
        let mut lines = json_lines(&place.read(&format!("{out}/pairs.jsonl")));
        for line in &mut lines {
            line.as_object_mut().unwrap().remove("steps");
        }
        Value::from(lines)
    };
    assert_same_values(&lines("out"), &lines("whole"));
    assert!(!place.has("out/pairs.log"));
}

#[test]
fn the_status_of_a_run_is_told_while_it_runs_and_after() {
    let place = place(20);
    let mut running = place.start(&format!("{SLOW} --out run --progress json"));
    assert!(running.wait_until(|| place.finished("run") >= 2));
    running.signal("-STOP");
    let status = place.ok("status run --json").json();
    assert_eq!(status["running"], true);
    assert_eq!(count(&status["tasks"][0]["samples"]), 20);
    let done = count(&status["tasks"][0]["done"]);
    assert_eq!(done, place.finished("run") as u64);
    assert!(status["seconds_left"].as_f64().unwrap() > 0.0);
    running.signal("-CONT");
    running.signal("-INT");
    let ended = running.end().with_status(130);
    let said = ended.stderr.lines().filter(|line| line.starts_with('{'));
    let said: Vec<Value> = said
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(said.last().unwrap()["event"], "interrupted");
    let shown = place.ok("status run").stdout;
    assert!(
        shown.contains("stopped; the same command continues it"),
        "{shown}"
    );
    place.ok(&format!("{SLOW} --out run --progress none"));
    let status = place.ok("status run --json").json();
    assert_eq!(
        (&status["running"], &status["seconds_left"]),
        (&false.into(), &0.0.into())
    );
    let shown = place.ok("status run").stdout;
    assert!(
        shown.contains("finished\n") && shown.contains("20 of 20 samples"),
        "{shown}"
    );
    let refused = place.refused("status none");
    assert!(
        refused.contains("none") && refused.contains("not a run directory"),
        "{refused}"
    );
}

#[test]
fn a_damaged_line_of_the_log_is_named_and_the_log_can_be_given_up() {
    let place = place(8);
    let slow = format!("{SLOW} --out run");
    let mut running = place.start(&slow);
    assert!(running.wait_until(|| {
        place.has("run/evaluations.log") && place.read("run/evaluations.log").lines().count() > 30
    }));
    running.kill();
    let log = place.read("run/evaluations.log");
    let mut damaged: Vec<String> = log.lines().map(|line| format!("{line}\n")).collect();
    damaged[9] = damaged[9].replace("\"correct\"", "\"korrekt\"");
    place.write("run/evaluations.log", damaged.concat());
    let refused = place.refused(&slow);
    assert!(
        refused.contains("run/evaluations.log: line 10 is damaged"),
        "{refused}"
    );
    std::fs::remove_file(place.join("run/evaluations.log")).unwrap();
    place.ok(&slow);
    place.ok(&format!("{SLOW} --out whole"));
    assert_same_records(&place.records("whole"), &place.records("run"));
}
