//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    CliError,
    prompts::PromptArgs,
    setup::{Located, locate_model},
};
use crate::run::{ControlSamples, ProgressStyle};
use cola_search::{MaxDegradation, chain::Alpha};
use lm_tasks::Condition;

const AFTER_HELP: &str = "\
Examples:
  cola demo
  cola search --model DIR --task arc_easy --data test.jsonl --out results/arc-easy
  cola inspect --model HuggingFaceTB/SmolLM2-135M
  cola eval --model DIR --task arc_easy --data test.jsonl --chain 0-14,12-27
  cola analyze results/arc-easy

A chain lists the layers to run, from 0. 0-27 is a model of 28 layers as it is. 0-9,12-27 skips two
layers. 0-9,(10-12)x3,13-27 runs a block three times. 0-9,(10-12)x3@0.5,13-27 does so too, but adds
only half of what the layers change the second and third time. `empty` runs no layer.

Exit status: 0 done; 1 finished, but samples failed, logits differ, or a model would be refused;
2 could not run; 130 interrupted: the same command continues.";

/// For every sample of a benchmark, searches for the shortest chain of a frozen LLM's layers that answers the
/// sample right.
#[derive(Debug, Parser)]
#[command(name = "cola", version, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Search the bundled datasets with the bundled model. Needs no arguments.
    Demo(DemoArgs),
    /// Search for the shortest chain that answers each sample of a task right. The same command continues an
    /// interrupted run.
    Search(SearchArgs),
    /// Evaluate one chain on a task (by default the unmodified model), or a list of pairs of a sample and a
    /// chain.
    Eval(EvalArgs),
    /// Run a chain on a prompt, decode greedily or sample, and print the new text.
    Generate(GenerateArgs),
    /// Compare logits with a reference file. The exit status is 1 if they differ by more than the tolerance.
    Verify(VerifyArgs),
    /// Show a model's architecture, layers, parameters and memory, and what would be refused.
    Inspect(InspectArgs),
    /// Show how far a run is, while it runs or when it has stopped.
    Status(StatusArgs),
    /// Write statistics of which layers the found chains use: CSV files, figures and report.html.
    Analyze(AnalyzeArgs),
    /// Write the best chain of every sample to a file, for other tools.
    Export(ExportArgs),
    /// Generate questions from a seed, each checked by a solver, one JSON object on each line.
    Synth(SynthArgs),
}

/// Which model, and where it runs.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// A directory in Hugging Face layout (config.json, safetensors weights, tokenizer.json), a GGUF file, or a
    /// model on the Hugging Face hub (org/name, org/name@revision or org/name:FILE.gguf). cola fetches the files
    /// that the local cache lacks.
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// Use the tokenizer of this directory (tokenizer.json, tokenizer_config.json, chat template) instead of the
    /// model's own.
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,
    #[command(flatten)]
    pub compute: ComputeArgs,
}

impl ModelArgs {
    /// Finds the model, and fetches it if need be.
    pub fn locate(&self) -> Result<Located, CliError> {
        locate_model(&self.model, self.tokenizer.as_deref())
    }
}

/// How a model runs. None of it changes a verdict, but for the dtype and `--repeat`.
#[derive(Debug, Clone, Args)]
pub struct ComputeArgs {
    /// Where to run: cpu, cuda:N, or several GPUs like cuda:0,cuda:1, which share the samples.
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Dtype to compute in.
    #[arg(long, value_enum, default_value_t = Dtype::Auto)]
    pub dtype: Dtype,
    /// Memory for states, in bytes or with k, M or G. A state is what a chain's first layers have made of a
    /// prompt. The memory holds the states kept for reuse and those of running evaluations; the latter may take
    /// half of it, and at least 256 MiB (default: a quarter of the free memory on the CPU, half of it on each
    /// GPU).
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub state_budget: Option<usize>,
    /// Worker threads (default: on the CPU the number that is fastest in a short trial, usually one for each
    /// core; 1 on CUDA).
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub workers: Option<usize>,
    /// libtorch threads in each worker (default: OMP_NUM_THREADS, or else the number that is fastest in the same
    /// trial).
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Samples to search at once, or with eval evaluations to run at once (default: on the CPU as many as fill
    /// batches, from 8 for a wide model to 128 for a narrow one, and at most a third of the samples; 256 samples or
    /// 512 evaluations on each GPU).
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub in_flight: Option<usize>,
    /// How to generate text. draft first checks what other chains wrote after the same prompt, in one pass with
    /// the prompt; plain decodes token by token. Both write the same text.
    #[arg(long, value_enum, default_value_t = Decode::Draft)]
    pub decode: Decode,
    /// Run every near-tie again, alone, on CUDA in 16 bits too. A near-tie is an answer decided by less than what
    /// the other rows of a batch can change. Without this flag, only the best chain of a sample is run again
    /// there. In all other cases near-ties are always run again.
    #[arg(long)]
    pub invariant: bool,
    /// How to run a layer that a chain visits again. clean gives each visit keys and values of its own, as if the
    /// layer had been copied. shared-slot does as transformers does with one cache slot for each layer, for
    /// comparison with published numbers.
    #[arg(long, value_enum, default_value_t = Repeat::Clean)]
    pub repeat: Repeat,
}

/// Which questions.
#[derive(Debug, Clone, Default, Args)]
pub struct TaskArgs {
    /// One or several tasks, each a YAML file in lm-evaluation-harness's dialect or a built-in task (arith,
    /// commonsense, countdown, boolean, list-ops, hops, counting, arc_easy, arc_challenge, openbookqa,
    /// commonsense_qa, piqa, hellaswag, winogrande, boolq, social_iqa, sciq, copa, medmcqa, basic_arithmetic,
    /// basic_arithmetic_generate, lambada, mmlu, mmlu_pro, gsm8k, gsm8k_polar, svamp, dart_math, math,
    /// hendrycks_math, minerva_math).
    #[arg(long, required = true, num_args = 1.., value_delimiter = ',', value_name = "TASK")]
    pub task: Vec<String>,
    /// Take the rows from these files instead of the task's own: JSONL, JSON, CSV or TSV (also as .gz or .zst),
    /// Parquet or Arrow (.arrow, file or stream). Give one file for each task, in the same order.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// Take the rows from a dataset on the Hugging Face hub (org/name or org/name@revision), or from a directory:
    /// one laid out like a dataset on the hub, one that datasets.save_to_disk wrote, or one with a file for each
    /// split, in any format. cola fetches the files that the local cache lacks. Works with one task only.
    #[arg(long, value_name = "DATASET", conflicts_with = "data")]
    pub dataset: Option<String>,
    /// Subset of --dataset (default: the task's, if it has one).
    #[arg(
        long,
        value_name = "NAME",
        requires = "dataset",
        conflicts_with = "data"
    )]
    pub subset: Option<String>,
    /// Split of --dataset (default: the one that the task evaluates, or else test).
    #[arg(
        long,
        value_name = "NAME",
        requires = "dataset",
        conflicts_with = "data"
    )]
    pub split: Option<String>,
    /// Draw the solved examples (few-shot) from the rows of this file instead of the task's own.
    #[arg(long, value_name = "FILE")]
    pub fewshot_data: Option<PathBuf>,
    /// Put N solved examples before each question, instead of the task's own number.
    #[arg(long, value_name = "N")]
    pub num_fewshot: Option<usize>,
    /// Generate at most N tokens, instead of each task's own number. Changes only the tasks that generate.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_gen_toks: Option<usize>,
    /// Take only rows with this value in this column, or at this path into it: query_metadata.level=3. If you
    /// give several, all must hold.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub conditions: Vec<Condition>,
    /// Skip up to N bad rows of each task and count them, instead of stopping at the first.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub skip_bad_rows: usize,
    /// Take only the first N samples of each task.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub prompts: PromptArgs,
    /// Whether certificates will ask for the other rotations of the options.
    #[arg(skip)]
    pub other_rotations: bool,
}

/// How to search.
#[derive(Debug, Clone, Args)]
pub struct StrategyArgs {
    /// How to choose the chains to try: mcts (a tree search), random, exhaustive (every chain up to a length or a
    /// number of changes, as far as --simulations allows), or a baseline to compare with: greedy (hill climbing
    /// with restarts), beam, best-first, anneal, single-edits, double-edits, rys (every block run twice),
    /// early-exit, last-n (drops layers before the last), shortgpt (drops the layers that change this prompt
    /// least).
    #[arg(long, default_value = "mcts")]
    pub strategy: String,
    /// Rules of the search: default, or those of a published search: cola-paper, polar-release, dr-llm or
    /// re-polar.
    #[arg(long, default_value = "default")]
    pub preset: String,
    /// Number of simulations (tries of the search) for each sample (default: the preset's, which is 100 for
    /// polar-release, 50 for dr-llm, and 200 for the others).
    #[arg(long, value_name = "N")]
    pub simulations: Option<usize>,
    /// Stop the search of a sample before the chain that would take it past N layer steps. What chains share at
    /// their beginning counts once. Without --simulations nothing else bounds the search.
    #[arg(long, value_name = "N")]
    pub budget_steps: Option<usize>,
    /// Also try damped repeats, which run x + ALPHA (F(x) - x) in place of F(x) on the second and later visits of
    /// a layer F. ALPHA is above 0 and below 1, with at most three decimals. Only with --preset default.
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = damping)]
    pub damping: Option<Alpha>,
    /// How to score a wrong chain in the search. margin says how near the chain came to the gold (right) answer:
    /// the log-probability of the gold option minus that of the best other option, or in a generated text the
    /// smallest lead of a gold token over the best other token. verdict says only that the chain is wrong.
    /// Default: margin with --preset default, and verdict with the published presets, which use nothing else.
    #[arg(long, value_enum, value_name = "SCORE")]
    pub score: Option<Score>,
    /// Count a chain as right only if it still reads the prompt about as well as the unmodified model does:
    /// its mean loss on the prompt's own tokens may be at most NATS nats per token higher. none sets no bound.
    /// Default: 0.5, and none with the published presets, which have no such bound.
    #[arg(long, value_name = "NATS|none", value_parser = max_degradation, allow_negative_numbers = true)]
    pub max_degradation: Option<MaxDegradation>,
    /// Seed of the run. The search of each sample gets a seed of its own, made from this one.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Number of samples of each task that also get the control searches, which measure luck, or all. They
    /// have the same budget and bound: random chains and, if the unmodified model is wrong, the same search
    /// for a wrong answer that this model finds as likely as the right one, and for one drawn at random.
    /// 0 turns them off.
    #[arg(long, default_value = "all", value_name = "N|all")]
    pub controls: ControlSamples,
    /// Compare other ways (arms) to spend as many tries on the same samples: how many are right within 1, 2, 5, ...
    /// tries. search is the search itself, and random its control; neither needs more runs. sampling draws answers
    /// from the unmodified model at temperatures 0.3, 0.7 and 1. layers+sampling spends half of its tries on the
    /// search and half on sampling. menu runs a fixed list of chains that was chosen on other samples, after the
    /// search, and writes menu.jsonl. With a finished run, the same command with --arms menu only adds the menu.
    #[arg(long, value_enum, value_delimiter = ',', num_args = 1.., value_name = "ARM")]
    pub arms: Vec<Arm>,
    /// After the search, certify the best chain of each sample: in how many rotations of the options it is right,
    /// which of its changes it needs, and how many of 16 other samples of the task it answers. Writes
    /// certificates.jsonl. With a finished run, the same command with --certify only certifies.
    #[arg(long)]
    pub certify: bool,
}

/// A way to spend tries on a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// The search.
    Search,
    /// Random chains.
    Random,
    /// Answers drawn from the unmodified model.
    Sampling,
    /// Half the tries of the search, half of sampling.
    #[value(name = "layers+sampling")]
    LayersAndSampling,
    /// Chains of a menu.
    Menu,
}

/// Arguments of `cola demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Search real ARC-Easy, SciQ and arithmetic questions with a real LLM, SmolLM2-135M. `make demo` or `python3
    /// datasets/real.py` fetches the model and the questions.
    #[arg(long)]
    pub real: bool,
    /// Run directory (default: results/demo-run in the current directory, or results/demo-real with --real).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Take only the first N samples of each dataset.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub strategy: StrategyArgs,
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Print the summary as one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// How to show progress on standard error. auto shows bars on a terminal, and otherwise a line every ten
    /// seconds; json prints a line of JSON every second; none shows nothing.
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto, value_name = "HOW")]
    pub progress: ProgressArg,
}

/// Arguments of `cola search`.
#[derive(Debug, Args)]
pub struct SearchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub tasks: TaskArgs,
    #[command(flatten)]
    pub strategy: StrategyArgs,
    /// Run directory, which gets manifest.json, samples.jsonl and the files derived from them.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print the summary as one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// How to show progress on standard error. auto shows bars on a terminal, and otherwise a line every ten
    /// seconds; json prints a line of JSON every second; none shows nothing.
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto, value_name = "HOW")]
    pub progress: ProgressArg,
}

/// Arguments of `cola eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub tasks: TaskArgs,
    /// The layers to run, like 0-5,4-11 or 0-3,(4-5)x3,6-11 (default: the unmodified model).
    #[arg(long, value_name = "CHAIN", conflicts_with = "pairs")]
    pub chain: Option<String>,
    /// Evaluate the pairs in this file instead: JSONL of {"id", "chain"}, and "task" if several tasks have the
    /// id. Writes pairs.jsonl to the directory of --out.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub pairs: Option<PathBuf>,
    /// Write results_TIME.json and samples_TASK_TIME.jsonl to this directory, as lm-evaluation-harness does (with
    /// --pairs: pairs.jsonl).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Evaluate nothing, but print the prompts of the first N samples of each task as the model reads them:
    /// special tokens, token ids, what is scored or generated after them, and what looks wrong. Reads no weights.
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with_all = ["pairs", "out", "chain"])]
    pub show_prompts: Option<usize>,
    /// Print the results as one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
    /// How to show progress on standard error. auto shows bars on a terminal, and otherwise a line every ten
    /// seconds; json prints a line of JSON every second; none shows nothing.
    #[arg(long, value_enum, default_value_t = ProgressArg::Auto, value_name = "HOW")]
    pub progress: ProgressArg,
}

/// Arguments of `cola generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The prompt. If it is empty, the text starts from the beginning-of-sequence token.
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// The layers to run, like 0-5,4-11 or 0-3,(4-5)x3,6-11 (default: the unmodified model).
    #[arg(long, value_name = "CHAIN")]
    pub chain: Option<String>,
    /// Generate at most N tokens.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = at_least_one)]
    pub max_new_tokens: usize,
    /// Sample: draw each token by its probability, with the logits divided by T. 0 takes the most likely token.
    #[arg(long, default_value_t = 0.0, value_name = "T", value_parser = temperature, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw only from the most likely tokens that together have probability P. Needs a --temperature above 0.
    #[arg(long, default_value_t = 1.0, value_name = "P", value_parser = probability, allow_negative_numbers = true)]
    pub top_p: f64,
    /// Seed of the draws: the same seed draws the same text.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Put the prompt through the model's chat template, as one user message.
    #[arg(long)]
    pub chat: bool,
    /// System message of the chat (default: none).
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub system: Option<String>,
    /// Leave out the special tokens that the tokenizer puts around a prompt.
    #[arg(long)]
    pub no_bos: bool,
    /// Do not stop at end-of-sequence tokens.
    #[arg(long)]
    pub ignore_eos: bool,
    /// Print the tokens, the text and why it ended as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Reference file (safetensors) that tests/fixtures/make_references.py has written.
    #[arg(long, value_name = "FILE")]
    pub reference: PathBuf,
    /// Largest difference of a logit that is allowed.
    #[arg(
        long,
        default_value_t = 2e-4,
        value_name = "X",
        allow_negative_numbers = true
    )]
    pub tolerance: f64,
    /// Print the compared cases as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A directory in Hugging Face layout (config.json, safetensors weights, tokenizer.json), a GGUF file, or a
    /// model on the Hugging Face hub (org/name, org/name@revision or org/name:FILE.gguf). cola fetches the files
    /// that the local cache lacks.
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola analyze`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Run directory.
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Run directories.
    #[arg(required = true, value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    /// Directory to write to (default: analysis in the run directory, if there is only one run).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `cola export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Run directory.
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// Format of the file: csv or jsonl.
    #[arg(long)]
    pub format: String,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write only samples whose best chain has a certificate that holds the thresholds below. The run needs
    /// certificates: see cola search --certify.
    #[arg(long)]
    pub certified: bool,
    /// Least share of the rotations of the options in which the chain must be right (default: 1). Samples whose
    /// options cannot be rotated hold any.
    #[arg(long, value_name = "SHARE", requires = "certified", value_parser = share, allow_negative_numbers = true)]
    pub min_rotations: Option<f64>,
    /// Of 16 other samples, the chain may answer N fewer right than the unmodified model (default: 4); of fewer
    /// samples, in proportion.
    #[arg(long, value_name = "N", requires = "certified")]
    pub max_transfer_loss: Option<usize>,
    /// Most degradation of the chain, in nats per token (default: the bound of the run).
    #[arg(long, value_name = "NATS", requires = "certified", value_parser = nats, allow_negative_numbers = true)]
    pub max_degradation: Option<f64>,
}

/// Arguments of `cola synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// Kind of questions: arith, commonsense, countdown, boolean, list-ops, hops or counting.
    #[arg(long)]
    pub kind: String,
    /// Difficulty: number of operations (arith, 1-8), of facts to combine (commonsense, 1-2), of operations minus
    /// one (countdown, 1-4), of and/or operators minus two (boolean, 1-8); depth of nesting (list-ops, 1-8);
    /// number of look-ups (hops, 1-8); length of the list (counting, 1-6).
    #[arg(long)]
    pub level: u32,
    /// Number of questions.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub count: usize,
    /// Seed.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Split: test or train. No question is in both.
    #[arg(long, default_value = "test")]
    pub split: String,
    /// File to write (default: standard output).
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Compute dtypes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    /// f32 on the CPU, the dtype of the weights on CUDA.
    Auto,
    /// 32-bit float.
    F32,
    /// bfloat16.
    Bf16,
    /// 16-bit float.
    F16,
}

/// How continuations are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Decode {
    /// In one pass with the prompt, as far as another chain wrote the same.
    Draft,
    /// Token by token.
    Plain,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressArg {
    /// Bars on a terminal, plain lines otherwise.
    Auto,
    /// Lines of JSON.
    Json,
    /// Not at all.
    None,
}

impl From<ProgressArg> for ProgressStyle {
    fn from(progress: ProgressArg) -> Self {
        match progress {
            ProgressArg::Auto => Self::Auto,
            ProgressArg::Json => Self::Json,
            ProgressArg::None => Self::Quiet,
        }
    }
}

/// What a search is told of a wrong chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Score {
    /// Only that it is wrong.
    Verdict,
    /// How near it came to the gold answer.
    Margin,
}

impl From<Score> for cola_search::Score {
    fn from(score: Score) -> Self {
        match score {
            Score::Verdict => Self::Verdict,
            Score::Margin => Self::Margin,
        }
    }
}

/// What a repeated layer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Repeat {
    /// Keys and values of its own for each visit.
    Clean,
    /// One slot of a transformers cache for all visits of a layer.
    SharedSlot,
}

impl From<Repeat> for cola_model::Repeat {
    fn from(repeat: Repeat) -> Self {
        match repeat {
            Repeat::Clean => Self::Clean,
            Repeat::SharedSlot => Self::SharedSlot,
        }
    }
}

fn parse_bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.trim().trim_end_matches(['B', 'b']) {
        t if t.ends_with(['k', 'K']) => (&t[..t.len() - 1], 10),
        t if t.ends_with(['m', 'M']) => (&t[..t.len() - 1], 20),
        t if t.ends_with(['g', 'G']) => (&t[..t.len() - 1], 30),
        t => (t, 0),
    };
    let number: usize = digits
        .trim()
        .parse()
        .map_err(|_| "expected a number of bytes, like 1000000, 512M or 4G".to_owned())?;
    number
        .checked_mul(1 << unit)
        .ok_or_else(|| "a number of bytes that is too large".to_owned())
}

fn max_degradation(text: &str) -> Result<MaxDegradation, String> {
    match (text, nats(text)) {
        ("none", _) => Ok(MaxDegradation::Unbounded),
        (_, Ok(nats)) => Ok(MaxDegradation::Nats(nats)),
        (_, Err(reason)) => Err(format!("{reason}, or none")),
    }
}

fn nats(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(nats) if f64::is_finite(nats) && nats >= 0.0 => Ok(nats),
        _ => Err("expected a number of nats per token, 0 or more".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(t) if t >= 0.0 && f64::is_finite(t) => Ok(t),
        _ => Err("expected a number, 0 or more".to_owned()),
    }
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(p) if p > 0.0 && p <= 1.0 => Ok(p),
        _ => Err("expected a number above 0, at most 1".to_owned()),
    }
}

/// An alpha that damps: [`Alpha`] itself may be 1, which [`SearchConfig`](cola_search::SearchConfig) refuses with the reason.
fn damping(text: &str) -> Result<Alpha, String> {
    let wrong = |error: <Alpha as std::str::FromStr>::Err| error.to_string();
    let alpha = text.parse::<Alpha>().map_err(wrong);
    alpha.map_err(|error| error.replace("and at most 1", "and below 1"))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err("expected a whole number, 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bytes_take_binary_units() {
        assert_eq!(parse_bytes("0"), Ok(0));
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        assert_eq!(parse_bytes("4GB"), Ok(4 << 30));
        assert!(parse_bytes("much").is_err());
        assert!(parse_bytes("99999999999999G").is_err());
    }
}
