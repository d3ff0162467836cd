//! Rows from files, their ids, and the errors for bad ones.

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
        data: vec![data.into()],
        limit: Some(1),
        ..LoadOptions::default()
    };
    assert_eq!(
        load_samples(&Arc::new(bench.task(GENERATE).unwrap()), &options)
            .unwrap()
            .samples
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
    .unwrap()
    .samples;
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
        "task `t`: its data file c.jsonl does not exist; give the rows with option `data`"
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
        "task `arc_easy`: its split `test` is not on this machine (on the hub: allenai/ai2_arc/ARC-Easy); give the rows with option `data`, or fetch them with option `dataset` allenai/ai2_arc option `subset` ARC-Easy"
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
            "DIR/r.jsonl:3: expected one JSON object",
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
            "DIR/r.json: holds several lists (a, b); keep only one of them",
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
            "DIR/r.parquet: cannot be read as Parquet: ",
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
        data: vec!["/no/such/rows.jsonl".into()],
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

#[test]
fn dart_math_asks_every_problem_once_and_takes_one_level_where_asked() {
    let row = |query: &str, id: usize, level: usize| {
        format!(
            r#"{{"query": "{query}", "gt_ans": "{id}", "query_id": {id}, "query_metadata": {{"level": {level}}}}}"#
        )
    };
    let rows = [
        row("a", 1, 3),
        row("b", 2, 5),
        row("a", 3, 3),
        row("b", 2, 5),
        row("c", 4, 3),
    ];
    let bench = Bench::new();
    let load = |conditions: Vec<Condition>| {
        let options = LoadOptions {
            data: vec![bench.file("rows.jsonl", &rows.join("\n")).into()],
            conditions,
            ..LoadOptions::default()
        };
        let loaded = load_samples(&Arc::new(resolve("dart_math").unwrap()), &options).unwrap();
        let ids = loaded.samples.into_iter().map(|sample| sample.id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(load(vec![]), ["1", "2", "4"]);
    let level = |level: &str| vec![Condition::new("query_metadata.level", level)];
    assert_eq!(load(level("3")), ["1", "4"]);
    assert_eq!(load(level("5")), ["2"]);
}

#[test]
fn the_gold_answer_of_math_is_the_last_box_of_its_solution() {
    let row = |solution: &str| {
        let row = serde_json::json!({
            "problem": "What?", "solution": solution, "level": "Level 2", "subject": "Algebra",
            "unique_id": "test/algebra/1.json",
        });
        row.to_string()
    };
    let samples = built_in_samples("math", &row(r"not \boxed{1}, so $\boxed{ \frac{1}{2} }$."));
    assert_eq!(samples[0].gold_text(), r"\frac{1}{2}");
    assert_eq!(samples[0].id, "test/algebra/1.json");
    assert!(
        samples[0]
            .own
            .context
            .ends_with("Start\nWhat?\n### Problem End\nAnswer:")
    );
    let bench = Bench::new();
    let error = bench.samples(resolve("math").unwrap(), "rows.jsonl", &row("none"));
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("rows.jsonl:1") && error.contains("last_boxed"),
        "{error}"
    );
}

#[test]
fn a_task_file_says_which_rows_are_its_own() {
    let rows: String = [("a", 1), ("b", 2), ("a", 2), ("b", 2)]
        .map(|(q, n)| format!("{{\"q\": \"{q}\", \"gold\": \"\", \"n\": {n}}}\n"))
        .concat();
    let bench = Bench::new();
    let contexts = |keys: &str| {
        let task = bench.task(&format!("{GENERATE}{keys}"))?;
        let samples = bench.samples(task, "rows.jsonl", &rows)?;
        Ok(samples
            .into_iter()
            .map(|sample| sample.own.context.clone())
            .collect())
    };
    let asked = |keys: &str| -> Vec<String> { contexts(keys).map_err(|e: TaskError| e).unwrap() };
    assert_eq!(asked(""), ["a", "b", "a", "b"]);
    assert_eq!(asked("unique_by: q\n"), ["a", "b"]);
    assert_eq!(asked("where: {n: 2}\n"), ["b", "a", "b"]);
    assert_eq!(asked("where: {n: 2, q: b}\nunique_by: q\n"), ["b"]);
    for (keys, expected) in [
        ("unique_by: id\n", "rows.jsonl:1: task t: no column `id`"),
        (
            "where: [n]\n",
            "task.yaml: where: expected `column: value` lines",
        ),
        ("where: {n: [1]}\n", "task.yaml: where: expected a text"),
    ] {
        let found: Result<Vec<String>, TaskError> = contexts(keys);
        let error = found.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn whole_numbers_of_a_table_are_numbers_where_all_of_a_column_are() {
    let bench = Bench::new();
    let load = |rows: &str| {
        let samples = bench.samples(
            bench
                .task(CHOICE.replace("options", "[a, b, '2']").as_str())
                .unwrap(),
            "rows.csv",
            rows,
        );
        samples.map(|samples| {
            let gold = samples.iter().map(|sample| sample.gold_text().to_owned());
            gold.collect::<Vec<_>>()
        })
    };
    // A byte order mark, quotes, a line break in a cell, and an index column without a name.
    assert_eq!(
        load("\u{feff}q,gold\n\"x, \"\"y\"\"\n\",1\nz,0\n").unwrap(),
        ["b", "a"]
    );
    assert_eq!(
        load(",q,gold\n0,x,2\n1,y,b\n").unwrap(),
        ["2", "b"],
        "texts"
    );
    assert!(
        load("q,gold\nx,02\n").is_err(),
        "no number as numbers are printed"
    );
}

#[test]
fn a_hundred_bad_rows_are_no_better_than_one_too_many() {
    let bench = Bench::new();
    let data = bench.file("rows.jsonl", &"[]\n".repeat(100));
    let load = |skip_bad_rows: usize| {
        let options = LoadOptions {
            data: vec![data.clone().into()],
            skip_bad_rows,
            ..LoadOptions::default()
        };
        let task = Arc::new(bench.task(GENERATE).unwrap());
        load_samples(&task, &options).unwrap_err().to_string()
    };
    assert!(load(0).ends_with("rows.jsonl:1: expected one JSON object on each line"));
    assert!(
        load(99).contains("rows.jsonl:100: ") && load(99).contains("skipped before this one: 99;")
    );
    assert!(load(100).contains("none of its 100 rows can be used"));
}

#[test]
fn a_row_that_stands_in_a_column_is_taken_once() {
    let line = |q: &str, idx: usize| {
        format!(
            "{{\"doc\": {{\"q\": \"{q}\", \"gold\": \"\", \"id\": \"id-{q}\"}}, \"idx\": {idx}}}\n"
        )
    };
    // A line for both options of every question, then one more for every question.
    let rows: String = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("a", 0), ("b", 0)]
        .map(|(q, idx)| line(q, idx))
        .concat();
    let bench = Bench::new();
    let load = |keys: &str, rows: &str| {
        let task = bench.task(&format!("{GENERATE}row: doc\n{keys}"))?;
        bench.samples(task, "rows.jsonl", rows)
    };
    let samples = load("", &rows).unwrap();
    let found: Vec<_> = samples.iter().map(|s| (s.id.as_str(), s.index)).collect();
    assert_eq!(found, [("id-a", 0), ("id-b", 1)]);
    assert_eq!(load("where: {q: b}\n", &rows).unwrap().len(), 1);
    for (keys, rows, expected) in [
        (
            "",
            "{\"docs\": {}}",
            "rows.jsonl:1: row: no column `doc` (the row has docs)",
        ),
        (
            "",
            "{\"doc\": \"x\"}",
            "rows.jsonl:1: row: column `doc` is not an object, so it cannot be the row",
        ),
        (
            "where: {idx: 0}\n",
            &rows,
            "rows.jsonl:1: task t: no column `idx`",
        ),
    ] {
        let error = load(keys, rows).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let error = bench.task(&format!("{GENERATE}row: [doc]\n")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("task.yaml: row: expected a text"),
        "{error}"
    );
}

#[test]
fn examples_stand_in_the_column_too() {
    let lines: String = ["a", "a", "b", "b"]
        .map(|q| format!("{{\"doc\": {{\"q\": \"{q}\", \"gold\": \"{q}\"}}}}\n"))
        .concat();
    let bench = Bench::new();
    let task = bench.task(&format!(
        "{GENERATE}row: doc\nnum_fewshot: 1\nfewshot_config: {{sampler: first_n}}\n"
    ));
    let options = LoadOptions {
        data: vec![bench.file("rows.jsonl", &lines).into()],
        fewshot_data: vec![bench.file("shots.jsonl", &lines).into()],
        ..LoadOptions::default()
    };
    let samples = load_samples(&Arc::new(task.unwrap()), &options)
        .unwrap()
        .samples;
    assert_eq!(samples[1].own.context, "a a\n\nb");
}

#[test]
fn a_file_of_rows_that_came_before_is_not_empty() {
    let bench = Bench::new();
    let line = "{\"doc\": {\"q\": \"a\", \"gold\": \"\"}}\n";
    let task = bench.task(&format!("{GENERATE}row: doc\n")).unwrap();
    let options = LoadOptions {
        data: ["a.jsonl", "b.jsonl"]
            .map(|name| bench.file(name, line).into())
            .to_vec(),
        ..LoadOptions::default()
    };
    let samples = load_samples(&Arc::new(task), &options).unwrap().samples;
    assert_eq!(samples.len(), 1);
}
