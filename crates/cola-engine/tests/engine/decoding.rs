//! Greedy decoding, and how it ends.

use std::sync::{Arc, Mutex};

use cola_engine::{DecodePlan, Engine, Finish, Generated};
use cola_search::chain::Chain;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::support::{
    chain, decoding_row, engine, generated, model, naive_greedy, options, plan, random_chain,
    request,
};

const MODEL: &str = "biases-f32";
const PROMPT: [u32; 5] = [100, 3, 58, 21, 77];

fn decode(engine: &Engine, chain: &Chain, plan: DecodePlan) -> Generated {
    let row = engine.register(decoding_row(&PROMPT)).unwrap();
    let outcome = engine.evaluate(request(&row, chain, Some(plan))).unwrap();
    outcome.generated.unwrap()
}

/// A chain, and ten tokens that it generates without a tie, at least four of them different.
fn story() -> (Chain, Vec<u32>) {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let model = model(MODEL);
    let chains = std::iter::repeat_with(|| random_chain(&mut random, model.depth(), 8));
    let stories = chains.map(|chain| {
        let tokens = naive_greedy(&model, &PROMPT, &chain, 10);
        (chain, tokens)
    });
    let varied = |tokens: &[u32]| {
        let mut distinct = tokens.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        tokens.len() == 10 && distinct.len() >= 4
    };
    stories
        .take(100)
        .find(|(_, tokens)| varied(tokens))
        .unwrap()
}

#[test]
fn a_stop_token_ends_it_and_is_not_part_of_it() {
    let engine = engine(MODEL, options());
    let (chain, tokens) = story();
    for &stop in &tokens {
        let first = tokens.iter().position(|&token| token == stop).unwrap();
        let never = (0..).find(|token| !tokens.contains(token)).unwrap();
        let plan = DecodePlan {
            stop_tokens: Arc::from([never, stop]),
            ..plan(10)
        };
        let written = decode(&engine, &chain, plan);
        assert_eq!(written.tokens, tokens[..first]);
        assert_eq!(written.finish, Finish::StopToken(stop));
    }
}

#[test]
fn a_complete_answer_ends_it_with_its_last_token() {
    let engine = engine(MODEL, options());
    let (chain, tokens) = story();
    let asked: Arc<Mutex<Vec<Vec<u32>>>> = Arc::default();
    let seen = Arc::clone(&asked);
    let plan = DecodePlan {
        finished: Some(Arc::new(move |tokens: &[u32]| {
            seen.lock().unwrap().push(tokens.to_vec());
            tokens.len() == 3
        })),
        ..plan(10)
    };
    let written = decode(&engine, &chain, plan);
    assert_eq!(written.tokens, tokens[..3]);
    assert_eq!(written.finish, Finish::Complete);
    let asked = asked.lock().unwrap();
    assert_eq!(*asked, [&tokens[..1], &tokens[..2], &tokens[..3]]);
}

#[test]
fn the_token_limit_ends_it_even_at_zero() {
    let engine = engine(MODEL, options());
    let (chain, tokens) = story();
    for limit in [0, 1, 2, 10] {
        let written = decode(&engine, &chain, plan(limit));
        assert_eq!(written.tokens, tokens[..limit]);
        assert_eq!(written.finish, Finish::Length);
    }
}

#[test]
fn a_chain_without_layers_decodes_from_the_embedding_alone() {
    let engine = engine(MODEL, options());
    let naive = naive_greedy(&model(MODEL), &PROMPT, &chain("empty"), 6);
    assert!(!naive.is_empty());
    let written = decode(&engine, &chain("empty"), plan(6));
    assert!(written.tokens.starts_with(&naive));
    assert_eq!(engine.totals().cost.steps_run, 0);
    assert_eq!(engine.totals().cost.decode_steps, 0);
}

#[test]
fn a_chain_of_two_hundred_layers_decodes_with_keys_and_values_per_position() {
    let engine = engine(MODEL, options());
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let layers: Vec<u16> = std::iter::repeat_with(|| random_chain(&mut random, 5, 20))
        .flat_map(|chain| chain.layers().to_vec())
        .take(200)
        .collect();
    let long = Chain::new(layers);
    let naive = naive_greedy(&model(MODEL), &PROMPT, &long, 6);
    assert!(naive.len() > 2, "a tie; choose another seed");
    assert!(decode(&engine, &long, plan(6)).tokens.starts_with(&naive));
    assert_eq!(engine.totals().cost.steps_run, 200);
}

#[test]
fn a_row_with_branches_decodes_from_its_prompt() {
    let engine = engine(MODEL, options());
    let (chain, tokens) = story();
    let mut builder = cola_engine::Row::builder(&PROMPT);
    builder.read_continuation(&[tokens[0], 1, 2, 3]);
    builder.read_continuation(&[4, 5]);
    builder.keep_decodable();
    let row = engine.register(builder.build()).unwrap();
    let outcome = engine
        .evaluate(request(&row, &chain, Some(plan(10))))
        .unwrap();
    assert_eq!(generated(&outcome), tokens);
}

#[test]
fn a_continuation_may_run_past_the_positions_the_tables_began_with() {
    let engine = engine(MODEL, options());
    let model = model(MODEL);
    let prompt: Vec<u32> = (0..508).map(|i| i * 7 % 128).collect();
    let row = engine.register(decoding_row(&prompt)).unwrap();
    let outcome = engine
        .evaluate(request(&row, &Chain::identity(5), Some(plan(10))))
        .unwrap();
    let naive = naive_greedy(&model, &prompt, &Chain::identity(5), 10);
    assert!(naive.len() > 4, "a tie before position 512");
    assert!(generated(&outcome).starts_with(&naive));
}
