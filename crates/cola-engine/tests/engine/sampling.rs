//! Sampled continuations: drawn as often as the model finds them likely, whatever batch they ran in.

use cola_engine::{DecodePlan, Finish};
use cola_model::Sampling;

use crate::support::{
    chain, decoding_row, engine, evaluate_all, generated, log_probs, model, options, plan, request,
};

const MODEL: &str = "biases-f32";
const PROMPT: [u32; 4] = [100, 3, 58, 21];
const CHAIN: &str = "0,2,1-3";

fn sampled(tokens: usize, temperature: f64, top_p: f64, seed: u64) -> DecodePlan {
    DecodePlan {
        sampling: Some(Sampling {
            temperature,
            top_p,
            seed,
        }),
        ..plan(tokens)
    }
}

/// Draws many continuations of two tokens at once, and compares how often each first token, and each second token after the
/// most frequent first one, comes with the probabilities that the model gives when it runs by itself.
#[test]
fn tokens_come_as_often_as_the_model_finds_them_likely() {
    let (model, engine) = (model(MODEL), engine(MODEL, options()));
    let (chain, temperature) = (chain(CHAIN), 1.0);
    let row = engine.register(decoding_row(&PROMPT)).unwrap();
    let seeds = 0..4000;
    let requests =
        seeds.map(|seed| request(&row, &chain, Some(sampled(2, temperature, 1.0, seed))));
    let outcomes = evaluate_all(&engine, requests);
    let drawn: Vec<Vec<u32>> = (outcomes.iter())
        .map(|outcome| generated(outcome.as_ref().unwrap()).to_vec())
        .collect();
    let mut firsts: Vec<u32> = drawn.iter().map(|tokens| tokens[0]).collect();
    let check = |drawn: &[u32], context: &[u32]| {
        let all = log_probs(&model, context, &chain);
        let last = all.last().unwrap();
        let weights: Vec<f64> = last.iter().map(|nats| (nats / temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mut several = 0;
        for (token, weight) in weights.iter().enumerate() {
            let likely = weight / total;
            let count = drawn
                .iter()
                .filter(|&&other| other as usize == token)
                .count();
            let share = count as f64 / drawn.len() as f64;
            let error = (likely * (1.0 - likely) / drawn.len() as f64).sqrt();
            assert!(
                (share - likely).abs() < 5.0 * error + 2e-3,
                "{token}: {share} {likely}"
            );
            several += usize::from(share > 0.02);
        }
        assert!(several > 1, "one token has all the probability");
    };
    check(&firsts, &PROMPT);
    firsts.sort_unstable();
    let runs = firsts.chunk_by(|a, b| a == b);
    let first = runs.max_by_key(|run| run.len()).unwrap()[0];
    let seconds: Vec<u32> = (drawn.iter())
        .filter(|tokens| tokens[0] == first)
        .map(|tokens| tokens[1])
        .collect();
    check(&seconds, &[&PROMPT[..], &[first]].concat());
}

#[test]
fn the_same_seed_draws_the_same_alone_and_among_others() {
    let together = engine(MODEL, options());
    let row = together.register(decoding_row(&PROMPT)).unwrap();
    let chain = chain(CHAIN);
    let plans = (0..40).map(|seed| sampled(12, 0.8, 0.9, seed));
    let requests: Vec<_> = plans
        .map(|plan| request(&row, &chain, Some(plan)))
        .collect();
    let outcomes = evaluate_all(&together, requests.clone());
    let alone = engine(MODEL, options());
    let row = alone.register(decoding_row(&PROMPT)).unwrap();
    let mut different = std::collections::BTreeSet::new();
    for (mut request, outcome) in requests.into_iter().zip(outcomes) {
        request.row = row.clone();
        request.isolated = true;
        let isolated = alone.evaluate(request).unwrap();
        let outcome = outcome.unwrap();
        assert_eq!(generated(&isolated), generated(&outcome));
        assert!((isolated.lead - outcome.lead).abs() < 1e-3);
        different.insert(generated(&outcome).to_vec());
    }
    assert!(different.len() > 30, "{}", different.len());
}

#[test]
fn a_low_temperature_and_a_narrow_nucleus_are_greedy() {
    let engine = engine(MODEL, options());
    let row = engine.register(decoding_row(&PROMPT)).unwrap();
    let written = |plan| {
        let outcome = engine
            .evaluate(request(&row, &chain(CHAIN), Some(plan)))
            .unwrap();
        generated(&outcome).to_vec()
    };
    let greedy = written(plan(12));
    assert_eq!(written(sampled(12, 1e-4, 1.0, 5)), greedy);
    assert_eq!(written(sampled(12, 1.0, 1e-9, 5)), greedy);
}

#[test]
fn a_drawn_stop_token_ends_it() {
    let engine = engine(MODEL, options());
    let row = engine.register(decoding_row(&PROMPT)).unwrap();
    let free = sampled(12, 1.0, 1.0, 9);
    let outcome = engine
        .evaluate(request(&row, &chain(CHAIN), Some(free.clone())))
        .unwrap();
    let tokens = generated(&outcome).to_vec();
    let stop = tokens[5];
    let plan = DecodePlan {
        stop_tokens: vec![stop].into(),
        ..free
    };
    let outcome = engine
        .evaluate(request(&row, &chain(CHAIN), Some(plan)))
        .unwrap();
    let written = outcome.generated.unwrap();
    let first = tokens.iter().position(|&token| token == stop).unwrap();
    assert_eq!(written.tokens, tokens[..first]);
    assert_eq!(written.finish, Finish::StopToken(stop));
}
