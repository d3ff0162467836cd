//! Results are those of the naive evaluation, whatever the state budget, the number of workers and
//! the size of batches.

use std::sync::Arc;

use cola_engine::{Continuation, Engine, EngineOptions, Outcome, Request, Row};
use cola_model::Model;
use cola_search::chain::Chain;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{
    TIE, engine, generated, log_probs, model, naive_greedy, options, outcomes, plan, random_tokens,
    related_chains, request, winner,
};

const MODEL: &str = "biases-f32";
const TOKENS: usize = 6;

/// A prompt with options to score.
struct Question {
    prompt: Vec<u32>,
    options: Vec<Vec<u32>>,
}

struct Expected {
    /// Log-probability of each token of each option.
    log_probs: Vec<Vec<f64>>,
    /// Most likely token after the prompt; `None` where two are tied.
    next: Option<u32>,
    /// Greedy continuation, up to the first tie.
    greedy: Vec<u32>,
}

impl Question {
    fn random(random: &mut ChaCha8Rng, model: &Model) -> Self {
        let length = random.random_range(1..40);
        Self {
            prompt: random_tokens(random, model, length),
            options: (1..5).map(|n| random_tokens(random, model, n)).collect(),
        }
    }

    fn register(&self, engine: &Engine) -> (Arc<Row>, Vec<Continuation>) {
        let mut builder = Row::builder(&self.prompt);
        let ask = |option: &Vec<u32>| builder.read_continuation(option);
        let options = self.options.iter().map(ask).collect();
        builder.keep_decodable();
        (engine.register(builder.build()).unwrap(), options)
    }

    fn expected(&self, model: &Model, chain: &Chain) -> Expected {
        let of_option = |option: &Vec<u32>| {
            let tokens = [self.prompt.as_slice(), option].concat();
            let all = log_probs(model, &tokens, chain);
            let start = self.prompt.len() - 1;
            let pairs = all[start..].iter().zip(option);
            pairs.map(|(next, &token)| next[token as usize]).collect()
        };
        let next = log_probs(model, &self.prompt, chain).pop().unwrap();
        let (token, lead) = winner(&next);
        Expected {
            log_probs: self.options.iter().map(of_option).collect(),
            next: (lead > TIE).then_some(token),
            greedy: naive_greedy(model, &self.prompt, chain, TOKENS),
        }
    }
}

impl Expected {
    fn check(&self, row: &Row, options: &[Continuation], outcome: &Outcome) {
        for (option, expected) in options.iter().zip(&self.log_probs) {
            let ours: Vec<f64> = option.log_probs(row, &outcome.readings).collect();
            assert_eq!(ours.len(), expected.len());
            for (ours, expected) in ours.iter().zip(expected) {
                assert!((ours - expected).abs() < 1e-4, "{ours} {expected}");
            }
        }
        let end = row.reads().iter().zip(&outcome.readings);
        let mut end = end.filter(|((node, _), _)| *node == row.trunk() - 1);
        let next = end.next().unwrap().1.argmax;
        assert!(self.next.is_none_or(|expected| expected == next));
        assert_eq!(generated(outcome).len(), TOKENS);
        assert!(generated(outcome).starts_with(&self.greedy));
    }
}

/// Runs questions under chains and compares every outcome with the naive evaluation.
fn verdicts_are_right(options: EngineOptions, isolated: bool) -> Engine {
    let engine = engine(MODEL, options);
    let model = model(MODEL);
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut requests = Vec::new();
    let mut checks = Vec::new();
    for _ in 0..5 {
        let question = Question::random(&mut random, &model);
        let (row, options) = question.register(&engine);
        for chain in related_chains(&mut random, model.depth(), 12) {
            requests.push(Request {
                isolated,
                ..request(&row, &chain, Some(plan(TOKENS)))
            });
            let expected = question.expected(&model, &chain);
            checks.push((Arc::clone(&row), options.clone(), expected));
        }
    }
    let decisive = checks
        .iter()
        .filter(|(.., e)| e.greedy.len() == TOKENS)
        .count();
    assert!(decisive * 2 > checks.len(), "too many ties to say anything");
    for ((row, options, expected), outcome) in checks.iter().zip(outcomes(&engine, requests)) {
        expected.check(row, options, &outcome);
    }
    engine
}

#[test]
fn every_state_kept_gives_the_verdicts_of_the_definition() {
    for workers in [1, 2, 4] {
        verdicts_are_right(
            EngineOptions {
                workers,
                ..options()
            },
            false,
        );
    }
}

#[test]
fn no_state_kept_gives_the_verdicts_of_the_definition() {
    let engine = verdicts_are_right(
        EngineOptions {
            state_budget: 0,
            ..options()
        },
        false,
    );
    assert!(engine.table().is_empty());
}

#[test]
fn a_few_states_kept_give_the_verdicts_of_the_definition() {
    let few = EngineOptions {
        state_budget: 50_000,
        ..options()
    };
    let engine = verdicts_are_right(few, false);
    let table = engine.table();
    assert!(!table.is_empty() && table.bytes() <= few.state_budget);
    let everything = verdicts_are_right(options(), false);
    assert!(
        everything.table().bytes() > 4 * few.state_budget,
        "the small budget was not tight"
    );
}

#[test]
fn evaluations_alone_give_the_verdicts_of_the_definition_and_leave_nothing() {
    let engine = verdicts_are_right(options(), true);
    assert!(engine.table().is_empty());
    assert_eq!(engine.totals().cost.steps_saved, 0);
}

#[test]
fn the_smallest_batches_give_the_verdicts_of_the_definition() {
    verdicts_are_right(
        EngineOptions {
            batch_tokens: 1,
            ..options()
        },
        false,
    );
}
