//! The loss on the prompt is what reading the prompt as a continuation of its first token gives, however it is run.

use std::sync::Arc;

use cola_engine::{Engine, LOSS_POSITIONS, Row};
use cola_search::chain::Chain;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::support::{
    engine, evaluate_all, models, options, outcomes, plan, random_tokens, related_chains, request,
};

/// The loss by another way: the prompt's tokens as one long option after its first token.
fn by_continuation(engine: &Engine, prompt: &[u32], positions: &[usize], chain: &Chain) -> f64 {
    let mut builder = Row::builder(&prompt[..1]);
    // As long a sequence as the other row has: some rotary tables depend on it.
    let rest = builder.read_continuation(&[&prompt[1..], &[7, 8]].concat());
    let row = engine.register(builder.build()).unwrap();
    let outcome = engine.evaluate(request(&row, chain, None)).unwrap();
    let log_probs: Vec<f64> = rest.log_probs(&row, &outcome.readings).collect();
    let total: f64 = positions.iter().map(|&at| log_probs[at]).sum();
    -total / positions.len() as f64
}

fn row_of(engine: &Engine, prompt: &[u32], decodes: bool) -> Arc<Row> {
    let mut builder = Row::builder(prompt);
    builder.read_prompt_loss();
    builder.read_continuation(&[7, 8]);
    if decodes {
        builder.keep_decodable();
    }
    engine.register(builder.build()).unwrap()
}

#[test]
fn it_is_what_reading_the_prompt_as_a_continuation_gives() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for name in models() {
        let engine = engine(&name, options());
        let depth = engine.model().spec().layers.len();
        for length in [2, 9, LOSS_POSITIONS + 1, 44] {
            let prompt = random_tokens(&mut random, engine.model(), length);
            let row = row_of(&engine, &prompt, false);
            let reads = row.loss_reads().iter();
            let positions: Vec<usize> = reads.map(|(node, _)| *node).collect();
            assert_eq!(positions.len(), (length - 1).min(LOSS_POSITIONS));
            for chain in related_chains(&mut random, depth, 4) {
                let outcome = engine.evaluate(request(&row, &chain, None)).unwrap();
                let loss = outcome.prompt_loss.unwrap();
                let expected = by_continuation(&engine, &prompt, &positions, &chain);
                // Of what is not finite the loss is infinite, and a sum of log-probabilities NaN.
                let same = (loss - expected).abs() < 2e-4 * expected.abs().max(1.0);
                assert!(
                    same || (loss.is_infinite() && !expected.is_finite()),
                    "{name} {chain} {length}: {loss} {expected}"
                );
                let counted = outcome.cost.loss_positions;
                assert_eq!(counted as usize, positions.len());
                let read = row.reads().len() + positions.len();
                assert_eq!(outcome.cost.head_positions as usize, read);
            }
        }
    }
}

#[test]
fn it_does_not_depend_on_drafts_batches_or_what_is_decoded() {
    let engine = engine("head-dim-f32", options());
    let depth = engine.model().spec().layers.len();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let prompt = random_tokens(&mut random, engine.model(), 20);
    let (scored, decoded) = (
        row_of(&engine, &prompt, false),
        row_of(&engine, &prompt, true),
    );
    let chains = related_chains(&mut random, depth, 12);
    let requests = |row: &Arc<Row>, tokens: usize| {
        let decode = (tokens > 0).then(|| plan(tokens));
        let requests = chains.iter().map(|c| request(row, c, decode.clone()));
        requests.collect::<Vec<_>>()
    };
    let expected = outcomes(&engine, requests(&scored, 0));
    // Twice: the second time the tree holds what the first wrote.
    for _ in 0..2 {
        let done = evaluate_all(&engine, requests(&decoded, 6));
        for (outcome, expected) in done.into_iter().zip(&expected) {
            let (loss, expected) = (outcome.unwrap().prompt_loss, expected.prompt_loss);
            let difference = loss.unwrap() - expected.unwrap();
            assert!(difference.abs() < 1e-4, "{loss:?} {expected:?}");
        }
    }
}
