//! Drafts decide which tokens are run in advance, never which tokens are generated.

use std::sync::Arc;

use cola_engine::{Decode, DecodePlan, Engine, EngineOptions, Generated, Row};
use cola_model::Sampling;
use cola_search::chain::Chain;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{
    decoding_row, engine, model, models, options, outcomes, plan, random_tokens, related_chains,
    request,
};

fn plain() -> EngineOptions {
    EngineOptions {
        decode: Decode::Plain,
        ..options()
    }
}

/// Chains as a search requests them for one sample: most are close to the unmodified model, some
/// are requested twice.
fn searched(random: &mut ChaCha8Rng, depth: usize, count: usize) -> Vec<Chain> {
    let mut chains = related_chains(random, depth, count / 2);
    while chains.len() < count {
        let mut layers: Vec<u16> = (0..depth as u16).collect();
        let at = random.random_range(0..depth);
        match random.random_range(0..3) {
            0 => drop(layers.remove(at)),
            1 => layers.insert(at, layers[at]),
            _ => {}
        }
        chains.insert(random.random_range(0..=chains.len()), Chain::new(layers));
    }
    chains
}

/// A random plan. Some plans end by a stop token, some by `finished`, some at the token limit. A third
/// sample, with few seeds, so that different chains draw the same noise.
fn some_plan(random: &mut ChaCha8Rng) -> DecodePlan {
    let tokens = random.random_range(0..14);
    let (stop, odd) = (random.random_range(0..100), random.random_range(1..5));
    DecodePlan {
        stop_tokens: Arc::from([stop]),
        finished: random.random_bool(0.3).then(|| -> cola_engine::Finished {
            Arc::new(move |tokens| tokens.len() > odd && tokens.last().unwrap() % 2 == 1)
        }),
        sampling: (random.random_range(0..3) == 0).then(|| Sampling {
            temperature: [0.1, 1.0][random.random_range(0..2)],
            top_p: [0.6, 1.0][random.random_range(0..2)],
            seed: random.random_range(0..3),
        }),
        ..plan(tokens)
    }
}

fn generate(engine: &Engine, row: &Arc<Row>, chain: &Chain, plan: &DecodePlan) -> Generated {
    let outcome = engine.evaluate(request(row, chain, Some(plan.clone())));
    outcome.unwrap().generated.unwrap()
}

#[test]
fn drafts_write_what_decoding_token_by_token_writes_in_every_family() {
    let (mut compared, mut drafted) = (0, 0);
    for name in models() {
        let model = model(&name);
        let mut random = ChaCha8Rng::seed_from_u64(12);
        let reference = engine(&name, plain());
        let budgets = [0, 20_000, usize::MAX];
        let engines = budgets.map(|state_budget| {
            let options = EngineOptions {
                state_budget,
                ..options()
            };
            engine(&name, options)
        });
        for _ in 0..2 {
            let length = random.random_range(1..9);
            let prompt = random_tokens(&mut random, &model, length);
            let branch = random_tokens(&mut random, &model, 3);
            let row = || {
                let mut builder = Row::builder(&prompt);
                builder.keep_decodable();
                builder.read_continuation(&branch);
                builder.build()
            };
            let rows = [(); 3].map(|()| row());
            let rows: Vec<Arc<Row>> = engines
                .iter()
                .zip(rows)
                .map(|(engine, row)| engine.register(row).unwrap())
                .collect();
            let own = reference.register(decoding_row(&prompt)).unwrap();
            for chain in searched(&mut random, model.depth(), 16) {
                let plan = some_plan(&mut random);
                let expected = generate(&reference, &own, &chain, &plan);
                for (engine, row) in engines.iter().zip(&rows) {
                    let written = generate(engine, row, &chain, &plan);
                    assert_eq!(written, expected, "{name} {chain}");
                    compared += 1;
                }
            }
        }
        drafted += engines
            .iter()
            .map(|engine| engine.totals().cost.tokens_drafted)
            .sum::<u64>();
        assert_eq!(reference.totals().cost.tokens_drafted, 0);
    }
    assert!(compared > 1000 && drafted > 1000, "{compared} {drafted}");
}

#[test]
fn drafts_of_chains_in_flight_together_write_the_same() {
    for workers in [1, 3] {
        let options = EngineOptions {
            workers,
            batch_tokens: 64,
            ..options()
        };
        let (drafting, reference) = (
            engine("qwen3-window-bf16", options),
            engine("qwen3-window-bf16", plain()),
        );
        let model = model("qwen3-window-bf16");
        let mut random = ChaCha8Rng::seed_from_u64(13);
        for _ in 0..4 {
            let prompt = random_tokens(&mut random, &model, 6);
            let rows = [&drafting, &reference].map(|e| e.register(decoding_row(&prompt)).unwrap());
            let chains = searched(&mut random, model.depth(), 60);
            let ask = |row| {
                let each = chains.iter();
                each.map(move |chain| request(row, chain, Some(plan(12))))
            };
            // In the first round there are no drafts yet.
            outcomes(&drafting, ask(&rows[0]));
            let written = outcomes(&drafting, ask(&rows[0]));
            let expected = outcomes(&reference, ask(&rows[1]));
            for ((written, expected), chain) in written.iter().zip(&expected).zip(&chains) {
                assert_eq!(written.generated, expected.generated, "{chain}");
            }
        }
        assert!(drafting.totals().cost.tokens_drafted > 100);
    }
}

#[test]
fn a_continuation_written_twice_needs_no_step_of_its_own() {
    let engine = engine("biases-f32", options());
    let row = engine.register(decoding_row(&[3, 1, 4, 1, 5])).unwrap();
    let chain: Chain = "0-2,(3)x2,4".parse().unwrap();
    let cost = || {
        let outcome = engine.evaluate(request(&row, &chain, Some(plan(10))));
        outcome.unwrap().cost
    };
    for steps_run in [6, 0] {
        let plain = cost();
        assert_eq!((plain.steps_run, plain.steps_grown), (steps_run, 0));
        assert_eq!((plain.decode_steps, plain.tokens_drafted), (9 * 6, 0));
    }
    // The prompt's states are cached; only the nine draft nodes run through the chain, in one pass.
    for steps_grown in [6, 0] {
        let drafted = cost();
        assert_eq!((drafted.steps_run, drafted.steps_grown), (0, steps_grown));
        assert_eq!((drafted.decode_steps, drafted.tokens_drafted), (0, 9));
        assert_eq!(drafted.tokens_decoded, 10);
    }
}

#[test]
fn a_row_that_outgrew_its_states_releases_every_byte() {
    let engine = engine("biases-f32", options());
    let mut random = ChaCha8Rng::seed_from_u64(14);
    for _ in 0..3 {
        let row = engine.register(decoding_row(&[9, 2, 6])).unwrap();
        for chain in searched(&mut random, 5, 20) {
            generate(&engine, &row, &chain, &plan(8));
        }
        assert!(engine.table().bytes() > 0);
        engine.release(&row);
        assert_eq!((engine.table().len(), engine.table().bytes()), (0, 0));
    }
}
