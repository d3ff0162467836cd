//! Each branch of a row has the log-probabilities that it has as a plain sequence.

use std::sync::{Arc, OnceLock};

use cola_engine::{Engine, Row};
use cola_model::Model;
use cola_search::chain::Chain;
use proptest::prelude::*;

use crate::support::{engine, log_probs, model, naive_greedy, options, request, winner};

const MODEL: &str = "llama2-mha-f32";

fn shared_engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| engine(MODEL, options()))
}

/// Log-probability of each token of `option` after `prompt`.
fn plain(model: &Model, prompt: &[u32], option: &[u32], chain: &Chain) -> Vec<f64> {
    let all = log_probs(model, &[prompt, option].concat(), chain);
    let pairs = all[prompt.len() - 1..].iter().zip(option);
    pairs.map(|(next, &token)| next[token as usize]).collect()
}

fn close(ours: &[f64], plain: &[f64]) -> bool {
    let mut pairs = ours.iter().zip(plain);
    ours.len() == plain.len() && pairs.all(|(a, b)| (a - b).abs() < 1e-4)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Options have few different tokens, so that they begin alike, contain each other and repeat.
    #[test]
    fn each_option_of_any_tree_scores_as_a_sequence_of_its_own(
        prompt in prop::collection::vec(0u32..96, 1..20),
        options in prop::collection::vec(prop::collection::vec(0u32..3, 1..6), 1..7),
        chain in prop::collection::vec(0u16..5, 0..9),
    ) {
        let engine = shared_engine();
        let chain = Chain::new(chain);
        let mut builder = Row::builder(&prompt);
        let asked: Vec<_> = options.iter().map(|o| builder.read_continuation(o)).collect();
        let row = engine.register(builder.build()).unwrap();
        let outcome = engine.evaluate(request(&row, &chain, None)).unwrap();
        for (option, asked) in options.iter().zip(&asked) {
            let plain = plain(engine.model(), &prompt, option, &chain);
            let ours: Vec<f64> = asked.log_probs(&row, &outcome.readings).collect();
            prop_assert!(close(&ours, &plain), "{option:?}: {ours:?}, not {plain:?}");
            let sum: f64 = plain.iter().sum();
            prop_assert!((asked.log_prob(&row, &outcome.readings) - sum).abs() < 1e-3);
        }
        engine.release(&row);
    }
}

#[test]
fn a_draft_is_greedy_with_a_positive_margin_exactly_when_decoding_writes_it() {
    let (model, engine) = (model(MODEL), shared_engine());
    let prompt = [5, 70, 33, 2];
    for chain in ["0-4", "0-2,2-4", "4,2,0", "1", "empty"].map(crate::support::chain) {
        let written = naive_greedy(&model, &prompt, &chain, 5);
        assert!(written.len() > 1, "{chain}: a tie; choose another prompt");
        let mut changed = written.clone();
        *changed.last_mut().unwrap() ^= 1;
        let mut builder = Row::builder(&prompt);
        let [written, changed] = [written, changed].map(|draft| builder.read_continuation(&draft));
        let row = engine.register(builder.build()).unwrap();
        let readings = engine
            .evaluate(request(&row, &chain, None))
            .unwrap()
            .readings;
        assert!(written.is_greedy(&row, &readings), "{chain}");
        assert!(written.greedy_margin(&row, &readings) > 0.0, "{chain}");
        assert!(!changed.is_greedy(&row, &readings), "{chain}");
        assert!(changed.greedy_margin(&row, &readings) < 0.0, "{chain}");
    }
}

#[test]
fn the_margin_of_one_token_is_its_lead() {
    let (model, engine) = (model(MODEL), shared_engine());
    let (prompt, chain) = ([9, 8, 7], Chain::identity(5));
    let next = log_probs(&model, &prompt, &chain).pop().unwrap();
    let (first, lead) = winner(&next);
    let mut builder = Row::builder(&prompt);
    let asked = builder.read_continuation(&[first]);
    let row = engine.register(builder.build()).unwrap();
    let readings = engine
        .evaluate(request(&row, &chain, None))
        .unwrap()
        .readings;
    assert!((asked.greedy_margin(&row, &readings) - lead).abs() < 1e-4);
}

#[test]
fn a_row_that_asks_nothing_reads_nothing() {
    let engine = shared_engine();
    let row = engine.register(Row::builder(&[1, 2, 3]).build()).unwrap();
    let outcome = engine
        .evaluate(request(&row, &Chain::identity(5), None))
        .unwrap();
    assert!(outcome.readings.is_empty() && outcome.generated.is_none());
    assert_eq!(
        Arc::strong_count(&row),
        2,
        "the engine and this test hold it"
    );
}
