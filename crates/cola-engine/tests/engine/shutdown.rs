//! Rows that are released and engines that are dropped leave nothing behind.

use std::sync::Arc;

use cola_engine::{EngineError, EngineOptions, Request};
use crossbeam_channel::unbounded;

use crate::support::{
    chain, decoding_row, engine, hold_worker, options, outcomes, plan, related_chains, request,
};

const MODEL: &str = "llama2-mha-f32";

#[test]
fn a_released_row_leaves_no_state_and_other_rows_keep_theirs() {
    use rand::SeedableRng;
    let engine = engine(MODEL, options());
    let chains = related_chains(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1), 5, 15);
    let rows = [[1, 2, 3], [4, 5, 6]].map(|t| engine.register(decoding_row(&t)).unwrap());
    let all = || {
        rows.iter()
            .flat_map(|row| chains.iter().map(move |c| request(row, c, None)))
    };
    outcomes(&engine, all());
    let (states, steps) = (engine.table().len(), engine.totals().cost.steps_run);
    assert_eq!(states as u64, steps);
    engine.release(&rows[0]);
    assert_eq!(engine.table().len(), states / 2);
    outcomes(&engine, chains.iter().map(|c| request(&rows[1], c, None)));
    assert_eq!(engine.totals().cost.steps_run, steps);
    let refused = engine.evaluate(request(&rows[0], &chains[0], None));
    assert!(matches!(refused, Err(EngineError::Released)));
    engine.release(&rows[1]);
    engine.release(&rows[1]);
    assert!(engine.table().is_empty());
    assert_eq!(engine.table().bytes(), 0);
    assert_eq!(Arc::strong_count(&rows[1]), 1);
}

#[test]
fn dropping_the_engine_ends_everything_in_flight_with_an_error() {
    let one_worker = EngineOptions {
        workers: 1,
        ..options()
    };
    let engine = engine(MODEL, one_worker);
    let row = engine.register(decoding_row(&[1, 2, 3])).unwrap();
    let (reply, done) = unbounded();
    let held = hold_worker(&engine, &reply);
    // Two chains that are the same: the second waits for the first one's step.
    let chains = ["0-4", "0-4", "1-4", "empty"].map(chain);
    for (tag, chain) in (0..).zip(&chains) {
        let decode = Some(plan(2));
        engine.submit(
            Request {
                tag,
                ..request(&row, chain, decode)
            },
            &reply,
        );
    }
    drop(reply);
    let dropping = std::thread::spawn(move || drop(engine));
    // Pending jobs end at once, while the worker is still busy.
    let mut ended: Vec<u64> = (0..chains.len())
        .map(|_| {
            let completion = done.recv().unwrap();
            assert!(matches!(completion.result, Err(EngineError::Stopped)));
            completion.tag
        })
        .collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2, 3]);
    drop(held);
    let last = done.recv().unwrap();
    assert_eq!(last.tag, u64::MAX);
    assert!(matches!(last.result, Err(EngineError::Stopped)));
    dropping.join().unwrap();
    assert!(done.recv().is_err(), "nothing comes twice");
}

#[test]
fn completions_nobody_listens_to_disturb_nothing() {
    let engine = engine(MODEL, options());
    let row = engine.register(decoding_row(&[1, 2, 3])).unwrap();
    let (reply, done) = unbounded();
    drop(done);
    for _ in 0..10 {
        engine.submit(request(&row, &chain("0-4"), Some(plan(2))), &reply);
    }
    let outcome = engine.evaluate(request(&row, &chain("0-4"), Some(plan(2))));
    assert!(outcome.is_ok());
}
