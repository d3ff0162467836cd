//! Bad input of every kind: what it is, the exit status, and what the program says. None of it may panic, hang, crash, or take
//! more than 2 GB; the table is a snapshot, so that a change of a message is seen (`cargo insta review`).
#![cfg(unix)]

mod files;
mod flags;
mod models;
mod tasks;

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::Path,
    process::{Command, Output},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::support_cli::{Place, cola, demo_model, words};

/// A bad input: what it is, and the command line that meets it.
pub struct Case {
    what: String,
    line: Vec<String>,
}

impl Case {
    /// Words of `line` are split at spaces, as everywhere in these tests.
    fn new(what: impl Into<String>, line: impl AsRef<str>) -> Self {
        Self {
            what: what.into(),
            line: words(line.as_ref()),
        }
    }
}

/// Kilobytes of memory that a process may write to: less than 2 GB beside the code of libtorch.
const MEMORY: u32 = 2_000_000;

/// Seconds after which a process hangs.
const SECONDS: u32 = 60;

/// The bundled model under another name, with links to its files.
fn linked_model(place: &Place, name: &str) {
    let directory = place.join(name);
    std::fs::create_dir_all(&directory).unwrap();
    for entry in std::fs::read_dir(demo_model()).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|extension| extension.to_str());
        if matches!(kind, Some("json" | "safetensors")) {
            let link = directory.join(path.file_name().unwrap());
            std::os::unix::fs::symlink(&path, link).unwrap();
        }
    }
}

/// Puts a file in the place of a link.
fn replace(place: &Place, name: &str, text: impl AsRef<[u8]>) {
    let _ = std::fs::remove_file(place.join(name));
    place.write(name, text);
}

/// Runs a case within its bounds.
fn run(place: &Path, case: &Case) -> Output {
    let plain = cola(place);
    let limited = format!("ulimit -d {MEMORY}; exec timeout {SECONDS} \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(plain.get_program());
    command.args(&case.line).current_dir(place);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().unwrap()
}

/// A line of the table, or what is wrong with how the process ended.
fn row(place: &Path, case: &Case) -> Result<String, String> {
    let output = run(place, case);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ended = match output.status.code() {
        Some(code @ 0..=2) => code,
        _ => return Err(format!("{}: {:?}: {said}", case.what, output.status)),
    };
    let unfit = said.contains("panicked")
        || said.contains("RUST_BACKTRACE")
        || said.lines().any(|line| line.len() > 2000)
        || said.chars().any(|c| c.is_control() && c != '\n');
    if unfit {
        return Err(format!("{}: {said}", case.what));
    }
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("cola: ") || line.starts_with("error: "))
        .collect();
    if ended == 2 && errors.len() != 1 {
        return Err(format!(
            "{}: {} lines say why: {said}",
            case.what,
            errors.len()
        ));
    }
    let place = place.display().to_string();
    let said = errors
        .first()
        .map_or_else(String::new, |line| line.replace(&place, "."));
    Ok(format!("{ended} | {} | {said}", case.what))
}

#[test]
fn every_bad_input_is_refused_in_one_line() {
    let place = Place::new();
    place.synth("arith.jsonl", "arith", 1, 4);
    place.synth("facts.jsonl", "commonsense", 1, 4);
    let mut cases = flags::cases(&place);
    cases.extend(models::cases(&place));
    cases.extend(tasks::cases(&place));
    cases.extend(files::cases(&place));
    assert!(cases.len() >= 300, "{}", cases.len());
    let rows: Mutex<BTreeMap<usize, Result<String, String>>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let work = || loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(case) = cases.get(at) else { break };
        let row = row(place.path(), case);
        rows.lock().unwrap().insert(at, row);
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    let (mut table, mut wrong) = (String::new(), String::new());
    for row in rows.into_inner().unwrap().into_values() {
        match row {
            Ok(row) => writeln!(table, "{row}").unwrap(),
            Err(error) => writeln!(wrong, "{error}").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    insta::assert_snapshot!("bad_inputs", table);
}
