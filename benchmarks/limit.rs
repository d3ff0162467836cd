//! How near the engine comes to its limit: the time that the matrix products of its batches take by
//! themselves, with the same weights and shapes, in the same process, on as many threads.
//!
//! ```text
//! cargo bench --bench limit -- MODEL...     made prompts; the bundled model where none is named
//! cargo bench --bench limit -- MODEL --pairs PAIRS.jsonl --task TASK --data FILE [--in-flight N]
//! ```
//!
//! The second form runs the pairs of a search, as `cola eval --pairs` does.

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use clap::Parser;
use cola::{
    chain::Chain,
    engine::{DecodePlan, Engine, EngineOptions, Request, Row, Totals},
    model::{Compute, Model, ModelError},
    prelude::*,
    run::Pair,
    search::{Ask, Feedback, SearchConfig},
    task::{LoadOptions, load_samples, resolve},
};
use crossbeam_channel::unbounded;

const ROWS: u32 = 16;
const CHAINS_A_ROW: usize = 24;
const PROMPT_TOKENS: u32 = 96;
const OPTIONS: u32 = 4;
const NEW_TOKENS: usize = 50;
/// Each measured so often; the median counts.
const ROUNDS: usize = 3;

#[derive(Parser)]
struct Arguments {
    /// Model directories or GGUF files.
    models: Vec<PathBuf>,
    /// Pairs of a sample and a chain, as for `cola eval`.
    #[arg(long, requires = "task", requires = "data")]
    pairs: Option<PathBuf>,
    /// Their task.
    #[arg(long)]
    task: Option<String>,
    /// The task's rows.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Evaluations in flight.
    #[arg(long)]
    in_flight: Option<usize>,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let bundled = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("models/demo")];
    let models = match arguments.models.as_slice() {
        [] => &bundled,
        named => named,
    };
    println!(
        "| model | task | evaluations/s | steps run / distinct | products / wall time | of them the head | products of layers, GFLOP/s | tokens a batch |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for path in models {
        if let (Some(pairs), Some(task), Some(data)) =
            (&arguments.pairs, &arguments.task, &arguments.data)
        {
            report(path, task, || {
                of_pairs(path, (pairs, task, data), arguments.in_flight)
            })?;
            continue;
        }
        let model = Arc::new(Model::load(path, Compute::cpu())?);
        for (decode, name) in [(false, "four options"), (true, "50 tokens")] {
            report(path, name, || round(&model, decode))?;
        }
    }
    Ok(())
}

/// Prints the median of several rounds.
fn report(
    path: &Path,
    name: &str,
    round: impl Fn() -> Result<Round, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut rounds = (0..ROUNDS)
        .map(|_| round())
        .collect::<Result<Vec<_>, _>>()?;
    rounds.sort_by(|a, b| a.efficiency.total_cmp(&b.efficiency));
    let Round {
        rate,
        repeated,
        efficiency,
        head,
        gflops,
        tokens,
    } = rounds[ROUNDS / 2];
    let (least, most) = (rounds[0].efficiency, rounds[ROUNDS - 1].efficiency);
    let repeated = repeated.map_or_else(|| "-".to_owned(), |share| format!("{share:.3}"));
    println!(
        "| {} | {name} | {rate:.1} | {repeated} | {efficiency:.2} ({least:.2}-{most:.2}) | {head:.2} | {gflops:.0} | {tokens:.0} |",
        path.file_name().unwrap_or_default().display(),
    );
    Ok(())
}

/// A list of pairs.
fn of_pairs(
    model: &Path,
    (pairs, task, data): (&Path, &str, &Path),
    in_flight: Option<usize>,
) -> Result<Round, Box<dyn Error>> {
    let session = Session::builder(model).in_flight(in_flight).build()?;
    let task = Arc::new(resolve(task)?);
    let options = LoadOptions {
        data: vec![data.to_owned()],
        ..LoadOptions::default()
    };
    let samples = load_samples(&task, &options)?.samples;
    let places: BTreeMap<String, usize> = (0..)
        .zip(&samples)
        .map(|(at, sample)| (sample.id.clone(), at))
        .collect();
    let layout = Arc::new(session.layout(None)?);
    let problems = SampleProblem::all(samples, &layout);
    let mut list = Vec::new();
    for line in std::fs::read_to_string(pairs)?.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let field = |name: &str| line[name].as_str().ok_or_else(|| format!("no {name}"));
        let (id, chain) = (field("id")?, field("chain")?);
        list.push(Pair {
            problem: *places.get(id).ok_or_else(|| format!("no sample {id}"))?,
            chain: Chain::parse(chain, session.model().depth())?,
        });
    }
    let start = Instant::now();
    let mut failed = None;
    session.evaluate(
        &problems,
        &list,
        &Interrupt::never(),
        &mut Progress::quiet(),
        |_, result| {
            failed = failed.take().or(result.err());
            Ok(())
        },
    )?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(failed) = failed {
        return Err(failed.into());
    }
    let totals = session.engine().totals();
    Round::new(
        session.model(),
        &totals,
        EngineOptions::for_cpu().workers,
        seconds,
        None,
    )
}

/// What one run came to.
#[derive(Clone, Copy)]
struct Round {
    rate: f64,
    /// Layer steps run for each distinct one.
    repeated: Option<f64>,
    /// Share of the wall time that the products need.
    efficiency: f64,
    /// Share of that which the head needs.
    head: f64,
    /// Of the layers' products alone, all workers together.
    gflops: f64,
    tokens: f64,
}

impl Round {
    fn new(
        model: &Model,
        totals: &Totals,
        workers: usize,
        seconds: f64,
        distinct: Option<usize>,
    ) -> Result<Self, Box<dyn Error>> {
        let sizes = totals.batches.iter();
        let tokens: u64 = sizes.map(|(&n, &count)| n as u64 * count).sum();
        let spec = model.spec();
        let flops = spec.layers.iter().map(|l| l.flops_per_token(spec.hidden));
        let flops = flops.sum::<i64>() as f64 / spec.layers.len() as f64;
        let layers = products(&totals.batches, workers, model.depth(), &|layer, rows| {
            model.layer(layer).multiply_only(rows)
        })?;
        let head = products(&totals.heads, workers, 1, &|_, rows| {
            model.head().multiply_only(rows)
        })?;
        Ok(Self {
            rate: totals.evaluations as f64 / seconds,
            repeated: distinct.map(|distinct| totals.cost.steps_run as f64 / distinct as f64),
            efficiency: (layers + head) / seconds,
            head: head / (layers + head),
            gflops: tokens as f64 * flops / layers * 1e-9,
            tokens: tokens as f64 / totals.batches.values().sum::<u64>() as f64,
        })
    }
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
    drop(engine);
    Round::new(model, &totals, options.workers, seconds, Some(distinct))
}

/// Seconds that the products of all batches take when as many threads as there are workers each
/// run their part, and nothing else. `multiply` runs one of `parts` parts on so many rows.
fn products(
    sizes: &BTreeMap<usize, u64>,
    workers: usize,
    parts: usize,
    multiply: &(dyn Fn(usize, i64) -> Result<(), ModelError> + Sync),
) -> Result<f64, Box<dyn Error>> {
    let _guard = tch::no_grad_guard();
    let time = |rows: usize| -> Result<f64, ModelError> {
        let _guard = tch::no_grad_guard();
        tch::set_num_threads(1);
        // All parts, so that weights come from where they come from in a run.
        for part in 0..parts {
            multiply(part, rows as i64)?;
        }
        let start = Instant::now();
        for part in 0..parts {
            multiply(part, rows as i64)?;
        }
        Ok(start.elapsed().as_secs_f64() / parts as f64)
    };
    // Shapes within an eighth of each other count as one.
    let mut rounded: BTreeMap<usize, u64> = BTreeMap::new();
    for (&rows, &count) in sizes {
        let step = (rows.next_power_of_two() / 16).max(1);
        *rounded.entry(rows.next_multiple_of(step)).or_default() += count;
    }
    let mut seconds = 0.0;
    for (&rows, &count) in &rounded {
        // Workers at once, as in the run: they share caches and memory.
        let times = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(|| time(rows))).collect();
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
