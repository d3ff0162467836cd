//! How near the engine comes to its limit: the time that the matrix products of its batches take by
//! themselves, with the same weights and shapes, in the same process, on as many threads.
//!
//! ```text
//! cargo bench --bench limit -- MODEL...     directories; the bundled model where none is named
//! ```

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use cola::{
    chain::Chain,
    engine::{DecodePlan, Engine, EngineOptions, Request, Row, Totals},
    model::{Compute, Model},
    search::{Ask, Feedback, SearchConfig},
};
use crossbeam_channel::unbounded;

const ROWS: u32 = 16;
const CHAINS_A_ROW: usize = 24;
const PROMPT_TOKENS: u32 = 96;
const OPTIONS: u32 = 4;
const NEW_TOKENS: usize = 50;
/// Each measured so often; the median counts.
const ROUNDS: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    // cargo's own flags are not models.
    let named: Vec<PathBuf> = env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    let bundled = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")];
    let directories = if named.is_empty() { bundled } else { named };
    println!(
        "| model | task | evaluations/s | steps run / distinct | products / wall time | products, GFLOP/s | tokens a batch |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for directory in directories {
        let model = Arc::new(Model::load(&directory, Compute::cpu())?);
        for decode in [false, true] {
            let mut rounds = (0..ROUNDS)
                .map(|_| round(&model, decode))
                .collect::<Result<Vec<_>, _>>()?;
            rounds.sort_by(|a, b| a.efficiency.total_cmp(&b.efficiency));
            let Round {
                rate,
                repeated,
                efficiency,
                gflops,
                tokens,
            } = rounds[ROUNDS / 2];
            let least = rounds[0].efficiency;
            let most = rounds[ROUNDS - 1].efficiency;
            println!(
                "| {} | {} | {rate:.1} | {repeated:.3} | {efficiency:.2} ({least:.2}-{most:.2}) | {gflops:.0} | {tokens:.0} |",
                directory.display(),
                if decode { "50 tokens" } else { "four options" },
            );
        }
    }
    Ok(())
}

/// What one run came to.
#[derive(Clone, Copy)]
struct Round {
    rate: f64,
    repeated: f64,
    efficiency: f64,
    /// Of the products alone, all workers together.
    gflops: f64,
    tokens: f64,
}

fn round(model: &Arc<Model>, decode: bool) -> Result<Round, Box<dyn Error>> {
    let options = EngineOptions {
        state_budget: 8 << 30,
        ..EngineOptions::for_cpu()
    };
    let engine = Engine::start(Arc::clone(model), options);
    let plan = decode.then(|| DecodePlan {
        max_tokens: NEW_TOKENS,
        stop_tokens: Arc::from([]),
        finished: None,
        sampling: None,
    });
    let vocabulary = model.spec().vocabulary;
    let rows = (0..ROWS)
        .map(|number| engine.register(row(vocabulary, number, plan.is_some())))
        .collect::<Result<Vec<_>, _>>()?;
    let chains: Vec<Vec<Chain>> = (0..ROWS)
        .map(|row| recorded_chains(model.depth(), u64::from(row)))
        .collect();
    let (reply, completions) = unbounded();
    let start = Instant::now();
    for at in 0..CHAINS_A_ROW {
        for (row, chains) in rows.iter().zip(&chains) {
            let request = Request {
                row: Arc::clone(row),
                chain: chains[at].clone(),
                decode: plan.clone(),
                isolated: false,
                tag: 0,
            };
            engine.submit(request, &reply);
        }
    }
    drop(reply);
    for completion in &completions {
        completion.result?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let totals = engine.totals();
    let distinct: usize = chains.iter().map(|chains| distinct_prefixes(chains)).sum();
    let batches: u64 = totals.batches.values().sum();
    let tokens: u64 = totals
        .batches
        .iter()
        .map(|(&n, &count)| n as u64 * count)
        .sum();
    drop(engine);
    let products = products(model, &totals, options.workers)?;
    let spec = model.spec();
    let layers = spec.layers.iter();
    let flops: i64 = layers.map(|layer| layer.flops_per_token(spec.hidden)).sum();
    let flops_a_layer = flops as f64 / spec.layers.len() as f64;
    Ok(Round {
        rate: f64::from(ROWS) * CHAINS_A_ROW as f64 / seconds,
        repeated: totals.cost.steps_run as f64 / distinct as f64,
        efficiency: products / seconds,
        gflops: tokens as f64 * flops_a_layer / products / 1e9,
        tokens: tokens as f64 / batches as f64,
    })
}

/// Seconds that the products of all batches take when as many threads as there are workers each
/// run their part, and nothing else.
fn products(model: &Model, totals: &Totals, workers: usize) -> Result<f64, Box<dyn Error>> {
    let _guard = tch::no_grad_guard();
    let time = |tokens: usize| -> Result<f64, cola::model::ModelError> {
        tch::set_num_threads(1);
        let layers = model.depth();
        // All layers, so that weights come from where they come from in a run.
        for layer in 0..layers {
            model.layer(layer).multiply_only(tokens as i64)?;
        }
        let start = Instant::now();
        for layer in 0..layers {
            model.layer(layer).multiply_only(tokens as i64)?;
        }
        Ok(start.elapsed().as_secs_f64() / layers as f64)
    };
    // Shapes within an eighth of each other count as one.
    let mut sizes: BTreeMap<usize, u64> = BTreeMap::new();
    for (&tokens, &count) in &totals.batches {
        let step = (tokens.next_power_of_two() / 16).max(1);
        *sizes.entry(tokens.next_multiple_of(step)).or_default() += count;
    }
    let mut seconds = 0.0;
    for (&tokens, &count) in &sizes {
        // Workers at once, as in the run: they share caches and memory.
        let times = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| time(tokens))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("products do not panic"))
                .collect::<Result<Vec<f64>, _>>()
        })?;
        let mean = times.iter().sum::<f64>() / workers as f64;
        seconds += mean * count as f64 / workers as f64;
    }
    Ok(seconds)
}

fn distinct_prefixes(chains: &[Chain]) -> usize {
    let prefixes: BTreeSet<_> = chains
        .iter()
        .flat_map(|chain| (1..=chain.len()).map(|length| &chain.layers()[..length]))
        .collect();
    prefixes.len()
}

/// The first chains a search asks for when nothing is ever right.
fn recorded_chains(layers: usize, seed: u64) -> Vec<Chain> {
    let resolved = SearchConfig::default().resolve(layers);
    let mut strategy = resolved.expect("the defaults are valid").build(seed);
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

fn row(vocabulary: i64, number: u32, decode: bool) -> Row {
    let tokens: Vec<u32> = (0..PROMPT_TOKENS)
        .map(|n| token(vocabulary, 1000 * number + n))
        .collect();
    let mut builder = Row::builder(&tokens);
    if decode {
        builder.keep_decodable();
    } else {
        for option in 0..OPTIONS {
            let start = 1000 * number + 100 + 2 * option;
            builder.read_continuation(&[token(vocabulary, start), token(vocabulary, start + 1)]);
        }
    }
    builder.build()
}
