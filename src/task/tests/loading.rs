//! Rows from files, their ids, and what is said about bad ones.

use super::*;

fn ids(file: &str, rows: &str) -> Vec<String> {
    let bench = Bench::new();
    let samples = bench
        .samples(bench.task(GENERATE).unwrap(), file, rows)
        .unwrap();
    samples.into_iter().map(|sample| sample.id).collect()
}

fn error(file: &str, rows: &str) -> String {
    let bench = Bench::new();
    let error = bench
        .samples(bench.task(GENERATE).unwrap(), file, rows)
        .unwrap_err()
        .to_string();
    error.replace(bench.directory.path().to_str().unwrap(), "DIR")
}

#[test]
fn rows_come_as_jsonl_a_list_or_an_object_with_a_list() {
    let (a, b) = (r#"{"q": "1", "gold": "x"}"#, r#"{"q": "2", "gold": "y"}"#);
    for (file, text) in [
        ("rows.jsonl", format!("\u{feff}{a}\n\n{b}")),
        ("rows.json", format!("[{a},\n{b}]")),
        (
            "rows.json",
            format!("{{\"made\": \"today\", \"samples\": [{a}, {b}]}}"),
        ),
        ("rows.json", format!("{a}\n{b}\n")),
        ("rows", format!("{a}\r\n{b}\r\n")),
    ] {
        assert_eq!(ids(file, &text).len(), 2, "{text}");
    }
    assert_eq!(ids("rows.json", a), ["1"]);
}

#[test]
fn an_id_is_the_rows_own_or_its_line() {
    let rows = "{\"q\": \"\", \"gold\": \"\", \"ID\": \"chal-1\"}\n\n{\"q\": \"\", \"gold\": \"\"}\n{\"q\": \"\", \"gold\": \"\", \"query_id\": 17}\n";
    assert_eq!(ids("rows.jsonl", rows), ["chal-1", "3", "17"]);
}

#[test]
fn a_repeated_id_is_counted_in_the_order_of_the_rows() {
    let row = |id: &str| format!("{{\"q\": \"\", \"gold\": \"\", \"id\": \"{id}\"}}\n");
    let rows: String = ["a", "a#2", "a", "b", "a"].map(row).concat();
    assert_eq!(ids("rows.jsonl", &rows), ["a", "a#2", "a#3", "b", "a#4"]);
}

#[test]
fn a_limit_takes_the_first_rows_and_reads_no_further() {
    let bench = Bench::new();
    let data = bench.file("rows.jsonl", "{\"q\": \"\", \"gold\": \"\"}\nbroken");
    let options = LoadOptions {
        data: Some(data.into()),
        limit: Some(1),
        ..LoadOptions::default()
    };
    assert_eq!(
        load_samples(&Arc::new(bench.task(GENERATE).unwrap()), &options)
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_task_file_finds_its_data_beside_itself() {
    let bench = Bench::new();
    bench.file("a.jsonl", "{\"q\": \"\", \"gold\": \"\"}");
    bench.file("b.jsonl", "{\"q\": \"\", \"gold\": \"\"}");
    let yaml =
        format!("{GENERATE}test_split: train\ndataset_kwargs:\n  data_files: [a.jsonl, b.jsonl]\n");
    let samples = load_samples(
        &Arc::new(bench.task(&yaml).unwrap()),
        &LoadOptions::default(),
    )
    .unwrap();
    assert_eq!(
        samples.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(),
        ["1", "1#2"]
    );
    let missing = bench.task(&yaml.replace("b.jsonl", "c.jsonl")).unwrap();
    let error = load_samples(&Arc::new(missing), &LoadOptions::default())
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "task `t`: its data file c.jsonl is not there; give the rows with --data FILE (JSONL or JSON)"
    );
}

#[test]
fn a_task_without_data_says_where_it_is() {
    let error = load_samples(
        &Arc::new(resolve("arc_easy").unwrap()),
        &LoadOptions::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "task `arc_easy`: its split `test` is not on this machine (on the hub: allenai/ai2_arc/ARC-Easy); give the rows with --data FILE (JSONL or JSON)"
    );
}

#[test]
fn a_bad_row_is_named_by_file_and_line() {
    let good = "{\"q\": \"\", \"gold\": \"\"}\n";
    for (file, text, expected) in [
        (
            "r.jsonl",
            format!("{good}{{\"q\": "),
            "DIR/r.jsonl:2: not JSON: EOF while parsing",
        ),
        (
            "r.jsonl",
            format!("{good}\n[1]"),
            "DIR/r.jsonl:3: expected a JSON object",
        ),
        (
            "r.jsonl",
            format!("{good}{{\"gold\": 1}}"),
            "DIR/r.jsonl:2: task t: no column `q` (the row has gold)",
        ),
        (
            "r.json",
            "[{\"q\": \"\",\n\"gold\" \"\"}]".to_owned(),
            "DIR/r.json:2: not JSON",
        ),
        (
            "r.json",
            "[{\"q\": \"\", \"gold\": \"\"}, 3]".to_owned(),
            "DIR/r.json: row 2: expected a JSON object",
        ),
        (
            "r.json",
            "{\"a\": [{}], \"b\": [{}]}".to_owned(),
            "DIR/r.json: holds several lists (a, b): keep one",
        ),
        (
            "r.json",
            "7".to_owned(),
            "DIR/r.json: expected a list of rows",
        ),
        ("r.jsonl", String::new(), "DIR/r.jsonl: no rows"),
        ("r.json", "[]".to_owned(), "DIR/r.json: no rows"),
        ("r.json", " ".to_owned(), "DIR/r.json: no rows"),
        (
            "r.parquet",
            String::new(),
            "DIR/r.parquet: .parquet is not read: convert it to JSONL",
        ),
    ] {
        let error = error(file, &text);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_row_nested_too_deep_is_an_error() {
    let text = format!("{{\"q\": {}", "[".repeat(100_000));
    assert!(error("r.jsonl", &text).contains("not JSON"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let options = LoadOptions {
        data: Some("/no/such/rows.jsonl".into()),
        ..LoadOptions::default()
    };
    let error = load_samples(&Arc::new(resolve("arith").unwrap()), &options)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot read /no/such/rows.jsonl: "),
        "{error}"
    );
}
