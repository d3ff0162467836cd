//! A model on its devices, ready to search or evaluate: where the library begins.
//!
//! ```no_run
//! use cola::{prelude::*, search::SearchConfig, task::{LoadOptions, load_samples, resolve}};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let session = Session::builder("models/demo").build()?;
//! let searches = session.searches(&SearchConfig::default())?;
//! let task = std::sync::Arc::new(resolve("arc_easy")?);
//! let options = LoadOptions { data: vec!["arc_easy.jsonl".into()], ..LoadOptions::default() };
//! let layout = std::sync::Arc::new(session.layout(None)?);
//! let problems: Vec<SampleProblem> = SampleProblem::all(load_samples(&task, &options)?.samples, &layout);
//! let plan = session.plan(problems, searches, 0).with_controls(50);
//! let outcome = session.search(&plan, "out", &Interrupt::never(), &mut Progress::quiet())?;
//! println!("{} of {} samples failed", outcome.failed, outcome.recorded);
//! for record in Journal::records("out".as_ref())? {
//!     let record = record?;
//!     println!("{}: {:?}", record.id, record.best.map(|best| best.chain));
//! }
//! # Ok(())
//! # }
//! ```

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use tch::{Device, Kind};
use thiserror::Error;

use crate::{
    prepare::PromptLayout,
    problem::Problem,
    run::{
        AtOnce, Batching, Certifier, ControlPlan, Driver, Evaluated, Evaluator, FORMAT, Manifest,
        MenuPlan, MenuStage, Pair, Progress, RunError, RunOutcome, RunPlan, Searches, TaskManifest,
    },
    trials,
};
use cola_engine::{Decode, Engine, EngineOptions};
use cola_model::{Compute, Model, ModelError, Repeat, Tokenizer, free_memory, parse_devices};
use cola_search::{SearchConfig, SearchError};

/// Evaluations of fixed chains in flight on a GPU: enough to fill batches of decoded tokens. The engine begins as many of them as
/// there is memory for.
const EVALUATIONS_IN_FLIGHT_CUDA: usize = 512;

/// Samples that are searched at once on a GPU.
const SAMPLES_IN_FLIGHT_CUDA: usize = 256;

/// On the CPU samples in flight times the width of the model. More of them make the batches larger, and more is lost when the
/// program is killed. Two cores are as fast with 8 samples as with 128 at a width of 576, and with 64 at 128.
const IN_FLIGHT_TIMES_WIDTH: usize = 1 << 14;

/// States get one part in so many of the memory that is free beside the weights.
const STATE_SHARE_CPU: usize = 4;
const STATE_SHARE_CUDA: usize = 2;

/// Why a session could not begin.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The model cannot be loaded, or not run that way.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The search does not fit the model.
    #[error(transparent)]
    Search(#[from] SearchError),
}

/// A flag that ends a run early: what is finished is kept.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(pub Arc<AtomicBool>);

impl Interrupt {
    /// Nobody interrupts.
    pub fn never() -> Self {
        Self::default()
    }
}

/// How a model is to run. Nothing but [`dtype`](Self::dtype) and [`repeat`](Self::repeat) changes a verdict.
#[derive(Debug, Clone)]
pub struct SessionBuilder {
    model: PathBuf,
    device: String,
    dtype: Option<Kind>,
    repeat: Repeat,
    decode: Decode,
    state_budget: Option<usize>,
    workers: Option<usize>,
    threads: Option<usize>,
    in_flight: Option<usize>,
    invariant: bool,
    trials: Option<PathBuf>,
}

impl SessionBuilder {
    /// `cpu`, `cuda:N`, or several GPUs like `cuda:0,cuda:1`, over which samples are spread.
    #[must_use]
    pub fn device(mut self, device: &str) -> Self {
        device.clone_into(&mut self.device);
        self
    }

    /// Compute dtype. Without one it is f32 on the CPU and the dtype of the weights on CUDA.
    #[must_use]
    pub fn dtype(mut self, dtype: impl Into<Option<Kind>>) -> Self {
        self.dtype = dtype.into();
        self
    }

    /// What a layer sees when a chain visits it again.
    #[must_use]
    pub fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    /// How continuations are computed.
    #[must_use]
    pub fn decode(mut self, decode: Decode) -> Self {
        self.decode = decode;
        self
    }

    /// Bytes for states on each device. Without a number it is a quarter of what is free on the CPU, and half on CUDA.
    #[must_use]
    pub fn state_budget(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.state_budget = bytes.into();
        self
    }

    /// Worker threads of the engine. Without a number it is 1 on CUDA, and on the CPU what was fastest in a short trial.
    #[must_use]
    pub fn workers(mut self, workers: impl Into<Option<usize>>) -> Self {
        self.workers = workers.into();
        self
    }

    /// libtorch threads in each worker. Without a number it is `OMP_NUM_THREADS`, else as in that trial.
    #[must_use]
    pub fn threads(mut self, threads: impl Into<Option<usize>>) -> Self {
        self.threads = threads.into();
        self
    }

    /// Samples searched at once, or evaluations of fixed chains in flight.
    #[must_use]
    pub fn in_flight(mut self, most: impl Into<Option<usize>>) -> Self {
        self.in_flight = most.into();
        self
    }

    /// Whether near-ties are run again isolated on CUDA in 16 bits too.
    #[must_use]
    pub fn invariant(mut self, invariant: bool) -> Self {
        self.invariant = invariant;
        self
    }

    /// A directory that keeps the outcomes of trials of workers and threads, such as [`trials::of_user`]. Without one each session
    /// makes its own.
    #[must_use]
    pub fn trials(mut self, directory: impl Into<Option<PathBuf>>) -> Self {
        self.trials = directory.into();
        self
    }

    /// Loads the model and starts the engine.
    ///
    /// # Errors
    /// A device that is not there, a model that cannot be loaded, or cannot repeat layers in that way.
    pub fn build(self) -> Result<Session, SessionError> {
        let devices = parse_devices(&self.device)?;
        let kind = match (self.dtype, devices.as_slice()) {
            (Some(kind), _) => kind,
            (None, [Device::Cpu]) => Kind::Float,
            (None, _) => Model::inspect(&self.model)?
                .stored
                .unwrap_or(Kind::BFloat16),
        };
        let on = devices
            .into_iter()
            .map(|device| self.load(Compute { device, kind }))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some((_, options)) = on.first() {
            // The thread that sets things up runs no large operation itself.
            tch::set_num_threads(options.threads as i32);
        }
        Ok(Session {
            engine: Engine::start_on(on),
            path: self.model,
            in_flight: self.in_flight,
            invariant: self.invariant,
        })
    }

    /// The model on one device, and how it runs there.
    fn load(&self, compute: Compute) -> Result<(Arc<Model>, EngineOptions), ModelError> {
        let model = Arc::new(Model::load(&self.model, compute)?);
        self.repeat.check(model.spec())?;
        let (mut options, share) = match compute.device {
            Device::Cuda(_) => (EngineOptions::for_cuda(), STATE_SHARE_CUDA),
            _ => (EngineOptions::for_cpu(), STATE_SHARE_CPU),
        };
        options.repeat = self.repeat;
        options.decode = self.decode;
        (options.workers, options.threads) = self.workers_and_threads(&model, &options)?;
        let free = || free_memory(compute.device).map(|free| free / share);
        if let Some(bytes) = self.state_budget.or_else(free) {
            options.state_budget = bytes;
        }
        Ok((model, options))
    }

    /// As was asked; what that leaves open on the CPU is measured, unless `OMP_NUM_THREADS` says how many threads
    /// libtorch is to use.
    fn workers_and_threads(
        &self,
        model: &Model,
        usual: &EngineOptions,
    ) -> Result<(usize, usize), ModelError> {
        let cores = usual.workers;
        Ok(match (self.workers, self.threads) {
            (Some(workers), Some(threads)) => (workers, threads),
            (Some(workers), None) => (workers, usual.threads),
            (None, Some(threads)) => ((cores / threads.max(1)).max(1), threads),
            (None, None) if model.compute().device != Device::Cpu => (cores, usual.threads),
            (None, None) => match std::env::var("OMP_NUM_THREADS").map(|n| n.parse::<usize>()) {
                Ok(Ok(threads @ 1..)) => ((cores / threads).max(1), threads),
                _ => trials::fastest(self.trials.as_deref(), model, cores)?,
            },
        })
    }
}

/// A model on its devices.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    path: PathBuf,
    in_flight: Option<usize>,
    invariant: bool,
}

impl Session {
    /// A session with a model: a directory in Hugging Face layout, or a GGUF file.
    pub fn builder(model: impl Into<PathBuf>) -> SessionBuilder {
        SessionBuilder {
            model: model.into(),
            device: "cpu".to_owned(),
            dtype: None,
            repeat: Repeat::Clean,
            decode: Decode::Draft,
            state_budget: None,
            workers: None,
            threads: None,
            in_flight: None,
            invariant: false,
            trials: None,
        }
    }

    /// The engine, to run rows and chains by hand.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        self.engine.model()
    }

    /// How samples are put to the model: prompts as tasks have them, without a chat. `tokenizer`: the model's own, if None.
    ///
    /// # Errors
    /// A tokenizer that cannot be read.
    pub fn layout(&self, tokenizer: Option<Arc<Tokenizer>>) -> Result<PromptLayout, ModelError> {
        let tokenizer = match tokenizer {
            Some(tokenizer) => tokenizer,
            None => Arc::new(Tokenizer::load(&self.path)?),
        };
        let layout = PromptLayout::new(tokenizer, &self.path, self.model().spec().max_positions)?;
        Ok(PromptLayout {
            near_tie_nats: self.near_tie_nats()?,
            ..layout
        })
    }

    /// Nats that a log-probability can differ by with the other rows of its batch, with room to spare: closer answers are
    /// near-ties. 0 where the model was tried and does not depend on them; else in f32 ten times what was measured with products
    /// whose order of summation changes, and in 16 bits two roundings of a logit of up to 32. 0 on CUDA in 16 bits too,
    /// unless the session is [`invariant`](SessionBuilder::invariant): there most texts hold a token as close as that, and to run
    /// them one by one would leave the GPU idle.
    ///
    /// # Errors
    /// The trial fails.
    pub fn near_tie_nats(&self) -> Result<f64, ModelError> {
        let start = Instant::now();
        let model = self.model();
        let Compute { device, kind } = model.compute();
        let nats = match kind {
            Kind::Half | Kind::BFloat16 if device != Device::Cpu && !self.invariant => 0.0,
            _ if model.is_batch_invariant()? => 0.0,
            Kind::Float => 1e-4,
            Kind::Half => 0.03,
            _ => 0.25,
        };
        tracing::debug!(nats, took = ?start.elapsed(), "near-ties");
        Ok(nats)
    }

    /// A search and its random control, settled for the model.
    ///
    /// # Errors
    /// An unknown name, or numbers that do not go together.
    pub fn searches(&self, config: &SearchConfig) -> Result<Searches, SearchError> {
        Searches::resolve(config, self.model().depth())
    }

    /// The plan of a search, without controls: [`RunPlan::with_controls`] adds them.
    ///
    /// `seed` decides all draws; a run directory belongs to one plan.
    pub fn plan<P: Problem>(&self, problems: Vec<P>, searches: Searches, seed: u64) -> RunPlan<P> {
        let (model, samples) = (self.model(), problems.len());
        RunPlan {
            manifest: Manifest {
                format: FORMAT,
                model: String::new(),
                model_hash: model.hash().to_owned(),
                tokenizer_hash: String::new(),
                stop_tokens: Vec::new(),
                layers: model.depth(),
                dtype: dtype_name(model.compute().kind).to_owned(),
                repeat: self.engine.repeat(),
                chat: false,
                fewshot_as_multiturn: false,
                system: None,
                no_bos: false,
                letters: false,
                rotations: false,
                seed,
                search: searches.main.describe(),
                max_degradation: searches.max_degradation,
                controls: ControlPlan { samples: 0.into() },
                sampling: searches.sampling.clone(),
                tasks: TaskManifest::of(&problems),
            },
            problems,
            searches,
            in_flight: self.samples_in_flight(samples),
        }
    }

    /// Searches what a run directory does not hold yet, until done or interrupted.
    ///
    /// # Errors
    /// A directory that cannot be written, or holds something else, and a device that is lost.
    pub fn search<P: Problem>(
        &self,
        plan: &RunPlan<P>,
        directory: impl AsRef<Path>,
        interrupt: &Interrupt,
        progress: &mut Progress,
    ) -> Result<RunOutcome, RunError> {
        Driver::new(&self.engine, plan, directory.as_ref())?.run(&interrupt.0, progress)
    }

    /// Evaluates fixed chains: calls `done` with the index of each pair and what came of it, or why it failed, in whatever order
    /// that becomes known. Returns whether it was interrupted: then some were not run.
    ///
    /// # Errors
    /// The device is lost, or `done` fails.
    pub fn evaluate<P: Problem>(
        &self,
        problems: &[P],
        pairs: &[Pair],
        interrupt: &Interrupt,
        progress: &mut Progress,
        done: impl FnMut(usize, Result<Evaluated<'_, P::Judge>, String>) -> Result<(), RunError>,
    ) -> Result<bool, RunError> {
        let problems: Vec<&P> = problems.iter().collect();
        let batching = Batching {
            most: self.evaluations_in_flight(),
            isolated: false,
        };
        let watched = (&*interrupt.0, progress);
        Evaluator::run(&self.engine, &problems, pairs, batching, watched, done)
    }

    /// Chooses menus on what a finished search of `problems` found, and tries them. What the directory holds already is kept. Returns
    /// whether it was interrupted. Reads the whole journal into memory, up to twice the file.
    ///
    /// # Errors
    /// A directory that cannot be written, menus of something else in it, and a device that is lost.
    pub fn menus<P: Problem>(
        &self,
        problems: &[P],
        plan: MenuPlan,
        directory: impl AsRef<Path>,
        interrupt: &Interrupt,
        progress: &Progress,
    ) -> Result<bool, RunError> {
        MenuStage::run(
            &self.engine,
            problems,
            plan,
            directory.as_ref(),
            self.at_once(problems.len()),
            (&*interrupt.0, progress),
        )
    }

    /// Certifies what a finished search of `problems` found. A certificate that the directory holds already is kept. Returns whether it
    /// was interrupted. Reads the whole journal into memory, up to twice the file.
    ///
    /// # Errors
    /// A directory that cannot be written, a certificate of something else in it, and a device that is lost.
    pub fn certify<P: Problem>(
        &self,
        problems: &[P],
        directory: impl AsRef<Path>,
        interrupt: &Interrupt,
        progress: &mut Progress,
    ) -> Result<bool, RunError> {
        Certifier::run(
            &self.engine,
            problems,
            directory.as_ref(),
            self.at_once(problems.len()),
            (&*interrupt.0, progress),
        )
    }

    /// What runs at once in a stage after the search.
    fn at_once(&self, samples: usize) -> AtOnce {
        AtOnce {
            samples: self.samples_in_flight(samples),
            evaluations: self.evaluations_in_flight(),
        }
    }

    /// Of fixed chains. On the CPU twice as many as samples are searched at once: a chain of a sample does not wait for another.
    fn evaluations_in_flight(&self) -> usize {
        let usual = match self.model().compute().device {
            Device::Cpu => 2 * self.most_in_flight_cpu(),
            _ => EVALUATIONS_IN_FLIGHT_CUDA,
        };
        self.in_flight.unwrap_or(usual)
    }

    fn most_in_flight_cpu(&self) -> usize {
        let width = self.model().spec().hidden.max(1) as usize;
        (IN_FLIGHT_TIMES_WIDTH / width).clamp(8, 128)
    }

    /// Of so many samples in all. On the CPU at most a third of them, so that the first are finished long before the last, but
    /// enough to fill batches.
    fn samples_in_flight(&self, samples: usize) -> usize {
        let usual = match self.model().compute().device {
            Device::Cpu => {
                let most = self.most_in_flight_cpu();
                samples.div_ceil(3).clamp(most.div_ceil(4).max(8), most)
            }
            _ => SAMPLES_IN_FLIGHT_CUDA,
        };
        self.in_flight.unwrap_or(usual * self.engine.devices())
    }
}

/// The name of a compute dtype.
pub fn dtype_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Float => "f32",
        Kind::BFloat16 => "bf16",
        Kind::Half => "f16",
        _ => "other",
    }
}
