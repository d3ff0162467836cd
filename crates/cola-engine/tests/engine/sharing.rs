//! A state is computed once.

use std::{collections::BTreeSet, sync::Arc};

use cola_engine::{Decode, DecodePlan, Engine, EngineOptions, Outcome, Row};
use cola_search::chain::{Chain, Step};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{engine, options, outcomes, plan, random_tokens, related_chains, request};

const MODEL: &str = "head-dim-f32";

/// Rows of several lengths, each with chains to run on it.
struct Work {
    rows: Vec<(Arc<Row>, Vec<Chain>)>,
}

impl Work {
    fn new(engine: &Engine, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let model = engine.model();
        let rows = (0..6).map(|_| {
            let length = random.random_range(1..30);
            let mut builder = Row::builder(&random_tokens(&mut random, model, length));
            builder.read_continuation(&random_tokens(&mut random, model, 3));
            builder.read_continuation(&random_tokens(&mut random, model, 2));
            builder.keep_decodable();
            let row = engine.register(builder.build()).unwrap();
            (row, related_chains(&mut random, model.depth(), 20))
        });
        Self {
            rows: rows.collect(),
        }
    }

    fn run(&self, engine: &Engine, decode: impl Fn(usize) -> Option<DecodePlan>) -> Vec<Outcome> {
        let requests = self.rows.iter().flat_map(|(row, chains)| {
            let numbered = chains.iter().enumerate();
            numbered.map(|(number, chain)| request(row, chain, decode(number)))
        });
        outcomes(engine, requests)
    }

    /// Distinct (row, prefix) pairs.
    fn states(&self) -> u64 {
        let per_row = self.rows.iter().map(|(_, chains)| {
            let steps: Vec<Vec<Step>> =
                chains.iter().map(|chain| chain.steps().collect()).collect();
            let prefixes = steps
                .iter()
                .flat_map(|steps| (1..=steps.len()).map(|end| &steps[..end]));
            prefixes.collect::<BTreeSet<_>>().len() as u64
        });
        per_row.sum()
    }

    /// Layers of all chains.
    fn layers(&self) -> u64 {
        let chains = self.rows.iter().flat_map(|(_, chains)| chains);
        chains.map(|chain| chain.len() as u64).sum()
    }
}

fn setups() -> impl Iterator<Item = EngineOptions> {
    let workers = [1, 2, 4].into_iter();
    workers.flat_map(|workers| {
        [1, 50, 5000].map(|batch_tokens| EngineOptions {
            workers,
            batch_tokens,
            ..options()
        })
    })
}

fn each_state_is_computed_once(decode: impl Fn(usize) -> Option<DecodePlan>) {
    for (seed, setup) in setups().enumerate() {
        let engine = engine(MODEL, setup);
        let work = Work::new(&engine, seed as u64);
        let outcomes = work.run(&engine, &decode);
        let run = engine.totals().cost.steps_run;
        assert_eq!(run, work.states(), "{setup:?}");
        let of_outcomes = |cost: fn(&Outcome) -> u64| outcomes.iter().map(cost).sum::<u64>();
        assert_eq!(of_outcomes(|o| o.cost.steps_run), run);
        let saved = of_outcomes(|o| o.cost.steps_saved);
        let grown = of_outcomes(|o| o.cost.steps_grown);
        assert_eq!(run + grown + saved, work.layers());
        assert_eq!(engine.totals().cost.steps_saved, saved);
    }
}

#[test]
fn scoring_runs_each_row_and_prefix_once_under_any_number_of_workers() {
    each_state_is_computed_once(|_| None);
}

#[test]
fn decoding_runs_each_row_and_prefix_once_under_any_number_of_workers() {
    each_state_is_computed_once(|_| Some(plan(3)));
}

#[test]
fn scoring_and_decoding_share_the_states_of_a_row() {
    each_state_is_computed_once(|number| (number % 3 == 0).then(|| plan(2)));
}

#[test]
fn asking_again_runs_no_step() {
    let engine = engine(MODEL, options());
    let work = Work::new(&engine, 9);
    let first = work.run(&engine, |_| None);
    let run = engine.totals().cost.steps_run;
    let again = work.run(&engine, |_| None);
    assert_eq!(engine.totals().cost.steps_run, run);
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(again.cost.steps_run, 0);
        assert_eq!(first.readings.len(), again.readings.len());
    }
}

#[test]
fn every_generated_token_but_the_last_passes_the_whole_chain_once() {
    let engine = engine(
        MODEL,
        EngineOptions {
            decode: Decode::Plain,
            ..options()
        },
    );
    let work = Work::new(&engine, 10);
    let outcomes = work.run(&engine, |number| Some(plan(number % 4)));
    let chains = work.rows.iter().flat_map(|(_, chains)| chains);
    for (chain, outcome) in chains.zip(outcomes) {
        let tokens = outcome.generated.unwrap().tokens.len() as u64;
        let passes = tokens.saturating_sub(1);
        assert_eq!(outcome.cost.tokens_decoded, tokens);
        assert_eq!(outcome.cost.decode_steps, passes * chain.len() as u64);
    }
}

#[test]
fn without_a_table_chains_one_after_the_other_run_every_layer() {
    let engine = engine(
        MODEL,
        EngineOptions {
            state_budget: 0,
            ..options()
        },
    );
    let work = Work::new(&engine, 11);
    for (row, chains) in &work.rows {
        for chain in chains {
            let outcome = engine.evaluate(request(row, chain, None)).unwrap();
            assert_eq!(outcome.cost.steps_run, chain.len() as u64);
        }
    }
    assert!(engine.table().is_empty());
}
