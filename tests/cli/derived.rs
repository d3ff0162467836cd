//! What is derived from a run, questions made from nothing, and how the program behaves in a shell.

use std::{
    collections::BTreeSet,
    fs::File,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::support_cli::{
    Ended, Place, cola, count, demo_model, json_lines, layers_of, list, number, repository, text,
    words,
};
use serde_json::{Value, json};

/// A finished run of two tasks, made once.
fn run() -> &'static Place {
    static RUN: OnceLock<Place> = OnceLock::new();
    RUN.get_or_init(|| {
        let place = Place::new();
        place.synth("arith.jsonl", "arith", 3, 5);
        place.synth("facts.jsonl", "commonsense", 2, 5);
        place.ok(
            "search --model @demo --task arith commonsense --data arith.jsonl facts.jsonl \
             --simulations 20 --controls 3 --out run",
        );
        place
    })
}

/// The rows of a CSV file by column; every row has every column.
fn csv_rows(path: &Path) -> Vec<Value> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let columns = reader.headers().unwrap().clone();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let fields = columns.iter().zip(&row);
        fields
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    });
    rows.map(Value::Object).collect()
}

#[test]
fn analysis_writes_the_files_it_names_without_scripts_or_nan() {
    let place = run();
    let ended = place.ok("analyze run --out analysis");
    let named: Vec<&str> = ended.stdout.lines().collect();
    let names: BTreeSet<&str> = named
        .iter()
        .map(|path| path.strip_prefix("analysis/").unwrap())
        .collect();
    let found: BTreeSet<String> = std::fs::read_dir(place.join("analysis"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, found.iter().map(String::as_str).collect());
    for file in [
        "report.html",
        "summary.csv",
        "layers.csv",
        "depth.csv",
        "controls.csv",
    ] {
        assert!(names.contains(file), "{file}: {names:?}");
    }
    for name in names {
        let path = place.join("analysis").join(name);
        let content = std::fs::read_to_string(&path).unwrap();
        for word in ["NaN", "inf,", ",inf", "Infinity"] {
            assert!(!content.contains(word), "{name}: {word}");
        }
        if name.ends_with(".csv") {
            assert!(!csv_rows(&path).is_empty(), "{name}");
        }
    }
    let report = place.read("analysis/report.html");
    for word in ["<script", "http://", "https://", "javascript:"] {
        let without_namespaces = report.replace("http://www.w3.org/", "");
        assert!(!without_namespaces.contains(word), "{word}");
    }
    assert!(report.contains("<svg") && report.contains("commonsense"));

    let summary: Value = serde_json::from_str(&place.read("run/summary.json")).unwrap();
    for row in csv_rows(&place.join("analysis/summary.csv")) {
        let datasets = list(&summary["datasets"]);
        let dataset = datasets.iter().find(|d| d["task"] == row["task"]).unwrap();
        let measure = text(&row["measure"]);
        let value: f64 = text(&row["value"]).parse().unwrap();
        assert!((number(&dataset[measure]) - value).abs() < 1e-5, "{row}");
    }

    // Skip rates from the journal.
    let records = place.records("run");
    let best: Vec<Vec<usize>> = records
        .iter()
        .filter(|(_, r)| r["task"] == "arith" && !r["best"].is_null())
        .map(|(_, r)| layers_of(&r["best"]["chain"]))
        .collect();
    let layers = csv_rows(&place.join("analysis/layers.csv"));
    let of_found = layers
        .iter()
        .filter(|r| r["task"] == "arith" && r["group"] == "found");
    let of_found: Vec<&Value> = of_found.collect();
    assert_eq!(of_found.len(), if best.is_empty() { 0 } else { 12 });
    for row in of_found {
        let layer: usize = text(&row["layer"]).parse().unwrap();
        let skipped = best.iter().filter(|chain| !chain.contains(&layer)).count();
        let rate: f64 = text(&row["skip_rate"]).parse().unwrap();
        assert!(
            (rate - skipped as f64 / best.len() as f64).abs() < 1e-5,
            "{row}"
        );
    }
}

#[test]
fn an_analysis_can_be_made_again_and_of_several_runs() {
    let place = run();
    place.ok("analyze run --out twice");
    let first = place.files("twice");
    place.ok("analyze run --out twice");
    assert_eq!(place.files("twice"), first);
    place.ok("analyze run run --out both");
    assert!(place.has("both/report.html"));
    place.ok("analyze run --out deep/er/still");
    assert!(place.has("deep/er/still/report.html"));
}

#[test]
fn exports_hold_the_best_chain_of_every_sample() {
    let place = run();
    let ended = place.ok("export run --format jsonl --out rows.jsonl");
    assert!(ended.stdout.contains("10 samples"), "{}", ended.stdout);
    place.ok("export run --format csv --out rows.csv");
    let rows = json_lines(&place.read("rows.jsonl"));
    let csv = csv_rows(&place.join("rows.csv"));
    assert_eq!((rows.len(), csv.len()), (10, 10));
    let ids: BTreeSet<(&str, &str)> = rows
        .iter()
        .map(|r| (text(&r["task"]), text(&r["id"])))
        .collect();
    assert_eq!(ids.len(), 10);
    for (id, record) in place.records("run") {
        let is_it = |row: &&Value| format!("{}/{}", text(&row["task"]), text(&row["id"])) == id;
        let row = rows.iter().find(is_it).unwrap();
        let flat = csv.iter().find(is_it).unwrap();
        let best = &record["best"];
        let layers = (!best.is_null()).then(|| layers_of(&best["chain"]));
        let controls = &record["controls"];
        let control = |control: &str, what: &dyn Fn(&Value) -> Value| match &controls[control] {
            Value::Null => Value::Null,
            outcome => what(outcome),
        };
        let was_found = |outcome: &Value| json!(!outcome["found"].is_null());
        let unique = layers
            .as_ref()
            .map(|l| l.iter().collect::<BTreeSet<_>>().len());
        let expected = json!({
            "task": record["task"],
            "id": record["id"],
            "index": record["index"],
            "gold": record["gold"],
            "baseline_correct": record["baseline"]["correct"],
            "baseline_answer": record["baseline"]["answer"],
            "found": !best.is_null(),
            "chain": best["chain"],
            "layers": layers,
            "alphas": null,
            "length": layers.as_ref().map(Vec::len),
            "unique_layers": unique,
            "margin": best["margin"],
            "degradation": best["degradation"],
            "answer": best["answer"],
            "random_found": control("random", &was_found),
            "random_chain": control("random", &|o| o["found"].clone()),
            "matched_target": control("matched_target", &|o| o["target"].clone()),
            "matched_target_found": control("matched_target", &was_found),
            "matched_target_chain": control("matched_target", &|o| o["found"].clone()),
            "wrong_target": control("wrong_target", &|o| o["target"].clone()),
            "wrong_target_found": control("wrong_target", &was_found),
            "wrong_target_chain": control("wrong_target", &|o| o["found"].clone()),
            "rotations_right": null,
            "rotations": null,
            "edits": null,
            "needed_edits": null,
            "transfer_samples": null,
            "transfer_right": null,
            "transfer_unmodified_right": null,
            "certified": null,
            "error": null,
        });
        assert_eq!(row, &expected, "{id}");
        for (column, value) in expected.as_object().unwrap() {
            let cell = text(&flat[column]);
            match value {
                Value::Null => assert_eq!(cell, "", "{id} {column}"),
                Value::String(text) => assert_eq!(cell, text, "{id} {column}"),
                Value::Array(layers) => {
                    let layers: Vec<String> = layers.iter().map(Value::to_string).collect();
                    assert_eq!(cell, layers.join(" "), "{id} {column}");
                }
                Value::Number(n) if n.is_f64() => {
                    assert_eq!(cell.parse::<f64>().unwrap(), number(value), "{id} {column}");
                }
                value => assert_eq!(cell, value.to_string(), "{id} {column}"),
            }
        }
    }
    // An old export is replaced.
    place.write("old.csv", "old");
    place.ok("export run --format csv --out old.csv");
    assert_eq!(place.read("old.csv"), place.read("rows.csv"));
    assert_eq!(
        place.files("run").len(),
        4,
        "the run itself is left as it was"
    );
}

#[test]
fn questions_follow_from_the_seed() {
    let place = Place::new();
    for kind in [
        "arith --level 3",
        "commonsense --level 2",
        "countdown --level 2",
        "boolean --level 4",
        "list-ops --level 3",
        "hops --level 5",
        "counting --level 1",
    ] {
        let made = |flags: &str| place.ok(&format!("synth --kind {kind} {flags}")).stdout;
        let thirty = made("--count 30 --seed 7");
        assert_eq!(made("--count 30 --seed 7"), thirty);
        assert_eq!(thirty.lines().count(), 30);
        let ten = made("--count 10 --seed 7");
        assert!(
            thirty.starts_with(&ten),
            "more questions come after the same ones"
        );
        assert_ne!(made("--count 30 --seed 8"), thirty);
        let ended = place.ok(&format!(
            "synth --kind {kind} --count 30 --seed 7 --out made.jsonl"
        ));
        assert_eq!(
            (ended.stdout.as_str(), place.read("made.jsonl")),
            ("", thirty)
        );
    }
}

#[test]
fn train_and_test_questions_are_disjoint() {
    let place = Place::new();
    for (kind, sizes) in [
        ("arith --level 1", (900, 250)),
        ("commonsense --level 2", (900, 300)),
        ("countdown --level 1", (900, 300)),
        ("boolean --level 1", (900, 300)),
        ("list-ops --level 1", (900, 300)),
        ("hops --level 1", (900, 300)),
        ("counting --level 1", (900, 300)),
    ] {
        let made = |split: &str, count: usize, seed: usize| {
            let flags = format!("--count {count} --seed {seed} --split {split}");
            let rows = json_lines(&place.ok(&format!("synth --kind {kind} {flags}")).stdout);
            assert_eq!(rows.len(), count);
            let of = |field: &str| -> BTreeSet<String> {
                rows.iter()
                    .map(|row| text(&row[field]).to_owned())
                    .collect()
            };
            let (ids, questions) = (of("id"), of("question"));
            assert_eq!(ids.len(), count, "ids are unique");
            (ids, questions)
        };
        // Other seeds too: the side is the question's, not the draw's.
        let train = made("train", sizes.0, 1);
        for seed in [1, 2] {
            let test = made("test", sizes.1, seed);
            assert!(train.0.is_disjoint(&test.0), "{kind}");
            assert!(train.1.is_disjoint(&test.1), "{kind}");
        }
    }
}

/// Ends a command line whose reader has left before it wrote anything.
fn with_closed(stream: &str, directory: &Path, line: &str) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = cola(directory);
    command.args(words(line));
    match stream {
        "stdout" => command.stdout(writer).stderr(Stdio::piped()),
        _ => command.stderr(writer).stdout(Stdio::piped()),
    };
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let other = if stream == "stdout" {
        output.stderr
    } else {
        output.stdout
    };
    (output.status.code(), String::from_utf8(other).unwrap())
}

#[test]
fn a_reader_that_leaves_is_not_an_error() {
    let place = run();
    for line in [
        "--help",
        "search --help",
        "inspect --model @demo",
        "inspect --model @demo --json",
        "synth --kind arith --level 2 --count 2000",
        "generate --model @demo --prompt Dial",
        "analyze run --out closed",
        "search --model @demo --task arith --data arith.jsonl --limit 2 --simulations 3 \
         --out closed-run",
        "eval --model @demo --task arith --data arith.jsonl",
    ] {
        let (status, stderr) = with_closed("stdout", place.path(), line);
        assert_eq!(status, Some(0), "{line}: {stderr}");
        assert!(
            !stderr.contains("panicked") && !stderr.contains("cola: "),
            "{line}: {stderr}"
        );
    }
    assert_eq!(place.records("closed-run").len(), 2);
}

#[test]
fn a_closed_standard_error_stops_nothing() {
    let place = run();
    let search = "search --model @demo --task arith --data arith.jsonl --limit 2 --simulations 3 \
                  --out silent-run";
    let (status, stdout) = with_closed("stderr", place.path(), search);
    assert_eq!(status, Some(0));
    assert!(stdout.contains("oracle"), "{stdout}");
    assert_eq!(place.records("silent-run").len(), 2);
    let (status, _) = with_closed("stderr", place.path(), "inspect --model none");
    assert_eq!(status, Some(2));
}

#[test]
fn a_shells_pipe_works() {
    // As it is typed: `head` leaves after the first line.
    let program = env!("CARGO_BIN_EXE_cola");
    let line = format!("{program} synth --kind arith --level 2 --count 3000 | head -1");
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let ended = Ended::of(output).with_status(0);
    assert_eq!(
        (ended.stdout.lines().count(), ended.stderr.as_str()),
        (1, "")
    );
}

#[test]
fn devices_are_written_to_not_replaced() {
    let place = run();
    place.ok("synth --kind arith --level 1 --count 3 --out /dev/null");
    place.ok("export run --format csv --out /dev/null");
    assert!(
        !File::open("/dev/null")
            .unwrap()
            .metadata()
            .unwrap()
            .is_file()
    );
}

#[test]
fn paths_are_relative_to_where_the_program_runs() {
    let place = Place::new();
    place.model_copy("models/mine");
    std::fs::create_dir(place.join("data")).unwrap();
    place.synth("data/rows.jsonl", "arith", 1, 2);
    let yaml = include_str!("../../datasets/arith.yaml").replacen("task: arith", "task: mine", 1);
    let files = "dataset_kwargs:\n  data_files:\n    test: ../data/rows.jsonl\n";
    place.write("tasks/mine.yaml", format!("{yaml}{files}"));
    let search = "--task ../tasks/mine.yaml --simulations 3 --out ../runs/one";
    let below = place.join("data");
    let output = cola(&below)
        .args(words(&format!("search --model ../models/mine {search}")))
        .output()
        .unwrap();
    Ended::of(output).with_status(0);
    assert_eq!(place.records("runs/one").len(), 2);
    let manifest: Value = serde_json::from_str(&place.read("runs/one/manifest.json")).unwrap();
    assert_eq!(manifest["model"], "../models/mine");
    // The task file of the data, from anywhere.
    place.ok("eval --model models/mine --task tasks/mine.yaml");
    place.ok("analyze runs/one");
    assert!(place.has("runs/one/analysis/report.html"));
}

#[test]
fn a_trailing_slash_or_a_link_is_the_same_model() {
    let place = Place::new();
    let demo = demo_model();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&demo, place.join("link")).unwrap();
    let one = place.ok("inspect --model link --json").json();
    let two = place
        .ok(&format!("inspect --model {}/ --json", demo.display()))
        .json();
    assert_eq!(one, two);
    assert_eq!(count(&one["layers"]), 12);
}

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    let top = place.ok("--help").stdout;
    for command in [
        "demo", "search", "eval", "generate", "verify", "inspect", "analyze", "export", "synth",
    ] {
        assert!(top.contains(&format!("\n  {command} ")), "{command}: {top}");
        let help = place.ok(&format!("{command} --help")).stdout;
        assert!(help.contains("Usage: cola "), "{help}");
        assert!(
            help.lines().all(|line| line.chars().count() <= 100),
            "{help}"
        );
    }
    assert!(
        top.contains("Exit status") && top.contains("0-9,12-27"),
        "{top}"
    );
    assert!(place.ok("--version").stdout.starts_with("cola "));

    // The tasks that help lists are those there are.
    let unknown = place.refused("eval --model @demo --task none");
    let known = unknown
        .split("known: ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    let help = place.ok("search --help").stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains(&format!("({known})")), "{known}: {help}");
    for entry in std::fs::read_dir(repository().join("datasets")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                known.split(", ").any(|known| known == name),
                "{name}: {known}"
            );
        }
    }
}
