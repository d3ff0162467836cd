//! Runs that are killed at random moments, again and again: nothing is lost, nothing is done twice, and nothing is different.
#![cfg(unix)]

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support_cli::{
    Place, assert_same_records, assert_same_values, json_lines, to_json_lines,
};

const SEARCH: &str = "search --model @demo --task arith --data arith.jsonl --simulations 12 --in-flight 3 \
                      --arms search,random,sampling --workers 1 --threads 1";
const STAGES: &str = "search --model @demo --task facts.yaml --data facts.jsonl --simulations 6 --in-flight 3 \
                      --certify --arms menu --workers 1 --threads 1";
const PAIRS: &str = "eval --model @demo --task arith --data arith.jsonl --pairs pairs.jsonl --in-flight 3 \
                     --workers 1 --threads 1";

/// Kills each command so often, in all.
fn kill(times: usize, seed: u64) {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, 6);
    place.synth("facts.jsonl", "commonsense", 1, 30);
    place.write(
        "facts.yaml",
        include_str!("../../datasets/commonsense.yaml"),
    );
    let ids = json_lines(&place.read("arith.jsonl"));
    let chains = [
        "0-11",
        "0-4,6-11",
        "0-11,11",
        "0-9",
        "0-3,3,4-11",
        "1-11",
        "0-6,8-11",
    ];
    let pairs: Vec<Value> = ids
        .iter()
        .flat_map(|row| chains.map(|chain| serde_json::json!({"id": row["id"], "chain": chain})))
        .collect();
    place.write("pairs.jsonl", to_json_lines(&pairs));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for (command, of) in [(SEARCH, times / 2), (STAGES, times / 4), (PAIRS, times / 4)] {
        let started = Instant::now();
        place.ok(&format!("{command} --out whole"));
        let duration = started.elapsed();
        let expected = found(&place, "whole");
        let mut kills = 0;
        while kills < of {
            kills += kill_until_done(&place, command, duration, &mut random);
            assert_same_values(&found(&place, "run"), &expected);
            if place.has("run/samples.jsonl") {
                assert_same_records(&place.records("whole"), &place.records("run"));
                assert!(
                    !place.has("run/evaluations.log"),
                    "all it knew is in the journal"
                );
            }
            std::fs::remove_dir_all(place.join("run")).unwrap();
        }
        std::fs::remove_dir_all(place.join("whole")).unwrap();
    }
}

/// Starts a command and kills it at random moments until it ends by itself; returns how often it was killed.
fn kill_until_done(
    place: &Place,
    command: &str,
    duration: Duration,
    random: &mut ChaCha8Rng,
) -> usize {
    let command = format!("{command} --out run");
    let mut kills = 0;
    loop {
        let moment = Instant::now() + duration.mul_f64(random.random::<f64>() * 1.2);
        let mut running = place.start(&command);
        if !running.wait_until(|| Instant::now() >= moment) {
            // It ended before.
            running.end().with_status(0);
            return kills;
        }
        running.kill();
        kills += 1;
        if place.has("run/evaluations.log") {
            assert_once(&place.read("run/evaluations.log"));
        }
    }
}

/// What a run found beside its records: certificates, menus, pairs; sorted, without costs.
fn found(place: &Place, run: &str) -> Value {
    let mut lines = Vec::new();
    for file in ["certificates.jsonl", "menu.jsonl", "pairs.jsonl"] {
        let path = format!("{run}/{file}");
        if place.has(&path) {
            for mut line in json_lines(&place.read(&path)) {
                let fields = line.as_object_mut().unwrap();
                // What the state table saved hangs on what it held.
                fields.remove("steps");
                lines.push(line);
            }
        }
    }
    // Floats may differ in their last digits.
    lines.sort_by_key(|line| without_floats(line).to_string());
    lines.into()
}

/// The value with nothing in the place of every float.
fn without_floats(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.iter().map(without_floats).collect(),
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields = fields.map(|(key, value)| (key.clone(), without_floats(value)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// Asserts that no evaluation was run twice: every draw of an answer is another.
#[track_caller]
fn assert_once(log: &str) {
    let mut seen = BTreeSet::new();
    // The last line may be torn.
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    for line in complete.lines().skip(1) {
        let (_, json) = line.split_once(' ').unwrap();
        let line: Value = serde_json::from_str(json).unwrap();
        if line["phase"] == "sampling" {
            continue;
        }
        let key = ["task", "id", "phase", "chain", "isolated"].map(|key| line[key].to_string());
        assert!(seen.insert(key), "twice: {json}");
    }
}

#[test]
fn a_run_that_is_killed_a_few_dozen_times_is_the_run_that_was_not() {
    kill(24, 1);
}

/// Run it with `cargo test --release --test cli -- --ignored killed_a_thousand`.
#[test]
#[ignore = "takes minutes"]
fn a_run_that_is_killed_a_thousand_times_is_the_run_that_was_not() {
    kill(1000, 2);
}
