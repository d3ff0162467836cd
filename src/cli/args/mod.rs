//! What can be typed.

mod choices;
mod shared;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use cola_search::chain::Alpha;

pub use choices::{Arm, Decode, Dtype, FitObjective, ProgressArg};
pub use shared::{ComputeArgs, ModelArgs, StrategyArgs, TaskArgs};
use values::{at_least_one, damping, nats, probability, share, temperature};

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
    /// Choose one chain for a whole task on a part of its samples, and report it on the others: the best chain of
    /// each depth, beside what people use without a search. The same command continues an interrupted fit.
    Fit(FitArgs),
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
    /// Write the best chain of every sample to a file, for other tools, or one chain of a model as a checkpoint.
    Export(ExportArgs),
    /// Generate questions from a seed, each checked by a solver, one JSON object on each line.
    Synth(SynthArgs),
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

/// Arguments of `cola fit`.
#[derive(Debug, Args)]
pub struct FitArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub tasks: TaskArgs,
    /// Report on the rows of these files, one for each task, instead of on a part of --data.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub test_data: Vec<PathBuf>,
    /// Part of the samples that is held out: chains are chosen on the others, and reported on these.
    #[arg(long, default_value_t = 0.5, value_name = "SHARE", value_parser = share, conflicts_with = "test_data")]
    pub holdout: f64,
    /// What to choose chains by. margin is the mean log-probability by which the right answer is ahead, which is less
    /// noisy than accuracy. depth chooses the shortest chain that loses at most --max-drop of accuracy.
    #[arg(long, value_enum, default_value_t = FitObjective::Margin)]
    pub objective: FitObjective,
    /// Accuracy that --objective depth may lose on the training samples.
    #[arg(long, default_value_t = 0.01, value_name = "SHARE", value_parser = share)]
    pub max_drop: f64,
    /// Depths to choose a chain for, like 24,26-29 (default: from two thirds of the model's layers to half as many
    /// more).
    #[arg(long, value_name = "DEPTHS")]
    pub depths: Option<String>,
    /// Layer steps to spend on choosing. What chains of a sample share at their beginning counts once. Without it,
    /// every race runs to its end.
    #[arg(long, value_name = "N")]
    pub budget_steps: Option<u64>,
    /// Also try the best chains above the model's own depth with damped repeats, which run x + ALPHA (F(x) - x) in
    /// place of F(x) on the second and later visits of a layer F.
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = damping)]
    pub damping: Option<Alpha>,
    /// Seed of the split, and of the random baseline.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// Directory for fit.json, front.csv, blocks.csv, blocks.svg, and fit.log, which knows all evaluations.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print fit.json instead of a table.
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
    /// Run directory, whose best chains are written.
    #[arg(value_name = "DIR", required_unless_present = "model")]
    pub run: Option<PathBuf>,
    /// Instead of a run, write one chain of this model.
    #[arg(long, value_name = "MODEL", requires = "chain", conflicts_with = "run")]
    pub model: Option<String>,
    /// The chain of --model, like 0-5,4-11 or 0-3,(4-5)x3,6-11.
    #[arg(long, value_name = "CHAIN", requires = "model")]
    pub chain: Option<String>,
    /// Of a run: csv or jsonl, a row for each sample, or parquet, a row for each evaluation. Of a chain: hf (a checkpoint in Hugging Face layout whose layers are copies, in the
    /// order of the chain), mergekit (a passthrough merge that makes one) or rys (its list of layers).
    #[arg(long)]
    pub format: String,
    /// File to write; for hf a directory, which must be empty if it is there.
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
