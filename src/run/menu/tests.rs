//! Menus of whole runs on made-up outcomes.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tempfile::TempDir;

use super::{file::NAME, halves::halves, *};
use crate::{
    analysis::{RunRecords, Summary},
    run::{
        AtOnce, Journal, Progress, RunError, RunPlan, SampleRecord,
        fakes::{BOUND, FakeBackend, FakeProblem, Faults, LAYERS},
        tests::{bounded, run_in},
        wall_seconds,
    },
};
use cola_search::chain::Chain;

const TRIES: usize = 6;

/// A finished search of some problems, of which the one with number 4 failed.
fn searched(count: u32) -> (TempDir, RunPlan<FakeProblem>) {
    let mut problems = FakeProblem::some(count);
    problems[4].unaskable = true;
    let plan = bounded(problems, 8);
    let directory = TempDir::new().unwrap();
    let backend = FakeBackend::new(1, Faults::default());
    run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    (directory, plan)
}

/// The menus of what the directory holds, a few samples at a time.
fn menus_in(
    directory: &Path,
    plan: &RunPlan<FakeProblem>,
    backend: &FakeBackend,
    interrupt: &AtomicBool,
) -> Result<bool, RunError> {
    let menu_plan = MenuPlan {
        seed: plan.manifest.seed,
        tries: TRIES,
    };
    let at_once = AtOnce {
        samples: 5,
        evaluations: 7,
    };
    let watched = (interrupt, &Progress::quiet());
    let problems = &plan.problems;
    MenuStage::run(backend, problems, menu_plan, directory, at_once, watched)
}

fn with_menus(directory: &Path, plan: &RunPlan<FakeProblem>, seed: u64) -> Vec<SampleRecord> {
    let backend = FakeBackend::new(seed, Faults::default());
    let interrupted = menus_in(directory, plan, &backend, &AtomicBool::new(false)).unwrap();
    assert!(!interrupted);
    assert_eq!(backend.left(), 0, "every row was released");
    Journal::read(directory).unwrap()
}

/// The lines of the file, sorted, without the degradations, which every batch adds noise to.
fn lines(directory: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(directory.join(NAME)).unwrap();
    let mut lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &mut lines {
        for evaluation in line["evaluations"].as_array_mut().into_iter().flatten() {
            evaluation["degradation"] = serde_json::Value::Null;
        }
    }
    lines.sort_by_key(|line| (line["id"].to_string(), line["menu"].is_null()));
    lines
}

/// The directory of a finished search as it was before it had menus.
fn copy(directory: &Path) -> TempDir {
    let other = TempDir::new().unwrap();
    for name in ["manifest.json", "samples.jsonl"] {
        std::fs::copy(directory.join(name), other.path().join(name)).unwrap();
    }
    other
}

/// The menu that some samples choose, from the truth and step by step.
fn chosen(problems: &[FakeProblem], pool: &[Chain]) -> Vec<Chain> {
    let right = |problem: &FakeProblem, chain: &Chain| {
        problem.truth(chain).correct && problem.degradation(chain) <= BOUND
    };
    let identity = Chain::identity(LAYERS);
    let mut menu = vec![identity.clone()];
    let mut left = pool.to_vec();
    while menu.len() < TRIES && !left.is_empty() {
        let is_answered = |problem: &&FakeProblem| menu.iter().any(|chain| right(problem, chain));
        let open: Vec<&FakeProblem> = problems.iter().filter(|p| !is_answered(p)).collect();
        left.sort_by_key(|chain| {
            let adds = open.iter().filter(|p| right(p, chain)).count();
            let all = problems.iter().filter(|p| right(p, chain)).count();
            (Reverse(adds), Reverse(all), chain.len(), chain.clone())
        });
        menu.push(left.remove(0));
    }
    menu
}

#[test]
fn a_menu_is_what_the_other_half_chooses_and_gives_what_isolated_runs_give() {
    let (directory, plan) = searched(40);
    let records = with_menus(directory.path(), &plan, 2);
    let (both, too_small) = halves(&records, plan.manifest.seed, TRIES);
    assert!(both.len() == 2 && too_small.is_empty());
    let problem = |at: usize| plan.problems[records[at].index].clone();
    let (mut tried, mut near, mut right) = (0, 0, 0);
    for (half, choosers) in [(&both[0], &both[1]), (&both[1], &both[0])] {
        let on: Vec<FakeProblem> = choosers.members.iter().map(|&at| problem(at)).collect();
        let mut counts: BTreeMap<Chain, usize> = BTreeMap::new();
        for &at in &choosers.members {
            let best = records[at]
                .label()
                .filter(|best| !best.chain.is_identity(LAYERS));
            *counts
                .entry(best.map_or_else(|| Chain::identity(LAYERS), |b| b.chain.clone()))
                .or_default() += 1;
        }
        counts.remove(&Chain::identity(LAYERS));
        assert!(counts.len() > TRIES);
        let mut pool: Vec<Chain> = counts.keys().cloned().collect();
        pool.sort_by_key(|chain| (Reverse(counts[chain]), chain.len(), chain.clone()));
        pool.truncate(2 * TRIES);
        let expected = chosen(&on, &pool);
        for &at in &half.members {
            let menu: Vec<Chain> = records[at].menu.iter().map(|e| e.chain.clone()).collect();
            assert_eq!(menu, expected);
            assert_eq!(&records[at].menu[0], records[at].baseline.as_ref().unwrap());
            for evaluation in &records[at].menu {
                let truth = problem(at).truth(&evaluation.chain);
                assert_eq!(
                    (evaluation.correct, &evaluation.answer),
                    (truth.correct, &truth.answer)
                );
                let nats = problem(at).degradation(&evaluation.chain);
                assert_eq!(records[at].is_fluent(evaluation), nats <= BOUND);
                tried += 1;
                near += usize::from((nats - BOUND).abs() < 0.005);
                right += usize::from(truth.correct);
            }
        }
    }
    assert!(
        tried == 39 * TRIES && near > 30 && right > 30,
        "{tried} {near} {right}"
    );
    let failed = records
        .iter()
        .find(|record| record.error.is_some())
        .unwrap();
    assert!(failed.menu.is_empty());
    // What is read of the directory is the same.
    for record in Journal::read(directory.path()).unwrap() {
        let known = records.iter().find(|known| known.id == record.id).unwrap();
        assert_eq!(record.menu, known.menu);
    }
}

#[test]
fn menus_do_not_depend_on_where_the_stage_was_killed() {
    let (directory, plan) = searched(24);
    let whole = copy(directory.path());
    let backend = FakeBackend::new(3, Faults::default());
    menus_in(whole.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    let total = backend.submitted.load(Ordering::Relaxed);
    let expected = lines(whole.path());
    assert!(
        expected.len() == 2 * 23 && total > 200,
        "{} {total}",
        expected.len()
    );
    for killed in (0..total).step_by(total / 40) {
        let place = copy(directory.path());
        let lost = Faults {
            lost_after: Some(killed),
            ..Faults::default()
        };
        let backend = FakeBackend::new(killed as u64, lost);
        let error = menus_in(place.path(), &plan, &backend, &AtomicBool::new(false));
        assert!(matches!(error, Err(RunError::Engine(_))));
        // A line that was being written is cut off, and its sample runs again.
        let path = place.path().join(NAME);
        let written = std::fs::read(&path).unwrap();
        std::fs::write(&path, &written[..written.len().saturating_sub(3)]).unwrap();
        with_menus(place.path(), &plan, 5);
        assert_eq!(lines(place.path()), expected, "killed after {killed}");
    }
}

#[test]
fn an_interrupted_stage_keeps_its_lines_and_a_finished_one_runs_nothing() {
    let (directory, plan) = searched(24);
    let whole = copy(directory.path());
    let backend = FakeBackend::new(3, Faults::default());
    menus_in(whole.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    let total = backend.submitted.load(Ordering::Relaxed);
    for part in [1, 7] {
        let place = copy(directory.path());
        let interrupt = Arc::new(AtomicBool::new(false));
        let faults = Faults {
            interrupt: Some((part * total / 8, Arc::clone(&interrupt))),
            ..Faults::default()
        };
        let backend = FakeBackend::new(1, faults);
        let interrupted = menus_in(place.path(), &plan, &backend, &interrupt).unwrap();
        assert!(interrupted && backend.left() == 0);
        let before = lines(place.path());
        let tried = before
            .iter()
            .filter(|line| line["menu"].is_string())
            .count();
        let records = Journal::read(place.path()).unwrap();
        let with_menu = records.iter().filter(|r| !r.menu.is_empty());
        assert_eq!(tried, with_menu.count());
        // In the first step, and in the second.
        assert_eq!(tried > 0, part == 7, "{tried}");
        with_menus(place.path(), &plan, 2);
        let now = lines(place.path());
        assert_eq!(now.len(), 2 * 23);
        assert!(before.iter().all(|line| now.contains(line)));

        let backend = FakeBackend::new(1, Faults::default());
        menus_in(place.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
        assert_eq!(backend.submitted.load(Ordering::Relaxed), 0);
        assert_eq!(lines(place.path()), now);
    }
}

#[test]
fn a_sample_whose_evaluation_fails_has_a_reason_and_does_not_choose() {
    let (directory, plan) = searched(24);
    let faults = Faults {
        broken: Some(7),
        ..Faults::default()
    };
    let backend = FakeBackend::new(1, faults);
    let interrupted = menus_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    assert!(!interrupted && backend.left() == 0);
    let records = Journal::read(directory.path()).unwrap();
    for line in lines(directory.path()) {
        let record = records.iter().find(|r| r.id == line["id"]).unwrap();
        let failed = line["id"] == "p7";
        assert_eq!(line["error"].is_null(), !failed, "{line}");
        assert_eq!(record.menu.is_empty(), failed);
        assert_eq!(record.menu_error.is_some(), failed);
        if failed {
            let what = if line["menu"].is_null() {
                "right"
            } else {
                "evaluations"
            };
            assert_eq!(line["error"], "a worker panicked: broken");
            assert_eq!(line[what], serde_json::json!([]));
        }
    }
    let failed = records.iter().filter(|r| r.menu_error.is_some());
    assert_eq!(failed.count(), 1);
}

#[test]
fn a_summary_that_streams_is_that_of_the_whole_records() {
    let (directory, plan) = searched(24);
    let records = with_menus(directory.path(), &plan, 1);
    assert!(records.iter().any(|record| !record.menu.is_empty()));
    let streamed = RunRecords::read("fake", directory.path()).unwrap();
    let whole = RunRecords::new("fake", wall_seconds(&records), records).unwrap();
    let (streamed, whole) = (Summary::of(&streamed), Summary::of(&whole));
    assert!(whole.total.arms.iter().any(|curve| curve.arm == "menu"));
    assert_eq!(streamed, whole);
}

#[test]
fn a_task_of_too_few_samples_has_no_menu() {
    let (directory, plan) = searched(5);
    let records = with_menus(directory.path(), &plan, 1);
    assert!(records.iter().any(|record| !record.menu.is_empty()));
    let mut problems = FakeProblem::some(4);
    problems[1].unaskable = true;
    let plan = bounded(problems, 8);
    let directory = TempDir::new().unwrap();
    let backend = FakeBackend::new(1, Faults::default());
    run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    let records = with_menus(directory.path(), &plan, 1);
    assert!(
        records
            .iter()
            .all(|r| r.menu.is_empty() && r.menu_error.is_none())
    );
    assert_eq!(lines(directory.path()), Vec::<serde_json::Value>::new());
}

#[test]
fn menus_of_something_else_are_refused_by_what_differs() {
    let (directory, plan) = searched(12);
    with_menus(directory.path(), &plan, 1);
    let path = directory.path().join(NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let all: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = all.len() - 1;
    for (at, field, value, named) in [
        (0, "seed", 1.into(), "seed of the sample"),
        (0, "max_degradation", 0.25.into(), "max_degradation 0.25"),
        (0, "pool", "00".into(), "pool 00"),
        (1, "tries", 9.into(), "tries 9, and the run has 6"),
        (0, "id", "elsewhere".into(), "pool"),
        (last, "menu", "00".into(), "menu 00"),
    ] {
        let mut changed = all.clone();
        changed[at][field] = value;
        let text: String = changed.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).unwrap();
        for error in [
            Journal::read(directory.path()).unwrap_err(),
            Journal::open(directory.path()).unwrap_err(),
        ] {
            let error = error.to_string();
            for word in [NAME, named, "delete this file", "option `arms`"] {
                assert!(error.contains(word), "{error}\nlacks {word}");
            }
        }
    }
    // Another number of tries in all lines is another plan than the command's.
    let mut changed = all.clone();
    for line in &mut changed {
        line["tries"] = 9.into();
    }
    let text: String = changed.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, text).unwrap();
    let backend = FakeBackend::new(1, Faults::default());
    let error = menus_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, RunError::Stale(_)), "{error}");
}
