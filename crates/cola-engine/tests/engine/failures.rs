//! A failure affects only the job that causes it.

use std::sync::Arc;

use cola_engine::{DecodePlan, Engine, EngineError, EngineOptions, Finish, Request, Row};
use cola_search::chain::Chain;
use crossbeam_channel::unbounded;
use tempfile::TempDir;

use crate::support::{
    altered, chain, decoding_row, engine, evaluate_all, generated, hold_worker, load, options,
    plan, request,
};

const MODEL: &str = "llama2-mha-f32";

#[test]
fn a_chain_out_of_range_fails_alone() {
    let engine = engine(MODEL, options());
    let row = engine.register(decoding_row(&[1, 2, 3])).unwrap();
    let chains = ["0-4", "0-4,5", "1,1,1", "900"].map(chain);
    let requests = chains.iter().map(|c| request(&row, c, Some(plan(3))));
    let results = evaluate_all(&engine, requests);
    assert!(results[0].is_ok() && results[2].is_ok());
    let text = results[1].as_ref().unwrap_err().to_string();
    assert!(text.contains("layer 5 does not exist"), "{text}");
    assert!(matches!(results[3], Err(EngineError::Chain(_))));
}

#[test]
fn a_token_outside_the_vocabulary_is_refused_wherever_it_stands() {
    let engine = engine(MODEL, options());
    let rows = [(96, [1, 1]), (1, [96, 1]), (1, [1, 96])].map(|(prompt, option)| {
        let mut builder = Row::builder(&[2, prompt]);
        builder.read_continuation(&option);
        builder.build()
    });
    for row in rows {
        let error = engine.register(row).unwrap_err();
        let EngineError::Token { token, vocabulary } = error else {
            panic!("{error}");
        };
        assert_eq!((token, vocabulary), (96, 96));
    }
}

#[test]
fn an_empty_prompt_is_refused() {
    let engine = engine(MODEL, options());
    let mut builder = Row::builder(&[]);
    builder.read_continuation(&[1, 2]);
    builder.keep_decodable();
    let error = engine.register(builder.build()).unwrap_err();
    assert!(matches!(error, EngineError::EmptyRow), "{error}");
}

#[test]
fn a_row_the_engine_does_not_know_is_refused() {
    let [ours, other] = [engine(MODEL, options()), engine(MODEL, options())];
    let row = other.register(decoding_row(&[1])).unwrap();
    let known = ours.register(decoding_row(&[1])).unwrap();
    let requests = [&row, &known].map(|row| request(row, &chain("0-4"), None));
    let results = evaluate_all(&ours, requests);
    assert!(matches!(results[0], Err(EngineError::Released)));
    assert!(results[1].is_ok());
}

#[test]
fn decoding_a_row_that_was_not_built_for_it_is_refused() {
    let engine = engine(MODEL, options());
    let mut builder = Row::builder(&[1, 2]);
    builder.read_continuation(&[3]);
    let row = engine.register(builder.build()).unwrap();
    let scored = request(&row, &chain("0-4"), None);
    let decoded = request(&row, &chain("0-4"), Some(plan(2)));
    let results = evaluate_all(&engine, [scored, decoded]);
    assert!(results[0].is_ok());
    let error = results[1].as_ref().unwrap_err();
    assert!(matches!(error, EngineError::NotForDecoding), "{error}");
}

#[test]
fn a_panic_in_the_test_for_completeness_fails_its_job_only() {
    let engine = engine(MODEL, options());
    let row = engine.register(decoding_row(&[1, 2, 3])).unwrap();
    let panicking = |message: &'static str| DecodePlan {
        finished: Some(Arc::new(move |tokens: &[u32]| match tokens.len() {
            3 => panic!("{message}"),
            _ => false,
        })),
        ..plan(6)
    };
    let plans = [plan(6), panicking("the judge broke"), plan(5)];
    let requests = plans.map(|plan| request(&row, &chain("0-4"), Some(plan)));
    let results = evaluate_all(&engine, requests);
    assert_eq!(generated(results[0].as_ref().unwrap()).len(), 6);
    assert_eq!(generated(results[2].as_ref().unwrap()).len(), 5);
    let error = results[1].as_ref().unwrap_err();
    assert!(matches!(error, EngineError::Panic(_)), "{error}");
    assert!(error.to_string().contains("the judge broke"), "{error}");
    assert_eq!(engine.totals().failures, 1);
    let after = engine.evaluate(request(&row, &chain("0-3"), Some(plan(2))));
    assert!(after.is_ok(), "the worker lives on");
}

/// A copy of the model in which the update of layer 1 overflows.
fn overflowing() -> TempDir {
    altered(MODEL, |tensor, bytes| {
        if tensor == "model.layers.1.mlp.down_proj.weight" {
            let (weights, _) = bytes.as_chunks_mut::<4>();
            weights.fill(f32::MAX.to_le_bytes());
        }
    })
}

fn overflowing_engine(options: EngineOptions) -> Engine {
    let model = load(overflowing().path());
    Engine::start(Arc::new(model), options)
}

#[test]
fn a_state_that_overflows_is_reported_and_spares_its_batch() {
    let one_worker = EngineOptions {
        workers: 1,
        ..options()
    };
    let engine = overflowing_engine(one_worker);
    let mut builder = Row::builder(&[1, 2, 3]);
    let option = builder.read_continuation(&[4, 5]);
    builder.keep_decodable();
    let row = engine.register(builder.build()).unwrap();
    // The third chain shares layer 2's batch with the first, whose state is not finite there.
    let chains = ["0-4", "0,2-4", "0,0,2-4", "1"].map(chain);
    let (reply, done) = unbounded();
    let held = hold_worker(&engine, &reply);
    for (tag, chain) in (0..).zip(&chains) {
        let decode = Some(plan(3));
        engine.submit(
            Request {
                tag,
                ..request(&row, chain, decode)
            },
            &reply,
        );
    }
    drop((held, reply));
    for completion in done.iter().filter(|c| c.tag != u64::MAX) {
        let outcome = completion.result.unwrap();
        let finite = !chains[completion.tag as usize].layers().contains(&1);
        assert_eq!(outcome.is_finite(), finite);
        let margin = option.greedy_margin(&row, &outcome.readings);
        assert_eq!(margin.is_finite(), finite);
        let generated = outcome.generated.unwrap();
        let (finish, tokens) = match finite {
            true => (Finish::Length, 3),
            false => (Finish::NotFinite, 0),
        };
        assert_eq!((generated.finish, generated.tokens.len()), (finish, tokens));
    }
}

#[test]
fn a_row_that_is_only_scored_reports_an_overflow_too() {
    let engine = overflowing_engine(options());
    let mut builder = Row::builder(&[1, 2, 3]);
    builder.read_continuation(&[4, 5]);
    builder.read_prompt_loss();
    let row = engine.register(builder.build()).unwrap();
    let finite = |chain: &Chain| {
        let outcome = engine.evaluate(request(&row, chain, None)).unwrap();
        let loss = outcome.prompt_loss.unwrap();
        assert!(loss.is_finite() == outcome.is_finite() && !loss.is_nan());
        outcome.is_finite()
    };
    assert!(finite(&chain("0,2-4")));
    assert!(!finite(&chain("0-4")));
    assert!(!finite(&chain("1")));
}
