//! From flags to a loaded model and a running engine.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tch::{Device, Kind};

use super::{
    CliError,
    args::{self, ComputeArgs, Dtype},
    asking::AskingArgs,
    fetching,
};
use crate::prepare::PromptLayout;
use crate::run::{TaskManifest, note};
use cola_engine::{self, Engine, EngineOptions};
use cola_hub::HubModel;
use cola_model::{Compute, Model, Repeat, Tokenizer, free_memory, parse_devices};
use lm_tasks::{AlsoRight, ContextParts, LoadedTask, Question};

/// A loaded model with its engine.
pub struct Loaded {
    pub engine: Engine,
    pub tokenizer: Arc<Tokenizer>,
    /// A directory in Hugging Face layout, or a GGUF file.
    pub path: PathBuf,
    /// As asked for: samples of a search, or evaluations, in flight.
    pub in_flight: Option<usize>,
    /// Whether all near-ties are asked again alone, on CUDA too.
    invariant: bool,
}

/// What a `--model` names.
pub struct Located {
    /// A directory in Hugging Face layout, or a GGUF file.
    pub path: PathBuf,
    /// Where its tokenizer is: the same, unless `--tokenizer` says otherwise.
    pub tokenizer: PathBuf,
    /// As it was typed; for a model of the hub with the commit it is.
    pub name: String,
}

/// Finds what a `--model` names: a local directory or GGUF file, or else a model of the hub, fetched if need be.
pub fn locate_model(text: &str, tokenizer: Option<&Path>) -> Result<Located, CliError> {
    let located = |path: PathBuf, name| Located {
        tokenizer: tokenizer.map_or_else(|| path.clone(), Path::to_owned),
        path,
        name,
    };
    if let Some(directory) = tokenizer
        && !directory.is_dir()
    {
        let reason = "no such directory; give the one that holds tokenizer.json";
        let directory = directory.display();
        return Err(CliError::Usage(format!(
            "--tokenizer {directory}: {reason}"
        )));
    }
    let path = PathBuf::from(text);
    let gguf = path
        .extension()
        .is_some_and(|extension| extension == "gguf");
    if path.is_dir() || (gguf && path.exists()) {
        return Ok(located(path, text.to_owned()));
    }
    let refuse = |reason| Err(CliError::Usage(format!("--model {text}: {reason}")));
    if path.exists() {
        return refuse(
            "is a file, and no GGUF file by its name; give one that ends in .gguf, or the directory that holds config.json",
        );
    }
    if gguf && !text.contains(':') {
        return refuse("no such file");
    }
    let Some((model, file)) = HubModel::parse_with_file(text) else {
        return refuse(
            "no such directory or GGUF file, and not the name of a model on the Hugging Face hub (org/name, org/name@revision, org/name:FILE.gguf)",
        );
    };
    let fetched = fetching::fetch(&model, file.as_deref())?;
    let file = file.map_or_else(String::new, |file| format!(":{file}"));
    let name = format!("{}@{}{file}", model.repository(), fetched.commit);
    Ok(located(fetched.path, name))
}

/// Loads the model without its tokenizer and starts the engine.
pub fn start_engine(path: &Path, args: &ComputeArgs) -> Result<Engine, CliError> {
    let devices = parse_devices(&args.device)?;
    let kind = match (args.dtype, devices.as_slice()) {
        (Dtype::F32, _) | (Dtype::Auto, [Device::Cpu]) => Kind::Float,
        (Dtype::Bf16, _) => Kind::BFloat16,
        (Dtype::F16, _) => Kind::Half,
        (Dtype::Auto, _) => Model::inspect(path)?.stored.unwrap_or(Kind::BFloat16),
    };
    let on = devices
        .into_iter()
        .map(|device| on_device(path, args, Compute { device, kind }))
        .collect::<Result<Vec<_>, _>>()?;
    if let Some((_, options)) = on.first() {
        // The thread that sets things up runs no large operation itself.
        tch::set_num_threads(options.threads as i32);
    }
    Ok(Engine::start_on(on))
}

/// The model on one device, and how it runs there.
fn on_device(
    path: &Path,
    args: &ComputeArgs,
    compute: Compute,
) -> Result<(Arc<Model>, EngineOptions), CliError> {
    let repeat = Repeat::from(args.repeat);
    let model = Arc::new(Model::load(path, compute)?);
    repeat.check(model.spec())?;
    // Of what is free beside the weights.
    let (mut options, share) = match compute.device {
        Device::Cuda(_) => (EngineOptions::for_cuda(), 2),
        _ => (EngineOptions::for_cpu(), 4),
    };
    options.repeat = repeat;
    options.decode = match args.decode {
        args::Decode::Draft => cola_engine::Decode::Draft,
        args::Decode::Plain => cola_engine::Decode::Plain,
    };
    (options.workers, options.threads) = workers_and_threads(args, &model, &options)?;
    let free = || free_memory(compute.device).map(|free| free / share);
    if let Some(bytes) = args.state_budget.or_else(free) {
        options.state_budget = bytes;
    }
    Ok((model, options))
}

/// As the flags say; what they leave open on the CPU is measured, unless `OMP_NUM_THREADS` says how
/// many threads libtorch is to use.
fn workers_and_threads(
    args: &ComputeArgs,
    model: &Model,
    usual: &EngineOptions,
) -> Result<(usize, usize), CliError> {
    let cores = usual.workers;
    Ok(match (args.workers, args.threads) {
        (Some(workers), Some(threads)) => (workers, threads),
        (Some(workers), None) => (workers, usual.threads),
        (None, Some(threads)) => ((cores / threads).max(1), threads),
        (None, None) if model.compute().device != Device::Cpu => (cores, usual.threads),
        (None, None) => match std::env::var("OMP_NUM_THREADS").map(|n| n.parse::<usize>()) {
            Ok(Ok(threads @ 1..)) => ((cores / threads).max(1), threads),
            _ => cola_engine::workers_and_threads(model, cores)?,
        },
    })
}

/// Loads model and tokenizer and starts the engine.
pub fn load(model: &Located, args: &ComputeArgs) -> Result<Loaded, CliError> {
    let tokenizer = Arc::new(Tokenizer::load(&model.tokenizer)?);
    let engine = start_engine(&model.path, args)?;
    Ok(Loaded {
        engine,
        tokenizer,
        path: model.path.clone(),
        in_flight: args.in_flight,
        invariant: args.invariant,
    })
}

impl Loaded {
    /// Samples that are searched at once. Each is recorded when its search ends: the more there are,
    /// the more is lost when the program is killed.
    pub fn in_flight(&self) -> usize {
        let cuda = self.engine.model().compute().device != Device::Cpu;
        let usual = if cuda { 256 } else { 128 };
        self.in_flight.unwrap_or(usual * self.engine.devices())
    }

    /// How samples are put to this model.
    pub fn asking(
        &self,
        how: &AskingArgs,
        wrong_targets: Option<u64>,
    ) -> Result<PromptLayout, CliError> {
        let model = self.engine.model();
        let tokenizer = Arc::clone(&self.tokenizer);
        let asking = how.asking(tokenizer, &self.path, model.spec().max_positions)?;
        Ok(PromptLayout {
            near_tie_nats: near_tie_nats(model, self.invariant)?,
            wrong_targets,
            ..asking
        })
    }
}

/// What the company of a batch can change in a log-probability, nats, with room to spare: closer
/// answers are asked again, alone. Nothing where the model was tried and does not depend on it; else,
/// in f32, ten times what was measured with products whose order of summation changes, and in 16 bits
/// two roundings of a logit of up to 32. Nothing on CUDA in 16 bits either, unless `invariant`: there
/// most texts hold a token as close as that, and to run them one by one would leave the GPU idle.
fn near_tie_nats(model: &Model, invariant: bool) -> Result<f64, CliError> {
    let Compute { device, kind } = model.compute();
    Ok(match kind {
        Kind::Half | Kind::BFloat16 if device != Device::Cpu && !invariant => 0.0,
        _ if !model.depends_on_company()? => 0.0,
        Kind::Float => 1e-4,
        Kind::Half => 0.03,
        _ => 0.25,
    })
}

/// The name of the compute dtype.
pub fn dtype_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Float => "f32",
        Kind::BFloat16 => "bf16",
        Kind::Half => "f16",
        _ => "other",
    }
}

/// What the manifest says of a task's samples.
pub fn task_manifest(task: &LoadedTask) -> TaskManifest {
    let samples = &task.samples;
    let mut hasher = blake3::Hasher::new();
    let mut eat = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for sample in samples {
        eat(&sample.id);
        for variant in sample.variants() {
            eat(&variant.context);
            if variant.parts != ContextParts::default() {
                eat(&format!("{:?}", variant.parts));
            }
            if variant.also_right != AlsoRight::default() {
                eat(&format!("{:?}", variant.also_right));
            }
            eat_question(&variant.question, &mut eat);
        }
    }
    if let Some(sample) = samples.first() {
        // How answers are judged, patterns and all; there is no shorter way to say it.
        let task = &sample.task;
        eat(&format!("{:?} {:?}", task.filters, task.metrics));
        eat(&task.target_delimiter);
    }
    TaskManifest {
        name: samples
            .first()
            .map_or_else(String::new, |s| s.task.name.clone()),
        samples: samples.len(),
        skipped_rows: task.skipped.len(),
        samples_hash: hasher.finalize().to_hex()[..32].to_owned(),
    }
}

fn eat_question(question: &Question, eat: &mut dyn FnMut(&str)) {
    match question {
        Question::Choice {
            options,
            continuations,
            gold,
        } => {
            options
                .iter()
                .chain(continuations)
                .for_each(|text| eat(text));
            eat(&gold.to_string());
        }
        Question::ChoiceOfPrompts {
            options,
            prompts,
            continuation,
            gold,
        } => {
            options.iter().chain(prompts).for_each(|text| eat(text));
            eat(continuation);
            eat(&gold.to_string());
        }
        Question::Text { text } | Question::Rolling { text } => eat(text),
        Question::Generate {
            until,
            max_tokens,
            gold,
            options,
        } => {
            until.iter().for_each(|text| eat(text));
            eat(&max_tokens.to_string());
            eat(gold);
            options.iter().for_each(|text| eat(text));
        }
    }
}

/// A flag that Ctrl-C sets; a second Ctrl-C ends the process at once.
pub fn interrupt_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    let handler = move || {
        if seen.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        note("cola: stopping; finished samples are kept");
    };
    // Fails only where a handler is set already, by a caller of this library: theirs stays.
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::debug!(%error, "no Ctrl-C handler");
    }
    flag
}
