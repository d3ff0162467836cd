//! Whole runs on made-up outcomes: what is recorded does not depend on how it was computed.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    ops::Range,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use crossbeam_channel::Sender;
use tempfile::TempDir;

use super::{
    course::{Course, Label, Next},
    fakes::{BOUND, FakeBackend, FakeProblem, Faults, LAYERS, outcome_of},
    in_flight::asker_of,
    sampling::Draws,
    *,
};
use crate::{
    disk::{FaultKind, with_fault},
    problem::{Prepared, Problem},
};
use cola_engine::{Backend, Completion, EngineError, Request, Row};
use cola_model::Repeat;
use cola_search::{
    Ask, Feedback, MaxDegradation, ResolvedSearch, SearchConfig, chain::Chain, seed_for,
};

const SEED: u64 = 7;

fn resolved(strategy: &str) -> ResolvedSearch {
    let config = SearchConfig {
        strategy: strategy.to_owned(),
        simulations: Some(30),
        max_degradation: MaxDegradation::Unbounded,
        ..SearchConfig::default()
    };
    config.resolve(LAYERS).unwrap()
}

fn plan(problems: Vec<FakeProblem>, in_flight: usize, controls: usize) -> RunPlan<FakeProblem> {
    RunPlan {
        manifest: Manifest {
            format: FORMAT,
            model: "fake".into(),
            model_hash: "00".into(),
            tokenizer_hash: "11".into(),
            stop_tokens: Vec::new(),
            layers: LAYERS,
            dtype: "f32".into(),
            repeat: Repeat::Clean,
            chat: false,
            fewshot_as_multiturn: false,
            system: None,
            no_bos: false,
            letters: false,
            rotations: false,
            seed: SEED,
            search: serde_json::to_value(resolved("mcts")).unwrap(),
            max_degradation: None,
            controls: ControlPlan {
                samples: controls.into(),
            },
            sampling: None,
            tasks: TaskManifest::of(&problems),
        },
        problems,
        searches: Searches {
            main: Arc::new(resolved("mcts")),
            random: Arc::new(resolved("random")),
            max_degradation: None,
            tries: 30,
            sampling: None,
        },
        in_flight,
    }
}

/// The same plan with a bound on degradation.
pub fn bounded(problems: Vec<FakeProblem>, in_flight: usize) -> RunPlan<FakeProblem> {
    let mut plan = plan(problems, in_flight, 100);
    plan.searches.max_degradation = Some(BOUND);
    plan.manifest.max_degradation = Some(BOUND);
    plan
}

pub fn run_in(
    directory: &Path,
    plan: &RunPlan<FakeProblem>,
    backend: &FakeBackend,
    interrupt: &AtomicBool,
) -> Result<RunOutcome, RunError> {
    let mut progress = Progress::quiet();
    Driver::new(backend, plan, directory)?.run(interrupt, &mut progress)
}

/// The records of a run, sorted, without what depends on the clock.
fn records(plan: &RunPlan<FakeProblem>, seed: u64, faults: Faults) -> Vec<SampleRecord> {
    let directory = TempDir::new().unwrap();
    let backend = FakeBackend::new(seed, faults);
    let outcome = run_in(directory.path(), plan, &backend, &AtomicBool::new(false)).unwrap();
    assert!(!outcome.interrupted);
    assert_eq!(backend.left(), 0, "every row was released");
    sorted(directory.path())
}

/// The records of a directory.
fn sorted(directory: &Path) -> Vec<SampleRecord> {
    let mut records = Journal::read(directory).unwrap();
    records.sort_by_key(|record| record.index);
    for record in &mut records {
        record.cost.seconds = 0.0;
        record.elapsed = 0.0;
        record.session = 0;
        forget_losses(record);
    }
    records
}

/// Takes out the losses, which every batch adds noise to.
fn forget_losses(record: &mut SampleRecord) {
    record.prompt_loss = None;
    let random = record.controls.iter_mut();
    let random = random.flat_map(|controls| &mut controls.random.evaluations);
    let all = record.evaluations.iter_mut().chain(&mut record.pareto);
    let all = all.chain(&mut record.baseline).chain(&mut record.best);
    for evaluation in all.chain(random) {
        evaluation.degradation = None;
    }
    // Which chains are in the front hangs on the degradations.
    record.pareto.clear();
}

/// Names the first record that differs, rather than printing all of both.
fn assert_same(records: &[SampleRecord], expected: &[SampleRecord]) {
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(expected) {
        assert!(record == expected, "{record:?}\nexpected {expected:?}");
    }
}

/// What the search of a problem finds when it is told the truth, one chain at a time.
fn searched(problem: &FakeProblem) -> Vec<Evaluation> {
    let mut search = resolved("mcts").build(seed_for(SEED, problem.task(), problem.id()));
    let mut found = Vec::new();
    while let Ask::Evaluate(chain) = search.ask() {
        let verdict = problem.truth(&chain);
        let feedback = Feedback::new(verdict.correct, verdict.margin);
        search.tell(&chain, feedback);
        found.push(Evaluation::new(chain, verdict, None));
    }
    found
}

#[test]
fn a_run_records_what_each_search_alone_would_find() {
    let problems = FakeProblem::some(8);
    let plan = plan(problems.clone(), 3, 0);
    for (record, problem) in records(&plan, 1, Faults::default()).iter().zip(&problems) {
        let expected = searched(problem);
        assert_eq!(record.evaluations, expected);
        let right = expected.iter().filter(|e| e.correct);
        let shortest = right.map(|e| e.chain.len()).min();
        assert_eq!(record.best.as_ref().map(|e| e.chain.len()), shortest);
        assert!(record.unconfirmed.is_empty());
        assert!(record.controls.is_none() && record.error.is_none());
        // One run of each chain, of the near-ties another, and one to confirm the best.
        let least = expected.len() as u64 + u64::from(shortest.is_some());
        assert!(record.cost.evaluations > least, "{:?}", record.cost);
        assert!(record.cost.evaluations <= 2 * least);
    }
}

#[test]
fn records_do_not_depend_on_order_or_on_how_many_are_in_flight() {
    let all = |in_flight, seed| {
        let plan = plan(FakeProblem::some(9), in_flight, 4);
        records(&plan, seed, Faults::default())
    };
    let alone = all(1, 1);
    assert_eq!(alone.iter().filter(|r| r.controls.is_some()).count(), 4);
    for seed in 2..5 {
        assert_same(&all(20, seed), &alone);
    }
}

#[test]
fn the_control_looks_for_a_wrong_answer_that_is_not_the_models_own() {
    let plan = plan(FakeProblem::some(12), 4, 12);
    let mut looked_for = 0;
    for record in records(&plan, 3, Faults::default()) {
        let controls = record.controls.unwrap();
        assert_eq!(controls.random.target, "gold");
        match controls.wrong_target {
            // The unmodified model answers w0 wherever it is wrong.
            Some(wrong) => {
                assert_eq!(wrong.target, "w1");
                assert!(!record.baseline.unwrap().correct);
                looked_for += 1;
            }
            None => assert!(record.baseline.unwrap().correct),
        }
    }
    assert!(looked_for > 0);
}

#[test]
fn chains_beyond_the_bound_are_recorded_told_as_wrong_and_never_best() {
    let problems = FakeProblem::some(12);
    let plan = bounded(problems.clone(), 4);
    let (mut beyond, mut near) = (0, 0);
    for (record, problem) in records(&plan, 5, Faults::default()).iter().zip(&problems) {
        let fluent = |chain: &Chain| problem.degradation(chain) <= BOUND;
        let right = record.evaluations.iter().filter(|e| e.correct);
        let shortest = right.clone().filter(|e| fluent(&e.chain));
        let shortest = shortest.map(|e| e.chain.len()).min();
        assert_eq!(record.best.as_ref().map(|e| e.chain.len()), shortest);
        assert!(record.best.iter().all(|best| fluent(&best.chain)));
        assert!(record.unconfirmed.is_empty());
        beyond += right.filter(|e| !fluent(&e.chain)).count();
        near += record
            .evaluations
            .iter()
            .filter(|e| (problem.degradation(&e.chain) - BOUND).abs() < 0.01)
            .count();
        let controls = record.controls.as_ref().unwrap();
        let random = &controls.random;
        let wrong = [&controls.matched_target, &controls.wrong_target];
        let wrong = wrong
            .into_iter()
            .flatten()
            .flat_map(|outcome| &outcome.found);
        let found = [&random.found, &random.found_matched, &random.found_wrong];
        assert!(found.into_iter().flatten().chain(wrong).all(fluent));
    }
    assert!(beyond > 20 && near > 20, "{beyond} {near}");
}

#[test]
fn near_the_bound_records_do_not_depend_on_the_batch() {
    let all = |in_flight, seed| {
        let plan = bounded(FakeProblem::some(9), in_flight);
        let mut records = records(&plan, seed, Faults::default());
        for record in &mut records {
            // Whether the unmodified model had to run isolated is one evaluation more or less.
            record.cost = SampleCost::default();
        }
        records
    };
    let alone = all(1, 1);
    for seed in 2..6 {
        assert_same(&all(20, seed), &alone);
    }
}

#[test]
fn the_matched_wrong_answer_is_the_one_that_is_as_likely() {
    let plan = plan(FakeProblem::some(12), 4, 12);
    let mut matched = 0;
    for record in records(&plan, 3, Faults::default()) {
        let controls = record.controls.unwrap();
        assert_eq!(record.candidates.len(), 4);
        assert!(record.candidates[0].gold);
        if let Some(outcome) = controls.matched_target {
            assert_eq!(outcome.target, "w2");
            assert!(outcome.chains > 1);
            matched += 1;
        }
        // What random chains answer does not depend on what is looked for.
        assert_eq!(controls.random.chains, controls.random.evaluations.len());
    }
    assert!(matched > 0);
}

/// Every kind of evaluation there is: controls, a bound, answers that are drawn.
fn everything(in_flight: usize) -> RunPlan<FakeProblem> {
    let mut problems = FakeProblem::some(7);
    for problem in &mut problems[..3] {
        problem.generated = true;
    }
    let mut plan = bounded(problems, in_flight);
    plan.searches.sampling = Some(SamplingPlan::usual(3));
    plan.manifest.sampling.clone_from(&plan.searches.sampling);
    plan
}

/// Whether the unmodified model had to run isolated hangs on the batch, and costs an evaluation.
fn without_costs(mut records: Vec<SampleRecord>) -> Vec<SampleRecord> {
    for record in &mut records {
        record.cost = SampleCost::default();
    }
    records
}

#[test]
fn a_run_that_is_stopped_anywhere_continues_to_the_same_records() {
    let plan = everything(3);
    let expected = without_costs(records(&plan, 1, Faults::default()));
    for step in [1, 97, 331] {
        let directory = TempDir::new().unwrap();
        let (mut session, mut submitted) = (0, 0);
        loop {
            let interrupt = Arc::new(AtomicBool::new(false));
            let faults = Faults {
                interrupt: Some((step, Arc::clone(&interrupt))),
                ..Faults::default()
            };
            let backend = FakeBackend::new(session, faults);
            let outcome = run_in(directory.path(), &plan, &backend, &interrupt).unwrap();
            submitted += backend.submitted.load(Ordering::Relaxed);
            session += 1;
            if !outcome.interrupted {
                assert_same(&without_costs(sorted(directory.path())), &expected);
                break;
            }
            // A session that is stopped at once learns nothing: the rest runs in one.
            if step == 1 && session == 6 {
                let backend = FakeBackend::new(session, Faults::default());
                let never = AtomicBool::new(false);
                run_in(directory.path(), &plan, &backend, &never).unwrap();
                assert_same(&without_costs(sorted(directory.path())), &expected);
                break;
            }
        }
        // A session loses the evaluations in flight: of three samples, five lanes and two rows each, once more where they were
        // near-ties.
        let once = {
            let directory = TempDir::new().unwrap();
            let backend = FakeBackend::new(1, Faults::default());
            run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
            backend.submitted.load(Ordering::Relaxed)
        };
        let most = once + session as usize * 3 * 5 * 2 * 2 + once / 50;
        assert!(step == 1 || submitted <= most, "{submitted} of {most}");
    }
}

#[test]
fn a_log_that_says_something_else_than_the_search_asks_for_is_refused() {
    let plan = plan(FakeProblem::some(2), 2, 0);
    let directory = TempDir::new().unwrap();
    let interrupt = Arc::new(AtomicBool::new(false));
    let faults = Faults {
        interrupt: Some((30, Arc::clone(&interrupt))),
        ..Faults::default()
    };
    let backend = FakeBackend::new(1, faults);
    run_in(directory.path(), &plan, &backend, &interrupt).unwrap();
    let path = directory.path().join("evaluations.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let lines = text.lines().map(|line| match line.split_once(' ') {
        Some((_, json)) if json.contains("\"search\"") && json.contains("p1") => {
            let other = json.replace("\"search\"", "\"random\"");
            format!("{:08x} {other}\n", crc32fast::hash(other.as_bytes()))
        }
        _ => format!("{line}\n"),
    });
    std::fs::write(&path, lines.collect::<String>()).unwrap();
    let backend = FakeBackend::new(2, Faults::default());
    let error = run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("evaluations.log: sample fake/p1: the log has chain"),
        "{error}"
    );
    // Without the log the samples run again.
    std::fs::remove_file(&path).unwrap();
    run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    assert_same(
        &sorted(directory.path()),
        &records(&plan, 1, Faults::default()),
    );
}

#[test]
fn whatever_a_device_does_the_records_are_the_same() {
    try_devices(0..150);
}

/// Run it with `cargo test --release --lib -- --ignored thousands_of_devices`.
#[test]
#[ignore = "takes minutes"]
fn whatever_thousands_of_devices_do_the_records_are_the_same() {
    try_devices(150..5000);
}

/// Devices that answer in any order, give states that are not finite, fail on a sample, and are lost again and again.
fn try_devices(seeds: Range<u64>) {
    let some = seeds.end - seeds.start;
    let faults = |seed: u64| Faults {
        broken: (seed % 4 == 1).then_some((seed % 3) as u32),
        not_finite: (!seed.is_multiple_of(3)).then_some(2 + seed % 5),
        failing: (seed % 5 == 2).then_some(20),
        ..Faults::default()
    };
    let (mut expected, mut lost) = (HashMap::new(), 0);
    for seed in seeds {
        let kind = seed % 60;
        let mut plan = plan(FakeProblem::some(3), 1 + (seed % 3) as usize, 1);
        let few = SearchConfig {
            simulations: Some(6),
            max_degradation: MaxDegradation::Unbounded,
            ..SearchConfig::default()
        };
        plan.searches.main = Arc::new(few.resolve(LAYERS).unwrap());
        let expected = expected
            .entry(kind)
            .or_insert_with(|| without_costs(records(&plan, 1, faults(kind))));
        let directory = TempDir::new().unwrap();
        let mut random = seed_for(seed, "lost", "");
        let found = loop {
            // Longer each time, so that it ends.
            random = seed_for(random, "again", "");
            let lost_after = (random % 60) as usize + 2;
            let backend = FakeBackend::new(
                random,
                Faults {
                    lost_after: Some(lost_after),
                    ..faults(kind)
                },
            );
            match run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)) {
                Ok(_) => break without_costs(sorted(directory.path())),
                Err(error) => {
                    assert_eq!(error.to_string(), "the device failed: gone", "seed {seed}");
                    lost += 1;
                }
            }
        };
        assert_same(&found, expected);
    }
    assert!(lost > some, "{lost}");
}

/// Every file operation of a small run fails once, in every way: the run ends with an error, or goes on, and is continued to the
/// same records.
#[test]
fn whatever_file_operation_fails_the_run_can_be_continued() {
    let plan = plan(FakeProblem::some(2), 2, 1);
    let expected = records(&plan, 1, Faults::default());
    let run = |directory: &Path| {
        let backend = FakeBackend::new(1, Faults::default());
        run_in(directory, &plan, &backend, &AtomicBool::new(false))
    };
    let whole = TempDir::new().unwrap();
    let (outcome, operations) = with_fault(usize::MAX, FaultKind::Broken, || run(whole.path()));
    outcome.unwrap();
    assert_same(&sorted(whole.path()), &expected);
    assert!(operations > 100, "{operations}");
    let mut failed = 0;
    for kind in [
        FaultKind::NoSpace,
        FaultKind::Broken,
        FaultKind::Interrupted,
        FaultKind::Short,
    ] {
        for nth in 0..operations {
            let directory = TempDir::new().unwrap();
            let place = directory.path().join("run");
            match with_fault(nth, kind, || run(&place)).0 {
                Ok(_) => assert_same(&sorted(&place), &expected),
                Err(error) => {
                    failed += 1;
                    let harmless = [FaultKind::Interrupted, FaultKind::Short].contains(&kind);
                    assert!(!harmless, "operation {nth}, {kind:?}: {error}");
                    let error = error.to_string();
                    assert!(
                        error.contains("os error") && !error.contains('\n'),
                        "{error}"
                    );
                    run(&place).unwrap();
                    assert_same(&sorted(&place), &expected);
                }
            }
        }
    }
    assert_eq!(failed, 2 * operations);
}

/// Answers nothing by itself.
#[derive(Default)]
struct Queue(Mutex<VecDeque<Request>>);

impl Backend for Queue {
    fn register_all(&self, rows: Vec<Row>) -> Result<Vec<Arc<Row>>, EngineError> {
        Ok(rows.into_iter().map(Arc::new).collect())
    }

    fn release(&self, _: &Row) {}

    fn submit(&self, request: Request, _: &Sender<Completion>) {
        self.0.lock().unwrap().push_back(request);
    }
}

#[test]
fn a_sample_is_searched_beside_its_controls_and_no_chain_runs_twice() {
    let plan = everything(1);
    let expected = without_costs(records(&plan, 1, Faults::default()));
    let (mut most, mut last_lanes) = (0, BTreeSet::new());
    for (problem, expected) in plan.problems.iter().zip(&expected) {
        let queue = Queue::default();
        let Prepared {
            rows,
            decode,
            judge,
        } = problem.prepare().unwrap();
        let rows = queue.register_all(rows).unwrap();
        let label = Label {
            task: "fake".into(),
            id: problem.id().into(),
            index: problem.index(),
            gold: problem.gold(),
            seed: expected.seed,
        };
        let searches = plan.searches.clone();
        let mut course = Course::new(label, judge, (rows, decode), LAYERS, searches, true);
        let (reply, _) = crossbeam_channel::unbounded();
        let (mut answered, mut ran) = (0, BTreeSet::new());
        while course.advance() == Next::Submit {
            course.submit(&queue, 0, &reply);
            most = most.max(queue.0.lock().unwrap().len());
            // The lane that was asked last is answered first.
            let request = queue.0.lock().unwrap().pop_back().unwrap();
            let (lane, row) = asker_of(request.tag);
            last_lanes.insert(lane);
            let seed = request.decode.as_ref().and_then(|plan| plan.sampling);
            let seed = seed.map(|sampling| sampling.seed);
            // A best chain is confirmed isolated, and may have been a near-tie.
            let once = ran.insert((request.chain.to_string(), row, request.isolated, seed));
            assert!(once || request.isolated, "{}", request.chain);
            answered += 1;
            course.receive(
                lane,
                row,
                outcome_of(&request, answered, &Faults::default()),
            );
        }
        let record = without_costs(vec![course.into_record("00", 0, 0.0)]).remove(0);
        let mut record = SampleRecord {
            elapsed: expected.elapsed,
            ..record
        };
        forget_losses(&mut record);
        assert_same(&[record], std::slice::from_ref(expected));
    }
    // Two rows of each lane: the search, random chains, two wrong answers, and draws where answers are generated.
    // Some want the same chain, which only one of them runs.
    assert_eq!(last_lanes.len(), 5);
    assert!(most > 2 * 3, "{most}");
}

#[test]
fn a_sample_that_fails_is_recorded_and_leaves_the_others_alone() {
    let mut problems = FakeProblem::some(5);
    problems[1].unaskable = true;
    let faults = Faults {
        broken: Some(3),
        ..Faults::default()
    };
    let with_faults = records(&plan(problems, 2, 0), 1, faults);
    let without = records(&plan(FakeProblem::some(5), 2, 0), 1, Faults::default());
    for (at, (record, expected)) in with_faults.iter().zip(&without).enumerate() {
        match at {
            1 => assert_eq!(record.error.as_deref(), Some("cannot be asked")),
            3 => assert_eq!(record.error.as_deref(), Some("a worker panicked: broken")),
            _ => assert!(record == expected, "sample {at} is another"),
        }
    }
}

#[test]
fn a_lost_device_ends_the_session_and_keeps_what_is_recorded() {
    let plan = plan(FakeProblem::some(6), 2, 0);
    let directory = TempDir::new().unwrap();
    let faults = Faults {
        lost_after: Some(250),
        ..Faults::default()
    };
    let backend = FakeBackend::new(1, faults);
    let error = run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap_err();
    assert_eq!(error.to_string(), "the device failed: gone");
    let backend = FakeBackend::new(2, Faults::default());
    run_in(directory.path(), &plan, &backend, &AtomicBool::new(false)).unwrap();
    let all = Journal::read(directory.path()).unwrap();
    assert!(all.iter().any(|record| record.session == 0));
    let expected = records(&plan, 1, Faults::default());
    assert_same(&sorted(directory.path()), &expected);
}

#[test]
fn pairs_have_their_true_verdicts_each_once_and_rows_are_released() {
    let problems = FakeProblem::some(5);
    let chains = ["0-5", "0,0", "5,4", "1-3", "empty"];
    let pair = |n: usize| Pair {
        problem: n % 5,
        chain: chains[n / 5].parse::<Chain>().unwrap(),
    };
    let pairs: Vec<Pair> = (0..25).map(pair).collect();
    for (seed, most) in [(1, 1), (2, 7), (3, 100)] {
        let backend = FakeBackend::new(seed, Faults::default());
        let mut seen = vec![0; pairs.len()];
        let interrupted = Evaluator::run(
            &backend,
            &problems.iter().collect::<Vec<_>>(),
            &pairs,
            Batching {
                most,
                isolated: false,
            },
            (&AtomicBool::new(false), &mut Progress::quiet()),
            |at, evaluated| {
                seen[at] += 1;
                let truth = problems[pairs[at].problem].truth(&pairs[at].chain);
                assert_eq!(evaluated.unwrap().verdict, truth);
                Ok(())
            },
        );
        assert!(!interrupted.unwrap());
        assert_eq!(seen, vec![1; 25]);
        assert_eq!(backend.left(), 0);
    }
}

#[test]
fn answers_are_drawn_the_same_however_the_work_is_ordered() {
    let mut problems = FakeProblem::some(6);
    for problem in &mut problems[..4] {
        problem.generated = true;
    }
    let sampled = |in_flight, controls, seed| {
        let mut plan = plan(problems.clone(), in_flight, controls);
        plan.searches.sampling = Some(SamplingPlan::usual(5));
        records(&plan, seed, Faults::default())
    };
    let expected = |problem: &FakeProblem| -> Vec<(usize, usize)> {
        let mut draws = Draws::new(SamplingPlan::usual(5));
        let decode = problem.prepare().unwrap().decode;
        let seed = seed_for(SEED, problem.task(), problem.id());
        while let Some(plan) = draws.next(decode.as_ref(), seed) {
            draws.learn(problem.drawn(plan.sampling.unwrap().seed));
        }
        let outcomes = draws.into_outcomes().into_iter();
        outcomes.map(|s| (s.draws, s.right)).collect()
    };
    let first = sampled(1, 0, 1);
    let mut some = BTreeSet::new();
    for (record, problem) in first.iter().zip(&problems[..4]) {
        let counts: Vec<_> = record.sampling.iter().map(|s| (s.draws, s.right)).collect();
        assert_eq!(counts, expected(problem));
        some.extend(counts);
    }
    assert!(some.len() > 2, "{some:?}");
    for record in &first[4..] {
        // Of options the probability is known without a draw.
        assert!(
            record
                .sampling
                .iter()
                .all(|s| s.draws == 0 && s.probability.is_some())
        );
        assert_eq!(record.sampling.len(), 3);
    }
    assert_same(&sampled(4, 0, 2), &first);
    for (record, other) in sampled(3, 100, 3).iter().zip(&first) {
        assert_eq!(record.sampling, other.sampling);
    }
}
