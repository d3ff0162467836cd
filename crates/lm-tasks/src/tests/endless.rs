//! Files without an end, or that cost more than their size says, are refused in one line. A test of this kind that fails does
//! not end.

use std::path::{Path, PathBuf};

use super::*;

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        path
    }

    fn sparse(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let file = fs::File::create(&path).unwrap();
        file.set_len(10 << 30).unwrap();
        path
    }

    fn refused(&self, options: LoadOptions) -> String {
        let task = Arc::new(resolve(self.path("task.yaml").to_str().unwrap()).unwrap());
        let error = load_samples(&task, &options).unwrap_err().to_string();
        self.without_directory(&error)
    }

    fn refused_data(&self, path: &Path) -> String {
        self.refused(LoadOptions {
            data: vec![path.to_owned()],
            ..LoadOptions::default()
        })
    }

    fn without_directory(&self, error: &str) -> String {
        error.replace(self.directory.path().to_str().unwrap(), "DIR")
    }
}

#[test]
#[cfg(unix)]
fn a_pipe_or_a_device_is_refused_wherever_a_file_is_named() {
    let bench = Bench::new();
    bench.pipe("pipe.yaml");
    std::os::unix::fs::symlink("/dev/zero", bench.path("zero.yaml")).unwrap();
    for (name, kind) in [("pipe", "a pipe"), ("zero", "a device")] {
        let expected = format!("cannot read DIR/{name}.yaml: this is {kind}, not a regular file");
        let named = resolve(bench.path(&format!("{name}.yaml")).to_str().unwrap());
        let error = bench.without_directory(&named.unwrap_err().to_string());
        assert_eq!(error, expected);
        let error = bench.task(&format!("include: {name}.yaml\n{GENERATE}"));
        assert_eq!(
            bench.without_directory(&error.unwrap_err().to_string()),
            expected
        );
    }
    bench.file(
        "task.yaml",
        &format!("{GENERATE}num_fewshot: 1\ntraining_split: train\n"),
    );
    let rows: PathBuf = bench
        .file("rows.jsonl", "{\"q\": \"1\", \"gold\": \"x\"}")
        .into();
    for extension in [
        "jsonl", "json", "csv", "tsv", "parquet", "arrow", "jsonl.gz",
    ] {
        let pipe = bench.pipe(&format!("rows-pipe.{extension}"));
        let expected =
            format!("cannot read DIR/rows-pipe.{extension}: this is a pipe, not a regular file");
        let error = bench.refused(LoadOptions {
            data: vec![rows.clone()],
            fewshot_data: vec![pipe.clone()],
            ..LoadOptions::default()
        });
        assert_eq!(error, expected);
        bench.file("task.yaml", GENERATE);
        assert_eq!(bench.refused_data(&pipe), expected);
        bench.file(
            "task.yaml",
            &format!("{GENERATE}num_fewshot: 1\ntraining_split: train\n"),
        );
    }
}

#[test]
fn a_task_file_is_bounded_in_size_and_in_brackets() {
    let bench = Bench::new();
    bench.sparse("task.yaml");
    let error = resolve(bench.path("task.yaml").to_str().unwrap()).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("more than the 1048576 that"), "{error}");
    for (text, expected) in [
        (
            "[".repeat(100_000),
            "not YAML: lists and mappings nested more than 100",
        ),
        (
            "{a: ".repeat(100_000),
            "not YAML: lists and mappings nested more than 100",
        ),
        ("[\"]\" ".repeat(100_000), "not YAML: "),
        ("[".repeat(90), "not YAML: "),
        ("- ".repeat(100_000), "not YAML: "),
        ("? ".repeat(100_000), "not YAML: "),
        ("&a ".repeat(100_000), "not YAML: "),
        ("!a ".repeat(100_000), "not YAML: "),
    ] {
        let error = bench
            .task(&format!("{GENERATE}metadata: {text}"))
            .unwrap_err();
        let error = bench.without_directory(&error.to_string());
        assert!(
            error.starts_with(&format!("DIR/task.yaml: {expected}")),
            "{}: {error}",
            &text[..10]
        );
        assert!(error.len() < 200, "{error}");
    }
}

#[test]
fn a_sparse_file_of_rows_is_refused_by_its_first_row() {
    let bench = Bench::new();
    bench.file("task.yaml", GENERATE);
    for (file, expected) in [
        (
            "rows.jsonl",
            "rows.jsonl:1: the row is longer than the 16777216 bytes",
        ),
        (
            "rows.csv",
            "rows.csv:1: the row is longer than the 16777216 bytes",
        ),
        ("rows.json", "rows.json: more than 268435456 bytes"),
        ("rows.parquet", "rows.parquet: cannot be read as Parquet"),
        ("rows.arrow", "rows.arrow: cannot be read as Arrow"),
    ] {
        let error = bench.refused_data(&bench.sparse(file));
        assert!(error.starts_with(&format!("DIR/{expected}")), "{error}");
    }
}

#[test]
fn a_table_of_many_columns_takes_time_in_proportion() {
    let bench = Bench::new();
    // Were each name compared with all others, this would take hours.
    let names = ",".repeat(1_000_000);
    let rows = format!("q,gold{names}\n1,x{names}\n");
    let samples = bench.samples(bench.task(GENERATE).unwrap(), "rows.csv", &rows);
    assert_eq!(samples.unwrap()[0].own.context, "1");
}

#[test]
fn a_row_that_is_too_long_is_told_by_its_line() {
    let bench = Bench::new();
    bench.file("task.yaml", GENERATE);
    let long = "x".repeat(17 << 20);
    let row = "{\"q\": \"1\", \"gold\": \"x\"}";
    for (file, text) in [
        (
            "rows.jsonl",
            format!("{row}\n{{\"q\": \"{long}\"}}\n{row}\n"),
        ),
        ("rows.csv", format!("q,gold\n\"1\n{long}\",x\n")),
        ("rows.tsv", format!("q\tgold\n1\t{long}\n")),
    ] {
        bench.file(file, &text);
        let error = bench.refused_data(&bench.path(file));
        let expected = format!("DIR/{file}:2: the row is longer than the 16777216 bytes");
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_long_number_is_read_as_python_reads_it_or_refused() {
    let bench = Bench::new();
    bench.file("task.yaml", GENERATE);
    let row = |number: &str| format!("{{\"q\": {number}, \"gold\": \"x\"}}");
    let sevens = "7".repeat(10_000);
    for (file, place) in [
        ("rows.jsonl", "DIR/rows.jsonl:1"),
        ("rows.json", "DIR/rows.json"),
    ] {
        bench.file(file, &row(&sevens));
        let error = bench.refused_data(&bench.path(file));
        assert_eq!(
            error,
            format!("{place}: not JSON: an integer of 10000 digits; Python reads at most 4300")
        );
    }
    // Python reads a float of any length.
    let million = "7".repeat(1_000_000);
    let task = bench.task(GENERATE).unwrap();
    let samples = bench.samples(task, "long.jsonl", &row(&format!("0.{million}")));
    assert_eq!(samples.unwrap()[0].own.context, "0.7777777777777778");
}
