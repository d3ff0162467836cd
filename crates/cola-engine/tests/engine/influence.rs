//! The influence of each layer is what running the model layer by layer gives, whatever else runs.

use cola_engine::Row;
use cola_model::{Ancestors, Batch, Frozen, Keep, Model, Segment, StepOptions, Visibility};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::Kind;

use crate::support::{
    chain, engine, evaluate_all, model, models, options, random_tokens, related_chains, request,
};

/// `1 - cos` before and after every layer, mean over the tokens, from the model alone.
fn layer_by_layer(model: &Model, tokens: &[u32]) -> Vec<f64> {
    let positions: Vec<i64> = (0..tokens.len() as i64).collect();
    let causal = Ancestors::causal(tokens.len());
    let mut residual = Frozen::new(model.embed(tokens, &positions).unwrap());
    let mut influence = Vec::new();
    for layer in 0..model.depth() {
        let layer = model.layer(layer);
        let segments = [Segment {
            residual: &residual,
            positions: &positions,
            context: Vec::new(),
            visible: Visibility::Tree {
                context: &[],
                tree: &causal,
            },
        }];
        let options = StepOptions {
            keep: Keep::Everything,
            alpha: 1.0,
        };
        let batch = Batch::pack(&segments, layer.window()).unwrap();
        let after = layer
            .forward(&batch, &[options])
            .unwrap()
            .remove(0)
            .residual;
        let values = |residual: &Frozen| {
            let rows = residual.to_kind(Kind::Double);
            Vec::<Vec<f64>>::try_from(rows).unwrap()
        };
        let cosines = values(&residual)
            .into_iter()
            .zip(values(&after))
            .map(|(a, b)| {
                let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
            });
        influence.push(1.0 - cosines.sum::<f64>() / tokens.len() as f64);
        residual = after;
    }
    influence
}

fn measuring(prompt: &[u32]) -> Row {
    let mut builder = Row::builder(prompt);
    builder.measure_influence();
    builder.read_continuation(&[7, 8]);
    builder.read_continuation(&[7, 9, 3]);
    builder.build()
}

#[test]
fn it_is_what_running_layer_by_layer_gives() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for name in models().iter().filter(|name| name.ends_with("f32")) {
        let (model, engine) = (model(name), engine(name, options()));
        let prompt = random_tokens(&mut random, &model, 9);
        let row = engine.register(measuring(&prompt)).unwrap();
        let identity = cola_search::chain::Chain::identity(model.depth());
        // Chains of another row run in the same batches.
        let other = engine.register(measuring(&prompt[..5])).unwrap();
        let others = related_chains(&mut random, model.depth(), 6);
        let others = others.iter().map(|chain| request(&other, chain, None));
        let requests = std::iter::once(request(&row, &identity, None)).chain(others);
        let outcomes = evaluate_all(&engine, requests);
        let skipping = chain("0,2");
        let outcome = engine.evaluate(request(&row, &skipping, None)).unwrap();
        assert_eq!(outcome.influence, None);
        let measured = outcomes[0].as_ref().unwrap().influence.as_ref();
        let measured = measured.unwrap_or_else(|| panic!("{name}: nothing measured"));
        let expected = layer_by_layer(&model, &prompt);
        assert_eq!(measured.len(), expected.len());
        for (a, b) in measured.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-5, "{name}: {measured:?} {expected:?}");
        }
    }
}

#[test]
fn a_row_that_measures_nothing_has_none() {
    let engine = engine("biases-f32", options());
    let row = engine.register(Row::builder(&[3, 4]).build()).unwrap();
    let outcome = engine.evaluate(request(&row, &chain("0-4"), None)).unwrap();
    assert_eq!(outcome.influence, None);
}
