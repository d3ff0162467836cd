//! Flags whose values are names.

use clap::ValueEnum;

use crate::run::ProgressStyle;

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

/// What a fit chooses chains by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FitObjective {
    /// The share of right answers.
    Accuracy,
    /// The mean margin.
    Margin,
    /// The fewest layers.
    Depth,
}

impl From<FitObjective> for crate::fit::Objective {
    fn from(objective: FitObjective) -> Self {
        match objective {
            FitObjective::Accuracy => Self::Accuracy,
            FitObjective::Margin => Self::Margin,
            FitObjective::Depth => Self::Depth,
        }
    }
}
