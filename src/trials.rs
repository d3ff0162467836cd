//! Remembers how many workers, with how many threads each, were fastest in the trial of a model.
//!
//! ```text
//! $XDG_CACHE_HOME/cola/trials/HASH.json    {"subject": {..}, "workers": 2, "threads": 1}
//! ```
//!
//! The subject is all that the outcome depends on, the hash is that of the subject. A file that
//! cannot be read or written only means that the trial is made again: results never depend on it.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{disk, session::dtype_name};
use cola_engine::workers_and_threads;
use cola_model::{Model, ModelError, libtorch_version, processor};

/// Most bytes of a file; they have some hundred.
const LONGEST: u64 = 64 << 10;

/// The directory of the outcomes in the user's cache; `None` for a user without one.
pub fn of_user() -> Option<PathBuf> {
    caches(|name| std::env::var_os(name)).map(|caches| caches.join("cola").join("trials"))
}

/// The directory for caches: by the XDG base directory specification, which has relative paths
/// ignored.
fn caches(get: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name| Some(PathBuf::from(get(name)?)).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))
}

/// The outcome of a trial, as a file has it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Outcome {
    subject: Value,
    workers: usize,
    threads: usize,
}

/// The (workers, threads) that a trial of this model on `cores` cores finds fastest, or that an
/// earlier one found, if there is a directory that keeps the outcomes.
pub fn fastest(
    directory: Option<&Path>,
    model: &Model,
    cores: usize,
) -> Result<(usize, usize), ModelError> {
    let trial = || workers_and_threads(model, cores);
    match directory {
        Some(directory) => remembered(directory, model, cores, trial),
        None => trial(),
    }
}

/// The outcome of an earlier trial that `directory` holds, or that of `trial`, which is then kept
/// there.
fn remembered(
    directory: &Path,
    model: &Model,
    cores: usize,
    trial: impl FnOnce() -> Result<(usize, usize), ModelError>,
) -> Result<(usize, usize), ModelError> {
    let subject = subject(model, cores);
    let hash = blake3::hash(subject.to_string().as_bytes()).to_hex();
    let path = directory.join(format!("{}.json", &hash[..32]));
    match read(&path, &subject, cores) {
        Ok(known) => return Ok(known),
        Err(why) => tracing::debug!(path = %path.display(), %why, "no remembered trial"),
    }
    let (workers, threads) = trial()?;
    let outcome = Outcome {
        subject,
        workers,
        threads,
    };
    if let Err(error) = write(&path, &outcome) {
        tracing::debug!(path = %path.display(), %error, "the trial is not remembered");
    }
    Ok((workers, threads))
}

/// All that the outcome of a trial depends on.
fn subject(model: &Model, cores: usize) -> Value {
    let spec = model.spec();
    let first = spec.layers.first().map(|layer| {
        let attention = &layer.attention;
        json!({
            "heads": attention.heads,
            "key_value_heads": attention.key_value_heads,
            "head_dim": attention.head_dim,
            "mlp": layer.mlp,
        })
    });
    json!({
        "cola": env!("CARGO_PKG_VERSION"),
        "libtorch": libtorch_version(),
        "processor": processor(),
        "cores": cores,
        "dtype": dtype_name(model.compute().kind),
        "hidden": spec.hidden,
        "layers": spec.layers.len(),
        "layer": first,
    })
}

/// The outcome in a file, if it is of this subject and the cores are enough for it.
fn read(path: &Path, subject: &Value, cores: usize) -> io::Result<(usize, usize)> {
    let outcome: Outcome = serde_json::from_slice(&cola_files::read(path, LONGEST)?)?;
    let Outcome {
        workers, threads, ..
    } = outcome;
    let used = workers.checked_mul(threads);
    match outcome.subject == *subject && used.is_some_and(|used| (1..=cores).contains(&used)) {
        true => Ok((workers, threads)),
        false => Err(io::Error::other("it is of another trial")),
    }
}

fn write(path: &Path, outcome: &Outcome) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        disk::create_dir_all(directory)?;
    }
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let text = serde_json::to_string(outcome)? + "\n";
    let written = disk::replace(path, &draft, text.as_bytes());
    if written.is_err() {
        // Best effort: it may not even be there.
        let _ = disk::remove(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use tempfile::TempDir;

    use super::*;
    use crate::disk::{FaultKind, with_fault};
    use cola_model::Compute;

    fn model() -> Model {
        Model::load("models/demo".as_ref(), Compute::cpu()).unwrap()
    }

    /// What is remembered, and whether the trial, which finds 3 workers of 1, ran.
    fn of(home: &TempDir, model: &Model, cores: usize) -> ((usize, usize), bool) {
        let mut tried = false;
        let trial = || {
            tried = true;
            Ok((3, 1))
        };
        let known = remembered(&home.path().join("new/trials"), model, cores, trial).unwrap();
        (known, tried)
    }

    /// The file of an outcome.
    fn file(home: &TempDir) -> PathBuf {
        let mut files = fs::read_dir(home.path().join("new/trials")).unwrap();
        let file = files.next().unwrap().unwrap().path();
        assert!(files.next().is_none(), "one outcome, no drafts");
        file
    }

    #[test]
    fn a_trial_is_made_once_for_a_model_and_a_number_of_cores() {
        let (home, model) = (tempfile::tempdir().unwrap(), model());
        assert_eq!(of(&home, &model, 4), ((3, 1), true));
        assert_eq!(of(&home, &model, 4), ((3, 1), false));
        let first = file(&home);
        assert_eq!(of(&home, &model, 3), ((3, 1), true));
        assert_eq!(of(&home, &model, 3), ((3, 1), false));
        fs::remove_file(first).unwrap();
        assert_eq!(of(&home, &model, 4), ((3, 1), true), "forgotten");
    }

    #[test]
    fn what_a_file_holds_is_taken_only_if_it_is_an_outcome_of_this_trial() {
        let (home, model) = (tempfile::tempdir().unwrap(), model());
        of(&home, &model, 4);
        let path = file(&home);
        let whole = fs::read_to_string(&path).unwrap();
        let with = |from: &str, to: &str| {
            assert!(whole.contains(from), "{whole}");
            whole.replacen(from, to, 1)
        };
        fs::write(&path, with(r#""threads":1"#, r#""threads":1, "later":{}"#)).unwrap();
        assert_eq!(of(&home, &model, 4), ((3, 1), false));
        fs::write(
            &path,
            with(r#""workers":3,"threads":1"#, r#""workers":2,"threads":2"#),
        )
        .unwrap();
        assert_eq!(of(&home, &model, 4), ((2, 2), false));
        for damaged in [
            String::new(),
            whole[..whole.len() / 2].to_owned(),
            "[1, 2]".to_owned(),
            with(r#""workers":3"#, r#""workers":0"#),
            with(r#""workers":3"#, r#""workers":5"#),
            with(r#""workers":3"#, r#""workers":-3"#),
            with(
                r#""workers":3,"threads":1"#,
                r#""workers":18446744073709551615,"threads":2"#,
            ),
            with(r#""cores":4"#, r#""cores":5"#),
            " ".repeat(1 << 17) + &whole,
        ] {
            fs::write(&path, &damaged).unwrap();
            assert_eq!(of(&home, &model, 4), ((3, 1), true), "{damaged}");
            assert_eq!(fs::read_to_string(&path).unwrap(), whole);
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(of(&home, &model, 4), ((3, 1), true));
    }

    #[test]
    fn without_a_place_to_write_the_trial_is_made_each_time() {
        let (home, model) = (tempfile::tempdir().unwrap(), model());
        // A file where a directory should be; then a directory where the outcome should be.
        fs::write(home.path().join("new"), "").unwrap();
        assert_eq!(of(&home, &model, 4), ((3, 1), true));
        fs::remove_file(home.path().join("new")).unwrap();
        of(&home, &model, 4);
        let path = file(&home);
        fs::remove_file(&path).unwrap();
        fs::create_dir_all(path.join("inside")).unwrap();
        assert_eq!(of(&home, &model, 4), ((3, 1), true));
        assert_eq!(file(&home), path);
    }

    #[test]
    fn whatever_operation_fails_the_outcome_is_used_and_no_part_of_it_stays() {
        let (home, model) = (tempfile::tempdir().unwrap(), model());
        let (_, operations) = with_fault(1000, FaultKind::Broken, || of(&home, &model, 4));
        assert!(operations > 3, "{operations} operations");
        for kind in [FaultKind::Broken, FaultKind::NoSpace, FaultKind::Short] {
            for nth in 0..operations {
                let home = tempfile::tempdir().unwrap();
                let (found, _) = with_fault(nth, kind, || of(&home, &model, 4));
                assert_eq!(found, ((3, 1), true));
                let (known, tried) = of(&home, &model, 4);
                assert_eq!(known, (3, 1));
                assert!(!tried || kind != FaultKind::Short, "it was written");
                file(&home);
            }
        }
    }

    #[test]
    fn several_at_once_leave_one_whole_outcome() {
        let (home, model) = (tempfile::tempdir().unwrap(), model());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(of(&home, &model, 4).0, (3, 1)));
            }
        });
        assert_eq!(of(&home, &model, 4).0, (3, 1));
        file(&home);
    }

    #[test]
    fn caches_are_where_the_specification_has_them() {
        let at = |variables: &'static [(&str, &str)]| {
            let get = move |name: &str| {
                let known = variables.iter().find(|(known, _)| *known == name);
                known.map(|(_, value)| OsString::from(value))
            };
            caches(get)
        };
        let place = |path: &str| Some(PathBuf::from(path));
        assert_eq!(at(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), place("/c"));
        assert_eq!(at(&[("HOME", "/h")]), place("/h/.cache"));
        assert_eq!(
            at(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]),
            place("/h/.cache")
        );
        assert_eq!(at(&[("XDG_CACHE_HOME", ""), ("HOME", "")]), None);
        assert_eq!(at(&[]), None);
    }
}
