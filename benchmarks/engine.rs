//! The engine on the bundled model: the chains of one search on a few rows, for scoring and for
//! decoding, without and with the state table. Elements are evaluations.

mod support;

use std::sync::Arc;

use cola::{
    chain::Chain,
    engine::{DecodePlan, Engine, EngineOptions, Request, Row},
    search::{Ask, Feedback, SearchConfig},
};
use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use crossbeam_channel::unbounded;

const ROWS: u32 = 8;
const CHAINS_A_ROW: usize = 40;
const PROMPT_TOKENS: u32 = 24;
const OPTIONS: u32 = 4;
const NEW_TOKENS: usize = 4;

/// The first chains a search asks for when nothing is ever right: edits of edits, with the
/// prefixes real searches share.
fn recorded_chains(layers: usize) -> Vec<Chain> {
    let resolved = SearchConfig::default().resolve(layers);
    let mut strategy = resolved.expect("the defaults are valid").build(0);
    let mut chains = Vec::new();
    while chains.len() < CHAINS_A_ROW
        && let Ask::Evaluate(chain) = strategy.ask()
    {
        let wrong = Feedback::new(false, None);
        strategy.tell(&chain, wrong);
        chains.push(chain);
    }
    chains
}

/// Any token that is not a special one.
fn token(vocabulary: i64, n: u32) -> u32 {
    8 + n.wrapping_mul(2_654_435_761) % (vocabulary as u32 - 8)
}

fn row(vocabulary: i64, number: u32, plan: Option<&DecodePlan>) -> Row {
    let tokens: Vec<u32> = (0..PROMPT_TOKENS)
        .map(|n| token(vocabulary, 1000 * number + n))
        .collect();
    let mut builder = Row::builder(&tokens);
    match plan {
        Some(_) => builder.keep_decodable(),
        None => {
            for option in 0..OPTIONS {
                let start = 1000 * number + 100 + 2 * option;
                builder
                    .read_continuation(&[token(vocabulary, start), token(vocabulary, start + 1)]);
            }
        }
    }
    builder.build()
}

/// Every chain on every row, all in flight together, as a search over many samples keeps them.
/// Rows are registered anew, so nothing is left in the table from before.
fn evaluate(engine: &Engine, chains: &[Chain], plan: Option<&DecodePlan>) {
    let vocabulary = engine.model().spec().vocabulary;
    let rows: Vec<Arc<Row>> = (0..ROWS)
        .map(|number| engine.register(row(vocabulary, number, plan)))
        .collect::<Result<_, _>>()
        .expect("rows of known tokens");
    let (reply, completions) = unbounded();
    for chain in chains {
        for row in &rows {
            let request = Request {
                row: Arc::clone(row),
                chain: chain.clone(),
                decode: plan.cloned(),
                isolated: false,
                tag: 0,
            };
            engine.submit(request, &reply);
        }
    }
    drop(reply);
    for completion in completions {
        completion.result.expect("an evaluation");
    }
    for row in &rows {
        engine.release(row);
    }
}

fn evaluations(criterion: &mut Criterion) {
    let model = support::demo_model();
    let chains = recorded_chains(model.depth());
    let decoding = DecodePlan {
        max_tokens: NEW_TOKENS,
        stop_tokens: Arc::from([]),
        finished: None,
        sampling: None,
    };
    let mut group = criterion.benchmark_group("engine");
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Elements(u64::from(ROWS) * chains.len() as u64));
    for (name, plan) in [("scoring", None), ("decoding", Some(&decoding))] {
        for (budget, bytes) in [("no-table", 0), ("unlimited-table", usize::MAX)] {
            let options = EngineOptions {
                state_budget: bytes,
                ..EngineOptions::for_cpu()
            };
            let engine = Engine::start(Arc::clone(&model), options);
            group.bench_function(BenchmarkId::new(name, budget), |bencher| {
                bencher.iter(|| evaluate(&engine, &chains, plan));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = support::quick();
    targets = evaluations
}
criterion_main!(benches);
