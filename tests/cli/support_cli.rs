//! What the tests of the command line share: the program run as a user runs it, models to break,
//! data, and a run's files read without the program's own code.

// Every test binary takes the part it needs.
#![allow(dead_code)]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Give up waiting for a condition after this long: something is broken, not slow.
const PATIENCE: Duration = Duration::from_secs(120);

/// The bundled model.
pub fn demo_model() -> PathBuf {
    repository().join("models/demo")
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn fixtures() -> PathBuf {
    repository().join("tests/fixtures")
}

pub fn fixture_model(name: &str) -> PathBuf {
    repository().join("tests/fixtures/models").join(name)
}

pub fn fixture_reference(name: &str) -> PathBuf {
    let file = format!("{name}.safetensors");
    repository().join("tests/fixtures/references").join(file)
}

/// The program, in a directory.
pub fn cola(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cola"));
    command.current_dir(directory);
    command.env("OMP_NUM_THREADS", "1").env_remove("COLA_LOG");
    command.env("XDG_CACHE_HOME", directory.join("cache"));
    // No test but those of the hub, which has a server of its own, asks anything of the network.
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", directory);
    for variable in [
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HF_ENDPOINT",
    ] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// How the program ended and what it said.
#[derive(Debug)]
pub struct Ended {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    pub fn with_status(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:#?}");
        self.without_panic()
    }

    #[track_caller]
    pub fn without_panic(self) -> Self {
        for word in ["panicked", "RUST_BACKTRACE", "stack backtrace"] {
            assert!(!self.stderr.contains(word), "{self:#?}");
        }
        self
    }

    /// Standard output as exactly one JSON object.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON object ({error}): {self:#?}"));
        assert!(value.is_object(), "{self:#?}");
        value
    }
}

/// A temporary directory that the program runs in.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.join(name).exists()
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command line: words split at spaces, `@demo` the bundled model.
    pub fn run(&self, line: &str) -> Ended {
        self.run_with(&words(line))
    }

    pub fn run_with(&self, words: &[String]) -> Ended {
        Ended::of(cola(self.path()).args(words).output().unwrap())
    }

    #[track_caller]
    pub fn ok(&self, line: &str) -> Ended {
        self.run(line).with_status(0)
    }

    /// Starts a command line and leaves it running.
    pub fn start(&self, line: &str) -> Running {
        let mut command = cola(self.path());
        command.args(words(line));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }

    /// Asserts that a command line is refused as the contract says, and returns the reason.
    #[track_caller]
    pub fn refused(&self, line: &str) -> String {
        refusal(self.run(line))
    }

    /// Questions of a kind, made by the program; the same ones are made once.
    #[track_caller]
    pub fn synth(&self, name: &str, kind: &str, level: usize, count: usize) {
        type Made = Mutex<HashMap<(String, usize, usize), String>>;
        static MADE: OnceLock<Made> = OnceLock::new();
        let mut made = MADE.get_or_init(Made::default).lock().unwrap();
        let text = made
            .entry((kind.to_owned(), level, count))
            .or_insert_with(|| {
                let line = format!("synth --kind {kind} --level {level} --count {count} --seed 5");
                self.ok(&line).stdout
            });
        self.write(name, text);
    }

    /// A copy of the bundled model to break.
    pub fn model_copy(&self, name: &str) -> ModelCopy {
        let directory = self.join(name);
        fs::create_dir_all(&directory).unwrap();
        for entry in fs::read_dir(demo_model()).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|e| e == "json" || e == "safetensors")
            {
                fs::copy(&path, directory.join(path.file_name().unwrap())).unwrap();
            }
        }
        ModelCopy(directory)
    }

    /// The records of a run, in the order of the journal.
    pub fn journal(&self, run: &str) -> Vec<Value> {
        json_lines(&self.read(&format!("{run}/samples.jsonl")))
    }

    /// The records of a run by `task/id`, each there once.
    #[track_caller]
    pub fn records(&self, run: &str) -> Vec<(String, Value)> {
        let mut records: Vec<(String, Value)> = self
            .journal(run)
            .into_iter()
            .map(|record| {
                (
                    format!("{}/{}", text(&record["task"]), text(&record["id"])),
                    record,
                )
            })
            .collect();
        records.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in records.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "two records of one sample");
        }
        records
    }

    /// What `eval --out` wrote last of a task's samples.
    #[track_caller]
    pub fn samples(&self, out: &str, task: &str) -> Vec<Value> {
        // The time follows, and is sorted as it is written.
        json_lines(&self.read_last(out, &format!("samples_{task}_2")))
    }

    /// The results `eval --out` wrote last.
    #[track_caller]
    pub fn results(&self, out: &str) -> Value {
        serde_json::from_str(&self.read_last(out, "results_2")).unwrap()
    }

    #[track_caller]
    fn read_last(&self, out: &str, beginning: &str) -> String {
        let files = self.files(out).into_iter();
        let mut named = files.filter(|(path, _)| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(beginning))
        });
        let (_, content) = named.next_back().expect("the file is there");
        String::from_utf8(content).unwrap()
    }

    /// Complete lines of a run's journal; none while it does not exist.
    pub fn finished(&self, run: &str) -> usize {
        let journal = fs::read(self.join(&format!("{run}/samples.jsonl"))).unwrap_or_default();
        journal.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Every file below a directory and its content.
    pub fn files(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut left = vec![self.join(name)];
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(
                    fs::read_dir(&path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                );
            } else {
                let content = fs::read(&path).unwrap();
                files.push((path, content));
            }
        }
        files.sort();
        files
    }
}

/// A process that is ended with the test, however the test ends.
pub struct Running(Option<Child>);

impl Running {
    /// Polls until `condition`; false when the process ends before.
    pub fn wait_until(&mut self, condition: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        loop {
            if condition() {
                return true;
            }
            if self.child().try_wait().unwrap().is_some() {
                return condition();
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// SIGKILL: no handler runs.
    pub fn kill(mut self) {
        let child = self.child();
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        self.0 = None;
    }

    #[cfg(unix)]
    pub fn signal(&mut self, signal: &str) {
        let id = self.child().id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    pub fn end(mut self) -> Ended {
        let child = self.0.take().unwrap();
        Ended::of(child.wait_with_output().unwrap())
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// One line on standard error that begins `cola: `, nothing on standard output, status 2.
#[track_caller]
pub fn refusal(ended: Ended) -> String {
    let ended = ended.with_status(2);
    assert_eq!(ended.stdout, "", "{ended:#?}");
    assert!(ended.stderr.ends_with('\n'), "{ended:#?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:#?}");
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:#?}");
    match ended.stderr.trim_end().strip_prefix("cola: ") {
        Some(reason) => reason.to_owned(),
        None => panic!("does not begin with `cola: `: {ended:#?}"),
    }
}

/// A model directory to break.
pub struct ModelCopy(pub PathBuf);

impl ModelCopy {
    pub fn remove(&self, file: &str) -> &Self {
        fs::remove_file(self.0.join(file)).unwrap();
        self
    }

    pub fn write(&self, file: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.0.join(file), text).unwrap();
        self
    }

    pub fn cut(&self, file: &str, length: u64) -> &Self {
        let file = fs::File::options()
            .write(true)
            .open(self.0.join(file))
            .unwrap();
        file.set_len(length).unwrap();
        self
    }

    /// Changes one of the JSON files.
    pub fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let path = self.0.join(file);
        let mut value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(&path, value.to_string()).unwrap();
        self
    }

    pub fn json(&self, file: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.0.join(file)).unwrap()).unwrap()
    }

    /// Makes `word` a token that the model has no embedding of: a sample that contains it fails,
    /// alone.
    pub fn with_unknown_token(&self, word: &str) -> &Self {
        self.edit("tokenizer.json", |tokenizer| {
            tokenizer["added_tokens"]
                .as_array_mut()
                .unwrap()
                .push(serde_json::json!({
                    "id": 9999, "content": word, "single_word": false, "lstrip": false,
                    "rstrip": false, "normalized": false, "special": true,
                }));
        })
    }

    pub fn with_chat_template(&self, template: &str) -> &Self {
        self.edit("tokenizer_config.json", |config| {
            config["chat_template"] = template.into()
        })
    }
}

/// Words of a command line; `@demo` is the bundled model, `~` a space inside a word.
pub fn words(line: &str) -> Vec<String> {
    let demo = demo_model().display().to_string();
    line.split_whitespace()
        .map(|word| word.replace("@demo", &demo).replace('~', " "))
        .collect()
}

pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

pub fn to_json_lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

#[track_caller]
pub fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a text: {value}"))
}

#[track_caller]
pub fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .unwrap_or_else(|| panic!("not a list: {value}"))
}

#[track_caller]
pub fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

#[track_caller]
pub fn count(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("not a count: {value}"))
}

#[track_caller]
pub fn truth(value: &Value) -> bool {
    value
        .as_bool()
        .unwrap_or_else(|| panic!("not a truth value: {value}"))
}

/// The layers a canonical chain names.
#[track_caller]
pub fn layers_of(chain: &Value) -> Vec<usize> {
    let chain = text(chain);
    if chain == "empty" {
        return Vec::new();
    }
    let mut layers = Vec::new();
    let mut rest = chain;
    while !rest.is_empty() {
        let (block, after) = match rest.strip_prefix('(') {
            Some(group) => group.split_once(')').expect("a closed group"),
            None => rest.split_at(rest.find([',', 'x']).unwrap_or(rest.len())),
        };
        let (times, after) = match after.strip_prefix('x') {
            Some(after) => {
                let (times, after) = after.split_at(after.find(',').unwrap_or(after.len()));
                (times.parse().unwrap(), after)
            }
            None => (1, after),
        };
        let block: Vec<usize> = block.split(',').flat_map(run_of).collect();
        for _ in 0..times {
            layers.extend(&block);
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    layers
}

/// `7`, `3-5` or `5-3`.
fn run_of(run: &str) -> Vec<usize> {
    let (first, last) = run.split_once('-').unwrap_or((run, run));
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    match first <= last {
        true => (first..=last).collect(),
        false => (last..=first).rev().collect(),
    }
}

/// Largest difference of a float between two runs of the same computation in other batches.
pub const FLOAT: f64 = 1e-3;

/// Asserts that two records say the same but for time, float rounding, and what states and drafts of other chains saved: that
/// hangs on which chains ran at the same time.
#[track_caller]
pub fn assert_same_record(a: &Value, b: &Value) {
    let strip = |record: &Value| {
        let mut record = record.clone();
        let fields = record.as_object_mut().unwrap();
        fields.remove("session");
        fields.remove("elapsed");
        let cost = fields["cost"].as_object_mut().unwrap();
        for spent in [
            "seconds",
            "steps_run",
            "steps_grown",
            "steps_saved",
            "tokens_drafted",
            "passes",
            "decode_steps",
            "head_positions",
        ] {
            cost.remove(spent).unwrap();
        }
        record
    };
    let (a, b) = (strip(a), strip(b));
    if let Some(difference) = difference("", &a, &b) {
        panic!("sample {}: {difference}", a["id"]);
    }
}

#[track_caller]
pub fn assert_same_records(a: &[(String, Value)], b: &[(String, Value)]) {
    let ids = |records: &[(String, Value)]| -> Vec<String> {
        records.iter().map(|(id, _)| id.clone()).collect()
    };
    assert_eq!(ids(a), ids(b));
    for ((_, a), (_, b)) in a.iter().zip(b) {
        assert_same_record(a, b);
    }
}

/// Asserts that two values say the same but for float rounding.
#[track_caller]
pub fn assert_same_values(a: &Value, b: &Value) {
    if let Some(difference) = difference("", a, b) {
        panic!("{difference}");
    }
}

/// Where two values first differ.
fn difference(place: &str, a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            if x.keys().ne(y.keys()) {
                return Some(format!("{place}: other keys: {a} and {b}"));
            }
            let mut pairs = x.iter().zip(y.values());
            pairs.find_map(|((key, x), y)| difference(&format!("{place}.{key}"), x, y))
        }
        (Value::Array(x), Value::Array(y)) => {
            let mut pairs = x.iter().zip(y).enumerate();
            let inside = pairs.find_map(|(at, (x, y))| difference(&format!("{place}[{at}]"), x, y));
            let lengths = || format!("{place}: {} and {} items", x.len(), y.len());
            inside.or_else(|| (x.len() != y.len()).then(lengths))
        }
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => {
            let (x, y) = (x.as_f64()?, y.as_f64()?);
            ((x - y).abs() > FLOAT).then(|| format!("{place}: {x} and {y}"))
        }
        _ => (a != b).then(|| format!("{place}: {a} and {b}")),
    }
}
