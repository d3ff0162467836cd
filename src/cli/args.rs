//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    CliError,
    prompts::PromptArgs,
    setup::{Located, locate_model},
};
use cola_search::chain::Alpha;
use lm_tasks::Condition;

const AFTER_HELP: &str = "\
Examples:
  cola demo
  cola search --model DIR --task arc_easy --data test.jsonl --out results/arc-easy
  cola inspect --model HuggingFaceTB/SmolLM2-135M
  cola eval --model DIR --task arc_easy --data test.jsonl --chain 0-14,12-27
  cola analyze results/arc-easy

A chain lists the layers to run: 0-27 is a model of 28 layers as it is, 0-9,12-27 skips two,
0-9,(10-12)x3,13-27 runs a block three times, 0-9,(10-12)x3@0.5,13-27 adds half of what it changes
the second and third time, `empty` runs none.

Exit status: 0 done; 1 finished, but some samples failed or differ; 2 could not run;
130 interrupted: the same `search` command continues.";

/// Searches, for every sample of a benchmark, for the shortest chain of a frozen LLM's layers
/// that answers it right.
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
    /// Search the bundled datasets with the bundled model: needs no arguments.
    Demo(DemoArgs),
    /// Search every sample of a task for the shortest chain that answers it right. Resumable: the
    /// same command continues.
    Search(SearchArgs),
    /// Evaluate one fixed chain on a task (the unmodified model by default), or listed pairs.
    Eval(EvalArgs),
    /// Continue a prompt greedily under a chain. Prints the new text.
    Generate(GenerateArgs),
    /// Compare logits with a reference file; exit status 1 past the tolerance.
    Verify(VerifyArgs),
    /// Show a model's architecture, layers, parameters and memory.
    Inspect(InspectArgs),
    /// Depth-usage statistics of finished runs: CSV files, figures and report.html.
    Analyze(AnalyzeArgs),
    /// Write the best chain of every sample to a file, for other tools.
    Export(ExportArgs),
    /// Make seeded, solver-checked questions, one JSON object a line.
    Synth(SynthArgs),
}

/// Which model, and where it runs.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// A directory in Hugging Face layout (config.json, safetensors weights, tokenizer.json), a GGUF file, or a
    /// model on the Hugging Face hub, org/name, org/name@revision or org/name:FILE.gguf: what its cache
    /// lacks is fetched.
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// The tokenizer of this directory (tokenizer.json, tokenizer_config.json, chat template) instead of the model's own.
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
    /// Where to run: cpu, cuda:N, or several GPUs like cuda:0,cuda:1, over which samples are spread.
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Compute dtype; auto is f32 on the CPU and the dtype of the weights on CUDA.
    #[arg(long, value_enum, default_value_t = Dtype::Auto)]
    pub dtype: Dtype,
    /// Memory for states, in bytes or with k, M or G: those kept for reuse and those that work in
    /// flight holds, which may take half of it and at least 256 MiB (default: a quarter of what is free
    /// on the CPU, half on each GPU).
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub state_budget: Option<usize>,
    /// Worker threads of the engine (default: on the CPU as many as were fastest in a short trial,
    /// usually one a core; 1 on CUDA).
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub workers: Option<usize>,
    /// libtorch threads in each worker (default: OMP_NUM_THREADS, else as in that trial).
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<usize>,
    /// Samples searched at once (default: 128 on the CPU, 256 on each GPU), or evaluations in flight in eval
    /// (default: 512).
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub in_flight: Option<usize>,
    /// How continuations are computed: draft runs those that other chains produced together with the
    /// prompt, plain decodes token by token. Both write the same.
    #[arg(long, value_enum, default_value_t = Decode::Draft)]
    pub decode: Decode,
    /// Ask every near-tie again, alone, also on CUDA in 16 bits. Without it only the best chain of a
    /// sample is confirmed alone there; elsewhere near-ties are always asked again.
    #[arg(long)]
    pub invariant: bool,
    /// What a layer sees when a chain visits it again: with clean its own keys and values, as if the
    /// layer had been copied; with shared-slot what a transformers cache with one slot a layer makes
    /// of it, for comparison with published numbers.
    #[arg(long, value_enum, default_value_t = Repeat::Clean)]
    pub repeat: Repeat,
}

/// Which questions.
#[derive(Debug, Clone, Default, Args)]
pub struct TaskArgs {
    /// Built-in task (arith, commonsense, countdown, boolean, list-ops, hops, counting, arc_easy,
    /// arc_challenge, openbookqa, commonsense_qa, piqa, hellaswag, winogrande, boolq, social_iqa, sciq, copa,
    /// medmcqa, basic_arithmetic, basic_arithmetic_generate, lambada, mmlu, mmlu_pro, gsm8k, gsm8k_polar,
    /// svamp, dart_math, math, hendrycks_math, minerva_math) or YAML file in lm-evaluation-harness's
    /// dialect; one or several.
    #[arg(long, required = true, num_args = 1.., value_delimiter = ',', value_name = "TASK")]
    pub task: Vec<String>,
    /// Rows instead of the task's own: JSONL, JSON, CSV or TSV (also as .gz or .zst), Parquet or Arrow
    /// (.arrow, file or stream); one file for each task, in the same order.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub data: Vec<PathBuf>,
    /// Rows of a dataset on the Hugging Face hub, org/name or org/name@revision, or of a directory
    /// laid out like one, written by datasets.save_to_disk, or with a file a split, in any format. What
    /// the cache lacks is fetched. One task.
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
    /// Split of --dataset (default: the one the task evaluates, else test).
    #[arg(
        long,
        value_name = "NAME",
        requires = "dataset",
        conflicts_with = "data"
    )]
    pub split: Option<String>,
    /// Rows the few-shot examples are drawn from, instead of the task's own.
    #[arg(long, value_name = "FILE")]
    pub fewshot_data: Option<PathBuf>,
    /// Solved examples before each question, instead of the task's own number.
    #[arg(long, value_name = "N")]
    pub num_fewshot: Option<usize>,
    /// Tokens to generate at most, in the tasks that generate, instead of each task's own number.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_gen_toks: Option<usize>,
    /// Only rows with this value in a column, or at a path into it: query_metadata.level=3. Several
    /// must all hold.
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub conditions: Vec<Condition>,
    /// Pass over up to N bad rows of each task, and count them, instead of stopping at the first.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub skip_bad_rows: usize,
    /// Only the first N samples of each task.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub prompts: PromptArgs,
}

/// How to search.
#[derive(Debug, Clone, Args)]
pub struct StrategyArgs {
    /// mcts, random or exhaustive.
    #[arg(long, default_value = "mcts")]
    pub strategy: String,
    /// default, cola-paper, polar-release, dr-llm or re-polar.
    #[arg(long, default_value = "default")]
    pub preset: String,
    /// Simulations a sample (default: the preset's; 100 of polar-release, 50 of dr-llm, else 200).
    #[arg(long, value_name = "N")]
    pub simulations: Option<usize>,
    /// Also try damped repeats: x + ALPHA (F(x) - x) in place of F(x) on the second and later visits.
    /// ALPHA is above 0 and below 1, with at most three decimals; only in --preset default.
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true)]
    pub damping: Option<Alpha>,
    /// What the search is told of a wrong chain: margin, how near it came (the log-probability of the
    /// gold option minus that of the best other; of a text, the least lead of the gold tokens over the
    /// best other token), or verdict, nothing more. Default: margin in --preset default, and verdict in
    /// the published presets, which know nothing else.
    #[arg(long, value_enum, value_name = "SCORE")]
    pub score: Option<Score>,
    /// Seed of the run; every sample's search has its own, made from it.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Samples of each task that also get the control searches, at the same budget; 0 for none.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub controls: usize,
}

/// Arguments of `cola demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A real LLM, SmolLM2-135M, on real ARC-Easy, SciQ and arithmetic questions, which `make demo` or
    /// `python3 datasets/real.py` fetches.
    #[arg(long)]
    pub real: bool,
    /// Run directory; results/demo-run in the current directory if not given, results/demo-real with --real.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Only the first N samples of each dataset.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub strategy: StrategyArgs,
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Print the summary as one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
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
    /// Run directory: manifest.json, samples.jsonl and what is derived from it.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print the summary as one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub tasks: TaskArgs,
    /// The layers to run, as 0-5,4-11 or 0-3,(4-5)x3,6-11; the unmodified model if not given.
    #[arg(long, value_name = "CHAIN", conflicts_with = "pairs")]
    pub chain: Option<String>,
    /// Evaluate these pairs instead: JSONL of {"id", "chain"}, and "task" where several tasks have
    /// the id; writes DIR/pairs.jsonl.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub pairs: Option<PathBuf>,
    /// Write results_TIME.json and samples_TASK_TIME.jsonl there, as lm-evaluation-harness does (or
    /// pairs.jsonl).
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the prompts of the first N samples of each task instead, as the model reads them: special
    /// tokens, token ids, what is scored or generated after them, and what looks wrong. Reads no weights.
    #[arg(long, value_name = "N", value_parser = at_least_one, conflicts_with_all = ["pairs", "out", "chain"])]
    pub show_prompts: Option<usize>,
    /// Print the results as one JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The prompt. An empty one starts from the beginning-of-sequence token.
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// The layers to run, as 0-5,4-11 or 0-3,(4-5)x3,6-11; the unmodified model if not given.
    #[arg(long, value_name = "CHAIN")]
    pub chain: Option<String>,
    /// Most tokens to generate.
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = at_least_one)]
    pub max_new_tokens: usize,
    /// Put the prompt through the model's chat template, as one user message.
    #[arg(long)]
    pub chat: bool,
    /// System message of the chat; without it there is none.
    #[arg(long, value_name = "TEXT", requires = "chat")]
    pub system: Option<String>,
    /// Leave out the special tokens that the tokenizer puts around a prompt.
    #[arg(long)]
    pub no_bos: bool,
    /// Go on past end-of-sequence tokens.
    #[arg(long)]
    pub ignore_eos: bool,
    /// Print tokens, text and why it ended as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Reference file (safetensors), as tests/fixtures/make_references.py writes it.
    #[arg(long, value_name = "FILE")]
    pub reference: PathBuf,
    /// Largest difference of a logit that passes.
    #[arg(
        long,
        default_value_t = 2e-4,
        value_name = "X",
        allow_negative_numbers = true
    )]
    pub tolerance: f64,
    /// Print the cases as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A directory in Hugging Face layout (config.json, safetensors weights, tokenizer.json), a GGUF file, or a
    /// model on the Hugging Face hub, org/name, org/name@revision or org/name:FILE.gguf: what its cache
    /// lacks is fetched.
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// Print everything as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `cola analyze`.
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Run directories.
    #[arg(required = true, value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    /// Where to write; DIR/analysis of a single run if not given.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Arguments of `cola export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Run directory.
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// csv or jsonl.
    #[arg(long)]
    pub format: String,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `cola synth`.
#[derive(Debug, Args)]
pub struct SynthArgs {
    /// arith, commonsense, countdown, boolean, list-ops, hops or counting.
    #[arg(long)]
    pub kind: String,
    /// Difficulty: operations in a row (arith, 1-8), facts to combine (commonsense, 1-2), operations
    /// less one (countdown, 1-4), and/or operators less two (boolean, 1-8), depth of nesting
    /// (list-ops, 1-8), look-ups (hops, 1-8), length of the list (counting, 1-6).
    #[arg(long)]
    pub level: u32,
    /// Number of questions.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub count: usize,
    /// Seed.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// test or train: disjoint by construction.
    #[arg(long, default_value = "test")]
    pub split: String,
    /// File to write; standard output if not given.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Compute dtypes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    /// f32 on the CPU, the dtype of the weights on CUDA.
    Auto,
    /// 32-bit.
    F32,
    /// bfloat16.
    Bf16,
    /// 16-bit.
    F16,
}

/// How continuations are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Decode {
    /// Together with the prompt, where another chain produced the same.
    Draft,
    /// Token by token.
    Plain,
}

/// What a search is told of a wrong chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Score {
    /// That it is wrong.
    Verdict,
    /// How near it came.
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
    /// Keys and values for each position of the chain.
    Clean,
    /// What a transformers cache shared between visits computes.
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
        .map_err(|_| "expected bytes, as 1000000, 512M or 4G".to_owned())?;
    number
        .checked_mul(1 << unit)
        .ok_or_else(|| "more bytes than there are".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err("expected a whole number from 1".to_owned()),
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
