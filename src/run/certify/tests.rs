//! Certificates of whole runs on made-up outcomes.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tempfile::TempDir;

use super::{draw::draw_others, file::NAME, *};
use crate::{
    problem::{Problem, Rotations},
    run::{
        AtOnce, Journal, Progress, RunError, RunPlan, SampleRecord,
        fakes::{BOUND, FakeBackend, FakeProblem, Faults},
        tests::{bounded, run_in},
    },
};
use cola_search::chain::Chain;

/// A finished search of some problems, of which the one with number 4 failed.
fn searched(count: u32) -> (TempDir, RunPlan<FakeProblem>, Vec<SampleRecord>) {
    let mut problems = FakeProblem::some(count);
    problems[4].unaskable = true;
    let plan = bounded(problems, 8);
    let directory = TempDir::new().unwrap();
    let backend = FakeBackend::new(1, Faults::default());
    run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    let records = Journal::read(directory.path()).unwrap();
    (directory, plan, records)
}

/// Certifies what the directory holds, a few samples at a time.
fn certify_in(
    directory: &Path,
    plan: &RunPlan<FakeProblem>,
    backend: &FakeBackend,
    interrupt: &AtomicBool,
) -> Result<bool, RunError> {
    let at_once = AtOnce {
        samples: 5,
        evaluations: 7,
    };
    let watched = (interrupt, &mut Progress::quiet());
    Certifier::run(backend, &plan.problems, directory, at_once, watched)
}

fn certified(directory: &Path, plan: &RunPlan<FakeProblem>, seed: u64) -> Vec<SampleRecord> {
    let backend = FakeBackend::new(seed, Faults::default());
    let interrupted = certify_in(directory, plan, &backend, &AtomicBool::new(false)).unwrap();
    assert!(!interrupted);
    assert_eq!(backend.left(), 0, "every row was released");
    Journal::read(directory).unwrap()
}

/// The lines of the certificates, sorted, without the degradations, which every batch adds noise to.
fn lines(directory: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(directory.join(NAME)).unwrap();
    let mut lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &mut lines {
        for edit in line["certificate"]["edits"].as_array_mut().unwrap() {
            edit["degradation"] = serde_json::Value::Null;
        }
    }
    lines.sort_by_key(|line| line["id"].to_string());
    lines
}

/// The directory of a finished search as it was before anything was certified.
fn copy(directory: &Path) -> TempDir {
    let other = TempDir::new().unwrap();
    for name in ["manifest.json", "samples.jsonl"] {
        std::fs::copy(directory.join(name), other.path().join(name)).unwrap();
    }
    other
}

#[test]
fn a_certificate_says_what_isolated_runs_say() {
    let (directory, plan, _) = searched(30);
    let records = certified(directory.path(), &plan, 2);
    let ran: Vec<&FakeProblem> = plan.problems.iter().filter(|p| !p.unaskable).collect();
    let (mut labels, mut needed, mut near) = (0, 0, 0);
    for record in &records {
        let Some(best) = record.label() else {
            assert!(record.certificate.is_none());
            continue;
        };
        labels += 1;
        let found = record.certificate.as_ref().unwrap();
        let problem = &plan.problems[record.index];
        let right = |problem: &FakeProblem, chain: &Chain| problem.truth(chain).correct;
        let counts = |problem: &FakeProblem, chain: &Chain| {
            right(problem, chain) && problem.degradation(chain) <= BOUND
        };
        let rotations = match problem.rotations() {
            Rotations::None => None,
            Rotations::Covered(of) => Some(RotationCount { right: of, of }),
            Rotations::Others(others) => Some(RotationCount {
                right: 1 + others.iter().filter(|p| right(p, &best.chain)).count(),
                of: 1 + others.len(),
            }),
        };
        assert_eq!(found.rotations, rotations);
        for edit in &found.edits {
            assert_eq!(edit.correct, right(problem, &edit.chain), "{edit:?}");
            let truth = problem.degradation(&edit.chain);
            assert!((edit.degradation.unwrap() - truth).abs() < 0.01);
        }
        let not_needed = found.edits.iter().filter(|e| counts(problem, &e.chain));
        assert_eq!(found.needed, found.edits.len() - not_needed.count());
        needed += found.needed;
        // Of the problems that ran, this one left out.
        let own = ran.iter().position(|p| p.number == problem.number).unwrap();
        let others = draw_others(record.seed, ran.len(), own);
        let others: Vec<&FakeProblem> = others.into_iter().map(|at| ran[at]).collect();
        let identity = Chain::identity(record.layers);
        let count = |chain| others.iter().filter(|p| counts(p, chain)).count();
        let transfer = Transfer {
            samples: 16,
            right: count(&best.chain),
            unmodified_right: count(&identity),
        };
        assert_eq!(found.transfer, transfer);
        let tight = others
            .iter()
            .filter(|p| (p.degradation(&best.chain) - BOUND).abs() < 0.005);
        near += tight.count();
    }
    assert!(
        labels > 20 && needed > 5 && near > 20,
        "{labels} {needed} {near}"
    );
    // Certificates need no evaluations to find their records.
    let read = Journal::read_without_evaluations(directory.path()).unwrap();
    for record in read {
        let known = records.iter().find(|known| known.id == record.id).unwrap();
        assert_eq!(record.certificate, known.certificate);
    }
}

#[test]
fn certificates_do_not_depend_on_where_the_stage_was_killed() {
    let (directory, plan, _) = searched(24);
    let whole = copy(directory.path());
    let backend = FakeBackend::new(3, Faults::default());
    certify_in(whole.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    let (expected, total) = (
        lines(whole.path()),
        backend.submitted.load(Ordering::Relaxed),
    );
    assert!(
        expected.len() > 16 && total > 300,
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
        let error = certify_in(place.path(), &plan, &backend, &AtomicBool::new(false));
        assert!(matches!(error, Err(RunError::Engine(_))));
        // A line that was being written is cut off, and its sample certified again.
        let path = place.path().join(NAME);
        let written = std::fs::read(&path).unwrap();
        std::fs::write(&path, &written[..written.len().saturating_sub(3)]).unwrap();
        certified(place.path(), &plan, 5);
        assert_eq!(lines(place.path()), expected, "killed after {killed}");
    }
}

#[test]
fn an_interrupted_stage_keeps_its_lines_and_a_finished_one_runs_nothing() {
    let (directory, plan, _) = searched(24);
    let interrupt = Arc::new(AtomicBool::new(false));
    let faults = Faults {
        interrupt: Some((450, Arc::clone(&interrupt))),
        ..Faults::default()
    };
    let backend = FakeBackend::new(1, faults);
    let interrupted = certify_in(directory.path(), &plan, &backend, &interrupt).unwrap();
    assert!(interrupted);
    assert_eq!(backend.left(), 0);
    let before = lines(directory.path());
    let records = Journal::read(directory.path()).unwrap();
    let known = records.iter().filter(|r| r.certificate.is_some());
    assert_eq!(known.count(), before.len());
    let labels = records.iter().filter(|r| r.label().is_some()).count();
    assert!((1..labels).contains(&before.len()), "{}", before.len());
    certified(directory.path(), &plan, 2);
    let after = lines(directory.path());
    assert_eq!(after.len(), labels);
    assert!(before.iter().all(|line| after.contains(line)));

    let backend = FakeBackend::new(1, Faults::default());
    certify_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    assert_eq!(backend.submitted.load(Ordering::Relaxed), 0);
    assert_eq!(lines(directory.path()), after);
}

#[test]
fn a_sample_whose_evaluation_fails_gets_a_line_with_the_reason() {
    let (directory, plan, _) = searched(24);
    let faults = Faults {
        broken: Some(7),
        ..Faults::default()
    };
    let backend = FakeBackend::new(1, faults);
    let interrupted =
        certify_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    assert!(!interrupted && backend.left() == 0);
    let records = Journal::read(directory.path()).unwrap();
    let text = std::fs::read_to_string(directory.path().join(NAME)).unwrap();
    let (mut failed, mut fine) = (0, 0);
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let record = records.iter().find(|r| r.id == line["id"]).unwrap();
        if line["error"].is_null() {
            assert!(record.certificate.is_some());
            fine += 1;
        } else {
            assert_eq!(line["error"], "a worker panicked: broken");
            assert!(line["certificate"].is_null() && record.certificate.is_none());
            failed += 1;
        }
    }
    assert!(failed > 0 && fine > 0, "{failed} {fine}");
}

#[test]
fn a_certificate_of_something_else_is_refused_by_what_differs() {
    let (directory, plan, _) = searched(6);
    certified(directory.path(), &plan, 1);
    let path = directory.path().join(NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    for (field, value, named) in [
        ("chain", "5,5,5,0".into(), "best chain (5)x3,0"),
        ("seed", 1.into(), "seed 1"),
        ("max_degradation", 0.25.into(), "max_degradation 0.25"),
        ("id", "p4".into(), "best chain"),
        ("id", "elsewhere".into(), "best chain"),
    ] {
        let mut line = first.clone();
        line[field] = value;
        std::fs::write(&path, format!("{line}\n")).unwrap();
        for error in [
            Journal::read(directory.path()).unwrap_err(),
            Journal::open(directory.path()).unwrap_err(),
        ] {
            let error = error.to_string();
            for word in [NAME, named, "delete this file", "option `certify`"] {
                assert!(error.contains(word), "{error}\nlacks {word}");
            }
        }
    }
}
