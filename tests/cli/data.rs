//! Rows from every kind of file and from datasets of a hub, and what becomes of bad ones.

use std::{collections::BTreeMap, io::Write};

use crate::support_cli::{
    Ended, Place, cola, count, json_lines, repository, text, to_json_lines, words,
};
use crate::support_hub::{Hub, Repository, commit};
use arrow_ipc::CompressionType;
use flate2::{Compression as Level, write::GzEncoder};
use parquet::basic::Compression;
use serde_json::{Value, json};

const FLAT: [&str; 4] = ["id", "kind", "question", "answer"];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

/// The rows as a table.
fn table(rows: &[Value], separator: u8) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new()
        .delimiter(separator)
        .from_writer(Vec::new());
    writer.write_record(FLAT).unwrap();
    for row in rows {
        writer
            .write_record(FLAT.map(|name| text(&row[name])))
            .unwrap();
    }
    writer.into_inner().unwrap()
}

/// What a task made of a file: every sample with its prompt, options, answer and log-probabilities.
#[track_caller]
fn samples(place: &Place, task: &str, file: &str) -> Vec<Value> {
    let out = format!("out-{file}");
    // One question at a time: where products round by the size of a batch, log-probabilities are the same all the same.
    place.ok(&format!(
        "eval --model @demo --task {task} --data {file} --out {out} --workers 1 --in-flight 1"
    ));
    let mut lines = place.samples(&out, task);
    for line in &mut lines {
        // Files of some columns only have rows of some columns only.
        for key in ["doc", "doc_hash"] {
            line.as_object_mut().unwrap().remove(key);
        }
    }
    lines
}

#[test]
fn a_row_is_hashed_and_written_as_python_writes_it() {
    let place = Place::new();
    let row = r#"{"id": 1, "question": "Dial 47 up 12.", "answer": "59", "f": 1e-05, "g": [1e16, NaN, -Infinity], "big": 123456789012345678901234567890, "u": "é", "e": [], "o": {}}"#;
    place.write("rows.jsonl", row);
    place.ok("eval --model @demo --task arith --data rows.jsonl --out out");
    let samples = std::fs::read_dir(place.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let samples = samples.filter(|path| path.to_string_lossy().contains("samples_arith"));
    let text: String = samples
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    // hashlib.sha256(json.dumps(row, indent=2, ensure_ascii=False).encode()).hexdigest()
    assert!(
        text.contains(
            r#""doc_hash":"bd0ec68784d218840469389c0ffe82c7eee0151a0aebced9b1d023ec0766c713""#
        ),
        "{text}"
    );
    assert!(
        text.contains(
            r#""f":1e-05,"g":[1e+16,NaN,-Infinity],"big":123456789012345678901234567890,"#
        ),
        "{text}"
    );
}

#[test]
fn the_same_rows_in_any_format_are_the_same_samples() {
    let place = Place::new();
    place.synth("rows.jsonl", "boolean", 2, 6);
    let lines = place.read("rows.jsonl");
    let rows = json_lines(&lines);
    let expected = samples(&place, "boolean", "rows.jsonl");
    assert_eq!(expected.len(), 6);
    for (file, content) in [
        ("list.json", json!(rows).to_string().into_bytes()),
        (
            "object.json",
            json!({"made": "today", "rows": rows})
                .to_string()
                .into_bytes(),
        ),
        ("rows.csv", table(&rows, b',')),
        ("rows.tsv", table(&rows, b'\t')),
        ("rows.jsonl.gz", gzip(lines.as_bytes())),
        ("rows.jsonl.zst", zstandard(lines.as_bytes())),
        ("rows.csv.gz", gzip(&table(&rows, b','))),
        (
            "list.json.zst",
            zstandard(json!(rows).to_string().as_bytes()),
        ),
        // Two members, as `cat a.gz b.gz` makes them.
        ("twice.jsonl.gz", {
            let (first, second) = lines.split_at(lines.find('\n').unwrap() + 1);
            [gzip(first.as_bytes()), gzip(second.as_bytes())].concat()
        }),
        (
            "snappy.parquet",
            crate::support_parquet::texts(&FLAT, &rows, Compression::SNAPPY),
        ),
        (
            "plain.parquet",
            crate::support_parquet::texts(&FLAT, &rows, Compression::UNCOMPRESSED),
        ),
        (
            "zstd.parquet",
            crate::support_parquet::texts(&FLAT, &rows, Compression::ZSTD(Default::default())),
        ),
        (
            "gzip.parquet",
            crate::support_parquet::texts(&FLAT, &rows, Compression::GZIP(Default::default())),
        ),
        (
            "brotli.parquet",
            crate::support_parquet::texts(&FLAT, &rows, Compression::BROTLI(Default::default())),
        ),
        (
            "lz4.parquet",
            crate::support_parquet::texts(&FLAT, &rows, Compression::LZ4_RAW),
        ),
        ("stream.arrow", crate::support_arrow::stream(&FLAT, &rows)),
        ("file.arrow", crate::support_arrow::file(&FLAT, &rows, None)),
        (
            "lz4.arrow",
            crate::support_arrow::file(&FLAT, &rows, Some(CompressionType::LZ4_FRAME)),
        ),
        (
            "zstd.arrow",
            crate::support_arrow::file(&FLAT, &rows, Some(CompressionType::ZSTD)),
        ),
    ] {
        place.write(file, content);
        assert_eq!(samples(&place, "boolean", file), expected, "{file}");
    }
}

#[test]
fn structs_of_lists_in_parquet_are_read_as_the_hub_means_them() {
    let place = Place::new();
    place.synth("rows.jsonl", "hops", 1, 5);
    let rows = json_lines(&place.read("rows.jsonl"));
    place.write(
        "rows.parquet",
        crate::support_parquet::arc(&rows, Compression::SNAPPY),
    );
    for task in ["hops", "arc_easy"] {
        let expected = samples(&place, task, "rows.jsonl");
        assert_eq!(samples(&place, task, "rows.parquet"), expected, "{task}");
    }
}

#[test]
fn files_that_are_not_what_their_name_says_are_refused() {
    let place = Place::new();
    place.synth("rows.jsonl", "boolean", 1, 4);
    let lines = place.read("rows.jsonl");
    let rows = json_lines(&lines);
    let parquet = crate::support_parquet::texts(&FLAT, &rows, Compression::SNAPPY);
    let arrow = crate::support_arrow::stream(&FLAT, &rows);
    let zipped = gzip(lines.as_bytes());
    for (file, content, said) in [
        (
            "rows.xlsx",
            lines.as_bytes(),
            ".xlsx are not supported; give JSONL",
        ),
        (
            "rows.feather",
            lines.as_bytes(),
            ".feather are not supported",
        ),
        ("rows.txt.gz", &zipped, ".txt are not supported"),
        ("rows.parquet.gz", &zipped, ".parquet are not supported"),
        ("rows.arrow.gz", &zipped, ".arrow are not supported"),
        ("plain.jsonl.gz", lines.as_bytes(), "cannot read"),
        ("plain.jsonl.zst", lines.as_bytes(), "cannot read"),
        ("cut.jsonl.gz", &zipped[..zipped.len() / 2], "cannot read"),
        (
            "lines.parquet",
            lines.as_bytes(),
            "cannot be read as Parquet",
        ),
        (
            "cut.parquet",
            &parquet[..parquet.len() - 9],
            "cannot be read as Parquet",
        ),
        (
            "lines.arrow",
            lines.as_bytes(),
            "cannot be read as Arrow: it does not begin with a schema",
        ),
        (
            "cut.arrow",
            &arrow[..arrow.len() - 8],
            "cannot be read as Arrow: it ends before the mark of its end",
        ),
        (
            "twice.csv",
            b"id,question,id\n1,2,3\n",
            "two columns are named `id`",
        ),
        (
            "ragged.csv",
            b"id,question,answer\n1,x,True\n2,y\n",
            "ragged.csv:3: the row has 2 cells, but the first line names 3",
        ),
        (
            "bytes.csv",
            b"id,question,answer\n1,\xff,True\n",
            "bytes.csv:2: not UTF-8",
        ),
        ("header.csv", b"id,question,answer\n", "no rows"),
    ] {
        place.write(file, content);
        let line = format!("eval --model @demo --task boolean --skip-bad-rows 0 --data {file}");
        let reason = place.refused(&line);
        assert!(reason.contains(file) && reason.contains(said), "{reason}");
    }
}

/// Six rows, of which the second and the fifth are bad.
fn with_bad_rows(place: &Place) {
    place.synth("good.jsonl", "arith", 1, 4);
    let mut lines: Vec<String> = place
        .read("good.jsonl")
        .lines()
        .map(str::to_owned)
        .collect();
    lines.insert(1, "{\"id\": ".to_owned());
    lines.insert(
        4,
        "{\"id\": \"x\", \"question\": \"Dial 1 up 1.\"}".to_owned(),
    );
    place.write("rows.jsonl", lines.join("\n"));
}

#[test]
fn bad_rows_are_passed_over_up_to_a_number_and_counted() {
    let place = Place::new();
    with_bad_rows(&place);
    let eval = "eval --model @demo --task arith --data rows.jsonl --json";
    let first = place.refused(eval);
    assert!(first.contains("rows.jsonl:2: not JSON"), "{first}");
    let ended = place
        .run(&format!("{eval} --skip-bad-rows 1"))
        .with_status(2);
    for said in [
        "rows.jsonl:5",
        "no column `answer`",
        "--skip-bad-rows",
        "bad rows skipped before this one: 1;",
    ] {
        assert!(ended.stderr.contains(said), "{ended:#?}\nlacks {said:?}");
    }
    let ended = place.ok(&format!("{eval} --skip-bad-rows 2 --out out"));
    assert_eq!(count(&ended.json()["skipped_rows"]), 2);
    assert!(
        ended.stderr.contains("skipped rows.jsonl:2: not JSON"),
        "{ended:#?}"
    );
    assert!(
        ended.stderr.contains("skipped rows.jsonl:5: "),
        "{ended:#?}"
    );
    let clean = place
        .ok("eval --model @demo --task arith --data good.jsonl --json")
        .json();
    assert_eq!(count(&clean["skipped_rows"]), 0);
    assert_eq!(ended.json()["results"], clean["results"]);
    let written = place.samples("out", "arith");
    let places: Vec<u64> = written.iter().map(|line| count(&line["doc_id"])).collect();
    assert_eq!(places, [0, 2, 3, 5], "places in the file");

    // More tolerance than needed changes nothing, and a limit counts samples, not rows.
    let many = place.ok(&format!("{eval} --skip-bad-rows 9")).json();
    assert_eq!(many, ended.json());
    let two = place
        .ok(&format!("{eval} --skip-bad-rows 9 --limit 2"))
        .json();
    assert_eq!(count(&two["skipped_rows"]), 1);
    assert_eq!(count(&two["n-samples"]["arith"]["effective"]), 2);

    // Nothing is left of a file of bad rows only.
    place.write("bad.jsonl", "[]\n[]\n");
    let line = "eval --model @demo --task arith --data bad.jsonl --skip-bad-rows 5";
    let ended = place.run(line).with_status(2);
    assert!(
        ended.stderr.contains("none of its 2 rows can be used"),
        "{ended:#?}"
    );
}

#[test]
fn a_search_continues_over_the_same_bad_rows_only() {
    let place = Place::new();
    with_bad_rows(&place);
    let search = "search --model @demo --task arith --data rows.jsonl --simulations 2 \
                  --controls 0 --out run --json --skip-bad-rows";
    let first = place.ok(&format!("{search} 2")).json();
    assert_eq!(count(&first["skipped_rows"]), 2);
    let manifest: Value = serde_json::from_str(&place.read("run/manifest.json")).unwrap();
    assert_eq!(count(&manifest["tasks"][0]["skipped_rows"]), 2);
    let again = place.ok(&format!("{search} 5")).json();
    assert_eq!(again, first);
    // The same samples, but another count of bad rows.
    let lines = place.read("rows.jsonl");
    let fewer: Vec<&str> = lines.lines().filter(|line| *line != "{\"id\": ").collect();
    place.write("rows.jsonl", fewer.join("\n"));
    let changed = place.run(&format!("{search} 2")).with_status(2);
    assert!(changed.stderr.contains("skipped_rows"), "{changed:#?}");
}

#[test]
fn conditions_take_the_rows_that_meet_them() {
    let place = Place::new();
    place.synth("one.jsonl", "arith", 1, 3);
    place.synth("two.jsonl", "arith", 2, 2);
    let nested = |row: Value| json!({"id": row["id"], "question": row["question"], "answer": row["answer"], "about": {"level": row["level"]}});
    let rows = place.read("one.jsonl") + &place.read("two.jsonl");
    let rows: Vec<Value> = json_lines(&rows).into_iter().map(nested).collect();
    place.write("rows.jsonl", to_json_lines(&rows));
    let eval = "eval --model @demo --task arith --data rows.jsonl --json --where";
    for (condition, samples) in [("about.level=1", 3), ("about.level=2", 2)] {
        let results = place.ok(&format!("{eval} {condition}")).json();
        assert_eq!(count(&results["n-samples"]["arith"]["effective"]), samples);
    }
    let none = place.refused(&format!("{eval} about.level=3"));
    assert!(
        none.contains("none of its 5 rows has about.level=3"),
        "{none}"
    );
    let column = place.refused(&format!("{eval} size=3"));
    assert!(
        column.contains("rows.jsonl:1") && column.contains("no column `size`"),
        "{column}"
    );
    let flag = place.run(&format!("{eval} level")).with_status(2);
    assert!(flag.stderr.contains("COLUMN=VALUE"), "{flag:#?}");
}

/// A dataset in the layout of the hub's, in two parts, and its rows.
fn dataset(place: &Place) -> (Repository, Vec<Value>) {
    place.synth("made.jsonl", "hops", 1, 6);
    let rows = json_lines(&place.read("made.jsonl"));
    let part = |rows: &[Value]| crate::support_parquet::arc(rows, Compression::SNAPPY);
    let mut files = BTreeMap::new();
    files.insert("README.md".to_owned(), b"# Data".to_vec());
    for (at, rows) in rows.chunks(3).enumerate() {
        files.insert(format!("Easy/test-0000{at}-of-00002.parquet"), part(rows));
    }
    files.insert(
        "Easy/train-00000-of-00001.parquet".to_owned(),
        part(&rows[..1]),
    );
    files.insert(
        "Hard/test-00000-of-00001.parquet".to_owned(),
        part(&rows[4..]),
    );
    let mut repository = Repository::default();
    repository.commit("main", &commit('a'), files);
    (repository, rows)
}

fn run(place: &Place, endpoint: &str, line: &str, offline: bool) -> Ended {
    let mut command = cola(place.path());
    command.env_remove("HF_HUB_OFFLINE");
    for variable in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        command.env_remove(variable);
    }
    command
        .env("HF_HOME", place.join("home"))
        .env("HF_ENDPOINT", endpoint);
    if offline {
        command.env("HF_HUB_OFFLINE", "1");
    }
    Ended::of(command.args(words(line)).output().unwrap())
}

#[test]
fn a_dataset_of_the_hub_is_fetched_once_and_serves_offline() {
    let place = Place::new();
    let (repository, rows) = dataset(&place);
    let hub = Hub::new().with("datasets/org/data", repository);
    let eval = "eval --model @demo --task arc_easy --json --out out --dataset org/data --subset";
    let line = format!("{eval} Easy");
    let first = run(&place, &hub.endpoint, &line, false).with_status(0);
    let ids = |place: &Place| -> Vec<String> {
        let lines = place.samples("out", "arc_easy");
        lines
            .iter()
            .map(|line| text(&line["id"]).to_owned())
            .collect()
    };
    let made: Vec<String> = rows.iter().map(|row| text(&row["id"]).to_owned()).collect();
    assert_eq!(ids(&place), made);
    let fetched = hub.requests();
    let got = fetched
        .iter()
        .filter(|request| request.method == "GET" && request.path.contains("resolve"));
    assert_eq!(got.count(), 2, "{fetched:?}");

    let again = run(&place, &hub.endpoint, &line, false).with_status(0);
    assert_eq!(again.stdout, first.stdout);
    assert_eq!(hub.requests().len(), 1, "only whether the branch moved");
    let train = format!("{line} --split train");
    run(&place, &hub.endpoint, &train, false).with_status(0);
    assert_eq!(ids(&place), made[..1]);
    run(&place, &hub.endpoint, &format!("{eval} Hard"), false).with_status(0);
    assert_eq!(ids(&place), made[4..]);

    for (line, names) in [
        (
            format!("{eval} Other"),
            vec!["org/data", "Other/test", "Easy/test, Easy/train, Hard/test"],
        ),
        (format!("{line} --split dev"), vec!["org/data", "Easy/dev"]),
        (
            line.replace("org/data", "org/none"),
            vec!["org/none", "no dataset"],
        ),
        (
            line.replace("org/data", "org/data@v9"),
            vec!["org/data@v9", "no branch, tag or commit"],
        ),
    ] {
        let ended = run(&place, &hub.endpoint, &line, false).with_status(2);
        assert!(
            ended.stderr.starts_with("cola: --dataset org/"),
            "{ended:#?}"
        );
        for name in names {
            assert!(ended.stderr.contains(name), "{ended:#?}\nlacks {name:?}");
        }
    }
    hub.requests();
    let offline = run(&place, &hub.endpoint, &line, true).with_status(0);
    assert_eq!(offline.stdout, first.stdout);
    assert!(hub.requests().is_empty());
    let endpoint = hub.close();
    let gone = run(&place, &endpoint, &line, false).with_status(0);
    assert_eq!(gone.stdout, first.stdout);
    assert!(gone.stderr.contains("cannot be reached"), "{gone:#?}");
    let absent = run(
        &place,
        &endpoint,
        &line.replace("org/data", "org/more"),
        true,
    )
    .with_status(2);
    assert!(absent.stderr.contains("HF_HUB_OFFLINE"), "{absent:#?}");
}

#[test]
fn a_dataset_without_parquet_is_read_from_the_hubs_conversion() {
    let place = Place::new();
    let (dataset, _) = dataset(&place);
    let converted = dataset.commits[&commit('a')]["Hard/test-00000-of-00001.parquet"].clone();
    let mut repository = Repository::default();
    let files = [("data.jsonl".to_owned(), b"{}".to_vec())];
    repository.commit("main", &commit('b'), files.into());
    let files = [("default/test/0000.parquet".to_owned(), converted)];
    repository.commit("refs/convert/parquet", &commit('c'), files.into());
    let hub = Hub::new().with("datasets/org/data", repository);
    let line = "eval --model @demo --task hops --json --dataset org/data";
    let found = run(&place, &hub.endpoint, line, false).with_status(0);
    assert_eq!(count(&found.json()["n-samples"]["hops"]["original"]), 2);
    // What was fetched is found again, by the same command.
    hub.requests();
    let offline = run(&place, &hub.endpoint, line, true).with_status(0);
    assert_eq!(offline.stdout, found.stdout);
    assert!(hub.requests().is_empty());
    let gone = run(&place, &hub.close(), line, false).with_status(0);
    assert_eq!(gone.stdout, found.stdout);
}

#[test]
fn a_local_directory_comes_before_the_hub() {
    let place = Place::new();
    let (repository, rows) = dataset(&place);
    for (file, content) in &repository.commits[&commit('a')] {
        place.write(&format!("org/data/{file}"), content);
    }
    let eval = "eval --model @demo --task arc_easy --json --dataset org/data --subset";
    let found = place.ok(&format!("{eval} Easy")).json();
    assert_eq!(
        count(&found["n-samples"]["arc_easy"]["original"]),
        rows.len() as u64
    );
    // Examples come from the dataset too.
    place.write(
        "shots.yaml",
        "include: arc_easy.yaml\ntask: shots\nnum_fewshot: 1\n",
    );
    place.ok("eval --model @demo --task shots.yaml --dataset org/data --subset Easy --out out");
    let lines = place.samples("out", "shots");
    let asked = |line: &Value| text(&line["prompt"]).matches("Question:").count();
    assert_eq!(asked(&lines[5]), 2, "one example, and the question");
    let none = place.refused(&format!("{eval} None"));
    assert!(
        none.contains("org/data") && none.contains("Hard/test"),
        "{none}"
    );
    let both = place.run("eval --model @demo --task hops --dataset org/data --data made.jsonl");
    assert!(both.with_status(2).stderr.contains("--data"));
    let two = place.refused("eval --model @demo --task hops boolean --dataset org/data");
    assert!(
        two.contains("--dataset: works with one task only, not with 2"),
        "{two}"
    );
    let file = place.refused("eval --model @demo --task hops --dataset made.jsonl");
    assert!(file.contains("is a file; give it with --data"), "{file}");
}

#[test]
fn a_task_file_finds_the_splits_of_its_own_directory_and_patterns_of_files() {
    let place = Place::new();
    place.synth("all.jsonl", "hops", 2, 7);
    let rows = json_lines(&place.read("all.jsonl"));
    place.write(
        "mine/my_test.jsonl.gz",
        gzip(to_json_lines(&rows[..3]).as_bytes()),
    );
    place.write("mine/train.jsonl", to_json_lines(&rows[3..]));
    place.write("mine/parts/b.jsonl", to_json_lines(&rows[2..3]));
    place.write("mine/parts/a.jsonl", to_json_lines(&rows[..2]));
    let yaml = |keys: &str| {
        format!(
            "include: hops.yaml\ntask: mine\ntest_split: test\ntraining_split: train\nnum_fewshot: 1\n\
             fewshot_config: {{sampler: first_n}}\n{keys}\n"
        )
    };
    let line = "eval --model @demo --task mine.yaml --out out --json";
    let mut first = None;
    for keys in [
        "dataset_path: mine\ndataset_kwargs: null",
        "dataset_path: json\ndataset_kwargs: {data_dir: mine}",
        "dataset_path: json\ndataset_kwargs: {data_files: {test: 'mine/parts/*.jsonl', train: [mine/train.jsonl]}}",
    ] {
        place.write("mine.yaml", yaml(keys));
        place.ok(line);
        let samples = place.samples("out", "mine");
        let prompts: Vec<&str> = samples.iter().map(|s| text(&s["prompt"])).collect();
        assert_eq!(prompts.len(), 3, "{keys}");
        for (prompt, row) in prompts.iter().zip(&rows) {
            assert!(prompt.starts_with(text(&rows[3]["question"])), "{prompt}");
            assert!(prompt.contains(text(&row["question"])), "{prompt}");
        }
        assert_eq!(*first.get_or_insert(samples.clone()), samples, "{keys}");
        std::fs::remove_dir_all(place.join("out")).unwrap();
    }
    place.ok("eval --model @demo --task hops --dataset mine --split train --json");
    for (keys, names) in [
        (
            "dataset_path: mine\ndataset_kwargs: null\ntest_split: dev",
            ["mine", "dev", "my_test"],
        ),
        (
            "dataset_path: json\ndataset_kwargs: {data_files: {test: 'none/*.jsonl'}}",
            ["mine", "none/*.jsonl", "--data"],
        ),
    ] {
        place.write("mine.yaml", yaml(keys));
        let reason = place.refused(line);
        for name in names {
            assert!(reason.contains(name), "{reason}\nlacks {name:?}");
        }
        assert!(!reason.contains("--dataset"), "{reason}");
    }
}

/// A directory that Python's `datasets.save_to_disk` wrote, and the rows it holds.
fn saved(place: &Place) -> Vec<Value> {
    let fixture = repository().join("tests/fixtures/saved");
    for file in [
        "dataset_dict.json",
        "test/dataset_info.json",
        "test/state.json",
        "test/data-00000-of-00002.arrow",
        "test/data-00001-of-00002.arrow",
        "train/dataset_info.json",
        "train/state.json",
        "train/data-00000-of-00001.arrow",
    ] {
        place.write(
            &format!("saved/{file}"),
            std::fs::read(fixture.join(file)).unwrap(),
        );
    }
    for split in ["test", "train"] {
        let rows = std::fs::read(fixture.join(format!("{split}.rows.jsonl"))).unwrap();
        place.write(&format!("{split}.jsonl"), rows);
    }
    json_lines(&place.read("test.jsonl"))
}

/// The rows as the task was given them.
fn docs(place: &Place, out: &str, task: &str) -> Vec<Value> {
    let lines = place.samples(out, task);
    lines.iter().map(|line| line["doc"].clone()).collect()
}

#[test]
fn what_datasets_saves_to_disk_has_the_rows_that_python_has() {
    let place = Place::new();
    let rows = saved(&place);
    let eval = "eval --model @demo --task arc_easy";
    for (out, line) in [
        ("dict", "--dataset saved"),
        ("split", "--dataset saved/test"),
    ] {
        place.ok(&format!("{eval} {line} --out {out}"));
        assert_eq!(docs(&place, out, "arc_easy"), rows, "{line}");
    }
    place.ok(&format!("{eval} --dataset saved --split train --out train"));
    assert_eq!(
        docs(&place, "train", "arc_easy"),
        json_lines(&place.read("train.jsonl"))
    );
    place.ok(&format!(
        "{eval} --data saved/train/data-00000-of-00001.arrow --out file"
    ));
    assert_eq!(
        docs(&place, "file", "arc_easy"),
        json_lines(&place.read("train.jsonl"))
    );
    // One directory a split, without the list of them; and files named by their splits.
    std::fs::remove_file(place.join("saved/dataset_dict.json")).unwrap();
    place.ok(&format!("{eval} --dataset saved --out bare"));
    assert_eq!(docs(&place, "bare", "arc_easy"), rows);
    let train = std::fs::read(place.join("saved/train/data-00000-of-00001.arrow")).unwrap();
    place.write("named/data/test-00000-of-00001.arrow", &train);
    place.ok("eval --model @demo --task hops --dataset named --out named-out");
    assert_eq!(
        docs(&place, "named-out", "hops"),
        json_lines(&place.read("train.jsonl"))
    );
}

#[test]
fn a_task_file_names_a_saved_directory() {
    let place = Place::new();
    let rows = saved(&place);
    for keys in [
        "dataset_path: saved",
        "dataset_path: arrow\ndataset_kwargs: {data_dir: saved}",
    ] {
        place.write(
            "mine.yaml",
            format!("include: arc_easy.yaml\ntask: mine\nnum_fewshot: 1\n{keys}\n"),
        );
        place.ok("eval --model @demo --task mine.yaml --out out");
        assert_eq!(docs(&place, "out", "mine"), rows, "{keys}");
        let first = &place.samples("out", "mine")[0];
        assert!(text(&first["prompt"]).contains("otter"), "{first}");
        std::fs::remove_dir_all(place.join("out")).unwrap();
    }
}

#[test]
fn a_saved_directory_that_is_not_what_it_says_is_refused_by_file_and_field() {
    let place = Place::new();
    saved(&place);
    let eval = "eval --model @demo --task arc_easy --dataset";
    let none = place.refused(&format!("{eval} saved --split dev"));
    assert!(none.contains("found: test, train"), "{none}");
    let own = place.refused(&format!("{eval} saved/test --split train"));
    assert!(own.contains("found: test"), "{own}");
    let state = place.read("saved/test/state.json");
    for (old, new, said) in [
        ("data-00001", "../../x", "is not a plain file name"),
        ("data-00001", "data-00009", "does not exist"),
        (
            "\"_split\"",
            "\"_indices_data_files\": [{\"filename\": \"i.arrow\"}], \"_split\"",
            "_indices_data_files: ",
        ),
    ] {
        place.write("saved/test/state.json", state.replace(old, new));
        let reason = place.refused(&format!("{eval} saved"));
        assert!(
            reason.contains("saved/test/state.json") && reason.contains(said),
            "{reason}"
        );
    }
    place.write("saved/test/state.json", &state);
    let part = "saved/test/data-00001-of-00002.arrow";
    let bytes = std::fs::read(place.join(part)).unwrap();
    place.write(part, &bytes[..bytes.len() / 2]);
    let reason = place.refused(&format!("{eval} saved"));
    assert!(
        reason.contains(part) && reason.contains("cannot be read as Arrow"),
        "{reason}"
    );
}

#[test]
fn request_files_of_olmes_are_read_by_the_row_in_them() {
    let place = Place::new();
    place.synth("made.jsonl", "commonsense", 1, 3);
    let made = json_lines(&place.read("made.jsonl"));
    // A line an option, then again without the questions, as OLMES writes them.
    let mut lines = Vec::new();
    for context in ["", "Answer:"] {
        for row in &made {
            let query = format!("Question: {}\nAnswer:", text(&row["question"]));
            let options = &row["choices"]["text"];
            let gold = row["choices"]["label"].as_array().unwrap();
            let gold = gold
                .iter()
                .position(|label| *label == row["answerKey"])
                .unwrap();
            for (idx, option) in options.as_array().unwrap().iter().enumerate() {
                let context = if context.is_empty() { &query } else { context };
                lines.push(json!({
                    "request_type": "loglikelihood", "idx": idx, "label": gold, "doc_id": lines.len() / 4,
                    "doc": {"id": row["id"], "query": query, "choices": options, "gold": gold},
                    "request": {"context": context, "continuation": format!(" {}", text(option))},
                }));
            }
        }
    }
    place.write("requests.jsonl.gz", gzip(to_json_lines(&lines).as_bytes()));
    let example = std::fs::read_to_string(repository().join("datasets/README.md")).unwrap();
    let (_, example) = example.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    place.write("olmes.yaml", example);
    place.ok("eval --model @demo --task olmes.yaml --data requests.jsonl.gz --out out");
    let samples = place.samples("out", "olmes_arc_easy");
    assert_eq!(samples.len(), 3);
    for (at, (sample, row)) in samples.iter().zip(&made).enumerate() {
        assert_eq!(
            (&sample["id"], count(&sample["doc_id"])),
            (&row["id"], at as u64)
        );
        let options = row["choices"]["text"].as_array().unwrap();
        let arguments = sample["arguments"].as_object().unwrap();
        assert_eq!(arguments.len(), options.len());
        for line in lines.iter().filter(|line| line["doc_id"] == at) {
            let asked = &arguments[&format!("gen_args_{}", line["idx"])];
            assert_eq!(asked["arg_0"], line["request"]["context"]);
            assert_eq!(asked["arg_1"], line["request"]["continuation"]);
        }
    }
    let plain = place.refused("eval --model @demo --task olmes.yaml --data made.jsonl");
    assert!(
        plain.contains("made.jsonl:1: row: no column `doc`"),
        "{plain}"
    );
}
