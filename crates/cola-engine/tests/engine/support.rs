//! Helpers of the integration tests: fixtures, requests, and naive evaluations of the model to
//! compare with.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use cola_engine::{
    Completion, Decode, DecodePlan, Engine, EngineError, EngineOptions, Outcome, Request, Row,
};
use cola_model::{Compute, Model, Repeat};
use cola_search::chain::Chain;
use crossbeam_channel::{Sender, bounded, unbounded};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use safetensors::{SafeTensors, tensor::TensorView};
use tch::Kind;
use tempfile::TempDir;

/// Every fixture model, sorted: the small random checkpoints of all families. The README beside
/// them says what each covers.
pub fn models() -> Vec<String> {
    let entries = std::fs::read_dir(fixtures().join("models")).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<String> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    names
}

/// If the two most likely tokens are closer than this (nats), the order of a sum may decide which
/// one wins.
pub const TIE: f64 = 1e-3;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

pub fn model_directory(name: &str) -> PathBuf {
    fixtures().join("models").join(name)
}

/// A fixture model in f32, loaded once per test binary.
pub fn model(name: &str) -> Arc<Model> {
    static LOADED: OnceLock<Mutex<HashMap<String, Arc<Model>>>> = OnceLock::new();
    let mut loaded = LOADED.get_or_init(Mutex::default).lock().unwrap();
    let model = loaded
        .entry(name.to_owned())
        .or_insert_with(|| Arc::new(load(&model_directory(name))));
    Arc::clone(model)
}

pub fn load(directory: &Path) -> Model {
    Model::load(directory, Compute::cpu()).unwrap()
}

/// Two workers, and a budget that keeps every state.
pub fn options() -> EngineOptions {
    EngineOptions {
        workers: 2,
        threads: 1,
        state_budget: usize::MAX,
        batch_tokens: 256,
        repeat: Repeat::Clean,
        decode: Decode::Draft,
    }
}

pub fn engine(name: &str, options: EngineOptions) -> Engine {
    Engine::start(model(name), options)
}

pub fn chain(text: &str) -> Chain {
    text.parse().unwrap()
}

pub fn random_tokens(random: &mut ChaCha8Rng, model: &Model, count: usize) -> Vec<u32> {
    let vocabulary = model.spec().vocabulary as u32;
    (0..count)
        .map(|_| random.random_range(0..vocabulary))
        .collect()
}

/// A chain of random layers.
pub fn random_chain(random: &mut ChaCha8Rng, depth: usize, longest: usize) -> Chain {
    let length = random.random_range(0..=longest);
    (0..length)
        .map(|_| random.random_range(0..depth as u16))
        .collect()
}

/// Chains that share prefixes, as in a search: each is a prefix of an earlier one with a new end.
/// Some occur twice.
pub fn related_chains(random: &mut ChaCha8Rng, depth: usize, count: usize) -> Vec<Chain> {
    let mut chains = vec![Chain::identity(depth)];
    while chains.len() < count {
        let old = chains[random.random_range(0..chains.len())].layers();
        let kept = random.random_range(0..=old.len());
        let end = random_chain(random, depth, depth);
        chains.push(Chain::new([&old[..kept], end.layers()].concat()));
    }
    chains
}

/// A row without branches, built for decoding.
pub fn decoding_row(prompt: &[u32]) -> Row {
    let mut builder = Row::builder(prompt);
    builder.keep_decodable();
    builder.build()
}

/// Greedy decoding of exactly `tokens` tokens.
pub fn plan(tokens: usize) -> DecodePlan {
    DecodePlan {
        max_tokens: tokens,
        stop_tokens: Arc::from([]),
        finished: None,
        sampling: None,
    }
}

pub fn request(row: &Arc<Row>, chain: &Chain, decode: Option<DecodePlan>) -> Request {
    Request {
        row: Arc::clone(row),
        chain: chain.clone(),
        decode,
        isolated: false,
        tag: 0,
    }
}

/// Submits all requests, then waits; results in the order of the requests.
pub fn evaluate_all(
    engine: &Engine,
    requests: impl IntoIterator<Item = Request>,
) -> Vec<Result<Outcome, EngineError>> {
    let (reply, done) = unbounded();
    let mut count = 0;
    for (tag, request) in requests.into_iter().enumerate() {
        let tag = tag as u64;
        engine.submit(Request { tag, ..request }, &reply);
        count += 1;
    }
    drop(reply);
    let mut completions: Vec<Completion> = done.iter().collect();
    assert_eq!(completions.len(), count, "one completion a request");
    completions.sort_by_key(|completion| completion.tag);
    completions.into_iter().map(|c| c.result).collect()
}

/// Like [`evaluate_all`], but no evaluation may fail.
pub fn outcomes(engine: &Engine, requests: impl IntoIterator<Item = Request>) -> Vec<Outcome> {
    evaluate_all(engine, requests)
        .into_iter()
        .map(Result::unwrap)
        .collect()
}

/// `log p(next | tokens[..=t])` for every `t`, `[T][V]`, nats, by [`Model::logits`].
pub fn log_probs(model: &Model, tokens: &[u32], chain: &Chain) -> Vec<Vec<f64>> {
    let logits = model.logits(tokens, chain, Repeat::Clean).unwrap();
    let log_probs = logits.to_kind(Kind::Double).log_softmax(1, Kind::Double);
    Vec::try_from(log_probs).unwrap()
}

/// The most likely token, and its lead over the second.
pub fn winner(log_probs: &[f64]) -> (u32, f64) {
    let (mut first, mut lead) = (0, f64::INFINITY);
    for (token, &log_prob) in log_probs.iter().enumerate().skip(1) {
        let ahead = log_prob - log_probs[first];
        match ahead > 0.0 {
            true => (first, lead) = (token, ahead),
            false => lead = lead.min(-ahead),
        }
    }
    (first as u32, lead)
}

/// Greedy decoding by its definition, which recomputes the whole sequence for every token. Ends
/// early if two tokens tie within [`TIE`].
pub fn naive_greedy(model: &Model, prompt: &[u32], chain: &Chain, count: usize) -> Vec<u32> {
    let mut tokens = prompt.to_vec();
    while tokens.len() < prompt.len() + count {
        let next = log_probs(model, &tokens, chain).pop().unwrap();
        let (token, lead) = winner(&next);
        if lead < TIE {
            break;
        }
        tokens.push(token);
    }
    tokens.split_off(prompt.len())
}

/// The generated tokens of an outcome.
pub fn generated(outcome: &Outcome) -> &[u32] {
    &outcome.generated.as_ref().unwrap().tokens
}

/// Keeps a worker busy until this is dropped. Jobs that are submitted meanwhile to an engine with
/// one worker stay pending.
pub struct Held {
    _let_go: Sender<()>,
}

/// Blocks a worker of the engine inside the `finished` closure of a job, whose completion goes to
/// `reply` with tag `u64::MAX`.
pub fn hold_worker(engine: &Engine, reply: &Sender<Completion>) -> Held {
    let (entered, is_held) = bounded(1);
    let (let_go, wait) = bounded::<()>(0);
    let row = engine.register(decoding_row(&[1])).unwrap();
    let hold = move |_: &[u32]| {
        // The first token blocks here. For later ones the receiver of `entered` and the sender of
        // `wait` are gone, so that neither call blocks.
        let _ = entered.send(());
        let _ = wait.recv();
        false
    };
    let decode = DecodePlan {
        finished: Some(Arc::new(hold)),
        sampling: None,
        ..plan(2)
    };
    let request = Request {
        tag: u64::MAX,
        ..request(&row, &chain("0"), Some(decode))
    };
    engine.submit(request, reply);
    is_held.recv().unwrap();
    Held { _let_go: let_go }
}

/// A copy of a fixture model with some weights changed. `change` gets every tensor's name and its
/// bytes on disk.
pub fn altered(name: &str, change: impl Fn(&str, &mut [u8])) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let original = model_directory(name);
    std::fs::copy(
        original.join("config.json"),
        copy.path().join("config.json"),
    )
    .unwrap();
    let bytes = std::fs::read(original.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let changed: Vec<_> = tensors
        .iter()
        .map(|(name, view)| {
            let mut data = view.data().to_vec();
            change(name, &mut data);
            (name, view.dtype(), view.shape().to_vec(), data)
        })
        .collect();
    let views = changed.iter().map(|(name, dtype, shape, data)| {
        (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    let path = copy.path().join("model.safetensors");
    safetensors::serialize_to_file(views, None, &path).unwrap();
    copy
}
