//! What several commands take: a model, where it runs, questions, a search.

use std::path::PathBuf;

use clap::Args;

use super::{
    choices::{Arm, Decode, Dtype, Repeat, Score},
    values::{at_least_one, damping, max_degradation, parse_bytes},
};
use crate::{
    cli::{
        CliError,
        prompts::PromptArgs,
        setup::{Located, locate_model},
    },
    run::ControlSamples,
};
use cola_search::{MaxDegradation, chain::Alpha};
use lm_tasks::Condition;

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
    /// core; 1 on CUDA). The outcome of the trial is kept in ~/.cache/cola/trials, or below XDG_CACHE_HOME; remove
    /// it there to have the trial made again.
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
