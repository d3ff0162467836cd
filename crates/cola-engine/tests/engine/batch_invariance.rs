//! The results of a row do not depend on the other rows in its batch.

use std::sync::Arc;

use cola_engine::{EngineOptions, Request, Row};
use cola_model::{Ancestors, Batch, Frozen, Keep, Model, Repeat, Segment, StepOptions, Visibility};
use cola_search::chain::Chain;
use crossbeam_channel::unbounded;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

use crate::support::{
    engine, hold_worker, log_probs, model, models, options, random_chain, random_tokens, request,
};

const LENGTHS: [usize; 16] = [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 101, 256, 300];

#[test]
fn rows_of_different_lengths_in_one_batch_read_what_each_reads_alone() {
    let model = model("rope-parameters-f32");
    let one_worker = EngineOptions {
        workers: 1,
        batch_tokens: 10_000,
        ..options()
    };
    let engine = engine("rope-parameters-f32", one_worker);
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let chain: Chain = "0-2,1-3".parse().unwrap();
    let (reply, done) = unbounded();
    let held = hold_worker(&engine, &reply);
    let before = engine.totals().batches.values().sum::<u64>();
    let mut rows = Vec::new();
    for length in LENGTHS {
        let tokens = random_tokens(&mut random, &model, length + 1);
        let mut builder = Row::builder(&tokens[..length]);
        let asked = builder.read_continuation(&tokens[length..]);
        let row = engine.register(builder.build()).unwrap();
        let tag = rows.len() as u64;
        engine.submit(
            Request {
                tag,
                ..request(&row, &chain, None)
            },
            &reply,
        );
        rows.push((row, asked, tokens));
    }
    drop((held, reply));
    for completion in done {
        let Some((row, asked, tokens)) = rows.get(completion.tag as usize) else {
            continue;
        };
        let readings = completion.result.unwrap().readings;
        let ours = asked.log_prob(row, &readings);
        let (last, prompt) = tokens.split_last().unwrap();
        let alone = log_probs(&model, prompt, &chain).pop().unwrap()[*last as usize];
        assert!(
            (ours - alone).abs() < 1e-4,
            "{}: {ours} {alone}",
            prompt.len()
        );
    }
    // The token that the held job decodes runs one more layer, in a batch with the other rows or
    // alone.
    let batches = engine.totals().batches.values().sum::<u64>() - before;
    let layers = chain.len() as u64;
    assert!(
        (layers..=layers + 1).contains(&batches),
        "{batches} batches"
    );
}

/// New nodes of a row: residuals, positions, and what they see of each other.
struct Nodes {
    residual: Frozen,
    positions: Vec<i64>,
    visible: Ancestors,
}

impl Nodes {
    fn plain(model: &Model, tokens: &[u32]) -> Self {
        let count = tokens.len();
        let positions: Vec<i64> = (0..count as i64).collect();
        Self {
            residual: Frozen::new(model.embed(tokens, &positions).unwrap()),
            positions,
            visible: Ancestors::causal(count),
        }
    }

    fn segment(&self) -> Segment<'_> {
        Segment {
            residual: &self.residual,
            positions: &self.positions,
            context: Vec::new(),
            visible: Visibility::Tree {
                context: &[],
                tree: &self.visible,
            },
        }
    }
}

fn asks(keep: Keep) -> StepOptions {
    StepOptions { keep, alpha: 1.0 }
}

/// Logits `[T, V]` of each row, computed with one batch of all rows for each layer.
fn logits_together(model: &Model, rows: &mut [Nodes], chain: &Chain) -> Vec<Tensor> {
    for &layer in chain.layers() {
        let layer = model.layer(layer as usize);
        let segments: Vec<Segment> = rows.iter().map(Nodes::segment).collect();
        let batch = Batch::pack(&segments, layer.window()).unwrap();
        let asks = vec![asks(Keep::Residual); rows.len()];
        let applied = layer.forward(&batch, &asks).unwrap();
        for (row, applied) in rows.iter_mut().zip(applied) {
            row.residual = applied.residual;
        }
    }
    let logits = |row: &Nodes| model.head().logits(&row.residual).unwrap();
    rows.iter().map(logits).collect()
}

/// Largest difference that the other rows of a batch may make to a number: none, if the model says
/// that it is batch-invariant.
fn most(model: &Model) -> f64 {
    match model.is_batch_invariant().unwrap() {
        true => 0.0,
        false => 5e-5,
    }
}

#[test]
fn rows_of_any_lengths_have_together_the_logits_of_each_alone_in_every_family() {
    for name in models() {
        let model = model(&name);
        let longest = match model.spec().learned_positions {
            true => model.spec().max_positions.min(300) as usize,
            false => 300,
        };
        let mut random = ChaCha8Rng::seed_from_u64(8);
        for _ in 0..4 {
            let count = random.random_range(2..7);
            let mut row = || {
                // Short rows are as likely as long ones.
                let length = random.random_range(1..=longest) >> random.random_range(0..7);
                random_tokens(&mut random, &model, length.max(1))
            };
            let rows: Vec<Vec<u32>> = (0..count).map(|_| row()).collect();
            let chain = random_chain(&mut random, model.depth(), 6);
            let mut nodes: Vec<Nodes> = rows.iter().map(|row| Nodes::plain(&model, row)).collect();
            let together = logits_together(&model, &mut nodes, &chain);
            for (row, together) in rows.iter().zip(together) {
                let alone = model.logits(row, &chain, Repeat::Clean).unwrap();
                let difference = f64::try_from((together - alone).abs().max()).unwrap();
                let length = row.len();
                assert!(
                    difference <= most(&model),
                    "{name} {chain}, {length} tokens: {difference}"
                );
            }
        }
    }
}

fn largest_difference(a: &Frozen, b: &Frozen) -> f64 {
    assert_eq!(a.size(), b.size());
    f64::try_from((&**a - &**b).abs().max()).unwrap()
}

#[test]
fn a_layer_gives_each_segment_of_a_batch_what_it_gives_it_alone() {
    for name in ["biases-f32", "llama31-gqa-tied-bf16"] {
        let model = model(name);
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let rows = LENGTHS.map(|n| Nodes::plain(&model, &random_tokens(&mut random, &model, n)));
        let segments: Vec<Segment> = rows.iter().map(Nodes::segment).collect();
        let batch = Batch::pack(&segments, None).unwrap();
        assert_eq!(batch.lengths(), LENGTHS.map(|n| n as i64));
        // Results of some rows are copies, those of others are views.
        let each = LENGTHS.map(|n| asks([Keep::Everything, Keep::Views][n % 2]));
        let together = model.layer(1).forward(&batch, &each).unwrap();
        for (row, together) in rows.iter().zip(together) {
            let segments = [row.segment()];
            let batch = Batch::pack(&segments, None).unwrap();
            let alone = model
                .layer(1)
                .forward(&batch, &[asks(Keep::Everything)])
                .unwrap()
                .remove(0);
            let difference = largest_difference(&together.residual, &alone.residual);
            assert!(difference <= most(&model), "{name}: residual {difference}");
            let [ours, theirs] = [together.key_value, alone.key_value].map(Option::unwrap);
            let difference = largest_difference(&ours, &theirs);
            assert!(
                difference <= most(&model),
                "{name}: keys and values {difference}"
            );
        }
    }
}

#[test]
fn a_token_after_its_context_is_what_it_is_in_the_whole_sequence() {
    let model = model("sharded-f16");
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let layer = model.layer(0);
    for length in [2, 9, 17, 40] {
        let tokens = random_tokens(&mut random, &model, length);
        let whole = Nodes::plain(&model, &tokens);
        let segments = [whole.segment()];
        let batch = Batch::pack(&segments, None).unwrap();
        let whole = layer
            .forward(&batch, &[asks(Keep::Everything)])
            .unwrap()
            .remove(0);
        // The context is given in two pieces, the second of which is longer than its used part.
        let last = length as i64 - 1;
        let key_values = whole.key_value.unwrap();
        let split = last / 2;
        let piece = |start, count| Frozen::new(key_values.narrow_copy(0, start, count));
        let (head, tail) = (piece(0, split), piece(split, last + 1 - split));
        let newest = Frozen::new(model.embed(&tokens[length - 1..], &[last]).unwrap());
        let segment = Segment {
            residual: &newest,
            positions: &[last],
            context: vec![(&head, split), (&tail, last - split)],
            visible: Visibility::All,
        };
        let segments = [segment];
        let batch = Batch::pack(&segments, None).unwrap();
        let ours = layer
            .forward(&batch, &[asks(Keep::Residual)])
            .unwrap()
            .remove(0);
        let expected = Frozen::new(whole.residual.narrow_copy(0, last, 1));
        let difference = largest_difference(&ours.residual, &expected);
        assert!(difference <= most(&model), "{length}: {difference}");
        assert!(ours.key_value.is_none(), "keys and values nobody asked for");
    }
}

#[test]
fn decoding_in_a_batch_writes_what_decoding_alone_writes() {
    let model = model("sharded-f16");
    let engine = engine("sharded-f16", options());
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let chains = crate::support::related_chains(&mut random, model.depth(), 6);
    let mut requests = Vec::new();
    for length in [1, 8, 30, 75] {
        let prompt = random_tokens(&mut random, &model, length);
        let row = engine
            .register(crate::support::decoding_row(&prompt))
            .unwrap();
        for chain in &chains {
            let plan = crate::support::plan(8);
            requests.push((prompt.clone(), request(&row, chain, Some(plan))));
        }
    }
    let together = crate::support::outcomes(&engine, requests.iter().map(|(_, r)| r.clone()));
    for ((prompt, request), outcome) in requests.iter().zip(together) {
        let naive = crate::support::naive_greedy(&model, prompt, &request.chain, 8);
        assert!(crate::support::generated(&outcome).starts_with(&naive));
        assert!(Arc::ptr_eq(engine.model(), &model));
    }
}
