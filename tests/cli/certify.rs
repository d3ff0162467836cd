//! `cola search --certify` and what is made of certificates.

use std::{collections::BTreeMap, sync::OnceLock};

use crate::support_cli::{
    FLOAT, Place, count, json_lines, list, number, text, to_json_lines, truth,
};
use serde_json::{Value, json};

const SEARCH: &str = "search --model @demo --task arith commonsense --data arith.jsonl facts.jsonl \
                      --simulations 30 --controls 0";
const BOUND: f64 = 0.5;

fn place() -> Place {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, 6);
    place.synth("facts.jsonl", "commonsense", 2, 8);
    place
}

/// A run that was searched first and certified after, made once.
fn run() -> &'static Place {
    static RUN: OnceLock<Place> = OnceLock::new();
    RUN.get_or_init(|| {
        let place = place();
        place.ok(&format!("{SEARCH} --out run"));
        let before = place.files("run");
        let ended = place.ok(&format!("{SEARCH} --certify --out run"));
        let labels = certificates(&place, "run").len();
        let shown = format!("cola search, certificates: done, {labels}/{labels} samples");
        assert!(ended.stderr.contains(&shown), "{}", ended.stderr);
        assert!(ended.stdout.contains("Certificates"), "{}", ended.stdout);
        for (path, content) in before {
            let journal = path.ends_with("samples.jsonl") || path.ends_with("manifest.json");
            assert!(!journal || std::fs::read(&path).unwrap() == content);
        }
        place
    })
}

/// The lines of the certificates by task and id.
fn certificates(place: &Place, run: &str) -> BTreeMap<String, Value> {
    let lines = json_lines(&place.read(&format!("{run}/certificates.jsonl")));
    let named = lines.into_iter().map(|line| {
        let name = format!("{}/{}", text(&line["task"]), text(&line["id"]));
        (name, line)
    });
    named.collect()
}

/// The lines without degradations, which differ by what a batch adds.
fn without_nats(place: &Place, run: &str) -> BTreeMap<String, Value> {
    let mut lines = certificates(place, run);
    for line in lines.values_mut() {
        line["certificate"]["degradation"] = Value::Null;
        for edit in line["certificate"]["edits"].as_array_mut().unwrap() {
            edit["degradation"] = Value::Null;
        }
    }
    lines
}

/// What `cola eval --pairs` says of chains on rows, in their order.
fn evaluated(place: &Place, data: &str, pairs: &[Value]) -> Vec<Value> {
    place.write("pairs.jsonl", to_json_lines(pairs));
    place.ok(&format!(
        "eval --model @demo --task commonsense --data {data} --pairs pairs.jsonl --out evaluated"
    ));
    json_lines(&place.read("evaluated/pairs.jsonl"))
}

/// A row with its options moved up by `turn` places.
fn rotated(row: &Value, turn: usize) -> Value {
    let mut row = row.clone();
    let labels = list(&row["choices"]["label"]).to_vec();
    let gold = labels
        .iter()
        .position(|label| *label == row["answerKey"])
        .unwrap();
    let count = labels.len();
    row["answerKey"] = labels[(gold + count - turn) % count].clone();
    let texts = row["choices"]["text"].as_array_mut().unwrap();
    texts.rotate_left(turn);
    row
}

fn within_bound(pair: &Value) -> bool {
    truth(&pair["correct"]) && number(&pair["degradation"]) <= BOUND
}

#[test]
fn a_certificate_is_what_evaluating_its_chains_gives() {
    let place = run();
    let records: Vec<(String, Value)> = place.records("run");
    let facts = records.iter().filter(|(_, r)| r["task"] == "commonsense");
    let facts: Vec<&Value> = facts.map(|(_, record)| record).collect();
    let lines = certificates(place, "run");
    let rows = json_lines(&place.read("facts.jsonl"));
    let labels = facts.iter().filter(|record| !record["best"].is_null());
    let labels: Vec<&Value> = labels.copied().collect();
    let certificate = |record: &Value| {
        let line = &lines[&format!("commonsense/{}", text(&record["id"]))];
        assert_eq!(
            (&line["chain"], &line["seed"]),
            (&record["best"]["chain"], &record["seed"])
        );
        assert_eq!(
            (&line["max_degradation"], &line["error"]),
            (&json!(BOUND), &Value::Null)
        );
        line["certificate"].clone()
    };
    // There are fewer than 16 other samples: all are drawn.
    let others_of = |record: &Value| -> Vec<&Value> {
        let others = facts.iter().filter(|other| other["id"] != record["id"]);
        others.copied().collect()
    };
    let pair = |sample: &Value, chain: &Value| json!({"id": sample["id"], "chain": chain});
    let mut pairs = Vec::new();
    for record in &labels {
        let found = certificate(record);
        pairs.extend(
            list(&found["edits"])
                .iter()
                .map(|edit| pair(record, &edit["chain"])),
        );
        let others = others_of(record).into_iter();
        pairs.extend(others.map(|other| pair(other, &record["best"]["chain"])));
    }
    let mut results = evaluated(place, "facts.jsonl", &pairs).into_iter();
    let own: Vec<Value> = labels
        .iter()
        .map(|r| pair(r, &r["best"]["chain"]))
        .collect();
    let rotations = [0, 1, 2, 3].map(|turn| {
        let rows: Vec<Value> = rows.iter().map(|row| rotated(row, turn)).collect();
        place.write("rotated.jsonl", to_json_lines(&rows));
        evaluated(place, "rotated.jsonl", &own)
    });
    let mut edits = 0;
    for (at, record) in labels.iter().enumerate() {
        let id = text(&record["id"]);
        let found = certificate(record);
        assert_eq!(found["confirmed"], true);
        assert_eq!(found["degradation"], record["best"]["degradation"]);
        let mut needed = 0;
        for edit in list(&found["edits"]) {
            let result = results.next().unwrap();
            assert_eq!(edit["correct"], result["correct"], "{id} {edit}");
            let nats = number(&edit["degradation"]) - number(&result["degradation"]);
            assert!(nats.abs() < FLOAT, "{id} {edit} {result}");
            needed += u64::from(!within_bound(&result));
            edits += 1;
        }
        assert_eq!(count(&found["needed"]), needed, "{id}");
        let others = others_of(record);
        let elsewhere = results.by_ref().take(others.len());
        let right = elsewhere.filter(within_bound).count();
        let unmodified = others
            .iter()
            .filter(|other| other["baseline"]["correct"] == true);
        let transfer = json!({
            "samples": facts.len() - 1,
            "right": right,
            "unmodified_right": unmodified.count(),
        });
        assert_eq!(found["transfer"], transfer, "{id}");
        let right = rotations
            .iter()
            .filter(|results| truth(&results[at]["correct"]));
        assert_eq!(
            found["rotations"],
            json!({"right": right.count(), "of": 4}),
            "{id}"
        );
    }
    assert!(edits > 3, "{edits}");
    // Generated answers have no rotations, and samples without a best chain no certificate.
    for (name, record) in &records {
        assert_eq!(
            lines.contains_key(name),
            !record["best"].is_null(),
            "{name}"
        );
    }
    let arith = lines.values().filter(|line| line["task"] == "arith");
    assert!(arith.clone().count() > 0);
    assert!(
        arith
            .clone()
            .all(|line| line["certificate"]["rotations"].is_null())
    );
}

#[test]
fn certificates_are_the_same_in_one_command_and_after_a_torn_line() {
    let place = place();
    let certify = format!("{SEARCH} --certify --in-flight 3 --out run");
    place.ok(&certify);
    let expected = without_nats(run(), "run");
    assert_eq!(without_nats(&place, "run"), expected);
    let whole = place.read("run/certificates.jsonl");
    for length in [whole.len() - 1, whole.len() / 2, 10] {
        place.write("run/certificates.jsonl", &whole[..length]);
        // Whoever reads the run reads whole lines.
        place.ok("export run --format csv --out rows.csv");
        place.ok(&certify);
        assert_eq!(without_nats(&place, "run"), expected);
    }
    let files = place.files("run");
    let ended = place.ok(&certify);
    let labels = expected.len();
    let shown = format!("cola search, certificates: all {labels} samples are done already");
    assert!(ended.stderr.contains(&shown), "{}", ended.stderr);
    assert_eq!(place.files("run"), files);
    // Without the flag the certificates are kept and shown.
    let ended = place.ok(&certify.replace("--certify ", ""));
    assert!(ended.stdout.contains("Certificates"), "{}", ended.stdout);
    assert_eq!(place.files("run"), files);

    let line = json!({
        "task": "arith", "id": "none", "seed": 1, "chain": "0-3", "max_degradation": 0.5,
        "certificate": null, "error": "x",
    });
    place.write("run/certificates.jsonl", to_json_lines(&[line]));
    for line in [
        &*certify,
        "export run --format csv --out c.csv",
        "analyze run --out a",
    ] {
        let reason = place.refused(line);
        for words in [
            "arith/none is for best chain 0-3",
            "delete this file",
            "with --certify",
        ] {
            assert!(reason.contains(words), "{line}\n{reason}");
        }
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_stage_says_so_keeps_out_others_and_continues() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 2, 60);
    let search = "search --model @demo --task arith --data arith.jsonl --simulations 6 --controls 0 \
                  --in-flight 2 --workers 1 --out run";
    place.ok(search);
    let certify = format!("{search} --certify");
    let written = || match place.has("run/certificates.jsonl") {
        true => place.read("run/certificates.jsonl").lines().count(),
        false => 0,
    };
    let mut running = place.start(&certify);
    assert!(running.wait_until(|| written() >= 2));
    // Held where it is, so that it cannot end before the second one begins.
    running.signal("-STOP");
    let locked = place.run(&certify).with_status(2).stderr;
    assert!(locked.contains("cola: run: another process"), "{locked}");
    running.signal("-INT");
    running.signal("-CONT");
    let ended = running.end().with_status(130);
    let labels = place
        .journal("run")
        .iter()
        .filter(|r| !r["best"].is_null())
        .count();
    let done = written();
    assert!((2..labels).contains(&done), "{done} of {labels}");
    for words in [
        "certificates: interrupted",
        &format!("{done}/{labels} samples"),
        "cola search: the same command continues this run",
    ] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    let ended = place.ok(&certify);
    let shown = format!("certificates: continuing, {done} of {labels} samples are done");
    assert!(ended.stderr.contains(&shown), "{}", ended.stderr);
    assert_eq!(certificates(&place, "run").len(), labels);
}

#[test]
fn verdicts_that_cover_all_rotations_say_so() {
    let place = place();
    let search = SEARCH
        .replace("arith commonsense", "commonsense")
        .replace("arith.jsonl facts.jsonl", "facts.jsonl");
    place.ok(&format!("{search} --rotations --certify --out run"));
    let lines = certificates(&place, "run");
    assert!(!lines.is_empty());
    for line in lines.values() {
        assert_eq!(
            line["certificate"]["rotations"],
            json!({"right": 4, "of": 4})
        );
    }
}

#[test]
fn exports_and_summaries_count_what_certificates_hold() {
    let place = run();
    let lines = certificates(place, "run");
    let records = place.records("run");
    let holds = |line: &Value, least: f64, loss: u64, bound: f64| {
        let found = &line["certificate"];
        let rotations = &found["rotations"];
        let rotations = rotations.is_null()
            || count(&rotations["right"]) as f64 >= least * count(&rotations["of"]) as f64;
        let transfer = &found["transfer"];
        let lost = count(&transfer["unmodified_right"]).saturating_sub(count(&transfer["right"]));
        let transfer = 16 * lost <= loss * count(&transfer["samples"]);
        rotations && transfer && number(&found["degradation"]) <= bound
    };
    let mut sizes = Vec::new();
    for (flags, least, loss, bound) in [
        ("", 1.0, 4, BOUND),
        ("--min-rotations 0.5", 0.5, 4, BOUND),
        ("--max-transfer-loss 16", 1.0, 16, BOUND),
        ("--min-rotations 0 --max-transfer-loss 16", 0.0, 16, BOUND),
        ("--max-transfer-loss 16 --max-degradation 0", 1.0, 16, 0.0),
    ] {
        let ended = place.ok(&format!(
            "export run --format jsonl --certified {flags} --out rows.jsonl"
        ));
        let rows = json_lines(&place.read("rows.jsonl"));
        let names = rows
            .iter()
            .map(|r| format!("{}/{}", text(&r["task"]), text(&r["id"])));
        let expected = lines
            .iter()
            .filter(|(_, line)| holds(line, least, loss, bound));
        let expected: Vec<&String> = expected.map(|(name, _)| name).collect();
        let mut written: Vec<String> = names.collect();
        written.sort();
        assert_eq!(written.iter().collect::<Vec<_>>(), expected, "{flags}");
        assert!(rows.iter().all(|row| row["certified"] == true));
        for told in [
            format!("best chains: {}", lines.len()),
            format!("certified, by all of these: {}", rows.len()),
        ] {
            assert!(
                ended.stderr.contains(&format!("cola export: {told}\n")),
                "{ended:#?}"
            );
        }
        sizes.push(rows.len());
    }
    assert!(sizes[3] == lines.len() && sizes[0] < sizes[3], "{sizes:?}");

    // All samples, with the columns of their certificates.
    place.ok("export run --format jsonl --out all.jsonl");
    let all = json_lines(&place.read("all.jsonl"));
    assert_eq!(all.len(), records.len());
    for row in &all {
        let name = format!("{}/{}", text(&row["task"]), text(&row["id"]));
        let found = lines
            .get(&name)
            .map_or(&Value::Null, |line| &line["certificate"]);
        let length = |edits: &Value| edits.as_array().map(Vec::len);
        for (column, value) in [
            ("rotations_right", found["rotations"]["right"].clone()),
            ("rotations", found["rotations"]["of"].clone()),
            ("edits", json!(length(&found["edits"]))),
            ("needed_edits", found["needed"].clone()),
            ("transfer_samples", found["transfer"]["samples"].clone()),
            ("transfer_right", found["transfer"]["right"].clone()),
            (
                "transfer_unmodified_right",
                found["transfer"]["unmodified_right"].clone(),
            ),
        ] {
            assert_eq!(row[column], value, "{name} {column}");
        }
    }

    let summary: Value = serde_json::from_str(&place.read("run/summary.json")).unwrap();
    let total = &summary["total"]["certificates"];
    assert_eq!(count(&total["labels"]), lines.len() as u64);
    assert_eq!(count(&total["certified"]), sizes[0] as u64);
    let rotated = lines.values().filter(|line| line["task"] == "commonsense");
    assert_eq!(count(&total["rotated"]), rotated.count() as u64);
    place.ok("analyze run --out analysis");
    let csv = place.read("analysis/certificates.csv");
    let datasets = list(&summary["datasets"]);
    for dataset in datasets {
        let counts = &dataset["certificates"];
        let row = format!(
            ",{},certified,{},{},",
            text(&dataset["task"]),
            counts["certified"],
            counts["labels"]
        );
        assert!(csv.contains(&row), "{row}\n{csv}");
    }
    assert!(place.read("analysis/report.html").contains("Certificates"));
}

#[test]
fn thresholds_need_certificates() {
    let place = place();
    place.ok("search --model @demo --task arith --data arith.jsonl --simulations 4 --out run");
    let export = "export run --format csv --out rows.csv";
    let reason = place.refused(&format!("{export} --certified"));
    let expected = "run: this run has no certificates; run the same search command with --certify";
    assert_eq!(reason, expected);
    assert!(!place.has("rows.csv"));
    for (flags, expected) in [
        ("--min-rotations 0.5", "--certified"),
        ("--max-transfer-loss 2", "--certified"),
        ("--max-degradation 0.2", "--certified"),
        ("--certified --min-rotations 1.5", "a number from 0 to 1"),
        ("--certified --max-transfer-loss -1", "'-1'"),
        ("--certified --max-degradation none", "0 or more"),
    ] {
        let ended = place.run(&format!("{export} {flags}")).with_status(2);
        assert!(ended.stderr.contains(expected), "{flags}\n{ended:#?}");
    }
    let summary: Value = serde_json::from_str(&place.read("run/summary.json")).unwrap();
    assert!(summary["total"]["certificates"].is_null());
}
